"""What happens in a world, line by line, and its hash: the same seed gives the same hash, in any process.

A line has the simulated time in seconds, who, what, and its details. Everything counts in the hash: events, decisions,
messages with their bytes, rows at the end.
"""

from __future__ import annotations

from collections import Counter, deque
from hashlib import blake2b
from typing import IO, Final

KEPT_LINES: Final = 2_000  # the last ones are at hand for whoever reads of a violation


class Trace:
    """See the module. `file`: every line goes there too, as it happens."""

    def __init__(self, file: IO[str] | None = None) -> None:
        self._file = file
        self._hash = blake2b(digest_size=16)
        self.last: deque[str] = deque(maxlen=KEPT_LINES)
        self.events = 0
        self.kinds: Counter[str] = Counter()

    def note(self, at_ms: int, who: str, what: str, details: str = "") -> None:
        self.events += 1
        self.kinds[what] += 1
        line = f"{at_ms / 1000:12.3f}  {who:<10}  {what:<14}  {details}"
        self.last.append(line)
        self._hash.update(line.encode())
        if self._file is not None:
            self._file.write(line + "\n")

    def message(self, at_ms: int, topic: str, payload: bytes, fate: str) -> None:
        """A message on its way; its bytes count in the hash."""
        self.note(at_ms, "network", fate, f"{topic} {len(payload)} B {short(payload)}")

    def rows(self, name: str, content: bytes) -> None:
        """What lies on a disk at the end."""
        self._hash.update(name.encode() + blake2b(content, digest_size=16).digest())

    @property
    def digest(self) -> str:
        return self._hash.hexdigest()


def short(payload: bytes) -> str:
    """A name for these bytes."""
    return blake2b(payload, digest_size=6).hexdigest()
