"""What both kinds of database promise: alone, beside others, one view, durable; and what their errors mean."""

from __future__ import annotations

from collections.abc import Iterator
from threading import Thread

import pytest
from sqlalchemy import Connection, text

from central.db import locks
from central.db.database import TRIES_MAX, Database, StorageError, StorageReason
from central.touch import EVERYTHING, of
from loyalty.lease import POINTS
from tests.postgres import Postgres
from tests.servers import free_port
from tests.unit.central.central_kit import Centre, Lane
from wire.facts import Cancelled, Earned, Redeemed, Spent, encode_fact


@pytest.fixture
def other(centre: Centre) -> Iterator[Database]:
    """Another process's view of the same database."""
    database = Database(centre.settings.url)
    yield database
    database.close()


def _titles(connection: Connection) -> list[str]:
    return list(connection.execute(text("SELECT title FROM sites")).scalars())


def _retitle(connection: Connection, title: str) -> None:
    connection.execute(text("UPDATE sites SET title = :title"), {"title": title})


def test_a_transaction_that_raises_has_changed_nothing(centre: Centre) -> None:
    def fail(connection: Connection) -> None:
        _retitle(connection, "x")
        raise LookupError

    def write() -> None:
        with centre.office.database.write() as connection:
            fail(connection)

    with pytest.raises(LookupError):
        write()
    with pytest.raises(LookupError):
        centre.office.database.unit(fail)
    assert centre.query("SELECT title FROM sites") == [("ginza",)]


def test_a_read_sees_one_state_whatever_is_committed_meanwhile(centre: Centre, other: Database) -> None:
    with centre.office.database.read() as connection:
        assert _titles(connection) == ["ginza"]
        with other.write() as writer:
            _retitle(writer, "x")
        assert _titles(connection) == ["ginza"]
    with centre.office.database.read() as connection:
        assert _titles(connection) == ["x"]


def test_a_write_is_alone_and_the_next_one_sees_what_it_left(centre: Centre, other: Database) -> None:
    seen: list[list[str]] = []

    def later() -> None:
        with other.write() as connection:
            seen.append(_titles(connection))

    waiting = Thread(target=later)
    with centre.office.database.write() as connection:
        waiting.start()
        waiting.join(0.3)
        assert waiting.is_alive(), "it did not wait"
        _retitle(connection, "x")
    waiting.join(10)
    assert seen == [["x"]]


def test_work_is_done_again_where_two_met_and_given_up_in_the_end(centre: Centre) -> None:
    tried: list[int] = []

    def work(connection: Connection) -> int:
        _retitle(connection, f"try {len(tried)}")
        tried.append(1)
        if len(tried) < 3:
            raise StorageError(StorageReason.RACE, "a deadlock")
        return 7

    assert centre.office.database.unit(work) == 7
    assert centre.query("SELECT title FROM sites") == [("try 2",)]

    def hopeless(_connection: Connection) -> None:
        tried.append(1)
        raise StorageError(StorageReason.RACE, "a deadlock")

    tried.clear()
    with pytest.raises(StorageError):
        centre.office.database.unit(hopeless)
    assert len(tried) == TRIES_MAX


def test_a_constraint_is_a_conflict(centre: Centre) -> None:
    with pytest.raises(StorageError) as caught, centre.office.database.write() as connection:
        connection.execute(text("INSERT INTO sites (name, title) VALUES ('ginza', '')"))
    assert caught.value.reason is StorageReason.CONFLICT


@pytest.mark.parametrize("url", ["mysql://x/y", "not a url", "sqlite://"])
def test_a_database_that_the_centre_does_not_know_is_refused_in_words(database: str, url: str) -> None:
    assert database
    with pytest.raises(StorageError):
        Database(url)


def test_a_server_that_is_not_there_is_gone(database: str) -> None:
    assert database
    nobody = Database(f"postgresql://tokuten@127.0.0.1:{free_port()}/tokuten")
    with pytest.raises(StorageError) as caught, nobody.read():
        pass
    assert caught.value.reason is StorageReason.GONE
    nobody.close()


def test_commits_wait_for_the_disk_whatever_the_server_is_set_to(postgres: Postgres, database: str) -> None:
    assert database
    name = postgres.fresh()
    with postgres.connect() as session:
        session.execute(f'ALTER DATABASE "{name}" SET synchronous_commit = off')
    ours = Database(postgres.url(name))
    with ours.write() as connection:
        assert connection.exec_driver_sql("SHOW synchronous_commit").scalar() == "on"
    ours.close()
    postgres.drop(name)


def test_one_lock_lets_others_wait_that_touch_the_same_and_nobody_else(centre: Centre, postgres: Postgres) -> None:
    if not centre.office.database.on_server:
        return  # there is one writer at a time
    database, order = centre.office.database, list[str]()

    def after(thing: locks.Thing, name: str) -> Thread:
        def work(connection: Connection) -> None:
            locks.hold(connection, [thing])
            order.append(name)

        thread = Thread(target=database.unit, args=(work,))
        thread.start()
        return thread

    def first(connection: Connection) -> list[Thread]:
        locks.hold(connection, [locks.campaign(1), locks.device("lane-1")])
        same = after(locks.campaign(1), "same")
        postgres.wait_for_waiters(1)
        after(locks.campaign(2), "another").join(10)
        order.append("first")
        return [same]

    for thread in database.unit(first):
        thread.join(10)
    assert order == ["another", "first", "same"]


def test_what_a_batch_touches(lane: Lane) -> None:
    use = encode_fact(Redeemed(lane.stamp(), 5, 1, 9, 1, "signed", "ginza", 0, 100, 1))
    points = encode_fact(Earned(lane.stamp(), b"i" * 16, 3, 9, 10, "ginza", 1000))
    spent = encode_fact(Spent(lane.stamp(), b"i" * 16, 3, 9, 10, "ginza"))
    unit = locks.device("lane-1")
    assert of("lane-1", [use, use, points, b"no fact"]) == {unit, locks.campaign(5)}
    assert of("lane-1", [spent]) == {unit, locks.pot(POINTS, 3, 0), locks.pot(POINTS, 3, 9)}
    assert of("lane-1", [use, encode_fact(Cancelled(lane.stamp(), b"q" * 16, 5, 1))]) is EVERYTHING
    many = [
        encode_fact(Redeemed(lane.stamp(), 1 + number, 1, 9, 1, "signed", "ginza", 0, 100, 1))
        for number in range(locks.HELD_MAX)
    ]
    assert of("lane-1", many) is EVERYTHING
    assert of("lane-1", many[1:]) is not EVERYTHING


def test_a_server_that_only_reads_yet_is_gone_so_that_what_waits_is_tried_again(
    postgres: Postgres, database: str
) -> None:
    """One in recovery, or one that follows another."""
    assert database
    name = postgres.fresh()
    with postgres.connect() as session:
        session.execute(f'ALTER DATABASE "{name}" SET default_transaction_read_only = on')
    ours = Database(postgres.url(name))
    with pytest.raises(StorageError) as caught, ours.write() as connection:
        connection.execute(text("DELETE FROM hints"))
    assert caught.value.reason is StorageReason.GONE
    ours.close()
    postgres.drop(name)
