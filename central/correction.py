"""Correcting the times of redemptions that were booked before their boot's offset was known, a few at a time.

`central.clocks` marks what waits; each step is a short transaction of its own, so booking never waits for it. With
the time go what hangs on it: the flags of dates and of the stop list, and the conflicts that came of them. What the
caches were told stays: a serial is used, whenever that was.
"""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import Connection, select, update

from central import conflicts as stakes
from central import offsets
from central.coupons import issue
from central.coupons.stoplist import Since
from central.db import bulk
from central.db.schema import NO_USES, Flag, boot_spans, boots, conflicts, redemptions
from loyalty.campaign import Campaign
from wire.facts import Stamp, decode_fact

CORRECTED_AT_ONCE: Final = 500
_BY_TIME: Final = int(Flag.CLOCK_CORRECTED | Flag.OUTSIDE_DATES | Flag.REVOKED)
_KINDS_BY_TIME: Final = frozenset({"outside_dates", "revoked"})
_EPOCH_OPENED: Final = "ep"
_FACTS: Final = (
    "SELECT f.seq, f.type, f.body FROM facts f WHERE f.epoch_id = ? AND f.seq > ? AND f.type <> '' "
    "ORDER BY f.seq LIMIT ?"
)


def step(connection: Connection, now_ms: int) -> int:
    """Corrects at most CORRECTED_AT_ONCE facts of one boot; gives how many it looked at. 0: nothing waits."""
    found: Any = connection.execute(
        select(boot_spans.c.epoch_id, boot_spans.c.boot_id, boot_spans.c.corrected)
        .where(boot_spans.c.corrected.is_not(None))
        .order_by(boot_spans.c.epoch_id)
        .limit(1)
    ).one_or_none()
    if found is None:
        return 0
    epoch_id, boot_id, after = found
    boot = connection.execute(select(boots).where(boots.c.id == boot_id)).one()
    offset = offsets.Offset(boot.offset_ms, boot.error_ms, boot.mono_ms, boot.source)
    rows: Any = bulk.run(connection, _FACTS, (epoch_id, after, CORRECTED_AT_ONCE)).all()
    ours: dict[int, Stamp] = {}
    upto: int | None = None
    for seq, kind, body in rows:
        if kind != _EPOCH_OPENED:  # that stands before facts of older boots which were carried over
            stamp = offsets.sound(decode_fact(body).at)
            if stamp.boot != boot.boot:
                break
            ours[seq] = stamp
    else:
        upto = rows[-1].seq if len(rows) == CORRECTED_AT_ONCE else None
    if ours:
        _correct(connection, epoch_id, ours, offset, now_ms)
    span = (boot_spans.c.epoch_id == epoch_id) & (boot_spans.c.boot_id == boot_id)
    connection.execute(update(boot_spans).where(span).values(corrected=upto))
    return len(rows)


def _correct(
    connection: Connection, epoch_id: int, stamps: dict[int, Stamp], offset: offsets.Offset, now_ms: int
) -> None:
    among = (redemptions.c.epoch_id == epoch_id) & redemptions.c.seq.between(min(stamps), max(stamps))
    rows = [row for row in connection.execute(select(redemptions).where(among)) if row.seq in stamps]
    terms: dict[int, Campaign | None] = {}
    for number in {row.campaign for row in rows}:
        issued = issue.get(connection, number)
        terms[number] = None if issued is None else issued.campaign
    stopped = Since(connection, [(row.campaign, row.serial, row.holder) for row in rows])
    for row in rows:
        at_ms, error_ms, corrected = _time(stamps[row.seq], offset, row.booked_ms)
        campaign = terms[row.campaign]
        flags = row.flags & ~_BY_TIME | (int(Flag.CLOCK_CORRECTED) if corrected else 0)
        if _outside(campaign, at_ms, 0):
            flags |= int(Flag.OUTSIDE_DATES)
        if stopped.stopped(row.campaign, row.serial, row.holder, at_ms):
            flags |= int(Flag.REVOKED)
        if (at_ms, error_ms, flags) == (row.at_ms, row.at_error_ms, row.flags):
            continue
        connection.execute(
            update(redemptions).where(redemptions.c.id == row.id).values(at_ms=at_ms, at_error_ms=error_ms, flags=flags)
        )
        if row.state not in NO_USES:
            sure = flags if _outside(campaign, at_ms, error_ms) else flags & ~int(Flag.OUTSIDE_DATES)
            _weigh(connection, row, sure & stakes.AT_STAKE, campaign, now_ms)


def _time(stamp: Stamp, offset: offsets.Offset, booked_ms: int) -> tuple[int, int, bool]:
    if offsets.believed(stamp, offset, booked_ms):
        return stamp.wall_ms, stamp.error_ms, False
    return (*offsets.timed(stamp, offset, booked_ms), True)


def _outside(campaign: Campaign | None, at_ms: int, error_ms: int) -> bool:
    """Whether a time, however wrong it may be, is outside the campaign's dates."""
    if campaign is None:
        return False
    starts_ms, ends_ms = campaign.starts_ms, campaign.ends_ms
    return (starts_ms is not None and at_ms + error_ms < starts_ms) or (
        ends_ms is not None and at_ms - error_ms >= ends_ms
    )


def _weigh(connection: Connection, row: Any, at_stake: int, campaign: Campaign | None, now_ms: int) -> None:
    """The conflict of a use, after its time changed: one that came of the time alone comes or goes with it."""
    about = (conflicts.c.second_epoch == row.epoch_id) & (conflicts.c.second_seq == row.seq)
    old = connection.execute(
        select(conflicts.c.id, conflicts.c.kind).where(about, conflicts.c.state != stakes.ConflictState.WITHDRAWN.value)
    ).first()
    kind = stakes.kind_of(at_stake) if at_stake else ""
    if old is not None and (old.kind not in _KINDS_BY_TIME or old.kind == kind):
        return
    if old is not None:
        gone = {"state": stakes.ConflictState.WITHDRAWN.value, "resolved_ms": now_ms, "note": "its time was corrected"}
        connection.execute(update(conflicts).where(conflicts.c.id == old.id).values(**gone))
    if kind:
        stake = stakes.NOTHING_KNOWN if campaign is None else stakes.of(campaign)
        new = stakes.row(
            kind,
            (row.campaign, row.serial),
            (stakes.NO_FACT, stakes.NO_FACT),
            (row.epoch_id, row.seq),
            stake=stake,
            amount_yen=row.discount_yen or stake.value_yen,
            site=row.site,
            holder=row.holder,
            now_ms=now_ms,
        )
        bulk.insert_rows(connection, conflicts, stakes.COLUMNS, [new])
