"""The books are right: every sum at the centre is worked out again, from the plain facts and from what people saw.

The law of what is leased (DESIGN, 'What may be decided alone') is

    spent + left in parts + under way + held by open questions <= cap + exposure

(a part whose taking is booked while its giving is not, since the giver's disk is lost, counts at both lanes: never too
little), and without old disks, units that were written off and restored centres there is no exposure at all. Facts are
told apart by what lies in them: the same bytes of one unit under two epochs are one fact; two uses of one serial are
two.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import Any, Final, NamedTuple

from simulator.world.checks.sales import Sales
from simulator.world.checks.stores import Disk, opened, plain, unsigned
from simulator.world.observe import (
    AtRest,
    CentreDown,
    CentreRestored,
    DiskRestored,
    DiskSpoilt,
    Downloaded,
    Issued,
    PointsSeen,
    Seen,
    UnitAtRest,
    Violation,
    WrittenOff,
)

CAMPAIGN, POINTS = "c", "p"  # kinds of pots
KEPT: Final = frozenset({"lease", "online"})  # policies that can hold a limit
OVER_PERSON_LIMIT: Final = 512  # a flag of a redemption
COUNTS: Final = ("cleared", "late")


class _Use(NamedTuple):
    """A fact 'rd'. Where in the array its fields stand is part of the wire."""

    device: str
    campaign: int
    serial: int
    policy: str
    leased: bool
    cost_yen: int
    back: bool  # its sale was taken back


class _Points(NamedTuple):
    """What a person saw, and its fact at the centre, have in common."""

    device: str
    boot: bytes
    mono_ms: int
    programme: int
    holder: int
    points: int
    earned: bool


class _Pot(NamedTuple):
    kind: str
    id: int
    holder: int

    def __str__(self) -> str:
        what = "campaign" if self.kind == CAMPAIGN else "programme"
        return f"{what} {self.id}" + (f" holder {self.holder:012x}" if self.holder else "")


def _field(fact: list[Any], index: int, default: Any) -> Any:
    return fact[index] if len(fact) > index else default


class Auditor:
    """See the module."""

    name: Final = "auditor"

    def __init__(self) -> None:
        self._given: Counter[int] = Counter()
        self._texts: set[tuple[int, int, int]] = set()
        self._serials: set[tuple[int, int]] = set()  # what was given out
        self._kept: set[int] = set()  # campaigns with a limit from their first day on
        self._issued: set[int] = set()
        self._points: set[_Points] = set()
        self._lost: set[str] = set()
        self._centre_downs = 0
        self._centre_restored = False

    def saw(self, seen: Seen) -> None:
        if isinstance(seen, Downloaded):
            # Without serials the same person is given the same one again.
            given = (seen.campaign, seen.serial, seen.holder)
            self._given[seen.campaign] += given not in self._texts
            self._texts.add(given)
            if seen.serial:
                if (seen.campaign, seen.serial) in self._serials and not self._centre_restored:
                    self._no(f"serial {seen.serial:016x} of campaign {seen.campaign} was given out twice")
                self._serials.add((seen.campaign, seen.serial))
        elif isinstance(seen, Issued):
            terms = seen.campaign
            limited = terms.cap is not None or terms.budget_yen is not None
            if terms.id not in self._issued and limited and terms.policy.value in KEPT:
                self._kept.add(terms.id)
            self._issued.add(terms.id)
        elif isinstance(seen, PointsSeen):
            self._points.add(
                _Points(
                    seen.device, seen.boot, seen.mono_ms, seen.programme, seen.holder, seen.points, seen.earned
                )
            )  # fmt: skip
        elif isinstance(seen, DiskRestored | DiskSpoilt | WrittenOff):
            self._lost.add(seen.device)
        elif isinstance(seen, CentreDown):
            self._centre_downs += 1
        elif isinstance(seen, CentreRestored):
            self._centre_restored = True

    def came_up(self, unit: UnitAtRest) -> None:
        """What one unit has is no sum."""

    def at_rest(self, world: AtRest) -> None:
        with opened(world.centre) as sql:
            facts = [
                (device, type_, bytes(body))
                for device, type_, body in sql.rows(
                    "SELECT d.name, f.type, f.body FROM facts f JOIN epochs e ON e.id = f.epoch_id"
                    " JOIN devices d ON d.id = e.device_id"
                )
            ]
            sales = Sales(sql)
            told = [
                _Use(
                    device, fact[2], fact[3], fact[6], bool(_field(fact, 13, False)), int(_field(fact, 14, 0)),
                    sales.is_back(_field(fact, 15, b"")),
                )
                for device, fact in _distinct(facts, "rd")
            ]  # fmt: skip
            uses = [use for use in told if not use.back]
            self._redeemed(sql, uses)
            booked = sql.number("SELECT count(*) FROM redemptions WHERE state <> 'void'")
            if booked != len(told):
                self._no(f"{len(told)} redemptions were told, and {booked} are booked")
            self._given_out(sql)
            self._conflicts(sql, uses)
            self._exposed(sql)
            self._pots(sql, self._taken_alone(facts))
            self._spent(sql, uses)
            self._points_spent(
                sql, [fact for fact in _distinct(facts, "ps") if not sales.is_back(_field(fact[1], 8, b""))]
            )
            self._points_seen(facts)

    # --- campaigns ------------------------------------------------------------------------------------

    def _redeemed(self, sql: Disk, uses: list[_Use]) -> None:
        counted: Counter[int] = Counter()
        serials: set[tuple[int, int]] = set()
        for use in uses:
            if use.serial:
                counted[use.campaign] += (use.campaign, use.serial) not in serials
                serials.add((use.campaign, use.serial))
            else:
                counted[use.campaign] += 1
        rows = Counter(sql.pairs("SELECT campaign, count(*) FROM redemptions WHERE state IN (?, ?) GROUP BY 1", COUNTS))
        for number, redeemed in sql.rows("SELECT id, redeemed FROM campaigns"):
            if not redeemed == rows[number] == counted[number]:
                self._no(
                    f"campaign {number} says {redeemed} uses, {rows[number]} redemptions count, and the facts are"
                    f" {counted[number]} uses"
                )

    def _given_out(self, sql: Disk) -> None:
        coupons = Counter(sql.pairs("SELECT campaign, count(*) FROM coupons GROUP BY 1"))
        for number, given_out in sql.rows("SELECT id, given_out FROM campaigns"):
            if given_out != coupons[number]:
                self._no(f"campaign {number} says {given_out} given out, and there are {coupons[number]} coupons")
            seen = self._given[number]
            # Where the centre stops between commit and answer, somebody has a coupon without having seen it.
            if not self._centre_restored and not seen <= given_out <= seen + self._centre_downs:
                self._no(f"campaign {number} says {given_out} given out, and people were given {seen}")
        if not self._centre_restored:
            rows = sql.rows("SELECT campaign, serial FROM coupons")
            known = {(campaign, unsigned(serial)) for campaign, serial in rows}
            for campaign, serial in sorted(self._serials - known):
                self._no(f"serial {serial:016x} of campaign {campaign} was given out, and is no coupon at the centre")

    def _conflicts(self, sql: Disk, uses: list[_Use]) -> None:
        surplus = Counter((use.campaign, use.serial) for use in uses if use.serial)
        rows: Counter[tuple[int, int]] = Counter()
        query = (
            "SELECT c.campaign, c.serial, count(*) FROM conflicts c LEFT JOIN redemptions r"
            " ON r.epoch_id = c.second_epoch AND r.seq = c.second_seq WHERE c.kind = 'double'"
            " AND c.state <> 'withdrawn' AND (r.state IS NULL OR r.state <> 'restored') GROUP BY 1, 2"
        )
        for campaign, serial, count in sql.rows(query):
            rows[campaign, unsigned(serial)] = count
        for (campaign, serial), count in (surplus | rows).items():
            found, wanted = rows[campaign, serial], max(0, surplus[campaign, serial] - 1)
            if found != wanted:
                self._no(
                    f"serial {serial:016x} of campaign {campaign} was used {count} times, and {found} conflicts say so"
                    f" instead of {wanted}"
                )

    def _exposed(self, sql: Disk) -> None:
        exposed: Counter[int] = Counter()
        for campaign, body in sql.rows(
            "SELECT r.campaign, f.body FROM redemptions r JOIN facts f ON f.epoch_id = r.epoch_id AND f.seq = r.seq"
            " WHERE r.state = 'double' OR (r.state NOT IN ('void', 'restored') AND r.flags & ?)",
            (OVER_PERSON_LIMIT,),
        ):
            exposed[campaign] += plain(body)[6] == "signed"
        for number, charged in sql.rows("SELECT id, exposed FROM campaigns"):
            if charged != exposed[number]:
                self._no(f"campaign {number} is charged {charged} uses too many, and there were {exposed[number]}")

    # --- what is leased -------------------------------------------------------------------------------

    def _taken_alone(self, facts: list[tuple[str, str, bytes]]) -> dict[_Pot, list[int]]:
        """What lanes took and nobody has said to have given: uses and yen of each pot."""
        given = {bytes(fact[2]) for _, fact in _distinct(facts, "lg")}
        taken = {bytes(fact[2]): (device, fact) for device, fact in _distinct(facts, "lt")}
        alone: dict[_Pot, list[int]] = defaultdict(lambda: [0, 0])
        for transfer, (device, fact) in taken.items():
            if transfer in given:
                continue
            giver, pot, amount = fact[3], _Pot(*fact[4]), fact[5]
            if not self._lost and not self._centre_restored:
                self._no(f"{pot}: {device} took {amount[0]} uses and {amount[1]} yen that {giver} never gave")
            alone[pot][0] += amount[0]
            alone[pot][1] += amount[1]
        return alone

    def _pots(self, sql: Disk, taken_alone: dict[_Pot, list[int]]) -> None:
        left: dict[_Pot, list[int]] = defaultdict(lambda: [0, 0])
        for kind, number, holder, count, yen in sql.rows(
            "SELECT kind, id, holder, sum(max(0, granted_count + moved_count - spent_count - written_off_count)),"
            " sum(max(0, granted_yen + moved_yen - spent_yen - written_off_yen)) FROM parts GROUP BY 1, 2, 3"
        ):
            left[_Pot(kind, number, holder)] = [count, yen]
        held = {
            number: (count, yen)
            for number, count, yen in sql.rows(
                "SELECT campaign, count(*), sum(cost_yen) FROM questions WHERE state = 'granted' GROUP BY 1"
            )
        }
        for row in sql.rows(
            "SELECT kind, id, holder, cap_count, spent_count, out_count, transit_count, exposure_count,"
            " cap_yen, spent_yen, out_yen, transit_yen, exposure_yen FROM pots"
        ):
            pot = _Pot(*row[:3])
            for index, unit in enumerate(("uses", "yen")):
                cap, spent, out, transit, exposure = row[3 + 5 * index : 8 + 5 * index]
                unit = "points" if pot.kind == POINTS else unit
                if cap is None:
                    continue
                if min(spent, out, exposure) < 0:
                    self._no(f"{pot}: spent {spent}, out {out}, exposure {exposure} {unit}: none can be below zero")
                if out != left[pot][index]:
                    self._no(f"{pot}: {out} {unit} are out, and the parts of units have {left[pot][index]} left")
                if transit < 0 and not self._lost:
                    self._no(f"{pot}: {transit} {unit} are under way")
                questions = held.get(pot.id, (0, 0))[index] if pot.kind == CAMPAIGN else 0
                twice = taken_alone[pot][index]
                if spent + out + transit + questions > cap + exposure + twice:
                    self._no(
                        f"{pot}: {spent} {unit} spent, {out} out, {transit} under way and {questions} held are more"
                        f" than {cap}, an exposure of {exposure} and {twice} that two lanes have"
                    )
                if exposure and not self._lost and not self._centre_restored:
                    self._no(f"{pot}: an exposure of {exposure} {unit}, though no disk and no unit was lost")

    def _spent(self, sql: Disk, uses: list[_Use]) -> None:
        """Of the campaigns that had a limit when they were issued: so every use of theirs took of it."""
        counts: Counter[int] = Counter()
        yen: Counter[int] = Counter()
        for use in uses:
            counts[use.campaign] += 1
            yen[use.campaign] += use.cost_yen
        for number, spent, spent_yen in sql.rows("SELECT id, spent_count, spent_yen FROM pots WHERE kind = 'c'"):
            if number in self._kept and (spent, spent_yen) != (counts[number], yen[number]):
                self._no(
                    f"campaign {number}: {spent} uses and {spent_yen} yen are spent, and the facts took"
                    f" {counts[number]} and {yen[number]}"
                )

    # --- points ---------------------------------------------------------------------------------------

    def _points_spent(self, sql: Disk, told: list[tuple[str, list[Any]]]) -> None:
        spent: Counter[tuple[int, int]] = Counter()
        for programme, holder, points in {bytes(fact[2]): (fact[3], fact[4], fact[5]) for _, fact in told}.values():
            for whose in (0, holder):
                spent[programme, whose] += points
        for number, holder, booked in sql.rows("SELECT id, holder, spent_count FROM pots WHERE kind = 'p'"):
            if booked != spent[number, holder] and not self._centre_restored:
                whose = f" of holder {holder:012x}" if holder else ""
                self._no(f"programme {number}{whose}: {booked} points spent, the facts say {spent[number, holder]}")

    def _points_seen(self, facts: list[tuple[str, str, bytes]]) -> None:
        told: dict[_Points, set[bytes]] = defaultdict(set)
        for type_ in ("pe", "ps"):
            for device, fact in _distinct(facts, type_):
                at = fact[1]
                told[_Points(device, bytes(at[2]), at[1], fact[3], fact[4], fact[5], type_ == "pe")].add(bytes(fact[2]))
        for seen in sorted(self._points):
            found = len(told[seen])
            if found != 1 and seen.device not in self._lost:
                what = "earned" if seen.earned else "spent"
                self._no(
                    f"{seen.points} points that holder {seen.holder:012x} {what} on {seen.device} at {seen.mono_ms} ms"
                    f" of its boot are {found} facts"
                )

    def _no(self, what: str) -> None:
        raise Violation(self.name, what)


def _distinct(facts: list[tuple[str, str, bytes]], type_: str) -> list[tuple[str, list[Any]]]:
    """The facts of a type, each once: what is told again under another epoch of its unit has the same bytes."""
    once = dict.fromkeys((device, body) for device, of, body in facts if of == type_)
    return [(device, plain(body)) for device, body in once]
