"""Offers for every customer in turn (M9): by a stated method, each person once for each period."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import Connection, func, select, update

from central import consent, own_data
from central.consent import Purpose
from central.coupons import download
from central.db.schema import bargains, goods_alike, goods_pairs, goods_people, mails, offer_picks, persons
from central.offers import alike, purchases, run, taste, told, words
from central.offers.bargains import About
from central.offers.bargains import add as register
from central.offers.run import Stage
from loyalty.campaign import DAY_MS
from tests.unit.central.central_kit import NOW_MS, Centre
from tests.unit.central.offers_kit import (
    BREAD,
    COFFEE,
    PERIOD,
    RICE,
    SECRET,
    TEA,
    buy,
    draft,
    enter,
    example,
    run_to_end,
)

PAGE = Path("docs/offers.md")


def picks(centre: Centre, person_id: int, run_id: int | None = None) -> list[tuple[int, str, int]]:
    with centre.office.database.read() as connection:
        query = select(offer_picks).where(offer_picks.c.person_id == person_id).order_by(offer_picks.c.rank)
        if run_id is not None:
            query = query.where(offer_picks.c.run_id == run_id)
        return [(row.bargain_id, row.why, row.gtin) for row in connection.execute(query)]


def count(centre: Centre, table: object) -> int:
    with centre.office.database.read() as connection:
        return connection.execute(select(func.count()).select_from(table)).scalar_one()  # type: ignore[arg-type]


def test_M9_the_worked_example_comes_out_as_the_docs_print_it(centre: Centre) -> None:
    people = example(centre)
    run_to_end(centre, stop_at=Stage.PICK)
    with centre.office.database.read() as connection:
        names = {TEA: "緑茶", RICE: "おにぎり", COFFEE: "珈琲", BREAD: "パン"}
        found = alike.of(connection, 1, sorted(names))
        lines = [
            f"{names[gtin]} -> {names[other]}  {ppm / 1_000_000:.6f}"
            for gtin, many in sorted(found.items())
            for other, ppm in many
        ]
    run_to_end(centre)
    with centre.office.database.read() as connection:
        for name in "ABCDEF":
            lines.append(f"{name}:")
            for pick in told.of_person(connection, people[name].id, NOW_MS):
                lines.append(f"  {pick.title}（{pick.shop}） {words.reason(pick, 'ja')}")
    assert "\n".join(lines) in PAGE.read_text(encoding="utf-8")


def test_M9_what_one_buys_again_goes_before_what_goes_with_it(centre: Centre) -> None:
    people = example(centre)
    run_to_end(centre)
    assert picks(centre, people["A"].id) == [(2, "again", TEA), (1, "again", RICE), (3, "again", TEA), (4, "near", 0)]
    assert picks(centre, people["F"].id) == [(2, "alike", TEA), (3, "alike", TEA), (1, "alike", TEA), (4, "near", 0)]


def test_M9_two_people_who_bought_the_same_make_no_pair(centre: Centre) -> None:
    """Chance makes none, and none tells what one person bought."""
    people = [enter(centre, name) for name in ("A", "B")]
    for person in people:
        buy(centre, person.holder, "ginza", (TEA, RICE), NOW_MS - 1)
    run_to_end(centre, stop_at=Stage.PICK)
    assert count(centre, goods_pairs) == 2
    assert count(centre, goods_alike) == 0


def test_M9_who_did_not_agree_is_neither_picked_for_nor_counted(centre: Centre) -> None:
    people = example(centre)
    with centre.office.database.write() as connection:
        consent.withdraw(connection, people["B"].id, Purpose.OFFERS, NOW_MS)
    run_to_end(centre, stop_at=Stage.PICK)
    with centre.office.database.read() as connection:
        assert alike.of(connection, 1, [TEA]) == {}  # only A and C are left who bought both
    done = run_to_end(centre)
    assert picks(centre, people["B"].id) == []
    assert done.people == 5


def test_M9_what_one_declined_has_or_was_told_of_is_not_picked_again(centre: Centre) -> None:
    people = example(centre)
    with centre.office.database.write() as connection:
        told.decline(connection, people["A"].id, 2)
        connection.execute(update(bargains).where(bargains.c.id == 1).values(campaign=1))
        given = download.download(connection, centre.office.keys, 1, people["A"], proven=True, now_ms=NOW_MS)
        assert isinstance(given, download.Given)
    run_to_end(centre)
    assert [number for number, _, _ in picks(centre, people["A"].id)] == [3, 4]
    run_to_end(centre, "2027-W03", NOW_MS + 1_000)
    assert picks(centre, people["A"].id, 2) == []
    assert [number for number, _, _ in picks(centre, people["F"].id)] == [2, 3, 1, 4]


def test_M9_bargains_of_a_company_and_of_a_kind_of_goods_fit(centre: Centre) -> None:
    people = example(centre)
    with centre.office.database.write() as connection:
        register(connection, "urawa", draft("4902の日", About.PREFIX, "4902000"), NOW_MS)
    run_to_end(centre)
    assert (5, "alike", COFFEE) in picks(centre, people["D"].id)
    assert (3, "alike", COFFEE) in picks(centre, people["D"].id)  # of its kind


def test_M9_a_run_does_not_see_what_happened_after_it_began(centre: Centre) -> None:
    people = example(centre)
    run.begin(centre.office.database, PERIOD, NOW_MS - DAY_MS + 1)
    buy(centre, people["E"].holder, "ginza", (TEA,), NOW_MS)
    run_to_end(centre, now_ms=NOW_MS + 1)
    assert picks(centre, people["E"].id) == []
    assert picks(centre, people["A"].id) != []


@pytest.mark.parametrize("steps", range(1, 12))
def test_M9_a_run_that_is_cut_off_goes_on_where_it_stood(
    centre: Centre, monkeypatch: pytest.MonkeyPatch, steps: int
) -> None:
    """In steps of two people; killed after each of its steps, and in the middle of the next one."""
    monkeypatch.setattr(run, "COUNTED_PER_STEP", 2)
    monkeypatch.setattr(run, "RANKED_PER_STEP", 2)
    monkeypatch.setattr(run, "PICKED_PER_STEP", 2)
    people = example(centre)
    database = centre.office.database
    run.begin(database, PERIOD, NOW_MS)
    for _ in range(steps):
        run.step(database, SECRET, PERIOD, NOW_MS)

    class Killed(Exception):
        pass

    def killed_in_the_middle(connection: Connection) -> None:
        run._step(connection, SECRET, PERIOD, NOW_MS)
        raise Killed

    with pytest.raises(Killed):
        database.unit(killed_in_the_middle)
    done = run_to_end(centre, now_ms=NOW_MS + 5_000)
    assert done.people == done.picked == 6
    assert picks(centre, people["A"].id) == [(2, "again", TEA), (1, "again", RICE), (3, "again", TEA), (4, "near", 0)]
    assert picks(centre, people["F"].id) == [(2, "alike", TEA), (3, "alike", TEA), (1, "alike", TEA), (4, "near", 0)]
    with database.read() as connection:
        offers = select(mails.c.person_id).where(mails.c.run_id == done.id)
        assert sorted(connection.execute(offers).scalars()) == sorted(person.id for person in people.values())


def test_M9_a_period_is_run_once(centre: Centre) -> None:
    people = example(centre)
    first = run_to_end(centre)
    before = picks(centre, people["A"].id)
    assert run_to_end(centre, now_ms=NOW_MS + DAY_MS) == first
    assert picks(centre, people["A"].id) == before


def test_M9_a_second_run_waits_until_the_first_is_done(centre: Centre) -> None:
    example(centre)
    run.begin(centre.office.database, PERIOD, NOW_MS)
    with pytest.raises(run.RunError, match=PERIOD):
        run.begin(centre.office.database, "2027-W03", NOW_MS)


def test_M9_a_run_that_is_done_leaves_no_counts_behind(centre: Centre) -> None:
    example(centre)
    run_to_end(centre)
    assert [count(centre, table) for table in (goods_people, goods_pairs, goods_alike)] == [0, 0, 0]


def test_M9_only_the_last_purchases_of_a_person_count(centre: Centre, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(taste, "PURCHASES_MAX", 2)
    monkeypatch.setattr(taste, "GOODS_MAX", 1)
    person = enter(centre, "A")
    for number, what in enumerate((COFFEE, TEA, TEA)):
        buy(centre, person.holder, "ginza", (what,), NOW_MS - 100 + number)
    buy(centre, person.holder, "urawa", (BREAD,), NOW_MS + 1)
    with centre.office.database.read() as connection:
        (found,) = taste.of(connection, [person.id], NOW_MS).values()
        assert [(one.gtin, one.site, one.times) for one in found] == [(TEA, "ginza", 2)]
        assert taste.visits(connection, [person.id], NOW_MS) == {person.id: {"ginza": 2}}


def test_M9_goods_that_stand_twice_in_one_purchase_were_bought_once(centre: Centre) -> None:
    person = enter(centre, "A")
    buy(centre, person.holder, "ginza", (TEA, TEA), NOW_MS - 1)
    with centre.office.database.read() as connection:
        assert [one.times for one in taste.of(connection, [person.id], NOW_MS)[person.id]] == [1]


def test_M9_who_is_erased_leaves_no_offers_no_address_and_no_name(centre: Centre) -> None:
    people = example(centre)
    run_to_end(centre)
    with centre.office.database.write() as connection:
        own_data.erase(connection, centre.office.keys.cache_secret(), people["A"], NOW_MS)
        assert told.of_person(connection, people["A"].id, NOW_MS) == []
        for table in (offer_picks, mails):
            query = select(func.count()).where(table.c.person_id == people["A"].id)
            assert connection.execute(query).scalar_one() == 0
        # what was bought stays in the books, under a pseudonym that leads to nobody
        assert len(purchases.of_holder(connection, people["A"].holder, 10)) == 2
        assert connection.execute(select(persons.c.name).where(persons.c.id == people["A"].id)).scalar_one()[0] == " "
