"""`tokuten history`: whose coupons were used, when and where: figure 3 of document K (K7)."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

import typer

from cli.exits import Exit, Stop

app = typer.Typer(add_completion=False, help="Print who used which coupon, when and where.")
HEADS: Final = {
    "en": ("person", "password", "coupon", "number", "downloaded", "used", "used at", "used in"),
    "ja": (
        "ユーザ名",
        "パスワード",
        "電子クーポン名",
        "識別番号",
        "ダウンロード日時",
        "使用区分",
        "使用日時",
        "使用場所",
    ),
}
NONE: Final = "—"  # as figure 3 has it for what is not there, or not yet
STATES: Final = {
    "en": {"used": "used", "unused": "not yet", "untracked": "—"},
    "ja": {"used": "済", "unused": "未", "untracked": "—"},
}


@app.command("history")
def history(
    person: Annotated[str, typer.Option(help="Whose; without it, everybody's.")] = "",
    lang: Annotated[str, typer.Option(help="en or ja.")] = "en",
    config: Annotated[Path | None, typer.Option(help="Settings file (TOML); its section central.")] = None,
) -> None:
    """Print who used which coupon, when and where: the table of figure 3 of document K (K7)."""
    from central import registry
    from central.coupons import history as book
    from central.coupons import persons
    from cli.office import local, opened, print_table

    if lang not in HEADS:
        raise Stop(f"--lang {lang}: en or ja", Exit.USAGE)
    with opened(config) as office, office.database.read() as connection:
        if person and persons.find(connection, person) is None:
            raise Stop(f"there is nobody called {person}", Exit.NO)
        lines = book.of_person(connection, person) if person else book.of_everybody(connection)
        titles = registry.titles(connection)
    heads = HEADS[lang]
    rows: list[tuple[str, ...]] = []
    last = ""
    for line in lines:
        rows.append(
            (
                *((line.person, "****") if line.person != last else ("", "")),
                line.campaign.name,
                NONE if line.number is None else str(line.number),
                local(line.downloaded_ms),
                STATES[lang][line.state.value],
                local(line.used_ms, NONE),
                NONE if line.used_site is None else titles.get(line.used_site, line.used_site),
            )
        )
        last = line.person
    print_table(heads, rows)
