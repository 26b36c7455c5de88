"""Sites with units, people, two networks, clocks, disks and the centre, in one thread, from one seed.

The agent with its core, store and machines, and the centre's desk with its ingest, run as they are in shops; only time,
randomness, networks, disks, displays and cameras are stand-ins. `run` lets time pass, from one thing that is due to the
next. What shoppers see and what befalls machines goes to the checkers at once (`observe`), so that the first step at
which a promise does not hold is the one at which the world ends.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from edge_agent.core.states import Mode
from loyalty.barcode.instore import BarcodeSettings
from loyalty.campaign import Campaign
from simulator.world.bank import Line
from simulator.world.clock import Time
from simulator.world.entropy import Entropy
from simulator.world.faults import DISK_LOSSES, LAN_WEATHER
from simulator.world.held import held_by
from simulator.world.lan_ground import LanRates
from simulator.world.observe import AtRest, Checker, DiskRestored, Healed, Seen, Violation
from simulator.world.office import CentreAway, HeadOffice
from simulator.world.operators import Operators
from simulator.world.power_loss import Losses
from simulator.world.site_lan import SiteLan
from simulator.world.trace import Trace
from simulator.world.unit import Unit
from simulator.world.vfs import DiskVfs
from simulator.world.wan import Wan, Weather

NO_CODES: Final = BarcodeSettings()
REST_MS: Final = 1_800_000  # without faults, everything has come together after so long
LAN_STEP_MS: Final = 50  # what happens on a site's network is looked at in such steps, each thing at its own time
LOOK_MS: Final = 5_000  # how often it is asked whether it has
SETTLED_MS: Final = 60_000  # it stays so, for so long


class Ground(NamedTuple):
    """What the world stands on in this process."""

    entropy: Entropy
    time: Time
    vfs: DiskVfs


class World:
    """See the module. To be used while its ground is installed (`run.installed`)."""

    tenant: Final = "demo"

    def __init__(
        self,
        folder: Path,
        seed: str,
        sites: Mapping[str, Sequence[tuple[str, Mode]]],
        campaigns: Iterable[Campaign],
        *,
        ground: Ground,
        trace: Trace | None = None,
        checkers: Iterable[Checker] = (),
        barcodes: BarcodeSettings = NO_CODES,
        weather: Weather | None = None,
        log_kept_changes: int = 100_000,
    ) -> None:
        """`sites`: the units of each, with their modes. `ground`: of the same seed, and installed.

        `log_kept_changes`: of a site's feed at the centre; a cache further behind takes a snapshot.
        """
        self.folder, self.entropy, self.time, self.vfs = folder, ground.entropy, ground.time, ground.vfs
        entropy = ground.entropy
        self.trace = trace if trace is not None else Trace()
        self.checkers = tuple(checkers)
        self.rng = entropy.stream("world")
        self.losses: Counter[str] = Counter()
        self.fired: Counter[str] = Counter()  # faults that really happened, by kind
        self.greens = self.turns = 0
        self._forgetful = False  # the centre was restored, and nobody has told it yet what it forgot
        self.wan = Wan(
            self.time,
            entropy.stream("wan"),
            self.trace,
            lambda topic, body: self.office.arrived(topic, body),
            self.tenant,
        )
        if weather is not None:
            self.wan.weather = weather
        self.lans = {site: SiteLan(entropy.stream(f"lan/{site}"), lambda: self.time.now_ms) for site in sites}
        self._lan_ms = dict.fromkeys(sites, 0)  # when the network of each site is looked at again
        self.office = HeadOffice(self, barcodes, log_kept_changes)
        self.units: dict[str, Unit] = {}
        self.operators = Operators(self)
        for site in sites:
            self.operators.open_site(site)
        for campaign in campaigns:
            self.operators.issue(campaign)
        self._barcodes = barcodes
        for site, units in sites.items():
            for device, mode in units:
                self.add_unit(site, device, mode)

    def add_unit(self, site: str, device: str, mode: Mode) -> Unit:
        """A new unit is enrolled and switched on. Raises CentreAway."""
        unit = Unit(self, site, device, mode, self._barcodes)
        self.operators.enrol(unit)
        self.units[device] = unit
        unit.power_on()
        return unit

    # --- for those who watch --------------------------------------------------------------------------

    def note(self, who: str, what: str, details: str = "") -> None:
        self.trace.note(self.time.now_ms, who, what, details)

    def saw(self, seen: Seen) -> None:
        """Raises Violation."""
        self.greens += type(seen).__name__ == "Green"
        for checker in self.checkers:
            checker.saw(seen)

    def came_up(self, unit: Unit) -> None:
        """Raises Violation."""
        for checker in self.checkers:
            checker.came_up(unit.at_rest)

    def lost(self, losses: Losses) -> None:
        self.losses.update(vars(losses))

    def fire(self, kind: str) -> None:
        """A fault of that kind really happened."""
        self.fired[kind] += 1

    # --- things that happen to more than one ----------------------------------------------------------

    def cut(self, device: str, kind: str, *, silent: bool = False) -> None:
        """The line of a unit to the broker is cut, as part of a fault of that kind."""
        if self.wan.cut(device, silent=silent):
            self.fire(kind)

    def need_centre(self) -> None:
        """Raises CentreAway."""
        if not self.office.up:
            raise CentreAway

    def restore_centre(self, backup: Path, backup_ms: int) -> None:
        """Yesterday's database."""
        self.office.restore(backup, backup_ms)
        self._forgetful = True
        self._remind()

    def _remind(self) -> None:
        """Once a restored centre is at work the operator tells it again what it forgot of units."""
        if self._forgetful and self.office.up:
            try:
                self.operators.after_restore()
            except CentreAway:
                return
            self._forgetful = False

    def restore_disk(self, device: str, image: Path, image_ms: int) -> None:
        """A unit loses its power, and its disk is replaced by an old copy."""
        unit = self.units[device]
        unit.stop(power=True, why="")
        unit.put_in(image)
        self.note(device, "old disk", f"as of {image_ms / 1000:.3f} s")
        self.saw(DiskRestored(self.time.now_ms, device, image_ms))

    # --- time -----------------------------------------------------------------------------------------

    def run(self, for_ms: int) -> None:
        """Let time pass."""
        until_ms = self.time.now_ms + for_ms
        while (due_ms := self._due_ms()) <= until_ms:
            self.time.now_ms = max(self.time.now_ms, due_ms)
            self._happen()
        self.time.now_ms = until_ms

    def _due_ms(self) -> int:
        due_ms = min(self.wan.due_ms(), self.office.due_ms)
        for site, lan in self.lans.items():
            lan_ms = lan.due_ms()
            if lan_ms is not None:
                due_ms = min(due_ms, max(lan_ms, self._lan_ms[site]))
        for unit in self.units.values():
            unit_ms = unit.due_ms if unit.agent is not None else unit.back_ms
            if unit_ms < due_ms:
                due_ms = unit_ms
        return due_ms

    def _happen(self) -> None:
        now_ms = self.time.now_ms
        self.wan.step()
        for site, lan in self.lans.items():
            lan_ms = lan.due_ms()
            if lan_ms is not None and max(lan_ms, self._lan_ms[site]) <= now_ms:
                lan.step(now_ms)
                self._lan_ms[site] = now_ms + LAN_STEP_MS
        if self.office.due_ms <= now_ms:
            self.office.step()
            self._remind()
        for unit in list(self.units.values()):
            if unit.agent is not None:
                if unit.due_ms <= now_ms:
                    unit.turn()
            elif unit.back_ms <= now_ms:
                unit.power_on()

    # --- the second phase -----------------------------------------------------------------------------

    def heal(self) -> None:
        """The faults stop: from now on everything works, and must come together in bounded time."""
        self.note("world", "healed")
        self.wan.weather = Weather()
        self.office.heal()
        self.office.bank.line = Line()
        for site, lan in self.lans.items():
            lan.heal()
            lan.rates = LanRates()
            self.note(site, "lan healed")
        for unit in self.units.values():
            unit.heal()
            self.wan.mend(unit.device)
        self.saw(Healed(self.time.now_ms))

    def settle(self, within_ms: int = REST_MS) -> None:
        """Let time pass until everything has come together. Raises Violation when that takes too long."""
        began_ms, calm_ms = self.time.now_ms, 0
        waits = "nothing yet"
        while calm_ms < SETTLED_MS:
            if self.time.now_ms - began_ms > within_ms:
                raise Violation("progress", f"{waits}, {within_ms // 1000} s after the faults stopped")
            self.run(LOOK_MS)
            before, waits = waits, self.waits()
            if waits != before:
                self.note("world", "waits for", waits)
            calm_ms = 0 if waits else calm_ms + LOOK_MS

    def waits(self) -> str:
        """What has not come together yet, in words; empty: nothing."""
        if not self.office.up:
            return "the centre is down"
        if self.office.open_payment:
            return "a payment is open"
        heads = self.office.feed_heads()
        for unit in self.units.values():
            agent = unit.agent
            if not unit.enrolled:
                continue
            if agent is None:
                return f"{unit.device} is down"
            if agent.waiting:
                return f"{agent.waiting} facts wait on {unit.device}"
            if agent.store.open_questions():
                return f"a question is open on {unit.device}"
            position = agent.store.cache.position
            if position != (self.office.incarnation, heads.get(unit.site, 0)):
                return f"the cache of {unit.device} is at {position[1]}, not at {heads.get(unit.site, 0)}"
        return ""

    def check_at_rest(self) -> None:
        """Raises Violation."""
        for site, lan in self.lans.items():
            if lan.audit.violations:
                raise Violation("site-network", f"{site}: {lan.audit.violations[0]}")
        running: list[tuple[str, object]] = [
            (name, unit.agent) for name, unit in self.units.items() if unit.agent is not None
        ]
        running += [("centre", worker.desk) for worker in self.office.workers]
        rest = AtRest(
            self.time.now_ms,
            tuple(unit.at_rest for unit in self.units.values()),
            self.office.folder / "centre.db",
            tuple(one for name, program in running for one in held_by(name, program)),
            self.office.bank.movements(),
        )
        for checker in self.checkers:
            checker.at_rest(rest)

    @property
    def all_fired(self) -> Counter[str]:
        """Every fault that really happened, those of the weather too."""
        lans: Counter[str] = Counter()
        for lan in self.lans.values():
            lans.update({kind: getattr(lan.counts, kind) for kind in LAN_WEATHER})
        taken = Counter({kind: self.losses[kind] for kind in DISK_LOSSES})
        return self.fired + self.wan.counts + lans + taken

    def abandon(self) -> None:
        """Let go of everything, whatever state it is in."""
        for unit in self.units.values():
            unit.abandon()
        self.office.abandon()

    def finish(self) -> None:
        """Everything is switched off as it should be; what then lies on the disks counts in the trace's hash."""
        self.close()
        for folder in [*(unit.folder for unit in self.units.values()), self.office.folder]:
            for file in sorted(folder.glob("*.db")):
                self.trace.rows(file.parent.name, file.read_bytes())

    def close(self) -> None:
        """Everything is switched off as it should be."""
        for unit in self.units.values():
            unit.close()
        self.office.close()
