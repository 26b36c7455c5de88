"""Shops, providers and operators on the pages: each does what is theirs."""

from __future__ import annotations

import re

import pytest

from central import audit, staff
from central.coupons import issue
from central.office import now_ms
from central.pages.words import EVERY
from central.reversals import odd, settle
from central.staff import Role
from tests.unit.central.central_kit import NOW_MS, Centre, Lane
from tests.unit.central.pages_kit import Browser, give
from wire.facts import Reversed

FORM = {
    "name": "秋の割引", "kind": "amount", "amount_yen": "200", "policy": "signed", "serials": "yes", "stock": "1,000",
    "first_number": "5001", "download_ends_ms": "2027-07-30", "ends_ms": "2027-12-31", "days_after_download": "60",
    "min_spend_yen": "500", "per_person": "2", "shop.ginza": "yes",
}  # fmt: skip


def test_K1_a_provider_issues_a_coupon_with_every_field_of_the_document(browser: Browser, mall: Centre) -> None:
    browser.log_in_as_staff("gakki")
    answer = browser.post("/provider/issue", FORM)
    assert answer.status_code == 303
    with mall.office.database.read() as connection:
        issued = issue.get(connection, int(answer.headers["location"].rpartition("/")[2]))
    assert issued is not None
    campaign = issued.campaign
    assert (campaign.provider, campaign.name, campaign.amount_yen, campaign.stock) == ("S楽器", "秋の割引", 200, 1000)
    assert (campaign.first_number, campaign.days_after_download, campaign.shops) == (5001, 60, ("ginza",))
    assert campaign.download_ends_ms == 1_816_959_600_000  # 2027-07-31 00:00 in Japan: the whole last day counts
    assert "秋の割引" in browser.get("/provider").text
    assert "秋の割引" in browser.get("/offers").text


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("amount_yen", "abc", "whole number"),
        ("amount_yen", "0", "0 is not between 1 and"),
        ("amount_yen", "９", "whole number"),
        ("stock", "-5", "whole number"),
        ("name", "", "it is empty"),
        ("download_ends_ms", "2027-02-30", "no date"),
        ("download_ends_ms", "2028-02-28", "could still be downloaded after it has ended"),
        ("kind", "gold", "choose one"),
        ("policy", "home", "choose one"),
        ("policy", "open", "can have no serial"),
        ("cap", "5", "decide alone and can&#39;t hold it"),
        ("first_number", "999999999999", "would be above"),
        ("shop.no shop", "yes", "is no site"),
    ],
)
def test_K1_what_can_not_be_issued_is_said_beside_its_field_and_what_was_entered_stays(
    browser: Browser, mall: Centre, field: str, value: str, words: str
) -> None:
    browser.log_in_as_staff("gakki")
    before = mall.one("SELECT count(*) FROM campaigns")
    answer = browser.post("/provider/issue", {**FORM, field: value})
    assert answer.status_code == 422
    assert words in answer.text
    if field != "name":
        assert 'value="秋の割引"' in answer.text
    assert mall.one("SELECT count(*) FROM campaigns") == before


def test_K1_every_problem_has_words_in_japanese(browser: Browser) -> None:
    browser.log_in_as_staff("gakki")
    browser.headers = {"accept-language": "ja"}
    answer = browser.post("/provider/issue", {**FORM, "amount_yen": "0", "policy": "open", "cap": "5"})
    assert answer.status_code == 422
    assert answer.text.count('class="error"') == 4
    assert "is not between" not in answer.text


def test_K6_a_provider_sees_the_remaining_count_clearing_and_use_by_day(
    browser: Browser, mall: Centre, lane: Lane
) -> None:
    given = give(mall, "BBB", 1)
    lane.redeem(given.coupon.serial, at_ms=now_ms())
    lane.redeem(given.coupon.serial, at_ms=now_ms())
    mall.book(lane, now_ms=now_ms())
    browser.log_in_as_staff("gakki")
    page = browser.get("/provider/coupons/1").text
    assert "98338" in page
    assert "Cleared" in page
    assert "Used twice" in page
    assert len(re.findall(r"<rect (?![^>]*zero)", page)) == 1  # one day has uses: the double one is none
    assert "BBB" not in page


def test_K1_a_stopped_coupon_is_stopped_everywhere(browser: Browser, mall: Centre) -> None:
    browser.log_in_as_staff("gakki")
    assert browser.post("/provider/coupons/1/stop").status_code == 400  # not without being sure
    assert browser.post("/provider/coupons/1/stop", {"sure": "yes"}).status_code == 303
    assert "Stopped" in browser.get("/provider").text
    assert 'href="/offers/1"' not in browser.get("/offers").text


def test_a_shop_sees_what_its_own_site_redeemed_today(browser: Browser, mall: Centre, lane: Lane) -> None:
    given = give(mall, "BBB", 1)
    lane.redeem(given.coupon.serial, at_ms=now_ms())
    mall.book(lane, now_ms=now_ms())
    yesterday = Lane("lane-2")
    mall.enrol(yesterday)
    yesterday.redeem(7, campaign=2, at_ms=now_ms() - 2 * 86_400_000)
    mall.book(yesterday, now_ms=now_ms())
    browser.log_in_as_staff("ginza")
    page = browser.get("/shop").text
    assert "98338" in page
    assert "Dレコード割引" not in page
    assert "BBB" not in page


@pytest.mark.parametrize(("lang", "words"), [("en", "the centre does not know"), ("ja", "不明な取引の返品")])
def test_an_operator_sees_what_is_odd_about_reversals_with_its_shop_in_both_languages(
    browser: Browser, mall: Centre, lane: Lane, lang: str, words: str
) -> None:
    lane.journal(Reversed(lane.stamp(), b"r" * 16, b"s" * 16, "refund", 1_200, "ginza"))
    mall.book(lane)
    for at_ms in (NOW_MS, NOW_MS + settle.UNKNOWN_AFTER_MS):
        settle.due(mall.office.database, mall.secret, at_ms)
    browser.headers = {"accept-language": lang}
    browser.log_in_as_staff("ops")
    page = browser.get("/operator/conflicts").text
    assert words in page
    assert "銀座" in page
    assert "1,200" in page
    for kind in odd.KINDS:
        assert f"conflict.{kind}" in EVERY
    assert browser.post("/operator/conflicts/1", {"how": "shop", "note": "asked"}).status_code == 303
    assert mall.query("SELECT state, charges, charged FROM conflicts") == [("settled", "shop", "ginza")]


def test_an_operator_settles_a_conflict_with_its_reason_and_amount(browser: Browser, mall: Centre, lane: Lane) -> None:
    given = give(mall, "BBB", 1)
    lane.redeem(given.coupon.serial)
    lane.redeem(given.coupon.serial)
    mall.book(lane)
    browser.log_in_as_staff("ops")
    page = browser.get("/operator/conflicts").text
    assert "The same coupon was used twice" in page
    assert "¥100" in page
    number = mall.one("SELECT id FROM conflicts")
    assert browser.post(f"/operator/conflicts/{number}", {"how": "gold"}).status_code == 400
    assert browser.post(f"/operator/conflicts/{number}", {"how": "paid"}).status_code == 409
    done = browser.post(f"/operator/conflicts/{number}", {"how": "shop", "note": "店に<b>確認</b>済み"})
    assert done.status_code == 303
    assert "No conflict waits" in browser.get("/operator/conflicts").text
    settled = browser.get("/operator/conflicts?all=1").text
    assert "店に&lt;b&gt;確認&lt;/b&gt;済み" in settled
    assert mall.query("SELECT state, charges, charged FROM conflicts") == [("settled", "shop", "ginza")]


def test_M10_every_look_of_an_operator_is_written_down_and_the_person_sees_it(browser: Browser, mall: Centre) -> None:
    browser.log_in_as_staff("ops")
    browser.get("/operator/people")
    assert mall.one("SELECT count(*) FROM audit") == 0
    assert "BBB" in browser.post("/operator/people", {"q": "B"}, **{"hx-request": "true"}).text
    browser.post("/operator/people", {"q": "nobody"})
    number = mall.one("SELECT id FROM persons WHERE name = 'BBB'")
    browser.get(f"/operator/people/{number}")
    holder = mall.one("SELECT holder FROM persons WHERE name = 'BBB'")
    assert mall.query("SELECT who, role, holder, what FROM audit ORDER BY id") == [
        ("ops", "operator", holder, "people_listed"),
        ("ops", "operator", 0, "people_listed"),
        ("ops", "operator", holder, "person_seen"),
    ]
    assert "Looked at a person" in browser.get("/operator/audit").text
    browser.client.cookies.clear()
    browser.log_in("BBB")
    assert "Looked at a person" in browser.get("/me").text


def test_the_audit_log_is_paged_by_number(browser: Browser, mall: Centre) -> None:
    with mall.office.database.write() as connection:
        for _ in range(150):
            audit.note(connection, Role.OPERATOR, "ops", audit.What.PEOPLE_LISTED, now_ms())
    browser.log_in_as_staff("ops")
    first = browser.get("/operator/audit").text
    older = re.search(r'href="(/operator/audit\?before=\d+)"', first)
    assert older
    assert browser.get(older[1]).text.count("<tr>") == 51
    assert browser.get("/operator/audit?before=x").status_code == 404


def test_an_operator_sees_people_places_providers_and_staff(browser: Browser, mall: Centre) -> None:
    browser.log_in_as_staff("ops")
    assert browser.get("/operator").status_code == 200
    page = browser.get("/operator/places").text
    for words in ("銀座", "lane-1", "Dレコード", "gakki"):
        assert words in page


def test_removed_staff_are_logged_out(browser: Browser, mall: Centre) -> None:
    browser.log_in_as_staff("ops")
    assert browser.get("/operator").status_code == 200
    with mall.office.database.write() as connection:
        assert staff.remove(connection, "ops")
    assert browser.get("/operator").headers["location"] == "/staff"
