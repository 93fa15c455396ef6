"""What the orders' endpoints answer, for the OpenAPI document: the answers themselves are plain
code (`order_json` and its like).
"""

from typing import Any

from rest_framework import serializers

from orders.models import OrderStatus
from orders.serializers import MoneyField

STATES = [str(status) for status in OrderStatus]
EVENTS = [
    *("accepted", "sent", "result", "confirmed", "cancelled"),
    *("task", "processed", "delivered", "delivery failed"),
]


class OrderItemAnswer(serializers.Serializer[Any]):
    item_name = serializers.CharField()
    price = MoneyField()
    quantity = serializers.IntegerField(min_value=1)


class OrderAnswer(serializers.Serializer[Any]):
    uuid = serializers.UUIDField()
    order_key = serializers.CharField(max_length=100)
    status = serializers.ChoiceField(STATES)
    user = serializers.CharField(help_text="The username of who ordered.")
    address = serializers.CharField(max_length=255)
    phone_number = serializers.CharField(help_text="In E.164.")
    total_paid = MoneyField()
    currency = serializers.CharField(help_text="An ISO 4217 code.")
    items = OrderItemAnswer(many=True)
    task_id = serializers.CharField(
        allow_null=True, help_text="The consumer's task, once it has accepted the order."
    )
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()


class OrderStatusAnswer(serializers.Serializer[Any]):
    uuid = serializers.UUIDField()
    status = serializers.ChoiceField(STATES, help_text="The order's, after the result.")


class TaskResultAnswer(serializers.Serializer[Any]):
    task_id = serializers.CharField(max_length=255)
    result = serializers.CharField(max_length=255, allow_blank=True)
    order = serializers.UUIDField(allow_null=True, help_text="The order's uuid.")
    created_at = serializers.DateTimeField()


class DispatchAnswer(serializers.Serializer[Any]):
    state = serializers.ChoiceField(["waiting", "accepted", "refused", "done"])
    attempts = serializers.IntegerField(min_value=0)
    due_at = serializers.DateTimeField(allow_null=True)
    last_error = serializers.CharField(allow_blank=True)


class DeliveryAnswer(serializers.Serializer[Any]):
    state = serializers.CharField(help_text="As the consumer's task shows it.")
    attempts = serializers.IntegerField(min_value=0)
    due_at = serializers.DateTimeField(allow_null=True)
    last_error = serializers.CharField(allow_blank=True)


class EventAnswer(serializers.Serializer[Any]):
    at = serializers.DateTimeField()
    event = serializers.ChoiceField(EVENTS)
    service = serializers.ChoiceField(["producer", "consumer"])
    status = serializers.JSONField(
        required=False,
        help_text="Of a call: its HTTP status, null where no answer came. Of a task: its state.",
    )
    ms = serializers.IntegerField(required=False, min_value=0)
    error = serializers.CharField(required=False, allow_blank=True)
    task_id = serializers.CharField(required=False)
    result = serializers.JSONField(required=False)


class TimelineAnswer(serializers.Serializer[Any]):
    uuid = serializers.UUIDField()
    order_key = serializers.CharField(max_length=100)
    status = serializers.ChoiceField(STATES)
    task_id = serializers.CharField(allow_null=True)
    dispatch = DispatchAnswer(help_text="The sending to the consumer.")
    delivery = DeliveryAnswer(allow_null=True, help_text="The posting of the result, if known.")
    consumer = serializers.ChoiceField(["ok", "unavailable", "not asked yet"])
    events = EventAnswer(many=True, help_text="By time.")
