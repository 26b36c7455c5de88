"""`tokuten broker`: the embedded MQTT broker, until SIGTERM or Ctrl-C.

Writes one JSON line when it listens: {"event":"ready","part":"broker","host":...,"port":...}.
"""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Annotated

import typer

from cli.exits import Exit, Stop
from cli.settings import load
from simulator.broker import BrokerSettings
from simulator.broker.access import password_line
from simulator.broker.server import run


def broker(
    config: Annotated[Path | None, typer.Option(help="Settings file (TOML); its section broker.")] = None,
    add_user: Annotated[
        str, typer.Option(metavar="NAME", help="Ask for a password, add NAME to the password file, and end.")
    ] = "",
) -> None:
    """Run the embedded MQTT broker. For the demo and tests; a shop runs Mosquitto or another broker."""
    settings = load("broker", BrokerSettings, config)
    if add_user:
        _add_user(Path(settings.password_file), add_user)
        return
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    logging.getLogger("amqtt").setLevel(logging.ERROR)  # it warns of each port probe and each client that leaves
    run(settings, ready=lambda: _say(event="ready", part="broker", host=settings.host, port=settings.port))
    _say(event="stopped", part="broker")


def _add_user(path: Path, name: str) -> None:
    password = typer.prompt(f"Password of {name}", hide_input=True, confirmation_prompt=True)
    try:
        line = password_line(name, password)
    except ValueError as error:
        raise Stop(str(error), Exit.USAGE) from error
    path.touch(mode=0o600)
    kept = [old for old in path.read_text().splitlines() if not old.startswith(f"{name}:")]
    path.write_text("\n".join([*kept, line]) + "\n")


def _say(**fields: object) -> None:
    typer.echo(json.dumps(fields))
