"""Parts of limits at the centre: granting, booking what was spent of them, and what an operator writes off.

The sum law, for each quantity of each pot, whatever is lost, cut off or restored:

    spent + left in parts + under way between lanes + held by open questions <= cap + exposure

(A part whose taking is booked before its giving counts at both lanes until then: never too little.)
`spent` counts what is booked; a part counts as spent until the unit's own journal says otherwise, for facts are the
only thing that moves a part back (`Returned`) or on (`Given`, `Taken`). The sums stand in the pot's row, so that
a grant costs the same whatever the number of units. What is granted is told as a total that only grows within an
epoch, so no lost, doubled or late message can grant twice.

Facts that were carried into an epoch because their disk was an old copy speak of parts that were spent before: what
they spend is exposure. Facts carried by a salvage come from the one disk there is: they count in the epoch before.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from sqlalchemy import ColumnElement, Connection, func, insert, select, update

from central.db import bulk
from central.db.schema import DeviceState, QuestionState, devices, part_moves, parts, pots, questions, sites
from loyalty.campaign import Campaign, Kind, Policy
from loyalty.coupon import limits
from loyalty.lease import CAMPAIGN, NOTHING, POINTS, Amount, GrantReason, Limits, Pot, share
from wire.facts import Given, LeaseFact, Redeemed, Returned, Spent

PART_LIFE_MS: Final = 3 * 86_400_000  # how long a unit may go on without the centre
ASKERS_WITHIN_MS: Final = 86_400_000  # units that asked for a part within this time share what is left
RECALLS_MAX: Final = 4  # units that are asked to return some, at a time
OLD_COPY: Final = b""  # stands as the epoch of parts that an old copy of a disk took

_ADD_TO_POT: Final = (
    "UPDATE pots SET spent_count = spent_count + ?, spent_yen = spent_yen + ?, out_count = out_count + ?, "
    "out_yen = out_yen + ?, transit_count = transit_count + ?, transit_yen = transit_yen + ?, "
    "exposure_count = exposure_count + ?, exposure_yen = exposure_yen + ? WHERE kind = ? AND id = ? AND holder = ?"
)
_FIND_POT: Final = (
    "SELECT cap_count, cap_yen, unit_yen, spent_count, spent_yen, out_count, out_yen, transit_count, transit_yen, "
    "exposure_count, exposure_yen FROM pots WHERE kind = ? AND id = ? AND holder = ?"
)
_FIND_PART: Final = (
    "SELECT granted_count, granted_yen, moved_count, moved_yen, spent_count, spent_yen, written_off_count, "
    "written_off_yen FROM parts WHERE device_id = ? AND epoch = ? AND kind = ? AND id = ? AND holder = ?"
)

_CHANGE_PART: Final = (
    "UPDATE parts SET granted_count = ?, granted_yen = ?, moved_count = ?, moved_yen = ?, spent_count = ?, "
    "spent_yen = ?, written_off_count = ?, written_off_yen = ? "
    "WHERE device_id = ? AND epoch = ? AND kind = ? AND id = ? AND holder = ?"
)
_NOTE_ASKED: Final = (
    "UPDATE parts SET ends_ms = ?, asked_ms = ? "
    "WHERE device_id = ? AND epoch = ? AND kind = ? AND id = ? AND holder = ?"
)
_COUNT_ASKERS: Final = (
    "SELECT count(DISTINCT device_id) FROM parts "
    "WHERE kind = ? AND id = ? AND holder = ? AND asked_ms > ? AND device_id <> ?"
)
_MOVED_BEFORE: Final = "part_moves m WHERE m.id = wanted.k0 AND m.side = 'spent'"
_FLOOR: Final = "pots p WHERE p.kind = 'p' AND p.id = wanted.k0 AND p.holder = wanted.k1"
_MOVE_COLUMNS: Final = (
    "id", "side", "device_id", "peer", "kind", "pot_id", "holder", "count", "yen", "booked_ms",
)  # fmt: skip
_HELD: Final = "SELECT count(*), coalesce(sum(cost_yen), 0) FROM questions WHERE state = ? AND campaign = ?"


class Stand(NamedTuple):
    """How a pot stands."""

    limits: Limits
    cap: Amount  # of what is limited
    unit: Amount  # what one use costs at most
    spent: Amount
    out: Amount
    transit: Amount
    exposure: Amount

    @property
    def promised(self) -> Amount:
        """What is spent, or may be by somebody who need not ask."""
        return self.spent + self.out + self.transit


class Holding(NamedTuple):
    """What one epoch of one unit has had of a pot, as far as it is booked."""

    granted: Amount
    moved: Amount
    spent: Amount
    written_off: Amount

    @property
    def left(self) -> Amount:
        return (self.granted + self.moved - self.spent - self.written_off).above_zero

    @property
    def beyond(self) -> Amount:
        """What was spent though no part was ever granted for it."""
        return (self.spent - self.granted - self.moved).above_zero


class Owner(NamedTuple):
    """Whose part it is."""

    device_id: int
    epoch: bytes


class Takings:
    """What the redemptions of one batch take of limits, by campaign and by what allowed them."""

    def __init__(self, flagged_until: int, *, salvaged: bool) -> None:
        """Facts up to `flagged_until` were carried over from the epoch before."""
        self._flagged_until, self._salvaged = flagged_until, salvaged
        self.parts: dict[int, Amount] = {}  # out of the unit's part
        self.before: dict[int, Amount] = {}  # out of the part of the epoch before, by what a salvage carried over
        self.outside: dict[int, Amount] = {}  # by an old copy of the disk: that part was spent already
        self.asked: dict[int, Amount] = {}  # by the centre's word, or by nobody's

    def add(self, seq: int, fact: Redeemed) -> None:
        if not fact.leased:
            sums = self.asked
        elif seq > self._flagged_until:
            sums = self.parts
        else:
            sums = self.before if self._salvaged else self.outside
        sums[fact.campaign] = sums.get(fact.campaign, NOTHING) + Amount(1, fact.cost_yen)


# --- pots ---------------------------------------------------------------------------------------------------


def is_kept(campaign: Campaign) -> bool:
    """Whether the campaign has limits that are kept in sum: a pot."""
    limited = limits(campaign)
    return campaign.policy in (Policy.LEASE, Policy.ONLINE) and (limited.count or limited.yen)


def is_leased(campaign: Campaign, site: str) -> bool:
    """Whether units of `site` may hold parts of its limits now."""
    here = not campaign.shops or site in campaign.shops
    return campaign.policy is Policy.LEASE and not campaign.stopped and here


def set_limits(connection: Connection, campaign: Campaign, spent_before: int) -> None:
    """The pot of a campaign that was issued or changed. `spent_before`: uses booked while it had none."""
    pot = Pot(CAMPAIGN, campaign.id)
    if is_kept(campaign) or find(connection, pot) is not None:
        spent = Amount(spent_before, spent_before * campaign.amount_yen)
        unit = campaign.amount_yen if campaign.kind is Kind.AMOUNT else 0
        put(connection, pot, (campaign.cap, campaign.budget_yen), unit, spent)


def ensure(connection: Connection, campaign: Campaign, spent_before: int) -> Stand | None:
    """How the pot of a campaign stands, made if it should have one; None: it has no limits that are kept."""
    stand = find(connection, Pot(CAMPAIGN, campaign.id))
    if stand is None and is_kept(campaign):
        set_limits(connection, campaign, spent_before)
        stand = find(connection, Pot(CAMPAIGN, campaign.id))
    return stand


def put(
    connection: Connection, pot: Pot, cap: tuple[int | None, int | None], unit_yen: int = 0, spent: Amount = NOTHING
) -> None:
    """Makes a pot, or gives it other limits. A lower cap recalls nothing: what is out may still be spent."""
    terms = {"cap_count": cap[0], "cap_yen": cap[1], "unit_yen": unit_yen}
    if connection.execute(update(pots).where(*_is(pots, pot)).values(**terms)).rowcount:
        return
    zeros = {f"{name}_{unit}": 0 for name in ("out", "transit", "exposure") for unit in ("count", "yen")}
    key = {"kind": pot.kind, "id": pot.id, "holder": pot.holder}
    connection.execute(insert(pots).values(**key, **terms, **zeros, spent_count=spent.count, spent_yen=spent.yen))


def find(connection: Connection, pot: Pot) -> Stand | None:
    row: Any = bulk.run(connection, _FIND_POT, pot.key).one_or_none()
    if row is None:
        return None
    cap_count, cap_yen, unit_yen, *sums = row
    amounts = list(map(Amount, sums[::2], sums[1::2]))
    return Stand(
        Limits(cap_count is not None, cap_yen is not None),
        Amount(cap_count or 0, cap_yen or 0),
        Amount(1, unit_yen or 1),
        *amounts,
    )


def held(connection: Connection, pot: Pot, which: ColumnElement[bool] | None = None) -> Amount:
    """What open questions of a campaign hold (those of `which`): granted, and neither redeemed nor withdrawn."""
    if pot.kind != CAMPAIGN:
        return NOTHING
    if which is None:
        row: Any = bulk.run(connection, _HELD, (QuestionState.GRANTED.value, pot.id)).one()
    else:
        open_ones = (questions.c.campaign == pot.id) & (questions.c.state == QuestionState.GRANTED)
        sums = select(func.count(), func.coalesce(func.sum(questions.c.cost_yen), 0))
        row = connection.execute(sums.where(open_ones & which)).one()
    return Amount(int(row[0]), int(row[1]))


def remaining(connection: Connection, pot: Pot, stand: Stand) -> Amount:
    """What can still be granted."""
    left = stand.cap - stand.promised - held(connection, pot)
    return stand.limits.of(left.above_zero)


# --- granting -----------------------------------------------------------------------------------------------


def report(connection: Connection, owner: Owner, pot: Pot, granted: Amount) -> None:
    """A unit says what was granted to it in all: more than is known here, if this database was restored."""
    part = holding(connection, owner, pot)
    known = part.granted if part is not None else NOTHING
    more = (granted - known).above_zero
    if more and find(connection, pot) is not None:
        _change(connection, owner, pot, granted=more)


def grant(connection: Connection, owner: Owner, pot: Pot, want: Amount, now_ms: int) -> tuple[Amount, GrantReason]:
    """Grants of a pot what is wanted and fair; gives the total for this epoch and why it is not more."""
    part = holding(connection, owner, pot)
    granted = part.granted if part is not None else NOTHING
    stand = find(connection, pot)
    if stand is None:
        return granted, GrantReason.CLOSED
    want = stand.limits.of(want.above_zero)
    left = remaining(connection, pot, stand)
    more = stand.limits.of(share(left, want, stand.unit, _askers(connection, pot, owner, now_ms)))
    if not stand.limits.cover(more, stand.unit.least(want)):
        more = NOTHING  # too little for a single use
    if more or part is None:
        _change(connection, owner, pot, granted=more)
    bulk.run(connection, _NOTE_ASKED, (now_ms + PART_LIFE_MS, now_ms, *owner, *pot.key))
    if not want or stand.limits.cover(more, want):
        return granted + more, GrantReason.GRANTED
    if stand.limits.cover(left - more, stand.limits.of(stand.unit)):
        return granted + more, GrantReason.SHARED
    others = stand.out + stand.transit - (part.left if part is not None else NOTHING)
    return granted + more, GrantReason.WITH_OTHERS if others else GrantReason.NONE_LEFT


def _askers(connection: Connection, pot: Pot, owner: Owner, now_ms: int) -> int:
    """How many units share a pot: those that asked lately, this one included."""
    others = bulk.run(connection, _COUNT_ASKERS, (*pot.key, now_ms - ASKERS_WITHIN_MS, owner.device_id))
    return 1 + int(others.scalar_one())


class Holder(NamedTuple):
    """A unit that has some of a pot left."""

    device: str
    site: str
    left: Amount


def holders(connection: Connection, pot: Pot) -> list[Holder]:
    """The units that have some of a pot left, those with most first."""
    rows = connection.execute(
        select(parts, devices.c.name, sites.c.name.label("site"))
        .select_from(parts.join(devices).join(sites))
        .where(*_is(parts, pot))
    )
    found = [Holder(row.name, row.site, _holding(row).left) for row in rows]
    return sorted((one for one in found if one.left), key=lambda one: (-one.left.count, -one.left.yen, one.device))


def write_off(connection: Connection, device_id: int, pot: Pot | None = None) -> dict[Pot, Amount]:
    """An operator's word that what a unit has left will not be reported: it may be granted again, and is exposure."""
    where = [parts.c.device_id == device_id]
    if pot is not None:
        where += _is(parts, pot)
    _take_over(connection, device_id, pot)
    gone: dict[Pot, Amount] = {}
    for row in connection.execute(select(parts).where(*where)).all():
        one, left = Pot(row.kind, row.id, row.holder), _holding(row).left
        if left:
            _change(connection, Owner(device_id, row.epoch), one, written_off=left)
            gone[one] = gone.get(one, NOTHING) + left
    return gone


def _take_over(connection: Connection, device_id: int, pot: Pot | None) -> None:
    """What was given to a unit whose taking is not booked: the disk that had it is lost, so nobody will say so.

    It counts as taken by an old copy, once: a journal that comes up after all moves nothing any more.
    """
    moves, taken, giver, taker = part_moves.c, part_moves.alias(), devices.alias(), devices.alias()
    where = [moves.side == "given", taker.c.id == device_id, taken.c.id.is_(None)]
    if pot is not None:
        where += [moves.kind == pot.kind, moves.pot_id == pot.id, moves.holder == pot.holder]
    found = connection.execute(
        select(moves.id, giver.c.name, moves.booked_ms, moves.kind, moves.pot_id, moves.holder, moves.count, moves.yen)
        .join_from(part_moves, taker, taker.c.name == moves.peer)
        .join(giver, giver.c.id == moves.device_id)
        .outerjoin(taken, (taken.c.id == moves.id) & (taken.c.side == "taken"))
        .where(*where)
    ).all()
    for transfer, name, booked_ms, kind, number, holder, count, yen in found:
        one, amount = Pot(kind, number, holder), Amount(count, yen)
        once(connection, transfer, "taken", device_id, name, one, amount, booked_ms)
        _change(connection, Owner(device_id, OLD_COPY), one, moved=amount)
        _add(connection, one, transit=NOTHING - amount)


def _given_up(connection: Connection, name: str) -> int | None:
    """The unit of that name if it was given up and blocked: what it took can't be booked any more."""
    gone = devices.c.given_up & (devices.c.state == DeviceState.BLOCKED.value)
    return connection.execute(select(devices.c.id).where(devices.c.name == name, gone)).scalar()


# --- booking ------------------------------------------------------------------------------------------------


def book_uses(connection: Connection, owner: Owner, previous: bytes, taken: Takings) -> None:
    """What the redemptions of a batch take. Campaigns without a pot are passed over."""
    for sums, whose in ((taken.parts, owner), (taken.before, Owner(owner.device_id, previous))):
        for campaign, amount in sums.items():
            _change(connection, whose, Pot(CAMPAIGN, campaign), spent=amount)
    for campaign, amount in taken.outside.items():
        _add(connection, Pot(CAMPAIGN, campaign), spent=amount, exposure=amount)
    for campaign, amount in taken.asked.items():
        _add(connection, Pot(CAMPAIGN, campaign), spent=amount)


def give_back(connection: Connection, pot: Pot, amount: Amount) -> None:
    """What a use took of a limit is there again for everybody: in the pot, not in the part that it was taken of.

    The part stays spent, so that what its unit knows of it stays true. What was counted as exposure stays so, too.
    """
    stand = find(connection, pot)
    if stand is not None:  # a pot that was made later never knew of it
        _add(connection, pot, spent=NOTHING - stand.spent.least(amount))


class Carried(NamedTuple):
    """How a fact came into its epoch: written in it, or carried over from another one."""

    owner: Owner | None  # whose part it speaks of; None: a part that an old copy of the disk had once more


def book_move(connection: Connection, device_id: int, carried: Carried, fact: LeaseFact, now_ms: int) -> None:
    """A return or one half of a transfer; nothing if it was booked before, under another epoch."""
    if isinstance(fact, Returned):
        name, side, peer = fact.id, "returned", ""
    elif isinstance(fact, Given):
        name, side, peer = fact.transfer, "given", fact.to
    else:
        name, side, peer = fact.transfer, "taken", fact.giver
    if not once(connection, name, side, device_id, peer, fact.pot, fact.amount, now_ms):
        return
    owner, amount = carried.owner, fact.amount
    if isinstance(fact, Returned):
        if owner is not None:  # an old copy gives back what was spent already: it stays counted
            _change(connection, owner, fact.pot, moved=NOTHING - amount)
    elif isinstance(fact, Given):
        if owner is not None:
            _change(connection, owner, fact.pot, moved=NOTHING - amount)
        else:
            _add(connection, fact.pot, exposure=amount)
        if not _booked(connection, name, "taken"):
            _add(connection, fact.pot, transit=amount)
        taker = _given_up(connection, peer)
        if taker is not None:  # what is told of it only now falls under the operator's word, too
            write_off(connection, taker, fact.pot)
    else:
        _change(connection, owner or Owner(device_id, OLD_COPY), fact.pot, moved=amount)
        if _booked(connection, name, "given"):
            _add(connection, fact.pot, transit=NOTHING - amount)


def book_points(connection: Connection, device_id: int, told: list[tuple[Carried, Spent]], now_ms: int) -> None:
    """Points that were spent: within the floors of the person and of the unit, or by the centre's word.

    Few people have a floor of their own: what a batch costs follows the floors that there are, not its length.
    """
    if not told:
        return
    known = {bytes(row[0]) for row in bulk.look_up(connection, "m.id", _MOVED_BEFORE, [(one.id,) for _, one in told])}
    fresh: dict[bytes, tuple[Carried, Spent]] = {}
    for carried, fact in told:
        if fact.id not in known:
            fresh.setdefault(fact.id, (carried, fact))
    bulk.insert_rows(
        connection,
        part_moves,
        _MOVE_COLUMNS,
        [
            (fact.id, "spent", device_id, "", POINTS, fact.programme, fact.holder, fact.points, 0, now_ms)
            for _, fact in fresh.values()
        ],
    )
    floors = {(fact.programme, holder) for _, fact in fresh.values() for holder in (0, fact.holder)}
    there = set(map(tuple, bulk.look_up(connection, "p.id, p.holder", _FLOOR, sorted(floors))))
    asked: dict[Pot, Amount] = {}
    outside: dict[Pot, Amount] = {}
    parted: dict[tuple[Owner, Pot], Amount] = {}
    for carried, fact in fresh.values():
        for holder in (0, fact.holder):
            if (fact.programme, holder) not in there:
                continue
            pot, cost = Pot(POINTS, fact.programme, holder), Amount(fact.points)
            if fact.question:
                asked[pot] = asked.get(pot, NOTHING) + cost
            elif carried.owner is not None:
                parted[carried.owner, pot] = parted.get((carried.owner, pot), NOTHING) + cost
            else:
                outside[pot] = outside.get(pot, NOTHING) + cost
    for (owner, pot), amount in parted.items():
        _change(connection, owner, pot, spent=amount)
    for pot, amount in asked.items():
        _add(connection, pot, spent=amount)
    for pot, amount in outside.items():
        _add(connection, pot, spent=amount, exposure=amount)


def once(
    connection: Connection, name: bytes, side: str, device_id: int, peer: str, pot: Pot, amount: Amount, now_ms: int
) -> bool:
    """Writes down that something with a name happened; False: it was known."""
    known = (part_moves.c.id == name) & (part_moves.c.side == side)
    if connection.execute(select(part_moves.c.side).where(known)).first() is not None:
        return False
    connection.execute(
        insert(part_moves).values(
            id=name, side=side, device_id=device_id, peer=peer, kind=pot.kind, pot_id=pot.id, holder=pot.holder,
            count=amount.count, yen=amount.yen, booked_ms=now_ms,
        )
    )  # fmt: skip
    return True


def _booked(connection: Connection, name: bytes, side: str) -> bool:
    half = select(part_moves.c.side).where(part_moves.c.id == name, part_moves.c.side == side)
    return connection.execute(half).first() is not None


# --- one part -----------------------------------------------------------------------------------------------


def holding(connection: Connection, owner: Owner, pot: Pot) -> Holding | None:
    row: Any = bulk.run(connection, _FIND_PART, (*owner, *pot.key)).one_or_none()
    if row is None:
        return None
    values = [int(value) for value in row]
    return Holding(*map(Amount, values[::2], values[1::2]))


def _change(
    connection: Connection,
    owner: Owner,
    pot: Pot,
    *,
    granted: Amount = NOTHING,
    moved: Amount = NOTHING,
    spent: Amount = NOTHING,
    written_off: Amount = NOTHING,
) -> None:
    """Changes one part, and the sums of its pot by what that means for them."""
    stand = find(connection, pot)
    if stand is None:
        return
    before = holding(connection, owner, pot)
    if before is None:
        _open(connection, owner, pot)
        before = Holding(NOTHING, NOTHING, NOTHING, NOTHING)
    after = Holding(
        before.granted + granted, before.moved + moved, before.spent + spent, before.written_off + written_off
    )
    values = [quantity for amount in after for quantity in (amount.count, amount.yen)]
    bulk.run(connection, _CHANGE_PART, (*values, *owner, *pot.key))
    only = stand.limits.of
    _add(
        connection,
        pot,
        spent=spent,
        out=only(after.left) - only(before.left),
        exposure=only(after.beyond) - only(before.beyond) + written_off,
    )


def _open(connection: Connection, owner: Owner, pot: Pot) -> None:
    zeros = {f"{name}_{unit}": 0 for name in ("granted", "moved", "spent", "written_off") for unit in ("count", "yen")}
    connection.execute(
        insert(parts).values(
            device_id=owner.device_id, epoch=owner.epoch, kind=pot.kind, id=pot.id, holder=pot.holder, ends_ms=0,
            asked_ms=0, **zeros,
        )
    )  # fmt: skip


def _add(
    connection: Connection,
    pot: Pot,
    *,
    spent: Amount = NOTHING,
    out: Amount = NOTHING,
    transit: Amount = NOTHING,
    exposure: Amount = NOTHING,
) -> None:
    values = [quantity for amount in (spent, out, transit, exposure) for quantity in (amount.count, amount.yen)]
    if any(values):
        bulk.run(connection, _ADD_TO_POT, (*values, *pot.key))


def _holding(row: Any) -> Holding:
    return Holding(
        Amount(row.granted_count, row.granted_yen),
        Amount(row.moved_count, row.moved_yen),
        Amount(row.spent_count, row.spent_yen),
        Amount(row.written_off_count, row.written_off_yen),
    )


def _is(table: Any, pot: Pot) -> tuple[Any, ...]:
    return (table.c.kind == pot.kind, table.c.id == pot.id, table.c.holder == pot.holder)
