"""A site's network in the world with lanes that only listen, and what may be asked of it."""

from __future__ import annotations

import hashlib
from random import Random

import msgspec
from nacl.signing import SigningKey

from edge_agent.settings import SiteNetwork
from edge_agent.site.node import SiteDown, SiteEvent, SiteSaid, SiteUp
from simulator.world.lan_net import LanNet
from simulator.world.site_lan import SiteLan
from wire.hub import RANK_LANE
from wire.topics import Address

LANES = ("lane-1", "lane-2", "lane-3", "lane-4")
KEYS = {name: SigningKey(name.encode().ljust(32, b".")) for name in (*LANES, "hub-1", "stranger-1")}


class Listener:
    """One lane: what it heard, and whether it is connected."""

    def __init__(self, shop: Shop, device: str, *, rank: int, settings: SiteNetwork) -> None:
        self.shop, self.device, self.rank, self.settings = shop, device, rank, settings
        self.heard: list[tuple[str, bytes]] = []
        self.hub = ""  # whose hub it is connected to
        self.switch_on()

    def switch_on(self) -> None:
        where = Address("demo", "ginza", self.device)
        self.hub = ""
        self.net: LanNet = self.shop.lan.join(where, KEYS[self.device], self.settings, self._take, rank=self.rank)
        self.net.start()
        self.net.use(self.shop.told)

    def _take(self, event: SiteEvent) -> None:
        self.shop.note(self.device, event)
        if isinstance(event, SiteUp):
            self.hub = event.hub
        elif isinstance(event, SiteDown):
            self.hub = ""
        else:
            self.heard.append((event.sender, event.body))


class Shop:
    """See the module."""

    def __init__(
        self, seed: int, lanes: tuple[str, ...] = LANES, *, box: bool = False, settings: SiteNetwork | None = None
    ) -> None:
        self.now_ms = 5_000
        self.rng = Random(seed)
        self.lan = SiteLan(self.rng, lambda: self.now_ms)
        self._trace = hashlib.sha256()
        self.told = {name: KEYS[name].verify_key.encode() for name in (*lanes, *(("hub-1",) if box else ()))}
        self._settings = settings or SiteNetwork(hub_port=0)
        self.lanes = {name: self.listener(name) for name in lanes}

    def listener(self, device: str, *, rank: int = RANK_LANE, settings: SiteNetwork | None = None) -> Listener:
        return Listener(self, device, rank=rank, settings=settings or self._settings)

    def note(self, device: str, event: SiteEvent) -> None:
        """Into the trace."""
        what = event.hub if isinstance(event, SiteUp) else event.body.hex() if isinstance(event, SiteSaid) else ""
        line = f"{self.lan.agenda.now_ms} {device} {type(event).__name__} {what}\n"
        self._trace.update(line.encode())

    def trace(self) -> str:
        """Of all that was heard, when, and of all faults."""
        counts = msgspec.json.encode(self.lan.counts) + str(self.lan.agenda.events).encode()
        return hashlib.sha256(self._trace.digest() + counts).hexdigest()

    def pass_ms(self, pause_ms: int) -> None:
        self.now_ms += pause_ms
        self.lan.step(self.now_ms)

    def on(self) -> list[Listener]:
        return [lane for lane in self.lanes.values() if lane.net.on]

    def agreed(self, *names: str) -> str:
        """Whose hub all of these lanes (none named: all that are on) are connected to; empty: there is no such hub."""
        lanes = [self.lanes[name] for name in names] if names else self.on()
        hubs = {lane.hub for lane in lanes}
        return hubs.pop() if len(hubs) == 1 else ""

    def agree(self, within_ms: int, *names: str) -> str:
        """Wait until they agree, and say on whom."""
        end_ms = self.now_ms + within_ms
        while not self.agreed(*names):
            assert self.now_ms < end_ms, f"no hub for {names or LANES}: {[(x.device, x.hub) for x in self.on()]}"
            self.pass_ms(50)
        return self.agreed(*names)

    def settle(self, within_ms: int) -> str:
        """Wait until there is one hub, it works, and all that are on are connected to it; say whose it is."""
        end_ms = self.now_ms + within_ms
        while not (self.agreed() and [hub.device for hub in self.lan.hubs] == [self.agreed()] and self.lan.settled):
            found = [hub.device for hub in self.lan.hubs], [(lane.device, lane.hub) for lane in self.on()]
            assert self.now_ms < end_ms, f"not one hub for all after {within_ms} ms: {found}"
            self.pass_ms(50)
        return self.agreed()

    def hears_all(self, *names: str) -> bool:
        """Everybody says something of its own, and everybody of these hears it from everybody else, once."""
        lanes = [self.lanes[name] for name in sorted(names)] if names else sorted(self.on(), key=lambda on: on.device)
        word = self.rng.randbytes(8)
        for lane in lanes:
            assert lane.net.say("all", word + lane.device.encode())
        self.pass_ms(1_000)
        said = [(lane.device, word + lane.device.encode()) for lane in lanes]
        return all(
            sorted(heard for heard in lane.heard if heard[1].startswith(word))
            == [one for one in said if one[0] != lane.device]
            for lane in lanes
        )
