"""`tokuten programme`: kinds of points, and what each shop gives for a purchase (M4)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.exits import Exit, Stop

if TYPE_CHECKING:
    from loyalty.points import EarnRule, Programme, Rate

app = typer.Typer(add_completion=False, no_args_is_help=True, help="Kinds of points, and the shops' earn rules.")
Config = Annotated[Path | None, typer.Option(help="Settings file (TOML); its section central.")]
ROUNDINGS = ("down", "up", "half_up")
OVERSPENDINGS = ("operator", "shop", "negative", "later")


@app.command()
def add(
    name: Annotated[str, typer.Argument(help="As people read it.")],
    number: Annotated[int, typer.Option(help="Its number; one that is there gets its next revision.")] = 0,
    shared: Annotated[
        bool, typer.Option("--shared", help="One balance for all shops; else each keeps its own.")
    ] = False,
    transferable: Annotated[bool, typer.Option("--transferable", help="May be given to other people.")] = False,
    overdraft: Annotated[bool, typer.Option("--overdraft", help="A balance may become negative.")] = False,
    days: Annotated[int | None, typer.Option(help="Points last so many days.")] = None,
    months: Annotated[int | None, typer.Option(help="Points last so many months.")] = None,
    grace_days: Annotated[int, typer.Option(help="Ended points are written off so many days later.")] = 0,
    refund_days: Annotated[int, typer.Option(help="Ended points that a refund brings back last so long again.")] = 0,
    rule_days: Annotated[int, typer.Option(help="So long a lane may earn by a rule that was replaced.")] = 7,
    buy: Annotated[str, typer.Option(help="What points cost: '100', or '1/2' for 1 yen for 2 points.")] = "",
    sell: Annotated[str, typer.Option(help="What they buy goods for.")] = "",
    cash_out: Annotated[str, typer.Option(help="What is paid out for them.")] = "",
    rounding: Annotated[str, typer.Option(help="Of fractions of a yen: down, up or half_up.")] = "down",
    overspending: Annotated[
        str, typer.Option(help="Who bears what is spent beyond a balance: operator, shop, negative or later.")
    ] = "operator",
    config: Config = None,
) -> None:
    """Enter a kind of points; facts of it that came before are booked now."""
    from central.ledger import lanes, programmes
    from central.office import now_ms
    from cli.office import opened
    from loyalty.points import Overspending, Programme, Rounding

    _one_of("--rounding", rounding, ROUNDINGS)
    _one_of("--overspending", overspending, OVERSPENDINGS)
    with opened(config) as office, office.database.write() as connection:
        programme = Programme(
            id=number or programmes.next_number(connection), name=name, shared=shared, transferable=transferable,
            overdraft=overdraft, days=days, months=months, grace_days=grace_days, refund_days=refund_days,
            rule_days=rule_days, buy=_rate("--buy", buy), sell=_rate("--sell", sell),
            cash_out=_rate("--cash-out", cash_out), rounding=Rounding(rounding),
            overspending=Overspending(overspending),
        )  # fmt: skip
        programme = programmes.put(connection, programme, now_ms())
        waited = 0
        while booked := lanes.book_waiting(connection, now_ms()):
            waited += booked
    typer.echo(f"programme {programme.id}: {_words(programme)}")
    if waited:
        typer.echo(f"{waited:,} facts that had waited for it are booked")


@app.command("list")
def list_programmes(config: Config = None) -> None:
    """Every kind of points, and the rule that each shop has now."""
    from central.ledger import programmes
    from central.office import now_ms
    from cli.office import opened, print_table
    from loyalty.points import in_force

    with opened(config) as office, office.database.read() as connection:
        found = programmes.listed(connection)
        rules = programmes.all_rules(connection)
    rows: list[tuple[str, ...]] = []
    for one in found:
        mine = [(site, in_force(given, now_ms())) for (number, site), given in rules.items() if number == one.id]
        given = ", ".join(f"{site}: {_rule(rule)}" for site, rule in sorted(mine) if rule is not None)
        rows.append((str(one.id), one.name, _words(one), given or "—"))
    print_table(("No.", "name", "what it is", "earned"), rows)


@app.command()
def rule(
    number: Annotated[int, typer.Argument(metavar="PROGRAMME", help="Its number.")],
    site: Annotated[str, typer.Argument(help="The shop whose rule it is.")],
    per_yen: Annotated[int, typer.Option(help="For each so many yen of a purchase ...")],
    points: Annotated[int, typer.Option(help="... so many points.")] = 1,
    rounding: Annotated[str, typer.Option(help="Of fractions of a point: down, up or half_up.")] = "down",
    since: Annotated[str | None, typer.Option("--from", help="From when on, as 2026-07-01; without it, now.")] = None,
    config: Config = None,
) -> None:
    """Set what a shop gives for a purchase from a time on: the next revision of its rule."""
    from central.ledger import programmes
    from central.office import now_ms
    from cli.office import first_instant, opened
    from loyalty.points import EarnRule, Rounding

    _one_of("--rounding", rounding, ROUNDINGS)
    from_ms = first_instant(since)
    with opened(config) as office, office.database.write() as connection:
        made = programmes.set_rule(
            connection,
            EarnRule(
                programme=number, site=site, per_yen=per_yen, points=points, rounding=Rounding(rounding),
                from_ms=now_ms() if from_ms is None else from_ms,
            ),
            now_ms(),
        )  # fmt: skip
    typer.echo(f"{site}: {_rule(made)}; revision {made.revision}")


def _one_of(option: str, value: str, words: tuple[str, ...]) -> None:
    if value not in words:
        raise Stop(f"{option}: {value!r} is none of {', '.join(words)}", Exit.USAGE)


def _rate(option: str, text: str) -> Rate | None:
    from loyalty.points import Rate

    if not text:
        return None
    yen, _, points = text.partition("/")
    try:
        return Rate(int(yen), int(points or 1))
    except ValueError:
        raise Stop(f"{option}: {text!r} is no rate: write 100, or 1/2 for 1 yen for 2 points", Exit.USAGE) from None


def _rule(rule: EarnRule) -> str:
    rounded = "" if rule.rounding == "down" else f", rounded {rule.rounding.value.replace('_', ' ')}"
    return f"{rule.points:,} for each {rule.per_yen:,} yen{rounded}"


def _words(programme: Programme) -> str:
    words = ["shared by all shops" if programme.shared else "kept by each shop"]
    if programme.transferable:
        words.append("may be given to others")
    if programme.overdraft:
        words.append("may be negative")
    if programme.days is not None:
        words.append(f"last {programme.days:,} days")
    if programme.months is not None:
        words.append(f"last {programme.months:,} months")
    for name, rate in (("buy", programme.buy), ("sell", programme.sell), ("cash-out", programme.cash_out)):
        if rate is not None:
            words.append(f"{name} {rate.yen:,}" + ("" if rate.points == 1 else f"/{rate.points:,}"))
    words.append(f"overspent: {programme.overspending.value}")
    return ", ".join(words)
