"""An order's timeline, as its page in the admin draws it."""

from typing import Any

from chassis.story import Step, Story
from orders import timeline
from orders.models import Order

CONSUMER_SECONDS = 1.0  # that the page waits for the other service
TITLES = {  # of an event, and its colour
    "accepted": ("Order accepted", "info"),
    "sent": ("Message sent", "success"),
    "task": ("Task made", "info"),
    "processed": ("Task ended", "success"),
    "delivered": ("Result delivered", "success"),
    "delivery failed": ("Result not delivered", "danger"),
    "result": ("Result arrived", "info"),
    "confirmed": ("Order confirmed", "success"),
    "cancelled": ("Order cancelled", "warning"),
}
NOTES = {
    "unavailable": "The consumer can't be asked now: its part is missing here.",
    "not asked yet": "The consumer knows nothing of it yet.",
}


def of(order: Order) -> Story:
    story = timeline.of(order, consumer_seconds=CONSUMER_SECONDS)
    steps = [_step(event) for event in story["events"]]
    if due_at := story["dispatch"]["due_at"]:
        known = story["dispatch"]["state"] == "accepted"
        title = "To be asked about again" if known else "To be sent"
        steps.append(Step(due_at, title, "info", "producer", to_come=True))
    return Story(steps, NOTES.get(story["consumer"], ""))


def _step(event: dict[str, Any]) -> Step:
    title, colour = TITLES[event["event"]]
    if event["event"] == "sent" and event["status"] != 202:
        title, colour = "Message not taken", "danger" if event["status"] is None else "warning"
    if event["event"] == "processed" and event["status"] != "SUCCESS":
        colour = "danger"
    said = [event.get("status"), event.get("result")]
    if event["event"] == "task":
        said.append(event["task_id"])
    ms = event.get("ms")
    return Step(
        at=event["at"],
        title=title,
        colour=colour,
        service=event["service"],
        ms=ms if isinstance(ms, int) else None,  # the other service might say anything
        detail=", ".join(str(one) for one in said if one not in (None, "")),
        error=event.get("error") or "",
    )
