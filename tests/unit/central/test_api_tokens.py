"""API tokens: each may do what it was given, for whom it was given, until it is over; and all of it is written down."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from litestar.testing import TestClient

from central import tokens
from central.analysis import rollup
from central.http.app import create_app
from central.office import now_ms
from central.tokens import Rate, Scope, TokenError
from loyalty.campaign import DAY_MS
from tests.unit.central.central_kit import Centre, Lane
from tests.unit.central.pages_kit import Browser
from tests.unit.central.test_analysis import TOKYO, use
from tests.unit.central.test_central_cli import Shell

Ask = Callable[..., Any]
GUITAR = {"name": "ギター弦", "kind": "amount", "amount_yen": 200}


def issued(centre: Centre, *scopes: Scope, days: int = 30, at_ms: int | None = None, **whose: str) -> str:
    with centre.office.database.write() as connection:
        _, text = tokens.issue(connection, "report", frozenset(scopes), days, "ops", at_ms or now_ms(), **whose)
    return text


@pytest.fixture
def ask(mall: Centre) -> Iterator[Ask]:
    with TestClient(create_app(mall.office), raise_server_exceptions=False) as client:

        def send(method: str, path: str, token: str, **more: Any) -> Any:
            return client.request(method, path, headers={"authorization": f"Bearer {token}"}, **more)

        yield send


def traded(centre: Centre, lane: Lane) -> None:
    use(lane, 6, at_ms=now_ms())
    use(lane, 7, campaign=2, at_ms=now_ms())
    centre.book(lane, now_ms=now_ms())
    assert rollup.bring_up_to_date(centre.office.database, TOKYO, now_ms())


def test_a_token_says_whose_it_is_and_the_database_does_not_have_it(mall: Centre, ask: Ask) -> None:
    token = issued(mall, Scope.ANALYSIS_READ, Scope.COUPONS_READ, provider="S楽器")
    answer = ask("GET", "/api/own", token)
    assert answer.status_code == 200
    assert answer.json()["provider"] == "S楽器"
    assert answer.json()["scopes"] == ["analysis:read", "coupons:read"]
    ((kept,),) = mall.query("SELECT token_hash FROM api_tokens")
    assert isinstance(kept, bytes | memoryview)
    assert token.encode() not in bytes(kept)


@pytest.mark.parametrize(
    ("method", "path", "scope"),
    [
        ("GET", "/api/own/analysis", Scope.ANALYSIS_READ),
        ("GET", "/api/own/redemptions?campaign=1", Scope.REDEMPTIONS_READ),
        ("GET", "/api/own/coupons", Scope.COUPONS_READ),
        ("POST", "/api/own/coupons", Scope.COUPONS_ISSUE),
        ("POST", "/api/own/coupons/1/stop", Scope.COUPONS_ISSUE),
    ],
)
def test_a_token_may_do_what_it_was_given_and_nothing_else(
    mall: Centre, ask: Ask, method: str, path: str, scope: Scope
) -> None:
    body = {"json": GUITAR} if path.endswith("coupons") and method == "POST" else {}
    others = issued(mall, *(set(Scope) - {scope}), provider="S楽器")
    refused = ask(method, path, others, **body)
    assert refused.status_code == 403
    assert refused.json()["reason"] == "scope_missing"
    assert mall.one("SELECT count(*) FROM campaigns") == 2
    assert ask(method, path, issued(mall, scope, provider="S楽器"), **body).status_code in (200, 201)


def test_a_revoked_token_is_refused_from_the_next_request_on(mall: Centre, ask: Ask) -> None:
    token = issued(mall, Scope.ANALYSIS_READ, site="ginza")
    assert ask("GET", "/api/own", token).status_code == 200
    with mall.office.database.write() as connection:
        assert tokens.revoke(connection, 1, "ops", now_ms())
        assert not tokens.revoke(connection, 1, "ops", now_ms())
    assert ask("GET", "/api/own", token).status_code == 401
    assert ask("GET", "/api/own/analysis", token).status_code == 401


def test_a_token_that_is_over_is_refused(mall: Centre, ask: Ask) -> None:
    token = issued(mall, Scope.ANALYSIS_READ, days=1, at_ms=now_ms() - DAY_MS - 1, site="ginza")
    assert ask("GET", "/api/own", token).status_code == 401


@pytest.mark.parametrize("token", ["x", "tkt_" + "A" * 43, "x" * 5_000, "%00"])
def test_a_made_up_token_is_nobodys(mall: Centre, ask: Ask, token: str) -> None:
    issued(mall, Scope.ANALYSIS_READ, site="ginza")
    assert ask("GET", "/api/own", token).status_code == 401


def test_tokens_of_people_and_operators_are_no_tokens_of_programs_and_the_other_way_round(
    mall: Centre, ask: Ask
) -> None:
    person = ask("POST", "/api/session", "", json={"name": "BBB", "password": "correct horse"}).json()["token"]
    operator = (mall.office.settings.operator_token_path).read_text().strip()
    for token in (person, operator):
        assert ask("GET", "/api/own", token).status_code == 401
    ours = issued(mall, *tokens.OF_ALL)
    for path in ("/api/me/coupons", "/api/redemptions", "/api/conflicts", "/api/notices"):
        assert ask("GET", path, ours).status_code == 401


def test_K10_a_provider_reads_its_own_and_never_anothers(mall: Centre, ask: Ask, lane: Lane) -> None:
    traded(mall, lane)
    token = issued(mall, *Scope, provider="Dレコード")
    assert [one["id"] for one in ask("GET", "/api/own/coupons", token).json()] == [2]
    assert [row["key"] for row in ask("GET", "/api/own/analysis", token).json()["rows"]] == ["2"]
    assert len(ask("GET", "/api/own/redemptions?campaign=2", token).json()) == 7
    for path, method in (("redemptions?campaign=1", "GET"), ("coupons/1/stop", "POST")):
        foreign = ask(method, f"/api/own/{path}", token)
        unknown = ask(method, f"/api/own/{path}".replace("1", "99"), token)
        assert foreign.status_code == 404
        assert foreign.json() == unknown.json()
    assert "holder" not in ask("GET", "/api/own/redemptions?campaign=2", token).text


def test_a_shop_reads_its_own_day_and_never_anothers(mall: Centre, ask: Ask, lane: Lane) -> None:
    traded(mall, lane)
    ginza = issued(mall, *tokens.OF_SHOPS, site="ginza")
    urawa = issued(mall, *tokens.OF_SHOPS, site="urawa")
    assert len(ask("GET", "/api/own/redemptions", ginza).json()) == 13
    assert ask("GET", "/api/own/redemptions?campaign=1", urawa).json() == []
    assert ask("GET", "/api/own/redemptions?day=2020-01-01", ginza).json() == []
    assert ask("GET", "/api/own/redemptions?day=2020-02-31", ginza).status_code == 400
    assert ask("GET", "/api/own/analysis?by=shop", urawa).json()["rows"] == []


def test_K1_a_provider_issues_and_stops_by_a_token_and_it_is_written_down(mall: Centre, ask: Ask) -> None:
    token = issued(mall, Scope.COUPONS_ISSUE, provider="S楽器")
    made = ask("POST", "/api/own/coupons", token, json={**GUITAR, "stock": 3})
    assert made.status_code == 201
    number = made.json()["id"]
    assert mall.one(f"SELECT provider FROM campaigns WHERE id = {number}") == "S楽器"
    assert ask("POST", f"/api/own/coupons/{number}/stop", token).json()["stopped"]
    looks = mall.query("SELECT role, who, what FROM audit ORDER BY id")
    assert looks == [
        ("operator", "ops", "token_issued"),
        ("provider", "S楽器 (report)", "coupon_issued"),
        ("provider", "S楽器 (report)", "coupon_stopped"),
    ]


def test_a_coupon_that_contradicts_itself_is_refused_sentence_by_sentence(mall: Centre, ask: Ask) -> None:
    token = issued(mall, Scope.COUPONS_ISSUE, provider="S楽器")
    answer = ask("POST", "/api/own/coupons", token, json={"name": "", "kind": "percent", "percent": 101})
    assert answer.status_code == 422
    assert {one.partition(":")[0] for one in answer.json()["problems"]} == {"name", "percent"}
    home = ask("POST", "/api/own/coupons", token, json={**GUITAR, "policy": "home"})
    assert home.status_code == 422
    bodies: list[Any] = [{**GUITAR, "provider": "Dレコード"}, {**GUITAR, "id": 1}, {**GUITAR, "stock": -1}, []]
    for body in bodies:
        assert ask("POST", "/api/own/coupons", token, json=body).status_code == 400


def test_a_token_that_asks_too_often_waits_as_long_as_it_is_told(mall: Centre) -> None:
    mall_client = TestClient(create_app(mall.office), raise_server_exceptions=False)
    token = issued(mall, Scope.ANALYSIS_READ, site="ginza")
    other = issued(mall, Scope.ANALYSIS_READ, site="ginza")
    with mall_client as client:
        head = {"authorization": f"Bearer {token}"}
        codes = [client.get("/api/own", headers=head).status_code for _ in range(tokens.ASKED_PER_WINDOW + 1)]
        assert codes == [200] * tokens.ASKED_PER_WINDOW + [429]
        refused = client.get("/api/own", headers=head)
        assert 1 <= int(refused.headers["retry-after"]) <= 60
        assert client.get("/api/own", headers={"authorization": f"Bearer {other}"}).status_code == 200


def test_the_limit_slides() -> None:
    rate = Rate(per_window=2, window_ms=100)
    assert [rate.wait_ms(1, at) for at in (0, 40, 50, 99, 100, 120, 140)] == [0, 0, 50, 1, 0, 20, 0]
    assert rate.wait_ms(2, 50) == 0


def test_it_is_kept_to_the_minute_when_a_token_was_last_used(mall: Centre) -> None:
    token = issued(mall, Scope.ANALYSIS_READ, site="ginza")
    at_ms = now_ms()
    for later_ms, kept in ((0, 0), (59_999, 0), (60_000, 60_000)):
        assert tokens.working(mall.office.database, token, at_ms + later_ms) is not None
        assert mall.one("SELECT used_ms FROM api_tokens") == at_ms + kept


@pytest.mark.parametrize(
    ("scopes", "more"),
    [
        ((), {"site": "ginza"}),
        ((Scope.COUPONS_ISSUE,), {"site": "ginza"}),
        ((Scope.COUPONS_ISSUE,), {}),
        ((Scope.ANALYSIS_READ,), {"site": "nowhere"}),
        ((Scope.ANALYSIS_READ,), {"provider": "nobody"}),
        ((Scope.ANALYSIS_READ,), {"site": "ginza", "provider": "S楽器"}),
        ((Scope.ANALYSIS_READ,), {"days": 0}),
        ((Scope.ANALYSIS_READ,), {"days": 367}),
    ],
)
def test_no_token_has_more_than_its_owner_may_have(mall: Centre, scopes: tuple[Scope, ...], more: Any) -> None:
    with pytest.raises(TokenError):
        issued(mall, *scopes, **more)
    assert mall.query("SELECT * FROM api_tokens") == []
    assert mall.query("SELECT * FROM audit") == []


# --- the page and the command ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("lang", ["ja", "en"])
def test_an_operator_issues_a_token_sees_it_once_and_revokes_it(
    browser: Browser, mall: Centre, ask: Ask, lang: str
) -> None:
    browser.headers["accept-language"] = lang
    browser.log_in_as_staff("ops")
    browser.get("/operator/tokens")
    form = {"name": "sales", "whose": "provider:S楽器", "days": "30", "analysis:read": "yes"}
    made = browser.post("/operator/tokens", form)
    found = re.search(r"tkt_[\w-]{43}", made.text)
    assert found
    assert ask("GET", "/api/own", found[0]).status_code == 200
    assert found[0] not in browser.get("/operator/tokens").text
    assert browser.post("/operator/tokens/1/revoke").status_code == 303
    assert browser.post("/operator/tokens/1/revoke").status_code == 404
    assert ask("GET", "/api/own", found[0]).status_code == 401
    assert [row[0] for row in mall.query("SELECT what FROM audit ORDER BY id")] == ["token_issued", "token_revoked"]
    assert browser.get("/operator/audit").status_code == 200


def test_a_form_for_a_token_that_can_not_be_is_refused_in_words(browser: Browser, mall: Centre) -> None:
    browser.log_in_as_staff("ops")
    good = {"name": "sales", "whose": "site:ginza", "days": "30", "analysis:read": "yes"}
    for change, status in (
        ({"whose": "king"}, 400), ({"days": "1e9"}, 400), ({"name": ""}, 422), ({"whose": "site:"}, 400),
        ({"coupons:issue": "yes"}, 422), ({"whose": "provider:nobody"}, 400), ({"whose": ""}, 400),
        ({"name": "a" * 41}, 422),
    ):  # fmt: skip
        browser.get("/operator/tokens")
        assert browser.post("/operator/tokens", {**good, **change}).status_code == status, change
    assert mall.query("SELECT * FROM api_tokens") == []


@pytest.mark.only_sqlite
def test_tokens_are_issued_listed_and_revoked_by_command(tmp_path: Path) -> None:
    shell = Shell(tmp_path)
    shell.run("central", "init")
    assert "no tokens" in shell.run("token", "list")
    shell.run("token", "issue", "a", "--scope", "king", code=2)
    shell.run("token", "issue", "a", "--scope", "coupons:issue", code=2)
    shell.run("token", "issue", "a", "--scope", "analysis:read", "--site", "nowhere", code=2)
    text = shell.run("token", "issue", "everything", "--scope", "analysis:read").strip()
    listed = shell.run("token", "list")
    assert text.startswith("tkt_")
    assert text not in listed
    assert "everything" in listed
    shell.run("token", "revoke", "1")
    shell.run("token", "revoke", "1", code=1)
    assert "revoked" in shell.run("token", "list")
