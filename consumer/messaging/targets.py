"""Which URLs may be called: public addresses and the origins that the operator allows.

A URL is checked on acceptance, a name's addresses at each connection (chassis.connections). What
is checked must be what is called: the parser is the one of `requests`, and whatever another parser
might read as another host is refused.
"""

import functools
import ipaddress
import re
from collections.abc import Iterable

from urllib3.exceptions import LocationParseError
from urllib3.util import Url, parse_url

from chassis.http import AddressNotAllowed

MAX_LENGTH = 2000
DEFAULT_PORTS = {"http": 80, "https": 443}
FIRST_UNPRIVILEGED_PORT = 1024

AUTHORITY = re.compile(r"https?://([^/?#]*)", re.IGNORECASE)
NAME = re.compile(r"(?=.{1,253}\Z)[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*\Z")
# A last label like these makes the whole host a number to some parser: 127.1, 0x7f.1, 2130706433.
NUMBER = re.compile(r"(.*\.)?([0-9]+|0x[0-9a-f]*)\Z", re.IGNORECASE)
LOCAL_NAME = re.compile(
    r"(.*\.)?(localhost|localdomain|localhost[46]|ip6-localhost|ip6-loopback)\Z"
)

# IPv6 addresses of hosts are in 2000::/3: that alone leaves out loopback, link- and site-local,
# unique local and multicast ones, and those that carry an IPv4 address: ::/96, mapped, NAT64.
PUBLIC_IPV6 = ipaddress.ip_network("2000::/3")
NOT_PUBLIC = tuple(
    ipaddress.ip_network(network)
    for network in (
        "0.0.0.0/8",  # this network
        "100.64.0.0/10",  # carriers' NAT
        "192.0.0.0/24",  # protocol assignments
        "192.88.99.0/24",  # 6to4 relays
        "168.63.129.16/32",  # a cloud's host, reached from inside only
        "198.18.0.0/15",  # benchmarks
        "224.0.0.0/3",  # multicast, reserved, broadcast
        "2001::/23",  # protocol assignments, Teredo among them
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4: an IPv4 address inside
        "3fff::/20",  # documentation
    )
)


class InvalidTarget(ValueError):
    """A URL that may not be called: why, for its sender, and a code."""

    def __init__(self, message: str, code: str) -> None:
        super().__init__(message)
        self.message, self.code = message, code


def check_url(url: str, allowed_origins: Iterable[str]) -> None:
    """Raise InvalidTarget unless the URL may be called, as far as it shows by itself.

    Where its host is a name, which addresses that has is seen at each connection only.
    """
    parts = _parse(url)
    if _origin(parts) in {origin_of(allowed) for allowed in allowed_origins}:
        return
    if parts.port and parts.port not in (80, 443) and parts.port < FIRST_UNPRIVILEGED_PORT:
        raise InvalidTarget("The port must be 80, 443 or from 1024 on.", "port")
    host = str(parts.host)
    address = _address(host)
    if LOCAL_NAME.match(host) or (address is not None and not _is_public(address)):
        raise InvalidTarget("This address is not public.", "not_public")


@functools.lru_cache(maxsize=1024)
def origin_of(url: str) -> str:
    """The origin in one spelling, always with its port: "https://shop.example:443".

    Raises InvalidTarget.
    """
    return _origin(_parse(url))


def check_address(ip: str) -> None:
    """Raise AddressNotAllowed unless the address is a public one."""
    try:
        public = _is_public(ipaddress.ip_address(ip))
    except ValueError:
        public = False
    if not public:
        raise AddressNotAllowed(ip)


def _parse(url: str) -> Url:
    """The URL's parts, its host in ASCII and lower case. Raises InvalidTarget where in doubt."""
    if len(url) > MAX_LENGTH:
        raise InvalidTarget(f"At most {MAX_LENGTH} characters.", "max_length")
    if "\\" in url or " " in url or not url.isprintable():  # nor any other space or control
        raise InvalidTarget(
            "Spaces, control characters and backslashes must be encoded.", "invalid"
        )
    found = AUTHORITY.match(url)
    if found is None:
        raise InvalidTarget("It must begin with http:// or https://.", "scheme")
    if "@" in found[1]:
        raise InvalidTarget("It must not hold a user name or password.", "userinfo")
    if "%" in found[1]:
        raise InvalidTarget("The host must not be percent-encoded, nor have a zone.", "host")
    try:
        parts = parse_url(url)
    except LocationParseError:
        raise InvalidTarget("Its host or port is not valid.", "host") from None
    if parts.port == 0:  # no port to requests, a port to others
        raise InvalidTarget("The port must be 80, 443 or from 1024 on.", "port")
    host = parts.host or ""
    if _address(host) is None and not NAME.match(host):
        raise InvalidTarget("Its host is not valid.", "host")
    return parts


def _origin(parts: Url) -> str:
    address = _address(str(parts.host))
    host = f"[{address}]" if isinstance(address, ipaddress.IPv6Address) else parts.host
    return f"{parts.scheme}://{host}:{parts.port or DEFAULT_PORTS[str(parts.scheme)]}"


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """The address that the host is; None for a name. Raises InvalidTarget for odd notations."""
    try:
        if host.startswith("["):
            return ipaddress.IPv6Address(host[1:-1])
        return ipaddress.IPv4Address(host) if NUMBER.match(host) else None
    except ValueError:
        raise InvalidTarget("Write the address in its usual notation.", "host") from None


def _is_public(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    if address.version == 6 and address not in PUBLIC_IPV6:
        return False
    return address.is_global and not any(address in network for network in NOT_PUBLIC)
