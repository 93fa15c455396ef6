"""Orders and task results as JSON: what is taken, and what is shown."""

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from rest_framework import serializers

from chassis.api import PART_OF_ADDRESS
from orders.currencies import CURRENCIES
from orders.models import Order, OrderItem, OrderStatus, TaskResult
from users.phone import PhoneNumberInput

MOST_ITEMS = 100
MOST_QUANTITY = 1_000_000


class MoneyField(serializers.DecimalField):
    def __init__(self) -> None:
        super().__init__(max_digits=12, decimal_places=3, min_value=0)

    def quantize(self, value: Decimal) -> Decimal:
        return super().quantize(value) + 0  # -0 is a decimal, and no price


class OrderItemSerializer(serializers.Serializer[OrderItem]):
    item_name = serializers.CharField(max_length=100)
    price = MoneyField()
    quantity = serializers.IntegerField(min_value=1, max_value=MOST_QUANTITY)


class OrderSerializer(serializers.Serializer[Order]):
    """A new order. Anything else in the body, read-only fields included, is ignored."""

    address = serializers.CharField(max_length=255)
    phone_number = PhoneNumberInput()
    total_paid = MoneyField()
    currency = serializers.CharField()
    items = OrderItemSerializer(  # type: ignore[call-arg]  # the limits of a list's length
        many=True, min_length=1, max_length=MOST_ITEMS
    )

    def validate_currency(self, code: str) -> str:
        if code not in CURRENCIES:
            raise serializers.ValidationError("An upper-case ISO 4217 code is needed, such as TND.")
        return code


class OrderEditSerializer(OrderSerializer):
    """An edit of a pending order; its currency stays."""

    currency = serializers.CharField(required=False)


class OrderPatchSerializer(OrderEditSerializer):
    """A partial edit; `cancelled` is the one status that a customer may write."""

    status = serializers.ChoiceField(
        choices=[OrderStatus.CANCELLED],
        error_messages={"invalid_choice": "Only `cancelled` may be written."},
    )

    def get_fields(self) -> dict[str, serializers.Field]:
        """None is required; `partial`, which says so too, would let items come without a price."""
        fields = super().get_fields()
        for field in fields.values():
            field.required = False
        return fields


class OrderFilters(serializers.Serializer[Any]):
    status = serializers.ChoiceField(choices=OrderStatus.choices, required=False)
    currency = serializers.ChoiceField(choices=sorted(CURRENCIES), required=False)
    created_after = serializers.DateTimeField(source="created_at__gte", required=False)
    created_before = serializers.DateTimeField(source="created_at__lt", required=False)


class WebhookSerializer(serializers.Serializer[Any]):
    """What the consumer posts when a task has ended: `result` is its text, or the reason of its
    failure.
    """

    task_id = serializers.CharField(max_length=255)
    status = serializers.ChoiceField(choices=[OrderStatus.CONFIRMED, OrderStatus.CANCELLED])
    result = serializers.CharField(max_length=255, allow_blank=True, trim_whitespace=False)


class TaskResultSerializer(serializers.Serializer[TaskResult]):
    """A task result written by hand; `order` is an order's uuid."""

    task_id = serializers.CharField(max_length=255, validators=[PART_OF_ADDRESS])
    result = serializers.CharField(max_length=255, allow_blank=True, trim_whitespace=False)
    order = serializers.SlugRelatedField(
        slug_field="uuid", queryset=Order.objects.all(), required=False, allow_null=True
    )


class TaskResultEditSerializer(TaskResultSerializer):
    task_id = None  # type: ignore[assignment]  # it is the address, and stays


def order_json(order: Order, items: Iterable[OrderItem], username: str) -> dict[str, Any]:
    """An order as every answer shows it. Plain code: this is the hottest path, a ModelSerializer
    doubles it.
    """
    return {
        "uuid": str(order.uuid),
        "order_key": order.order_key,
        "status": order.status,
        "user": username,
        "address": order.address,
        "phone_number": order.phone_number,
        "total_paid": f"{order.total_paid:.3f}",
        "currency": order.currency,
        "items": [
            {"item_name": item.item_name, "price": f"{item.price:.3f}", "quantity": item.quantity}
            for item in items
        ],
        "task_id": order.task_id or None,
        "created_at": order.created_at,
        "updated_at": order.updated_at,
    }


def task_result_json(row: TaskResult) -> dict[str, Any]:
    return {
        "task_id": row.task_id,
        "result": row.result,
        "order": str(row.order.uuid) if row.order else None,
        "created_at": row.created_at,
    }
