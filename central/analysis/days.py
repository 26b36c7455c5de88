"""The day and the hour of an instant where the shops are: one offset for the whole centre (`central.utc_offset_min`).

A day is its number since 1970-01-01, so that it is the same whole number in every database.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import Final

from loyalty.campaign import DAY_MS

MINUTE_MS: Final = 60_000
HOUR_MS: Final = 60 * MINUTE_MS
_EPOCH: Final = date(1970, 1, 1)


def of(at_ms: int, offset_min: int) -> int:
    """The number of the local day of an instant."""
    return (at_ms + offset_min * MINUTE_MS) // DAY_MS


def starts_ms(day: int, offset_min: int) -> int:
    """The first instant of a local day."""
    return day * DAY_MS - offset_min * MINUTE_MS


def read(text: str) -> int:
    """'2026-07-30' as a day. Raises ValueError."""
    return (date.fromisoformat(text) - _EPOCH).days


def shown(day: int) -> str:
    """A day as '2026-07-30'; one that no calendar has (a clock was wrong) as its number."""
    try:
        return (_EPOCH + timedelta(days=day)).isoformat()
    except OverflowError:
        return str(day)
