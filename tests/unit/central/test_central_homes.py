"""Homes of serials at the centre: who keeps them, what lets a serial go, and words that come in any order."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from central import homes, registry
from central.coupons import download
from central.coupons.download import Given
from central.db.schema import Flag
from central.desk import Desk
from central.homes import HomeError
from loyalty.campaign import Policy
from loyalty.coupon import home_number
from tests.unit.central.central_kit import NOW_MS, Centre, Lane, campaign
from wire.facts import HomeLeft, KeeperLeft, Redeemed
from wire.messages import Conn, encode
from wire.topics import DN_CMD, ST_CONN, Address


class Street:
    """Two shops; the first one has two lanes, of which lane-1 keeps its home."""

    def __init__(self, folder: Path) -> None:
        self.centre = Centre(folder, campaign(1, policy=Policy.HOME))
        self.one, self.two, self.far = Lane("lane-1", "ginza"), Lane("lane-2", "ginza"), Lane("lane-3", "ueno")
        self.centre.enrol(self.one, self.two, self.far)
        for lane in (self.one, self.two, self.far):
            self.report(lane)
        self.given = self.give()

    def give(self, home: str = "ginza") -> Given:
        with self.centre.office.database.write() as connection:
            given = download.download(
                connection, self.centre.office.keys, 1, None, proven=True, now_ms=NOW_MS, home=home
            )
        assert isinstance(given, Given)
        return given

    @property
    def serial(self) -> int:
        return self.given.coupon.serial

    def report(self, lane: Lane) -> None:
        with self.centre.office.database.write() as connection:
            device = registry.find(connection, lane.name)
            assert device is not None
            homes.reported(connection, device, lane.epoch)

    def keeper(self, site: str = "ginza") -> tuple[str, bytes, int]:
        with self.centre.office.database.read() as connection:
            kept = homes.keeper(connection, homes.number_of(connection, site))
        assert kept is not None
        return kept.device, kept.epoch, kept.term

    def home(self) -> int:
        with self.centre.office.database.read() as connection:
            place = homes.place(connection, 1, self.serial)
        assert place is not None
        return place.home

    def let_go(self, lane: Lane, to: Lane | None, question: bytes = b"q" * 16) -> None:
        lane.journal(HomeLeft(lane.stamp(), question, 1, self.serial, to.name if to is not None else ""))

    def use(self, lane: Lane, question: bytes = b"q" * 16) -> None:
        lane.journal(Redeemed(lane.stamp(), 1, self.serial, 0, 1, "home", lane.site, 0, 0, 1, question))

    def flags(self) -> Flag:
        return Flag(int(str(self.centre.one("SELECT flags FROM redemptions"))))


@pytest.fixture
def street(tmp_path: Path) -> Iterator[Street]:
    street = Street(tmp_path / "centre")
    yield street
    street.centre.close()


def test_the_first_lane_of_a_site_that_reports_keeps_its_home(street: Street) -> None:
    assert street.keeper() == ("lane-1", street.one.epoch, 1)
    assert home_number(street.serial) == street.home()


@pytest.mark.parametrize("home_first", [True, False])
def test_a_serial_that_was_let_go_is_used_by_who_asked_in_whichever_order_it_is_told(
    home_first: bool, street: Street
) -> None:
    street.let_go(street.one, street.two)
    street.use(street.two)
    for lane in (street.one, street.two) if home_first else (street.two, street.one):
        street.centre.book(lane)
    assert street.flags() == Flag(0)
    assert street.home() == 0, "what is left of it lies with the centre"


def test_a_serial_that_nobody_let_go_is_flagged_where_it_was_used(street: Street) -> None:
    street.use(street.far)
    street.centre.book(street.far)
    assert Flag.NOT_GRANTED in street.flags()


def test_only_the_keeper_lets_a_serial_go(street: Street) -> None:
    street.let_go(street.two, street.far)
    street.centre.book(street.two)
    assert street.home() == home_number(street.serial)


def test_the_same_word_told_again_under_another_epoch_moves_nothing_back(street: Street) -> None:
    street.let_go(street.one, None)
    street.centre.book(street.one)
    with street.centre.office.database.write() as connection:
        assert homes.ask_to_move(connection, street.centre.secret, 1, street.serial, "ginza", b"m" * 16, NOW_MS)
    home = street.home()
    again = street.one.under_a_new_epoch(0, "salvaged")
    street.centre.book(again)
    assert street.home() == home != 0


def test_a_keeper_goes_on_under_a_new_epoch_when_all_it_brought_is_booked(street: Street) -> None:
    for _ in range(3):
        street.one.redeem(street.serial, campaign=1)
    street.centre.book(street.one)
    new = street.one.as_it_was(1).under_a_new_epoch(0, "fork")
    street.report(new)
    assert street.keeper() == ("lane-1", street.one.epoch, 1), "nothing of it is booked yet"
    street.centre.book(new, 1, 1)
    street.report(new)
    assert street.keeper()[2] == 1, "one fact of two is missing"
    street.centre.book(new, 2)
    street.report(new)
    assert street.keeper() == ("lane-1", new.epoch, 2)


def test_a_wiped_keeper_is_given_up_by_an_operator_alone(street: Street) -> None:
    street.one.redeem(street.serial)
    street.centre.book(street.one)
    wiped = Lane("lane-1", "ginza", street.one.key)
    wiped.redeem(1)
    street.centre.book(wiped)
    street.report(wiped)
    assert street.keeper()[2] == 1
    with street.centre.office.database.write() as connection:
        device = registry.find(connection, "lane-1")
        assert device is not None
        assert homes.write_off(connection, device.id)
    street.report(street.two)
    assert street.keeper() == ("lane-2", street.two.epoch, 2)


def test_a_keeper_who_asks_for_nothing_is_told_its_orders_all_the_same(street: Street) -> None:
    desk = Desk(street.centre.office, street.centre.office.witness.start())
    hello = encode(Conn(True, b"session."))
    for lane in (street.one, street.two, street.far):
        desk.handle(Address("demo", lane.site, lane.name).topic(ST_CONN), hello, NOW_MS)
    assert desk.orders() == []
    with street.centre.office.database.write() as connection:
        heir = registry.find(connection, "lane-2")
        assert heir is not None
        homes.hand_over(connection, "ginza", heir)
    (leave,) = desk.orders()
    assert leave.topic == Address("demo", "ginza", "lane-1").topic(DN_CMD)
    assert desk.orders() == [leave], "until it has left"
    with street.centre.office.database.write() as connection:
        secret = street.centre.office.keys.cache_secret()
        assert not homes.ask_to_move(connection, secret, 1, street.serial, "ueno", b"q" * 16, NOW_MS)
    assert len(desk.orders()) == 2
    desk.handle(Address("demo", "ginza", "lane-1").topic(ST_CONN), encode(Conn(False, b"session.")), NOW_MS)
    assert desk.orders() == [], "nobody is there to hear them"
    desk.close()


def test_a_home_handed_to_the_lane_that_keeps_it_waits_for_nobody(street: Street) -> None:
    with street.centre.office.database.write() as connection:
        one = registry.find(connection, "lane-1")
        assert one is not None
        homes.hand_over(connection, "ginza", one)
        assert homes.to_be_left(connection, one) is None
        assert homes.keepers_with_orders(connection) == []


def test_another_lane_keeps_a_home_once_the_present_one_has_left_it(street: Street) -> None:
    with street.centre.office.database.write() as connection:
        two, far = registry.find(connection, "lane-2"), registry.find(connection, "lane-3")
        assert two is not None
        assert far is not None
        with pytest.raises(HomeError, match="does not stand in ginza"):
            homes.hand_over(connection, "ginza", far)
        homes.hand_over(connection, "ginza", two)
    street.report(street.two)
    assert street.keeper()[0] == "lane-1", "it has not left yet"
    street.one.journal(KeeperLeft(street.one.stamp(), 1))
    street.centre.book(street.one)
    street.report(street.one)
    assert street.keeper()[0] == "", "it was promised to the other one"
    street.report(street.two)
    assert street.keeper() == ("lane-2", street.two.epoch, 2)
    street.one.journal(KeeperLeft(street.one.stamp(), 1))
    street.centre.book(street.one)
    assert street.keeper()[0] == "lane-2", "an old word of an old term"
