"""A kiosk asks what was picked for the card in its slot (M9, M12): titles, and no word about the person."""

from __future__ import annotations

import pytest
from sqlalchemy import insert

from central import consent
from central.consent import Purpose
from central.coupons import persons
from central.coupons.persons import Person
from central.db.schema import bargains, offer_declines, offer_picks, offer_runs, sites
from central.offers import told
from tests.unit.central.central_kit import NOW_MS, Centre, Lane
from wire.messages import OFFER_CHARS_MAX, OFFERS_MAX, AskOffers, Offers, decode, encode
from wire.topics import UP_REQ

QUESTION = b"q" * 16


@pytest.fixture
def her(centre: Centre) -> Person:
    """Somebody who agreed, for whom a run picked six offers of the one shop."""
    with centre.office.database.write() as connection:
        site = connection.execute(sites.select()).first()
        assert site is not None
        person = persons.add(connection, "her", "!", NOW_MS)
        consent.give(connection, person.id, Purpose.OFFERS, NOW_MS)
        connection.execute(
            insert(offer_runs).values(
                id=1, period="2027-W02", as_of_ms=NOW_MS, stage="done", cursor=0, people=1, picked=1, changed_ms=NOW_MS
            )
        )
        for number in range(1, 7):
            connection.execute(
                insert(bargains).values(
                    id=number, site_id=site.id, kind="bargain", title=f"お茶 {number}" + "茶" * 60, body="", found_by="",
                    about="none", goods="", from_ms=0, until_ms=NOW_MS + number, made_ms=0, changed_ms=0,
                )
            )  # fmt: skip
            connection.execute(
                insert(offer_picks).values(
                    run_id=1, person_id=person.id, rank=number, bargain_id=number, why="again", gtin=0, site="ginza"
                )
            )
    return person


def ask(centre: Centre, lane: Lane, holder: int, now_ms: int = NOW_MS, question: bytes = QUESTION) -> Offers | None:
    answers = centre.desk.handle(lane.address.topic(UP_REQ), encode(AskOffers(question, holder)), now_ms)
    return decode(centre.opened(answers[0]), Offers) if answers else None


def test_M9_a_kiosk_is_told_the_titles_that_hold_best_first(centre: Centre, lane: Lane, her: Person) -> None:
    said = ask(centre, lane, her.holder)
    assert said is not None
    assert said.question == QUESTION
    assert [title[:4] for title in said.titles] == [f"お茶 {number}" for number in range(1, OFFERS_MAX + 1)]
    assert max(map(len, said.titles)) == OFFER_CHARS_MAX


def test_M9_what_is_over_or_was_declined_is_told_no_more(centre: Centre, lane: Lane, her: Person) -> None:
    with centre.office.database.write() as connection:
        connection.execute(insert(offer_declines).values(person_id=her.id, bargain_id=4))
    said = ask(centre, lane, her.holder, NOW_MS + 2)
    assert said is not None
    assert [title[:4] for title in said.titles] == ["お茶 3", "お茶 5", "お茶 6"]


def test_M9_nothing_is_told_of_whoever_withdrew_their_consent(centre: Centre, lane: Lane, her: Person) -> None:
    with centre.office.database.write() as connection:
        consent.withdraw(connection, her.id, Purpose.OFFERS, NOW_MS)
    assert ask(centre, lane, her.holder) == Offers(QUESTION, [])


def test_M9_nobody_in_particular_has_no_offers(centre: Centre, lane: Lane, her: Person) -> None:
    assert ask(centre, lane, her.holder ^ 1) == Offers(QUESTION, [])
    assert ask(centre, lane, 0) is None
    assert ask(centre, lane, her.holder, question=b"short") is None


def test_M9_a_unit_that_is_not_enrolled_is_told_nothing(centre: Centre, her: Person) -> None:
    assert ask(centre, Lane("lane-9", "urawa"), her.holder) is None


def test_M9_a_newer_runs_offers_take_the_place_of_older_ones(centre: Centre, her: Person) -> None:
    with centre.office.database.write() as connection:
        connection.execute(
            insert(offer_runs).values(
                id=2, period="2027-W03", as_of_ms=NOW_MS, stage="pick", cursor=0, people=1, picked=1, changed_ms=NOW_MS
            )
        )
        connection.execute(
            insert(offer_picks).values(
                run_id=2, person_id=her.id, rank=1, bargain_id=6, why="near", gtin=0, site="ginza"
            )
        )
        assert [pick.bargain for pick in told.of_person(connection, her.id, NOW_MS)] == [6]
        assert [pick.bargain for pick in told.of_person(connection, her.id, NOW_MS, run_id=1)] == [1, 2, 3, 4, 5]
