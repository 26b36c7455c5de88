"""The stop list: what is on it counts nowhere, here and in every cache; what was used all the same is found."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from central import snapshot
from central.coupons import download, persons, stoplist
from central.coupons.stoplist import StopListError
from central.decide import Decider
from loyalty.campaign import Policy
from tests.unit.central.central_kit import NOW_MS, Centre, Lane, campaign
from wire import sealing
from wire.messages import Answer, Ask, DropRevoked, Feed, PullFeed, PutRevoked, decode


@pytest.fixture
def shop(tmp_path: Path, lane: Lane) -> Iterator[Centre]:
    centre = Centre(tmp_path / "shop", campaign(1), campaign(2, policy=Policy.ONLINE, first_number=500))
    centre.enrol(lane)
    with centre.office.database.write() as connection:
        persons.add(connection, "BBB", "no password", NOW_MS)
    yield centre
    centre.close()


def download_two(shop: Centre) -> download.Given:
    with shop.office.database.write() as connection:
        given = download.download(
            connection, shop.office.keys, 2, persons.find(connection, "BBB"), proven=False, now_ms=NOW_MS
        )
    assert isinstance(given, download.Given)
    return given


def ask(shop: Centre, lane: Lane, text: str, question: bytes) -> Answer:
    answer = Decider(shop.office.database).answer(Ask(question * 16, text.encode(), 0, 1_000), lane.name, NOW_MS)
    assert isinstance(answer, Answer)
    return answer


def fed(shop: Centre, lane: Lane) -> list[object]:
    found: list[object] = []
    for message in shop.desk._on_pull(lane.address, PullFeed(shop.incarnation, 0), NOW_MS):
        found += decode(shop.opened(message), Feed).changes
    return [change for change in found if isinstance(change, PutRevoked | DropRevoked)]


def test_K6_a_revoked_serial_is_told_to_every_cache_as_a_hash_and_taken_back_again(shop: Centre, lane: Lane) -> None:
    key = sealing.serial_hash(shop.secret, 1, 77)
    with shop.office.database.write() as connection:
        assert stoplist.revoke_serial(connection, shop.secret, 1, 77, "stolen", NOW_MS)
        assert not stoplist.revoke_serial(connection, shop.secret, 1, 77, "again", NOW_MS)
    assert fed(shop, lane) == [PutRevoked(key)]
    with shop.office.database.read() as connection:
        told = [c for c in snapshot.changes(connection, "ginza", shop.secret, NOW_MS) if isinstance(c, PutRevoked)]
        assert told == [PutRevoked(key)]
    with shop.office.database.write() as connection:
        stoplist.restore_serial(connection, shop.secret, 1, 77)
        with pytest.raises(StopListError):
            stoplist.restore_serial(connection, shop.secret, 1, 77)
    assert fed(shop, lane)[-1] == DropRevoked(key)


def test_K3_the_centre_obeys_its_own_list_by_serial_and_by_person(shop: Centre, lane: Lane) -> None:
    first, second = download_two(shop), download_two(shop)
    with shop.office.database.write() as connection:
        assert first.number is not None
        serial = stoplist.serial_of_number(connection, 2, first.number)
        assert serial == first.coupon.serial
        stoplist.revoke_serial(connection, shop.secret, 2, serial, "", NOW_MS)
    assert ask(shop, lane, first.text, b"1").reason == "revoked"
    assert ask(shop, lane, second.text, b"2").granted
    with shop.office.database.write() as connection:
        stoplist.revoke_person(connection, shop.secret, "BBB", "lost phone", NOW_MS)
    third = ask(shop, lane, second.text, b"3")
    assert (third.granted, third.reason) == (False, "revoked")


def test_K3_somebody_whose_phone_is_lost_is_given_nothing_more(shop: Centre) -> None:
    with shop.office.database.write() as connection:
        stoplist.revoke_person(connection, shop.secret, "BBB", "", NOW_MS)
        person = persons.find(connection, "BBB")
        refused = download.download(connection, shop.office.keys, 2, person, proven=False, now_ms=NOW_MS)
        assert refused is download.No.REVOKED
        stoplist.restore_person(connection, shop.secret, "BBB")
    assert download_two(shop).campaign.id == 2


def test_K6_a_use_after_it_was_revoked_is_booked_flagged_and_a_conflict_and_one_before_is_not(
    shop: Centre, lane: Lane
) -> None:
    with shop.office.database.write() as connection:
        holder = persons.find(connection, "BBB")
        assert holder is not None
        stoplist.revoke_serial(connection, shop.secret, 1, 1, "", NOW_MS)
        stoplist.revoke_person(connection, shop.secret, "BBB", "", NOW_MS)
    lane.redeem(1, at_ms=NOW_MS - 1)
    lane.redeem(2, holder=holder.holder, at_ms=NOW_MS)
    lane.redeem(3, at_ms=NOW_MS)
    shop.book(lane)
    assert shop.query("SELECT serial, kind, amount_yen FROM conflicts") == [(2, "revoked", 100)]
    assert shop.one("SELECT count(*) FROM redemptions WHERE state = 'cleared'") == 3


def test_what_was_never_given_out_can_not_be_revoked_by_mistake(shop: Centre) -> None:
    with shop.office.database.write() as connection:
        with pytest.raises(StopListError, match="no serial"):
            stoplist.revoke_serial(connection, shop.secret, 9, 1, "", NOW_MS)
        with pytest.raises(StopListError, match="no serial"):
            stoplist.revoke_serial(connection, shop.secret, 1, 2**64, "", NOW_MS)
        with pytest.raises(StopListError, match="nobody"):
            stoplist.revoke_person(connection, shop.secret, "ZZZ", "", NOW_MS)
        with pytest.raises(StopListError, match="never given out"):
            stoplist.serial_of_number(connection, 2, 7)
        assert stoplist.listed(connection) == []
