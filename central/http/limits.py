"""Limits on tries at a password: by name, and in all, so that guessing is slow whoever asks and from wherever.

Kept in memory: a restart forgets, which costs a guesser's victim nothing and an honest person less.
"""

from __future__ import annotations

import threading
from collections import OrderedDict, deque
from typing import Final

TRIES_PER_NAME: Final = 5
TRIES_IN_ALL: Final = 200
WINDOW_MS: Final = 5 * 60_000
NAMES_REMEMBERED: Final = 10_000
CHECKS_AT_ONCE: Final = 2  # argon2 takes 64 MiB and a core for each


class Tries:
    """Counts failed tries in a sliding window. Safe between threads."""

    def __init__(self, per_name: int = TRIES_PER_NAME, in_all: int = TRIES_IN_ALL) -> None:
        self._per_name, self._in_all = per_name, in_all
        self._lock = threading.Lock()
        self._by_name: OrderedDict[str, deque[int]] = OrderedDict()
        self._all: deque[int] = deque(maxlen=in_all)
        self.checking = threading.BoundedSemaphore(CHECKS_AT_ONCE)

    def allowed(self, name: str, now_ms: int) -> bool:
        with self._lock:
            recent = [at for at in self._by_name.get(name, ()) if now_ms - at < WINDOW_MS]
            overall = sum(1 for at in self._all if now_ms - at < WINDOW_MS)
            return len(recent) < self._per_name and overall < self._in_all

    def failed(self, name: str, now_ms: int) -> None:
        with self._lock:
            self._by_name.setdefault(name, deque(maxlen=self._per_name)).append(now_ms)
            self._by_name.move_to_end(name)
            while len(self._by_name) > NAMES_REMEMBERED:
                self._by_name.popitem(last=False)
            self._all.append(now_ms)

    def succeeded(self, name: str) -> None:
        with self._lock:
            self._by_name.pop(name, None)
