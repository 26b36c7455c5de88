"""The messages on the topics of `wire.topics`, and their encoding.

MessagePack; each type is an array, so new fields are appended with a default. What goes down and moves
money or code travels sealed: a signature of the centre over topic and body (`wire.envelope`).
"""

from __future__ import annotations

from typing import Any, Final, TypeVar

import msgspec

from loyalty.campaign import Campaign

T = TypeVar("T")
NO_HASH: Final = b""


class Message(msgspec.Struct, array_like=True, frozen=True):
    """The base of all messages."""


# --- up ------------------------------------------------------------------------------------------------


class Batch(Message, frozen=True):
    """up/ev: facts `first`, `first + 1` ... of one epoch, in order, without gaps.

    `before` and `after` are the chain's hashes around them; `signature` is the device's Ed25519 signature
    over `wire.uplink.signed_head(...)`, which binds device, epoch, last number and `after`.
    """

    epoch: bytes
    first: int
    before: bytes
    after: bytes
    facts: list[bytes]
    signature: bytes = b""


class PullFeed(Message, tag="feed", frozen=True):
    """The cache says what it has; (b'', 0) asks for a snapshot."""

    incarnation: bytes
    number: int


class PullAck(Message, tag="ack", frozen=True):
    """The unit says where its journal ends, at each start and connect; the centre answers with an Ack."""

    epoch: bytes
    head: int
    head_hash: bytes


class Ask(Message, tag="ask", frozen=True):
    """A question: may this coupon count? Answered by a Command of kind Answer within its time."""

    question: bytes  # 16 random bytes
    text: bytes  # the whole text of the code: the centre checks the signature itself
    spend_yen: int
    wait_ms: int  # how long the unit will wait; a later answer is void


Request = PullFeed | PullAck | Ask


class CommandResult(Message, frozen=True):
    """up/res"""

    command: bytes
    ok: bool
    detail: str = ""


class Report(Message, frozen=True):
    """up/rep: reported state."""

    epoch: bytes
    head: int
    acked: int
    feed_incarnation: bytes
    feed_number: int
    campaigns: int
    out_of_service: str = ""  # why, in words; empty: in service
    settings_hash: str = ""


class Heartbeat(Message, frozen=True):
    """up/hb: QoS 0."""

    wall_ms: int
    uptime_ms: int
    waiting: int  # facts not yet booked
    scans: int  # since start, by outcome
    accepted: int
    refused: int
    camera_restarts: int = 0
    dropped: int = 0  # telemetry that was dropped


class LogLine(Message, frozen=True):
    """up/log: QoS 0, capped."""

    wall_ms: int
    level: str
    text: str


class Hint(Message, frozen=True):
    """up/hint: a redemption on its way, so that others refuse early. Proves nothing."""

    epoch: bytes
    number: int
    wall_ms: int
    campaign: int
    serial: int
    holder: int


class Conn(Message, frozen=True):
    """st/conn, retained: birth and will. A death counts only if its session is the newest birth's."""

    up: bool
    session: bytes


class Info(Message, frozen=True):
    """st/info, retained: inventory."""

    version: str
    mode: str
    parts: dict[str, str]
    device_key: bytes  # the device's public key, 32 bytes


# --- down ----------------------------------------------------------------------------------------------


class Ack(Message, frozen=True):
    """dn/ack: what the centre's database has committed of this epoch.

    `status`: 'ok'; 'gap' (facts after `upto` are missing: send from `upto + 1`); 'fork' (another history
    follows after `upto`, the last common number: open a new epoch with what comes after it); 'bad' (the
    batch was refused whole, see `detail`; nothing was booked). `upto_hash` is the chain's hash there, so
    that a unit never takes an acknowledgement of somebody else's facts for its own.
    """

    incarnation: bytes
    epoch: bytes
    upto: int
    upto_hash: bytes
    status: str
    first: int = 0  # `first` of the batch that is answered; 0: answers a PullAck
    last: int = 0  # last number of the batch that is answered
    aside: int = 0  # how many facts of this batch went to the dead letters
    detail: str = ""


class PutCampaign(Message, tag="campaign", frozen=True):
    campaign: Campaign


class PutKey(Message, tag="key", frozen=True):
    """A key that signs coupons. `retired_ms`: texts signed with it no longer count from then on."""

    id: int  # 1..255
    public: bytes  # 32 bytes, Ed25519
    retired_ms: int | None = None


class PutSecret(Message, tag="secret", frozen=True):
    """The key with which this tenant's caches hash serials and holders (`wire.sealing`)."""

    secret: bytes  # 32 bytes


class PutRedemption(Message, tag="redeemed", frozen=True):
    """Somebody, somewhere, redeemed this. Hashes, so that a stolen unit's list can't be spent.

    `serial` is empty for campaigns without serials; `fact` identifies it (device, epoch and number hashed),
    so that the same redemption told twice counts once.
    """

    fact: bytes  # 16 bytes
    campaign: int
    serial: bytes  # 16 bytes or empty
    holder: bytes  # 16 bytes or empty
    at_ms: int
    site: str
    provisional: bool = False  # from a hint, not yet booked


class DropRedemption(Message, tag="unredeemed", frozen=True):
    """A redemption that does not count after all: a hint that never came true, a refund."""

    fact: bytes
    serial: bytes = b""


class PutLane(Message, tag="lane", frozen=True):
    """A unit of the cache's own site and its public key: whom to trust there while the internet is gone.

    Any `state` but 'active' ('blocked', 'gone' to another site) means: trust it no more.
    """

    device: str
    site: str
    public: bytes  # 32 bytes, Ed25519
    state: str


Change = PutCampaign | PutKey | PutSecret | PutRedemption | DropRedemption | PutLane


class Feed(Message, tag="changes", frozen=True):
    """dn/feed, changes: numbers `before + 1` .. `before + len(changes)` of the site's change log."""

    incarnation: bytes
    before: int
    changes: list[Change]


class SnapshotPart(Message, tag="snapshot", frozen=True):
    """dn/feed, snapshot: part `part` of `parts`, the whole state as changes to an empty cache as of `number`.

    `digest` is SHA-256 over the encoded `changes` of all parts, in order; each part carries it.
    """

    snapshot: bytes  # 8 bytes, names this snapshot
    incarnation: bytes
    number: int
    part: int
    parts: int
    changes: bytes  # encoded list[Change]
    digest: bytes


FeedMessage = Feed | SnapshotPart


class Answer(Message, tag="answer", frozen=True):
    """dn/cmd: the centre's answer to an Ask."""

    question: bytes
    granted: bool
    reason: str  # loyalty.reason.Reason
    at_ms: int = 0  # where the reason speaks of an instant
    site: str = ""


class Rescan(Message, tag="resync", frozen=True):
    """dn/cmd: drop the cache's cursor and pull a snapshot."""

    command: bytes
    expires_ms: int


Command = Answer | Rescan


class Desired(Message, frozen=True):
    """dn/des, retained: desired state."""

    version: int
    site: str
    settings: dict[str, Any]


_encoder = msgspec.msgpack.Encoder()
_decoders: dict[Any, msgspec.msgpack.Decoder[Any]] = {}


def encode(message: Any) -> bytes:
    """A message, a change or a list of changes as bytes."""
    return _encoder.encode(message)


def decode(body: bytes, kind: Any) -> Any:
    """`body` as a `kind` (a type of this module or a union of them).

    Raises msgspec.DecodeError (a ValueError) for anything else: the message says what and where.
    """
    decoder = _decoders.get(kind)
    if decoder is None:
        decoder = _decoders[kind] = msgspec.msgpack.Decoder(kind)
    return decoder.decode(body)
