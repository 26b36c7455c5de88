"""What a new card says of its holder's points (M2, M5): the ledger's, last used first, of the shop that writes it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import event

from central.coupons import persons
from central.ledger import expiry, programmes, tills
from central.ledger.tills import Purchase
from central.ledger.transfer import Booked
from central.members import membership, requests
from central.members.card_balances import Wanted, usable
from central.members.requests import Granted
from loyalty.card import BALANCES_MAX, POINTS_MAX, PROGRAMME_MAX
from loyalty.points import Overspending, Programme
from tests.unit.central.central_kit import NOW_MS, Centre, Lane
from wire.facts import Spent
from wire.messages import AskCard, CardGrant, CardOffer, Command, decode, encode
from wire.topics import UP_REQ

UID, QUESTION = bytes.fromhex("04a1b2c3d4e5f6"), b"q" * 16
OWN, SHARED, LASTING = 1, 2, 3
DAY_MS = 86_400_000


class Till:
    """Books points at a centre, each with a name of its own."""

    def __init__(self, centre: Centre) -> None:
        self.centre, self.names = centre, 0

    def programme(self, number: int, **terms: object) -> None:
        plain: dict[str, object] = {"id": number, "name": f"points {number}"}
        with self.centre.office.database.write() as connection:
            programmes.put(connection, Programme(**{**plain, **terms}), NOW_MS)  # type: ignore[arg-type]

    def book(self, what: str, programme: int, holder: int, points: int, site: str = "ginza") -> None:
        self.names += 1
        purchase = Purchase(self.names.to_bytes(16, "big"), programme, holder, site, points, NOW_MS)
        with self.centre.office.database.write() as connection:
            assert isinstance(getattr(tills, what)(connection, purchase, NOW_MS), Booked)


@pytest.fixture
def shop(tmp_path: Path, lane: Lane) -> Iterator[Centre]:
    centre = Centre(tmp_path / "shop")
    centre.enrol(lane)
    with centre.office.database.write() as connection:
        persons.add(connection, "BBB", persons.hash_password("correct horse"), NOW_MS)
    yield centre
    centre.close()


@pytest.fixture
def till(shop: Centre) -> Till:
    till = Till(shop)
    till.programme(OWN)
    till.programme(SHARED, shared=True)
    till.programme(LASTING, shared=True, days=10)
    return till


def holder(shop: Centre, name: str = "BBB") -> int:
    with shop.office.database.read() as connection:
        person = persons.find(connection, name)
    assert person is not None
    return person.holder


def on_card(shop: Centre, *, site: str = "ginza", now_ms: int = NOW_MS) -> list[tuple[int, int]]:
    one = Wanted(holder(shop), site)
    with shop.office.database.read() as connection:
        return usable(connection, [one], now_ms)[one]


def test_M2_the_kiosk_is_told_the_points_of_the_ledger_with_the_card(shop: Centre, lane: Lane, till: Till) -> None:
    who = holder(shop)
    till.book("earn", OWN, who, 500)
    till.book("earn", SHARED, who, 70)
    till.book("spend", OWN, who, 120)
    question = encode(AskCard(QUESTION, UID, "ntag213"))
    (answer,) = shop.desk.handle(lane.address.topic(UP_REQ), question, NOW_MS)
    offer = decode(shop.opened(answer), Command)
    assert isinstance(offer, CardOffer)
    code = offer.link.rpartition("/")[2]
    done = requests.claim(shop.office.database, shop.secret, code, "BBB", "correct horse", NOW_MS)
    assert isinstance(done, Granted)
    (answer,) = shop.desk.handle(lane.address.topic(UP_REQ), question, NOW_MS)
    grant = decode(shop.opened(answer), Command)
    assert isinstance(grant, CardGrant)
    assert grant.balances == [(OWN, 380), (SHARED, 70)], "the one that was used last comes first"


def test_M5_points_that_each_shop_keeps_are_those_of_the_shop_where_the_card_is_written(
    shop: Centre, till: Till
) -> None:
    who = holder(shop)
    till.book("earn", SHARED, who, 5)
    till.book("earn", OWN, who, 900, "ginza")
    till.book("earn", OWN, who, 40, "urawa")
    assert on_card(shop, site="urawa") == [(OWN, 40), (SHARED, 5)]
    assert on_card(shop, site="ginza") == [(OWN, 900), (SHARED, 5)]
    assert on_card(shop, site="kanda") == [(SHARED, 5)], "nothing is said of what a shop does not keep"


def test_M2_what_somebody_owes_is_nothing_on_a_card(shop: Centre, lane: Lane, till: Till) -> None:
    till.programme(OWN, overdraft=True, overspending=Overspending.NEGATIVE)
    lane.journal(Spent(lane.stamp(), b"n" * 16, OWN, holder(shop), 50, "ginza"))
    assert shop.book(lane).aside == 0
    assert on_card(shop) == [(OWN, 0)]


def test_M2_a_card_says_what_can_be_spent_and_not_what_has_ended(shop: Centre, till: Till) -> None:
    who = holder(shop)
    till.book("earn", LASTING, who, 30)
    assert on_card(shop) == [(LASTING, 30)]
    after_ms = NOW_MS + 11 * DAY_MS
    assert on_card(shop, now_ms=after_ms) == [(LASTING, 0)]
    with shop.office.database.write() as connection:
        expiry.step(connection, after_ms)
    assert on_card(shop, now_ms=after_ms) == [(LASTING, 0)]


def test_M2_points_of_somebody_else_are_on_nobodys_card(shop: Centre, till: Till) -> None:
    with shop.office.database.write() as connection:
        other = persons.add(connection, "AAA", "x", NOW_MS)
        membership.enrol(connection, other)
    till.book("earn", OWN, other.holder, 700)
    assert on_card(shop) == []


def test_M1_no_more_balances_are_told_than_any_card_has_room_for(shop: Centre, till: Till) -> None:
    who = holder(shop)
    for number in range(10, 10 + BALANCES_MAX + 3):
        till.programme(number)
        till.book("earn", number, who, number)
    till.programme(PROGRAMME_MAX + 1)
    till.book("earn", PROGRAMME_MAX + 1, who, 9)
    told = on_card(shop)
    assert told == [(number, number) for number in range(10 + BALANCES_MAX + 2, 12, -1)], "the oldest give way"
    till.book("earn", 10, who, POINTS_MAX)
    assert on_card(shop)[0] == (10, POINTS_MAX), "and what three bytes can't hold is cut"


def test_M1_the_points_of_a_hundred_cards_are_one_query(shop: Centre, till: Till) -> None:
    wanted = [Wanted(number, "ginza") for number in range(1, 101)]
    for one in wanted[:3]:
        till.book("earn", OWN, one.holder, one.holder)
    asked: list[str] = []
    with shop.office.database.read() as connection:
        event.listen(connection, "before_cursor_execute", lambda *args: asked.append(args[2]))
        found = usable(connection, wanted, NOW_MS)
    assert len(asked) == 1
    assert [found[one] for one in wanted[:4]] == [[(OWN, 1)], [(OWN, 2)], [(OWN, 3)], []]
