"""`make demo`: starts everything, posts one order, follows it, and prints what happened when."""

import threading
from datetime import datetime
from typing import Any

from e2e import ending
from e2e.client import ORDER, Json, Producer
from e2e.ending import say
from e2e.stack import Stack
from e2e.waiting import TimedOut, until

DEADLINE = 30.0  # seconds for an order to be confirmed; it takes a fraction of one


def demo(ended: threading.Event) -> int:
    say("Starting both services on free ports …")
    with Stack(ended=ended) as stack, customer(stack) as producer:
        posted = producer.post_order(ORDER)
        say(f"Posted order {posted['order_key']} ({posted['uuid']}): {posted['status']}")
        try:
            order = producer.follow(posted["uuid"], within=DEADLINE)
        except TimedOut as error:
            say(f"{error}\n{producer.timeline(posted['uuid'])}")
            return 1
        timeline = until(
            lambda: whole_timeline(producer, posted["uuid"]), within=10, what="a whole timeline"
        )
        say(f"It is {order['status']}. Its timeline, in milliseconds since it was accepted:\n")
        print("\n".join(table(timeline["events"])), flush=True)
        say("\nStopping …")
    say("Every process has ended.")
    return 0 if order["status"] == "confirmed" else 1


def customer(stack: Stack) -> Producer:
    return Producer(stack.at.producer, f"Token {stack.secret['user_token']}")


def whole_timeline(producer: Producer, uuid: str) -> Json | None:
    """The timeline once the delivery is in it, which is recorded after the confirmation."""
    timeline = producer.timeline(uuid)
    names = {event["event"] for event in timeline["events"]}
    return timeline if "delivered" in names else None


def table(events: list[dict[str, Any]]) -> list[str]:
    """The events, a line each, with milliseconds since the first."""
    start = datetime.fromisoformat(events[0]["at"])
    lines = [f"{'ms':>8}  {'event':<10} {'service':<9} details"]
    for event in events:
        ms = (datetime.fromisoformat(event["at"]) - start).total_seconds() * 1000
        known = ("at", "event", "service")
        details = " ".join(
            f"{k}={v}" for k, v in event.items() if k not in known and v not in ("", None)
        )
        lines.append(f"{ms:8.1f}  {event['event']:<10} {event['service']:<9} {details}")
    return lines


if __name__ == "__main__":
    ending.run(demo)
