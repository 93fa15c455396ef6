"""Placeholder until the real one lands."""

from urllib.parse import urlsplit


class InvalidTarget(Exception):
    def __init__(self, message, code="invalid"):
        self.message, self.code = message, code


def check_url(url, allowed_origins):
    if not url.startswith("http"):
        raise InvalidTarget("http(s) only")


def origin_of(url):
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.hostname}:{parts.port or 80}"


def check_address(ip):
    return None
