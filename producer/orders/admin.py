"""Orders in the admin, with what was sent, what came back, and the keys that open them.

An order changes only while it is pending, by the conditional updates of `services`: no form here
writes one.
"""

from datetime import datetime
from typing import Any

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from rest_framework_api_key.models import APIKey
from unfold.decorators import action, display
from unfold.enums import ActionVariant

from chassis.admin import AttemptAdmin, DeletedByServiceAdmin, ReadOnlyAdmin, asks_first
from chassis.admin_keys import KeyAdmin
from chassis.admin_lists import LargeTableAdmin, badge, link_to, short
from chassis.story import Story, StoryAdmin
from orders import admin_story, services
from orders.admin_parts import (
    STATUSES,
    CurrencyFilter,
    ItemInline,
    OrderKeyInline,
    SendAttemptInline,
    SendingFilter,
    TaskResultInline,
    sending_of,
)
from orders.models import Order, OrderAPIKey, OrderItem, OrderStatus, SendAttempt, TaskResult
from users.models import CustomUser

admin.site.unregister(APIKey)  # registered plain by its package


@admin.register(Order)
class OrderAdmin(StoryAdmin, DeletedByServiceAdmin):
    list_display = ("order_key", "id_shown", "user", "state", "sending", "total", "created_at")
    list_filter = ("status", SendingFilter, CurrencyFilter, "created_at")
    search_fields = ("order_key", "uuid", "task_id")
    search_help_text = "Order key, uuid, task id, user or email"
    inlines = (ItemInline, SendAttemptInline, TaskResultInline, OrderKeyInline)
    actions = ("send_again", "cancel")
    actions_detail = ("send_this_again", "cancel_this")
    fieldsets = (
        (None, {"fields": ("order_key", "uuid", "user", "state", "created_at", "updated_at")}),
        ("Order", {"fields": ("total", "address", "phone_number", "idempotency_key")}),
        (
            "Sending",
            {
                "fields": (
                    "sending",
                    "last_error",
                    "due",
                    "attempts",
                    "task_id",
                    "request_id",
                    "message",
                )
            },
        ),
    )
    goes_along = "its items, API keys, send attempts and task results"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Order]:
        return super().get_queryset(request).select_related("user")

    def story_of(self, row: Order) -> Story:
        return admin_story.of(row)

    @display(description="uuid")
    def id_shown(self, order: Order) -> str:
        return short(order.uuid)

    @display(description="status")
    def state(self, order: Order) -> str:
        return badge(order.status, STATUSES[OrderStatus(order.status)])

    @display(description="sending")
    def sending(self, order: Order) -> str | None:
        return sending_of(order)

    @display(description="due at")
    def due(self, order: Order) -> datetime | None:
        """Of an order that is not sent again the column keeps its last value."""
        return order.due_at if order.status == OrderStatus.PENDING else None

    @display(description="total")
    def total(self, order: Order) -> str:
        return f"{order.total_paid:.3f}\N{NO-BREAK SPACE}{order.currency}"

    def matching(self, term: str) -> Q:
        user = CustomUser.objects.find(term)
        return super().matching(term) | (Q(user=user) if user else Q(pk__in=[]))

    @action(description="Send again", permissions=["operate"])
    def send_again(self, request: HttpRequest, queryset: QuerySet[Order]) -> None:
        orders = list(queryset)
        done = services.send_again(orders=Order.objects.filter(pk__in=[o.pk for o in orders]))
        for order in orders:
            self.log_change(request, order, "Asked to send it again.")
        self.report(request, done, len(orders), did="sent again", why="no longer pending")

    @action(description="Cancel the orders", permissions=["operate"])
    @asks_first("They stay cancelled, whatever the consumer answers.")
    def cancel(self, request: HttpRequest, queryset: QuerySet[Order]) -> None:
        done, orders = 0, list(queryset)
        for order in orders:
            try:
                services.edit_order(order=order, data={"status": OrderStatus.CANCELLED})
            except services.NotPending:
                continue
            self.log_change(request, order, "Cancelled.")
            done += 1
        self.report(request, done, len(orders), did="cancelled", why="no longer pending")

    @action(
        description="Send again",
        permissions=["operate"],
        icon="send",
        dialog={
            "title": "Send this order again?",
            "description": "Its message is sent to the consumer at once. If the consumer knows it "
            "already it answers the same task, and posts its result again.",
            "form_submit_text": "Send again",
        },
    )
    def send_this_again(self, request: HttpRequest, form: Any, object_id: str) -> HttpResponse:
        return self.act_on(request, object_id, self.send_again)

    @action(
        description="Cancel order",
        permissions=["operate"],
        icon="cancel",
        variant=ActionVariant.DANGER,
        dialog={
            "title": "Cancel this order?",
            "description": "It stays cancelled, whatever the consumer answers.",
            "form_submit_text": "Cancel the order",
        },
    )
    def cancel_this(self, request: HttpRequest, form: Any, object_id: str) -> HttpResponse:
        return self.act_on(request, object_id, self.cancel)

    def takes_actions(self, row: Order) -> bool:
        return row.status == OrderStatus.PENDING

    def can_delete(self, row: Order) -> bool:
        return row.status != OrderStatus.CONFIRMED

    def delete_by_service(self, row: Order) -> None:
        services.delete_order(order=row)


class OfOrder:
    """What the lists of rows of an order have in common."""

    search_fields: tuple[str, ...] = ("order__order_key", "order__uuid")
    search_help_text = "Order key, or uuid of an order"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).prefetch_related("order")

    @display(description="order")
    def order_link(self, row: Any) -> str | None:
        return link_to(row.order, row.order.order_key) if row.order else None


@admin.register(OrderItem)
class OrderItemAdmin(OfOrder, ReadOnlyAdmin):
    list_display = ("item_name", "price", "quantity", "order_link")
    fields = ("order_link", "item_name", "price", "quantity")


@admin.register(SendAttempt)
class SendAttemptAdmin(OfOrder, AttemptAdmin):
    list_display = ("at", "order_link", "answer", "ms", "error")
    fields = ("order_link", "at", "answer", "ms", "error")


@admin.register(TaskResult)
class TaskResultAdmin(OfOrder, LargeTableAdmin):
    """Staff may write results by hand, as by the API; it moves no order."""

    list_display = ("task_id", "result", "order_link", "created_at")
    list_filter = ("created_at",)
    search_fields = ("task_id", *OfOrder.search_fields)
    search_help_text = "Task id, order key or uuid of an order"
    autocomplete_fields = ("order",)
    fields = ("task_id", "result", "order")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return ("task_id",) if obj else ()


@admin.register(APIKey)
class ServiceKeyAdmin(KeyAdmin):
    opens = "It opens the whole service: any order's status, and all task results."


@admin.register(OrderAPIKey)
class OrderKeyAdmin(OfOrder, KeyAdmin):
    opens = (
        "It opens one thing: to change the status of its order. Orders that are sent get one of "
        "their own, and another at the next send where that was revoked; make one by hand only for "
        "somebody else."
    )
    fields = ("name", "order", "expiry_date")
    list_display = ("prefix", "name", "order_link", "created", "expiry_date", "state")
    search_fields = ("prefix", *OfOrder.search_fields)
    search_help_text = "Prefix, order key or uuid of an order"
    autocomplete_fields = ("order",)
