"""A shop looks up a customer (M7): who is found, what is told, who learns of it, and what a shop can't try."""

from __future__ import annotations

import csv
import io

import pytest

from central import customers
from central.ledger import programmes
from central.office import now_ms
from central.pages import counter
from loyalty.points import Programme
from tests.unit.central.central_kit import Centre, Lane, campaign
from tests.unit.central.pages_kit import Browser, entered, give
from tests.unit.central.points_kit import (
    OWN,
    SHARED,
    agrees,
    earned,
    member_number,
    person,
    programmed,
    spent,
)


@pytest.fixture
def shop(browser: Browser, mall: Centre) -> Browser:
    """The browser of ginza, where BBB has been and AAA has not."""
    programmed(mall)
    earned(mall, "BBB", 30)
    browser.log_in_as_staff("ginza")
    browser.get("/shop/customers")
    return browser


@pytest.fixture
def many_misses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before the application is made: the limits are tried elsewhere."""
    monkeypatch.setattr(counter, "MISSES_PER_SHOP", 1_000)


def look(browser: Browser, told: str) -> str:
    answer = browser.post("/shop/customers", {"q": told})
    assert answer.status_code == 200
    return answer.text


def test_M7_a_customer_is_found_by_number_by_card_and_by_name(shop: Browser, mall: Centre) -> None:
    number, holder = member_number(mall, "BBB"), f"{person(mall, 'BBB').holder:012x}"
    for told in (number, f"{number[:4]} {number[4:7]} {number[7:]}", holder, holder.upper(), "BBB", " BBB "):
        page = look(shop, told)
        assert 'id="customer"' in page, told
        assert holder in page
        assert ">30<" in page


def test_M7_a_shop_is_told_what_happened_at_it_and_nothing_of_other_shops(
    shop: Browser, mall: Centre, lane: Lane
) -> None:
    used = give(mall, "BBB", 1)
    lane.redeem(used.coupon.serial, at_ms=now_ms())
    mall.book(lane, now_ms=now_ms())
    elsewhere, other = give(mall, "BBB", 2), Lane("lane-u", site="urawa")
    mall.enrol(other)
    other.redeem(elsewhere.coupon.serial, campaign=2, at_ms=now_ms())
    mall.book(other, now_ms=now_ms())
    earned(mall, "BBB", 7_777, site="urawa")
    earned(mall, "BBB", 5_555, site="urawa", programme=SHARED)
    earned(mall, "BBB", 12, site="ginza", programme=SHARED)
    page = look(shop, "BBB")
    assert "S楽器100円券" in page
    assert "+12" in page
    for foreign in ("Dレコード割引", "7,777", "5,555", "5,567", "浦和"):
        assert foreign not in page


def test_M7_the_name_and_shared_points_are_told_with_their_agreement_alone(shop: Browser, mall: Centre) -> None:
    earned(mall, "BBB", 12, site="urawa", programme=SHARED)
    number = member_number(mall, "BBB")
    before = look(shop, number)
    assert "BBB" not in before
    assert "共通ポイント" not in before
    agrees(mall, "BBB")
    after = look(shop, number)
    assert "BBB" in after
    assert "共通ポイント" in after


def test_M7_whoever_has_agreed_is_found_by_a_shop_they_never_went_to(shop: Browser, mall: Centre) -> None:
    assert 'id="customer"' not in look(shop, "AAA")
    agrees(mall, "AAA")
    assert 'id="customer"' in look(shop, "AAA")


@pytest.mark.usefixtures("many_misses")
def test_M7_a_shop_never_finds_who_has_nothing_to_do_with_it_and_learns_not_even_that_they_exist(
    shop: Browser, mall: Centre
) -> None:
    earned(mall, "AAA", 30, site="urawa")
    number, holder = member_number(mall, "AAA"), f"{person(mall, 'AAA').holder:012x}"
    nothing = look(shop, "nobody at all")
    for told in (number, holder, "AAA", "AA", "1234567890", "0" * 12, "%", "BB", "' OR 1=1 --", "\x00"):
        escaped = told.replace("'", "&#39;")
        assert look(shop, told) == nothing.replace("nobody at all", escaped), told
        assert shop.post("/shop/customers/file", {"q": told}).status_code == 404


def test_M7_each_look_is_written_down_with_its_shop_and_the_person_sees_it(shop: Browser, mall: Centre) -> None:
    holder = person(mall, "BBB").holder
    look(shop, "BBB")
    look(shop, "nobody")
    shop.post("/shop/customers/file", {"q": "BBB"})
    assert mall.query("SELECT role, who, site, holder, what FROM audit ORDER BY id") == [
        ("shop", "ginza", "ginza", holder, "customer_seen"),
        ("shop", "ginza", "ginza", 0, "customer_sought"),
        ("shop", "ginza", "ginza", holder, "customer_kept"),
    ]
    shop.client.cookies.clear()
    shop.log_in("BBB")
    page = shop.get("/me").text
    assert "銀座" in page
    assert "A shop looked at what you did there" in page
    assert "A shop kept it in a file" in page


def test_M7_when_a_look_can_not_be_written_down_nothing_is_shown(
    shop: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise RuntimeError("no room")

    monkeypatch.setattr("central.audit.note", full)
    answer = shop.post("/shop/customers", {"q": "BBB"})
    assert answer.status_code == 500
    assert 'id="customer"' not in answer.text


def test_M10_who_was_erased_is_found_by_nobody(shop: Browser, mall: Centre) -> None:
    number, holder = member_number(mall, "BBB"), f"{person(mall, 'BBB').holder:012x}"
    assert 'id="customer"' in look(shop, holder)
    shop.client.cookies.clear()
    shop.log_in("BBB")
    shop.get("/me/erase")
    assert shop.post("/me/erase", {"old": "correct horse", "sure": "yes"}).status_code == 303
    shop.client.cookies.clear()
    shop.log_in_as_staff("ginza")
    for told in (number, holder, "BBB", f" erased {holder}", f"erased {holder}"):
        assert 'id="customer"' not in look(shop, told)


def test_M7_the_answer_is_kept_in_a_file_that_a_spreadsheet_reads_and_does_not_work_out(
    shop: Browser, mall: Centre
) -> None:
    with mall.office.database.write() as connection:
        programmes.put(connection, Programme(id=OWN, name='=HYPERLINK("evil")'), now_ms())
    spent(mall, "BBB", 10)
    answer = shop.post("/shop/customers/file", {"q": "BBB"})
    assert answer.headers["content-disposition"].startswith("attachment")
    assert answer.headers["cache-control"] == "no-store"
    rows = list(csv.reader(io.StringIO(answer.content.decode("utf-8-sig"))))
    assert [row[1] for row in rows[1:]] == ["Usable", "Spent", "Earned"]
    assert [row[4] for row in rows[1:]] == ["20", "-10", "30"]
    assert {row[2] for row in rows[1:]} == {'\'=HYPERLINK("evil")'}
    assert "BBB" not in answer.text


def test_M7_guessing_ends_after_some_misses_also_where_somebody_is_found_in_between(shop: Browser) -> None:
    for number in range(counter.MISSES_PER_SHOP):
        assert 'id="customer"' in look(shop, "BBB")
        assert 'id="customer"' not in look(shop, f"{number:010}")
    assert shop.post("/shop/customers", {"q": "BBB"}).status_code == 429
    assert shop.post("/shop/customers/file", {"q": "BBB"}).status_code == 429
    shop.client.cookies.clear()
    shop.log_in_as_staff("urawa")  # another shop goes on
    assert shop.post("/shop/customers", {"q": "BBB"}).status_code == 200


def test_M7_files_are_limited(shop: Browser) -> None:
    for _ in range(counter.FILES_PER_SHOP):
        assert shop.post("/shop/customers/file", {"q": "BBB"}).status_code == 200
    assert shop.post("/shop/customers/file", {"q": "BBB"}).status_code == 429


def test_M7_a_shops_password_is_guessed_no_more_than_anybodys(browser: Browser) -> None:
    for _ in range(5):
        assert browser.log_in_as_staff("ginza", "wrong").status_code == 401
    assert browser.log_in_as_staff("ginza").status_code == 429


def test_M7_a_site_in_the_form_changes_nothing(shop: Browser, mall: Centre) -> None:
    earned(mall, "AAA", 30, site="urawa")
    answer = shop.post("/shop/customers?site=urawa", {"q": "AAA", "site": "urawa"})
    assert 'id="customer"' not in answer.text


def test_a_coupon_without_serial_counts_by_whom_the_unit_named(mall: Centre, lane: Lane) -> None:
    entered(mall, campaign(3, serials=False, first_number=None, policy="open", name="チラシ"))
    give(mall, "BBB", 3)
    holder = person(mall, "BBB").holder
    lane.redeem(0, campaign=3, holder=holder, at_ms=now_ms())
    mall.book(lane, now_ms=now_ms())
    with mall.office.database.read() as connection:
        found = customers.find(connection, "ginza", "BBB", now_ms())
        assert found is not None
        assert [one.name for one in found.uses] == ["チラシ"]
        assert customers.find(connection, "urawa", "BBB", now_ms()) is None
