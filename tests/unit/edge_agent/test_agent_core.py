"""The core: verdicts become facts and effects, questions are withdrawn, the till reserves and redeems."""

from __future__ import annotations

import msgspec
import pytest
from nacl.signing import SigningKey

from edge_agent.core import events as ev
from edge_agent.core.effects import AskCentre, MarkShown, Show, StartTimer, TellHint, View
from edge_agent.core.states import Mode, State
from edge_agent.core.visit import Step
from edge_agent.store.store import Store
from hal.events import CardPresented, PartFault, PartHealed
from loyalty.reason import Reason
from tests.unit.edge_agent.agent_world import (
    ISSUER,
    JAN,
    NOW_MS,
    ONLINE,
    OPEN,
    SECRET,
    SIGNED,
    Driver,
    code,
    moment,
    replaced,
    scanned,
)
from wire.facts import Cancelled, Redeemed
from wire.messages import PutCampaign, PutRedemption
from wire.sealing import holder_hash, serial_hash


def reason(step: Step) -> Reason | None:
    return step.verdict.reason if step.verdict else None


def views(step: Step) -> list[View]:
    return [effect.view for effect in step.effects if isinstance(effect, Show)]


def timer(step: Step) -> int:
    return next(effect.id for effect in step.effects if isinstance(effect, StartTimer))


def test_K5_a_signed_coupon_gets_a_yes_and_becomes_a_fact(drive: Driver) -> None:
    step = drive(scanned(code(SIGNED, serial=11, holder=3)))
    (fact,) = step.facts
    assert reason(step) is Reason.OK
    assert isinstance(fact, Redeemed)
    assert (fact.campaign, fact.serial, fact.holder, fact.site) == (1, 11, 3, "shinjuku")
    assert any(isinstance(effect, TellHint) for effect in step.effects)


def test_K6_the_second_use_of_a_serial_is_refused(drive: Driver) -> None:
    drive(scanned(code(SIGNED, serial=11)))
    step = drive(scanned(code(SIGNED, serial=11)))
    assert reason(step) is Reason.USED
    assert step.facts == ()


def test_K9_a_serial_used_in_another_shop_is_refused_with_its_place(drive: Driver, store: Store) -> None:
    with store.transaction():
        told = PutRedemption(b"f" * 16, 1, serial_hash(SECRET, 1, 12), b"", NOW_MS - 5_000, "ginza")
        store.cache.apply([told], b"i" * 16, 6)
    step = drive(scanned(code(SIGNED, serial=12)))
    assert reason(step) is Reason.USED
    assert step.verdict is not None
    assert step.verdict.site == "ginza"


def test_K8_a_coupon_without_serial_counts_again_and_again_with_only_time_and_place(drive: Driver) -> None:
    first, second = drive(scanned(code(OPEN))), drive(scanned(code(OPEN)))
    assert [reason(first), reason(second)] == [Reason.OK, Reason.OK]
    (fact,) = second.facts
    assert isinstance(fact, Redeemed)
    assert (fact.serial, fact.holder) == (0, 0)


def test_K5_a_coupon_of_another_issuer_is_not_genuine(drive: Driver) -> None:
    from loyalty.barcode.own import mint
    from loyalty.coupon import Coupon

    forged = mint(SigningKey(bytes(32)), Coupon(campaign=1, serial=5, key=7)).encode()
    assert reason(drive(scanned(forged))) is Reason.NOT_GENUINE
    assert ISSUER.verify_key != SigningKey(bytes(32)).verify_key


@pytest.mark.parametrize("text", [b"", b"hello", b"https://example.com", bytes(range(256)), b"9" * 4096])
def test_K5_whatever_is_not_ours_is_not_a_coupon(drive: Driver, text: bytes) -> None:
    step = drive(scanned(text))
    assert reason(step) is Reason.NOT_A_COUPON
    assert step.facts == ()


def test_K5_a_jan_counts_only_when_two_frames_agreed(drive: Driver) -> None:
    assert reason(drive(scanned(JAN.jan.encode(), "ean13", confirmed=False))) is Reason.UNCONFIRMED
    assert reason(drive(scanned(JAN.jan.encode(), "ean13"))) is Reason.OK


def test_K6_a_yes_that_nobody_saw_is_the_same_yes_again_once(drive: Driver) -> None:
    lost = drive(scanned(code(SIGNED, serial=11)), shown=False)  # the power went between commit and green
    again = drive(scanned(code(SIGNED, serial=11)))
    assert reason(again) is Reason.OK_AGAIN
    assert again.facts == ()
    (mark,) = [effect for effect in again.effects if isinstance(effect, MarkShown)]
    drive.store.mark_shown(mark.numbers)
    assert reason(drive(scanned(code(SIGNED, serial=11)))) is Reason.USED
    assert len(lost.facts) == 1


def test_K8_a_yes_without_serial_that_nobody_saw_is_not_counted_twice(drive: Driver) -> None:
    drive(scanned(code(OPEN)), shown=False)
    again = drive(scanned(code(OPEN)))
    assert reason(again) is Reason.OK_AGAIN
    assert again.facts == ()


def test_K1_a_limit_for_each_person_counts_cache_and_own_facts_once_each(drive: Driver, store: Store) -> None:
    limited = replaced(SIGNED, id=9, per_person=2)
    own_fact = store.journal.fact_id(store.journal.position + 1)
    with store.transaction():
        store.cache.apply([PutCampaign(limited)], b"i" * 16, 6)
    assert reason(drive(scanned(code(limited, serial=1, holder=77)))) is Reason.OK
    with store.transaction():  # our own redemption comes back from the centre: still one, not two
        holder = holder_hash(SECRET, 77)
        told = PutRedemption(own_fact, 9, serial_hash(SECRET, 9, 1), holder, NOW_MS, "shinjuku")
        store.cache.apply([told], b"i" * 16, 7)
    assert reason(drive(scanned(code(limited, serial=2, holder=77)))) is Reason.OK
    assert reason(drive(scanned(code(limited, serial=3, holder=77)))) is Reason.PERSON_LIMIT
    assert reason(drive(scanned(code(limited, serial=4, holder=78)))) is Reason.OK


# --- only the centre decides --------------------------------------------------------------------------


def asked(drive: Driver, serial: int = 21) -> tuple[bytes, Step]:
    drive(ev.LinkChanged(up=True))
    step = drive(scanned(code(ONLINE, serial=serial)))
    (ask,) = [effect for effect in step.effects if isinstance(effect, AskCentre)]
    return ask.question, step


def test_K3_an_online_coupon_asks_the_centre_and_its_question_is_on_disk_first(drive: Driver, store: Store) -> None:
    question, step = asked(drive)
    assert views(step) == [View.ASKING]
    assert [q.question for q in store.open_questions()] == [question]
    assert step.facts == ()


def test_K3_a_granted_question_redeems(drive: Driver, store: Store) -> None:
    question, _ = asked(drive)
    step = drive(ev.Answered(question=question, granted=True, reason=Reason.OK))
    (fact,) = step.facts
    assert isinstance(fact, Redeemed)
    assert fact.question == question
    assert store.open_questions() == ()


def test_K6_a_refused_question_says_where_it_was_used(drive: Driver, store: Store) -> None:
    question, _ = asked(drive)
    step = drive(ev.Answered(question=question, granted=False, reason=Reason.USED, at_ms=NOW_MS, site="urawa"))
    assert reason(step) is Reason.USED
    assert step.facts == ()
    assert store.open_questions() == ()


def test_K5_a_question_without_an_answer_is_withdrawn_and_a_late_yes_changes_nothing(
    drive: Driver, store: Store
) -> None:
    question, step = asked(drive)
    late = drive(ev.TimeUp(id=timer(step)))
    (fact,) = late.facts
    assert reason(late) is Reason.NOT_NOW
    assert isinstance(fact, Cancelled)
    assert fact.question == question
    after = drive(ev.Answered(question=question, granted=True, reason=Reason.OK))
    assert after.facts == ()
    assert after.effects == ()
    assert store.open_questions() == ()


def test_K5_without_a_connection_the_answer_is_not_now_at_once(drive: Driver) -> None:
    step = drive(scanned(code(ONLINE, serial=22)))
    assert reason(step) is Reason.NOT_NOW
    assert step.facts == ()


def test_K5_a_connection_that_goes_while_asking_is_not_now(drive: Driver) -> None:
    question, _ = asked(drive)
    step = drive(ev.LinkChanged(up=False))
    assert reason(step) is Reason.NOT_NOW
    assert [type(fact) for fact in step.facts] == [Cancelled]
    assert drive.core.visit.link_up is False
    assert question


def test_K5_a_restart_withdraws_the_questions_that_were_open(drive: Driver, store: Store) -> None:
    question, _ = asked(drive)
    reborn = Driver(store)
    step = reborn(ev.Started(open_questions=store.open_questions()))
    assert [fact.question for fact in step.facts if isinstance(fact, Cancelled)] == [question]
    assert store.open_questions() == ()


def test_K5_nothing_is_scanned_while_the_centre_is_asked(drive: Driver) -> None:
    asked(drive)
    step = drive(scanned(code(SIGNED, serial=30)))
    assert step.facts == ()
    assert step.effects == ()


# --- the till -----------------------------------------------------------------------------------------


@pytest.fixture
def lane(store: Store) -> Driver:
    return Driver(store, Mode.LANE)


def test_K5_in_a_lane_a_scan_reserves_and_payment_redeems(lane: Driver) -> None:
    lane(ev.BasketOpened(spend_yen=3_000))
    reserved = lane(scanned(code(SIGNED, serial=11)))
    assert reason(reserved) is Reason.RESERVED
    assert reserved.facts == ()
    paid = lane(ev.BasketPaid())
    (fact,) = paid.facts
    assert isinstance(fact, Redeemed)
    assert (fact.serial, fact.spend_yen, fact.discount_yen) == (11, 3_000, 1_000)
    assert lane.core.visit.reserved == ()


def test_K1_a_limit_for_each_person_holds_within_one_basket(lane: Driver, store: Store) -> None:
    limited = replaced(SIGNED, id=9, per_person=1)
    with store.transaction():
        store.cache.apply([PutCampaign(limited)], b"i" * 16, 6)
    lane(ev.BasketOpened(spend_yen=9_000))
    assert reason(lane(scanned(code(limited, serial=1, holder=77)))) is Reason.RESERVED
    assert reason(lane(scanned(code(limited, serial=2, holder=77)))) is Reason.PERSON_LIMIT
    paid = lane(ev.BasketPaid())
    assert [fact.serial for fact in paid.facts if isinstance(fact, Redeemed)] == [1]


def test_K5_a_cancelled_basket_releases_its_coupons(lane: Driver) -> None:
    lane(ev.BasketOpened(spend_yen=3_000))
    lane(scanned(code(SIGNED, serial=11)))
    released = lane(ev.BasketCancelled())
    assert released.facts == ()
    assert views(released) == [View.RELEASED]
    lane(ev.BasketOpened(spend_yen=500))
    assert reason(lane(scanned(code(SIGNED, serial=11)))) is Reason.RESERVED


def test_K5_a_basket_that_is_never_paid_releases_what_the_centre_granted(lane: Driver) -> None:
    lane(ev.LinkChanged(up=True))
    opened = lane(ev.BasketOpened(spend_yen=3_000))
    question, _ = asked(lane)
    lane(ev.Answered(question=question, granted=True, reason=Reason.OK))
    shown = lane(ev.TimeUp(id=lane.core.visit.timer))
    step = lane(ev.TimeUp(id=timer(shown)))
    assert [fact.question for fact in step.facts if isinstance(fact, Cancelled)] == [question]
    assert timer(opened)


def test_K5_the_same_coupon_twice_in_one_basket_counts_once(lane: Driver) -> None:
    lane(ev.BasketOpened(spend_yen=3_000))
    lane(scanned(code(SIGNED, serial=11)))
    assert reason(lane(scanned(code(SIGNED, serial=11)))) is Reason.RESERVED
    assert len(lane(ev.BasketPaid()).facts) == 1


def test_K5_a_till_that_does_not_wait_for_the_centre_withdraws_the_question(lane: Driver) -> None:
    lane(ev.LinkChanged(up=True))
    lane(ev.BasketOpened(spend_yen=3_000))
    question, _ = asked(lane)
    paid = lane(ev.BasketPaid())
    assert [fact.question for fact in paid.facts if isinstance(fact, Cancelled)] == [question]


def test_K5_a_granted_coupon_that_does_not_count_at_the_payment_is_given_back(lane: Driver, store: Store) -> None:
    lane(ev.BasketOpened(spend_yen=3_000))
    question, _ = asked(lane)
    lane(ev.Answered(question=question, granted=True, reason=Reason.OK))
    learns_that_it_stopped(store)
    paid = lane(ev.BasketPaid())
    assert paid.facts == (Cancelled(moment().stamp, question, ONLINE.id, 21),)
    assert store.open_questions() == ()


def test_K5_what_was_granted_is_given_back_where_the_cache_has_learnt_better(drive: Driver, store: Store) -> None:
    question, _ = asked(drive)
    learns_that_it_stopped(store)
    step = drive(ev.Answered(question=question, granted=True, reason=Reason.OK))
    assert reason(step) is Reason.STOPPED
    assert step.facts == (Cancelled(moment().stamp, question, ONLINE.id, 21),)


def learns_that_it_stopped(store: Store) -> None:
    with store.transaction():
        store.cache.apply([PutCampaign(replaced(ONLINE, stopped=True))], b"i" * 16, 6)


# --- trouble ------------------------------------------------------------------------------------------


def test_K5_a_unit_that_can_not_store_facts_is_out_of_service_until_it_can(drive: Driver) -> None:
    failed = drive(ev.StoreFailed(detail="disk full"))
    assert views(failed) == [View.OUT_OF_SERVICE]
    assert drive(scanned(code(SIGNED, serial=11))).effects == ()
    assert views(drive(ev.StoreRecovered())) == [View.READY]
    assert reason(drive(scanned(code(SIGNED, serial=11)))) is Reason.OK


def test_K5_a_unit_whose_camera_is_gone_says_so_and_invites_again_when_it_is_back(drive: Driver) -> None:
    gone = drive(PartFault(part="camera", reason="vanished", detail="unplugged"))
    assert views(gone) == [View.OUT_OF_SERVICE]
    assert views(drive(ev.LinkChanged(up=True))) == [View.OUT_OF_SERVICE]
    assert drive(PartFault(part="card", reason="vanished", detail="")).effects == ()
    assert views(drive(PartHealed(part="camera"))) == [View.READY]


def test_M12_a_card_that_is_not_known_gets_a_clear_sentence(drive: Driver) -> None:
    assert views(drive(CardPresented(uid=b"1234567"))) == [View.FOREIGN_CARD]
    assert drive.core.visit.state is State.SHOWING


def test_an_old_timer_means_nothing(drive: Driver) -> None:
    first = drive(scanned(code(SIGNED, serial=11)))
    drive(scanned(code(SIGNED, serial=12)))
    assert drive(ev.TimeUp(id=timer(first))).effects == ()
    assert drive.core.visit.state is State.SHOWING


def test_a_recorded_day_replays_to_the_same_decisions(drive: Driver, store: Store) -> None:
    day: list[ev.Event] = [
        ev.LinkChanged(up=True),
        ev.Heard(took_ms=20),
        ev.Heard(took_ms=20),
        scanned(code(SIGNED, serial=1)),
        scanned(code(OPEN)),
        scanned(code(ONLINE, serial=2)),
        ev.Answered(question=(1).to_bytes(16, "big"), granted=True, reason=Reason.OK),
        scanned(b"4901234567894", "ean13"),
    ]
    recorded = []
    for minute, event in enumerate(day):
        rows = store.look_up(drive.core.needs(event))
        at = moment(NOW_MS + minute * 60_000)
        step = drive.one(event, at)
        recorded.append((event, rows, at, msgspec.msgpack.encode(step.facts), step.effects))
    again = Driver(store).core
    for event, rows, at, facts, effects in recorded:
        step = again.handle(event, rows, at)
        again.adopt(step)
        assert msgspec.msgpack.encode(step.facts) == facts
        assert step.effects == effects
