"""The consumer's metrics: messages by state, how long they wait, how long they took."""

from collections.abc import Iterator

from django.db.models import F, QuerySet
from prometheus_client import Metric

from chassis import metrics, tallies
from chassis.clock import Now
from messaging.models import DeliveryAttempt, Host, Message, State, Tally, deliveries


def of_attempts(rows: QuerySet[DeliveryAttempt]) -> dict[str, tallies.Totals]:
    _, durations = tallies.spans(deliveries(rows), "status", F("took"))
    return {"codes": tallies.by(rows, "status"), "durations": durations}


SOURCES = (
    tallies.Source("messages", Message, lambda rows: {"accepted": {"messages": rows.count()}}),
    tallies.Source("attempts", DeliveryAttempt, of_attempts),
)


def families() -> Iterator[Metric]:
    totals = tallies.count_up(Tally, SOURCES)
    yield metrics.counter(
        "consumer_messages_accepted", "Messages stored.", totals["accepted"].get("messages", 0)
    )
    yield metrics.counters(
        "consumer_webhook_attempts",
        "Results posted, by the status of the answer; none: there was none.",
        "code",
        totals["codes"],
    )
    yield metrics.histogram(
        "consumer_delivery_duration_seconds",
        "From a stored result to the 2xx that took it, over all its attempts.",
        totals["durations"],
    )
    yield from waiting()


def waiting() -> Iterator[Metric]:
    processing = Message.objects.filter(state=State.PROCESSING).order_by("due_at")
    delivering = Message.objects.delivering().order_by("host", "due_at")
    yield metrics.gauges(
        "consumer_messages",
        "Messages that are not done: processing, delivering, or dead and waiting to be sent again "
        f"by hand. Counted up to {metrics.MOST_COUNTED}.",
        "state",
        {
            State.PROCESSING.value: metrics.counted(processing),
            State.DELIVERING.value: metrics.counted(delivering),
            State.DEAD.value: metrics.counted(
                Message.objects.filter(state=State.DEAD).order_by("id")
            ),
        },
    )
    yield metrics.gauge(
        "consumer_oldest_processing_message_seconds",
        f"Age of the oldest message without a result, of the {metrics.LOOKED_AT} most urgent; "
        "0: there is none.",
        metrics.oldest(metrics.most_urgent(processing), "created_at"),
    )
    yield metrics.gauge(
        "consumer_oldest_delivering_message_seconds",
        f"Age of the oldest result that waits to be taken, of {metrics.LOOKED_AT}; 0: none does.",
        metrics.oldest(metrics.most_urgent(delivering), "delivering_since"),
    )
    answering = metrics.most_urgent(delivering).filter(host__failing_since=None, due_at__lte=Now())
    yield metrics.gauge(
        "consumer_oldest_due_delivery_seconds",
        "For how long the longest waiting result is due whose host does not fail, of "
        f"{metrics.LOOKED_AT}; 0: none is.",
        metrics.oldest(answering, "due_at"),
    )
    failing = Host.objects.filter(failing_since__isnull=False).order_by("failing_since")
    yield metrics.gauge(
        "consumer_webhook_hosts_failing",
        "Hosts whose last answer was a failure that is tried again.",
        metrics.counted(failing),
    )
