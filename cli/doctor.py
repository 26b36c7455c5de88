"""`tokuten doctor`: what this machine has for a unit, what is found where, and what to do about what is missing.

Without a settings file it looks; with one (`--config`) it also tells whether each part that is named can be opened by
trying it, while a person looks on (`--try`). It is made to run on a machine without any of the parts.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.exits import Exit, Stop
from cli.settings import load

if TYPE_CHECKING:
    from edge_agent.settings import UnitSettings
    from hal.pi.find import Finding


def doctor(
    config: Annotated[Path | None, typer.Option("--config", help="Settings file (TOML); its section unit.")] = None,
    trying: Annotated[
        list[str] | None, typer.Option("--try", help="Try a part that the settings name, or 'all'; may be repeated.")
    ] = None,
    dark: Annotated[bool, typer.Option("--dark", help="Put out lights and display, and end.")] = False,
) -> None:
    """List what is plugged in where; with --config and --try, try each part while you look on."""
    from edge_agent.settings import UnitSettings

    if config is None and (trying or dark):
        raise Stop("--try and --dark need the settings that name the parts: --config FILE", Exit.USAGE)
    settings = None if config is None else load("unit", UnitSettings, config)
    if dark:
        assert settings is not None
        _dark(settings)
    elif trying:
        assert settings is not None
        _try(settings, trying)
    else:
        _look(settings)


def _look(settings: UnitSettings | None) -> None:
    from hal.pi.find import Mark, everything

    wrong = 0
    for finding in everything():
        wrong += finding.mark is Mark.WRONG
        _say(finding)
    if settings is not None:
        named = ", ".join(f"{part} {getattr(settings.parts, part)}" for part in settings.parts.__struct_fields__)
        typer.echo(f"\nThe settings name: {named}. `--try all` tries each.")
    if wrong:
        raise Stop(f"{wrong} of these want mending (!!)", Exit.NO)


def _say(finding: Finding) -> None:
    typer.echo(f"{finding.mark}  {finding.part}: {finding.text}")
    if finding.advice:
        typer.echo(f"      {finding.advice}")


def _try(settings: UnitSettings, names: list[str]) -> None:
    from edge_agent.trials import trials
    from hal.errors import HalError

    known = trials(settings)
    unknown = [name for name in names if name not in known and name != "all"]
    if unknown:
        raise Stop(f"no such part: {unknown[0]}; the settings name {', '.join(known)}", Exit.USAGE)
    failed = 0
    for name in known if "all" in names else names:
        typer.echo(f"{name}:")
        try:
            for told in known[name](settings):
                typer.echo(f"  ok  {told}")
        except HalError as error:
            failed += 1
            typer.echo(f"  !!  {error} ({error.reason})")
    if failed:
        raise Stop(f"{failed} of the parts that the settings name do not work", Exit.MISSING)


def _dark(settings: UnitSettings) -> None:
    from edge_agent.trials import dark

    left = dark(settings)
    if left:
        raise Stop("; ".join(left), Exit.MISSING)
