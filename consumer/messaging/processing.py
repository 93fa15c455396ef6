"""A message's work, and seeing to it that it is done whatever dies meanwhile."""

import json
import logging

from celery import states
from django_celery_results.models import TaskResult

from chassis import logs, sql
from chassis.bell import Bell
from chassis.outbox import Outcome, claim, record
from chassis.problems import Conflict
from messaging import acceptance, results, services
from messaging.models import Message

logger = logging.getLogger(__name__)

SWEEP_BATCH = 100
PUBLISH_SECONDS = (20, 40, 60)  # until a message is published again, the last one without end
MAX_EXECUTIONS = 5  # that began, after the first publish, and never ended
BROKER_AWAY_SECONDS = 5

DUE = sql.Prepared(lambda: Message.objects.due_for_processing().only("pk"))

sweep_bell = Bell("messaging.publish_due", "consumer.sweep")


class NeverEnded(Exception):
    """The reason of a message whose task kills its worker every time."""


def work(*, currency: str, order_key: str, status: str) -> str:
    """What the task does: `TNDABC123pending`."""
    return f"{currency}{order_key}{status}"


def process_now(message: dict[str, object]) -> TaskResult:
    """Accept a message and do its work at once; a known one answers its stored result.

    Raises Conflict while a known one is unfinished. An exception of the work is its result, as in
    the task.
    """
    accepted = acceptance.accept_message(message=message, publish=False)
    row = accepted.message
    logs.note(message_id=str(row.message_id), task_id=row.task.task_id)
    if not accepted.is_new:
        if row.task.status not in states.READY_STATES:
            raise Conflict("This message's task has not ended yet.")
        return row.task
    try:
        done = work(currency=row.currency, order_key=row.order_key, status=row.status)
        results.store(row.task.task_id, status=states.SUCCESS, result=json.dumps(done))
    except results.INFRASTRUCTURE:
        raise
    except Exception as error:
        logger.exception("task failed")
        results.store_failure(row.task.task_id, error)
    row.task.refresh_from_db()
    return row.task


def publish_batch() -> int | None:
    """Publish one batch of overdue tasks again; None when the broker is away."""
    claimed = claim(DUE, SWEEP_BATCH)
    if not claimed:
        return 0
    tasks = sql.by_keys(TaskResult, [row.task_id for row in claimed])
    outcomes, reached = [], True
    for row in claimed:
        if row.task_id not in tasks:
            continue  # deleted this moment, and its message with it
        row.task = tasks[row.task_id]
        if row.executions >= MAX_EXECUTIONS:
            error = NeverEnded(f"the task began {row.executions} times more and never ended")
            with logs.carrying(row.request_id):
                results.store_failure(row.task.task_id, error)
            continue
        seconds = PUBLISH_SECONDS[min(row.attempts, len(PUBLISH_SECONDS)) - 1]
        reached = reached and services.publish_task(row, number=row.attempts + 1, seconds=seconds)
        if reached:
            logger.info("task published again", extra=services.ids_of(row))
            outcomes.append(Outcome(row, due_in=seconds, attempts=row.attempts))
        else:
            outcomes.append(Outcome(row, due_in=BROKER_AWAY_SECONDS, attempts=row.attempts - 1))
    record(outcomes)
    return len(claimed) if reached else None
