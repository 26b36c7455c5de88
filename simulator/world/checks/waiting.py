"""Nothing waits for ever: what can be booked is booked, what was asked is settled, what was given is taken (promise 4).

Some things may rightly stay: what was on its way to or from a unit whose disk was lost, or that was written off, and
what the rubbish on the wire left behind, which no unit ever sent.
"""

from __future__ import annotations

from typing import Final

from simulator.world.checks.caches import fact_name
from simulator.world.checks.stores import Disk, opened, unsigned
from simulator.world.observe import AtRest, DiskRestored, DiskSpoilt, Seen, UnitAtRest, Violation, WrittenOff


class NothingWaits:
    """See the module."""

    name: Final = "nothing-waits"

    def __init__(self) -> None:
        self._lost: set[str] = set()  # units whose memory has holes, or that will say nothing more
        self._holes = False  # in the memory of some unit

    def saw(self, seen: Seen) -> None:
        if isinstance(seen, DiskRestored | DiskSpoilt | WrittenOff):
            self._lost.add(seen.device)
            self._holes = self._holes or not isinstance(seen, WrittenOff)

    def came_up(self, unit: UnitAtRest) -> None:
        """Whoever comes up may have much to report."""

    def at_rest(self, world: AtRest) -> None:
        for unit in world.units:
            if unit.enrolled:
                with opened(unit.store) as store:
                    self._unit(unit, store)
        enrolled = {unit.device for unit in world.units if unit.enrolled}
        with opened(world.centre) as sql:
            self._hints(sql)
            self._questions(sql, enrolled)
            self._units(sql, enrolled)
            self._transit(sql)
            self._homes(sql, enrolled)
            self._dead_letters(sql, enrolled)

    def _unit(self, unit: UnitAtRest, store: Disk) -> None:
        for epoch, acked, waiting in store.rows(
            "SELECT e.epoch, e.acked, (SELECT count(*) FROM journal j WHERE j.position > e.base + e.acked"
            " AND j.position <= coalesce(e.base + e.last, (SELECT max(position) FROM journal))) FROM epochs e"
        ):
            if waiting:
                self._no(f"{waiting} facts after number {acked} of epoch {epoch.hex()[:8]} wait on {unit.device}")
        for campaign, serial in store.rows("SELECT campaign, serial FROM questions"):
            what = f"serial {unsigned(serial):016x} of campaign {campaign}"
            self._no(f"a question of {unit.device} about {what} is open")

    def _hints(self, sql: Disk) -> None:
        hinted = sql.pairs("SELECT fact, campaign FROM hints")
        if not hinted:
            return
        for device, epoch, seq in sql.rows(
            "SELECT d.name, e.epoch, r.seq FROM redemptions r"
            " JOIN epochs e ON e.id = r.epoch_id JOIN devices d ON d.id = e.device_id"
        ):
            if fact_name(device, epoch, seq) in hinted:
                self._no(f"fact {seq} of {device} is booked, and its hint is still there")

    def _questions(self, sql: Disk, enrolled: set[str]) -> None:
        """No enrolled unit has one open (`_unit`): so none of theirs may hold anything."""
        for device, campaign, serial in sql.rows(
            "SELECT d.name, q.campaign, q.serial FROM questions q JOIN devices d ON d.id = q.device_id"
            " WHERE q.state = 'granted'"
        ):
            if device in enrolled and device not in self._lost:
                what = f"serial {unsigned(serial):016x} of campaign {campaign}"
                self._no(f"a question of {device} holds {what} at the centre, and is not open on the unit")

    def _units(self, sql: Disk, enrolled: set[str]) -> None:
        """After a restore: everybody has said what they hold."""
        for device, awaits, owes in sql.rows("SELECT name, awaits, owes_parts FROM devices"):
            if device in enrolled and (awaits or owes):
                self._no(f"the centre still awaits {'the journal' if awaits else 'the parts'} of {device}")

    def _transit(self, sql: Disk) -> None:
        if self._holes:
            return
        for kind, number, count, yen in sql.rows("SELECT kind, id, transit_count, transit_yen FROM pots"):
            if count or yen:
                self._no(f"{count} uses and {yen} yen of pot {kind} {number} are under way between units")

    def _homes(self, sql: Disk, enrolled: set[str]) -> None:
        for campaign, serial, keeper in sql.rows(
            "SELECT m.campaign, m.serial, d.name FROM home_moves m"
            " JOIN coupons c ON c.campaign = m.campaign AND c.serial = m.serial"
            " JOIN homes h ON h.site_id = c.home JOIN devices d ON d.id = h.device_id"
        ):
            if keeper in enrolled:
                self._no(f"serial {unsigned(serial):016x} of campaign {campaign} waits for {keeper} to let it go")
        for keeper, successor in sql.rows(
            "SELECT d.name, n.name FROM homes h JOIN devices d ON d.id = h.device_id"
            " JOIN devices n ON n.id = h.next_device_id"
        ):
            if keeper in enrolled and successor in enrolled:
                self._no(f"{successor} waits for {keeper} to leave its home")

    def _dead_letters(self, sql: Disk, enrolled: set[str]) -> None:
        for device, seq, reason in sql.rows(
            "SELECT device, seq, reason FROM dead_letters WHERE epoch IS NOT NULL AND seq IS NOT NULL"
        ):
            if device in enrolled:
                self._no(f"fact {seq} of {device} was put aside: {reason}")

    def _no(self, what: str) -> None:
        raise Violation(self.name, what)
