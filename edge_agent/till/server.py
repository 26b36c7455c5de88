"""Serves the till's interface in a thread of its own (granian's embedded server, docs/adr 6 and 24).

At most CONNECTIONS_MAX connections; one whose headers do not come within HEADERS_WITHIN_MS, or that stays silent so
long, is closed, so that whoever holds them all holds them for that long. HTTP/1.1 alone: the server's automatic choice
of the protocol waits for the first bytes without a limit.
"""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import socket
import threading
import time
from pathlib import Path
from typing import Final

from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings
from granian.server.embed import Server
from litestar.types import ASGIApp

from edge_agent.settings import TillSettings
from edge_agent.till.door import Door
from edge_agent.till.faults import TillSettingsError

CONNECTIONS_MAX: Final = 128
HEADERS_WITHIN_MS: Final = 5_000
HEADER_BYTES_MAX: Final = 16 * 1024
START_WITHIN_S: Final = 10.0
STOP_WITHIN_S: Final = 5.0
TOKEN_BYTES_MIN: Final = 16
log = logging.getLogger(__name__)


def token_of(settings: TillSettings) -> str:
    """The token that requests must carry; empty: none. Raises TillSettingsError."""
    if not settings.token_file:
        if not ipaddress.ip_address(settings.host).is_loopback:
            raise TillSettingsError(f"[unit.till] host {settings.host} is open to others: it needs a token_file")
        return ""
    try:
        token = Path(settings.token_file).read_text(encoding="ascii").split("\n", 1)[0].strip()
    except (OSError, ValueError) as error:
        raise TillSettingsError(f"[unit.till] token_file: {error}") from error
    if len(token) < TOKEN_BYTES_MIN:
        raise TillSettingsError(f"[unit.till] token_file: a token of at least {TOKEN_BYTES_MIN} characters")
    return token


class TillServer:
    """See the module."""

    def __init__(self, app: ASGIApp, settings: TillSettings) -> None:
        """Raises TillSettingsError."""
        self._host, self._port = settings.host, settings.port
        names = [*settings.names, settings.host]
        self._door = Door(app, names=names, port=settings.port, token=token_of(settings))
        self._loop: asyncio.AbstractEventLoop | None = None
        self._server: Server | None = None
        self._fault: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="till", daemon=True)

    @property
    def alive(self) -> bool:
        return self._thread.is_alive()

    def start(self) -> None:
        """Until it listens. Raises TillSettingsError where it can't."""
        self._free()
        self._thread.start()
        until_s = time.monotonic() + START_WITHIN_S
        while time.monotonic() < until_s and self._thread.is_alive():
            try:
                socket.create_connection((self._host, self._port), 1.0).close()
            except OSError:
                time.sleep(0.02)
            else:
                return
        raise TillSettingsError(f"[unit.till] {self._host}:{self._port} can't be listened on: {self._fault}")

    def _free(self) -> None:
        """The server itself would share the port with another one."""
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((self._host, self._port))
            except OSError as error:
                raise TillSettingsError(f"[unit.till] {self._host}:{self._port}: {error.strerror}") from error

    def stop(self) -> None:
        if self._loop is not None and self._server is not None and self._thread.is_alive():
            try:
                self._loop.call_soon_threadsafe(self._server.stop)
            except RuntimeError:
                return  # it has ended meanwhile
            self._thread.join(STOP_WITHIN_S)

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except BaseException as error:  # noqa: BLE001 - kept for whoever looks whether it is alive
            self._fault = error
            log.error("the till's server ended: %r", error)

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._server = Server(
            self._door,
            self._host,
            self._port,
            interface=Interfaces.ASGI,
            http=HTTPModes.http1,
            websockets=False,
            log_enabled=False,
            backpressure=CONNECTIONS_MAX,
            http1_settings=HTTP1Settings(header_read_timeout=HEADERS_WITHIN_MS, max_buffer_size=HEADER_BYTES_MAX),
        )
        await self._server.serve()
