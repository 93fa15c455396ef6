"""`make e2e-compose`: the stack of containers, from outside, through the ports that it publishes.

Not found by `unittest discover`: it needs a Docker engine. COMPOSE names the client to be used.
"""

import signal
import sys
from collections import Counter
from typing import Any, ClassVar
from unittest import TestCase, main

from e2e import compose_load, compose_walkthrough
from e2e.client import ORDER, Consumer, Json
from e2e.compose import ENDING, JOBS, SCALE, SERVICES, Compose, docker, service_of
from e2e.compose_load import Load, customer
from e2e.ending import CannotStart, say
from e2e.waiting import TimedOut

BASE = "python:3.13-slim"
MEGABYTE = 1_000_000
WORKERS = """
    SELECT worker, count(*) FROM django_celery_results_taskresult GROUP BY worker
"""


class ComposeTests(TestCase):
    """Its tests share one stack; each leaves it running and healthy."""

    compose: ClassVar[Compose]
    consumer: ClassVar[Consumer]

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        key = cls.manage("consumer", "create_api_key", "--name", "e2e").strip()
        cls.consumer = cls.enterClassContext(Consumer(cls.compose.consumer, f"Api-Key {key}"))

    @classmethod
    def manage(cls, service: str, *arguments: str) -> str:
        return cls.compose.run("exec", "-T", service, "python", "manage.py", *arguments)

    def test_every_container_is_healthy_and_its_process_is_not_roots(self) -> None:
        self.assertEqual(self.compose.unhealthy(), [])
        running = [c for c in self.compose.containers() if service_of(c) not in JOBS]
        self.assertEqual(len(running), 8 + sum(count - 1 for count in SCALE.values()))
        for container in running:
            self.assertNotIn(self.compose.user(container), ("0", "root"), container["Name"])

    def test_no_container_may_do_more_than_it_needs(self) -> None:
        published: list[tuple[str, str]] = []
        for container in self.compose.containers():
            may, name = container["HostConfig"], container["Name"]
            self.assertEqual(may["CapDrop"], ["ALL"], name)
            self.assertEqual(may["SecurityOpt"], ["no-new-privileges:true"], name)
            if service_of(container).startswith(SERVICES) and "-db" not in name:
                self.assertTrue(may["ReadonlyRootfs"], name)
                self.assertFalse(may["CapAdd"], name)
            published += [
                (port["HostIp"], port["HostPort"])
                for ports in container["NetworkSettings"]["Ports"].values()
                for port in ports or []
            ]
        origins = {f"http://{host}:{port}" for host, port in published}
        self.assertEqual(origins, {self.compose.producer, self.compose.consumer})

    def test_each_image_is_small_and_has_no_compiler(self) -> None:
        base = size(BASE)
        for service in SERVICES:
            self.assertLess(size(f"shop-{service}") - base, 250 * MEGABYTE)
            found = self.compose.run(
                "exec", "-T", service, "sh", "-c", "command -v cc gcc g++ make ld || true"
            )
            self.assertEqual(found, "")

    def test_the_broker_knows_one_user_who_is_not_guest(self) -> None:
        users = self.compose.run("exec", "-T", "rabbitmq", "rabbitmqctl", "--quiet", "list_users")
        self.assertEqual([line.split()[0] for line in users.splitlines()], ["user", "shop"])

    def test_the_admins_static_files_are_served(self) -> None:
        for origin in (self.compose.producer, self.compose.consumer):
            response = self.consumer.session.get(f"{origin}/static/admin/css/base.css", timeout=10)
            self.assertEqual(response.status_code, 200)
            self.assertIn("text/css", response.headers["Content-Type"])

    def test_the_readmes_walk_through_pasted_ends_in_a_confirmed_order(self) -> None:
        code, said = compose_walkthrough.paste(self.compose)
        self.assertEqual(code, 0, said)
        self.assertIn("The order is confirmed.", said)
        self.assertIn('"event": "delivered"', said)
        self.assertIn('"result": "USDABC123pending"', said)

    def test_each_services_own_tests_pass_beside_it_and_touch_nothing_of_it(self) -> None:
        with customer(self.compose.producer) as producer:
            posted = [producer.post_order(ORDER) for _ in range(5)]
            self.assert_each_confirmed_once(producer, posted)
            before = producer.orders(), producer.task_results(), self.consumer.tasks()
            for service in SERVICES:
                self.compose.run("run", "--rm", "-T", service, "sh", "-c", "python manage.py test")
            after = producer.orders(), producer.task_results(), self.consumer.tasks()
        self.assertEqual(after, before)

    def test_the_workers_share_the_load(self) -> None:
        with customer(self.compose.producer) as producer:
            with Load(producer) as load:
                load.wait_for_more(100)
            self.assert_each_confirmed_once(producer, load.orders)
        rows = self.compose.run(
            "exec", "-T", "consumer-db", "psql", "-U", "consumer", "-tA", "-c", WORKERS
        )
        shares = dict(line.rsplit("|", 1) for line in rows.splitlines())
        ids = [c["Config"]["Hostname"] for c in self.compose.containers("consumer-worker")]
        for hostname in ids:
            self.assertGreater(int(shares.get(f"consumer-worker@{hostname}", 0)), 10, shares)

    def test_nothing_is_lost_though_rabbitmq_is_started_again(self) -> None:
        self.assertEqual(self.failures_while_restarted("rabbitmq"), Counter())

    def test_nothing_is_lost_though_the_consumers_database_is_started_again(self) -> None:
        self.assertEqual(self.failures_while_restarted("consumer-db"), Counter())

    def test_nothing_is_lost_though_the_producers_database_is_started_again(self) -> None:
        self.assertLessEqual(set(self.failures_while_restarted("producer-db")), {503})

    def test_nothing_is_lost_though_all_is_stopped_removed_and_made_anew(self) -> None:
        with customer(self.compose.producer) as producer:
            with Load(producer) as load:
                load.wait_for_more(30)
                self.compose.run("stop")
                ended = {c["Name"]: c["State"]["ExitCode"] for c in self.compose.containers()}
                self.compose.run("down")
                self.compose.up()
                load.wait_for_more(30)
            self.assert_each_confirmed_once(producer, load.orders)
        # One that had not ended within its 10 seconds was killed, and says 137.
        self.assertEqual({name: code for name, code in ended.items() if code}, {})

    def failures_while_restarted(self, service: str) -> "Counter[int]":
        """Restart it under a load that loses nothing; the answers to a POST that were not 201."""
        with customer(self.compose.producer) as producer:
            with Load(producer) as load:
                load.wait_for_more(30)
                self.compose.run("restart", service)
                self.compose.wait_until_healthy()
                load.wait_for_more(30)
            self.assert_each_confirmed_once(producer, load.orders)
        return load.failures

    def assert_each_confirmed_once(self, producer: Any, posted: list[Json]) -> None:
        came_to = compose_load.outcomes(producer, self.consumer, posted)
        self.assertEqual(came_to, compose_load.expected(posted))


def size(image: str) -> int:
    """An image's size in bytes, its base included."""
    return int(docker("image", "inspect", "--format", "{{.Size}}", image))


def interrupt(*_: object) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    for number in ENDING:
        signal.signal(number, interrupt)
    try:
        with Compose() as ComposeTests.compose:
            result = main(exit=False, verbosity=2).result
            if not result.wasSuccessful():
                say(ComposeTests.compose.logs())
    except KeyboardInterrupt:
        sys.exit(130)
    except (CannotStart, TimedOut) as error:
        sys.exit(str(error))
    sys.exit(not result.wasSuccessful())
