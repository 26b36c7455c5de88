"""What was asked of the centre and is not answered yet: each answer and each silence is evidence for `core.reach`.

Hellos are known by their nonce, batches by epoch and number. An answer to a hello also carries the centre's time, which
only the very hello that asked for it can vouch for (`Timekeeper.hear`).
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

AWAITED_MAX: Final = 16  # the oldest give way: they are missed by then


class Awaited:
    """See the module. `limit_ms`: an answer that takes longer counts as none. Times are monotonic."""

    def __init__(self, limit_ms: int) -> None:
        self._limit_ms = limit_ms
        self._asked: OrderedDict[bytes, tuple[int, bool]] = OrderedDict()  # key -> when, told as missed already

    def clear(self) -> None:
        """The connection went: nothing of it will be answered, and that is no news."""
        self._asked.clear()

    def ask(self, key: bytes, now_ms: int) -> None:
        """Something was sent that will be answered. The same key again counts from the first time."""
        if key not in self._asked:
            self._asked[key] = (now_ms, False)
            while len(self._asked) > AWAITED_MAX:
                self._asked.popitem(last=False)

    def answered(self, key: bytes) -> tuple[int, bool] | None:
        """(when it was asked, whether it was told as missed); None: nobody asked, or it was answered before."""
        return self._asked.pop(key, None)

    def missed(self, now_ms: int) -> int:
        """How many answers have become overdue since the last time this was asked."""
        late = [key for key, (asked_ms, told) in self._asked.items() if not told and self._overdue(asked_ms, now_ms)]
        for key in late:
            self._asked[key] = (self._asked[key][0], True)
        return len(late)

    def due_ms(self) -> int | None:
        """When the next answer becomes overdue."""
        times = [asked_ms + self._limit_ms + 1 for asked_ms, told in self._asked.values() if not told]
        return min(times, default=None)

    def _overdue(self, asked_ms: int, now_ms: int) -> bool:
        return now_ms - asked_ms > self._limit_ms
