"""What can be done with accepted messages: publish their tasks, have their results delivered."""

from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import F
from django.db.models.functions import Random
from django_celery_results.models import TaskResult

from chassis import bell
from chassis.clock import SecondsFromNow
from messaging import targets
from messaging.models import ENDED, Message, State

TASK = "messaging.process_message"

delivery_bell = bell.Bell("messaging.deliver_results", "consumer.webhooks")


def ids_of(message: Message) -> dict[str, str]:
    """What the log's lines about a message have; its task must be loaded."""
    return {
        "request_id": message.request_id,
        "message_id": str(message.message_id),
        "task_id": message.task.task_id,
    }


def publish_task(row: Message, *, number: int, seconds: float) -> bool:
    """Publish a message's task, for the `number`th time; the broker drops it when it is due again
    anyway.

    It carries what it needs and nothing secret. False where the broker can't be reached.
    """
    return bell.publish(
        TASK,
        queue="consumer.process",
        args=(row.currency, row.order_key, row.status),
        kwargs={"number": number},
        headers={"request_id": row.request_id},
        task_id=row.task.task_id,
        expiration=seconds,
    )


def begin_execution(*, task_id: str) -> bool:
    """Count an execution of a message published before; False where there is nothing left to do."""
    return bool(_being_processed(task_id).update(executions=F("executions") + 1))


def end_execution(*, task_id: str) -> None:
    """The work was done: what may still fail, the storing of its result, is not the message's
    fault.
    """
    _being_processed(task_id).filter(executions__gt=0).update(executions=F("executions") - 1)


def _being_processed(task_id: str) -> Any:
    """The message of a task, as a queryset, unless it has its result."""
    return Message.objects.filter(task__task_id=task_id, state=State.PROCESSING)


def schedule_delivery(*, task: TaskResult) -> None:
    """Have the result of a message that was still processing posted to its webhook.

    Where the statement that stored it has done so already (`results.store`), only the ring is left.
    """
    must_ring = task.__dict__.pop("must_ring", None)
    if must_ring is None:
        must_ring = Message.objects.begin_delivery(task=task)
    if must_ring:
        transaction.on_commit(delivery_bell.ring)


def redeliver(*, messages: Any, over_seconds: float = 0.0) -> int:
    """Post the results of these messages (a queryset) again, spread over some seconds; returns how
    many.

    Each starts its schedule anew. One that is still processing has no result, and is left alone.
    """
    due_at = SecondsFromNow(Random() * over_seconds)
    count: int = messages.exclude(state=State.PROCESSING).start_delivery(due_at=due_at)
    if count:
        transaction.on_commit(delivery_bell.ring)
    return count


@transaction.atomic
def delete_task(*, task: TaskResult) -> bool:
    """Delete a task, and its message with it; False while the message is processed or delivered."""
    message = Message.objects.select_for_update().filter(task=task).first()
    if message is not None and message.state not in ENDED:
        return False
    task.delete()
    return True


def key_for(message: Message) -> str:
    """The key to post a result with: the message's own, or this service's for exactly the
    producer's origin.
    """
    if message.webhook_api_key:
        return str(message.webhook_api_key)
    to_producer = targets.origin_of(message.webhook_url) == targets.origin_of(settings.PRODUCER_URL)
    return str(settings.PRODUCER_API_KEY) if to_producer else ""
