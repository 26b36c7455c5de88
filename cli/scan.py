"""`tokuten scan PICTURE...`: what each barcode in pictures is, and what a unit would answer to it (K5).

Nothing is written anywhere. With `--store` the unit's own store is opened for reading and asked by the unit's own
rules; without it, only what the text alone tells is said. A picture that can't be read is named on stderr, and
the rest goes on.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import msgspec
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from cli.exits import Exit, Stop
from loyalty import barcode
from loyalty.barcode import Shop
from loyalty.barcode.explain import explain
from loyalty.coupon import Now
from loyalty.reason import Reason

if TYPE_CHECKING:
    from edge_agent.store.preview import Preview
    from hal.decode.engines import Grey, Sighting

STDIN: Final = "-"
PICTURES_MAX: Final = 100_000  # of one call
PLAIN_WIDTH: Final = 160  # of the table, when it goes into a file or a pipe
EXITS: Final = (
    "Exit codes: 0 a barcode was found in every picture; 1 in at least one there was none; "
    "2 wrong use, or a picture can't be read (the others are still told); 4 the store is not there."
)


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One barcode: one line of `--json`."""

    file: str
    format: str
    text: str
    kind: str  # own, jan, trade, member, goods, other
    verdict: str | None  # a loyalty.reason.Reason; null: it takes a store to say (--store)
    says: list[str]  # what it is, its fields, or what is wrong with it and where


def scan(
    pictures: Annotated[
        list[str], typer.Argument(metavar="PICTURE", help="Picture files, folders (with all below), or - for stdin.")
    ],
    json: Annotated[
        bool, typer.Option("--json", help="One line for each barcode: file, format, text, kind, verdict, says.")
    ] = False,
    store: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Data folder of a unit: say what that unit would answer now."),
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option("--config", help="Settings file (TOML): its [unit.barcodes] are the shop's own codes."),
    ] = None,
) -> None:
    from hal.decode.engines import zbar_missing
    from hal.decode.picture import decode_image

    names = _expanded(pictures)
    preview = None if store is None else _preview(store)
    shop = Shop() if config is None else _shop(config)
    told: list[Row] = []
    bare = unreadable = 0
    now = Now(wall_ms=time.time_ns() // 1_000_000)
    try:
        for name, grey in _opened(names):
            if isinstance(grey, str):
                unreadable += 1
                _complain(f"{name}: {grey}")
                continue
            rows = [_row(name, seen, preview, now, shop) for seen in decode_image(grey, every=True)]
            bare += not rows
            if json:
                for row in rows:
                    typer.echo(msgspec.json.encode(row))
            else:
                told += rows
    finally:
        if preview is not None:
            preview.close()
    if not json:
        _table(told, len(names) - unreadable, bare)
        if zbar_missing():
            _complain(f"without the second engine: {zbar_missing()}")
    if unreadable:
        raise typer.Exit(Exit.USAGE)
    if bare:
        raise typer.Exit(Exit.NO)


scan.__doc__ = f"""Say what each barcode in pictures is, and what its verdict would be.

An unsigned linear code in a single picture is 'unconfirmed': a unit wants two frames that agree.

{EXITS}"""


def _shop(config: Path) -> Shop:
    """Raises SettingsError."""
    from cli.settings import load
    from edge_agent.settings import UnitSettings

    return load("unit", UnitSettings, config).shop


_KINDS: Final[dict[type, str]] = {
    barcode.Own: "own",
    barcode.Jan: "jan",
    barcode.Trade: "trade",
    barcode.Member: "member",
    barcode.Priced: "goods",
    barcode.Item: "goods",
}


def _row(name: str, seen: Sighting, preview: Preview | None, now: Now, shop: Shop) -> Row:
    from hal.decode.formats import STRONG

    reading = barcode.read(seen.text, seen.format.value, shop)
    kind = _KINDS.get(type(reading), "other")
    verdict: str | None = None
    if isinstance(reading, barcode.NotACoupon):
        verdict = reading.reason.value
    elif preview is not None:
        confirmed = seen.format in STRONG
        verdict = preview.verdict(seen.text, seen.format.value, now, confirmed=confirmed, shop=shop).reason.value
    elif isinstance(reading, barcode.Member | barcode.Priced | barcode.Item):
        verdict = Reason.NOT_A_COUPON.value
    elif isinstance(reading, barcode.Jan | barcode.Trade) and seen.format not in STRONG:
        verdict = Reason.UNCONFIRMED.value
    text = readable(seen.text)
    return Row(file=name, format=seen.format.value, text=text, kind=kind, verdict=verdict, says=explain(reading))


def readable(text: bytes) -> str:
    """As it stands, if it is UTF-8; else with every other byte as \\xNN."""
    try:
        return text.decode()
    except UnicodeDecodeError:
        return text.decode("ascii", "backslashreplace")


def _preview(folder: Path) -> Preview:
    """Raises Stop."""
    from edge_agent.store.connection import StoreError
    from edge_agent.store.preview import Preview

    try:
        return Preview(folder)
    except StoreError as error:
        raise Stop(f"{folder}: {error}", Exit.MISSING) from error


def _expanded(names: list[str]) -> list[str]:
    """Folders replaced by the pictures below them, in order. Raises Stop."""
    from hal.decode.open_picture import SUFFIXES

    out: list[str] = []
    for name in names:
        path = Path(name)
        if name == STDIN or not path.is_dir():
            out.append(name)
            continue
        below = sorted(file for file in path.rglob("*") if file.suffix.lower() in SUFFIXES and file.is_file())
        if not below:
            raise Stop(f"{name}: no picture in this folder", Exit.USAGE)
        out += [str(file) for file in below]
    if out.count(STDIN) > 1:
        raise Stop("stdin (-) can be read once", Exit.USAGE)
    if len(out) > PICTURES_MAX:
        raise Stop(f"{len(out)} pictures; {PICTURES_MAX} are the most for one call", Exit.USAGE)
    return out


def _opened(names: list[str]) -> Iterator[tuple[str, Grey | str]]:
    """Each picture, or why it can't be read; with a progress bar, if a person watches and there is something to wait
    for."""
    from hal.decode.open_picture import BadPicture, from_path, from_stream

    console = Console(stderr=True)
    columns: list[Any] = [TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()]
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal or len(names) < 2) as bar:
        task = bar.add_task("reading", total=len(names))
        for name in names:
            try:
                grey = from_stream(sys.stdin.buffer) if name == STDIN else from_path(Path(name))
            except (BadPicture, OSError) as error:
                yield name, str(error)
            else:
                yield name, grey
            bar.advance(task)


def _table(rows: list[Row], pictures: int, bare: int) -> None:
    console = Console() if sys.stdout.isatty() else Console(width=PLAIN_WIDTH)
    if rows:
        table = Table(box=None, header_style="bold", pad_edge=False)
        for heading in ("file", "format", "text, and what it says", "kind", "verdict"):
            table.add_column(heading, overflow="fold", no_wrap=heading in ("format", "kind", "verdict"))
        for row in rows:
            text = Text(_printable(row.text))
            for line in row.says:
                text.append(f"\n  {_printable(line)}", style="dim")
            cells = (row.file, row.format, text, row.kind, row.verdict or "-")
            table.add_row(*(cell if isinstance(cell, Text) else Text(_printable(cell)) for cell in cells))
        console.print(table)
    found = f"{len(rows)} barcode{'' if len(rows) == 1 else 's'} in {pictures} picture{'' if pictures == 1 else 's'}"
    console.print(Text(found + (f"; none in {bare}" if bare else "")), style="dim", highlight=False)


def _printable(text: str) -> str:
    """A barcode may hold anything, also what would move the cursor of a terminal."""
    return "".join(char if char.isprintable() else f"\\x{ord(char):02x}" for char in text)


def _complain(line: str) -> None:
    typer.echo(_printable(line), err=True)
