"""The stop list on a unit: it holds without the centre, at payment too, and a snapshot replaces it whole."""

from __future__ import annotations

import pytest

from edge_agent.core import events as ev
from edge_agent.core.states import Mode
from edge_agent.core.visit import Step
from edge_agent.store.store import Store
from loyalty.reason import Reason
from tests.unit.edge_agent.agent_world import OPEN, SECRET, SIGNED, Driver, code, scanned, world
from wire.messages import Change, DropRevoked, PutRevoked
from wire.sealing import holder_hash, serial_hash

LOST_SERIAL = PutRevoked(serial_hash(SECRET, 1, 11))
LOST_PHONE = PutRevoked(holder_hash(SECRET, 5))


def tell(store: Store, *changes: Change) -> None:
    incarnation, number = store.cache.position
    with store.transaction():
        store.cache.apply(list(changes), incarnation, number + len(changes))


def reason(step: Step) -> Reason | None:
    return step.verdict.reason if step.verdict else None


def test_K6_a_revoked_serial_and_everything_of_a_revoked_holder_are_refused(drive: Driver, store: Store) -> None:
    tell(store, LOST_SERIAL, LOST_PHONE)
    assert reason(drive(scanned(code(SIGNED, serial=11)))) is Reason.REVOKED
    assert reason(drive(scanned(code(SIGNED, serial=12, holder=5)))) is Reason.REVOKED
    assert reason(drive(scanned(code(OPEN, holder=5)))) is Reason.REVOKED
    assert reason(drive(scanned(code(SIGNED, serial=12, holder=6)))) is Reason.OK
    assert store.journal.position == 1


def test_K6_what_is_taken_off_the_list_counts_again(drive: Driver, store: Store) -> None:
    tell(store, LOST_SERIAL, LOST_SERIAL, DropRevoked(LOST_SERIAL.key), DropRevoked(LOST_PHONE.key))
    assert reason(drive(scanned(code(SIGNED, serial=11)))) is Reason.OK


def test_K6_a_coupon_that_is_revoked_while_it_is_reserved_does_not_redeem(store: Store) -> None:
    lane = Driver(store, Mode.LANE)
    lane(ev.BasketOpened(spend_yen=3_000))
    lane(scanned(code(SIGNED, serial=11)))
    lane(scanned(code(SIGNED, serial=12, holder=5)))
    lane(scanned(code(SIGNED, serial=13)))
    tell(store, LOST_SERIAL, LOST_PHONE)
    paid = lane(ev.BasketPaid())
    assert [fact.serial for fact in paid.facts] == [13]  # type: ignore[union-attr]


def test_K9_a_snapshot_replaces_the_list_with_its_last_part_and_not_before(drive: Driver, store: Store) -> None:
    tell(store, LOST_SERIAL)
    with store.transaction():
        store.cache.start_snapshot(100)
        store.cache.stage([*world(), LOST_PHONE])
    assert store.cache.revoked(LOST_SERIAL.key, b"")
    assert not store.cache.revoked(b"", LOST_PHONE.key)
    with store.transaction():
        store.cache.finish_snapshot(b"i" * 16, 9)
    assert not store.cache.revoked(LOST_SERIAL.key, b"")
    assert store.cache.revoked(b"", LOST_PHONE.key)
    assert reason(drive(scanned(code(SIGNED, serial=11)))) is Reason.OK


def test_K9_a_snapshot_that_is_given_up_leaves_nothing_behind(store: Store) -> None:
    others = [PutRevoked(serial_hash(SECRET, 1, serial)) for serial in range(20, 30)]
    for rows in ([*others, LOST_SERIAL, LOST_PHONE], [LOST_PHONE]):
        with store.transaction():
            while not store.cache.start_snapshot(1):
                pass
            store.cache.stage([*world(), *rows])
    with store.transaction():
        store.cache.finish_snapshot(b"i" * 16, 9)
    assert store.cache.revoked(LOST_PHONE.key, b"")
    assert not any(store.cache.revoked(one.key, b"") for one in [*others, LOST_SERIAL])


@pytest.mark.parametrize("rows_max", [1, 100])
def test_what_a_snapshot_replaced_goes_little_by_little(store: Store, rows_max: int) -> None:
    tell(store, LOST_SERIAL, LOST_PHONE)
    with store.transaction():
        store.cache.start_snapshot(100)
        store.cache.finish_snapshot(b"i" * 16, 9)
    for _ in range(3):
        with store.transaction():
            store.cache.empty_old(rows_max)
    assert store.connection.row("SELECT count(*) FROM revoked") == (0,)
