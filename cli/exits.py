"""How a `tokuten` command ends: the exit codes, and the one exception that carries a reason to the person.

    0    done
    1    the answer is no: nothing found, a coupon that does not count (a traceback also ends with 1: a fault of ours)
    2    wrong use of the command line
    3    the settings are wrong
    4    something that is needed is not there: a package, a file, a part, a port
    5    another process did not answer or ended
    10   `tokuten world`: a promise was broken
    11   `tokuten world`: without faults, things did not come together in bounded time
    12   `tokuten world`: something crashed
    130  interrupted (Ctrl-C)

`docs/exit-codes.md` says the same for people; a test holds the two together.
"""

from __future__ import annotations

from enum import IntEnum


class Exit(IntEnum):
    """The exit codes of all commands."""

    DONE = 0
    NO = 1
    USAGE = 2
    SETTINGS = 3
    MISSING = 4
    UNANSWERED = 5
    UNSAFE = 10
    STUCK = 11
    CRASHED = 12
    INTERRUPTED = 130


class Stop(Exception):
    """A command can't go on. The message is one line for the person who typed it; `code` is the exit code."""

    def __init__(self, message: str, code: Exit = Exit.MISSING) -> None:
        super().__init__(message)
        self.code = code
