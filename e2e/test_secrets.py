"""No secret that a run uses is found in anything that it wrote: logs, tables, broker, answers."""

import re
import secrets
import sqlite3
from contextlib import closing
from unittest import TestCase

import requests

from e2e import brokers, commands
from e2e.client import ORDER, Consumer, Producer
from e2e.environment import ADMIN, SERVICES
from e2e.faults.stage import GatedStack
from e2e.waiting import until

# Django REST framework's own: a token is looked up as it is, and its table shown to nobody.
TOKENS = "authtoken_token"


class TalkativeStack(GatedStack):
    """Logs whatever there is to log."""

    def _prepare(self, environments: commands.Environments) -> None:
        for own in environments.values():
            own["LOG_LEVEL"] = "DEBUG"
        super()._prepare(environments)


class SecretsTests(TestCase):
    def setUp(self) -> None:
        self.password, self.admin_password = secrets.token_hex(12), secrets.token_hex(12)
        self.stack = TalkativeStack({}, admin_password=self.admin_password)
        for gateway in (self.stack.to_producer, self.stack.to_consumer, self.stack.stranger):
            self.enterContext(gateway)
        self.enterContext(self.stack)
        self.written: dict[str, str] = {}  # by where it was found
        self.answers: list[str] = []

    def test_no_secret_is_found_in_anything_that_a_run_wrote(self) -> None:
        token, orders = self.order_through_failures()
        self.go_wrong(token)
        self.look_at_the_admin()
        self.stack.processes.stop(*self.stack.processes.pids())
        self.note_files("at the end")
        self.written["answers"] = "\n".join(self.answers)
        self.assert_everything_was_searched(orders)
        for name, secret in self.secrets_used(token).items():
            found = [place for place, text in self.written.items() if secret in text]
            self.assertEqual(found, [], f"{name} is found in these")

    def order_through_failures(self) -> tuple[str, list[str]]:
        """A new customer's orders, whose results are refused at first; (token, uuids)."""
        account = {"username": "secretive", "email": "secretive@example.com"}
        with Producer(self.stack.at.producer) as producer:
            producer.create_user(**account, password=self.password)
            token = producer.sign_in("secretive", self.password)
            self.stack.processes.stop("consumer-worker")
            with self.stack.to_producer.obeying(lambda call: call.refuse(500)):
                orders = [producer.post_order(ORDER)["uuid"] for _ in range(3)]
                until(lambda: self.stack.messages() >= 3, within=30, what="tasks in the broker")
                self.note_files("while tasks wait")
                self.stack.processes.start("consumer-worker")
                until(lambda: self.stack.to_producer.log, within=60, what="a webhook")
                self.note_files("while results wait")
            for uuid in orders:
                self.answers.append(str(producer.follow(uuid)))
                self.answers.append(str(producer.timeline(uuid)))
        return token, orders

    def go_wrong(self, token: str) -> None:
        """Requests with good secrets, and something else wrong: their answers tell nothing."""
        key = self.stack.secret["consumer_api_key"]
        json = {"Content-Type": "application/json"}
        service = json | {"Authorization": f"Api-Key {key}"}
        customer = json | {"Authorization": f"Token {token}"}
        signed = self.stack.to_producer.log[-1]
        webhook = f"{self.stack.at.producer}{signed.path}"
        users = f"{self.stack.at.producer}/api/v1/users"
        send = f"{self.stack.at.consumer}/api/v1/consumer/send-message/"
        password = f'{{"username": "secretive", "email": "e", "password": "{self.password}'
        for url, headers, body in (
            (webhook, signed.headers, signed.body + b" "),
            (webhook, signed.headers, b"["),
            (webhook, service, signed.body),
            (send, service, b'{"a": 1}'),
            (f"{self.stack.at.producer}/api/v1/data/orders/", customer, b"{}"),
            (f"{users}/token", json, password.encode()),
            (f"{users}/token", json, f'{password}0"}}'.encode()),
            (f"{users}/create", json, f'{password}"}}'.encode()),
        ):
            answer = requests.post(url, data=body, headers=headers, timeout=20)
            self.assertGreaterEqual(answer.status_code, 400, url)
            self.answers.append(answer.text)
        with Consumer(self.stack.at.consumer, f"Api-Key {key}") as consumer:
            self.answers.append(str(consumer.tasks()))

    def look_at_the_admin(self) -> None:
        """Every list of both admins, and the first row of each."""
        for origin in (self.stack.at.producer, self.stack.at.consumer):
            with requests.Session() as browser:
                browser.get(f"{origin}/admin/login/", timeout=20)
                form = {
                    "username": ADMIN,
                    "password": self.admin_password,
                    "csrfmiddlewaretoken": next(
                        cookie.value for cookie in browser.cookies if "csrf" in cookie.name
                    ),
                }
                page = browser.post(f"{origin}/admin/login/?next=/admin/", form, timeout=20)
                lists = set(re.findall(r'href="(/admin/\w+/\w+/)"', page.text))
                self.assertGreater(len(lists), 3, page.text[:500])
                for path in lists:
                    page = browser.get(origin + path, timeout=20)
                    self.answers.append(page.text)
                    for row in re.findall(rf'href="({path}[^"?]+/change/)', page.text)[:1]:
                        self.answers.append(browser.get(origin + row, timeout=20).text)

    def note_files(self, when: str) -> None:
        """Keep what is in the logs, the tables and the broker now."""
        for service in SERVICES:
            path = self.stack.at.databases[service].removeprefix("sqlite:///")
            with closing(sqlite3.connect(path, timeout=20)) as database:
                rows = [line for line in database.iterdump() if f'"{TOKENS}"' not in line]
            self.written[f"{service}'s tables {when}"] = "\n".join(rows)
        folders = [self.stack.logs, *map(brokers.folder_of, self.stack.at.brokers.values())]
        for folder in folders:
            for file in filter(lambda path: path.is_file(), folder.rglob("*")):
                self.written[f"{file} {when}"] = file.read_text(errors="replace")

    def assert_everything_was_searched(self, orders: list[str]) -> None:
        """What is no secret is found where it belongs: the search can find something."""
        for place, sought in (
            ("producer's tables", orders[0].replace("-", "")),
            ("consumer's tables", orders[0].replace("-", "")),
            ("producer-worker.log", "DEBUG"),
            ("consumer-webhooks.log", orders[0]),
            (".msg while tasks wait", "messaging.process_message"),
            ("answers", orders[0]),
        ):
            texts = [text for where, text in self.written.items() if place in where]
            self.assertTrue(any(sought in text for text in texts), f"{sought} in {place}")

    def secrets_used(self, token: str) -> dict[str, str]:
        """Each secret by a name that may be shown: those given, and those made on the way."""
        used = self.stack.secret | {
            "password": self.password,
            "admin's password": self.admin_password,
            "customer's token": token,
        }
        used["webhook_secret"] = used["webhook_secret"].removeprefix("whsec_")
        for number, call in enumerate(self.stack.to_producer.log):
            used[f"order's key {number}"] = call.headers["authorization"].partition(" ")[2]
            for signature in call.headers["webhook-signature"].split():
                used[f"signature {number}"] = signature.removeprefix("v1,")
        for name, secret in used.items():
            if "key" in name and "." in secret:  # what stands before it is shown in the admin
                used[name] = secret.partition(".")[2]
        return used
