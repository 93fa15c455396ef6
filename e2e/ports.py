"""TCP ports: free ones, and whether one is taken."""

import random
import socket

HOST = "127.0.0.1"
# Below those of outgoing connections: a port stays free while its service is down.
RANGE = range(20_000, 32_000)


def is_free(port: int) -> bool:
    with socket.socket() as listener:
        # As servers do: connections that linger after a restart don't count.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((HOST, port))
        except OSError:
            return False
        return True


def free(count: int) -> list[int]:
    """Different ports that nobody listens on now."""
    candidates = iter(random.sample(RANGE, len(RANGE)))
    return [next(port for port in candidates if is_free(port)) for _ in range(count)]
