"""`tokuten hub`: a small box of its own that runs the site's hub, and nothing else.

It is enrolled like a unit, with a key of its own, and connects to the centre as a unit does, whenever it can: so it
knows the lanes of its site. Of what the centre tells it keeps the lanes alone; its journal stays empty. Its rank is
better than any lane's: while it is there, it is the hub.
"""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Annotated, Final

import msgspec
from msgspec import Meta
from nacl.signing import SigningKey, VerifyKey

from edge_agent.centre import Centre
from edge_agent.core.visit import Moment
from edge_agent.inbox import Inbox
from edge_agent.mqtt import Arrived, Connected, LinkEvent, Mqtt
from edge_agent.settings import BrokerLogin, SiteNetwork
from edge_agent.site.net import SiteEvent, SiteNet, SiteSaid, SiteUp
from edge_agent.steps import StepLog
from edge_agent.store.cache import Cache
from edge_agent.store.connection import StoreCorrupt
from edge_agent.store.salvage import finish, set_aside
from edge_agent.store.store import Store
from wire import topics
from wire.chain import EPOCH_BYTES
from wire.hub import RANK_BOX
from wire.messages import Change, Info, PutLane, encode
from wire.topics import Address, address

TURN_S: Final = 0.5
BOOT_BYTES: Final = 8
MODE: Final = "hub"  # in the inventory
log = logging.getLogger(__name__)


class HubSettings(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """[hub]: a box of its own that runs the hub of a site."""

    device: Annotated[str, Meta(description="The box's id, as it is enrolled; never changes.")]
    site: Annotated[str, Meta(description="The shop's premises it stands in.")]
    tenant: Annotated[str, Meta(description="Whose units, shops and coupons these are.")] = "demo"
    data_dir: Annotated[str, Meta(description="Folder of its key and of the lanes it knows.")] = "var/hub"
    centre_public_key: Annotated[
        str,
        Meta(
            pattern="^([0-9a-f]{64})?$",
            description="The centre's public key, 64 hexadecimal digits (`tokuten central init` prints it).",
        ),
    ] = ""
    broker: BrokerLogin = BrokerLogin()
    site_network: SiteNetwork = SiteNetwork()

    @property
    def address(self) -> Address:
        """Raises wire.topics.BadTopic for an id that can't be one."""
        return address(self.tenant, self.site, self.device)

    @property
    def folder(self) -> Path:
        return Path(self.data_dir)


class LanesOnly(Cache):
    """The cache of a box: of what the centre tells, the lanes."""

    def apply(self, changes: Iterable[Change], incarnation: bytes, number: int) -> None:
        super().apply(_lanes(changes), incarnation, number)

    def stage(self, changes: Iterable[Change]) -> None:
        super().stage(_lanes(changes))


def _opened(settings: HubSettings) -> Store:
    """The box's store; a damaged one is set aside, and the centre tells the lanes again. Raises StoreError."""
    try:
        store = _sound(settings)
    except StoreCorrupt as error:
        log.error("the store is damaged (%s); it is set aside in %s", error, set_aside(settings.folder))
        store = _sound(settings)
    store.start(secrets.token_bytes(EPOCH_BYTES))
    finish(settings.folder)
    return store


def _sound(settings: HubSettings) -> Store:
    store = Store(settings.folder, settings.device, cache=LanesOnly)
    found = store.connection.row("PRAGMA quick_check(1)")
    if found != ("ok",):
        store.close()
        raise StoreCorrupt(str(found))
    return store


def _lanes(changes: Iterable[Change]) -> list[Change]:
    return [change for change in changes if isinstance(change, PutLane)]


class Box:
    """See the module. Raises StoreError where its store can't be opened or written: it ends then, and is restarted."""

    def __init__(
        self,
        settings: HubSettings,
        *,
        steps: StepLog,
        keys: tuple[SigningKey, VerifyKey],
        version: str,
    ) -> None:
        self._settings, self._steps, self._version, self._key = settings, steps, version, keys[0]
        self._store = _opened(settings)
        self._boot = secrets.token_bytes(BOOT_BYTES)
        self._inbox: Inbox[LinkEvent | SiteEvent] = Inbox()
        self._mqtt = Mqtt(settings.address, settings.broker, self._put)
        self._centre = Centre(settings.address, self._store, self._mqtt, keys, steps)
        self.net = SiteNet(settings.address, keys[0], settings.site_network, self._put, rank=RANK_BOX)
        self._lanes: dict[str, bytes] = {}
        self._stopping = False

    def run(self, ready: Callable[[], None] = lambda: None) -> None:
        """Until `stop`."""
        self._mqtt.start()
        self.net.start()
        ready()
        try:
            while not self._stopping:
                self._turn()
        finally:
            self.net.stop()
            self._mqtt.stop()
            self._store.close()

    def stop(self) -> None:
        """From any thread or signal handler."""
        self._stopping = True

    def _now(self) -> Moment:
        """Nothing that a box keeps depends on the hour."""
        wall_ms, mono_ms = time.time_ns() // 1_000_000, time.monotonic_ns() // 1_000_000
        return Moment(wall_ms=wall_ms, mono_ms=mono_ms, boot=self._boot, trusted=False)

    def _put(self, event: LinkEvent | SiteEvent) -> None:
        if isinstance(event, SiteSaid):
            return  # passing it on is the hub's work; nothing here listens
        if isinstance(event, Arrived):
            self._inbox.put_if_room(event)
        else:
            self._inbox.put(event)

    def _turn(self) -> None:
        event = self._inbox.take(TURN_S)
        at = self._now()
        if isinstance(event, Arrived):
            self._centre.arrived(event.topic, event.payload, at)
        elif isinstance(event, Connected):
            self._centre.connected(at.mono_ms)
            self._mqtt.publish(topics.ST_INFO, encode(Info(self._version, MODE, {}, self._key.verify_key.encode())))
            self._steps.line("link", up=True)
        elif isinstance(event, SiteEvent):
            up = isinstance(event, SiteUp)
            self._steps.line("site", up=up, hub=event.hub if isinstance(event, SiteUp) else "")
        elif event is not None:
            self._centre.disconnected()
            self._steps.line("link", up=False)
        self._centre.pump(at.mono_ms)
        lanes = self._store.cache.lanes()
        if lanes is not self._lanes:
            self._lanes = lanes
            self.net.use(lanes)
        if not (self._mqtt.alive and self.net.alive):
            raise RuntimeError("a thread of the hub ended: it restarts")
