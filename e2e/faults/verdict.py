"""What must hold after every row, looked up in both databases and in the log of the webhooks."""

import json
import os
from collections import Counter, defaultdict
from dataclasses import dataclass, field

from e2e.faults.gateway import Call
from e2e.faults.rows import Row
from e2e.faults.stage import Stage
from e2e.faults.stream import Stream

ACCEPT_SECONDS = 2.0


@dataclass(frozen=True)
class Start:
    """The newest rows before the stream began."""

    order: int
    message: int

    @classmethod
    def of(cls, stage: Stage) -> "Start":
        newest = "SELECT coalesce(max(id), 0) FROM {}"
        return cls(
            stage.producer.value(newest.format("orders_order")),
            stage.consumer.value(newest.format("messaging_message")),
        )


@dataclass
class Verdict:
    """A row's line of the table, and what is wrong, in words."""

    row: Row
    accepted: int = 0
    confirmed: int = 0
    lost: int = 0
    doubled: int = 0
    accept_ms: int = 0
    recover: float = 0.0
    problems: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        return not self.problems

    def check(self, fine: bool, problem: str) -> None:
        if not fine:
            self.problems.append(problem)


def unfinished(stage: Stage, start: Start) -> str:
    """What is not at its end yet, counted; "" when all is quiet."""
    counts = {
        "orders pending": stage.producer.value(
            "SELECT count(*) FROM orders_order WHERE id > %s AND status = 'pending'", start.order
        ),
        "messages not delivered": stage.consumer.value(
            "SELECT count(*) FROM messaging_message "
            "WHERE state NOT IN ('delivered', 'gone', 'dead')"
        ),
        "tasks not ended": stage.consumer.value(
            "SELECT count(*) FROM django_celery_results_taskresult "
            "WHERE status NOT IN ('SUCCESS', 'FAILURE', 'REVOKED')"
        ),
    }
    return ", ".join(f"{count} {what}" for what, count in counts.items() if count)


def judge(row: Row, stage: Stage, stream: Stream, start: Start, ended_at: float) -> Verdict:
    """Compare what was accepted with what became of it. `ended_at`: when the fault ended."""
    verdict = Verdict(row, accepted=len(stream.accepted), accept_ms=round(stream.longest * 1000))
    _judge_orders(verdict, stage, stream, start, ended_at)
    _judge_messages(verdict, stage, start)
    _judge_webhooks(verdict, stage)
    verdict.check(verdict.accepted >= 300, f"only {verdict.accepted} orders were accepted")
    verdict.check(verdict.lost == 0, f"{verdict.lost} lost")
    verdict.check(verdict.doubled == 0, f"{verdict.doubled} doubled")
    verdict.check(
        stream.longest <= ACCEPT_SECONDS,
        f"an accept took {stream.longest:.1f} s, more than 2 s "
        f"(load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors)",
    )
    verdict.check(
        verdict.recover <= row.bound,
        f"confirmed {verdict.recover:.1f} s after the fault, more than {row.bound:g} s",
    )
    return verdict


def _judge_orders(
    verdict: Verdict, stage: Stage, stream: Stream, start: Start, ended_at: float
) -> None:
    database = stage.producer
    orders = {
        _plain(uuid): (status, created, updated)
        for uuid, status, created, updated in database.rows(
            f"SELECT uuid, status, {database.epoch('created_at')}, {database.epoch('updated_at')} "
            "FROM orders_order WHERE id > %s",
            start.order,
        )
    }
    accepted = {_plain(uuid) for uuid in stream.accepted}
    confirmed = {uuid for uuid, (status, *_) in orders.items() if status == "confirmed"}
    cancelled = [uuid for uuid, (status, *_) in orders.items() if status == "cancelled"]
    verdict.confirmed = len(accepted & confirmed)
    verdict.lost = len(accepted - confirmed)
    verdict.check(len(cancelled) == verdict.row.cancelled, f"{len(cancelled)} orders are cancelled")
    untold = len(orders.keys() - accepted - set(cancelled))
    verdict.check(not untold, f"{untold} orders that nobody was told of")
    early = [updated for _, created, updated in orders.values() if created <= ended_at]
    verdict.recover = max(0.0, max(early, default=0.0) - ended_at)
    moves = Counter(_plain(of) for (of,) in database.rows("SELECT of FROM fault_notes"))
    twice = [uuid for uuid in orders if moves[uuid] > 1]
    verdict.doubled += len(twice)
    verdict.check(not twice, f"{len(twice)} orders changed their status twice")
    results = Counter(
        _plain(uuid)
        for (uuid,) in database.rows(
            "SELECT o.uuid FROM orders_taskresult r JOIN orders_order o ON o.id = r.order_id"
        )
    )
    without = sum(not results[uuid] for uuid in orders)
    verdict.check(not without, f"{without} orders have no result")
    more = sum(results[uuid] > 1 for uuid in orders)
    verdict.check(not more or verdict.row.amnesia, f"{more} orders have more than one result")


def _judge_messages(verdict: Verdict, stage: Stage, start: Start) -> None:
    database = stage.consumer
    rows = database.rows(
        "SELECT m.message_id, m.state, m.due_at IS NULL, m.webhook_api_key, t.status, t.result, "
        "m.currency, m.order_key, m.status FROM messaging_message m "
        "LEFT JOIN django_celery_results_taskresult t ON t.id = m.task_id WHERE m.id > %s",
        start.message,
    )
    states = Counter(row[1] for row in rows if row[1] != "delivered")
    verdict.check(not states, f"messages are {dict(states)}")
    verdict.check(all(row[2] for row in rows), "messages that have ended are still due")
    verdict.check(not any(row[3] for row in rows), "keys are kept after the delivery")
    wrong = [row for row in rows if row[4] == "SUCCESS" and row[5] != json.dumps("".join(row[6:]))]
    verdict.check(not wrong, f"{len(wrong)} results are wrong: {wrong[:1]}")
    failed = sum(row[4] != "SUCCESS" for row in rows)
    verdict.check(failed == verdict.row.cancelled, f"{failed} tasks did not succeed")
    alone = database.value(
        "SELECT count(*) FROM django_celery_results_taskresult t "
        "LEFT JOIN messaging_message m ON m.task_id = t.id WHERE m.id IS NULL"
    )
    verdict.check(not alone, f"{alone} results without a message")
    notes = database.rows("SELECT of FROM fault_notes WHERE became IN ('SUCCESS', 'FAILURE')")
    twice = sum(count > 1 for count in Counter(of for (of,) in notes).values())
    verdict.doubled += twice
    verdict.check(not twice, f"{twice} tasks have ended twice")


def _judge_webhooks(verdict: Verdict, stage: Stage) -> None:
    """Every webhook of one order must have said the same."""
    said: dict[str, set[bytes]] = defaultdict(set)
    for call in webhooks(stage):
        said[call.headers["webhook-id"]].add(call.body)
        verdict.check(
            call.headers["webhook-id"] in call.path, f"a webhook of another order: {call.path}"
        )
    two = sum(len(bodies) > 1 for bodies in said.values())
    verdict.check(not two or verdict.row.amnesia, f"{two} orders were told two different results")


def webhooks(stage: Stage) -> list[Call]:
    return [call for call in stage.to_producer.log if call.path.endswith("/status/update")]


def _plain(uuid: object) -> str:
    """PostgreSQL has a type for it, SQLite 32 digits."""
    return str(uuid).replace("-", "")
