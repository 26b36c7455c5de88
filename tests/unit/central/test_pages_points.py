"""A person's points on the pages (M5, M6, P12), what of them is exported and erased (M10), and account coupons (B1)."""

from __future__ import annotations

import json
import re

import pytest
from sqlalchemy import event

from central import registry
from central.bank import accounts, selection
from central.ledger import audit, pending, programmes, refunds
from central.ledger.refunds import Refund
from central.office import now_ms
from loyalty.campaign import DAY_MS
from loyalty.points import EarnRule, Programme
from tests.unit.central.central_kit import Centre, campaign
from tests.unit.central.pages_kit import PASSWORD, Browser, entered
from tests.unit.central.points_kit import (
    OWN,
    SHARED,
    earned,
    member_number,
    person,
    programmed,
    spent,
    with_account,
)

ACCOUNT_COUPON = {"policy": "online", "name": "口座払い割引"}


@pytest.fixture(autouse=True)
def programmes_there(mall: Centre) -> None:
    programmed(mall)


def test_M5_M6_P12_a_person_sees_points_by_shop_usable_held_and_when_some_end(browser: Browser, mall: Centre) -> None:
    earned(mall, "BBB", 1_200)
    earned(mall, "BBB", 34, site="urawa")
    earned(mall, "BBB", 5, site="urawa", programme=SHARED)
    spent(mall, "BBB", 200, waits=True)
    earned(mall, "AAA", 9_999)
    browser.log_in("BBB")
    page = browser.get("/points").text
    for words in (
        "銀座",
        "浦和",
        "All shops",
        "1,000 points",
        "200 points more held",
        "34 points",
        "Some end on",
        "No end",
    ):
        assert words in page, words
    assert "9,999" not in page


def test_M5_history_says_what_when_and_at_which_shop_also_for_points_that_all_shops_share(
    browser: Browser, mall: Centre
) -> None:
    earned(mall, "BBB", 50, site="urawa", programme=SHARED)
    purchase, earning = spent(mall, "BBB", 20, site="ginza", programme=SHARED), earned(mall, "BBB", 7)
    with mall.office.database.write() as connection:
        refunds.restore(connection, Refund(b"r" * 16, purchase), now_ms())
        refunds.take_back(connection, Refund(b"t" * 16, earning), now_ms())
    browser.log_in("BBB")
    history = browser.get("/points").text.partition("History of points")[2]
    rows = history.split("<tr>")[2:]
    said = [("浦和" in row, "銀座" in row, row.partition('digits">')[2].partition("<")[0]) for row in rows]
    assert said == [
        (False, True, "−7"), (False, True, "+20"), (False, True, "+7"), (False, True, "−20"), (True, False, "+50"),
    ]  # fmt: skip
    assert "Came back by a refund" in rows[1]
    assert "Taken back by a refund" in rows[0]


def test_M5_what_waited_stands_once_as_what_became_of_it(browser: Browser, mall: Centre) -> None:
    earned(mall, "BBB", 50)
    posted, voided = spent(mall, "BBB", 20, waits=True), spent(mall, "BBB", 3, waits=True)
    browser.log_in("BBB")
    assert browser.get("/points").text.count("chip late") == 2
    with mall.office.database.write() as connection:
        pending.post(connection, b"p" * 16, posted, now_ms())
        pending.void(connection, b"v" * 16, voided, now_ms())
    history = browser.get("/points").text.partition("History of points")[2]
    assert history.count("<tr>") == 3  # the head, the spending and the earning
    assert "chip late" not in history
    assert "Spent" in history


def test_M4_M6_M11_a_person_sees_what_each_shop_gives_now_and_soon_and_what_points_buy(
    browser: Browser, mall: Centre
) -> None:
    with mall.office.database.write() as connection:
        soon = EarnRule(programme=OWN, site="ginza", per_yen=50, points=2, from_ms=now_ms() + 9 * DAY_MS)
        programmes.set_rule(connection, soon, now_ms())
    browser.log_in("BBB")
    page = browser.get("/points").text
    assert "1 point for each ¥100" in page
    assert "2 points for each ¥50" in page
    assert "¥1 for 1 point off the price" in page
    browser.headers = {"accept-language": "ja"}
    assert "100円ごとに1ポイント" in browser.get("/points").text


def test_the_pages_of_points_ask_the_database_as_often_whatever_the_rows(browser: Browser, mall: Centre) -> None:
    asked: list[str] = []
    event.listen(mall.office.database.engine, "before_cursor_execute", lambda *words: asked.append(str(words[2])))

    def queries(name: str, *paths: str, **form: str) -> dict[str, int]:
        browser.client.cookies.clear()
        (browser.log_in if name == "BBB" else browser.log_in_as_staff)(name)
        found = {}
        for path in paths:
            asked.clear()
            answer = browser.post(path, form) if form else browser.get(path)
            assert answer.status_code == 200, path
            found[path] = len(asked)
        return found

    def every() -> list[dict[str, int]]:
        number = mall.one("SELECT id FROM persons WHERE name = 'BBB'")
        return [
            queries("BBB", "/points", "/account"),
            queries("ginza", "/shop", "/shop/rules"),
            queries("ginza", "/shop/customers", q="BBB"),
            queries(
                "ops",
                "/operator/programmes",
                "/operator/programmes/1",
                "/operator/ledger",
                f"/operator/people/{number}",
            ),
        ]

    entered(mall, campaign(3, **ACCOUNT_COUPON))
    with_account(mall, "BBB")
    earned(mall, "BBB", 5)
    spent(mall, "BBB", 1)
    before = every()
    entered(mall, *[campaign(number, **ACCOUNT_COUPON) for number in range(4, 12)])
    with mall.office.database.write() as connection:
        for number in range(3, 12):
            registry.add_site(connection, f"s{number}", f"店{number}")
            programmes.put(connection, Programme(id=number, name=f"p{number}"), now_ms())
            programmes.set_rule(connection, EarnRule(programme=number, site="ginza", per_yen=100), now_ms())
            programmes.set_rule(connection, EarnRule(programme=OWN, site=f"s{number}", per_yen=100), now_ms())
    for number in range(3, 12):
        earned(mall, "BBB", 5, programme=number)
        earned(mall, "BBB", 5, site=f"s{number}")
    assert every() == before


@pytest.mark.only_sqlite
def test_no_page_about_one_person_or_one_shop_reads_a_table_of_everybodys_from_end_to_end(
    browser: Browser, mall: Centre
) -> None:
    said: list[tuple[str, object]] = []

    def note(_connection: object, _cursor: object, sql: str, parameters: object, *_: object) -> None:
        if sql.startswith("SELECT"):
            said.append((sql, parameters))

    earned(mall, "BBB", 5)
    browser.log_in("BBB")
    event.listen(mall.office.database.engine, "before_cursor_execute", note)
    for path in ("/points", "/account", "/me/erase"):
        assert browser.get(path).status_code == 200
    assert browser.post("/me/export").status_code == 200
    browser.client.cookies.clear()
    browser.log_in_as_staff("ginza")
    for path in ("/shop", "/shop/rules"):
        assert browser.get(path).status_code == 200
    assert browser.post("/shop/customers", {"q": "BBB"}).status_code == 200
    event.remove(mall.office.database.engine, "before_cursor_execute", note)
    assert len(said) > 30
    with mall.office.database.read() as connection:
        for sql, parameters in said:
            for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}", parameters):  # type: ignore[arg-type]
                whole = re.search(r"SCAN (accounts|postings|transfers|redemptions|coupons|persons|bank_\w+)", row[3])
                assert whole is None, (row[3], sql)
                # ... nor all that one shop has of everybody, to tell of one person or one day.
                assert not re.search(r"accounts.*\(place=\?\)|redemptions.*\(site=\?\)", row[3]), (row[3], sql)


# --- export and erasure (M10) --------------------------------------------------------------------------------


def test_M10_the_export_has_points_cards_and_accounts_and_no_number_of_an_account(
    browser: Browser, mall: Centre
) -> None:
    entered(mall, campaign(3, **ACCOUNT_COUPON))
    earned(mall, "BBB", 50)
    spent(mall, "BBB", 20)
    number, account = member_number(mall, "BBB"), with_account(mall, "BBB")
    with mall.office.database.write() as connection:
        selection.select_coupon(connection, mall.office.keys, person(mall, "BBB"), account, 3, now_ms(), proven=False)
    browser.log_in("BBB")
    browser.get("/me")
    answer = browser.post("/me/export")
    document = json.loads(answer.text)
    assert (document["member_number"], document["member_cards"]) == (number, []), "no card was given out yet"
    assert [(one["tail"], one["selected"]) for one in document["bank_accounts"]] == [("890", [3])]
    assert "4567890" not in answer.text
    assert [(one["site"], one["usable"]) for one in document["points"]] == [("ginza", 30)]
    assert [(one["kind"], one["points"]) for one in document["points_history"]] == [("spend", -20), ("earn", 50)]


def test_M10_erasing_closes_accounts_and_takes_their_numbers_and_the_books_still_balance(
    browser: Browser, mall: Centre
) -> None:
    entered(mall, campaign(3, **ACCOUNT_COUPON))
    earned(mall, "BBB", 50)
    account, theirs = with_account(mall, "BBB"), with_account(mall, "AAA")
    with mall.office.database.write() as connection:
        selection.select_coupon(connection, mall.office.keys, person(mall, "BBB"), account, 3, now_ms(), proven=False)
    browser.log_in("BBB")
    browser.get("/me/erase")
    assert browser.post("/me/erase", {"old": PASSWORD, "sure": "yes"}).status_code == 303
    with mall.office.database.read() as connection:
        assert accounts.find(connection, account) is None
        with pytest.raises(accounts.AccountError):
            accounts.number(connection, mall.office.keys, account)
        assert accounts.number(connection, mall.office.keys, theirs) == "0001-123-4567890"
        assert audit.audit(connection) == []
    rows = mall.query("SELECT tail, closed_ms IS NOT NULL FROM bank_accounts ORDER BY closed_ms IS NULL")
    assert rows == [("", 1), ("890", 0)]
    assert mall.one("SELECT count(*) FROM bank_selections") == 0


def test_M10_a_person_is_told_which_points_are_lost_before_they_erase(browser: Browser, mall: Centre) -> None:
    earned(mall, "BBB", 77)
    browser.log_in("BBB")
    page = browser.get("/me/erase").text
    assert "77 points" in page
    assert "銀座" in page


# --- coupons for an account (B1) ------------------------------------------------------------------------------


def test_B1_a_person_selects_a_coupon_for_their_account_and_takes_it_off_again(browser: Browser, mall: Centre) -> None:
    entered(mall, campaign(3, **ACCOUNT_COUPON))
    with_account(mall, "BBB")
    browser.log_in("BBB")
    page = browser.get("/account").text
    assert "Account ending in 890" in page
    assert "4567890" not in page
    assert 'value="3"' in page
    assert 'value="1"' not in page.partition("<select")[2].partition("</select")[0]  # a signed one can't be selected
    assert browser.post("/account/select", {"account": "1", "coupon": "3"}).status_code == 303
    page = browser.get("/account").text
    assert "Take it off" in page
    chosen = mall.one("SELECT coupon_id FROM bank_selections")
    assert browser.post("/account/drop", {"coupon": str(chosen)}).status_code == 303
    assert mall.one("SELECT count(*) FROM bank_selections") == 0
    assert 'value="3"' in browser.get("/account").text  # it is still theirs


def test_B1_what_can_not_be_selected_is_said_in_words(browser: Browser, mall: Centre) -> None:
    with_account(mall, "BBB")
    browser.log_in("BBB")
    browser.get("/account")
    answer = browser.post("/account/select", {"account": "1", "coupon": "1"})
    assert answer.status_code == 409
    assert "does not count with payment by account" in answer.text


def test_B1_nobody_reaches_anothers_account_or_selection(browser: Browser, mall: Centre) -> None:
    entered(mall, campaign(3, **ACCOUNT_COUPON))
    account = with_account(mall, "AAA")
    with mall.office.database.write() as connection:
        selection.select_coupon(connection, mall.office.keys, person(mall, "AAA"), account, 3, now_ms(), proven=False)
    browser.log_in("BBB")
    assert "890" not in browser.get("/account").text
    chosen = str(mall.one("SELECT coupon_id FROM bank_selections"))
    for path, form in (
        ("/account/select", {"account": "1", "coupon": "3"}),
        ("/account/select", {"account": "0", "coupon": "3"}),
        ("/account/drop", {"coupon": chosen}),
        ("/account/close", {"account": "1", "sure": "yes"}),
    ):
        assert browser.post(path, form).status_code == 404, path
    assert mall.one("SELECT count(*) FROM bank_selections") == 1
    assert mall.one("SELECT count(*) FROM bank_accounts WHERE closed_ms IS NOT NULL") == 0


def test_B1_a_closed_account_pays_nothing_and_its_coupons_are_free_again(browser: Browser, mall: Centre) -> None:
    entered(mall, campaign(3, **ACCOUNT_COUPON))
    account = with_account(mall, "BBB")
    browser.log_in("BBB")
    browser.get("/account")
    browser.post("/account/select", {"account": "1", "coupon": "3"})
    assert browser.post("/account/close", {"account": "1"}).status_code == 400  # not without being sure
    assert browser.post("/account/close", {"account": "1", "sure": "yes"}).status_code == 303
    with mall.office.database.read() as connection:
        assert accounts.find(connection, account) is None
    assert mall.one("SELECT count(*) FROM bank_selections") == 0
