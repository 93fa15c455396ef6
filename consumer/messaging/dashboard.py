"""The admin's first page: is it healthy, what is stuck, how fast is it."""

from typing import Any

from django.db.models import F, QuerySet
from django.http import HttpRequest
from django.urls import reverse

from chassis.admin_lists import link_to, list_of, short
from chassis.charts import Chart, Window
from chassis.clock import seconds_since
from chassis.dashboard import (
    MOST_SHOWN,
    SAMPLE,
    Dashboard,
    Figure,
    Row,
    Table,
    bounded,
    counted,
    duration,
    how_late,
    keys_of,
    number,
    percentiles,
)
from messaging.admin_parts import STATES, breaker_of
from messaging.models import DeliveryAttempt, Host, Message, State, deliveries

SLOW, STUCK = 30, 300  # seconds
CHART_COLOURS = STATES | {State.DELIVERING: "primary"}  # a bar has no word on it


def add_to(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """django-unfold's DASHBOARD_CALLBACK."""
    if request.user.has_perm("messaging.view_message"):
        context["dashboard"] = read(may_act=request.user.has_perm("messaging.change_message"))
    return context


def read(*, may_act: bool) -> Dashboard:
    dead = keys_of(Message.objects.filter(state=State.DEAD).order_by("-pk"))
    messages = list_of(Message)
    return Dashboard(
        figures=[
            processing(messages),
            delivering(messages),
            Figure(
                "Dead",
                number(len(dead)),
                "given up; `manage.py redeliver --dead` sends all again",
                *(("needs you", "danger") if dead else ("none", "success")),
                href=f"{messages}?state__exact={State.DEAD}",
            ),
            failing_hosts(),
            *times_to_deliver(),
        ],
        chart=Chart.of(
            Window.of(Message), "state", title="Messages by state", colours=CHART_COLOURS
        ),
        tables=[dead_ones(dead, may_act), hosts(messages)],
        searched=Message,
    )


def processing(messages: str) -> Figure:
    rows = Message.objects.filter(state=State.PROCESSING).order_by("due_at")
    return queue("Processing", rows, "created_at", f"{messages}?state__exact={State.PROCESSING}")


def delivering(messages: str) -> Figure:
    rows = Message.objects.delivering().order_by("host", "due_at")
    url = f"{messages}?state__exact={State.DELIVERING}"
    return queue("Delivering", rows, "delivering_since", url)


def queue(title: str, rows: QuerySet[Message], since: str, url: str) -> Figure:
    """How many there are, and how old the oldest is (of the first of them, where they are many)."""
    ages = bounded(rows.annotate(age=seconds_since(since)).values_list("age", flat=True))
    oldest = max(ages, default=None)
    note = f"the oldest for {duration(oldest)}" if ages else "nothing waits"
    verdict = how_late(oldest, slow=SLOW, stuck=STUCK)
    return Figure(title, number(len(ages)), note, *verdict, href=url)


def failing_hosts() -> Figure:
    failing = counted(Host.objects.filter(failing_since__isnull=False))
    return Figure(
        "Webhook hosts that fail",
        number(failing),
        "each holds up its own results alone",
        *(("failing", "warning") if failing else ("none", "success")),
        href=f"{list_of(Host)}?breaker=failing",
    )


def times_to_deliver() -> list[Figure]:
    window = Window.of(DeliveryAttempt, "at")
    found = deliveries(window.rows).values_list("took", flat=True)[:SAMPLE]
    return percentiles("Time to deliver", found, "delivered", window.note)


def dead_ones(keys: list[int], may_act: bool) -> Table:
    messages = Message.objects.filter(pk__in=keys[:MOST_SHOWN]).select_related("host")
    rows = [
        Row(
            [
                link_to(message, message.order_key),
                message.last_error,
                short(message.host.name, 40),
                message.attempts,
                message.created_at,
            ],
            press=reverse("admin:messaging_message_send_this_again", args=[message.pk])
            if may_act
            else "",
            about=f"message {message.order_key}",
        )
        for message in messages.defer("webhook_api_key").order_by("-pk")
    ]
    return Table(
        "Dead messages",
        ["message", "reason", "host", "attempts", "created"],
        rows,
        "No message is dead.",
        button="Send again",
    )


def hosts(messages: str) -> Table:
    """Those that fail first, since when they do."""
    worst = Host.objects.order_by(F("failing_since").asc(nulls_last=True), "pk")
    rows = [
        Row(
            [
                link_to(host, short(host.name, 60)),
                breaker_of(host),
                host.failures,
                host.failing_since,
                number(counted(Message.objects.delivering().filter(host=host).order_by("due_at"))),
            ]
        )
        for host in worst[:MOST_SHOWN]
    ]
    return Table(
        "Webhook hosts",
        ["host", "breaker", "failures in a row", "failing since", "results that wait"],
        rows,
        "No result was sent anywhere yet.",
    )
