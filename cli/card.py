"""`tokuten card`: give out, replace, block and list member cards at the shop's desk (M1, M2)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.exits import Exit, Stop
from loyalty.card_slots import Chip

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from central.members.membership import Member
    from central.office import Office

app = typer.Typer(add_completion=False, no_args_is_help=True, help="Give out, replace, block and list member cards.")
Config = Annotated[Path | None, typer.Option(help="Settings file (TOML); its section central.")]
Who = Annotated[str, typer.Argument(metavar="MEMBER", help="Their number, or their name.")]
Uid = Annotated[str, typer.Option(help="UID of the empty tag: 8, 14 or 20 hexadecimal digits.")]
ChipName = Annotated[Chip, typer.Option("--chip", help="Its chip.")]
PasswordFile = Annotated[Path | None, typer.Option(help="File whose first line is the password.")]


@app.command()
def issue(who: Who, uid: Uid, chip: ChipName = Chip.NTAG213, config: Config = None) -> None:
    """Give somebody their first card; prints their number, and what is to be written on the tag."""
    from central.members import membership
    from central.office import now_ms
    from cli.office import opened

    with opened(config) as office, office.database.write() as connection:
        member = membership.find_or_enrol(connection, who)
        if member is None:
            raise Stop(f"there is nobody called {who}: enter them with `tokuten central person`", Exit.NO)
        if member.generation:
            raise Stop(f"{member.person.name} has a card; a new one in its place: `tokuten card reissue`", Exit.NO)
        _give(office, connection, member, _bytes(uid), chip, now_ms())


@app.command()
def reissue(
    who: Who, uid: Uid, chip: ChipName = Chip.NTAG213, password_file: PasswordFile = None, config: Config = None
) -> None:
    """Give a new card for a lost one to whoever knows number and password; older ones are refused from then on."""
    from central.coupons import persons
    from central.members import membership
    from central.office import now_ms
    from cli.office import opened

    if password_file is not None:
        password = password_file.read_text(encoding="utf-8").split("\n", 1)[0]
    else:
        password = typer.prompt(f"Password of {who}", hide_input=True)
    with opened(config) as office:
        with office.database.write() as connection:
            member = membership.find(connection, who)
            if member is not None and not membership.count_try(connection, member, now_ms()):
                raise Stop("too many tries; try again later", Exit.NO)
            stored = None if member is None else persons.stored_hash(connection, member.person.name)
        if not persons.password_fits(stored, password) or member is None:
            raise Stop("the number or the password is wrong", Exit.NO)
        with office.database.write() as connection:
            membership.forget_tries(connection, member)
            _give(office, connection, member, _bytes(uid), chip, now_ms())


@app.command()
def block(
    who: Who,
    found: Annotated[bool, typer.Option("--found", help="It was found again, and counts.")] = False,
    config: Config = None,
) -> None:
    """Refuse a lost card everywhere, offline too, as soon as the feed has told it."""
    from central.members import giving, membership
    from cli.office import opened

    with opened(config) as office, office.database.write() as connection:
        member = membership.find(connection, who)
        if member is None:
            raise Stop(f"there is no member {who}", Exit.NO)
        secret = office.keys.cache_secret()
        if found:
            giving.unblock(connection, secret, member)
        else:
            giving.block(connection, secret, member)
    typer.echo(f"the card of {member.person.name} {'counts again' if found else 'is blocked'}")


@app.command("list")
def list_cards(
    who: Annotated[str, typer.Argument(metavar="[MEMBER]", help="One member's cards; everybody's valid one.")] = "",
    config: Config = None,
) -> None:
    """The members and their valid cards, or every card of one member."""
    from central.members import giving, membership
    from cli.office import local, opened, print_table

    with opened(config) as office, office.database.read() as connection:
        one = membership.find(connection, who) if who else None
        if who and one is None:
            raise Stop(f"there is no member {who}", Exit.NO)
        members = [one] if one is not None else membership.all_members(connection, giving.LISTED_MAX)
        cards = {member.number: giving.cards_of(connection, member) for member in members}
    rows = [
        (
            member.person.name,
            membership.shown(member.number),
            str(card.generation),
            card.uid.hex(),
            card.chip,
            card.state,
            card.device or "by hand",
            local(card.granted_ms),
        )
        for member in members
        for card in cards[member.number][: None if who else 1]
    ]
    print_table(("name", "number", "card", "UID", "chip", "state", "kiosk", "given out"), rows)


@app.command("key-rotate")
def key_rotate(config: Config = None) -> None:
    """Make the next key for member cards; cards of older keys are read on while the files of those keys are there."""
    from central import feed
    from cli.office import opened

    with opened(config) as office, office.database.write() as connection:
        number = office.keys.create_card()
        feed.begin_anew(connection, None, but=[])
    typer.echo(f"card key {number} writes from now on; every unit takes a snapshot")


def _give(office: Office, connection: Connection, member: Member, uid: bytes, chip: Chip, now_ms: int) -> None:
    from central.members import giving, membership
    from loyalty.card import Record
    from loyalty.card_slots import budget, plan

    keys = office.keys.cards()
    if not keys:
        raise Stop("there is no key for member cards: `tokuten card key-rotate` makes one", Exit.MISSING)
    secret = office.keys.cache_secret()
    after = giving.next_card(connection, secret, member, uid=uid, chip=chip, now_ms=now_ms)
    record = Record(holder=after.person.holder, generation=after.generation)
    made = plan(record, None, chip, uid, keys[0][1])
    assert made is not None, "a first record can be written"
    typer.echo(f"{after.person.name} is member {membership.shown(after.number)}, card {after.generation}")
    room = budget(chip).balances
    typer.echo(f"this chip has room for the points of {room} programme{'s' if room > 1 else ''}; others are kept here")
    for write in made.writes:
        typer.echo(f"page {write.page:3}  {write.data.hex()}")


def _bytes(uid: str) -> bytes:
    try:
        return bytes.fromhex(uid)
    except ValueError as error:
        raise Stop(f"{uid}: a UID is hexadecimal digits", Exit.USAGE) from error
