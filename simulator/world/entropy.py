"""The operating system's source of randomness, from a seed.

Whatever Python's `secrets`, `os.urandom` and `random.SystemRandom` give comes from here while a world runs, so that
epochs, questions, serials and keys are the same in every run of a seed. Each unit and the centre have a stream of their
own: what one of them does leaves the others' numbers as they were, which keeps shortened runs alike.
"""

from __future__ import annotations

import os
import random
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from random import Random


class Entropy:
    """See the module. One at a time in a process."""

    def __init__(self, seed: str) -> None:
        self._seed = seed
        self._stream = self.stream("world")

    def stream(self, name: str) -> Random:
        """A stream of its own, the same for the same name and seed."""
        return Random(f"{self._seed}/{name}")  # noqa: S311 - it rules a simulation, no secret

    def use(self, stream: Random) -> Random:
        """What is drawn from now on comes from this stream; gives the one before."""
        before, self._stream = self._stream, stream
        return before

    def draw(self, count: int) -> bytes:
        return self._stream.randbytes(count)

    @contextmanager
    def installed(self) -> Iterator[None]:
        """Raises RuntimeError where this Python takes its randomness from elsewhere."""
        before = os.urandom, random._urandom  # type: ignore[attr-defined]
        os.urandom = random._urandom = self.draw  # type: ignore[attr-defined]
        try:
            kept = self.use(Random(1))  # noqa: S311 - a probe
            ours = secrets.token_bytes(8) == Random(1).randbytes(8)  # noqa: S311
            self.use(kept)
            if not ours:
                raise RuntimeError(
                    "this Python's `secrets` can't be given a seed: the world needs CPython 3.11 to 3.14"
                )
            yield
        finally:
            os.urandom, random._urandom = before  # type: ignore[attr-defined]
