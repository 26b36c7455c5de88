"""Questions that wait for others to let go of what is asked for: in memory, bounded, and each only as long as its unit.

A centre that stops forgets them; their units give up by themselves and withdraw them.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from central.decide import Elsewhere
from wire.messages import Ask
from wire.topics import Address

WAITING_MAX: Final = 256


class Open(NamedTuple):
    """One of them. `until_ms`: its unit has given up by then."""

    ask: Ask
    address: Address
    wanted: Elsewhere
    until_ms: int


class Waiting:
    """See the module."""

    def __init__(self) -> None:
        self._open: dict[bytes, Open] = {}

    def put(self, one: Open) -> bool:
        """False: there is no room."""
        if len(self._open) >= WAITING_MAX:
            return False
        self._open[one.ask.question] = one
        return True

    def find(self, question: bytes) -> Open | None:
        return self._open.get(question)

    def close(self, one: Open) -> None:
        self._open.pop(one.ask.question, None)

    def live(self, now_ms: int) -> list[Open]:
        """Those whose unit still waits; the others are forgotten."""
        self._open = {question: one for question, one in self._open.items() if one.until_ms > now_ms}
        return list(self._open.values())
