"""`tokuten token`: keys for programs of shops and providers."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli.exits import Exit, Stop

app = typer.Typer(add_completion=False, no_args_is_help=True, help="Keys for programs of shops and providers.")
Config = Annotated[Path | None, typer.Option(help="Settings file (TOML); its section central.")]
BY = "command"


@app.command()
def issue(
    name: Annotated[str, typer.Argument(help="What it is for.")],
    scope: Annotated[list[str], typer.Option(help="What it may do, such as analysis:read; may be given again.")],
    site: Annotated[str, typer.Option(help="A shop's site.")] = "",
    provider: Annotated[str, typer.Option(help="A provider's name, as its coupons have it.")] = "",
    days: Annotated[int, typer.Option(help="How long it works.")] = 90,
    config: Config = None,
) -> None:
    """Issue a token and print it, this once. Without --site and --provider it reads the whole centre."""
    from central import tokens
    from central.office import now_ms
    from cli.office import opened

    unknown = sorted(set(scope) - set(tokens.Scope))
    if unknown:
        raise Stop(f"--scope {unknown[0]}: one of {', '.join(tokens.Scope)}", Exit.USAGE)
    scopes = frozenset(tokens.Scope(one) for one in scope)
    with opened(config) as office, office.database.write() as connection:
        _, text = tokens.issue(connection, name, scopes, days, BY, now_ms(), site=site, provider=provider)
    typer.echo(text)


@app.command("list")
def list_tokens(config: Config = None) -> None:
    """Every token with what it may do and when it was last used; the tokens themselves are nowhere."""
    from central import tokens
    from central.office import now_ms
    from cli.office import local, opened, print_table

    with opened(config) as office, office.database.read() as connection:
        found = tokens.listed(connection)
    if not found:
        typer.echo("no tokens: `tokuten token issue` makes one")
        return
    states = {
        one.id: "works" if one.works(now_ms()) else "over" if one.revoked_ms is None else "revoked" for one in found
    }
    print_table(
        ("number", "name", "for", "may", "state", "until", "last used", "issued by"),
        [
            (
                str(one.id), one.name, one.site or one.provider or "everything", " ".join(one.scopes), states[one.id],
                local(one.expires_ms), local(one.used_ms), one.created_by,
            )
            for one in found
        ],
    )  # fmt: skip


@app.command()
def revoke(
    number: Annotated[int, typer.Argument(help="As `tokuten token list` numbers it.")], config: Config = None
) -> None:
    """It is refused from the next request on."""
    from central import tokens
    from central.office import now_ms
    from cli.office import opened

    with opened(config) as office, office.database.write() as connection:
        if not tokens.revoke(connection, number, BY, now_ms()):
            raise Stop(f"there is no token {number} that works", Exit.NO)
    typer.echo(f"token {number} is refused from now on")
