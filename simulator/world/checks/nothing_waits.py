"""At rest nothing waits any more (promises 2 and 4): the journal's cursors, questions, transfers, hints, dead letters.

For each unit that is enrolled and up:

- every epoch is acknowledged to its end under the centre's present incarnation, and the centre has that very history;
- no question is open, and none that it asked holds a coupon at the centre: a yes or a withdrawal is booked for each.
  (One that was lost with a disk holds its coupon until a person looks.)
- no part of a limit is under way from it to another such unit.

At the centre: after a restore no such unit is still awaited; no hint is older than hints live; and nothing lies in
the dead letters but what the world itself sent in the name of nobody.
"""

from __future__ import annotations

from typing import ClassVar, Final

from simulator.world.checks import disks
from simulator.world.checks.base import Watch
from simulator.world.checks.disks import Disk, Unreadable
from simulator.world.checks.losses import Losses
from simulator.world.observe import AtRest, Seen, UnitAtRest

HINT_LIFE_MS: Final = 86_400_000  # `central.hint_life_s`
HINT_GRACE_MS: Final = 120_000  # until the centre next tidies up


class NothingWaits(Watch):
    """See the module."""

    name: ClassVar = "nothing-waits"

    def __init__(self) -> None:
        self._losses = Losses()

    def saw(self, seen: Seen) -> None:
        self._losses.saw(seen)

    def at_rest(self, world: AtRest) -> None:
        at_work = {unit.device for unit in world.units if unit.enrolled and unit.up}
        try:
            with disks.opened(world.centre) as centre:
                for unit in world.units:
                    if unit.device in at_work:
                        self._unit(unit, centre, at_work)
                self._centre(centre, world.at_ms, at_work)
        except Unreadable as error:
            self.broken(f"a disk can't be read: {error}")

    def _unit(self, unit: UnitAtRest, centre: Disk, at_work: set[str]) -> None:
        incarnation = bytes(disks.meta(centre, "incarnation") or b"")
        name = unit.device
        with disks.opened(unit.store) as disk:
            for span in disks.spans(disk):
                if span.acked != span.last:
                    self.broken(f"{span.last - span.acked} facts of epoch {span.epoch.hex()} of {name} still wait")
                if span.last and span.incarnation != incarnation:
                    self.broken(
                        f"{name} has spoken of epoch {span.epoch.hex()} with the incarnation"
                        f" {span.incarnation.hex()}, not with the present one {incarnation.hex()}"
                    )
                row = disk.row("SELECT hash FROM journal WHERE position = ?", (span.base + span.last,))
                if span.last and row is not None:
                    self._same_history(centre, name, span.epoch, span.last, row[0])
            waiting = disk.number("SELECT count(*) FROM questions")
            if waiting:
                self.broken(f"{waiting} questions of {name} are still open")
            for peer, kind, number, count, yen in disk.rows(
                "SELECT peer, kind, id, count, yen FROM transfers WHERE given = 1 AND done = 0"
            ):
                if peer in at_work and not self._losses.lost.get(peer):
                    self.broken(f"{count} uses ({yen} yen) of {kind}{number} are under way from {name} to {peer}")

    def _same_history(self, centre: Disk, device: str, epoch: bytes, last: int, digest: bytes) -> None:
        row = centre.row(
            "SELECT f.hash FROM facts f JOIN epochs e ON e.id = f.epoch_id JOIN devices d ON d.id = e.device_id"
            " WHERE d.name = ? AND e.epoch = ? AND f.seq = ?",
            (device, epoch, last),
        )
        if row is None:
            self.broken(f"{device} believes that number {last} of epoch {epoch.hex()} is booked, and it is not")
        if row[0] != digest:
            self.broken(f"at number {last} of epoch {epoch.hex()} {device} and the centre have different histories")

    def _centre(self, centre: Disk, at_ms: int, at_work: set[str]) -> None:
        for name, campaign, serial in centre.rows(
            "SELECT d.name, q.campaign, q.serial FROM questions q JOIN devices d ON d.id = q.device_id"
            " WHERE q.state = 'granted'"
        ):
            if name in at_work and not self._losses.lost.get(name):
                self.broken(
                    f"a question of {name} holds serial {disks.unsigned(serial):x} of campaign {campaign},"
                    " and neither its yes nor its withdrawal is booked"
                )
        for name, awaits, owes in centre.rows("SELECT name, awaits, owes_parts FROM devices WHERE state = 'active'"):
            if name in at_work and (awaits or owes):
                self.broken(
                    f"after a restore the centre still waits for {'the facts' if awaits else 'the parts'} of {name}"
                )
        old = centre.row(
            "SELECT count(*), min(told_ms) FROM hints WHERE told_ms < ?", (at_ms - HINT_LIFE_MS - HINT_GRACE_MS,)
        )
        if old is not None and old[0]:
            self.broken(f"{old[0]} hints are older than hints live, the oldest of {old[1]}")
        for name, topic, reason in centre.rows(
            "SELECT device, topic, reason FROM dead_letters WHERE resolved_ms IS NULL ORDER BY id"
        ):
            if not self._stranger(name):
                self.broken(f"a letter of {name} on {topic} is dead: {reason}")

    def _stranger(self, device: str) -> bool:
        """Whether the centre, at some time, did not know the unit or no longer listened to it."""
        enrolled_ms = self._losses.enrolled.get(device)
        return enrolled_ms is None or device in self._losses.written_off or self._losses.forgot_what_came(enrolled_ms)
