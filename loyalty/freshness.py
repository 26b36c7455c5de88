"""Whether a moving code (`TK2:`) was on the phone's screen just now, as far as the clocks can tell.

A step counts while the phone shows it and for `LATE_MS` after, which covers the moment between the screen and the
camera, and for the error of the phone's clock (`PHONE_ERROR_MS`) on both sides. By a trusted clock a step outside
that by more than the clock's own error is certainly stale. What is in doubt, and everything by a clock that is
not trusted, follows the campaign's clock rule, as its dates do; what was accepted so is flagged.
"""

from __future__ import annotations

from typing import Final

from loyalty.barcode.moving import STEP_S
from loyalty.campaign import ClockRule
from loyalty.coupon import Now
from loyalty.reason import Reason

STEP_MS: Final = STEP_S * 1000
LATE_MS: Final = STEP_MS
PHONE_ERROR_MS: Final = 5_000  # phones set their clocks by the network
ON_THE_WAY_MS: Final = (
    20_000  # how much later the centre may be asked about it: a card was put in, an answer waited for
)


def window_ms(step: int, on_the_way_ms: int = 0) -> tuple[int, int]:
    """The first instant at which the step counts, and the first after that at which it does not."""
    shown_ms = step * STEP_MS
    return shown_ms - PHONE_ERROR_MS, shown_ms + STEP_MS + LATE_MS + PHONE_ERROR_MS + on_the_way_ms


def judge(step: int, last_step: int, rule: ClockRule, now: Now, on_the_way_ms: int = 0) -> tuple[Reason | None, bool]:
    """(why it does not count, whether the clock left it open). `last_step`: the newest that counted here before."""
    if step <= last_step:
        return Reason.STALE, False
    first_ms, end_ms = window_ms(step, on_the_way_ms)
    if now.trusted:
        earliest_ms, latest_ms = now.wall_ms - now.error_ms, now.wall_ms + now.error_ms
        if earliest_ms >= end_ms or latest_ms < first_ms:
            return Reason.STALE, False
        if earliest_ms >= first_ms and latest_ms < end_ms:
            return None, False
        if rule is ClockRule.ACCEPT and not first_ms <= now.wall_ms < end_ms:
            return Reason.STALE, True
    return (Reason.CLOCK_UNTRUSTED, True) if rule is ClockRule.REFUSE else (None, True)
