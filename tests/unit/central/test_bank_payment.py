"""Payment by account without faults: who may, which coupon, how much, and the same question twice."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from sqlalchemy import event

from central.bank import accounts, book, selection, shops
from central.bank.accounts import AccountError
from central.bank.adapter import BankSilent, BankUnreached, Outcome
from central.bank.http_bank import HttpBank
from central.bank.selection import No, Selected
from central.bank.states import OPEN, TABLE, Happening, State, after
from central.coupons import download, stoplist
from central.coupons.issue import change
from central.db.schema import OPEN_PAYMENT
from loyalty.tax import Part, Price, Rounding
from simulator.bank.faults import Fault
from tests.bank_kit import FUNDS_YEN, LIMIT_MS, NUMBER, House, SandboxBank
from tests.servers import free_port
from tests.unit.central.central_kit import NOW_MS, Lane
from wire import topics
from wire.facts import Paid
from wire.messages import Answer, Ask, AskSettlement, Command, Settled, decode, encode


@pytest.fixture(scope="module")
def bank(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxBank]:
    bank = SandboxBank(tmp_path_factory.mktemp("bank"))
    bank.start()
    yield bank
    bank.stop()


@pytest.fixture
def house(tmp_path: Path, bank: SandboxBank) -> Iterator[House]:
    bank.fault(Fault.NONE, 0)
    house = House(tmp_path / "centre", bank)
    yield house
    house.close()


def test_B1_a_coupon_is_selected_ahead_of_time_and_is_downloaded_by_that(house: House) -> None:
    chosen = house.select(1)
    assert isinstance(chosen, Selected)
    assert (chosen.account, chosen.campaign.id) == (house.account, 1)
    with house.database.read() as connection:
        assert [one.id for one in selection.listed(connection, house.account)] == [chosen.id]
    assert house.centre.one("SELECT given_out FROM campaigns WHERE id = 1") == 1


def test_B1_a_coupon_that_was_downloaded_before_is_the_one_that_is_selected(house: House) -> None:
    with house.database.write() as connection:
        given = download.download(
            connection, house.centre.office.keys, 1, house.hanako, proven=True, now_ms=house.now_ms
        )
    assert isinstance(given, download.Given)
    chosen = house.select(1)
    assert isinstance(chosen, Selected)
    assert chosen.coupon.serial == given.coupon.serial
    again = house.select(1)
    assert isinstance(again, Selected)
    assert again.coupon.serial != given.coupon.serial, "that one is selected already"


@pytest.mark.parametrize(
    ("number", "why"),
    [(3, No.NOT_FOR_ACCOUNTS), (4, No.NO_DISCOUNT), (99, No.UNKNOWN)],
)
def test_B1_what_can_not_be_selected_is_refused_with_its_reason(house: House, number: int, why: No) -> None:
    assert house.select(number) is why
    assert all(selection.WORDS[why].values())


def test_B1_an_account_of_somebody_else_or_a_closed_one_takes_no_coupon(house: House) -> None:
    with house.database.write() as connection:
        accounts.close(connection, house.account, NOW_MS)
    assert house.select(1) is No.NO_ACCOUNT


def test_B1_no_more_than_twenty_coupons_are_selected_for_an_account(house: House) -> None:
    for _ in range(selection.SELECTED_MAX):
        assert isinstance(house.select(1), Selected)
    assert house.select(1) is No.FULL


def test_B1_what_is_not_wanted_any_more_is_dropped_by_its_person_alone(house: House) -> None:
    chosen = house.select(1)
    assert isinstance(chosen, Selected)
    with house.database.write() as connection:
        assert not selection.drop(connection, msgspec.structs.replace(house.hanako, id=999), chosen.id)
        assert selection.drop(connection, house.hanako, chosen.id)
    assert house.pay(house.request(1_100)).campaign == 0


def test_B5_a_liable_shop_debits_the_net_less_the_discount_and_its_tax(house: House) -> None:
    house.select(1)
    answer = house.pay(house.request(1_100))
    assert (answer.state, answer.price_yen, answer.discount_yen, answer.debit_yen) == (Settled.SETTLED, 1_100, 100, 990)
    assert answer.parts == [Part(1_000, 900, 90, 990, 100, 1_100)]
    assert house.bank.movements[-1] == 990
    assert house.bank.balance_yen == FUNDS_YEN - 990


def test_B4_a_shop_that_owes_no_tax_debits_the_price_less_the_discount(house: House) -> None:
    house.select(1)
    answer = house.pay(house.request(1_100), house.kanda)
    assert (answer.debit_yen, answer.parts) == (1_000, [Part(0, 1_000, 0, 1_000, 100, 1_100)])


def test_B3_a_shop_that_has_said_nothing_about_tax_takes_no_payment_by_account(house: House) -> None:
    (answer,) = house.ask(house.request(1_100), house.far)
    assert (answer.state, answer.reason) == (Settled.REFUSED, "wrong_shop")
    with house.database.write() as connection:
        shops.put(connection, "shinjuku", liable=True, rounding=Rounding.HALF_UP)
    assert house.pay(house.request(1_100), house.far).state is Settled.SETTLED


def test_B3_the_rounding_is_the_shops(house: House) -> None:
    house.select(1)
    request = house.request(1_000)  # tax in it: 90.9
    with house.database.write() as connection:
        shops.put(connection, "ginza", liable=True, rounding=Rounding.CEILING)
    answer = house.pay(request)
    assert answer.parts == [Part(1_000, 809, 81, 890, 100, 1_000)]  # 909 - 100, 80.9 up


def test_B3_of_several_coupons_the_one_that_saves_most_here_is_used(house: House) -> None:
    for number in (1, 2, 5, 6):
        house.select(number)
    small = house.pay(house.request(1_100))
    assert small.campaign == 2, "20 % of 1,000 is more than 100; 5 asks for 3,000 yen, 6 counts elsewhere"
    large = house.pay(house.request(4_400))
    assert (large.campaign, large.discount_yen) == (5, 300), "the one of 20 % is used up"


def test_B6_the_lane_is_told_settled_with_the_coupon_that_was_used(house: House) -> None:
    chosen = house.select(1)
    assert isinstance(chosen, Selected)
    answer = house.pay(house.request(1_100, 1_080))
    assert (answer.campaign, answer.serial, answer.holder) == (1, chosen.coupon.serial, house.hanako.holder)
    assert answer.revision == chosen.campaign.revision


def test_without_a_selected_coupon_the_full_price_is_paid(house: House) -> None:
    answer = house.pay(house.request(1_000, 540))
    assert (answer.state, answer.campaign, answer.debit_yen) == (Settled.SETTLED, 0, 1_540)


def test_points_that_pay_lower_what_is_debited_and_no_tax(house: House) -> None:
    house.select(1)
    answer = house.pay(house.request(1_100, points_yen=400))
    assert (answer.debit_yen, answer.points_yen, answer.parts[0].tax_yen) == (590, 400, 90)


def test_a_purchase_that_costs_nothing_any_more_is_settled_without_the_bank(house: House) -> None:
    before = house.bank.movements
    house.select(1)
    answer = house.pay(house.request(55))
    assert (answer.state, answer.debit_yen, answer.campaign) == (Settled.SETTLED, 0, 1)
    assert house.bank.movements == before


def test_the_same_question_twice_is_one_payment_with_the_same_answer(house: House) -> None:
    house.select(1)
    request = house.request(1_100)
    first = house.pay(request)
    before = house.bank.movements
    assert house.ask(request) == [first]
    assert house.ask(msgspec.structs.replace(request, wait_ms=1)) == [first]
    house.teller.pay(request.question)
    assert house.bank.movements == before


@pytest.mark.parametrize("changed", [{"lines": [Price(1_000, 1)]}, {"points_yen": 5}])
def test_another_purchase_under_the_same_name_is_refused(house: House, changed: dict[str, object]) -> None:
    request = house.request(1_100)
    house.pay(request)
    (answer,) = house.ask(msgspec.structs.replace(request, **changed))
    assert (answer.state, answer.reason) == (Settled.REFUSED, "not_now")


def test_a_payment_of_another_lane_is_not_told(house: House) -> None:
    request = house.request(1_100)
    house.pay(request)
    (answer,) = house.ask(request, house.kanda)
    assert (answer.state, answer.debit_yen) == (Settled.REFUSED, 0)


def test_an_unknown_account_is_refused_and_stays_refused(house: House) -> None:
    request = house.request(1_100, account=b"?" * 16)
    (answer,) = house.ask(request)
    assert (answer.state, answer.reason) == (Settled.REFUSED, "no_account")
    assert house.ask(request) == [answer]


def test_what_is_no_id_of_an_account_is_refused(house: House) -> None:
    for account in (b"", b"a" * 17, b"a" * 5_000):
        (answer,) = house.ask(house.request(1_100, account=account))
        assert (answer.state, answer.reason) == (Settled.REFUSED, "no_account")


def test_lack_of_funds_is_refused_and_lets_the_coupon_go(house: House) -> None:
    house.bank.fund(500)
    house.select(1)
    answer = house.pay(house.request(1_100))
    assert (answer.state, answer.reason) == (Settled.REFUSED, "no_funds")
    house.bank.fund(FUNDS_YEN)
    assert house.pay(house.request(1_100)).campaign == 1


def test_an_account_that_the_bank_does_not_know_is_refused(house: House) -> None:
    with house.database.write() as connection:
        strange = accounts.add(connection, house.centre.office.keys, house.hanako, "0009-999-0000000", NOW_MS)
    answer = house.pay(house.request(1_100, account=strange.id))
    assert (answer.state, answer.reason) == (Settled.REFUSED, "no_account")


def test_a_person_on_the_stop_list_pays_nothing(house: House) -> None:
    with house.database.write() as connection:
        stoplist.revoke_person(connection, house.centre.secret, "hanako", "lost card", NOW_MS)
    (answer,) = house.ask(house.request(1_100))
    assert (answer.state, answer.reason) == (Settled.REFUSED, "revoked")


def test_a_coupon_on_the_stop_list_is_passed_over(house: House) -> None:
    chosen = house.select(1)
    assert isinstance(chosen, Selected)
    with house.database.write() as connection:
        stoplist.revoke_serial(connection, house.centre.secret, 1, chosen.coupon.serial, "", NOW_MS)
    assert house.pay(house.request(1_100)).debit_yen == 1_100


def test_a_campaign_that_no_longer_suits_is_passed_over(house: House) -> None:
    chosen = house.select(1)
    assert isinstance(chosen, Selected)
    with house.database.write() as connection:
        change(connection, msgspec.structs.replace(chosen.campaign, stopped=True))
    assert house.pay(house.request(1_100)).campaign == 0


@pytest.mark.parametrize("lines", [[Price(1_000, -1)], [Price(1_000, 99_999_999)] * 2, [Price(20_000, 1)]])
def test_a_purchase_that_can_not_be_is_refused(house: House, lines: list[Price]) -> None:
    (answer,) = house.ask(house.request(lines=lines))
    assert answer.state is Settled.REFUSED


def test_a_coupon_that_is_being_paid_with_counts_nowhere_else(house: House) -> None:
    chosen = house.select(1)
    assert isinstance(chosen, Selected)
    text = str(house.centre.one("SELECT text FROM coupons"))
    request = house.request(1_100)
    assert house.ask(request) == []
    for lane in (house.kanda, house.lane):  # also the lane itself, whose older questions are over otherwise
        answer = _ask_coupon(house, lane, text)
        assert (answer.granted, answer.reason) == (False, "busy")
    house.teller.pay(request.question)
    assert house.told()[0].state is Settled.SETTLED
    for lane in (house.kanda, house.lane):
        assert _ask_coupon(house, lane, text).reason == "used"
    assert house.payment(request.question).state is State.SETTLED


def test_a_coupon_that_another_lane_was_granted_is_not_paid_with(house: House) -> None:
    assert isinstance(house.select(1), Selected)
    text = str(house.centre.one("SELECT text FROM coupons"))
    assert _ask_coupon(house, house.kanda, text).granted
    assert house.pay(house.request(1_100)).campaign == 0


def _ask_coupon(house: House, lane: Lane, text: str) -> Answer:
    ask = Ask(secrets.token_bytes(16), text.encode(), 1_100, 2_000)
    (sent,) = house.centre.desk.handle(lane.address.topic(topics.UP_REQ), encode(ask), house.now_ms)
    answer: Answer = decode(house.centre.opened(sent), Command)
    return answer


def test_the_lanes_own_fact_of_the_coupon_settles_it_without_a_flag(house: House) -> None:
    house.select(1)
    answer = house.pay(house.request(1_100))
    house.lane.redeem(
        answer.serial, holder=answer.holder, question=answer.question, policy="online",
        discount_yen=answer.discount_yen,
    )  # fmt: skip
    house.centre.book(house.lane)
    assert house.centre.query("SELECT state, flags FROM redemptions") == [("cleared", 0)]
    assert house.pay(house.request(1_100)).campaign == 0, "it is used"


def test_a_used_coupon_makes_room_for_another_selection(house: House) -> None:
    for _ in range(selection.SELECTED_MAX):
        house.select(1)
    house.pay(house.request(1_100))
    assert isinstance(house.select(1), Selected)


def test_no_log_and_no_table_tells_the_number_of_an_account(house: House, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    house.select(1)
    house.pay(house.request(1_100))
    house.bank.fault(Fault.NONSENSE)
    house.pay(house.request(1_100))
    house.mend()
    assert "7654321" not in caplog.text
    for file in (house.centre.settings.folder).glob("centre.db*"):
        assert b"7654321" not in file.read_bytes()
    with house.database.read() as connection:
        assert accounts.number(connection, house.centre.office.keys, house.account) == NUMBER
        assert [one.tail for one in accounts.of_person(connection, house.hanako)] == ["321"]


def test_an_account_that_can_not_be_is_refused_without_its_number(house: House) -> None:
    with house.database.write() as connection, pytest.raises(AccountError) as refused:
        accounts.add(connection, house.centre.office.keys, house.hanako, "12 34", NOW_MS)
    assert "12 34" not in str(refused.value)
    with house.database.write() as connection:
        for _ in range(accounts.ACCOUNTS_PER_PERSON_MAX - 1):
            accounts.add(connection, house.centre.office.keys, house.hanako, NUMBER, NOW_MS)
        with pytest.raises(AccountError, match="close one first"):
            accounts.add(connection, house.centre.office.keys, house.hanako, NUMBER, NOW_MS)


def test_from_every_open_state_a_payment_comes_to_an_end() -> None:
    ends = {State.SETTLED, State.REFUSED, State.VOID}
    assert set(OPEN) | ends == set(State)
    assert f"bank_settlements.state IN ({', '.join(repr(state.value) for state in OPEN)})" == OPEN_PAYMENT
    for state in OPEN:
        reached = {state}
        for _ in State:
            reached |= {step.to for step in TABLE if step.state in reached}
        assert reached & ends
    assert {step.to for step in TABLE if step.state in (State.REFUSED, State.VOID)} == set()
    with pytest.raises(KeyError):
        after(State.VOID, Happening.DEBITED)


@pytest.mark.only_sqlite
def test_what_is_open_and_what_is_used_is_found_without_reading_all_payments(house: House) -> None:
    """The clerk asks twice a second, and every question about a coupon asks as well."""
    plans: list[tuple[str, Any]] = []

    def keep(connection: object, _cursor: object, statement: str, parameters: Any, *_: object) -> None:
        if "bank_settlements" in statement and statement.startswith("SELECT"):
            plans.append((statement, parameters))

    event.listen(house.database.engine, "before_cursor_execute", keep)
    house.select(1)
    house.pay(house.request(1_100))
    house.teller.mend()
    house.ask(house.request(1_100))
    event.remove(house.database.engine, "before_cursor_execute", keep)
    assert len(plans) > 6
    with house.database.read() as connection:
        for statement, parameters in plans:
            plan = connection.exec_driver_sql("EXPLAIN QUERY PLAN " + statement, parameters).all()
            whole = [
                row for row in plan if row[3] == "SCAN bank_settlements"
            ]  # not: USING INDEX, which has the open ones
            assert not whole, statement


def test_a_step_is_made_once_and_only_from_where_it_begins(house: House) -> None:
    request, before = house.request(1_100), house.bank.movements
    house.ask(request)
    with house.database.write() as connection:
        assert book.move(connection, request.question, State.ASKED, Happening.BEGUN, NOW_MS)
        assert not book.move(connection, request.question, State.ASKED, Happening.BEGUN, NOW_MS)
    house.teller.pay(request.question)
    assert house.bank.movements == before, "somebody else asks the bank"


@pytest.mark.parametrize("fault", [Fault.NONSENSE, Fault.ANOTHERS, Fault.BROKEN, Fault.DROP_BEFORE, Fault.TRICKLE])
def test_an_answer_that_can_not_be_believed_is_none(bank: SandboxBank, fault: Fault) -> None:
    bank.fault(fault)
    with pytest.raises(BankSilent):
        HttpBank(bank.url).status(b"n" * 16, LIMIT_MS)
    assert HttpBank(bank.url).status(b"n" * 16, LIMIT_MS).outcome is Outcome.UNKNOWN


def test_a_bank_that_can_not_be_reached_was_told_nothing() -> None:
    with pytest.raises(BankUnreached):
        HttpBank(f"http://127.0.0.1:{free_port()}").debit(b"n" * 16, NUMBER, 1, LIMIT_MS)


@pytest.mark.parametrize("url", ["", "bank", "ftp://bank", "http://"])
def test_what_is_no_address_of_a_bank_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="no address of a bank"):
        HttpBank(url)


# --- the lane's word that it is over ------------------------------------------------------------------------


def _paid(house: House, request: AskSettlement, debit_yen: int) -> None:
    fact = Paid(house.lane.stamp(), request.question, 1_100, debit_yen, "ginza")
    house.lane.journal(fact)
    ack = house.centre.book(house.lane, len(house.lane))
    assert (ack.status, ack.aside) == ("ok", 0)


def test_B6_what_a_lane_has_settled_is_not_taken_back_by_an_older_copy_of_its_disk(house: House) -> None:
    request = house.request(1_100)
    debit_yen = house.pay(request).debit_yen
    _paid(house, request, debit_yen)
    house.withdraw(request.question)
    house.mend()
    assert house.payment(request.question).state is State.SETTLED
    assert house.bank.movements[-1] == debit_yen
    assert house.centre.one("SELECT count(*) FROM conflicts") == 0


def test_B6_goods_that_were_given_for_a_payment_that_went_back_are_a_conflict_told_once(house: House) -> None:
    request = house.request(1_100)
    debit_yen = house.pay(request).debit_yen
    house.withdraw(request.question)
    _paid(house, request, debit_yen)
    _paid(house, request, debit_yen)
    house.mend()
    assert house.payment(request.question).state is State.VOID
    rows = house.centre.query("SELECT kind, amount_yen, site, state FROM conflicts")
    assert rows == [("unpaid", debit_yen, "ginza", "waits")]


def test_B6_a_payment_that_a_restored_book_has_lost_is_asked_about_and_entered(house: House) -> None:
    request = house.request(1_100)
    debit_yen = house.pay(request).debit_yen
    with house.database.write() as connection:  # as an older copy has it
        connection.exec_driver_sql("DELETE FROM bank_settlements")
        connection.exec_driver_sql("DELETE FROM questions")
    _paid(house, request, debit_yen)
    house.mend()
    payment = house.payment(request.question)
    assert (payment.state, payment.debit_yen, payment.site) == (State.SETTLED, debit_yen, "ginza")
    assert house.bank.movements[-1] == debit_yen


def test_B6_a_payment_that_its_lane_has_settled_is_not_given_up_when_the_lane_asks_for_the_next(house: House) -> None:
    request = house.request(1_100)
    debit_yen = house.pay(request).debit_yen
    with house.database.write() as connection:  # as an older copy has it
        connection.exec_driver_sql("DELETE FROM bank_settlements")
        connection.exec_driver_sql("DELETE FROM questions")
    _paid(house, request, debit_yen)
    assert house.payment(request.question).state is State.IN_DOUBT, "the bank is not asked yet"
    house.pay(house.request(500))
    house.mend()
    assert house.payment(request.question).state is State.SETTLED


@pytest.mark.parametrize(
    "wrong",
    [
        {"question": b"short"}, {"debit_yen": -1}, {"debit_yen": 10**12}, {"price_yen": -1}, {"site": ""},
        {"site": "a\0b"}, {"sale": b"x"},
    ],
)  # fmt: skip
def test_a_fact_of_a_payment_that_makes_no_sense_is_put_aside(house: House, wrong: dict[str, Any]) -> None:
    good = Paid(house.lane.stamp(), b"q" * 16, 1_100, 1_000, "ginza")
    house.lane.journal(msgspec.structs.replace(good, **wrong))
    assert house.centre.book(house.lane).aside == 1
