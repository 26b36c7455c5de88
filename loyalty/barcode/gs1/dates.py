"""Dates as GS1 writes them: YYMMDD, day 00 for the last day of the month where a rule allows it, and no century.

The century is told by the year in which the code is read: the one that puts the date within 49 years before it and
50 after it (General Specifications, 7.12).
"""

from __future__ import annotations

from calendar import monthrange
from datetime import UTC, datetime, timedelta
from typing import Final

_DAYS: Final = (0, 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
MINUTE_MS: Final = 60_000


def wrong_at(digits: str, *, day_00: bool) -> int | None:
    """Where a date of six digits is none: 2 the month, 4 the day; None: it is one.

    29 February counts in the years that can be divided by four: 1900 and 2100 are read as nobody's date.
    """
    year, month, day = int(digits[:2]), int(digits[2:4]), int(digits[4:])
    if not 1 <= month <= 12:
        return 2
    if day == 0:
        return None if day_00 else 4
    last = 28 if month == 2 and year % 4 else _DAYS[month]
    return None if day <= last else 4


def year_of(two_digits: int, now_year: int) -> int:
    """The year that ends with `two_digits`, in the century that `now_year` makes the right one."""
    year = now_year - now_year % 100 + two_digits
    ahead = two_digits - now_year % 100
    if ahead >= 51:
        return year - 100
    return year + 100 if ahead <= -50 else year


def begins_ms(digits: str, now_ms: int, utc_offset_min: int) -> int:
    """The first instant of that day, in the zone that is `utc_offset_min` minutes ahead of UTC."""
    local = datetime.fromtimestamp(max(0, now_ms + utc_offset_min * MINUTE_MS) // 1000, UTC)
    year, month = year_of(int(digits[:2]), local.year), int(digits[2:4])
    day = int(digits[4:]) or monthrange(year, month)[1]
    day = min(day, monthrange(year, month)[1])  # 29 February of a year that has none
    midnight = datetime(year, month, day, tzinfo=UTC)
    return int(midnight.timestamp()) * 1000 - utc_offset_min * MINUTE_MS


def ends_ms(digits: str, now_ms: int, utc_offset_min: int) -> int:
    """The first instant after that day."""
    return begins_ms(digits, now_ms, utc_offset_min) + int(timedelta(days=1).total_seconds()) * 1000
