"""Each checker finds what it is for: the same story with one thing wrong in it, on the disks or in what was seen.

The story is a real life (`story.Story`) with which every checker is content. Each test takes copies of its
disks, or of what was seen, spoils one thing, and names the checker that must find it and what it must say.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable
from contextlib import closing
from hashlib import sha256
from pathlib import Path

import msgspec
import pytest

from simulator.world.checks import all_checkers
from simulator.world.checks.cap_holds_in_sum import CapHoldsInSum
from simulator.world.checks.exactly_once import ExactlyOnce
from simulator.world.checks.one_use_per_serial import OneUsePerSerial
from simulator.world.checks.points import PointsAddUp
from simulator.world.checks.shown_is_on_disk import ShownIsOnDisk
from simulator.world.observe import AtRest, Blank, Checker, DiskFull, Down, Green, Issued, PointsSeen, Seen, Violation
from tests.world.story import SIGNED, Story, change, told

Make = Callable[[], Checker]


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Story:
    return Story(tmp_path_factory.mktemp("story"))


@pytest.fixture
def rest(story: Story, tmp_path: Path) -> AtRest:
    """Copies of its disks."""
    return story.copied(tmp_path)


def lane_1(rest: AtRest) -> Path:
    return rest.units[0].store


def broken(make: Make, seen: Iterable[Seen], rest: AtRest | None, words: str) -> None:
    checker = make()
    with pytest.raises(Violation, match=words) as found:
        told(checker, seen, rest)
    assert found.value.checker == checker.name


def test_the_story_itself_breaks_no_promise(story: Story, rest: AtRest) -> None:
    checkers = all_checkers()
    assert len({checker.name for checker in checkers}) == len(checkers)
    for checker in checkers:
        told(checker, story.seen, rest)


def greens(story: Story, campaign: int) -> list[Green]:
    return [seen for seen in story.seen if isinstance(seen, Green) and seen.campaign == campaign]


# --- spoilt disks -------------------------------------------------------------------------------------------------

AT_THE_CENTRE = [
    (ExactlyOnce, ["DELETE FROM redemptions WHERE id = 4"], "is a use, and no redemption is booked for it"),
    (
        ExactlyOnce,
        ["UPDATE redemptions SET state = 'void' WHERE id = 4"],
        "redemption 4 of lane-1 is void, and none with the same fact counts",
    ),
    (
        ExactlyOnce,
        ["UPDATE redemptions SET serial = serial + 1 WHERE id = 4"],
        r"redemption 4 \(lane-1, epoch 1, number 4\) says",
    ),
    (
        ExactlyOnce,
        [
            "UPDATE facts SET type = '' WHERE epoch_id = 1 AND seq = 4",
            "DELETE FROM redemptions WHERE id = 4",
        ],
        r"lane-1 showed serial [0-9a-f]+ of campaign 4 \(holder 0\) at \d+, and the centre has not booked it",
    ),
    (
        ExactlyOnce,
        ["UPDATE epochs SET upto = upto + 1 WHERE id = 1"],
        r"says it has \d+ facts of epoch .* of lane-1, and has \d+$",
    ),
    (ExactlyOnce, ["UPDATE epochs SET upto_hash = x'00' WHERE id = 1"], r"and has \d+ with another hash"),
    (ExactlyOnce, ["UPDATE facts SET hash = x'00' WHERE epoch_id = 1 AND seq = 3"], "hash of number 3 .* not follow"),
    (
        ExactlyOnce,
        ["DELETE FROM redemptions WHERE epoch_id = 1 AND seq = 2", "DELETE FROM facts WHERE epoch_id = 1 AND seq = 2"],
        "lacks number 2 of epoch .* of lane-1, and has 3",
    ),
    (
        OneUsePerSerial,
        ["UPDATE redemptions SET state = 'cleared', flags = 0 WHERE state = 'double' AND campaign = 4"],
        "was used 2 times, and 0 of them are flagged as doubles",
    ),
    (
        OneUsePerSerial,
        ["UPDATE redemptions SET flags = 0 WHERE state = 'double' AND campaign = 4"],
        "is 'double', not flagged as a double, with 1 conflicts",
    ),
    (OneUsePerSerial, ["DELETE FROM conflicts WHERE campaign = 4"], "flagged as a double, with 0 conflicts"),
    (OneUsePerSerial, ["UPDATE conflicts SET state = 'withdrawn'"], "flagged as a double, with 0 conflicts"),
    (
        OneUsePerSerial,
        ["UPDATE redemptions SET state = 'double' WHERE id = 5"],
        "redemption 5 without a serial is called a double",
    ),
    (
        OneUsePerSerial,
        ["UPDATE campaigns SET exposed = 0 WHERE id = 4"],
        "campaign 4: 1 uses too many were given alone, 0 are counted",
    ),
    (
        PointsAddUp,
        ["UPDATE pots SET spent_count = 39 WHERE kind = 'p' AND holder = 77"],
        "the centre counts 39 points spent of holder 4d in programme 1, its facts 40",
    ),
    (
        PointsAddUp,
        ["DELETE FROM part_moves WHERE side = 'spent'"],
        "a spending of 40 points named .* is written down once too often or too rarely",
    ),
    (
        PointsAddUp,
        ["UPDATE facts SET type = '' WHERE type = 'pe'"],
        "holder 4d saw 25 points earned in programme 1, and 0 are booked",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("make", "statements", "words"), AT_THE_CENTRE)
def test_what_is_wrong_at_the_centre_is_found(
    make: Make, statements: list[str], words: str, story: Story, rest: AtRest
) -> None:
    change(rest.centre, *statements)
    broken(make, story.seen, rest, words)


AT_A_UNIT = [
    (ShownIsOnDisk, ["DELETE FROM journal WHERE position >= 13"], "lane-1 has lost the yes to serial"),
    (ShownIsOnDisk, ["DELETE FROM journal WHERE position = 4"], "lane-1: after number 3 of epoch .* comes number 5"),
    (ShownIsOnDisk, ["UPDATE journal SET hash = x'00' WHERE position = 4"], "the hash of number 4 .* does not follow"),
    (ShownIsOnDisk, ["UPDATE journal SET body = x'00' WHERE position = 4"], "the hash of number 4 .* does not follow"),
    (
        ShownIsOnDisk,
        ["DELETE FROM journal WHERE position < 4", "UPDATE epochs SET acked = 2"],
        "lane-1: after number 0 of epoch .* comes number 4",
    ),
    (
        ShownIsOnDisk,
        ["INSERT INTO epochs (epoch, base, last, acked, incarnation) VALUES (x'01', 50, 3, 0, x'')"],
        "epoch 01 has 3 facts and ends with 0",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("make", "statements", "words"), AT_A_UNIT)
def test_what_is_wrong_on_the_disk_of_a_unit_is_found(
    make: Make, statements: list[str], words: str, story: Story, rest: AtRest
) -> None:
    change(lane_1(rest), *statements)
    broken(make, story.seen, rest, words)


# --- what was seen, and what was not ------------------------------------------------------------------------------


def test_a_green_whose_fact_is_not_in_the_journal_is_lost_from_the_disk(story: Story, rest: AtRest) -> None:
    """The chain is whole: the journal simply never had it."""
    shown = next(seen for seen in story.seen if isinstance(seen, Green))
    never = shown._replace(serial=shown.serial ^ 1)
    broken(ShownIsOnDisk, [*story.seen, never], rest, "lane-1 has lost the yes to serial")
    points = PointsSeen(shown.at_ms, "lane-1", "ginza", shown.boot, shown.mono_ms, 1, 77, 5, True)
    broken(ShownIsOnDisk, [*story.seen, points], rest, "lane-1 has lost 5 points of holder 4d")


def test_a_store_that_cannot_be_read_is_a_loss(story: Story, rest: AtRest) -> None:
    lane_1(rest).write_bytes(b"no database" * 1_000)
    lane_1(rest).with_name("store.db-wal").unlink(missing_ok=True)
    broken(ShownIsOnDisk, story.seen, rest, "the store of lane-1 can't be read")


def test_one_yes_too_few_seen_is_a_use_that_nobody_was_shown(story: Story, rest: AtRest) -> None:
    hidden = greens(story, 4)[0]
    seen = [one for one in story.seen if one is not hidden]
    broken(ExactlyOnce, seen, rest, f"booked serial {hidden.serial:x} .* 1 times; it was shown 0 times")
    for excuse in (Down, Blank, DiskFull):
        extra = (True,) if excuse is Down else ()
        told(ExactlyOnce(), [*seen, excuse(hidden.at_ms, "lane-1", hidden.boot, hidden.mono_ms, *extra)], rest)


def test_a_yes_again_without_a_decision_is_found(story: Story, rest: AtRest) -> None:
    again = greens(story, 4)[0]._replace(serial=5, again=True)
    broken(ExactlyOnce, [*story.seen, again], rest, "said again at .* and no decision of it is booked")


def test_points_that_are_not_booked_are_found_by_both(story: Story, rest: AtRest) -> None:
    spent = next(seen for seen in story.seen if isinstance(seen, PointsSeen))._replace(mono_ms=3, points=9)
    broken(ExactlyOnce, [*story.seen, spent], rest, "lane-1 showed 9 points spent by holder 4d")
    broken(PointsAddUp, [*story.seen, spent], rest, "holder 4d saw 49 points spent in programme 1, and 40 are booked")


def test_the_same_fact_that_counts_twice_is_found(story: Story, rest: AtRest) -> None:
    """Under two epochs of one unit, as after a fork."""
    with closing(sqlite3.connect(rest.centre)) as sql:
        epoch, seq = sql.execute(
            "SELECT r.epoch_id, r.seq FROM redemptions r JOIN devices d ON d.id = r.device_id"
            " WHERE d.name = 'lane-2' ORDER BY r.id LIMIT 1"
        ).fetchone()
        later, upto, before = sql.execute(
            "SELECT e.id, e.upto, e.upto_hash FROM epochs e JOIN devices d ON d.id = e.device_id"
            " WHERE d.name = 'lane-2' ORDER BY e.id DESC LIMIT 1"
        ).fetchone()
        (body,) = sql.execute("SELECT body FROM facts WHERE epoch_id = ? AND seq = ?", (epoch, seq)).fetchone()
    assert later != epoch, "its disk was old, and forked"
    digest = sha256(before + body).digest().hex()
    was = f"WHERE epoch_id = {epoch} AND seq = {seq}"
    change(
        rest.centre,
        f"INSERT INTO facts SELECT {later}, {upto + 1}, x'{digest}', type, body, booked_ms FROM facts {was}",
        "INSERT INTO redemptions (epoch_id, seq, device_id, campaign, serial, holder, site, at_ms, booked_ms,"
        f" discount_yen, state, flags) SELECT {later}, {upto + 1}, device_id, campaign, serial, holder, site, at_ms,"
        f" booked_ms, discount_yen, state, flags FROM redemptions {was}",
        f"UPDATE epochs SET upto = upto + 1, upto_hash = x'{digest}' WHERE id = {later}",
    )
    broken(ExactlyOnce, story.seen, rest, "of lane-2 are the same fact, .* and both count")


def test_a_booked_use_beyond_the_cap_that_no_exposure_covers_is_found(story: Story, rest: AtRest) -> None:
    seen: list[Seen] = [one for one in story.seen if not isinstance(one, Green)]
    for number, one in enumerate(seen):
        if isinstance(one, Issued) and one.campaign.id == 3:
            seen[number] = one._replace(campaign=msgspec.structs.replace(one.campaign, cap=2))
        elif isinstance(one, Issued) and one.campaign.id == 6:
            seen[number] = one._replace(campaign=msgspec.structs.replace(one.campaign, budget_yen=200))
    broken(CapHoldsInSum, seen, rest, "3 uses of campaign 3 are booked, its cap is 2, and its exposure only 0")
    change(rest.centre, "UPDATE pots SET exposure_count = 1 WHERE kind = 'c' AND id = 3")
    broken(CapHoldsInSum, seen, rest, "300 yen of campaign 6 are booked, its budget is 200, and its exposure only 0")


def test_a_signed_campaign_past_its_limit_must_have_turned(story: Story, rest: AtRest) -> None:
    past = Issued(0, msgspec.structs.replace(SIGNED, exposure_limit=0))
    with closing(sqlite3.connect(rest.centre)) as sql:
        sql.execute("UPDATE campaigns SET body = ? WHERE id = 4", (msgspec.msgpack.encode(past.campaign),))
        sql.commit()
    broken(OneUsePerSerial, story.seen, rest, "campaign 4 is 'signed' with 1 uses of exposure, past its limit of 0")
