"""`make browser`: what staff see, in a headless Chromium, against a stack of its own.

Not found by `unittest discover`: it needs a browser. SCREENSHOTS=FOLDER keeps a picture of each
page.
"""

import os
import secrets
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar
from unittest import TestCase, main

from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select

from e2e.browser import PHONE, SCREEN, Browser
from e2e.client import Consumer, Json, Producer
from e2e.ending import CannotStart, say
from e2e.environment import ADMIN
from e2e.stack import Stack
from e2e.waiting import TimedOut, until

PASSWORD = secrets.token_urlsafe(12)
LOOKS = {"screen": (SCREEN, False), "dark": (SCREEN, True), "phone": (PHONE, False)}


class BrowserTests(TestCase):
    """They share one stack with a confirmed order and a dead message, and one browser."""

    stack: ClassVar[Stack]
    browser: ClassVar[Browser]
    order: ClassVar[Json]
    dead: ClassVar[Json]

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        ready = cls.stack.ready()
        with Producer(ready["producer"], f"Token {ready['token']}") as producer:
            uuid = producer.post_order()["uuid"]
            cls.order = producer.follow(uuid)
        with Consumer(ready["consumer"], f"Api-Key {ready['api_key']}") as consumer:
            # Its receiver answers 400 to such a body, which ends a delivery.
            message = {
                "webhook_url": f"{ready['producer']}/api/v1/users/create",
                "address": "Ariana Nkhilet",
                "phone_number": "+21658741196",
                "order_key": "DEAD1",
                "status": "pending",
                "currency": "TND",
            }
            task = consumer.call("POST", "consumer/send-message/", json=message)
            cls.dead = until(
                lambda: cls.ended(consumer.task(task["task_id"])), within=30, what="a dead message"
            )

    @staticmethod
    def ended(task: Json) -> Json | None:
        return task if task["delivery"]["state"] == "dead" else None

    def setUp(self) -> None:
        self.browser.chrome.delete_all_cookies()
        self.browser.show()

    def sign_in(self, origin: str, path: str = "/admin/") -> None:
        """Without a mouse."""
        self.browser.open(origin + path)
        self.browser.tab_to("[name=username]")
        self.browser.press(ADMIN, Keys.TAB)
        self.browser.tab_to("[name=password]")
        self.browser.press(PASSWORD, Keys.ENTER)

    def test_the_front_page_says_that_it_is_ready_and_leads_to_the_admin(self) -> None:
        for origin in (self.stack.at.producer, self.stack.at.consumer):
            self.browser.open(origin)
            self.browser.wait_for("Ready.")
            self.browser.tab_to("a[href='/admin/']")
            self.browser.press(Keys.ENTER)
            self.browser.find("[name=password]")

    def test_who_signs_in_sees_the_dashboard_with_its_numbers_and_its_chart(self) -> None:
        self.sign_in(self.stack.at.producer)
        self.browser.wait_for("Orders by status")
        self.assertIn("All is well", self.browser.text())
        drawn = "return Boolean(Chart.getChart(document.querySelector('canvas.chart')))"
        until(lambda: self.browser.run(drawn), within=10, what="the chart")

    def test_an_order_is_found_by_its_uuid_and_its_story_is_drawn(self) -> None:
        self.sign_in(self.stack.at.producer)
        self.browser.find("#dashboard-search")
        self.browser.tab_to("#dashboard-search")
        self.browser.press(self.order["uuid"], Keys.ENTER)
        self.browser.find(".field-order_key a").click()
        steps = self.story()
        for title in ("Order accepted", "Message sent", "Task ended", "Order confirmed"):
            self.assertEqual(len([step for step in steps if title in step]), 1, steps)

    def story(self) -> list[str]:
        """The steps on a row's page."""
        self.browser.find(".story li")
        return self.browser.texts(".story li")

    def test_a_dead_message_is_sent_again_from_the_dashboard(self) -> None:
        self.sign_in(self.stack.at.consumer)
        self.browser.wait_for("Dead messages")
        self.browser.tab_to("button[aria-label='Send again: message DEAD1']")
        self.browser.press(Keys.ENTER)
        self.browser.wait_for("1 message sent again.")
        self.assertIn("Message accepted", self.story()[0])

    def test_a_list_asks_before_what_can_not_be_undone(self) -> None:
        self.sign_in(self.stack.at.producer)
        self.browser.find(".dashboard")
        rows = f"{self.stack.at.producer}/admin/orders/order/?q={self.order['order_key']}"
        self.browser.open(rows)
        self.browser.find(".action-select").click()
        Select(self.browser.find("select[name=action]")).select_by_value("cancel")
        self.browser.find("button[name=index]").click()
        self.browser.wait_for(self.order["order_key"])
        self.look("cancel-asked")
        self.browser.find("input[name=sure] ~ div button[type=submit]").click()
        self.browser.wait_for("1 order left alone: no longer pending.")

    def test_a_dialog_takes_the_focus_and_gives_it_back(self) -> None:
        self.sign_in(self.stack.at.consumer)
        self.browser.find(".dashboard")
        self.browser.open(f"{self.stack.at.consumer}/admin/messaging/message/?q=DEAD1")
        self.browser.find(".field-order_key a").click()
        opener, submit = "a[hx-get*=send_this_again]", "[role=dialog] button[type=submit]"
        self.browser.tab_to(opener)
        self.browser.press(Keys.ENTER)
        self.browser.wait_for_focus(submit)
        self.browser.press(Keys.ESCAPE)
        self.browser.wait_for_focus(opener)
        self.browser.press(Keys.ENTER)
        self.browser.wait_for_focus(submit)
        self.browser.press(Keys.ENTER)
        self.browser.wait_for("1 message sent again.")

    def test_every_page_suits_everybody_on_every_screen_in_light_and_dark(self) -> None:
        for name, (size, dark) in LOOKS.items():
            self.browser.chrome.delete_all_cookies()
            self.browser.show(size, dark=dark)
            for service, origin in (
                ("producer", self.stack.at.producer),
                ("consumer", self.stack.at.consumer),
            ):
                for page, url in self.pages(service, origin):
                    with self.subTest(service=service, page=page, look=name):
                        self.look_at(url, f"{service}-{page}-{name}")

    def pages(self, service: str, origin: str) -> Iterator[tuple[str, str]]:
        """Each page's name and address; signed in where that is wanted."""
        yield "front", origin
        yield "login", f"{origin}/admin/login/?next=/admin/"
        self.sign_in(origin)
        self.browser.find(".dashboard")
        yield "dashboard", f"{origin}/admin/"
        model, term = {
            "producer": ("orders/order", self.order["order_key"]),
            "consumer": ("messaging/message", "DEAD1"),
        }[service]
        rows = f"{origin}/admin/{model}/"
        yield "list", rows
        self.browser.open(f"{rows}?q={term}")
        yield "row", str(self.browser.find(".field-order_key a").get_attribute("href"))

    def test_every_list_and_form_of_the_admins_suits_everybody(self) -> None:
        for origin in (self.stack.at.producer, self.stack.at.consumer):
            self.browser.chrome.delete_all_cookies()
            self.sign_in(origin)
            self.browser.find(".dashboard")
            for rows in self.browser.links("#nav-sidebar-apps a"):
                self.browser.open(rows)
                found = [rows, *self.browser.links("a[href$='/add/']")[:1]]
                found += self.browser.links("#result_list a[href$='/change/']")[:1]
                for url in found:
                    with self.subTest(url):
                        self.look_at(url, url.removeprefix(origin).replace("/", "-"))

    def look_at(self, url: str, name: str) -> None:
        self.browser.complaints()
        self.browser.open(url)
        self.look(name)

    def look(self, name: str) -> None:
        if folder := os.environ.get("SCREENSHOTS"):
            self.browser.screenshot(Path(folder, f"{name}.png"))
        self.assertEqual(self.browser.complaints(), [])
        self.assertEqual(self.browser.strangers(), set())
        self.assertEqual(self.browser.width_missing(), 0)
        barriers = self.browser.barriers()
        self.assertFalse(barriers, "\n" + "\n".join(barriers))


def interrupt(*_: object) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, interrupt)
    try:
        with Browser() as BrowserTests.browser:
            say("Starting both services on free ports …")
            with Stack(admin_password=PASSWORD) as BrowserTests.stack:
                result = main(exit=False, verbosity=2).result
    except KeyboardInterrupt:
        sys.exit(130)
    except (CannotStart, TimedOut) as error:
        sys.exit(str(error))
    sys.exit(not result.wasSuccessful())
