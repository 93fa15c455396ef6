"""Limits by the minute, counted in the database: the one store that all processes share.

What may fail is counted before it is tried, in one statement, so that tries in parallel can't
exceed a limit, and taken back where it succeeded. Each service has its own table of `Count`s.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import IPv6Address, IPv6Network, ip_address
from typing import NamedTuple

from django.db import connection, models
from django.db.models.expressions import RawSQL
from django.http import HttpRequest
from django.utils.crypto import salted_hmac
from rest_framework.exceptions import Throttled
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from chassis.counts import Count

SIGN_INS_OF_AN_ACCOUNT = 10  # that failed, in a minute
SIGN_INS_FROM_AN_ADDRESS = 60
KEPT_MINUTES = 60

# The database's clock, in whole seconds: what the clocks of several hosts say doesn't matter.
CLOCKS = {
    "sqlite": "CAST(STRFTIME('%%s', 'NOW') AS INTEGER)",
    "postgresql": "CAST(FLOOR(EXTRACT(EPOCH FROM STATEMENT_TIMESTAMP())) AS BIGINT)",
}


class Limit(NamedTuple):
    """At most `a_minute` times `what` by one `subject`, in each minute of the clock."""

    what: str
    subject: str
    a_minute: int

    @property
    def key(self) -> str:
        text = f"{self.what}:{self.subject}"
        return salted_hmac("chassis.throttle", text, algorithm="sha256").hexdigest()


def address(request: HttpRequest | Request) -> str:
    """Where a request comes from; behind TRUSTED_PROXIES proxies, what the outermost of them saw.

    Of an IPv6 address it is the network: whoever has one has 2**64 addresses.
    """
    found = BaseThrottle().get_ident(request) or ""  # type: ignore[arg-type]  # reads META alone
    try:
        ip = ip_address(found)
    except ValueError:
        return found
    if isinstance(ip, IPv6Address):
        return str(ip.ipv4_mapped or IPv6Network((int(ip), 64), strict=False))
    return str(ip)


def count(counts: type[Count], limit: Limit) -> int:
    """Count one more, in autocommit; returns the minute that it was counted in.

    Raises Throttled, counting nothing, where the limit is reached.
    """
    table, clock = connection.ops.quote_name(counts._meta.db_table), CLOCKS[connection.vendor]
    statement = (
        f"INSERT INTO {table} AS present (key, minute, count) VALUES (%s, {clock} / 60, 1) "  # noqa: S608
        "ON CONFLICT (key) DO UPDATE SET minute = excluded.minute, "
        "count = CASE present.minute WHEN excluded.minute THEN present.count + 1 ELSE 1 END "
        "WHERE present.minute <> excluded.minute OR present.count < %s RETURNING minute"
    )
    with connection.cursor() as cursor:
        cursor.execute(statement, [limit.key, limit.a_minute])
        counted = cursor.fetchone()
        if counted is not None:
            return int(counted[0])
        cursor.execute(f"SELECT 60 - {clock} %% 60", [])
        raise Throttled(wait=cursor.fetchone()[0], detail=f"Too many {limit.what}.")


def take_back(counts: type[Count], limit: Limit, minute: int) -> None:
    rows = counts._default_manager.filter(pk=limit.key, minute=minute, count__gt=0)
    rows.update(count=models.F("count") - 1)


@contextmanager
def sign_in(counts: type[Count], *, address: str, account: str) -> Iterator[None]:
    """Around the check of a password: counts as failed unless the block ends without an exception.

    `account` is whatever stands for one account, under each of its names, known or unknown alike.
    Raises Throttled.
    """
    by_address = Limit("failed sign-ins from this address", address, SIGN_INS_FROM_AN_ADDRESS)
    by_account = Limit("failed sign-ins to this account", account, SIGN_INS_OF_AN_ACCOUNT)
    address_minute = count(counts, by_address)
    try:
        account_minute = count(counts, by_account)
    except Throttled:
        take_back(counts, by_address, address_minute)  # no password was tried
        raise
    yield
    take_back(counts, by_account, account_minute)
    take_back(counts, by_address, address_minute)


def old_counts(counts: type[Count]) -> "models.QuerySet[Count]":
    """Those that are over for an hour: of no use to anybody."""
    this_minute = RawSQL(f"{CLOCKS[connection.vendor]} / 60", [])  # noqa: S611  # our own text
    return counts._default_manager.filter(minute__lt=this_minute - KEPT_MINUTES)
