"""`tokuten coupon`: issue, list, show, download and stop coupons; see what was redeemed (K1 to K3, K6).

Conflicts, exposure and the stop list are commands of it too (`cli.disputes`, `cli.stoplist`)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli import disputes, stoplist
from cli.exits import Exit, Stop
from loyalty.campaign import Campaign, ClockRule, ConflictRule, Kind, Policy, benefit

if TYPE_CHECKING:
    from central.coupons.issue import Issued
    from central.office import Office

app = typer.Typer(add_completion=False, no_args_is_help=True, help="Issue, list and show coupons.")
Config = Annotated[Path | None, typer.Option(help="Settings file (TOML); its section central.")]
Number = Annotated[int, typer.Argument(metavar="COUPON", help="Its number, as `tokuten coupon list` shows it.")]
Png = Annotated[Path | None, typer.Option(help="Write the barcode to this PNG file instead.")]
Svg = Annotated[Path | None, typer.Option(help="Write the barcode to this SVG file instead.")]


@app.command()
def issue(
    name: Annotated[str, typer.Argument(help="As the shopper reads it.")],
    provider: Annotated[str, typer.Option(help="The shop that issues it.")],
    kind: Annotated[Kind, typer.Option(help="What the shopper gets.")] = Kind.AMOUNT,
    policy: Annotated[Policy, typer.Option(help="What a unit may decide without the centre.")] = Policy.SIGNED,
    amount_yen: Annotated[int, typer.Option(help="Kind amount: yen off.")] = 0,
    percent: Annotated[int, typer.Option(help="Kind percent: per cent off.")] = 0,
    gift: Annotated[str, typer.Option(help="Kinds gift and ticket: what is handed over.")] = "",
    serials: Annotated[bool, typer.Option(help="Each coupon has a serial that counts once.")] = True,
    starts: Annotated[str | None, typer.Option(help="First day on which it counts.")] = None,
    ends: Annotated[str | None, typer.Option(help="Last day on which it counts.")] = None,
    download_until: Annotated[str | None, typer.Option(help="Last day to download it.")] = None,
    days_after_download: Annotated[int | None, typer.Option(help="How long it is valid once downloaded.")] = None,
    stock: Annotated[int | None, typer.Option(help="How many can be downloaded; unlimited by default.")] = None,
    cap: Annotated[int | None, typer.Option(help="How many count in all.")] = None,
    budget_yen: Annotated[int | None, typer.Option(help="How much all uses together may take off.")] = None,
    per_person: Annotated[int | None, typer.Option(help="How many count for each person.")] = None,
    shop: Annotated[
        list[str] | None, typer.Option(help="A site where it counts; can be repeated. Default: all.")
    ] = None,
    min_spend_yen: Annotated[int, typer.Option(help="Least amount of the basket.")] = 0,
    jan: Annotated[str, typer.Option(help="An EAN/JAN code that stands for it (policy open).")] = "",
    trade: Annotated[
        str,
        typer.Option(help="A code of the trade that stands for it: gcn:..., offer:...:..., gtin:..., store:...."),
    ] = "",
    value_in_code: Annotated[
        bool, typer.Option("--value-in-code", help="The code says how much; amount or percent is the most.")
    ] = False,
    needs_card: Annotated[
        bool, typer.Option("--needs-card", help="Counts with the holder's card in the slot only.")
    ] = False,
    moving: Annotated[bool, typer.Option("--moving", help="Its code moves on the phone, against screenshots.")] = False,
    first_number: Annotated[int | None, typer.Option(help="First of the numbers that people see.")] = None,
    strong_auth: Annotated[bool, typer.Option("--strong-auth", help="A download needs the password.")] = False,
    untrusted_clock: Annotated[
        ClockRule, typer.Option(help="Dates by a clock that can't be trusted.")
    ] = ClockRule.ACCEPT,
    conflict: Annotated[
        ConflictRule, typer.Option(help="Who pays where facts contradict each other.")
    ] = ConflictRule.OPERATOR,
    value_yen: Annotated[int, typer.Option(help="Kinds gift and ticket: what one use costs.")] = 0,
    exposure_limit: Annotated[
        int | None, typer.Option(help="Policy signed: past so many doubled uses it turns online.")
    ] = None,
    exposure_limit_yen: Annotated[int | None, typer.Option(help="The same in yen.")] = None,
    number: Annotated[int, typer.Option(help="Its number; the next free one by default.")] = 0,
    config: Config = None,
) -> None:
    """Issue a coupon; every unit where it counts knows it within seconds."""
    from central.coupons import issue as desk
    from central.office import now_ms
    from cli.office import first_instant, last_day, opened

    campaign = Campaign(
        id=number, name=name, kind=kind, policy=policy, provider=provider, amount_yen=amount_yen, percent=percent,
        gift=gift, serials=serials, starts_ms=first_instant(starts), ends_ms=last_day(ends),
        download_ends_ms=last_day(download_until), days_after_download=days_after_download, stock=stock, cap=cap,
        budget_yen=budget_yen, per_person=per_person, shops=tuple(shop or ()), min_spend_yen=min_spend_yen, jan=jan,
        trade=trade, value_in_code=value_in_code, needs_card=needs_card, moving=moving,
        first_number=first_number, strong_auth=strong_auth, clock_rule=untrusted_clock,
        conflict=conflict, value_yen=value_yen, exposure_limit=exposure_limit, exposure_limit_yen=exposure_limit_yen,
    )  # fmt: skip
    with opened(config) as office, office.database.write() as connection:
        issued = desk.issue(connection, campaign, now_ms())
    typer.echo(f"coupon {issued.id} is issued: {issued.name}, {benefit(issued, 'en')}")


@app.command("list")
def list_coupons(config: Config = None) -> None:
    """Every coupon: what is left, until when, how many were given out and used."""
    from central.coupons import issue as desk
    from cli.office import local, opened, print_table

    with opened(config) as office, office.database.read() as connection:
        found = desk.listed(connection)
    heads = (
        "No.",
        "name",
        "benefit",
        "policy",
        "left",
        "download until",
        "given out",
        "used",
        "",
    )
    rows: list[tuple[str, ...]] = []
    for one in found:
        campaign = one.campaign
        until = None if campaign.download_ends_ms is None else campaign.download_ends_ms - 1
        rows.append(
            (
                str(campaign.id),
                campaign.name,
                benefit(campaign, "en"),
                campaign.policy.value,
                "—" if one.stock_left is None else f"{one.stock_left:,}",
                local(until, "—"),
                f"{one.given_out:,}",
                f"{one.redeemed:,}",
                "stopped" if campaign.stopped else "",
            )
        )
    print_table(heads, rows)


@app.command()
def stop(number: Number, config: Config = None) -> None:
    """Withdraw a coupon: from now on it counts nowhere and can't be downloaded."""
    from central.coupons import issue as desk
    from cli.office import opened

    with opened(config) as office, office.database.write() as connection:
        campaign = desk.stop(connection, number)
    typer.echo(f"coupon {campaign.id} is stopped: {campaign.name}")


@app.command()
def download(
    number: Number,
    person: Annotated[str, typer.Option(help="Who downloads it; nobody in particular by default.")] = "",
    password_file: Annotated[
        Path | None, typer.Option(help="For tickets: its first line; otherwise it is asked.")
    ] = None,
    home: Annotated[str, typer.Option(help="Policy home: the site that decides about it without the centre.")] = "",
    png: Png = None,
    svg: Svg = None,
    config: Config = None,
) -> None:
    """Give out one coupon and show its barcode; the count falls."""
    from central.coupons import download as counter
    from central.coupons import issue as desk
    from central.coupons import persons
    from central.office import now_ms
    from cli.barcodes import present
    from cli.office import opened

    with opened(config) as office:
        with office.database.read() as connection:
            issued = desk.get(connection, number)
            who = persons.find(connection, person) if person else None
        if person and who is None:
            raise Stop(f"there is nobody called {person}", Exit.NO)
        proven = False
        if issued is not None and issued.campaign.strong_auth and who is not None:
            proven = _proven(office, who.name, password_file)
        with office.database.write() as connection:
            given = counter.download(connection, office.keys, number, who, proven=proven, now_ms=now_ms(), home=home)
    if isinstance(given, counter.No):
        raise Stop(f"{counter.WORDS[given]['en']} ({given.value})", Exit.NO)
    present(given.campaign.name, given.text, png, svg)


def _proven(office: Office, name: str, password_file: Path | None) -> bool:
    from central.coupons import persons

    if password_file is not None:
        password = password_file.read_text(encoding="utf-8").split("\n", 1)[0]
    else:
        password = typer.prompt(f"Password of {name}", hide_input=True)
    with office.database.read() as connection:
        stored = persons.stored_hash(connection, name)
    if not persons.password_fits(stored, password):
        raise Stop("the password is wrong", Exit.NO)
    return True


@app.command()
def show(
    number: Number,
    person: Annotated[str, typer.Option(help="Whose coupon; nobody's in particular by default.")] = "",
    png: Png = None,
    svg: Svg = None,
    config: Config = None,
) -> None:
    """Show the barcode of a coupon that was given out: in the terminal, or as a PNG or SVG file."""
    from central.coupons import history
    from central.coupons import issue as desk
    from cli.barcodes import present
    from cli.office import opened

    with opened(config) as office, office.database.read() as connection:
        issued = desk.get(connection, number)
        if issued is None:
            raise Stop(f"there is no coupon {number}", Exit.NO)
        lines = [line for line in history.of_person(connection, person or None) if line.campaign.id == number]
    if issued.campaign.trade:
        raise Stop(f"it is printed, not given out: a code of the trade with the key {issued.campaign.trade}", Exit.NO)
    if issued.campaign.jan:
        present(issued.campaign.name, issued.campaign.jan, png, svg)
        return
    unused = [line for line in lines if line.state is not history.State.USED]
    if not unused:
        command = f"tokuten coupon download {number}" + (f" --person {person}" if person else "")
        raise Stop(f"none to show: `{command}` gives one out", Exit.NO)
    present(_title(issued), unused[-1].text, png, svg)


def _title(issued: Issued) -> str:
    return f"{issued.campaign.name}: {benefit(issued.campaign, 'en')}"


@app.command()
def redemptions(
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many of the newest.")] = 20, config: Config = None
) -> None:
    """What was redeemed, newest first (K6), with what is odd about it."""
    from central.coupons import clearing
    from cli.office import local, opened, print_table, when

    with opened(config) as office, office.database.read() as connection:
        found = clearing.newest(connection, limit)
    heads = (
        "coupon",
        "number",
        "site",
        "unit",
        "when",
        "booked",
        "state",
        "flags",
    )
    rows: list[tuple[str, ...]] = []
    for one in found:
        known = one.name or f"(unknown {one.campaign})"
        shown = "—" if one.number is None else str(one.number)
        times = (when(one.at_ms, one.at_error_ms), local(one.booked_ms))
        rows.append((known, shown, one.site, one.device, *times, one.state, ", ".join(one.flags)))
    print_table(heads, rows)


disputes.add_to(app)
stoplist.add_to(app)
