"""The producer's metrics: orders by state, how long they wait, how long they took."""

from collections.abc import Iterator

from django.db.models import QuerySet
from prometheus_client import Metric

from chassis import metrics, tallies
from chassis.clock import Now, seconds_between
from orders.models import Order, OrderStatus, SendAttempt, Tally, TaskResult


def of_results(rows: QuerySet[TaskResult]) -> dict[str, tallies.Totals]:
    """Those of orders alone: a result that is stored by hand may have none."""
    took = seconds_between("order__created_at", "created_at")
    statuses, durations = tallies.spans(rows.filter(order__isnull=False), "order__status", took)
    return {"statuses": statuses, "durations": durations}


SOURCES = (
    tallies.Source("orders", Order, lambda rows: {"accepted": {"orders": rows.count()}}),
    tallies.Source("sends", SendAttempt, lambda rows: {"codes": tallies.by(rows, "status")}),
    tallies.Source("results", TaskResult, of_results),
)


def families() -> Iterator[Metric]:
    totals = tallies.count_up(Tally, SOURCES)
    yield metrics.counter(
        "producer_orders_accepted", "Orders stored.", totals["accepted"].get("orders", 0)
    )
    yield metrics.counters(
        "producer_sends",
        "Orders sent to the consumer, by the status of its answer; none: there was none.",
        "code",
        totals["codes"],
    )
    yield metrics.counters(
        "producer_orders_answered",
        "Results that came for orders, by the status that the order has had since.",
        "status",
        totals["statuses"],
    )
    yield metrics.histogram(
        "producer_order_duration_seconds",
        "From an order's acceptance to its result.",
        totals["durations"],
    )
    yield from waiting()


def waiting() -> Iterator[Metric]:
    pending = Order.objects.filter(status=OrderStatus.PENDING).order_by("due_at")
    scheduled = pending.filter(due_at__isnull=False)
    states = {
        "due": Order.objects.due(),
        "scheduled": pending.filter(due_at__gt=Now()),
        "refused": pending.filter(due_at=None),
    }
    yield metrics.gauges(
        "producer_orders",
        "Pending orders: due to be sent, scheduled to be asked for or sent again, refused by the "
        f"consumer. Counted up to {metrics.MOST_COUNTED}.",
        "state",
        {state: metrics.counted(rows) for state, rows in states.items()},
    )
    yield metrics.gauge(
        "producer_oldest_due_order_seconds",
        "For how long the most urgent order is due; 0: none is.",
        metrics.oldest(Order.objects.due()[:1], "due_at"),
    )
    yield metrics.gauge(
        "producer_oldest_pending_order_seconds",
        "Since when the oldest order that is not refused is pending, of the "
        f"{metrics.LOOKED_AT} most urgent; 0: none is.",
        metrics.oldest(metrics.most_urgent(scheduled), "created_at"),
    )
