"""`tokuten device`: enrol units, list them, block them, write them off."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli.exits import Exit, Stop

app = typer.Typer(add_completion=False, no_args_is_help=True, help="Enrol and list units.")
Config = Annotated[Path | None, typer.Option(help="Settings file (TOML); its section central.")]


@app.command()
def add(
    name: Annotated[
        str, typer.Argument(help="The unit's id: a-z, 0-9, _ and -, at most 32 of them; it never changes.")
    ],
    site: Annotated[str, typer.Option(help="The site where it stands.")],
    key: Annotated[str, typer.Option(help="Its public key, 64 hexadecimal digits.")],
    site_title: Annotated[str, typer.Option(help="What people call the site.")] = "",
    config: Config = None,
) -> None:
    """Enrol a unit, or move it to another site."""
    from central import registry
    from central.office import now_ms
    from cli.office import opened

    try:
        public = bytes.fromhex(key)
    except ValueError:
        raise Stop("--key: 64 hexadecimal digits are expected", Exit.USAGE) from None
    with opened(config) as office, office.database.write() as connection:
        registry.add_site(connection, site, site_title)
        registry.add_device(connection, name, site, public, now_ms())
    typer.echo(f"{name} is enrolled at {site}")


@app.command("list")
def list_devices(config: Config = None) -> None:
    """Every unit: where it stands, how many facts of it are booked."""
    from central import registry
    from cli.office import opened, print_table

    with opened(config) as office, office.database.read() as connection:
        found = registry.all_devices(connection)
        booked = registry.last_booked(connection)
        titles = registry.titles(connection)
    heads = (
        "unit",
        "site",
        "state",
        "facts booked",
        "key",
    )
    rows: list[tuple[str, ...]] = []
    for device in found:
        state = f"{device.state}, awaited" if device.awaits else device.state
        title = titles.get(device.site, device.site)
        site = device.site if title == device.site else f"{device.site} ({title})"
        rows.append((device.name, site, state, f"{booked.get(device.name, 0):,}", device.public.hex()[:16] + "…"))
    print_table(heads, rows)


@app.command()
def block(name: str, config: Config = None) -> None:
    """Refuse everything this unit sends (stolen, broken)."""
    from central import registry
    from central.db.schema import DeviceState
    from cli.office import opened

    with opened(config) as office, office.database.write() as connection:
        registry.set_state(connection, name, DeviceState.BLOCKED)
    typer.echo(f"{name} is blocked")


@app.command("write-off")
def write_off(name: str, config: Config = None) -> None:
    """Give a unit up: nobody waits for its report; what it held is exposure, and another lane keeps its home."""
    from central import homes, leases, registry
    from cli.office import opened

    with opened(config) as office, office.database.write() as connection:
        device = registry.find(connection, name)
        registry.write_off(connection, name)
        assert device is not None, "write_off raises for an unknown unit"
        gone = leases.write_off(connection, device.id)
        kept = homes.write_off(connection, device.id)
    typer.echo(f"{name} is not waited for any more")
    for pot, amount in gone.items():
        typer.echo(f"coupon {pot.id}: {amount.count:,} uses and {amount.yen:,} yen are free again, and are exposure")
    if kept:
        typer.echo("another lane of its site keeps its home as soon as it reports")
