"""`tokuten hub`: a small box of its own that runs a site's hub, through which its lanes share what they saw.

One JSON line for each step on standard output, the first says {"event":"started"}.
"""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Annotated

import typer

from cli.exits import Exit, Stop
from cli.machine import Lines, enrolled
from cli.settings import load


def hub(
    config: Annotated[Path | None, typer.Option("--config", help="Settings file (TOML); its section hub.")] = None,
    print_key: Annotated[
        bool, typer.Option("--print-key", help="Print the box's public key, to enrol it like a unit, and end.")
    ] = False,
) -> None:
    """Run a box that is the hub of a site. It relays what lanes say to each other, and owns nothing."""
    from edge_agent.hub.box import HubSettings

    settings = load("hub", HubSettings, config)
    key = enrolled("hub", settings, print_key=print_key)
    if key is None:
        return

    from importlib.metadata import version

    from nacl.signing import VerifyKey

    from edge_agent.hub.box import Box
    from edge_agent.steps import StepLog
    from edge_agent.store.connection import StoreError

    lines = Lines()
    keys = (key, VerifyKey(bytes.fromhex(settings.centre_public_key)))
    try:
        box = Box(settings, steps=StepLog(lines.write, lambda: 0), keys=keys, version=version("tokuten"))
    except StoreError as error:
        raise Stop(f"{settings.data_dir}: {error}", Exit.MISSING) from error
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: box.stop())
    try:
        box.run(ready=lambda: lines.write(b'{"event":"started"}'))
    finally:
        lines.close()
