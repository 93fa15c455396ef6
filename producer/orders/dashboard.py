"""The admin's first page: is it healthy, what is stuck, how fast is it."""

from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse

from chassis.admin_lists import link_to, list_of
from chassis.charts import Chart, Window
from chassis.clock import seconds_between, seconds_since
from chassis.dashboard import (
    MOST_SHOWN,
    SAMPLE,
    Dashboard,
    Figure,
    Row,
    Table,
    counted,
    duration,
    first_of,
    how_late,
    keys_of,
    number,
    percentiles,
)
from orders.admin_parts import STATUSES, sending_of
from orders.models import Order, OrderStatus, SendAttempt

SLOW, STUCK = 5, 60  # seconds that a due order waits: a worker looks every second
LONG = 60  # seconds that an order is pending before it is listed


def add_to(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """django-unfold's DASHBOARD_CALLBACK."""
    if request.user.has_perm("orders.view_order"):
        context["dashboard"] = read(may_act=request.user.has_perm("orders.change_order"))
    return context


def read(*, may_act: bool) -> Dashboard:
    window = Window.of(Order)
    refused = keys_of(
        Order.objects.filter(status=OrderStatus.PENDING, due_at=None).order_by("due_at")
    )
    orders = list_of(Order)
    return Dashboard(
        figures=[
            pending(orders),
            waiting(orders),
            answered(),
            Figure(
                "Refused by the consumer",
                number(len(refused)),
                "mend the reason, then `manage.py redeliver --dead`",
                *(("needs you", "danger") if refused else ("none", "success")),
                href=f"{orders}?sending=refused",
            ),
            *times_to_confirm(window),
        ],
        chart=Chart.of(window, "status", title="Orders by status", colours=STATUSES),
        tables=[refused_ones(refused, may_act), longest_pending()],
        searched=Order,
    )


def pending(orders: str) -> Figure:
    count = counted(Order.objects.filter(status=OrderStatus.PENDING).order_by("due_at"))
    return Figure(
        "Pending", number(count), "not confirmed yet", href=f"{orders}?status__exact=pending"
    )


def waiting(orders: str) -> Figure:
    """Due orders that nobody has taken."""
    due = Order.objects.due()
    oldest = due.annotate(age=seconds_since("due_at")).values_list("age", flat=True).first()
    note = f"{number(counted(due))} due now: a worker takes them within a second"
    verdict = how_late(oldest, slow=SLOW, stuck=STUCK)
    return Figure("Oldest due order", duration(oldest), note, *verdict, href=orders)


def answered() -> Figure:
    """What the consumer said last."""
    last = SendAttempt.objects.order_by("-pk").annotate(ago=seconds_since("at")).first()
    title, attempts = "Consumer's last answer", list_of(SendAttempt)
    if last is None:
        return Figure(title, "–", "nothing was sent yet", href=attempts)
    note = f"{duration(last.ago)} ago, after {last.ms} ms"
    if last.status == 202:
        return Figure(title, "202", note, "answers", href=attempts)
    verdict = ("no answer", "danger") if last.status is None else ("refuses", "warning")
    value, note = str(last.status or "none"), ": ".join(filter(None, (note, last.error)))
    return Figure(title, value, note, *verdict, href=attempts)


def times_to_confirm(window: Window) -> list[Figure]:
    confirmed = window.rows.filter(status=OrderStatus.CONFIRMED)
    took = seconds_between("created_at", "updated_at")
    # By the time, whose index then ends the search at the sample's last row.
    newest = confirmed.order_by("-created_at").annotate(took=took)
    found = newest.values_list("took", flat=True)[:SAMPLE]
    return percentiles("Time to confirm", found, "confirmed", window.note)


def refused_ones(keys: list[int], may_act: bool) -> Table:
    orders = Order.objects.filter(pk__in=keys[:MOST_SHOWN]).order_by("-pk")
    rows = [
        Row(
            [
                link_to(order, order.order_key),
                order.last_error.removeprefix("refused: "),
                order.created_at,
            ],
            press=reverse("admin:orders_order_send_this_again", args=[order.pk]) if may_act else "",
            about=f"order {order.order_key}",
        )
        for order in orders
    ]
    return Table(
        "Refused orders",
        ["order", "reason", "created"],
        rows,
        "The consumer has refused no order.",
        button="Send again",
    )


def longest_pending() -> Table:
    """Of the orders that come next: all of them, where they are few."""
    soonest = Order.objects.filter(status=OrderStatus.PENDING, due_at__isnull=False)
    age = seconds_since("created_at")
    old: QuerySet[Any] = first_of(soonest.order_by("due_at")).annotate(age=age)
    rows = [
        Row(
            [
                link_to(order, order.order_key),
                duration(order.age),
                sending_of(order),
                order.attempts,
                order.due_at,
            ]
        )
        for order in old.filter(age__gt=LONG).order_by("pk")[:MOST_SHOWN]
    ]
    return Table(
        "Pending for more than a minute",
        ["order", "for", "sending", "attempts", "due"],
        rows,
        "No order is.",
    )
