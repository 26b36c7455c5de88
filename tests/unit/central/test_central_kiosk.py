"""What a kiosk is told of whoever has a card in its slot, and the coupons that are taken there (M6, M12)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from central import own_data
from central.coupons import persons
from central.ledger import programmes, tills
from central.ledger.tills import Purchase
from central.members import giving, membership
from central.members.membership import Member
from loyalty.card_slots import Chip
from loyalty.points import Programme
from tests.unit.central.central_kit import NOW_MS, Centre, Lane, campaign
from wire.messages import AskPages, Command, CouponTaken, KioskPage, Pages, TakeCoupon, decode, encode
from wire.topics import UP_REQ

QUESTION = b"q" * 16
OPEN, ELSEWHERE, TICKET, MOVING, LAST = 1, 2, 3, 4, 5


@pytest.fixture
def shop(tmp_path: Path, lane: Lane) -> Iterator[Centre]:
    centre = Centre(
        tmp_path / "shop",
        campaign(OPEN, name="紅茶"),
        campaign(ELSEWHERE, name="浦和だけ", shops=("urawa",)),
        campaign(TICKET, name="切符", strong_auth=True),
        campaign(MOVING, name="動くコード", moving=True),
        campaign(LAST, name="最後の一枚", stock=1),
    )
    centre.enrol(lane)
    with centre.office.database.write() as connection:
        for name in ("AAA", "BBB"):
            person = persons.add(connection, name, "x", NOW_MS)
            uid = name.encode().ljust(7, b"\1")
            giving.next_card(
                connection,
                centre.secret,
                membership.enrol(connection, person),
                uid=uid,
                chip=Chip.NTAG213,
                now_ms=NOW_MS,
            )
        programmes.put(connection, Programme(id=9, name="街のポイント"), NOW_MS)
    yield centre
    centre.close()


def member(shop: Centre, name: str = "AAA") -> Member:
    with shop.office.database.read() as connection:
        found = membership.find(connection, name)
    assert found is not None
    return found


def hears(shop: Centre, lane: Lane, request: AskPages | TakeCoupon) -> Any:
    (answer,) = shop.desk.handle(lane.address.topic(UP_REQ), encode(request), NOW_MS)
    said = decode(shop.opened(answer), Command)
    assert said.question == request.question
    return said


def pages(shop: Centre, lane: Lane, name: str = "AAA", generation: int = 1) -> list[KioskPage]:
    said = hears(shop, lane, AskPages(QUESTION, member(shop, name).person.holder, generation))
    assert isinstance(said, Pages)
    return said.pages


def take(shop: Centre, lane: Lane, number: int, name: str = "AAA", generation: int = 1) -> bool:
    said = hears(shop, lane, TakeCoupon(QUESTION, member(shop, name).person.holder, generation, number))
    assert isinstance(said, CouponTaken)
    return said.given


def test_M6_M12_a_member_sees_their_number_points_and_what_they_can_take_here(shop: Centre, lane: Lane) -> None:
    who = member(shop)
    with shop.office.database.write() as connection:
        tills.earn(connection, Purchase(b"n" * 16, 9, who.person.holder, "ginza", 380, NOW_MS), NOW_MS)
    assert pages(shop, lane) == [
        KioskPage("member", membership.shown(who.number)),
        KioskPage("points", "街のポイント", 380),
        KioskPage("coupon", "最後の一枚", LAST, f"http://127.0.0.1:8470/offers/{LAST}"),
        KioskPage("coupon", "紅茶", OPEN, f"http://127.0.0.1:8470/offers/{OPEN}"),
    ], "not what needs a password or an app, nor what counts elsewhere"


def test_M10_no_name_reaches_a_kiosk(shop: Centre, lane: Lane) -> None:
    (answer,) = shop.desk.handle(
        lane.address.topic(UP_REQ), encode(AskPages(QUESTION, member(shop).person.holder, 1)), NOW_MS
    )
    assert b"AAA" not in answer.payload


def test_M2_a_card_that_was_replaced_or_blocked_or_whose_holder_is_gone_is_told_nothing(
    shop: Centre, lane: Lane
) -> None:
    assert pages(shop, lane, generation=2) == []
    with shop.office.database.write() as connection:
        giving.block(connection, shop.secret, member(shop))
    assert pages(shop, lane) == []
    assert not take(shop, lane, OPEN)
    gone = member(shop, "BBB").person
    with shop.office.database.write() as connection:
        own_data.erase(connection, shop.secret, gone, NOW_MS)
    said = hears(shop, lane, AskPages(QUESTION, gone.holder, 1))
    assert said.pages == []
    assert shop.one("SELECT count(*) FROM coupons") == 0


def test_M12_a_coupon_that_is_taken_is_among_the_members_coupons_once_however_often_it_is_asked(
    shop: Centre, lane: Lane
) -> None:
    assert [take(shop, lane, OPEN) for _ in range(3)] == [True, True, True]
    assert shop.query("SELECT campaign, person_id FROM coupons") == [(OPEN, member(shop).person.id)]
    assert OPEN not in [page.number for page in pages(shop, lane)], "it is offered to them no more"


def test_K3_of_two_members_who_take_the_last_one_at_kiosks_one_gets_it(shop: Centre, lane: Lane) -> None:
    assert take(shop, lane, LAST)
    assert not take(shop, lane, LAST, "BBB")
    assert LAST not in [page.number for page in pages(shop, lane, "BBB")]


@pytest.mark.parametrize("number", [TICKET, MOVING, 99, 0, -1, 2**63, 2**64 - 1])
def test_M12_what_a_kiosk_can_not_give_is_a_clear_no(shop: Centre, lane: Lane, number: int) -> None:
    assert not take(shop, lane, number)
    assert shop.one("SELECT count(*) FROM coupons") == 0


@pytest.mark.parametrize("holder", [0, -1, 2**48, 2**64 - 1])
def test_a_holder_that_no_card_can_say_is_not_answered(shop: Centre, lane: Lane, holder: int) -> None:
    for request in (AskPages(QUESTION, holder, 1), TakeCoupon(QUESTION, holder, 1, OPEN), AskPages(b"q", 1, 1)):
        assert shop.desk.handle(lane.address.topic(UP_REQ), encode(request), NOW_MS) == []
