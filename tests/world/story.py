"""One life in which everything happens that checkers know of, well and good; and the means to spoil it.

Uses that may be twice are: a signed and a leased serial at two lanes that can't hear each other.
"""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

import msgspec

from edge_agent.core import events as ev
from loyalty.campaign import Campaign, Kind, Policy
from simulator.world.eyes import Fatal
from simulator.world.observe import AtRest, Checker, Seen
from tests.shops import Shops

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
VISIT_MS = 200  # in which the centre answers
KNOWN_MS = 10_000  # in which lanes notice that they are cut off from each other


class Story:
    """What was seen (`seen`), and the disks at its end (`rest`)."""

    def __init__(self, folder: Path) -> None:
        with Shops(folder, CAMPAIGNS, LANES) as shops:
            self._live(shops)
            shops.judge()
            shops.close()
        self.seen, self.rest = tuple(shops.seen), shops.rest

    def _live(self, shops: Shops) -> None:
        shops.world.operators.floor(1, 0, 1_000)
        shops.world.operators.floor(1, 77, 300)
        codes = [
            shops.coupon(campaign.id, home="ginza" if campaign is HOME else "", person="花子" * (campaign is PERSONAL))
            for campaign in CAMPAIGNS
        ]
        for code in codes:
            for device in LANES:
                _visit(shops, device, code)
        for _ in range(2):
            shops.asked_points("lane-1", ev.PointsWanted(programme=1, holder=77, points=40))
            shops.run(6_000)
        shops.asked_points("lane-2", ev.PointsEarned(programme=1, holder=77, points=25, spend_yen=500))
        self._twice(shops)
        self._unseen(shops)
        image = shops.image("lane-2")
        _visit(shops, "lane-2", shops.coupon(4))
        shops.restore_disk("lane-2", image)
        _visit(shops, "lane-2", shops.coupon(4))
        shops.world.operators.change(msgspec.structs.replace(OPEN, stopped=True))

    def _twice(self, shops: Shops) -> None:
        apart = ("lane-1", "lane-3")
        shops.cut(*apart)
        shops.leave(*apart)
        shops.run(KNOWN_MS)
        for code in (shops.coupon(4), shops.coupon(3)):
            for device in apart:
                _visit(shops, device, code)
        shops.join(*apart)
        shops.mend(*apart)
        shops.run(KNOWN_MS)

    def _unseen(self, shops: Shops) -> None:
        code = shops.coupon(4)
        killed(shops, Fatal.UNSEEN, code)
        _visit(shops, "lane-1", code)
        killed(shops, Fatal.UNSEEN, shops.coupon(4))  # this shopper does not come back
        code = shops.coupon(4)
        killed(shops, Fatal.UNMARKED, code)
        _visit(shops, "lane-1", code)

    def copied(self, folder: Path) -> AtRest:
        """The disks, to be spoilt by a test."""
        units = []
        for unit in self.rest.units:
            shutil.copytree(unit.store.parent, folder / unit.device)
            units.append(unit._replace(store=folder / unit.device / unit.store.name))
        shutil.copytree(self.rest.centre.parent, folder / "centre")
        return AtRest(self.rest.at_ms, tuple(units), folder / "centre" / self.rest.centre.name)


def _visit(shops: Shops, device: str, code: str) -> None:
    shops.scan(device, code)
    shops.run(VISIT_MS)


def killed(shops: Shops, when: Fatal, code: str) -> None:
    """lane-1 is killed at this yes, and comes up again."""
    unit = shops.unit("lane-1")
    unit.eyes.fatal = when
    shops.scan("lane-1", code)
    assert not unit.up
    unit.power_on()


def change(file: Path, *statements: str) -> None:
    """Changes rows of a disk; each statement must change something."""
    with closing(sqlite3.connect(file)) as sql:
        triggers = sql.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").fetchall()
        for name, _ in triggers:
            sql.execute(f"DROP TRIGGER {name}")
        for statement in statements:
            assert sql.execute(statement).rowcount != 0, statement
        sql.commit()


def told(checker: Checker, seen: Iterable[Seen], rest: AtRest | None = None) -> Checker:
    """A checker that was told all that, and, if it is given, what lies on the disks in the end."""
    for one in seen:
        checker.saw(one)
    if rest is not None:
        checker.at_rest(rest)
    return checker
