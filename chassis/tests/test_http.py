"""Outbound calls, against a real socket that answers as badly as a peer can."""

import contextlib
import datetime
import os
import socket
import ssl
import tempfile
import threading
import unittest
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from unittest import mock

from chassis import connections, http

try:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
except ImportError:  # only the consumer has it
    x509 = None  # type: ignore[assignment]

SHORT = 0.3  # seconds that a call gets in these tests
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

Script = Callable[[socket.socket], None]


class Peer:
    """A server whose connections each run `script`, and what it has received."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self.requests: list[bytes] = []
        self.connections = 0
        self.closing = threading.Event()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}/hook"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                sock, _ = self.listener.accept()
                self.connections += 1
                threading.Thread(target=self._run, args=(sock,), daemon=True).start()

    def _run(self, sock: socket.socket) -> None:
        with sock, contextlib.suppress(OSError):
            self.script(sock)

    def read(self, sock: socket.socket) -> bytes:
        """The next request, headers and body; raises OSError where the caller has gone."""
        received = b""
        while b"\r\n\r\n" not in received:
            received += self._more(sock)
        head, _, body = received.partition(b"\r\n\r\n")
        lengths = [line[16:] for line in head.split(b"\r\n") if line.startswith(b"Content-Length")]
        while lengths and len(body) < int(lengths[0]):
            body += self._more(sock)
        self.requests.append(head + b"\r\n\r\n" + body)
        return self.requests[-1]

    def _more(self, sock: socket.socket) -> bytes:
        if not (part := sock.recv(65536)):
            raise ConnectionResetError
        return part

    def close(self) -> None:
        self.closing.set()
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()


def addresses(*pairs: tuple[str, int]) -> connections.Addresses:
    return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", pair) for pair in pairs]


def refuse_loopback(ip: str) -> None:
    if ip.startswith("127."):
        raise http.AddressNotAllowed(ip)


class HTTPTestCase(unittest.TestCase):
    def setUp(self) -> None:
        self.enterContext(mock.patch.dict(http._idle, clear=True))  # nothing kept from other tests

    def peer(self, script: Callable[[Peer, socket.socket], None]) -> Peer:
        peer = Peer(lambda sock: script(peer, sock))
        self.addCleanup(peer.close)
        return peer

    def answering(self, *answers: bytes) -> Peer:
        """A peer that answers each request of a connection with these bytes, and then closes."""

        def script(peer: Peer, sock: socket.socket) -> None:
            for answer in answers:
                peer.read(sock)
                sock.sendall(answer)

        return self.peer(script)

    def keeping(self) -> Peer:
        """A peer that answers well and keeps its connections."""

        def script(peer: Peer, sock: socket.socket) -> None:
            while True:
                peer.read(sock)
                sock.sendall(OK)

        return self.peer(script)

    def silent(self) -> Peer:
        """A peer that accepts connections and says nothing."""

        def script(peer: Peer, sock: socket.socket) -> None:
            peer.closing.wait()

        return self.peer(script)

    def trickling(self, start: bytes, again: bytes) -> Peer:
        def script(peer: Peer, sock: socket.socket) -> None:
            peer.read(sock)
            sock.sendall(start)
            while not peer.closing.wait(0.02):
                sock.sendall(again)

        return self.peer(script)

    def resolving(self, **kwargs: Any) -> Any:
        return self.enterContext(mock.patch.object(connections, "resolve", **kwargs))

    def post(self, url: str, **options: Any) -> http.Answer:
        return http.post(url, **{"body": b"{}", "headers": {}, **options})

    def assert_ends_in_time(self, peer: Peer) -> None:
        answer = self.post(peer.url, total_timeout=SHORT)
        self.assertEqual((answer.status, answer.error), (None, "timed out after 0.3 s"))
        self.assertLess(answer.ms, 4000)


class AnswerTests(HTTPTestCase):
    def test_an_answer_has_status_body_headers_and_time(self):
        peer = self.answering(
            b"HTTP/1.1 201 Made\r\nRetry-After: 7\r\nContent-Length: 4\r\n\r\nbody"
        )
        answer = self.post(peer.url, body=b"sent", headers={"X-Request-ID": "abc"})
        self.assertEqual((answer.status, answer.body, answer.error), (201, b"body", ""))
        self.assertEqual(answer.headers.get("retry-after"), "7")
        self.assertGreaterEqual(answer.ms, 0)
        self.assertTrue(peer.requests[0].startswith(b"POST /hook HTTP/1.1\r\n"))
        self.assertIn(b"X-Request-ID: abc\r\n", peer.requests[0])
        self.assertTrue(peer.requests[0].endswith(b"Content-Length: 4\r\n\r\nsent"))

    def test_get_sends_no_body(self):
        peer = self.answering(OK)
        self.assertEqual(http.get(peer.url + "?a=1", headers={}).body, b"ok")
        self.assertTrue(peer.requests[0].startswith(b"GET /hook?a=1 HTTP/1.1\r\n"))
        self.assertNotIn(b"Content-Length", peer.requests[0])

    def test_an_answer_without_a_body_is_an_answer(self):
        peer = self.answering(b"HTTP/1.1 204 No Content\r\n\r\n")
        answer = self.post(peer.url)
        self.assertEqual((answer.status, answer.body, answer.error), (204, b"", ""))

    def test_a_chunked_body_is_put_together(self):
        head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        peer = self.answering(head + b"2\r\nab\r\n3\r\ncde\r\n0\r\n\r\n")
        self.assertEqual(self.post(peer.url).body, b"abcde")

    def test_a_redirect_is_an_answer_and_is_not_followed(self):
        elsewhere = self.keeping()
        head = f"HTTP/1.1 302 Found\r\nLocation: {elsewhere.url}\r\nContent-Length: 0\r\n\r\n"
        answer = self.post(self.answering(head.encode()).url)
        self.assertEqual((answer.status, answer.headers["location"]), (302, elsewhere.url))
        self.assertEqual(elsewhere.connections, 0)

    def test_of_a_huge_body_no_more_than_64_kib_are_read(self):
        for status, length in ((200, b"Content-Length: 1000000000\r\n"), (302, b"Location: /\r\n")):

            def script(peer: Peer, sock: socket.socket, status=status, length=length) -> None:
                peer.read(sock)
                sock.sendall(b"HTTP/1.1 %d OK\r\n%s\r\n" % (status, length))
                while True:
                    sock.sendall(b"x" * 65536)

            with self.subTest(status=status):
                answer = self.post(self.peer(script).url)
                self.assertEqual((answer.status, answer.error), (status, ""))
                self.assertEqual(len(answer.body), http.MAX_BODY)

    def test_a_compressed_body_is_not_blown_up(self):
        head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\n"
        self.assertEqual(
            self.post(self.answering(head + b"\x1f\x8b\x08\x00").url).body[:2], b"\x1f\x8b"
        )

    def test_cookies_are_not_kept(self):
        peer = self.answering(
            *[OK.replace(b"\r\n\r\n", b"\r\nSet-Cookie: a=b; Path=/\r\n\r\n")] * 2
        )
        self.post(peer.url)
        self.post(peer.url)
        self.assertEqual(len(peer.requests), 2)
        self.assertNotIn(b"ookie", peer.requests[1])

    def test_proxies_of_the_environment_are_not_used(self):
        peer = self.answering(OK)
        with mock.patch.dict(os.environ, {"http_proxy": "http://127.0.0.1:1", "no_proxy": ""}):
            self.assertEqual(self.post(peer.url).status, 200)


class FailureTests(HTTPTestCase):
    def test_a_connection_dropped_in_mid_answer_is_no_answer(self):
        cut = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf"
        chunk = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nff\r\nhalf"
        for answer in (cut, chunk):
            got = self.post(self.answering(answer).url)
            self.assertEqual((got.status, got.body), (None, b""))
            self.assertEqual(got.error, "connection closed in mid-answer")

    def test_a_connection_dropped_before_an_answer_is_not_tried_again(self):
        peer = self.answering(b"")
        self.assertEqual(self.post(peer.url).error, "connection closed without an answer")
        self.assertEqual(peer.connections, 1)

    def test_what_is_not_http_is_no_answer(self):
        for junk in (
            b"\x00\x01\x02\r\n\r\n",
            b"SSH-2.0-OpenSSH_9.2\r\n",
            b"HTTP/1.1 abc OK\r\n\r\n",
            b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200 + b"\r\n",
            b"HTTP/1.1 200 OK\r\nX: " + b"y" * 70000 + b"\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Length: 1, 2\r\n\r\nx",
        ):
            with self.subTest(junk=junk[:40]):
                answer = self.post(self.answering(junk).url)
                self.assertIsNone(answer.status)
                self.assertNotEqual(answer.error, "")
                self.assertNotIn("\n", answer.error)

    def test_odd_but_whole_answers_raise_nothing_and_fill_no_log(self):
        self.enterContext(self.assertNoLogs(level="WARNING"))
        for odd in (
            b"X\r\n",
            b": y\r\n",
            b"Set-Cookie: \xff;;=\r\n",
            b"Content-Type: ;charset=\xff\r\n",
        ):
            with self.subTest(odd=odd):
                head = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n" + odd + b"\r\n"
                self.assertIsInstance(self.post(self.answering(head).url), http.Answer)

    def test_a_refused_connection_says_so(self):
        with socket.create_server(("127.0.0.1", 0)) as server:
            url = f"http://127.0.0.1:{server.getsockname()[1]}/"
        answer = self.post(url)
        self.assertEqual((answer.status, answer.error), (None, "connection refused"))

    def test_odd_urls_and_headers_raise_nothing(self):
        for url in ("", "x", "http://", "http://[::1", "ftp://a/", "http://a b/", "http://*/", "http:///x",
                    "http://a:99999/", "http://%zz/", "http://\ud800/", "http://" + "a" * 300 + "/",
                    "http://a..b/", "http://\u2488/"):  # fmt: skip
            with self.subTest(url=url):
                answer = self.post(url)
                self.assertIsNone(answer.status)
                self.assertNotEqual(answer.error, "")
        peer = self.keeping()
        for headers in ({"X": "a\r\nY: b"}, {"X": "\u20ac"}):
            self.assertNotEqual(self.post(peer.url, headers=headers).error, "")


class DeadlineTests(HTTPTestCase):
    def test_headers_sent_a_byte_at_a_time_end_in_time(self):
        self.assert_ends_in_time(self.trickling(b"HTTP/1.1 200 OK\r\n", b"X: y\r\n"))
        self.assert_ends_in_time(self.trickling(b"HTTP/1.1 200 OK\r\nX: ", b"y"))
        self.assert_ends_in_time(self.trickling(b"", b"HTTP/1.1 100 Continue\r\n\r\n"))

    def test_a_body_sent_a_byte_at_a_time_ends_in_time(self):
        for framing in (b"Content-Length: 1000\r\n", b"", b"Transfer-Encoding: chunked\r\n"):
            start = b"HTTP/1.1 200 OK\r\n" + framing + b"\r\n"
            self.assert_ends_in_time(self.trickling(start, b"1\r\n"))

    def test_a_peer_that_accepts_and_says_nothing_ends_in_time(self):
        self.assert_ends_in_time(self.silent())

    def test_a_kept_connection_is_watched_too(self):
        def script(peer: Peer, sock: socket.socket) -> None:
            peer.read(sock)
            sock.sendall(OK)
            peer.closing.wait()

        peer = self.peer(script)
        self.assertEqual(self.post(peer.url).status, 200)
        self.assert_ends_in_time(peer)
        self.assertEqual(peer.connections, 1)

    def test_a_peer_that_accepts_no_connection_ends_within_the_time_to_connect(self):
        with contextlib.ExitStack() as stack:
            full = stack.enter_context(socket.socket())
            full.bind(("127.0.0.1", 0))
            full.listen(0)
            for _ in range(3):  # fills its backlog
                waiting = stack.enter_context(socket.socket())
                waiting.setblocking(False)
                waiting.connect_ex(full.getsockname())
            answer = self.post(f"http://127.0.0.1:{full.getsockname()[1]}/", connect_timeout=SHORT)
        self.assertEqual(answer.error, "connecting timed out after 0.3 s")

    def test_the_next_address_is_tried_when_one_fails(self):
        peer = self.answering(OK)
        self.resolving(return_value=addresses(("127.0.0.1", 1), ("127.0.0.1", peer.port)))
        self.assertEqual(self.post("http://shop.example/").status, 200)

    def test_a_short_deadline_is_kept_beside_longer_ones(self):
        peer = self.silent()
        with ThreadPoolExecutor() as pool:
            longer = pool.submit(self.post, peer.url, total_timeout=3 * SHORT)
            self.assert_ends_in_time(peer)
            self.assertEqual(longer.result().error, "timed out after 0.9 s")

    def test_open_calls_are_cut_at_once(self):
        reached = threading.Barrier(2)

        def script(peer: Peer, sock: socket.socket) -> None:
            peer.read(sock)
            reached.wait(5)
            peer.closing.wait()

        peer = self.peer(script)
        with ThreadPoolExecutor() as pool:
            call = pool.submit(self.post, peer.url)
            reached.wait(5)
            http.cut_open_calls()
            self.assertEqual(call.result(2).error, "cut at shutdown")

    def test_calls_that_wait_for_a_name_are_cut_at_once(self):
        reached, release = threading.Event(), threading.Event()
        self.addCleanup(release.set)

        def resolve(host: str, port: int) -> connections.Addresses:
            reached.set()
            release.wait()
            return []

        self.resolving(side_effect=resolve)
        with ThreadPoolExecutor() as pool:
            call = pool.submit(self.post, "http://stuck.example/")
            reached.wait(5)
            http.cut_open_calls()
            self.assertEqual(call.result(2).error, "cut at shutdown")


class KeepAliveTests(HTTPTestCase):
    def test_a_connection_is_kept_across_calls_and_threads(self):
        peer = self.keeping()
        for _ in range(3):
            with ThreadPoolExecutor() as pool:
                self.assertEqual(pool.submit(self.post, peer.url).result().status, 200)
        self.assertEqual((len(peer.requests), peer.connections), (3, 1))

    def test_a_kept_connection_that_the_peer_closes_just_then_is_replaced(self):
        def script(peer: Peer, sock: socket.socket) -> None:
            while True:
                peer.read(sock)
                if len(peer.requests) == 2:
                    return
                sock.sendall(OK)

        peer = self.peer(script)
        self.assertEqual([self.post(peer.url).status for _ in range(2)], [200, 200])
        self.assertEqual((len(peer.requests), peer.connections), (3, 2))

    def test_a_peer_that_closes_again_and_again_is_asked_twice_at_most(self):
        def script(peer: Peer, sock: socket.socket) -> None:
            peer.read(sock)
            if peer.connections == 1:
                sock.sendall(OK)
                peer.read(sock)

        peer = self.peer(script)
        self.assertEqual(self.post(peer.url).status, 200)
        self.assertEqual(self.post(peer.url).error, "connection closed without an answer")
        self.assertEqual(peer.connections, 2)

    def test_a_connection_whose_answer_was_not_read_is_not_kept(self):
        head = b"HTTP/1.1 200 OK\r\nContent-Length: 70000\r\n\r\n"
        peer = self.answering(head + b"x" * 70000, OK)
        self.post(peer.url)
        self.post(peer.url)
        self.assertEqual(peer.connections, 2)

    @unittest.skipUnless(hasattr(os, "fork"), "needs fork")
    def test_a_forked_process_uses_connections_and_a_watchdog_of_its_own(self):
        peer = self.keeping()
        silent = self.silent()
        self.post(peer.url)
        if (child := os.fork()) == 0:
            passed = self.post(peer.url).status == 200
            passed = passed and "timed out" in self.post(silent.url, total_timeout=SHORT).error
            os._exit(0 if passed else 1)
        self.assertEqual(os.waitpid(child, 0)[1], 0)
        self.assertEqual(self.post(peer.url).status, 200)
        self.assertEqual(peer.connections, 2)


class NameTests(HTTPTestCase):
    def test_an_unknown_name_says_so(self):
        self.resolving(side_effect=socket.gaierror(-2, "Name or service not known"))
        self.assertEqual(self.post("http://shop.example/").error, "name not found")

    def test_a_stuck_lookup_ends_in_time_and_holds_up_nobody_else(self):
        peer, release = self.answering(OK), threading.Event()
        self.addCleanup(release.set)

        def resolve(host: str, port: int) -> connections.Addresses:
            if host == "stuck.example":
                release.wait()
            return addresses(("127.0.0.1", peer.port))

        resolver = self.resolving(side_effect=resolve)
        for _ in range(2):
            answer = self.post("http://stuck.example/", connect_timeout=SHORT)
            self.assertEqual(answer.error, "name lookup timed out")
        self.assertEqual(resolver.call_count, 1)  # the second call joined the first one's lookup
        self.assertEqual(self.post("http://shop.example/").status, 200)

    def test_a_flood_of_stuck_names_starts_a_bounded_number_of_threads(self):
        release = threading.Event()
        self.addCleanup(release.set)
        self.resolving(side_effect=lambda *_: release.wait() and [])
        self.enterContext(mock.patch.object(connections, "MAX_LOOKUPS", 1))
        self.post("http://one.example/", connect_timeout=0.05)
        self.assertEqual(self.post("http://two.example/").error, "too many name lookups at once")

    def test_the_host_header_keeps_the_name(self):
        peer = self.answering(OK)
        self.resolving(return_value=addresses(("127.0.0.1", peer.port)))
        self.post("http://Shop.Example:81/")
        self.assertIn(b"\r\nHost: shop.example:81\r\n", peer.requests[0])


class AddressTests(HTTPTestCase):
    def test_a_forbidden_address_is_not_called(self):
        peer = self.keeping()
        answer = self.post(peer.url, check_address=refuse_loopback)
        self.assertEqual((answer.status, answer.error), (None, "address not allowed: 127.0.0.1"))
        self.assertEqual(peer.connections, 0)

    def test_each_address_of_a_name_is_checked(self):
        peer = self.keeping()
        self.resolving(return_value=addresses(("192.0.2.1", 80), ("127.0.0.1", peer.port)))
        answer = self.post("http://shop.example/", check_address=refuse_loopback)
        self.assertEqual(answer.error, "address not allowed: 127.0.0.1")
        self.assertEqual(peer.connections, 0)

    def test_a_name_that_changes_its_address_after_the_check_gains_nothing(self):
        allowed, forbidden = self.answering(OK, OK), self.keeping()

        def check(ip: str) -> None:
            if ip == "127.0.0.9":
                raise http.AddressNotAllowed(ip)

        resolver = self.resolving(
            side_effect=[
                addresses(("127.0.0.1", allowed.port)),
                addresses(("127.0.0.9", forbidden.port)),
            ]
        )
        answers = [self.post("http://rebind.example/", check_address=check) for _ in range(3)]
        self.assertEqual([answer.status for answer in answers], [200, 200, None])
        self.assertEqual(answers[2].error, "address not allowed: 127.0.0.9")
        self.assertEqual((resolver.call_count, forbidden.connections), (2, 0))

    def test_a_connection_kept_from_an_unchecked_call_is_not_used_by_a_checked_one(self):
        peer = self.keeping()
        self.assertEqual(self.post(peer.url).status, 200)
        answer = self.post(peer.url, check_address=refuse_loopback)
        self.assertEqual(answer.error, "address not allowed: 127.0.0.1")
        self.assertEqual(len(peer.requests), 1)


def certificate(folder: str, *names: str) -> Path:
    """A self-signed certificate for the names, with its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "test")])
    now = datetime.datetime.now(datetime.UTC)
    alternatives = x509.SubjectAlternativeName([x509.DNSName(each) for each in names])
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(now).not_valid_after(now + datetime.timedelta(days=1))
    signed = builder.add_extension(alternatives, critical=False).sign(key, hashes.SHA256())
    path = Path(folder, "certificate.pem")
    form = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    pem = serialization.Encoding.PEM
    path.write_bytes(key.private_bytes(pem, *form) + signed.public_bytes(pem))
    return path


@unittest.skipIf(x509 is None, "needs cryptography")
class TLSTests(HTTPTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.file = certificate(self.enterContext(tempfile.TemporaryDirectory()), "shop.example")
        self.names: list[str | None] = []

    @contextlib.contextmanager
    def trusting(self) -> Iterator[None]:
        context = http.urllib3.util.ssl_.create_urllib3_context()
        context.load_verify_locations(self.file)
        with mock.patch.object(http, "_trust", return_value=context):
            yield

    def tls_peer(self, script: Callable[[Peer, socket.socket], None]) -> Peer:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.file)
        context.sni_callback = lambda sock, name, _: self.names.append(name)

        def wrapped(peer: Peer, sock: socket.socket) -> None:
            with context.wrap_socket(sock, server_side=True) as secured:
                script(peer, secured)

        peer = self.peer(wrapped)
        self.resolving(return_value=addresses(("127.0.0.1", peer.port)))
        return peer

    def test_the_certificate_is_checked_for_the_name_and_the_connection_kept(self):
        def script(peer: Peer, sock: socket.socket) -> None:
            while True:
                peer.read(sock)
                sock.sendall(OK)

        peer = self.tls_peer(script)
        with self.trusting():
            answers = [self.post("https://shop.example/", check_address=len) for _ in range(2)]
            other = self.post("https://other.example/")
        self.assertEqual([answer.status for answer in answers], [200, 200])
        self.assertEqual(self.names, ["shop.example", "other.example"])
        self.assertIn("certificate not valid: hostname mismatch", other.error.lower())
        self.assertEqual(peer.connections, 2)

    def test_an_unknown_issuer_is_not_trusted(self):
        self.tls_peer(lambda peer, sock: None)
        self.assertIn("certificate not valid", self.post("https://shop.example/").error)

    def test_a_handshake_that_hangs_ends_in_time(self):
        silent = self.silent()
        with self.trusting():
            answer = self.post(f"https://127.0.0.1:{silent.port}/", total_timeout=SHORT)
        self.assertEqual(answer.error, "timed out after 0.3 s")

    def test_an_answer_that_trickles_ends_in_time(self):
        def script(peer: Peer, sock: socket.socket) -> None:
            peer.read(sock)
            sock.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
            while not peer.closing.wait(0.02):
                sock.sendall(b"x")

        self.tls_peer(script)
        with self.trusting():
            answer = self.post("https://shop.example/", total_timeout=SHORT)
        self.assertEqual(answer.error, "timed out after 0.3 s")

    def test_a_kept_connection_that_the_peer_closes_just_then_is_replaced(self):
        def script(peer: Peer, sock: socket.socket) -> None:
            while True:
                peer.read(sock)
                if len(peer.requests) == 2:
                    return
                sock.sendall(OK)

        peer = self.tls_peer(script)
        with self.trusting():
            statuses = [self.post("https://shop.example/").status for _ in range(2)]
        self.assertEqual((statuses, peer.connections), ([200, 200], 2))

    def test_plain_http_where_tls_is_expected_is_an_error(self):
        peer = self.peer(lambda peer, sock: sock.sendall(OK))
        answer = self.post(f"https://127.0.0.1:{peer.port}/")
        self.assertTrue(answer.error.startswith("TLS failed"), answer.error)
