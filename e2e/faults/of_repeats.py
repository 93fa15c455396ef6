"""Requests repeated and reordered, leases overrun, rows deleted, restored, malformed, deadly."""

import contextlib
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path

import psycopg2

from e2e import databases
from e2e.client import ORDER, Producer
from e2e.ending import CannotStart
from e2e.faults import deadly
from e2e.faults.gateway import Call, Gateway, pass_on
from e2e.faults.rows import PRIVATE, row
from e2e.faults.servers import find_program
from e2e.faults.stage import Stage
from e2e.waiting import until

LEASE = 30.0  # seconds, of both services


def twice_in_turn(call: Call) -> None:
    call.forward()
    pass_on(call)


def twice_at_once(call: Call) -> None:
    def again() -> None:
        with contextlib.suppress(OSError):
            call.forward()

    other = threading.Thread(target=again)
    other.start()
    pass_on(call)
    other.join()


class LateAndReversed:
    """Pass each request on, and later the same ones again, the last one first, in groups."""

    GROUP = 12

    def __init__(self) -> None:
        self.kept: list[Call] = []
        self.lock = threading.Lock()
        self.replayed = 0

    def __call__(self, call: Call) -> None:
        pass_on(call)
        group: list[Call] = []
        with self.lock:
            self.kept.append(call)
            if len(self.kept) >= self.GROUP:
                group, self.kept = self.kept, []
        for past in reversed(group):
            with contextlib.suppress(OSError):
                past.forward()
                self.replayed += 1


class HeldAndReversed:
    """Hold requests until some have gathered or a moment has passed; the last one goes first."""

    GROUP, SECONDS = 6, 0.4

    def __init__(self) -> None:
        self.turn = threading.Condition()
        self.held = 0

    def __call__(self, call: Call) -> None:
        with self.turn:
            self.held += 1
            mine = self.held
            self.turn.notify_all()
            self.turn.wait_for(lambda: self.held >= self.GROUP, self.SECONDS)
            self.turn.wait_for(lambda: self.held <= mine, self.SECONDS)
        pass_on(call)
        with self.turn:
            self.held = min(self.held, mine - 1)
            self.turn.notify_all()


def both_ways(stage: Stage, make: Callable[[], Callable[[Call], None]]) -> None:
    with stage.to_producer.obeying(make()), stage.to_consumer.obeying(make()):
        stage.pause(14)


@row("requests-twice")
def requests_twice(stage: Stage) -> None:
    """Every request between the services arrives twice, one after the other."""
    both_ways(stage, lambda: twice_in_turn)


@row("requests-twice-at-once")
def requests_twice_at_once(stage: Stage) -> None:
    """Every request between the services arrives twice in the same moment."""
    both_ways(stage, lambda: twice_at_once)


@row("requests-late-and-reversed")
def requests_late_and_reversed(stage: Stage) -> None:
    """Every request between the services comes again later, the last one first."""
    both_ways(stage, LateAndReversed)


@row("requests-reversed")
def requests_reversed(stage: Stage) -> None:
    """Requests between the services are held back and arrive in reversed order."""
    both_ways(stage, HeldAndReversed)


def suspend(stage: Stage, name: str, gateway: Gateway) -> None:
    """SIGSTOP while a POST of its is open, a second worker beside it, SIGCONT past the lease."""
    stopped = threading.Event()

    def stop(call: Call) -> None:
        reply = call.forward()
        if not stopped.is_set():
            stopped.set()
            stage.processes.kill(name, signal.SIGSTOP)
        call.answer(reply)

    with stage.another(name):
        # The one that is hit is whichever rang first: `name` is the one that is stopped.
        with gateway.obeying(stop):
            until(stopped.is_set, within=30, what=f"{name} is suspended")
        try:
            stage.pause(LEASE + 5)
        finally:
            stage.processes.kill(name, signal.SIGCONT)
        stage.pause(3)


@row("webhooks-suspended-past-lease")
def webhooks_suspended(stage: Stage) -> None:
    """consumer-webhooks suspended for 35 s beside another, and woken: two with one lease."""
    suspend(stage, "consumer-webhooks", stage.to_producer)


@row("dispatch-suspended-past-lease")
def dispatch_suspended(stage: Stage) -> None:
    """producer-worker suspended for 35 s beside another, and woken: two with one lease."""
    suspend(stage, "producer-worker", stage.to_consumer)


@row("worker-suspended-35s")
def worker_suspended(stage: Stage) -> None:
    """Main process and pool of consumer-worker suspended for 35 s, and woken; nobody beside it."""
    pids = [stage.processes.pids()["consumer-worker"], *stage.children_of("consumer-worker")]
    for number in (signal.SIGSTOP, signal.SIGCONT):
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
        if number == signal.SIGSTOP:
            stage.pause(LEASE + 5)


@row("tasks-deleted", amnesia=True)
def tasks_deleted(stage: Stage) -> None:
    """Tasks and messages deleted by hand while their orders wait: the producer asks again."""
    deleted = 0
    with stage.to_producer.obeying(lambda call: call.refuse(500)):
        stage.pause(3)
        rows = stage.consumer.rows(
            "SELECT id, task_id FROM messaging_message WHERE state <> 'delivered' "
            "ORDER BY id DESC LIMIT 40"
        )
        for message, task in rows:
            # In one statement; it loses where a worker holds the rows the other way round.
            with contextlib.suppress(psycopg2.errors.DeadlockDetected):
                stage.consumer.rows(
                    "WITH task AS (DELETE FROM django_celery_results_taskresult WHERE id = %s) "
                    "DELETE FROM messaging_message WHERE id = %s",
                    task,
                    message,
                )
                deleted += 1
    assert deleted, "nothing was deleted"


@row("consumer-restored-from-backup", stand=PRIVATE, amnesia=True)
def consumer_restored(stage: Stage) -> None:
    """The consumer's database is lost, and restored from a backup taken 8 s before."""
    server, url = stage.servers["consumer"], stage.consumer.url
    backup = stage.folder / "backup.dump"
    run(find_program("pg_dump"), "-Fc", "-f", str(backup), url)
    stage.pause(8)
    own = ("consumer-web", "consumer-worker", "consumer-webhooks")
    stage.processes.stop(*own, by=signal.SIGKILL)
    databases.drop(url)
    databases.create(url)
    run(find_program("pg_restore"), "-d", url, str(backup))
    assert server.answers()
    stage.processes.start(*own)
    stage.ready(*own)


def run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert not done.returncode, f"{command}: {done.stderr}"


@row("malformed-row-in-a-batch")
def malformed_row(stage: Stage) -> None:
    """One order's message is malformed within full batches; later mended, and sent again."""
    stage.to_consumer.close()
    stage.pause(6)  # more than a batch waits
    broken = stage.sql(
        "producer",
        "UPDATE orders_order SET message = message - 'address' WHERE id = (SELECT max(id) - 20 "
        "FROM orders_order WHERE status = 'pending') RETURNING id, uuid",
    )
    [(pk, uuid)] = broken
    stage.to_consumer.open()
    until(
        lambda: stage.producer.value("SELECT due_at IS NULL FROM orders_order WHERE id = %s", pk),
        within=45,
        what="the malformed row is refused",
    )
    newest = stage.producer.value("SELECT max(id) FROM orders_order")
    until(
        lambda: (
            stage.producer.value(
                "SELECT count(*) FROM orders_order WHERE id <= %s AND status = 'pending'", newest
            )
            == 1
        ),
        within=45,
        what="all others are confirmed, it alone waits",
    )
    reason = stage.producer.value("SELECT last_error FROM orders_order WHERE id = %s", pk)
    assert "address" in reason, reason
    stage.sql(
        "producer",
        'UPDATE orders_order SET message = message || \'{"address": "mended"}\' WHERE id = %s',
        pk,
    )
    stage.manage("producer", "redeliver", str(uuid))


@row("deadly-message", cancelled=1)
def deadly_message(stage: Stage) -> None:
    """A message kills its worker every time: it alone ends as FAILURE, its order cancelled."""
    with stage.changed("consumer-worker", module=deadly.__name__):
        token = f"Token {stage.stack.secret['user_token']}"
        with Producer(stage.stack.at.producer, token) as producer:
            posted = producer.post_order(ORDER | {"currency": deadly.CURRENCY})
        deadline = time.monotonic() + 120
        while producer.order(posted["uuid"])["status"] == "pending":
            assert time.monotonic() < deadline, "it has not ended"
            # It would be published again after 10, 20, 40 and then every 60 s.
            stage.sql(
                "consumer",
                "UPDATE messaging_message SET due_at = now() WHERE currency = %s "
                "AND state = 'processing' AND due_at > now() + interval '2 seconds'",
                deadly.CURRENCY,
            )
            stage.pause(2)


@row("disk-full-10s", stand=PRIVATE, fresh=True)
def disk_full(stage: Stage) -> None:
    """The disk of both services' tables is full for 10 s, and has room again."""
    disks = [small_disk(stage, service) for service in stage.servers]
    for disk in disks:
        fill(disk / "ballast")
    stage.pause(10)
    for disk in disks:
        (disk / "ballast").unlink()


TABLES = {
    "producer": ("orders_order", "orders_orderitem", "orders_orderapikey"),
    "consumer": ("messaging_message", "django_celery_results_taskresult"),
}


def small_disk(stage: Stage, service: str) -> Path:
    """Move a service's tables and their indexes to a file system of 24 MB."""
    disk = stage.folder / f"disk-{service}"
    disk.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=24m,mode=755", "tmpfs", str(disk)],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise CannotStart(f"this row needs to mount a small file system: {done.stderr}")
    stage.mounted(disk)
    space = disk / "space"
    space.mkdir()
    stage.servers[service].own(space)
    database = stage.producer if service == "producer" else stage.consumer
    with contextlib.closing(databases.connect(database.url)) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute("CREATE TABLESPACE small LOCATION %s", [str(space)])
            for table in TABLES[service]:
                cursor.execute(f"ALTER TABLE {table} SET TABLESPACE small")
                cursor.execute(
                    "SELECT indexrelid::regclass::text FROM pg_index WHERE indrelid = %s::regclass",
                    [table],
                )
                for (index,) in cursor.fetchall():
                    cursor.execute(f"ALTER INDEX {index} SET TABLESPACE small")
    return disk


def fill(ballast: Path) -> None:
    with contextlib.suppress(OSError), ballast.open("wb", buffering=0) as file:
        while True:
            file.write(b"x" * 4096)
