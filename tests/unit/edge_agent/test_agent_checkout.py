"""The till's sale in the core: priced with its coupons, paid once, and the same answer whenever it is asked again."""

from __future__ import annotations

from itertools import count
from pathlib import Path

import pytest

from edge_agent.core import events as ev
from edge_agent.core.effects import AskBank, SeekPart, Show, TellHint, TellTill, View, WriteCard
from edge_agent.core.receipt import SaleState, SaleView, TillAnswer, TillReason, tax_views
from edge_agent.core.states import Mode, State
from edge_agent.core.visit import Step
from edge_agent.store import sales as held
from edge_agent.store.store import Store
from hal.events import CardPresented
from hal.virtual.tag import Tag
from loyalty.basket import Line
from loyalty.campaign import Campaign, Kind, Policy
from loyalty.card import Balance
from loyalty.lease import POINTS, Amount, Pot
from loyalty.points import EarnRule, Programme, Rate
from loyalty.reason import Reason
from loyalty.tax import REDUCED_BP, Part
from tests.unit.edge_agent.agent_world import NOW_MS, ONLINE, OPEN, SECRET, SIGNED, Driver, code, moment, scanned
from tests.unit.edge_agent.test_agent_cards import HER, KEY, Place, member_card, points_on
from tests.unit.edge_agent.test_agent_pay_by_account import ACCOUNT, settled
from wire import sealing
from wire.facts import Bought, Cancelled, Earned, Outcome, Paid, Redeemed, Returned, Reversed, Spent
from wire.messages import Change, PutCampaign, PutCard, PutCardKey, PutProgramme, PutRule, Settled

SALE, OTHER = b"S" * 16, b"T" * 16
FIRST, SECOND = b"1" * 16, b"2" * 16
MIXED = (Line(gtin="4901234567894", yen=1_100), Line(gtin="", yen=540, rate_bp=REDUCED_BP))
SPENDS = Campaign(
    id=40, name="3000円以上", kind=Kind.AMOUNT, policy=Policy.SIGNED, provider="s", amount_yen=300, min_spend_yen=3_000
)
PROGRAMME = 5
POINTS_HERE = Programme(id=PROGRAMME, name="特典ポイント", sell=Rate(1))
RULE = EarnRule(programme=PROGRAMME, site="shinjuku", per_yen=100)

_replies = count(1)


def asks(act: ev.Act, sale: bytes = SALE) -> ev.TillAsks:
    return ev.TillAsks(reply=next(_replies), sale=sale, act=act)


def opens(lines: tuple[Line, ...] = MIXED, sale: bytes = SALE) -> ev.TillAsks:
    return asks(ev.OpenSale(lines=lines), sale)


def coupon(text: bytes) -> ev.TillAsks:
    return asks(ev.AddCoupon(text=text, format="qr"))


def pays(payment: bytes = FIRST, tender: ev.Tender = ev.Tender.CASH, **terms: object) -> ev.TillAsks:
    return asks(ev.PaySale(payment=payment, tender=tender, **terms))  # type: ignore[arg-type]


def told(step: Step) -> TillAnswer:
    (answer,) = [effect.answer for effect in step.effects if isinstance(effect, TellTill)]
    return answer


def view(step: Step) -> SaleView:
    answer = told(step)
    assert answer.refusal is None
    assert answer.sale is not None
    return answer.sale


def refusal(step: Step) -> TillReason | None:
    return told(step).refusal


@pytest.fixture
def lane(store: Store) -> Driver:
    with store.transaction():
        changes: list[Change] = [PutCampaign(SPENDS), PutProgramme(POINTS_HERE), PutRule(RULE), PutCardKey(1, KEY)]
        store.cache.apply(changes, b"i" * 16, 9)
        for pot in (Pot(POINTS, PROGRAMME, HER), Pot(POINTS, PROGRAMME)):
            store.parts.grant(pot, Amount(1_000), NOW_MS * 2)
    return Driver(store, Mode.LANE)


@pytest.fixture
def tag() -> Tag:
    return member_card(HER, 1, Balance(PROGRAMME, 300))


@pytest.fixture
def place(store: Store, lane: Driver, tag: Tag) -> Place:
    made = Place(store, Mode.LANE)
    made.put(tag)
    return made


# --- a sale is opened, priced, changed ------------------------------------------------------------------------


def test_M3_a_sale_is_priced_with_the_tax_of_each_rate(lane: Driver) -> None:
    made = view(lane(opens()))
    assert (made.state, made.price_yen, made.discount_yen, made.total_yen) == (SaleState.OPEN, 1_640, 0, 1_640)
    assert made.tax == tax_views((Part(1_000, 1_000, 100, 1_100, 0, 1_100), Part(800, 500, 40, 540, 0, 540)))
    assert lane.core.visit.state is State.BASKET


def test_K5_a_coupon_that_the_till_read_takes_its_discount_off_and_the_parts_add_up(lane: Driver) -> None:
    lane(opens())
    step = lane(coupon(code(SIGNED, serial=7)))
    said = told(step).coupon
    assert said is not None
    assert (said.reason, said.counts, said.discount_yen, said.name) == (Reason.RESERVED, True, 1_000, SIGNED.name)
    made = view(step)
    assert (made.discount_yen, made.total_yen) == (1_000, 640)
    assert sum(part.gross_yen for part in made.tax) == 640
    assert [effect.view for effect in step.effects if isinstance(effect, Show)] == [View.VERDICT], "the shopper sees it"


def test_K5_a_coupon_that_was_held_to_the_lane_stands_in_the_sale_too(lane: Driver) -> None:
    lane(opens())
    lane(scanned(code(SIGNED, serial=7)))
    assert [one.discount_yen for one in view(lane(asks(ev.ReadSale()))).coupons] == [1_000]


def test_K5_a_refusal_is_told_with_its_reason_in_both_languages(lane: Driver) -> None:
    lane(opens())
    lane(coupon(code(SPENDS, serial=3)))
    said = told(lane(coupon(code(SPENDS, serial=3)))).coupon
    assert said is not None
    assert (said.reason, said.counts) == (Reason.MIN_SPEND, False)
    assert "1,360" in said.words.ja
    assert "1,360" in said.words.en
    last = view(lane(asks(ev.ReadSale()))).last
    assert last is not None
    assert last.reason is Reason.MIN_SPEND


def test_the_same_coupon_twice_is_one(lane: Driver) -> None:
    lane(opens())
    for _ in range(2):
        step = lane(coupon(code(SIGNED, serial=7)))
    assert len(view(step).coupons) == 1


def test_new_lines_change_what_a_coupon_takes_off_and_whether_it_counts(lane: Driver) -> None:
    lane(opens((Line(gtin="", yen=3_000),)))
    lane(coupon(code(SPENDS, serial=3)))
    lane(coupon(code(OPEN)))
    assert view(lane(opens((Line(gtin="", yen=4_000),)))).discount_yen == 300 + 400
    fewer = view(lane(opens((Line(gtin="", yen=1_000),))))
    assert [(one.reason, one.counts) for one in fewer.coupons] == [(Reason.MIN_SPEND, False), (Reason.RESERVED, True)]
    assert fewer.discount_yen == 100


def test_a_coupon_can_be_taken_out_and_used_the_next_time(lane: Driver) -> None:
    lane(opens())
    (one,) = view(lane(coupon(code(SIGNED, serial=7)))).coupons
    taken_out = lane(asks(ev.DropCoupon(coupon=bytes.fromhex(one.id))))
    assert view(taken_out).coupons == ()
    assert taken_out.facts == ()
    assert view(lane(asks(ev.DropCoupon(coupon=bytes.fromhex(one.id))))) == view(taken_out), "said again, it is so"
    assert [fact for fact in lane(pays()).facts if isinstance(fact, Redeemed)] == []
    lane(opens(sale=OTHER))
    assert view(lane(asks(ev.AddCoupon(text=code(SIGNED, serial=7), format="qr"), OTHER))).discount_yen == 1_000


def test_one_sale_at_a_time(lane: Driver) -> None:
    lane(opens())
    assert refusal(lane(opens(sale=OTHER))) is TillReason.OTHER_SALE
    for act in (ev.ReadSale(), ev.AddCoupon(text=b"x", format="qr"), pays().act):
        assert refusal(lane(asks(act, OTHER))) is TillReason.UNKNOWN_SALE


def test_a_kiosk_has_no_till(store: Store) -> None:
    assert refusal(Driver(store, Mode.KIOSK)(opens())) is TillReason.NOT_A_LANE


def test_lines_that_no_purchase_can_have_are_refused(lane: Driver) -> None:
    assert refusal(lane(opens((Line(gtin="", yen=-1),)))) is TillReason.BAD_LINES
    assert refusal(lane(opens((Line(gtin="", yen=60_000_000),) * 2))) is TillReason.BAD_LINES
    assert lane.core.visit.sale is None


# --- it is paid -------------------------------------------------------------------------------------------------


def test_K6_payment_redeems_and_the_receipt_is_on_disk_with_the_facts(lane: Driver, store: Store) -> None:
    lane(opens())
    lane(coupon(code(SIGNED, serial=7)))
    step = lane(pays())
    fact, sold = step.facts
    assert isinstance(fact, Redeemed)
    assert isinstance(sold, Bought)
    assert (sold.sale, sold.holder, len(sold.lines)) == (SALE, 0, len(MIXED)), "M3: what was bought is told, too"
    assert sold.total_yen == view(step).total_yen
    assert (fact.serial, fact.spend_yen, fact.discount_yen, fact.sale) == (7, 1_640, 1_000, SALE)
    made = view(step)
    assert made.paid is not None
    assert (made.state, made.paid.tender, made.paid.yen, made.total_yen) == (SaleState.PAID, "cash", 640, 640)
    ended = store.sales.ended(SALE)
    assert ended is not None
    assert (ended.state, ended.payment) == (SaleState.PAID, FIRST)
    assert lane.core.visit.sale is None


def test_B6_a_till_that_pays_twice_has_the_same_answer_and_one_redemption_also_after_a_restart(
    lane: Driver, store: Store, tmp_path: Path
) -> None:
    lane(opens())
    lane(coupon(code(SIGNED, serial=7)))
    first = lane(pays())
    assert told(lane(pays())) == told(first)
    store.close()
    restarted = Driver(Store(tmp_path / "unit", "unit-1"), Mode.LANE)
    again = restarted(pays())
    assert (told(again), again.facts) == (told(first), ())
    assert told(restarted(asks(ev.ReadSale()))) == told(first)
    other = restarted(pays(SECOND))
    assert (refusal(other), told(other).sale) == (TillReason.SALE_PAID, told(first).sale)
    assert refusal(restarted(opens())) is TillReason.SALE_PAID
    restarted.store.close()


def test_what_was_open_before_a_restart_is_unknown_and_can_be_opened_again(
    lane: Driver, store: Store, tmp_path: Path
) -> None:
    lane(opens())
    lane(coupon(code(SIGNED, serial=7)))
    store.close()
    restarted = Driver(Store(tmp_path / "unit", "unit-1"), Mode.LANE)
    assert refusal(restarted(pays())) is TillReason.UNKNOWN_SALE
    restarted(opens())
    assert view(restarted(coupon(code(SIGNED, serial=7)))).discount_yen == 1_000
    restarted.store.close()


def test_a_sale_that_was_given_up_releases_its_coupons_and_never_opens_again(lane: Driver) -> None:
    lane(opens())
    lane(coupon(code(SIGNED, serial=7)))
    step = lane(asks(ev.CancelSale()))
    assert (view(step).state, step.facts) == (SaleState.CANCELLED, ())
    assert refusal(lane(opens())) is TillReason.SALE_CANCELLED, "an opening that was on its way comes too late"
    assert view(lane(asks(ev.CancelSale()))).state is SaleState.CANCELLED
    assert refusal(lane(pays())) is TillReason.SALE_CANCELLED
    lane(opens(sale=OTHER))
    assert told(lane(asks(ev.AddCoupon(text=code(SIGNED, serial=7), format="qr"), OTHER))).coupon is not None


def test_a_sale_that_this_lane_does_not_know_is_given_up_all_the_same(lane: Driver) -> None:
    assert view(lane(asks(ev.CancelSale()))).state is SaleState.CANCELLED
    assert refusal(lane(opens())) is TillReason.SALE_CANCELLED


def test_a_paid_sale_is_not_given_up_but_taken_back(lane: Driver) -> None:
    lane(opens())
    assert refusal(lane(asks(ev.ReverseSale(id=b"r" * 16, kind="void")))) is TillReason.SALE_OPEN
    lane(coupon(code(SIGNED, serial=7)))
    lane(pays())
    assert refusal(lane(asks(ev.CancelSale()))) is TillReason.SALE_PAID
    step = lane(asks(ev.ReverseSale(id=b"r" * 16, kind="void")))
    (fact,) = step.facts
    assert isinstance(fact, Reversed)
    assert view(step).state is SaleState.PAID
    again = lane(asks(ev.ReverseSale(id=b"r" * 16, kind="void")))
    assert (again.facts, told(again)) == ((), told(step))
    lane(opens(sale=OTHER))
    assert view(lane(asks(ev.AddCoupon(text=code(SIGNED, serial=7), format="qr"), OTHER))).discount_yen == 1_000


def test_a_refund_of_a_sale_of_another_lane_is_taken(lane: Driver) -> None:
    step = lane(asks(ev.ReverseSale(id=b"r" * 16, kind="refund", yen=100), OTHER))
    assert (len(step.facts), told(step)) == (1, TillAnswer())
    assert refusal(lane(asks(ev.ReverseSale(id=b"r" * 16, kind="refund", yen=200), OTHER))) is TillReason.NO_REVERSAL


def test_only_so_many_sales_are_remembered(lane: Driver, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(held, "SALES_HELD_MAX", 3)
    names = [bytes([number]) * 16 for number in range(1, 8)]
    for name in names:
        lane(asks(ev.CancelSale(), name))
    store.tidy(None, 0)
    assert [store.sales.ended(name) is not None for name in names] == [False] * 4 + [True] * 3


# --- the centre is asked ----------------------------------------------------------------------------------------


def test_K9_a_coupon_that_the_centre_decides_is_in_the_sale_once_it_said_yes(lane: Driver) -> None:
    lane(ev.LinkChanged(up=True))
    lane(opens())
    answer = told(lane(coupon(code(ONLINE, serial=5))))
    assert answer.sale is not None
    assert answer.sale.state is SaleState.ASKING
    assert lane.core.visit.asked is not None
    assert refusal(lane(coupon(code(SIGNED, serial=7)))) is TillReason.BUSY
    lane(ev.Answered(question=lane.core.visit.asked.question, granted=True, reason=Reason.OK))
    made = view(lane(asks(ev.ReadSale())))
    assert [one.id for one in made.coupons] == [answer.asked]


def test_K9_a_coupon_of_the_centre_that_is_taken_out_is_given_back(lane: Driver) -> None:
    lane(ev.LinkChanged(up=True))
    lane(opens())
    asked = told(lane(coupon(code(ONLINE, serial=5)))).asked
    assert lane.core.visit.asked is not None
    question = lane.core.visit.asked.question
    lane(ev.Answered(question=question, granted=True, reason=Reason.OK))
    step = lane(asks(ev.DropCoupon(coupon=bytes.fromhex(asked))))
    (fact,) = step.facts
    assert isinstance(fact, Cancelled)
    assert (fact.question, step.closed) == (question, (question,))


def test_B2_the_bank_is_asked_for_what_is_left_after_the_coupons(lane: Driver) -> None:
    lane(ev.LinkChanged(up=True))
    lane(opens())
    lane(coupon(code(SIGNED, serial=7)))
    step = lane(pays(tender=ev.Tender.ACCOUNT, account=ACCOUNT))
    assert view(step).state is SaleState.PAYING
    (asking,) = [effect for effect in step.effects if isinstance(effect, AskBank)]
    assert (asking.question, asking.account, asking.sale) == (FIRST, ACCOUNT, SALE)
    assert sum(line.yen for line in asking.lines) == 640


def test_B6_settled_is_told_with_the_coupon_that_was_used_and_again_when_asked_again(lane: Driver) -> None:
    lane(ev.LinkChanged(up=True))
    lane(opens())
    lane(pays(tender=ev.Tender.ACCOUNT, account=ACCOUNT))
    step = lane(settled(FIRST))
    assert [type(fact) for fact in step.facts] == [Paid, Redeemed, Bought]
    made = view(lane(pays(tender=ev.Tender.ACCOUNT, account=ACCOUNT)))
    assert made.paid is not None
    assert (made.state, made.total_yen, made.discount_yen) == (SaleState.PAID, 1_530, 110)
    assert (made.paid.tender, made.paid.yen, made.paid.campaign, made.paid.name) == ("account", 1_530, 1, SIGNED.name)
    assert [part.gross_yen for part in made.tax] == [990, 540]


@pytest.mark.parametrize("why", [Reason.NO_FUNDS, Reason.DECLINED])
def test_B6_a_bank_that_refuses_leaves_the_sale_open_and_the_reason_in_it(lane: Driver, why: Reason) -> None:
    lane(ev.LinkChanged(up=True))
    lane(opens())
    lane(pays(tender=ev.Tender.ACCOUNT, account=ACCOUNT))
    lane(settled(FIRST, state=Settled.REFUSED, reason=why))
    step = lane(pays(tender=ev.Tender.ACCOUNT, account=ACCOUNT))
    assert refusal(step) is TillReason.REFUSED
    sale = told(step).sale
    assert sale is not None
    assert sale.failed is not None
    assert (sale.state, sale.failed.reason) == (SaleState.OPEN, why)
    assert view(lane(pays(SECOND))).state is SaleState.PAID


def test_B6_a_bank_that_does_not_answer_is_not_now(lane: Driver) -> None:
    lane(ev.LinkChanged(up=True))
    lane(opens())
    lane(pays(tender=ev.Tender.ACCOUNT, account=ACCOUNT))
    lane(ev.TimeUp(id=lane.core.visit.timer))
    failed = view(lane(asks(ev.ReadSale()))).failed
    assert failed is not None
    assert failed.reason is Reason.NOT_NOW


def test_B6_without_the_centre_the_bank_is_not_now_at_once_and_cash_goes_on(lane: Driver) -> None:
    lane(opens())
    assert refusal(lane(pays(tender=ev.Tender.ACCOUNT, account=ACCOUNT))) is TillReason.REFUSED
    assert view(lane(pays(SECOND))).state is SaleState.PAID


# --- points -----------------------------------------------------------------------------------------------------


def test_M4_a_member_earns_by_the_shops_rule_for_what_is_paid_in_money(place: Place, tag: Tag) -> None:
    place.event(opens())
    place.event(coupon(code(SIGNED, serial=7)))
    place.event(pays())
    (earned,) = place.of(Earned)
    assert (earned.programme, earned.holder, earned.points, earned.spend_yen) == (PROGRAMME, HER, 6, 640)
    assert (earned.revision, earned.sale) == (1, SALE)
    assert points_on(tag) == 306


def test_M4_the_rule_in_force_counts_and_nobody_without_a_card_earns(lane: Driver, store: Store) -> None:
    later = EarnRule(programme=PROGRAMME, site="shinjuku", per_yen=10, from_ms=NOW_MS + 1_000, revision=2)
    with store.transaction():
        store.cache.apply([PutRule(later)], b"i" * 16, 10)
    lane(opens())
    assert [fact for fact in lane(pays()).facts if isinstance(fact, Earned)] == []
    place = Place(store, Mode.LANE)
    place.put(member_card(HER, 1))
    place.event(opens(sale=OTHER))
    early = view(place.drive(asks(ev.ReadSale(), OTHER)))
    assert [one.earns for one in early.points] == [16]
    late = view(place.drive(asks(ev.ReadSale(), OTHER), moment(NOW_MS + 2_000)))
    assert [one.earns for one in late.points] == [164]


def test_M11_points_pay_and_the_card_says_what_is_left_before_anything_is_handed_over(place: Place, tag: Tag) -> None:
    place.event(opens())
    shown = view(place.drive(asks(ev.ReadSale()))).points[0]
    assert (shown.spendable, shown.yen, shown.points, shown.earns) == (300, 1, 1, 16)
    before = len(place.steps)
    place.event(pays(programme=PROGRAMME, points=140))
    written, paid = place.steps[before:]
    assert [type(effect) for effect in written.effects if isinstance(effect, WriteCard)] == [WriteCard]
    assert view(written).state is SaleState.PAYING, "not paid before the card was read back"
    assert [type(fact).__name__ for fact in paid.facts] == ["CardSettled", "Spent", "Earned", "Bought"]
    (spent,) = place.of(Spent)
    assert (spent.points, spent.sale) == (140, SALE)
    (earned,) = place.of(Earned)
    assert (earned.points, earned.spend_yen) == (15, 1_500)
    assert points_on(tag) == 300 - 140 + 15
    made = view(place.drive(pays(programme=PROGRAMME, points=140)))
    assert made.paid is not None
    assert (made.paid.yen, made.paid.points_yen, made.paid.points, made.total_yen) == (1_500, 140, 140, 1_640)


def test_M11_points_that_this_lane_has_no_part_of_are_sought_when_a_till_wants_them(place: Place) -> None:
    place.take()
    place.put(member_card(HER, 1, Balance(PROGRAMME, 5_000)))
    place.event(opens())
    step = place.drive(pays(programme=PROGRAMME, points=1_500))
    assert refusal(step) is TillReason.REFUSED
    sought = {effect.pot: effect.cost for effect in step.effects if isinstance(effect, SeekPart)}
    assert sought == {Pot(POINTS, PROGRAMME, HER): Amount(1_500), Pot(POINTS, PROGRAMME): Amount(1_500)}


def test_M11_more_points_than_may_be_spent_here_are_refused_and_nothing_moves(place: Place) -> None:
    place.event(opens())
    step = place.drive(pays(programme=PROGRAMME, points=301))
    assert (refusal(step), step.facts) == (TillReason.REFUSED, ())
    assert not any(isinstance(effect, SeekPart) for effect in step.effects), "it is the card that says no"
    sale = told(step).sale
    assert sale is not None
    assert sale.failed is not None
    assert sale.failed.reason is Reason.NO_POINTS
    assert refusal(place.drive(pays(SECOND, programme=PROGRAMME, points=1_641))) is TillReason.TOO_MANY_POINTS
    assert refusal(place.drive(pays(SECOND, programme=9, points=1))) is TillReason.NO_WORTH


@pytest.mark.parametrize("whose", [HER, 0], ids=["hers", "the lane's"])
def test_M11_the_lower_of_the_two_floors_is_what_may_be_spent_here(place: Place, store: Store, whose: int) -> None:
    with store.transaction():
        store.parts.keep(Returned(moment().stamp, b"r" * 16, Pot(POINTS, PROGRAMME, whose), Amount(900)))
    place.event(opens())
    assert [one.spendable for one in view(place.drive(asks(ev.ReadSale()))).points] == [100]
    assert refusal(place.drive(pays(programme=PROGRAMME, points=101))) is TillReason.REFUSED
    place.event(pays(SECOND, programme=PROGRAMME, points=100))
    assert [fact.points for fact in place.of(Spent)] == [100]


def test_M11_points_that_this_lane_has_no_leave_to_spend_are_sought_for_the_next_try(lane: Driver) -> None:
    other = b"\x04other!"
    with lane.store.transaction():
        lane.store.cache.apply([PutCard(sealing.card_hash(SECRET, other), 99)], b"i" * 16, 10)
    lane(CardPresented(uid=other))
    lane(opens())
    step = lane(pays(programme=PROGRAMME, points=140))
    assert (refusal(step), step.facts) == (TillReason.REFUSED, ())
    sought = [(effect.pot.holder, effect.cost.count) for effect in step.effects if isinstance(effect, SeekPart)]
    assert sought == [(99, 140), (0, 140)]


def test_M11_a_card_that_is_pulled_away_pays_nothing_and_the_sale_stays_open(place: Place) -> None:
    place.event(opens())
    step = place.drive(pays(programme=PROGRAMME, points=140))
    (writing,) = [effect for effect in step.effects if isinstance(effect, WriteCard)]
    assert refusal(place.drive(asks(ev.CancelSale()))) is TillReason.PAYMENT_UNDER_WAY
    assert refusal(place.drive(opens())) is TillReason.PAYMENT_UNDER_WAY
    place.take()
    after = place.drive(ev.CardWritten(id=writing.id, outcome=Outcome.DOUBT))
    assert [type(fact).__name__ for fact in after.facts] == ["CardSettled"]
    sale = view(place.drive(asks(ev.ReadSale())))
    assert sale.failed is not None
    assert (sale.state, sale.failed.reason) == (SaleState.OPEN, Reason.CARD_NOT_WRITTEN)
    assert view(place.drive(pays(SECOND))).state is SaleState.PAID


def test_M11_nobody_pays_with_points_without_a_card(lane: Driver) -> None:
    lane(opens())
    assert refusal(lane(pays(programme=PROGRAMME, points=1))) is TillReason.NO_MEMBER


def test_coupons_and_points_of_one_payment_are_hinted_by_the_right_fact(place: Place) -> None:
    place.event(opens())
    place.event(coupon(code(SIGNED, serial=7)))
    place.event(pays(programme=PROGRAMME, points=100))
    paid = place.steps[-1]
    hinted = [paid.facts[effect.index] for effect in paid.effects if isinstance(effect, TellHint)]
    assert [type(fact) for fact in hinted] == [Redeemed]
