"""Points: what a programme says about them, what a purchase earns (M4), what points are worth, when they end. Pure.

A programme is data: which shops share its points, whether they may be given to others, how long they last, their rates
in yen (G), and what happens with points that were spent beyond the balance. An earn rule is a shop's own (M4): so many
points for each so many yen, from a time on. Everything is whole numbers; each rounding names its rule.
"""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Sequence
from datetime import date
from enum import StrEnum
from functools import lru_cache
from typing import Final

import msgspec

from loyalty.campaign import CAMPAIGN_ID_MAX

NEVER_MS: Final = 2**62
"""The end of points that have none: later than any other, so that they are spent last."""

POINTS_MAX: Final = 10**9
"""Of one transfer: with the highest rate its yen still are a number that everybody can write."""

NAME_CHARS_MAX: Final = 100
MONTHS_MAX: Final = 1_200
DAYS_MAX: Final = 36_500
GRACE_DAYS_MAX: Final = 366
RATE_MAX: Final = 1_000_000
UTC_OFFSET_MIN_MAX: Final = 14 * 60
_DAY_MS: Final = 86_400_000
_EPOCH: Final = date(1970, 1, 1).toordinal()


class Rounding(StrEnum):
    """What becomes of a fraction."""

    DOWN = "down"
    UP = "up"
    HALF_UP = "half_up"


class Overspending(StrEnum):
    """What is done about points that were spent twice or beyond the balance: the goods are gone, so it is booked.

    The rule also says who bears what a refund takes back and is not there any more.
    """

    OPERATOR = "operator"  # it is kept apart until a person says who bears it
    SHOP = "shop"  # honoured; charged to the shop as exposure
    NEGATIVE = "negative"  # honoured; the balance becomes negative
    LATER = "later"  # honoured; taken back from what the person earns later


class Rate(msgspec.Struct, frozen=True):
    """`yen` for each `points` points, both whole: 100 yen for 1 point, 1 yen for 2 points."""

    yen: int
    points: int = 1


class Programme(msgspec.Struct, frozen=True, kw_only=True):
    """One kind of points."""

    id: int  # 1..CAMPAIGN_ID_MAX; what facts name
    name: str
    shared: bool = False  # all shops have one balance of a person; else each shop its own (M5)
    transferable: bool = False  # may be given to another person (G3; P16: not)
    overdraft: bool = False  # whether a balance may be negative at all
    days: int | None = None  # points last so many days ...
    months: int | None = None  # ... or so many calendar months; neither: they have no end
    grace_days: int = 0  # ended points are written off so much later: a report that comes late still finds them
    refund_days: int = 0  # points that ended before a refund brings them back last so long again; 0: not at all
    rounding: Rounding = Rounding.DOWN  # of yen that points are worth
    buy: Rate | None = None  # what a person pays (G2)
    sell: Rate | None = None  # what points buy goods for (G5, M11)
    cash_out: Rate | None = None  # what is paid out for them (G8)
    overspending: Overspending = Overspending.OPERATOR
    rule_days: int = 7  # a lane may earn by a rule that was replaced so long ago
    utc_offset_min: int = 9 * 60  # where its days begin
    revision: int = 1

    def place(self, site: str) -> str:
        """Under which shop a person's points are kept that were earned or are spent at `site`."""
        return "" if self.shared else site


class EarnRule(msgspec.Struct, frozen=True, kw_only=True):
    """What a shop gives (M4): `points` for each `per_yen` yen of a purchase, from a time on."""

    programme: int
    site: str
    per_yen: int
    points: int = 1
    rounding: Rounding = Rounding.DOWN
    from_ms: int = 0
    revision: int = 1


def in_force(revisions: Sequence[EarnRule], at_ms: int) -> EarnRule | None:
    """The rule at that time: the newest that had begun. `revisions`: of one programme at one shop, oldest first."""
    if revisions and revisions[-1].from_ms <= at_ms:
        return revisions[-1]  # as nearly always
    return next((rule for rule in reversed(revisions) if rule.from_ms <= at_ms), None)


def divided(dividend: int, divisor: int, rounding: Rounding) -> int:
    """`dividend / divisor` as a whole number; neither is negative, `divisor` not 0."""
    if rounding is Rounding.DOWN:
        return dividend // divisor
    if rounding is Rounding.UP:
        return -(-dividend // divisor)
    return (2 * dividend + divisor) // (2 * divisor)


def earned(rule: EarnRule, spend_yen: int) -> int:
    """The points for a purchase of so many yen; nothing for a negative one."""
    return divided(max(0, spend_yen) * rule.points, rule.per_yen, rule.rounding)


def worth_yen(rate: Rate, points: int, rounding: Rounding) -> int:
    """What so many points are at a rate, in yen; nothing for a negative number."""
    return divided(max(0, points) * rate.yen, rate.points, rounding)


def ends_ms(programme: Programme, earned_ms: int) -> int:
    """The first instant at which points earned then count no more, the end of a day; NEVER_MS: they have no end."""
    if programme.days is None and programme.months is None:
        return NEVER_MS
    offset_ms = programme.utc_offset_min * 60_000
    day = (earned_ms + offset_ms) // _DAY_MS  # since 1970, there
    last = day + (programme.days or 0) if programme.months is None else _months_later(day, programme.months)
    return (last + 1) * _DAY_MS - offset_ms


def written_off_ms(programme: Programme | None, now_ms: int) -> int:
    """Points whose end is at or before this instant are written off at `now_ms`."""
    return now_ms - (programme.grace_days if programme is not None else 0) * _DAY_MS


def refunded_until_ms(programme: Programme, now_ms: int) -> int:
    """The end of points that come back by a refund although they had ended; at or before `now_ms`: they don't."""
    if not programme.refund_days:
        return now_ms
    return ends_ms(msgspec.structs.replace(programme, days=programme.refund_days, months=None), now_ms)


@lru_cache(maxsize=64)  # all that one day earns, of each programme
def _months_later(day: int, months: int) -> int:
    """The same day of the month so much later, or the last one of a month that is too short; in days since 1970."""
    then = date.fromordinal(_EPOCH + day)
    year, month = divmod(then.year * 12 + then.month - 1 + months, 12)
    last = monthrange(year, month + 1)[1]
    return date(year, month + 1, min(then.day, last)).toordinal() - _EPOCH


def problems(programme: Programme) -> list[str]:
    """Why a programme can't be as it is said, one line for each field; empty: it can."""
    found: list[str] = []
    if not 0 < programme.id <= CAMPAIGN_ID_MAX:
        found.append(f"id: a number from 1 to {CAMPAIGN_ID_MAX}")
    if not 0 < len(programme.name.strip()) <= NAME_CHARS_MAX:
        found.append(f"name: 1 to {NAME_CHARS_MAX} characters")
    if programme.days is not None and programme.months is not None:
        found.append("months: points last for days or for months, not for both")
    for name, most in (("days", DAYS_MAX), ("months", MONTHS_MAX)):
        value = getattr(programme, name)
        if value is not None and not 0 < value <= most:
            found.append(f"{name}: 1 to {most:,}")
    for name in ("grace_days", "refund_days", "rule_days"):
        if not 0 <= getattr(programme, name) <= GRACE_DAYS_MAX:
            found.append(f"{name}: 0 to {GRACE_DAYS_MAX}")
    if abs(programme.utc_offset_min) > UTC_OFFSET_MIN_MAX:
        found.append(f"utc_offset_min: at most {UTC_OFFSET_MIN_MAX} either way")
    for name in ("buy", "sell", "cash_out"):
        rate: Rate | None = getattr(programme, name)
        if rate is not None and not (0 < rate.yen <= RATE_MAX and 0 < rate.points <= RATE_MAX):
            found.append(f"{name}: whole yen and points from 1 to {RATE_MAX:,}")
    if programme.overspending is Overspending.NEGATIVE and not programme.overdraft:
        found.append("overspending: a balance can be negative only where the programme allows overdraft")
    return found


def rule_problems(rule: EarnRule) -> list[str]:
    """The same for an earn rule."""
    found: list[str] = []
    for name in ("per_yen", "points"):
        if not 0 < getattr(rule, name) <= RATE_MAX:
            found.append(f"{name}: 1 to {RATE_MAX:,}")
    if not rule.site:
        found.append("site: which shop's rule it is")
    if not 0 <= rule.from_ms < NEVER_MS:
        found.append("from_ms: a time since 1970")
    return found
