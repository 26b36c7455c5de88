"""Parts of a limit that a unit may spend alone (DESIGN, 'What may be decided alone': `lease`). Pure.

A limit (the cap and the budget of a campaign, the floor of a person's points) is a pot at the centre. Parts of it
are granted to units; a unit spends only its part, returns what it does not need, or hands some of it to another
lane. Each quantity is an `Amount`: so many uses and so many yen; for points the count alone is used.

    part left here   = granted + moved - spent          moved: taken - given - returned
    left at the centre = cap - spent (booked) - parts left at units - parts under way - questions that are open

Nothing here rests on a clock: an end only makes a unit stop. How much to ask for and to grant follows use.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

import msgspec

CAMPAIGN: Final = "c"
POINTS: Final = "p"
KINDS: Final = frozenset({CAMPAIGN, POINTS})

PART_MIN: Final = 2  # uses that a unit wants at hand of a campaign that nobody has shown it yet
HORIZON_MS: Final = 8 * 3_600_000  # how long a unit wants to go on without the centre
RATE_HALF_LIFE_MS: Final = 1_800_000  # how fast a unit forgets how much it used to spend
SURPLUS_TIMES: Final = 4  # a unit returns what is beyond so many times what it wants
SHARE_DIVISOR: Final = 2  # a unit gets at most an even share of this part of what is left


class Pot(msgspec.Struct, frozen=True, array_like=True):
    """What is shared out: the uses of a campaign, or the points that may be spent offline."""

    kind: str  # CAMPAIGN or POINTS
    id: int  # campaign; programme
    holder: int = 0  # of points: whose floor; 0: the floor of the unit

    @property
    def key(self) -> tuple[str, int, int]:
        return self.kind, self.id, self.holder


class Amount(msgspec.Struct, frozen=True, array_like=True):
    """So many uses (or points) and so many yen."""

    count: int = 0
    yen: int = 0

    def __add__(self, other: Amount) -> Amount:
        return Amount(self.count + other.count, self.yen + other.yen)

    def __sub__(self, other: Amount) -> Amount:
        return Amount(self.count - other.count, self.yen - other.yen)

    def __bool__(self) -> bool:
        return bool(self.count or self.yen)

    def most(self, other: Amount) -> Amount:
        return Amount(max(self.count, other.count), max(self.yen, other.yen))

    def least(self, other: Amount) -> Amount:
        return Amount(min(self.count, other.count), min(self.yen, other.yen))

    @property
    def above_zero(self) -> Amount:
        return self.most(NOTHING)


NOTHING: Final = Amount()


class Limits(msgspec.Struct, frozen=True):
    """Which quantities of a pot are limited. What is not limited is never leased nor missed."""

    count: bool = True
    yen: bool = False

    def of(self, amount: Amount) -> Amount:
        """`amount` without what is not limited."""
        return Amount(amount.count if self.count else 0, amount.yen if self.yen else 0)

    def cover(self, left: Amount, cost: Amount) -> bool:
        """Whether `cost` can be spent out of `left`."""
        return (not self.count or cost.count <= left.count) and (not self.yen or cost.yen <= left.yen)


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """What a unit has left of a pot."""

    left: Amount = NOTHING
    limits: Limits = Limits()
    ends_ms: int | None = None  # wall time from which the unit stops; None: no end

    def covers(self, cost: Amount, wall_ms: int) -> bool:
        """Whether a use of that cost may be decided here and now."""
        return (self.ends_ms is None or wall_ms < self.ends_ms) and self.limits.cover(self.left, cost)


class GrantReason(StrEnum):
    """Why a grant is not more than it is."""

    GRANTED = "granted"
    SHARED = "shared"  # there is more, but others want some too: ask again
    NONE_LEFT = "none_left"  # all is spent
    WITH_OTHERS = "with_others"  # other units have it, and were asked to return some
    CLOSED = "closed"  # stopped, not leased, or unknown
    NOT_YET = "not_yet"  # the centre was restored and does not know yet what is out


class Rate:
    """How much a unit spends of one pot, forgetting the past by half every RATE_HALF_LIFE_MS. Whole numbers alone."""

    def __init__(self) -> None:
        self._level = NOTHING  # in SCALE-ths
        self._at_ms = 0

    def spent(self, cost: Amount, now_ms: int) -> None:
        self._level = self._faded(now_ms) + Amount(cost.count * SCALE, cost.yen * SCALE)
        self._at_ms = now_ms

    def ahead(self, now_ms: int, span_ms: int = HORIZON_MS, *, round_up: bool = True) -> Amount:
        """What it will spend in the time to come if it goes on like that."""
        level = self._faded(now_ms)
        # In a steady flow the faded sum of what was spent stands for 1 / ln 2 = 1.44 half-lives of it.
        divisor = SCALE * RATE_HALF_LIFE_MS * 144
        more = divisor - 1 if round_up else 0
        return Amount(*((quantity * span_ms * 100 + more) // divisor for quantity in (level.count, level.yen)))

    def _faded(self, now_ms: int) -> Amount:
        """Halved for each whole half-life, and within one by a parabola that is 2 ** -x but for 0.4 %."""
        halvings, rest_ms = divmod(max(0, now_ms - self._at_ms), RATE_HALF_LIFE_MS)
        if halvings >= HALVINGS_MAX:
            return NOTHING
        x = rest_ms * UNITY // RATE_HALF_LIFE_MS
        left = UNITY - x * 6931 // 10_000 + x * x * 1931 // (10_000 * UNITY)
        return Amount(*((quantity >> halvings) * left // UNITY for quantity in (self._level.count, self._level.yen)))


UNITY: Final = 1 << 20
SCALE: Final = 1 << 16
HALVINGS_MAX: Final = 64


def target(rate: Rate, unit_yen: int, now_ms: int) -> Amount:
    """What a unit wants at hand: what it will spend over the horizon, and never less than PART_MIN uses.

    `unit_yen`: the most that one use can cost, where the budget is limited.
    """
    wanted = rate.ahead(now_ms)
    return wanted.most(Amount(PART_MIN, PART_MIN * unit_yen))


def runs_low(left: Amount, wanted: Amount, limits: Limits) -> bool:
    """Renewed before it runs out: when less than half of what is wanted is left."""
    return (limits.count and 2 * left.count < wanted.count) or (limits.yen and 2 * left.yen < wanted.yen)


def surplus(left: Amount, wanted: Amount, limits: Limits) -> Amount:
    """What a unit returns by itself: all beyond twice what it wants, once it has SURPLUS_TIMES that."""
    much = Amount(SURPLUS_TIMES * wanted.count, SURPLUS_TIMES * wanted.yen)
    beyond = (left - wanted - wanted).above_zero
    return limits.of(Amount(beyond.count if left.count > much.count else 0, beyond.yen if left.yen > much.yen else 0))


def share(remaining: Amount, wanted: Amount, unit: Amount, askers: int) -> Amount:
    """What the centre grants of `remaining` to one of `askers` units: what it wants, at most an even share of half.

    So what is left halves with each round of askers and never goes to one of them alone; the last uses are given
    out one by one. `unit`: what one use costs at most; parts are whole units, for less would be of no use to anybody.
    """
    return Amount(
        *(
            _share(left, want, max(1, whole), max(1, askers))
            for left, want, whole in (
                (remaining.count, wanted.count, unit.count),
                (remaining.yen, wanted.yen, unit.yen),
            )
        )
    )


def _share(left: int, want: int, unit: int, askers: int) -> int:
    fair = max(unit, left // (SHARE_DIVISOR * askers))
    return max(0, min(left, want, fair) // unit * unit)


def parted(left: Amount, wanted: Amount) -> Amount:
    """What a lane hands to another one that asks: half of what it has, rounded up; a last one is handed over whole."""
    half = Amount(-(-left.count // 2), -(-left.yen // 2))
    return half.least(wanted).above_zero
