"""A store that SQLite calls corrupt: set it aside, read out of it what can be read, and begin a new epoch.

The damaged files are moved into a folder of their own and never deleted or written again. Facts are found by
looking at every page of the file and of its write-ahead log, without trusting the tree that connects them:
a row of the journal is known by its shape, by decoding as a fact, and by the hash chain. What was not yet
acknowledged follows in a new epoch whose first fact says so; the centre books none of it twice, because a
carried fact whose bytes it has already booked is the same fact.

A salvage that is interrupted is taken up again: a file in the folder says that it is not finished until the new store,
which names that folder, is committed. The damaged store must be closed before: SQLite deletes a log by its name, so
one that is closed later takes the log of the store that stands there then.

The file format is stated at sqlite.org/fileformat2.html: pages of a table b-tree begin with 0x0D; a row is
(payload length, rowid, header length, serial types, columns).
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Final

import msgspec

from edge_agent.store.connection import StoreCorrupt
from edge_agent.store.store import FILE_NAME, Store, epoch_beside
from wire.chain import EPOCH_BYTES, HASH_BYTES
from wire.facts import EpochOpened, Fact, Stamp, decode_fact

PAGE_BYTES: Final = 4096  # what SQLite makes by default; we never change it
_LEAF: Final = 0x0D
_WAL_HEADER: Final = 32
_FRAME_HEADER: Final = 24
SET_ASIDE_MAX: Final = 10_000
UNFINISHED: Final = "unfinished"  # an empty file in the folder of a salvage that is under way
SUFFIXES: Final = ("-wal", "-shm", "")  # the file itself last: once it is moved all are


class Found(msgspec.Struct, frozen=True):
    """A fact that was read out of a damaged file."""

    position: int
    hash: bytes
    body: bytes
    fact: Fact


class Salvage(msgspec.Struct, frozen=True):
    """What a damaged store still had."""

    folder: Path  # where the damaged files are now
    previous: bytes  # its epoch, as far as known
    acked: int  # the cursor of that epoch, as far as known
    carried: tuple[Found, ...]  # facts after the cursor, in order
    unverified: int  # of these: the fact before is missing, so the chain can't vouch for them


def set_aside(folder: Path) -> Path:
    """Move the store's files into a new folder beside them, or the rest of them into that of an interrupted salvage."""
    aside = _under_way(folder) or _new_aside(folder)
    if not (aside / FILE_NAME).exists():
        for suffix in SUFFIXES:
            file = folder / (FILE_NAME + suffix)
            if file.exists():
                file.rename(aside / file.name)
    else:  # it was moved before; what lies here was begun and never committed
        for suffix in SUFFIXES:
            (folder / (FILE_NAME + suffix)).unlink(missing_ok=True)
    _flush(aside)
    _flush(folder)
    return aside


def interrupted(folder: Path) -> bool:
    """Whether a salvage was begun here whose new store was never committed. Raises StoreError."""
    aside = _under_way(folder)
    if aside is None:
        return False
    if (aside / FILE_NAME).exists() and (folder / FILE_NAME).exists() and _salvaged_from(folder) == aside.name:
        finish(folder)
        return False
    return True


def finish(folder: Path) -> None:
    """What was set aside needs nothing more: what stands here now goes on."""
    aside = _under_way(folder)
    if aside is not None:
        (aside / UNFINISHED).unlink()
        _flush(aside)


def _new_aside(folder: Path) -> Path:
    for number in range(1, SET_ASIDE_MAX):
        aside = folder / f"damaged-{number}"
        if not aside.exists():
            aside.mkdir()
            (aside / UNFINISHED).touch()
            _flush(aside)
            _flush(folder)
            return aside
    raise OSError(f"{folder} holds {SET_ASIDE_MAX} damaged stores: look at them")


def _under_way(folder: Path) -> Path | None:
    marker = next(folder.glob(f"damaged-*/{UNFINISHED}"), None)
    return marker.parent if marker is not None else None


def _salvaged_from(folder: Path) -> str:
    """The folder that the store here was salvaged from; empty: none, or it can't be read."""
    try:
        store = Store(folder)
    except StoreCorrupt:
        return ""
    try:
        return str(store.cache.meta("salvaged", ""))
    finally:
        store.close()


def _flush(folder: Path) -> None:
    """The entries of a folder are on the disk for good."""
    number = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def examine(aside: Path, folder: Path) -> Salvage:
    """Read the damaged files in `aside`; `folder` holds the identity that survived them."""
    previous = epoch_beside(folder)
    found: dict[int, Found] = {}
    base, acked = 0, 0
    for page in _pages(aside / FILE_NAME):
        for rowid, columns in _rows(page):
            fact = _as_fact(rowid, columns)
            if fact is not None:
                found[rowid] = fact
            elif (epoch := _as_epoch(columns)) is not None and _newer(epoch, (previous, base, acked)):
                previous, base, acked = epoch
    rows = [found[position] for position in sorted(found)]
    waiting, seen = [], {row.body for row in rows if row.position <= base + acked}
    for row in rows:
        if row.body not in seen and not isinstance(row.fact, EpochOpened):
            seen.add(row.body)
            waiting.append(row)
    unverified = sum(not _vouched(row, found.get(row.position - 1)) for row in waiting)
    return Salvage(aside, previous, acked, tuple(waiting), unverified)


def salvage(folder: Path, device: str, epoch: bytes, at: Stamp) -> tuple[Store, Salvage]:
    """Set the damaged store, which is closed, aside and open a new one that carries on.

    Raises StoreError or OSError if that fails too: then it is to be tried again, and nothing is lost.
    """
    aside = set_aside(folder)
    result = examine(aside, folder)
    store = Store(folder, device)
    try:
        _carry_on(store, result, epoch, at)
        store.write_identity()
        finish(folder)
    except BaseException:
        store.close()
        raise
    return store, result


def _carry_on(store: Store, result: Salvage, epoch: bytes, at: Stamp) -> None:
    detail = (
        f"{len(result.carried)} facts found after {result.acked}, {result.unverified} of them without their predecessor"
    )
    with store.transaction():
        store.cache.set_meta("device", store.device)
        store.cache.set_meta("salvaged", result.folder.name)
        store.journal.start(epoch)
        opened = EpochOpened(at, "salvaged", result.previous, result.acked, len(result.carried), detail)
        # A shopper may have seen these yeses: when in doubt the answer to a second scan is no.
        store.journal.append([opened, *(row.fact for row in result.carried)], shown=True)


def _newer(epoch: tuple[bytes, int, int], than: tuple[bytes, int, int]) -> bool:
    """Pages of older states lie in the file too: the highest cursor of the right epoch is the newest."""
    return not than[0] or (epoch[0] == than[0] and epoch[2] >= than[2])


def _vouched(row: Found, before: Found | None) -> bool:
    return before is not None and sha256(before.hash + row.body).digest() == row.hash


def _as_fact(rowid: int, columns: list[object]) -> Found | None:
    if len(columns) != 4 or columns[0] is not None or not isinstance(columns[1], int):
        return None
    digest, body = columns[2], columns[3]
    if not (isinstance(digest, bytes) and len(digest) == HASH_BYTES and isinstance(body, bytes)):
        return None
    try:
        return Found(rowid, digest, body, decode_fact(body))
    except (msgspec.DecodeError, ValueError):
        return None


def _as_epoch(columns: list[object]) -> tuple[bytes, int, int] | None:
    """(epoch, base, acked) of the open epoch's row."""
    if len(columns) != 6 or columns[0] is not None or columns[3] is not None:
        return None
    epoch, base, acked = columns[1], columns[2], columns[4]
    if isinstance(epoch, bytes) and len(epoch) == EPOCH_BYTES and isinstance(base, int) and isinstance(acked, int):
        return epoch, base, acked
    return None


def _pages(file: Path) -> Iterator[bytes]:
    """Every page of the file, then every page of its write-ahead log, oldest first."""
    try:
        with file.open("rb") as pages:
            while len(page := pages.read(PAGE_BYTES)) == PAGE_BYTES:
                yield page
    except FileNotFoundError:
        return
    log = file.with_name(file.name + "-wal")
    if not log.exists():
        return
    with log.open("rb") as frames:
        header = frames.read(_WAL_HEADER)
        while len(frame := frames.read(_FRAME_HEADER)) == _FRAME_HEADER:
            page = frames.read(PAGE_BYTES)
            if len(page) < PAGE_BYTES or frame[8:16] != header[16:24]:
                return  # frames of an older log follow
            yield page


def _rows(page: bytes) -> Iterator[tuple[int, list[object]]]:
    """The rows of a table leaf page that make sense; rows that spill over to other pages are left out."""
    if page[0] != _LEAF:
        return
    for index in range(min(int.from_bytes(page[3:5], "big"), PAGE_BYTES // 4)):
        at = int.from_bytes(page[8 + 2 * index : 10 + 2 * index], "big")
        try:
            row = _row(page, at)
        except (IndexError, ValueError):
            continue
        if row is not None:
            yield row


def _row(page: bytes, at: int) -> tuple[int, list[object]] | None:
    length, at = _varint(page, at)
    rowid, at = _varint(page, at)
    end = at + length
    if end > len(page):
        return None
    header_bytes, cursor = _varint(page, at)
    header_end = at + header_bytes
    value_at = header_end
    columns: list[object] = []
    while cursor < header_end:
        kind, cursor = _varint(page, cursor)
        value, value_at = _column(page, value_at, kind)
        columns.append(value)
    return (rowid, columns) if value_at == end else None


def _column(page: bytes, at: int, kind: int) -> tuple[object, int]:
    if kind == 0:
        return None, at
    if kind in (8, 9):
        return kind - 8, at
    if kind <= 6:
        width = (0, 1, 2, 3, 4, 6, 8)[kind]
        return int.from_bytes(page[at : at + width], "big", signed=True), at + width
    if kind == 7 or kind < 12:
        raise ValueError("a type that our tables do not have")
    width = (kind - 12) // 2
    value = page[at : at + width]
    return (value if kind % 2 == 0 else value.decode()), at + width


def _varint(page: bytes, at: int) -> tuple[int, int]:
    value = 0
    for step in range(9):
        byte = page[at + step]
        if step == 8:
            return (value << 8) | byte, at + 9
        value = (value << 7) | (byte & 0x7F)
        if not byte & 0x80:
            return value, at + step + 1
    raise AssertionError("unreachable: the ninth byte ends a varint")
