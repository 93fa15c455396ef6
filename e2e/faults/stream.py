"""A steady stream of orders: each posted until it is answered with 201, as a good client does."""

import secrets
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import requests

from e2e.client import ORDER, Json

CLIENTS = 16  # at once
AGAIN = 0.25  # seconds between a client's tries
TIMEOUT = 20.0


class Stream:
    """Posts `rate` orders a second from the start until `end()`.

    `accepted`: each order's uuid and when it was accepted, by this machine's clock. `longest`: the
    longest that a POST took which was answered with 201; `longest_other`: of any other answer.
    """

    def __init__(self, origin: str, token: str, rate: float) -> None:
        self.url = f"{origin}/api/v1/data/orders/"
        self.headers = {"Authorization": f"Token {token}"}
        self.accepted: dict[str, float] = {}
        self.answers: Counter[str] = Counter()
        self.longest = self.longest_other = 0.0
        self.begun = 0
        self._rate = rate
        self._last = threading.Event()
        self._given_up = threading.Event()
        self._own = threading.local()
        self._lock = threading.Lock()
        self._clients = ThreadPoolExecutor(CLIENTS, thread_name_prefix="client")
        self._clock = threading.Thread(target=self._begin_all, name="stream", daemon=True)
        self._clock.start()

    def end(self, patience: float) -> int:
        """Begin no more orders, wait for those begun; returns how many were never accepted."""
        self._last.set()
        self._clock.join()
        deadline = time.monotonic() + patience
        while len(self.accepted) < self.begun and time.monotonic() < deadline:
            time.sleep(0.1)
        self._given_up.set()
        self._clients.shutdown(cancel_futures=True)
        return self.begun - len(self.accepted)

    def _begin_all(self) -> None:
        start = time.monotonic()
        while not self._last.wait(max(0.0, start + self.begun / self._rate - time.monotonic())):
            self.begun += 1
            self._clients.submit(self._place, secrets.token_hex(16))

    def _place(self, key: str) -> None:
        """Post one order until it is accepted; its key makes it one order however often."""
        while not self._given_up.is_set():
            began = time.monotonic()
            answer, order = self._post(key)
            took = time.monotonic() - began
            with self._lock:
                self.answers[answer] += 1
                if order is not None:
                    self.accepted[order["uuid"]] = time.time()
                    self.longest = max(self.longest, took)
                    return
                self.longest_other = max(self.longest_other, took)
            self._given_up.wait(AGAIN)

    def _post(self, key: str) -> tuple[str, Json | None]:
        if not hasattr(self._own, "session"):
            self._own.session = requests.Session()
            self._own.session.trust_env = False
        headers = self.headers | {"Idempotency-Key": key}
        try:
            response = self._own.session.post(
                self.url, json=ORDER, headers=headers, timeout=TIMEOUT
            )
            return str(
                response.status_code
            ), response.json() if response.status_code == 201 else None
        except (requests.RequestException, ValueError) as error:
            return type(error).__name__, None
