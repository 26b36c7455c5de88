"""`tokuten offers`: the goods that offers are about, runs, mails and letters (M8, M9)."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli.exits import Exit, Stop

app = typer.Typer(add_completion=False, no_args_is_help=True, help="Offers picked from what people bought.")
Config = Annotated[Path | None, typer.Option(help="Settings file (TOML); its section central.")]
Period = Annotated[str, typer.Option(help="The run's period, such as 2026-W48; otherwise this week's.")]


@app.command()
def goods(
    file: Annotated[Path, typer.Argument(help="CSV in UTF-8 with the columns gtin, name, category.")],
    config: Config = None,
) -> None:
    """Enter what goods are called and of which kind they are."""
    from central.offers.goods import GoodsError, count, put, read
    from cli.office import opened

    try:
        with file.open(encoding="utf-8-sig", newline="") as lines:
            found = list(read(lines))
        with opened(config) as office, office.database.write() as connection:
            put(connection, found)
            total = count(connection)
    except GoodsError as error:
        raise Stop(f"{file}: {error}", Exit.USAGE) from error
    typer.echo(f"{len(found):,} articles entered; {total:,} in all")


@app.command()
def run(period: Period = "", config: Config = None) -> None:
    """Pick offers for every customer in turn. Cut off, the same command goes on where it stood."""
    from central.offers import run as runs
    from central.office import now_ms
    from cli.office import local, opened

    with opened(config) as office:
        named = period or _week(now_ms(), office.settings.utc_offset_min)
        try:
            at = runs.begin(office.database, named, now_ms())
        except runs.RunError as error:
            raise Stop(str(error), Exit.USAGE) from error
        secret, said = office.keys.cache_secret(), ""
        while at.finished_ms is None:
            at = runs.step(office.database, secret, named, now_ms())
            if at.stage.value != said:
                said = at.stage.value
                typer.echo(f"{named}: {said}", err=True)
    typer.echo(f"{named}, done {local(at.finished_ms)}: offers for {at.picked:,} of {at.people:,} people")


def _week(at_ms: int, utc_offset_min: int) -> str:
    from datetime import UTC, datetime, timedelta

    year, week, _ = (datetime.fromtimestamp(at_ms / 1000, UTC) + timedelta(minutes=utc_offset_min)).isocalendar()
    return f"{year}-W{week:02}"


@app.command()
def send(config: Config = None) -> None:
    """Send the mails that are due now. (`tokuten central` does so by itself, all the time.)"""
    from central.offers import outbox
    from central.offers.post import MailError, Postman, Trouble
    from central.office import now_ms
    from cli.office import opened

    with opened(config) as office:
        settings = office.settings
        try:
            postman = Postman(office.database, settings.mail, office.keys.cache_secret(), settings.utc_offset_min)
        except MailError as error:
            raise Stop(str(error), Exit.SETTINGS) from error
        sent = 0
        said = postman.step(now_ms())
        while said.done and said.trouble is Trouble.NONE:
            sent += said.sent
            said = postman.step(now_ms())
        sent += said.sent
        with office.database.read() as connection:
            waiting = outbox.counts(connection).get(outbox.State.WAITING, 0)
    typer.echo(f"{sent:,} sent, {waiting:,} waiting")
    if said.trouble is not Trouble.NONE:
        raise Stop(f"the mail server: {said.trouble.value} ({said.detail})", Exit.UNANSWERED)


@app.command()
def letters(
    file: Annotated[Path, typer.Argument(help="Where the PDF goes.")],
    period: Annotated[str, typer.Option(help="The run's period; otherwise the newest that is done.")] = "",
    config: Config = None,
) -> None:
    """Print a run's letters, with addresses, into one PDF. Each is written into the audit log."""
    from central.offers import paper
    from central.offers import run as runs
    from central.office import now_ms
    from cli.office import opened

    with opened(config) as office:
        settings, at_ms = office.settings, now_ms()
        with office.database.read() as connection:
            found = runs.of_period(connection, period) if period else runs.newest_done(connection)
        if found is None or found.stage is not runs.Stage.DONE:
            raise Stop(f"no run {period} is done".replace("  ", " "), Exit.NO)
        try:
            font = paper.font(settings.offers.letter_font)
            sheet = paper.Paper(font, settings.offers.letter_from, settings.utc_offset_min)
        except paper.PaperError as error:
            raise Stop(str(error), Exit.MISSING) from error
        for one in paper.for_run(office.database, found.id, "tokuten offers letters", at_ms):
            sheet.add(one, at_ms)
        if not sheet.pages:
            raise Stop(f"nobody gets a letter of {found.period}", Exit.NO)
        file.touch(mode=0o600)
        file.write_bytes(sheet.bytes())
    typer.echo(f"{sheet.pages:,} letters of {found.period} in {file}")


@app.command("runs")
def list_runs(config: Config = None) -> None:
    """How the runs stand, and their mails; the newest first."""
    from central.offers import outbox
    from central.offers import run as runs
    from cli.office import local, opened, print_table

    with opened(config) as office, office.database.read() as connection:
        found = runs.listed(connection, 50)
        counts = outbox.counts_by_run(connection, [one.id for one in found])
    if not found:
        typer.echo("no runs")
        return
    heads = ("period", "stage", "people", "with offers", *(state.value for state in outbox.State), "done")
    print_table(
        heads,
        [
            (
                one.period, one.stage.value, f"{one.people:,}", f"{one.picked:,}",
                *(f"{counts.get((one.id, state), 0):,}" for state in outbox.State), local(one.finished_ms),
            )
            for one in found
        ],
    )  # fmt: skip
