"""Is the centre in reach? Decided on evidence, with hysteresis. Pure.

A connection to the broker proves nothing about the centre behind it, so what counts is how long its answers take:
to questions, batches and probes (a probe is a hello that asks for nothing else).

    offline   the link goes; or BADS in a row: an answer that came later than the limit, or did not come within it
    online    GOODS in a row within the limit, with the link up, and not before the hold is over

The hold after a fall is HOLD_FIRST_MS. A fall soon after the last return doubles it, up to HOLD_MAX_MS; each fall
from a steady time halves it again. So whatever the evidence, the state changes at most `changes_max(time)` times.

While offline a shopper is told 'not now' at once; while online a question waits for the limit at most, and for half
of it when the last answer was missed. Probes go out while nothing else gives evidence: so a centre that dies behind a
broker that lives is found out within `found_out_ms(limit)`.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

import msgspec

BADS: Final = 2
GOODS: Final = 2
HOLD_FIRST_MS: Final = 2_000
HOLD_MAX_MS: Final = 64_000
STEADY_MS: Final = 60_000  # online for so long, a fall is no flapping
PROBE_EVERY_MS: Final = 30_000  # while online and without other evidence
PROBE_AGAIN_MS: Final = 1_000  # after one that was missed, or to be sure of a return
PROBE_OFFLINE_MS: Final = 5_000  # while the centre is silent


class Why(StrEnum):
    """What the last evidence was that decided."""

    STARTING = "starting"
    NO_LINK = "no_link"  # the broker is not connected
    SILENT = "silent"  # no answers within the limit
    ANSWERS = "answers"


class Reach(msgspec.Struct, frozen=True, kw_only=True):
    """What is known. Times are monotonic; `limit_ms` is how long a shopper may wait at most."""

    limit_ms: int
    link: bool = False
    online: bool = False
    why: Why = Why.STARTING
    goods: int = 0  # in a row
    bads: int = 0
    changed_ms: int = 0
    hold_ms: int = 0
    probe_ms: int | None = None  # when the next probe is due; None: none makes sense

    # --- evidence ------------------------------------------------------------------------------------

    def linked(self, up: bool, now_ms: int) -> Reach:
        """The connection to the broker came or went."""
        if up:
            return self.but(link=True, goods=0, bads=0, probe_ms=now_ms)
        fallen = self._fall(Why.NO_LINK, now_ms) if self.online else self.but(why=Why.NO_LINK)
        return fallen.but(link=False, goods=0, bads=0, probe_ms=None)

    def heard(self, took_ms: int, now_ms: int) -> Reach:
        """The centre answered something, after so long."""
        if not self.link:
            return self  # it was on its way as the link went
        if took_ms > self.limit_ms:
            return self.missed(now_ms)
        if self.online:
            return self.but(goods=GOODS, bads=0, probe_ms=now_ms + PROBE_EVERY_MS)
        goods, held_until_ms = min(self.goods + 1, GOODS), self.changed_ms + self.hold_ms
        if goods >= GOODS and now_ms >= held_until_ms:
            probe_ms = now_ms + PROBE_EVERY_MS
            return self.but(online=True, why=Why.ANSWERS, goods=goods, bads=0, changed_ms=now_ms, probe_ms=probe_ms)
        again_ms = now_ms if goods < GOODS else max(held_until_ms, now_ms + PROBE_AGAIN_MS)
        return self.but(goods=goods, bads=0, probe_ms=again_ms)

    def missed(self, now_ms: int) -> Reach:
        """An answer did not come within the limit, or came after it."""
        if not self.link:
            return self
        if not self.online:
            return self.but(why=Why.SILENT, goods=0, bads=BADS, probe_ms=now_ms + PROBE_OFFLINE_MS)
        if self.bads + 1 < BADS:
            return self.but(goods=0, bads=self.bads + 1, probe_ms=now_ms + PROBE_AGAIN_MS)
        return self._fall(Why.SILENT, now_ms).but(goods=0, bads=BADS, probe_ms=now_ms + PROBE_OFFLINE_MS)

    def stirred(self, now_ms: int) -> Reach:
        """The centre said something that nobody asked for: it lives, and is worth a probe at once."""
        if self.link and not self.online and self.probe_ms is not None and self.bads:
            return self.but(bads=0, probe_ms=min(self.probe_ms, now_ms))
        return self

    def probed(self, now_ms: int) -> Reach:
        """A probe has gone out; it will be heard or missed."""
        return self.but(probe_ms=now_ms + self.limit_ms + PROBE_OFFLINE_MS)

    def _fall(self, why: Why, now_ms: int) -> Reach:
        steady = now_ms - self.changed_ms >= STEADY_MS
        hold_ms = self.hold_ms // 2 if steady else self.hold_ms * 2
        hold_ms = max(HOLD_FIRST_MS, min(hold_ms, HOLD_MAX_MS))
        return self.but(online=False, why=why, changed_ms=now_ms, hold_ms=hold_ms)

    def but(self, **changes: object) -> Reach:
        return msgspec.structs.replace(self, **changes)

    # --- what it means -------------------------------------------------------------------------------

    @property
    def wait_ms(self) -> int:
        """How long a shopper's question may wait now; 0: not now, at once."""
        if not self.online:
            return 0
        return self.limit_ms // 2 if self.bads else self.limit_ms

    def probe_due(self, now_ms: int) -> bool:
        return self.probe_ms is not None and now_ms >= self.probe_ms


def found_out_ms(limit_ms: int) -> int:
    """Within this time a centre that answers nothing any more is known to be out of reach."""
    return PROBE_EVERY_MS + BADS * limit_ms + (BADS - 1) * PROBE_AGAIN_MS


def changes_max(time_ms: int) -> int:
    """The most changes within any such time, whatever the evidence.

    A fall from an unsteady time doubles the hold; from HOLD_MAX_MS on it takes that long. A steady time takes STEADY_MS
    and halves the hold once, which allows one more unsteady fall below the most.
    """
    doublings = (HOLD_MAX_MS // HOLD_FIRST_MS).bit_length()
    slow = time_ms // min(STEADY_MS, HOLD_MAX_MS) + 1
    return 2 * (doublings + 2 * slow + 1)
