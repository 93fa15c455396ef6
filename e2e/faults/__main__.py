"""Run the rows, one at a time; print a table; exit 0 only if every row is ok.

var/faults.json has each row's figures as soon as it has ended.
"""

import argparse
import shutil
import threading
import time
from fnmatch import fnmatch

from e2e import ending
from e2e.ending import CannotStart, Interrupted, say
from e2e.environment import ROOT
from e2e.faults import (  # noqa: F401  # each module adds its rows
    of_clocks,
    of_embedded,
    of_kills,
    of_networks,
    of_repeats,
    of_servers,
)
from e2e.faults.report import HEAD, Report
from e2e.faults.rows import ROWS, Row
from e2e.faults.stage import Stage
from e2e.faults.stream import Stream
from e2e.faults.verdict import Start, Verdict, judge, unfinished

RATE = 18.0  # orders a second
WARM, COOL = 2.5, 2.5  # seconds of orders before and after the fault
LEAST = 305  # orders
QUIET_SECONDS = 150.0


def faults(ended: threading.Event) -> int:
    chosen = chosen_rows()
    report = Report(len(chosen))
    print(HEAD, flush=True)
    try:
        with Stages(ended) as stages:
            for row in chosen:
                began = time.monotonic()
                say(f"{row.name}: {row.about}")
                verdict = play_guarded(row, stages)
                report.add(verdict, time.monotonic() - began)
                for problem in verdict.problems:
                    say(f"    {problem}")
    except Interrupted:
        say("Interrupted.")
    print(report.summary())
    return 0 if report.is_good else 1


def chosen_rows() -> list[Row]:
    """Those named on the command line, or all; in an order in which few systems are started."""
    parser = argparse.ArgumentParser(prog="python -m e2e.faults")
    parser.add_argument("rows", nargs="*", metavar="ROW", help="a name, or a pattern as in a shell")
    parser.add_argument("--list", action="store_true", help="only say which rows there are")
    given = parser.parse_args()
    rows = [
        row
        for row in ROWS.values()
        if not given.rows or any(fnmatch(row.name, pattern) for pattern in given.rows)
    ]
    if given.list:
        print("\n".join(f"{row.name:<34} {row.about}" for row in rows))
        raise SystemExit(0)
    if not rows:
        raise CannotStart(f"No row is named so. There are: {', '.join(ROWS)}")
    stands = list(dict.fromkeys(row.stand for row in ROWS.values()))
    return sorted(rows, key=lambda row: (stands.index(row.stand), row.fresh))


class Stages:
    """The system in use: kept from row to row, started anew for another kind or after a failure."""

    def __init__(self, ended: threading.Event) -> None:
        self._ended = ended
        self._stage: Stage | None = None

    def __enter__(self) -> "Stages":
        return self

    def __exit__(self, *details: object) -> None:
        self.leave()

    def enter(self, stand: str) -> Stage:
        if self._stage is None or self._stage.stand != stand:
            self.leave()
            stage = Stage(stand, self._ended)
            stage.__enter__()
            self._stage = stage
        return self._stage

    def leave(self, keep_logs: str = "") -> None:
        """End it; `keep_logs`: the row on whose account its logs are kept."""
        if self._stage is None:
            return
        stage, self._stage = self._stage, None
        if keep_logs:
            kept = ROOT / "var" / "faults" / keep_logs
            shutil.rmtree(kept, ignore_errors=True)
            shutil.copytree(stage.stack.logs, kept)
            say(f"    The logs are kept in {kept}")
        stage.__exit__()


def play_guarded(row: Row, stages: Stages) -> Verdict:
    """Play a row; one that breaks is a failed row, and the next one starts from a new system."""
    try:
        verdict = play(row, stages.enter(row.stand))
    except Interrupted:
        raise
    except Exception as error:
        verdict = Verdict(row, problems=[f"{type(error).__name__}: {error}"])
    if not verdict.ok or row.fresh:
        stages.leave(keep_logs="" if verdict.ok else row.name)
    return verdict


def play(row: Row, stage: Stage) -> Verdict:
    start = Start.of(stage)
    for gateway in (stage.to_producer, stage.to_consumer):
        gateway.log.clear()
    stream = Stream(stage.stack.at.producer, stage.stack.secret["user_token"], RATE)
    try:
        stage.pause(WARM)
        row.act(stage)
        ended_at = time.time()
        stage.pause(COOL)
        while stream.begun < LEAST:
            stage.pause(0.2)
    finally:
        refused = stream.end(patience=90)
    left = wait_until_quiet(stage, start)
    verdict = judge(row, stage, stream, start, ended_at)
    verdict.check(not refused, f"{refused} orders were never accepted: {dict(stream.answers)}")
    verdict.check(not left, f"unfinished after {QUIET_SECONDS:g} s: {left}")
    return verdict


def wait_until_quiet(stage: Stage, start: Start) -> str:
    """Wait until nothing is under way; returns what still is when that takes too long."""
    deadline = time.monotonic() + QUIET_SECONDS
    while (left := unfinished(stage, start)) and time.monotonic() < deadline:
        stage.pause(0.25)
    return left


if __name__ == "__main__":
    ending.run(faults)
