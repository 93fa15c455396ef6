"""Turns into another program, which gets SIGTERM when the process that started it dies in any way.

usage: python leash.py PARENT_PID PROGRAM [ARGUMENT …]. Without it a launcher that is killed would
leave every process behind. It is a program of its own, since code between fork and exec is unsafe
in a parent with threads. Linux counts the thread that started a process as its parent: that thread
has to live on. Elsewhere than on Linux it does nothing.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def main() -> None:
    parent, program = int(sys.argv[1]), sys.argv[2:]
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() == parent:  # else it died before the line above
        os.execv(program[0], program)


main()
