"""`tokuten bank`: accounts of persons, the shops that take payment by account, selected coupons, and each payment."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.exits import Exit, Stop
from loyalty.tax import Rounding

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from central.bank.accounts import Account
    from central.coupons.persons import Person

app = typer.Typer(add_completion=False, no_args_is_help=True, help="Payment by bank account.")
account_app = typer.Typer(no_args_is_help=True, help="Accounts of persons.")
app.add_typer(account_app, name="account")

Config = Annotated[Path | None, typer.Option(help="Settings file (TOML); its section central.")]
Name = Annotated[str, typer.Argument(help="The person's name.")]


@account_app.command("add")
def account_add(
    name: Name,
    number_file: Annotated[
        Path | None, typer.Option(help="Its first line is the number; otherwise it is asked.")
    ] = None,
    config: Config = None,
) -> None:
    """Tie a bank account to a person; prints the id by which cards and lanes know it."""
    from central.bank import accounts
    from central.office import now_ms
    from cli.office import opened

    if number_file is not None:
        number = number_file.read_text(encoding="utf-8").split("\n", 1)[0].strip()
    else:
        number = typer.prompt(f"Number of {name}'s account", hide_input=True)
    with opened(config) as office, office.database.write() as connection:
        account = accounts.add(connection, office.keys, _person(connection, name), number, now_ms())
    typer.echo(account.id.hex())


@account_app.command("list")
def account_list(config: Config = None) -> None:
    """All accounts: whose, the last digits, and the id."""
    from central.bank import accounts
    from cli.office import local, opened, print_table

    with opened(config) as office, office.database.read() as connection:
        found = accounts.listed(connection)
    if not found:
        typer.echo("there are no accounts")
        return
    rows = [
        (one.person.name, f"…{one.tail}", one.id.hex(), local(one.opened_ms), local(one.closed_ms)) for one in found
    ]
    print_table(("person", "number", "id", "since", "closed"), rows)


@account_app.command("close")
def account_close(
    account: Annotated[str, typer.Argument(help="Its id, 32 hexadecimal digits.")], config: Config = None
) -> None:
    """From now on this account pays nothing."""
    from central.bank import accounts
    from central.office import now_ms
    from cli.office import opened

    with opened(config) as office, office.database.write() as connection:
        accounts.close(connection, _id(account), now_ms())
    typer.echo("closed")


@app.command("shop")
def shop(
    site: Annotated[str, typer.Argument(help="The site.")],
    liable: Annotated[
        bool | None, typer.Option("--liable/--exempt", help="Whether the shop owes consumption tax.")
    ] = None,
    rounding: Annotated[Rounding, typer.Option(help="What becomes of the part of a yen of tax.")] = Rounding.FLOOR,
    stop: Annotated[bool, typer.Option("--stop", help="It takes no payment by account any more.")] = False,
    config: Config = None,
) -> None:
    """Say how a shop stands to consumption tax: from then on it takes payment by account."""
    from central.bank import shops
    from cli.office import opened

    if stop == (liable is not None):
        raise Stop("say one of --liable, --exempt and --stop", Exit.USAGE)
    with opened(config) as office, office.database.write() as connection:
        if liable is None:
            shops.drop(connection, site)
        else:
            shops.put(connection, site, liable=liable, rounding=rounding)
    typer.echo(f"{site} takes {'no ' if stop else ''}payment by account")


@app.command("shops")
def shops_list(config: Config = None) -> None:
    """The shops that take payment by account."""
    from central.bank import shops
    from cli.office import opened, print_table

    with opened(config) as office, office.database.read() as connection:
        found = shops.listed(connection)
    if not found:
        typer.echo("no shop takes payment by account")
        return
    rows = [(one.site, "liable" if one.liable else "exempt", one.rounding.value) for one in found]
    print_table(("site", "consumption tax", "rounding"), rows)


@app.command("select")
def select(
    name: Name,
    coupon: Annotated[int, typer.Argument(help="The coupon's number, as `tokuten coupon list` shows it.")],
    account: Annotated[str, typer.Option(help="The account's id; left out: the person's only one.")] = "",
    config: Config = None,
) -> None:
    """Select a coupon ahead of time for a person's account, as they would at a machine of the bank."""
    from central.bank import selection
    from central.coupons import download
    from central.office import now_ms
    from cli.office import opened

    with opened(config) as office, office.database.write() as connection:
        person = _person(connection, name)
        which = _id(account) if account else _only_account(connection, person).id
        chosen = selection.select_coupon(connection, office.keys, person, which, coupon, now_ms(), proven=False)
        if not isinstance(chosen, selection.Selected):
            words = selection.WORDS[chosen] if isinstance(chosen, selection.No) else download.WORDS[chosen]
            raise Stop(f"{words['en']} ({chosen.value})", Exit.NO)
    typer.echo(f"{chosen.campaign.name} is selected")


@app.command("settlements")
def settlements(
    only_open: Annotated[bool, typer.Option("--open", help="Only those that have not come to an end.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=1_000, help="How many, newest first.")] = 50,
    config: Config = None,
) -> None:
    """Payments by account, newest first."""
    from central.bank import book
    from cli.office import local, opened, print_table

    with opened(config) as office, office.database.read() as connection:
        found = book.newest(connection, limit, only_open=only_open)
    if not found:
        typer.echo("there are no such payments")
        return
    rows = [
        (
            local(one.asked_ms),
            one.question.hex()[:8],
            one.site,
            one.device,
            one.account.hex()[:8],
            f"{one.settled.price_yen:,}",
            f"{one.settled.discount_yen:,}",
            f"{one.debit_yen:,}",
            str(one.settled.campaign or "—"),
            one.state.value,
            one.reason.value,
        )
        for one in found
    ]
    heads = ("at", "payment", "site", "unit", "account", "price", "off", "debit", "coupon", "state", "reason")
    print_table(heads, rows)


def _person(connection: Connection, name: str) -> Person:
    from central.coupons import persons

    person = persons.find(connection, name)
    if person is None:
        raise Stop(f"there is nobody called {name}", Exit.USAGE)
    return person


def _only_account(connection: Connection, person: Person) -> Account:
    from central.bank import accounts

    theirs = accounts.of_person(connection, person)
    if len(theirs) != 1:
        raise Stop(f"{person.name} has {len(theirs)} accounts: say which with --account", Exit.USAGE)
    return theirs[0]


def _id(text: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError:
        raise Stop(f"{text!r} is no account's id: it has 32 hexadecimal digits", Exit.USAGE) from None
