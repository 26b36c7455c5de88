"""A network cable that can be pulled: a TCP relay between a unit and its broker.

`cut` drops every connection at once (reset, as far as the peers can tell) and refuses new ones; `heal` lets
the unit in again on the same port. Nothing is parsed and nothing is kept: bytes that were in the relay when
the cable was pulled are lost, which is what the uplink has to survive.

Promises: `cut` returns after the last connection is gone; each direction holds at most `CHUNK_BYTES` plus the
socket buffers; at most `CONNECTIONS_MAX` connections. Raises OSError when the port can't be had.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from typing import Final

CHUNK_BYTES: Final = 64 * 1024
CONNECTIONS_MAX: Final = 64
CONNECT_TIMEOUT_S: Final = 5.0
_RESET_ON_CLOSE: Final = struct.pack("ii", 1, 0)  # struct linger: on, 0 seconds: close sends RST


class TcpCut:
    """Listens on 127.0.0.1:`port` and relays to `target`; belongs to the event loop that opened it."""

    def __init__(self, port: int, target: tuple[str, int]) -> None:
        self.port = port
        self.target = target
        self._cut = False
        self._server: asyncio.Server | None = None
        self._relays: set[asyncio.Task[None]] = set()

    @property
    def is_cut(self) -> bool:
        return self._cut

    @property
    def connections(self) -> int:
        return len(self._relays)

    async def open(self) -> None:
        """Begin to listen. Raises OSError (the port is taken)."""
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self.port)

    async def close(self) -> None:
        """Stop listening and drop what is connected."""
        if self._server is not None:
            self._server.close()
        await self._drop_all()

    async def cut(self) -> None:
        """Pull the cable."""
        self._cut = True
        await self._drop_all()

    def heal(self) -> None:
        """Plug it in again."""
        self._cut = False

    async def _drop_all(self) -> None:
        relays = list(self._relays)
        for relay in relays:
            relay.cancel()
        await asyncio.gather(*relays, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._cut or len(self._relays) >= CONNECTIONS_MAX:
            _reset(writer)
            return
        relay = asyncio.create_task(self._relay(reader, writer))
        self._relays.add(relay)
        relay.add_done_callback(self._relays.discard)

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_writer: asyncio.StreamWriter | None = None
        pumps: list[asyncio.Task[None]] = []
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                far_reader, far_writer = await asyncio.open_connection(*self.target)
            pumps = [asyncio.create_task(_pump(reader, far_writer)), asyncio.create_task(_pump(far_reader, writer))]
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        except (OSError, TimeoutError):
            pass  # the broker is not there: the unit sees a reset and tries again
        finally:
            for pump in pumps:
                pump.cancel()
            for end in (writer, far_writer):
                if end is not None:
                    _reset(end)


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while chunk := await reader.read(CHUNK_BYTES):
            writer.write(chunk)
            await writer.drain()


def _reset(writer: asyncio.StreamWriter) -> None:
    """Close without a goodbye, so that neither end mistakes a pulled cable for an orderly end."""
    sock = writer.get_extra_info("socket")
    if sock is not None:
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
    writer.transport.abort()
