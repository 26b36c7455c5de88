"""One day of many sites with outages, under one policy: how many good customers are refused, and what it exposes.

The world's lanes and centre (`simulator.world.lanes`) are the production code; here is the trade around them. Every
customer has a coupon with a serial of its own and shows it once, most of them in the shop that they chose when they
downloaded it; a few copy theirs and show it in other shops as well. The campaign is to honour `cap` coupons in all.
Sites lose their line at random, and one region loses it together at noon.

    refused      good customers who were told no though the coupon was unused and the cap was not reached
    exposure     uses beyond one for each serial, and beyond the cap

Nobody is asked to wait and try again: a refused customer goes away.
"""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import Final, NamedTuple

from loyalty.campaign import Campaign, Kind, Policy
from loyalty.reason import ACCEPTING
from simulator.world.lanes import ASK_WAIT_MS, Lane, World

HOUR_MS: Final = 3_600_000
OPENS_MS: Final = 9 * HOUR_MS
CLOSES_MS: Final = 21 * HOUR_MS
TICK_MS: Final = 900_000  # how often a lane that nobody visits sees to its leases and its feed
HOP_MS: Final = 25  # one way to the centre
HOPS_MAX: Final = 40
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
    """See the module."""

    def __init__(self, folder: Path, policy: Policy, *, sites: int, customers: int, seed: int) -> None:
        self._rng = Random(seed)  # noqa: S311 - it rules a simulation, no secret
        self.cap = int(customers * CAP_SHARE)
        self._sites = [f"shop-{number:03}" for number in range(sites)]
        lanes = {f"lane-{number:03}": site for number, site in enumerate(self._sites)}
        self.policy = policy
        self.world = World(folder, seed, (campaign(policy, self.cap),), lanes, loss=0.0, durable=False)
        self._lanes = {lane.where.site: lane for lane in self.world.lanes.values()}
        self._customers = customers
        self.refused = self.customers = 0

    def run(self) -> Outcome:
        world = self.world
        for _ in range(3):  # everybody is there in the morning
            self._tick()
            world.mono_ms += 5_000
        homes = [self._rng.choice(self._sites) for _ in range(self._customers)]
        by_home = self.policy is Policy.HOME
        codes = [world.give(1, home=home if by_home else "").text for home in homes]
        happenings: list[tuple[int, _Visit | _Line]] = [*self._visits(homes), *self._outages()]
        happenings.sort(key=lambda one: one[0])
        next_tick_ms = OPENS_MS
        for at_ms, what in happenings:
            while next_tick_ms <= at_ms:
                world.mono_ms = next_tick_ms
                self._tick()
                next_tick_ms += TICK_MS
            world.mono_ms = max(world.mono_ms, at_ms)
            if isinstance(what, _Visit):
                self._come(what, codes[what.code])
            else:
                lane = self._lanes[what.site]
                (lane.connect if what.up else lane.cut)()
        shown = world.shown()
        return Outcome(
            policy=self.policy,
            customers=self.customers,
            refused=self.refused,
            shown=sum(shown.values()),
            doubled=sum(count - 1 for count in shown.values()),
            over_cap=max(0, sum(shown.values()) - self.cap),
        )

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
        lane = self._lanes[visit.site]
        before = self.world.shown_count
        self._catch_up(lane)
        answer = lane.scan(code)
        self._exchange()
        if answer is None and lane.last is None:  # it was asked, and no answer came
            self.world.mono_ms += ASK_WAIT_MS
            lane.turn()
            self._exchange()
        if not visit.good or before >= self.cap:
            return
        self.customers += 1
        self.refused += lane.last is None or lane.last.reason not in ACCEPTING

    # --- the network ------------------------------------------------------------------------------------

    def _tick(self) -> None:
        for lane in self._lanes.values():
            self._catch_up(lane)
            lane.turn()
        self._exchange()

    def _catch_up(self, lane: Lane) -> None:
        """A lane that is connected knows what the centre knows: changes come within a second."""
        for _ in range(REACH_TURNS):
            if lane.online or not lane.link_up:
                break
            self.world.mono_ms += 1_000
            lane.turn()
            self._exchange()
        if lane.link_up:
            lane.pull()
            self._exchange()

    def _exchange(self) -> None:
        """Messages go to and fro until none is left."""
        for _ in range(HOPS_MAX):
            if not self.world.up and not self.world.down and not self.world.desk.snapshots.busy:
                return
            self.world.mono_ms += HOP_MS
            self.world.exchange()
            for lane in self.world.lanes.values():
                if lane.unit.uplink.waiting and lane.link_up:
                    lane.unit.pump(self.world.mono_ms)


def _joined(spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Spans that overlap are one."""
    out: list[tuple[int, int]] = []
    for begin, end in sorted(spans):
        if out and begin <= out[-1][1]:
            out[-1] = (out[-1][0], max(end, out[-1][1]))
        else:
            out.append((begin, end))
    return out
