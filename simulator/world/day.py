"""One day of many sites with outages, under one policy: how many good customers are refused, and what it exposes.

The units and the centre of the world are the production code; here is the trade around them. Every
customer has a coupon with a serial of its own and shows it once, most of them in the shop that they chose when they
downloaded it; a few copy theirs and show it in other shops as well. The campaign is to honour `cap` coupons in all.
Sites lose their line at random, and one region loses it together at noon.

    refused      good customers who were told no though the coupon was unused and the cap was not reached
    exposure     uses beyond one for each serial, and beyond the cap

Nobody is asked to wait and try again: a refused customer goes away.

A day of hundreds of shops is made short: a unit dozes until somebody stands before it, something comes to it, or it is
time for the next look at what is due (`Unit.dozes_until_ms`); the centre pushes changes as rarely, and a unit asks for
them when it wakes.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from random import Random
from typing import Final, NamedTuple

from central.coupons.download import Given
from edge_agent.core.states import Mode
from edge_agent.settings import UnitSettings
from loyalty.campaign import Campaign, Kind, Policy
from simulator.world.observe import AtRest, Green, Seen, UnitAtRest
from simulator.world.unit import Unit
from simulator.world.world import Ground, World
from wire import topics
from wire.messages import PullFeed, encode

HOUR_MS: Final = 3_600_000
OPENS_MS: Final = 9 * HOUR_MS
CLOSES_MS: Final = 21 * HOUR_MS
MORNING_MS: Final = 20_000
LOOK_MS: Final = 1_800_000  # how often a lane that nobody visits sees to its leases and its feed
LOOKS_MS: Final = 2_000  # and for how long
HEARS_MS: Final = 300  # a word to the centre and back
ANSWERS_MS: Final = 500  # the same with two units: one is asked to give up a part or a serial
ASK_WAIT_MS: Final = UnitSettings(device="lane", site="shop").ask_wait_ms
REACH_TURNS: Final = 8  # seconds in which a lane is sure that the centre is back
DARK_SHARE: Final = 0.03  # of the time a site has no line
DARK_MS: Final = 40 * 60_000  # for how long, on average
REGION_SHARE: Final = 0.2  # of the sites lose it together ...
REGION_FROM_MS: Final = 12 * HOUR_MS
REGION_TO_MS: Final = 14 * HOUR_MS
AT_HOME_SHARE: Final = 0.85  # of the customers come to the shop that they chose
CHEAT_SHARE: Final = 0.02  # of the customers copy their coupon
CHEAT_USES: Final = 3  # and show it in so many more shops
CAP_SHARE: Final = 0.8  # of the customers the issuer means to serve
POLICIES: Final = (Policy.ONLINE, Policy.HOME, Policy.LEASE, Policy.SIGNED)


class Outcome(NamedTuple):
    """What one day under one policy came to."""

    policy: Policy
    customers: int  # good ones that came before the cap was reached
    refused: int
    shown: int  # uses in all
    doubled: int  # uses beyond one for each serial
    over_cap: int

    @property
    def refused_share(self) -> float:
        return self.refused / self.customers if self.customers else 0.0


class Uses:
    """What shoppers saw (`simulator.world.observe.Checker`)."""

    name = "uses"

    def __init__(self) -> None:
        self.shown: Counter[int] = Counter()  # by serial

    def saw(self, seen: Seen) -> None:
        if isinstance(seen, Green):
            self.shown[seen.serial] += not seen.again

    def came_up(self, unit: UnitAtRest) -> None:
        """No matter."""

    def at_rest(self, world: AtRest) -> None:
        """Nor this."""


class _Visit(NamedTuple):
    site: str
    code: int  # which coupon
    good: bool


def campaign(policy: Policy, cap: int) -> Campaign:
    """The same coupon under each policy; those that can hold the cap have it."""
    held = policy in (Policy.ONLINE, Policy.LEASE)
    return Campaign(
        id=1, name="100円引き", kind=Kind.AMOUNT, policy=policy, provider="s", amount_yen=100,
        cap=cap if held else None,
    )  # fmt: skip


class _Line(NamedTuple):
    """A site's line comes or goes."""

    site: str
    up: bool


class Day:
    """See the module. To be used while the world's stand-ins are installed (`run.installed`), with the same seed."""

    def __init__(self, folder: Path, policy: Policy, *, sites: int, customers: int, seed: int, ground: Ground) -> None:
        self._rng = Random(seed)  # noqa: S311 - it rules a simulation, no secret
        self.cap = int(customers * CAP_SHARE)
        self._sites = [f"shop-{number:03}" for number in range(sites)]
        self.policy = policy
        folder.mkdir(parents=True, exist_ok=True)
        ground.time.now_ms = OPENS_MS - MORNING_MS
        self._uses = Uses()
        self.world = World(
            folder,
            str(seed),
            {site: [(f"lane-{number:03}", Mode.KIOSK)] for number, site in enumerate(self._sites)},
            (campaign(policy, self.cap),),
            ground=ground,
            checkers=(self._uses,),
        )
        self._units = {unit.site: unit for unit in self.world.units.values()}
        self._customers = customers
        self._next_look_ms = OPENS_MS
        self.refused = self.customers = 0

    def run(self) -> Outcome:
        world = self.world
        world.run(MORNING_MS)  # everybody is there
        homes = [self._rng.choice(self._sites) for _ in range(self._customers)]
        codes = [self._download(home if self.policy is Policy.HOME else "") for home in homes]
        happenings: list[tuple[int, _Visit | _Line]] = [*self._visits(homes), *self._outages()]
        happenings.sort(key=lambda one: one[0])
        world.office.pause_ms = LOOK_MS
        self._pass(OPENS_MS)
        self._look()
        for at_ms, what in happenings:
            while self._next_look_ms <= at_ms:
                self._pass(self._next_look_ms)
                self._look()
            self._pass(at_ms)
            if isinstance(what, _Visit):
                self._come(what, codes[what.code])
            else:
                (world.wan.mend if what.up else world.wan.cut)(self._units[what.site].device)
                world.run(HEARS_MS)
        shown = self._uses.shown
        return Outcome(
            policy=self.policy,
            customers=self.customers,
            refused=self.refused,
            shown=sum(shown.values()),
            doubled=sum(count - 1 for count in shown.values()),
            over_cap=max(0, sum(shown.values()) - self.cap),
        )

    def _download(self, home: str) -> str:
        given = self.world.operators.download(1, None, home=home)
        assert isinstance(given, Given), given
        return given.text

    def _pass(self, at_ms: int) -> None:
        self.world.run(max(0, at_ms - self.world.time.now_ms))

    def _look(self) -> None:
        """Every lane sees to what is due, and then to nothing but what comes until the next look."""
        self._next_look_ms += LOOK_MS
        for unit in self._units.values():
            unit.dozes_until_ms, unit.due_ms = 0, self.world.time.now_ms
        self.world.run(LOOKS_MS)
        for unit in self._units.values():
            self._doze(unit)

    def _doze(self, unit: Unit) -> None:
        unit.dozes_until_ms = unit.due_ms = self._next_look_ms

    # --- the trade --------------------------------------------------------------------------------------

    def _visits(self, homes: list[str]) -> list[tuple[int, _Visit]]:
        rng = self._rng
        visits: list[tuple[int, _Visit]] = []
        for code, home in enumerate(homes):
            site = home if rng.random() < AT_HOME_SHARE else rng.choice(self._sites)
            at_ms = rng.randrange(OPENS_MS, CLOSES_MS)
            visits.append((at_ms, _Visit(site, code, True)))
            if rng.random() < CHEAT_SHARE:
                for _ in range(CHEAT_USES):
                    later_ms = rng.randrange(at_ms + 1, CLOSES_MS + 1)
                    visits.append((later_ms, _Visit(rng.choice(self._sites), code, False)))
        return visits

    def _outages(self) -> list[tuple[int, _Line]]:
        rng = self._rng
        changes: list[tuple[int, _Line]] = []
        region = set(rng.sample(self._sites, int(len(self._sites) * REGION_SHARE)))
        for site in self._sites:
            at_ms = OPENS_MS
            spans = [(REGION_FROM_MS, REGION_TO_MS)] if site in region else []
            while True:
                at_ms += int(rng.expovariate(1 / (DARK_MS * (1 - DARK_SHARE) / DARK_SHARE)))
                if at_ms >= CLOSES_MS:
                    break
                until_ms = at_ms + int(rng.expovariate(1 / DARK_MS))
                spans.append((at_ms, until_ms))
                at_ms = until_ms
            for from_ms, to_ms in _joined(spans):
                changes += [(from_ms, _Line(site, False)), (to_ms, _Line(site, True))]
        return changes

    def _come(self, visit: _Visit, code: str) -> None:
        """A customer shows a coupon, and goes when there is an answer."""
        unit, world = self._units[visit.site], self.world
        before = self._uses.shown.total()
        self._wake(unit)
        unit.eyes.verdict = None
        unit.hold_up(code.encode())
        world.run(ANSWERS_MS)
        if not _answered(unit):  # it was asked, and no answer came
            world.run(ASK_WAIT_MS)
        self._doze(unit)
        if not visit.good or before >= self.cap:
            return
        self.customers += 1
        self.refused += not _accepted(unit)

    def _wake(self, unit: Unit) -> None:
        """A lane that is connected knows what the centre knows: it was told within a second of each change."""
        line, agent = unit.line, unit.agent
        assert line is not None, "it runs"
        assert agent is not None, "it runs"
        unit.dozes_until_ms = 0
        unit.turn()
        for _ in range(REACH_TURNS):
            if agent.online or not line.up:
                break
            self.world.run(1_000)
        if line.publish(topics.UP_REQ, encode(PullFeed(*agent.store.cache.position))):
            self.world.run(HEARS_MS)


def _answered(unit: Unit) -> bool:
    return unit.eyes.verdict is not None


def _accepted(unit: Unit) -> bool:
    return unit.eyes.verdict is not None and unit.eyes.verdict.accepted


def _joined(spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Spans that overlap are one."""
    out: list[tuple[int, int]] = []
    for begin, end in sorted(spans):
        if out and begin <= out[-1][1]:
            out[-1] = (out[-1][0], max(end, out[-1][1]))
        else:
            out.append((begin, end))
    return out
