"""What holds on every route that there is, those of tomorrow included: headers, bounds, cookies, silence in the log."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from litestar.testing import TestClient

from central import tokens
from central.http.app import BODY_BYTES_MAX, create_app
from central.office import now_ms
from central.staff import Role
from central.tokens import Scope
from tests.unit.central.central_kit import Centre
from tests.unit.central.pages_kit import PASSWORD, Browser, give
from tests.unit.central.test_pages_guarded import come_as

BINDING = ("content-security-policy", "x-content-type-options", "referrer-policy", "cross-origin-resource-policy")


def routes(centre: Centre) -> list[tuple[str, str]]:
    """(method, address) of everything that the application serves, as it is wired."""
    found = {
        (method, route.path_format)
        for route in create_app(centre.office).routes
        for method in route.methods
        if method not in ("OPTIONS", "HEAD")
    }
    assert len(found) > 50
    return sorted(found)


def address(path: str) -> str:
    return path.replace("{number}", "1").replace("{name}", "pages.css").replace("{code}", "abc")


def test_every_route_binds_the_browser_whoever_asks_and_whatever_comes_of_it(browser: Browser, mall: Centre) -> None:
    give(mall, "BBB", 1)
    for role in (None, *Role):
        for method, path in routes(mall):
            if path == "/logout":
                continue
            come_as(browser, role) if path == "/me/erase" else None
            answer = browser.client.request(method, address(path), headers=browser.headers, follow_redirects=False)
            for header in BINDING:
                assert header in answer.headers, (method, path, header)
            assert "server" not in answer.headers
            assert "access-control-allow-origin" not in answer.headers
            if not path.startswith(("/static", "/worker", "/manifest")):
                assert answer.headers["cache-control"] == "no-store", (method, path)


def test_every_route_that_takes_a_body_refuses_one_that_is_too_large(browser: Browser, mall: Centre) -> None:
    browser.get("/login")
    large = "csrf=" + browser.token + "&name=" + "a" * BODY_BYTES_MAX
    for method, path in routes(mall):
        if method != "POST" or path.endswith("/{number}/stop"):
            continue
        answer = browser.client.post(
            address(path), content=large, headers={"content-type": "application/x-www-form-urlencoded"}
        )
        assert answer.status_code in (401, 413), (path, answer.status_code)
        endless = browser.client.post(address(path), content=iter([large[:9_000].encode()] * 9))
        assert endless.status_code in (401, 413), (path, endless.status_code)


@pytest.mark.parametrize("name", ["BBB", "ginza", "gakki", "ops"])
def test_a_session_that_somebody_planted_is_nobodys_after_its_victim_logs_in(
    browser: Browser, mall: Centre, name: str
) -> None:
    browser.get("/login")
    planted = browser.client.cookies["tokuten"]
    browser.log_in(name) if name == "BBB" else browser.log_in_as_staff(name)
    own = browser.client.cookies["tokuten"]
    assert own != planted
    with TestClient(create_app(mall.office)) as client:
        thief = Browser(client)
        client.cookies["tokuten"] = planted
        for path in ("/coupons", "/shop", "/provider", "/operator"):
            assert thief.get(path).status_code == 303
        # ... nor by claiming another kind of session with a token that works.
        for kind in "ps":
            client.cookies.clear()
            client.cookies["tokuten"] = kind + own[1:]
            there = [
                path for path in ("/coupons", "/shop", "/provider", "/operator") if thief.get(path).status_code == 200
            ]
            assert len(there) == (kind == own[0])


def test_every_cookie_is_kept_from_scripts_and_other_sites(browser: Browser, mall: Centre) -> None:
    seen = 0
    acts: tuple[Callable[[], httpx.Response], ...] = (
        lambda: browser.get("/"),
        lambda: browser.log_in("BBB"),
        lambda: browser.post("/language", {"to": "en", "next": "/"}),
        lambda: browser.post("/logout"),
        lambda: browser.log_in_as_staff("ops"),
    )
    for act in acts:
        for cookie in act().headers.get_list("set-cookie"):
            seen += 1
            assert "httponly" in cookie.lower(), cookie
            assert "samesite=lax" in cookie.lower(), cookie
            assert "path=/" in cookie.lower(), cookie
    assert seen >= 6


def test_no_name_password_or_token_is_in_the_log_whatever_route_is_asked(
    browser: Browser, mall: Centre, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.DEBUG)
    with mall.office.database.write() as connection:
        _, token = tokens.issue(connection, "hanako's", frozenset(Scope), 1, "ops", now_ms(), provider="S楽器")
    browser.log_in("BBB")
    secrets = ("秘密の花子", PASSWORD, token, browser.client.cookies["tokuten"].partition(".")[2])

    def ask(client: Any) -> None:
        for method, path in routes(mall):
            browser.get("/offers")
            form = {"csrf": browser.token, "name": secrets[0], "q": secrets[0], "old": "x" + PASSWORD}
            client.request(
                method, address(path), headers={"authorization": f"Bearer {token}"}, follow_redirects=False,
                **({"data": form} if method == "POST" else {"params": {"q": secrets[0]}}),
            )  # fmt: skip

    ask(browser.client)

    def broken(*_: object, **__: object) -> None:
        raise RuntimeError(f"{secrets[0]} {token}")

    for place in ("central.http.own.issue.of_provider", "central.pages.person.book.shown_to", "central.audit.listed"):
        monkeypatch.setattr(place, broken)
    ask(browser.client)
    ours = "\n".join(record.getMessage() for record in caplog.records if not record.name.startswith("httpx"))
    assert "RuntimeError at" in ours
    for secret in secrets:
        assert secret not in ours
