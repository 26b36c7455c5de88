"""What each fact of a batch changes: the rows of a redemption, its clearing, and what the caches are told.

The policy of clearing (K6): the first redemption of a serial that is booked is its use; each further one is a
fact of its own, flagged 'double'. What is odd and puts money at stake makes a conflict, charged by the campaign's
rule (`central.conflicts`), and exposure where a unit had decided alone (`central.exposure`). Nothing is refused here.

This is the hot path: a batch costs a fixed number of statements, whatever its length, and no look-up per row.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import msgspec
from sqlalchemy import Connection, delete, select, update

from central import alone, clocks, deadletters, exposure, feed, leases, settlement
from central import conflicts as stakes
from central.coupons import stoplist
from central.db import bulk
from central.db.schema import (
    NUL,
    Flag,
    conflicts,
    epochs,
    facts,
    hints,
    redemptions,
    stored_serial,
)
from central.ledger import lanes
from central.offers import purchases
from central.offsets import Timed
from central.registry import Device
from central.reversals import told
from loyalty.campaign import CAMPAIGN_ID_MAX, DAY_MS, Campaign, Policy
from wire.facts import (
    Bought,
    Cancelled,
    CardFact,
    EpochOpened,
    Fact,
    HomeFact,
    LeaseFact,
    Paid,
    PointsFact,
    Redeemed,
    Reversed,
    Spent,
    Stamp,
    decode_fact,
)
from wire.messages import Change, DropRedemption, PutRedemption, decode
from wire.sealing import FactNames, Hashes

LATE_AFTER_MS: Final = DAY_MS  # booked so long after the campaign's end, a redemption is late
_SERIAL_MAX: Final = 2**64 - 1
_HOLDER_MAX: Final = 2**48 - 1
_MS_MAX: Final = 2**53
_WORD_CHARS_MAX: Final = 64
QUESTION_BYTES: Final = 16
SALE_BYTES: Final = 16
EPOCH_BYTES: Final = 16

_FACT_COLUMNS: Final = ("epoch_id", "seq", "hash", "type", "body", "booked_ms")
_REDEMPTION_COLUMNS: Final = (
    "epoch_id", "seq", "device_id", "campaign", "serial", "holder", "site", "at_ms", "booked_ms", "discount_yen",
    "state", "flags", "wall_ms", "at_error_ms",
)  # fmt: skip
_USED_SELECT: Final = "r.campaign, r.serial, r.epoch_id, r.seq"
_USED_JOIN: Final = (
    "redemptions r WHERE r.campaign = wanted.k0 AND r.serial = wanted.k1 AND r.state IN ('cleared', 'late')"
)
_OTHER_EPOCH: Final = "SELECT 1 FROM epochs WHERE device_id = ? AND id <> ? LIMIT 1"
_TOLD_SELECT: Final = "f.body"
_TOLD_JOIN: Final = (
    "redemptions r CROSS JOIN facts f WHERE r.campaign = wanted.k0 AND r.serial = wanted.k1 AND r.wall_ms = wanted.k2 "
    "AND r.device_id = wanted.k3 AND r.epoch_id <> wanted.k4 AND f.epoch_id = r.epoch_id AND f.seq = r.seq"
)
_HINTED: Final = "SELECT fact FROM hints WHERE device_id = ?"
_KNOWN: Final = "SELECT id, body, redeemed FROM campaigns WHERE id IN "
_COUNT_USES: Final = "UPDATE campaigns SET redeemed = redeemed + ? WHERE id = ?"
# As plain numbers: an enum's operators cost more than all else that is done for a row.
_DOUBLE: Final = int(Flag.DOUBLE)
_LATE: Final = int(Flag.LATE)
_UNKNOWN_CAMPAIGN: Final = int(Flag.UNKNOWN_CAMPAIGN)
_CLOCK_DOUBTED: Final = int(Flag.CLOCK_DOUBTED)
_OUTSIDE_DATES: Final = int(Flag.OUTSIDE_DATES)
_OVER_CAP: Final = int(Flag.OVER_CAP)
_OVER_PERSON_LIMIT: Final = int(Flag.OVER_PERSON_LIMIT)
_NOT_GRANTED: Final = int(Flag.NOT_GRANTED)
_REPEATED: Final = int(Flag.REPEATED)
_REVOKED: Final = int(Flag.REVOKED)
_CLOCK_CORRECTED: Final = int(Flag.CLOCK_CORRECTED)
_AT_STAKE: Final = stakes.AT_STAKE
_TOO_MANY: Final = _DOUBLE | _OVER_PERSON_LIMIT
_SIGNED: Final = Policy.SIGNED.value
_UNEXPOSED: Final = exposure.Exposed()
_ALONE: Final = (stakes.NO_FACT, stakes.NO_FACT)
_EPOCH_FLAGS: Final = {"fork": Flag.FORK, "restored": Flag.RESTORED, "salvaged": Flag.SALVAGED}


class EpochRow(NamedTuple):
    """An epoch as it stands before this batch."""

    id: int
    epoch: bytes
    upto: int
    upto_hash: bytes
    opened_by: str
    previous: bytes
    after: int
    flagged_until: int

    def flag(self) -> Flag:
        """What is said of facts that were carried over into it."""
        return _EPOCH_FLAGS.get(self.opened_by, Flag.FORK)


class Booking(msgspec.Struct, frozen=True, kw_only=True):
    """Under whose name, and when."""

    device: Device
    epoch: EpochRow
    topic: str
    now_ms: int
    secret: bytes


class _Terms(NamedTuple):
    """What of a campaign matters here, worked out once for each batch. `known` is False for a lost campaign."""

    known: bool
    shops: tuple[str, ...]
    before: int  # uses booked before this batch
    cap: int
    per_person: int
    starts_ms: int
    ends_ms: int
    late: bool  # the campaign ended so long ago that a redemption booked now is late
    online: bool
    stake: stakes.Stakes
    counted: bool  # caches count its redemptions by person, even without serials
    kept: bool  # its limits are kept in sum: what is used is taken from its pot

    def surely_outside(self, at_ms: int, error_ms: int) -> bool:
        """Whether a use was outside the campaign's dates, however wrong its time may be."""
        return at_ms + error_ms < self.starts_ms or at_ms - error_ms >= self.ends_ms


_NO_LIMIT: Final = 2**63
_LOST: Final = _Terms(
    False, (), 0, _NO_LIMIT, _NO_LIMIT, -_NO_LIMIT, _NO_LIMIT, False, False, stakes.NOTHING_KNOWN, False, False
)


def book(connection: Connection, booking: Booking, first: int, bodies: list[bytes], hashes: list[bytes]) -> int:
    """Books facts `first`, `first + 1` ...; gives how many were put aside."""
    epoch_id, now_ms = booking.epoch.id, booking.now_ms
    rows: list[tuple[Any, ...]] = []
    redeemed: list[tuple[int, Redeemed, bytes]] = []
    about_questions: list[tuple[int, Cancelled | Paid]] = []
    alone_facts: list[tuple[int, LeaseFact | HomeFact | CardFact]] = []
    points: list[tuple[int, PointsFact, bytes]] = []
    taken_back: list[tuple[int, Reversed]] = []
    bought: list[tuple[int, Bought, bytes]] = []
    stamps: list[tuple[int, Stamp]] = []
    aside: list[tuple[int, str, bytes]] = []
    for seq, (body, digest) in enumerate(zip(bodies, hashes, strict=True), first):
        try:
            fact = decode_fact(body)
        except (msgspec.MsgspecError, ValueError) as error:
            aside.append((seq, f"not a fact: {error}", body))
            rows.append((epoch_id, seq, digest, "", body, now_ms))
            continue
        if not _plainly_fine(fact) and (problem := _unbookable(fact, seq)):
            aside.append((seq, problem, body))
            rows.append((epoch_id, seq, digest, "", body, now_ms))
            continue
        if isinstance(fact, Redeemed):
            redeemed.append((seq, fact, body))
            stamps.append((seq, fact.at))
            rows.append((epoch_id, seq, digest, "rd", body, now_ms))
        elif isinstance(fact, PointsFact):
            points.append((seq, fact, body))
            stamps.append((seq, fact.at))
            rows.append((epoch_id, seq, digest, alone.TAGS[type(fact)], body, now_ms))
        elif isinstance(fact, Cancelled | Paid):
            about_questions.append((seq, fact))
            stamps.append((seq, fact.at))
            rows.append((epoch_id, seq, digest, "cx" if isinstance(fact, Cancelled) else "pd", body, now_ms))
        elif isinstance(fact, Reversed):
            taken_back.append((seq, fact))
            stamps.append((seq, fact.at))
            rows.append((epoch_id, seq, digest, alone.TAGS[Reversed], body, now_ms))
        elif isinstance(fact, Bought):
            bought.append((seq, fact, body))
            stamps.append((seq, fact.at))
            rows.append((epoch_id, seq, digest, "bo", body, now_ms))
        elif not isinstance(fact, EpochOpened):
            alone_facts.append((seq, fact))
            stamps.append((seq, fact.at))
            rows.append((epoch_id, seq, digest, alone.TAGS[type(fact)], body, now_ms))
        else:
            booking = msgspec.structs.replace(booking, epoch=_opened(connection, booking, fact))
            rows.append((epoch_id, seq, digest, "ep", body, now_ms))
    bulk.insert_rows(connection, facts, _FACT_COLUMNS, rows)
    for seq, reason, body in aside:
        deadletters.put_aside(
            connection, booking.device.name, booking.topic, booking.epoch.epoch, seq, reason, body, now_ms
        )
    times = clocks.settle(connection, booking.device, epoch_id, stamps, now_ms) if stamps else {}
    if points:
        _points(connection, booking, points, times)
    if redeemed:  # after the points: it takes the change logs, for which all lanes wait, and holds them to the end
        _redeem(connection, booking, redeemed, times)
    for seq, about in about_questions:
        if isinstance(about, Cancelled):
            settlement.cancel(connection, booking.device, epoch_id, seq, about, now_ms)
        else:
            settlement.paid(connection, booking.device, epoch_id, seq, about, now_ms)
    for seq, fact in alone_facts:
        alone.book(connection, booking.device, booking.secret, carried(booking, seq), fact, now_ms)
    sold = [(seq, fact.sale, body) for seq, fact, body in (*redeemed, *points, *bought) if fact.sale]
    if sold:
        told.sold(connection, epoch_id, sold, now_ms)
    if taken_back:
        told.book(connection, epoch_id, taken_back, times, now_ms)
    if bought:
        purchased = [purchases.Told(fact, _when(seq, fact.at, times)) for seq, fact, _ in bought]
        purchases.book(connection, purchased, now_ms)
    return len(aside)


def _points(
    connection: Connection, booking: Booking, points: list[tuple[int, PointsFact, bytes]], times: dict[int, Timed]
) -> None:
    """What they take of floors, and what the ledger makes of them."""
    spent = [(carried(booking, seq), fact) for seq, fact, _ in points if isinstance(fact, Spent)]
    leases.book_points(connection, booking.device.id, spent, booking.now_ms)
    now_ms = booking.now_ms
    by_lanes = [lanes.told_at(seq, fact, body, _when(seq, fact.at, times), now_ms) for seq, fact, body in points]
    lanes.book(connection, booking.epoch.id, by_lanes, now_ms)


def _when(seq: int, at: Stamp, times: dict[int, Timed]) -> int:
    """When a fact happened, as far as the centre knows."""
    return times[seq].at_ms if seq in times else at.wall_ms


def carried(booking: Booking, seq: int) -> leases.Carried:
    """Whose part of a limit a fact speaks of."""
    epoch, device = booking.epoch, booking.device
    if seq > epoch.flagged_until:
        return leases.Carried(leases.Owner(device.id, epoch.epoch))
    return leases.Carried(leases.Owner(device.id, epoch.previous) if epoch.opened_by == "salvaged" else None)


def _plainly_fine(fact: Fact) -> bool:
    """Whether this is a redemption with nothing wrong in it: what nearly all facts are, told at once."""
    return (
        type(fact) is Redeemed
        and -_MS_MAX <= fact.at.wall_ms <= _MS_MAX
        and 0 < fact.campaign <= CAMPAIGN_ID_MAX
        and 0 <= fact.serial <= _SERIAL_MAX
        and 0 <= fact.holder <= _HOLDER_MAX
        and 0 < len(fact.site) <= _WORD_CHARS_MAX
        and NUL not in fact.site
        and len(fact.question) in (0, QUESTION_BYTES)
        and 0 <= fact.spend_yen <= _MS_MAX
        and 0 <= fact.discount_yen <= _MS_MAX
        and 0 <= fact.cost_yen <= _MS_MAX
        and len(fact.sale) in (0, SALE_BYTES)
    )


def _unbookable(fact: Fact, seq: int) -> str:
    """Why a well-formed fact still makes no sense; empty: it can be booked."""
    at = fact.at
    if not -_MS_MAX <= at.wall_ms <= _MS_MAX:
        return f"its time {at.wall_ms} is no time"
    if isinstance(fact, EpochOpened):
        if seq != 1:
            return "an epoch is opened by its first fact alone"
        if len(fact.previous) not in (0, EPOCH_BYTES) or not (0 <= fact.after <= _MS_MAX >= fact.carried >= 0):
            return "it names an epoch or a number that can't be"
        return "" if len(fact.reason) <= _WORD_CHARS_MAX and NUL not in fact.reason else "its reason can't be"
    if isinstance(fact, Paid):
        return settlement.unbookable(fact)
    if isinstance(fact, Bought):
        return purchases.unbookable(fact)
    if not isinstance(fact, Redeemed | Cancelled):
        return alone.unbookable(fact)
    names_none = isinstance(fact, Cancelled) and not fact.campaign and not fact.serial  # a payment by account
    if not names_none and not 0 < fact.campaign <= CAMPAIGN_ID_MAX:
        return f"campaign {fact.campaign} can't be"
    if not 0 <= fact.serial <= _SERIAL_MAX:
        return f"serial {fact.serial} can't be"
    if isinstance(fact, Cancelled):
        return "" if len(fact.question) == QUESTION_BYTES else f"a question has {QUESTION_BYTES} bytes"
    if not 0 <= fact.holder <= _HOLDER_MAX:
        return f"holder {fact.holder} can't be"
    if not 0 < len(fact.site) <= _WORD_CHARS_MAX or NUL in fact.site:
        return "it names no site"
    if len(fact.question) not in (0, QUESTION_BYTES):
        return f"a question has {QUESTION_BYTES} bytes"
    if not (0 <= fact.spend_yen <= _MS_MAX and 0 <= fact.discount_yen <= _MS_MAX and 0 <= fact.cost_yen <= _MS_MAX):
        return "its money can't be"
    if len(fact.sale) not in (0, SALE_BYTES):
        return f"a sale has a name of {SALE_BYTES} bytes"
    return ""


def _opened(connection: Connection, booking: Booking, fact: EpochOpened) -> EpochRow:
    """An epoch that follows another: what came after the point where they part is flagged in both."""
    row = booking.epoch._replace(
        opened_by=fact.reason, previous=fact.previous, after=fact.after, flagged_until=1 + fact.carried
    )
    connection.execute(
        update(epochs)
        .where(epochs.c.id == row.id)
        .values(opened_by=row.opened_by, previous=row.previous, after=row.after, flagged_until=row.flagged_until)
    )
    previous = _previous_id(connection, booking.device, row)
    if previous is not None:
        connection.execute(
            update(redemptions)
            .where(redemptions.c.epoch_id == previous, redemptions.c.seq > fact.after)
            .values(flags=redemptions.c.flags.op("|")(int(row.flag())))
        )
    return row


def _previous_id(connection: Connection, device: Device, epoch: EpochRow) -> int | None:
    where = (epochs.c.device_id == device.id) & (epochs.c.epoch == epoch.previous)
    value = connection.execute(select(epochs.c.id).where(where)).scalar()
    return None if value is None else int(value)


def _redeem(
    connection: Connection,
    booking: Booking,
    redeemed: list[tuple[int, Redeemed, bytes]],
    times: dict[int, Timed],
) -> None:
    epoch, device, now_ms = booking.epoch, booking.device, booking.now_ms
    hashes, names = Hashes(booking.secret), FactNames(device.name, epoch.epoch)
    terms = _terms(connection, {fact.campaign for _, fact, _ in redeemed}, now_ms)
    keys = [(fact.campaign, stored_serial(fact.serial)) for _, fact, _ in redeemed]
    used: dict[tuple[int, int], tuple[int, int]] = {}
    wanted = [key for key in keys if key[1]]
    if wanted:
        for campaign, serial, epoch_id, seq in bulk.look_up(connection, _USED_SELECT, _USED_JOIN, wanted):
            used[campaign, serial] = (epoch_id, seq)
    before = _told_before(connection, booking, redeemed)
    unsettled = settlement.settle(connection, device, [fact for _, fact, _ in redeemed if fact.question])
    persons = settlement.PersonCounts(connection)
    stopped = None
    if not stoplist.is_empty(connection):
        uses_made = [(*key, fact.holder) for (_, fact, _), key in zip(redeemed, keys, strict=True)]
        stopped = stoplist.Since(connection, uses_made)
    hinted = frozenset(bytes(row[0]) for row in bulk.run(connection, _HINTED, (device.id,)))
    carried_flags = int(epoch.flag())

    rows: list[tuple[Any, ...]] = []
    clashes: list[tuple[Any, ...]] = []
    uses = dict.fromkeys(terms, 0)
    exposed: dict[int, exposure.Exposed] = {}
    told_caches: dict[tuple[str, ...], list[Change]] = {term.shops: [] for term in terms.values()}
    fulfilled: list[bytes] = []
    taken = leases.Takings(epoch.flagged_until, salvaged=epoch.opened_by == "salvaged")
    for (seq, fact, body), key in zip(redeemed, keys, strict=True):
        term, at_ms, error_ms = terms[fact.campaign], fact.at.wall_ms, fact.at.error_ms
        flags = carried_flags if seq <= epoch.flagged_until else 0
        if seq in times:
            at_ms, error_ms = times[seq]
            flags |= _CLOCK_CORRECTED
        state = "cleared"
        if body in before:
            state, flags = "void", flags | _REPEATED
        elif key in used:
            state, flags = "double", flags | _DOUBLE
        else:
            if key[1]:
                used[key] = (epoch.id, seq)
            count = uses[fact.campaign] = uses[fact.campaign] + 1
            if term.before + count > term.cap:
                flags |= _OVER_CAP
            limit = term.per_person
            if limit != _NO_LIMIT and fact.holder and persons.another(fact.campaign, fact.holder) > limit:
                flags |= _OVER_PERSON_LIMIT
            if term.late:
                state, flags = "late", flags | _LATE
        if not term.starts_ms <= at_ms < term.ends_ms:
            flags |= _OUTSIDE_DATES
        if fact.clock_doubted:
            flags |= _CLOCK_DOUBTED
        if fact.question:
            flags |= unsettled.get(fact.question, 0)
        elif term.online:
            flags |= _NOT_GRANTED
        if not term.known:
            flags |= _UNKNOWN_CAMPAIGN
        if stopped is not None and stopped.stopped(*key, fact.holder, at_ms):
            flags |= _REVOKED
        at_stake = flags & _AT_STAKE
        if at_stake & _OUTSIDE_DATES and not term.surely_outside(at_ms, error_ms):
            at_stake &= ~_OUTSIDE_DATES
        if at_stake and state != "void":
            amount_yen = fact.discount_yen or term.stake.value_yen
            clashes.append(
                stakes.row(
                    stakes.kind_of(at_stake),
                    key,
                    used[key] if state == "double" else _ALONE,
                    (epoch.id, seq),
                    stake=term.stake,
                    amount_yen=amount_yen,
                    site=fact.site,
                    holder=fact.holder,
                    now_ms=now_ms,
                )
            )
            if flags & _TOO_MANY and fact.policy == _SIGNED:
                count, yen = exposed.get(fact.campaign, _UNEXPOSED)
                exposed[fact.campaign] = exposure.Exposed(count + 1, yen + amount_yen)
        rows.append(
            (
                epoch.id, seq, device.id, *key, fact.holder, fact.site, at_ms, now_ms, fact.discount_yen, state, flags,
                fact.at.wall_ms, error_ms,
            )
        )  # fmt: skip
        if (term.kept or fact.leased) and state != "void":
            taken.add(seq, fact)
        tracked = (key[1] or term.counted) and state != "void"
        if tracked or hinted:
            name = names.of(seq)
            serial = hashes.serial(fact.campaign, fact.serial) if key[1] else b""
            if tracked:
                holder = hashes.holder(fact.holder) if fact.holder else b""
                told_caches[term.shops].append(PutRedemption(name, fact.campaign, serial, holder, at_ms, fact.site))
            if name in hinted:
                fulfilled.append(name)
                if not tracked:
                    told_caches[term.shops].append(DropRedemption(name, serial))
    bulk.insert_rows(connection, redemptions, _REDEMPTION_COLUMNS, rows)
    bulk.insert_rows(connection, conflicts, stakes.COLUMNS, clashes)
    for campaign_id, count in uses.items():
        if not count:
            continue
        bulk.run(connection, _COUNT_USES, (count, campaign_id))
    leases.book_uses(connection, leases.Owner(device.id, epoch.epoch), epoch.previous, taken)
    for campaign_id, more in exposed.items():
        exposure.charge(connection, campaign_id, more, now_ms)
    if fulfilled:
        connection.execute(delete(hints).where(hints.c.fact.in_(fulfilled)))
    caches = [(feed.named(connection, shops), changes) for shops, changes in told_caches.items() if changes]
    if len(caches) > 1:
        everywhere = any(where is None for where, _ in caches)
        feed.hold(connection, None if everywhere else [one for where, _ in caches for one in where or ()])
    for where, changes in caches:
        feed.append(connection, changes, where)


def _terms(connection: Connection, wanted: set[int], now_ms: int) -> dict[int, _Terms]:
    terms = dict.fromkeys(wanted, _LOST)
    for row in bulk.run(connection, _KNOWN + bulk.among(len(wanted)), tuple(wanted)):
        campaign: Campaign = decode(row.body, Campaign)
        ends_ms = _NO_LIMIT if campaign.ends_ms is None else campaign.ends_ms
        terms[row.id] = _Terms(
            known=True,
            shops=campaign.shops,
            before=row.redeemed,
            cap=_NO_LIMIT if campaign.cap is None else campaign.cap,
            per_person=_NO_LIMIT if campaign.per_person is None else campaign.per_person,
            starts_ms=-_NO_LIMIT if campaign.starts_ms is None else campaign.starts_ms,
            ends_ms=ends_ms,
            late=now_ms >= ends_ms + LATE_AFTER_MS,
            online=campaign.policy is Policy.ONLINE,
            stake=stakes.of(campaign),
            counted=campaign.per_person is not None,
            kept=leases.is_kept(campaign),
        )
    return terms


def _told_before(
    connection: Connection, booking: Booking, redeemed: list[tuple[int, Redeemed, bytes]]
) -> frozenset[bytes]:
    """Facts that the centre has already, under another epoch of this unit: known by their bytes.

    Not only what was carried over: two images of one disk can hold a fact under two epochs, and a centre that was
    restored does not know which of them parted where. A unit with one epoch, as nearly all have, pays one look-up.
    """
    epoch, device = booking.epoch, booking.device
    if not bulk.run(connection, _OTHER_EPOCH, (device.id, epoch.id)).first():
        return frozenset()
    keys = [
        (fact.campaign, stored_serial(fact.serial), fact.at.wall_ms, device.id, epoch.id) for _, fact, _ in redeemed
    ]
    return frozenset(bytes(row[0]) for row in bulk.look_up(connection, _TOLD_SELECT, _TOLD_JOIN, keys))
