"""SIGKILL of each kind of process, at random moments and at the worst ones."""

import contextlib
import os
import signal
import threading
import time
from functools import partial

from e2e.commands import WEB, WORKERS
from e2e.faults import greedy, memory
from e2e.faults.gateway import Call, Gateway
from e2e.faults.rows import ROWS, Row, row
from e2e.faults.stage import Stage
from e2e.waiting import until

TIMES = 4
WORKER_BYTES = 300 * 1000 * 1000  # of a worker's main process and its pool's two


def kill_repeatedly(name: str, stage: Stage) -> None:
    """SIGKILL of a main process, at random moments, four times."""
    for _ in range(TIMES):
        until(lambda: name in stage.processes.pids(), within=30, what=f"{name} runs")
        stage.processes.kill(name)
        stage.some_time(0.5, 4.0)
    stage.ready(name)


def kill_child_repeatedly(name: str, stage: Stage) -> None:
    """SIGKILL of one of the processes that a main process has forked."""
    for _ in range(2 * TIMES):
        stage.kill_child(name)
        stage.some_time(1.0, 7.0)  # a web server replaces one, but ends at the next within 5.5 s
    stage.ready(name)


for each in (*WEB, *WORKERS):
    act = partial(kill_repeatedly, each)
    act.__doc__ = kill_repeatedly.__doc__
    ROWS[f"kill-{each}"] = Row(f"kill-{each}", act)

for each in (*WEB, "consumer-worker"):
    act = partial(kill_child_repeatedly, each)
    act.__doc__ = kill_child_repeatedly.__doc__
    ROWS[f"kill-{each}-child"] = Row(f"kill-{each}-child", act)


class KillAtCall:
    """A gateway's rule: kill whoever sent the request, once before it is passed on, once after."""

    def __init__(self, stage: Stage, name: str, times: int) -> None:
        self.stage, self.name, self.left = stage, name, times
        self.lock = threading.Lock()
        self.not_before = 0.0

    def __call__(self, call: Call) -> None:
        turn = self.turn()
        if turn % 2:
            self.kill()
        reply = call.forward()
        if turn and turn % 2 == 0:
            self.kill()
        call.answer(reply)

    def turn(self) -> int:
        """How many kills are left, at this call; 0 for none."""
        with self.lock:
            if not self.left or time.monotonic() < self.not_before:
                return 0
            self.not_before = time.monotonic() + 3.0  # until it runs again
            self.left -= 1
            return self.left + 1

    def kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            self.stage.processes.kill(self.name)


def kill_at_calls(stage: Stage, gateway: Gateway, name: str) -> None:
    rule = KillAtCall(stage, name, TIMES)
    with gateway.obeying(rule):
        until(lambda: not rule.left, within=90, what=f"{name} was killed at its calls")
    stage.ready(name)


@row("kill-webhooks-between-post-and-record")
def kill_webhooks_between(stage: Stage) -> None:
    """SIGKILL of consumer-webhooks when its POST is seen, or has been answered, unrecorded."""
    kill_at_calls(stage, stage.to_producer, "consumer-webhooks")


@row("kill-dispatch-between-post-and-record")
def kill_dispatch_between(stage: Stage) -> None:
    """SIGKILL of producer-worker when its POST is seen, or has been answered, unrecorded."""
    kill_at_calls(stage, stage.to_consumer, "producer-worker")


@row("kill-receiver-of-webhooks")
def kill_receiver_of_webhooks(stage: Stage) -> None:
    """SIGKILL of producer-web right after it has taken a webhook, before its sender knows."""
    rule = KillAtCall(stage, "producer-web", TIMES)
    with stage.to_producer.obeying(rule):
        until(lambda: not rule.left, within=90, what="producer-web was killed at webhooks")
    stage.ready("producer-web")


@row("kill-receiver-of-messages")
def kill_receiver_of_messages(stage: Stage) -> None:
    """SIGKILL of consumer-web right after it has taken messages, before their sender knows."""
    rule = KillAtCall(stage, "consumer-web", TIMES)
    with stage.to_consumer.obeying(rule):
        until(lambda: not rule.left, within=90, what="consumer-web was killed at messages")
    stage.ready("consumer-web")


HOLD = """
CREATE FUNCTION fault_hold() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    PERFORM pg_advisory_xact_lock_shared(1); RETURN NEW;
END $$;
CREATE TRIGGER fault_hold BEFORE UPDATE ON django_celery_results_taskresult
FOR EACH ROW EXECUTE FUNCTION fault_hold()
"""
RELEASE = "DROP TRIGGER fault_hold ON django_celery_results_taskresult; DROP FUNCTION fault_hold"
HELD = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"


@row("kill-worker-while-storing")
def kill_worker_while_storing(stage: Stage) -> None:
    """SIGKILL of the pool's children, or of the main process, as they store, and just after."""
    stage.sql("consumer", HOLD)
    for main in (False, True, False, True):
        with stage.consumer.connected() as connection, connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(1)")
            until(
                lambda: stage.consumer.value(HELD) > 1, within=30, what="results are being stored"
            )
            if main:
                stage.processes.kill("consumer-worker")
            else:
                stage.kill_child("consumer-worker")
        stage.some_time(0.0, 0.02)  # whoever is left stores now
        stage.kill_child("consumer-worker")
        stage.pause(4)
    stage.ready("consumer-worker")
    stage.sql("consumer", RELEASE)


@row("suspend-worker-child")
def suspend_worker_child(stage: Stage) -> None:
    """SIGSTOP of the pool's children for 15 s in the midst of tasks: a slow worker, then awake."""
    children = stage.children_of("consumer-worker")
    for number in (signal.SIGSTOP, signal.SIGCONT):
        for child in children:
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, number)
        if number == signal.SIGSTOP:
            stage.pause(15)


@row("memory-runs-out-in-worker")
def memory_runs_out(stage: Stage) -> None:
    """A task takes memory without end, four times: the kernel kills a process of the worker's."""
    file = stage.folder / "greedy"
    with stage.changed("consumer-worker", module=greedy.__name__, **{greedy.FILE: str(file)}):
        pids = [stage.processes.pids()["consumer-worker"], *stage.children_of("consumer-worker")]
        with memory.limited(pids, WORKER_BYTES) as kills:
            if kills is None:
                print("    no control group can be made here: it ends by SIGKILL", flush=True)
            for number in range(1, TIMES + 1):
                file.touch()
                until(lambda: not file.exists(), within=30, what="a task takes memory")
                if kills is not None:
                    until(lambda: kills() >= number, within=30, what="the kernel has killed it")  # noqa: B023
                stage.some_time(1.0, 2.5)
            stage.processes.stop("consumer-worker", by=signal.SIGKILL)
