"""Codes that belong to a person: bound to a card, in either order, and moving against screenshots (issue 3)."""

from __future__ import annotations

import pytest
from nacl.signing import SigningKey

from edge_agent.core import events as ev
from edge_agent.core.base import SHOW_CARD_MS
from edge_agent.core.effects import AskCentre, Show, StartTimer, View
from edge_agent.core.states import Mode, State
from edge_agent.core.visit import Moment, Step
from edge_agent.store.store import PHONES_HELD_MAX, Store
from hal.events import CardPresented, CardRemoved, Scanned
from loyalty.barcode import moving
from loyalty.campaign import Campaign, ClockRule, Kind, Policy
from loyalty.coupon import Coupon
from loyalty.reason import Reason
from tests.unit.edge_agent.agent_world import BOOT, ISSUER, SECRET, Driver, code, replaced, scanned
from wire import sealing
from wire.facts import Redeemed
from wire.messages import PutCampaign, PutCard

HER_CARD, HIS_CARD, STRANGE_CARD = b"\x04her..\x01", b"\x04his..\x02", b"\x04who..\x03"
HER, HIM = 11, 12
PHONE = SigningKey(b"p" * 32)
BOUND = Campaign(
    id=30, name="ご本人様", kind=Kind.GIFT, gift="紅茶", policy=Policy.SIGNED, provider="shop", needs_card=True
)
ASKED = Campaign(
    id=31, name="照会", kind=Kind.GIFT, gift="紅茶", policy=Policy.ONLINE, provider="shop", needs_card=True
)
LIVE = Campaign(
    id=32, name="毎日", kind=Kind.GIFT, gift="水", policy=Policy.SIGNED, provider="shop", serials=False, moving=True
)
TICKET = Campaign(
    id=33,
    name="券",
    kind=Kind.TICKET,
    gift="1階席",
    policy=Policy.SIGNED,
    provider="shop",
    moving=True,
    needs_card=True,
)
STEP = 119_000_000
AT_MS = STEP * 15_000 + 1_000


def reason(step: Step) -> Reason | None:
    return step.verdict.reason if step.verdict else None


def put(uid: bytes) -> CardPresented:
    return CardPresented(uid=uid)


def live(
    campaign: Campaign, step: int = STEP, *, serial: int = 0, holder: int = HER, phone: SigningKey = PHONE
) -> Scanned:
    coupon = Coupon(campaign=campaign.id, serial=serial, holder=holder, key=7, phone=phone.verify_key.encode())
    return scanned(moving.show(moving.mint(ISSUER, coupon), phone, step).encode())


def at(wall_ms: int = AT_MS, *, trusted: bool = True, mono_ms: int = 1_000) -> Moment:
    return Moment(wall_ms=wall_ms, mono_ms=mono_ms, boot=BOOT, trusted=trusted)


@pytest.fixture(autouse=True)
def _known(store: Store) -> None:
    with store.transaction():
        cards = [PutCard(sealing.card_hash(SECRET, uid), holder) for uid, holder in ((HER_CARD, HER), (HIS_CARD, HIM))]
        store.cache.apply([*cards, *(PutCampaign(one) for one in (BOUND, ASKED, LIVE, TICKET))], b"i" * 16, 9)


# --- with a card -----------------------------------------------------------------------------------------------------


def test_card_first_then_coupon(drive: Driver) -> None:
    greeted = drive(put(HER_CARD))
    assert [e.view for e in greeted.effects if isinstance(e, Show)] == [View.KNOWN_CARD]
    step = drive(scanned(code(BOUND, serial=1, holder=HER)))
    (fact,) = step.facts
    assert reason(step) is Reason.OK
    assert isinstance(fact, Redeemed)
    assert fact.holder == HER


def test_coupon_first_then_card(drive: Driver) -> None:
    asked_for = drive(scanned(code(BOUND, serial=1, holder=HER)))
    assert (reason(asked_for), asked_for.facts) == (Reason.NEEDS_CARD, ())
    assert next(e.after_ms for e in asked_for.effects if isinstance(e, StartTimer)) == SHOW_CARD_MS
    step = drive(put(HER_CARD))
    assert reason(step) is Reason.OK
    assert len(step.facts) == 1
    assert reason(drive(scanned(code(BOUND, serial=1, holder=HER)))) is Reason.USED


def test_somebody_elses_card_is_refused_and_the_right_one_may_still_come(drive: Driver) -> None:
    drive(scanned(code(BOUND, serial=1, holder=HER)))
    for wrong in (HIS_CARD, STRANGE_CARD):
        assert reason(drive(put(wrong))) is Reason.WRONG_HOLDER
        drive(CardRemoved(uid=wrong))
    assert reason(drive(put(HER_CARD))) is Reason.OK


def test_a_coupon_that_waited_too_long_is_forgotten(drive: Driver) -> None:
    step = drive(scanned(code(BOUND, serial=1, holder=HER)))
    timer = next(e.id for e in step.effects if isinstance(e, StartTimer))
    drive(ev.TimeUp(id=timer))
    assert drive.core.visit.pending is None
    assert drive(put(HER_CARD)).facts == ()


def test_another_scan_takes_the_place_of_the_one_that_waits(drive: Driver) -> None:
    drive(scanned(code(BOUND, serial=1, holder=HER)))
    drive(scanned(b"https://example.com/"))
    assert drive(put(HER_CARD)).facts == ()


def test_a_card_that_was_taken_out_counts_no_more(drive: Driver) -> None:
    drive(put(HER_CARD))
    drive(CardRemoved(uid=HER_CARD))
    assert reason(drive(scanned(code(BOUND, serial=1, holder=HER)))) is Reason.NEEDS_CARD


def test_a_code_without_a_holder_can_not_be_bound(drive: Driver) -> None:
    assert reason(drive(scanned(code(BOUND, serial=1)))) is Reason.NOT_DOWNLOADED


def test_a_strange_card_in_the_slot_is_nothing_to_a_coupon_that_asks_for_none(drive: Driver) -> None:
    plain = replaced(BOUND, id=34, needs_card=False)
    with drive.store.transaction():
        drive.store.cache.apply([PutCampaign(plain)], b"i" * 16, 10)
    foreign = drive(put(STRANGE_CARD))
    assert [e.view for e in foreign.effects if isinstance(e, Show)] == [View.FOREIGN_CARD]
    assert reason(drive(scanned(code(plain, serial=1, holder=HER)))) is Reason.OK
    drive(put(HIS_CARD))
    assert reason(drive(scanned(code(plain, serial=2, holder=HER)))) is Reason.WRONG_HOLDER


def test_a_card_that_was_let_go_of_is_nobodys(drive: Driver) -> None:
    with drive.store.transaction():
        drive.store.cache.apply([PutCard(sealing.card_hash(SECRET, HER_CARD), 0)], b"i" * 16, 10)
    drive(put(HER_CARD))
    assert reason(drive(scanned(code(BOUND, serial=1, holder=HER)))) is Reason.WRONG_HOLDER


def test_the_centre_is_asked_when_the_card_is_there_and_the_answer_counts_with_it(drive: Driver) -> None:
    drive(ev.LinkChanged(up=True))
    assert not any(isinstance(e, AskCentre) for e in drive(scanned(code(ASKED, serial=1, holder=HER))).effects)
    step = drive(put(HER_CARD))
    (ask,) = (e for e in step.effects if isinstance(e, AskCentre))
    assert drive.core.visit.state is State.ASKING
    drive(CardRemoved(uid=HER_CARD))  # it was there when it was asked for
    done = drive(ev.Answered(question=ask.question, granted=True, reason=Reason.OK))
    assert (reason(done), len(done.facts)) == (Reason.OK, 1)


def test_with_a_till_the_card_completes_the_reservation(store: Store) -> None:
    drive = Driver(store, Mode.LANE)
    drive(ev.BasketOpened(spend_yen=1000))
    assert reason(drive(scanned(code(BOUND, serial=1, holder=HER)))) is Reason.NEEDS_CARD
    assert reason(drive(put(HER_CARD))) is Reason.RESERVED
    drive(CardRemoved(uid=HER_CARD))
    assert len(drive(ev.BasketPaid()).facts) == 1


def test_no_card_does_anything_while_facts_can_not_be_stored(drive: Driver) -> None:
    drive(scanned(code(BOUND, serial=1, holder=HER)))
    drive(ev.StoreFailed(detail="full"))
    assert drive(put(HER_CARD)).facts == ()
    assert drive.core.visit.state is State.OUT_OF_SERVICE
    drive(ev.StoreRecovered())
    assert reason(drive(scanned(code(BOUND, serial=1, holder=HER)))) is Reason.OK  # the card is still in the slot


# --- with a time step ------------------------------------------------------------------------------------------------


def test_a_moving_code_counts_while_it_is_on_the_screen(drive: Driver) -> None:
    assert reason(drive(live(LIVE), at())) is Reason.OK


@pytest.mark.parametrize("wall_ms", [AT_MS - 60_000, AT_MS + 60_000, AT_MS + 86_400_000])
def test_a_picture_of_the_screen_is_stale(drive: Driver, wall_ms: int) -> None:
    step = drive(live(LIVE), at(wall_ms))
    assert (reason(step), step.facts) == (Reason.STALE, ())


def test_the_same_step_counts_once_and_the_next_one_again(drive: Driver) -> None:
    first = drive(live(LIVE), at())
    assert (reason(first), len(first.spent)) == (Reason.OK, 1)
    assert reason(drive(live(LIVE), at())) is Reason.STALE
    assert reason(drive(live(LIVE, STEP - 1), at())) is Reason.STALE  # nor any before it
    assert reason(drive(live(LIVE, STEP + 5), at(AT_MS + 75_000, mono_ms=76_000))) is Reason.OK
    other = SigningKey(b"q" * 32)
    assert reason(drive(live(LIVE, phone=other), at())) is Reason.OK  # another phone has its own


def test_what_counted_is_remembered_with_the_fact_or_not_at_all(store: Store) -> None:
    """The power goes before the commit: neither fact nor step is there, and the same screen counts."""
    drive = Driver(store)
    event = live(LIVE)

    def cut_short() -> None:
        with store.transaction():
            store.keep(drive.core.handle(event, store.look_up(drive.core.needs(event)), at()))
            raise InterruptedError("the power went")

    with pytest.raises(InterruptedError):
        cut_short()
    assert store.journal.last == 0
    assert reason(drive(event, at())) is Reason.OK
    assert store.journal.last == 1
    assert reason(drive(event, at())) is Reason.STALE


def test_a_yes_that_was_never_seen_is_said_again_to_the_same_screen(drive: Driver) -> None:
    drive(live(LIVE), at(), shown=False)
    assert reason(drive(live(LIVE), at())) is Reason.OK_AGAIN


def test_a_moving_code_with_a_serial_counts_once_at_any_step(drive: Driver) -> None:
    plain = replaced(TICKET, id=35, needs_card=False)
    with drive.store.transaction():
        drive.store.cache.apply([PutCampaign(plain)], b"i" * 16, 10)
    assert reason(drive(live(plain, serial=5), at())) is Reason.OK
    late = at(AT_MS + 90_000, mono_ms=91_000)
    assert reason(drive(live(plain, STEP + 6, serial=5), late)) is Reason.USED


@pytest.mark.parametrize("serial", [0, 5])
def test_a_phone_that_is_still_held_up_when_its_code_moves_on_counts_no_second_time(drive: Driver, serial: int) -> None:
    plain = replaced(TICKET, id=35, needs_card=False, serials=serial > 0)
    with drive.store.transaction():
        drive.store.cache.apply([PutCampaign(plain)], b"i" * 16, 10)
    assert reason(drive(live(plain, serial=serial), at())) is Reason.OK
    before = drive.core.visit
    step = drive(live(plain, STEP + 1, serial=serial), at(AT_MS + 15_000, mono_ms=16_000))
    assert (step.effects, step.facts, step.visit) == ((), (), before)
    assert reason(step) is Reason.OK_AGAIN  # for the log alone
    forged = drive(live(plain, STEP + 1, serial=serial, phone=SigningKey(b"q" * 32)), at(AT_MS + 15_000))
    assert reason(forged) in (Reason.OK, Reason.USED)  # another phone is somebody else


def test_a_code_that_stands_still_does_not_count_for_a_campaign_whose_codes_move(drive: Driver) -> None:
    assert reason(drive(scanned(code(LIVE, holder=HER)), at())) is Reason.NOT_DOWNLOADED


@pytest.mark.parametrize(
    ("rule", "expected"), [(ClockRule.REFUSE, Reason.CLOCK_UNTRUSTED), (ClockRule.ACCEPT, Reason.OK)]
)
def test_by_a_clock_that_is_not_trusted_the_campaign_chooses(drive: Driver, rule: ClockRule, expected: Reason) -> None:
    with drive.store.transaction():
        drive.store.cache.apply([PutCampaign(replaced(LIVE, clock_rule=rule))], b"i" * 16, 10)
    step = drive(live(LIVE), at(0, trusted=False))
    assert reason(step) is expected
    if expected is Reason.OK:
        (fact,) = step.facts
        assert isinstance(fact, Redeemed)
        assert fact.clock_doubted
        assert reason(drive(live(LIVE), at(0, trusted=False))) is Reason.STALE  # even so, not twice


def test_a_moving_code_that_waits_for_its_card_is_as_fresh_as_when_it_was_shown(drive: Driver) -> None:
    assert reason(drive(live(TICKET, serial=5), at())) is Reason.NEEDS_CARD
    late = at(AT_MS + 60_000)
    assert reason(drive(put(HER_CARD), late)) is Reason.OK


def test_a_screenshot_does_not_become_fresh_by_a_card(drive: Driver) -> None:
    drive(live(TICKET, serial=5), at(AT_MS + 120_000))
    assert reason(drive(put(HER_CARD), at(AT_MS + 120_000))) is Reason.STALE


def test_with_a_till_a_code_that_was_fresh_counts_at_the_payment(store: Store) -> None:
    drive = Driver(store, Mode.LANE)
    drive(ev.BasketOpened(spend_yen=1000))
    assert reason(drive(live(LIVE), at())) is Reason.RESERVED
    assert (
        reason(drive(live(LIVE, STEP + 1), at(AT_MS + 15_000))) is Reason.RESERVED
    )  # the same coupon, not a second one
    paid = drive(ev.BasketPaid(), at(AT_MS + 180_000))
    assert (len(paid.facts), len(paid.spent)) == (1, 1)
    drive(ev.BasketOpened(spend_yen=1000))
    assert reason(drive(live(LIVE), at())) is Reason.STALE


def test_phones_are_remembered_up_to_a_bound_and_the_oldest_steps_go_first(store: Store) -> None:
    with store.transaction():
        store.connection.executemany(
            "INSERT INTO phones VALUES (?, ?)",
            [(number.to_bytes(16, "big"), 1 + number) for number in range(PHONES_HELD_MAX + 40)],
        )
    store.tidy(None, 0)
    assert store.connection.row("SELECT count(*), min(step) FROM phones") == (PHONES_HELD_MAX, 41)


def test_a_snapshot_replaces_the_cards(store: Store) -> None:
    with store.transaction():
        assert store.cache.start_snapshot(1000)
        store.cache.stage([PutCard(sealing.card_hash(SECRET, STRANGE_CARD), 77)])
        store.cache.finish_snapshot(b"i" * 16, 20)
    assert store.cache.holder_of_card(STRANGE_CARD) == 77
    assert store.cache.holder_of_card(HER_CARD) == -1
    assert store.cache.holder_of_card(b"") == 0


def test_nobody_else_is_asked_about_a_picture_of_the_screen(drive: Driver) -> None:
    """Without a part of the cap the centre would be asked; a stale code is refused before that."""
    leased = replaced(LIVE, id=36, policy=Policy.LEASE, cap=5)
    with drive.store.transaction():
        drive.store.cache.apply([PutCampaign(leased)], b"i" * 16, 10)
    drive(ev.LinkChanged(up=True))
    assert reason(drive(live(leased), at(AT_MS + 120_000))) is Reason.STALE
    asked = drive(live(leased), at())
    assert any(isinstance(effect, AskCentre) for effect in asked.effects)
