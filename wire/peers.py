"""What the lanes of a site tell each other: each its own redemptions, at once and again when asked. Sans-I/O.

A lane says every second `Here`: how far its journal goes, and how far it has seen the others'. What it redeems it
says at once (`Run`); whoever lacks something asks its owner (`Want`), one question at a time for each lane, until
nothing is missing: so a lane that joins, or was cut off, catches up on all that the others hold, whether or not the
centre has booked it. What counts is kept by the owner of this machine (`Keep`), with the mark, in one transaction.

A lane whose disk was restored tells another history under the same epoch. The mark of what was seen before stays, as
evidence, and the other history is heard beside it, from its beginning, as long as this machine lives.

The others are also a witness: when one of them has seen more of *our* open epoch than we have, or another hash at a
number of it, or an epoch of ours that we know nothing of, this disk is an old image (`DiskIsOld`).

Every message is idempotent: loss, doubling, delay and reordering cost time, never truth.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Final, Protocol

import msgspec

from wire.backoff import Random
from wire.site_messages import (
    LANES_MAX,
    MARKS_MAX,
    MARKS_SPOKEN_MAX,
    SPANS_MAX,
    Here,
    Mark,
    Run,
    SiteMessage,
    Span,
    Want,
)

HERE_EVERY_MS: Final = 1_000
WANT_AGAIN_MS: Final = 2_000  # and up to half as much again
GONE_MS: Final = 5_000  # a lane that was not heard for so long is not here
ANSWER_EVERY_MS: Final = 25  # between two answers: reading the journal keeps no shopper waiting


class Say(msgspec.Struct, frozen=True):
    """To all lanes."""

    message: SiteMessage


class Tell(msgspec.Struct, frozen=True):
    """To one lane."""

    device: str
    message: SiteMessage


class Answer(msgspec.Struct, frozen=True):
    """Read our journal after this number of this epoch and tell it to this lane as one run."""

    device: str
    epoch: bytes
    after: int


class Keep(msgspec.Struct, frozen=True):
    """Write down what this lane told, with its mark where one is to be, in one transaction; then call `kept`."""

    device: str
    run: Run
    mark: bool


class DiskIsOld(msgspec.Struct, frozen=True):
    """This lane has seen more of us than we know: `number` of `epoch`."""

    device: str
    epoch: bytes
    number: int


Action = Say | Tell | Answer | Keep | DiskIsOld


class Journal(Protocol):
    """What the machine asks about our own journal."""

    def spans(self) -> list[Span]:
        """The retained epochs, oldest first; the last one is open."""

    def hash_at(self, epoch: bytes, number: int) -> bytes | None:
        """The chain's hash after `number` of a retained epoch; None when that fact is not retained."""

    def knows(self, epoch: bytes) -> bool:
        """Whether this epoch was ever ours, as far as this disk knows."""


class _Peer:
    """Another lane."""

    def __init__(self) -> None:
        self.heard_ms = 0
        self.spans: list[Span] = []
        self.wanted: tuple[bytes, int] | None = None
        self.again_ms = 0
        self.owed: tuple[bytes, int] | None = None  # what it has asked for last


class Peers:
    """See the module. `marks`: how far each lane was seen, oldest epoch first, as the store has it."""

    def __init__(self, device: str, journal: Journal, marks: Mapping[str, Iterable[Mark]], random: Random) -> None:
        self._device, self._journal, self._random = device, journal, random
        self._peers: dict[str, _Peer] = {}
        self._other: dict[
            str, tuple[bytes, int]
        ] = {}  # an epoch whose history is not the one that was seen, and how far
        self._answer_ms = 0  # when the next answer may be given
        self._lanes: set[str] | None = None  # None: not told yet
        self._connected = False
        self._here_ms: int | None = None
        self.answered = False  # some lane has spoken since the start: a witness was there
        self.use(marks)

    def use(self, marks: Mapping[str, Iterable[Mark]]) -> None:
        """The marks as they are on disk; also after a transaction that failed."""
        self._marks = {device: {mark.epoch: mark for mark in of} for device, of in marks.items()}

    def connected(self, now_ms: int) -> None:
        self._connected, self._here_ms = True, now_ms
        for peer in self._peers.values():
            peer.wanted = peer.owed = None

    def disconnected(self) -> None:
        self._connected = False

    def only(self, lanes: Iterable[str]) -> None:
        """Forget who is no lane of this site any more."""
        keep = self._lanes = set(lanes)
        self._peers = {device: peer for device, peer in self._peers.items() if device in keep}
        self._other = {device: other for device, other in self._other.items() if device in keep}

    def here(self, now_ms: int) -> dict[str, int]:
        """Who was heard lately, and when."""
        return {
            device: peer.heard_ms
            for device, peer in self._peers.items()
            if peer.spans and now_ms - peer.heard_ms < GONE_MS
        }

    # --- what happens ---------------------------------------------------------------------------------

    def appended(self, run: Run) -> list[Action]:
        """Our journal got longer; `run` has what counts of it."""
        return [Say(run)] if self._connected else []

    def on_message(self, sender: str, message: SiteMessage, now_ms: int) -> list[Action]:
        """A message of another lane of this site, whose signature was checked."""
        if sender == self._device or (sender not in self._peers and len(self._peers) >= LANES_MAX):
            return []
        peer = self._peers.setdefault(sender, _Peer())
        peer.heard_ms = now_ms
        handle = _HANDLERS.get(type(message))
        return handle(self, sender, peer, message, now_ms) if handle is not None else []

    def poll(self, now_ms: int) -> list[Action]:
        """What is due by time alone."""
        if not self._connected:
            return []
        actions: list[Action] = []
        if self._here_ms is not None and now_ms >= self._here_ms:
            self._here_ms = now_ms + HERE_EVERY_MS
            actions.append(Say(Here(self._journal.spans()[-SPANS_MAX:], self._all_marks())))
        for device, peer in self._peers.items():
            if peer.wanted is not None and now_ms >= peer.again_ms:
                peer.wanted = None
                actions += self._ask(device, peer, now_ms)
        return actions + self._answer(now_ms)

    def due_ms(self) -> int | None:
        if not self._connected:
            return None
        times = [peer.again_ms for peer in self._peers.values() if peer.wanted is not None]
        if any(peer.owed is not None for peer in self._peers.values()):
            times.append(self._answer_ms)
        return min([*times, self._here_ms or 0])

    def kept(self, device: str, run: Run, now_ms: int) -> list[Action]:
        """What `Keep` asked for is on disk."""
        if self._is_other(device, run.epoch):
            self._other[device] = (run.epoch, max(run.upto, self._other[device][1]))
        else:
            of = self._marks.setdefault(device, {})
            of[run.epoch] = Mark(device, run.epoch, run.upto, run.hash)
            while len(of) > MARKS_MAX:
                del of[next(iter(of))]
        peer = self._peers.get(device)
        if peer is None:
            return []
        if peer.wanted is not None and peer.wanted[0] == run.epoch:
            peer.wanted = None
        return self._ask(device, peer, now_ms)

    # --- messages -------------------------------------------------------------------------------------

    def _on_here(self, sender: str, peer: _Peer, message: SiteMessage, now_ms: int) -> list[Action]:
        assert isinstance(message, Here)
        self.answered = True
        peer.spans = message.spans
        open_one, seen = message.spans[-1], self._mark(sender, message.spans[-1].epoch)
        told = (open_one.last, open_one.hash)
        if seen is not None and seen.number >= open_one.last and (seen.number, seen.hash) != told:
            self._other[sender] = (open_one.epoch, 0)
        return self._witness(sender, message.marks) + self._ask(sender, peer, now_ms)

    def _on_run(self, sender: str, peer: _Peer, message: SiteMessage, now_ms: int) -> list[Action]:
        assert isinstance(message, Run)
        have = self._upto(sender, message.epoch)
        if message.upto <= have:
            if peer.wanted == (message.epoch, have):  # the owner has no more than that: its Here was older
                peer.wanted = None
            return []
        if message.after > have and message.after >= message.oldest:
            return self._ask(sender, peer, now_ms, message.epoch)  # a gap
        seen = self._mark(sender, message.epoch)
        if seen is not None and message.after == seen.number and message.before not in (b"", seen.hash):
            self._other[sender] = (message.epoch, 0)
            return self._ask(sender, peer, now_ms, message.epoch)
        return [Keep(sender, message, mark=not self._is_other(sender, message.epoch))]

    def _on_want(self, sender: str, peer: _Peer, message: SiteMessage, now_ms: int) -> list[Action]:
        assert isinstance(message, Want)
        if any(span.epoch == message.epoch for span in self._journal.spans()):
            peer.owed = (message.epoch, message.after)
        return self._answer(now_ms)

    # --- small steps ----------------------------------------------------------------------------------

    def _answer(self, now_ms: int) -> list[Action]:
        """One answer, if one is owed and it is time: each lane in its turn."""
        if now_ms < self._answer_ms:
            return []
        for device, peer in self._peers.items():
            if peer.owed is not None:
                (epoch, after), peer.owed = peer.owed, None
                self._answer_ms = now_ms + ANSWER_EVERY_MS
                self._peers[device] = self._peers.pop(device)  # last in the next turn
                return [Answer(device, epoch, after)]
        return []

    def _ask(self, device: str, peer: _Peer, now_ms: int, epoch: bytes = b"") -> list[Action]:
        """The next question to this lane, if anything is missing and none is open. `epoch`: it is missing there."""
        if peer.wanted is not None:
            return []
        lacking = epoch or next((s.epoch for s in peer.spans if self._upto(device, s.epoch) < s.last), b"")
        if not lacking:
            return []
        after = self._upto(device, lacking)
        peer.wanted = (lacking, after)
        peer.again_ms = now_ms + WANT_AGAIN_MS + int(self._random() * WANT_AGAIN_MS / 2)
        return [Tell(device, Want(lacking, after))]

    def _mark(self, device: str, epoch: bytes) -> Mark | None:
        """What was seen of this epoch; None while another history of it is being heard."""
        return None if self._is_other(device, epoch) else self._marks.get(device, {}).get(epoch)

    def _upto(self, device: str, epoch: bytes) -> int:
        if self._is_other(device, epoch):
            return self._other[device][1]
        mark = self._mark(device, epoch)
        return mark.number if mark is not None else 0

    def _is_other(self, device: str, epoch: bytes) -> bool:
        return device in self._other and self._other[device][0] == epoch

    def _all_marks(self) -> list[Mark]:
        devices = [device for device in sorted(self._marks) if self._lanes is None or device in self._lanes]
        return [mark for device in devices[:LANES_MAX] for mark in self._spoken(device)]

    def _spoken(self, device: str) -> list[Mark]:
        """What a lane must hear as from a witness: of its open epoch, and of those that it does not speak of itself."""
        of, peer = self._marks[device], self._peers.get(device)
        named = [span.epoch for span in peer.spans] if peer is not None else []
        unnamed = [mark for epoch, mark in of.items() if epoch not in named]
        return unnamed[-(MARKS_SPOKEN_MAX - 1) :] + [of[epoch] for epoch in named[-1:] if epoch in of]

    def _witness(self, sender: str, marks: list[Mark]) -> list[Action]:
        """What this lane has seen of us, against what we know of ourselves."""
        open_one = self._journal.spans()[-1]
        for mark in marks:
            if mark.device != self._device:
                continue
            if mark.epoch != open_one.epoch:
                old = not self._journal.knows(mark.epoch)
            elif mark.number > open_one.last:
                old = True
            else:
                ours = self._journal.hash_at(mark.epoch, mark.number)
                old = ours is not None and ours != mark.hash
            if old:
                return [DiskIsOld(sender, mark.epoch, mark.number)]
        return []


_HANDLERS: Final[dict[type[SiteMessage], Callable[[Peers, str, _Peer, SiteMessage, int], list[Action]]]] = {
    Here: Peers._on_here,
    Run: Peers._on_run,
    Want: Peers._on_want,
}
