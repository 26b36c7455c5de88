"""Each checker finds what it is for: the same story with one thing wrong in it, on the disks or in what was seen.

The story is a real life (`watched_world.Story`) with which every checker is content. Each test takes copies of its
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
from simulator.world.checks.auditor import Auditor
from simulator.world.checks.bounded import Bounded
from simulator.world.checks.caches_converge import CachesConverge
from simulator.world.checks.cap_holds_in_sum import CapHoldsInSum
from simulator.world.checks.exactly_once import ExactlyOnce
from simulator.world.checks.limits_add_up import LimitsAddUp
from simulator.world.checks.no_internal_error import NoInternalError
from simulator.world.checks.nothing_waits import NothingWaits
from simulator.world.checks.one_use_per_serial import OneUsePerSerial
from simulator.world.checks.points import PointsAddUp
from simulator.world.checks.shown_is_on_disk import ShownIsOnDisk
from simulator.world.observe import AtRest, Checker, Downloaded, Green, Issued, PointsSeen, Seen, Violation
from tests.world.watched_world import SIGNED, Story, change, told

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
    assert len({checker.name for checker in checkers}) == len(checkers) == 13
    for checker in checkers:
        told(checker, story.seen, rest)


def greens(story: Story, campaign: int) -> list[Green]:
    return [seen for seen in story.seen if isinstance(seen, Green) and seen.campaign == campaign]


# --- spoilt disks -------------------------------------------------------------------------------------------------

AT_THE_CENTRE = [
    # exactly-once
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
    (ExactlyOnce, ["UPDATE epochs SET upto = upto + 1 WHERE id = 1"], "says it has 16 facts of epoch .* and has 15"),
    (ExactlyOnce, ["UPDATE epochs SET upto_hash = x'00' WHERE id = 1"], "and has 15 with another hash"),
    (ExactlyOnce, ["UPDATE facts SET hash = x'00' WHERE epoch_id = 1 AND seq = 3"], "hash of number 3 .* not follow"),
    (
        ExactlyOnce,
        ["DELETE FROM redemptions WHERE epoch_id = 1 AND seq = 2", "DELETE FROM facts WHERE epoch_id = 1 AND seq = 2"],
        "lacks number 2 of epoch .* of lane-1, and has 3",
    ),
    # one-use-per-serial
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
    # the auditor
    (Auditor, ["UPDATE campaigns SET redeemed = redeemed + 1 WHERE id = 4"], r"campaign 4 counts \d+ uses, the facts"),
    (Auditor, ["UPDATE campaigns SET redeemed = redeemed - 1 WHERE id = 5"], "campaign 5 counts 2 uses, the facts 3"),
    (
        Auditor,
        ["UPDATE campaigns SET given_out = given_out + 1 WHERE id = 2"],
        "campaign 2 says that 2 coupons were given out, its table has 1",
    ),
    (Auditor, ["UPDATE campaigns SET stock_left = -1 WHERE id = 2"], "campaign 2 has -1 left"),
    (
        Auditor,
        ["UPDATE coupons SET serial = serial + 1 WHERE campaign = 2"],
        "of campaign 2 was given to holder 0 at .* knows nothing of that",
    ),
    (
        Auditor,
        [
            "INSERT INTO coupons (campaign, serial, downloaded_ms, text) VALUES (2, 99, 0, '')",
            "UPDATE campaigns SET given_out = given_out + 1 WHERE id = 2",
        ],
        "has 1 coupons that nobody was given, the first with serial 63 of campaign 2",
    ),
    # limits
    (
        LimitsAddUp,
        ["UPDATE pots SET spent_count = spent_count + 1 WHERE kind = 'c' AND id = 3"],
        "the limit of campaign 3: spent is 4 in its row, and 3 recomputed",
    ),
    (
        LimitsAddUp,
        ["UPDATE pots SET out_count = out_count - 1 WHERE kind = 'c' AND id = 3"],
        "the limit of campaign 3: out is 10 in its row, and 11 recomputed",
    ),
    (
        LimitsAddUp,
        ["UPDATE pots SET out_yen = -1 WHERE kind = 'c' AND id = 6"],
        r"the limit of campaign 6: out is 0 \(-1 yen\)",
    ),
    (
        LimitsAddUp,
        ["UPDATE pots SET transit_count = 1 WHERE kind = 'c' AND id = 3"],
        "the limit of campaign 3: transit is 1 in its row, and 0 recomputed",
    ),
    (
        LimitsAddUp,
        ["UPDATE pots SET exposure_count = 1 WHERE kind = 'c' AND id = 3"],
        "the limit of campaign 3: the exposure is 1, and what was spent beyond parts",
    ),
    (
        LimitsAddUp,
        [
            "UPDATE parts SET granted_count = granted_count + 5 WHERE kind = 'c' AND id = 3 AND device_id = 3",
            "UPDATE pots SET out_count = out_count + 5 WHERE kind = 'c' AND id = 3",
        ],
        "spent, out, under way and held make 19 of 14 and an exposure of 0",
    ),
    (
        LimitsAddUp,
        [
            "UPDATE parts SET spent_count = spent_count - 1 WHERE kind = 'c' AND id = 3 AND device_id = 3",
            "UPDATE pots SET out_count = out_count + 1 WHERE kind = 'c' AND id = 3",
        ],
        "the part of lane-3 in epoch .* has 0 spent, its facts say 1",
    ),
    (
        LimitsAddUp,
        [
            "DELETE FROM parts WHERE kind = 'c' AND id = 3 AND device_id = 3",
            "UPDATE pots SET out_count = out_count - 3 WHERE kind = 'c' AND id = 3",
        ],
        "lane-3 spent 1 in epoch .* of a part that is nowhere",
    ),
    (
        LimitsAddUp,
        ["UPDATE pots SET spent_count = 39 WHERE kind = 'p' AND holder = 77", "UPDATE parts SET spent_count = 41"
         " WHERE kind = 'p' AND holder = 77"],
        "the floor of holder 4d in programme 1: the exposure is 0, and .* makes 1",
    ),
    # points
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
    # what waits
    (
        NothingWaits,
        ["UPDATE meta SET value = x'00' WHERE key = 'incarnation'"],
        "lane-1 has spoken of epoch .* with the incarnation .*, not with the present one 00",
    ),
    (
        NothingWaits,
        ["INSERT INTO questions (question, device_id, campaign, serial, holder, state, reason, at_ms, site, asked_ms)"
         " VALUES (x'01', 1, 1, 7, 0, 'granted', 'ok', 0, '', 0)"],
        "a question of lane-1 holds serial 7 of campaign 1, and neither its yes nor its withdrawal is booked",
    ),
    (NothingWaits, ["UPDATE devices SET awaits = 1 WHERE name = 'lane-1'"], "still waits for the facts of lane-1"),
    (NothingWaits, ["UPDATE devices SET owes_parts = 1 WHERE name = 'lane-1'"], "still waits for the parts of lane-1"),
    (
        NothingWaits,
        ["INSERT INTO hints (fact, device_id, campaign, serial, holder, site, at_ms, told_ms)"
         " VALUES (x'01', 1, 1, 7, 0, 'ginza', 5, 5)"],
        "1 hints are older than hints live, the oldest of 5",
    ),
    (
        NothingWaits,
        ["INSERT INTO dead_letters (device, topic, reason, payload, payload_bytes, digest, times, received_ms)"
         " VALUES ('lane-1', 't', 'not a batch', x'', 0, x'', 1, 0)"],
        "a letter of lane-1 on t is dead: not a batch",
    ),
    (
        NothingWaits,
        ["UPDATE epochs SET epoch = x'01' WHERE id = 1"],
        "lane-1 believes that number 15 of epoch .* is booked, and it is not",
    ),
    (
        NothingWaits,
        ["UPDATE facts SET hash = x'00' WHERE epoch_id = 1 AND seq = 15"],
        "at number 15 of epoch .* lane-1 and the centre have different histories",
    ),
    # caches
    (CachesConverge, ["UPDATE feeds SET head = head + 1 WHERE site_id = 1"], "the cache of lane-1 stands at"),
    (
        CachesConverge,
        ["UPDATE meta SET value = x'00' WHERE key = 'incarnation'"],
        r"the cache of lane-1 stands at .*, the log of ginza at \d+ \(00\)",
    ),
    (CachesConverge, ["UPDATE coupon_keys SET retired_ms = 5"], "keys in the cache of lane-1: 1 that"),
    (
        CachesConverge,
        ["UPDATE redemptions SET serial = 77 WHERE id = 4"],
        "uses in the cache of lane-1: 1 that .* 1 missing",
    ),
    (
        CachesConverge,
        ["INSERT INTO revocations (campaign, serial, holder, revoked_ms, note) VALUES (0, 0, 77, 5, '')"],
        "stop list in the cache of lane-1: 0 that .* 1 missing",
    ),
    (
        CachesConverge,
        ["INSERT INTO cards (uid, person_id, bound_ms) VALUES (x'01020304', 1, 5)"],
        "cards in the cache of lane-1: 0 that .* 1 missing",
    ),
    (CachesConverge, ["UPDATE homes SET term = term + 1 WHERE site_id = 1"], "homes in the cache of lane-1: 1 that"),
    (
        CachesConverge,
        ["UPDATE devices SET state = 'blocked' WHERE name = 'lane-2'"],
        "lanes in the cache of lane-1: 1 that",
    ),
    (
        CachesConverge,
        ["UPDATE coupons SET home = 2, moves = 1 WHERE campaign = 2"],
        "serials that moved in the cache of lane-1: 0 that .* 1 missing",
    ),
    # bounds
    (
        Bounded,
        ["WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2002) INSERT INTO dead_letters"
         " (device, topic, reason, payload, payload_bytes, digest, times, received_ms)"
         " SELECT 'x', 't', '', x'', 0, x'', 1, 0 FROM n"],
        r"the centre holds 2002 \(dead letters of whole messages\); at most 2001",
    ),
    (
        Bounded,
        ["UPDATE change_log SET count = 200000 WHERE site_id = 1"],
        r"\(changes in the log of one site\); at most 101000",
    ),
    # reasons
    (
        NoInternalError,
        ["INSERT INTO dead_letters (device, topic, reason, payload, payload_bytes, digest, times, received_ms)"
         " VALUES ('x', 't', 'a fault of the centre: KeyError', x'', 0, x'', 1, 0)"],
        "dead_letters.reason of the centre says 'a fault of the centre: KeyError'",
    ),
    (
        NoInternalError,
        ["UPDATE questions SET reason = 'internal error'"],
        "questions.reason of the centre says 'internal error'",
    ),
    (NoInternalError, ["UPDATE conflicts SET note = 'ValueError'"], "conflicts.note of the centre says 'ValueError'"),
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
    (NothingWaits, ["UPDATE epochs SET acked = acked - 2"], "2 facts of epoch .* of lane-1 still wait"),
    (NothingWaits, ["UPDATE epochs SET incarnation = x'01'"], "lane-1 has spoken of epoch .* with the incarnation 01"),
    (NothingWaits, ["INSERT INTO questions VALUES (x'01', 1, 7)"], "1 questions of lane-1 are still open"),
    (
        NothingWaits,
        ["INSERT INTO transfers VALUES (x'01', 1, 'lane-3', 'c', 3, 0, 2, 0, 5, 0)"],
        r"2 uses \(0 yen\) of c3 are under way from lane-1 to lane-3",
    ),
    (CachesConverge, ["UPDATE meta SET value = 3 WHERE key = 'feed_number'"], "the cache of lane-1 stands at 3 "),
    (CachesConverge, ["DELETE FROM meta WHERE key = 'secret'"], "lane-1 has no secret"),
    (CachesConverge, ["UPDATE meta SET value = x'77' WHERE key = 'secret'"], "lane-2 has another secret|uses in"),
    (CachesConverge, ["DELETE FROM campaigns WHERE id = 4"], "campaign 4 in the cache of lane-1 is missing"),
    (
        CachesConverge,
        ["UPDATE campaigns SET body = (SELECT body FROM campaigns WHERE id = 3) WHERE id = 5"],
        "campaign 5 in the cache of lane-1 is revision 1 .*, at the centre revision 2 .*stopped",
    ),
    (
        CachesConverge,
        ["INSERT INTO campaigns (id, found_by, body) SELECT 99, '', body FROM campaigns WHERE id = 3"],
        r"campaigns in the cache of lane-1: 1 that the centre does not have \['99'\]",
    ),
    (CachesConverge, ["DELETE FROM keys"], "keys in the cache of lane-1: 0 that"),
    (CachesConverge, ["DELETE FROM seen_{n}"], r"uses in the cache of lane-1: 0 that .*, \d+ missing"),
    (
        CachesConverge,
        ["UPDATE seen_{n} SET provisional = 1 WHERE key = (SELECT min(key) FROM seen_{n})"],
        "uses in the cache of lane-1: 0 that .*, 1 missing",
    ),
    (
        CachesConverge,
        ["INSERT INTO seen_{n} VALUES (x'01', 4, x'', 5, 'ginza', x'01', 1)"],
        "hints in the cache of lane-1: 1 that",
    ),
    (CachesConverge, ["DELETE FROM lanes"], "lanes in the cache of lane-1: 0 that .* 2 missing"),
    (CachesConverge, ["INSERT INTO cards VALUES (x'01', 7)"], "cards in the cache of lane-1: 1 that"),
    (CachesConverge, ["UPDATE homes SET device = ''"], "homes in the cache of lane-1"),
    (
        LimitsAddUp,
        ["UPDATE parts SET granted_count = granted_count + 1 WHERE kind = 'c' AND id = 3"],
        "the limit of campaign 3: lane-1 holds 10 granted, -2 moved and 2 spent; the centre believes 9, -2 and 2",
    ),
    (
        LimitsAddUp,
        ["UPDATE parts SET spent_count = 0 WHERE kind = 'p' AND holder = 77"],
        "the floor of holder 4d in programme 1: lane-1 holds 40 granted, 0 moved and 0 spent",
    ),
    (
        LimitsAddUp,
        ["INSERT INTO parts VALUES ('c', 9, 0, 5, 0, 0, 0, 0, 0, NULL)"],
        "lane-1 holds a part of the limit of campaign 9 that the centre knows nothing of",
    ),
    (
        Bounded,
        ["WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 11001) INSERT INTO phones SELECT"
         " CAST(i AS BLOB), i FROM n"],
        r"lane-1 holds 11001 \(time steps of phones\); at most 11000 by store.PHONES_HELD_MAX",
    ),
    (
        Bounded,
        ["UPDATE meta SET value = zeroblob(144) WHERE key = 'retired'", ],
        r"lane-1 holds 9 \(gone incarnations\); at most 8",
    ),
    (Bounded, ["INSERT INTO questions VALUES (x'01', 1, 7)"], r"lane-1 holds 1 \(open questions\); at most 0"),
    (Bounded, ["INSERT INTO staged (body) VALUES (x'01')"], r"lane-1 holds 1 \(staged changes\); at most 0"),
]  # fmt: skip


@pytest.mark.parametrize(("make", "statements", "words"), AT_A_UNIT)
def test_what_is_wrong_on_the_disk_of_a_unit_is_found(
    make: Make, statements: list[str], words: str, story: Story, rest: AtRest
) -> None:
    if "retired" in statements[0]:
        statements = ["INSERT OR IGNORE INTO meta VALUES ('retired', x'')", *statements]
    with closing(sqlite3.connect(lane_1(rest))) as sql:
        (generation,) = sql.execute("SELECT value FROM meta WHERE key = 'generation'").fetchone()
    change(lane_1(rest), *(statement.replace("{n}", str(generation)) for statement in statements))
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


def test_a_yes_again_without_a_decision_is_found(story: Story, rest: AtRest) -> None:
    again = greens(story, 4)[0]._replace(serial=5, again=True)
    broken(ExactlyOnce, [*story.seen, again], rest, "said again at .* and no decision of it is booked")


def test_points_that_are_not_booked_are_found_by_both(story: Story, rest: AtRest) -> None:
    spent = next(seen for seen in story.seen if isinstance(seen, PointsSeen))._replace(mono_ms=3, points=9)
    broken(ExactlyOnce, [*story.seen, spent], rest, "lane-1 showed 9 points spent by holder 4d")
    broken(PointsAddUp, [*story.seen, spent], rest, "holder 4d saw 49 points spent in programme 1, and 40 are booked")


def test_the_same_fact_that_counts_twice_is_found(story: Story, rest: AtRest) -> None:
    """Under two epochs of one unit, as after a fork."""
    change(
        rest.centre,
        "INSERT INTO facts SELECT 4, 3, hash, type, body, booked_ms FROM facts WHERE epoch_id = 2 AND seq = 1",
        "INSERT INTO redemptions (epoch_id, seq, device_id, campaign, serial, holder, site, at_ms, booked_ms,"
        " discount_yen, state, flags) SELECT 4, 3, 2, campaign, serial, holder, site, at_ms, booked_ms, discount_yen,"
        " state, flags FROM redemptions WHERE epoch_id = 2 AND seq = 1",
    )
    with closing(sqlite3.connect(rest.centre)) as sql:
        (before,) = sql.execute("SELECT hash FROM facts WHERE epoch_id = 4 AND seq = 2").fetchone()
        (body,) = sql.execute("SELECT body FROM facts WHERE epoch_id = 4 AND seq = 3").fetchone()
        digest = sha256(before + body).digest()
        sql.execute("UPDATE facts SET hash = ? WHERE epoch_id = 4 AND seq = 3", (digest,))
        sql.execute("UPDATE epochs SET upto = 3, upto_hash = ? WHERE id = 4", (digest,))
        sql.commit()
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


def test_uses_beyond_what_one_person_may_have_must_be_flagged(story: Story, rest: AtRest) -> None:
    seen = [
        one._replace(campaign=msgspec.structs.replace(one.campaign, per_person=1))
        if isinstance(one, Issued) and one.campaign.id == 7
        else one
        for one in story.seen
        if not isinstance(one, Green)
    ]
    broken(Auditor, seen, rest, "has had 2 of campaign 7, which allows 1 to each, and 0 are flagged")


def test_a_serial_that_is_given_out_twice_is_found(story: Story) -> None:
    given = next(seen for seen in story.seen if isinstance(seen, Downloaded))
    broken(Auditor, [*story.seen, given], None, "was given out at .* and again at")
