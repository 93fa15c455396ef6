"""Keeps child processes running: starts them, again when one died, and ends every one."""

import signal
import threading
import time
from collections.abc import Callable

from e2e.child import Child, end_group, has_ended, tell

LOOK_EVERY = 0.1  # seconds
PATIENCE = 10.0  # seconds between SIGTERM and SIGKILL: what `docker stop` gives


class Supervisor:
    """Runs children by their names. One that dies is started again once `restarting` is set.

    Its own thread starts them all: a leash is tied to the thread that started it.
    """

    def __init__(self, report: Callable[[str], None]) -> None:
        self.children: dict[str, Child] = {}
        self.restarting = False
        self._report = report
        self._closing = False
        self._changed = threading.Condition()
        # A daemon, so that a launcher that forgets to close can end; its leashes then do the rest.
        self._thread = threading.Thread(target=self._tend_all, name="supervisor", daemon=True)
        self._thread.start()

    def add(self, *children: Child) -> None:
        with self._changed:
            self.children |= {child.name: child for child in children}

    def start(self, *names: str) -> None:
        """Start children, and return when each has a process."""
        children = [self.children[name] for name in names]
        with self._changed:
            for child in children:
                child.wanted, child.code, child.start_at = True, None, 0.0
            self._changed.notify_all()
            self._changed.wait_for(lambda: all(c.process or not c.wanted for c in children))

    def stop(self, *names: str, by: int = signal.SIGTERM, patience: float = PATIENCE) -> list[str]:
        """Send a signal, and SIGKILL after `patience` seconds; they stay down until started again.

        Returns the names of those that SIGKILL had to end.
        """
        with self._changed:
            for name in names:
                self.children[name].wanted = False
            stopping = {name: p for name in names if (p := self.children[name].process)}
            for process in stopping.values():
                tell(process, by)
        deadline = time.monotonic() + patience
        killed = [name for name, process in stopping.items() if not has_ended(process, deadline)]
        for process in stopping.values():
            end_group(process)
        with self._changed:
            for name, process in stopping.items():
                if self.children[name].process is process:
                    self.children[name].process = None
        return killed

    def restart(self, *names: str) -> None:
        self.stop(*names)
        self.start(*names)

    def kill(self, name: str, number: int = signal.SIGKILL) -> None:
        """Send a signal to a child's main process, which is started again if it dies of it.

        Raises ProcessLookupError where it isn't running.
        """
        process = self.children[name].process
        if process is None:
            raise ProcessLookupError(name)
        process.send_signal(number)

    def pids(self) -> dict[str, int]:
        """The main process of each child that runs now."""
        with self._changed:
            return {name: c.process.pid for name, c in self.children.items() if c.process}

    def close(self) -> list[str]:
        """End every child; returns the names of those that SIGKILL had to end."""
        killed = self.stop(*self.children)
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        self._thread.join()
        return killed

    def _tend_all(self) -> None:
        with self._changed:
            while not self._closing:
                for child in self.children.values():
                    self._tend(child)
                self._changed.notify_all()
                self._changed.wait(LOOK_EVERY)

    def _tend(self, child: Child) -> None:
        if child.process is not None and child.process.poll() is not None:
            code = child.process.returncode
            end_group(child.process)
            child.process = None
            if child.wanted:
                self._died(child, code)
        if child.wanted and child.process is None and time.monotonic() >= child.start_at:
            try:
                child.spawn()
            except OSError as error:
                self._report(f"{child.name} can't be started: {error}")
                child.wanted, child.code = False, -1

    def _died(self, child: Child, code: int) -> None:
        if child.once or not self.restarting:
            child.wanted, child.code = False, code
            return
        child.schedule_restart()
        reason = f"exit code {code}" if code >= 0 else signal.Signals(-code).name
        self._report(f"{child.name} ended ({reason}) and is started again; its log: {child.log}")
