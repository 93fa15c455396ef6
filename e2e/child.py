"""One process to run, and what became of it."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

LEASH = Path(__file__).with_name("leash.py")
PAUSE, LONGEST_PAUSE = 0.2, 5.0  # seconds before it is started again: doubled if it died young
YOUNG = 10.0  # seconds


@dataclass
class Child:
    """A process of one name, through all its lives. Its output is appended to `log`."""

    name: str
    command: list[str]  # the program as a full path
    cwd: Path
    env: dict[str, str]
    log: Path
    once: bool = False  # a job that ends by itself
    wanted: bool = field(default=False, init=False)
    process: "subprocess.Popen[bytes] | None" = field(default=None, init=False)
    code: int | None = field(default=None, init=False)  # how it ended, when that is its end
    restarts: int = field(default=0, init=False)
    start_at: float = field(default=0.0, init=False)
    _pause: float = field(default=PAUSE, init=False)
    _started_at: float = field(default=0.0, init=False)
    _log_from: int = field(default=0, init=False)

    def spawn(self) -> None:
        """Start it. Raises OSError."""
        with self.log.open("ab") as output:
            self._log_from = output.tell()
            self.process = subprocess.Popen(
                [sys.executable, "-IS", str(LEASH), str(os.getpid()), *self.command],
                cwd=self.cwd,
                env=self.env,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C reaches the launcher, which ends them in order
            )
        self._started_at = time.monotonic()

    def schedule_restart(self) -> None:
        """It died: have it started again in a moment, a longer one if it keeps dying."""
        self.restarts += 1
        died_young = time.monotonic() - self._started_at < YOUNG
        self._pause = min(self._pause * 2, LONGEST_PAUSE) if died_young else PAUSE
        self.start_at = time.monotonic() + self._pause

    def output(self) -> str:
        """What it wrote since it was last started."""
        if not self.log.exists():
            return ""
        with self.log.open("rb") as file:
            file.seek(self._log_from)
            return file.read().decode(errors="replace")

    def last_words(self, lines: int = 20) -> str:
        return "\n".join(self.output().rstrip().splitlines()[-lines:])


def tell(process: "subprocess.Popen[bytes]", number: int) -> None:
    """Send a signal, also to a process that was frozen; nothing happens where it has ended."""
    process.send_signal(number)
    if number != signal.SIGKILL:
        process.send_signal(signal.SIGCONT)


def has_ended(process: "subprocess.Popen[bytes]", deadline: float) -> bool:
    """Whether it ends before the deadline, by the monotonic clock."""
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(max(0.0, deadline - time.monotonic()))
        return True
    return False


def end_group(process: "subprocess.Popen[bytes]") -> None:
    """Kill whatever is left of the process group that each child leads."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
