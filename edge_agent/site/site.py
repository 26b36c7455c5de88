"""The site's network on the deciding thread: what other lanes told goes into the store, what we redeem is told.

    site.appended(position, facts)          after the commit; a lane refuses what it hears within moments
    site.listen(Kind, call)                 other kinds of messages between lanes, see `wire.site_messages`
    site.broadcast(message), site.send(device, message)
    site.lanes(now_ms)                      who is here, and when each was last heard
    site.witness(now_ms)                    has another lane looked at what we know of ourselves?

Messages travel at most once, signed and in the order of their sender, and never keep a shopper waiting: what can't be
sent now is not sent (False). Where the network is switched off, or no other lane is named, all of this is quiet.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from random import SystemRandom
from typing import Any, Final, Protocol, TypeVar

from edge_agent.core.visit import Moment
from edge_agent.settings import UnitSettings
from edge_agent.site.net import SiteDown, SiteEvent, SiteUp
from edge_agent.steps import StepLog
from edge_agent.store.store import Store
from wire import peers
from wire.backoff import Random
from wire.facts import Fact
from wire.peers import Peers
from wire.site_messages import Language, NotOurs, SiteMessage, encode
from wire.topics import ALL

M = TypeVar("M", bound=SiteMessage)
ACTIONS_MAX: Final = 1_000  # in one turn: a chain of questions and answers ends by itself long before
_random = SystemRandom().random
log = logging.getLogger(__name__)


class Witness(StrEnum):
    """Whether another lane has looked at what we know of ourselves, since the start."""

    ANSWERED = "answered"
    WAITING = "waiting"
    NONE = "none"


class Net(Protocol):
    """What carries messages between the lanes (`edge_agent.site.net.SiteNet`)."""

    @property
    def alive(self) -> bool: ...

    def start(self) -> None: ...

    def stop(self) -> None: ...

    def use(self, lanes: Mapping[str, bytes]) -> None:
        """The lanes of the site and their public keys are these now."""

    def say(self, to: str, body: bytes) -> bool:
        """To one lane or to `ALL`; False: it can't be sent now."""


class Site:
    """See the module. Not for several threads."""

    def __init__(
        self, settings: UnitSettings, store: Store, net: Net, steps: StepLog, *, random: Random = _random
    ) -> None:
        self._settings, self._steps, self._random, self._net = settings, steps, random, net
        self._language = Language()
        self._calls: dict[type[SiteMessage], Callable[[str, Any], None]] = {}
        self._lanes: dict[str, bytes] = {}
        self._started_ms: int | None = None
        self._up = False
        self._store, self._epoch = store, b""
        self._peers = self._new_peers()

    def use(self, store: Store) -> None:
        """Speak for this store from now on. Raises StoreError."""
        self._store, self._epoch = store, b""
        answered, self._peers = self._peers.answered, self._new_peers()
        self._peers.answered = answered
        if self._up:
            self._peers.connected(0)

    def _new_peers(self) -> Peers:
        self._remember_epochs()
        heard = self._store.heard
        return Peers(self._settings.device, heard, heard.marks(), self._random)

    def start(self, now_ms: int) -> None:
        self._started_ms = now_ms
        if self._settings.site_network.enabled:
            self._net.start()
            self._follow_lanes()

    def stop(self) -> None:
        self._net.stop()

    @property
    def alive(self) -> bool:
        """False means a fault of ours: the network will not come back by itself."""
        return not self._settings.site_network.enabled or self._started_ms is None or self._net.alive

    # --- for the rest of the unit ---------------------------------------------------------------------

    def listen(self, kind: type[M], call: Callable[[str, M], None]) -> None:
        """From now on `call(device, message)` for each message of this kind. Raises TypeError if its tag is taken."""
        self._language.add(kind)
        self._calls[kind] = call

    def broadcast(self, message: SiteMessage) -> bool:
        """To all lanes that are here. False: it was not sent."""
        return self._net.say(ALL, encode(message))

    def send(self, device: str, message: SiteMessage) -> bool:
        """To one lane. True says that it left, not that it arrived."""
        return self._net.say(device, encode(message))

    def lanes(self, now_ms: int) -> dict[str, int]:
        """The other lanes that are here, and when each was last heard (monotonic)."""
        return self._peers.here(now_ms) if self._up else {}

    def witness(self, now_ms: int) -> Witness:
        """Whether another lane has looked. `WAITING` ends by itself after `witness_wait_ms`."""
        if self._peers.answered:
            return Witness.ANSWERED
        others = set(self._lanes) - {self._settings.device}
        if not self._settings.site_network.enabled or not others or self._started_ms is None:
            return Witness.NONE
        waited_ms = now_ms - self._started_ms
        return Witness.WAITING if waited_ms < self._settings.site_network.witness_wait_ms else Witness.NONE

    def appended(self, position: int, facts: Sequence[Fact]) -> None:
        """These facts are in the journal, the first one at `position`: tell what counts. Raises StoreError."""
        if self._up:
            self._carry_out(self._peers.appended(self._store.heard.run_of(position, facts)), None)

    # --- events ---------------------------------------------------------------------------------------

    def take(self, event: SiteEvent, at: Moment) -> None:
        """Something came from the network. Raises StoreError."""
        if isinstance(event, SiteUp):
            self._up = True
            self._peers.connected(at.mono_ms)
            self._steps.line("site", up=True, hub=event.hub)
        elif isinstance(event, SiteDown):
            self._up = False
            self._peers.disconnected()
            self._steps.line("site", up=False)
        else:
            try:
                message = self._language.decode(event.body)
            except NotOurs as error:
                log.info("%s: %s", event.sender, error)
                return
            self._carry_out(self._peers.on_message(event.sender, message, at.mono_ms), at)
            if (call := self._calls.get(type(message))) is not None:
                call(event.sender, message)

    def pump(self, at: Moment) -> None:
        """What is due. Raises StoreError."""
        if self._settings.site_network.enabled and self._started_ms is not None:
            self._follow_lanes()
            self._remember_epochs()
            self._carry_out(self._peers.poll(at.mono_ms), at)

    def due_ms(self) -> int | None:
        return self._peers.due_ms()

    def _follow_lanes(self) -> None:
        lanes = self._store.cache.lanes()
        if lanes is not self._lanes:
            self._lanes = lanes
            self._peers.only(lanes)
            self._net.use(lanes)

    def _remember_epochs(self) -> None:
        """A witness may name an epoch long after it is over."""
        if self._store.journal.epoch != self._epoch:
            with self._store.transaction():
                self._store.heard.remember_epochs()
            self._epoch = self._store.journal.epoch

    def _carry_out(self, actions: list[peers.Action], at: Moment | None) -> None:
        waiting = list(actions)
        for _ in range(ACTIONS_MAX):
            if not waiting:
                return
            waiting += self._one(waiting.pop(0), at)

    def _one(self, action: peers.Action, at: Moment | None) -> list[peers.Action]:
        if isinstance(action, peers.Say):
            self.broadcast(action.message)
        elif isinstance(action, peers.Tell):
            self.send(action.device, action.message)
        elif isinstance(action, peers.Answer):
            run = self._store.heard.run_after(action.epoch, action.after)
            if run is not None:
                self.send(action.device, run)
        elif isinstance(action, peers.Keep):
            assert at is not None, "what others tell is kept at a time"
            return self._keep(action, at)
        else:
            self._disk_is_old(action)
        return []

    def _keep(self, action: peers.Keep, at: Moment) -> list[peers.Action]:
        with self._store.transaction():
            self._store.heard.keep(action.device, action.run, mark=action.mark, wall_ms=at.wall_ms)
        return self._peers.kept(action.device, action.run, at.mono_ms)

    def _disk_is_old(self, action: peers.DiskIsOld) -> None:
        if self._store.disk_is_old:
            return
        with self._store.transaction():
            self._store.heard.note_disk_is_old(action.device, action.epoch, action.number)
        log.error("this disk is an old image: %s has seen more of this unit than it knows", action.device)
        self._steps.line("disk_is_old", witness=action.device, number=action.number)
