"""How much more two workers do than one: `python -m bench.scaling`.

Messages wait in the database until the workers start; then it is counted how many are confirmed a
second. Each one's webhook takes WAIT_SECONDS to answer, so that waiting and not the CPU is what
the workers share.
"""

import argparse
import time
from dataclasses import replace

from bench import tables
from bench.receiver import Receiver
from e2e.child import Child
from e2e.client import Consumer
from e2e.stack import Stack
from e2e.waiting import until

WAIT_SECONDS = 0.4
WORKER = "consumer-webhooks"
AIM = 1.7


def allow(stack: Stack, origin: str) -> None:
    """Have the consumer post to an origin on this machine."""
    for name in ("consumer-web", WORKER):
        stack.processes.children[name].env["WEBHOOK_ALLOWED_ORIGINS"] += f",{origin}"
    stack.processes.restart("consumer-web", WORKER)
    stack.wait_until_ready("consumer-web", WORKER)


def second_worker(stack: Stack, name: str) -> Child:
    first = stack.processes.children[WORKER]
    command = [part.replace(f"{WORKER}@", f"{name}@") for part in first.command]
    return replace(first, name=name, command=command, log=first.log.with_name(f"{name}.log"))


def confirmed_a_second(stack: Stack, receiver: Receiver, workers: list[str], rows: int) -> float:
    """Store messages while no worker delivers, then let these deliver them."""
    stack.processes.stop(*workers)
    secret = stack.secret["consumer_api_key"]
    with Consumer(stack.at.consumer, f"Api-Key {secret}") as consumer:
        for first in range(0, rows, 100):
            body = [message(receiver.origin, number) for number in range(first, first + 100)]
            consumer.call("POST", "consumer/send-message/", json=body)
        until(
            lambda: not consumer.call("GET", "consumer/tasks/?status=PENDING")["results"],
            within=60,
            what="every message processed",
        )
    before = receiver.answered
    stack.processes.start(*workers)
    until(lambda: receiver.answered > before, within=60, what="a first delivery")
    # From here on all of them are at work: the start of their processes is not what is measured.
    time.sleep(1)
    begun, start = receiver.answered, time.monotonic()
    until(lambda: receiver.answered >= before + rows - 50, within=300, what="deliveries")
    return (receiver.answered - begun) / (time.monotonic() - start)


def message(origin: str, number: int) -> dict[str, str]:
    return {
        "webhook_url": f"{origin}/",
        "address": "Ariana Nkhilet",
        "phone_number": "+21658741196",
        "order_key": f"SCALING{number}",
        "status": "pending",
        "currency": "TND",
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=1000)
    rows = parser.parse_args().messages
    with (
        Receiver(WAIT_SECONDS) as receiver,
        tables.named("scaling") as at,
        Stack(**at) as stack,
    ):
        allow(stack, receiver.origin)
        one, two = [WORKER], [WORKER, f"{WORKER}-2"]
        stack.processes.add(second_worker(stack, two[1]))
        speeds = {
            len(names): confirmed_a_second(stack, receiver, names, rows) for names in (one, two)
        }
    ratio = speeds[2] / speeds[1]
    print(f"a webhook that takes {WAIT_SECONDS * 1000:.0f} ms, {rows} messages:")
    for workers, speed in speeds.items():
        print(f"  {workers} worker{'s' * (workers > 1):1}  {speed:6.1f} confirmed a second")
    print(f"  ratio     {ratio:6.2f} (aim: at least {AIM})")


if __name__ == "__main__":
    main()
