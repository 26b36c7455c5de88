"""When it happened, whatever the unit's clock said (DESIGN, 'Clocks'): what is learnt of each boot, and from what.

`central.offsets` says what an offset is and which stamp is believed. Hellos and batches teach it; every fact whose own
stamp is not believed gets its boot's time and the flag CLOCK_CORRECTED. What was booked before the offset was known
waits in `boot_spans` and is corrected in steps (`central.correction`). The raw stamp stays in the fact, and its wall
time in `redemptions.wall_ms`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, insert, select, update

from central.db import bulk
from central.db.schema import boot_spans, boots, devices
from central.offsets import (
    BETTERED,
    HELLO_LATE_MS,
    ODD_BOOT,
    STEP_MS,
    Bound,
    Learnt,
    Offset,
    Run,
    Timed,
    agree,
    believed,
    by_order,
    plain,
    shown_by,
    sound,
    timed,
    with_stamp,
)
from central.registry import Device
from wire.facts import Stamp, decode_fact

NOTEWORTHY_MS: Final = 100  # what is learnt again is not worth a write below this
REFRESH_MS: Final = 600_000  # what is known of a boot is renewed so often
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


class _Known(NamedTuple):
    id: int
    offset: Offset
    first_seq: int | None  # of its first fact in this epoch; None: it has none there yet

    @property
    def settled(self) -> bool:
        """Whether a batch has nothing to add: the boot is in `boot_spans`, and no trusted stamp would say more."""
        return self.first_seq is not None and self.offset.source not in BETTERED


def greeted(connection: Connection, device: Device, stamp: Stamp, now_ms: int) -> None:
    """A unit has said hello at `now_ms`, and what its clocks showed as it did."""
    stamp = sound(stamp)
    if stamp.boot == ODD_BOOT:
        return
    known = _known(connection, device.id, None, {stamp.boot}).get(stamp.boot)
    shown = shown_by(stamp, now_ms)
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


def settle(
    connection: Connection, device: Device, epoch_id: int, stamps: Sequence[tuple[int, Stamp]], now_ms: int
) -> dict[int, Timed]:
    """The times of a batch's facts, by number, of those whose own stamp is not believed.

    `stamps` are (number, stamp) in the journal's order. Learns the boots that it meets. Two statements, and a few more
    for a batch with a boot that is new.
    """
    first = stamps[0][1]
    if plain(stamps, first.boot):
        known = _known(connection, device.id, epoch_id, {first.boot})
        one = known.get(first.boot)
        if one is not None and one.settled and agree(stamps, one.offset, now_ms):
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


def _learn(
    connection: Connection,
    device: Device,
    epoch_id: int,
    stamps: Sequence[tuple[int, Stamp]],
    now_ms: int,
    known: dict[bytes, _Known],
) -> dict[bytes, Offset]:
    """The offsets of the boots in a batch, where something about them is new."""
    runs: list[Run] = []
    for seq, stamp in stamps:
        if not runs or runs[-1].boot != stamp.boot:
            runs.append(Run(seq, stamp))
        runs[-1].take(stamp, now_ms)
    offsets = {boot: one.offset for boot, one in known.items() if one.offset.source != Learnt.ORDER}
    for run in runs:
        if run.best is not None:
            offsets[run.boot] = with_stamp(run.best, offsets.get(run.boot))
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
        offsets |= by_order(runs, offsets, leasts, before, now_ms)
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


def _before(connection: Connection, device: Device, epoch_id: int, seq: int) -> Bound:
    """What the facts from number `seq` of an epoch on can't be before."""
    row: Any = bulk.run(connection, _LAST_BEFORE, (epoch_id, seq)).first()
    if row is not None:
        return Bound(row[0] - row[1], row[0])
    enrolled = select(devices.c.enrolled_ms).where(devices.c.id == device.id)
    known_ms = int(connection.execute(enrolled).scalar_one())  # before that it knew no coupon
    return Bound(known_ms, known_ms)


def _least(connection: Connection, device: Device, epoch_id: int, first_seq: int) -> int:
    """The least offset that a boot can have, by what came before its first fact in this epoch."""
    body = bulk.run(connection, "SELECT body FROM facts WHERE epoch_id = ? AND seq = ?", (epoch_id, first_seq))
    stamp = sound(decode_fact(bytes(body.scalar_one())).at)
    return _before(connection, device, epoch_id, first_seq).sure_ms - stamp.mono_ms


def _tighten(connection: Connection, device: Device, epoch_id: int, first: Run, offsets: dict[bytes, Offset]) -> None:
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
