"""Questions that only the centre answers: one yes for a serial, cancelled and settled in any order."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

from central import leases, registry
from central.coupons import download, issue, keyring, persons
from central.coupons.download import Given
from central.decide import Decider, Elsewhere
from central.incarnation import begin_anew
from loyalty.campaign import Policy
from loyalty.lease import CAMPAIGN, Amount, Pot
from loyalty.reason import Reason
from tests.unit.central.central_kit import NOW_MS, Centre, Lane, campaign
from wire.messages import Answer, Ask, PullAck

POT = Pot(CAMPAIGN, 5)


class Shop:
    """A centre with an `online` coupon, and two lanes in two sites that ask about it."""

    def __init__(self, folder: Path) -> None:
        terms = (
            campaign(1, policy=Policy.ONLINE),
            campaign(2, policy=Policy.ONLINE, cap=1),
            campaign(3, policy=Policy.ONLINE, per_person=1),
            campaign(4, policy=Policy.ONLINE, shops=("ginza",)),
            campaign(5, policy=Policy.LEASE, cap=1),
        )
        self.centre = Centre(folder, *terms)
        self.one, self.two = Lane("lane-1", "ginza"), Lane("lane-2", "shinjuku")
        self.centre.enrol(self.one, self.two)
        self.decider = Decider(self.centre.office.database)

    def give(self, number: int = 1, person: persons.Person | None = None) -> Given:
        with self.centre.office.database.write() as connection:
            given = download.download(connection, self.centre.office.keys, number, person, proven=True, now_ms=NOW_MS)
        assert isinstance(given, Given)
        return given

    def ask(self, lane: Lane, text: str, question: bytes | None = None) -> Answer:
        return self.answered(Ask(question or secrets.token_bytes(16), text.encode(), 0, 2_000), lane.name)

    def answered(self, ask: Ask, lane: str) -> Answer:
        answer = self.decider.answer(ask, lane, NOW_MS)
        assert isinstance(answer, Answer), "nobody else has to be asked here"
        return answer


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    shop = Shop(tmp_path / "centre")
    yield shop
    shop.centre.close()


def test_K9_two_units_that_ask_for_the_same_coupon_get_one_yes(shop: Shop) -> None:
    given = shop.give()
    assert shop.ask(shop.one, given.text).granted
    refused = shop.ask(shop.two, given.text)
    assert (refused.granted, refused.reason) == (False, Reason.BUSY)


def test_the_same_question_again_has_the_same_answer(shop: Shop) -> None:
    given, question = shop.give(), secrets.token_bytes(16)
    first = shop.ask(shop.one, given.text, question)
    assert first.granted
    assert shop.ask(shop.one, given.text, question) == first
    assert shop.centre.one("SELECT count(*) FROM questions") == 1


def test_K6_the_redemption_settles_the_question_and_a_second_use_is_refused_as_used(shop: Shop) -> None:
    given, question = shop.give(), secrets.token_bytes(16)
    shop.ask(shop.one, given.text, question)
    shop.one.redeem(given.coupon.serial, question=question)
    shop.centre.book(shop.one)
    assert shop.centre.query("SELECT state FROM questions") == [("settled",)]
    assert shop.centre.query("SELECT state, flags FROM redemptions") == [("cleared", 0)]
    again = shop.ask(shop.two, given.text)
    assert (again.reason, again.at_ms, again.site) == (Reason.USED, NOW_MS, "ginza")


def test_a_cancel_frees_the_coupon_for_another_unit(shop: Shop) -> None:
    given, question = shop.give(), secrets.token_bytes(16)
    assert shop.ask(shop.one, given.text, question).granted
    shop.one.cancel(question, serial=given.coupon.serial)
    shop.centre.book(shop.one)
    assert shop.ask(shop.two, given.text).granted


def test_a_cancel_that_arrives_before_its_question_makes_it_refused(shop: Shop) -> None:
    given, question = shop.give(), secrets.token_bytes(16)
    shop.one.cancel(question, serial=given.coupon.serial)
    shop.centre.book(shop.one)
    late = shop.ask(shop.one, given.text, question)
    assert (late.granted, late.reason) == (False, Reason.NOT_NOW)
    assert shop.ask(shop.two, given.text).granted, "what was never granted holds nothing"


def test_a_unit_can_not_cancel_or_settle_another_units_question(shop: Shop) -> None:
    given, question = shop.give(), secrets.token_bytes(16)
    shop.ask(shop.one, given.text, question)
    shop.two.cancel(question, serial=given.coupon.serial)
    shop.centre.book(shop.two)
    assert shop.centre.query("SELECT state FROM questions") == [("granted",)]


def test_redeemed_and_cancelled_is_a_conflict_and_the_redemption_stands(shop: Shop) -> None:
    given, question = shop.give(), secrets.token_bytes(16)
    shop.ask(shop.one, given.text, question)
    shop.one.redeem(given.coupon.serial, question=question)
    shop.one.cancel(question, serial=given.coupon.serial)
    shop.centre.book(shop.one)
    assert shop.centre.query("SELECT state FROM redemptions") == [("cleared",)]
    assert shop.centre.query("SELECT kind FROM conflicts") == [("cancelled",)]


def test_a_unit_that_asks_again_about_its_own_coupon_is_not_blocked_by_its_older_question(shop: Shop) -> None:
    given = shop.give()
    assert shop.ask(shop.one, given.text).granted
    assert shop.ask(shop.one, given.text).granted
    assert shop.centre.query("SELECT state, count(*) FROM questions GROUP BY state ORDER BY state") == [
        ("cancelled", 1), ("granted", 1),
    ]  # fmt: skip


def test_held_coupons_count_towards_the_cap(shop: Shop) -> None:
    first, second = shop.give(2), shop.give(2)
    assert shop.ask(shop.one, first.text).granted
    assert shop.ask(shop.two, second.text).reason == Reason.CAP_REACHED


def test_what_a_lane_may_spend_alone_is_promised_to_nobody_else(shop: Shop) -> None:
    given = shop.give(5)
    with shop.centre.office.database.write() as connection:
        one = registry.find(connection, shop.one.name)
        assert one is not None
        leases.ensure(connection, campaign(5, policy=Policy.LEASE, cap=1), 0)
        granted, _ = leases.grant(connection, leases.Owner(one.id, shop.one.epoch), POT, Amount(1), NOW_MS)
    assert granted == Amount(1)
    answer = shop.decider.answer(Ask(b"q" * 16, given.text.encode(), 0, 2_000), shop.two.name, NOW_MS)
    assert isinstance(answer, Elsewhere)
    assert (answer.refusal.granted, answer.pot) == (False, POT)


def test_held_coupons_count_towards_the_limit_for_each_person(shop: Shop) -> None:
    with shop.centre.office.database.write() as connection:
        person = persons.add(connection, "BBB", "no hash", NOW_MS)
        issue.change(connection, campaign(3, policy=Policy.ONLINE, per_person=2))
    first, second = shop.give(3, person), shop.give(3, person)
    with shop.centre.office.database.write() as connection:
        issue.change(connection, campaign(3, policy=Policy.ONLINE, per_person=1))
    assert shop.ask(shop.one, first.text).granted
    assert shop.ask(shop.two, second.text).reason == Reason.PERSON_LIMIT


def test_K5_the_centre_checks_the_text_itself(shop: Shop) -> None:
    given = shop.give()
    forged = given.text[:-1] + ("A" if given.text[-1] != "A" else "B")
    assert shop.ask(shop.one, forged).reason in (Reason.NOT_GENUINE, Reason.DAMAGED)
    assert shop.ask(shop.one, given.text[:60]).reason == Reason.INCOMPLETE
    assert shop.ask(shop.one, "https://example.org").reason == Reason.NOT_A_COUPON
    assert shop.ask(shop.two, shop.give(4).text).reason == Reason.WRONG_SHOP
    with shop.centre.office.database.write() as connection:
        keyring.retire(connection, 1, NOW_MS)
    assert shop.ask(shop.one, given.text).reason == Reason.KEY_RETIRED


def test_a_genuine_coupon_that_was_never_given_out_is_refused(shop: Shop) -> None:
    given = shop.give()
    with shop.centre.office.database.write() as connection:
        connection.exec_driver_sql("DELETE FROM coupons")  # as after the restore of an older backup
    assert shop.ask(shop.one, given.text).reason == Reason.NOT_DOWNLOADED


def test_after_a_restore_nothing_is_granted_until_every_unit_has_reported(shop: Shop) -> None:
    given = shop.give()
    shop.one.redeem(99, campaign=2)
    with shop.centre.office.database.write() as connection:
        begin_anew(connection)
    ask_two = PullAck(shop.two.epoch, 0, shop.two.hashes[0])
    shop.centre.ingest.tell(ask_two, shop.two.origin())
    shop.centre.ingest.tell(PullAck(shop.one.epoch, 1, shop.one.hashes[1]), shop.one.origin())
    assert shop.ask(shop.two, given.text).reason == Reason.NOT_NOW, "lane-1 still holds a fact"
    shop.centre.book(shop.one)
    assert shop.ask(shop.two, given.text).granted


def test_a_unit_that_will_never_report_can_be_written_off(shop: Shop) -> None:
    given = shop.give()
    with shop.centre.office.database.write() as connection:
        begin_anew(connection)
        registry.write_off(connection, "lane-1")
        registry.write_off(connection, "lane-2")
    assert shop.ask(shop.two, given.text).granted


def test_odd_questions_are_refused_and_never_raise(shop: Shop) -> None:
    for text in ("", "\x00" * 4096, "TK1:", "TK1:" + "A" * 132, "4912345678904", "9" * 13):
        assert not shop.ask(shop.one, text).granted
    assert not shop.answered(Ask(b"short", b"x", 0, 0), "lane-1").granted
    assert not shop.answered(Ask(bytes(16), b"x", -5, 0), "nobody").granted
