"""A lane whose basket is paid by bank account: asked with a limit, settled with its coupon, or a clear no."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from edge_agent.centre import _payment
from edge_agent.core import events as ev
from edge_agent.core.effects import AskBank, Show, StartTimer, TellHint, View
from edge_agent.core.paying import PAY_WAIT_MS
from edge_agent.core.states import Mode, State
from edge_agent.core.visit import Step
from edge_agent.store.store import Store
from loyalty.reason import Reason
from loyalty.tax import REDUCED_BP, STANDARD_BP, Part, Price
from tests.bank_kit import House, SandboxBank
from tests.unit.edge_agent.agent_world import SIGNED, Driver, code, moment, scanned
from wire.facts import Cancelled, Paid, Redeemed
from wire.messages import AskSettlement, Settled

ACCOUNT = b"a" * 16
LINES = (Price(STANDARD_BP, 1_100), Price(REDUCED_BP, 540))
PARTS = (Part(STANDARD_BP, 900, 90, 990, 100, 1_100), Part(REDUCED_BP, 500, 40, 540, 0, 540))


@pytest.fixture
def lane(store: Store) -> Driver:
    lane = Driver(store, Mode.LANE)
    lane(ev.LinkChanged(up=True))
    lane(ev.BasketOpened(spend_yen=1_640))
    return lane


def pay(lane: Driver) -> tuple[Step, AskBank]:
    step = lane(ev.PayByAccount(account=ACCOUNT, lines=LINES))
    (asking,) = [effect for effect in step.effects if isinstance(effect, AskBank)]
    return step, asking


def settled(question: bytes, **terms: object) -> ev.PaymentAnswered:
    plain = {
        "question": question, "state": Settled.SETTLED, "reason": Reason.OK, "price_yen": 1_640, "debit_yen": 1_530,
        "discount_yen": 100, "campaign": 1, "serial": 77, "holder": 5, "revision": 3, "parts": PARTS,
    }  # fmt: skip
    return ev.PaymentAnswered(**{**plain, **terms})  # type: ignore[arg-type]


def shown(step: Step) -> Show:
    (show,) = [effect for effect in step.effects if isinstance(effect, Show)]
    return show


def reason(step: Step) -> Reason:
    verdict = shown(step).verdict
    assert verdict is not None
    return verdict.reason


def open_questions(store: Store) -> list[bytes]:
    return [question.question for question in store.open_questions()]


def test_B2_the_question_is_on_disk_first_and_has_a_limit(lane: Driver, store: Store) -> None:
    step, asking = pay(lane)
    assert (asking.account, asking.lines, asking.wait_ms) == (ACCOUNT, LINES, PAY_WAIT_MS)
    assert open_questions(store) == [asking.question]
    assert (shown(step).view, shown(step).number) == (View.PAYING, 1_640)
    assert [e.after_ms for e in step.effects if isinstance(e, StartTimer)] == [PAY_WAIT_MS]
    assert lane.core.visit.state is State.PAYING


def test_B6_settled_is_shown_with_the_coupon_that_was_used_and_becomes_its_fact(lane: Driver, store: Store) -> None:
    _, asking = pay(lane)
    step = lane(settled(asking.question))
    assert (shown(step).view, shown(step).number) == (View.SETTLED, 1_530)
    verdict = shown(step).verdict
    assert verdict is not None
    assert verdict.campaign is not None
    assert (verdict.campaign.id, verdict.discount_yen) == (1, 110)
    paid, fact = step.facts
    assert isinstance(fact, Redeemed)
    assert isinstance(paid, Paid)
    assert (paid.question, paid.price_yen, paid.debit_yen, paid.site) == (asking.question, 1_640, 1_530, fact.site)
    assert (fact.campaign, fact.serial, fact.holder, fact.question) == (1, 77, 5, asking.question)
    assert (fact.spend_yen, fact.discount_yen, fact.revision) == (1_640, 100, 3)
    assert [e.index for e in step.effects if isinstance(e, TellHint)] == [1]
    assert open_questions(store) == []
    assert lane.core.visit.basket_yen is None


def test_B6_settled_without_a_coupon_leaves_the_fact_of_the_payment_alone(lane: Driver, store: Store) -> None:
    _, asking = pay(lane)
    step = lane(settled(asking.question, campaign=0, serial=0, holder=0, discount_yen=0))
    assert (len(step.facts), shown(step).view) == (1, View.SETTLED)
    assert isinstance(step.facts[0], Paid)
    assert open_questions(store) == []


def test_B6_coupons_that_lie_in_the_basket_redeem_with_the_payment(lane: Driver) -> None:
    lane(scanned(code(SIGNED, serial=9)))
    _, asking = pay(lane)
    step = lane(settled(asking.question))
    assert [fact.serial for fact in step.facts if isinstance(fact, Redeemed)] == [9, 77]
    assert sorted(e.index for e in step.effects if isinstance(e, TellHint)) == [0, 2]


@pytest.mark.parametrize("why", [Reason.NO_FUNDS, Reason.NO_ACCOUNT, Reason.DECLINED, Reason.WRONG_SHOP])
def test_B6_a_refusal_says_why_and_the_basket_stays(lane: Driver, store: Store, why: Reason) -> None:
    _, asking = pay(lane)
    step = lane(settled(asking.question, state=Settled.REFUSED, reason=why))
    assert (reason(step), step.facts) == (why, ())
    assert open_questions(store) == []
    assert lane.core.visit.basket_yen == 1_640
    pay(lane)  # again, or otherwise


def test_B6_in_doubt_is_withdrawn_so_that_the_money_goes_back(lane: Driver, store: Store) -> None:
    _, asking = pay(lane)
    step = lane(settled(asking.question, state=Settled.IN_DOUBT, reason=Reason.IN_DOUBT))
    assert reason(step) is Reason.IN_DOUBT
    (fact,) = step.facts
    assert isinstance(fact, Cancelled)
    assert fact.question == asking.question
    assert open_questions(store) == []
    late = lane(settled(asking.question))
    assert (late.facts, late.effects) == ((), ())


@pytest.mark.parametrize("event", ["time", "link"])
def test_B6_no_answer_in_time_is_a_clear_not_now_and_withdrawn(lane: Driver, store: Store, event: str) -> None:
    pay(lane)
    step = lane(ev.TimeUp(id=lane.core.visit.timer) if event == "time" else ev.LinkChanged(up=False))
    assert reason(step) is Reason.NOT_NOW
    (fact,) = step.facts
    assert isinstance(fact, Cancelled)
    assert open_questions(store) == []


def test_B6_without_the_centre_it_is_not_now_at_once(lane: Driver, store: Store) -> None:
    lane(ev.LinkChanged(up=False))
    step = lane(ev.PayByAccount(account=ACCOUNT, lines=LINES))
    assert (reason(step), step.facts, open_questions(store)) == (Reason.NOT_NOW, (), [])


@pytest.mark.parametrize("event", [ev.BasketPaid(), ev.BasketCancelled()])
def test_B6_paid_otherwise_or_given_up_the_payment_is_withdrawn(lane: Driver, store: Store, event: ev.Event) -> None:
    _, asking = pay(lane)
    step = lane(event)
    assert [fact.question for fact in step.facts if isinstance(fact, Cancelled)] == [asking.question]
    assert open_questions(store) == []
    assert lane.core.visit.paying is None


def test_B6_a_restart_withdraws_a_payment_that_was_open(lane: Driver, store: Store) -> None:
    _, asking = pay(lane)
    again = Driver(store, Mode.LANE)
    step = again(ev.Started(open_questions=tuple(store.open_questions())))
    assert [fact.question for fact in step.facts if isinstance(fact, Cancelled)] == [asking.question]


def test_B7_nothing_else_happens_while_the_bank_is_asked(lane: Driver) -> None:
    pay(lane)
    for event in (
        scanned(code(SIGNED, serial=9)),
        ev.BasketOpened(spend_yen=5),
        ev.PayByAccount(account=ACCOUNT, lines=LINES),
    ):
        step = lane(event)
        assert (step.effects, step.facts) == ((), ())
        assert lane.core.visit.basket_yen == 1_640
    earned = lane(ev.PointsEarned(programme=1, holder=5, points=3, spend_yen=300))
    assert len(earned.facts) == 1
    assert lane.core.visit.state is State.PAYING


def test_a_kiosk_and_a_lane_without_a_basket_take_no_payment(store: Store) -> None:
    for mode in Mode:
        unit = Driver(store, mode)
        unit(ev.LinkChanged(up=True))
        assert unit(ev.PayByAccount(account=ACCOUNT, lines=LINES)).effects == ()


def test_lines_that_can_not_be_a_purchase_are_asked_about_nowhere(lane: Driver) -> None:
    step = lane(ev.PayByAccount(account=ACCOUNT, lines=(Price(STANDARD_BP, -5),)))
    assert not [effect for effect in step.effects if isinstance(effect, AskBank)]


def test_B6_a_till_that_did_not_see_the_answer_asks_again_and_is_told_again(lane: Driver, store: Store) -> None:
    """The power goes after the answer is on disk and before anybody has seen it."""
    name = b"till's payment 1"
    wanted = ev.PayByAccount(account=ACCOUNT, lines=LINES, payment=name)
    (asking,) = [effect for effect in lane(wanted).effects if isinstance(effect, AskBank)]
    assert asking.question == name
    lane(settled(name), shown=False)
    again = Driver(store, Mode.LANE)
    assert again(ev.Started(open_questions=tuple(store.open_questions()))).facts == (), "it is not withdrawn"
    again(ev.LinkChanged(up=True))
    again(ev.BasketOpened(spend_yen=1_640))
    (asking,) = [effect for effect in again(wanted).effects if isinstance(effect, AskBank)]
    assert asking.question == name
    step = again(settled(name))
    assert (shown(step).view, step.facts) == (View.SETTLED, ()), "one fact of one use"


def test_an_id_of_a_payment_has_16_bytes(lane: Driver) -> None:
    step = lane(ev.PayByAccount(account=ACCOUNT, lines=LINES, payment=b"short"))
    assert (reason(step), lane.core.visit.state) == (Reason.NOT_NOW, State.SHOWING)


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    bank = SandboxBank(tmp_path)
    bank.start()
    house = House(tmp_path / "centre", bank)
    yield house
    house.close()
    bank.stop()


def _asked(house: House, asking: AskBank) -> AskSettlement:
    return AskSettlement(asking.question, house.account, list(asking.lines), asking.wait_ms, asking.points_yen)


def test_B2_to_B7_from_the_selection_to_the_booked_coupon(lane: Driver, house: House) -> None:
    house.select(1)
    _, asking = pay(lane)
    answer = house.pay(_asked(house, asking))
    step = lane(_payment(answer))
    assert (shown(step).view, shown(step).number) == (View.SETTLED, house.bank.movements[0])
    for fact in step.facts:
        house.lane.journal(fact)
    house.centre.book(house.lane)
    assert house.centre.query("SELECT campaign, state, flags FROM redemptions") == [(1, "cleared", 0)]
    assert house.centre.one("SELECT state FROM questions") == "settled"


def test_B6_a_lane_that_gave_up_and_a_bank_that_debited_agree_in_the_end(lane: Driver, house: House) -> None:
    _, asking = pay(lane)
    house.pay(_asked(house, asking))
    step = lane(ev.TimeUp(id=lane.core.visit.timer), moment(mono_ms=9_000))  # the answer was lost
    for fact in step.facts:
        house.lane.journal(fact)
    assert house.centre.book(house.lane).aside == 0
    house.mend()
    assert house.bank.movements == [1_640, -1_640]
