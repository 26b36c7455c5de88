"""Lanes are told of programmes and of their own shop's earn rules: by the change log, and by a snapshot (M4)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec

from central import registry, snapshot
from central.ledger import programmes
from edge_agent.store import cache as held
from edge_agent.store.store import Store
from loyalty.points import EarnRule, Programme, Rate
from tests.unit.central.central_kit import NOW_MS, Centre, Lane
from wire.messages import Change, Feed, PullFeed, PutProgramme, PutRule, decode

POINTS = Programme(id=5, name="特典ポイント", sell=Rate(1))
HERE = EarnRule(programme=5, site="ginza", per_yen=100)
LATER = EarnRule(programme=5, site="ginza", per_yen=50, from_ms=NOW_MS + 1_000)
ELSEWHERE = EarnRule(programme=5, site="ueno", per_yen=10)


def entered(centre: Centre) -> None:
    with centre.office.database.write() as connection:
        registry.add_device(connection, "ueno-1", "ueno", b"u" * 32, NOW_MS)
        programmes.put(connection, POINTS, NOW_MS)
        for rule in (HERE, ELSEWHERE, LATER):
            programmes.set_rule(connection, rule, NOW_MS)


def logged(centre: Centre, lane: Lane) -> list[Change]:
    found: list[Change] = []
    for message in centre.desk._on_pull(lane.address, PullFeed(centre.incarnation, 0), NOW_MS):
        found += decode(centre.opened(message), Feed).changes
    return found


def known(changes: Sequence[Change], folder: Path) -> list[tuple[int, list[int]]]:
    """Programmes, and what each rule asks for a point, as a lane has them in the end."""
    store = Store(folder, "lane-1")
    store.start(b"e" * 16)
    with store.transaction():
        store.cache.apply(changes, b"i" * 16, 9)
    try:
        return [(one.id, [rule.per_yen for rule in rules]) for one, rules in store.cache.programmes()]
    finally:
        store.close()


def test_M4_a_lane_hears_of_its_own_shops_rules_and_no_others(centre: Centre, lane: Lane, tmp_path: Path) -> None:
    entered(centre)
    told = logged(centre, lane)
    assert [change.rule.site for change in told if isinstance(change, PutRule)] == ["ginza", "ginza"]
    assert known(told, tmp_path / "unit") == [(5, [100, 50])]


def test_M4_a_snapshot_says_the_same(centre: Centre, tmp_path: Path) -> None:
    entered(centre)
    with centre.office.database.read() as connection:
        every = list(snapshot.changes(connection, "ginza", centre.secret, NOW_MS))
    mine = [change for change in every if isinstance(change, PutProgramme | PutRule)]
    assert known(mine, tmp_path / "unit") == [(5, [100, 50])]


def test_a_lane_keeps_so_many_revisions_of_a_rule(tmp_path: Path) -> None:
    revisions: list[Change] = [PutProgramme(POINTS)]
    revisions += [
        PutRule(msgspec.structs.replace(HERE, revision=number, per_yen=number))
        for number in range(1, held.RULES_HELD_MAX + 11)
    ]
    assert known(revisions, tmp_path / "unit") == [(5, list(range(11, held.RULES_HELD_MAX + 11)))]


def test_what_a_snapshot_does_not_say_is_forgotten(tmp_path: Path) -> None:
    store = Store(tmp_path / "unit", "lane-1")
    store.start(b"e" * 16)
    with store.transaction():
        store.cache.apply([PutProgramme(POINTS), PutRule(HERE)], b"i" * 16, 9)
        store.cache.start_snapshot(100)
        store.cache.stage([PutProgramme(POINTS)])
        store.cache.finish_snapshot(b"j" * 16, 1)
    assert store.cache.programmes() == ((POINTS, ()),)
    store.close()
