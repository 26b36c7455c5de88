"""Booking a batch: in one transaction, exactly once, and then the acknowledgement (promise 2).

`book` commits before it returns; its caller sends the Ack. What it promises:

- What is known already is compared, not trusted: the same number with the same hash is a duplicate and is
  ignored; the same number with another hash is a fork, of which nothing is ignored and nothing is booked
  until the unit has put it under an epoch of its own.
- The cost is that of the batch, however much is known (the chain's hash at one number speaks for all before).
- One fact that can't be understood never holds up the others (`central.deadletters`).
"""

from __future__ import annotations

import logging
from typing import Any, Final, NamedTuple

import msgspec
from nacl.exceptions import BadSignatureError
from nacl.signing import VerifyKey
from sqlalchemy import Connection, insert, select

from central import booking, clocks, deadletters, registry, touch
from central.db import bulk, locks
from central.db.database import Database
from central.db.schema import epochs, facts
from central.registry import Device
from wire import chain
from wire.facts import FACT_BYTES_MAX
from wire.messages import Ack, Batch, PullAck, decode
from wire.topics import PACKET_BYTES_MAX

_FIND_EPOCH: Final = (
    "SELECT id, epoch, upto, upto_hash, opened_by, previous, after, flagged_until FROM epochs "
    "WHERE device_id = ? AND epoch = ?"
)
_MOVE_EPOCH: Final = "UPDATE epochs SET upto = ?, upto_hash = ? WHERE id = ?"
_HASH_AT: Final = "SELECT hash FROM facts WHERE epoch_id = ? AND seq = ?"
NUMBER_MAX: Final = 2**63 - 1
SIGNATURE_BYTES: Final = 64
NONCE_BYTES: Final = 8
_log = logging.getLogger(__name__)


class Origin(NamedTuple):
    """Where a message came from, and when."""

    device: str  # as the topic names it; the broker's ACL vouches for it
    topic: str
    now_ms: int


class _Refused(Exception):
    """The batch is refused whole; the message says why."""


class Ingest:
    """Books what units report. `secret` keys the hashes of the caches (wire.sealing)."""

    def __init__(self, database: Database, incarnation: bytes, secret: bytes) -> None:
        self._database = database
        self._incarnation = incarnation
        self._secret = secret

    def book(self, payload: bytes, origin: Origin) -> Ack:
        """Books a batch (an encoded wire.messages.Batch). Raises StorageError: then nothing was booked.

        (Where the server went away in the middle of the commit, all of it or nothing was; the unit sends it again.)
        """
        try:
            batch = _decode(payload)
        except _Refused as refusal:
            why = str(refusal)
            return self._database.unit(lambda connection: self._bad(connection, origin, payload, why, None))
        touched = touch.of(origin.device, batch.facts) if self._database.on_server else touch.EVERYTHING
        return self._database.unit(
            lambda connection: self._take(connection, origin, payload, batch, touched),
            alone=touched is touch.EVERYTHING,
        )

    def _take(
        self, connection: Connection, origin: Origin, payload: bytes, batch: Batch, touched: touch.Touched
    ) -> Ack:
        locks.hold(connection, touched)
        try:
            device = _authentic(connection, origin.device, batch)
            hashes = _linked(origin.device, batch)
        except _Refused as refusal:
            return self._bad(connection, origin, payload, str(refusal), batch)
        return self._book(connection, origin, device, batch, hashes)

    def tell(self, request: PullAck, origin: Origin) -> Ack:
        """What is committed of an epoch. `upto` above the unit's head tells it that its disk is an old copy."""
        return self._database.unit(lambda connection: self._tell(connection, request, origin))

    def _tell(self, connection: Connection, request: PullAck, origin: Origin) -> Ack:
        locks.hold(connection, [locks.device(origin.device)])
        device = registry.find(connection, origin.device)
        if device is None or not device.active:
            return Ack(self._incarnation, request.epoch, 0, b"", "bad", detail="this unit is not enrolled here")
        row = _find_epoch(connection, device.id, request.epoch)
        upto, upto_hash = (row.upto, row.upto_hash) if row else (0, chain.genesis(device.name, request.epoch))
        if request.before in (b"", self._incarnation):
            registry.told_where_it_ends(connection, device, request.epoch, request.head, upto)
        if request.at is not None:
            clocks.greeted(connection, device, request.at, origin.now_ms)
        nonce = request.nonce[:NONCE_BYTES]
        return Ack(self._incarnation, request.epoch, upto, upto_hash, "ok", now_ms=origin.now_ms, nonce=nonce)

    def _bad(self, connection: Connection, origin: Origin, payload: bytes, why: str, batch: Batch | None) -> Ack:
        _log.warning("a batch of %s was refused: %s", origin.device, why)
        deadletters.refuse(connection, origin.device, origin.topic, why, payload, origin.now_ms)
        first, count = (batch.first, len(batch.facts)) if batch else (0, 0)
        epoch = batch.epoch if batch else b""
        return Ack(self._incarnation, epoch, 0, b"", "bad", first=first, last=first + count - 1, detail=why)

    def _book(self, connection: Connection, origin: Origin, device: Device, batch: Batch, hashes: list[bytes]) -> Ack:
        first, last = batch.first, batch.first + len(hashes) - 1
        epoch = _find_epoch(connection, device.id, batch.epoch)
        genesis = chain.genesis(device.name, batch.epoch)
        upto, upto_hash = (epoch.upto, epoch.upto_hash) if epoch else (0, genesis)

        def answer(status: str, number: int, hash_there: bytes, aside: int = 0) -> Ack:
            return Ack(
                self._incarnation, batch.epoch, number, hash_there, status, first=first, last=last, aside=aside,
                answers=batch.after,
            )  # fmt: skip

        if first > upto + 1:
            return answer("gap", upto, upto_hash)
        if epoch is not None:
            known_before = upto_hash if first == upto + 1 else _hash_at(connection, epoch.id, first - 1, genesis)
            if known_before != batch.before:
                # The histories part somewhere below this batch: have it sent from further back, until they meet.
                lower = (first - 1) // 2
                _log.warning("%s: another history before number %d; looking further back", device.name, first)
                return answer("gap", lower, _hash_at(connection, epoch.id, lower, genesis))
            overlap = min(last, upto)
            if overlap >= first and _hash_at(connection, epoch.id, overlap, genesis) != hashes[overlap - first]:
                common, common_hash = _last_common(connection, epoch.id, batch, hashes)
                _log.warning("%s: its journal forks after number %d", device.name, common)
                return answer("fork", common, common_hash)
            if last <= upto:
                return answer("ok", upto, upto_hash)
        else:
            epoch = _open_epoch(connection, device.id, batch.epoch, genesis, origin.now_ms)
        skip = upto + 1 - first
        aside = booking.book(
            connection,
            booking.Booking(device=device, epoch=epoch, topic=origin.topic, now_ms=origin.now_ms, secret=self._secret),
            upto + 1,
            batch.facts[skip:],
            hashes[skip:],
        )
        bulk.run(connection, _MOVE_EPOCH, (last, hashes[-1], epoch.id))
        registry.booked_up_to(connection, device, batch.epoch, last)
        return answer("ok", last, hashes[-1], aside)


def _decode(payload: bytes) -> Batch:
    if len(payload) > PACKET_BYTES_MAX:
        raise _Refused(f"{len(payload)} bytes; a batch has at most {PACKET_BYTES_MAX}")
    try:
        batch: Batch = decode(payload, Batch)
    except (msgspec.MsgspecError, ValueError) as error:
        raise _Refused(f"not a batch: {error}") from error
    if len(batch.epoch) != chain.EPOCH_BYTES:
        raise _Refused(f"an epoch has {chain.EPOCH_BYTES} bytes, not {len(batch.epoch)}")
    if len(batch.before) != chain.HASH_BYTES or len(batch.after) != chain.HASH_BYTES:
        raise _Refused(f"a hash has {chain.HASH_BYTES} bytes")
    if not batch.facts:
        raise _Refused("a batch without facts")
    if not 1 <= batch.first <= NUMBER_MAX - len(batch.facts):
        raise _Refused(f"facts are numbered from 1, not {batch.first}")
    if any(len(fact) > FACT_BYTES_MAX for fact in batch.facts):
        raise _Refused(f"a fact has at most {FACT_BYTES_MAX} bytes")
    return batch


def _authentic(connection: Connection, name: str, batch: Batch) -> Device:
    device = registry.find(connection, name)
    if device is None:
        raise _Refused("this unit is not enrolled here")
    if not device.active:
        raise _Refused("this unit is blocked")
    last = batch.first + len(batch.facts) - 1
    try:
        if len(batch.signature) != SIGNATURE_BYTES:
            raise BadSignatureError("its length is wrong")
        VerifyKey(device.public).verify(chain.signed_head(name, batch.epoch, last, batch.after), batch.signature)
    except BadSignatureError as error:
        raise _Refused(f"the unit's signature does not fit: {error}") from error
    return device


def _linked(name: str, batch: Batch) -> list[bytes]:
    """The chain's hash after each fact."""
    if batch.first == 1 and batch.before != chain.genesis(name, batch.epoch):
        raise _Refused("the hash before the first fact is not this epoch's beginning")
    hashes = chain.links(batch.before, batch.facts)
    if hashes[-1] != batch.after:
        raise _Refused("the chain's hash after the batch does not fit its facts")
    return hashes


def _find_epoch(connection: Connection, device_id: int, epoch: bytes) -> booking.EpochRow | None:
    row: Any = bulk.run(connection, _FIND_EPOCH, (device_id, epoch)).one_or_none()
    return None if row is None else booking.EpochRow(*row)


def _open_epoch(connection: Connection, device_id: int, epoch: bytes, genesis: bytes, now_ms: int) -> booking.EpochRow:
    follows = connection.execute(select(epochs.c.id).where(epochs.c.device_id == device_id).limit(1)).first()
    opened_by = "unannounced" if follows else ""  # until its first fact says otherwise
    key = connection.execute(
        insert(epochs).values(
            device_id=device_id,
            epoch=epoch,
            upto=0,
            upto_hash=genesis,
            opened_by=opened_by,
            previous=b"",
            after=0,
            flagged_until=0,
            opened_ms=now_ms,
        )
    ).inserted_primary_key
    assert key is not None
    return booking.EpochRow(key[0], epoch, 0, genesis, opened_by, b"", 0, 0)


def _hash_at(connection: Connection, epoch_id: int, number: int, genesis: bytes) -> bytes:
    if number == 0:
        return genesis
    return bytes(bulk.run(connection, _HASH_AT, (epoch_id, number)).scalar_one())


def _last_common(connection: Connection, epoch_id: int, batch: Batch, hashes: list[bytes]) -> tuple[int, bytes]:
    """The last number at which both histories are the same, within a batch that is known to differ."""
    last = batch.first + len(hashes) - 1
    rows = connection.execute(
        select(facts.c.seq, facts.c.hash)
        .where(facts.c.epoch_id == epoch_id, facts.c.seq >= batch.first, facts.c.seq <= last)
        .order_by(facts.c.seq)
    )
    common, common_hash = batch.first - 1, batch.before
    for seq, known in rows:
        if known != hashes[seq - batch.first]:
            break
        common, common_hash = seq, bytes(known)
    return common, common_hash
