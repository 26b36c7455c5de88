"""`tokuten demo`: a broker, the centre, a bank and one virtual unit, with a page in the browser.

Ends on Ctrl-C or SIGTERM with exit code 0, and leaves no process behind.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import msgspec
import typer

from cli.exits import Exit, Stop
from cli.settings import load


def demo(
    config: Annotated[Path | None, typer.Option(help="Settings file (TOML); its section demo.")] = None,
    folder: Annotated[Path | None, typer.Option("--dir", help="Folder that holds everything of the demo.")] = None,
    reset: Annotated[bool, typer.Option("--reset", help="Begin anew: forget what earlier runs left there.")] = False,
) -> None:
    """A broker, the centre, a bank and one virtual unit, each a process of its own, and a page that shows the unit."""
    from simulator.demo import DemoSettings, run
    from simulator.home import NotOurs, Taken
    from simulator.process import NotReady

    settings = load("demo", DemoSettings, config)
    if folder is not None:
        settings = msgspec.structs.replace(settings, dir=str(folder))
    try:
        run(settings, typer.echo, reset=reset)
    except (Taken, NotOurs) as error:
        raise Stop(str(error), Exit.MISSING) from error
    except NotReady as error:
        raise Stop(str(error), Exit.UNANSWERED) from error
