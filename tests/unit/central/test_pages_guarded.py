"""What the pages keep from whom: roles, other people's numbers, forms from elsewhere, guessing, and odd input."""

from __future__ import annotations

import logging
import random
import re
from typing import Any

import pytest
from litestar.testing import TestClient

from central.http import limits
from central.http.app import create_app
from central.office import now_ms
from central.pages import words
from central.pages.asked import Ticket, language
from central.pages.entrance import inside
from central.pages.render import FOLDER
from central.pages.routes import ROUTES, Route
from central.staff import Role
from tests.unit.central.central_kit import Centre, Lane
from tests.unit.central.pages_kit import PASSWORD, Browser, give, set_http

WHO = {None: "", Role.PERSON: "BBB", Role.SHOP: "ginza", Role.PROVIDER: "gakki", Role.OPERATOR: "ops"}
FIELDS = (
    "name", "kind", "how", "q", "id", "old", "purpose", "account", "coupon", "sure", "programme", "per_yen", "points",
    "rounding", "from", "site", "days", "buy", "sell", "overspending",
)  # fmt: skip
OWNED = [route for route in ROUTES if None not in route.whose]


def come_as(browser: Browser, role: Role | None) -> None:
    browser.client.cookies.clear()
    if role is Role.PERSON:
        assert browser.log_in("BBB").status_code == 303
    elif role is None:
        browser.get("/offers")
    else:
        assert browser.log_in_as_staff(WHO[role]).status_code == 303


@pytest.mark.parametrize("role", list(WHO), ids=str)
def test_every_page_refuses_everybody_for_whom_it_is_not(browser: Browser, mall: Centre, role: Role | None) -> None:
    give(mall, "BBB", 1)
    come_as(browser, role)
    before = mall.query("SELECT body FROM campaigns")
    for route in OWNED:
        path = route.path.replace("{number}", "1")
        if role in route.whose:
            continue
        browser.get("/offers")
        answer = browser.get(path) if route.method == "GET" else browser.post(path, {"sure": "yes", "how": "issuer"})
        assert answer.status_code == (303 if role is None else 403), path
        if role is None:
            assert answer.headers["location"].startswith(("/login", "/staff")), path
    assert mall.query("SELECT body FROM campaigns") == before


def test_a_person_never_sees_anothers_coupon_by_its_number(browser: Browser, mall: Centre) -> None:
    given = give(mall, "AAA", 1)
    browser.log_in("BBB")
    number = mall.one("SELECT id FROM coupons")
    for path in (f"/coupons/{number}", f"/coupons/{number}/state"):
        answer = browser.get(path)
        assert answer.status_code == 404
        assert given.text not in answer.text
        assert answer.text == browser.get(path.replace(str(number), "9999")).text.replace("9999", str(number))
    assert "98338" not in browser.get("/coupons").text + browser.get("/history").text


def test_a_provider_never_sees_or_stops_anothers_coupon(browser: Browser, mall: Centre) -> None:
    browser.log_in_as_staff("record")
    assert browser.get("/provider/coupons/1").status_code == 404
    assert browser.post("/provider/coupons/1/stop", {"sure": "yes"}).status_code == 404
    assert "S楽器" not in browser.get("/provider").text
    assert mall.one("SELECT count(*) FROM campaigns WHERE provider = 'S楽器'") == 1
    # ... nor issues one in another's name.
    form = {
        "name": "偽",
        "kind": "amount",
        "amount_yen": "1",
        "policy": "signed",
        "serials": "yes",
        "provider": "S楽器",
    }
    assert browser.post("/provider/issue", form).status_code == 303
    assert mall.one("SELECT count(*) FROM campaigns WHERE provider = 'S楽器'") == 1


def test_a_shop_never_sees_anothers_redemptions(browser: Browser, mall: Centre, lane: Lane) -> None:
    given = give(mall, "BBB", 1)
    lane.redeem(given.coupon.serial, at_ms=now_ms())
    mall.book(lane, now_ms=now_ms())
    browser.log_in_as_staff("urawa")
    for path in ("/shop", "/shop?site=ginza"):
        assert "98338" not in browser.get(path).text


FORMS = [route for route in ROUTES if route.method == "POST" and not route.by_token]


@pytest.mark.parametrize("route", FORMS, ids=lambda one: one.path)
def test_every_form_needs_the_token_of_its_own_session(browser: Browser, mall: Centre, route: Route) -> None:
    role = next(iter(route.whose - {None}), None) if None not in route.whose else None
    come_as(browser, role)
    path = route.path.replace("{number}", "1")
    for token in ("", "0" * 64, Ticket.nobodys().csrf, "é"):
        answer = browser.client.post(path, data={"csrf": token, "sure": "yes"}, follow_redirects=False)
        assert answer.status_code == 403
        assert 'data-reason="stale_form"' in answer.text
    elsewhere = browser.post(path, {"sure": "yes"}, **{"sec-fetch-site": "cross-site"})
    assert 'data-reason="stale_form"' in elsewhere.text


def test_logging_in_takes_a_new_session_and_logging_out_ends_it(browser: Browser, mall: Centre) -> None:
    browser.get("/login")
    before = browser.client.cookies["tokuten"]
    browser.log_in("BBB")
    cookie = browser.client.cookies["tokuten"]
    assert cookie != before
    gone = browser.post("/logout")
    assert "storage" in gone.headers["clear-site-data"]
    assert mall.one("SELECT count(*) FROM sessions") == 0
    browser.client.cookies.clear()
    browser.client.cookies["tokuten"] = cookie
    assert browser.get("/coupons").headers["location"] == "/login?next=/coupons"


@pytest.mark.parametrize("cookie", ["", "p.", "p." + "x" * 43, "s." + "x" * 43, "q.abc", 'n."', "p." + "A" * 5000])
def test_a_made_up_cookie_is_nobody(browser: Browser, cookie: str) -> None:
    answer = browser.get("/coupons", cookie=f"tokuten={cookie}")
    assert answer.status_code == 303


def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites(browser: Browser, mall: Centre) -> None:
    cookie = browser.get("/").headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    assert "Secure" not in cookie
    set_http(mall, secure_cookies=True)
    with TestClient(create_app(mall.office), base_url="https://centre.local") as client:
        answer = client.get("/")
    assert answer.headers["set-cookie"].startswith("__Host-tokuten=")
    assert "Secure" in answer.headers["set-cookie"]
    assert "max-age" in answer.headers["strict-transport-security"]


@pytest.mark.parametrize("path", ["/", "/nothing", "/offers", "/static/pages.css", "/worker.js", "/coupons"])
def test_every_answer_carries_the_headers_that_bind_the_browser(browser: Browser, path: str) -> None:
    headers = browser.get(path).headers
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"


def test_no_template_has_inline_script_or_style() -> None:
    for path in FOLDER.glob("templates/**/*.html"):
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"<script(?![^>]*\ssrc=)|\sstyle=|<style|\son[a-z]+=|javascript:|\|\s*safe", text), (
            path.name
        )


def test_what_people_enter_is_text_on_every_page(browser: Browser) -> None:
    browser.register("<img src=x>")
    for path in ("/coupons", "/me"):
        assert "<img" not in browser.get(path).text
    browser.client.cookies.clear()
    browser.log_in_as_staff("ops")
    page = browser.post("/operator/people", {"q": "<i"})
    assert "&lt;img" in page.text
    assert "<img" not in page.text


def test_guessing_a_password_ends_after_some_tries_on_the_pages_and_the_api_together(browser: Browser) -> None:
    for number in range(limits.TRIES_PER_NAME):
        if number % 2:
            browser.client.post("/api/session", json={"name": "BBB", "password": "wrong"})
        else:
            assert browser.log_in("BBB", "wrong").status_code == 401
    assert browser.log_in("BBB", PASSWORD).status_code == 429
    assert browser.client.post("/api/session", json={"name": "BBB", "password": PASSWORD}).status_code == 429
    for _ in range(limits.TRIES_PER_NAME):
        assert browser.log_in_as_staff("ops", "wrong").status_code == 401
    assert browser.log_in_as_staff("ops").status_code == 429


def test_registering_in_bulk_from_one_place_ends(browser: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("central.coupons.persons.hash_password", lambda _: "!")
    made = [browser.register(f"bot {number}").status_code for number in range(25)]
    assert made.count(303) == 20
    assert made[-1] == 429


def test_behind_a_proxy_the_limit_goes_by_the_address_that_the_proxy_wrote(
    browser: Browser, mall: Centre, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("central.coupons.persons.hash_password", lambda _: "!")
    set_http(mall, forwarded_for=True)
    for number in range(25):
        browser.headers = {"x-forwarded-for": f"made up {number}, 10.0.0.1"}
        last = browser.register(f"bot {number}")
    assert last.status_code == 429
    browser.headers = {"x-forwarded-for": "10.0.0.1, 10.0.0.2"}
    assert browser.register("somebody else").status_code == 303


@pytest.mark.parametrize(
    ("path", "otherwise"),
    [
        ("/offers/3", "/offers/3"), ("//evil.example", "/"), ("/\\evil", "/"), ("https://evil", "/"), ("/a//b", "/"),
        ("/%2f", "/"), ("", "/"), ("/a\nb", "/"), ("/" + "a" * 300, "/"),
    ],
)  # fmt: skip
def test_after_logging_in_nobody_is_led_to_another_site(path: str, otherwise: str) -> None:
    assert inside(path) == otherwise


def test_a_form_that_is_too_large_or_no_text_is_refused_in_words(browser: Browser) -> None:
    browser.get("/login")
    large = browser.post("/login", {"name": "x" * 20_000})
    assert large.status_code == 413
    assert 'data-reason="too_large"' in large.text
    broken = browser.client.post(
        "/login", content=b"\xff\xfe=\x80", headers={"content-type": "application/x-www-form-urlencoded"}
    )
    assert broken.status_code == 400
    many = browser.client.post("/login", content=b"&".join(b"a%d=" % n for n in range(1000)))
    assert many.status_code == 400


def test_odd_input_never_makes_a_500(browser: Browser) -> None:
    chance = random.Random(5)
    odd = ["", "0", "-1", "9" * 400, "1e3", "é", "\x00", "%00", "'\"<", "../..", "💴", "1", "yes", "\u2028", "١"]
    for role in WHO:
        come_as(browser, role)
        for route in ROUTES:
            for _ in range(3):
                path = route.path.replace("{number}", chance.choice(["1", "0", "x", "9" * 30, "٣", "1.5"]))
                form = {name: chance.choice(odd) for name in FIELDS}
                if route.method == "POST" and path not in ("/logout", "/me/erase"):
                    status = browser.post(path, form).status_code
                else:
                    status = browser.get(path + "?q=" + chance.choice(odd[:4]) + "&before=%ff").status_code
                assert status < 500, path


@pytest.mark.only_sqlite  # it is hidden as a file
def test_a_database_that_does_not_answer_is_said_in_words(browser: Browser, mall: Centre) -> None:
    browser.log_in("BBB")
    mall.office.database.close()
    assert mall.office.database.path is not None
    hidden = mall.office.database.path.with_suffix(".away")
    mall.office.database.path.rename(hidden)
    mall.office.database.path.mkdir()
    try:
        answer = browser.get("/coupons")
        assert answer.status_code == 503
        assert 'data-reason="unavailable"' in answer.text
    finally:
        mall.office.database.path.rmdir()
        hidden.rename(mall.office.database.path)


def test_a_fault_of_ours_is_a_page_in_words_and_its_log_holds_nothing_that_was_entered(
    browser: Browser, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: Any) -> None:
        raise RuntimeError("花子's password")

    monkeypatch.setattr("central.coupons.shelf.on_offer", broken)
    with caplog.at_level(logging.DEBUG):
        answer = browser.get("/offers")
    assert answer.status_code == 500
    assert 'data-reason="fault"' in answer.text
    assert "花子" not in answer.text + caplog.text
    assert "RuntimeError at test_pages_guarded.py" in caplog.text


def test_nothing_personal_is_logged(browser: Browser, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        browser.register("花子さん")
        browser.log_in("BBB", "wrong one")
        browser.get("/me")
    for secret in ("花子さん", "wrong one", PASSWORD, browser.client.cookies["tokuten"].partition(".")[2]):
        assert secret not in caplog.text


def test_every_word_that_a_page_says_exists_in_both_languages() -> None:
    for key, (ja, en) in words.EVERY.items():
        assert ja, key
        assert en or key.startswith("rule."), key
    said = set()
    for path in FOLDER.glob("templates/**/*.html"):
        said |= set(re.findall(r"""\bt\(["']([^"']+)["']\s*[,)]""", path.read_text(encoding="utf-8")))
    assert said <= set(words.EVERY)


@pytest.mark.parametrize(
    ("cookie", "accepted", "expected"),
    [
        (None, "en-US,en;q=0.9", "en"), (None, "ja", "ja"), (None, "en;q=0.3,ja;q=0.8", "ja"), (None, "", "ja"),
        ("en", "ja", "en"), ("fr", "en", "en"), (None, "en;q=x, ja;q=0.1", "ja"), (None, "de,fr", "ja"),
    ],
)  # fmt: skip
def test_the_language_that_is_asked_for(cookie: str | None, accepted: str, expected: str) -> None:
    assert language(cookie, accepted) == expected


def test_without_pages_the_api_alone_is_served(mall: Centre) -> None:
    set_http(mall, pages=False)
    with TestClient(create_app(mall.office)) as client:
        assert client.get("/").status_code == 404
        assert client.get("/").json()["reason"] == "not_found"
        assert client.get("/api/health").status_code == 200
