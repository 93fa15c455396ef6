"""Messages, their tasks and the hosts they are answered to, in the admin.

A message changes only by the conditional updates of `services`, a task's result by the result
backend: no form here writes one.
"""

from typing import Any

from django.contrib import admin
from django.db.models import BooleanField, ExpressionWrapper, Prefetch, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.html import format_html
from django_celery_results.models import TaskResult
from unfold.decorators import action, display

from chassis.admin import AttemptAdmin, ReadOnlyAdmin
from chassis.admin_lists import badge, link_to, list_of, short
from chassis.story import Story, StoryAdmin
from messaging import (
    admin_story,
    admin_tasks,
    admin_users,  # noqa: F401  # registers them
    services,
)
from messaging.admin_parts import (
    STATES,
    BreakerFilter,
    DeliveryAttemptInline,
    HostFilter,
    breaker_of,
    hosts_at,
    status_of,
)
from messaging.models import DeliveryAttempt, Host, Message, State


class BreakerShown:
    @display(description="breaker")
    def breaker(self, row: Host | Message) -> str:
        return breaker_of(row if isinstance(row, Host) else row.host)


@admin.register(Message)
class MessageAdmin(StoryAdmin, BreakerShown, ReadOnlyAdmin):
    list_display = (
        "order_key",
        "id_shown",
        "task_link",
        "state_shown",
        "attempts",
        "due_at",
        "host_link",
        "created_at",
    )
    list_filter = ("state", HostFilter, "created_at")
    search_fields = ("message_id", "task__task_id", "order_key")
    search_help_text = "Order key, message id, task id or a host: https://shop.example"
    inlines = (DeliveryAttemptInline,)
    actions = ("send_again",)
    actions_detail = ("send_this_again",)
    fieldsets = (
        (None, {"fields": ("message_id", "order_key", "state_shown", "created_at", "request_id")}),
        ("Message", {"fields": ("currency", "status", "address", "phone_number")}),
        ("Task", {"fields": ("task_link", "task_status", "result", "executions")}),
        (
            "Delivery",
            {
                "fields": (
                    "webhook_url",
                    "host_link",
                    "breaker",
                    "attempts",
                    "due_at",
                    "last_error",
                    "delivering_since",
                    "key",
                )
            },
        ),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Message]:
        """The webhook's key stays in the database: whether there is one is all that is asked."""
        has_key = ExpressionWrapper(~Q(webhook_api_key=""), BooleanField())
        # Prefetched: for a join PostgreSQL has read and sorted the whole table.
        tasks = Prefetch("task", TaskResult.objects.defer(*admin_tasks.LONG_COLUMNS))
        rows = super().get_queryset(request).prefetch_related(tasks, "host")
        return rows.defer("webhook_api_key").annotate(has_key=has_key)

    def matching(self, term: str) -> Q:
        return super().matching(term) | Q(host__in=hosts_at(term))

    def story_of(self, row: Message) -> Story:
        return admin_story.of(row)

    @display(description="message")
    def id_shown(self, message: Message) -> str:
        return short(message.message_id)

    @display(description="task")
    def task_link(self, message: Message) -> str:
        return link_to(message.task, short(message.task.task_id))

    @display(description="task's status")
    def task_status(self, message: Message) -> str:
        return status_of(message.task)

    @display(description="result")
    def result(self, message: Message) -> str:
        return admin_tasks.shown(message.task)

    @display(description="state")
    def state_shown(self, message: Message) -> str:
        state = State(message.state)
        return format_html("{} {}", badge(state, STATES[state]), short(message.last_error, 40))

    @display(description="host")
    def host_link(self, message: Message) -> str:
        return link_to(message.host, short(message.host.name, 40))

    @display(description="webhook's API key")
    def key(self, message: Any) -> str:
        return "kept encrypted" if message.has_key else "none, or erased"

    @action(description="Send again", permissions=["operate"])
    def send_again(self, request: HttpRequest, queryset: QuerySet[Message]) -> None:
        rows = list(queryset)
        chosen = Message.objects.filter(pk__in=[message.pk for message in rows])
        done = services.redeliver(messages=chosen)
        for message in rows:
            self.log_change(request, message, "Asked to send its result again.")
        why = "still being processed, there is no result to send yet"
        self.report(request, done, len(rows), did="sent again", why=why)

    @action(
        description="Send again",
        permissions=["operate"],
        icon="send",
        dialog={
            "title": "Send this result again?",
            "description": "It is posted to its webhook at once, or once that host answers "
            "again, under the same webhook-id, and its schedule of attempts begins anew.",
            "form_submit_text": "Send again",
        },
    )
    def send_this_again(self, request: HttpRequest, form: Any, object_id: str) -> HttpResponse:
        return self.act_on(request, object_id, self.send_again)

    def takes_actions(self, row: Message) -> bool:
        return row.state != State.PROCESSING


@admin.register(Host)
class HostAdmin(BreakerShown, ReadOnlyAdmin):
    list_display = ("name", "breaker", "failures", "failing_since", "messages")
    list_filter = (BreakerFilter,)
    search_fields = ("name",)
    search_help_text = "https://shop.example"
    fields = ("name", "breaker", "failures", "failing_since", "open_until", "woken_at", "messages")

    def matching(self, term: str) -> Q:
        return Q(pk__in=hosts_at(term))

    @display(description="messages")
    def messages(self, host: Host) -> str:
        """Not counted: a host may have a million."""
        address = list_of(Message)
        return format_html(
            '<a class="underline" href="{0}?host={1}&amp;state__exact={2}">waiting</a> · '
            '<a class="underline" href="{0}?host={1}">all</a>',
            address,
            host.pk,
            State.DELIVERING.value,
        )


@admin.register(DeliveryAttempt)
class DeliveryAttemptAdmin(AttemptAdmin):
    list_display = ("at", "message_link", "answer", "ms", "error")
    fields = ("message_link", "at", "answer", "ms", "error")
    search_fields = ("message__message_id", "message__order_key")
    search_help_text = "Order key or message id"

    def get_queryset(self, request: HttpRequest) -> QuerySet[DeliveryAttempt]:
        return super().get_queryset(request).prefetch_related("message")

    @display(description="message")
    def message_link(self, attempt: DeliveryAttempt) -> str:
        return link_to(attempt.message, attempt.message.order_key)
