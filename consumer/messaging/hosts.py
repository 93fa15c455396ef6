"""The breaker of each webhook host: a host that fails holds up only its own rows.

After 5 failures in a row it is left alone but for one probe after 2, 4, 8 and then every 15 s. Its
other rows wait, and are not counted as tried.
"""

import logging
from collections.abc import Sequence

from django.db import transaction
from django.db.models import (
    BooleanField,
    Case,
    Exists,
    ExpressionWrapper,
    F,
    OuterRef,
    Q,
    QuerySet,
    When,
)
from django.db.models.functions import Coalesce, Least, Random

from chassis.clock import Now, SecondsFromNow
from chassis.outbox import LEASE
from chassis.sql import Prepared
from messaging.models import Host, Message

logger = logging.getLogger(__name__)

FAILURES = 5
LONGEST_OPEN = 15  # seconds
AT_ONCE = 50  # hosts of each kind looked at in one turn
# Seconds ahead that no lease is. One that another process takes while a statement waits for the row
# ends later than a lease from that statement's own time, by as long as it waited.
PAST_LEASE = LEASE + 5.0
WAKE_SECONDS = 2.0  # over which a host's waiting rows come due after it has recovered
WAKE_REST = 300.0  # seconds until they may be woken again; one ahead is of a clock set back since
FREE_SECONDS = 86400.0  # from its first try on, in which being woken costs a row no try
WOKEN_AFTER = 2  # failures in a row; a single one may be a row's own fault, which none should share


def waiting() -> list[Host]:
    """Hosts with something to send now: those whose probe is due, then those with due rows, in
    random turn among each.
    """
    return list(WAITING())


def _waiting() -> QuerySet[Host]:
    rows = Message.objects.delivering().filter(host=OuterRef("pk"))
    closed = Q(open_until__isnull=True)
    due = Host.objects.filter(closed, Exists(rows.filter(due_at__lte=Now())))
    probed = Host.objects.filter(_may_probe(), Exists(rows.filter(_unleased())))
    # So many of each: a thousand dead hosts push out no host that works, nor the other way round.
    chosen = Host.objects.filter(_some_of(due) | _some_of(probed))
    return chosen.order_by(ExpressionWrapper(closed, BooleanField()), "?")


def _some_of(hosts: QuerySet[Host]) -> Q:
    return Q(pk__in=hosts.order_by("?").values("pk")[:AT_ONCE])


def rows_of(host: int, *, probing: bool) -> QuerySet[Message]:
    """The rows of a host (its key) to claim next; for a probe the least tried one, due or not, that
    nobody is sending.
    """
    rows = Message.objects.delivering().filter(host=host)
    if probing:
        # By its claims, which a probe counts among, so that one row can't take every turn.
        return rows.filter(_unleased()).order_by("claims", "due_at")
    return rows.filter(due_at__lte=Now()).order_by("due_at")


def _unleased() -> Q:
    """Rows that surely nobody is sending; one that is due within about a lease might be."""
    return Q(due_at__lte=Now()) | Q(due_at__gt=SecondsFromNow(PAST_LEASE))


def _may_probe() -> Q:
    """Hosts whose time alone is over. None is left alone for more than a lease: a time further
    ahead comes from before the database's clock was set back.
    """
    return Q(open_until__lte=Now()) | Q(open_until__gt=SecondsFromNow(PAST_LEASE))


WAITING = Prepared(_waiting)
ROWS_OF = {  # by whether it is for a probe
    False: Prepared(lambda host: rows_of(host, probing=False).only("pk"), host=-1),
    True: Prepared(lambda host: rows_of(host, probing=True).only("pk"), host=-1),
}


def take_probe(host: Host) -> bool:
    """Whether this process may probe: one does, and if it dies another follows after a lease."""
    hosts = Host.objects.filter(_may_probe(), pk=host.pk)
    return bool(hosts.update(open_until=SecondsFromNow(LEASE)))


def open_seconds(failures: int) -> int:
    """How long the breaker stays open after so many failures in a row, the probes' among them."""
    return min(2 ** min(failures - FAILURES + 1, 10), LONGEST_OPEN)


def note(host: Host, answers: Sequence["bool | None"], *, is_probe: bool = False) -> None:
    """Note a host's answers that came at once: True it works, False it fails, None tried again for
    itself.
    """
    if True in answers:
        if host.failing_since is not None or len(set(answers)) > 1:
            _note_success(host)
    elif is_probe:
        _note_failed_probe(host)
    elif answers:
        _note_failures(host, answers.count(False))


def _note_failures(host: Host, counted: int) -> None:
    """Note sends that are tried again; `counted` of them are of the kind that opens the breaker.

    Many fail together when a host goes down: however many, the first probe comes after 2 s. Those
    that come in while it is open already change nothing.
    """
    closed = Host.objects.filter(pk=host.pk, open_until__isnull=True)
    closed.update(
        failures=Least(F("failures") + counted, FAILURES),
        failing_since=Coalesce("failing_since", Now()),
    )
    seconds = open_seconds(FAILURES)
    opening = closed.filter(failures__gte=FAILURES)
    if counted and opening.update(open_until=SecondsFromNow(seconds)):
        logger.warning(
            "webhook host %s failed %s times in a row, left alone for %s s",
            host,
            FAILURES,
            seconds,
        )


def _note_failed_probe(host: Host) -> None:
    failures = host.failures + 1
    still_open = Host.objects.filter(pk=host.pk, open_until__isnull=False)
    still_open.update(failures=failures, open_until=SecondsFromNow(open_seconds(failures)))


@transaction.atomic
def _note_success(host: Host) -> None:
    """Close the breaker; the first success after several failures makes the host's waiting rows
    due, but those that were told to come less often, or that `redeliver` spread over some time.

    Where it did so a moment ago they are due after a while: some may fail for themselves, and would
    be tried each time that the host answers. For a day it costs them no try.
    """
    fine = {"failures": 0, "open_until": None, "failing_since": None}
    failing = Host.objects.filter(pk=host.pk, failing_since__isnull=False)
    several = failing.filter(failures__gte=WOKEN_AFTER)
    rested = Q(woken_at__isnull=True) | ~Q(woken_at__range=(SecondsFromNow(-WAKE_REST), Now()))
    if several.filter(rested).update(**fine, woken_at=Now()):
        rest = 0.0
    elif several.update(**fine):
        rest = WAKE_REST
    else:
        failing.update(**fine)
        return
    late = Message.objects.delivering().filter(
        host=host, due_at__gt=SecondsFromNow(PAST_LEASE + rest)
    )
    tried = late.filter(attempts__gt=0).exclude(last_error="429")
    is_young = When(delivering_since__gt=SecondsFromNow(-FREE_SECONDS), then=1)
    woken = tried.update(
        due_at=SecondsFromNow(Random() * WAKE_SECONDS + rest),
        attempts=F("attempts") - Case(is_young, default=0),
    )
    logger.info(
        "webhook host %s answers again, %s waiting results are due in %.0f s", host, woken, rest
    )
