"""Messages and tasks as JSON: what is taken, and what is shown."""

from typing import Any

from celery import states
from django.conf import settings
from django.core.validators import RegexValidator
from django_celery_results.models import TaskResult
from rest_framework import serializers

from chassis.api import PART_OF_ADDRESS
from chassis.logs import ACCEPTABLE_ID
from messaging import results, targets
from messaging.models import Message

MOST_MESSAGES = 100
LOG_LENGTH = 20  # attempts shown of a delivery, the newest


class MessageSerializer(serializers.Serializer[Message]):
    """One message, as the producer sends it; unknown fields are ignored."""

    webhook_url = serializers.CharField(max_length=2000)
    address = serializers.CharField(max_length=255)
    phone_number = serializers.CharField(max_length=32)
    order_key = serializers.CharField(max_length=100)
    status = serializers.CharField(max_length=50)
    currency = serializers.CharField(max_length=20)
    message_id = serializers.UUIDField(required=False)
    webhook_api_key = serializers.CharField(
        required=False, max_length=255, validators=[RegexValidator(r"^[!-~]+$", "Not an API key.")]
    )
    request_id = serializers.CharField(
        required=False,
        validators=[RegexValidator(f"^{ACCEPTABLE_ID.pattern}$", "Not a request id.")],
    )

    def validate_webhook_url(self, url: str) -> str:
        try:
            targets.check_url(url, settings.WEBHOOK_ALLOWED_ORIGINS)
        except targets.InvalidTarget as error:
            raise serializers.ValidationError(error.message, code=error.code) from error
        return url


class TaskSerializer(serializers.Serializer[TaskResult]):
    """A task's row written by hand: it runs and delivers nothing."""

    task_id = serializers.CharField(max_length=255, validators=[PART_OF_ADDRESS])
    status = serializers.ChoiceField(choices=sorted(states.ALL_STATES))
    result = serializers.JSONField(allow_null=True)


class TaskEditSerializer(TaskSerializer):
    task_id = None  # type: ignore[assignment]  # it is the address, and stays


class TaskFilters(serializers.Serializer[Any]):
    status = serializers.ChoiceField(choices=sorted(states.ALL_STATES), required=False)
    message_id = serializers.UUIDField(source="message__message_id", required=False)
    created_after = serializers.DateTimeField(source="date_created__gte", required=False)
    created_before = serializers.DateTimeField(source="date_created__lt", required=False)


def task_json(task: Any) -> dict[str, Any]:
    """A TaskResult as every answer shows it; its message's attempts are in `attempts_shown`."""
    message = getattr(task, "message", None)
    is_final = task.status in states.READY_STATES
    return {
        "task_id": task.task_id,
        "status": task.status,
        "result": results.outcome_of(task),
        "date_created": task.date_created,
        "date_done": task.date_done if is_final else None,  # set from the first save on
        "message_id": str(message.message_id) if message else None,
        "order_key": message.order_key if message else None,
        "delivery": _delivery_json(message) if message else None,
    }


def _delivery_json(message: Any) -> dict[str, Any]:
    log = [
        {"at": attempt.at, "ms": attempt.ms, "status": attempt.status, "error": attempt.error}
        for attempt in reversed(message.attempts_shown)
    ]
    return {
        "state": message.state,
        "attempts": message.attempts,
        "due_at": message.due_at,
        "last_error": message.last_error,
        "log": log,
    }
