"""Who calls when schemathesis calls a service: the credentials that each operation wants.

Loaded by schemathesis (e2e/schemathesis.toml). SERVICE (its origin), API_KEY and, of the producer,
TOKEN and ORDERS (uuids) are in the environment.
"""

import contextlib
import os
import secrets
import uuid
from typing import Any

import requests
import schemathesis

from e2e.client import Producer

PASSWORD = "correct horse battery"
# The other methods of these end the token, or the account, that they are called with.
OF_THE_CALLER = {"/api/v1/users/create", "/api/v1/users/token"}


class Account:
    """An account to spend: signed in again without a token, made anew once it is closed."""

    def __init__(self) -> None:
        self.producer = Producer(os.environ["SERVICE"])
        self.name, self.token = "", "none-yet"

    def usable_token(self) -> str:
        """A token that works; the spent one where too many accounts were made in this minute."""
        for step in (self.look, self.sign_in, self.make):
            with contextlib.suppress(requests.HTTPError):
                step()
                break
        return self.token

    def look(self) -> None:
        self.producer.session.headers["Authorization"] = f"Token {self.token}"
        self.producer.call("GET", "users/me")

    def sign_in(self) -> None:
        self.token = self.producer.sign_in(self.name, PASSWORD)

    def make(self) -> None:
        name = f"fuzzed-{secrets.token_hex(6)}"
        self.producer.create_user(username=name, email=f"{name}@example.com", password=PASSWORD)
        self.name = name
        self.sign_in()


account = Account()


@schemathesis.auth(refresh_interval=None)
class Credentials:
    def get(self, case: Any, context: Any) -> str:
        operation = context.operation
        schemes = {
            name for scheme in operation.definition.raw.get("security", []) for name in scheme
        }
        # With a token a customer may not write task results; with a key all can be done.
        if "Api-Key" in schemes:
            return f"Api-Key {os.environ['API_KEY']}"
        if operation.path in OF_THE_CALLER and operation.method != "post":
            return f"Token {account.usable_token()}"
        return f"Token {os.environ['TOKEN']}"

    def set(self, case: Any, data: str, context: Any) -> None:
        case.headers = {**(case.headers or {}), "Authorization": data}


@schemathesis.hook
def before_call(context: Any, case: Any, kwargs: Any) -> None:
    """Name an order that is there in every other call: of a made-up one there is only a 404.

    Where the calls follow from each other, they know which.
    """
    given = (case.path_parameters or {}).get("uuid")
    orders = os.environ.get("ORDERS", "").split()
    if case.meta is None or case.meta.phase.name == "stateful" or not orders:
        return
    with contextlib.suppress(ValueError, TypeError, AttributeError):
        number = uuid.UUID(given).int
        if number % 2 == 0:
            case.path_parameters["uuid"] = orders[number // 2 % len(orders)]
