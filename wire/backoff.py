"""Waiting between tries: doubling with a cap, and full jitter so that a fleet does not knock in step."""

from __future__ import annotations

from collections.abc import Callable

Random = Callable[[], float]  # uniform in [0, 1); handed in, so that a seed rules it


class Backoff:
    """`next_ms` doubles from `first_ms` up to `cap_ms`, and draws uniformly below that, but never below `floor_ms`."""

    def __init__(self, random: Random, *, first_ms: int, cap_ms: int, floor_ms: int = 100) -> None:
        self._random, self._first_ms, self._cap_ms, self._floor_ms = random, first_ms, cap_ms, floor_ms
        self._tries = 0

    def next_ms(self) -> int:
        ceiling_ms = min(self._cap_ms, self._first_ms << min(self._tries, 20))
        self._tries += 1
        return max(self._floor_ms, int(self._random() * ceiling_ms))

    def reset(self) -> None:
        self._tries = 0
