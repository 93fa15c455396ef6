"""What a run has shown so far: a line a row, a file with the same for programs, a summary."""

import json
import time
from datetime import UTC, datetime
from typing import Any

from e2e.environment import ROOT
from e2e.faults.verdict import Verdict

FILE = ROOT / "var" / "faults.json"
HEAD = f"{'row':<38} {'accepted':>8} {'confirmed':>9} {'lost':>4} {'doubled':>7}"
HEAD += f" {'longest accept ms':>17} {'recovered s':>11} {'took s':>6}  ok"


class Report:
    """Prints each verdict that is added, and writes all of them to var/faults.json."""

    def __init__(self, expected: int) -> None:
        self.expected = expected  # rows
        self.verdicts: list[Verdict] = []
        self._began = time.monotonic()
        self._figures: dict[str, Any] = {
            "started": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
            "rows_chosen": expected,
            "rows": [],
        }

    @property
    def is_good(self) -> bool:
        return len(self.verdicts) == self.expected and all(v.ok for v in self.verdicts)

    def add(self, verdict: Verdict, seconds: float) -> None:
        self.verdicts.append(verdict)
        figures = {
            "row": verdict.row.name,
            "accepted": verdict.accepted,
            "confirmed": verdict.confirmed,
            "lost": verdict.lost,
            "doubled": verdict.doubled,
            "longest_accept_ms": verdict.accept_ms,
            "recovered_s": round(verdict.recover, 1),
            "took_s": round(seconds),
            "ok": verdict.ok,
        }
        print(_line(*figures.values()), flush=True)
        self._figures["rows"].append(figures | {"problems": verdict.problems})
        self._figures["seconds"] = round(time.monotonic() - self._began)
        FILE.parent.mkdir(exist_ok=True)
        FILE.write_text(json.dumps(self._figures, indent=1) + "\n")

    def summary(self) -> str:
        minutes, seconds = divmod(round(time.monotonic() - self._began), 60)
        longest = max(self.verdicts, key=lambda verdict: verdict.accept_ms, default=None)
        accept = f"{longest.accept_ms} ms ({longest.row.name})" if longest else "none"
        failed = [verdict.row.name for verdict in self.verdicts if not verdict.ok]
        return (
            f"\n{len(self.verdicts)} of {self.expected} rows in {minutes} min {seconds} s: "
            f"{sum(v.accepted for v in self.verdicts)} orders accepted, "
            f"{sum(v.lost for v in self.verdicts)} lost, "
            f"{sum(v.doubled for v in self.verdicts)} doubled.\n"
            f"Longest accept: {accept}. Failed: {', '.join(failed) or 'none'}."
        )


def _line(name: Any, *figures: Any) -> str:
    *numbers, ok = figures
    widths = (8, 9, 4, 7, 17, 11, 6)
    shown = " ".join(f"{number:>{width}}" for number, width in zip(numbers, widths, strict=True))
    return f"{name:<38} {shown}  {'ok' if ok else 'FAILED'}"
