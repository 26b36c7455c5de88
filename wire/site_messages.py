"""What the lanes of one site say to each other over the site's own hub, and the topics they say it on.

Every message is signed by the lane that says it (`wire.site_envelope`); the hub only passes it on. Serials and
holders travel as the keyed hashes of `wire.sealing`, so that who listens on the shop's network can't spend them.
`Here`, `Run` and `Want` belong to `wire.peers`. Other kinds are added beside them: a struct on `SiteMessage` with a
tag of its own, registered where it is heard (`Language.add`); a lane that does not know a kind ignores it.

What a replay of each can do (the envelope already refuses what was said under another hub or said before):
`Here` only raises what is known; `Run` is idempotent by number; `Want` costs one bounded answer. At most once, in
the order of one lane, and no promise of arrival: what matters is asked for again.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import msgspec

from wire.chain import EPOCH_BYTES, HASH_BYTES
from wire.topics import ALL, Address

ROOT: Final = "ts/1"
LANES_MAX: Final = 64  # of one site that hear each other
SPANS_MAX: Final = 8  # retained epochs of one lane that it speaks of: the newest
MARKS_MAX: Final = 2 * SPANS_MAX  # epochs of one lane that another one remembers: those it heard of last
MARKS_SPOKEN_MAX: Final = 4  # of these, what it says of each lane
RUN_SPENT_MAX: Final = 200  # redemptions in one run
RUN_FACTS_MAX: Final = 1_000  # facts that one run may span
MESSAGE_BYTES_MAX: Final = 48 * 1024  # of one body: with the envelope inside the packet of `wire.topics`


class SiteMessage(msgspec.Struct, array_like=True, frozen=True):
    """The base of all messages between lanes. New fields are appended with a default."""


class Span(msgspec.Struct, array_like=True, frozen=True):
    """One epoch of the speaker's journal, as far as it is retained."""

    epoch: bytes
    oldest: int  # the lowest number retained; last + 1: none is
    last: int
    hash: bytes  # of the chain after `last`


class Mark(msgspec.Struct, array_like=True, frozen=True):
    """How far the speaker has seen another lane's journal."""

    device: str
    epoch: bytes
    number: int
    hash: bytes  # of the chain after that number, as its owner told it


class Here(SiteMessage, tag="here", frozen=True):
    """Said at once on connecting and then every second or two: what I have, and what I have seen of the others."""

    spans: list[Span]  # oldest first; the last one is open
    marks: list[Mark]  # of each lane at most `MARKS_SPOKEN_MAX`


class Spent(msgspec.Struct, array_like=True, frozen=True):
    """A redemption of the speaker's; its place in the journal names it (`wire.sealing.fact_id`)."""

    number: int
    campaign: int
    serial: bytes  # 16 bytes, or empty for campaigns without serials
    holder: bytes  # 16 bytes or empty
    at_ms: int


class Run(SiteMessage, tag="run", frozen=True):
    """All that counts among the facts `after + 1` .. `upto` of the speaker's epoch."""

    epoch: bytes
    after: int
    before: bytes  # the chain's hash after `after`; empty: not retained any more
    upto: int
    hash: bytes  # of the chain after `upto`
    spent: list[Spent]
    oldest: int = 1  # what lies before is not retained any more: nobody need wait for it


class Want(SiteMessage, tag="want", frozen=True):
    """To one lane: tell me what follows after this number of your epoch."""

    epoch: bytes
    after: int


class NotOurs(ValueError):
    """A body that is no message of the lanes; the message says why."""


class Language:
    """The kinds of messages that are understood here. Grows by `add`; decoding is bounded."""

    def __init__(self, *kinds: type[SiteMessage]) -> None:
        self._kinds: tuple[type[SiteMessage], ...] = (Here, Run, Want, *kinds)
        self._decoder = self._made()

    def add(self, kind: type[SiteMessage]) -> None:
        """From now on this kind is understood too. Raises TypeError for one whose tag is taken."""
        if kind not in self._kinds:
            before, self._kinds = self._kinds, (*self._kinds, kind)
            try:
                self._decoder = self._made()
            except TypeError:
                self._kinds = before
                raise

    def decode(self, body: bytes) -> SiteMessage:
        """Raises NotOurs."""
        if len(body) > MESSAGE_BYTES_MAX:
            raise NotOurs(f"a message of {len(body)} bytes; at most {MESSAGE_BYTES_MAX} are read")
        try:
            message = self._decoder.decode(body)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise NotOurs(f"not a message of the lanes: {error}") from error
        if (wrong := _wrong(message)) is not None:
            raise NotOurs(wrong)
        return message

    def _made(self) -> msgspec.msgpack.Decoder[SiteMessage]:
        union: Any = self._kinds[0]
        for kind in self._kinds[1:]:
            union = union | kind
        return msgspec.msgpack.Decoder(union)


def encode(message: SiteMessage) -> bytes:
    return msgspec.msgpack.encode(message)


def _wrong(message: SiteMessage) -> str | None:
    """What types can't say about our own kinds: lengths and order."""
    if isinstance(message, Here):
        named = [(span.epoch, span.last) for span in message.spans] + [(m.epoch, m.number) for m in message.marks]
        if not message.spans or len(message.spans) > SPANS_MAX or len(message.marks) > LANES_MAX * MARKS_SPOKEN_MAX:
            return "a Here without epochs, or with too many"
        if any(len(epoch) != EPOCH_BYTES or not _is_number(number) for epoch, number in named):
            return "a Here with an epoch or a number that can't be"
        if any(not 1 <= span.oldest <= span.last + 1 for span in message.spans):
            return "a Here whose epochs end before they begin"
    elif isinstance(message, Run):
        numbers = [spent.number for spent in message.spent]
        if len(message.epoch) != EPOCH_BYTES or len(message.hash) != HASH_BYTES:
            return "a Run with an epoch or a hash that can't be"
        if not (_is_number(message.after) and _is_number(message.upto) and message.after <= message.upto):
            return "a Run that ends before it begins"
        if numbers != sorted(set(numbers)) or any(not message.after < n <= message.upto for n in numbers):
            return "a Run whose redemptions are not in order or lie outside"
        if any(not (_is_number(s.at_ms) and 0 <= s.campaign < 1 << 32) for s in message.spent):
            return "a Run with a campaign or a time that can't be"
    elif isinstance(message, Want) and (len(message.epoch) != EPOCH_BYTES or not _is_number(message.after)):
        return "a Want with an epoch or a number that can't be"
    return None


def _is_number(value: int) -> bool:
    return 0 <= value < 1 << 62


# --- topics ---------------------------------------------------------------------------------------------


class Heard(NamedTuple):
    """A parsed topic."""

    sender: str
    to: str  # a device, or ALL


def topic(tenant: str, site: str, sender: str, to: str = ALL) -> str:
    """Where `sender` speaks to `to`."""
    return f"{ROOT}/{tenant}/{site}/{sender}/{to}"


def subscriptions(where: Address) -> tuple[str, str]:
    """What a lane listens to: what is for all, and what is for it."""
    return topic(where.tenant, where.site, "+"), topic(where.tenant, where.site, "+", where.device)


def parse_topic(where: Address, text: str) -> Heard | None:
    """None for a topic that is not of this site or not for this lane."""
    parts = text.split("/")
    if len(parts) != 6 or parts[:4] != [*ROOT.split("/"), where.tenant, where.site]:
        return None
    if parts[5] not in (ALL, where.device):
        return None
    return Heard(parts[4], parts[5])
