"""A life of the world: steps of people, operators and faults from one seed, then peace, in which all must come right.

Each step has randomness of its own, so that a run with some steps left out is still much like the whole (`shrink`).
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import Final

import msgspec

from central.coupons import keyring
from central.coupons.issue import IssueError
from edge_agent.core.states import Mode
from loyalty.campaign import Policy
from simulator.world import bank, cards, catalogue, extras, members, paper
from simulator.world.faults import CENTRES, DISKS, FAULTS, LAN_WEATHER, WEATHER
from simulator.world.lan_ground import LanRates
from simulator.world.observe import Checker
from simulator.world.office import CentreAway
from simulator.world.people import People
from simulator.world.trace import Trace
from simulator.world.wan import Weather
from simulator.world.world import Ground, World

SITES: Final = ("ginza", "shibuya", "ueno", "asakusa", "kanda", "meguro")
PEOPLE: Final = 8
FIRST_MS: Final = 20_000  # of peace, in which every unit hears of the campaigns
DOWNLOADS_FIRST: Final = 24
BUSINESS: Final = 0.64  # of the steps are no fault
RARE: Final = 0.35  # of the seeds have faults that loosen what can be promised
LOGS_KEPT: Final = (5, 50, 100_000)  # changes: with a short log snapshots are many
POINTS_MOVED: Final = 0.12  # of the steps somebody moves points at the centre, too
PAYMENTS: Final = 0.12  # of the steps somebody pays by account, too
TILLS: Final = 0.15  # of the steps somebody pays at a till that speaks the lanes' interface, too
BROUGHT_BACK: Final = 0.1  # of the steps somebody brings a sale back, too
OFF_SHARE: Final = 0.4  # of the kinds of faults do not strike in a life


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """Which life. `skip`: steps in which nothing is done; `without`: kinds of faults that do not strike."""

    seed: int
    steps: int = 150
    sites: int = 0  # 0: the seed says
    lanes: int = 0
    without: tuple[str, ...] = ()
    skip: tuple[int, ...] = ()

    def random(self, name: str) -> Random:
        return Random(f"{self.seed}/{name}")  # noqa: S311 - it rules a simulation, no secret


class Life:
    """See the module. To be used while the world's stand-ins are installed (`run.installed`)."""

    def __init__(self, plan: Plan, folder: Path, ground: Ground, trace: Trace, checkers: Iterable[Checker]) -> None:
        self.plan = plan
        rng = plan.random("plan")
        sites = plan.sites or rng.randrange(1, 4)
        lanes = plan.lanes or rng.randrange(1, 5)
        self.weights = _weights(rng)
        self.weather = _weather(rng, plan.without)
        self.images: list[tuple[str, Path, int]] = []
        self.backups: list[tuple[Path, int]] = []
        self._later: list[tuple[int, int, Callable[[], None]]] = []
        self._number = self._step = 0
        self._skip = frozenset(plan.skip)
        modes = plan.random("modes")
        names = SITES[:sites]
        self.world = World(
            folder,
            str(plan.seed),
            {
                site: [(f"{site}-{lane}", modes.choice((Mode.KIOSK, Mode.KIOSK, Mode.LANE))) for lane in range(lanes)]
                for site in names
            },
            [*catalogue.campaigns(list(names)), *paper.campaigns(names[0])],
            ground=ground,
            trace=trace,
            checkers=checkers,
            barcodes=msgspec.structs.replace(catalogue.BARCODES, rules=(*catalogue.BARCODES.rules, *cards.RULES)),
            log_kept_changes=plan.random("log").choice(LOGS_KEPT),
        )
        self.people = People(self.world, PEOPLE)
        for number in range(DOWNLOADS_FIRST):
            self.people.download(plan.random(f"download/{number}"))
        self.world.run(FIRST_MS)
        self.world.wan.weather = self.weather
        self.world.office.bank.line = bank.drawn(plan.random("bank"), plan.without)
        for site, lan in self.world.lans.items():
            lan.rates = _lan_rates(plan.random(f"lan/{site}"), plan.without)

    def later(self, after_ms: int, action: Callable[[], None]) -> None:
        """What is broken now is mended then."""
        self._number += 1
        heapq.heappush(self._later, (self.world.time.now_ms + after_ms, self._number, action))

    @property
    def taken(self) -> int:
        """How many steps were taken."""
        return self._step

    @property
    def over(self) -> bool:
        return self._step >= self.plan.steps

    def step(self) -> None:
        """One act, and some time. Raises Violation."""
        rng = self.plan.random(f"step/{self._step}")
        if self._step not in self._skip:
            try:
                self._act(rng)
            except CentreAway:
                self.world.note("world", "no centre")
            luck = self.plan.random(f"points/{self._step}")
            if luck.random() < POINTS_MOVED:
                with suppress(CentreAway):
                    self.people.purses.act(luck)
            luck = self.plan.random(f"payment/{self._step}")
            lanes = [unit for unit in self.world.units.values() if unit.mode is Mode.LANE and unit.till is None]
            if lanes and luck.random() < PAYMENTS:
                self.people.pay(luck, luck.choice(lanes))
            luck = self.plan.random(f"till/{self._step}")
            served = [unit for unit in self.world.units.values() if unit.till is not None]
            if served and luck.random() < TILLS:
                self.people.visit_till(luck, luck.choice(served))
            luck = self.plan.random(f"back/{self._step}")
            if luck.random() < BROUGHT_BACK:
                self.people.bring_back(luck, luck.choice(list(self.world.units.values())))
            try:
                extras.one_more(self, self.plan.random(f"extra/{self._step}"), self.plan.without)
            except CentreAway:
                self.world.note("world", "no centre")
            try:
                members.one_more(self, self.plan.random(f"member/{self._step}"), self.plan.without)
            except CentreAway:
                self.world.note("world", "no centre")
        self._pass(_gap_ms(rng))
        self._step += 1

    def _act(self, rng: Random) -> None:
        if rng.random() < BUSINESS:
            _business(self, rng)
            return
        kinds = list(self.weights)
        kind = rng.choices(kinds, [self.weights[kind] for kind in kinds])[0]
        if kind not in self.plan.without:
            self.world.note("fault", kind)
            FAULTS[kind](self, rng)

    def _pass(self, for_ms: int) -> None:
        until_ms = self.world.time.now_ms + for_ms
        while self._later and self._later[0][0] <= until_ms:
            at_ms, _, action = heapq.heappop(self._later)
            self.world.run(max(0, at_ms - self.world.time.now_ms))
            with suppress(CentreAway):
                action()
        self.world.run(max(0, until_ms - self.world.time.now_ms))

    def peace(self) -> None:
        """The second phase: no more faults. Raises Violation."""
        self._later.clear()
        self.world.heal()
        self.world.settle()
        self.people.purses.again()
        for unit in self.world.units.values():
            if unit.till is not None and unit.enrolled:
                unit.till.calm = True
                unit.till.again(all_of_it=True)
        members.roll_call(self)
        self.world.settle()
        self.world.check_at_rest()


def _gap_ms(rng: Random) -> int:
    luck = rng.random()
    if luck < 0.55:
        return rng.randrange(20, 300)
    if luck < 0.93:
        return rng.randrange(300, 2_000)
    return rng.randrange(2_000, 15_000) if luck < 0.997 else rng.randrange(60_000, 200_000)


def _weights(rng: Random) -> dict[str, float]:
    """How often each kind of fault strikes in this life."""
    weights = {}
    loose = {DISKS: rng.random() < RARE, CENTRES: rng.random() < RARE}
    for kind in FAULTS:
        weight = rng.choice((0.3, 1.0, 3.0)) if rng.random() >= OFF_SHARE else 0.0
        if any(kind in kinds and not there for kinds, there in loose.items()):
            weight = 0.0
        weights[kind] = weight
    if not any(weights.values()):
        weights["line-cut"] = 1.0
    return weights


def _weather(rng: Random, without: tuple[str, ...]) -> Weather:
    shares = {kind: rng.choice((0.0, 0.02, 0.1, 0.25)) for kind in WEATHER}
    shares |= {kind: 0.0 for kind in without if kind in shares}
    return Weather(
        loss=shares["lost"],
        doubled=shares["doubled"],
        late=shares["late"],
        late_ms=rng.choice((500, 10_000, 60_000)),
        swallowed=shares["swallowed"] / 2,
    )


def _lan_rates(rng: Random, without: tuple[str, ...]) -> LanRates:
    shares = {kind: rng.choice((0.0, 0.0, 0.02, 0.1)) for kind in LAN_WEATHER}
    shares |= {kind: 0.0 for kind in without if kind in shares}
    return LanRates(
        datagram_lost=shares["datagrams_lost"],
        datagram_doubled=shares["datagrams_doubled"],
        datagram_late=shares["datagrams_late"],
        message_doubled=shares["messages_doubled"],
        message_late=shares["messages_late"],
        connection_broken=shares["connections_broken"] / 20,
    )


# --- business -----------------------------------------------------------------------------------------------


def _business(life: Life, rng: Random) -> None:
    world, luck = life.world, rng.random()
    unit = rng.choice(list(world.units.values()))
    if luck < 0.70:
        life.people.visit(rng, unit)
    elif luck < 0.88:
        world.need_centre()
        life.people.download(rng)
    elif luck < 0.925:
        life.people.points(rng, unit)
    elif luck < 0.95:
        life.people.bring_back(rng, unit)
    else:
        world.need_centre()
        _operate(life, rng)


def _operate(life: Life, rng: Random) -> None:
    world, luck = life.world, rng.random()
    operators = world.operators
    if luck < 0.2:
        operators.rotate_key()
        world.fire("key-rotated")
    elif luck < 0.28:
        with world.office.office.database.read() as connection:
            keys = [key.id for key in keyring.listed(connection) if key.retired_ms is None]
        if len(keys) > 1:
            operators.retire_key(rng.choice(keys[:-1]))
            world.fire("key-retired")
    elif luck < 0.35:
        operators.hand_over_home(rng.choice(list(world.units.values())))
    elif luck < 0.5:
        life.people.revoke(rng)
    else:
        _campaign(life, rng)


def _campaign(life: Life, rng: Random) -> None:
    """Its terms change, it is stopped, or opened again."""
    world = life.world
    listed = world.operators.campaigns()
    stopped = [now for now in listed if now.stopped]
    if not listed:
        return
    now = rng.choice(stopped if stopped and rng.random() < 0.5 else listed)
    if now.stopped:
        changed, kind = msgspec.structs.replace(now, stopped=False), "campaign-reopened"
    elif rng.random() < 0.25:
        changed, kind = msgspec.structs.replace(now, stopped=True), "campaign-stopped"
    elif now.policy is Policy.LEASE and now.cap is not None:
        changed, kind = msgspec.structs.replace(now, cap=now.cap + rng.randrange(1, 5)), "campaign-changed"
    else:
        changed, kind = msgspec.structs.replace(now, min_spend_yen=rng.choice((0, 200))), "campaign-changed"
    try:
        world.operators.change(changed)
    except IssueError:
        return  # such terms can't be
    world.fire(kind)
