"""`tokuten central`: run the centre, make it, restore it, see its dead letters, its people and its keys."""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from typing import Annotated

import typer

from cli.exits import Exit, Stop

app = typer.Typer(add_completion=False, no_args_is_help=False, help="Run the centre, or prepare its database.")
letters = typer.Typer(add_completion=False, no_args_is_help=True, help="What could not be booked.")
app.add_typer(letters, name="dead-letters")
Config = Annotated[Path | None, typer.Option(help="Settings file (TOML); its section central.")]


@app.callback(invoke_without_command=True)
def central(context: typer.Context, config: Config = None) -> None:
    """Run the centre until SIGTERM or Ctrl-C; or one of the commands below."""
    if context.invoked_subcommand is not None:
        return
    from central.service import run
    from cli.office import plain_words, settings

    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    with plain_words():
        code = run(settings(config))
    if code:
        raise Stop("the centre ended by a fault; see the lines above", Exit.UNANSWERED)


@app.command()
def init(config: Config = None) -> None:
    """Make the database and the keys, as far as they are not there yet; prints the centre's public key."""
    from central.office import create
    from cli.office import plain_words, settings

    with plain_words():
        office = create(settings(config))
        public = office.keys.centre().verify_key.encode().hex()
        office.close()
    typer.echo(public)


@app.command()
def restore(
    file: Annotated[
        Path | None,
        typer.Argument(help="A copy made by `tokuten central backup`; none: a server's own tools restored it."),
    ] = None,
    config: Config = None,
) -> None:
    """Put an older copy of the database in place, under a new incarnation: units send again what it forgot."""
    from central.office import restore as put_back
    from cli.office import plain_words, settings

    with plain_words():
        incarnation = put_back(settings(config), file)
    typer.echo(f"restored; the new incarnation is {incarnation.hex()}")


@app.command()
def backup(file: Annotated[Path, typer.Argument(help="Where the copy goes.")], config: Config = None) -> None:
    """Copy the database, also while the centre runs."""
    from central.office import backup as copy
    from cli.office import plain_words, settings

    with plain_words():
        copy(settings(config), file)
    typer.echo(f"copied to {file}")


@app.command("person")
def person(
    name: Annotated[str, typer.Argument(help="What they log in with.")],
    password_file: Annotated[
        Path | None, typer.Option(help="Its first line is the password; otherwise it is asked.")
    ] = None,
    config: Config = None,
) -> None:
    """Enter a person who may download coupons, or set a new password."""
    from central.coupons import persons
    from central.office import now_ms
    from cli.office import opened

    if password_file is not None:
        password = password_file.read_text(encoding="utf-8").split("\n", 1)[0]
    else:
        password = typer.prompt(f"Password of {name}", hide_input=True, confirmation_prompt=True)
    with opened(config) as office:
        hashed = persons.hash_password(password)
        with office.database.write() as connection:
            persons.add(connection, name, hashed, now_ms())
    typer.echo(f"{name} can log in")


@app.command()
def card(
    uid: Annotated[str, typer.Argument(help="The card's UID: 8, 14 or 20 hexadecimal digits.")],
    person: Annotated[str, typer.Option(help="Whose card it is from now on; nobody's: it was lost.")] = "",
    config: Config = None,
) -> None:
    """Say whose card this is, for coupons that count with their holder's card; or that it is nobody's any more."""
    from central.coupons import cards, persons
    from central.office import now_ms
    from cli.office import opened

    try:
        number = bytes.fromhex(uid)
    except ValueError as error:
        raise Stop(f"{uid}: a UID is hexadecimal digits", Exit.USAGE) from error
    with opened(config) as office, office.database.write() as connection:
        secret = office.keys.cache_secret()
        if not person:
            if not cards.release(connection, secret, number):
                raise Stop("that card was nobody's", Exit.NO)
            typer.echo("that card is nobody's any more")
            return
        who = persons.find(connection, person)
        if who is None:
            raise Stop(f"there is nobody called {person}", Exit.NO)
        try:
            cards.bind(connection, secret, who, number, now_ms())
        except cards.CardError as error:
            raise Stop(str(error), Exit.NO) from error
    typer.echo(f"that card is {person}'s")


@app.command("key-rotate")
def key_rotate(config: Config = None) -> None:
    """Make the next key that signs coupons; those signed with older keys go on counting."""
    from central.coupons import keyring
    from central.office import now_ms
    from cli.office import opened

    with opened(config) as office, office.database.write() as connection:
        number = keyring.rotate(connection, office.keys, now_ms())
    typer.echo(f"coupons are signed with key {number} from now on")


@app.command("key-retire")
def key_retire(number: Annotated[int, typer.Argument(help="1 to 255.")], config: Config = None) -> None:
    """From now on, coupons signed with this key count nowhere."""
    from central.coupons import keyring
    from central.office import now_ms
    from cli.office import opened

    with opened(config) as office, office.database.write() as connection:
        keyring.retire(connection, number, now_ms())
    typer.echo(f"key {number} is retired")


@app.command()
def notices(
    seen: Annotated[bool, typer.Option("--seen", help="Mark them as seen; without it they are only shown.")] = False,
    config: Config = None,
) -> None:
    """What the operator must be told and nobody has seen yet, newest first."""
    from central import notices as board
    from central.office import now_ms
    from cli.office import local, opened, print_table

    with opened(config) as office:
        with office.database.read() as connection:
            found = board.listed(connection)
        if seen and found:
            with office.database.write() as connection:
                board.mark_seen(connection, [notice.id for notice in found], now_ms())
    if not found:
        typer.echo("no notices")
        return
    print_table(
        ("No.", "when", "about", "what"),
        [(str(notice.id), local(notice.at_ms), notice.kind, f"{notice.en}\n{notice.ja}") for notice in found],
    )


@letters.command("list")
def list_letters(
    resolved: Annotated[bool, typer.Option("--resolved", help="Those that are settled.")] = False, config: Config = None
) -> None:
    """What waits for somebody, newest first."""
    from central import deadletters
    from cli.office import local, opened, print_table

    with opened(config) as office, office.database.read() as connection:
        found = deadletters.listed(connection, resolved=resolved)
    if not found:
        typer.echo("no dead letters")
        return
    heads = (
        "No.",
        "unit",
        "fact",
        "times",
        "received",
        "reason",
    )
    rows: list[tuple[str, ...]] = []
    for letter in found:
        fact = "" if letter.seq is None else f"{(letter.epoch or b'').hex()[:8]} {letter.seq}"
        row = (str(letter.id), letter.device, fact, str(letter.times), local(letter.received_ms), letter.reason)
        rows.append(row)
    print_table(heads, rows)


@letters.command("show")
def show_letter(number: int, config: Config = None) -> None:
    """One letter, with its payload in hexadecimal."""
    from central import deadletters
    from cli.office import local, opened

    with opened(config) as office, office.database.read() as connection:
        letter = deadletters.get(connection, number)
    if letter is None:
        raise Stop(f"there is no dead letter {number}", Exit.NO)
    typer.echo(f"unit      {letter.device}\ntopic     {letter.topic}\nreason    {letter.reason}")
    typer.echo(f"received  {local(letter.received_ms)}, {letter.times} times")
    if letter.seq is not None:
        typer.echo(f"fact      epoch {(letter.epoch or b'').hex()}, number {letter.seq}")
    if letter.resolved_ms is not None:
        typer.echo(f"resolved  {local(letter.resolved_ms)}: {letter.note}")
    typer.echo(f"payload   {letter.payload_bytes} bytes\n{letter.payload.hex()}")


@letters.command("resolve")
def resolve_letter(
    number: int, note: Annotated[str, typer.Option(help="How it was settled.")], config: Config = None
) -> None:
    """Say that a letter is settled, and how."""
    from central import deadletters
    from central.office import now_ms
    from cli.office import opened

    with opened(config) as office, office.database.write() as connection:
        done = deadletters.resolve(connection, number, note, now_ms())
    if not done:
        raise Stop(f"no dead letter {number} waits for somebody", Exit.NO)
    typer.echo(f"dead letter {number} is settled")
