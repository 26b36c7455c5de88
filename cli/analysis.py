"""`tokuten analysis`: what is looked at, downloaded and used, where and when (K10)."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

import typer

from cli.exits import Exit, Stop

app = typer.Typer(add_completion=False, help="What is looked at, downloaded and used, where and when.")
DAYS_SHOWN: Final = 28
HEADS: Final = {"views": "looked at", "downloads": "downloaded", "uses": "used", "discount_yen": "taken off"}


@app.command("analysis")
def analysis(
    by: Annotated[str, typer.Option(help="day, hour, coupon or shop.")] = "coupon",
    first: Annotated[
        str, typer.Option("--from", help="First day, as 2026-07-01; else four weeks before the last.")
    ] = "",
    last: Annotated[str, typer.Option("--to", help="Last day; else today.")] = "",
    provider: Annotated[str, typer.Option(help="As this provider sees it.")] = "",
    site: Annotated[str, typer.Option(help="As the shop of this site sees it.")] = "",
    csv: Annotated[Path | None, typer.Option(help="Write it to this file as CSV.")] = None,
    parquet: Annotated[Path | None, typer.Option(help="Write it to this file as Parquet.")] = None,
    config: Annotated[Path | None, typer.Option(help="Settings file (TOML); its section central.")] = None,
) -> None:
    """Count what the books have, and print the figures."""
    from central.analysis import days, figures, files, rollup
    from central.office import now_ms
    from cli.office import local, opened, print_table

    if by not in list(figures.By):
        raise Stop(f"--by {by}: day, hour, coupon or shop", Exit.USAGE)
    with opened(config) as office:
        offset_min = office.settings.utc_offset_min
        at_ms = now_ms()
        while not rollup.bring_up_to_date(office.database, offset_min, at_ms):
            pass  # ends: what is booked before now is finite
        try:
            to_day = days.read(last) if last else days.of(at_ms, offset_min)
            from_day = days.read(first) if first else to_day - DAYS_SHOWN + 1
            scope = figures.Scope(provider=provider or None, site=site or None)
            question = figures.Question(by=figures.By(by), from_day=from_day, to_day=to_day, scope=scope)
        except ValueError as error:
            raise Stop(f"no such days: {error}", Exit.USAGE) from error
        with office.database.read() as connection:
            found = figures.ask(connection, question)
    try:
        for path, write in ((csv, files.as_csv), (parquet, files.as_parquet)):
            if path is not None:
                path.write_bytes(write(found))
                typer.echo(f"{path}: {len(found.rows)} rows")
    except files.ParquetMissing as error:
        raise Stop(str(error), Exit.MISSING) from error
    if csv is None and parquet is None:
        shown = [
            (row.name, *("—" if value is None else f"{value:,}" for value in (getattr(row, c) for c in found.columns)))
            for row in found.rows
        ]
        print_table((by, *(HEADS[name] for name in found.columns)), shown)
        typer.echo(f"{found.from_day} to {found.to_day}, counted at {local(found.at_ms)}")
        if found.hidden:
            typer.echo(f"{found.hidden} figures stand for fewer than {found.group_min} people and are not shown")
