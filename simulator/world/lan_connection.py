"""A connection between a lane and a hub, as TCP gives it: in order, nothing lost while it stands, and no more.

What meets a cut waits and is tried again. A connection ends by a goodbye, by a reset that both ends see, or for one end
after the other: an end whose machine lost its power says nothing, and the other one finds out by its own patience.
Whatever was under way then is lost.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final, Protocol

from edge_agent.hub.broker.streams import KEEP_ALIVE_GRACE
from edge_agent.site.link import KEEPALIVE_S
from edge_agent.site.talk import Packet
from simulator.world.lan_ground import Call

if TYPE_CHECKING:
    from simulator.world.lan_hub import SimHub
    from simulator.world.site_lan import SiteLan

RETRY_FIRST_MS: Final = 200  # of what met a cut; doubles
RETRY_DOUBLINGS_MAX: Final = 4
SILENT_MS: Final = int(KEEPALIVE_S * KEEP_ALIVE_GRACE * 1000)  # then the hub ends a connection
LEFT_MS: Final = 20_000  # how long what was said before a goodbye is tried again


class Client(Protocol):
    """The lane's end of a connection."""

    @property
    def device(self) -> str:
        """The machine it stands on; empty: one that is none of the site's."""

    def answered(self, connection: Connection, welcome: bool) -> None:
        """The hub took the login, or not."""

    def subscribed(self, connection: Connection, granted: tuple[str, ...]) -> None:
        """Of what was asked for, the hub granted this."""

    def hear(self, connection: Connection, packet: Packet) -> None: ...

    def closed(self, connection: Connection, why: str) -> None:
        """It ended, and not because we said so."""


class Pipe:
    """One direction."""

    def __init__(self, lan: SiteLan, connection: Connection, sender: str, receiver: str, *, to_hub: bool) -> None:
        self._lan, self._connection, self._to_hub = lan, connection, to_hub
        self._sender, self._receiver = sender, receiver
        self._queue: deque[tuple[int, Call, bool]] = deque()
        self._last_ms = 0
        self._tries = 0
        self._pumping = False  # it is on the agenda

    def send(self, call: Call, *, message: bool = False) -> None:
        """`call` happens at the other end, after what was sent before."""
        latency_ms = self._lan.latency_ms(self._sender == self._receiver)
        self._last_ms = max(self._last_ms, self._lan.agenda.now_ms + latency_ms)
        self._queue.append((self._last_ms, call, message))
        self._pump_at(self._last_ms)

    @property
    def messages(self) -> int:
        """Under way."""
        return sum(message for _, _, message in self._queue)

    def __len__(self) -> int:
        return len(self._queue)

    def empty(self) -> None:
        """What was under way is lost."""
        self._lan.counts.messages_lost += self.messages
        self._queue.clear()

    def _pump_at(self, at_ms: int) -> None:
        if not self._pumping:
            self._pumping = True
            self._lan.agenda.at(at_ms, self._pump)

    def _pump(self) -> None:
        self._pumping = False
        connection, lan = self._connection, self._lan
        if connection.over or not self._queue:
            return
        dead = connection.hub_dead if self._to_hub else connection.client_dead
        off = dead and not lan.is_on(self._receiver)
        if off or not lan.cables.passes(self._sender, self._receiver):
            if not self._tries:
                lan.counts.messages_held += 0 if off else self.messages
            pause_ms = RETRY_FIRST_MS << min(self._tries, RETRY_DOUBLINGS_MAX)
            self._tries += 1
            self._pump_at(lan.agenda.now_ms + pause_ms)
            return
        if dead:
            connection.reset("the other end knows nothing of this connection")
            return
        self._tries = 0
        while self._queue and self._queue[0][0] <= lan.agenda.now_ms and not connection.over:
            self._queue.popleft()[1]()
        if self._queue and not connection.over:
            self._pump_at(self._queue[0][0])


class Connection:
    """See the module."""

    def __init__(self, lan: SiteLan, client: Client, hub: SimHub) -> None:
        self._lan, self.client, self.hub = lan, client, hub
        self.user = ""  # once the login is taken
        self.filters: tuple[tuple[str, ...], ...] = ()  # what the lane listens to, level by level
        self.over = self.hub_dead = self.client_dead = False
        self._client_left = self._hub_left = False
        self.heard_ms = lan.agenda.now_ms  # by the hub
        self.to_hub = Pipe(lan, self, client.device, hub.device, to_hub=True)
        self.to_client = Pipe(lan, self, hub.device, client.device, to_hub=False)
        lan.agenda.after(SILENT_MS, self._look)

    def leave(self) -> None:
        """The client says goodbye; what it said before still goes."""
        if not self._client_left:
            self._client_left = True
            self.to_hub.send(lambda: self.hub.left(self))
            self._lan.agenda.after(LEFT_MS, self.finish)

    def close(self) -> None:
        """The hub ends it; what it said before still goes."""
        self.hub.forget(self)
        if not self._hub_left:
            self._hub_left = True
            self.to_client.send(self._closed)
            self._lan.agenda.after(LEFT_MS, self.finish)

    def _closed(self) -> None:
        self.finish()
        if not self._client_left:
            self._client_left = True
            self.client.closed(self, "the hub ended the connection")

    def reset(self, why: str) -> None:
        """Both ends see it, as soon as they can; what is under way is lost."""
        if self.over:
            return
        self.finish()
        if not self._client_left and not self.client_dead:
            self._client_left = True
            self._lan.agenda.after(
                self._lan.latency_ms(False), lambda: None if self.client_dead else self.client.closed(self, why)
            )

    def finish(self) -> None:
        """Nothing comes through any more."""
        if not self.over:
            self.over = True
            self.hub.forget(self)
            self.to_hub.empty()
            self.to_client.empty()

    def hub_died(self) -> None:
        """Its machine lost its power."""
        self.hub_dead = True
        if self.client_dead:
            self.finish()

    def client_died(self) -> None:
        """Its machine lost its power."""
        self.client_dead = True
        if self.hub_dead:
            self.finish()

    def _look(self) -> None:
        """The hub's patience."""
        if self.over or self._hub_left:
            return
        left_ms = self.heard_ms + SILENT_MS - self._lan.agenda.now_ms
        if left_ms > 0:
            self._lan.agenda.after(left_ms, self._look)
        elif not self.hub.hung and not self.hub_dead:
            self.close()
