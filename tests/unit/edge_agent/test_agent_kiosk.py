"""The pages of a kiosk (M6, M12): two buttons, a card in the slot, and nothing of its holder when it is out."""

from __future__ import annotations

import pytest

from edge_agent.core import events as ev
from edge_agent.core.browsing import LEFT, PAGE_MS, RIGHT, TAKE_MS
from edge_agent.core.effects import AskOffers, AskPages, Show, StartTimer, TakeCoupon, View
from edge_agent.core.pages import Page, PageKind
from edge_agent.core.states import Mode, State
from edge_agent.core.visit import Step
from edge_agent.store.store import Store
from hal.events import ButtonPressed, CardPresented
from loyalty.card import Balance
from loyalty.reason import Reason
from tests.unit.edge_agent.agent_world import SIGNED, code, scanned
from tests.unit.edge_agent.test_agent_cards import HER, HIM, INCARNATION, KEY, OTHER_UID, Place, member_card
from wire.messages import PutCardKey

MEMBER = Page(kind=PageKind.MEMBER, title="4821 093 757")
POINTS = Page(kind=PageKind.POINTS, title="街のポイント", number=380)
COUPON = Page(kind=PageKind.COUPON, title="紅茶", number=30, link="http://shop/offers/30")
TOLD = (MEMBER, POINTS, COUPON)


@pytest.fixture
def kiosk(store: Store) -> Place:
    with store.transaction():
        store.cache.apply([PutCardKey(1, KEY)], INCARNATION, 9)
    place = Place(store)
    place.put(member_card(HER, 1, Balance(5, 77)))
    return place


def press(place: Place, button: int = LEFT) -> Step:
    return place.event(ButtonPressed(button=button))


def asked(place: Place) -> AskPages:
    return next(effect for effect in place.steps[-1].effects if isinstance(effect, AskPages))


def shown(place: Place) -> Show:
    """What the display says now."""
    return [effect for step in place.steps for effect in step.effects if isinstance(effect, Show)][-1]


def timer(place: Place) -> StartTimer:
    return [effect for step in place.steps for effect in step.effects if isinstance(effect, StartTimer)][-1]


def told(place: Place, *pages: Page) -> Step:
    press(place)
    return place.event(ev.PagesTold(question=asked(place).question, pages=pages or TOLD))


def reason(place: Place) -> Reason | None:
    verdict = place.steps[-1].verdict
    return None if verdict is None else verdict.reason


def test_M12_the_first_press_asks_the_centre_by_holder_and_generation_alone(kiosk: Place) -> None:
    assert shown(kiosk).number == 1, "the greeting says that there are pages"
    press(kiosk)
    ask = asked(kiosk)
    assert (ask.holder, ask.generation) == (HER, 1)
    offers = [effect for effect in kiosk.steps[-1].effects if isinstance(effect, AskOffers)]
    assert [(one.question, one.holder) for one in offers] == [(ask.question, HER)]
    assert shown(kiosk).view is View.ASKING
    assert kiosk.drive.core.visit.state is State.BROWSING
    assert kiosk.facts == [], "turning pages is nothing that happened to money"


def test_M12_one_button_turns_the_pages_round_and_round(kiosk: Place) -> None:
    told(kiosk)
    seen = [shown(kiosk).page]
    for _ in range(3):
        press(kiosk)
        seen.append(shown(kiosk).page)
    assert seen == [*TOLD, MEMBER]
    assert timer(kiosk).after_ms == PAGE_MS


def test_M9_bargains_that_were_picked_come_last_whenever_they_are_told(kiosk: Place) -> None:
    press(kiosk)
    question = asked(kiosk).question
    kiosk.event(ev.OffersTold(question=question, titles=("珈琲豆",)))
    kiosk.event(ev.PagesTold(question=question, pages=(MEMBER,)))
    assert shown(kiosk).page == MEMBER
    press(kiosk)
    assert shown(kiosk).page == Page(kind=PageKind.BARGAIN, title="珈琲豆")
    kiosk.event(ev.OffersTold(question=question, titles=("珈琲豆",)))  # doubled by the network
    press(kiosk)
    assert shown(kiosk).page == MEMBER


def test_M12_a_page_that_is_read_does_not_move_when_bargains_come_late(kiosk: Place) -> None:
    told(kiosk, MEMBER, POINTS)
    press(kiosk)
    question = kiosk.drive.core.visit.browsing.question if kiosk.drive.core.visit.browsing else b""
    step = kiosk.event(ev.OffersTold(question=question, titles=("珈琲豆",)))
    assert step.effects == ()
    press(kiosk)
    assert shown(kiosk).page == Page(kind=PageKind.BARGAIN, title="珈琲豆")


def test_M12_the_second_button_shows_the_qr_and_then_takes_the_coupon(kiosk: Place) -> None:
    told(kiosk, COUPON, POINTS)
    press(kiosk, RIGHT)
    assert (shown(kiosk).view, shown(kiosk).page) == (View.TAKE, COUPON)
    assert timer(kiosk).after_ms == TAKE_MS
    press(kiosk, RIGHT)
    take = next(effect for effect in kiosk.steps[-1].effects if isinstance(effect, TakeCoupon))
    assert (take.holder, take.generation, take.campaign) == (HER, 1, 30)
    press(kiosk, RIGHT)
    press(kiosk, LEFT)
    taken = [effect for step in kiosk.steps for effect in step.effects if isinstance(effect, TakeCoupon)]
    assert len(taken) == 1, "an impatient finger takes it once"
    kiosk.event(ev.CouponTaken(question=b"another question", given=True))
    assert shown(kiosk).view is View.ASKING
    kiosk.event(ev.CouponTaken(question=take.question, given=True))
    assert (shown(kiosk).view, shown(kiosk).number) == (View.TAKEN, 1)


def test_M12_a_coupon_that_is_not_given_is_a_clear_no(kiosk: Place) -> None:
    told(kiosk, Page(kind=PageKind.COUPON, title="紅茶", number=30))
    press(kiosk, RIGHT)  # without a link there is no QR to show first
    take = next(effect for effect in kiosk.steps[-1].effects if isinstance(effect, TakeCoupon))
    kiosk.event(ev.CouponTaken(question=take.question, given=False))
    assert (shown(kiosk).view, shown(kiosk).number) == (View.TAKEN, 0)


def test_M12_a_coupon_that_nobody_answers_for_is_not_now(kiosk: Place) -> None:
    told(kiosk, COUPON)
    press(kiosk, RIGHT)
    press(kiosk, RIGHT)
    kiosk.event(ev.TimeUp(id=timer(kiosk).id))
    assert reason(kiosk) is Reason.NOT_NOW


def test_M12_the_second_button_does_nothing_where_there_is_nothing_to_take(kiosk: Place) -> None:
    told(kiosk, POINTS)
    assert press(kiosk, RIGHT).effects == ()
    assert press(kiosk, 7).effects == ()


@pytest.mark.parametrize("presses", [0, 1, 2])
def test_M12_a_card_that_is_taken_out_takes_its_pages_along_at_once(kiosk: Place, presses: int) -> None:
    told(kiosk, COUPON, POINTS)
    for _ in range(presses):
        press(kiosk, RIGHT)
    kiosk.take()
    visit = kiosk.drive.core.visit
    assert (shown(kiosk).view, shown(kiosk).page) == (View.READY, None)
    assert (visit.state, visit.browsing, visit.member) == (State.READY, None, None)
    assert press(kiosk).effects == (), "and no button brings them back"


def test_M12_what_is_told_after_the_card_is_out_is_shown_to_nobody(kiosk: Place) -> None:
    press(kiosk)
    question = asked(kiosk).question
    kiosk.take()
    for late in (
        ev.PagesTold(question=question, pages=TOLD),
        ev.OffersTold(question=question, titles=("珈琲豆",)),
        ev.CouponTaken(question=question, given=True),
    ):
        assert kiosk.event(late).effects == ()


def test_M12_the_next_card_sees_nothing_of_the_one_before(kiosk: Place) -> None:
    told(kiosk)
    other = member_card(HIM, uid=OTHER_UID)
    kiosk.event(CardPresented(uid=other.uid, record=other.user_memory, chip=other.chip.value))
    assert (shown(kiosk).view, shown(kiosk).page) == (View.KNOWN_CARD, None)
    assert kiosk.drive.core.visit.browsing is None
    press(kiosk)
    assert asked(kiosk).holder == HIM


def test_M12_a_late_answer_about_one_card_is_never_shown_to_the_next(kiosk: Place) -> None:
    press(kiosk)
    first = asked(kiosk).question
    kiosk.take()
    kiosk.put(member_card(HIM, uid=OTHER_UID))
    press(kiosk)
    assert kiosk.event(ev.PagesTold(question=first, pages=TOLD)).effects == ()
    kiosk.event(ev.OffersTold(question=first, titles=("珈琲豆",)))
    browsing = kiosk.drive.core.visit.browsing
    assert browsing is not None
    assert (browsing.waits, browsing.pages) == (True, ())


def test_M12_nobody_presses_and_the_page_goes(kiosk: Place) -> None:
    told(kiosk)
    kiosk.event(ev.TimeUp(id=timer(kiosk).id - 1))
    assert shown(kiosk).page == MEMBER, "an older timer means nothing"
    kiosk.event(ev.TimeUp(id=timer(kiosk).id))
    assert shown(kiosk).view is View.READY
    assert kiosk.drive.core.visit.browsing is None
    press(kiosk)
    assert asked(kiosk).holder == HER, "the card is still in: the button begins anew"


def test_M6_without_the_centre_the_points_are_the_cards_and_are_called_that(kiosk: Place) -> None:
    kiosk.event(ev.LinkChanged(up=False))
    press(kiosk)
    assert shown(kiosk).page == Page(kind=PageKind.POINTS, number=77, of_card=True)


def test_M6_a_centre_that_does_not_answer_in_time_leaves_what_the_card_says(kiosk: Place) -> None:
    press(kiosk)
    question = asked(kiosk).question
    kiosk.event(ev.TimeUp(id=timer(kiosk).id))
    assert shown(kiosk).page == Page(kind=PageKind.POINTS, number=77, of_card=True)
    assert kiosk.event(ev.PagesTold(question=question, pages=TOLD)).effects == (), "too late"


def test_M6_a_card_without_points_is_told_not_now_where_there_is_no_centre(store: Store, kiosk: Place) -> None:
    kiosk.take()
    kiosk.put(member_card(HIM, uid=OTHER_UID))
    kiosk.event(ev.LinkChanged(up=False))
    press(kiosk)
    assert reason(kiosk) is Reason.NOT_NOW


def test_M12_a_card_that_the_centre_tells_nothing_is_shown_nothing(kiosk: Place) -> None:
    press(kiosk)
    kiosk.event(ev.PagesTold(question=asked(kiosk).question, pages=()))
    assert reason(kiosk) is Reason.NOT_NOW


def test_M12_a_coupon_before_the_camera_is_what_somebody_wants_now(kiosk: Place) -> None:
    told(kiosk)
    kiosk.event(scanned(code(SIGNED, serial=9)))
    assert reason(kiosk) is Reason.OK
    assert kiosk.drive.core.visit.browsing is None


def test_M12_a_lane_has_no_pages_and_a_kiosk_without_a_members_card_has_none_either(store: Store) -> None:
    with store.transaction():
        store.cache.apply([PutCardKey(1, KEY)], INCARNATION, 9)
    lane = Place(store, Mode.LANE)
    lane.put(member_card())
    assert shown(lane).number == 0
    assert press(lane).effects == ()
    kiosk = Place(store)
    assert press(kiosk).effects == ()
