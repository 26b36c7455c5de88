"""The pages about bargains and offers (M3, M6, M8, M9), as a shop, a person, an operator and nobody see them."""

from __future__ import annotations

import re

import pytest
from sqlalchemy import event, update

from central import consent
from central.consent import Purpose
from central.coupons import persons
from central.db.schema import bargains as rows
from central.db.schema import mails
from central.offers import addresses, bargains, goods, run
from central.offers.bargains import About, BargainError, Draft, Kind, folded
from central.offers.outbox import State
from central.office import now_ms
from loyalty.campaign import DAY_MS
from tests.unit.central.central_kit import NOW_MS, Centre
from tests.unit.central.offers_kit import ALL_GOODS, RICE, TEA, buy, draft
from tests.unit.central.pages_kit import Browser

FORM = {
    "kind": "bargain", "title": "緑茶 10円引き", "body": "何本でも\n10円引き",
    "from": "2020-01-01", "until": "2020-12-31",
    "about": "gtin", "goods": str(TEA), "category": "", "campaign": "",
}  # fmt: skip


def days(browser: Browser) -> dict[str, str]:
    """A form whose days are those that the empty form proposes: a week from today."""
    page = browser.get("/shop/bargains/new").text
    found = dict(re.findall(r'name="(from|until)" type="date" value="([0-9-]+)"', page))
    return {**FORM, **found}


def register(browser: Browser, site: str, **more: str) -> int:
    browser.log_in_as_staff(site)
    answer = browser.post("/shop/bargains/new", {**days(browser), **more})
    assert answer.status_code == 303, answer.text
    page = browser.get("/shop/bargains").text
    return max(int(number) for number in re.findall(r'href="/shop/bargains/(\d+)"', page))


# --- shops --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("lang", ["ja", "en"])
def test_M8_a_shop_registers_changes_and_ends_a_bargain(browser: Browser, mall: Centre, lang: str) -> None:
    browser.headers["accept-language"] = lang
    with mall.office.database.write() as connection:
        goods.put(connection, ALL_GOODS)
    number = register(browser, "ginza")
    page = browser.get(f"/bargains/{number}").text
    for words in ("緑茶 10円引き", "銀座", "何本でも", "緑茶"):
        assert words in page
    edit = browser.get(f"/shop/bargains/{number}").text
    assert str(TEA) in edit
    changed = browser.post(f"/shop/bargains/{number}", {**days(browser), "title": "緑茶 20円引き"})
    assert changed.status_code == 303
    assert "緑茶 20円引き" in browser.get("/bargains").text
    assert browser.post(f"/shop/bargains/{number}/end").status_code == 303
    assert "緑茶 20円引き" not in browser.get("/bargains").text
    over = browser.get(f"/bargains/{number}")
    assert over.status_code == 200
    assert ("終了しました" if lang == "ja" else "This is over") in over.text
    assert browser.post(f"/shop/bargains/{number}", days(browser)).status_code == 409


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("title", " ", "A title has"),
        ("title", "x" * 61, "A title has"),
        ("body", "x" * 1_001, "A text has"),
        ("until", "2019-01-01", "The last day"),
        ("until", "never", "The last day"),
        ("until", "9999-12-31", "The last day"),
        ("goods", "4901234567890", "no JAN code"),
        ("goods", "", "no JAN code"),
        ("campaign", "999", "does not count"),
    ],
)
def test_M8_what_cant_be_is_said_beside_its_field(
    browser: Browser, mall: Centre, field: str, value: str, words: str
) -> None:
    browser.log_in_as_staff("ginza")
    answer = browser.post("/shop/bargains/new", {**days(browser), field: value})
    assert answer.status_code == 422
    assert words in answer.text
    assert mall.one("SELECT count(*) FROM bargains") == 0


def test_M8_a_shop_neither_sees_nor_touches_anothers_bargain(browser: Browser, mall: Centre) -> None:
    number = register(browser, "ginza")
    browser.log_in_as_staff("urawa")
    assert "緑茶 10円引き" not in browser.get("/shop/bargains").text
    form = days(browser)
    for path in (f"/shop/bargains/{number}", f"/shop/bargains/{number}/end"):
        assert browser.post(path, {**form, "title": "偽"}).status_code == 404
    assert browser.get(f"/shop/bargains/{number}").status_code == 404
    assert mall.query("SELECT title, ended_ms FROM bargains") == [("緑茶 10円引き", None)]


def test_M8_a_coupon_that_does_not_count_in_the_shop_belongs_to_none_of_its_bargains(mall: Centre) -> None:
    from central.coupons import issue
    from tests.unit.central.central_kit import campaign

    with mall.office.database.write() as connection:
        issue.issue(connection, campaign(9, shops=("urawa",)), NOW_MS)
        bargains.add(connection, "urawa", draft("割引", campaign=9), NOW_MS)
        with pytest.raises(BargainError):
            bargains.add(connection, "ginza", draft("割引", campaign=9), NOW_MS)
        assert 9 not in [number for number, _ in bargains.coupons_for(connection, "ginza", 100)]


def test_M8_a_shop_has_so_many_bargains_and_no_more(mall: Centre, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bargains, "PER_SITE_MAX", 2)
    with mall.office.database.write() as connection:
        numbers = [bargains.add(connection, "ginza", draft("x"), NOW_MS) for _ in range(2)]
        with pytest.raises(BargainError):
            bargains.add(connection, "ginza", draft("x"), NOW_MS)
        bargains.end(connection, "ginza", numbers[0], NOW_MS)
        bargains.add(connection, "ginza", draft("x"), NOW_MS)


def test_M3_a_shop_sees_its_own_sales_and_not_whose_they_were(browser: Browser, mall: Centre) -> None:
    with mall.office.database.write() as connection:
        goods.put(connection, ALL_GOODS)
    buy(mall, 0xABCDEF, "ginza", (TEA, 0), NOW_MS - 1)
    buy(mall, 0, "urawa", (RICE,), NOW_MS - 1)
    browser.log_in_as_staff("ginza")
    page = browser.get("/shop/sales").text
    assert "緑茶" in page
    assert "Other goods" in page
    assert "おにぎり" not in page
    assert "abcdef" not in page


# --- anybody ------------------------------------------------------------------------------------------------


def test_M8_anybody_looks_them_up_by_shop_and_by_words(browser: Browser, mall: Centre) -> None:
    with mall.office.database.write() as connection:
        goods.put(connection, ALL_GOODS)
    register(browser, "ginza")
    register(browser, "urawa", title="Ｃｏｆｆｅｅ半額", about="none", goods="", body="100%の豆")
    browser.client.cookies.clear()
    both = browser.get("/bargains").text
    assert "緑茶 10円引き" in both
    assert "Ｃｏｆｆｅｅ半額" in both
    for query, found, not_found in (
        ("site=ginza", "緑茶 10円引き", "Ｃｏｆｆｅｅ半額"),
        ("q=coffee", "Ｃｏｆｆｅｅ半額", "緑茶 10円引き"),  # full width, upper case
        ("q=半額+100%25", "Ｃｏｆｆｅｅ半額", "緑茶 10円引き"),
        (f"q={TEA}", "緑茶 10円引き", "Ｃｏｆｆｅｅ半額"),
    ):
        page = browser.get(f"/bargains?{query}").text
        assert found in page, query
        assert not_found not in page, query
    for nothing in ("q=%25", "q=_", "q=coffee+緑茶"):  # what stands for anything in SQL stands for itself
        page = browser.get(f"/bargains?{nothing}").text
        assert ("Ｃｏｆｆｅｅ半額" in page) == (nothing == "q=%25"), nothing
        assert "緑茶 10円引き" not in page
    assert "緑茶 10円引き" in browser.get("/bargains?site=nowhere").text


def test_M8_what_has_not_begun_is_shown_to_nobody_but_its_shop(browser: Browser, mall: Centre) -> None:
    begins = now_ms() + DAY_MS
    with mall.office.database.write() as connection:
        number = bargains.add(connection, "ginza", draft("来週の特売", from_ms=begins, until_ms=begins + 1), NOW_MS)
    assert "来週の特売" not in browser.get("/bargains").text
    assert browser.get(f"/bargains/{number}").status_code == 404
    browser.log_in_as_staff("ginza")
    assert "来週の特売" in browser.get("/shop/bargains").text


def test_M8_the_number_of_queries_does_not_grow_with_the_bargains(browser: Browser, mall: Centre) -> None:
    asked: list[str] = []
    event.listen(mall.office.database.engine, "before_cursor_execute", lambda *words: asked.append(str(words[2])))
    counts = []
    for many in (1, 30):
        with mall.office.database.write() as connection:
            for number in range(many):
                terms = {"from_ms": 0, "until_ms": now_ms() + DAY_MS}
                with pytest.MonkeyPatch.context() as patched:
                    patched.setattr(bargains, "LIFE_MAX_MS", 2**60)
                    bargains.add(connection, "ginza", draft(f"特売{number}", About.GTIN, str(TEA), **terms), NOW_MS)
        asked.clear()
        assert "特売0" in browser.get("/bargains").text
        counts.append(len(asked))
    assert counts[0] == counts[1]


def test_folding_makes_full_and_half_width_upper_and_lower_case_one() -> None:
    assert folded("ＣＯＦＦＥＥ ﾊﾝｶﾞｸ") == folded("coffee ハンガク")


# --- a person -----------------------------------------------------------------------------------------------


def offered(mall: Centre) -> persons.Person:
    """AAA agreed, bought tea in ginza, and a run picked the tea of ginza for them."""
    at_ms = now_ms()
    with mall.office.database.write() as connection:
        goods.put(connection, ALL_GOODS)
        person = persons.find(connection, "AAA")
        assert person is not None
        consent.give(connection, person.id, Purpose.OFFERS, at_ms)
        terms = {"from_ms": at_ms - 1, "until_ms": at_ms + DAY_MS}
        bargains.add(connection, "ginza", draft("緑茶 10円引き", About.GTIN, str(TEA), **terms), at_ms - 1)
    buy(mall, person.holder, "ginza", (TEA,), at_ms - 1)
    at = run.begin(mall.office.database, "2027-W01", at_ms)
    while at.finished_ms is None:
        at = run.step(mall.office.database, mall.secret, "2027-W01", at_ms)
    return person


@pytest.mark.parametrize(
    ("lang", "why"), [("ja", "銀座で緑茶をお買い上げのため"), ("en", "because you bought 緑茶 at 銀座")]
)
def test_M9_a_person_sees_their_offers_and_why_and_turns_one_down(
    browser: Browser, mall: Centre, lang: str, why: str
) -> None:
    browser.headers["accept-language"] = lang
    offered(mall)
    browser.log_in("AAA")
    page = browser.get("/for-me").text
    assert "緑茶 10円引き" in page
    assert why in page
    assert browser.post("/for-me/1/decline").status_code == 303
    assert browser.post("/for-me/1/decline").status_code == 303
    assert "緑茶 10円引き" not in browser.get("/for-me").text
    assert browser.post("/for-me/99/decline").status_code == 404
    browser.log_in("BBB")
    assert "緑茶 10円引き" not in browser.get("/for-me").text


def test_M9_who_did_not_agree_is_told_how_they_could(browser: Browser, mall: Centre) -> None:
    browser.log_in("BBB")
    assert "only if you agree" in browser.get("/for-me").text


def test_M6_a_person_sees_what_they_bought_and_nobody_elses(browser: Browser, mall: Centre) -> None:
    offered(mall)
    browser.log_in("AAA")
    page = browser.get("/purchases").text
    for words in ("緑茶", "銀座", "¥100", "730 days"):
        assert words in page
    assert "緑茶" in browser.post("/me/export").text
    browser.log_in("BBB")
    assert "緑茶" not in browser.get("/purchases").text


def test_M9_a_mail_address_is_entered_confirmed_by_its_link_and_removed(browser: Browser, mall: Centre) -> None:
    browser.log_in("AAA")
    browser.get("/me/contact")
    said = browser.post("/me/contact", {"what": "mail", "address": "her@example.jp"})
    assert said.status_code == 200
    assert "Not confirmed yet" in said.text
    with mall.office.database.read() as connection:
        person = persons.find(connection, "AAA")
        assert person is not None
        entered = addresses.mail_of(connection, person.id)
    assert entered is not None
    token = addresses.confirm_token(mall.secret, entered.nonce)
    browser.client.cookies.clear()  # the link works on another machine, without logging in
    assert browser.get(f"/confirm?t={token}").status_code == 200
    with mall.office.database.read() as connection:
        found = addresses.mail_of(connection, person.id)
        assert found is not None
        assert found.confirmed_ms is None  # a program that opens links confirms nothing
    assert browser.post(f"/confirm?t={token}").status_code == 200
    assert browser.post("/confirm?t=" + "x" * 22).status_code == 404
    browser.log_in("AAA")
    assert "Confirmed" in browser.get("/me/contact").text
    assert "her@example.jp" in browser.post("/me/export").text
    assert "her@example.jp" not in browser.post("/me/contact", {"what": "no_mail"}).text


def test_M9_a_bad_address_is_said_and_kept_in_the_form(browser: Browser) -> None:
    browser.log_in("AAA")
    browser.get("/me/contact")
    said = browser.post("/me/contact", {"what": "mail", "address": "her@@example"})
    assert said.status_code == 422
    assert "no mail address" in said.text
    assert 'value="her@@example"' in said.text
    assert browser.post("/me/contact", {"what": "everything"}).status_code == 400


def test_M9_a_postal_address_is_entered_as_people_write_it(browser: Browser, mall: Centre) -> None:
    browser.log_in("AAA")
    browser.get("/me/contact")
    form = {
        "what": "post",
        "name": "髙橋 花子",
        "postcode": "〒１０４ー００６１",
        "lines": "東京都中央区銀座1-2-3\r\n\r\n和光 101",
    }
    assert browser.post("/me/contact", form).status_code == 200
    assert mall.query("SELECT postcode, lines FROM postal_addresses") == [
        ("104-0061", "東京都中央区銀座1-2-3\n和光 101")
    ]
    for field, value in (("postcode", "12345"), ("lines", "x" * 31), ("lines", "1\n2\n3\n4"), ("name", "")):
        assert browser.post("/me/contact", {**form, field: value}).status_code == 422
    assert mall.one("SELECT count(*) FROM postal_addresses") == 1
    browser.post("/me/contact", {"what": "no_post"})
    assert mall.one("SELECT count(*) FROM postal_addresses") == 0


def test_M9_the_mails_end_by_one_click_of_a_mail_program_without_cookies_or_form(
    browser: Browser, mall: Centre
) -> None:
    with mall.office.database.write() as connection:
        person = persons.find(connection, "AAA")
        assert person is not None
        addresses.enter(connection, mall.secret, person.id, "her@example.jp", "ja", NOW_MS)
        entered = addresses.mail_of(connection, person.id)
    assert entered is not None
    token = addresses.leave_token(mall.secret, entered.nonce)
    browser.client.cookies.clear()
    assert browser.get(f"/unsubscribe?t={token}").status_code == 200
    assert mall.one("SELECT count(*) FROM mail_addresses") == 1  # looking at it ends nothing
    for body in ({"List-Unsubscribe": "One-Click"}, {"List-Unsubscribe": "One-Click"}):
        answer = browser.client.post(f"/unsubscribe?t={token}", data=body, headers={"sec-fetch-site": "cross-site"})
        assert answer.status_code == 200
    assert mall.one("SELECT count(*) FROM mail_addresses") == 0
    unknown = browser.client.post("/unsubscribe?t=" + "x" * 22, data={"List-Unsubscribe": "One-Click"})
    assert unknown.status_code == 200  # nobody learns whether a link is known


def test_M9_the_one_click_works_as_a_multipart_form_too(browser: Browser, mall: Centre) -> None:
    with mall.office.database.write() as connection:
        person = persons.find(connection, "AAA")
        assert person is not None
        addresses.enter(connection, mall.secret, person.id, "her@example.jp", "ja", NOW_MS)
        entered = addresses.mail_of(connection, person.id)
    assert entered is not None
    token = addresses.leave_token(mall.secret, entered.nonce)
    answer = browser.client.post(f"/unsubscribe?t={token}", files={"List-Unsubscribe": (None, "One-Click")})
    assert answer.status_code == 200
    assert mall.one("SELECT count(*) FROM mail_addresses") == 0


# --- the operator -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("lang", "done"), [("ja", "完了"), ("en", "Done")])
def test_M9_the_operator_sees_how_runs_and_mails_stand(browser: Browser, mall: Centre, lang: str, done: str) -> None:
    browser.headers["accept-language"] = lang
    with mall.office.database.write() as connection:
        person = persons.find(connection, "AAA")
        assert person is not None
        addresses.enter(connection, mall.secret, person.id, "her@example.jp", "ja", NOW_MS)
        entered = addresses.mail_of(connection, person.id)
        assert entered is not None
        addresses.confirm(connection, addresses.confirm_token(mall.secret, entered.nonce), NOW_MS)
    offered(mall)
    with mall.office.database.write() as connection:
        connection.execute(update(mails).where(mails.c.run_id == 1).values(state=State.REFUSED.value))
    browser.log_in_as_staff("ops")
    page = browser.get("/operator/offers").text
    for words in ("2027-W01", done):
        assert words in page
    assert "her@example.jp" not in page


def test_M8_a_draft_keeps_its_kind(mall: Centre) -> None:
    with mall.office.database.write() as connection:
        number = bargains.add(connection, "ginza", draft("新作", kind=Kind.RECOMMENDED), NOW_MS)
        kept = bargains.one(connection, number)
        assert kept is not None
        assert (kept.kind, kept.about) == (Kind.RECOMMENDED, About.NONE)
        assert connection.execute(rows.select()).one().found_by.strip() == "新作"
        assert isinstance(draft("x"), Draft)
