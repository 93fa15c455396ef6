"""Which URLs may be called: a collection of what attackers write, and what must keep working."""

import unittest
from unittest import mock
from urllib.parse import urlsplit

import requests
from urllib3.util import parse_url

from chassis import connections, http
from messaging import targets

ALLOWED_ORIGINS = ("http://127.0.0.1:7000", "http://Producer:7000/", "https://[::0001]")

HOSTILE = {
    "not http, or not clearly so": (
        "",
        "shop.example",
        "//shop.example/",
        "/hook",
        "ftp://shop.example/",
        "file:///etc/passwd",
        "gopher://127.0.0.1:6379/_INFO",
        "javascript:alert(1)",
        "httpx://shop.example/",
        "http:shop.example",
        "http:/shop.example/",
        "http:///shop.example/",
        "http://",
        "http://?x",
        "http://:80/",
        "http+unix://%2Frun%2Fdocker.sock/",
    ),
    "a user, or a host that looks like one": (
        "http://user@shop.example/",
        "http://user:secret@shop.example/",
        "http://@shop.example/",
        "http://:@shop.example/",
        "http://shop.example@127.0.0.1/",
        "http://127.0.0.1:7000@shop.example/",
        "http://shop.example%40127.0.0.1/",
        "http://shop.example\\@127.0.0.1/",
        "http://127.0.0.1\\@shop.example/",
        "http://shop.example\\.evil.example/",
    ),
    "spaces, controls, what cannot be seen": (
        " http://shop.example/",
        "http://shop.example/ x",
        "http://shop.example\t/",
        "http://shop.example/\r\nX-Header: y",
        "http://shop.example/\n",
        "http://shop.example/\x00",
        "http://shop.example/\x7f",
        "http://shop.example/\u00a0",
        "http://shop.example/\u2028",
        "http://sho\u200bp.example/",
        "http://shop.example/\u202egnp",
        "http://shop.example/\ud800",
    ),
    "ports": (
        "http://shop.example:0/",
        "http://shop.example:22/",
        "http://shop.example:25/",
        "http://shop.example:1023/",
        "http://shop.example:65536/",
        "http://shop.example:99999999/",
        "http://shop.example:-80/",
        "http://shop.example:80x/",
        "http://shop.example:80:81/",
        "http://shop.example:\u0668\u0660/",
        "http://93.184.216.34:6379:80/",
    ),
    "IPv4 that is not public": (
        "http://0.0.0.0/",
        "http://0.1.2.3/",
        "http://10.0.0.1/",
        "http://100.64.0.1/",
        "http://100.100.100.200/latest/meta-data",
        "http://127.0.0.1/",
        "http://127.0.0.1:7001/",
        "https://127.0.0.1:7000/",
        "http://127.8.8.8/",
        "http://168.63.129.16/metadata",
        "http://169.254.169.254/latest/meta-data/",
        "http://172.16.0.1/",
        "http://172.31.255.255/",
        "http://192.0.0.192/",
        "http://192.0.2.1/",
        "http://192.88.99.1/",
        "http://192.168.1.1/",
        "http://198.18.0.1/",
        "http://198.51.100.1/",
        "http://203.0.113.1/",
        "http://224.0.0.1/",
        "http://239.255.255.250:1900/",
        "http://240.0.0.1/",
        "http://255.255.255.255/",
    ),
    "IPv4 in other notations": (
        "http://2130706433/",
        "http://3232235777/",
        "http://017700000001/",
        "http://0x7f000001/",
        "http://0X7F000001/",
        "http://0x7f.0x0.0x0.0x1/",
        "http://0x7f.1/",
        "http://0177.0.0.1/",
        "http://0177.0.0.01/",
        "http://127.1/",
        "http://127.0.1/",
        "http://10.1/",
        "http://0/",
        "http://00/",
        "http://127.0.0.1./",
        "http://127.0.0.1.../",
        "http://127.0.0.001/",
        "http://127.0.0.0x1/",
        "http://127.0.0.1.5/",
        "http://256.256.256.256/",
        "http://4294967297/",
        "http://169.254.43518/",
        "http://1.1.1.1.1/",
        "http://010.8.8.8/",
        "http://0x8080808/",
        "http://127%2e0%2e0%2e1/",
        "http://%31%32%37.0.0.1/",
        "http://\uff11\uff12\uff17.0.0.1/",
        "http://127\u30020\u30020\u30021/",
        "http://127\uff0e0\uff0e0\uff0e1/",
        "http://\u2460\u2461\u2466.0.0.1/",
        "http://\u0661\u0662\u0667.0.0.1/",
    ),
    "IPv6 that is not public, or hides an IPv4 address": (
        "http://[::]/",
        "http://[::1]/",
        "https://[::1]:8443/",
        "http://[0:0:0:0:0:0:0:1]/",
        "http://[::127.0.0.1]/",
        "http://[::7f00:1]/",
        "http://[::ffff:127.0.0.1]/",
        "http://[::ffff:7f00:1]/",
        "http://[::ffff:0:127.0.0.1]/",
        "http://[::ffff:93.184.216.34]/",
        "http://[64:ff9b::127.0.0.1]/",
        "http://[64:ff9b::a9fe:a9fe]/",
        "http://[64:ff9b:1::10.0.0.1]/",
        "http://[2002:7f00:1::]/",
        "http://[2002:a9fe:a9fe::1]/",
        "http://[2001:0:4136:e378:8000:63bf:3fff:fdd2]/",
        "http://[2001:db8::1]/",
        "http://[3fff::1]/",
        "http://[100::1]/",
        "http://[5f00::1]/",
        "http://[fc00::1]/",
        "http://[fd00:ec2::254]/",
        "http://[fe80::1]/",
        "http://[fe80::1%25eth0]/",
        "http://[2606:4700::1111%25eth0]/",
        "http://[2606:4700::1111%eth0]/",
        "http://[fec0::1]/",
        "http://[ff02::1]/",
        "http://[::1/",
        "http://::1/",
        "http://[127.0.0.1]/",
        "http://[v1.x]/",
    ),
    "names of this machine, and names that are none": (
        "http://localhost/",
        "http://LOCALHOST:8000/",
        "http://localhost./",
        "http://a.localhost/",
        "http://localhost.localdomain/",
        "http://ip6-localhost/",
        "http://\u24db\u24de\u24d2\u24d0\u24db\u24d7\u24de\u24e2\u24e3/",
        "http://loca\u017fhost/",
        "http://shop.example./",
        "http://shop..example/",
        "http://.shop.example/",
        "http://*.example/",
        "http://shop,example/",
        "http://shop.example;evil.example/",
        "http://shop&example/",
        "http://" + "a" * 64 + ".example/",
        "http://" + "a." * 127 + "example/",
        "http://shop.example/" + "a" * 2000,
    ),
}

# What public DNS answers, or could be made to answer, for names that look like any other.
HOSTILE_NAMES = {
    "http://127.0.0.1.nip.io/": "127.0.0.1",
    "http://localtest.me/": "127.0.0.1",
    "http://db/": "10.0.0.7",
    "http://metadata.google.internal/": "169.254.169.254",
    "http://router.example/": "192.168.1.1",
    "http://carrier.example/": "100.64.0.1",
    "http://any.example/": "0.0.0.0",
    "http://multicast.example/": "239.1.1.1",
    "http://six.example/": "::1",
    "http://compatible.example/": "::127.0.0.1",
    "http://mapped.example/": "::ffff:10.0.0.1",
    "http://site.example/": "fec0::1",
    "http://link.example/": "fe80::1%2",
    "http://unique.example/": "fd00::1",
    "http://nat64.example/": "64:ff9b::7f00:1",
    "http://local-nat64.example/": "64:ff9b:1::a00:1",
    "http://6to4.example/": "2002:7f00:1::1",
    "http://teredo.example/": "2001::1",
}

WELCOME = (
    "http://127.0.0.1:7000/api/v1/data/orders/1/status/update",
    "HTTP://127.0.0.1:7000",
    "http://producer:7000/hook",
    "https://[::1]/hook",
    "https://shop.example",
    "https://shop.example/hook?order=1&x=%20#part",
    "http://shop.example:80/",
    "https://Shop.Example:443/",
    "https://shop.example:8443/a@b",
    "http://my_shop-1.example:1024/",
    "http://intranet/hook",
    "http://8.8.8.8/",
    "http://93.184.216.34:65535/",
    "https://[2606:4700:4700::1111]/",
    "https://[2A00:1450:4001:080b::200e]:8443/",
    "https://b\u00fccher.example/\u00fc",
    "https://xn--bcher-kva.example/",
    "https://10.example/",
    "https://0x7f.example/",
    "https://notlocalhost/",
    "https://shop.example/" + "a" * 1979,
)


class TargetTests(unittest.TestCase):
    def test_hostile_urls_are_refused(self):
        self.assertGreater(sum(map(len, HOSTILE.values())), 100)
        for kind, urls in HOSTILE.items():
            for url in urls:
                with self.subTest(kind=kind, url=url):
                    with self.assertRaises(targets.InvalidTarget) as caught:
                        targets.check_url(url, ALLOWED_ORIGINS)
                    self.assertTrue(caught.exception.message and caught.exception.code)

    def test_hostile_names_are_refused_when_connecting(self):
        for url, ip in HOSTILE_NAMES.items():
            with self.subTest(url=url, ip=ip):
                targets.check_url(url, ALLOWED_ORIGINS)
                found = [(2, 1, 6, "", ("93.184.216.34", 80)), (2, 1, 6, "", (ip, 80))]
                with mock.patch.object(connections, "resolve", return_value=found):
                    answer = http.post(
                        url, body=b"", headers={}, check_address=targets.check_address
                    )
                self.assertEqual(answer.error, f"address not allowed: {ip}")

    def test_welcome_urls_are_accepted(self):
        for url in WELCOME:
            with self.subTest(url=url):
                targets.check_url(url, ALLOWED_ORIGINS)

    def test_what_is_checked_is_what_is_called(self):
        for url in WELCOME:
            with self.subTest(url=url):
                prepared = requests.Request("POST", url).prepare()
                called = urlsplit(prepared.url)
                checked = parse_url(url)
                host = str(checked.host).strip("[]")
                self.assertEqual((called.hostname, called.port), (host, checked.port))
                self.assertEqual(targets.origin_of(str(prepared.url)), targets.origin_of(url))

    def test_an_allowed_origin_allows_nothing_beside_itself(self):
        for url in (
            "https://127.0.0.1:7000/",
            "http://127.0.0.1:7001/",
            "http://127.0.0.2:7000/",
            "http://u@127.0.0.1:7000/",
            "http://127.1:7000/",
            "http://[::ffff:127.0.0.1]:7000/",
            "http://[::1]/",
        ):
            with self.subTest(url=url), self.assertRaises(targets.InvalidTarget):
                targets.check_url(url, ALLOWED_ORIGINS)

    def test_an_allowed_origin_may_have_any_port_and_local_names(self):
        targets.check_url("http://localhost:81/hook", ["http://localhost:81"])

    def test_an_origin_has_one_spelling(self):
        for origin, urls in {
            "http://shop.example:80": ("http://shop.example", "HTTP://Shop.EXAMPLE:80/x?y#z"),
            "https://shop.example:443": ("https://shop.example:443/", "https://shop.example:"),
            "https://xn--bcher-kva.example:443": ("https://B\u00dcCHER.example/",),
            "https://[2606:4700::1]:443": ("https://[2606:4700:0:0:0::0001]/",),
        }.items():
            for url in urls:
                self.assertEqual(targets.origin_of(url), origin)

    def test_why_a_url_is_refused_has_a_code(self):
        for url, code in {
            "ftp://shop.example/": "scheme",
            "http://u@shop.example/": "userinfo",
            "http://shop.example:22/": "port",
            "http://10.0.0.1/": "not_public",
            "http://0x7f.1/": "host",
            "http://shop.example/ ": "invalid",
            "http://shop.example/" + "a" * 2000: "max_length",
        }.items():
            with self.assertRaises(targets.InvalidTarget) as caught:
                targets.check_url(url, ())
            self.assertEqual(caught.exception.code, code)

    def test_public_addresses_may_be_connected_to(self):
        for ip in ("8.8.8.8", "93.184.216.34", "172.32.0.1", "2606:4700:4700::1111"):
            targets.check_address(ip)
        for ip in ("10.0.0.1", "::", "not an address", "127.1", ""):
            with self.assertRaises(http.AddressNotAllowed):
                targets.check_address(ip)
