"""A person on the pages: registering, downloading, showing, history, and what is theirs to take and to erase."""

from __future__ import annotations

import json
import re
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from litestar.testing import TestClient

from central import consent
from central.coupons import issue, persons
from central.coupons.issue import Issued
from central.http.app import create_app
from central.office import now_ms
from loyalty.campaign import DAY_MS, Kind, Policy
from tests.unit.central.central_kit import Centre, Lane, campaign
from tests.unit.central.pages_kit import PASSWORD, Browser, entered, give, set_http


def stock(centre: Centre, number: int) -> Issued:
    with centre.office.database.read() as connection:
        issued = issue.get(connection, number)
    assert issued is not None
    return issued


def test_somebody_registers_with_a_name_a_password_and_a_dated_consent_and_is_logged_in(
    browser: Browser, mall: Centre
) -> None:
    answer = browser.register("花子", offers="yes")
    assert (answer.status_code, answer.headers["location"]) == (303, "/offers")
    assert "花子" in browser.get("/me").text
    given = mall.query("SELECT purpose, version, given_ms > 0, withdrawn_ms FROM consents ORDER BY id")
    assert given == [("service", consent.VERSION, 1, None), ("offers", consent.VERSION, 1, None)]


@pytest.mark.parametrize(
    ("form", "words"),
    [
        ({"service": "no"}, "Without your consent"),
        ({"password": "short", "again": "short"}, "8 to 200"),
        ({"again": "another one"}, "differ"),
        ({"name": "BBB"}, "taken"),
        ({"name": "a\u200bb"}, "visible characters"),
        ({"name": ""}, "visible characters"),
    ],
)
def test_what_can_not_be_registered_is_said_and_nothing_is_kept(
    browser: Browser, mall: Centre, form: dict[str, str], words: str
) -> None:
    browser.get("/register")
    plain = {"name": "花子", "password": PASSWORD, "again": PASSWORD, "service": "yes"}
    answer = browser.post("/register", {**plain, **form})
    assert answer.status_code in (409, 422)
    assert words in answer.text
    assert mall.one("SELECT count(*) FROM persons") == 2


def test_registration_can_be_closed(mall: Centre, browser: Browser) -> None:
    set_http(mall, registration=False)
    assert browser.register("花子").status_code == 403
    assert mall.one("SELECT count(*) FROM persons") == 2


def test_K3_a_download_takes_one_from_the_stock_and_opens_the_barcode(browser: Browser, mall: Centre) -> None:
    browser.log_in("BBB")
    assert "2 left" in browser.get("/offers").text
    answer = browser.post("/offers/1")
    assert answer.status_code == 303
    page = browser.get(answer.headers["location"])
    assert "<svg" in page.text
    assert "98338" in page.text
    assert stock(mall, 1).stock_left == 1
    assert "1 left" in browser.get("/offers").text


def test_K3_at_zero_and_past_the_last_day_the_answer_is_a_clear_no(browser: Browser, mall: Centre) -> None:
    past = campaign(3, download_ends_ms=now_ms() - 1000, name="昨日まで")
    entered(mall, past)
    for _ in range(2):
        give(mall, "AAA", 1)
    browser.log_in("BBB")
    offers = browser.get("/offers").text
    assert "None left" in offers
    assert "Past its last day" in offers
    sold_out, late = browser.post("/offers/1"), browser.post("/offers/3")
    assert (sold_out.status_code, late.status_code) == (409, 409)
    assert "None are left" in sold_out.text
    assert "The last day to download it has passed" in late.text
    assert mall.one("SELECT count(*) FROM coupons WHERE person_id = (SELECT id FROM persons WHERE name='BBB')") == 0


def test_K3_of_two_browsers_that_want_the_last_one_at_the_same_moment_one_gets_it(mall: Centre) -> None:
    give(mall, "AAA", 1)
    app = create_app(mall.office)
    with TestClient(app) as one, TestClient(app) as other, ThreadPoolExecutor(2) as both:
        browsers = [Browser(one), Browser(other)]
        for browser, name in zip(browsers, ("AAA", "BBB"), strict=True):
            browser.log_in(name)
        together = Barrier(2)

        def want(browser: Browser) -> int:
            together.wait(10)
            return browser.post("/offers/1").status_code

        assert sorted(both.map(want, browsers)) == [303, 409]
    assert stock(mall, 1).stock_left == 0
    assert mall.one("SELECT count(*) FROM coupons") == 2


def test_K3_a_ticket_is_given_out_against_the_password_alone(browser: Browser, mall: Centre) -> None:
    entered(mall, campaign(3, kind=Kind.TICKET, amount_yen=0, gift="34便", strong_auth=True))
    browser.log_in("BBB")
    assert browser.post("/offers/3").status_code == 409
    assert browser.post("/offers/3", {"password": "wrong one"}).status_code == 403
    assert browser.post("/offers/3", {"password": PASSWORD}).status_code == 303


def test_K3_a_stopped_an_ended_and_a_printed_coupon_are_not_there(browser: Browser, mall: Centre) -> None:
    entered(
        mall,
        campaign(3, stopped=True),
        campaign(4, starts_ms=1, ends_ms=now_ms() - DAY_MS),
        campaign(5, policy=Policy.OPEN, serials=False, jan="4912345678904"),
    )
    browser.log_in("BBB")
    for number in (3, 4, 5, 99):
        assert f'href="/offers/{number}"' not in browser.get("/offers").text
        assert browser.get(f"/offers/{number}").status_code == 404
        assert browser.post(f"/offers/{number}").status_code in (404, 409)


def test_K7_the_history_prints_figure_3(browser: Browser, mall: Centre, lane: Lane) -> None:
    given, _ = give(mall, "BBB", 1), give(mall, "BBB", 2)
    open_one = campaign(3, policy=Policy.OPEN, serials=False, name="V居酒屋割引")
    entered(mall, open_one)
    give(mall, "BBB", 3)
    lane.redeem(given.coupon.serial, at_ms=1_800_000_000_000)
    mall.book(lane)
    browser.headers = {"accept-language": "ja"}
    browser.log_in("BBB")
    table = browser.get("/history").text
    rows = [re.sub(r"<[^>]+>", "|", row) for row in re.findall(r"<tr>\s*<th scope=\"row\">(.*?)</tr>", table, re.S)]
    cells = [[cell.strip() for cell in row.split("|") if cell.strip()] for row in rows]
    assert [(row[0], row[1], *row[3:]) for row in cells] == [
        ("V居酒屋割引", "—", "—", "—", "—"),
        ("Dレコード割引", "—", "未", "—", "—"),
        ("S楽器100円券", "98338", "済", "2027年1月15日 17:00", "銀座"),
    ]


def test_K7_the_page_of_a_coupon_says_when_and_where_it_was_used_and_hides_the_barcode(
    browser: Browser, mall: Centre, lane: Lane
) -> None:
    given = give(mall, "BBB", 1)
    browser.log_in("BBB")
    number = mall.one("SELECT id FROM coupons")
    before = browser.get(f"/coupons/{number}/state", **{"hx-request": "true"})
    assert 'data-state="unused"' in before.text
    assert "<html" not in before.text
    lane.redeem(given.coupon.serial)
    mall.book(lane)
    after = browser.get(f"/coupons/{number}")
    assert "Used" in after.text
    assert "銀座" in after.text
    assert 'class="qr"' not in after.text


def test_the_pages_of_a_person_ask_the_database_as_often_whatever_the_rows(browser: Browser, mall: Centre) -> None:
    from sqlalchemy import event

    asked: list[str] = []
    event.listen(mall.office.database.engine, "before_cursor_execute", lambda *words: asked.append(str(words[2])))
    browser.log_in("BBB")

    def queries(path: str) -> int:
        asked.clear()
        assert browser.get(path).status_code == 200
        return len(asked)

    give(mall, "BBB", 2)
    before = {path: queries(path) for path in ("/offers", "/coupons", "/history", "/me")}
    entered(mall, *[campaign(number) for number in range(3, 20)])
    for number in range(3, 20):
        give(mall, "BBB", number)
    assert {path: queries(path) for path in before} == before


def test_a_consent_is_withdrawn_and_given_again_each_with_its_date(browser: Browser, mall: Centre) -> None:
    browser.register("花子", offers="yes")
    browser.post("/me/consent", {"purpose": "offers", "agree": "no"})
    assert mall.one("SELECT count(*) FROM consents WHERE withdrawn_ms IS NOT NULL") == 1
    browser.post("/me/consent", {"purpose": "offers", "agree": "yes"})
    assert mall.one("SELECT count(*) FROM consents WHERE purpose = 'offers'") == 2
    assert browser.post("/me/consent", {"purpose": "service", "agree": "no"}).status_code == 400


def test_a_new_password_needs_the_old_one_and_ends_other_sessions(browser: Browser, mall: Centre) -> None:
    browser.log_in("BBB")
    old = dict(browser.client.cookies)
    browser.get("/me")
    assert (
        browser.post("/me/password", {"old": "nope", "password": "a new one", "again": "a new one"}).status_code == 422
    )
    done = browser.post("/me/password", {"old": PASSWORD, "password": "a new one", "again": "a new one"})
    assert done.status_code == 303
    assert browser.get("/me").status_code == 200
    browser.client.cookies.clear()
    browser.client.cookies.update(old)
    assert browser.get("/me").status_code == 303


def test_M10_everything_about_a_person_can_be_taken_along(browser: Browser, mall: Centre) -> None:
    browser.register("花子")
    given = give(mall, "花子", 1)
    answer = browser.post("/me/export")
    assert answer.headers["content-disposition"] == 'attachment; filename="tokuten-my-data.json"'
    taken = json.loads(answer.content)
    assert taken["name"] == "花子"
    assert [row["text"] for row in taken["coupons"]] == [given.text]
    assert [row["purpose"] for row in taken["consents"]] == ["service"]
    assert {row["what"] for row in taken["looks"]} == {"registered", "exported"}


def test_M10_erasing_takes_the_name_and_leaves_the_books_under_the_pseudonym(
    browser: Browser, mall: Centre, lane: Lane
) -> None:
    browser.register("花子")
    given = give(mall, "花子", 1)
    lane.redeem(given.coupon.serial, holder=given.coupon.holder)
    mall.book(lane)
    browser.get("/me/erase")
    assert browser.post("/me/erase", {"old": "wrong", "sure": "yes"}).status_code == 422
    assert browser.post("/me/erase", {"old": PASSWORD}).status_code == 422
    gone = browser.post("/me/erase", {"old": PASSWORD, "sure": "yes"})
    assert gone.status_code == 303
    assert "storage" in gone.headers["clear-site-data"]
    assert browser.get("/me").status_code == 303
    assert browser.log_in("花子").status_code == 401
    tables = ("persons", "audit", "consents", "cards", "coupons", "redemptions")
    kept = str([mall.query(f"SELECT * FROM {table}") for table in tables])
    assert "花子" not in kept
    assert mall.query("SELECT holder, state FROM redemptions") == [(given.coupon.holder, "cleared")]
    assert browser.register("花子").status_code == 303
    assert mall.one("SELECT count(DISTINCT holder) FROM persons") == 4


def test_an_erased_person_can_not_log_in_by_the_name_that_stands_in_the_books(browser: Browser, mall: Centre) -> None:
    browser.register("花子")
    browser.get("/me/erase")
    browser.post("/me/erase", {"old": PASSWORD, "sure": "yes"})
    name = str(mall.one("SELECT name FROM persons WHERE erased_ms IS NOT NULL"))
    assert not persons.NAME.fullmatch(name)
    for password in (PASSWORD, "!", ""):
        assert browser.client.post("/api/session", json={"name": name, "password": password}).status_code == 401


def test_the_language_is_the_browsers_until_somebody_chooses(browser: Browser) -> None:
    assert 'lang="en"' in browser.get("/").text
    assert 'lang="ja"' in browser.get("/", **{"accept-language": "ja,en;q=0.5"}).text
    assert 'lang="ja"' in browser.get("/", **{"accept-language": "fr, *"}).text
    browser.get("/")
    chosen = browser.post("/language", {"to": "ja", "next": "/offers"})
    assert chosen.headers["location"] == "/offers"
    assert 'lang="ja"' in browser.get("/").text


@pytest.mark.parametrize("lang", ["ja", "en"])
def test_K4_the_pages_can_be_installed_as_an_app(browser: Browser, lang: str) -> None:
    manifest = json.loads(browser.get(f"/manifest.json?lang={lang}").content)
    assert (manifest["start_url"], manifest["display"], manifest["lang"]) == ("/coupons", "standalone", lang)
    for icon in manifest["icons"]:
        answer = browser.get(icon["src"])
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith(icon["type"])
        assert "immutable" in answer.headers["cache-control"]
    worker = browser.get("/worker.js")
    assert worker.headers["cache-control"] == "no-cache"
    for path in re.findall(r'"(/static/[^"]+)"', worker.text):
        assert browser.get(path).status_code == 200
