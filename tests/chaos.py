"""A hostile network and broker in one: an MQTT 3.1.1 proxy that loses, doubles, reorders and lies by seed.

It stands between a client and a real broker and works on whole packets. Only PUBLISH is touched, each way with
its own `Faults`; everything else passes, so that connections live on. The worst fault is `lie`: the packet is
acknowledged to its sender and dropped, as brokers do with what their rules forbid (promise 2: 'what the broker
acknowledges proves nothing'). Faults can be changed while it runs: chaos first, then calm, and progress is required.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import threading
from collections import Counter
from dataclasses import dataclass, field
from typing import Final

from tests.servers import START_S, STOP_S, free_port, wait_until

PUBLISH: Final = 3
PUBACK: Final = b"\x40\x02"
HELD_MS_MAX: Final = 1_000  # a packet that waits to be overtaken goes out after this, overtaken or not


@dataclass
class Faults:
    """What happens to PUBLISH packets of one direction. Shares of 1; the rest passes as it is."""

    drop: float = 0.0  # lost; nobody is told
    lie: float = 0.0  # acknowledged to the sender, then lost
    double: float = 0.0  # sent twice
    reorder: float = 0.0  # held back until the next one has passed, or HELD_MS_MAX
    delay_ms: int = 0  # every packet of the direction, PUBLISH or not

    def choose(self, dice: random.Random) -> str:
        """The fault for one packet."""
        point = dice.random()
        for name in ("drop", "lie", "double", "reorder"):
            point -= getattr(self, name)
            if point < 0:
                return name
        return "pass"


CALM: Final = Faults()


@dataclass
class Chaos:
    """The proxy, on a port of its own. `counts` says what was done, for tests that must have seen each fault."""

    target_port: int
    seed: int
    up: Faults = field(default_factory=Faults)  # client to broker
    down: Faults = field(default_factory=Faults)  # broker to client
    port: int = field(default_factory=free_port)
    counts: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self._dice = random.Random(self.seed)
        self._loop = asyncio.new_event_loop()
        self._writers: set[asyncio.StreamWriter] = set()
        self._started = threading.Event()
        self._thread = threading.Thread(target=self._run, name="chaos", daemon=True)
        self._thread.start()
        wait_until(self._started.is_set, START_S, "the chaos proxy to listen")

    def calm(self) -> None:
        """No more faults."""
        self.up = self.down = CALM

    def drop_connections(self) -> None:
        self._loop.call_soon_threadsafe(self._drop)

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._end.set)
        self._thread.join(STOP_S)

    def _drop(self) -> None:
        for writer in self._writers:
            writer.transport.abort()

    def _run(self) -> None:
        with contextlib.closing(self._loop):
            self._loop.run_until_complete(self._serve())

    async def _serve(self) -> None:
        self._end = asyncio.Event()
        server = await asyncio.start_server(self._client, "127.0.0.1", self.port)
        self._started.set()
        await self._end.wait()
        server.close()
        self._drop()
        tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self.target_port)
        except OSError:
            writer.transport.abort()
            return
        self._writers |= {writer, far_writer}
        lines = [
            asyncio.create_task(_Line(self, "up", reader, far_writer, writer).run()),
            asyncio.create_task(_Line(self, "down", far_reader, writer, far_writer).run()),
        ]
        await asyncio.wait(lines, return_when=asyncio.FIRST_COMPLETED)
        for line in lines:
            line.cancel()
        await asyncio.gather(*lines, return_exceptions=True)
        for end in (writer, far_writer):
            self._writers.discard(end)
            end.transport.abort()


class _Line:
    """One direction of one connection."""

    def __init__(
        self,
        chaos: Chaos,
        direction: str,
        source: asyncio.StreamReader,
        sink: asyncio.StreamWriter,
        back: asyncio.StreamWriter,
    ) -> None:
        self.chaos, self.direction = chaos, direction
        self.source, self.sink, self.back = source, sink, back
        self.held: bytes | None = None
        self.timer: asyncio.TimerHandle | None = None

    async def run(self) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            while True:
                packet = await _packet(self.source)
                faults: Faults = getattr(self.chaos, self.direction)
                if faults.delay_ms:
                    await asyncio.sleep(faults.delay_ms / 1000)
                if packet[0] >> 4 == PUBLISH:
                    self._publish(packet, faults.choose(self.chaos._dice))
                else:
                    self.sink.write(packet)
                await self.sink.drain()

    def _publish(self, packet: bytes, fault: str) -> None:
        self.chaos.counts[f"{self.direction} {fault}"] += 1
        match fault:
            case "drop":
                pass
            case "lie":
                if (packet_id := _packet_id(packet)) is not None:
                    self.back.write(PUBACK + packet_id)
            case "reorder" if self.held is None:
                self.held = packet
                self.timer = asyncio.get_running_loop().call_later(HELD_MS_MAX / 1000, self._release)
            case _:
                self.sink.write(packet * 2 if fault == "double" else packet)
                self._release()

    def _release(self) -> None:
        if self.held is not None:
            self.sink.write(self.held)
            self.held = None
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None


async def _packet(source: asyncio.StreamReader) -> bytes:
    head = await source.readexactly(2)
    while head[-1] & 0x80:
        head += await source.readexactly(1)
    length = sum((byte & 0x7F) << (7 * i) for i, byte in enumerate(head[1:]))
    return head + await source.readexactly(length)


def _packet_id(packet: bytes) -> bytes | None:
    """The two bytes of the packet id of a PUBLISH; None for QoS 0."""
    if not packet[0] & 0x06:
        return None
    at = 1
    while packet[at] & 0x80:
        at += 1
    at += 1
    at += 2 + int.from_bytes(packet[at : at + 2], "big")
    return packet[at : at + 2]
