"""Orders, what hangs on them, and the results that come back."""

import os
import uuid
from typing import Any

from django.conf import settings
from django.core.serializers.json import DjangoJSONEncoder
from django.core.validators import MinValueValidator
from django.db import connection, models, transaction
from django.db.models import Q
from rest_framework_api_key.models import AbstractAPIKey

from chassis import outbox, sql
from chassis.clock import Now, now_sql
from chassis.tallies import Tally as BaseTally
from users.phone import PhoneNumberField

KEY_ALPHABET = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"  # 32, none of them easily misread aloud


def make_order_key() -> str:
    return "".join(KEY_ALPHABET[byte % 32] for byte in os.urandom(16))


class OrderStatus(models.TextChoices):
    PENDING = "pending"
    CONFIRMED = "confirmed"
    CANCELLED = "cancelled"


class OrderQuerySet(models.QuerySet["Order"]):
    def due(self) -> "OrderQuerySet":
        """Orders whose message is to be sent now, the longest waiting first."""
        return self.filter(status=OrderStatus.PENDING, due_at__lte=Now()).order_by("due_at")


class Order(outbox.Outbox):
    """A customer's order, and its own outbox: its message is due to be sent while it is pending.

    `status` changes only by a conditional update (`WHERE status = 'pending'`), never by `save()`. A
    pending order without `due_at` was refused by the consumer; `last_error` says why.
    """

    uuid = models.UUIDField(unique=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(  # order_of_user is its index
        settings.AUTH_USER_MODEL, models.PROTECT, related_name="orders", db_index=False
    )
    address = models.CharField(max_length=255)
    phone_number = PhoneNumberField()
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    updated_at = models.DateTimeField(db_default=Now(), editable=False)
    # 3 decimals: TND has them.
    total_paid = models.DecimalField(
        max_digits=12, decimal_places=3, validators=[MinValueValidator(0)]
    )
    currency = models.CharField(max_length=3)
    order_key = models.CharField(
        max_length=100, unique=True, default=make_order_key, editable=False
    )
    status = models.CharField(
        max_length=9, choices=OrderStatus.choices, default=OrderStatus.PENDING, editable=False
    )
    message = models.JSONField(encoder=DjangoJSONEncoder, editable=False)  # frozen at creation
    task_id = models.CharField(max_length=255, blank=True, default="", editable=False)
    # Of the request that placed it. Goes along with its message, and comes back with the result.
    request_id = models.CharField(
        max_length=64, blank=True, default="", db_default="", editable=False
    )
    # NULL for none: the rest must be unique for a user.
    idempotency_key = models.CharField(  # noqa: DJ001
        max_length=255, null=True, blank=True, editable=False
    )
    idempotency_digest = models.CharField(max_length=64, blank=True, default="", editable=False)

    objects = OrderQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="order_status_valid", condition=Q(status__in=OrderStatus.values)
            ),
            models.CheckConstraint(
                name="order_total_paid_not_negative", condition=Q(total_paid__gte=0)
            ),
            models.UniqueConstraint(
                name="order_idempotency_key_per_user",
                fields=["user", "idempotency_key"],
                condition=Q(idempotency_key__isnull=False),
            ),
        ]
        indexes = [
            models.Index(
                fields=["due_at"], name="order_due", condition=Q(status=OrderStatus.PENDING)
            ),
            models.Index(fields=["user", "id"], name="order_of_user"),
            models.Index(fields=["currency", "id"], name="order_currency"),
            models.Index(
                fields=["user", "id"],
                name="order_cancelled",
                condition=Q(status=OrderStatus.CANCELLED),
            ),
            models.Index(fields=["created_at"], name="order_created"),
            models.Index(
                fields=["task_id"],
                name="order_task",
                condition=~Q(task_id=""),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.order_key} ({self.status})"


class OrderItem(models.Model):
    order = models.ForeignKey(Order, models.CASCADE, related_name="items")
    item_name = models.CharField(max_length=100)
    price = models.DecimalField(max_digits=12, decimal_places=3, validators=[MinValueValidator(0)])
    quantity = models.PositiveIntegerField(validators=[MinValueValidator(1)])

    class Meta:
        constraints = [
            models.CheckConstraint(name="orderitem_price_not_negative", condition=Q(price__gte=0)),
            models.CheckConstraint(
                name="orderitem_quantity_positive", condition=Q(quantity__gte=1)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.quantity} × {self.item_name}"


class OrderAPIKey(AbstractAPIKey):
    """A key that may change its order's status, and nothing else."""

    order = models.ForeignKey(Order, models.CASCADE, related_name="api_keys")

    scope, lookup = "order", "uuid"  # for `create_api_key --order UUID`

    class Meta(AbstractAPIKey.Meta):
        verbose_name = "order API key"
        verbose_name_plural = "order API keys"
        indexes = [
            models.Index(fields=["expiry_date"], name="order_key_expiry"),
            models.Index(fields=["created"], name="order_key_revoked", condition=Q(revoked=True)),
        ]


class SendAttempt(outbox.Attempt):
    """One try to send an order's message to the consumer."""

    order = models.ForeignKey(
        Order, models.CASCADE, related_name="attempts_log", db_constraint=False
    )

    class Meta:
        indexes = [
            models.Index(
                fields=["id"],
                name="send_attempt_failed",
                condition=outbox.NOT_TAKEN | outbox.NO_ANSWER,
            ),
            models.Index(fields=["at"], name="send_attempt_at"),
        ]


class TaskResultManager(models.Manager["TaskResult"]):
    def record(self, *, order_id: int, task_id: str, result: str, status: str) -> tuple[int, bool]:
        """Store a result unless its task is known already, and move its order on where it is
        pending; returns the id of the order that the task belongs to, and whether this one moved.

        The first result stands, and one stored without an order becomes this order's. By hand,
        being so hot: on PostgreSQL it is one statement, hence one transaction by itself.
        """
        store = (
            f"INSERT INTO {self.model._meta.db_table} AS t (task_id, result, order_id, created_at) "  # noqa: S608
            f"VALUES (%s, %s, %s, {now_sql()}) ON CONFLICT (task_id) DO UPDATE "
            "SET order_id = COALESCE(t.order_id, excluded.order_id) RETURNING order_id"
        )
        move = (
            f"UPDATE {Order._meta.db_table} SET status = %s, task_id = %s, "  # noqa: S608
            f"updated_at = {now_sql()} WHERE id = %s AND status = %s"
        )
        stored: list[Any] = [task_id, result, order_id]
        moved: list[Any] = [status, task_id, order_id, OrderStatus.PENDING]
        if connection.vendor == "postgresql":
            both = (
                f"WITH stored AS ({store}), moved AS ("  # noqa: S608
                f"{move} AND id = (SELECT order_id FROM stored) RETURNING 1) "
                "SELECT order_id, EXISTS (SELECT FROM moved) FROM stored"
            )
            ((owner, has_moved),) = sql.execute(both, stored + moved)
            return owner, has_moved
        with transaction.atomic():
            ((owner,),) = sql.execute(store, stored)
            if owner != order_id:
                return owner, False
            return owner, bool(sql.execute(f"{move} RETURNING 1", moved))


class TaskResult(models.Model):
    """What the consumer's task answered about an order; by hand it may be stored without one."""

    task_id = models.CharField(max_length=255, unique=True)
    result = models.CharField(max_length=255, blank=True)
    order = models.ForeignKey(
        Order, models.CASCADE, null=True, blank=True, related_name="task_results"
    )
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    objects = TaskResultManager()

    class Meta:
        indexes = [models.Index(fields=["created_at"], name="task_result_created")]

    def __str__(self) -> str:
        return self.task_id


class Tally(BaseTally):
    """What metrics have counted of orders, their sending and their results."""
