"""What the consumer's endpoints answer, for the OpenAPI document: the answers themselves are plain
code (`task_json` and its like).
"""

from typing import Any

from celery import states
from rest_framework import serializers

from messaging.models import State

STATES = sorted(states.ALL_STATES)


class AcceptedAnswer(serializers.Serializer[Any]):
    task_id = serializers.CharField(max_length=255)
    status = serializers.ChoiceField(STATES)
    url = serializers.URLField(help_text="The task's.")


class ProcessedAnswer(serializers.Serializer[Any]):
    task_id = serializers.CharField(max_length=255)
    status = serializers.ChoiceField(STATES)
    result = serializers.JSONField(help_text="Where it failed, a short reason.")


class AttemptAnswer(serializers.Serializer[Any]):
    at = serializers.DateTimeField()
    ms = serializers.IntegerField(min_value=0)
    status = serializers.IntegerField(
        allow_null=True, help_text="The HTTP status; null where no answer came."
    )
    error = serializers.CharField(allow_blank=True)


class DeliveryAnswer(serializers.Serializer[Any]):
    state = serializers.ChoiceField([str(state) for state in State])
    attempts = serializers.IntegerField(min_value=0)
    due_at = serializers.DateTimeField(allow_null=True)
    last_error = serializers.CharField(allow_blank=True)
    log = AttemptAnswer(many=True, help_text="The newest attempts, by time.")


class TaskAnswer(serializers.Serializer[Any]):
    task_id = serializers.CharField(max_length=255)
    status = serializers.ChoiceField(STATES, help_text="Celery's.")
    result = serializers.JSONField(help_text="Where it failed, a short reason.")
    date_created = serializers.DateTimeField()
    date_done = serializers.DateTimeField(allow_null=True, help_text="null until it is final.")
    message_id = serializers.UUIDField(allow_null=True)
    order_key = serializers.CharField(allow_null=True)
    delivery = DeliveryAnswer(
        allow_null=True, help_text="Of the result to the webhook; null without a message."
    )
