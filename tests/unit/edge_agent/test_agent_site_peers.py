"""Lanes with real stores on a network that loses, doubles, delays and falls apart: all end up knowing the same."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from random import Random

import msgspec
import pytest

from edge_agent.core.visit import Want as Row
from edge_agent.store.connection import StoreUnwritable
from edge_agent.store.store import Store
from loyalty.coupon import Coupon
from tests.unit.edge_agent.agent_world import NOW_MS, SECRET, SIGNED, moment, replaced, world
from wire import peers, sealing
from wire.facts import EpochOpened, Redeemed
from wire.messages import DropRedemption, PutCampaign, PutRedemption
from wire.peers import ANSWER_EVERY_MS, Answer, DiskIsOld, Keep, Peers, Say, Tell
from wire.site_messages import MARKS_MAX, MARKS_SPOKEN_MAX, RUN_SPENT_MAX, SPANS_MAX, Here, Mark, Run, SiteMessage, Want
from wire.uplink import OpenEpoch

TICK_MS = 100
ONCE_EACH = replaced(SIGNED, per_person=1)
I = b"i" * 16  # noqa: E741 - an incarnation


def redeemed(serial: int, holder: int = 0, at_ms: int = NOW_MS) -> Redeemed:
    return Redeemed(moment(at_ms).stamp, SIGNED.id, serial, holder, 1, "signed", "shinjuku", 0, 1000, 7)


class Lane:
    """One lane: its store, its machine, and what its owner does with the actions."""

    def __init__(self, shop: Shop, device: str) -> None:
        self.shop, self.device = shop, device
        self.folder = shop.folder / device
        self.island = 0
        self.old: list[DiskIsOld] = []
        self.open()

    def open(self) -> None:
        """The agent starts."""
        self.store = Store(self.folder, self.device)
        fresh = not self.store.journal.epoch
        self.store.start(self.shop.random.randbytes(16))
        with self.store.transaction():
            if fresh:
                self.store.cache.apply([*world(), PutCampaign(ONCE_EACH)], I, 6)
            self.store.heard.remember_epochs()
        heard = self.store.heard
        self.peers = Peers(self.device, heard, heard.marks(), self.shop.random.random)
        self.peers.connected(self.shop.now_ms)

    def redeem(self, serial: int, holder: int = 0) -> None:
        fact = redeemed(serial, holder, NOW_MS + serial)
        with self.store.transaction():
            position = self.store.journal.append([fact], shown=True)
        self.do(self.peers.appended(self.store.heard.run_of(position, [fact])))

    def new_epoch(self, after: int) -> None:
        """The centre found that the journals differ after this number."""
        journal = self.store.journal
        self.store.carry_out([OpenEpoch(journal.epoch, after, "fork")], self.shop.random.randbytes(16), moment().stamp)
        with self.store.transaction():
            self.store.heard.remember_epochs()

    def hear(self, sender: str, message: SiteMessage) -> None:
        self.do(self.peers.on_message(sender, message, self.shop.now_ms))

    def do(self, actions: list[peers.Action]) -> None:
        waiting = list(actions)
        while waiting:
            action = waiting.pop(0)
            if isinstance(action, Say):
                self.shop.send(self, None, action.message)
            elif isinstance(action, Tell):
                self.shop.send(self, action.device, action.message)
            elif isinstance(action, Answer):
                run = self.store.heard.run_after(action.epoch, action.after)
                if run is not None:
                    self.shop.send(self, action.device, run)
            elif isinstance(action, Keep):
                with self.store.transaction():
                    self.store.heard.keep(action.device, action.run, mark=action.mark, wall_ms=NOW_MS)
                waiting += self.peers.kept(action.device, action.run, self.shop.now_ms)
            else:
                self.old.append(action)
                with self.store.transaction():
                    self.store.heard.note_disk_is_old(action.device, action.epoch, action.number)

    def here(self) -> Here:
        return Here(self.store.heard.spans()[-SPANS_MAX:], [])

    def is_old(self) -> bool:
        return self.store.disk_is_old

    def refuses(self, serial: int) -> bool:
        row = self.store.look_up([Row(coupon=Coupon(campaign=SIGNED.id, serial=serial, key=7))])[0]
        return row.known.seen is not None

    def counted(self, holder: int) -> int:
        coupon = Coupon(campaign=SIGNED.id, serial=999_999, holder=holder, key=7)
        return self.store.look_up([Row(coupon=coupon)])[0].known.person_count

    def heard(self) -> set[bytes]:
        """The serials that the other lanes told, as hashes."""
        return {row[0] for row in self.store.connection.rows("SELECT serial FROM heard")}

    def close(self) -> None:
        self.store.close()


class Shop:
    """Lanes, and the network between them."""

    def __init__(self, folder: Path, lanes: int, seed: int) -> None:
        self.folder, self.random = folder, Random(seed)
        self.now_ms = 0
        self.loss = 0.0
        self._air: list[tuple[int, int, str, str | None, SiteMessage]] = []
        self._order = count()
        self.lanes = {f"lane-{n}": Lane(self, f"lane-{n}") for n in range(lanes)}

    def send(self, sender: Lane, to: str | None, message: SiteMessage) -> None:
        for _ in range(self.random.choice((1, 1, 1, 2))):
            at_ms = self.now_ms + self.random.randrange(3 * TICK_MS)
            self._air.append((at_ms, next(self._order), sender.device, to, message))

    def run(self, for_ms: int) -> None:
        end_ms = self.now_ms + for_ms
        while self.now_ms < end_ms:
            self.now_ms += TICK_MS
            arrived = sorted(entry[:2] for entry in self._air if entry[0] <= self.now_ms)
            by_order = {entry[1]: entry for entry in self._air}
            self._air = [entry for entry in self._air if entry[0] > self.now_ms]
            for _, order in arrived:
                _, _, sender, to, message = by_order[order]
                for lane in self.lanes.values():
                    if lane.device != sender and to in (None, lane.device):
                        self._deliver(sender, lane, message)
            for lane in self.lanes.values():
                lane.do(lane.peers.poll(self.now_ms))

    def _deliver(self, sender: str, lane: Lane, message: SiteMessage) -> None:
        if self.lanes[sender].island == lane.island and self.random.random() >= self.loss:
            lane.hear(sender, message)

    def close(self) -> None:
        for lane in self.lanes.values():
            lane.close()


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    made = Shop(tmp_path, 3, 1)
    yield made
    made.close()


def test_K6_what_one_lane_redeems_the_others_refuse_after_one_message(shop: Shop) -> None:
    a, b, _ = shop.lanes.values()
    shop.run(2_000)
    a.redeem(5)
    assert a.refuses(5)
    assert not b.refuses(5)
    shop.run(300)
    assert b.refuses(5)
    row = b.store.look_up([Row(coupon=Coupon(campaign=SIGNED.id, serial=5, key=7))])[0]
    assert row.known.seen is not None
    assert (row.known.seen.at_ms, row.known.seen.here) == (NOW_MS + 5, False)


def test_a_limit_for_each_person_counts_what_other_lanes_told_and_each_use_once(shop: Shop) -> None:
    a, b, _ = shop.lanes.values()
    shop.run(2_000)
    a.redeem(5, holder=77)
    shop.run(300)
    assert b.counted(77) == 1
    a.new_epoch(after=0)  # the fact has another name now
    shop.run(5_000)
    assert b.counted(77) == 1
    assert b.refuses(5)


def test_a_large_backlog_is_told_in_bounded_runs_and_all_of_it_arrives(tmp_path: Path) -> None:
    shop = Shop(tmp_path, 2, 1)
    a, b = shop.lanes.values()
    b.island = 1
    facts = [redeemed(n) for n in range(1, 3 * RUN_SPENT_MAX)]
    with a.store.transaction():
        a.store.journal.append(facts)
    run = a.store.heard.run_after(a.store.journal.epoch, 0)
    assert run is not None
    assert len(run.spent) == RUN_SPENT_MAX
    b.island = 0
    shop.run(6_000)
    assert len(b.heard()) == len(facts)
    shop.close()


@pytest.mark.parametrize("seed", range(12))
def test_after_faults_stop_every_lane_knows_what_every_other_holds(tmp_path: Path, seed: int) -> None:
    shop = Shop(tmp_path, 3, seed)
    random, serials = shop.random, count(1)
    used: dict[str, set[int]] = {device: set() for device in shop.lanes}
    for _ in range(40):
        lane = random.choice(list(shop.lanes.values()))
        what = random.random()
        if what < 0.6:
            serial = next(serials)
            lane.redeem(serial, holder=serial)
            used[lane.device].add(serial)
        elif what < 0.7:
            lane.island = 1 - lane.island
        elif what < 0.8:
            shop.loss = random.choice((0.0, 0.5, 1.0))
        elif what < 0.9:
            lane.close()
            lane.open()
        else:
            lane.new_epoch(after=random.randrange(lane.store.journal.last + 1))
        shop.run(random.choice((0, 100, 500, 2_000)))
    shop.loss = 0.0
    for lane in shop.lanes.values():
        lane.island = 0
    shop.run(20_000)
    for lane in shop.lanes.values():
        others = {n for device, serials_ in used.items() if device != lane.device for n in serials_}
        assert lane.heard() == {sealing.serial_hash(SECRET, SIGNED.id, n) for n in others}
        assert all(lane.counted(n) == 1 for n in others)
        assert lane.old == []
    shop.close()


def test_a_journal_that_was_pruned_is_told_from_where_it_begins_now(shop: Shop) -> None:
    a, b, _ = shop.lanes.values()
    b.island = 1
    for serial in range(1, 7):
        a.redeem(serial)
    a.store.connection.execute("DELETE FROM journal WHERE position <= 3")
    shop.run(1_000)
    b.island = 0
    shop.run(6_000)
    assert [b.refuses(serial) for serial in range(1, 7)] == [False] * 3 + [True] * 3
    a.redeem(8)
    shop.run(500)
    assert b.refuses(8)
    assert a.old == b.old == []


def test_forged_and_impossible_answers_of_a_lane_speak_of_itself_alone(shop: Shop) -> None:
    """A lane can lie about its own journal, not about another's."""
    a, b, c = shop.lanes.values()
    shop.run(2_000)
    a.redeem(5)
    shop.run(300)
    before = b.store.heard.marks()["lane-0"]
    b.hear("lane-2", msgspec.structs.replace(Run(a.store.journal.epoch, 0, b"", 9, b"h" * 32, []), oldest=1))
    assert b.store.heard.marks()["lane-0"] == before
    assert c.refuses(5)


# --- the witness --------------------------------------------------------------------------------------


def restored(lane: Lane, image: Path) -> None:
    lane.close()
    shutil.rmtree(lane.folder)
    shutil.copytree(image, lane.folder)
    lane.open()


def imaged(lane: Lane) -> Path:
    lane.close()
    image = lane.shop.folder / "image"
    shutil.copytree(lane.folder, image)
    lane.open()
    return image


def test_a_lane_whose_disk_is_an_old_image_hears_it_from_a_witness(shop: Shop) -> None:
    a, b, _ = shop.lanes.values()
    a.redeem(1)
    image = imaged(a)
    a.redeem(2)
    shop.run(3_000)
    restored(a, image)
    assert not a.is_old()
    shop.run(1_500)
    assert a.is_old()
    assert (a.old[0].epoch, a.old[0].number) == (a.store.journal.epoch, 2)
    assert b.refuses(2)


def test_a_lane_that_went_on_from_an_old_image_out_of_sight_hears_it_by_the_hash(shop: Shop) -> None:
    a, b, c = shop.lanes.values()
    a.redeem(1)
    image = imaged(a)
    a.redeem(2)
    shop.run(3_000)
    restored(a, image)
    a.island = 2
    for serial in (12, 13, 14):
        a.redeem(serial)
    a.island = 0
    shop.run(8_000)
    assert a.is_old()
    # what it redeemed since, under numbers that were seen with other facts, is known to the others all the same
    for lane in (b, c):
        assert all(lane.refuses(serial) for serial in (1, 2, 12, 13, 14))


def test_an_image_from_before_the_open_epoch_began_is_found_out(shop: Shop) -> None:
    a = shop.lanes["lane-0"]
    a.redeem(1)
    shop.run(3_000)
    image = imaged(a)
    a.new_epoch(after=1)
    shop.run(3_000)
    restored(a, image)
    shop.run(1_500)
    assert a.is_old()
    a.new_epoch(after=1)
    shop.run(5_000)
    assert not a.is_old()  # the others still speak of the epoch that is lost


def test_what_a_restored_lane_redeems_under_numbers_that_were_seen_before_is_refused_elsewhere(shop: Shop) -> None:
    a, b, _ = shop.lanes.values()
    image = imaged(a)
    for serial in range(1, 6):
        a.redeem(serial)
    shop.run(3_000)
    restored(a, image)
    shop.run(1_500)
    a.redeem(12)  # its number 1, which was another fact
    shop.run(3_000)
    assert b.refuses(12)
    assert b.refuses(1)


def test_a_lane_whose_store_was_salvaged_is_not_told_that_its_disk_is_old(shop: Shop) -> None:
    """Its epoch is another one, and it knows which one went before."""
    a, b, _ = shop.lanes.values()
    a.redeem(1)
    shop.run(3_000)
    before = a.store.journal.epoch
    a.close()
    shutil.rmtree(a.folder)
    store = Store(a.folder, a.device)
    with store.transaction():
        store.cache.set_meta("device", a.device)
        store.journal.start(b"new epoch.......")
        store.cache.apply(world(), I, 6)
        store.journal.append([EpochOpened(moment().stamp, "salvaged", before, 1, 0)])
    store.close()
    a.open()
    shop.run(5_000)
    assert b.store.heard.marks()["lane-0"][-1].epoch == b"new epoch......."
    assert not a.is_old()


def test_the_word_of_the_witness_holds_until_a_new_epoch_is_opened_and_is_not_said_again(shop: Shop) -> None:
    a = shop.lanes["lane-0"]
    image = imaged(a)
    a.redeem(2)
    shop.run(3_000)
    restored(a, image)
    shop.run(1_500)
    a.close()
    a.open()
    assert a.is_old()  # a restart forgets nothing
    a.new_epoch(after=0)
    assert not a.is_old()
    shop.run(5_000)
    assert not a.is_old()


def test_a_lane_that_is_in_order_is_never_told_that_its_disk_is_old(shop: Shop) -> None:
    a = shop.lanes["lane-0"]
    for serial in range(1, 6):
        a.redeem(serial)
        a.close()
        a.open()
        shop.run(1_500)
        a.new_epoch(after=a.store.journal.last)
    shop.run(5_000)
    assert all(lane.old == [] for lane in shop.lanes.values())


# --- what stands in the store ----------------------------------------------------------------------------


def told(lane: Lane, serial: int, *, provisional: bool = False) -> PutRedemption:
    """How the centre tells the use of this serial at `lane`, its fact number 1."""
    fact = sealing.fact_id(lane.device, lane.store.journal.epoch, 1)
    key = sealing.serial_hash(SECRET, SIGNED.id, serial)
    return PutRedemption(fact, SIGNED.id, key, b"", NOW_MS + serial, "shinjuku", provisional)


def apply(lane: Lane, *changes: PutRedemption | DropRedemption) -> None:
    incarnation, number = lane.store.cache.position
    with lane.store.transaction():
        lane.store.cache.apply(changes, incarnation, number + len(changes))


def tidy(lane: Lane, wall_ms: int | None = NOW_MS) -> None:
    with lane.store.transaction():
        lane.store.heard.tidy(wall_ms)


def test_what_the_centre_has_told_too_is_let_go_and_still_refused(shop: Shop) -> None:
    a, b, _ = shop.lanes.values()
    a.redeem(5)
    shop.run(3_000)
    apply(b, told(a, 5, provisional=True))
    tidy(b)
    assert len(b.heard()) == 1  # a hint proves nothing
    apply(b, told(a, 5))
    tidy(b)
    assert b.heard() == set()
    assert b.refuses(5)


def test_a_hint_that_ended_takes_nothing_back_of_what_its_lane_told(shop: Shop) -> None:
    a, b, _ = shop.lanes.values()
    a.redeem(5)
    shop.run(3_000)
    hint = told(a, 5, provisional=True)
    apply(b, hint, DropRedemption(hint.fact, hint.serial))
    assert b.refuses(5)


def test_what_the_centre_took_back_does_not_refuse_for_ever_and_is_not_brought_up_again(shop: Shop) -> None:
    a, b, c = shop.lanes.values()
    c.island = 1
    a.redeem(5)
    shop.run(3_000)
    booked = told(a, 5)
    for lane in (a, b, c):
        apply(lane, booked, DropRedemption(booked.fact, booked.serial))
    assert not b.refuses(5)
    c.island = 0
    shop.run(5_000)
    assert not c.refuses(5)
    assert not b.refuses(5)


def test_a_use_whose_sale_was_taken_back_is_forgotten_also_by_a_lane_that_the_centre_told_nothing_of_it(
    shop: Shop,
) -> None:
    a, b, c = shop.lanes.values()
    c.island = 1
    a.redeem(5)
    shop.run(3_000)
    booked = told(a, 5)
    for lane in (b, c):  # a snapshot has only this of it
        apply(lane, DropRedemption(booked.fact, booked.serial, given_back=True))
    assert not b.refuses(5)
    c.island = 0
    shop.run(5_000)
    assert not c.refuses(5), "and the lane that used it can tell of it as it likes"


@pytest.mark.parametrize("who_knows", [0, 2])
def test_one_of_teller_and_hearer_is_enough_to_keep_what_was_taken_back_away(shop: Shop, who_knows: int) -> None:
    a, _, c = shop.lanes.values()
    c.island = 1
    a.redeem(5)
    booked = told(a, 5)
    shop.run(1_000)
    apply(shop.lanes[f"lane-{who_knows}"], booked, DropRedemption(booked.fact, booked.serial))
    c.island = 0
    shop.run(5_000)
    assert c.store.heard.marks()["lane-0"][-1].number == 1
    assert not c.refuses(5)


def test_what_the_centre_told_before_a_lane_did_takes_no_second_place(shop: Shop) -> None:
    a, b, _ = shop.lanes.values()
    b.island = 1
    a.redeem(5)
    apply(b, told(a, 5))
    b.island = 0
    shop.run(5_000)
    assert b.store.heard.marks()["lane-0"][-1].number == 1
    assert b.heard() == set()


def test_a_lane_that_opens_epoch_after_epoch_takes_a_bounded_place(shop: Shop) -> None:
    a, b, _ = shop.lanes.values()
    for _ in range(2 * MARKS_MAX):
        a.redeem(shop.random.getrandbits(30) + 1)
        shop.run(2_500)
        a.new_epoch(after=a.store.journal.last)
    shop.run(2_500)
    asked = [action for _ in range(20) for action in b.peers.on_message("lane-0", a.here(), shop.now_ms)]
    assert asked == []  # what was forgotten of old epochs is not asked for again
    assert len(b.store.heard.marks()["lane-0"]) == len(b.peers._marks["lane-0"]) == MARKS_MAX
    (said,) = [action.message for action in b.peers.poll(shop.now_ms + 1_000) if isinstance(action, Say)]
    assert isinstance(said, Here)
    assert [mark.device for mark in said.marks].count("lane-0") == MARKS_SPOKEN_MAX
    assert a.store.journal.epoch in [mark.epoch for mark in said.marks]


def test_one_question_at_a_time_is_open_to_each_lane(shop: Shop) -> None:
    a, b, _ = shop.lanes.values()
    b.island = 1
    a.redeem(5)
    asked = [action for _ in range(5) for action in b.peers.on_message("lane-0", a.here(), shop.now_ms)]
    assert asked == [Tell("lane-0", Want(a.store.journal.epoch, 0))]


def test_a_snapshot_of_the_centre_leaves_what_lanes_told_alone(shop: Shop) -> None:
    a, b, _ = shop.lanes.values()
    a.redeem(5)
    shop.run(3_000)
    with b.store.transaction():
        b.store.cache.start_snapshot(1_000)
        b.store.cache.stage(world())
        b.store.cache.finish_snapshot(b"j" * 16, 9)
    assert b.refuses(5)


def test_what_is_too_old_goes_by_a_trusted_clock_alone(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    a, b, _ = shop.lanes.values()
    a.redeem(5)
    shop.run(3_000)
    later_ms = NOW_MS + 31 * 86_400_000
    tidy(b, None)
    assert b.refuses(5)
    tidy(b, later_ms)
    assert not b.refuses(5)


def test_the_place_for_what_lanes_told_is_bounded(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge_agent.store.heard.ROWS_MAX", 3)
    a, b, _ = shop.lanes.values()
    for serial in range(1, 7):
        a.redeem(serial)
    shop.run(5_000)
    tidy(b)
    assert [b.refuses(serial) for serial in range(1, 7)] == [False] * 3 + [True] * 3


def test_a_question_is_answered_within_a_bound_and_about_retained_epochs_alone(shop: Shop) -> None:
    a = shop.lanes["lane-0"]
    a.redeem(1)
    epoch = a.store.journal.epoch
    now_ms = shop.now_ms + 5_000
    assert a.peers.on_message("lane-1", Want(epoch, 0), now_ms) == [Answer("lane-1", epoch, 0)]
    for _ in range(100):
        assert a.peers.on_message("lane-1", Want(epoch, 0), now_ms + 1) == []
    assert a.peers.on_message("lane-2", Want(epoch, 0), now_ms + 1) == []
    assert a.peers.due_ms() is not None
    assert (a.peers.due_ms() or 0) <= now_ms + ANSWER_EVERY_MS
    answered = [
        action.device
        for late in range(1, 6)
        for action in a.peers.poll(now_ms + late * ANSWER_EVERY_MS)
        if isinstance(action, Answer)
    ]
    assert sorted(answered) == ["lane-1", "lane-2"]  # each once, however often it asked
    assert a.peers.on_message("lane-1", Want(b"x" * 16, 0), now_ms + 9_000) == []


def test_a_lane_says_how_far_it_has_seen_each_other(shop: Shop) -> None:
    a, b, _ = shop.lanes.values()
    a.redeem(1)
    shop.run(3_000)
    (said,) = [action.message for action in b.peers.poll(shop.now_ms + 1_000) if isinstance(action, Say)]
    assert isinstance(said, Here)
    epoch, journal = a.store.journal.epoch, a.store.journal
    assert said.marks == [Mark("lane-0", epoch, 1, journal.hash_at(epoch, 1) or b"")]
    assert b.peers.here(shop.now_ms).keys() == {"lane-0", "lane-2"}
    assert b.peers.here(shop.now_ms + 60_000) == {}
    b.peers.only(["lane-1", "lane-2"])
    (said,) = [action.message for action in b.peers.poll(shop.now_ms + 2_000) if isinstance(action, Say)]
    assert isinstance(said, Here)
    assert said.marks == []  # who is no lane any more is not spoken of


def test_what_was_heard_and_how_far_are_written_down_together_or_not_at_all(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    a, b, _ = shop.lanes.values()
    a.redeem(1)
    (run,) = [a.store.heard.run_after(a.store.journal.epoch, 0)]
    assert run is not None

    def broken(*values: object) -> None:
        raise StoreUnwritable("database or disk is full")

    monkeypatch.setattr(b.store.heard, "_keep", broken)
    with pytest.raises(StoreUnwritable), b.store.transaction():
        b.store.heard.keep(a.device, run, mark=True, wall_ms=NOW_MS)
    assert b.store.heard.marks() == {}, "it would never be asked for again"
