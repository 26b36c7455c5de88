"""The downlink, the unit's side: the centre's change log into the cache, without gaps. Sans-I/O.

A cache has a position (incarnation, number). It pulls what comes after it, takes pushes that follow on it,
pulls again where there is a gap, and takes a snapshot where the centre can't give changes. Snapshot parts
are taken in order and put aside by the owner (`StageRows`); the position changes only with the last of
them (`FinishSnapshot`), when the digest over all of them is right.
"""

from __future__ import annotations

from hashlib import sha256
from typing import Final

import msgspec

from wire.backoff import Backoff, Random
from wire.messages import Change, Feed, PullFeed, SnapshotPart, decode

PULL_FIRST_MS: Final = 5_000
PULL_CAP_MS: Final = 60_000
PULL_EVERY_MS: Final = 120_000  # also when nothing seems missing: a lost last push shows only so
PULL_GAP_MS: Final = 1_000  # between pulls that pushes of an unknown database bring about
PARTS_HELD_MAX: Final = 32  # snapshot parts that came before their turn


class Apply(msgspec.Struct, frozen=True):
    """Apply to the cache, with the position, in one transaction."""

    changes: list[Change]
    incarnation: bytes
    number: int


class StartSnapshot(msgspec.Struct, frozen=True):
    """Forget what was put aside before; rows of a new snapshot follow."""


class StageRows(msgspec.Struct, frozen=True):
    """Put these rows aside; they are not in force yet."""

    changes: list[Change]


class FinishSnapshot(msgspec.Struct, frozen=True):
    """What was put aside is the whole state at this position: put it in force, in one transaction."""

    incarnation: bytes
    number: int


class Skip(msgspec.Struct, frozen=True):
    """Nothing to do. `why` goes to the log."""

    why: str


Action = Apply | StartSnapshot | StageRows | FinishSnapshot | Skip


class _Assembly:
    """A snapshot on its way."""

    def __init__(self, first: SnapshotPart) -> None:
        self.snapshot, self.parts, self.want = first.snapshot, first.parts, 1
        self.hash = sha256()
        self.held: dict[int, SnapshotPart] = {}


class Downlink:
    """See the module. `now_ms` is monotonic time throughout."""

    def __init__(self, incarnation: bytes, number: int, random: Random) -> None:
        self.incarnation = incarnation
        self.number = number
        self._backoff = Backoff(random, first_ms=PULL_FIRST_MS, cap_ms=PULL_CAP_MS, floor_ms=1_000)
        self._connected = False
        self._pull_at_ms: int | None = None
        self._pulled_ms = -PULL_GAP_MS
        self._assembly: _Assembly | None = None
        self._retired: list[bytes] = []

    def connected(self, now_ms: int) -> None:
        self._connected = True
        self._backoff.reset()
        self._pull_at_ms = now_ms

    def disconnected(self) -> None:
        self._connected = False
        self._assembly = None

    def restart(self, now_ms: int) -> None:
        """Ask for a snapshot: the centre's database is another one, or the cache is to be made anew."""
        self.incarnation, self.number, self._assembly, self._pull_at_ms = b"", 0, None, now_ms

    @property
    def fresh(self) -> bool:
        """The cache has a position and no pull is overdue."""
        return self._connected and self.incarnation != b"" and self._assembly is None

    def poll(self, now_ms: int) -> PullFeed | None:
        if not self._connected or self._pull_at_ms is None or now_ms < self._pull_at_ms:
            return None
        self._assembly, self._pulled_ms = None, now_ms
        self._pull_at_ms = now_ms + PULL_FIRST_MS + self._backoff.next_ms()
        return PullFeed(self.incarnation, self.number)

    def due_ms(self) -> int | None:
        return self._pull_at_ms if self._connected else None

    def on_message(self, message: Feed | SnapshotPart, now_ms: int) -> list[Action]:
        if isinstance(message, SnapshotPart):
            return self._on_part(message, now_ms)
        if message.incarnation != self.incarnation:
            # A push from a database that we don't know yet, or that is gone: only what we pull decides.
            # A fresh cache, too: the centre was not there when it asked.
            if self._assembly is None and now_ms - self._pulled_ms >= PULL_GAP_MS:
                self._pull_at_ms = now_ms
            return [Skip("changes of another incarnation")]
        upto = message.before + len(message.changes)
        if message.before > self.number:
            self._pull_at_ms = now_ms
            return [Skip(f"a gap: changes after {message.before} came, {self.number} is the last one here")]
        self._backoff.reset()
        self._pull_at_ms = now_ms + PULL_EVERY_MS
        if upto <= self.number:
            return [Skip("nothing new")]
        news = message.changes[self.number - message.before :]
        self.number = upto
        return [Apply(news, self.incarnation, upto)]

    def _on_part(self, part: SnapshotPart, now_ms: int) -> list[Action]:
        if part.incarnation == self.incarnation and part.number <= self.number and self._assembly is None:
            return [Skip("a snapshot no newer than the cache")]
        assembly = self._assembly
        actions: list[Action] = []
        if assembly is None or assembly.snapshot != part.snapshot:
            if part.part != 1:
                return [Skip(f"part {part.part} of a snapshot whose beginning was missed")]
            assembly = self._assembly = _Assembly(part)
            actions.append(StartSnapshot())
        if part.part < assembly.want or len(assembly.held) >= PARTS_HELD_MAX:
            return [*actions, Skip("a snapshot part again, or too far ahead")]
        assembly.held[part.part] = part
        while (ready := assembly.held.pop(assembly.want, None)) is not None:
            assembly.hash.update(ready.changes)
            assembly.want += 1
            actions.append(StageRows(decode(ready.changes, list[Change])))
            self._pull_at_ms = now_ms + PULL_FIRST_MS + self._backoff.next_ms()  # parts are coming: be patient
        if assembly.want > assembly.parts:
            self._assembly = None
            if assembly.hash.digest() != part.digest:
                self._pull_at_ms = now_ms + self._backoff.next_ms()
                return [*actions, StartSnapshot(), Skip("a snapshot whose digest is wrong")]
            self._backoff.reset()
            self.incarnation, self.number = part.incarnation, part.number
            self._pull_at_ms = now_ms + PULL_EVERY_MS
            actions.append(FinishSnapshot(part.incarnation, part.number))
        return actions
