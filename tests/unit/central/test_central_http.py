"""The HTTP API: phones and operators, refusals in words, and odd input."""

from __future__ import annotations

import logging
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from litestar.testing import TestClient
from nacl.signing import SigningKey

from central import notices
from central.coupons import issue, persons
from central.http import limits
from central.http.app import create_app
from central.keys import read_secret
from loyalty.barcode import moving
from loyalty.campaign import Kind
from tests.unit.central.central_kit import NOW_MS, Centre, Lane, campaign

PASSWORD = "correct horse"


@pytest.fixture
def shop(tmp_path: Path, lane: Lane) -> Iterator[Centre]:
    centre = Centre(
        tmp_path / "centre",
        campaign(1, stock=1, first_number=98338),
        campaign(2, kind=Kind.TICKET, amount_yen=0, gift="34便", strong_auth=True),
    )
    centre.enrol(lane)
    with centre.office.database.write() as connection:
        persons.add(connection, "BBB", persons.hash_password(PASSWORD), NOW_MS)
    yield centre
    centre.close()


@pytest.fixture
def client(shop: Centre) -> Iterator[TestClient[Any]]:
    with TestClient(create_app(shop.office), raise_server_exceptions=False) as client:
        yield client


def log_in(client: TestClient[Any], password: str = PASSWORD) -> httpx.Response:
    return client.post("/api/session", json={"name": "BBB", "password": password})


@pytest.fixture
def bearer(client: TestClient[Any]) -> dict[str, str]:
    answer = log_in(client)
    assert answer.status_code == 200
    assert answer.json()["name"] == "BBB"
    return {"authorization": f"Bearer {answer.json()['token']}"}


def test_health_tells_the_incarnation_and_how_much_is_booked(client: TestClient[Any], shop: Centre, lane: Lane) -> None:
    lane.redeem(1)
    shop.book(lane)
    assert client.get("/api/health").json() == {"incarnation": shop.incarnation.hex(), "booked": 1}


def test_K3_what_can_be_downloaded_is_listed_for_everybody(client: TestClient[Any]) -> None:
    rows = client.get("/api/coupons").json()
    assert rows[0] == {
        "id": 1, "name": "100円引き", "kind": "amount", "benefit": {"ja": "100円引き", "en": "100 yen off"},
        "stock_left": 1, "download_ends_ms": None, "strong_auth": False, "moving": False, "needs_card": False,
    }  # fmt: skip
    assert [row["id"] for row in rows] == [1, 2]


def test_K3_a_person_downloads_and_keeps_a_coupon_until_none_are_left(
    client: TestClient[Any], bearer: dict[str, str]
) -> None:
    answer = client.post("/api/me/coupons", json={"campaign": 1}, headers=bearer)
    assert answer.status_code == 201
    row = answer.json()
    assert row["text"].startswith("TK1:")
    assert (row["number"], row["state"], row["used_ms"]) == (98338, "unused", None)
    assert client.get("/api/me/coupons", headers=bearer).json() == [row]
    refused = client.post("/api/me/coupons", json={"campaign": 1}, headers=bearer)
    assert refused.status_code == 409
    assert refused.json()["reason"] == "sold_out"
    assert set(refused.json()["detail"]) == {"ja", "en"}


def test_K3_a_ticket_wants_the_password_again(client: TestClient[Any], bearer: dict[str, str]) -> None:
    bare = client.post("/api/me/coupons", json={"campaign": 2}, headers=bearer)
    assert (bare.status_code, bare.json()["reason"]) == (403, "needs_password")
    wrong = client.post("/api/me/coupons", json={"campaign": 2, "password": "x"}, headers=bearer)
    assert (wrong.status_code, wrong.json()["reason"]) == (403, "wrong_password")
    right = client.post("/api/me/coupons", json={"campaign": 2, "password": PASSWORD}, headers=bearer)
    assert right.status_code == 201


def test_K7_the_phone_sees_that_and_where_its_coupon_was_used(
    client: TestClient[Any], bearer: dict[str, str], shop: Centre, lane: Lane
) -> None:
    client.post("/api/me/coupons", json={"campaign": 1}, headers=bearer)
    serial = int(str(shop.one("SELECT serial FROM coupons")))
    lane.redeem(serial % 2**64)
    shop.book(lane)
    (row,) = client.get("/api/me/coupons", headers=bearer).json()
    assert (row["state"], row["used_ms"], row["used_site"]) == ("used", NOW_MS, "ginza")


def test_tries_at_a_password_are_limited(client: TestClient[Any]) -> None:
    for _ in range(limits.TRIES_PER_NAME):
        answer = log_in(client, "wrong")
        assert (answer.status_code, answer.json()["reason"]) == (401, "wrong_login")
    assert log_in(client, "wrong").status_code == 429
    assert log_in(client).status_code == 429, "also the right one, for a while"


def test_an_operator_sees_the_redemptions_and_nobody_else_does(
    client: TestClient[Any], shop: Centre, lane: Lane, bearer: dict[str, str]
) -> None:
    lane.redeem(1)
    lane.redeem(1)
    shop.book(lane)
    token = read_secret(shop.settings.operator_token_path).hex()
    rows = client.get("/api/redemptions?limit=1", headers={"authorization": f"Bearer {token}"}).json()
    assert rows == [
        {
            "device": "lane-1", "epoch": lane.epoch.hex(), "seq": 2, "campaign": 1, "name": "100円引き", "number": None,
            "site": "ginza", "at_ms": NOW_MS, "at_error_ms": 50, "booked_ms": NOW_MS, "flags": ["double"],
        }
    ]  # fmt: skip
    assert client.get("/api/redemptions").status_code == 401
    assert client.get("/api/redemptions", headers=bearer).status_code == 401


def test_odd_input_gets_a_refusal_in_words_and_never_a_fault(
    client: TestClient[Any], bearer: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    dice = random.Random(5)
    bodies: list[bytes] = [
        b"", b"{}", b"[]", b"null", b"\xff\xfe", b'{"campaign": 1e99}', b'{"campaign": "1"}', b'{"campaign": -1}',
        b'{"campaign": 18446744073709551615}', b'{"campaign": 9223372036854775808}', b'{"campaign":4294967296}',
        b'{"name": "a", "password": "' + b"p" * 20_000 + b'"}', b'{"name": "\\ud800", "password": "x"}',
        b'{"name": "\\u0000", "password": ""}', b'{"campaign": 2, "password": "\\ud800"}',
    ]  # fmt: skip
    bodies += [dice.randbytes(dice.randint(1, 80)) for _ in range(15)]
    headers = [{}, bearer, {"authorization": "Bearer \xff"}, {"authorization": "Bearer " + "x" * 5_000}]
    for body in bodies:
        for path in ("/api/session", "/api/me/coupons"):
            for head in headers:
                encoded = [(name.encode(), value.encode("latin-1")) for name, value in head.items()]
                answer = client.request("POST", path, content=body, headers=encoded)
                assert 400 <= answer.status_code < 500, (path, body, answer.text)
                assert set(answer.json()) == {"reason", "detail"}
    for path in ("/api/redemptions?limit=x", "/api/redemptions?limit=-1", "/api/redemptions?limit=99999999999999999999",
                 "/api/nothing", "/api/coupons/%00", "/api/"):  # fmt: skip
        answer = client.get(path)
        assert 400 <= answer.status_code < 500
        assert set(answer.json()) == {"reason", "detail"}
    assert client.delete("/api/coupons").status_code == 405


def test_no_name_password_token_or_text_is_written_to_a_log(
    client: TestClient[Any], bearer: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    log_in(client, "wrong-password-1")
    text = client.post("/api/me/coupons", json={"campaign": 1}, headers=bearer).json()["text"]
    ours = "\n".join(record.getMessage() for record in caplog.records if not record.name.startswith("httpx"))
    for secret in ("BBB", PASSWORD, "wrong-password-1", bearer["authorization"].split()[1], text):
        assert secret not in ours


def test_K3_a_moving_coupon_goes_to_the_phone_that_sends_its_public_key(
    client: TestClient[Any], bearer: dict[str, str], shop: Centre
) -> None:
    with shop.office.database.write() as connection:
        issue.issue(connection, campaign(3, moving=True), NOW_MS)
    assert client.get("/api/coupons").json()[-1]["moving"] is True
    for phone in ("zz", "ab" * 31, "AB" * 32):
        answer = client.post("/api/me/coupons", json={"campaign": 3, "phone": phone}, headers=bearer)
        assert (answer.status_code, answer.json()["reason"]) == (400, "bad_request")
    answer = client.post("/api/me/coupons", json={"campaign": 3}, headers=bearer)
    assert (answer.status_code, answer.json()["reason"]) == (409, "needs_phone")
    key = SigningKey(b"p" * 32)
    answer = client.post(
        "/api/me/coupons", json={"campaign": 3, "phone": key.verify_key.encode().hex()}, headers=bearer
    )
    assert answer.status_code == 201
    row = answer.json()
    assert row["moving"] is True
    assert len(moving.show(row["text"], key, 1)) == moving.TEXT_CHARS
    assert client.get("/api/me/coupons", headers=bearer).json() == [row]


@pytest.fixture
def operator(shop: Centre) -> dict[str, str]:
    return {"authorization": f"Bearer {read_secret(shop.settings.operator_token_path).hex()}"}


def test_K6_an_operator_sees_who_pays_and_ends_what_waits(
    client: TestClient[Any], shop: Centre, lane: Lane, bearer: dict[str, str], operator: dict[str, str]
) -> None:
    lane.redeem(1, holder=0xABC)
    lane.redeem(1, holder=0xABC)
    shop.book(lane)
    (row,) = client.get("/api/conflicts", headers=operator).json()
    epoch = int(str(shop.one("SELECT id FROM epochs")))
    assert row == {
        "id": 1, "kind": "double", "campaign": 1, "serial": f"{1:016x}", "first": [epoch, 1], "second": [epoch, 2],
        "found_ms": NOW_MS, "rule": "operator", "charges": "", "charged": "", "amount_yen": 100, "state": "waits",
        "resolved_ms": None, "note": "", "programme": 0, "holder": "", "site": "", "points": 0,
    }  # fmt: skip
    assert client.post("/api/conflicts/1", json={"how": "holder", "note": "x\0"}, headers=operator).json() == {
        "done": 1
    }
    assert client.get("/api/conflicts", headers=operator).json()[0]["charged"] == "000000000abc"
    assert client.post("/api/conflicts/1", json={"how": "paid"}, headers=operator).status_code == 200
    again = client.post("/api/conflicts/1", json={"how": "paid"}, headers=operator)
    assert (again.status_code, again.json()["reason"]) == (409, "cannot_end")
    assert client.get("/api/conflicts", headers=operator).json() == []
    assert client.get("/api/conflicts?all=true", headers=operator).json()[0]["state"] == "paid"
    for headers in ({}, bearer):
        assert client.get("/api/conflicts", headers=headers).status_code == 401
        assert client.post("/api/conflicts/1", json={"how": "paid"}, headers=headers).status_code == 401
    for body in ({}, {"how": "burnt"}, {"how": "paid", "more": 1}):
        assert client.post("/api/conflicts/1", json=body, headers=operator).status_code == 400
    assert client.post("/api/conflicts/99999999999999999999", json={"how": "paid"}, headers=operator).status_code < 500


def test_an_operator_sees_notices_until_they_are_marked(
    client: TestClient[Any], shop: Centre, operator: dict[str, str], bearer: dict[str, str]
) -> None:
    with shop.office.database.write() as connection:
        notices.tell(connection, "exposure", 1, {"ja": "知らせ", "en": "news"}, NOW_MS)
    (row,) = client.get("/api/notices", headers=operator).json()
    assert (row["words"], row["seen_ms"]) == ({"ja": "知らせ", "en": "news"}, None)
    assert client.post("/api/notices/seen", json={"ids": [1, 2]}, headers=operator).json() == {"done": 1}
    assert client.get("/api/notices", headers=operator).json() == []
    assert client.get("/api/notices?seen=true", headers=operator).json()[0]["id"] == 1
    assert client.get("/api/notices", headers=bearer).status_code == 401
    assert client.post("/api/notices/seen", json={"ids": [1]}, headers=bearer).status_code == 401
    assert client.post("/api/notices/seen", json={"ids": [2**70]}, headers=operator).status_code == 400
