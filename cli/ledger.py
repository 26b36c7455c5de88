"""`tokuten ledger`: what somebody has, how it came to that, and whether the books are right."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.exits import Exit, Stop

if TYPE_CHECKING:
    from sqlalchemy import Connection

app = typer.Typer(add_completion=False, no_args_is_help=True, help="Balances of points, and the auditor of the books.")
Config = Annotated[Path | None, typer.Option(help="Settings file (TOML); its section central.")]
PSEUDONYM_DIGITS = 12


@app.command()
def audit(config: Config = None) -> None:
    """Recompute all balances, lots and sums from the postings alone, and miss no fact of a unit; exit code 1 if
    anything differs. What it found is kept, for the operator's page."""
    from central.ledger import audits
    from central.office import now_ms
    from cli.office import opened

    with opened(config) as office:
        found, counted = audits.run(office.database, now_ms())
    for finding in found:
        typer.echo(finding.words())
    said = ", ".join(f"{count:,} {what}" for what, count in counted.items())
    if found:
        raise Stop(f"{len(found):,} things are wrong in {said}", Exit.NO)
    typer.echo(f"the books are right: {said}")


@app.command()
def balance(
    holder: Annotated[str, typer.Argument(help="The person's name, or the pseudonym: 12 hexadecimal digits.")],
    history: Annotated[bool, typer.Option("--history", help="Also the postings, newest first.")] = False,
    config: Config = None,
) -> None:
    """The points of one person, by programme and shop."""
    from central.ledger import balances, programmes
    from central.office import now_ms
    from cli.office import local, opened, print_table

    with opened(config) as office, office.database.read() as connection:
        number = _holder(connection, holder)
        found = balances.of_person(connection, number, now_ms())
        lines = balances.history(connection, number) if history else []
        names = {one.id: one.name for one in programmes.listed(connection)}
    if not found:
        raise Stop(f"{holder} has no points", Exit.NO)
    print_table(
        ("programme", "shop", "points", "usable", "held", "next end"),
        [
            (f"{one.programme} {names.get(one.programme, '')}", one.place or "(all)", f"{one.points:,}",
             f"{one.usable:,}", f"{one.held:,}", local(one.next_end_ms, "—"))
            for one in found
        ],
    )  # fmt: skip
    if history:
        print_table(
            ("when", "programme", "shop", "what", "points", "transfer"),
            [
                (local(one.at_ms), str(one.programme), one.place or "(all)",
                 one.kind.replace("_", " ") + (" (waits)" if one.waits else ""), f"{one.points:+,}", one.transfer.hex())
                for one in lines
            ],
        )  # fmt: skip


def _holder(connection: Connection, text: str) -> int:
    from central.coupons import persons

    person = persons.find(connection, text)
    if person is not None:
        return person.holder
    try:
        number = int(text, 16) if len(text) == PSEUDONYM_DIGITS else 0
    except ValueError:
        number = 0
    if not number:
        raise Stop(f"there is nobody called {text}", Exit.NO)
    return number
