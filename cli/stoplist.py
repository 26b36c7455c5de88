"""Commands of `tokuten coupon` about the stop list: coupons, and people, that count nowhere any more."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.exits import Exit, Stop

if TYPE_CHECKING:
    from sqlalchemy import Connection

Config = Annotated[Path | None, typer.Option(help="Settings file (TOML); its section central.")]
Coupon = Annotated[int, typer.Argument(metavar="[COUPON]", help="Its number; with --person it is left out.")]
Serial = Annotated[str, typer.Option(help="The serial, 16 hexadecimal digits, as `tokuten coupon conflicts` shows it.")]
Number = Annotated[int | None, typer.Option(help="The identification number that people see.")]
Person = Annotated[str, typer.Option(help="Everything of this person: a lost phone or card.")]


def add_to(app: typer.Typer) -> None:
    for command in (revoke, unrevoke, revoked):
        app.command()(command)


def revoke(
    coupon: Coupon = 0,
    serial: Serial = "",
    number: Number = None,
    person: Person = "",
    note: Annotated[str, typer.Option(help="Why.")] = "",
    config: Config = None,
) -> None:
    """Put a coupon, or a person, on the stop list: from now on it counts nowhere, offline too."""
    from central.coupons import stoplist
    from central.office import now_ms
    from cli.office import opened

    what = _what(coupon, serial, number, person)
    with opened(config) as office, office.database.write() as connection:
        secret = office.keys.cache_secret()
        if person:
            new = stoplist.revoke_person(connection, secret, person, note, now_ms())
        else:
            which = _serial(connection, coupon, serial, number)
            new = stoplist.revoke_serial(connection, secret, coupon, which, note, now_ms())
    typer.echo(f"{what} is on the stop list" + ("" if new else " already"))


def unrevoke(
    coupon: Coupon = 0, serial: Serial = "", number: Number = None, person: Person = "", config: Config = None
) -> None:
    """Take a coupon, or a person, off the stop list."""
    from central.coupons import stoplist
    from cli.office import opened

    what = _what(coupon, serial, number, person)
    with opened(config) as office, office.database.write() as connection:
        secret = office.keys.cache_secret()
        if person:
            stoplist.restore_person(connection, secret, person)
        else:
            stoplist.restore_serial(connection, secret, coupon, _serial(connection, coupon, serial, number))
    typer.echo(f"{what} is off the stop list")


def revoked(config: Config = None) -> None:
    """The stop list, newest first."""
    from central.coupons import persons, stoplist
    from cli.office import local, opened, print_table

    with opened(config) as office, office.database.read() as connection:
        found = stoplist.listed(connection)
        names = {one.holder: one.name for one in persons.all_persons(connection)}
    if not found:
        typer.echo("nothing is on the stop list")
        return
    rows: list[tuple[str, ...]] = []
    for line in found:
        whose = names.get(line.holder, f"{line.holder:012x}") if line.holder else "—"
        what = (str(line.campaign), f"{line.serial:016x}") if line.campaign else ("all", "—")
        rows.append((*what, whose, local(line.revoked_ms), line.note))
    print_table(("coupon", "serial", "person", "since", "why"), rows)


def _what(coupon: int, serial: str, number: int | None, person: str) -> str:
    """In words, what is meant. Raises Stop for two things at once, or none."""
    if bool(serial) + (number is not None) + bool(person) != 1:
        raise Stop("say what: one of --serial, --number and --person", Exit.USAGE)
    if person:
        if coupon:
            raise Stop("a person's coupons are stopped all together: leave the coupon out", Exit.USAGE)
        return f"everything of {person}"
    if not coupon:
        raise Stop("of which coupon? `tokuten coupon list` shows their numbers", Exit.USAGE)
    return f"coupon {coupon}, {'serial ' + serial if serial else f'number {number}'}"


def _serial(connection: Connection, coupon: int, serial: str, number: int | None) -> int:
    from central.coupons import stoplist

    if number is not None:
        return stoplist.serial_of_number(connection, coupon, number)
    try:
        return int(serial, 16)
    except ValueError:
        raise Stop(f"{serial!r} is no serial: it has up to 16 hexadecimal digits", Exit.USAGE) from None
