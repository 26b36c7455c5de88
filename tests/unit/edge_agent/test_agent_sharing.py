"""Parts of limits and homes of serials at a unit: what it decides alone, hands over, returns and lets go of."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from edge_agent.core import events as ev
from edge_agent.core.effects import AnswerHome, AskCentre, AskKeeper, HandOver, SeekPart, Show, TellTaken, View
from edge_agent.core.states import Mode, State
from edge_agent.core.visit import Step
from edge_agent.store.store import Store
from loyalty.campaign import Campaign, Kind, Policy
from loyalty.coupon import HOME_SHIFT
from loyalty.lease import CAMPAIGN, POINTS, Amount, Pot
from loyalty.reason import Reason
from tests.unit.edge_agent.agent_world import NOW_MS, Driver, code, moment, scanned, world
from wire import sealing
from wire.facts import Cancelled, Given, HomeLeft, KeeperLeft, Redeemed, Returned, Spent, Taken
from wire.messages import PutCampaign, PutHome, PutMoved

LEASE = Campaign(
    id=11, name="先着割引", kind=Kind.AMOUNT, policy=Policy.LEASE, provider="s", amount_yen=100, cap=50, serials=False
)
SHARE = Campaign(
    id=12, name="総額割引", kind=Kind.PERCENT, policy=Policy.LEASE, provider="s", percent=10, budget_yen=9_000,
    serials=False,
)  # fmt: skip
HOME = Campaign(id=13, name="発行店", kind=Kind.GIFT, policy=Policy.HOME, provider="s", gift="珈琲")
POT, SHARE_POT = Pot(CAMPAIGN, 11), Pot(CAMPAIGN, 12)
HERE, THERE = 3, 4  # numbers of sites
SERIAL = HERE << HOME_SHIFT | 77


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store(tmp_path / "unit", "unit-1")
    opened.start(b"e" * 16)
    homes = (
        PutHome(HERE, "shinjuku", "新宿店", "unit-1", b"e" * 16, 1),
        PutHome(THERE, "ginza", "銀座店", "unit-9", b"x" * 16, 1),
    )
    with opened.transaction():
        opened.cache.apply([*world(), *(PutCampaign(one) for one in (LEASE, SHARE, HOME)), *homes], b"i" * 16, 9)
    yield opened
    opened.close()


@pytest.fixture
def drive(store: Store) -> Driver:
    return Driver(store)


def lease(store: Store, pot: Pot, count: int, yen: int = 0, ends_ms: int | None = None) -> None:
    with store.transaction():
        store.parts.grant(pot, Amount(count, yen), ends_ms)


def reason(step: Step) -> Reason:
    assert step.verdict is not None
    return step.verdict.reason


def left(store: Store, pot: Pot = POT) -> int:
    return store.parts.account(pot).left.count


# --- parts ----------------------------------------------------------------------------------------------------


def test_a_part_is_spent_use_by_use_and_survives_a_restart(drive: Driver, store: Store) -> None:
    lease(store, POT, 2)
    text = code(LEASE)
    assert reason(drive(scanned(text))) is Reason.OK
    again = Store(store.folder, "unit-1", read_only=True)
    assert again.parts.account(POT).left == Amount(1)
    again.close()
    assert reason(drive(scanned(text))) is Reason.OK
    assert reason(drive(scanned(text))) is Reason.NO_PART
    assert left(store) == 0


def test_a_transaction_that_fails_spends_nothing(drive: Driver, store: Store) -> None:
    lease(store, POT, 1)

    def cut_off() -> None:
        with store.transaction():
            scan = scanned(code(LEASE))
            store.keep(drive.core.handle(scan, store.look_up(drive.core.needs(scan)), moment()))
            raise RuntimeError("the power went")

    with pytest.raises(RuntimeError):
        cut_off()
    assert left(store) == 1


def test_a_part_that_has_ended_is_not_spent_whatever_it_holds(drive: Driver, store: Store) -> None:
    lease(store, POT, 5, ends_ms=NOW_MS)
    assert reason(drive(scanned(code(LEASE)))) is Reason.NO_PART


def test_without_a_part_the_centre_is_asked_and_its_yes_needs_none(drive: Driver, store: Store) -> None:
    drive(ev.LinkChanged(up=True))
    step = drive(scanned(code(LEASE)))
    assert drive.core.visit.state is State.ASKING
    (asked,) = [effect for effect in step.effects if isinstance(effect, AskCentre)]
    assert any(isinstance(effect, SeekPart) and effect.pot == POT for effect in step.effects)
    step = drive(ev.Answered(question=asked.question, granted=True, reason=Reason.OK))
    (fact,) = step.facts
    assert isinstance(fact, Redeemed)
    assert (fact.leased, fact.question) == (False, asked.question)
    assert store.parts.account(POT).spent == Amount()


def test_when_no_answer_comes_the_shopper_is_told_what_to_do_not_just_no(drive: Driver, store: Store) -> None:
    drive(ev.LinkChanged(up=True))
    drive(scanned(code(LEASE)))
    step = drive(ev.TimeUp(id=drive.core.visit.timer))
    assert reason(step) is Reason.NO_PART
    assert len(step.facts) == 1, "the question is withdrawn"


def granted(drive: Driver, spend_yen: int, *, grew_to_yen: int = 0) -> Step:
    """A basket, a coupon of a budget that only the centre can allow, and its yes; what the lane makes of it."""
    drive(ev.LinkChanged(up=True))
    drive(ev.BasketOpened(spend_yen=spend_yen))
    step = drive(scanned(code(SHARE)))
    (asked,) = [effect for effect in step.effects if isinstance(effect, AskCentre)]
    assert asked.spend_yen == spend_yen
    if grew_to_yen:
        drive(ev.BasketOpened(spend_yen=grew_to_yen))
    return drive(ev.Answered(question=asked.question, granted=True, reason=Reason.OK))


def test_a_yes_of_the_centre_is_for_what_it_was_asked_for_and_a_basket_that_grew_asks_again(store: Store) -> None:
    drive = Driver(store, Mode.LANE)
    assert reason(granted(drive, 1_670)) is Reason.RESERVED
    drive(ev.BasketOpened(spend_yen=3_000))
    step = drive(ev.BasketPaid())
    assert [type(fact) for fact in step.facts] == [Cancelled], "167 yen are kept, 300 would be taken"
    assert step.closed

    assert reason(granted(drive, 3_000)) is Reason.RESERVED
    drive(ev.BasketOpened(spend_yen=2_000))
    (fact,) = drive(ev.BasketPaid()).facts
    assert isinstance(fact, Redeemed)
    assert (fact.cost_yen, fact.leased) == (200, False), "less may be taken than is kept"


def test_a_basket_that_grew_while_the_centre_was_asked_gives_its_yes_back(store: Store) -> None:
    drive = Driver(store, Mode.LANE)
    step = granted(drive, 1_670, grew_to_yen=3_000)
    assert reason(step) is Reason.NO_PART
    assert [type(fact) for fact in step.facts] == [Cancelled]
    assert drive.core.visit.reserved == ()


def test_coupons_in_a_basket_hold_their_part_until_it_is_paid(store: Store) -> None:
    drive = Driver(store, Mode.LANE)
    lease(store, POT, 1)
    drive(ev.BasketOpened(spend_yen=1_000))
    assert reason(drive(scanned(code(LEASE, holder=1)))) is Reason.RESERVED
    assert reason(drive(scanned(code(LEASE, holder=2)))) is Reason.NO_PART
    assert drive(ev.PartRecalled(pot=POT, amount=Amount(9))).facts == (), "nothing that is promised is returned"
    with store.transaction():
        store.parts.grant(POT, Amount(1), NOW_MS - 1)  # it ends before the payment
    step = drive(ev.BasketPaid())
    assert [type(fact) for fact in step.facts] == [Redeemed]
    assert left(store) == 0


def test_a_budget_is_spent_by_what_the_basket_takes_off(store: Store) -> None:
    drive = Driver(store, Mode.LANE)
    lease(store, SHARE_POT, 0, yen=500)
    assert reason(drive(scanned(code(SHARE)))) is Reason.NEEDS_BASKET
    drive(ev.BasketOpened(spend_yen=4_000))
    assert reason(drive(scanned(code(SHARE)))) is Reason.RESERVED
    drive(ev.BasketPaid())
    assert store.parts.account(SHARE_POT).left == Amount(0, 100)
    drive(ev.BasketOpened(spend_yen=1_010))
    assert reason(drive(scanned(code(SHARE, holder=5)))) is Reason.NO_PART


def test_a_recall_returns_at_most_what_is_left(drive: Driver, store: Store) -> None:
    lease(store, POT, 5)
    (fact,) = drive(ev.PartRecalled(pot=POT, amount=Amount(9))).facts
    assert isinstance(fact, Returned)
    assert (fact.amount, left(store)) == (Amount(5), 0)
    assert drive(ev.PartRecalled(pot=POT, amount=Amount(9))).facts == ()


def test_a_lane_hands_over_half_and_the_other_takes_it_once(drive: Driver, store: Store) -> None:
    lease(store, POT, 5)
    step = drive(ev.PartWanted(device="unit-2", pot=POT, amount=Amount(9)))
    (fact,) = step.facts
    assert isinstance(fact, Given)
    assert (fact.amount, left(store)) == (Amount(3), 2)
    assert HandOver(transfer=fact.transfer, to="unit-2", pot=POT, amount=Amount(3)) in step.effects
    assert [one.transfer for one in store.parts.under_way(9)] == [fact.transfer]
    offer = ev.PartOffered(transfer=b"t" * 16, giver="unit-2", pot=POT, amount=Amount(4))
    (taken,) = drive(offer).facts
    assert isinstance(taken, Taken)
    again = drive(offer)
    assert again.facts == ()
    assert again.effects == (TellTaken(transfer=b"t" * 16, giver="unit-2"),)
    assert left(store) == 6


def test_a_new_epoch_begins_without_any_part(drive: Driver, store: Store) -> None:
    from wire.uplink import OpenEpoch

    lease(store, POT, 5)
    drive(scanned(code(LEASE)))
    store.carry_out([OpenEpoch(store.journal.epoch, 0, "fork")], b"n" * 16, moment().stamp)
    assert reason(drive(scanned(code(LEASE)))) is Reason.NO_PART


# --- homes ----------------------------------------------------------------------------------------------------


def wanted(device: str = "unit-9", question: bytes = b"q" * 16, serial: int = SERIAL) -> ev.HomeWanted:
    return ev.HomeWanted(question=question, campaign=13, serial=serial, device=device, by_lane=False)


def told(step: Step) -> AnswerHome:
    (answer,) = [effect for effect in step.effects if isinstance(effect, AnswerHome)]
    return answer


def test_the_keeper_decides_alone_once(drive: Driver) -> None:
    assert reason(drive(scanned(code(HOME, serial=SERIAL)))) is Reason.OK
    assert reason(drive(scanned(code(HOME, serial=SERIAL)))) is Reason.USED


def test_a_lane_that_is_not_the_keeper_names_the_home(drive: Driver) -> None:
    step = drive(scanned(code(HOME, serial=THERE << HOME_SHIFT | 5)))
    assert step.verdict is not None
    assert (step.verdict.reason, step.verdict.site) == (Reason.NOT_HOME, "銀座店")


def test_the_keeper_is_asked_over_the_site_s_network_before_the_centre(drive: Driver) -> None:
    drive(ev.LinkChanged(up=True))
    drive(ev.LanesChanged(lanes=frozenset({"unit-9"})))
    step = drive(scanned(code(HOME, serial=THERE << HOME_SHIFT | 5)))
    (asked,) = [effect for effect in step.effects if isinstance(effect, AskKeeper)]
    assert (asked.keeper, asked.serial) == ("unit-9", THERE << HOME_SHIFT | 5)
    step = drive(ev.Answered(question=asked.question, granted=True, reason=Reason.OK))
    assert reason(step) is Reason.OK


def test_a_serial_that_left_is_decided_here_no_more(drive: Driver) -> None:
    step = drive(wanted())
    assert isinstance(step.facts[0], HomeLeft)
    assert told(step).left
    refused = drive(scanned(code(HOME, serial=SERIAL)))
    assert reason(refused) is Reason.NOT_HOME
    again = drive(wanted())
    assert (again.facts, told(again).left) == ((), True), "the same question has the same answer"
    assert not told(drive(wanted(device="unit-8", question=b"r" * 16))).left
    assert told(drive(wanted(question=b"s" * 16))).left, "its older question is over"


def test_a_used_serial_does_not_leave_and_the_asker_hears_when(drive: Driver) -> None:
    drive(scanned(code(HOME, serial=SERIAL)))
    step = drive(wanted())
    assert step.facts == ()
    assert (told(step).left, told(step).reason, told(step).at_ms) == (False, Reason.USED, NOW_MS)


def test_a_serial_in_a_basket_does_not_leave(store: Store) -> None:
    drive = Driver(store, Mode.LANE)
    drive(ev.BasketOpened(spend_yen=1_000))
    drive(scanned(code(HOME, serial=SERIAL)))
    assert told(drive(wanted())).reason == Reason.BUSY


def test_a_serial_whose_home_comes_back_is_decided_here_again(drive: Driver, store: Store) -> None:
    drive(wanted(device=""))
    moved = PutMoved(13, sealing.serial_hash(store.cache.secret, 13, SERIAL), HERE, 2)
    with store.transaction():
        store.cache.apply([moved], b"i" * 16, 10)
    assert reason(drive(scanned(code(HOME, serial=SERIAL)))) is Reason.OK


def test_a_keeper_under_another_epoch_or_after_its_term_keeps_nothing(drive: Driver, store: Store) -> None:
    (fact,) = drive(ev.KeeperEnds(term=1)).facts
    assert fact == KeeperLeft(moment().stamp, 1)
    assert reason(drive(scanned(code(HOME, serial=SERIAL)))) is Reason.NOT_HOME
    late = PutHome(HERE, "shinjuku", "新宿店", "unit-1", b"e" * 16, 1)
    with store.transaction():
        store.cache.apply([late], b"i" * 16, 10)
    assert reason(drive(scanned(code(HOME, serial=SERIAL)))) is Reason.NOT_HOME, "the centre did not know yet"
    other = PutHome(HERE, "shinjuku", "新宿店", "unit-1", b"n" * 16, 2)
    with store.transaction():
        store.cache.apply([other], b"i" * 16, 11)
    assert reason(drive(scanned(code(HOME, serial=SERIAL)))) is Reason.NOT_HOME, "kept by another life of this disk"


def test_a_home_that_was_left_stays_left_in_a_snapshot_that_does_not_know_it_yet(drive: Driver, store: Store) -> None:
    drive(ev.KeeperEnds(term=1))
    late = PutHome(HERE, "shinjuku", "新宿店", "unit-1", b"e" * 16, 1)
    with store.transaction():
        assert store.cache.start_snapshot(1_000)
        store.cache.stage([*world(), PutCampaign(HOME), late])
        store.cache.finish_snapshot(b"k" * 16, 20)
    assert reason(drive(scanned(code(HOME, serial=SERIAL)))) is Reason.NOT_HOME
    with store.transaction():
        store.cache.apply([msgspec.structs.replace(late, term=2)], b"k" * 16, 21)
    assert reason(drive(scanned(code(HOME, serial=SERIAL)))) is Reason.OK, "it keeps it anew"


# --- points ---------------------------------------------------------------------------------------------------


def test_M4_points_are_earned_always(drive: Driver) -> None:
    step = drive(ev.PointsEarned(programme=1, holder=5, points=12, spend_yen=1_200))
    assert len(step.facts) == 1
    assert any(isinstance(effect, Show) and effect.view is View.EARNED for effect in step.effects)


def test_M11_points_are_spent_within_the_floors_of_the_person_and_of_the_unit(drive: Driver, store: Store) -> None:
    lease(store, Pot(POINTS, 1), 300)
    lease(store, Pot(POINTS, 1, 5), 200)
    step = drive(ev.PointsWanted(programme=1, holder=5, points=150))
    (fact,) = step.facts
    assert isinstance(fact, Spent)
    refused = drive(ev.PointsWanted(programme=1, holder=5, points=100))
    assert reason(refused) is Reason.NO_POINTS
    sought = [effect.pot.holder for effect in refused.effects if isinstance(effect, SeekPart)]
    assert sought == [5, 0], "so that the next time they are there"
    lease(store, Pot(POINTS, 1, 6), 200)
    assert reason(drive(ev.PointsWanted(programme=1, holder=6, points=151))) is Reason.NO_POINTS
    assert drive(ev.PointsWanted(programme=1, holder=6, points=150)).facts


def test_points_that_come_while_the_centre_is_asked_disturb_no_question(drive: Driver) -> None:
    drive(ev.LinkChanged(up=True))
    drive(scanned(code(LEASE)))
    asked = drive.core.visit.asked
    assert asked is not None
    assert len(drive(ev.PointsEarned(programme=1, holder=5, points=12, spend_yen=1_200)).facts) == 1
    assert drive(ev.PointsWanted(programme=1, holder=5, points=5)).facts == ()
    assert drive.core.visit.asked == asked
    assert reason(drive(ev.Answered(question=asked.question, granted=True, reason=Reason.OK))) is Reason.OK
