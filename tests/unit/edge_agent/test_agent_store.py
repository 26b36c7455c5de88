"""The store: what was kept stays kept, what was rolled back is gone, and a damaged file is salvaged."""

from __future__ import annotations

import random
import resource
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from edge_agent.core import events as ev
from edge_agent.core.visit import Step, Want
from edge_agent.store.ages import DAY_MS, MARKS_MAX
from edge_agent.store.connection import StoreCorrupt, StoreError, StoreUnwritable
from edge_agent.store.parts import TRANSFERS_KEPT
from edge_agent.store.preview import preview
from edge_agent.store.salvage import salvage
from edge_agent.store.store import FILE_NAME, IDENTITY_NAME, Store, WrongDevice, epoch_beside
from loyalty.coupon import Coupon, Now
from loyalty.lease import CAMPAIGN, Amount, Pot
from loyalty.reason import Reason
from tests.unit.edge_agent.agent_world import (
    NOW_MS,
    ONLINE,
    OPEN,
    SECRET,
    SIGNED,
    Driver,
    code,
    moment,
    replaced,
    scanned,
    world,
)
from wire import chain
from wire.facts import EpochOpened, Redeemed, Stamp, Taken, decode_fact
from wire.messages import DropRedemption, PutCampaign, PutKey, PutRedemption, PutSecret
from wire.sealing import serial_hash
from wire.uplink import Advance, NewIncarnation, OpenEpoch

STAMP = moment().stamp


def redeem(drive: Driver, *serials: int) -> None:
    for serial in serials:
        assert drive(scanned(code(SIGNED, serial=serial))).facts


def reason(step: Step) -> Reason | None:
    return step.verdict.reason if step.verdict else None


def bodies(store: Store, epoch: bytes, first: int = 1) -> list[object]:
    rows = store.journal.batch(epoch, first)
    return [] if rows is None else [decode_fact(body) for body in rows.facts]


def serials(store: Store, epoch: bytes) -> list[int]:
    return [fact.serial for fact in bodies(store, epoch) if isinstance(fact, Redeemed)]


def test_the_journal_is_numbered_without_gaps_and_chained(drive: Driver, store: Store) -> None:
    redeem(drive, 1, 2, 3)
    rows = store.journal.batch(store.journal.epoch, 1)
    assert rows is not None
    assert (rows.first, rows.last) == (1, 3)
    assert rows.before == chain.genesis("unit-1", b"e" * 16)
    assert chain.links(rows.before, rows.facts)[-1] == rows.after == store.journal.hash_at(b"e" * 16, 3)


def test_a_store_that_is_opened_again_goes_on_where_it_was(drive: Driver, store: Store) -> None:
    redeem(drive, 1, 2)
    store.close()
    again = Store(store.folder, "unit-1")
    again.start(b"x" * 16)
    assert again.journal.epoch == b"e" * 16
    assert again.journal.last == 2
    redeem(Driver(again), 3)
    assert serials(again, b"e" * 16) == [1, 2, 3]
    again.close()


def test_a_store_of_another_device_is_refused(store: Store) -> None:
    with pytest.raises(WrongDevice, match="belongs to the device 'unit-1'"):
        Store(store.folder, "unit-2")


def test_a_batch_never_exceeds_a_packet_and_batches_join_up(drive: Driver, store: Store) -> None:
    redeem(drive, *range(1, 1_101))
    first = store.journal.batch(b"e" * 16, 1)
    assert first is not None
    second = store.journal.batch(b"e" * 16, first.last + 1)
    assert second is not None
    assert sum(map(len, first.facts)) < 62_000
    assert first.after == second.before
    assert first.last < 1_100


@contextmanager
def disk_full() -> Iterator[None]:
    """No file of this process can grow any more: the operating system says so to every write."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_keeps_nothing_of_the_scan_and_all_that_was_before(drive: Driver, store: Store) -> None:
    redeem(drive, 1)
    with disk_full(), pytest.raises(StoreUnwritable):
        drive(scanned(code(SIGNED, serial=2)))
    assert serials(store, b"e" * 16) == [1]
    assert store.journal.last == 1
    redeem(drive, 2)
    assert serials(store, b"e" * 16) == [1, 2]


def test_the_cursor_and_the_incarnation_are_kept(drive: Driver, store: Store) -> None:
    redeem(drive, 1, 2, 3)
    store.carry_out([Advance(b"e" * 16, 2, b"j" * 16)], b"n" * 16, STAMP)
    store.carry_out([NewIncarnation(b"k" * 16, b"j" * 16)], b"n" * 16, STAMP)
    (state,) = store.journal.epochs()
    assert (state.acked, state.last, state.incarnation) == (2, 3, b"j" * 16)
    assert store.incarnation == b"k" * 16
    assert store.retired == [b"j" * 16]


def test_after_a_fork_the_facts_that_follow_it_stand_under_a_new_epoch(drive: Driver, store: Store) -> None:
    redeem(drive, 1, 2, 3, 4)
    assert store.carry_out([OpenEpoch(b"e" * 16, 2, "fork")], b"n" * 16, STAMP)
    old, new = store.journal.epochs()
    assert (old.epoch, old.last, new.epoch, new.last) == (b"e" * 16, 2, b"n" * 16, 3)
    assert serials(store, b"e" * 16) == [1, 2]
    opened = bodies(store, b"n" * 16)[0]
    assert isinstance(opened, EpochOpened)
    assert (opened.reason, opened.previous, opened.after, opened.carried) == ("fork", b"e" * 16, 2, 2)
    assert serials(store, b"n" * 16) == [3, 4]
    rows = store.journal.batch(b"n" * 16, 1)
    assert rows is not None
    assert rows.before == chain.genesis("unit-1", b"n" * 16)
    assert chain.links(rows.before, rows.facts)[-1] == rows.after
    assert reason(drive(scanned(code(SIGNED, serial=3)))) is Reason.USED
    redeem(drive, 5)
    assert serials(store, b"n" * 16) == [3, 4, 5]


def test_the_newest_epoch_is_named_beside_the_store_where_a_damaged_one_can_not_say_it(store: Store) -> None:
    named = store.folder / IDENTITY_NAME
    assert (b"e" * 16).hex() in named.read_text()
    store.carry_out([OpenEpoch(b"e" * 16, 0, "fork")], b"n" * 16, STAMP)
    assert (b"n" * 16).hex() in named.read_text()


def test_a_closed_epoch_can_fork_again(drive: Driver, store: Store) -> None:
    redeem(drive, 1, 2, 3, 4)
    store.carry_out([OpenEpoch(b"e" * 16, 3, "fork")], b"n" * 16, STAMP)
    store.carry_out([OpenEpoch(b"e" * 16, 1, "fork")], b"m" * 16, STAMP)
    assert [serials(store, epoch * 16) for epoch in (b"e", b"n", b"m")] == [[1], [4], [2, 3]]
    redeem(drive, 5)
    assert serials(store, b"m" * 16) == [2, 3, 5]
    again = Store(store.folder, "unit-1")
    assert again.journal.epoch == b"m" * 16
    again.close()


def test_booked_facts_are_pruned_by_age_and_the_rest_never(drive: Driver, store: Store) -> None:
    redeem(drive, *range(1, 11))
    store.carry_out([Advance(b"e" * 16, 8, b"j" * 16)], b"n" * 16, STAMP)
    month_ms = 30 * DAY_MS
    store.tidy(NOW_MS, month_ms, keep_facts=0)
    store.tidy(NOW_MS + month_ms - 1, month_ms, keep_facts=0)
    assert store.journal.oldest(b"e" * 16) == 1, "nothing is a month old yet"
    store.tidy(NOW_MS + month_ms, month_ms, keep_facts=0)
    assert store.journal.oldest(b"e" * 16) == 8
    assert serials_from(store, 9) == [9, 10]
    assert store.journal.hash_at(b"e" * 16, 3) is None


def test_K6_no_fact_grows_old_by_a_clock_that_may_be_wrong(drive: Driver, store: Store) -> None:
    redeem(drive, *range(1, 11))
    store.carry_out([Advance(b"e" * 16, 10, b"j" * 16)], b"n" * 16, STAMP)
    store.tidy(NOW_MS + 4000 * DAY_MS, DAY_MS, keep_facts=0)  # a source that lies says so
    store.tidy(None, DAY_MS, keep_facts=0)
    store.tidy(NOW_MS, DAY_MS, keep_facts=0)  # the true time: what was said before counts for nothing
    store.tidy(NOW_MS + DAY_MS - 1, DAY_MS, keep_facts=0)
    assert store.journal.oldest(b"e" * 16) == 1
    store.tidy(NOW_MS + DAY_MS, DAY_MS, keep_facts=0)
    assert store.journal.oldest(b"e" * 16) == 10, "the newest booked fact stays: the next batch begins at its hash"


def test_days_are_remembered_up_to_a_bound_and_the_longest_time_is_kept(store: Store) -> None:
    years_ms = 3650 * DAY_MS
    for day in range(8000):
        with store.transaction():
            store.ages.note(NOW_MS + day * DAY_MS, day, years_ms)
    assert len(str(store.cache.meta("ages", "")).split(",")) <= MARKS_MAX
    assert 8000 - 3650 - 40 <= store.ages.before(NOW_MS + 8000 * DAY_MS - years_ms) <= 8000 - 3650


def test_a_part_that_was_taken_is_known_whatever_the_clock_says(store: Store) -> None:
    taken = [number.to_bytes(16, "big") for number in range(TRANSFERS_KEPT + 20)]
    pot, wrong = Pot(CAMPAIGN, 1), Stamp(NOW_MS + 4000 * DAY_MS, 1, b"8 bytes.", False)
    with store.transaction():
        for name in taken[:10]:
            store.parts.keep(Taken(STAMP, name, "lane-2", pot, Amount(1)))
        for name in taken[10:]:
            store.parts.keep(Taken(wrong, name, "lane-2", pot, Amount(1)))
    store.tidy(wrong.wall_ms, DAY_MS)
    assert [store.parts.knows_transfer(name) for name in (taken[19], taken[20])] == [False, True]


def serials_from(store: Store, first: int) -> list[int]:
    rows = store.journal.batch(b"e" * 16, first)
    assert rows is not None
    facts = [decode_fact(body) for body in rows.facts]
    return [fact.serial for fact in facts if isinstance(fact, Redeemed)]


# --- the cache ----------------------------------------------------------------------------------------


def test_a_snapshot_is_in_force_only_when_it_is_whole(drive: Driver, store: Store) -> None:
    stopped = replaced(SIGNED, stopped=True)
    with store.transaction():
        store.cache.start_snapshot(100)
        store.cache.stage([PutSecret(SECRET), PutCampaign(stopped)])
        store.cache.stage([PutRedemption(b"f" * 16, 1, serial_hash(SECRET, 1, 5), b"", NOW_MS, "ginza")])
    redeem(drive, 1)
    assert store.cache.position == (b"i" * 16, 5)
    with store.transaction():
        store.cache.finish_snapshot(b"k" * 16, 9)
    assert store.cache.position == (b"k" * 16, 9)
    assert store.cache.campaign(1) == stopped
    assert store.cache.campaign(2) is None
    assert store.cache.seen(serial_hash(SECRET, 1, 5)) == (NOW_MS, "ginza")
    (row,) = store.look_up([Want(coupon=Coupon(campaign=1, serial=1))])
    assert row.known.seen is not None  # our own redemption is still known, whatever the snapshot lacks
    assert row.known.seen.here


def test_a_snapshot_that_is_begun_again_forgets_what_was_put_aside(store: Store) -> None:
    with store.transaction():
        store.cache.start_snapshot(100)
        store.cache.stage([PutCampaign(replaced(SIGNED, id=50))])
        store.cache.stage([PutRedemption(b"f" * 16, 1, b"h" * 16, b"", NOW_MS, "ginza")])
        assert store.cache.start_snapshot(100)
        store.cache.stage([PutCampaign(SIGNED)])
        store.cache.finish_snapshot(b"k" * 16, 9)
    assert store.cache.campaign(50) is None
    assert store.cache.seen(b"h" * 16) is None


def test_K6_a_hint_that_never_came_true_is_taken_back(store: Store) -> None:
    key = serial_hash(SECRET, 1, 5)
    with store.transaction():
        store.cache.apply([PutRedemption(b"f" * 16, 1, key, b"", NOW_MS, "ginza", True)], b"i" * 16, 6)
        store.cache.apply([DropRedemption(b"x" * 16, key)], b"i" * 16, 7)
        assert store.cache.seen(key) is not None  # another fact's
        store.cache.apply([DropRedemption(b"f" * 16, key)], b"i" * 16, 8)
    assert store.cache.seen(key) is None


def test_K6_what_is_booked_takes_the_place_of_a_hint_and_outlives_it(store: Store) -> None:
    key = serial_hash(SECRET, 1, 5)
    with store.transaction():
        store.cache.apply([PutRedemption(b"f" * 16, 1, key, b"", NOW_MS, "ginza", True)], b"i" * 16, 6)
        store.cache.apply([PutRedemption(b"g" * 16, 1, key, b"", NOW_MS + 9, "urawa")], b"i" * 16, 7)
        store.cache.apply([DropRedemption(b"f" * 16, key)], b"i" * 16, 8)
        assert store.cache.seen(key) == (NOW_MS + 9, "urawa")
        store.cache.apply([PutRedemption(b"h" * 16, 1, key, b"", NOW_MS + 20, "ueno", True)], b"i" * 16, 9)
        store.cache.apply([DropRedemption(b"h" * 16, key)], b"i" * 16, 10)
    assert store.cache.seen(key) == (NOW_MS + 9, "urawa"), "a hint that came later took its place"


def test_a_change_is_rolled_back_in_memory_too(store: Store) -> None:
    def fail() -> None:
        with store.transaction():
            store.cache.apply([PutCampaign(replaced(SIGNED, stopped=True)), PutKey(7, b"0" * 32)], b"i" * 16, 6)
            assert store.cache.campaign(1) is not None
            raise StoreUnwritable("power")

    with pytest.raises(StoreUnwritable):
        fail()
    campaign, key = store.cache.campaign(1), store.cache.key(7)
    assert campaign is not None
    assert not campaign.stopped
    assert key is not None
    assert key.public != b"0" * 32
    assert store.cache.position == (b"i" * 16, 5)


def test_K5_a_preview_gives_the_verdict_and_writes_nothing(drive: Driver, store: Store) -> None:
    redeem(drive, 1)
    now = Now(wall_ms=NOW_MS)
    before = store.connection.rows("SELECT * FROM journal")
    assert preview(store.folder, code(SIGNED, serial=1), "qr", now).reason is Reason.USED
    assert preview(store.folder, code(SIGNED, serial=2), "qr", now).reason is Reason.OK
    assert preview(store.folder, code(OPEN), "qr", now).reason is Reason.OK
    assert preview(store.folder, code(ONLINE, serial=9), "qr", now).reason is Reason.OK
    assert store.connection.rows("SELECT * FROM journal") == before


# --- damage -------------------------------------------------------------------------------------------


def damaged(store: Store, seed: int) -> None:
    """Overwrite the head of the file and some pages of it, as a failing card does."""
    store.connection.checkpoint()
    store.close()
    path = store.folder / FILE_NAME
    pages = bytearray(path.read_bytes())
    rng = random.Random(seed)
    pages[:4096] = rng.randbytes(4096)
    path.write_bytes(pages)


def test_a_file_that_is_no_database_is_found_out(store: Store) -> None:
    damaged(store, 1)
    with pytest.raises(StoreCorrupt):
        Store(store.folder, "unit-1")


def test_a_damaged_store_is_set_aside_and_what_waits_follows_in_a_new_epoch(drive: Driver, store: Store) -> None:
    redeem(drive, *range(1, 101))
    store.carry_out([Advance(b"e" * 16, 40, b"j" * 16)], b"n" * 16, STAMP)
    damaged(store, 2)
    saved_store, result = salvage(store.folder, "unit-1", b"n" * 16, STAMP)
    assert result.folder.name == "damaged-1"
    assert (result.folder / FILE_NAME).exists()
    assert (result.previous, result.acked, len(result.carried)) == (b"e" * 16, 40, 60)
    assert serials(saved_store, b"n" * 16) == list(range(41, 101))
    opened = bodies(saved_store, b"n" * 16)[0]
    assert isinstance(opened, EpochOpened)
    assert (opened.reason, opened.after, opened.carried) == ("salvaged", 40, 60)
    with saved_store.transaction():
        saved_store.cache.apply(world(), b"i" * 16, 5)
    again = Driver(saved_store)
    assert reason(again(scanned(code(SIGNED, serial=60)))) is Reason.USED
    redeem(again, 200)
    saved_store.close()


def test_facts_that_are_still_in_the_write_ahead_log_are_salvaged_too(drive: Driver, store: Store) -> None:
    redeem(drive, 1, 2, 3)
    copy = {p.name: p.read_bytes() for p in store.folder.iterdir()}
    store.close()
    for name, content in copy.items():
        (store.folder / name).write_bytes(content)
    assert (store.folder / (FILE_NAME + "-wal")).stat().st_size > 0
    saved_store, result = salvage(store.folder, "unit-1", b"n" * 16, STAMP)
    assert [f.fact.serial for f in result.carried if isinstance(f.fact, Redeemed)] == [1, 2, 3]
    assert result.unverified == 1  # the first fact's predecessor is the genesis, which no row holds
    saved_store.close()


def test_salvage_invents_nothing_out_of_noise(store: Store) -> None:
    store.close()
    (store.folder / FILE_NAME).write_bytes(random.Random(3).randbytes(100 * 4096))
    saved_store, result = salvage(store.folder, "unit-1", b"n" * 16, STAMP)
    assert result.carried == ()
    assert result.previous == b"e" * 16  # the file beside the store knows
    saved_store.close()


CHILD = """
import sys
from pathlib import Path
from tests.unit.edge_agent.agent_world import SIGNED, Driver, code, scanned
from edge_agent.store.store import Store
store = Store(Path(sys.argv[1]), "unit-1")
drive = Driver(store)
serial = store.journal.last
while True:
    serial += 1
    drive(scanned(code(SIGNED, serial=serial)))
    print(serial, flush=True)
"""


def test_K5_a_unit_killed_while_it_works_keeps_every_fact_it_had_shown(store: Store) -> None:
    store.close()
    shown = 0
    rng = random.Random(5)
    for _ in range(8):
        child = subprocess.Popen(
            [sys.executable, "-c", CHILD, str(store.folder)],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert child.stdout is not None
        for _ in range(rng.randrange(1, 40)):
            shown = int(child.stdout.readline())
        child.kill()
        rest = child.stdout.read().split()
        shown = int(rest[-1]) if rest else shown
        child.wait()
        again = Store(store.folder, "unit-1")
        kept = serials_from(again, 1)
        assert kept == list(range(1, len(kept) + 1))
        assert shown <= len(kept) <= shown + 1
        again.close()


@pytest.mark.parametrize("left", [None, "stale", "torn"])
def test_the_next_start_writes_the_epoch_beside_the_store_if_the_power_went_before_that(
    store: Store, left: str | None
) -> None:
    beside = store.folder / IDENTITY_NAME
    whole = beside.read_bytes()
    if left is None:
        beside.unlink()
    else:
        beside.write_bytes(whole.replace(store.journal.epoch.hex().encode(), b"00" * 16) if left == "stale" else b"")
    assert epoch_beside(store.folder) != store.journal.epoch
    store.close()
    again = Store(store.folder, "unit-1")
    again.start(b"n" * 16)
    assert again.journal.epoch == store.journal.epoch
    assert beside.read_bytes() == whole
    again.close()


def test_a_store_of_a_newer_version_is_refused_with_both_versions(store: Store) -> None:
    store.close()
    with sqlite3.connect(store.folder / FILE_NAME) as raw:
        raw.execute("PRAGMA user_version=99")
    with pytest.raises(StoreError, match="version 99"):
        Store(store.folder, "unit-1")


def test_open_questions_keep_their_numbers(drive: Driver, store: Store) -> None:
    drive(ev.LinkChanged(up=True))
    drive(scanned(code(ONLINE, serial=2**64 - 1)))
    (question,) = store.open_questions()
    assert (question.campaign, question.serial) == (3, 2**64 - 1)
