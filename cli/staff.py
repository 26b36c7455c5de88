"""`tokuten staff`: who works with the centre's pages, and as what."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli.exits import Exit, Stop

app = typer.Typer(add_completion=False, no_args_is_help=True, help="Who works with the centre's pages, and as what.")
Config = Annotated[Path | None, typer.Option(help="Settings file (TOML); its section central.")]
Name = Annotated[str, typer.Argument(help="What they log in with.")]


@app.command()
def add(
    name: Name,
    role: Annotated[str, typer.Option(help="shop, provider or operator.")],
    site: Annotated[str, typer.Option(help="A shop's site.")] = "",
    provider: Annotated[str, typer.Option(help="A provider's name, as its coupons have it.")] = "",
    password_file: Annotated[
        Path | None, typer.Option(help="Its first line is the password; otherwise it is asked.")
    ] = None,
    config: Config = None,
) -> None:
    """Enter somebody, or change their role or password; they are logged out."""
    from central import staff
    from central.coupons import persons
    from central.office import now_ms
    from cli.office import opened

    if role not in list(staff.Role):
        raise Stop(f"--role {role}: shop, provider or operator", Exit.USAGE)
    if password_file is not None:
        password = password_file.read_text(encoding="utf-8").split("\n", 1)[0]
    else:
        password = typer.prompt(f"Password of {name}", hide_input=True, confirmation_prompt=True)
    if len(password) < staff.PASSWORD_CHARS_MIN:
        raise Stop(f"a password of staff has at least {staff.PASSWORD_CHARS_MIN} characters", Exit.USAGE)
    with opened(config) as office:
        hashed = persons.hash_password(password)
        try:
            with office.database.write() as connection:
                member = staff.add(connection, name, hashed, staff.Role(role), now_ms(), site=site, provider=provider)
        except staff.StaffError as error:
            raise Stop(str(error), Exit.USAGE) from error
    whose = f" of {member.site or member.provider}" if member.site or member.provider else ""
    typer.echo(f"{name} can log in at /staff as {member.role}{whose}")


@app.command("list")
def list_staff(config: Config = None) -> None:
    """Everybody, by role."""
    from central import staff
    from cli.office import opened, print_table

    with opened(config) as office, office.database.read() as connection:
        found = staff.listed(connection)
    if not found:
        typer.echo("no staff: `tokuten staff add` enters somebody")
        return
    print_table(("name", "role", "for"), [(one.name, one.role.value, one.site or one.provider) for one in found])


@app.command()
def remove(name: Name, config: Config = None) -> None:
    """They can't log in any more, and are logged out."""
    from central import staff
    from cli.office import opened

    with opened(config) as office, office.database.write() as connection:
        if not staff.remove(connection, name):
            raise Stop(f"there is nobody called {name}", Exit.NO)
    typer.echo(f"{name} can't log in any more")
