"""One unit in the world: a machine with a disk, a clock, a display and two networks, and the production agent on it.

It is switched on, killed, cut off from power at any step, given an old disk, and comes up again; the agent, its core,
its store and its machines are the very ones that run in shops.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any, Final

from nacl.signing import SigningKey, VerifyKey

from edge_agent.core import events as ev
from edge_agent.core.states import Mode
from edge_agent.mqtt import LinkEvent
from edge_agent.runner import Agent, Item
from edge_agent.settings import BrokerLogin, SiteNetwork, UnitSettings
from edge_agent.site.net import SiteEvent
from edge_agent.site.site import Net
from edge_agent.start import on_store
from edge_agent.steps import StepLog
from edge_agent.store.connection import StoreError
from edge_agent.store.store import FILE_NAME, IDENTITY_NAME, Store
from edge_agent.timekeeper import Timekeeper
from hal.events import CardPresented, CardRemoved, Scanned
from loyalty.barcode.instore import BarcodeSettings
from simulator.world import spoil
from simulator.world.clock import NEVER_MS, UnitClock
from simulator.world.disk import Disk
from simulator.world.eyes import Eyes, plain
from simulator.world.observe import DiskSpoilt, Down, Started, TakenBack, UnitAtRest
from simulator.world.slot import Slot
from simulator.world.till import Till
from simulator.world.wan import Line
from wire.topics import Address

if TYPE_CHECKING:
    from simulator.world.world import World

IDLE_MS: Final = 5_000  # a unit that nothing happens to is looked at so often
TURNS_MAX: Final = 200  # in one instant
TRY_AGAIN_MS: Final = 10_000  # a unit that can't start (its disk is full) is started again
NEWEST_FACTS: Final = 50
TILLS: Final = 0.5  # of the lanes have a till that speaks their interface
_OF_A_TILL: Final = (ev.BasketOpened, ev.BasketPaid, ev.BasketCancelled)


class Stopped(BaseException):
    """The process ends here, or the power does. Nothing of the production code may stop it on its way out."""


class Unit:
    """See the module. Every method is one thing that can happen to it."""

    def __init__(self, world: World, site: str, device: str, mode: Mode, barcodes: BarcodeSettings) -> None:
        self.world, self.site, self.device, self.mode = world, site, device, mode
        self.where = Address(world.tenant, site, device)
        self.rng = world.entropy.stream(device)
        self.key = SigningKey(self.rng.randbytes(32))
        self.folder = world.folder / device
        self.folder.mkdir(exist_ok=True)
        self.disk = world.vfs.mount(Disk(self.folder, world.entropy.stream(f"{device}/disk")))
        self.disk.watch_plain(IDENTITY_NAME)
        self.clock = UnitClock(world.time, world.entropy.stream(f"{device}/clock"))
        self.eyes = Eyes(self)
        self.slot = Slot(self)
        with_till = mode is Mode.LANE and world.entropy.stream(f"{device}/has till").random() < TILLS
        self.till = Till(self) if with_till else None
        self.agent: Agent | None = None
        self.line: Line | None = None
        self.enrolled = True
        self.points_asked: ev.PointsEarned | ev.PointsWanted | None = None
        self.payment_asked: ev.PayByAccount | None = None
        self.reversal_asked: ev.SaleReversed | None = None
        self.due_ms = NEVER_MS
        self.dozes_until_ms = 0  # until then it does what is due only when something comes
        self.back_ms = NEVER_MS  # when it comes up again by itself
        self._barcodes = barcodes
        self._fuse: int | None = None  # steps until it stops
        self._power_goes = False
        self._why = ""

    @property
    def up(self) -> bool:
        return self.agent is not None

    def note(self, what: str, details: str = "") -> None:
        self.world.note(self.device, what, details)

    # --- its life -------------------------------------------------------------------------------------

    def power_on(self) -> None:
        """The machine, or only its process, starts."""
        assert self.agent is None, "it runs already"
        self.back_ms = NEVER_MS
        self._within(self._start)

    def _start(self) -> None:
        key = self.world.office.public_key
        settings = UnitSettings(
            device=self.device, site=self.site, tenant=self.world.tenant, mode=self.mode, data_dir=str(self.folder),
            centre_public_key=key.hex(), barcodes=self._barcodes,
        )  # fmt: skip
        steps = StepLog(lambda line: None, lambda: 0)

        def plug_in(store: Store) -> Agent:
            agent = Agent(
                settings,
                store=store,
                panel=self.eyes,
                time=Timekeeper(self, int(store.cache.meta("floor_ms", 0))),
                steps=steps,
                keys=(self.key, VerifyKey(key)),
                version="world",
                open_broker=self._open_broker,
                open_site=self._open_site,
            )
            agent.card_writer, agent.till = self.slot.ask, self.till
            return agent

        try:
            self.agent = on_store(settings, self, steps, plug_in)
        except (StoreError, OSError) as error:
            if self.disk.dead:
                raise Stopped from error
            self.note("can't start", type(error).__name__)
            self.back_ms = self.world.time.now_ms + TRY_AGAIN_MS
            return
        self.note("up", self.clock.boot.hex())
        self.world.saw(Started(self.world.time.now_ms, self.device, self.clock.boot))
        self.world.came_up(self)
        self.agent.start()
        self.due_ms = self.world.time.now_ms
        self.slot.present()

    def _open_broker(self, where: Address, login: BrokerLogin, sink: Callable[[LinkEvent], Any]) -> Line:
        self.line = self.world.wan.open(where, self._waking(sink), self.step)
        return self.line

    def _open_site(
        self, where: Address, key: SigningKey, settings: SiteNetwork, sink: Callable[[SiteEvent], Any]
    ) -> Net:
        lan = self.world.lans[self.site]
        if lan.is_on(self.device):  # an agent that did not get to its start: its store was damaged
            lan.kill(self.device)
        return lan.join(where, key, settings, self._waking(sink))

    def _waking(self, sink: Callable[[Any], Any]) -> Callable[[Any], Any]:
        """What comes in is looked at now."""

        def sink_and_wake(event: Any) -> None:
            sink(event)
            self.due_ms = self.world.time.now_ms

        return sink_and_wake

    def read(self) -> Any:
        """The clock, as the agent reads it: a step like any other."""
        self.step()
        return self.clock.read()

    @property
    def boot(self) -> bytes:
        return self.clock.boot

    def turn(self) -> None:
        """What is to be done now."""
        agent = self.agent
        if agent is None:
            return
        self._within(lambda: self._turn(agent))

    def _turn(self, agent: Agent) -> None:
        for _ in range(TURNS_MAX):
            agent.turn(0.0)
            self.world.turns += 1
            if not agent.inbox.waiting:
                break
        wait_ms = round(agent.until_due_s() * 1000)
        self.due_ms = max(self.world.time.now_ms + max(1, min(wait_ms, IDLE_MS)), self.dozes_until_ms)

    # --- its end --------------------------------------------------------------------------------------

    def step(self) -> None:
        """The agent does something that can be seen, or looks at its clock: here it may be stopped."""
        if self.disk.dead:
            raise Stopped
        if self._fuse is not None:
            self._fuse -= 1
            if self._fuse <= 0:
                self._fuse = None
                self.disk.die()
                raise Stopped

    def stop_in(self, steps: int, *, power: bool, why: str) -> None:
        """It will be killed, or its power cut, so many steps from now; `why` is the kind of fault (`World.fired`)."""
        self._fuse, self._power_goes, self._why = steps, power, why

    def cut_power_in(self, writes: int, why: str) -> None:
        """Its power will be cut in the middle of that write to its disk."""
        self._power_goes, self._why = True, why
        self.disk.power_cut_in(writes)

    def stop(self, *, power: bool, why: str) -> None:
        """It is killed, or its power cut, between two steps."""
        if self.agent is not None:
            self._power_goes, self._why = power, why
            self.disk.die()
            self._went_down()

    def scrap(self) -> None:
        """It never comes up again."""
        self.back_ms = NEVER_MS

    def _within(self, action: Callable[[], None]) -> None:
        before = self.world.entropy.use(self.rng)
        try:
            action()
        except Stopped:
            self._went_down()
        else:
            if self.disk.dead:
                self._went_down()
        finally:
            self.world.entropy.use(before)

    def _went_down(self) -> None:
        agent, self.agent = self.agent, None
        power, self._power_goes, self._fuse = self._power_goes, False, None
        why, self._why = self._why, ""
        if why:
            self.world.fire(why)
        now_ms = self.world.time.now_ms
        if agent is not None:
            with suppress(StoreError, OSError):
                agent.store.close()
        if self.line is not None:
            self.line.vanish()
        if power:
            self.world.lans[self.site].remove(self.device)
            losses = self.disk.lose_power()
            self.note("power cut", str(losses))
            self.world.lost(losses)
        else:
            self.world.lans[self.site].kill(self.device)
            self.disk.kill()
            self.note("killed")
        self.world.saw(Down(now_ms, self.device, self.clock.boot, self.clock.read().mono_ms, power))
        if power:
            self.clock.reboot()
        self.due_ms = NEVER_MS
        self.back_ms = now_ms + self.world.rng.randrange(500, 20_000)

    def heal(self) -> None:
        """Nothing is broken any more, and it is on."""
        self._fuse = None
        self.eyes.broken = False
        self.clock.ppm = 0
        self.clock.discipline()
        self.disk.heal()
        if self.agent is None and self.enrolled:
            self.back_ms = min(self.back_ms, self.world.time.now_ms + 1)

    def close(self) -> None:
        """It is switched off as it should be."""
        if self.agent is not None:
            self._fuse = None
            self.agent.close()
            self.agent = None

    def abandon(self) -> None:
        """Whatever it is doing, its files are closed."""
        if self.agent is not None:
            self.disk.die()
            with suppress(StoreError, OSError):
                self.agent.store.close()
            self.agent = None

    # --- its disk -------------------------------------------------------------------------------------

    def image(self, to: Path) -> None:
        """A copy of its disk, as a backup of the card would be: what is there at this instant."""
        shutil.copytree(self.folder, to, ignore=shutil.ignore_patterns("*-shm"))

    def put_in(self, image: Path) -> None:
        """Its disk is replaced by an old copy; it is down."""
        assert self.agent is None, "a disk is replaced while the machine is down"
        self.disk.settle()
        shutil.rmtree(self.folder)
        shutil.copytree(image, self.folder)

    def spoil(self, rng: Random) -> None:
        """It is switched off as it should be; then pages of its store are overwritten, and it is switched on."""
        assert self.agent is not None, "only a store that is closed as it should be has its rows in pages"
        now_ms = self.world.time.now_ms
        self.disk.heal()
        self._within(self.close)
        if self.disk.dead:
            self._went_down()
            return
        self.world.saw(Down(now_ms, self.device, self.clock.boot, self.clock.read().mono_ms, power=False))
        self.disk.settle()
        spoilt = spoil.pages(self.folder / FILE_NAME, rng)
        self.note("disk spoilt", f"pages {', '.join(map(str, spoilt))}")
        self.world.saw(DiskSpoilt(now_ms, self.device))
        self.due_ms = NEVER_MS
        self.back_ms = now_ms + rng.randrange(500, 20_000)

    def newest_facts(self) -> list[list[Any]]:
        """The last facts on its disk, oldest first."""
        assert self.agent is not None, "it runs"
        rows = self.agent.store.connection.rows(
            "SELECT body FROM journal ORDER BY position DESC LIMIT ?", (NEWEST_FACTS,)
        )
        return [plain(body) for (body,) in reversed(rows)]

    @property
    def epoch(self) -> bytes:
        """That its journal is in now; it runs."""
        assert self.agent is not None, "it runs"
        return self.agent.store.journal.epoch

    @property
    def at_rest(self) -> UnitAtRest:
        return UnitAtRest(self.device, self.site, self.folder / FILE_NAME, self.enrolled, self.up)

    # --- people before it -----------------------------------------------------------------------------

    def put(self, event: Item) -> None:
        if self.till is not None and isinstance(event, _OF_A_TILL):
            return  # its till has other words
        if self.agent is not None:
            self.agent.inbox.put(event)
            self.due_ms = self.world.time.now_ms

    def hold_up(self, text: bytes, format: str = "qr", *, confirmed: bool = True) -> None:
        """A code before the camera."""
        self.put(Scanned(text=text, format=format, confirmed=confirmed, frame=1))

    def insert_card(self, uid: bytes) -> None:
        self.slot.tag = None
        self.put(CardPresented(uid=uid))

    def take_card(self, uid: bytes) -> None:
        self.put(CardRemoved(uid=uid))

    def points(self, asked: ev.PointsEarned | ev.PointsWanted) -> None:
        self.points_asked = asked
        self.put(asked)

    def pay(self, asked: ev.PayByAccount) -> None:
        assert self.till is None, "its till has other words"
        self.payment_asked = asked
        self.put(asked)

    def take_back(self, asked: ev.SaleReversed) -> None:
        """A sale is brought back, by whatever shopper, to this lane."""
        self.reversal_asked = asked
        self.world.saw(TakenBack(self.world.time.now_ms, self.device, asked.sale, asked.yen))
        if self.till is not None:
            self.till.ask(asked.sale, ev.ReverseSale(id=asked.id, kind=asked.kind, yen=asked.yen))
        else:
            self.put(asked)
