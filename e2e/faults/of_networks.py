"""The way between the services, and what stands at its end: away, slow, broken, wrong."""

import time
from functools import partial

import requests

from e2e.faults import names
from e2e.faults.gateway import Call, Gateway, Rule
from e2e.faults.rows import ROWS, Row, row
from e2e.faults.stage import Stage
from e2e.waiting import until

MEGABYTE = b"x" * (1 << 20)
STRANGERS = 200  # messages for a stranger's webhook


def cut_off(stage: Stage, gateway: Gateway, seconds: float) -> None:
    gateway.close()
    stage.pause(seconds)
    gateway.open()


@row("nothing")
def nothing(stage: Stage) -> None:
    """No fault at all: what the others are to be compared with."""
    stage.pause(10)


@row("consumer-unreachable-60s")
def consumer_unreachable(stage: Stage) -> None:
    """The producer's connections to the consumer are refused for 60 s."""
    cut_off(stage, stage.to_consumer, 60)


@row("producer-unreachable-60s")
def producer_unreachable(stage: Stage) -> None:
    """The consumer's connections to the producer are refused for 60 s."""
    cut_off(stage, stage.to_producer, 60)


# What a gateway does instead of passing a request on, or before, or after.


def hang(call: Call) -> None:
    """Say nothing, until the caller gives up or the row is over."""
    call.over.wait(60)
    call.drop()


def take_and_hang(call: Call) -> None:
    """The same, after the service has done it."""
    call.forward()
    hang(call)


def drop_midway(call: Call) -> None:
    """Have it done, answer half, and cut the connection."""
    reply = call.forward()
    call.write(b"HTTP/1.1 200 OK\r\nContent-Length: 4096\r\n\r\n" + reply.body[:5])
    call.drop()


def trickle(call: Call) -> None:
    """Have it done, and answer header by header, without end."""
    call.forward()
    call.write(b"HTTP/1.1 200 OK\r\n")
    while not call.over.wait(0.5):
        call.write(b"X-More: to come\r\n")
    call.drop()


def gigabyte(status: int, call: Call) -> None:
    """Have it done where the answer is 200, and answer with a body of 1 GB."""
    if status == 200:
        call.forward()
    call.write(f"HTTP/1.1 {status} Long\r\nContent-Length: {1 << 30}\r\n\r\n".encode())
    for _ in range(1 << 10):
        call.write(MEGABYTE)


def lie(call: Call) -> None:
    """Answer 200 without having done anything, as a proxy's page for an outage does."""
    call.refuse(200)


def answer(status: int, call: Call, **headers: str) -> None:
    call.refuse(status, **headers)


def odd_webhooks(rule: Rule, stage: Stage) -> None:
    with stage.to_producer.obeying(rule):
        stage.pause(12)


def odd_consumer(rule: Rule, stage: Stage) -> None:
    with stage.to_consumer.obeying(rule):
        stage.pause(12)


def dead_webhooks(rule: Rule, stage: Stage) -> None:
    """The same, which ends deliveries as dead: then `manage.py redeliver --dead`."""
    odd_webhooks(rule, stage)
    dead = stage.consumer.value("SELECT count(*) FROM messaging_message WHERE state = 'dead'")
    assert dead, "nothing ended as dead"
    stage.manage("consumer", "redeliver", "--dead")


def add(name: str, about: str, act: partial[None], **options: float) -> None:
    act.__doc__ = about
    ROWS[name] = Row(name, act, **options)  # type: ignore[arg-type]


for name, about, rule in (
    ("webhook-500", "answers 500", partial(answer, 500)),
    (
        "webhook-401",
        "answers 401, as while a key or secret is being replaced",
        partial(answer, 401),
    ),
    ("webhook-hangs", "does it and says nothing", take_and_hang),
    ("webhook-dropped", "does it, and cuts the connection midway through the answer", drop_midway),
    ("webhook-trickles", "does it, and answers header by header", trickle),
    ("webhook-1gb", "does it, and answers 200 with 1 GB", partial(gigabyte, 200)),
    ("webhook-500-1gb", "answers 500 with 1 GB", partial(gigabyte, 500)),
    ("webhook-410", "answers 410: the producer asks again", partial(answer, 410)),
    ("webhook-200-undone", "answers 200 and does nothing: the producer asks again", lie),
):
    add(name, f"The webhook {about}, for 12 s.", partial(odd_webhooks, rule))

add(
    "webhook-redirects",
    "The webhook redirects for 12 s, which ends as dead; then `redeliver --dead`.",
    partial(dead_webhooks, partial(answer, 302, Location="http://127.0.0.1:9/")),
)
add(
    "webhook-400",
    "The webhook answers 400 for 12 s, which ends as dead; then `redeliver --dead`.",
    partial(dead_webhooks, partial(answer, 400)),
)
add(
    "webhook-429",
    "The webhook answers 429 with Retry-After: 20, for 12 s.",
    partial(odd_webhooks, partial(answer, 429, Retry_After="20")),
    bound=80.0,
)

for name, about, rule in (
    ("consumer-500", "answers 500", partial(answer, 500)),
    ("consumer-401", "answers 401", partial(answer, 401)),
    ("consumer-404", "answers 404", partial(answer, 404)),
    ("consumer-hangs", "takes messages and says nothing", take_and_hang),
    ("consumer-dropped", "takes messages, and cuts the connection midway", drop_midway),
    ("consumer-202-undone", "answers 202 with nothing in it", partial(answer, 202)),
):
    add(name, f"send-message/ {about}, for 12 s.", partial(odd_consumer, rule))


@row("dns-fails")
def dns_fails(stage: Stage) -> None:
    """The producer is known by a name that cannot be looked up for 15 s."""
    file = stage.folder / "names"
    names.write(file, known=True)
    origin = f"http://{names.NAME}:{stage.to_producer.port}"
    named = {
        "PRODUCER_URL": origin,
        "WEBHOOK_ALLOWED_ORIGINS": f"{origin},{stage.to_producer.origin}",
        names.FILE: str(file),
    }
    with stage.changed("consumer-webhooks", module=names.__name__, **named):
        with stage.changed("producer-worker", "consumer-web", **named):
            stage.pause(3)
            names.write(file, known=False)
            stage.to_producer.close()  # a connection that is kept needs no name
            stage.to_producer.open()
            failed = "SELECT count(*) FROM messaging_deliveryattempt WHERE error = 'name not found'"
            until(lambda: stage.consumer.value(failed), within=30, what="a lookup failed")
            stage.pause(15)
            names.write(file, known=True)
        until(lambda: not stale(stage), within=90, what="what went by the name is delivered")


def stale(stage: Stage) -> int:
    return int(
        stage.consumer.value(
            "SELECT count(*) FROM messaging_message WHERE webhook_url LIKE %s "
            "AND state <> 'delivered'",
            f"http://{names.NAME}%",
        )
    )


def neighbour(stage: Stage, rule: Rule | None) -> None:
    """A stranger's host is slow or dead: nobody else's results come later by more than 1 s."""
    stranger = stage.stack.stranger
    began = time.time()
    stage.pause(5)
    before = time.time()
    if rule is None:
        stranger.close()
    else:
        stranger.obey(rule)
    send_to(stage, f"{stranger.origin}/hook")
    stage.pause(25)
    after = time.time()
    stranger.obey(lambda call: call.refuse(200))
    if rule is None:
        stranger.open()
    undisturbed = delay(stage, began, before)
    disturbed = delay(stage, before, after)
    said = f"p95 {undisturbed:.2f} s, beside it {disturbed:.2f} s"
    print(f"    {said}", flush=True)
    assert disturbed <= undisturbed + 1.0, said


def send_to(stage: Stage, url: str) -> None:
    """Have the consumer owe a stranger many results."""
    body = [
        {
            "webhook_url": url,
            "address": "123 Main St",
            "phone_number": "555-1234",
            "order_key": f"STRANGER{number}",
            "status": "pending",
            "currency": "USD",
        }
        for number in range(STRANGERS // 2)
    ]
    for _ in range(2):
        requests.post(
            f"{stage.stack.at.consumer}/api/v1/consumer/send-message/",
            json=body,
            headers={"Authorization": f"Api-Key {stage.stack.secret['consumer_api_key']}"},
            timeout=20,
        ).raise_for_status()


def delay(stage: Stage, since: float, until: float) -> float:
    """The p95 of seconds from a result's being stored to its webhook's arrival, of those stored
    meanwhile.
    """
    stored = {
        str(message_id): at
        for message_id, at in stage.consumer.rows(
            "SELECT message_id, extract(epoch FROM delivering_since)::float8 "
            "FROM messaging_message WHERE webhook_url LIKE %s",
            f"{stage.to_producer.origin}%",
        )
    }
    arrived: dict[str, float] = {}
    for call in stage.to_producer.log:
        arrived.setdefault(call.headers.get("webhook-id", ""), call.at)
    took = sorted(
        arrived.get(message_id, until) - at
        for message_id, at in stored.items()
        if at and since <= at <= until - 1
    )
    return took[int(len(took) * 0.95)]


@row("neighbour-hangs")
def neighbour_hangs(stage: Stage) -> None:
    """A stranger's webhook hangs, with 200 results for it: at p95 nobody else waits 1 s longer."""
    neighbour(stage, hang)


@row("neighbour-dead")
def neighbour_dead(stage: Stage) -> None:
    """A stranger's webhook is away, with 200 results for it: at p95 nobody waits 1 s longer."""
    neighbour(stage, None)
