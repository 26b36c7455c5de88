"""The coupon of a sale that was taken back: its redemption counts no more, and its serial can be used again everywhere.

The redemption gets the state 'restored'. The campaign's counters, its limits and its exposure go down by what it took;
what was at stake by it is no more. If the serial was used a second time before the reversal was known, that one becomes
the use, and its conflict ends by that. Caches are told to forget, and of the use that stands instead.

Another use that is flagged as beyond a cap or a person's number stays flagged: it was one too many when it was booked,
and a person looks at it.
"""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import Connection, select, update

from central import conflicts as stakes
from central import exposure, feed, leases
from central.conflicts import ConflictState
from central.coupons import issue
from central.db.schema import (
    USES,
    Flag,
    RedemptionState,
    campaigns,
    conflicts,
    devices,
    epochs,
    facts,
    read_serial,
    redemptions,
)
from loyalty.campaign import Campaign, Policy
from loyalty.lease import CAMPAIGN, Amount, Pot
from wire import sealing
from wire.facts import Redeemed, decode_fact
from wire.messages import Change, DropRedemption, PutRedemption

NOTE: Final = "its sale was taken back"
NOTE_NOW_THE_USE: Final = "the sale of the first use was taken back: this is the use"
_OPEN: Final = (ConflictState.WAITS.value, ConflictState.SETTLED.value)
_TOO_MANY: Final = int(Flag.DOUBLE | Flag.OVER_PERSON_LIMIT)


def give_back(connection: Connection, secret: bytes, epoch_id: int, seq: int, fact: Redeemed, now_ms: int) -> None:
    """See the module. Nothing for a redemption that is given back, or that was void."""
    row = connection.execute(_ROW.where(redemptions.c.epoch_id == epoch_id, redemptions.c.seq == seq)).one_or_none()
    if row is None or row.state in (RedemptionState.VOID.value, RedemptionState.RESTORED.value):
        return
    _set(connection, row.id, RedemptionState.RESTORED, row.flags)
    issued = issue.get(connection, row.campaign)
    campaign = None if issued is None else issued.campaign
    if row.state in USES:
        _count(connection, row.campaign, -1)
    if campaign is not None and (leases.is_kept(campaign) or fact.leased):
        leases.give_back(connection, Pot(CAMPAIGN, row.campaign), Amount(1, fact.cost_yen))
    if row.flags & _TOO_MANY:
        _unexpose(connection, fact, campaign)
    _nothing_at_stake(connection, row, now_ms)
    if row.state in USES and row.serial:
        _promote(connection, row, campaign, now_ms)
    _tell(connection, secret, row, campaign)


def _promote(connection: Connection, gone: Any, campaign: Campaign | None, now_ms: int) -> None:
    """The first second use of the serial is the use now; any further ones clash with it."""
    second = connection.execute(
        _ROW.where(_same(gone), redemptions.c.state == RedemptionState.DOUBLE.value).order_by(redemptions.c.id).limit(1)
    ).one_or_none()
    if second is None:
        return
    flags = second.flags & ~int(Flag.DOUBLE)
    _set(connection, second.id, RedemptionState.CLEARED, flags)
    _count(connection, second.campaign, 1)
    body = select(facts.c.body).where(facts.c.epoch_id == second.epoch_id, facts.c.seq == second.seq)
    fact = decode_fact(bytes(connection.execute(body).scalar_one()))
    assert isinstance(fact, Redeemed), "a redemption stands on the fact of one"
    _unexpose(connection, fact, campaign)
    rest = flags & stakes.AT_STAKE
    doubled = conflicts.c.kind == stakes.kind_of(int(Flag.DOUBLE))
    mine = (conflicts.c.second_epoch == second.epoch_id) & (conflicts.c.second_seq == second.seq)
    ended: dict[str, Any] = {
        "state": ConflictState.WITHDRAWN.value, "resolved_ms": now_ms, "note": NOTE_NOW_THE_USE,
    }  # fmt: skip
    alone = {"first_epoch": stakes.NO_FACT, "first_seq": stakes.NO_FACT}
    connection.execute(
        update(conflicts).where(mine, doubled).values(**({"kind": stakes.kind_of(rest), **alone} if rest else ended))
    )
    connection.execute(
        update(conflicts)
        .where(doubled, conflicts.c.first_epoch == gone.epoch_id, conflicts.c.first_seq == gone.seq)
        .where(conflicts.c.campaign == gone.campaign, conflicts.c.serial == gone.serial, ~mine)
        .values(first_epoch=second.epoch_id, first_seq=second.seq)
    )


def _nothing_at_stake(connection: Connection, row: Any, now_ms: int) -> None:
    """No discount was given after all. What a person has paid, or was given up, stays as it ended."""
    of_it = (conflicts.c.second_epoch == row.epoch_id) & (conflicts.c.second_seq == row.seq)
    withdrawn_too = (
        (conflicts.c.kind == stakes.kind_of(int(Flag.CANCELLED)))
        & (conflicts.c.campaign == row.campaign)
        & (conflicts.c.first_epoch == row.epoch_id)
        & (conflicts.c.first_seq == row.seq)
    )
    connection.execute(
        update(conflicts)
        .where(of_it | withdrawn_too, conflicts.c.state.in_(_OPEN))
        .values(state=ConflictState.WITHDRAWN.value, resolved_ms=now_ms, note=NOTE)
    )


def _unexpose(connection: Connection, fact: Redeemed, campaign: Campaign | None) -> None:
    """What `central.booking` had charged for a use too many that a unit gave alone."""
    if fact.policy != Policy.SIGNED or campaign is None:
        return
    amount_yen = fact.discount_yen or stakes.of(campaign).value_yen
    exposure.take_off(connection, campaign.id, exposure.Exposed(1, amount_yen))


def _tell(connection: Connection, secret: bytes, row: Any, campaign: Campaign | None) -> None:
    """Every cache forgets it, by each name under which it was told, and learns of the use that stands."""
    hashed = sealing.serial_hash(secret, row.campaign, read_serial(row.serial)) if row.serial else b""
    same_fact = (
        _same(row)
        & (redemptions.c.wall_ms == row.wall_ms)
        & (redemptions.c.device_id == row.device_id)
        & (redemptions.c.holder == row.holder)
        & ((redemptions.c.id == row.id) | (redemptions.c.state == RedemptionState.VOID.value))
    )
    changes: list[Change] = [
        DropRedemption(_name(told), hashed, given_back=True)
        for told in connection.execute(_ROW.where(same_fact).order_by(redemptions.c.id))
    ]
    if row.serial:
        stands = connection.execute(_ROW.where(_same(row), redemptions.c.state.in_(USES)).limit(1)).one_or_none()
        if stands is not None:
            holder = sealing.holder_hash(secret, stands.holder) if stands.holder else b""
            changes.append(PutRedemption(_name(stands), row.campaign, hashed, holder, stands.at_ms, stands.site))
    feed.append(connection, changes, None if campaign is None else feed.sites_of(connection, campaign))


def _same(row: Any) -> Any:
    return (redemptions.c.campaign == row.campaign) & (redemptions.c.serial == row.serial)


def _name(row: Any) -> bytes:
    return sealing.fact_id(row.device, bytes(row.epoch), row.seq)


def _set(connection: Connection, number: int, state: RedemptionState, flags: int) -> None:
    connection.execute(update(redemptions).where(redemptions.c.id == number).values(state=state.value, flags=flags))


def _count(connection: Connection, campaign: int, uses: int) -> None:
    connection.execute(update(campaigns).where(campaigns.c.id == campaign).values(redeemed=campaigns.c.redeemed + uses))


_ROW: Final = (
    select(
        redemptions.c.id,
        redemptions.c.epoch_id,
        redemptions.c.seq,
        redemptions.c.device_id,
        redemptions.c.campaign,
        redemptions.c.serial,
        redemptions.c.holder,
        redemptions.c.site,
        redemptions.c.at_ms,
        redemptions.c.wall_ms,
        redemptions.c.state,
        redemptions.c.flags,
        devices.c.name.label("device"),
        epochs.c.epoch,
    )
    .join_from(redemptions, epochs, epochs.c.id == redemptions.c.epoch_id)
    .join(devices, devices.c.id == epochs.c.device_id)
)
