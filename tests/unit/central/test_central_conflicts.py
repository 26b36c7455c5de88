"""Who pays: every conflict says its rule, its party and its amount, and what waits is ended by a person."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from central import exposure, homes, notices, registry
from central.coupons import disputes, download, issue
from central.coupons.disputes import Ending
from central.coupons.download import Given
from central.coupons.issue import IssueError
from central.db import bulk
from loyalty.campaign import Campaign, ConflictRule, Kind, Policy
from tests.unit.central.central_kit import NOW_MS, Centre, Lane, campaign
from wire.facts import HomeLeft
from wire.messages import Feed, PullFeed, PutCampaign, decode

DAY_MS = 86_400_000
HELD = 0xABCDEF


@pytest.fixture
def other() -> Lane:
    return Lane("lane-2", "shinjuku")


def house(tmp_path: Path, lanes: list[Lane], *campaigns: Campaign) -> Centre:
    centre = Centre(tmp_path / "house", *campaigns)
    centre.enrol(*lanes)
    return centre


def twice(centre: Centre, lane: Lane, other: Lane, serial: int = 7, holder: int = HELD) -> None:
    """One serial at two shops: ginza first, shinjuku second."""
    for one in (lane, other):
        first = len(one) + 1
        one.redeem(serial, holder=holder)
        centre.book(one, first)


PARTIES = {
    ConflictRule.OPERATOR: ("", "", "waits"),
    ConflictRule.ISSUER: ("issuer", "S楽器", "settled"),
    ConflictRule.SHOP: ("shop", "shinjuku", "settled"),
    ConflictRule.CLAIM: ("holder", "000000abcdef", "waits"),
}


@pytest.mark.parametrize("rule", ConflictRule)
def test_K6_a_second_use_is_charged_by_the_rule_of_its_campaign(
    tmp_path: Path, lane: Lane, other: Lane, rule: ConflictRule
) -> None:
    centre = house(tmp_path, [lane, other], campaign(conflict=rule))
    twice(centre, lane, other)
    with centre.office.database.read() as connection:
        (one,) = disputes.listed(connection, waiting=False)
    assert (one.kind, one.rule, one.amount_yen) == ("double", rule, 100)
    assert (one.charges, one.charged, one.state) == PARTIES[rule]
    assert (one.resolved_ms is None) == (one.state == "waits")
    assert centre.query("SELECT site, state FROM redemptions ORDER BY id") == [
        ("ginza", "cleared"), ("shinjuku", "double"),
    ], "whoever pays, both are booked"  # fmt: skip
    first, second = (int(str(row[0])) for row in centre.query("SELECT id FROM epochs ORDER BY id"))
    assert (one.first, one.second) == ((first, 1), (second, 1))
    centre.close()


def test_K6_a_claim_against_nobody_waits_for_a_person(tmp_path: Path, lane: Lane, other: Lane) -> None:
    centre = house(tmp_path, [lane, other], campaign(conflict=ConflictRule.CLAIM))
    twice(centre, lane, other, holder=0)
    assert centre.query("SELECT charges, charged, state FROM conflicts") == [("", "", "waits")]
    centre.close()


def test_K6_the_amount_at_stake_is_the_discount_or_what_a_use_costs(tmp_path: Path, lane: Lane) -> None:
    gift = {"kind": Kind.GIFT, "amount_yen": 0, "gift": "傘"}
    terms = (campaign(1), campaign(2, **gift, value_yen=480), campaign(3, **gift))
    centre = house(tmp_path, [lane], *terms)
    for number in (1, 2, 3):
        for _ in range(2):
            lane.redeem(5, campaign=number, discount_yen=0)
    lane.redeem(5, discount_yen=30)  # a basket of 30 yen: no more was at stake
    centre.book(lane)
    assert centre.query("SELECT campaign, amount_yen FROM conflicts ORDER BY id") == [
        (1, 100),
        (2, 480),
        (3, 0),
        (1, 30),
    ]
    centre.close()


def test_K6_whatever_is_odd_and_costs_money_is_one_conflict_of_the_gravest_kind(tmp_path: Path, lane: Lane) -> None:
    centre = house(
        tmp_path,
        [lane],
        campaign(1, ends_ms=NOW_MS - DAY_MS),
        campaign(2, per_person=1),
        campaign(3, policy=Policy.ONLINE, cap=1),
        campaign(4, ends_ms=NOW_MS - 3 * DAY_MS),
    )
    lane.redeem(1)  # a day after the end: outside its dates, and booked late
    lane.redeem(2, campaign=2, holder=9)
    lane.redeem(3, campaign=2, holder=9)
    lane.redeem(4, campaign=3)
    lane.redeem(5, campaign=3)  # over the cap as well as never granted
    lane.redeem(6, campaign=77)
    lane.redeem(7, campaign=4, at_ms=NOW_MS - 4 * DAY_MS)
    question = b"q" * 16
    lane.cancel(question, campaign=3)
    centre.book(lane)
    lane.redeem(8, campaign=3, question=question)
    centre.book(lane, len(lane))
    assert centre.query("SELECT serial, kind, first_seq FROM conflicts ORDER BY id") == [
        (1, "late", 0), (3, "over_person_limit", 0), (4, "not_granted", 0), (5, "not_granted", 0),
        (6, "unknown_campaign", 0), (7, "late", 0), (8, "cancelled", 0),
    ]  # fmt: skip
    centre.close()


def test_K6_a_use_that_was_withdrawn_too_late_puts_its_own_amount_at_stake(tmp_path: Path, lane: Lane) -> None:
    centre = house(tmp_path, [lane], campaign(1, policy=Policy.ONLINE, conflict=ConflictRule.SHOP))
    question = b"q" * 16
    with centre.office.database.write() as connection:
        bulk.run(connection, "INSERT INTO questions VALUES (?, 1, 1, 5, 0, 'granted', 'ok', 0, '', 0, 0)", (question,))
    lane.redeem(5, question=question, discount_yen=70)
    lane.cancel(question, serial=5)
    centre.book(lane)
    assert centre.query("SELECT kind, charges, charged, amount_yen, first_seq, second_seq FROM conflicts") == [
        ("cancelled", "shop", "ginza", 70, 1, 2)
    ]
    centre.close()


def test_K6_a_batch_told_again_makes_no_second_conflict(tmp_path: Path, lane: Lane, other: Lane) -> None:
    centre = house(tmp_path, [lane, other], campaign(conflict=ConflictRule.SHOP))
    twice(centre, lane, other)
    centre.book(other)
    centre.book(other.under_a_new_epoch(0, "salvaged"))
    assert centre.one("SELECT count(*) FROM conflicts") == 1
    assert centre.one("SELECT sum(amount_yen) FROM conflicts") == 100
    centre.close()


# --- what a person does ---------------------------------------------------------------------------------


def end(centre: Centre, how: Ending, number: int = 1) -> str:
    with centre.office.database.write() as connection:
        return disputes.end(connection, number, how, "a test", NOW_MS + 5)


def state(centre: Centre) -> tuple[object, ...]:
    return centre.query("SELECT state, charges, charged, resolved_ms FROM conflicts ORDER BY id")[0]


def test_K6_a_claim_is_paid_or_given_up_to_the_issuers_charge(tmp_path: Path, lane: Lane, other: Lane) -> None:
    centre = house(tmp_path, [lane, other], campaign(conflict=ConflictRule.CLAIM))
    twice(centre, lane, other, serial=1)
    twice(centre, lane, other, serial=2)
    assert end(centre, Ending.PAID) == ""
    assert state(centre) == ("paid", "holder", "000000abcdef", NOW_MS + 5)
    assert "does not wait" in end(centre, Ending.GIVEN_UP)
    assert end(centre, Ending.GIVEN_UP, 2) == ""
    assert centre.query("SELECT state, charges, charged FROM conflicts WHERE id = 2") == [
        ("given_up", "issuer", "S楽器")
    ]
    centre.close()


@pytest.mark.parametrize(
    ("how", "after"),
    [
        (Ending.SETTLED, ("settled", "", "", NOW_MS + 5)),
        (Ending.ISSUER, ("settled", "issuer", "S楽器", NOW_MS + 5)),
        (Ending.SHOP, ("settled", "shop", "shinjuku", NOW_MS + 5)),
        (Ending.HOLDER, ("waits", "holder", "000000abcdef", None)),
    ],
)
def test_K6_what_waits_for_the_operator_is_charged_to_whom_they_say(
    tmp_path: Path, lane: Lane, other: Lane, how: Ending, after: tuple[object, ...]
) -> None:
    centre = house(tmp_path, [lane, other])
    twice(centre, lane, other)
    assert "claims nothing" in end(centre, Ending.PAID)
    assert end(centre, how) == ""
    assert state(centre) == after
    assert "there is no conflict" in end(centre, how, 9)
    centre.close()


def test_K6_nobody_is_charged_who_is_not_known(tmp_path: Path, lane: Lane) -> None:
    centre = house(tmp_path, [lane])
    lane.redeem(6, campaign=77)
    centre.book(lane)
    assert "nobody is known" in end(centre, Ending.ISSUER)
    assert "names no holder" in end(centre, Ending.HOLDER)
    assert state(centre)[0] == "waits"
    centre.close()


# --- exposure -------------------------------------------------------------------------------------------


def fed(centre: Centre, site: str) -> list[Campaign]:
    """Every version of a campaign that the caches of a site were told."""
    lane = Lane("lane-1", site)
    pull = centre.desk._on_pull(lane.address, PullFeed(centre.incarnation, 0), NOW_MS)
    found: list[Campaign] = []
    for message in pull:
        body = decode(centre.opened(message), Feed)
        found += [change.campaign for change in body.changes if isinstance(change, PutCampaign)]
    return found


def test_K6_past_its_exposure_a_signed_campaign_turns_online_everywhere_and_the_operator_is_told_once(
    tmp_path: Path, lane: Lane, other: Lane, caplog: pytest.LogCaptureFixture
) -> None:
    centre = house(tmp_path, [lane, other], campaign(exposure_limit=2))
    for serial in (1, 2):
        twice(centre, lane, other, serial)
    assert fed(centre, "ginza") == [], "at the limit, not past it"
    with caplog.at_level(logging.WARNING):
        twice(centre, lane, other, 3)
    for site in ("ginza", "shinjuku"):
        newest = fed(centre, site)[-1]
        assert (newest.policy, newest.revision, newest.exposure_limit) == (Policy.ONLINE, 2, None)
    assert "3 uses too many (300 yen)" in caplog.text
    for serial in (4, 5):  # units that are dark go on as they knew it
        twice(centre, lane, other, serial)
    with centre.office.database.read() as connection:
        assert exposure.of(connection, 1) == (5, 500)
        (told,) = notices.listed(connection)
    assert (told.kind, told.campaign, told.at_ms) == ("exposure", 1, NOW_MS)
    assert "3件" in told.ja
    centre.close()


def test_K6_yen_are_a_limit_too_and_one_batch_can_break_it(tmp_path: Path, lane: Lane) -> None:
    centre = house(tmp_path, [lane], campaign(exposure_limit_yen=150))
    for _ in range(4):
        lane.redeem(1)
    centre.book(lane)
    with centre.office.database.read() as connection:
        issued = issue.get(connection, 1)
        assert exposure.of(connection, 1) == (3, 300)
    assert issued is not None
    assert issued.campaign.policy is Policy.ONLINE
    assert centre.one("SELECT count(*) FROM notices") == 1
    centre.close()


def test_K1_a_use_above_a_persons_limit_is_exposure_as_well(tmp_path: Path, lane: Lane) -> None:
    centre = house(tmp_path, [lane], campaign(per_person=1, exposure_limit=0))
    lane.redeem(1, holder=5)
    lane.redeem(2, holder=5)
    centre.book(lane)
    assert centre.one("SELECT exposed FROM campaigns") == 1
    assert centre.one("SELECT count(*) FROM notices") == 1
    centre.close()


def test_K6_what_the_centre_itself_allowed_is_nobodys_exposure(tmp_path: Path, lane: Lane) -> None:
    centre = house(tmp_path, [lane], campaign(policy=Policy.ONLINE))
    for _ in range(2):
        lane.redeem(1, policy="online")
    centre.book(lane)
    assert centre.one("SELECT exposed FROM campaigns") == 0
    assert centre.one("SELECT count(*) FROM conflicts") == 2
    centre.close()


def test_K6_a_person_turns_it_back_with_a_higher_limit_and_it_can_turn_again(
    tmp_path: Path, lane: Lane, other: Lane
) -> None:
    centre = house(tmp_path, [lane, other], campaign(exposure_limit=0))
    twice(centre, lane, other, 1)
    with pytest.raises(IssueError, match="1 uses are charged already"), centre.office.database.write() as connection:
        exposure.raise_limits(connection, 1, 0, None)
    with centre.office.database.write() as connection:
        back = exposure.raise_limits(connection, 1, 1, None)
    assert (back.policy, back.exposure_limit, back.revision) == (Policy.SIGNED, 1, 3)
    twice(centre, lane, other, 2)
    assert fed(centre, "ginza")[-1].policy is Policy.ONLINE
    assert centre.one("SELECT count(*) FROM notices") == 2
    centre.close()


def test_K6_a_campaign_that_never_was_signed_has_no_exposure_to_raise(tmp_path: Path, lane: Lane) -> None:
    centre = house(tmp_path, [lane], campaign(policy=Policy.ONLINE))
    with pytest.raises(IssueError, match="never was 'signed'"), centre.office.database.write() as connection:
        exposure.raise_limits(connection, 1, 5, None)
    centre.close()


def test_notices_are_shown_until_somebody_has_seen_them(centre: Centre) -> None:
    with centre.office.database.write() as connection:
        for kind in ("one", "two"):
            notices.tell(connection, kind, 1, {"ja": "知らせ", "en": "news"}, NOW_MS)
        assert [one.kind for one in notices.listed(connection)] == ["two", "one"]
        assert notices.mark_seen(connection, [1, 99], NOW_MS + 1) == 1
        assert notices.mark_seen(connection, [1], NOW_MS + 2) == 0
        assert [one.kind for one in notices.listed(connection)] == ["two"]
        assert [(one.kind, one.seen_ms) for one in notices.listed(connection, seen=True)] == [("one", NOW_MS + 1)]


@pytest.mark.parametrize("rule", ConflictRule)
def test_K6_a_home_s_word_that_comes_after_the_use_it_allowed_takes_the_conflict_back(
    tmp_path: Path, lane: Lane, rule: ConflictRule
) -> None:
    asker, question = Lane("lane-2"), b"q" * 16
    centre = house(tmp_path, [lane, asker], campaign(policy=Policy.HOME, conflict=rule, starts_ms=NOW_MS - 1_000))
    with centre.office.database.write() as connection:
        keeper = registry.find(connection, lane.name)
        assert keeper is not None
        homes.reported(connection, keeper, lane.epoch)
        first, second = (
            download.download(connection, centre.office.keys, 1, None, proven=True, now_ms=NOW_MS, home=lane.site)
            for _ in range(2)
        )
    assert isinstance(first, Given)
    assert isinstance(second, Given)
    asker.redeem(first.coupon.serial, question=question, policy="home")
    centre.book(asker)
    (before,) = conflicts_of(centre)
    assert before.kind == "not_granted", "nobody is known to have let it go"
    lane.journal(HomeLeft(lane.stamp(), question, 1, first.coupon.serial, asker.name))
    centre.book(lane)
    (after,) = conflicts_of(centre)
    assert (after.state, after.resolved_ms) == ("withdrawn", NOW_MS)
    assert centre.query("SELECT state, flags FROM redemptions") == [("cleared", 0)]

    asker.redeem(second.coupon.serial, question=b"r" * 16, policy="home", at_ms=NOW_MS - DAY_MS)  # too early anyhow
    centre.book(asker, 2)
    lane.journal(HomeLeft(lane.stamp(), b"r" * 16, 1, second.coupon.serial, asker.name))
    centre.book(lane, 2)
    assert [(one.kind, one.state == "withdrawn") for one in conflicts_of(centre)] == [
        ("outside_dates", False), ("not_granted", True),
    ]  # fmt: skip


def conflicts_of(centre: Centre) -> list[disputes.Conflict]:
    """All of them, newest first."""
    with centre.office.database.read() as connection:
        return disputes.listed(connection, waiting=False)
