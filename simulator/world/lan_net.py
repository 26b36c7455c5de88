"""What one lane has of its site's network in the world: the production node (`edge_agent.site.node`) on stand-ins.

`LanNet` has what the agent uses of `edge_agent.site.net.SiteNet`; the thread is a turn every 100 ms, at a phase of its
own, and at once when something comes in. `SimAir` stands for sockets.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from random import Random
from typing import TYPE_CHECKING, Any, Final

from nacl.signing import SigningKey

from edge_agent.hub.process import Ended, Listening
from edge_agent.hub.rules import Order
from edge_agent.settings import SiteNetwork
from edge_agent.site.air import TAKE_MAX, AirError
from edge_agent.site.net import TURN_S
from edge_agent.site.node import Node, Sink, SiteEvent, SiteSaid
from edge_agent.site.talk import Talk
from simulator.world.lan_hub import SimHub
from simulator.world.lan_link import SimLink
from wire import hub
from wire.hub import Place
from wire.topics import Address

if TYPE_CHECKING:
    from simulator.world.site_lan import SiteLan

TURN_MS: Final = int(TURN_S * 1000)
DATAGRAMS_MAX: Final = 300  # that wait in a socket; more are dropped, as the system does
PIDS: Final = (2, 1 << 22)


class LanNet:
    """See the module. Made by `SiteLan.join`."""

    def __init__(
        self,
        lan: SiteLan,
        where: Address,
        key: SigningKey,
        settings: SiteNetwork,
        sink: Sink,
        *,
        address: str,
        rank: int,
        rng: Random,
    ) -> None:
        self._lan, self._sink, self._rng = lan, sink, rng
        self.where, self.device, self.address = where, where.device, address
        self.node = Node(where, key, settings, self._from_node, self, rank=rank)
        self.air: SimAir | None = None
        self.hub: SimHub | None = None  # the last one that was started here
        self.link: SimLink | None = None
        self.on = False
        self._over = False
        self._turn_ms: int | None = None  # when the next turn is due

    # --- as `edge_agent.site.net.SiteNet` -------------------------------------------------------------

    def start(self) -> None:
        assert not self._over, "a net that ended is not started again: join anew"
        self.on = True
        self.wake()

    def stop(self) -> None:
        """End with a goodbye; the lane may join again."""
        if self.on:
            self.on = False
            self.node.end()
        self._gone()

    @property
    def alive(self) -> bool:
        return self.on or self._over

    @property
    def counts(self) -> hub.Counts:
        return self.node.machine.counts

    @property
    def hub_pid(self) -> int | None:
        process = self.node.hub
        return None if process is None else process.pid

    @property
    def following(self) -> Place | None:
        return self.node.machine.following

    def use(self, lanes: Mapping[str, bytes]) -> None:
        self.node.use(lanes)

    def say(self, to: str, body: bytes) -> bool:
        if not self.on:
            return False
        self._lan.catch_up()
        said = self.node.say(to, body)
        if said:
            self._lan.audit.said(self.device, to, body)
        return said

    # --- for the world --------------------------------------------------------------------------------

    @property
    def linked(self) -> bool:
        """Connected to a hub."""
        return self.link is not None and self.link.up

    @property
    def refused(self) -> int:
        """Datagrams and messages that changed nothing."""
        counts = self.counts
        datagrams = counts.garbage + counts.foreign + counts.strangers + counts.forged + counts.stale + counts.flooded
        return datagrams + (0 if self.link is None else self.link.talk.forged + self.link.talk.flooded)

    def vanish(self) -> None:
        """The power goes: nobody is told."""
        self.on = False
        if self.hub is not None:
            self.hub.vanish()
        if self.link is not None:
            self.link.vanish()
        self._gone()

    def _gone(self) -> None:
        self._over, self.air, self._turn_ms = True, None, None
        self._lan.gone(self)

    def _from_node(self, event: SiteEvent) -> None:
        if isinstance(event, SiteSaid):
            self._lan.audit.heard(self.device, event.sender, event.body)
        self._sink(event)

    def turn_at(self, at_ms: int) -> None:
        if self._turn_ms is None or at_ms < self._turn_ms:
            self._turn_ms = at_ms
            self._lan.agenda.at(at_ms, lambda: self._turn(at_ms))

    def _turn(self, at_ms: int) -> None:
        if not self.on or self._turn_ms != at_ms:
            return
        self._turn_ms = None
        self.node.turn(at_ms)
        if not self.node.alone:
            self.turn_at(at_ms + TURN_MS)

    # --- ports (`edge_agent.site.ports.Ports`) ---------------------------------------------------------

    def open_air(self, settings: SiteNetwork) -> SimAir:
        self.air = SimAir(self._lan, self, settings)
        return self.air

    def start_hub(self, order: Order, sink: Callable[[Listening | Ended], Any]) -> SimHub:
        self.hub = SimHub(self._lan, order, sink, self._rng.randrange(*PIDS))
        return self.hub

    def new_link(self, talk: Talk) -> SimLink:
        self.link = SimLink(self._lan, self.device, talk)
        return self.link

    def random(self) -> float:
        return self._rng.random()

    def random_bytes(self, count: int) -> bytes:
        return self._rng.randbytes(count)

    def wake(self) -> None:
        if self.on:
            self._lan.catch_up()
            self.turn_at(self._lan.agenda.now_ms)


class SimAir:
    """Beacons of one lane (`edge_agent.site.ports.AirPort`)."""

    def __init__(self, lan: SiteLan, net: LanNet, settings: SiteNetwork) -> None:
        self._lan, self._net, self._named = lan, net, bool(settings.addresses)
        self.group, self.port, self.peers = settings.multicast, settings.beacon_port, tuple(settings.peers)
        self.addresses = list(settings.addresses) or self._own()
        if not self.addresses:
            raise AirError("no network interface has an address")
        if not self._own():
            raise AirError("beacons can't be sent or heard: the address is not ours")
        self._waiting: list[bytes] = []

    def _own(self) -> list[str]:
        return [self._net.address] if self._lan.cables.plugged(self._net.device) else []

    def changed(self) -> bool:
        return not self._named and self._own() != self.addresses

    def send(self, datagram: bytes) -> None:
        if not self._own():
            raise AirError("a beacon went nowhere: the network is unreachable")
        self._lan.spread(self._net.device, self, datagram)

    def hears(self, sender: SimAir, address: str) -> bool:
        """Whether what `sender` says goes to us, who stand at `address`."""
        named = address in sender.peers or f"{address}:{self.port}" in sender.peers
        return named or (sender.group == self.group != "" and sender.port == self.port)

    def put(self, datagram: bytes) -> None:
        if len(self._waiting) < DATAGRAMS_MAX:
            self._waiting.append(datagram)
            self._net.wake()

    def take(self) -> list[bytes]:
        taken, self._waiting = self._waiting[:TAKE_MAX], self._waiting[TAKE_MAX:]
        return taken

    def close(self) -> None:
        if self._net.air is self:
            self._net.air = None
