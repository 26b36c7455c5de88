"""`tokuten lease`: caps and budgets that units hold parts of, and where those parts are."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli.exits import Exit, Stop

app = typer.Typer(add_completion=False, no_args_is_help=True, help="Where the parts of caps and budgets are.")
Config = Annotated[Path | None, typer.Option(help="Settings file (TOML); its section central.")]


@app.command("list")
def list_pots(config: Config = None) -> None:
    """Each limit: how much of it is spent, lies with units, is under way, is left, and what exposure it has."""
    from central import leases, registry
    from central.coupons import issue
    from cli.office import opened, print_table
    from loyalty.lease import CAMPAIGN, Pot

    heads = ("coupon", "limit", "spent", "with units", "under way", "left", "exposure")
    rows: list[tuple[str, ...]] = []
    with opened(config) as office, office.database.read() as connection:
        owing = registry.owing_parts(connection)
        for issued in issue.listed(connection):
            campaign, pot = issued.campaign, Pot(CAMPAIGN, issued.campaign.id)
            stand = leases.find(connection, pot)
            if stand is None:
                continue
            left = leases.remaining(connection, pot, stand)
            amounts = (stand.cap, stand.spent, stand.out, stand.transit, left, stand.exposure)
            for limited, what in ((stand.limits.count, "count"), (stand.limits.yen, "yen")):
                if limited:
                    unit = " yen" if what == "yen" else ""
                    figures = [f"{getattr(amount, what):,}{unit}" for amount in amounts]
                    rows.append((f"{campaign.id} {campaign.name}", *figures))
    print_table(heads, rows)
    if owing:
        typer.echo("This centre was restored. It grants no parts until these units have reported, or are written off:")
        typer.echo(f"  {', '.join(owing)}")


@app.command()
def parts(
    coupon: Annotated[int, typer.Argument(help="Its number, as `tokuten coupon list` shows it.")], config: Config = None
) -> None:
    """Which units hold parts of a coupon's cap or budget, those with most first."""
    from central import leases
    from cli.office import opened, print_table
    from loyalty.lease import CAMPAIGN, Pot

    with opened(config) as office, office.database.read() as connection:
        pot = Pot(CAMPAIGN, coupon)
        if leases.find(connection, pot) is None:
            raise Stop(f"coupon {coupon} has no cap or budget that is kept in sum", Exit.NO)
        found = leases.holders(connection, pot)
    rows = [(one.device, one.site, f"{one.left.count:,}", f"{one.left.yen:,}") for one in found]
    print_table(("unit", "site", "uses left", "yen left"), rows)


@app.command()
def floor(
    programme: Annotated[int, typer.Argument(help="The points programme's number.")],
    points: Annotated[int, typer.Argument(min=0, help="How many may be spent while the centre can't be asked.")],
    person: Annotated[str, typer.Option(help="Whose floor; without it, that of all units together.")] = "",
    config: Config = None,
) -> None:
    """Set how many points may be spent without the centre: by one person, or at all units together."""
    from central import leases
    from central.coupons import persons
    from cli.office import opened
    from loyalty.campaign import CAMPAIGN_ID_MAX
    from loyalty.lease import POINTS, Pot

    if not 0 < programme <= CAMPAIGN_ID_MAX:
        raise Stop(f"programme {programme}: a number from 1 to {CAMPAIGN_ID_MAX}", Exit.USAGE)
    with opened(config) as office, office.database.write() as connection:
        holder = 0
        if person:
            found = persons.find(connection, person)
            if found is None:
                raise Stop(f"there is nobody called {person}", Exit.NO)
            holder = found.holder
        leases.put(connection, Pot(POINTS, programme, holder), (points, None))
    typer.echo(f"{person or 'all units together'}: {points:,} points of programme {programme} without the centre")
