"""One unit's part of its site's network, stepped by its owner: what `wire.hub` wants done, done on ports handed in.

The ports (`edge_agent.site.ports`) are the only way out; time comes with each turn. `edge_agent.site.net` is the thread
around it, with sockets and processes; the simulator's world has its own.

While the centre names no other unit of the site, nothing is opened. Whatever fails (no interface, a taken port, a hub
that dies) is said once and tried again with back-off.
"""

from __future__ import annotations

import logging
import queue
from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec
from nacl.signing import SigningKey, VerifyKey

from edge_agent.hub.process import Ended, Listening
from edge_agent.hub.rules import Order
from edge_agent.settings import SiteNetwork
from edge_agent.site.air import AirError
from edge_agent.site.ports import AirPort, HubPort, LinkPort, Ports
from edge_agent.site.talk import Echo, Failed, LinkEvent, Lost, Said, Talk, Up
from wire import hub
from wire.backoff import Backoff
from wire.hub import RANK_LANE, Hub, Place
from wire.site_envelope import SESSION_BYTES, Ear
from wire.site_messages import LANES_MAX
from wire.topics import Address

RESCAN_MS: Final = 5_000  # interfaces come and go
AIR_FIRST_MS: Final = 500
AIR_CAP_MS: Final = 1_000  # when the interface is back, the site finds itself again within seconds
CONNECTIONS_SPARE: Final = 16  # beside one for each lane: for those whose old connection is not over yet
EARS_MAX: Final = 8  # sessions of hubs whose messages are remembered, so that none is heard twice
ANY_HOST: Final = "0.0.0.0"  # noqa: S104 (every lane may log in, nobody else)
LOOPBACK: Final = "127.0.0.1"
log = logging.getLogger(__name__)


class SiteUp(msgspec.Struct, frozen=True):
    """Connected to the hub that `hub` runs."""

    hub: str


class SiteDown(msgspec.Struct, frozen=True):
    """Connected to no hub."""


class SiteSaid(msgspec.Struct, frozen=True):
    """Another lane said this; its signature was checked."""

    sender: str
    body: bytes


SiteEvent = SiteUp | SiteDown | SiteSaid
Sink = Callable[[SiteEvent], Any]


class Lanes(msgspec.Struct, frozen=True):
    """The lanes of the site are these now."""

    lanes: dict[str, bytes]


NodeEvent = LinkEvent | Listening | Ended | Lanes


class Node:
    """See the module. `put` and `say` may be called from any thread, everything else from one."""

    def __init__(
        self,
        where: Address,
        key: SigningKey,
        settings: SiteNetwork,
        sink: Sink,
        ports: Ports,
        *,
        rank: int = RANK_LANE,
    ) -> None:
        self._where, self._key, self._settings, self._sink, self._ports = where, key, settings, sink, ports
        self.machine = Hub(
            where, key, rank=rank, candidate=settings.may_be_hub, random=ports.random,
            new_session=lambda: ports.random_bytes(SESSION_BYTES),
        )  # fmt: skip
        self._lanes: dict[str, VerifyKey] = {}
        self._events: queue.SimpleQueue[NodeEvent] = queue.SimpleQueue()
        self.air: AirPort | None = None
        self._air_ms = 0  # when it is looked at again
        self._air_backoff = Backoff(ports.random, first_ms=AIR_FIRST_MS, cap_ms=AIR_CAP_MS)
        self._air_trouble = ""
        self.hub: HubPort | None = None
        self.link: LinkPort | None = None
        self._ears: dict[bytes, Ear] = {}  # of the hubs that were followed last: coming back forgets nothing
        self._up = False

    # --- what the owner says --------------------------------------------------------------------------

    def use(self, lanes: Mapping[str, bytes]) -> None:
        """The lanes of the site, as the centre told them; beyond `LANES_MAX` the last ones by name are left out."""
        if len(lanes) > LANES_MAX:
            log.warning("%d lanes on one site: only %d hear each other", len(lanes), LANES_MAX)
        self.put(Lanes(dict(sorted(lanes.items())[:LANES_MAX])))

    def put(self, event: NodeEvent) -> None:
        """What the ports tell, for the next turn. What another lane said goes on at once."""
        if isinstance(event, Said):
            self._sink(SiteSaid(event.sender, event.body))
            return
        self._events.put(event)
        self._ports.wake()

    def say(self, to: str, body: bytes) -> bool:
        """To a lane or to all. False: it was not sent. Never blocks."""
        link = self.link
        return link is not None and link.say(to, body)

    def turn(self, now_ms: int) -> None:
        """Take what has come in, and do what is due. At least every `wire.hub.SLOT_MS`, unless it is `alone`."""
        if self.air is not None:
            for datagram in self.air.take():
                self.machine.on_datagram(datagram, now_ms)
        while not self._events.empty():
            self._take(self._events.get(), now_ms)
        self._look_at_air(now_ms)
        for action in self.machine.poll(now_ms):
            self._do(action, now_ms)

    @property
    def alone(self) -> bool:
        """Nobody to share with: nothing happens by itself."""
        return self.machine.alone

    def end(self) -> None:
        """Let everything go."""
        self._end_link()
        self._end_hub()
        self._close_air()

    # --- what the ports tell --------------------------------------------------------------------------

    def _take(self, event: NodeEvent, now_ms: int) -> None:
        if isinstance(event, Lanes):
            self._use(event.lanes)
        elif isinstance(event, Listening):
            self.machine.hub_started(event.port, now_ms)
        elif isinstance(event, Ended):
            if self.hub is not None and self.hub.session == event.session:
                log.warning("the site's hub here: %s", event.why)
                self.machine.hub_failed(now_ms)
        elif isinstance(event, Up):
            self.machine.link_up(event.session, now_ms)
            self._say_up(event)
        elif isinstance(event, Lost):
            self.machine.link_lost(event.session, now_ms)
            self._say_down(event.session)
        elif isinstance(event, Failed):
            log.info("the site's hub: %s", event.why)
            self.machine.link_failed(event.session, now_ms)
        elif isinstance(event, Echo):
            self.machine.link_heard(event.session, now_ms)

    def _say_up(self, event: Up) -> None:
        if self.link is not None and self.link.place.session == event.session:
            self._up = True
            self._sink(SiteUp(event.hub))

    def _say_down(self, session: bytes | None = None) -> None:
        same = session is None or (self.link is not None and self.link.place.session == session)
        if self._up and same:
            self._up = False
            self._sink(SiteDown())

    def _use(self, lanes: Mapping[str, bytes]) -> None:
        keys = {}
        for device, public in lanes.items():
            try:
                keys[device] = VerifyKey(public)
            except ValueError:
                log.error("the centre names %s with a key that can't be one", device)
        self._lanes = keys
        self.machine.use(keys)
        if self.hub is not None:
            self.hub.use(_words(keys))

    # --- what the machine wants -----------------------------------------------------------------------

    def _do(self, action: hub.Action, now_ms: int) -> None:
        if isinstance(action, hub.StartHub):
            self._start_hub(action.session, now_ms)
        elif isinstance(action, hub.StopHub):
            self._end_hub()
        elif isinstance(action, hub.Announce):
            self._announce(action.datagram, now_ms)
        elif isinstance(action, hub.Pulse):
            self.say(self._where.device, b"")
        else:
            self._end_link()
            if isinstance(action, hub.Follow):
                self._follow(action.place)

    def _start_hub(self, session: bytes, now_ms: int) -> None:
        self._end_hub()
        tenant, site, device = self._where
        order = Order(
            tenant=tenant, site=site, device=device, session=session.hex(), host=self._host(),
            port=self._settings.hub_port, connections_max=LANES_MAX + CONNECTIONS_SPARE, lanes=_words(self._lanes),
        )  # fmt: skip
        try:
            self.hub = self._ports.start_hub(order, self.put)
        except OSError as error:
            log.error("the site's hub can't be started: %s", error)
            self.machine.hub_failed(now_ms)

    def _host(self) -> str:
        """Where a hub listens: on the one address that was named, else on all."""
        named = self._settings.addresses
        return named[0] if len(named) == 1 else ANY_HOST

    def _follow(self, place: Place) -> None:
        if place.device == self._where.device:
            host = self._host()
            place = msgspec.structs.replace(place, addresses=(LOOPBACK if host == ANY_HOST else host,))
        known = place.session in self._ears
        ear = self._ears[place.session] = self._ears.pop(place.session) if known else Ear(place.session)
        while len(self._ears) > EARS_MAX:
            del self._ears[next(iter(self._ears))]
        talk = Talk(
            self._where, self._key, place, ear, lambda: self._lanes, self.put,
            random=self._ports.random, random_bytes=self._ports.random_bytes,
        )  # fmt: skip
        self.link = self._ports.new_link(talk)
        self.link.start()

    def _end_link(self) -> None:
        if self.link is not None:
            self.link.end()
            self._say_down()
            self.link = None

    def _end_hub(self) -> None:
        if self.hub is not None:
            self.hub.stop()
            self.hub = None

    # --- beacons --------------------------------------------------------------------------------------

    def _look_at_air(self, now_ms: int) -> None:
        """Open it where it is needed and is not, and anew where the interfaces changed."""
        if self.machine.alone:
            self._close_air()
            self._air_ms = 0
        if self.machine.alone or now_ms < self._air_ms:
            return
        self._air_ms = now_ms + RESCAN_MS
        try:
            if self.air is None or self.air.changed():
                self._close_air()
                self.air = self._ports.open_air(self._settings)
                self.machine.addresses = tuple(self.air.addresses)
                if self._air_trouble:
                    self._air_trouble = ""
                    self.machine.network_is_back()
        except AirError as error:
            self._no_air(error, now_ms)

    def _announce(self, datagram: bytes, now_ms: int) -> None:
        if self.air is None:
            return
        try:
            self.air.send(datagram)
            self._air_backoff.reset()
        except AirError as error:
            self._no_air(error, now_ms)

    def _no_air(self, error: AirError, now_ms: int) -> None:
        if str(error) != self._air_trouble:
            self._air_trouble = str(error)
            log.warning("the site's network: %s", error)
        self._close_air()
        self._air_ms = now_ms + self._air_backoff.next_ms()

    def _close_air(self) -> None:
        if self.air is not None:
            self.air.close()
            self.air = None


def _words(lanes: Mapping[str, VerifyKey]) -> dict[str, str]:
    return {device: key.encode().hex() for device, key in lanes.items()}
