"""After the database's clock was set back: a time from before it would hold a row for as long."""

from django.db.models import Q
from django.db.models.functions import Least

from chassis.clock import Now, SecondsFromNow
from chassis.outbox import LEASE
from messaging.models import Message, State
from messaging.processing import PUBLISH_SECONDS
from messaging.webhook import RETRY_SECONDS

LONGEST_WAIT = RETRY_SECONDS[-1] * 1.3  # seconds; it is spread by a fifth


def follow_clock() -> int:
    """Make due what waits by such a time; returns how many rows.

    A task is published again after a minute at the latest. A delivery that was tried waits for a
    day and a fifth at most, and none can have begun in the future.
    """
    published = Q(
        state=State.PROCESSING, due_at__gt=SecondsFromNow(float(PUBLISH_SECONDS[-1] + LEASE))
    )
    of_before = Q(delivering_since__gt=SecondsFromNow(LEASE)) | Q(
        attempts__gt=0, due_at__gt=SecondsFromNow(LONGEST_WAIT + LEASE)
    )
    delivering = Message.objects.delivering().filter(of_before, due_at__gt=SecondsFromNow(LEASE))
    return Message.objects.filter(published).update(due_at=Now()) + delivering.update(
        due_at=Now(), delivering_since=Least("delivering_since", Now())
    )
