"""What the producer's worker runs; rung by `services` and by the worker's own timer."""

from celery import shared_task

from chassis import outbox
from chassis.pruning import prune_for_a_moment
from orders import dispatch, pruning, services, setback


@shared_task(name="orders.dispatch_orders")
def dispatch_orders() -> int:
    """Send every due order's message to the consumer; returns how many were tried."""
    return outbox.drain(
        dispatch.dispatch_batch, full=dispatch.BATCH, ring=services.dispatch_bell.ring
    )


@shared_task(name="orders.prune")
def prune() -> dict[str, int]:
    """Delete some of what is finished and old; returns how many rows of each kind."""
    return prune_for_a_moment(pruning.prune_batch)


@shared_task(name="orders.follow_clock")
def follow_clock() -> int:
    """Make due what waits by a clock that was set back since; returns how many rows."""
    return setback.follow_clock()
