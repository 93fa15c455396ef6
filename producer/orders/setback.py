"""After the database's clock was set back: a time from before it would hold a row for as long."""

from django.db.models import Q

from chassis.clock import Now, SecondsFromNow
from chassis.outbox import LEASE
from orders.dispatch import ASK_AGAIN_MOST
from orders.models import Order, OrderStatus


def follow_clock() -> int:
    """Make due what waits by such a time; returns how many rows.

    Nothing that was tried waits longer than until the consumer is asked again. What was not tried
    may have been spread over a longer time, by `redeliver`; but it can't be of the future.
    """
    late = Order.objects.filter(
        status=OrderStatus.PENDING, due_at__gt=SecondsFromNow(ASK_AGAIN_MOST + LEASE)
    )
    of_before = Q(attempts__gt=0) | Q(created_at__gt=SecondsFromNow(LEASE))
    return late.filter(of_before).update(due_at=Now())
