"""What may go wrong with the sandbox bank's answers, one at a time, for so many calls."""

from __future__ import annotations

import threading
from enum import StrEnum

HOLD_S_MAX = 120.0


class Fault(StrEnum):
    """How the next calls to the bank's API go."""

    NONE = "none"
    HOLD_BEFORE = "hold_before"  # it is received and lies there until `release`, then it is done
    HOLD_AFTER = "hold_after"  # it is done, and the answer waits for `release`
    DROP_BEFORE = "drop_before"  # the connection ends, nothing was done
    DROP_AFTER = "drop_after"  # it is done, and the connection ends without an answer
    DIE_BEFORE = "die_before"  # the process kills itself, nothing was done
    DIE_AFTER = "die_after"  # the process kills itself between its books and the answer
    TWICE = "twice"  # the answer comes twice
    TRICKLE = "trickle"  # the answer comes so slowly that it never ends
    NONSENSE = "nonsense"
    ANOTHERS = "anothers"  # the answer is about another id
    BROKEN = "broken"  # 503, though it was done


class Faults:
    """The fault that is set, and who is held by it. Safe to share between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._fault, self._times = Fault.NONE, 0
        self._gate = threading.Event()
        self.held = 0

    def set(self, fault: Fault, times: int) -> None:
        with self._lock:
            self._fault, self._times = fault, times
            if fault in (Fault.HOLD_BEFORE, Fault.HOLD_AFTER):
                self._gate = threading.Event()

    def take(self) -> Fault:
        """The fault of this call."""
        with self._lock:
            if self._times <= 0:
                return Fault.NONE
            self._times -= 1
            return self._fault

    def hold(self) -> None:
        """Until `release`, at most HOLD_S_MAX."""
        with self._lock:
            gate = self._gate
            self.held += 1
        gate.wait(HOLD_S_MAX)
        with self._lock:
            self.held -= 1

    def release(self) -> None:
        self._gate.set()
