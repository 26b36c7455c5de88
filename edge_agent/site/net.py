"""The thread of the site's network: sockets, the hub's process, the link to a hub and the time for `site.node`.

It hands what lanes say to its owner's sink, and takes what the owner says. A fault of ours ends the thread, and the
owner sees that it is not `alive`.
"""

from __future__ import annotations

import secrets
import select
import socket
import threading
import time
from collections.abc import Callable, Mapping
from random import SystemRandom
from typing import Any, Final

from nacl.signing import SigningKey

from edge_agent.hub.process import Ended, HubProcess, Listening
from edge_agent.hub.rules import Order
from edge_agent.settings import SiteNetwork
from edge_agent.site.air import Air
from edge_agent.site.link import Link
from edge_agent.site.node import Node, Sink, SiteDown, SiteEvent, SiteSaid, SiteUp
from edge_agent.site.talk import Talk
from wire import hub
from wire.hub import RANK_LANE, Place
from wire.topics import Address

__all__ = ["Sink", "SiteDown", "SiteEvent", "SiteNet", "SiteSaid", "SiteUp"]

TURN_S: Final = 0.1
ALONE_TURN_S: Final = 2.0
STOP_S: Final = 3.0
_random = SystemRandom().random


class SiteNet:
    """See the module. All methods may be called from one other thread."""

    def __init__(
        self, where: Address, key: SigningKey, settings: SiteNetwork, sink: Sink, *, rank: int = RANK_LANE
    ) -> None:
        self.node = Node(where, key, settings, sink, _Ports(self._awake), rank=rank)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="site", daemon=True)

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
        return self.node.machine.counts

    @property
    def hub_pid(self) -> int | None:
        """The process of the hub that runs here."""
        process = self.node.hub
        return None if process is None else process.pid

    @property
    def following(self) -> Place | None:
        """The hub that is followed now, as it is announced."""
        return self.node.machine.following

    def use(self, lanes: Mapping[str, bytes]) -> None:
        """The lanes of the site, as the centre told them; beyond `LANES_MAX` the last ones by name are left out."""
        self.node.use(lanes)

    def say(self, to: str, body: bytes) -> bool:
        """To a lane or to all. False: it was not sent. Never blocks."""
        return self.node.say(to, body)

    def stop(self) -> None:
        self._stop.set()
        if self._thread.is_alive():
            self._awake()
            self._thread.join(STOP_S)

    # --- the thread -----------------------------------------------------------------------------------

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
            self.node.end()
            self._wake.close()
            self._woken.close()

    def _turn(self) -> None:
        air = self.node.air
        watched: list[socket.socket] = [self._woken, *(air.sockets if isinstance(air, Air) else ())]
        ready, _, _ = select.select(watched, (), (), ALONE_TURN_S if self.node.alone else TURN_S)
        if self._woken in ready:
            self._woken.recv(4096)
        self.node.turn(time.monotonic_ns() // 1_000_000)


class _Ports:
    """The real ones (`edge_agent.site.ports.Ports`)."""

    def __init__(self, wake: Callable[[], None]) -> None:
        self.wake = wake

    def open_air(self, settings: SiteNetwork) -> Air:
        return Air(settings)

    def start_hub(self, order: Order, sink: Callable[[Listening | Ended], Any]) -> HubProcess:
        return HubProcess(order, sink)

    def new_link(self, talk: Talk) -> Link:
        return Link(talk)

    def random(self) -> float:
        return _random()

    def random_bytes(self, count: int) -> bytes:
        return secrets.token_bytes(count)
