"""Messages, the hosts their results go to, and keys that open one task."""

import uuid
from collections.abc import Iterable
from typing import Any

from django.db import connection, models
from django.db.models import F, Q
from django_celery_results.models import TaskResult
from rest_framework_api_key.models import AbstractAPIKey

from chassis import outbox, sql
from chassis.clock import Now, Seconds, now_sql
from chassis.counts import Count
from chassis.tallies import Tally as BaseTally
from messaging.encryption import EncryptedField


class State(models.TextChoices):
    PROCESSING = "processing"  # its task has no result yet
    DELIVERING = "delivering"  # the result is to be posted to the webhook
    DELIVERED = "delivered"  # answered 2xx
    GONE = "gone"  # answered 404 or 410: whom it concerned is no more
    DEAD = "dead"  # given up; can be sent again


ENDED = (State.DELIVERED, State.GONE, State.DEAD)


class Host(models.Model):
    """An origin that results are posted to, and the state of its breaker."""

    name = models.CharField(max_length=300, unique=True)  # "http://127.0.0.1:7000"
    # In a row, of the kind that opens the breaker.
    failures = models.PositiveIntegerField(default=0)
    open_until = models.DateTimeField(null=True, blank=True)  # until then nobody calls it
    # The first retried failure since a success.
    failing_since = models.DateTimeField(null=True, blank=True)
    # When a success made its waiting rows due, the last time.
    woken_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes = [models.Index(fields=["failing_since"], name="host_failing_since")]

    def __str__(self) -> str:
        return self.name


class MessageQuerySet(models.QuerySet["Message"]):
    def due_for_processing(self) -> "MessageQuerySet":
        """Messages whose task should have ended by now, the longest waiting first."""
        return self.filter(state=State.PROCESSING, due_at__lte=Now()).order_by("due_at")

    def has_any(self, message_ids: Iterable[uuid.UUID]) -> bool:
        """Whether one of these messages is known; by hand, for every message is asked about."""
        column: Any = self.model._meta.get_field("message_id")
        values = [column.get_db_prep_value(each, connection) for each in message_ids]
        if not values:
            return False
        marks = ", ".join(["%s"] * len(values))
        table = self.model._meta.db_table
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT 1 FROM {table} WHERE message_id IN ({marks}) LIMIT 1", values)  # noqa: S608
            return cursor.fetchone() is not None

    def begin_delivery_sql(self, task: str, source: str = "") -> str:
        """`start_delivery` of the message of the task whose id is the expression `task`, if it was
        processing; it returns whether to ring.

        Where another result for the same host is due already, whoever made that one due has rung.
        Only PostgreSQL tells how it was before the statement; elsewhere everybody rings.
        """
        table = self.model._meta.db_table
        ring = "TRUE"
        if connection.vendor == "postgresql":
            ring = (
                f"NOT EXISTS (SELECT FROM {table} AS other WHERE other.host_id = one.host_id "
                f"AND other.state = '{State.DELIVERING}' AND other.due_at <= {now_sql()})"
            )
        return (
            f"UPDATE {table} AS one SET state = '{State.DELIVERING}', due_at = {now_sql()}, "  # noqa: S608
            f"delivering_since = {now_sql()}, attempts = 0, claims = claims + 1, last_error = '' "
            f"{source} WHERE one.task_id = {task} AND one.state = '{State.PROCESSING}' "
            f"RETURNING {ring}"
        )

    def begin_delivery(self, *, task: TaskResult) -> bool:
        """Have the task's result posted to its message's webhook, if that was processing; returns
        whether to ring.
        """
        return any(ring for (ring,) in sql.execute(self.begin_delivery_sql("%s"), [task.pk]))

    def start_delivery(self, *, due_at: Any) -> int:
        """Have the rows' results posted, at the start of the schedule; returns how many.

        The new claim number shuts out whoever holds a row now.
        """
        return self.update(
            state=State.DELIVERING,
            due_at=due_at,
            delivering_since=Now(),
            attempts=0,
            claims=F("claims") + 1,
            last_error="",
        )

    def delivering(self) -> "MessageQuerySet":
        return self.filter(state=State.DELIVERING)


class Message(outbox.Outbox):
    """A message to process and, once its task has a result, to answer: first one outbox, then the
    other.

    While processing, `due_at` is when its task is published again; while delivering, when its
    result is posted.
    """

    message_id = models.UUIDField(unique=True, default=uuid.uuid4, editable=False)
    task = models.OneToOneField(TaskResult, models.CASCADE, related_name="message", editable=False)
    address = models.CharField(max_length=255)
    phone_number = models.CharField(max_length=32)
    order_key = models.CharField(max_length=100)
    status = models.CharField(max_length=50)
    currency = models.CharField(max_length=20)
    webhook_url = models.CharField(max_length=2000)
    webhook_api_key = EncryptedField(
        blank=True, default="", editable=False
    )  # "" once it is of no use
    host = models.ForeignKey(Host, models.PROTECT, related_name="messages", editable=False)
    state = models.CharField(
        max_length=10, choices=State.choices, default=State.PROCESSING, editable=False
    )
    executions = models.PositiveIntegerField(
        default=0, editable=False
    )  # that began, after the first publish, and did not end
    delivering_since = models.DateTimeField(null=True, editable=False)
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    request_id = models.CharField(max_length=64, blank=True, default="", editable=False)

    objects = MessageQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(name="message_state_valid", condition=Q(state__in=State.values)),
        ]
        indexes = [
            models.Index(
                fields=["due_at"],
                name="message_processing_due",
                condition=Q(state=State.PROCESSING),
            ),
            models.Index(
                fields=["host", "due_at"],
                name="message_delivering_due",
                condition=Q(state=State.DELIVERING),
            ),
            models.Index(
                fields=["created_at"],
                name="message_ended",
                condition=Q(state__in=(State.DELIVERED, State.GONE)),
            ),
            models.Index(fields=["created_at"], name="message_created"),
            models.Index(fields=["order_key"], name="message_order_key"),
            models.Index(fields=["id"], name="message_dead", condition=Q(state=State.DEAD)),
            models.Index(fields=["id"], name="message_gone", condition=Q(state=State.GONE)),
        ]

    def __str__(self) -> str:
        return f"{self.order_key} ({self.state})"


class DeliveryAttempt(outbox.Attempt):
    """One try to post a message's result to its webhook."""

    message = models.ForeignKey(
        Message, models.CASCADE, related_name="attempts_log", db_constraint=False
    )

    class Meta:
        indexes = [
            models.Index(
                fields=["id"],
                name="delivery_attempt_failed",
                condition=outbox.NOT_TAKEN | outbox.NO_ANSWER,
            ),
            models.Index(fields=["at"], name="delivery_attempt_at"),
        ]


def deliveries(attempts: "models.QuerySet[Any]") -> "models.QuerySet[Any]":
    """Those attempts that were taken, with the seconds since their result in `took`.

    A result that was sent again later has begun anew: its earlier attempts are left out.
    """
    taken = attempts.filter(outbox.TAKEN, at__gte=F("message__delivering_since"))
    ended = Seconds("at") + F("ms") / 1000.0
    return taken.annotate(took=ended - Seconds("message__delivering_since"))


class TaskAPIKey(AbstractAPIKey):
    """A key that may read its task, and nothing else."""

    task = models.ForeignKey(TaskResult, models.CASCADE, related_name="api_keys")

    scope, lookup = "task", "task_id"  # for `create_api_key --task ID`

    class Meta(AbstractAPIKey.Meta):
        verbose_name = "task API key"
        verbose_name_plural = "task API keys"
        indexes = [
            models.Index(fields=["expiry_date"], name="task_key_expiry"),
            models.Index(fields=["created"], name="task_key_revoked", condition=Q(revoked=True)),
        ]


class ThrottleCount(Count):
    """How often an address or account failed to sign in to the admin in this minute."""


class Tally(BaseTally):
    """What metrics have counted of messages and their deliveries."""
