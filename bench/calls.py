"""Makes calls of one kind and profiles them; `bench.profile` runs it inside a service."""

import io
import json
import os
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from functools import partial
from importlib import import_module
from itertools import islice
from typing import Any

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
django.setup()

from django.core.wsgi import get_wsgi_application  # noqa: E402  # needs the settings
from pyinstrument import Profiler  # noqa: E402

from e2e.client import ORDER  # noqa: E402
from e2e.environment import USER  # noqa: E402

WARM = 20
HIDDEN = r".*/(site-packages|chassis/middleware|asyncio)\b.*"
Calls = Iterator[Callable[[], Any]]  # what is measured; what prepares it happens between

application = get_wsgi_application()


def post(path: str, body: Any, authorization: str) -> Any:
    """A request as the web server hands it over; returns the JSON that answers it."""
    given = json.dumps(body).encode()
    environ = {
        "REQUEST_METHOD": "POST",
        "PATH_INFO": f"/api/v1/{path}",
        "QUERY_STRING": "",
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1",
        "HTTP_HOST": "127.0.0.1",
        "HTTP_AUTHORIZATION": authorization,
        "CONTENT_TYPE": "application/json",
        "CONTENT_LENGTH": str(len(given)),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(given),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }
    said: list[str] = []

    def start_response(status: str, *args: Any) -> Any:
        said.append(status)

    response = application(environ, start_response)
    answer = b"".join(response)
    response.close()
    if not said[0].startswith("2"):
        raise SystemExit(f"{path} was answered {said[0]}: {answer[:500]!r}")
    return json.loads(answer)


def order() -> Calls:
    token = f"Token {os.environ['USER_TOKEN']}"
    while True:
        yield partial(post, "data/orders/", ORDER, token)


def place_orders(number: int) -> None:
    services = import_module("orders.services")
    serializers, users = import_module("orders.serializers"), import_module("users.models")
    user = users.CustomUser.objects.get(username=USER)
    for _ in range(number):
        given = serializers.OrderSerializer(data=ORDER)
        given.is_valid(raise_exception=True)
        services.place_order(user=user, data=given.validated_data)


def dispatch() -> Calls:
    module = import_module("orders.dispatch")
    while True:
        place_orders(module.BATCH)
        yield module.dispatch_batch


def webhook() -> Calls:
    module = import_module("orders.dispatch")
    while True:
        place_orders(module.BATCH)
        for row, key in module.claim_orders():
            path = f"data/orders/{row.uuid}/status/update"
            body = {"task_id": str(uuid.uuid4()), "status": "confirmed", "result": "TNDX"}
            yield partial(post, path, body, f"Api-Key {key}")


def messages(number: int) -> list[dict[str, str]]:
    return [
        {
            "message_id": str(uuid.uuid4()),
            "webhook_url": f"{os.environ['RECEIVER']}/",
            "webhook_api_key": "abcdefgh.ABCDEFGHIJKLMNOPQRSTUVWXYZ012345",
            "address": "Ariana Nkhilet",
            "phone_number": "+21658741196",
            "order_key": f"PROFILE{turn}",
            "status": "pending",
            "currency": "TND",
        }
        for turn in range(number)
    ]


def send() -> Calls:
    key = f"Api-Key {os.environ['SERVICE_API_KEY']}"
    while True:
        body = messages(10)
        yield partial(post, "consumer/send-message/", body, key)


def accept(number: int) -> list[Any]:
    given = [{**each, "message_id": uuid.UUID(each["message_id"])} for each in messages(number)]
    return import_module("messaging.acceptance").accept_messages(messages=given, publish=False)


def task() -> Calls:
    app = import_module("config.celery").app
    app.loader.import_default_modules()
    run = app.tasks["messaging.process_message"]
    trace = import_module("celery.app.trace").build_tracer(run.name, run, app=app)
    while True:
        for accepted in accept(50):
            row = accepted.message
            request = {"id": row.task.task_id, "hostname": "bench", "delivery_info": {}}
            given = (row.currency, row.order_key, row.status)
            yield partial(trace, request["id"], given, {"number": 1}, request)


def delivery() -> Calls:
    module, results = import_module("messaging.delivery"), import_module("messaging.results")
    while True:
        for accepted in accept(module.share()):
            results.store(accepted.message.task.task_id, status="SUCCESS", result='"TNDX"')
        yield module.deliver_due


CALLS = {each.__name__: each for each in (order, dispatch, webhook, send, task, delivery)}


def main() -> None:
    name, number = sys.argv[1], int(sys.argv[2])
    calls = CALLS[name]()
    for _ in range(WARM):
        next(calls)()
    spent = 0.0
    for _ in range(number):
        call = next(calls)
        start = time.process_time()
        call()
        spent += time.process_time() - start
    ms = spent / number * 1000
    print(f"{name}: {ms:.2f} ms CPU a call, of {number}, without the servers'\n")
    profiler = Profiler(interval=0.0005)
    for call in islice(calls, number):
        with profiler:
            call()
    print(profiler.output_text(unicode=True, processor_options={"hide_regex": HIDDEN}))


main()
