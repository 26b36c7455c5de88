"""The centre and codes of the trade, moving codes and cards: what it answers, gives out and tells the units."""

from __future__ import annotations

import secrets
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import pytest
from nacl.signing import SigningKey

from central import snapshot
from central.coupons import cards, download, issue, persons
from central.coupons.download import Given, No
from central.decide import Decider
from loyalty.barcode import moving, own
from loyalty.barcode.instore import BarcodeSettings, CodeRule, Means
from loyalty.barcode.instore import shop as shop_codes
from loyalty.barcode.kinds import Own
from loyalty.barcode.trade import serial_number
from loyalty.campaign import Campaign, Policy
from loyalty.check_digit import check_digit
from loyalty.reason import Reason
from tests.unit.central.central_kit import NOW_MS, Centre, Lane, campaign
from wire import sealing
from wire.facts import Redeemed
from wire.messages import Answer, Ask, Change, PutCard, decode

GCN = "4912345678904"
PHONE = SigningKey(b"p" * 32)
STEP = NOW_MS // 15_000
HASH = persons.hash_password("secret")


class Shop:
    """A centre with coupons of the trade, and two lanes."""

    def __init__(self, folder: Path) -> None:
        self.centre = Centre(
            folder,
            campaign(1, policy=Policy.ONLINE, trade=f"gcn:{GCN}", cap=2),
            campaign(2, policy=Policy.ONLINE, moving=True),
            campaign(3, policy=Policy.ONLINE, needs_card=True),
            campaign(4, policy=Policy.SIGNED, serials=False, moving=True),
            campaign(5, policy=Policy.ONLINE, trade="offer:0614141:654321", serials=False, cap=9),
            campaign(6, policy=Policy.ONLINE, trade="store:99123456", serials=False, cap=9),
        )
        self.one, self.two = Lane("lane-1", "ginza"), Lane("lane-2", "shinjuku")
        self.centre.enrol(self.one, self.two)
        rules = BarcodeSettings(rules=(CodeRule(means=Means.COUPON, pattern="99iiiiiiyyyyc"),))
        self.decider = Decider(self.centre.office.database, shop_codes(rules, 540))
        with self.centre.office.database.write() as connection:
            self.her = persons.add(connection, "BBB", HASH, NOW_MS)

    def give(self, number: int, phone: bytes = b"", person: persons.Person | None = None) -> Given | No:
        with self.centre.office.database.write() as connection:
            return download.download(
                connection, self.centre.office.keys, number, person, proven=True, now_ms=NOW_MS, phone=phone
            )

    def ask(self, lane: Lane, text: str, format: str = "", *, late_ms: int = 0) -> Answer:
        question = Ask(secrets.token_bytes(16), text.encode(), 0, 2_000, format)
        answer = self.decider.answer(question, lane.name, NOW_MS + late_ms)
        assert isinstance(answer, Answer)
        return answer


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    shop = Shop(tmp_path / "centre")
    yield shop
    shop.centre.close()


def given(answer: Given | No) -> Given:
    assert isinstance(answer, Given), answer
    return answer


def test_K9_a_serial_of_the_trade_counts_once_and_the_cap_holds(shop: Shop) -> None:
    assert shop.ask(shop.one, f"255{GCN}000123", "gs1_128").granted
    assert shop.ask(shop.two, f"255{GCN}000123", "gs1_128").reason == Reason.BUSY  # held for the other lane
    assert shop.ask(shop.two, f"255{GCN}000124", "gs1_128").granted
    assert shop.ask(shop.two, f"255{GCN}000125", "gs1_128").reason == Reason.CAP_REACHED


def test_K6_a_redeemed_serial_of_the_trade_is_used(shop: Shop) -> None:
    shop.one.journal(
        Redeemed(
            shop.one.stamp(), 1, serial_number("000123"), 0, 1, "online", "ginza", 0, 100, 0, secrets.token_bytes(16)
        )
    )
    shop.centre.book(shop.one)
    answer = shop.ask(shop.two, f"255{GCN}000123", "gs1_128")
    assert (answer.reason, answer.site) == (Reason.USED, "ginza")


@pytest.mark.parametrize(("text", "format", "reason"), [
    (f"255{GCN}000123", "code128", Reason.NOT_A_COUPON),  # no GS1 symbol
    (f"255{GCN}", "gs1_128", Reason.NOT_DOWNLOADED),  # a copy without a serial
    (f"255{GCN[:-1]}5000123", "gs1_128", Reason.CHECK_DIGIT),
    ("2559501101530003000123", "gs1_128", Reason.UNKNOWN_CAMPAIGN),
    (f"255{GCN}000123\x1d17200101", "gs1_128", Reason.EXPIRED),
    ("8018491234567890123451", "gs1_128", Reason.NOT_A_COUPON),
])  # fmt: skip
def test_K5_the_centre_reads_a_code_of_the_trade_as_a_unit_does(
    shop: Shop, text: str, format: str, reason: Reason
) -> None:
    assert shop.ask(shop.one, text, format).reason == reason


def test_what_only_the_unit_sees_it_has_looked_at_before_it_asks(shop: Shop) -> None:
    paper = "8110" + "10614141" + "654321" + "3500" + "12" + "0" + "234" + "6" + "1" + "4912345"
    assert shop.ask(shop.one, paper, "databar_expanded").granted


def test_the_shops_own_codes_are_read_by_the_centres_table(shop: Shop) -> None:
    digits = "99" + "123456" + "0300"
    assert shop.ask(shop.one, digits + str(check_digit(digits)), "ean13").granted


def test_a_code_of_the_trade_is_not_downloaded(shop: Shop) -> None:
    assert shop.give(1) is No.NO_DOWNLOAD


def test_a_campaign_is_found_by_its_newest_code(shop: Shop) -> None:
    with shop.centre.office.database.write() as connection:
        newer = campaign(9, policy=Policy.OPEN, serials=False, trade=f"gcn:{GCN}")
        issue.issue(connection, newer, NOW_MS)
        found = issue.found_by(connection, f"gcn:{GCN}")
        assert found is not None
        assert found.campaign.id == 9
        assert issue.found_by(connection, "gcn:1") is None


# --- moving codes ----------------------------------------------------------------------------------------------------


def test_K3_a_moving_coupon_is_given_to_the_phone_that_says_its_key(shop: Shop) -> None:
    assert shop.give(2) is No.NEEDS_PHONE
    assert shop.give(2, b"too short") is No.NEEDS_PHONE
    coupon = given(shop.give(2, PHONE.verify_key.encode(), shop.her))
    assert len(coupon.text) == moving.TICKET_CHARS
    read = own.parse(moving.show(coupon.text, PHONE, STEP).encode())
    assert isinstance(read, Own)
    assert read.coupon.holder == shop.her.holder
    assert own.genuine(read, shop.centre.office.keys.coupon(read.coupon.key).verify_key.encode())


def test_K3_each_phone_gets_a_ticket_of_its_own(shop: Shop) -> None:
    other = SigningKey(b"q" * 32)
    one = given(shop.give(4, PHONE.verify_key.encode()))
    two = given(shop.give(4, other.verify_key.encode()))
    assert one.text != two.text
    with pytest.raises(ValueError, match="another phone"):
        moving.show(one.text, other, STEP)


@pytest.mark.parametrize(("late_ms", "reason"), [(0, "ok"), (40_000, "ok"), (60_000, "stale"), (-30_000, "stale")])
def test_K5_the_centre_takes_no_screenshot_for_a_moving_code(shop: Shop, late_ms: int, reason: str) -> None:
    """It allows for the time that the question was on its way."""
    ticket = given(shop.give(2, PHONE.verify_key.encode())).text
    assert shop.ask(shop.one, moving.show(ticket, PHONE, STEP), "qr", late_ms=late_ms).reason == reason
    assert shop.ask(shop.one, ticket, "qr").reason == Reason.INCOMPLETE


# --- cards -----------------------------------------------------------------------------------------------------------


def test_the_unit_looks_at_the_card_and_the_centre_believes_it(shop: Shop) -> None:
    coupon = given(shop.give(3, person=shop.her))
    assert shop.ask(shop.one, coupon.text, "qr").granted
    assert shop.give(3) is No.NEEDS_PASSWORD  # bound to a card, it can't go to nobody


def test_units_hear_whose_card_it_is_and_that_it_is_nobodys_any_more(shop: Shop) -> None:
    secret, uid = shop.centre.office.keys.cache_secret(), bytes.fromhex("04a1b2c3d4e501")
    with shop.centre.office.database.write() as connection:
        cards.bind(connection, secret, shop.her, uid, NOW_MS)
        cards.bind(connection, secret, shop.her, uid, NOW_MS)  # the same again is nothing new
        him = persons.add(connection, "CCC", HASH, NOW_MS)
        cards.bind(connection, secret, him, uid, NOW_MS)
    hashed = sealing.card_hash(secret, uid)
    assert told(shop) == [PutCard(hashed, shop.her.holder), PutCard(hashed, him.holder)]
    assert in_snapshot(shop) == [PutCard(hashed, him.holder)]
    with shop.centre.office.database.write() as connection:
        assert cards.release(connection, secret, uid)
        assert not cards.release(connection, secret, uid)
    assert told(shop)[-1] == PutCard(hashed, 0)
    assert in_snapshot(shop) == []
    assert uid not in b"".join(change.card for change in told(shop))


def told(shop: Shop) -> list[PutCard]:
    """What was put into the log of every site."""
    bodies = shop.centre.query("SELECT changes FROM feed_bodies ORDER BY id")
    changes = [change for row in bodies for change in decode(cast(bytes, row[0]), list[Change])]
    return [change for change in changes if isinstance(change, PutCard)]


def in_snapshot(shop: Shop) -> list[PutCard]:
    with shop.centre.office.database.read() as connection, tempfile.TemporaryFile() as spool:
        spooled = snapshot.write(connection, "ginza", b"i" * 16, shop.centre.office.keys.cache_secret(), NOW_MS, spool)
        parts = list(snapshot.parts(spooled, spool))
    changes = [change for part in parts for change in decode(part.changes, list[Change])]
    return [change for change in changes if isinstance(change, PutCard)]


@pytest.mark.parametrize("uid", [b"", b"123", b"12345", b"x" * 11])
def test_what_can_be_no_UID_is_refused(shop: Shop, uid: bytes) -> None:
    with pytest.raises(cards.CardError), shop.centre.office.database.write() as connection:
        cards.bind(connection, b"s" * 32, shop.her, uid, NOW_MS)


def test_a_person_has_a_bounded_number_of_cards(shop: Shop) -> None:
    with shop.centre.office.database.write() as connection:
        for number in range(cards.CARDS_PER_PERSON_MAX):
            cards.bind(connection, b"s" * 32, shop.her, bytes((4, 0, 0, number)), NOW_MS)
        with pytest.raises(cards.CardError, match="let go"):
            cards.bind(connection, b"s" * 32, shop.her, bytes((4, 0, 1, 0)), NOW_MS)


def test_the_terms_of_a_campaign_are_what_the_issuer_meant(shop: Shop) -> None:
    with shop.centre.office.database.read() as connection:
        found = issue.get(connection, 1)
    assert found is not None
    assert isinstance(found.campaign, Campaign)
    assert found.campaign.found_by == f"gcn:{GCN}"
