"""Void and refund at a lane: a fact before the answer, the same id once, coupons that count again here at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge_agent.core import events as ev
from edge_agent.core.effects import Show, View
from edge_agent.core.states import Mode, State
from edge_agent.core.visit import Step
from edge_agent.store.store import Store
from loyalty.lease import CAMPAIGN, Amount, Pot
from loyalty.reason import Reason
from tests.unit.edge_agent.agent_world import NOW_MS, SECRET, SIGNED, Driver, code, moment, replaced, scanned
from wire.facts import Redeemed, Reversal, Reversed
from wire.messages import DropRedemption, PutCampaign, PutRedemption
from wire.sealing import serial_hash

SALE, OTHER_SALE = b"s" * 16, b"t" * 16
LIMITED = replaced(SIGNED, id=21, per_person=1)


@pytest.fixture
def lane(store: Store) -> Driver:
    return Driver(store, Mode.LANE)


def sell(lane: Driver, text: bytes, sale: bytes = SALE) -> Step:
    lane(ev.BasketOpened(spend_yen=5_000))
    lane(scanned(text))
    return lane(ev.BasketPaid(sale=sale))


def back(id: bytes = b"r" * 16, sale: bytes = SALE, kind: str = "refund", yen: int = 0) -> ev.SaleReversed:
    return ev.SaleReversed(id=id, sale=sale, kind=kind, yen=yen)


def reason(step: Step) -> Reason | None:
    return step.verdict.reason if step.verdict else None


def shown(step: Step) -> list[tuple[View, int]]:
    return [(effect.view, effect.number) for effect in step.effects if isinstance(effect, Show)]


def test_the_facts_of_a_sale_name_it_as_the_till_does(lane: Driver) -> None:
    (fact,) = sell(lane, code(SIGNED, serial=11)).facts
    assert isinstance(fact, Redeemed)
    assert fact.sale == SALE
    earned = lane(ev.PointsEarned(programme=1, holder=5, points=3, spend_yen=300, sale=SALE))
    assert [fact.sale for fact in earned.facts if not isinstance(fact, Reversed)] == [SALE]  # type: ignore[union-attr]


def test_a_void_is_a_fact_and_its_coupon_counts_again_here_at_once(lane: Driver) -> None:
    sell(lane, code(SIGNED, serial=11))
    step = lane(back(kind="void"))
    (fact,) = step.facts
    assert fact == Reversed(moment().stamp, b"r" * 16, SALE, Reversal.VOID, 0, "shinjuku")
    assert reason(step) is Reason.OK
    assert shown(step) == [(View.REVERSED, 0)]
    assert lane.core.visit.state is State.SHOWING
    assert len(sell(lane, code(SIGNED, serial=11), OTHER_SALE).facts) == 1, "the shopper uses it for the next sale"
    lane(ev.BasketOpened(spend_yen=5_000))
    assert reason(lane(scanned(code(SIGNED, serial=11)))) is Reason.USED, "and once"


def test_a_part_that_is_refunded_gives_no_coupon_back(lane: Driver) -> None:
    sell(lane, code(SIGNED, serial=11))
    step = lane(back(yen=1_200))
    assert shown(step) == [(View.REVERSED, 1_200)]
    assert reason(lane(scanned(code(SIGNED, serial=11)))) is Reason.USED
    assert len(lane(back(id=b"q" * 16)).facts) == 1, "all that is left of it, a moment later"
    assert reason(lane(scanned(code(SIGNED, serial=11)))) is Reason.OK


def test_another_sale_that_is_taken_back_leaves_this_one_used(lane: Driver) -> None:
    sell(lane, code(SIGNED, serial=11))
    assert len(lane(back(sale=OTHER_SALE)).facts) == 1, "this lane does not know it; the centre settles it"
    assert reason(lane(scanned(code(SIGNED, serial=11)))) is Reason.USED


def test_coupons_that_were_used_without_a_till_belong_to_no_sale(lane: Driver) -> None:
    lane(scanned(code(SIGNED, serial=11)))
    lane(back(sale=b"\0" * 16))
    assert lane(back(id=b"q" * 16, sale=b"")).facts == ()
    assert reason(lane(scanned(code(SIGNED, serial=11)))) is Reason.USED


def test_the_same_reversal_again_has_the_same_answer_and_is_one_fact_also_after_a_restart(
    lane: Driver, store: Store, tmp_path: Path
) -> None:
    sell(lane, code(SIGNED, serial=11))
    first, again = lane(back()), lane(back(), moment(NOW_MS + 60_000, 61_000))
    assert len(first.facts) == 1
    assert again.facts == ()
    assert (reason(again), shown(again)) == (reason(first), shown(first))
    store.close()
    restarted = Driver(Store(tmp_path / "unit", "unit-1"), Mode.LANE)
    later = restarted(back())
    assert (later.facts, reason(later), shown(later)) == ((), Reason.OK, shown(first))
    assert reason(restarted(scanned(code(SIGNED, serial=11)))) is Reason.OK
    restarted.store.close()


@pytest.mark.parametrize(
    "event",
    [
        back(id=b"short"),
        back(sale=b"short"),
        back(kind="gift"),
        back(yen=-1),
        back(yen=10**9),
        back(kind="void", yen=5),
    ],
)
def test_a_reversal_that_cannot_be_is_refused_and_changes_nothing(lane: Driver, event: ev.SaleReversed) -> None:
    sell(lane, code(SIGNED, serial=11))
    step = lane(event)
    assert (step.facts, step.effects, reason(step)) == ((), (), Reason.NO_REVERSAL)


def test_an_id_that_stands_for_another_reversal_is_refused(lane: Driver) -> None:
    lane(back(yen=100))
    for other in (back(yen=200), back(sale=OTHER_SALE, yen=100), back()):
        step = lane(other)
        assert (step.facts, reason(step)) == ((), Reason.NO_REVERSAL)


def test_a_reversal_while_the_centre_is_asked_is_kept_and_disturbs_no_question(lane: Driver) -> None:
    from tests.unit.edge_agent.agent_world import ONLINE

    lane(ev.LinkChanged(up=True))
    lane(scanned(code(ONLINE, serial=5)))
    step = lane(back())
    assert (len(step.facts), step.effects, reason(step)) == (1, (), Reason.OK)
    assert lane.core.visit.state is State.ASKING


def test_a_basket_that_is_open_stays_open(lane: Driver) -> None:
    lane(ev.BasketOpened(spend_yen=5_000))
    lane(scanned(code(SIGNED, serial=11)))
    lane(back())
    assert lane.core.visit.basket_yen == 5_000
    assert len(lane(ev.BasketPaid(sale=SALE)).facts) == 1


def test_without_a_disk_nothing_is_taken_back(lane: Driver) -> None:
    lane(ev.StoreFailed(detail="full"))
    step = lane(back())
    assert (step.facts, reason(step)) == ((), Reason.OUT_OF_SERVICE)


def test_what_the_centre_told_of_the_sale_refuses_the_coupon_here_no_more(lane: Driver, store: Store) -> None:
    sell(lane, code(SIGNED, serial=11))
    ours = store.journal.fact_id(lane.position)
    key = serial_hash(SECRET, 1, 11)
    with store.transaction():
        store.cache.apply([PutRedemption(ours, 1, key, b"", NOW_MS, "shinjuku")], b"i" * 16, 6)
    lane(back())
    assert reason(lane(scanned(code(SIGNED, serial=11)))) is Reason.OK


def test_another_use_of_the_same_serial_still_refuses_it(lane: Driver, store: Store) -> None:
    sell(lane, code(SIGNED, serial=11))
    ours, key = store.journal.fact_id(lane.position), serial_hash(SECRET, 1, 11)
    with store.transaction():
        store.cache.apply([PutRedemption(ours, 1, key, b"", NOW_MS, "shinjuku")], b"i" * 16, 6)
    lane(back())
    theirs = PutRedemption(b"f" * 16, 1, key, b"", NOW_MS, "ginza")
    with store.transaction():
        store.cache.apply([theirs], b"i" * 16, 7)
    step = lane(scanned(code(SIGNED, serial=11)))
    assert reason(step) is Reason.USED
    assert step.verdict is not None
    assert step.verdict.site == "ginza"
    with store.transaction():
        store.cache.apply([DropRedemption(ours, key)], b"i" * 16, 8)
    assert reason(lane(scanned(code(SIGNED, serial=11)))) is Reason.USED


def test_a_person_s_count_goes_down_with_the_sale(lane: Driver, store: Store) -> None:
    with store.transaction():
        store.cache.apply([PutCampaign(LIMITED)], b"i" * 16, 6)
    sell(lane, code(LIMITED, serial=1, holder=5))
    lane(ev.BasketOpened(spend_yen=5_000))
    assert reason(lane(scanned(code(LIMITED, serial=2, holder=5)))) is Reason.PERSON_LIMIT
    lane(back())
    assert reason(lane(scanned(code(LIMITED, serial=2, holder=5)))) is Reason.RESERVED


def test_what_was_taken_of_a_lease_stays_taken_here(lane: Driver, store: Store) -> None:
    from loyalty.campaign import Policy

    leased = replaced(SIGNED, id=22, policy=Policy.LEASE, serials=True, cap=10)
    pot = Pot(CAMPAIGN, leased.id)
    with store.transaction():
        store.cache.apply([PutCampaign(leased)], b"i" * 16, 6)
        store.parts.grant(pot, Amount(3), None)
    sell(lane, code(leased, serial=4))
    assert store.parts.account(pot).left == Amount(2)
    lane(back())
    assert store.parts.account(pot).left == Amount(2), "it goes back to the centre's pot"


def test_a_new_epoch_carries_what_was_given_back(lane: Driver, store: Store) -> None:
    sell(lane, code(SIGNED, serial=11))
    old = store.journal.fact_id(lane.position)
    lane(back())
    with store.transaction():
        store.journal.open_epoch(b"e" * 16, 0, b"n" * 16, "fork", moment().stamp)
    new = store.journal.fact_id(store.journal.position - 1)
    key = serial_hash(SECRET, 1, 11)
    for number, fact in enumerate((old, new), start=6):
        with store.transaction():
            store.cache.apply([PutRedemption(fact, 1, key, b"", NOW_MS, "shinjuku")], b"i" * 16, number)
    again = lane(back())
    assert again.facts == (), "the reversal is known under its new place"
    assert reason(lane(scanned(code(SIGNED, serial=11)))) is Reason.OK


def test_names_of_what_was_given_back_go_when_the_journal_forgets_the_facts(lane: Driver, store: Store) -> None:
    sell(lane, code(SIGNED, serial=11))
    lane(back())
    lane(scanned(code(SIGNED, serial=12)))
    with store.transaction():
        store.journal.advance(b"e" * 16, 3, b"i" * 16)
        assert store.journal.prune(3, 0, 100) == 2
    store.tidy(None, 0)
    assert store.connection.rows("SELECT * FROM given_back") == []
    assert store.connection.rows("SELECT * FROM reversals") == []
