"""The whole state of a site as messages: for a cache that is new, too far behind, or of another incarnation.

`write` takes one unchanging view of the database and spools the parts to a file, so that neither a transaction
nor much memory is held while they are sent; `parts` then reads them back one by one. The order is fixed (secret,
keys, stop lists, cards, members, lanes, points, campaigns, redemptions by serial and stamp), so the same state gives
the same digest.
"""

from __future__ import annotations

import secrets
import struct
from collections.abc import Iterator, Sequence
from hashlib import sha256
from typing import IO, Final

import msgspec
from sqlalchemy import Connection, select

from central import homes, registry
from central.coupons import cards, issue, keyring, stoplist
from central.db.schema import (
    NO_USES,
    RedemptionState,
    devices,
    epochs,
    feeds,
    hints,
    read_serial,
    redemptions,
    sites,
)
from central.ledger import programmes
from central.members import membership
from loyalty.campaign import DAY_MS, Campaign, Policy
from wire import sealing
from wire.messages import (
    Change,
    DropRedemption,
    PutCampaign,
    PutCardKey,
    PutRedemption,
    PutSecret,
    SnapshotPart,
    encode,
)

PART_BYTES_MAX: Final = 60 * 1024
GIVEN_BACK_MAX: Final = 1_000  # of one campaign, the newest: an older one has been told to every cache that lives
ROWS_AT_ONCE: Final = 1_000
ENDED_KEPT_MS: Final = 30 * DAY_MS  # a campaign that ended so long ago is no cache's business any more
_LENGTH: Final = struct.Struct(">I")


class Spooled(msgspec.Struct, frozen=True, kw_only=True):
    """What every part of one snapshot says."""

    snapshot: bytes
    incarnation: bytes
    number: int
    parts: int
    digest: bytes


def write(
    connection: Connection,
    site: str,
    incarnation: bytes,
    secret: bytes,
    now_ms: int,
    spool: IO[bytes],
    card_keys: Sequence[tuple[int, bytes]] = (),
) -> Spooled:
    """Writes the state of `site` to `spool`, as of the number it gives. Raises LookupError for an unknown site.

    `card_keys`: number and secret of each key that authenticates member cards.
    """
    head = connection.execute(
        select(feeds.c.head).join_from(feeds, sites).where(sites.c.name == site)
    ).scalar_one_or_none()
    if head is None:
        raise LookupError(f"there is no site {site}")
    digest, count = sha256(), 0
    for body in _bodies(changes(connection, site, secret, now_ms, card_keys)):
        spool.write(_LENGTH.pack(len(body)))
        spool.write(body)
        digest.update(body)
        count += 1
    spool.flush()
    return Spooled(
        snapshot=secrets.token_bytes(8), incarnation=incarnation, number=head, parts=count, digest=digest.digest()
    )


def parts(spooled: Spooled, spool: IO[bytes]) -> Iterator[SnapshotPart]:
    """The messages of a snapshot that was written to `spool`, in order."""
    spool.seek(0)
    for number in range(1, spooled.parts + 1):
        (length,) = _LENGTH.unpack(spool.read(_LENGTH.size))
        yield SnapshotPart(
            spooled.snapshot,
            spooled.incarnation,
            spooled.number,
            number,
            spooled.parts,
            spool.read(length),
            spooled.digest,
        )


def _bodies(every: Iterator[Change]) -> Iterator[bytes]:
    """Encoded lists of changes of at most PART_BYTES_MAX; at least one, maybe empty."""
    waiting: list[msgspec.Raw] = []
    size, sent = 0, False
    for change in every:
        encoded = encode(change)
        if waiting and size + len(encoded) > PART_BYTES_MAX:
            yield encode(waiting)
            waiting, size, sent = [], 0, True
        waiting.append(msgspec.Raw(encoded))
        size += len(encoded)
    if waiting or not sent:
        yield encode(waiting)


def changes(
    connection: Connection, site: str, secret: bytes, now_ms: int, card_keys: Sequence[tuple[int, bytes]] = ()
) -> Iterator[Change]:
    """Everything a cache of `site` must know, as changes to an empty one."""
    yield PutSecret(secret)
    for number, key in card_keys:
        yield PutCardKey(number, key)
    yield from keyring.listed(connection)
    yield from stoplist.changes(connection, secret)
    yield from cards.listed(connection, secret)
    yield from membership.changes(connection, secret)
    yield from registry.lanes(connection, site)
    yield from programmes.changes(connection, site)
    tracked: list[int] = []
    by_home: list[int] = []
    for issued in issue.listed(connection):
        campaign = issued.campaign
        if _long_over(campaign, now_ms):
            continue
        yield PutCampaign(
            campaign
        )  # also where it does not count: the shopper is told 'not in this shop', not 'unknown'
        if campaign.shops and site not in campaign.shops:
            continue
        if campaign.serials or campaign.per_person is not None:
            tracked.append(campaign.id)
        if campaign.policy is Policy.HOME:
            by_home.append(campaign.id)
    yield from homes.listed(connection)
    site_id = connection.execute(select(sites.c.id).where(sites.c.name == site)).scalar_one()
    for number in by_home:
        yield from homes.moves_of(connection, site_id, number, secret)
    for number in tracked:
        yield from _redemptions(connection, number, secret)
        yield from _given_back(connection, number, secret)
        yield from _hinted(connection, number, secret)


def _long_over(campaign: Campaign, now_ms: int) -> bool:
    return campaign.ends_ms is not None and now_ms >= campaign.ends_ms + ENDED_KEPT_MS


def _redemptions(connection: Connection, campaign: int, secret: bytes) -> Iterator[PutRedemption]:
    names = {
        row.id: (row.name, row.epoch)
        for row in connection.execute(select(epochs.c.id, devices.c.name, epochs.c.epoch).join_from(epochs, devices))
    }
    rows = connection.execute(
        select(
            redemptions.c.epoch_id,
            redemptions.c.seq,
            redemptions.c.serial,
            redemptions.c.holder,
            redemptions.c.at_ms,
            redemptions.c.site,
        )
        .where(redemptions.c.campaign == campaign, redemptions.c.state.not_in(NO_USES))
        .order_by(redemptions.c.serial, redemptions.c.wall_ms, redemptions.c.id),
        execution_options={"yield_per": ROWS_AT_ONCE},
    )
    for epoch_id, seq, serial, holder, at_ms, site in rows:
        device, epoch = names[epoch_id]
        fact = sealing.fact_id(device, epoch, seq)
        yield _put(secret, fact, campaign, serial, holder, at_ms, site, provisional=False)


def _given_back(connection: Connection, campaign: int, secret: bytes) -> Iterator[DropRedemption]:
    """What other lanes may still tell of, though its sale was taken back."""
    rows = connection.execute(
        select(devices.c.name, epochs.c.epoch, redemptions.c.seq, redemptions.c.serial)
        .join_from(redemptions, epochs, epochs.c.id == redemptions.c.epoch_id)
        .join(devices, devices.c.id == epochs.c.device_id)
        .where(redemptions.c.campaign == campaign, redemptions.c.state == RedemptionState.RESTORED.value)
        .order_by(redemptions.c.id.desc())
        .limit(GIVEN_BACK_MAX)
    )
    for device, epoch, seq, serial in rows:
        hashed = sealing.serial_hash(secret, campaign, read_serial(serial)) if serial else b""
        yield DropRedemption(sealing.fact_id(device, bytes(epoch), seq), hashed, given_back=True)


def _hinted(connection: Connection, campaign: int, secret: bytes) -> Iterator[PutRedemption]:
    rows = connection.execute(select(hints).where(hints.c.campaign == campaign).order_by(hints.c.fact))
    for row in rows:
        yield _put(secret, row.fact, campaign, row.serial, row.holder, row.at_ms, row.site, provisional=True)


def _put(
    secret: bytes, fact: bytes, campaign: int, serial: int, holder: int, at_ms: int, site: str, *, provisional: bool
) -> PutRedemption:
    return PutRedemption(
        fact=fact,
        campaign=campaign,
        serial=sealing.serial_hash(secret, campaign, read_serial(serial)) if serial else b"",
        holder=sealing.holder_hash(secret, holder) if holder else b"",
        at_ms=at_ms,
        site=site,
        provisional=provisional,
    )
