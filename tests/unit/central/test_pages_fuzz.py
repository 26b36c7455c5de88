"""Random fields in every form, and random words in every address: an answer in words, and never a fault."""

from __future__ import annotations

import random
from typing import Final

import pytest

from central import tokens
from central.pages.routes import ROUTES, Route
from central.staff import Role
from tests.unit.central.central_kit import Centre
from tests.unit.central.pages_kit import Browser, give
from tests.unit.central.test_pages_guarded import come_as

TURNS: Final = 8
TURNS_OF_SOAK: Final = 400
NAMES: Final = (
    "name",
    "password",
    "again",
    "old",
    "service",
    "offers",
    "analysis",
    "purpose",
    "agree",
    "sure",
    "next",
    "to",
    "kind",
    "policy",
    "amount_yen",
    "percent",
    "gift",
    "stock",
    "starts_ms",
    "ends_ms",
    "serials",
    "shop.ginza",
    "shop.",
    "how",
    "note",
    "id",
    "q",
    "whose",
    "days",
    "analysis:read",
    "coupons:issue",
    "by",
    "from",
    "before",
    "all",
    "site",
    "yen",
)
VALUES: Final = (
    "",
    " ",
    "yes",
    "no",
    "1",
    "0",
    "-1",
    "1.5",
    "1e9",
    "9" * 16,
    "9" * 400,
    str(2**63),
    "１２",
    "٣",
    "\\x00",
    "\\ud800",
    "<script>",
    "'; DROP TABLE persons; --",
    "../../etc/passwd",
    "//evil.example",
    "2026-02-30",
    "2026-07-30",
    "0000-00-00",
    "99999-01-01",
    "花子",
    "a" * 5_000,
    "%00",
    "\r\nset-cookie: a=b",
    "amount",
    "percent",
    "signed",
    "lease",
    "day",
    "hour",
    "coupon",
    "king",
    "site:ginza",
    "provider:S楽器",
    "all",
    "30",
    "issuer",
    "settled",
    "service",
)
EVERY: Final = [route for route in ROUTES if route.path not in ("/logout", "/me/erase")]  # those end the session


def form(dice: random.Random) -> dict[str, str]:
    """Some fields that forms have, and some that none has."""
    names = [*dice.sample(NAMES, dice.randint(1, 12)), "".join(chr(dice.randint(32, 900)) for _ in range(5))]
    return {name: dice.choice(VALUES).encode("utf-8", "ignore").decode() for name in names}


def tried(browser: Browser, route: Route, dice: random.Random) -> None:
    number = dice.choice(["1", "1", "1", "2", "0", "99", "-1", "x", "9" * 30, "%00"])
    path = route.path.replace("{number}", number)
    fields = form(dice)
    browser.get("/offers")
    if route.method == "POST":
        answer = browser.post(path, fields)
    else:
        answer = browser.client.get(path, params=fields, headers=browser.headers, follow_redirects=False)
    assert answer.status_code in (200, 303, 400, 401, 403, 404, 409, 413, 422, 429), (path, fields, answer.text)
    assert "Traceback" not in answer.text
    assert "content-security-policy" in answer.headers
    location = answer.headers.get("location", "/")
    assert location.startswith("/"), (path, fields)
    assert not location.startswith("//"), (path, fields)


def everything(browser: Browser, role: Role, turns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("central.http.limits.Tries.allowed", lambda *_: True)
    monkeypatch.setattr(tokens, "TOKENS_MAX", 10)
    dice = random.Random(role.value)
    for route in EVERY:
        if role not in route.whose:
            continue
        come_as(browser, role)
        for _ in range(turns):
            tried(browser, route, dice)


@pytest.mark.parametrize("role", list(Role))
def test_no_form_and_no_address_makes_a_fault(
    browser: Browser, mall: Centre, role: Role, monkeypatch: pytest.MonkeyPatch
) -> None:
    give(mall, "BBB", 1)
    everything(browser, role, TURNS, monkeypatch)


@pytest.mark.slow
@pytest.mark.timeout(3_000)
@pytest.mark.parametrize("role", list(Role))
def test_no_form_of_very_many_makes_a_fault(
    browser: Browser, mall: Centre, role: Role, monkeypatch: pytest.MonkeyPatch
) -> None:
    give(mall, "BBB", 1)
    everything(browser, role, TURNS_OF_SOAK, monkeypatch)
