"""Memory that a process shares with those that are forked from it."""

import gc


def share_memory() -> None:
    """Before a fork: from now on the garbage collector leaves alone what is there. It would write
    to each object, and so give each process a copy of its own.
    """
    gc.collect()
    gc.freeze()
