"""The two ends of a client's connection, as amqtt wants them, with the bounds that amqtt lacks.

The reader hands over whole packets of at most `PACKET_BYTES_MAX`, stops reading publishes while the broker is
behind (so that TCP holds the sender back), and ends a connection that is silent for 1.5 times its keep-alive.
The writer ends a connection whose client does not read for `WRITE_S`.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Final

from amqtt.adapters import StreamReaderAdapter, StreamWriterAdapter

from wire.topics import PACKET_BYTES_MAX

CONNECT_S: Final = 10.0  # how long a connection may take to say who it is
WRITE_S: Final = 5.0  # how long a client may not read; so long can it hold up the others
KEEP_ALIVE_GRACE: Final = 1.5  # MQTT 3.1.1, 3.1.2.10
LENGTH_BYTES_MAX: Final = 4
PUBLISH: Final = 3


class PacketReader(StreamReaderAdapter):  # type: ignore[misc]  # amqtt has no types
    """Reads packet by packet. amqtt may cancel a read at any moment: what was received is kept in the object."""

    def __init__(self, reader: asyncio.StreamReader, room: Callable[[], Awaitable[None]]) -> None:
        super().__init__(reader)
        self._stream = reader
        self._room = room
        self._head = bytearray()
        self._length: int | None = None
        self._packet = memoryview(b"")
        self._broken = False
        self._heard_s = asyncio.get_running_loop().time()
        self._idle_s: float | None = CONNECT_S

    def keep_alive(self, keep_alive_s: int) -> None:
        """From now on the client must be heard within 1.5 times this; 0: it may be silent for ever."""
        self._idle_s = keep_alive_s * KEEP_ALIVE_GRACE if keep_alive_s else None

    async def read(self, n: int = -1) -> bytes:
        if not self._packet and not self._broken:
            await self._next_packet()
        if self._broken or n > len(self._packet):
            # a packet that says it is longer inside than outside: what follows can't be trusted
            self._broken = True
            raise asyncio.IncompleteReadError(b"", n)
        piece = bytes(self._packet[:n]) if n >= 0 else bytes(self._packet)
        self._packet = self._packet[len(piece) :]
        return piece

    async def _next_packet(self) -> None:
        while self._length is None:
            self._head += await self._receive(1)
            if len(self._head) > 1 and self._head[-1] < 0x80:
                self._length = sum((byte & 0x7F) << (7 * i) for i, byte in enumerate(self._head[1:]))
            if len(self._head) > 1 + LENGTH_BYTES_MAX or len(self._head) + (self._length or 0) > PACKET_BYTES_MAX:
                self._broken = True
                return
        if self._head[0] >> 4 == PUBLISH:
            await self._room()
            self._heard_s = asyncio.get_running_loop().time()
        body = await self._receive(self._length)
        self._packet = memoryview(bytes(self._head) + body)
        self._head, self._length = bytearray(), None

    async def _receive(self, count: int) -> bytes:
        deadline = None if self._idle_s is None else self._heard_s + self._idle_s
        try:
            async with asyncio.timeout_at(deadline):
                data = await self._stream.readexactly(count)
        except TimeoutError as error:
            self._broken = True
            raise asyncio.IncompleteReadError(b"", count) from error
        self._heard_s = asyncio.get_running_loop().time()
        return data


class BoundedWriter(StreamWriterAdapter):  # type: ignore[misc]
    """Writes with a time limit."""

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        super().__init__(writer)
        self._stream = writer

    async def drain(self) -> None:
        try:
            async with asyncio.timeout(WRITE_S):
                await super().drain()
        except TimeoutError as error:
            self._stream.transport.abort()
            raise ConnectionResetError(f"the client did not read for {WRITE_S:g} s") from error

    async def close(self) -> None:
        with contextlib.suppress(OSError):
            try:
                async with asyncio.timeout(WRITE_S):
                    await super().close()
            except TimeoutError:
                self._stream.transport.abort()
