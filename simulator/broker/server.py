"""Runs the embedded broker with the users of a password file and the rules of the centre's tree."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

from edge_agent.hub.broker.server import opened, serve
from simulator.broker.access import Passwords
from simulator.broker.settings import BrokerSettings


def run(settings: BrokerSettings, ready: Callable[[], None]) -> None:
    """Serve until SIGTERM or SIGINT; `ready` is called once the port listens. Raises OSError."""
    asyncio.run(_serve(settings, Passwords(Path(settings.password_file)), ready))


async def _serve(settings: BrokerSettings, users: Passwords, ready: Callable[[], None]) -> None:
    broker = await opened(users, settings.host, settings.port, settings.connections_max)
    ready()
    await serve(broker, asyncio.Event())
