"""The change log and the snapshots, read by the unit's own downlink machine."""

from __future__ import annotations

import io
import random

import pytest

from central import feed, hinting, registry, snapshot
from central.coupons import issue, keyring
from central.db.schema import DeviceState
from central.desk import Outgoing
from tests.servers import wait_until
from tests.unit.central.central_kit import NOW_MS, Centre, Lane, campaign
from wire import sealing
from wire.downlink import Apply, Downlink, FinishSnapshot, StageRows, StartSnapshot
from wire.messages import (
    Change,
    DropRedemption,
    FeedMessage,
    Hint,
    PullFeed,
    PutCampaign,
    PutKey,
    PutLane,
    PutRedemption,
    PutSecret,
    decode,
    encode,
)
from wire.topics import PACKET_BYTES_MAX, UP_HINT, UP_REQ


class Cache:
    """A unit's cache: what the downlink machine says to put in force."""

    def __init__(self, centre: Centre, lane: Lane) -> None:
        self.centre, self.lane = centre, lane
        self.machine = Downlink(b"", 0, random.Random(1).random)
        self.machine.connected(0)
        self.campaigns: dict[int, PutCampaign] = {}
        self.redeemed: dict[bytes, PutRedemption] = {}
        self.keys: dict[int, PutKey] = {}
        self.secret = b""
        self.lanes: list[PutLane] = []
        self.snapshots = 0
        self.staged: list[Change] = []

    def pull(self) -> None:
        pull = PullFeed(self.machine.incarnation, self.machine.number)
        answers = self.centre.desk.handle(self.lane.address.topic(UP_REQ), encode(pull), NOW_MS)
        if not answers:
            wait_until(lambda: all(f.done() for f in self.centre.desk.snapshots._making.values()), what="the snapshot")
            while self.centre.desk.snapshots.busy:
                answers += list(self.centre.desk.snapshot_parts(3))
        for message in answers:
            self.hear(message)

    def push(self) -> None:
        for message in self.centre.desk.pushes():
            if f"/{self.lane.site}/" in message.topic:
                self.hear(message)

    def hear(self, message: Outgoing) -> None:
        assert len(message.payload) < PACKET_BYTES_MAX
        for action in self.machine.on_message(decode(self.centre.opened(message), FeedMessage), 0):
            if isinstance(action, StartSnapshot):
                self.staged = []
            elif isinstance(action, StageRows):
                self.staged += action.changes
            elif isinstance(action, FinishSnapshot):
                self.campaigns, self.redeemed, self.keys = {}, {}, {}
                self.snapshots += 1
                self.apply(self.staged)
            elif isinstance(action, Apply):
                self.apply(action.changes)

    def apply(self, changes: list[Change]) -> None:
        for change in changes:
            if isinstance(change, PutCampaign):
                self.campaigns[change.campaign.id] = change
            elif isinstance(change, PutRedemption):
                self.redeemed[change.fact] = change
            elif isinstance(change, DropRedemption):
                self.redeemed.pop(change.fact, None)
            elif isinstance(change, PutKey):
                self.keys[change.id] = change
            elif isinstance(change, PutSecret):
                self.secret = change.secret
            elif isinstance(change, PutLane):
                self.lanes.append(change)

    @property
    def state(self) -> tuple[object, ...]:
        return self.campaigns, self.redeemed, self.keys


@pytest.fixture
def cache(centre: Centre, lane: Lane) -> Cache:
    cache = Cache(centre, lane)
    cache.pull()
    return cache


def test_a_new_cache_gets_everything_in_a_snapshot(centre: Centre, cache: Cache) -> None:
    assert cache.snapshots == 1
    assert set(cache.campaigns) == {1}
    assert set(cache.keys) == {1}
    assert cache.secret == centre.secret
    assert cache.machine.incarnation == centre.incarnation


def test_K2_a_new_coupon_reaches_the_cache_by_a_push(centre: Centre, cache: Cache) -> None:
    with centre.office.database.write() as connection:
        issue.issue(connection, campaign(2, name="二つ目"), NOW_MS)
    cache.push()
    assert cache.campaigns[2].campaign.name == "二つ目"
    assert cache.snapshots == 1


def test_K9_a_redemption_in_one_shop_is_known_in_another_by_its_hash_alone(
    centre: Centre, cache: Cache, lane: Lane
) -> None:
    other = Lane("lane-2", "shinjuku")
    centre.enrol(other)
    other.redeem(77, holder=5)
    centre.book(other)
    cache.push()
    (known,) = cache.redeemed.values()
    assert known.serial == sealing.serial_hash(centre.secret, 1, 77)
    assert known.holder == sealing.holder_hash(centre.secret, 5)
    assert (known.site, known.at_ms, known.provisional) == ("shinjuku", NOW_MS, False)
    assert known.fact == sealing.fact_id("lane-2", other.epoch, 1)


def test_K9_redemptions_are_told_where_the_coupon_counts_and_its_terms_everywhere(
    centre: Centre, cache: Cache, lane: Lane
) -> None:
    other = Lane("lane-2", "shinjuku")
    centre.enrol(other)
    with centre.office.database.write() as connection:
        issue.issue(connection, campaign(2, shops=("shinjuku",)), NOW_MS)
    other.redeem(5, campaign=2)
    centre.book(other)
    cache.push()
    assert set(cache.campaigns) == {1, 2}, "so that a unit can say 'not in this shop'"
    assert not cache.redeemed
    there = Cache(centre, other)
    there.pull()
    assert len(there.redeemed) == 1
    here = Cache(centre, lane)
    here.pull()
    assert (set(here.campaigns), here.redeemed) == ({1, 2}, {}), "the same by snapshot"


def test_K9_every_shop_that_a_coupon_counts_in_is_told_of_a_redemption(
    centre: Centre, cache: Cache, lane: Lane
) -> None:
    other = Lane("lane-2", "shinjuku")
    centre.enrol(other)
    with centre.office.database.write() as connection:
        issue.issue(connection, campaign(2, shops=("shinjuku", "ginza")), NOW_MS)
    other.redeem(5, campaign=2)
    centre.book(other)
    cache.push()
    assert [change.serial for change in cache.redeemed.values()] == [sealing.serial_hash(centre.secret, 2, 5)]


def test_K9_a_shop_that_a_coupon_begins_to_count_in_learns_what_was_redeemed_before(
    centre: Centre, cache: Cache, lane: Lane
) -> None:
    other = Lane("lane-2", "shinjuku")
    centre.enrol(other)
    with centre.office.database.write() as connection:
        issue.issue(connection, campaign(2, shops=("shinjuku",)), NOW_MS)
    other.redeem(5, campaign=2)
    centre.book(other)
    cache.push()
    snapshots = cache.snapshots
    with centre.office.database.write() as connection:
        issue.change(connection, campaign(2, shops=("shinjuku", "ginza")))
    cache.push()
    cache.pull()
    assert cache.snapshots == snapshots + 1
    assert len(cache.redeemed) == 1


def test_a_shop_that_a_coupon_no_longer_counts_in_is_told_so(centre: Centre, cache: Cache) -> None:
    with centre.office.database.write() as connection:
        issue.change(connection, campaign(1, shops=("shinjuku",)))
    cache.push()
    assert cache.campaigns[1].campaign.shops == ("shinjuku",)
    assert cache.campaigns[1].campaign.revision == 2


def test_K8_redemptions_without_serials_are_booked_and_burden_no_cache(
    centre: Centre, cache: Cache, lane: Lane
) -> None:
    with centre.office.database.write() as connection:
        issue.issue(connection, campaign(2, serials=False, policy="open"), NOW_MS)
    lane.redeem(0, campaign=2)
    lane.redeem(0, campaign=2)
    centre.book(lane)
    cache.push()
    assert not cache.redeemed
    assert centre.query("SELECT state, at_ms, site FROM redemptions") == [("cleared", NOW_MS, "ginza")] * 2
    assert centre.one("SELECT redeemed FROM campaigns WHERE id = 2") == 2


def test_changes_pulled_pushed_and_snapshot_all_end_in_the_same_state(centre: Centre, cache: Cache, lane: Lane) -> None:
    pushed, dice = Cache(centre, lane), random.Random(5)
    pushed.pull()
    for step in range(1, 40):
        lane.redeem(step)
        if dice.random() < 0.3:
            centre.book(lane, 1)
            pushed.push()
        if dice.random() < 0.1:
            with centre.office.database.write() as connection:
                keyring.rotate(connection, centre.office.keys, NOW_MS)
    centre.book(lane, 1)
    pushed.push()
    cache.pull()
    fresh = Cache(centre, lane)
    fresh.pull()
    assert cache.state == pushed.state == fresh.state
    assert cache.machine.number == pushed.machine.number == fresh.machine.number
    assert (cache.snapshots, pushed.snapshots) == (1, 1)
    assert len(fresh.redeemed) == 39


def test_a_large_state_comes_in_many_parts_in_the_same_order_each_time(centre: Centre, lane: Lane) -> None:
    for serial in range(1, 2_501):
        lane.redeem(serial * 7919)
    for first in range(1, 2_501, 500):
        centre.book(lane, first, first + 499)
    spools = [io.BytesIO(), io.BytesIO()]
    with centre.office.database.read() as connection:
        made = [
            snapshot.write(connection, "ginza", centre.incarnation, centre.secret, NOW_MS, spool) for spool in spools
        ]
    assert made[0].parts >= 3
    assert made[0].digest == made[1].digest
    cache = Cache(centre, lane)
    cache.pull()
    assert len(cache.redeemed) == 2_500


def test_a_cache_that_stands_inside_a_booked_batch_gets_only_what_follows(centre: Centre, lane: Lane) -> None:
    with centre.office.database.read() as connection:
        head = feed.heads(connection)["ginza"]
    for serial in range(1, 6):
        lane.redeem(serial)
    centre.book(lane)  # five changes that share one row
    with centre.office.database.read() as connection:
        (message,) = feed.messages_since(connection, "ginza", head + 2, centre.incarnation)
    told = [decode(bytes(change), PutRedemption).fact for change in message.changes]
    assert message.before == head + 2
    assert told == [sealing.fact_id(lane.name, lane.epoch, number) for number in (3, 4, 5)]


def test_a_cache_further_behind_than_the_log_reaches_gets_a_snapshot(centre: Centre, cache: Cache, lane: Lane) -> None:
    for serial in range(1, 31):
        lane.redeem(serial)
        centre.book(lane, serial)
    with centre.office.database.write() as connection:
        assert feed.prune(connection, kept=5) > 20
    assert int(str(centre.one("SELECT count(*) FROM change_log"))) == 5
    assert centre.one("SELECT count(*) FROM feed_bodies") == 5
    cache.pull()
    assert cache.snapshots == 2
    assert len(cache.redeemed) == 30
    lane.redeem(31)
    centre.book(lane, 31)
    cache.pull()
    assert (cache.snapshots, len(cache.redeemed)) == (2, 31)


def hint(centre: Centre, lane: Lane, number: int, serial: int) -> None:
    message = Hint(lane.epoch, number, NOW_MS, 1, serial, 0)
    centre.desk.handle(lane.address.topic(UP_HINT), encode(message), NOW_MS)


def test_a_hint_is_told_at_once_and_replaced_by_its_booking(centre: Centre, cache: Cache, lane: Lane) -> None:
    number = lane.redeem(5)
    hint(centre, lane, number, 5)
    hint(centre, lane, number, 5)
    cache.push()
    assert [one.provisional for one in cache.redeemed.values()] == [True]
    centre.book(lane)
    cache.push()
    assert [one.provisional for one in cache.redeemed.values()] == [False]
    assert centre.one("SELECT count(*) FROM hints") == 0
    hint(centre, lane, number, 5)
    assert centre.one("SELECT count(*) FROM hints") == 0, "what is booked needs no hint"


def test_a_hint_that_never_comes_true_is_taken_back(centre: Centre, cache: Cache, lane: Lane) -> None:
    hint(centre, lane, 1, 5)
    cache.push()
    assert len(cache.redeemed) == 1
    with centre.office.database.write() as connection:
        assert hinting.expire(connection, centre.office.keys.cache_secret(), NOW_MS + 1) == 1
    cache.push()
    assert not cache.redeemed


def test_a_unit_hears_nothing_of_a_site_that_is_not_its_own(centre: Centre, lane: Lane) -> None:
    elsewhere = Lane(lane.name, "shinjuku", lane.key)
    topic = elsewhere.address.topic(UP_REQ)
    assert centre.desk.handle(topic, encode(PullFeed(b"", 0)), NOW_MS) == []
    assert not centre.desk.snapshots.busy


def test_messages_that_are_none_are_kept_as_dead_letters_and_answered_by_silence(centre: Centre, lane: Lane) -> None:
    dice = random.Random(11)
    for leaf in (UP_REQ, UP_HINT):
        for _ in range(100):
            payload = dice.randbytes(dice.randint(0, 60))
            centre.desk.handle(lane.address.topic(leaf), payload, NOW_MS)
    for topic in ("", "tk/1/demo", "tk/1/other/ginza/lane-1/up/ev", "tk/1/demo/ginza/lane-1/dn/ack", "x" * 5000):
        assert centre.desk.handle(topic, b"x", NOW_MS) == []
    assert int(str(centre.one("SELECT count(*) FROM dead_letters"))) > 100


# --- whom to trust on the site's own network -------------------------------------------------------------


def lanes_told(cache: Cache) -> dict[str, tuple[bytes, str]]:
    """The newest word about each unit."""
    return {lane.device: (lane.public, lane.state) for lane in cache.lanes if lane.site == cache.lane.site}


def test_a_site_is_told_its_units_and_their_keys_and_nobody_elses(centre: Centre, lane: Lane) -> None:
    there, away = Lane("lane-2"), Lane("lane-9", site="ueno")
    centre.enrol(away)
    cache = Cache(centre, lane)
    cache.pull()
    assert lanes_told(cache) == {"lane-1": (lane.key.verify_key.encode(), "active")}
    centre.enrol(there)
    cache.push()
    assert lanes_told(cache).keys() == {"lane-1", "lane-2"}
    assert all(told.device != "lane-9" for told in cache.lanes)


def test_a_unit_that_is_blocked_or_moves_away_is_told_to_the_site_and_gone_from_its_snapshot(
    centre: Centre, lane: Lane
) -> None:
    blocked, moving = Lane("lane-2"), Lane("lane-3")
    centre.enrol(blocked, moving)
    cache = Cache(centre, lane)
    cache.pull()
    with centre.office.database.write() as connection:
        registry.set_state(connection, "lane-2", DeviceState.BLOCKED)
        registry.add_device(connection, "lane-3", "ueno", moving.key.verify_key.encode(), NOW_MS)
    cache.push()
    told = lanes_told(cache)
    assert {device: state for device, (_, state) in told.items()} == {
        "lane-1": "active",
        "lane-2": "blocked",
        "lane-3": "gone",
    }
    fresh = Cache(centre, lane)
    fresh.pull()
    assert lanes_told(fresh).keys() == {"lane-1"}
    with centre.office.database.write() as connection:  # enrolled anew, with the same key
        registry.add_device(connection, "lane-2", lane.site, blocked.key.verify_key.encode(), NOW_MS)
    cache.push()
    assert lanes_told(cache)["lane-2"][1] == "active"


def test_a_unit_that_is_enrolled_again_as_it_was_is_not_told_again(centre: Centre, lane: Lane) -> None:
    before = centre.query("SELECT head FROM feeds")
    centre.enrol(lane)
    assert centre.query("SELECT head FROM feeds") == before
