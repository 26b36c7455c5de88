"""The downlink machine: no change is missed, none is applied twice, a snapshot counts only when it is whole."""

from __future__ import annotations

from hashlib import sha256
from random import Random

import pytest

from loyalty.campaign import Campaign, Kind, Policy
from wire.downlink import PULL_EVERY_MS, PULL_GAP_MS, Apply, Downlink, FinishSnapshot, Skip, StageRows, StartSnapshot
from wire.messages import Change, Feed, PullFeed, PutCampaign, SnapshotPart, encode

I = b"i" * 16  # noqa: E741 - an incarnation


def campaign(number: int) -> PutCampaign:
    return PutCampaign(
        Campaign(
            id=number, name=f"c{number}", kind=Kind.GIFT, policy=Policy.OPEN, provider="p", gift="茶", serials=False
        )
    )


def feed(before: int, *numbers: int, by: bytes = I) -> Feed:
    return Feed(by, before, [campaign(number) for number in numbers])


def at(number: int) -> Downlink:
    made = Downlink(I, number, lambda: 0.5)
    made.connected(0)
    made.poll(0)
    return made


def numbers(actions: list[object]) -> list[int]:
    found: list[int] = []
    for action in actions:
        if isinstance(action, Apply | StageRows):
            found += [change.campaign.id for change in action.changes if isinstance(change, PutCampaign)]
    return found


def test_a_connection_begins_with_a_pull_from_where_the_cache_is() -> None:
    down = Downlink(I, 7, lambda: 0.5)
    assert down.poll(0) is None
    down.connected(0)
    assert down.poll(0) == PullFeed(I, 7)
    assert down.poll(1) is None


def test_changes_that_follow_are_applied_with_their_position() -> None:
    down = at(7)
    assert down.on_message(feed(7, 8, 9), 0) == [Apply([campaign(8), campaign(9)], I, 9)]
    assert down.number == 9


def test_changes_again_are_skipped_and_overlapping_ones_are_cut() -> None:
    down = at(7)
    down.on_message(feed(7, 8, 9), 0)
    assert isinstance(down.on_message(feed(7, 8, 9), 0)[0], Skip)
    assert numbers(list(down.on_message(feed(7, 8, 9, 10), 0))) == [10]


def test_a_gap_is_seen_and_pulled() -> None:
    down = at(7)
    assert isinstance(down.on_message(feed(8, 9), 50)[0], Skip)
    assert down.poll(50) == PullFeed(I, 7)


def test_an_empty_push_beyond_us_is_a_gap_too() -> None:
    down = at(7)
    down.on_message(feed(12), 50)
    assert down.poll(50) == PullFeed(I, 7)


def test_a_push_of_an_unknown_database_makes_us_pull_and_changes_nothing() -> None:
    down = at(7)
    assert isinstance(down.on_message(feed(7, 8, by=b"j" * 16), PULL_GAP_MS)[0], Skip)
    assert down.number == 7
    assert down.poll(PULL_GAP_MS) == PullFeed(I, 7)


def test_a_fresh_cache_asks_again_when_the_centre_announces_itself() -> None:
    down = Downlink(b"", 0, lambda: 0.5)
    down.connected(0)
    assert down.poll(0) == PullFeed(b"", 0)
    down.on_message(feed(7), 10)  # an answer may be on its way: not yet
    assert down.poll(10) is None
    down.on_message(feed(7), PULL_GAP_MS)
    assert down.poll(PULL_GAP_MS) == PullFeed(b"", 0)


def test_a_quiet_cache_pulls_now_and_then() -> None:
    down = at(7)
    down.on_message(feed(7), 0)
    assert down.poll(PULL_EVERY_MS - 1) is None
    assert down.poll(PULL_EVERY_MS) == PullFeed(I, 7)


# --- snapshots ----------------------------------------------------------------------------------------


def snapshot(name: bytes, rows: list[list[Change]], number: int = 20, by: bytes = b"j" * 16) -> list[SnapshotPart]:
    encoded = [encode(part) for part in rows]
    digest = sha256(b"".join(encoded)).digest()
    return [
        SnapshotPart(name, by, number, index, len(rows), body, digest) for index, body in enumerate(encoded, start=1)
    ]


PARTS = snapshot(b"snap0001", [[campaign(1)], [campaign(2), campaign(3)], [campaign(4)]])


def test_a_whole_snapshot_in_order_is_put_in_force_at_its_end() -> None:
    down = at(7)
    actions = [action for part in PARTS for action in down.on_message(part, 0)]
    assert isinstance(actions[0], StartSnapshot)
    assert actions[-1] == FinishSnapshot(b"j" * 16, 20)
    assert numbers(list(actions)) == [1, 2, 3, 4]
    assert (down.incarnation, down.number) == (b"j" * 16, 20)


@pytest.mark.parametrize("seed", range(20))
def test_parts_may_come_in_any_order_and_twice_once_the_first_is_here(seed: int) -> None:
    down = at(7)
    rest = [*PARTS[1:], *PARTS[1:]]
    Random(seed).shuffle(rest)
    actions = [action for part in [PARTS[0], *rest] for action in down.on_message(part, 0)]
    assert numbers(list(actions)) == [1, 2, 3, 4]
    assert sum(isinstance(action, FinishSnapshot) for action in actions) == 1


def test_a_missing_part_is_pulled_again_and_nothing_is_in_force() -> None:
    down = at(7)
    for part in (PARTS[0], PARTS[2]):
        assert not any(isinstance(a, FinishSnapshot) for a in down.on_message(part, 0))
    due = down.due_ms()
    assert due is not None
    assert down.poll(due) == PullFeed(I, 7)


def test_a_snapshot_with_a_wrong_digest_is_thrown_away_and_pulled_again() -> None:
    down = at(7)
    wrong = [SnapshotPart(p.snapshot, p.incarnation, p.number, p.part, p.parts, p.changes, b"0" * 32) for p in PARTS]
    actions = [action for part in wrong for action in down.on_message(part, 0)]
    assert not any(isinstance(action, FinishSnapshot) for action in actions)
    assert isinstance(actions[-2], StartSnapshot)
    due = down.due_ms()
    assert due is not None
    assert down.poll(due) == PullFeed(I, 7)


def test_a_newer_snapshot_takes_the_place_of_one_on_its_way() -> None:
    down = at(7)
    down.on_message(PARTS[0], 0)
    newer = snapshot(b"snap0002", [[campaign(9)]], number=30)
    actions = down.on_message(newer[0], 0)
    assert isinstance(actions[0], StartSnapshot)
    assert actions[-1] == FinishSnapshot(b"j" * 16, 30)


def test_a_late_part_of_a_snapshot_that_is_in_force_changes_nothing() -> None:
    down = at(7)
    for part in PARTS:
        down.on_message(part, 0)
    assert [type(action) for action in down.on_message(PARTS[0], 0)] == [Skip]
