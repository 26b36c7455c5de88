"""Lanes and a centre whose life is told to checkers: real disks with real facts, for the checkers' own tests.

The lanes are those of `simulator.world.lanes`; here their answers become observations. A lane can be killed after a
commit and before anything is shown, or after it is shown and before that is written down.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path
from unittest.mock import patch

from edge_agent.core import events as ev
from hal.events import Scanned
from loyalty.campaign import Campaign, Kind, Policy
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
CAMPAIGNS = (ONLINE, HOME, LEASE, SIGNED, OPEN, PLAIN)
LANES = {"lane-1": "ginza", "lane-2": "ginza", "lane-3": "shibuya"}


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
        world = self.rest()
        for checker in self.checkers:
            checker.at_rest(world)

    def history(self, checker: Checker) -> Checker:
        """A checker that has been told everything that happened, and nothing of what lies on disks."""
        for seen in self.seen:
            checker.saw(seen)
        return checker

    # --- what happens -----------------------------------------------------------------------------------

    def coupon(self, campaign: int, home: str = "") -> str:
        given = self.give(campaign, home)
        coupon = given.coupon
        self.see(Downloaded(self.at_ms, campaign, coupon.serial, coupon.holder, home))
        return given.text

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


def copied(world: AtRest, folder: Path) -> AtRest:
    """The disks as they lie there now, to be spoilt by a test."""
    units = []
    for unit in world.units:
        shutil.copytree(unit.store.parent, folder / unit.device)
        units.append(unit._replace(store=folder / unit.device / unit.store.name))
    shutil.copytree(world.centre.parent, folder / "centre")
    return AtRest(world.at_ms, tuple(units), folder / "centre" / world.centre.name)
