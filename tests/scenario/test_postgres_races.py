"""Workers side by side on PostgreSQL: threads with connections of their own, sessions that are cut, a server killed.

Where two must meet, they are made to: a third session holds what both want until both wait for it, so that neither a
lucky order nor a slow machine decides what is shown.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import LiteralString, TypeVar

import pytest
from sqlalchemy import Connection, text

from central import leases
from central.coupons import download
from central.db import locks
from central.db.database import Database, StorageError, StorageReason
from central.decide import Decider
from central.ingest import Ingest
from central.leasing import Lessor
from central.reversals import settle
from loyalty.campaign import Campaign, Policy
from loyalty.lease import CAMPAIGN, NOTHING, Amount, Pot
from tests.postgres import MISSING, Postgres, programs
from tests.servers import wait_until
from tests.unit.central.central_kit import NOW_MS, Centre, Lane, campaign
from wire.facts import Redeemed, Reversed
from wire.messages import Answer, Ask, AskLease, Grants, Held

WORKERS = 4
T = TypeVar("T")
POT = Pot(CAMPAIGN, 1)


class House:
    """One database, and as many workers on it as a test wants: each with a pool of connections of its own."""

    def __init__(self, server: Postgres, folder: Path, *campaigns: Campaign, lanes: int = 2) -> None:
        self.server, self.name = server, server.fresh()
        Centre.databases = staticmethod(lambda _folder: server.url(self.name))
        self.centre = Centre(folder / "centre", *campaigns)
        self.lanes = [Lane(f"lane-{number}", f"shop-{number}") for number in range(1, lanes + 1)]
        self.centre.enrol(*self.lanes)
        self._others: list[Database] = []

    def database(self) -> Database:
        """Another worker's."""
        self._others.append(Database(self.server.url(self.name)))
        return self._others[-1]

    def ingest(self) -> Ingest:
        return Ingest(self.database(), self.centre.incarnation, self.centre.secret)

    @contextmanager
    def gate(self, *things: locks.Thing) -> Iterator[None]:
        """Holds what others want until the block ends."""

        def hold(connection: Connection) -> None:
            locks.hold(connection, things)
            held.set()
            assert let_go.wait(20)

        held, let_go = threading.Event(), threading.Event()
        database = self.database()
        thread = threading.Thread(target=database.unit, args=(hold,))
        thread.start()
        assert held.wait(10)
        try:
            yield
        finally:
            let_go.set()
            thread.join(10)

    def at_once(self, *works: Callable[[], T], over: locks.Thing | None = None) -> list[T]:
        """Runs them in threads, all let loose in one moment; `over`: what they all wait for first."""
        with ThreadPoolExecutor(len(works)) as pool:
            with self.gate(over or locks.campaign(1)):
                running = [pool.submit(work) for work in works]
                self.server.wait_for_waiters(len(works))
            return [one.result(30) for one in running]

    def close(self) -> None:
        for database in self._others:
            database.close()
        self.centre.close()
        self.server.drop(self.name)


@pytest.fixture
def build(postgres: Postgres, tmp_path: Path) -> Iterator[Callable[..., House]]:
    before, made = Centre.databases, list[House]()

    def one(*campaigns: Campaign, lanes: int = 2) -> House:
        made.append(House(postgres, tmp_path, *campaigns, lanes=lanes))
        return made[-1]

    yield one
    for house in made:
        house.close()
    Centre.databases = staticmethod(before)


Build = Callable[..., House]


def test_K3_of_two_downloads_of_the_last_coupon_at_one_moment_one_gets_it(build: Build) -> None:
    house = build(campaign(1, stock=1, first_number=500))
    keys = house.centre.office.keys

    def take(database: Database) -> object:
        return database.unit(
            lambda connection: download.download(connection, keys, 1, None, proven=False, now_ms=NOW_MS)
        )

    one, two = house.database(), house.database()
    given = house.at_once(lambda: take(one), lambda: take(two))
    assert sorted(isinstance(answer, download.Given) for answer in given) == [False, True]
    assert download.No.SOLD_OUT in given
    assert house.centre.query("SELECT stock_left, given_out FROM campaigns") == [(0, 1)]
    assert house.centre.one("SELECT count(*) FROM coupons") == 1


def test_K6_one_serial_redeemed_by_two_units_in_two_workers_clears_once_and_conflicts_once(build: Build) -> None:
    house = build(lanes=WORKERS)
    for lane in house.lanes:
        lane.redeem(7)
    workers = [house.ingest() for _ in house.lanes]
    acks = house.at_once(
        *(
            lambda worker=worker, lane=lane: worker.book(lane.batch(), lane.origin())
            for worker, lane in zip(workers, house.lanes, strict=True)
        )
    )
    assert [ack.status for ack in acks] == ["ok"] * WORKERS
    states = house.centre.query("SELECT state, count(*) FROM redemptions GROUP BY state ORDER BY state")
    assert states == [("cleared", 1), ("double", WORKERS - 1)]
    firsts = house.centre.query("SELECT DISTINCT first_epoch, first_seq FROM conflicts WHERE kind = 'double'")
    assert firsts == house.centre.query("SELECT epoch_id, seq FROM redemptions WHERE state = 'cleared'")
    assert house.centre.one("SELECT redeemed FROM campaigns") == 1


def test_sales_and_their_reversals_in_two_workers_while_two_more_settle_are_settled_once_each(build: Build) -> None:
    house = build(lanes=2)
    seller, taker = house.lanes
    sales = [number.to_bytes(16, "big") for number in range(1, 31)]
    for serial, sale in enumerate(sales, 1):
        seller.journal(Redeemed(seller.stamp(), 1, serial, 0, 1, "signed", seller.site, 1_000, 100, 1, sale=sale))
        taker.journal(Reversed(taker.stamp(), sale[::-1], sale, "refund", 0, taker.site))
    secret, over = house.centre.secret, threading.Event()

    def book(ingest: Ingest, lane: Lane) -> None:
        for number in range(1, len(lane) + 1):
            assert ingest.book(lane.batch(number, number), lane.origin()).status == "ok"

    def keep_settling(database: Database) -> None:
        while not over.is_set():
            settle.due(database, secret, NOW_MS)

    with ThreadPoolExecutor(4) as threads:
        settling = [threads.submit(keep_settling, house.database()) for _ in range(2)]
        booking = [threads.submit(book, house.ingest(), lane) for lane in house.lanes]
        for one in booking:
            one.result()
        over.set()
        for one in settling:
            one.result()
    settle.due(house.database(), secret, NOW_MS)
    assert house.centre.query("SELECT state, count(*) FROM redemptions GROUP BY state") == [("restored", len(sales))]
    assert house.centre.one("SELECT redeemed FROM campaigns") == 0
    assert house.centre.one("SELECT count(*) FROM reversals WHERE due_ms IS NOT NULL") == 0
    assert house.centre.query("SELECT kind FROM conflicts") == []


def test_two_workers_that_book_one_batch_book_it_once(build: Build) -> None:
    house = build()
    lane = house.lanes[0]
    for serial in range(1, 21):
        lane.redeem(serial)
    batch, one, two = lane.batch(), house.ingest(), house.ingest()
    acks = house.at_once(
        lambda: one.book(batch, lane.origin()), lambda: two.book(batch, lane.origin()), over=locks.device(lane.name)
    )
    assert [(ack.status, ack.upto) for ack in acks] == [("ok", 20)] * 2
    assert house.centre.query("SELECT count(*), count(DISTINCT serial) FROM redemptions") == [(20, 20)]
    assert house.centre.one("SELECT redeemed FROM campaigns") == 20
    assert house.centre.one("SELECT count(*) FROM conflicts") == 0


def test_an_odd_batch_and_a_plain_one_of_other_units_both_count(build: Build) -> None:
    """The odd one is booked alone: it waits for the plain one, and the other way round."""
    house = build()
    plain, odd = house.lanes
    plain.redeem(1)
    odd.redeem(2)
    odd.cancel(b"q" * 16)
    one, two = house.ingest(), house.ingest()
    assert [ack.status for ack in house.at_once(
        lambda: one.book(plain.batch(), plain.origin()), lambda: two.book(odd.batch(), odd.origin())
    )] == ["ok", "ok"]  # fmt: skip
    assert house.centre.one("SELECT redeemed FROM campaigns") == 2


def _questions(house: House, count: int) -> list[tuple[Ask, str]]:
    """Different coupons of campaign 1, each asked about by a lane of its own."""
    database, keys = house.centre.office.database, house.centre.office.keys
    asked = []
    for number in range(count):
        given = database.unit(
            lambda connection: download.download(connection, keys, 1, None, proven=False, now_ms=NOW_MS)
        )
        assert isinstance(given, download.Given)
        asked.append((Ask(bytes([number + 1]) * 16, given.text.encode(), 0, 2_000), house.lanes[number].name))
    return asked


def test_two_workers_that_are_asked_for_the_last_use_of_a_limit_say_yes_once(build: Build) -> None:
    house = build(campaign(1, policy=Policy.ONLINE, cap=1), lanes=WORKERS)
    deciders = [(Decider(house.database()), *question) for question in _questions(house, WORKERS)]
    answers = house.at_once(
        *(lambda one=one, ask=ask, lane=lane: one.answer(ask, lane, NOW_MS) for one, ask, lane in deciders)
    )
    assert sum(isinstance(answer, Answer) and answer.granted for answer in answers) == 1
    assert house.centre.one("SELECT count(*) FROM questions WHERE state = 'granted'") == 1


def test_of_a_grant_to_one_lane_and_a_yes_to_another_the_last_use_goes_to_one(build: Build) -> None:
    house = build(campaign(1, policy=Policy.LEASE, cap=1))
    (ask, asker), holder = _questions(house, 1)[0], house.lanes[1]
    decider = Decider(house.database())
    lessor = Lessor(house.database(), house.centre.incarnation, ())
    wanted = AskLease(house.centre.incarnation, holder.epoch, [Held(POT, NOTHING, Amount(1))])

    def granted() -> bool:
        (told,) = lessor.answer(wanted, holder.name, NOW_MS)
        assert isinstance(told.command, Grants)
        return told.command.parts[0].granted == Amount(1)

    def answered() -> bool:
        answer = decider.answer(ask, asker, NOW_MS)
        return isinstance(answer, Answer) and answer.granted

    assert sorted(house.at_once(granted, answered)) == [False, True]
    with house.centre.office.database.read() as connection:
        stand = leases.find(connection, POT)
        assert stand is not None
        assert stand.promised.count + leases.held(connection, POT).count == 1


def _held_at_the_end(house: House) -> AbstractContextManager[object]:
    """Nobody can end a booking: the last thing that it does is to count up the sites' logs."""
    return _holding(house.server, house.name, "SELECT 1 FROM feeds FOR UPDATE")


@contextmanager
def _holding(server: Postgres, name: str, statement: LiteralString) -> Iterator[None]:
    with server.connect(name) as session, session.transaction():
        session.execute(statement)
        yield


def test_a_worker_whose_session_is_ended_in_the_middle_has_lost_and_doubled_nothing(build: Build) -> None:
    house = build()
    lane, worker = house.lanes[0], house.ingest()
    for serial in range(1, 21):
        lane.redeem(serial)
    with ThreadPoolExecutor(1) as pool, _held_at_the_end(house):
        booking = pool.submit(worker.book, lane.batch(), lane.origin())
        house.server.wait_until_blocked(1)
        assert house.centre.one("SELECT count(*) FROM facts") == 0, "nobody sees what is not committed"
        assert house.server.end_blocked() == 1
        with pytest.raises(StorageError) as caught:
            booking.result(30)
    assert caught.value.reason is StorageReason.GONE
    assert house.centre.query("SELECT count(*) FROM facts") == [(0,)]
    assert worker.book(lane.batch(), lane.origin()).upto == 20, "the unit sends it again, to the same worker"
    assert house.ingest().book(lane.batch(), lane.origin()).upto == 20
    assert house.centre.query("SELECT count(*), count(DISTINCT serial) FROM redemptions") == [(20, 20)]
    _whole(house.centre)


def test_two_that_wait_for_each_other_are_untangled_and_both_count(build: Build) -> None:
    """A deadlock that no order of ours prevents: the server ends one of the two, and its work is done once more."""
    house = build()
    one, two, met = house.database(), house.database(), threading.Barrier(2)
    tries: list[str] = []

    def work(database: Database, first: str, second: str) -> None:
        def change(connection: Connection) -> None:
            tries.append(first)
            connection.execute(text("UPDATE sites SET title = title || 'x' WHERE name = :name"), {"name": first})
            with suppress(threading.BrokenBarrierError):
                met.wait(5 if len(tries) <= 2 else 0)
            connection.execute(text("UPDATE sites SET title = title || 'y' WHERE name = :name"), {"name": second})

        database.unit(change)

    with ThreadPoolExecutor(2) as pool:
        for running in [pool.submit(work, one, "shop-1", "shop-2"), pool.submit(work, two, "shop-2", "shop-1")]:
            assert running.exception(30) is None
    assert len(tries) == 3
    titles = house.centre.query("SELECT title FROM sites ORDER BY name")
    assert [sorted(str(title)[-2:]) for (title,) in titles] == [["x", "y"]] * 2


def _whole(centre: Centre) -> None:
    """Every sum is what its rows say."""
    counted = centre.one("SELECT count(*) FROM redemptions WHERE state IN ('cleared', 'late')")
    assert centre.one("SELECT sum(redeemed) FROM campaigns") == counted
    assert centre.one("SELECT sum(upto) FROM epochs") == centre.one("SELECT count(*) FROM facts")
    assert centre.one("SELECT coalesce(sum(count), 0) FROM change_log") == centre.one("SELECT sum(head) FROM feeds")


def _sum_is(counts: dict[str, int], enough: int) -> bool:
    return sum(counts.values()) >= enough


def test_PostgreSQL_restarted_under_load_keeps_what_was_acknowledged_and_the_rest_is_booked_once(
    tmp_path: Path,
) -> None:
    if programs() is None:
        pytest.skip(MISSING)
    server = Postgres()
    server.start()
    server.make_template()
    before = Centre.databases
    house = House(server, tmp_path, campaign(1), lanes=WORKERS)
    batches, size = 40, 5
    for number, lane in enumerate(house.lanes):
        for serial in range(1, batches * size + 1):
            lane.redeem(serial if serial % 10 == 0 else number * 10_000 + serial)  # one in ten is used everywhere
    acknowledged: dict[str, int] = {}
    troubles: list[StorageReason] = []

    def send(lane: Lane, worker: Ingest) -> None:
        """As a unit does: the same batch again until it is acknowledged."""
        for first in range(1, batches * size + 1, size):
            batch = lane.batch(first, first + size - 1)
            for _ in range(600):
                try:
                    ack = worker.book(batch, lane.origin())
                except StorageError as error:
                    troubles.append(error.reason)
                    pause.wait(0.05)
                else:
                    assert ack.status == "ok"
                    acknowledged[lane.name] = ack.upto
                    break
            else:
                raise AssertionError("it never came back")

    pause = threading.Event()
    try:
        with ThreadPoolExecutor(WORKERS) as pool:
            running = [pool.submit(send, lane, house.ingest()) for lane in house.lanes]
            for turn in (1, 2):
                enough = turn * batches * size * WORKERS // 3
                wait_until(partial(_sum_is, acknowledged, enough), 60, "some to be acknowledged")
                server.crash()
                told = dict(acknowledged)
                server.start()
                with server.connect(house.name) as session:
                    query = "SELECT d.name, e.upto FROM epochs e JOIN devices d ON d.id = e.device_id"
                    kept = {str(name): int(str(upto)) for name, upto in session.execute(query)}
                assert all(kept[name] >= upto for name, upto in told.items()), "what was acknowledged is gone"
            for one in running:
                one.result(60)
        assert StorageReason.GONE in troubles
        total = batches * size
        assert house.centre.query("SELECT count(*) FROM facts") == [(WORKERS * total,)]
        assert house.centre.one("SELECT count(*) FROM redemptions WHERE state = 'double'") == (
            (WORKERS - 1) * total // 10
        )
        _whole(house.centre)
    finally:
        house.close()
        server.close()
        Centre.databases = staticmethod(before)
