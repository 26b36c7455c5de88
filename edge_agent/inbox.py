"""The bounded inbox: everything that happens to a unit goes through here to the one thread that decides.

What a shopper does is never dropped while there is room; what can be pulled again (messages from the broker)
gives way first. What is put `ahead` overtakes the rest: acknowledgements, for which the next batch waits at both ends.
"""

from __future__ import annotations

import itertools
import queue
from typing import Final, Generic, TypeVar

T = TypeVar("T")
CAPACITY: Final = 512
KEPT_FOR_SHOPPERS: Final = 128


class Inbox(Generic[T]):
    """Any thread puts, one thread takes."""

    def __init__(self, capacity: int = CAPACITY) -> None:
        self._queue: queue.PriorityQueue[tuple[bool, int, T]] = queue.PriorityQueue(capacity)
        self._numbers = itertools.count()  # so that what is equally urgent leaves in the order in which it came
        self._capacity = capacity
        self.dropped = 0

    def put(self, item: T, *, ahead: bool = False) -> bool:
        """False if it was dropped because the inbox is full."""
        try:
            self._queue.put_nowait((not ahead, next(self._numbers), item))
        except queue.Full:
            self.dropped += 1
            return False
        return True

    def put_if_room(self, item: T, *, ahead: bool = False) -> bool:
        """As `put`, but leaves the last places to shoppers."""
        if self._queue.qsize() > self._capacity - KEPT_FOR_SHOPPERS:
            self.dropped += 1
            return False
        return self.put(item, ahead=ahead)

    @property
    def waiting(self) -> int:
        """How many items are in it."""
        return self._queue.qsize()

    def take(self, timeout_s: float) -> T | None:
        try:
            return self._queue.get(timeout=max(0.0, timeout_s))[2]
        except queue.Empty:
            return None
