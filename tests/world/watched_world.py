"""Lanes and a centre whose life is told to checkers: real disks with real facts, for the checkers' own tests.

The lanes are those of `simulator.world.lanes`; here their answers become observations. A lane can be killed after a
commit and before anything is shown, or after it is shown and before that is written down.
"""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from unittest.mock import patch

import msgspec

from central import leases
from central.coupons import download, issue, persons
from edge_agent.core import events as ev
from hal.events import Scanned
from loyalty.campaign import Campaign, Kind, Policy
from loyalty.lease import POINTS, Pot
from loyalty.reason import ACCEPTING, Reason
from simulator.world import lanes
from simulator.world.checks import all_checkers
from simulator.world.lanes import NOW_MS, Lane
from simulator.world.observe import (
    AtRest,
    CentreRestored,
    Checker,
    DiskRestored,
    Down,
    Downloaded,
    Enrolled,
    FloorSet,
    Green,
    Healed,
    Issued,
    PointsSeen,
    Refused,
    Seen,
    Started,
    UnitAtRest,
    WrittenOff,
)
from wire.facts import Earned, Redeemed, Spent, decode_fact

ONLINE = Campaign(id=1, name="抽選", kind=Kind.AMOUNT, policy=Policy.ONLINE, provider="s", amount_yen=100, cap=12)
HOME = Campaign(id=2, name="発行店", kind=Kind.GIFT, policy=Policy.HOME, provider="s", gift="珈琲")
LEASE = Campaign(id=3, name="先着", kind=Kind.AMOUNT, policy=Policy.LEASE, provider="s", amount_yen=100, cap=14)
SIGNED = Campaign(
    id=4, name="会員", kind=Kind.AMOUNT, policy=Policy.SIGNED, provider="s", amount_yen=50, exposure_limit=2
)
OPEN = Campaign(id=5, name="チラシ", kind=Kind.AMOUNT, policy=Policy.OPEN, provider="s", amount_yen=10, serials=False)
PLAIN = Campaign(
    id=6, name="総額", kind=Kind.AMOUNT, policy=Policy.LEASE, provider="s", amount_yen=100, serials=False,
    budget_yen=1_500,
)  # fmt: skip
PERSONAL = Campaign(
    id=7, name="お一人様", kind=Kind.AMOUNT, policy=Policy.ONLINE, provider="s", amount_yen=30, serials=False,
    per_person=2,
)  # fmt: skip
CAMPAIGNS = (ONLINE, HOME, LEASE, SIGNED, OPEN, PLAIN, PERSONAL)
LANES = {"lane-1": "ginza", "lane-2": "ginza", "lane-3": "shibuya"}
REST_S = 150  # a lost push shows with the next pull


class Killed(Exception):
    """The plug was pulled."""


class WatchedLane(Lane):
    """A lane that shoppers look at."""

    world: World
    dies_unseen = False  # at the next yes: after the commit, before anything is shown
    dies_unmarked = False  # after it was shown, before that is written down

    def decide(self, event: ev.Event) -> None:
        before, self.last = self.store.journal.position, None
        core, store = self.core, self.store
        if self.dies_unseen and isinstance(event, Scanned | ev.Answered):
            vars(core)["adopt"] = self._die
        if self.dies_unmarked:
            vars(store)["mark_shown"] = self._die
        try:
            super().decide(event)
        except Killed:
            if not self.dies_unseen:
                self._tell(before)
            self.dies_unseen = self.dies_unmarked = False
            self.world.went_down(self)
            return
        finally:
            vars(core).pop("adopt", None)
            vars(store).pop("mark_shown", None)
        self._tell(before)

    def _die(self, *_: object) -> None:
        raise Killed

    def _tell(self, before: int) -> None:
        """What the shopper sees."""
        world, at = self.world, self.moment()
        device, site = self.where.device, self.where.site
        rows = self.store.connection.rows("SELECT body FROM journal WHERE position > ?", (before,))
        for fact in [decode_fact(body) for (body,) in rows]:
            if isinstance(fact, Redeemed):
                assert fact.at.mono_ms == at.mono_ms
                world.see(
                    Green(
                        world.at_ms, device, site, at.boot, at.mono_ms, fact.campaign, fact.serial, fact.holder,
                        fact.cost_yen, False,
                    )
                )  # fmt: skip
            elif isinstance(fact, Earned | Spent):
                world.see(
                    PointsSeen(
                        world.at_ms, device, site, at.boot, at.mono_ms, fact.programme, fact.holder, fact.points,
                        isinstance(fact, Earned),
                    )
                )  # fmt: skip
        verdict = self.last
        if verdict is None or (rows and verdict.reason in ACCEPTING):
            return
        coupon = verdict.coupon
        campaign, serial, holder = (coupon.campaign, coupon.serial, coupon.holder) if coupon else (0, 0, 0)
        if verdict.reason is Reason.OK_AGAIN:
            world.see(Green(world.at_ms, device, site, at.boot, at.mono_ms, campaign, serial, holder, 0, True))
        elif verdict.reason not in ACCEPTING:
            world.see(Refused(world.at_ms, device, site, campaign, serial, verdict.reason.value))


class World(lanes.World):
    """See the module."""

    def __init__(
        self,
        folder: Path,
        seed: int = 1,
        campaigns: Iterable[Campaign] = CAMPAIGNS,
        names: dict[str, str] = LANES,
        checkers: list[Checker] | None = None,
        loss: float = 0.0,
    ) -> None:
        self.checkers = all_checkers() if checkers is None else checkers
        self.seen: list[Seen] = []
        self.backed_up: dict[Path, int] = {}
        self.imaged: dict[Path, int] = {}
        self.gone: set[str] = set()
        with patch.object(lanes, "Lane", WatchedLane):
            super().__init__(folder, seed, campaigns, names, loss)
        for campaign in self.campaigns.values():
            self.see(Issued(self.at_ms, campaign))
        for device, site in names.items():
            self.see(Enrolled(self.at_ms, device, site))
            self.came_up(self.lanes[device])
        for _ in range(40):
            self.turn(200)

    @property
    def at_ms(self) -> int:
        return NOW_MS + self.mono_ms

    def lane(self, device: str) -> WatchedLane:
        lane = self.lanes[device]
        assert isinstance(lane, WatchedLane)
        return lane

    # --- what is told -----------------------------------------------------------------------------------

    def see(self, seen: Seen) -> None:
        self.seen.append(seen)
        for checker in self.checkers:
            checker.saw(seen)

    def unit(self, lane: Lane) -> UnitAtRest:
        device = lane.where.device
        return UnitAtRest(device, lane.where.site, lane.folder / "store.db", device not in self.gone, True)

    def came_up(self, lane: Lane) -> None:
        self.see(Started(self.at_ms, lane.where.device, lane.moment().boot))
        for checker in self.checkers:
            checker.came_up(self.unit(lane))

    def rest(self) -> AtRest:
        return AtRest(
            self.at_ms, tuple(self.unit(lane) for lane in self.lanes.values()), self.folder / "centre" / "centre.db"
        )

    def judge(self) -> None:
        """No more faults, and all must have come together."""
        self.see(Healed(self.at_ms))
        self.settle()
        for _ in range(REST_S):
            self.turn(1_000)
        world = self.rest()
        for checker in self.checkers:
            checker.at_rest(world)

    # --- what happens -----------------------------------------------------------------------------------

    def coupon(self, campaign: int, home: str = "", person: str = "") -> str:
        with self.office.database.write() as connection:
            whose = persons.add(connection, person, "-", self.at_ms) if person else None
            given = download.download(
                connection, self.office.keys, campaign, whose, proven=True, now_ms=self.at_ms, home=home
            )
        assert isinstance(given, download.Given), given
        coupon = given.coupon
        self.see(Downloaded(self.at_ms, campaign, coupon.serial, coupon.holder, home))
        return given.text

    def floor(self, programme: int, holder: int, points: int) -> None:
        """So many points may be spent without the centre."""
        with self.office.database.write() as connection:
            leases.put(connection, Pot(POINTS, programme, holder), (points, None))
        self.see(FloorSet(self.at_ms, programme, holder, points))

    def put(self, campaign: Campaign) -> None:
        """Other terms."""
        with self.office.database.write() as connection:
            self.see(Issued(self.at_ms, issue.change(connection, campaign)))

    def scan(self, device: str, code: str, turns: int = 4) -> None:
        lane = self.lane(device)
        lane.scan(code)
        for _ in range(turns):
            self.turn(50)

    def turn(self, ms: int = 100) -> None:
        super().turn(ms)
        self.desk.tidy(self.at_ms)

    def went_down(self, lane: Lane) -> None:
        """It stops at once, and comes up again."""
        at = lane.moment()
        self.see(Down(self.at_ms, lane.where.device, at.boot, at.mono_ms, False))
        lane.restart()
        self.came_up(lane)

    def image_of(self, device: str) -> Path:
        image = self.lanes[device].image()
        self.imaged[image] = self.at_ms
        self.mono_ms += 1
        return image

    def restore_lane(self, device: str, image: Path) -> None:
        lane, at = self.lane(device), self.lanes[device].moment()
        self.see(Down(self.at_ms, device, at.boot, at.mono_ms, False))
        self.see(DiskRestored(self.at_ms, device, self.imaged[image]))
        lane.restore(image)
        self.came_up(lane)

    def backup(self) -> Path:
        made = super().backup()
        self.backed_up[made] = self.at_ms
        self.mono_ms += 1
        return made

    def restore_centre(self, backup: Path) -> None:
        self.see(CentreRestored(self.at_ms, self.backed_up[backup]))
        super().restore_centre(backup)

    def write_off(self, device: str) -> None:
        super().write_off(device)
        self.see(WrittenOff(self.at_ms, device))


class Story:
    """One life in which everything happens that checkers know of, well and good: what was seen, and the disks then.

    Uses that may be twice are: a signed and a leased serial at two lanes that can't hear each other.
    """

    def __init__(self, folder: Path) -> None:
        world = World(folder)
        world.floor(1, 0, 1_000)
        world.floor(1, 77, 300)
        codes = {
            number: world.coupon(number, home="ginza" if number == 2 else "", person="花子" if number == 7 else "")
            for number in range(1, 8)
        }
        for code in codes.values():
            for device in LANES:
                world.scan(device, code)
        for _ in range(2):
            world.lane("lane-1").decide(ev.PointsWanted(programme=1, holder=77, points=40))
            for _ in range(60):
                world.turn()
        world.lane("lane-2").decide(ev.PointsEarned(programme=1, holder=77, points=25, spend_yen=500))
        self._twice(world)
        self._unseen(world)
        image = world.image_of("lane-2")
        world.scan("lane-2", world.coupon(4))
        world.restore_lane("lane-2", image)
        world.scan("lane-2", world.coupon(4))
        world.put(msgspec.structs.replace(OPEN, stopped=True))
        world.judge()
        self.seen, self.rest = tuple(world.seen), world.rest()
        world.close()

    def _twice(self, world: World) -> None:
        for device in ("lane-1", "lane-3"):
            world.lane(device).cut()
            world.lane(device).leave()
        for code in (world.coupon(4), world.coupon(3)):
            for device in ("lane-1", "lane-3"):
                world.scan(device, code)
        for device in ("lane-1", "lane-3"):
            world.lane(device).join()
            world.lane(device).connect()
        for _ in range(60):
            world.turn()

    def _unseen(self, world: World) -> None:
        code, lane = world.coupon(4), world.lane("lane-1")
        lane.dies_unseen = True
        world.scan("lane-1", code)
        world.scan("lane-1", code)
        lane.dies_unseen = True
        world.scan("lane-1", world.coupon(4))  # this shopper does not come back
        lane.dies_unmarked = True
        code = world.coupon(4)
        world.scan("lane-1", code)
        world.scan("lane-1", code)

    def copied(self, folder: Path) -> AtRest:
        """The disks, to be spoilt by a test."""
        units = []
        for unit in self.rest.units:
            shutil.copytree(unit.store.parent, folder / unit.device)
            units.append(unit._replace(store=folder / unit.device / unit.store.name))
        shutil.copytree(self.rest.centre.parent, folder / "centre")
        return AtRest(self.rest.at_ms, tuple(units), folder / "centre" / self.rest.centre.name)


def change(file: Path, *statements: str) -> None:
    """Changes rows of a disk; each statement must change something."""
    with closing(sqlite3.connect(file)) as sql:
        for statement in statements:
            assert sql.execute(statement).rowcount > 0, statement
        sql.commit()


def told(checker: Checker, seen: Iterable[Seen], rest: AtRest | None = None) -> Checker:
    """A checker that was told all that, and, if it is given, what lies on the disks in the end."""
    for one in seen:
        checker.saw(one)
    if rest is not None:
        checker.at_rest(rest)
    return checker
