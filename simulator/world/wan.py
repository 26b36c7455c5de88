"""The broker and the lines to it: what carries messages between units and the centre, and what may befall them.

The weather says how: messages are lost, doubled, late (and so out of order). A broker may acknowledge and drop. Lines
are cut with a word (the connection ends) or without (nothing passes, and nobody notices until something is missed).
Only MQTT's own promises are kept: a will is told when a connection ends, nothing is queued for who is away.
"""

from __future__ import annotations

import heapq
from collections import Counter, deque
from collections.abc import Callable
from random import Random
from typing import Any, Final

import msgspec

from edge_agent.mqtt import Arrived, Connected, Disconnected, LinkEvent
from simulator.world.clock import Time
from simulator.world.trace import Trace
from wire import topics
from wire.messages import Conn, encode
from wire.topics import PACKET_BYTES_MAX, Address

HOP_MS: Final = 20  # one way, in fair weather
RETRY_MS: Final = 2_000  # between two attempts to connect
RECORDED_MAX: Final = 200
WILL_MS: Final = 30_000  # until a broker notices that a silent connection is over


class Weather(msgspec.Struct):
    """Shares of the messages, and how late a late one is at most."""

    loss: float = 0.0
    doubled: float = 0.0
    late: float = 0.0
    late_ms: int = 10_000
    swallowed: float = 0.0  # the broker acknowledges them, and that is all


class Line:
    """A unit's connection to the broker (`edge_agent.ports.Broker`)."""

    alive = True

    def __init__(self, wan: Wan, where: Address, sink: Callable[[LinkEvent], Any], step: Callable[[], None]) -> None:
        self._wan, self.where, self._sink, self._step = wan, where, sink, step
        self.session = wan.rng.randbytes(8)
        self.listens_to = frozenset(topic for topic, _ in topics.subscriptions(where))
        self.up = False
        self.deaf = False  # it thinks that it is connected, and nothing passes
        self.ended = False
        self.retry_ms = 0

    def start(self) -> None:
        self._wan.begins(self)

    def stop(self) -> None:
        if self.up:
            self.publish(topics.ST_CONN, encode(Conn(False, self.session)))
        self.ended, self.up = True, False

    def publish(self, leaf: topics.Leaf, payload: bytes) -> bool:
        self._step()
        if not self.up:
            return False
        topic = self.where.topic(leaf)
        if len(payload) + len(topic) + 8 > PACKET_BYTES_MAX:
            raise ValueError(f"a packet of {len(payload)} bytes for {leaf.path}: at most {PACKET_BYTES_MAX} go through")
        if self.deaf:
            return True
        self._wan.take(topic, payload, up=True)
        return True

    # --- from the network's side ----------------------------------------------------------------------

    def connect(self) -> None:
        self.up, self.deaf = True, False
        self._wan.take(self.where.topic(topics.ST_CONN), encode(Conn(True, self.session)), up=True)
        self._sink(Connected())

    def lose(self, why: str) -> None:
        """The connection is over, and this side knows it; the broker tells the will."""
        if self.up:
            self.up = False
            self._wan.take(self.where.topic(topics.ST_CONN), encode(Conn(False, self.session)), up=True)
            self._sink(Disconnected(why))

    def vanish(self) -> None:
        """The unit is gone without a word: the broker tells its will after a while."""
        if self.up and not self.ended:
            will = encode(Conn(False, self.session))
            self._wan.later(WILL_MS, self.where.topic(topics.ST_CONN), will)
        self.ended, self.up = True, False

    def hear(self, topic: str, payload: bytes) -> None:
        if self.up and not self.deaf:
            self._sink(Arrived(topic, payload))


class Wan:
    """See the module. `to_centre` takes what arrives there."""

    def __init__(
        self, time: Time, rng: Random, trace: Trace, to_centre: Callable[[str, bytes], None], tenant: str
    ) -> None:
        self._time, self.rng, self._trace, self._to_centre = time, rng, trace, to_centre
        self._for_centre = [filter_.split("/") for filter_, _ in topics.centre_subscriptions(tenant)]
        self.weather = Weather()
        self.counts: Counter[str] = Counter()  # what really happened to messages and lines
        self.centre_up = False
        self._lines: dict[str, Line] = {}
        self._cut: set[str] = set()  # devices whose line is cut
        self._flying: list[tuple[int, int, bool, str, bytes]] = []
        self._number = 0
        self.recorded: deque[tuple[str, bytes, bool]] = deque(maxlen=RECORDED_MAX)  # for whoever plays them back later

    # --- messages -------------------------------------------------------------------------------------

    def take(self, topic: str, payload: bytes, *, up: bool) -> None:
        """Somebody hands a message to the broker."""
        weather, rng = self.weather, self.rng
        luck = rng.random()
        if luck < weather.loss + weather.swallowed:
            fate = "lost" if luck < weather.loss else "swallowed"
            self.counts[fate] += 1
            self._trace.message(self._time.now_ms, topic, payload, fate)
            return
        self._send(topic, payload, up=up)
        if rng.random() < weather.doubled:
            self.counts["doubled"] += 1
            self._send(topic, payload, up=up)

    def _send(self, topic: str, payload: bytes, *, up: bool) -> None:
        after_ms = HOP_MS + self.rng.randrange(10)
        if self.rng.random() < self.weather.late:
            self.counts["late"] += 1
            after_ms += self.rng.randrange(self.weather.late_ms)
        self._fly(after_ms, topic, payload, up=up)

    def later(self, after_ms: int, topic: str, payload: bytes) -> None:
        """The broker itself says something, to the centre."""
        self._fly(after_ms, topic, payload, up=True)

    def _fly(self, after_ms: int, topic: str, payload: bytes, *, up: bool) -> None:
        self._number += 1
        heapq.heappush(self._flying, (self._time.now_ms + after_ms, self._number, up, topic, payload))

    def inject(self, topic: str, payload: bytes, *, up: bool) -> None:
        """Somebody who is not one of us says something."""
        self._fly(HOP_MS, topic, payload, up=up)

    # --- lines ----------------------------------------------------------------------------------------

    def open(self, where: Address, sink: Callable[[LinkEvent], Any], step: Callable[[], None]) -> Line:
        """A unit that starts plugs itself in."""
        line = self._lines[where.device] = Line(self, where, sink, step)
        return line

    def begins(self, line: Line) -> None:
        line.retry_ms = self._time.now_ms + HOP_MS

    def cut(self, device: str, *, silent: bool = False) -> bool:
        """Nothing passes from now on; True: until now something did. `silent`: and the unit does not notice."""
        self._cut.add(device)
        line = self._lines.get(device)
        if line is None or not line.up:
            return False
        if silent:
            line.deaf = True
        else:
            line.lose("the line is cut")
        return True

    def mend(self, device: str) -> None:
        self._cut.discard(device)
        line = self._lines.get(device)
        if line is not None:
            line.retry_ms = self._time.now_ms + HOP_MS
            if line.deaf:  # the broker ended the silent connection long ago
                line.lose("the connection was over")

    def restart(self) -> None:
        """The broker goes down with all that is on its way, and comes back."""
        self._flying.clear()
        for line in self._lines.values():
            line.lose("the broker went away")
            line.retry_ms = self._time.now_ms + RETRY_MS

    # --- time -----------------------------------------------------------------------------------------

    def due_ms(self) -> int:
        due = self._flying[0][0] if self._flying else 1 << 62
        for device, line in self._lines.items():
            if not (line.up or line.ended or device in self._cut):
                due = min(due, line.retry_ms)
        return due

    def step(self) -> None:
        now_ms = self._time.now_ms
        for device, line in list(self._lines.items()):
            if not (line.up or line.ended or device in self._cut) and line.retry_ms <= now_ms:
                line.connect()
        while self._flying and self._flying[0][0] <= now_ms:
            _, _, up, topic, payload = heapq.heappop(self._flying)
            self._arrive(topic, payload, up=up)

    def _arrive(self, topic: str, payload: bytes, *, up: bool) -> None:
        self._trace.message(self._time.now_ms, topic, payload, "to centre" if up else "to unit")
        self.recorded.append((topic, payload, up))
        if up:
            if self.centre_up and any(_matches(filter_, topic) for filter_ in self._for_centre):
                self._to_centre(topic, payload)
            return
        for line in list(self._lines.values()):
            if topic in line.listens_to:
                line.hear(topic, payload)


def _matches(filter_: list[str], topic: str) -> bool:
    """Whether a subscription with '+' takes that topic (MQTT 3.1.1, 4.7)."""
    levels = topic.split("/")
    return len(levels) == len(filter_) and all(
        want in ("+", level) for want, level in zip(filter_, levels, strict=True)
    )
