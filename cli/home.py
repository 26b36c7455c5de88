"""`tokuten home`: which lane keeps the home of each site (policy `home`), and serials that move."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli.exits import Exit, Stop

app = typer.Typer(add_completion=False, no_args_is_help=True, help="Who decides about serials that have a home.")
Config = Annotated[Path | None, typer.Option(help="Settings file (TOML); its section central.")]


@app.command("list")
def list_homes(config: Config = None) -> None:
    """Each site's home, the lane that keeps it, and since which term."""
    from central import homes
    from cli.office import opened, print_table

    with opened(config) as office, office.database.read() as connection:
        found = homes.listed(connection)
    rows = [(str(one.number), one.site, one.title, one.device or "(nobody)", str(one.term)) for one in found]
    print_table(("No.", "site", "name", "kept by", "term"), rows)


@app.command()
def keeper(
    site: Annotated[str, typer.Argument(help="The site.")],
    unit: Annotated[str, typer.Argument(help="The lane that is to keep its home.")],
    config: Config = None,
) -> None:
    """Let another lane keep a site's home, as soon as the present one has let it go."""
    from central import homes, registry
    from cli.office import opened

    with opened(config) as office, office.database.write() as connection:
        device = registry.find(connection, unit)
        if device is None:
            raise Stop(f"there is no unit {unit}", Exit.NO)
        homes.hand_over(connection, site, device)
    typer.echo(f"{unit} keeps the home of {site} once its present keeper has let it go")


@app.command()
def move(
    coupon: Annotated[int, typer.Argument(help="The coupon's number.")],
    serial: Annotated[str, typer.Argument(help="The serial, 16 hexadecimal digits.")],
    site: Annotated[str, typer.Argument(help="The site that is to decide about it.")],
    config: Config = None,
) -> None:
    """Move the home of one serial to another site."""
    import secrets

    from central import homes
    from central.office import now_ms
    from cli.office import opened

    try:
        number = int(serial, 16)
    except ValueError:
        raise Stop("SERIAL: hexadecimal digits are expected", Exit.USAGE) from None
    with opened(config) as office:
        secret = office.keys.cache_secret()
        with office.database.write() as connection:
            done = homes.ask_to_move(connection, secret, coupon, number, site, secrets.token_bytes(16), now_ms())
    typer.echo(f"{serial} is at home in {site}" if done else f"{serial} moves to {site} once its home has let it go")
