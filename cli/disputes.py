"""Commands of `tokuten coupon` about who pays: conflicts, also of points, how a person ends them, and exposure."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli.exits import Exit, Stop

Config = Annotated[Path | None, typer.Option(help="Settings file (TOML); its section central.")]
CHARGES = ("issuer", "shop", "holder")


def add_to(app: typer.Typer) -> None:
    for command in (conflicts, settle, exposure):
        app.command()(command)


def conflicts(
    every: Annotated[bool, typer.Option("--all", help="Also those that are settled, newest first.")] = False,
    config: Config = None,
) -> None:
    """Facts of coupons and points that can't be right together: the rule, who is charged, how much, what waits."""
    from central.coupons import disputes
    from cli.office import local, opened, print_table

    with opened(config) as office, office.database.read() as connection:
        found = disputes.listed(connection, waiting=not every)
    if not found:
        typer.echo("no conflicts")
        return
    heads = ("No.", "kind", "of", "serial", "found", "rule", "charged", "yen", "state", "points", "note")
    rows: list[tuple[str, ...]] = []
    for one in found:
        party = f"{one.charges} {one.charged}".strip() or "—"
        serial = f"{one.serial:016x}" if one.serial else "—"
        of = f"coupon {one.campaign}" if one.campaign else f"a sale, {one.site}"
        of = f"points {one.programme}, {one.site}" if one.programme else of
        points = f"{one.points:,}" if one.programme else "—"
        rows.append((str(one.id), one.kind.replace("_", " "), of, serial, local(one.found_ms), one.rule, party,
                     f"{one.amount_yen:,}", one.state.replace("_", " "), points, one.note))  # fmt: skip
    print_table(heads, rows)


def settle(
    number: Annotated[int, typer.Argument(help="The conflict's number.")],
    note: Annotated[str, typer.Option(help="How it was settled.")] = "",
    paid: Annotated[bool, typer.Option("--paid", help="What was claimed came in.")] = False,
    given_up: Annotated[bool, typer.Option("--given-up", help="It never will: the issuer bears it.")] = False,
    charge: Annotated[str, typer.Option(help="Whom to charge: issuer, shop or holder.")] = "",
    config: Config = None,
) -> None:
    """End a conflict that waits: paid, given up, charged to somebody, or as the note says."""
    from central.coupons import disputes
    from central.office import now_ms
    from cli.office import opened

    if paid + given_up + bool(charge) > 1:
        raise Stop("choose one of --paid, --given-up and --charge", Exit.USAGE)
    if charge and charge not in CHARGES:
        raise Stop(f"{charge!r} can't be charged; choose one of {', '.join(CHARGES)}", Exit.USAGE)
    if not (paid or given_up or charge or note):
        raise Stop("say how: --paid, --given-up, --charge, or a --note", Exit.USAGE)
    how = disputes.Ending("paid" if paid else "given_up" if given_up else charge or "settled")
    with opened(config) as office, office.database.write() as connection:
        problem = disputes.end(connection, number, how, note, now_ms())
    if problem:
        raise Stop(problem, Exit.NO)
    waits = how is disputes.Ending.HOLDER
    typer.echo(f"conflict {number} waits for the holder's payment" if waits else f"conflict {number} is settled")


def exposure(
    number: Annotated[int, typer.Argument(metavar="COUPON", help="Its number.")],
    limit: Annotated[int | None, typer.Option(help="So many doubled uses are borne.")] = None,
    limit_yen: Annotated[int | None, typer.Option(help="The same in yen.")] = None,
    unlimited: Annotated[bool, typer.Option("--unlimited", help="No limit.")] = False,
    config: Config = None,
) -> None:
    """What units gave twice of a signed coupon; a new limit makes it 'signed' again, if it turned 'online'."""
    from central import exposure as exposures
    from central.coupons import issue
    from cli.office import opened

    if unlimited and not (limit is None and limit_yen is None):
        raise Stop("--unlimited takes no limit beside it", Exit.USAGE)
    with opened(config) as office, office.database.write() as connection:
        if unlimited or limit is not None or limit_yen is not None:
            exposures.raise_limits(connection, number, limit, limit_yen)
        issued, exposed = issue.get(connection, number), exposures.of(connection, number)
    if issued is None:
        raise Stop(f"there is no coupon {number}", Exit.NO)
    terms = issued.campaign
    uses = "no limit" if terms.exposure_limit is None else f"limit {terms.exposure_limit:,}"
    yen = "no limit" if terms.exposure_limit_yen is None else f"limit {terms.exposure_limit_yen:,}"
    given = f"{exposed.uses:,} uses too many ({uses}), {exposed.yen:,} yen ({yen})"
    typer.echo(f"coupon {number} is '{terms.policy}': {given}")
