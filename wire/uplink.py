"""The uplink, the unit's side: from the journal to the centre's database, exactly once. Sans-I/O.

The machine decides what to send and what an acknowledgement means; its owner reads the journal, signs,
publishes, and writes what the machine's actions say. Law: the cursor moves only on an `Ack` whose hash is
our own hash at that number. A PUBACK never reaches this file.

Several epochs can be retained (a fork or a salvage opens a new one); they are sent in order, one batch
outstanding at a time. At each connection, and after each change of the centre's incarnation, the unit first
says where an epoch ends (`Hello`) and learns what the centre has.

Which database lives is known from hellos alone. Acknowledgements come late, also from a database that is gone and that
this unit never heard of; so another incarnation is believed only where it answers a hello that was sent after the
present one was learned. Any other that names it brings a hello about.
"""

from __future__ import annotations

from collections.abc import Callable, Container
from typing import Final, Protocol

import msgspec

from wire.backoff import Backoff, Random
from wire.messages import Ack

RESEND_FIRST_MS: Final = 2_000
RESEND_CAP_MS: Final = 60_000
HELLO_EVERY_MS: Final = 300_000  # also when idle: a centre that was restored must be found out
RETIRED_MAX: Final = 8  # incarnations that are remembered as gone
HELLOS_MAX: Final = 8  # hellos on their way whose answers are still known; older ones give way


class EpochState(msgspec.Struct, kw_only=True):
    """One retained epoch: numbers 1..last, of which 1..acked are booked under `incarnation`."""

    epoch: bytes
    last: int
    acked: int
    incarnation: bytes = b""  # under which `acked` was told; b"": never spoken of


class Hello(msgspec.Struct, frozen=True):
    """Call `asked(nonce)` with a new random nonce, and publish PullAck(epoch, last, hash at last, nonce) on up/req."""

    epoch: bytes
    last: int


class SendBatch(msgspec.Struct, frozen=True):
    """Read facts `first`.. of `epoch`, publish them on up/ev, and call `sent(last)`."""

    epoch: bytes
    first: int


class Advance(msgspec.Struct, frozen=True):
    """Write the cursor of this epoch: 1..upto are booked under `incarnation`."""

    epoch: bytes
    upto: int
    incarnation: bytes


class OpenEpoch(msgspec.Struct, frozen=True):
    """Open a new epoch; facts of `epoch` numbered after `after` follow in it. `reason`: 'fork' or 'restored'."""

    epoch: bytes
    after: int
    reason: str


class NewIncarnation(msgspec.Struct, frozen=True):
    """The centre's database was restored: the cache asks for a snapshot, all epochs are spoken of anew."""

    incarnation: bytes
    gone: bytes


class Refused(msgspec.Struct, frozen=True):
    """The centre booked nothing of a batch and says why; it is sent again, later."""

    detail: str


class Ignored(msgspec.Struct, frozen=True):
    """An acknowledgement that is not about us, or is old. `why` goes to the log."""

    why: str


Action = Advance | OpenEpoch | NewIncarnation | Refused | Ignored


class Journal(Protocol):
    """What the machine asks of the journal."""

    def hash_at(self, epoch: bytes, number: int) -> bytes | None:
        """The chain's hash after `number` (0: the genesis); None when it is no longer retained."""

    def oldest(self, epoch: bytes) -> int:
        """The lowest number that is still retained; last + 1 when none is."""


class Uplink:
    """See the module. `now_ms` is monotonic time throughout."""

    def __init__(
        self, epochs: list[EpochState], incarnation: bytes, retired: list[bytes], journal: Journal, random: Random
    ) -> None:
        self.epochs = epochs  # oldest first; the last one is open
        self.incarnation = incarnation
        self.retired = retired
        self._journal = journal
        self._backoff = Backoff(random, first_ms=RESEND_FIRST_MS, cap_ms=RESEND_CAP_MS, floor_ms=500)
        self._connected = False
        self._hello_for: bytes | None = None  # the epoch whose Hello waits for its answer
        self._greeted: set[bytes] = set()  # epochs spoken of on this connection
        self._nonces: list[bytes] = []  # of the hellos of this connection, since `incarnation` was learned
        self._out: tuple[bytes, int, int] | None = None  # epoch, first, last on its way
        self._again_at_ms: int | None = None  # when what is on its way is sent again
        self._hello_at_ms = 0

    # --- what happened -------------------------------------------------------------------------------

    def connected(self, now_ms: int) -> None:
        self._connected = True
        self._forget_outstanding()
        self._greeted.clear()
        self._nonces.clear()
        self._backoff.reset()

    def disconnected(self) -> None:
        self._connected = False
        self._forget_outstanding()

    def appended(self, last: int) -> None:
        """The open epoch now ends at `last`."""
        self.epochs[-1].last = last

    def reload(self, epochs: list[EpochState]) -> None:
        """A new epoch was opened. Those before it are spoken of again: what is left of them may be booked by now."""
        self.epochs = epochs
        self._greeted.clear()
        self._forget_outstanding()

    def pruned(self, kept: Container[bytes]) -> None:
        """The journal has let go of all epochs but these: of the others, long booked, nothing is said any more."""
        if any(state.epoch not in kept for state in self.epochs):
            self.epochs = [state for state in self.epochs if state.epoch in kept]
            self._forget_outstanding()

    def greet(self) -> None:
        """Say hello again soon: something hints that the centre changed."""
        self._greeted.clear()

    def asked(self, nonce: bytes) -> None:
        """A hello with this nonce goes out, because `poll` wanted it or for another reason."""
        self._nonces = [*self._nonces, nonce][-HELLOS_MAX:]

    def sent(self, last: int) -> None:
        """The batch asked for ended at `last`."""
        assert self._out is not None, "a batch was sent that nobody asked for"
        self._out = (self._out[0], self._out[1], last)

    @property
    def waiting(self) -> int:
        """How many facts are not yet known to be booked."""
        return sum(state.last - state.acked for state in self.epochs)

    def booked_before(self, epoch: bytes) -> bytes | None:
        """For a hello of `epoch`: `PullAck.before`."""
        *older, newest = self.epochs
        if epoch != newest.epoch or any(s.acked < s.last or s.incarnation != self.incarnation for s in older):
            return None
        return self.incarnation if older else b""

    # --- what to do ----------------------------------------------------------------------------------

    def poll(self, now_ms: int) -> Hello | SendBatch | None:
        """The next thing to send, if any. The caller sends it, or says `disconnected`."""
        if not self._connected:
            return None
        if self._again_at_ms is not None:
            if now_ms < self._again_at_ms:
                return None
            self._forget_outstanding()
        if now_ms - self._hello_at_ms >= HELLO_EVERY_MS:
            self._greeted.discard(self.epochs[-1].epoch)
        for state in self.epochs:
            last_one = state is self.epochs[-1]
            unknown = state.incarnation != self.incarnation or not self.incarnation
            if state.epoch not in self._greeted and (last_one or unknown or state.acked < state.last):
                self._hello_for, self._hello_at_ms = state.epoch, now_ms
                self._again_at_ms = now_ms + RESEND_FIRST_MS + self._backoff.next_ms()
                return Hello(state.epoch, state.last)
            if state.acked < state.last:
                first = state.acked + 1
                self._out = (state.epoch, first, state.acked)
                self._again_at_ms = now_ms + RESEND_FIRST_MS + self._backoff.next_ms()
                return SendBatch(state.epoch, first)
        return None

    def due_ms(self) -> int | None:
        """When `poll` will next have something by time alone."""
        if not self._connected:
            return None
        return self._again_at_ms if self._again_at_ms is not None else self._hello_at_ms + HELLO_EVERY_MS

    # --- what an acknowledgement means ----------------------------------------------------------------

    def on_ack(self, ack: Ack) -> list[Action]:
        """The actions that an acknowledgement asks for, to be carried out in order, in one transaction."""
        state = next((s for s in self.epochs if s.epoch == ack.epoch), None)
        if state is None:
            return [Ignored("an acknowledgement of an epoch that is not ours")]
        if ack.incarnation in self.retired:
            return [Ignored("an acknowledgement of a database that is gone")]
        actions: list[Action] = []
        if ack.incarnation != self.incarnation:
            if ack.first or ack.nonce not in self._nonces:
                if self._hello_for is None:  # otherwise the answer to that one will tell
                    self._forget_outstanding()
                    self._greeted.clear()
                return [Ignored("an acknowledgement of another database, by which no hello was answered")]
            if self.incarnation:
                actions.append(NewIncarnation(ack.incarnation, self.incarnation))
                self.retired = [*self.retired, self.incarnation][-RETIRED_MAX:]
                self._greeted.clear()
                self._forget_outstanding()
            self._nonces.clear()
            self.incarnation = ack.incarnation
        handle = _BY_STATUS.get(ack.status)
        if handle is None:
            return [*actions, Ignored(f"an acknowledgement with the unknown status {ack.status[:20]!r}")]
        return actions + handle(self, ack, state)

    def _on_ok(self, ack: Ack, state: EpochState) -> list[Action]:
        answered = self._answered(ack)
        still_open = state is self.epochs[-1]
        ours = self._journal.hash_at(state.epoch, ack.upto) if ack.upto <= state.last else None
        if ours == ack.upto_hash and ours is not None:
            self._greeted.add(state.epoch)
            # Lower than our cursor: an old message, unless it answers our hello or speaks for a restored database.
            if ack.upto >= state.acked or ack.first == 0 or state.incarnation != ack.incarnation:
                return self._move(state, ack.upto, ack.incarnation)
            return [Ignored("an acknowledgement older than the cursor")]
        if answered is not None:
            # The centre compared our batch with what it has and found it the same, and it has more than that.
            actions = self._move(state, answered, ack.incarnation)
            if answered == state.last and still_open:  # this disk is older than what it once reported
                actions.append(OpenEpoch(state.epoch, state.last, "restored"))
            return actions
        if ack.upto > state.last and state.acked == state.last:
            if not still_open:  # we cut this epoch ourselves
                return self._move(state, state.last, ack.incarnation)
            return [OpenEpoch(state.epoch, state.last, "restored")]
        # The histories differ somewhere, or ours is too old to compare. A batch from our cursor on shows where.
        self._greeted.add(state.epoch)
        if state.acked == state.last:
            return self._move(state, self._journal.oldest(state.epoch) - 1, ack.incarnation)
        return [Ignored("the centre's history differs from ours; a batch will show where")]

    def _on_gap(self, ack: Ack, state: EpochState) -> list[Action]:
        self._answered(ack)
        if ack.upto + 1 < self._journal.oldest(state.epoch):
            return [OpenEpoch(state.epoch, self._journal.oldest(state.epoch) - 1, "pruned")]
        if self._journal.hash_at(state.epoch, ack.upto) != ack.upto_hash:
            return self._move(state, self._journal.oldest(state.epoch) - 1, ack.incarnation)
        return self._move(state, ack.upto, ack.incarnation)

    def _on_fork(self, ack: Ack, state: EpochState) -> list[Action]:
        self._answered(ack)
        if self._journal.hash_at(state.epoch, ack.upto) != ack.upto_hash:
            return [Ignored("a fork that does not begin in our history")]
        if ack.upto >= state.last:
            return [Ignored("a fork after which this epoch has nothing: it was cut there before")]
        return [OpenEpoch(state.epoch, ack.upto, "fork")]

    def _on_bad(self, ack: Ack, state: EpochState) -> list[Action]:
        # What is on its way stays so: it is sent again when its time is up, ever more rarely.
        return [Refused(ack.detail)]

    def _answered(self, ack: Ack) -> int | None:
        """The last number of the batch that `ack` answers, when that is what is on its way.

        A late one may answer a batch with the same numbers, of a history that was lost with its disk.
        """
        same_numbers = self._out is not None and self._out == (ack.epoch, ack.first, ack.last)
        if same_numbers and ack.answers == self._journal.hash_at(ack.epoch, ack.last):
            self._forget_outstanding()
            self._backoff.reset()
            return ack.last
        if self._hello_for == ack.epoch and ack.first == 0:
            self._forget_outstanding()
            self._backoff.reset()
        return None

    def _move(self, state: EpochState, upto: int, incarnation: bytes) -> list[Action]:
        state.acked, state.incarnation = upto, incarnation
        return [Advance(state.epoch, upto, incarnation)]

    def _forget_outstanding(self) -> None:
        self._out = self._hello_for = self._again_at_ms = None


_BY_STATUS: Final[dict[str, Callable[[Uplink, Ack, EpochState], list[Action]]]] = {
    "ok": Uplink._on_ok,
    "gap": Uplink._on_gap,
    "fork": Uplink._on_fork,
    "bad": Uplink._on_bad,
}
