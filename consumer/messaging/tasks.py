"""What the consumer's workers run."""

from contextlib import suppress
from typing import Any

from celery import shared_task
from celery.exceptions import Ignore

from chassis import outbox, sql
from chassis.pruning import prune_for_a_moment
from messaging import delivery, processing, pruning, services, setback


@shared_task(name=services.TASK, bind=True, ignore_result=False, soft_time_limit=50, time_limit=60)
def process_message(self: Any, currency: str, order_key: str, status: str, number: int = 1) -> str:
    """Do a message's work; the result is stored under the task's id, and its signal has it
    delivered.

    The first execution costs nothing extra; from the second publish on each one is counted until
    its work is done.
    """
    if number > 1 and not services.begin_execution(task_id=self.request.id):
        raise Ignore()  # it has its result, or is gone
    done = processing.work(currency=currency, order_key=order_key, status=status)
    if number > 1:
        with suppress(*sql.UNAVAILABLE):  # the result is not lost with it: it waits for a database
            services.end_execution(task_id=self.request.id)
    return done


@shared_task(name="messaging.publish_due")
def publish_due() -> int:
    """Publish the tasks that gave no result in time again; returns how many messages were looked
    at.
    """
    return outbox.drain(
        processing.publish_batch, full=processing.SWEEP_BATCH, ring=processing.sweep_bell.ring
    )


@shared_task(name="messaging.deliver_results")
def deliver_results() -> int:
    """Post every due result to its webhook; returns how many were tried."""
    return delivery.deliver_due()


@shared_task(name="messaging.prune")
def prune() -> dict[str, int]:
    """Delete some of what is finished and old; returns how many rows of each kind."""
    return prune_for_a_moment(pruning.prune_batch)


@shared_task(name="messaging.follow_clock")
def follow_clock() -> int:
    """Make due what waits by a clock that was set back since; returns how many rows."""
    return setback.follow_clock()
