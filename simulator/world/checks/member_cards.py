"""Member cards: who may speak, what a card in doubt hands over, and how every write ends (M1, M2).

At each greeting: a record that was copied to another tag speaks for nobody; nor does a card of a generation that the
unit knows to be replaced or blocked, as soon as its cache has what the centre's feed says; nor one whose counter is
lower than this unit has greeted it with, unless its disk was changed since.

At rest, from the facts at the centre and its tables: every write that was begun has an end, or is said to be in doubt;
no points were spent in the moment in which the card that was to pay was not written; the centre knows no lower
generation of anybody than its kiosks have written, and what it says of a card it gave out is what the kiosk said.
"""

from __future__ import annotations

from typing import ClassVar, Final, NamedTuple

import msgspec

from simulator.world.checks import stores
from simulator.world.checks.base import Watch
from simulator.world.checks.stores import Disk, Unreadable
from simulator.world.observe import AtRest, CardGreeted, DiskRestored, DiskSpoilt, Seen

WRITTEN: Final = frozenset({"written", "replaced", "lost", "erased"})
OVER: Final = frozenset({"replaced", "lost", "erased"})


class Began(NamedTuple):
    """A card was about to be written (`cw`)."""

    device: str
    holder: int
    generation: int
    why: str


class Ended(NamedTuple):
    """... and what was said of it (`cd`)."""

    device: str
    moment: tuple[bytes, int]
    outcome: str


class MemberCards(Watch):
    """See the module."""

    name: ClassVar = "member-cards"

    def __init__(self) -> None:
        self._greeted: dict[tuple[str, bytes], int] = {}
        self._changed: set[str] = set()  # units whose disk was changed

    def saw(self, seen: Seen) -> None:
        if isinstance(seen, DiskRestored | DiskSpoilt):
            self._changed.add(seen.device)
            self._greeted = {key: counter for key, counter in self._greeted.items() if key[0] != seen.device}
        elif isinstance(seen, CardGreeted):
            self._may_speak(seen)

    def _may_speak(self, seen: CardGreeted) -> None:
        what = f"{seen.device} greets card {seen.uid.hex()} of holder {seen.holder:012x}, generation {seen.generation}"
        if seen.copied:
            self.broken(f"{what}: it is a copy on another tag")
        if seen.generation < seen.told_generation or (seen.told_blocked and seen.generation == seen.told_generation):
            lost = "blocked" if seen.told_blocked else "replaced"
            self.broken(f"{what}: it was told that generation {seen.told_generation} is the valid one, this is {lost}")
        key = (seen.device, seen.uid)
        if seen.counter < self._greeted.get(key, 0):
            self.broken(f"{what}: its counter is {seen.counter}, and was {self._greeted[key]} here before")
        self._greeted[key] = seen.counter

    def at_rest(self, world: AtRest) -> None:
        away = {unit.device for unit in world.units if not (unit.enrolled and unit.up)}
        try:
            with stores.opened(world.centre) as disk:
                began, ended, spent = _facts(disk)
                self._every_write_ends(began, ended, away | self._changed)
                self._doubt_pays_nothing(began, ended, spent)
                self._given_out(began, ended, disk)
        except Unreadable as error:
            self.broken(f"the centre's database can't be read: {error}")

    def _every_write_ends(self, began: dict[bytes, Began], ended: dict[bytes, list[Ended]], free: set[str]) -> None:
        for name, write in began.items():
            if name not in ended and write.device not in free:
                self.broken(f"{write.device} began to write a card ({write.why}, {name.hex()}) and never said its end")

    def _doubt_pays_nothing(
        self, began: dict[bytes, Began], ended: dict[bytes, list[Ended]], spent: dict[tuple[bytes, int], int]
    ) -> None:
        for name, ends in ended.items():
            write = began.get(name)
            for end in ends:
                if write is not None and write.why == "points" and end.outcome != "done" and end.moment in spent:
                    self.broken(
                        f"{end.device} took {spent[end.moment]} points in the moment in which the card that was to pay"
                        f" was not written ({end.outcome}, {name.hex()})"
                    )

    def _given_out(self, began: dict[bytes, Began], ended: dict[bytes, list[Ended]], disk: Disk) -> None:
        known = disk.pairs("SELECT p.holder, m.generation FROM members m JOIN persons p ON p.id = m.person_id")
        for write in began.values():
            if write.holder in known and known[write.holder] < write.generation:
                self.broken(
                    f"{write.device} wrote card {write.generation} of holder {write.holder:012x}, of whom the centre"
                    f" knows {known[write.holder]}"
                )
        for question, state in disk.rows("SELECT question, state FROM issued_cards WHERE question IS NOT NULL"):
            outcomes = [end.outcome for end in ended.get(question, ())]
            if "done" in outcomes and state not in WRITTEN:
                self.broken(f"the kiosk wrote card {question.hex()}, and the centre says '{state}'")
            if outcomes and set(outcomes) == {"doubt"} and state not in {"doubted", *OVER}:
                self.broken(f"card {question.hex()} is in doubt at its kiosk, and the centre says '{state}'")


def _facts(disk: Disk) -> tuple[dict[bytes, Began], dict[bytes, list[Ended]], dict[tuple[bytes, int], int]]:
    """The writes that began, their ends, and the points that were spent, by the moment of the unit."""
    began: dict[bytes, Began] = {}
    ended: dict[bytes, list[Ended]] = {}
    spent: dict[tuple[bytes, int], int] = {}
    for device, body in disk.rows(
        "SELECT d.name, f.body FROM facts f JOIN epochs e ON e.id = f.epoch_id JOIN devices d ON d.id = e.device_id"
        " WHERE f.type IN ('cw', 'cd', 'ps') ORDER BY f.epoch_id, f.seq"
    ):
        tag, stamp, *fields = msgspec.msgpack.decode(body)
        moment = (stamp[2], stamp[1])
        if tag == "cw":
            began[fields[0]] = Began(device, fields[2], fields[3], fields[5])
        elif tag == "cd":
            ended.setdefault(fields[0], []).append(Ended(device, moment, fields[1]))
        else:
            spent[moment] = fields[3]
    return began, ended, spent
