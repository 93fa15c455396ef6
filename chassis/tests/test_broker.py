"""The embedded broker, in folders of its own and with real processes."""

import multiprocessing
import os
import signal
import subprocess
import sys
import tempfile
import unittest
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from queue import Empty
from typing import Any

from kombu import Connection, Exchange, Queue
from kombu.exceptions import ChannelError

import chassis.broker  # noqa: F401  # registers the transport

ROOT = Path(__file__).resolve().parent.parent.parent
WRITERS, READERS, EACH = 4, 4, 1500

WORKER = """
import sys
from celery import Celery
from kombu import Exchange, Queue
import chassis.broker

folder, pool = sys.argv[1:]
app = Celery("test", broker=f"embedded://{folder}")
app.conf.update(
    task_queues=[Queue("work", Exchange(""))], task_default_queue="work", task_ignore_result=True,
    worker_enable_remote_control=False, worker_hijack_root_logger=False,
)

@app.task(name="reply")
def reply(*args, **kwargs):
    with app.producer_pool.acquire() as producer:
        producer.publish({"args": args, "kwargs": kwargs}, exchange="", routing_key="replies")

app.worker_main(["worker", "-P", pool, "-c", "2", "-Q", "work", "--without-gossip",
                 "--without-mingle", "--without-heartbeat", "-l", "WARNING"])
"""


def connect(folder: str) -> Connection:
    return Connection(f"embedded://{folder}")


def bound(name: str, channel: Any, **arguments: int) -> Any:
    queue = Queue(name, Exchange(""), queue_arguments=arguments)(channel)
    queue.declare()
    return queue


def write(folder: str, writer: int) -> None:
    with connect(folder) as connection, connection.Producer() as producer:
        for number in range(EACH):
            producer.publish([writer, number], exchange="", routing_key="work")


def read(folder: str) -> list[tuple[int, int]]:
    """Everything this process takes, until the writers are done and the queue is empty."""
    received: list[Any] = []
    with connect(folder) as connection:
        queue = bound("work", connection.default_channel)
        while True:
            done = Path(folder, "done").exists()  # looked at first: nothing is written after it
            message = queue.get(no_ack=True)
            if message is not None:
                received.append(tuple(message.payload))
            elif done:
                return received


class BrokerTestCase(unittest.TestCase):
    def setUp(self) -> None:
        self.folder = self.enterContext(tempfile.TemporaryDirectory())
        self.connection = self.enterContext(connect(self.folder))
        self.channel: Any = self.connection.default_channel
        self.producer: Any = self.connection.Producer()

    def publish(self, body: object, queue: str = "work", **options: Any) -> None:
        self.producer.publish(body, exchange="", routing_key=queue, **options)

    def received(self, name: str = "work") -> list[object]:
        queue = bound(name, self.channel)
        return [message.payload for message in iter(lambda: queue.get(no_ack=True), None)]

    def plant(self, name: str, content: bytes) -> None:
        Path(self.folder, "work.queue", name).write_bytes(content)


class EmbeddedBrokerTests(BrokerTestCase):
    def test_messages_come_in_the_order_they_were_published_in(self):
        for number in range(20):
            self.publish(number)
        self.assertEqual(self.received(), list(range(20)))

    def test_many_writers_and_readers_see_each_message_exactly_once(self):
        spawn = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(WRITERS + READERS, mp_context=spawn) as pool:
            readers = [pool.submit(read, self.folder) for _ in range(READERS)]
            for writer in [pool.submit(write, self.folder, number) for number in range(WRITERS)]:
                writer.result()
            Path(self.folder, "done").touch()
            received = [pair for reader in readers for pair in reader.result()]
        self.assertEqual(sorted(received), [(w, n) for w in range(WRITERS) for n in range(EACH)])

    def test_what_a_killed_publisher_left_is_never_read(self):
        self.publish("before")
        self.plant("00000000000000000001-1-1.part", b'{"body": "hal')
        self.assertEqual(self.received(), ["before"])

    def test_broken_messages_are_dropped_and_logged(self):
        self.publish("good")
        for number, content in enumerate(
            [b"", b"{", b"\xff", b"[]", b'{"properties": {}}', b"[" * 10**5]
        ):
            self.plant(f"{number:020d}-1-1.msg", content)
        with self.assertLogs("chassis.broker", "WARNING") as logs:
            self.assertEqual(self.received(), ["good"])
        self.assertEqual(len(logs.records), 6)
        self.assertEqual(list(Path(self.folder, "work.queue").iterdir()), [])

    def test_a_message_that_another_process_took_is_passed_over(self):
        for number in range(3):
            self.publish(number)
        queue = bound("work", self.channel)
        self.assertEqual(queue.get(no_ack=True).payload, 0)  # this channel has listed all three now
        with connect(self.folder) as other:
            self.assertEqual(bound("work", other.default_channel).get(no_ack=True).payload, 1)
        self.assertEqual(self.received(), [2])

    def test_a_bounded_queue_drops_what_does_not_fit(self):
        bound("ring", self.channel, **{"x-max-length": 2})
        for number in range(5):
            self.publish(number, queue="ring")
        self.assertEqual(self.received("ring"), [0, 1])
        self.publish("again", queue="ring")
        self.assertEqual(self.received("ring"), ["again"])

    def test_an_expired_message_is_not_delivered(self):
        self.publish("late", expiration=0.0)
        self.publish("in time", expiration=60.0)
        self.assertEqual(self.received(), ["in time"])

    def test_queues_are_apart_whatever_their_names(self):
        for name in ("work", "work.queue", "../work", "a/b", "é"):
            self.publish(name, queue=name)
        self.assertTrue(
            all(path.parent == Path(self.folder) for path in Path(self.folder).iterdir())
        )
        for name in ("work", "work.queue", "../work", "a/b", "é"):
            self.assertEqual(self.received(name), [name])

    def test_a_folder_emptied_under_a_running_process_is_made_again(self):
        self.publish("lost")
        with tempfile.TemporaryDirectory() as elsewhere:
            Path(self.folder, "work.queue").rename(Path(elsewhere, "work.queue"))
        with self.assertRaises(Empty):
            self.channel._get("work")
        self.publish("kept")
        self.assertEqual(self.received(), ["kept"])

    def test_a_message_that_cannot_be_stored_is_a_channel_error(self):
        Path(self.folder, "work.queue").write_text("a file where the queue's folder belongs")
        with self.assertRaises(ChannelError):
            self.publish("lost")

    def test_purging_and_counting(self):
        for number in range(3):
            self.publish(number)
        queue = bound("work", self.channel)
        self.assertEqual(queue.queue_declare().message_count, 3)
        self.assertEqual(queue.purge(), 3)
        self.assertEqual(self.received(), [])

    def test_the_folder_is_taken_literally_and_must_be_absolute(self):
        folder = Path(self.folder, "a b%20#c?d")
        with connect(str(folder)) as connection, connection.clone() as clone:
            clone.Producer().publish("kept", exchange="", routing_key="work")
            self.assertTrue((folder / "work.queue").is_dir())
            self.assertEqual(connection.as_uri(), f"embedded://{folder}")
        with self.assertRaises(ValueError):
            connect("var/broker").connect()

    def test_a_message_not_acknowledged_is_there_again_after_closing(self):
        self.publish("again")
        with self.assertLogs("kombu", "INFO"), connect(self.folder) as other:
            self.assertIsNotNone(bound("work", other.default_channel).get())
            self.assertEqual(self.received(), [])
        self.assertEqual(self.received(), ["again"])


class CeleryTests(BrokerTestCase):
    def start_worker(self, pool: str) -> int:
        """A worker's process id."""
        # Of no service: Celery would set Django up for the one whose tests these are.
        environment = {k: v for k, v in os.environ.items() if k != "DJANGO_SETTINGS_MODULE"}
        worker = subprocess.Popen(
            [sys.executable, "-c", WORKER, self.folder, pool],
            cwd=ROOT,
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self.addCleanup(worker.wait, 20)
        self.addCleanup(worker.terminate)
        return worker.pid

    def run_a_task(self) -> None:
        headers = {"task": "reply", "id": "one", "lang": "py"}
        self.publish(
            (["a", 1], {"b": None}, {}), headers=headers, serializer="json", correlation_id="one"
        )
        replies: list[Any] = []
        queue = bound("replies", self.channel)
        consumer = self.connection.Consumer(
            [queue], callbacks=[lambda body, message: replies.append(body)], no_ack=True
        )
        with consumer:
            self.connection.drain_events(timeout=30)
        self.assertEqual(replies, [{"args": ["a", 1], "kwargs": {"b": None}}])

    def run_a_task_in(self, pool: str) -> None:
        self.start_worker(pool)
        self.run_a_task()

    @unittest.skipUnless(sys.platform == "linux", "finds a worker's processes in /proc")
    def test_a_prefork_worker_outlives_its_killed_processes(self):
        worker = self.start_worker("prefork")
        self.run_a_task()
        for child in Path(f"/proc/{worker}/task/{worker}/children").read_text().split():
            os.kill(int(child), signal.SIGKILL)
        self.run_a_task()

    def test_a_task_with_arguments_runs_in_a_prefork_worker(self):
        self.run_a_task_in("prefork")

    def test_a_task_with_arguments_runs_in_a_threads_worker(self):
        self.run_a_task_in("threads")
