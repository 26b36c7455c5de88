"""The thread of the site's network: drives `wire.hub`, owns the sockets, the hub's process and the link to the hub.

It hands what lanes say to its owner's sink, and takes what the owner says. While the centre names no other unit of
the site, nothing is opened. Whatever fails (no interface, a taken port, a hub that dies) is said once and tried again
with back-off; a fault of ours ends the thread, and the owner sees that it is not `alive`.
"""

from __future__ import annotations

import logging
import queue
import secrets
import select
import socket
import threading
import time
from collections.abc import Callable, Mapping
from random import SystemRandom
from typing import Any, Final

import msgspec
from nacl.signing import SigningKey, VerifyKey

from edge_agent.hub.process import Ended, HubProcess, Listening
from edge_agent.hub.rules import Order
from edge_agent.settings import SiteNetwork
from edge_agent.site.air import Air, AirError
from edge_agent.site.link import Echo, Failed, Link, LinkEvent, Lost, Said, Up
from wire import hub
from wire.backoff import Backoff
from wire.hub import RANK_LANE, Hub, Place
from wire.site_envelope import SESSION_BYTES, Ear
from wire.site_messages import LANES_MAX
from wire.topics import Address

TURN_S: Final = 0.1
ALONE_TURN_S: Final = 2.0
RESCAN_MS: Final = 5_000  # interfaces come and go
AIR_FIRST_MS: Final = 500
AIR_CAP_MS: Final = 30_000
CONNECTIONS_SPARE: Final = 16  # beside one for each lane: for those whose old connection is not over yet
EARS_MAX: Final = 8  # sessions of hubs whose messages are remembered, so that none is heard twice
STOP_S: Final = 3.0
_random = SystemRandom().random
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


class _Lanes(msgspec.Struct, frozen=True):
    """The lanes of the site are these now."""

    lanes: dict[str, bytes]


class SiteNet:
    """See the module. All methods may be called from one other thread."""

    def __init__(
        self, where: Address, key: SigningKey, settings: SiteNetwork, sink: Sink, *, rank: int = RANK_LANE
    ) -> None:
        self._where, self._key, self._settings, self._sink = where, key, settings, sink
        self._hub = Hub(
            where, key, rank=rank, candidate=settings.may_be_hub, random=_random,
            new_session=lambda: secrets.token_bytes(SESSION_BYTES),
        )  # fmt: skip
        self._lanes: dict[str, VerifyKey] = {}
        self._events: queue.SimpleQueue[LinkEvent | Listening | Ended | _Lanes] = queue.SimpleQueue()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="site", daemon=True)
        self._air: Air | None = None
        self._air_ms = 0  # when the sockets are looked at again
        self._air_backoff = Backoff(_random, first_ms=AIR_FIRST_MS, cap_ms=AIR_CAP_MS)
        self._air_trouble = ""
        self._process: HubProcess | None = None
        self._link: Link | None = None
        self._ears: dict[bytes, Ear] = {}  # of the hubs that were followed last: coming back forgets nothing
        self._up = False

    def start(self) -> None:
        self._wake, self._woken = socket.socketpair()
        self._wake.setblocking(False)
        self._woken.setblocking(False)
        self._thread.start()

    @property
    def alive(self) -> bool:
        """False means a fault of ours: the network will not come back by itself."""
        return self._thread.is_alive() or self._stop.is_set()

    @property
    def counts(self) -> hub.Counts:
        """Beacons that changed nothing, by why."""
        return self._hub.counts

    @property
    def hub_pid(self) -> int | None:
        """The process of the hub that runs here."""
        process = self._process
        return None if process is None else process.pid

    @property
    def following(self) -> Place | None:
        """The hub that is followed now, as it is announced."""
        return self._hub.following

    def use(self, lanes: Mapping[str, bytes]) -> None:
        """The lanes of the site, as the centre told them; beyond `LANES_MAX` the last ones by name are left out."""
        if len(lanes) > LANES_MAX:
            log.warning("%d lanes on one site: only %d hear each other", len(lanes), LANES_MAX)
        self._put(_Lanes(dict(sorted(lanes.items())[:LANES_MAX])))

    def say(self, to: str, body: bytes) -> bool:
        """To a lane or to all. False: it was not sent. Never blocks."""
        link = self._link
        return link is not None and link.say(to, body)

    def stop(self) -> None:
        self._stop.set()
        if self._thread.is_alive():
            self._awake()
            self._thread.join(STOP_S)

    # --- the thread -----------------------------------------------------------------------------------

    def _put(self, event: LinkEvent | Listening | Ended | _Lanes) -> None:
        if isinstance(event, Said):
            self._sink(SiteSaid(event.sender, event.body))
            return
        self._events.put(event)
        self._awake()

    def _awake(self) -> None:
        try:
            self._wake.send(b"x")
        except OSError:
            return  # full of wakings already, or over

    def _run(self) -> None:
        try:
            while not self._stop.is_set():
                self._turn()
        finally:
            self._end_link()
            self._end_process()
            if self._air is not None:
                self._air.close()
            self._wake.close()
            self._woken.close()

    def _turn(self) -> None:
        now_ms = _now_ms()
        air = self._look_at_air(now_ms)
        watched: list[socket.socket] = [self._woken, *(air.sockets if air is not None else ())]
        ready, _, _ = select.select(watched, (), (), ALONE_TURN_S if self._hub.alone else TURN_S)
        if self._woken in ready:
            self._woken.recv(4096)
        now_ms = _now_ms()
        if air is not None:
            for datagram in air.take():
                self._hub.on_datagram(datagram, now_ms)
        while not self._events.empty():
            self._take(self._events.get(), now_ms)
        for action in self._hub.poll(now_ms):
            self._do(action, now_ms)

    def _take(self, event: LinkEvent | Listening | Ended | _Lanes, now_ms: int) -> None:
        if isinstance(event, _Lanes):
            self._use(event.lanes)
        elif isinstance(event, Listening):
            self._hub.hub_started(event.port, now_ms)
        elif isinstance(event, Ended):
            if self._process is not None and self._process.session == event.session:
                log.warning("the site's hub here: %s", event.why)
                self._hub.hub_failed(now_ms)
        elif isinstance(event, Up):
            self._hub.link_up(event.session, now_ms)
            self._say_up(event)
        elif isinstance(event, Lost):
            self._hub.link_lost(event.session, now_ms)
            self._say_down(event.session)
        elif isinstance(event, Failed):
            log.info("the site's hub: %s", event.why)
            self._hub.link_failed(event.session, now_ms)
        elif isinstance(event, Echo):
            self._hub.link_heard(event.session, now_ms)

    def _say_up(self, event: Up) -> None:
        if self._link is not None and self._link.place.session == event.session:
            self._up = True
            self._sink(SiteUp(event.hub))

    def _say_down(self, session: bytes | None = None) -> None:
        same = session is None or (self._link is not None and self._link.place.session == session)
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
        self._hub.use(keys)
        if self._process is not None:
            self._process.use(_words(keys))

    # --- what the machine wants -----------------------------------------------------------------------

    def _do(self, action: hub.Action, now_ms: int) -> None:
        if isinstance(action, hub.StartHub):
            self._start_process(action.session, now_ms)
        elif isinstance(action, hub.StopHub):
            self._end_process()
        elif isinstance(action, hub.Announce):
            self._announce(action.datagram, now_ms)
        elif isinstance(action, hub.Pulse):
            self.say(self._where.device, b"")
        else:
            self._end_link()
            if isinstance(action, hub.Follow):
                self._follow(action.place)

    def _start_process(self, session: bytes, now_ms: int) -> None:
        self._end_process()
        tenant, site, device = self._where
        order = Order(
            tenant=tenant, site=site, device=device, session=session.hex(), host=self._host(),
            port=self._settings.hub_port, connections_max=LANES_MAX + CONNECTIONS_SPARE, lanes=_words(self._lanes),
        )  # fmt: skip
        try:
            self._process = HubProcess(order, self._put)
        except OSError as error:
            log.error("the site's hub can't be started: %s", error)
            self._hub.hub_failed(now_ms)

    def _host(self) -> str:
        """Where a hub listens: on the one address that was named, else on all."""
        named = self._settings.addresses
        return named[0] if len(named) == 1 else "0.0.0.0"  # noqa: S104 (every lane may log in, nobody else)

    def _follow(self, place: Place) -> None:
        if place.device == self._where.device:
            host = self._host()
            place = msgspec.structs.replace(place, addresses=("127.0.0.1" if host == "0.0.0.0" else host,))  # noqa: S104
        known = place.session in self._ears
        ear = self._ears[place.session] = self._ears.pop(place.session) if known else Ear(place.session)
        while len(self._ears) > EARS_MAX:
            del self._ears[next(iter(self._ears))]
        self._link = Link(self._where, self._key, place, ear, lambda: self._lanes, self._put)
        self._link.start()

    def _end_link(self) -> None:
        if self._link is not None:
            self._link.end()
            self._say_down()
            self._link = None

    def _end_process(self) -> None:
        if self._process is not None:
            self._process.stop()
            self._process = None

    # --- beacons --------------------------------------------------------------------------------------

    def _look_at_air(self, now_ms: int) -> Air | None:
        """The sockets, opened where they are needed and are not, and anew where the interfaces changed."""
        if self._hub.alone:
            self._close_air()
            self._air_ms = 0
        if self._hub.alone or now_ms < self._air_ms:
            return self._air
        self._air_ms = now_ms + RESCAN_MS
        try:
            if self._air is None or self._air.changed():
                self._close_air()
                self._air = Air(self._settings)
                self._hub.addresses = tuple(self._air.addresses)
                self._air_trouble = ""
        except AirError as error:
            self._no_air(error, now_ms)
        return self._air

    def _announce(self, datagram: bytes, now_ms: int) -> None:
        if self._air is None:
            return
        try:
            self._air.send(datagram)
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
        if self._air is not None:
            self._air.close()
            self._air = None


def _now_ms() -> int:
    return time.monotonic_ns() // 1_000_000


def _words(lanes: Mapping[str, VerifyKey]) -> dict[str, str]:
    return {device: key.encode().hex() for device, key in lanes.items()}
