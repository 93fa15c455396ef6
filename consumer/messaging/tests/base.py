"""What the consumer's tests share: messages, keys, a webhook that answers as it is told, a peer."""

import contextlib
import json
import threading
import uuid
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from unittest import mock

from celery import current_app, states
from django.db import OperationalError, connection, transaction
from django.db.models import Value
from django.test import override_settings
from django_celery_results.models import TaskResult
from rest_framework.test import APIClient
from rest_framework_api_key.models import APIKey

from chassis import bell, http
from chassis.clock import SecondsFromNow
from chassis.worker import stopping
from messaging import acceptance, delivery, processing, results, services
from messaging.models import DeliveryAttempt, Message

API = "/api/v1/consumer/"
SEND, PROCESS, TASKS = API + "send-message/", API + "process-message/", API + "tasks/"
PRODUCER = "http://127.0.0.1:7000"
HOOK = f"{PRODUCER}/api/v1/data/orders/c151efba-f415-4d2a-8b8f-161f30456aff/status/update"
KEY = "abcdefgh.a-key-for-this-one-order"


def failing_statement(beginning: str) -> contextlib.AbstractContextManager[None]:
    """While it lasts the database is away for each statement that begins so."""

    def execute(go_on: Any, sql: str, *args: Any) -> Any:
        if sql.startswith(beginning):
            raise OperationalError("away")
        return go_on(sql, *args)

    return connection.execute_wrapper(execute)


def body(**changes: Any) -> dict[str, Any]:
    """The specification's example message, with these fields changed; None leaves one out."""
    given = {
        "webhook_url": HOOK,
        "address": "123 Main St",
        "phone_number": "555-1234",
        "order_key": "ABC123",
        "status": "pending",
        "currency": "USD",
    } | changes
    return {name: value for name, value in given.items() if value is not None}


def new_id() -> str:
    return str(uuid.uuid4())


def client(key: str | None = None) -> APIClient:
    """A client with this key, by default with a service key made for it."""
    if key is None:
        _, key = APIKey.objects.create_key(name="tests")
    api = APIClient(raise_request_exception=False)
    api.credentials(HTTP_AUTHORIZATION=f"Api-Key {key}")
    api.default_format = "json"
    return api


def accept(**changes: Any) -> Message:
    """A message accepted and not yet processed; its first publish is left out."""
    given = body(**changes)
    if "message_id" in given:
        given["message_id"] = uuid.UUID(str(given["message_id"]))
    (accepted,) = acceptance.accept_messages(messages=[given], publish=False)
    return Message.objects.select_related("task", "host").get(pk=accepted.message.pk)


def finish(message: Message, *, state: str = states.SUCCESS, result: Any = "USDABC123pending"):
    """Store the result of a message's task, as the worker does."""
    results.store(message.task.task_id, status=state, result=json.dumps(result))
    message.refresh_from_db()
    message.task.refresh_from_db()
    return message


def finished(**changes: Any) -> Message:
    """A message whose result is due to be posted."""
    return finish(accept(**changes))


def due_in(rows: Any, seconds: float) -> None:
    """Move the time of a row, or of a queryset, as if the clock had moved."""
    if isinstance(rows, Message):
        rows = Message.objects.filter(pk=rows.pk)
    rows.update(due_at=SecondsFromNow(Value(float(seconds))))


def seconds_until(row: Any, column: str = "due_at") -> float:
    """How far a row's time is ahead of the database's clock, as they are stored."""
    found = type(row).objects.annotate(now=SecondsFromNow(Value(0.0))).get(pk=row.pk)
    return (getattr(found, column) - found.now).total_seconds()


def fresh(case: Any) -> None:
    """Nothing in this process is left of other tests: what is on its way, muted or stopping."""

    def reset() -> None:
        delivery.sends.cache_clear()
        stopping.clear()
        bell._muted_until = 0.0
        for one in (services.delivery_bell, processing.sweep_bell):
            one._quiet_until = 0.0

    reset()
    case.addCleanup(reset)


def deliver() -> None:
    """One turn of the drain: post what is due now, and record what came of it."""
    sends = delivery.sends()
    sends.step()
    while sends.open:
        sends.step()


def answer(status: int | None, *, error: str = "", **headers: str) -> http.Answer:
    """`Retry_After="5"` gives the header Retry-After."""
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    return http.Answer(status, b"", given, error or ("" if status else "timed out"), 7)


class Hook:
    """Stands for the one HTTP call: notes each post, and answers what the test says."""

    def __init__(self, reply: Callable[[str], http.Answer]) -> None:
        self.reply = reply
        self.calls: list[dict[str, Any]] = []
        self.lock = threading.Lock()

    def __call__(self, url: str, *, body: bytes, headers: Any, **options: Any) -> http.Answer:
        with self.lock:
            self.calls.append({"url": url, "body": body, "headers": dict(headers), **options})
        return self.reply(url)

    @property
    def posted(self) -> list[str]:
        return [call["url"] for call in self.calls]

    @property
    def headers(self) -> dict[str, str]:
        """Those of the last post."""
        return self.calls[-1]["headers"]


def webhook_answers(case: Any, *replies: Any) -> Hook:
    """Patch the HTTP call: these answers (statuses or Answers) in turn, the last one for ever."""
    given = [r if isinstance(r, http.Answer) else answer(r) for r in replies or (200,)]
    hook = Hook(lambda url: given.pop(0) if len(given) > 1 else given[0])
    case.enterContext(mock.patch.object(http, "post", hook))
    return hook


def attempts_of(message: Message) -> list[DeliveryAttempt]:
    return list(DeliveryAttempt.objects.filter(message=message).order_by("id"))


def count(**conditions: Any) -> int:
    return Message.objects.filter(**conditions).count()


def tasks() -> int:
    return TaskResult.objects.count()


@contextlib.contextmanager
def undone() -> Iterator[None]:
    """Whatever is written within is rolled back at the end."""
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


# The broker: in memory, or the one of TEST_BROKER_URL.


def declare(channel: Any, name: str) -> str:
    queue = current_app.amqp.queues[bell.queue_name(name)](channel)
    queue.declare()
    return queue.name


def clear_queues() -> None:
    with current_app.connection_for_write() as connection:
        channel = connection.default_channel
        for name in ("consumer.process", "consumer.sweep", "consumer.webhooks"):
            channel.queue_purge(declare(channel, name))


def published(name: str = "consumer.process") -> list[Any]:
    """Every message published to a queue of work since it was looked at last."""
    assert bell.publish("tests.last", queue=name, task_id="last")
    taken: list[Any] = []
    with current_app.connection_for_read() as connection:
        channel = connection.default_channel
        queue = current_app.amqp.queues[bell.queue_name(name)](channel)
        with connection.Consumer([queue], no_ack=True, on_message=taken.append):
            while not taken or taken[-1].headers["id"] != "last":
                connection.drain_events(timeout=10)
    return taken[:-1]


def rung(name: str) -> list[str]:
    """The tasks of the rings that wait in a queue."""
    published()  # so that whatever was rung before has arrived
    found = []
    with current_app.connection_for_read() as connection:
        channel = connection.default_channel
        queue = declare(channel, name)
        while (message := channel.basic_get(queue, no_ack=True)) is not None:
            found.append(message.headers["task"])
    return found


# A real server on this machine.

Script = Callable[["Handler"], None]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: "Peer"

    def do_POST(self) -> None:
        sent = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.received.append((self.path, dict(self.headers), sent))
        with contextlib.suppress(OSError):  # who called has hung up
            self.server.script(self)

    def log_message(self, *args: Any) -> None:
        pass

    def answer(self, status: int, content: bytes = b"", **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


class Peer(ThreadingHTTPServer):
    """An HTTP server on a free port, whose every POST runs `script`."""

    daemon_threads = True
    request_queue_size = 128  # of 5, the rest of a host's share would wait for seconds to connect

    def __init__(self, script: Script) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.script = script
        self.received: list[tuple[str, dict[str, str], bytes]] = []
        self.closing = threading.Event()
        self.origin = f"http://127.0.0.1:{self.server_address[1]}"

    def handle_error(self, *args: Any) -> None:
        pass


@contextlib.contextmanager
def running(script: Script) -> Iterator[Peer]:
    with Peer(script) as peer:
        thread = threading.Thread(target=peer.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield peer
        finally:
            peer.closing.set()
            peer.shutdown()
            thread.join()


def peer(case: Any, script: Script) -> Peer:
    return case.enterContext(running(script))


def allow(case: Any, *origins: str) -> None:
    """Have results posted to these origins, on loopback or not."""
    case.enterContext(override_settings(WEBHOOK_ALLOWED_ORIGINS=[PRODUCER, *origins]))


def short_limits(case: Any, seconds: float = 0.3) -> None:
    """The one place where tests shorten the limits of an outbound call."""
    limits = {"connect_timeout": seconds, "total_timeout": seconds}
    case.enterContext(mock.patch.dict(http.post.__kwdefaults__, limits))
    case.enterContext(mock.patch.dict(http._idle, clear=True))  # no kept connection of another's
