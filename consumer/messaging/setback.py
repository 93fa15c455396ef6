"""After the database's clock was set back: a time from before it would hold a row for as long."""

from django.db.models import Q

from chassis.clock import Now, SecondsFromNow
from chassis.outbox import LEASE
from messaging.models import Message, State
from messaging.processing import PUBLISH_SECONDS


def follow_clock() -> int:
    """Make due what waits by such a time; returns how many rows.

    A task is published again after a minute at the latest. A delivery may wait for a day, or for
    as long as its receiver asks; but it can't have begun in the future.
    """
    published = Q(
        state=State.PROCESSING, due_at__gt=SecondsFromNow(float(PUBLISH_SECONDS[-1] + LEASE))
    )
    begun = Message.objects.delivering().filter(
        due_at__gt=SecondsFromNow(LEASE), delivering_since__gt=SecondsFromNow(LEASE)
    )
    return Message.objects.filter(published).update(due_at=Now()) + begun.update(
        due_at=Now(), delivering_since=Now()
    )
