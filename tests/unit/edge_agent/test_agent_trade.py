"""A unit and the codes of the trade: found in its cache, held against its basket, used once by their serial."""

from __future__ import annotations

from itertools import count

import pytest

from edge_agent.core import events as ev
from edge_agent.core.effects import AskCentre
from edge_agent.core.machine import Core
from edge_agent.core.states import Mode
from edge_agent.core.visit import Step
from edge_agent.store.connection import Connection
from edge_agent.store.schema import STEPS, VERSION, prepare
from edge_agent.store.store import Store
from loyalty.barcode.instore import BarcodeSettings, CodeRule, Means, shop
from loyalty.barcode.trade import serial_number
from loyalty.basket import Basket, Line
from loyalty.campaign import Campaign, Kind, Policy
from loyalty.check_digit import check_digit
from loyalty.lease import CAMPAIGN, Amount, Pot
from loyalty.reason import Reason
from tests.unit.edge_agent.agent_world import Driver, scanned
from wire.facts import Redeemed
from wire.messages import PutCampaign

GCN = "4912345678904"
TEA = Campaign(
    id=20, name="お茶", kind=Kind.AMOUNT, amount_yen=500, policy=Policy.OPEN, provider="maker", serials=False,
    trade=f"gcn:{GCN}", value_in_code=True,
)  # fmt: skip
CAPPED = Campaign(
    id=21, name="先着", kind=Kind.AMOUNT, amount_yen=100, policy=Policy.ONLINE, provider="maker", cap=10,
    trade="gcn:9501101530003",
)  # fmt: skip
PAPER = Campaign(
    id=22, name="北米", kind=Kind.AMOUNT, amount_yen=400, policy=Policy.OPEN, provider="maker", serials=False,
    trade="offer:0614141:654321", value_in_code=True,
)  # fmt: skip
LEAFLET = Campaign(
    id=23, name="店内", kind=Kind.AMOUNT, amount_yen=1000, policy=Policy.OPEN, provider="shop", serials=False,
    trade="store:99123456", value_in_code=True,
)  # fmt: skip
PAPER_TEXT = b"8110" + b"10614141" + b"654321" + b"3500" + b"12" + b"0" + b"234"
GOODS = Basket((Line(gtin="0614141000012", yen=600, quantity=2, family="234"),))


def reason(step: Step) -> Reason | None:
    return step.verdict.reason if step.verdict else None


@pytest.fixture(autouse=True)
def _known(store: Store) -> None:
    with store.transaction():
        changes = [PutCampaign(campaign) for campaign in (TEA, CAPPED, PAPER, LEAFLET)]
        store.cache.apply(changes, b"i" * 16, 9)


def test_K5_a_coupon_number_gets_a_yes_with_the_value_that_it_says(drive: Driver) -> None:
    step = drive(scanned(f"255{GCN}\x1d3900300".encode(), "gs1_128"))
    (fact,) = step.facts
    assert reason(step) is Reason.OK
    assert isinstance(fact, Redeemed)
    assert (fact.campaign, fact.serial, fact.key) == (20, 0, 0)


def test_K5_a_linear_code_of_the_trade_wants_two_frames_and_a_strong_one_does_not(drive: Driver) -> None:
    text = f"255{GCN}\x1d3900300".encode()
    assert reason(drive(scanned(text, "databar_expanded", confirmed=False))) is Reason.UNCONFIRMED
    assert reason(drive(scanned(text, "gs1_datamatrix"))) is Reason.OK


@pytest.mark.parametrize(("text", "format", "expected"), [
    (b"2559501101530102", "gs1_128", Reason.UNKNOWN_CAMPAIGN),
    (b"0104912345678904", "gs1_qr", Reason.NOT_A_COUPON),  # a product
    (b"2554912345678905", "gs1_128", Reason.CHECK_DIGIT),
    (b"255491234567890", "gs1_128", Reason.INCOMPLETE),
    (b"2554912345678904\x1d17261331", "gs1_128", Reason.MISPRINTED),
    (b"2554912345678904", "code128", Reason.NOT_A_COUPON),  # no GS1 symbol, and nothing that claims to be one
    (b"8018491234567890123451", "gs1_128", Reason.NOT_A_COUPON),
])  # fmt: skip
def test_K5_what_is_no_coupon_of_ours_is_told_apart(drive: Driver, text: bytes, format: str, expected: Reason) -> None:
    step = drive(scanned(text, format))
    assert reason(step) is expected
    assert step.facts == ()


def test_K6_the_centre_is_asked_about_a_serial_with_the_symbol_it_stood_in(drive: Driver) -> None:
    drive(ev.LinkChanged(up=True))
    text = b"2559501101530003000123"
    step = drive(scanned(text, "gs1_128"))
    (ask,) = (effect for effect in step.effects if isinstance(effect, AskCentre))
    assert (ask.text, ask.format) == (text, "gs1_128")
    done = drive(ev.Answered(question=ask.question, granted=True, reason=Reason.OK))
    (fact,) = done.facts
    assert isinstance(fact, Redeemed)
    assert fact.serial == serial_number("000123")
    assert reason(drive(scanned(text, "gs1_128"))) is Reason.USED


def test_K5_a_paper_coupon_is_held_against_the_goods_in_the_basket(store: Store) -> None:
    drive = Driver(store, Mode.LANE)
    assert reason(drive(scanned(PAPER_TEXT, "databar_expanded"))) is Reason.NEEDS_BASKET
    drive(ev.BasketOpened(spend_yen=600))
    assert reason(drive(scanned(PAPER_TEXT, "databar_expanded"))) is Reason.NEEDS_BASKET  # the till does not say what
    drive(ev.BasketOpened(spend_yen=600, basket=Basket()))
    assert reason(drive(scanned(PAPER_TEXT, "databar_expanded"))) is Reason.NEEDS_GOODS
    drive(ev.BasketOpened(spend_yen=600, basket=GOODS))
    assert reason(drive(scanned(PAPER_TEXT, "databar_expanded"))) is Reason.RESERVED
    (fact,) = drive(ev.BasketPaid()).facts
    assert isinstance(fact, Redeemed)
    assert fact.discount_yen == 400  # the code says 500, the campaign allows 400
    assert drive.core.visit.basket is None


def test_K5_goods_that_are_put_back_before_payment_take_the_coupon_with_them(store: Store) -> None:
    drive = Driver(store, Mode.LANE)
    drive(ev.BasketOpened(spend_yen=600, basket=GOODS))
    drive(scanned(PAPER_TEXT, "databar_expanded"))
    drive(ev.BasketOpened(spend_yen=300, basket=Basket()))
    assert drive(ev.BasketPaid()).facts == ()


def test_K9_a_retailers_coupon_counts_in_a_shop_that_bears_its_number(store: Store) -> None:
    text = PAPER_TEXT + b"6" + b"1" + b"4912345"
    for retailers, expected in ((), Reason.WRONG_SHOP), (("4912345",), Reason.OK):
        ids = count(1)
        drive = Driver(store, Mode.LANE)
        drive.core = Core(
            site="shinjuku", mode=Mode.LANE, ask_wait_ms=3_000, new_id=lambda: next(ids).to_bytes(16, "big"),  # noqa: B023
            shop=shop(BarcodeSettings(retailers=retailers), 540),
        )  # fmt: skip
        drive(ev.BasketOpened(spend_yen=600, basket=GOODS))
        step = drive(scanned(text, "databar_expanded"))
        assert reason(step) is (Reason.RESERVED if expected is Reason.OK else expected)


def test_K5_a_coupon_of_the_shops_own_prefix_counts_where_its_rule_is_set(store: Store) -> None:
    digits = "99" + "123456" + "0300"
    text = (digits + str(check_digit(digits))).encode()
    plain, drive = Driver(store), Driver(store)
    assert reason(plain(scanned(text, "ean13"))) is Reason.NOT_A_COUPON
    rules = BarcodeSettings(rules=(CodeRule(means=Means.COUPON, pattern="99iiiiiiyyyyc"),))
    drive.core = Core(
        site="shinjuku", mode=Mode.KIOSK, ask_wait_ms=3_000, new_id=lambda: bytes(16), shop=shop(rules, 540)
    )
    step = drive(scanned(text, "ean13"))
    assert reason(step) is Reason.OK
    assert step.verdict is not None
    assert step.verdict.worth is not None
    assert step.verdict.worth.amount_yen == 300


def test_a_store_of_the_first_version_finds_its_campaigns_after_the_step_forward(store: Store) -> None:
    old = Connection(store.folder / "old.db")
    for statement in STEPS[0].split(";\n"):
        if statement.strip():
            old.execute(statement)
    old.execute("PRAGMA user_version=1")
    old.execute("INSERT INTO campaigns VALUES (4, '4912345678904', x'00')")
    prepare(old)
    assert old.row("PRAGMA user_version") == (VERSION,)
    assert old.row("SELECT id FROM campaigns WHERE found_by = '4912345678904'") == (4,)
    plan = old.row("EXPLAIN QUERY PLAN SELECT id FROM campaigns WHERE found_by = ? AND found_by <> ''", ("x",))
    assert plan is not None
    assert "campaigns_found_by" in str(plan[3])
    old.close()


LEASED = Campaign(
    id=24, name="先着", kind=Kind.AMOUNT, amount_yen=500, policy=Policy.LEASE, provider="maker", serials=False, cap=10,
    trade="gcn:9780201379624", value_in_code=True,
)  # fmt: skip


def part(store: Store, count_left: int) -> None:
    """This unit's part of the campaign's cap, as the centre would have granted it."""
    with store.transaction():
        store.cache.apply([PutCampaign(LEASED)], b"i" * 16, 10)
        store.parts.grant(Pot(CAMPAIGN, LEASED.id), Amount(count_left), None)


def test_a_code_that_anybody_can_print_counts_within_this_units_part_of_the_cap(store: Store) -> None:
    part(store, 2)
    drive = Driver(store)
    text = b"2559780201379624\x1d3900300"
    assert [reason(drive(scanned(text, "gs1_128"))) for _ in range(3)] == [Reason.OK, Reason.OK, Reason.NO_PART]


def test_what_is_promised_to_a_basket_is_not_promised_again(store: Store) -> None:
    part(store, 1)
    drive = Driver(store, Mode.LANE)
    drive(ev.BasketOpened(spend_yen=900, basket=Basket()))
    assert reason(drive(scanned(b"2559780201379624\x1d3900300", "gs1_128"))) is Reason.RESERVED
    other = drive(scanned(b"2559780201379624\x1d3900200", "gs1_128"))  # another copy, worth something else
    assert reason(other) is Reason.NO_PART
    assert len(drive(ev.BasketPaid()).facts) == 1
