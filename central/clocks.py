"""When it happened, whatever the unit's clock said (DESIGN, 'Clocks').

A fact's stamp has a wall time, which may be wrong by any amount, and the monotonic time of a boot, which can't jump.
So for each boot one number is learnt, its offset: true wall time less monotonic time. In order of worth:

    ntp, centre   a hello's own trusted stamp, in keeping with the moment at which the hello came in
    heard         that moment alone: the offset is not above it, and at most HELLO_LATE_MS below
    stamp         a trusted stamp in a batch, from a boot that never said hello here
    order         nobody ever saw the boot trusted: its facts lie between their neighbours in the journal

A trusted stamp is believed, unless it is later than the moment at which it was booked or against what a hello has
shown; every other fact gets its boot's offset, the error that this has there, and the flag CLOCK_CORRECTED. What was
booked before the offset was known waits in `boot_spans` and is corrected in steps (`central.correction`). The raw
stamp stays in the fact, and its wall time in `redemptions.wall_ms`.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, insert, select, update

from central.db import bulk
from central.db.schema import boot_spans, boots, devices
from central.registry import Device
from wire.facts import Stamp, TimeSource, decode_fact

CENTRE_ERROR_MS: Final = 1_000  # the centre's clock is kept by NTP
HELLO_LATE_MS: Final = 60_000  # sessions are clean and a hello is sent anew: one that comes at all comes within this
DRIFT_PPM: Final = 200  # between monotonic and true time: crystals have 20 to 100
TRUSTED_ERROR_MAX_MS: Final = 600_000  # a stamp that may be wrong by more says nothing of its own
STEP_MS: Final = 1_000  # what NTP may slew away within a boot and both sides of it still agree
NOTEWORTHY_MS: Final = 100  # what is learnt again is not worth a write below this
REFRESH_MS: Final = 600_000  # what is known of a boot is renewed so often
BOOT_BYTES: Final = 8
MS_MAX: Final = 2**53
_KNOWN: Final = (
    "SELECT b.id, b.boot, b.offset_ms, b.error_ms, b.mono_ms, b.source, s.first_seq FROM boots b "
    "LEFT JOIN boot_spans s ON s.boot_id = b.id AND s.epoch_id = ? WHERE b.device_id = ? AND b.boot IN "
)
_LAST_BEFORE: Final = (
    "SELECT at_ms, at_error_ms FROM redemptions WHERE epoch_id = ? AND seq < ? ORDER BY seq DESC LIMIT 1"
)
_BOOT_BEFORE: Final = (
    "SELECT b.id, b.boot, b.offset_ms, b.error_ms, b.mono_ms, b.source, s.first_seq FROM boot_spans s "
    "JOIN boots b ON b.id = s.boot_id WHERE s.epoch_id = ? AND s.first_seq < ? ORDER BY s.first_seq DESC LIMIT 1"
)
_ODD_BOOT: Final = b"no boot!"  # stands for boots whose name or monotonic time can't be


class Learnt(StrEnum):
    """How an offset is known."""

    NTP = "ntp"
    CENTRE = "centre"
    HEARD = "heard"
    STAMP = "stamp"
    ORDER = "order"


SHOWN_BY_HELLO: Final = frozenset({Learnt.NTP, Learnt.CENTRE, Learnt.HEARD})


_BETTERED: Final = frozenset({Learnt.HEARD, Learnt.ORDER})  # by a trusted stamp in a batch


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


class _Known(NamedTuple):
    id: int
    offset: Offset
    first_seq: int | None  # of its first fact in this epoch; None: it has none there yet

    @property
    def settled(self) -> bool:
        """Whether a batch has nothing to add: the boot is in `boot_spans`, and no trusted stamp would say more."""
        return self.first_seq is not None and self.offset.source not in _BETTERED


def sound(stamp: Stamp) -> Stamp:
    """The stamp, or where its boot can't be: its wall time under a boot that stands still."""
    if len(stamp.boot) == BOOT_BYTES and 0 <= stamp.mono_ms <= MS_MAX and 0 <= stamp.error_ms <= MS_MAX:
        return stamp
    return Stamp(stamp.wall_ms, 0, _ODD_BOOT, False)


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


# --- what a hello shows --------------------------------------------------------------------------------


def greeted(connection: Connection, device: Device, stamp: Stamp, now_ms: int) -> None:
    """A unit has said hello at `now_ms`, and what its clocks showed as it did."""
    stamp = sound(stamp)
    if stamp.boot == _ODD_BOOT:
        return
    known = _known(connection, device.id, None, {stamp.boot}).get(stamp.boot)
    shown = _shown(stamp, now_ms)
    if known is None:
        _put(connection, device.id, stamp.boot, shown)
        return
    old = known.offset
    if shown.source == Learnt.HEARD:
        fits = -HELLO_LATE_MS <= old.offset_ms - shown.offset_ms <= old.error_at(stamp.mono_ms) + STEP_MS
        if fits and old.source == Learnt.STAMP:
            shown = old._replace(source=Learnt.NTP.value)  # nobody had confirmed it: now it is
        elif fits and old.source == Learnt.HEARD:
            if shown.offset_ms > old.offset_ms - NOTEWORTHY_MS:
                return  # this hello was under way for longer
        elif fits and old.source != Learnt.ORDER:
            return  # what is known is better
    elif old.source in (shown.source, Learnt.NTP) and old.fits(stamp):
        fresher = abs(stamp.mono_ms - old.mono_ms) >= REFRESH_MS or shown.error_ms < old.error_ms // 2
        if old.source != shown.source or not fresher:
            return
    _change(connection, known, shown)


def _shown(stamp: Stamp, now_ms: int) -> Offset:
    heard_ms = now_ms - stamp.mono_ms
    off_ms = stamp.wall_ms - stamp.mono_ms - heard_ms
    sure = stamp.trusted and stamp.error_ms <= TRUSTED_ERROR_MAX_MS
    if sure and -HELLO_LATE_MS - stamp.error_ms <= off_ms <= CENTRE_ERROR_MS + stamp.error_ms:
        source = Learnt.CENTRE if stamp.source == TimeSource.CENTRE else Learnt.NTP
        return Offset(stamp.wall_ms - stamp.mono_ms, stamp.error_ms, stamp.mono_ms, source.value)
    return Offset(heard_ms, HELLO_LATE_MS, stamp.mono_ms, Learnt.HEARD.value)


# --- a batch -------------------------------------------------------------------------------------------


def settle(
    connection: Connection, device: Device, epoch_id: int, stamps: Sequence[tuple[int, Stamp]], now_ms: int
) -> dict[int, Timed]:
    """The times of a batch's facts, by number, of those whose own stamp is not believed.

    `stamps` are (number, stamp) in the journal's order. Learns the boots that it meets. Two statements, and a few more
    for a batch with a boot that is new.
    """
    first = stamps[0][1]
    if _plain(stamps, first.boot):
        known = _known(connection, device.id, epoch_id, {first.boot})
        one = known.get(first.boot)
        if one is not None and one.settled and _agree(stamps, one.offset, now_ms):
            return {}
    else:
        stamps = [(seq, sound(stamp)) for seq, stamp in stamps]
        known = _known(connection, device.id, epoch_id, {stamp.boot for _, stamp in stamps})
    offsets = {boot: one.offset for boot, one in known.items()}
    if any(stamp.boot not in known for _, stamp in stamps) or not all(one.settled for one in known.values()):
        offsets = _learn(connection, device, epoch_id, stamps, now_ms, known)
    out: dict[int, Timed] = {}
    for seq, stamp in stamps:
        offset = offsets[stamp.boot]
        if not believed(stamp, offset, now_ms):
            out[seq] = timed(stamp, offset, now_ms)
    return out


def _plain(stamps: Sequence[tuple[int, Stamp]], boot: bytes) -> bool:
    """Whether all are of one boot, with nothing wrong in them: what nearly all batches are, told at once."""
    if len(boot) != BOOT_BYTES:
        return False
    for _, stamp in stamps:
        if stamp.boot != boot or not 0 <= stamp.mono_ms <= MS_MAX or not 0 <= stamp.error_ms <= MS_MAX:
            return False
    return True


def _agree(stamps: Sequence[tuple[int, Stamp]], offset: Offset, now_ms: int) -> bool:
    """Whether all are trusted and in keeping with the offset, drift and their own errors left aside."""
    low_ms, high_ms = offset.offset_ms - offset.error_ms - STEP_MS, offset.offset_ms + offset.error_ms + STEP_MS
    for _, stamp in stamps:
        wall_ms = stamp.wall_ms
        if not stamp.trusted or stamp.error_ms > TRUSTED_ERROR_MAX_MS or wall_ms > now_ms:
            return False
        if not low_ms <= wall_ms - stamp.mono_ms <= high_ms:
            return False
    return True


class _Run:
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


def _learn(
    connection: Connection,
    device: Device,
    epoch_id: int,
    stamps: Sequence[tuple[int, Stamp]],
    now_ms: int,
    known: dict[bytes, _Known],
) -> dict[bytes, Offset]:
    """The offsets of the boots in a batch, where something about them is new."""
    runs: list[_Run] = []
    for seq, stamp in stamps:
        if not runs or runs[-1].boot != stamp.boot:
            runs.append(_Run(seq, stamp))
        runs[-1].take(stamp, now_ms)
    offsets = {boot: one.offset for boot, one in known.items() if one.offset.source != Learnt.ORDER}
    for run in runs:
        if run.best is not None:
            offsets[run.boot] = _with(run.best, offsets.get(run.boot))
    unknown = {run.boot for run in runs if run.boot not in offsets}
    if unknown:
        leasts: dict[bytes, int] = {}
        for run in runs:
            old = known.get(run.boot)
            if run.boot in unknown and old is not None:  # told before, and never seen trusted
                run.claim_ms = old.offset.offset_ms
                if old.first_seq is not None:
                    leasts[run.boot] = _least(connection, device, epoch_id, old.first_seq)
        before = _before(connection, device, epoch_id, runs[0].seq)
        offsets |= _by_order(runs, offsets, leasts, before, now_ms)
    _tighten(connection, device, epoch_id, runs[0], offsets)
    spans: list[tuple[Any, ...]] = []
    for run in {run.boot: run for run in reversed(runs)}.values():
        old = known.get(run.boot)
        if old is None:
            number = _put(connection, device.id, run.boot, offsets[run.boot])
        else:
            number = old.id
            if old.offset != offsets[run.boot]:
                _change(connection, old, offsets[run.boot])
        if old is None or old.first_seq is None:
            spans.append((epoch_id, number, run.seq, None))
    bulk.insert_rows(connection, boot_spans, ("epoch_id", "boot_id", "first_seq", "corrected"), spans)
    return offsets


def _with(best: Stamp, old: Offset | None) -> Offset:
    """What a trusted stamp in a batch adds to what is known of its boot."""
    offset = Offset(best.wall_ms - best.mono_ms, best.error_ms, best.mono_ms, Learnt.STAMP.value)
    if old is None:
        return offset
    if old.source == Learnt.HEARD and old.fits(best) and best.error_ms < old.error_ms:
        source = Learnt.CENTRE if best.source == TimeSource.CENTRE else Learnt.NTP
        return offset._replace(source=source.value)
    return old


class _Bound(NamedTuple):
    """What something in the journal's order can't be before, or after: for certain, and as it is booked."""

    sure_ms: int
    booked_ms: int


def _by_order(
    runs: list[_Run], offsets: dict[bytes, Offset], leasts: dict[bytes, int], before: _Bound, now_ms: int
) -> dict[bytes, Offset]:
    """Offsets of boots that nobody saw trusted: between what came before and after them in the journal.

    `leasts`: what earlier facts of such a boot, booked before, bind its offset to.
    """
    lows: list[_Bound] = []
    low = before
    for run in runs:
        offset = offsets.get(run.boot)
        lows.append(low)
        if offset is None:
            took_ms = run.last_ms - run.first_ms
            low = _Bound(low.sure_ms + took_ms, low.booked_ms + took_ms)
        else:
            last_ms = run.last_ms + offset.offset_ms
            low = _Bound(max(low.sure_ms, last_ms - offset.error_at(run.last_ms)), max(low.booked_ms, last_ms))
    highs: list[_Bound] = []
    high = _Bound(now_ms, now_ms)
    for run in reversed(runs):
        offset = offsets.get(run.boot)
        highs.append(high)
        if offset is None:
            took_ms = run.last_ms - run.first_ms
            high = _Bound(high.sure_ms - took_ms, high.booked_ms - took_ms)
        else:
            first_ms = run.first_ms + offset.offset_ms
            high = _Bound(min(high.sure_ms, first_ms + offset.error_at(run.first_ms)), min(high.booked_ms, first_ms))
    found: dict[bytes, Offset] = {}
    after_ms = before.booked_ms
    for run, low, high in zip(runs, lows, reversed(highs), strict=True):
        if run.boot not in offsets:
            least_ms = max(low.sure_ms - run.first_ms, leasts.get(run.boot, low.sure_ms - run.first_ms))
            from_ms = max(low.booked_ms, after_ms) - run.first_ms
            found[run.boot] = _between(run.claim_ms, (from_ms, high.booked_ms - run.last_ms), least_ms, high, run)
            after_ms = run.last_ms + found[run.boot].offset_ms
    return found


def _between(claim_ms: int, booked: tuple[int, int], least_ms: int, high: _Bound, run: _Run) -> Offset:
    """What a boot claims of itself, as far as its neighbours let it; the error covers all that they leave open."""
    most_ms = high.sure_ms - run.last_ms
    offset_ms = min(max(claim_ms, booked[0]), booked[1])
    error_ms = max(most_ms - offset_ms, offset_ms - least_ms, 0)
    return Offset(offset_ms, error_ms, run.last_ms, Learnt.ORDER.value)


def _before(connection: Connection, device: Device, epoch_id: int, seq: int) -> _Bound:
    """What the facts from number `seq` of an epoch on can't be before."""
    row: Any = bulk.run(connection, _LAST_BEFORE, (epoch_id, seq)).first()
    if row is not None:
        return _Bound(row[0] - row[1], row[0])
    enrolled = select(devices.c.enrolled_ms).where(devices.c.id == device.id)
    known_ms = int(connection.execute(enrolled).scalar_one())  # before that it knew no coupon
    return _Bound(known_ms, known_ms)


def _least(connection: Connection, device: Device, epoch_id: int, first_seq: int) -> int:
    """The least offset that a boot can have, by what came before its first fact in this epoch."""
    body = bulk.run(connection, "SELECT body FROM facts WHERE epoch_id = ? AND seq = ?", (epoch_id, first_seq))
    stamp = sound(decode_fact(bytes(body.scalar_one())).at)
    return _before(connection, device, epoch_id, first_seq).sure_ms - stamp.mono_ms


def _tighten(connection: Connection, device: Device, epoch_id: int, first: _Run, offsets: dict[bytes, Offset]) -> None:
    """What a batch begins with bounds the boot with which the one before it ended, if that is known by order alone."""
    row: Any = bulk.run(connection, _BOOT_BEFORE, (epoch_id, first.seq)).first()
    if row is None or row.source != Learnt.ORDER or row.boot == first.boot:
        return
    after = offsets[first.boot]
    began_ms = first.first_ms + after.offset_ms
    most_ms = began_ms + after.error_at(first.first_ms) - row.mono_ms
    least_ms = _least(connection, device, epoch_id, row.first_seq)
    offset_ms = min(row.offset_ms, began_ms - row.mono_ms)
    new = Offset(offset_ms, max(most_ms - offset_ms, offset_ms - least_ms, 0), row.mono_ms, Learnt.ORDER.value)
    old = Offset(row.offset_ms, row.error_ms, row.mono_ms, row.source)
    if new.error_ms < old.error_ms or offset_ms < old.offset_ms:
        _change(connection, _Known(row.id, old, row.first_seq), new)


# --- the table -----------------------------------------------------------------------------------------


def _known(connection: Connection, device_id: int, epoch_id: int | None, names: set[bytes]) -> dict[bytes, _Known]:
    rows: Any = bulk.run(connection, _KNOWN + bulk.among(len(names)), (epoch_id, device_id, *names))
    return {
        bytes(boot): _Known(number, Offset(offset_ms, error_ms, mono_ms, source), first_seq)
        for number, boot, offset_ms, error_ms, mono_ms, source, first_seq in rows
    }


def _put(connection: Connection, device_id: int, boot: bytes, offset: Offset) -> int:
    row = insert(boots).values(device_id=device_id, boot=boot, **offset._asdict())
    key = connection.execute(row).inserted_primary_key
    assert key is not None
    return int(key[0])


def _change(connection: Connection, old: _Known, new: Offset) -> None:
    """Something better is known of a boot; where it matters, what was booked of it is to be corrected."""
    connection.execute(update(boots).where(boots.c.id == old.id).values(**new._asdict()))
    agree = abs(new.offset_ms - old.offset.offset_ms) <= STEP_MS
    if agree and new.error_ms >= old.offset.error_ms - STEP_MS:
        return
    connection.execute(
        update(boot_spans).where(boot_spans.c.boot_id == old.id).values(corrected=boot_spans.c.first_seq - 1)
    )
