"""The breaker of each webhook host: a host that fails holds up only its own rows.

After 5 failures in a row it is left alone but for one probe after 2, 4, 8 and then every 15 s. Its
other rows wait, and are not counted as tried.
"""

import logging
from collections.abc import Sequence

from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.db.models.functions import Coalesce, Now, Random

from chassis.outbox import LEASE, SecondsFromNow
from messaging.models import Host, Message

logger = logging.getLogger(__name__)

FAILURES = 5
LONGEST_OPEN = 15  # seconds
AT_ONCE = 50  # hosts looked at in one turn
WAKE_SECONDS = 2.0  # over which a host's waiting rows come due after it has recovered


def waiting() -> list[Host]:
    """Hosts with something to send now, in random turn: due rows, or a probe that is due."""
    rows = Message.objects.delivering().filter(host=OuterRef("pk"))
    closed = Q(open_until__isnull=True) & Exists(rows.filter(due_at__lte=Now()))
    probing = Q(open_until__lte=Now()) & Exists(rows)
    return list(Host.objects.filter(closed | probing).order_by("?")[:AT_ONCE])


def rows_of(host: Host) -> QuerySet[Message]:
    """The rows of a host to claim next; for a probe the least tried one, due or not, that nobody is
    sending.
    """
    rows = Message.objects.delivering().filter(host=host)
    if host.open_until is None:
        return rows.filter(due_at__lte=Now()).order_by("due_at")
    unleased = Q(due_at__lte=Now()) | Q(due_at__gt=SecondsFromNow(LEASE))
    return rows.filter(unleased).order_by("attempts", "due_at")


def take_probe(host: Host) -> bool:
    """Whether this process may probe: one does, and if it dies another follows after a lease."""
    hosts = Host.objects.filter(pk=host.pk, open_until__lte=Now())
    return bool(hosts.update(open_until=SecondsFromNow(LEASE)))


def open_seconds(failures: int) -> int | None:
    """How long the breaker stays open after so many failures in a row; None: it stays closed."""
    return (
        min(2 ** min(failures - FAILURES + 1, 10), LONGEST_OPEN) if failures >= FAILURES else None
    )


def note_failures(host: Host, counted: int) -> None:
    """Note sends that are tried again; `counted` of them are of the kind that opens the breaker."""
    host.failures += counted
    seconds = open_seconds(host.failures)
    opened = {"open_until": SecondsFromNow(seconds)} if seconds and counted else {}
    Host.objects.filter(pk=host.pk).update(
        failures=F("failures") + counted, failing_since=Coalesce("failing_since", Now()), **opened
    )
    if opened:
        logger.warning(
            "webhook host %s failed %s times in a row, left alone for %s s",
            host,
            host.failures,
            seconds,
        )


def note_success(host: Host) -> None:
    """Close the breaker; the first success after failures makes the host's waiting rows due."""
    failing = Host.objects.filter(pk=host.pk, failing_since__isnull=False)
    if not failing.update(failures=0, open_until=None, failing_since=None):
        return
    late = Message.objects.delivering().filter(host=host, due_at__gt=SecondsFromNow(LEASE))
    woken = late.update(due_at=SecondsFromNow(Random() * WAKE_SECONDS))
    logger.info("webhook host %s answers again, %s waiting results are due", host, woken)


def note(host: Host, answers: Sequence["bool | None"]) -> None:
    """Note a host's answers in the order they came: True it works, False it fails, None tried again
    for itself.
    """
    if True in answers:
        if host.failing_since is not None or False in answers:
            note_success(host)
            host.failures = 0
        answers = answers[len(answers) - answers[::-1].index(True) :]
    if answers:
        note_failures(host, sum(answer is False for answer in answers))
