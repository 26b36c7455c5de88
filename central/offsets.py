"""What is known of a boot's clock, and what follows for the times of its facts. Pure; `central.clocks` keeps it.

A fact's stamp has a wall time, which may be wrong by any amount, and the monotonic time of a boot, which can't jump.
So for each boot one number is learnt, its offset: true wall time less monotonic time. In order of worth:

    ntp, centre   a hello's own trusted stamp, in keeping with the moment at which the hello came in
    heard         that moment alone: the offset is not above it, and at most HELLO_LATE_MS below
    stamp         a trusted stamp in a batch, from a boot that never said hello here
    order         nobody ever saw the boot trusted: its facts lie between their neighbours in the journal

A trusted stamp is believed, unless it is later than the moment at which it was booked or against what a hello has
shown; every other fact gets its boot's offset, and the error that this has there.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Final, NamedTuple

from wire.facts import Stamp, TimeSource

CENTRE_ERROR_MS: Final = 1_000  # the centre's clock is kept by NTP
HELLO_LATE_MS: Final = 60_000  # sessions are clean and a hello is sent anew: one that comes at all comes within this
DRIFT_PPM: Final = 200  # between monotonic and true time: crystals have 20 to 100
TRUSTED_ERROR_MAX_MS: Final = 600_000  # a stamp that may be wrong by more says nothing of its own
STEP_MS: Final = 1_000  # what NTP may slew away within a boot and both sides of it still agree
BOOT_BYTES: Final = 8
MS_MAX: Final = 2**53
ODD_BOOT: Final = b"no boot!"  # stands for boots whose name or monotonic time can't be


class Learnt(StrEnum):
    """How an offset is known."""

    NTP = "ntp"
    CENTRE = "centre"
    HEARD = "heard"
    STAMP = "stamp"
    ORDER = "order"


SHOWN_BY_HELLO: Final = frozenset({Learnt.NTP, Learnt.CENTRE, Learnt.HEARD})


BETTERED: Final = frozenset({Learnt.HEARD, Learnt.ORDER})  # by a trusted stamp in a batch


class Offset(NamedTuple):
    """True wall time less monotonic time, known at `mono_ms` to within `error_ms`."""

    offset_ms: int
    error_ms: int
    mono_ms: int
    source: str

    def error_at(self, mono_ms: int) -> int:
        return self.error_ms + abs(mono_ms - self.mono_ms) * DRIFT_PPM // 1_000_000

    def fits(self, stamp: Stamp) -> bool:
        """Whether a stamp's wall time is in keeping with this."""
        off_ms = abs(stamp.wall_ms - stamp.mono_ms - self.offset_ms)
        return off_ms <= self.error_at(stamp.mono_ms) + stamp.error_ms + STEP_MS


class Timed(NamedTuple):
    """When a fact happened, where its stamp is not believed."""

    at_ms: int
    error_ms: int


def sound(stamp: Stamp) -> Stamp:
    """The stamp, or where its boot can't be: its wall time under a boot that stands still."""
    if len(stamp.boot) == BOOT_BYTES and 0 <= stamp.mono_ms <= MS_MAX and 0 <= stamp.error_ms <= MS_MAX:
        return stamp
    return Stamp(stamp.wall_ms, 0, ODD_BOOT, False)


def believed(stamp: Stamp, offset: Offset | None, now_ms: int) -> bool:
    """Whether a stamp's own wall time is taken. `now_ms`: when it was booked."""
    if not stamp.trusted or stamp.error_ms > TRUSTED_ERROR_MAX_MS:
        return False
    if stamp.wall_ms > now_ms + stamp.error_ms + CENTRE_ERROR_MS:
        return False
    return offset is None or offset.source not in SHOWN_BY_HELLO or offset.fits(stamp)


def timed(stamp: Stamp, offset: Offset, now_ms: int) -> Timed:
    """By the boot's offset; nothing happened after it was booked."""
    at_ms = stamp.mono_ms + offset.offset_ms
    return Timed(min(at_ms, now_ms), offset.error_at(stamp.mono_ms))


def shown_by(stamp: Stamp, now_ms: int) -> Offset:
    heard_ms = now_ms - stamp.mono_ms
    off_ms = stamp.wall_ms - stamp.mono_ms - heard_ms
    sure = stamp.trusted and stamp.error_ms <= TRUSTED_ERROR_MAX_MS
    if sure and -HELLO_LATE_MS - stamp.error_ms <= off_ms <= CENTRE_ERROR_MS + stamp.error_ms:
        source = Learnt.CENTRE if stamp.source == TimeSource.CENTRE else Learnt.NTP
        return Offset(stamp.wall_ms - stamp.mono_ms, stamp.error_ms, stamp.mono_ms, source.value)
    return Offset(heard_ms, HELLO_LATE_MS, stamp.mono_ms, Learnt.HEARD.value)


def plain(stamps: Sequence[tuple[int, Stamp]], boot: bytes) -> bool:
    """Whether all are of one boot, with nothing wrong in them: what nearly all batches are, told at once."""
    if len(boot) != BOOT_BYTES:
        return False
    for _, stamp in stamps:
        if stamp.boot != boot or not 0 <= stamp.mono_ms <= MS_MAX or not 0 <= stamp.error_ms <= MS_MAX:
            return False
    return True


def agree(stamps: Sequence[tuple[int, Stamp]], offset: Offset, now_ms: int) -> bool:
    """Whether all are trusted and in keeping with the offset, drift and their own errors left aside."""
    low_ms, high_ms = offset.offset_ms - offset.error_ms - STEP_MS, offset.offset_ms + offset.error_ms + STEP_MS
    for _, stamp in stamps:
        wall_ms = stamp.wall_ms
        if not stamp.trusted or stamp.error_ms > TRUSTED_ERROR_MAX_MS or wall_ms > now_ms:
            return False
        if not low_ms <= wall_ms - stamp.mono_ms <= high_ms:
            return False
    return True


class Run:
    """Facts of one boot that follow each other."""

    def __init__(self, seq: int, stamp: Stamp) -> None:
        self.boot, self.seq = stamp.boot, seq
        self.first_ms = self.last_ms = stamp.mono_ms
        self.claim_ms = stamp.wall_ms - stamp.mono_ms
        self.best: Stamp | None = None  # its trusted stamp with the smallest error

    def take(self, stamp: Stamp, now_ms: int) -> None:
        self.first_ms, self.last_ms = min(self.first_ms, stamp.mono_ms), max(self.last_ms, stamp.mono_ms)
        if believed(stamp, None, now_ms) and (self.best is None or stamp.error_ms <= self.best.error_ms):
            self.best = stamp


def with_stamp(best: Stamp, old: Offset | None) -> Offset:
    """What a trusted stamp in a batch adds to what is known of its boot."""
    offset = Offset(best.wall_ms - best.mono_ms, best.error_ms, best.mono_ms, Learnt.STAMP.value)
    if old is None:
        return offset
    if old.source == Learnt.HEARD and old.fits(best) and best.error_ms < old.error_ms:
        source = Learnt.CENTRE if best.source == TimeSource.CENTRE else Learnt.NTP
        return offset._replace(source=source.value)
    return old


class Bound(NamedTuple):
    """What something in the journal's order can't be before, or after: for certain, and as it is booked."""

    sure_ms: int
    booked_ms: int


def by_order(
    runs: list[Run], offsets: dict[bytes, Offset], leasts: dict[bytes, int], before: Bound, now_ms: int
) -> dict[bytes, Offset]:
    """Offsets of boots that nobody saw trusted: between what came before and after them in the journal.

    `leasts`: what earlier facts of such a boot, booked before, bind its offset to.
    """
    lows: list[Bound] = []
    low = before
    for run in runs:
        offset = offsets.get(run.boot)
        lows.append(low)
        if offset is None:
            took_ms = run.last_ms - run.first_ms
            low = Bound(low.sure_ms + took_ms, low.booked_ms + took_ms)
        else:
            last_ms = run.last_ms + offset.offset_ms
            low = Bound(max(low.sure_ms, last_ms - offset.error_at(run.last_ms)), max(low.booked_ms, last_ms))
    highs: list[Bound] = []
    high = Bound(now_ms, now_ms)
    for run in reversed(runs):
        offset = offsets.get(run.boot)
        highs.append(high)
        if offset is None:
            took_ms = run.last_ms - run.first_ms
            high = Bound(high.sure_ms - took_ms, high.booked_ms - took_ms)
        else:
            first_ms = run.first_ms + offset.offset_ms
            high = Bound(min(high.sure_ms, first_ms + offset.error_at(run.first_ms)), min(high.booked_ms, first_ms))
    found: dict[bytes, Offset] = {}
    after_ms = before.booked_ms
    for run, low, high in zip(runs, lows, reversed(highs), strict=True):
        if run.boot not in offsets:
            least_ms = max(low.sure_ms - run.first_ms, leasts.get(run.boot, low.sure_ms - run.first_ms))
            from_ms = max(low.booked_ms, after_ms) - run.first_ms
            found[run.boot] = _between(run.claim_ms, (from_ms, high.booked_ms - run.last_ms), least_ms, high, run)
            after_ms = run.last_ms + found[run.boot].offset_ms
    return found


def _between(claim_ms: int, booked: tuple[int, int], least_ms: int, high: Bound, run: Run) -> Offset:
    """What a boot claims of itself, as far as its neighbours let it; the error covers all that they leave open."""
    most_ms = high.sure_ms - run.last_ms
    offset_ms = min(max(claim_ms, booked[0]), booked[1])
    error_ms = max(most_ms - offset_ms, offset_ms - least_ms, 0)
    return Offset(offset_ms, error_ms, run.last_ms, Learnt.ORDER.value)
