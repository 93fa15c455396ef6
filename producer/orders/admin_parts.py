"""The filters of the admin's list of orders, and what is shown on an order's page."""

from typing import Any

from django.contrib.admin import SimpleListFilter
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.html import format_html

from chassis.admin import AttemptInline, ReadOnlyInline
from chassis.admin_keys import KeyInline
from chassis.admin_lists import badge, short
from orders.models import Order, OrderAPIKey, OrderItem, OrderStatus, SendAttempt, TaskResult

NEWEST = 1000  # orders that are looked through for the currencies to choose from

STATUSES = {  # and their colours
    OrderStatus.PENDING: "info",
    OrderStatus.CONFIRMED: "success",
    OrderStatus.CANCELLED: "warning",
}


def sending_of(order: Order) -> str | None:
    """Where a pending order stands, and what is in its way."""
    if order.status != OrderStatus.PENDING:
        return None
    reason = short(order.last_error.removeprefix("refused: "), 40)
    if order.due_at is None:
        return format_html("{} {}", badge("refused", "danger"), reason)
    if order.task_id:
        return badge("accepted", "success")
    return format_html("{} {}", badge("waiting", "warning" if reason else "info"), reason)


class CurrencyFilter(SimpleListFilter):
    """The currencies of the newest orders: to find them all would read the whole table."""

    title, parameter_name = "currency", "currency"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        newest = Order.objects.order_by("-id").values_list("currency", flat=True)[:NEWEST]
        codes = {*newest, self.value() or ""} - {""}
        return [(code, code) for code in sorted(codes)]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Order]) -> QuerySet[Order]:
        return queryset.filter(currency=self.value()) if self.value() else queryset


class SendingFilter(SimpleListFilter):
    """Where pending orders stand."""

    title, parameter_name = "sending", "sending"
    conditions = {
        "waiting": Q(due_at__isnull=False, task_id=""),
        "accepted": Q(due_at__isnull=False) & ~Q(task_id=""),
        "refused": Q(due_at__isnull=True),
    }

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(state, state) for state in self.conditions]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Order]) -> QuerySet[Order]:
        condition = self.conditions.get(self.value() or "")
        return queryset.filter(condition, status=OrderStatus.PENDING) if condition else queryset


class ItemInline(ReadOnlyInline):
    model = OrderItem
    ordering = ("id",)
    per_page = 100
    fields = readonly_fields = ("item_name", "price", "quantity")


class SendAttemptInline(AttemptInline):
    model = SendAttempt


class TaskResultInline(ReadOnlyInline):
    model = TaskResult
    fields = readonly_fields = ("task_id", "result", "created_at")


class OrderKeyInline(KeyInline):
    model = OrderAPIKey
