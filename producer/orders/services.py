"""What can be done with an order. A status changes here alone, and only while it is pending."""

import hashlib
import json
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import F
from django.db.models.functions import Random
from rest_framework import serializers

from chassis import insertion, logs
from chassis.bell import Bell
from chassis.clock import Now, SecondsFromNow
from chassis.problems import Conflict, KeyReused
from orders.models import Order, OrderItem, OrderStatus, TaskResult
from users.models import CustomUser

dispatch_bell = Bell("orders.dispatch_orders", "producer.dispatch")


class TaskOfAnotherOrder(Conflict):
    default_detail = "This task_id belongs to another order."
    default_code = "task_of_another_order"


class NotPending(Conflict):
    default_detail = "The order is no longer pending."
    default_code = "not_pending"


def digest_of(body: Any) -> str:
    """The same for the same JSON, however its keys are ordered."""
    return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()


def place_order(
    *, user: CustomUser, data: dict[str, Any], idempotency_key: str | None = None, digest: str = ""
) -> tuple[Order, list[OrderItem]]:
    """Store an order with its items and its message; whoever sends it is woken after the commit.

    With an idempotency key that is known for the user it answers the order made first.
    Raises KeyReused when that one was made of another body.
    """
    if idempotency_key and (known := _order_of_key(user, idempotency_key, digest)):
        return known
    try:
        return _create_order(user, data, idempotency_key, digest)
    except IntegrityError:
        # Two requests with one key at once: the other one has made the order.
        if idempotency_key and (known := _order_of_key(user, idempotency_key, digest)):
            return known
        raise


def _order_of_key(user: CustomUser, key: str, digest: str) -> tuple[Order, list[OrderItem]] | None:
    order = Order.objects.filter(user=user, idempotency_key=key).first()
    if order is None:
        return None
    if order.idempotency_digest != digest:
        raise KeyReused("This Idempotency-Key was used for another order.")
    return order, list(order.items.order_by("id"))


def _create_order(
    user: CustomUser, data: dict[str, Any], idempotency_key: str | None, digest: str
) -> tuple[Order, list[OrderItem]]:
    fields = {name: value for name, value in data.items() if name != "items"}
    order = Order(
        user=user,
        idempotency_key=idempotency_key,
        idempotency_digest=digest if idempotency_key else "",
        request_id=logs.request_id.get(),
        **fields,
    )
    order.message = snapshot(order)
    items = [OrderItem(order=order, **item) for item in data["items"]]
    insertion.insert_family(order, items, "order")
    transaction.on_commit(dispatch_bell.ring)
    return order, items


def snapshot(order: Order) -> dict[str, str]:
    """The message of an order as it is now; where to answer and with which key is added when it is
    sent.
    """
    return {
        "message_id": str(order.uuid),
        "address": order.address,
        "phone_number": order.phone_number,
        "order_key": order.order_key,
        "status": order.status,
        "currency": order.currency,
    }


@transaction.atomic
def edit_order(*, order: Order, data: dict[str, Any]) -> None:
    """Write the given fields of a pending order; `items`, when given, replace all.

    Raises NotPending, and ValidationError for another currency than the order's.
    """
    fields = {name: value for name, value in data.items() if name not in ("items", "currency")}
    updated = Order.objects.filter(pk=order.pk, status=OrderStatus.PENDING).update(
        **fields, updated_at=Now()
    )
    if not updated:
        raise NotPending()
    if data.get("currency", order.currency) != order.currency:
        raise serializers.ValidationError({"currency": "An order's currency can't be changed."})
    if "items" in data:
        order.items.all().delete()
        OrderItem.objects.bulk_create(OrderItem(order=order, **item) for item in data["items"])


@transaction.atomic
def delete_order(*, order: Order) -> None:
    """Delete an order that is not confirmed, with all that hangs on it. Raises Conflict.

    It is locked first: its message may be on the way, and its key must not be inserted behind our
    back.
    """
    locked = Order.objects.select_for_update().filter(pk=order.pk).first()
    if locked is None:
        return
    if locked.status == OrderStatus.CONFIRMED:
        raise Conflict("A confirmed order can't be deleted.")
    locked.delete()


def record_result(*, order_id: int, task_id: str, status: str, result: str) -> str:
    """Store a task's result and move its order on; returns the order's status. A repeat changes
    nothing.

    The condition on the status, not a lock, is what makes two deliveries at once safe: the first
    one stands. Raises TaskOfAnotherOrder when `task_id` is already known for another order, and
    DoesNotExist or IntegrityError when the order is deleted at this moment.
    """
    owner, moved = TaskResult.objects.record(
        order_id=order_id, task_id=task_id, result=result, status=status
    )
    if owner != order_id:
        raise TaskOfAnotherOrder()
    return status if moved else Order.objects.values_list("status", flat=True).get(pk=order_id)


def send_again(*, orders: Any, over_seconds: float = 0.0) -> int:
    """Make pending orders (a queryset) due again, spread over some seconds; returns how many.

    Each starts its schedule anew, and whoever is sending it now records nothing.
    """
    count: int = orders.filter(status=OrderStatus.PENDING).update(
        due_at=SecondsFromNow(Random() * over_seconds),
        attempts=0,
        claims=F("claims") + 1,
        last_error="",
    )
    transaction.on_commit(dispatch_bell.ring)
    return count
