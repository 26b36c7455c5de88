"""The description of the API says what there is: every endpoint, its body, who may ask, and how it refuses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from litestar.testing import TestClient

from central.http.app import create_app
from scripts.make_openapi import openapi
from tests.servers import ROOT
from tests.unit.central.central_kit import Centre

BEARERS = {"/api/me/": "person", "/api/own": "token", "/api/redemptions": "operator", "/api/conflicts": "operator",
           "/api/notices": "operator"}  # fmt: skip


@pytest.fixture
def served(centre: Centre) -> Any:
    with TestClient(create_app(centre.office)) as client:
        return client.get("/api/openapi.json").json()


def operations(described: Any) -> list[tuple[str, str, Any]]:
    return [(method, path, one) for path, item in described["paths"].items() for method, one in item.items()]


def test_every_endpoint_of_the_application_is_described(centre: Centre, served: Any) -> None:
    app = create_app(centre.office)
    there = {
        (method.lower(), route.path_format)
        for route in app.routes
        for method in route.methods
        if route.path.startswith("/api/") and route.path != "/api/openapi.json" and method != "OPTIONS"
    }
    assert {(method, path) for method, path, _ in operations(served)} == there


@pytest.mark.only_sqlite
def test_what_is_served_is_what_the_docs_have(served: Any) -> None:
    assert served == openapi()
    page = (ROOT / "docs/api.md").read_text()
    for method, path, one in operations(served):
        if one.get("security") == [{"token": []}] and path != "/api/own":
            assert f"`{method.upper()} {path}`" in page


@pytest.mark.only_sqlite
def test_every_endpoint_says_who_may_ask_what_it_takes_and_how_it_refuses(served: Any) -> None:
    for method, path, one in operations(served):
        wanted = next((who for prefix, who in BEARERS.items() if path.startswith(prefix)), None)
        assert one.get("security") == (None if wanted is None else [{wanted: []}]), path
        assert one.get("description"), f"{method} {path} says nothing"
        assert ("requestBody" in one) == (method == "post" and not path.endswith("/stop")), path
        for status, answer in one["responses"].items():
            if int(status) >= 400:
                schema = answer["content"]["application/json"]["schema"]
                assert schema == {"$ref": "#/components/schemas/Problem"}


@pytest.mark.only_sqlite
def test_every_reference_of_the_description_leads_somewhere(served: Any) -> None:
    def references(value: Any) -> Any:
        if isinstance(value, dict):
            for key, inner in value.items():
                if key == "$ref":
                    yield inner
                yield from references(inner)
        elif isinstance(value, list):
            for inner in value:
                yield from references(inner)

    found = set(references(served))
    assert len(found) > 15
    assert {one.rpartition("/")[2] for one in found} <= set(served["components"]["schemas"])


@pytest.mark.only_sqlite
def test_a_body_is_read_to_the_letter(centre: Centre) -> None:
    with TestClient(create_app(centre.office)) as client:
        for body in (b'{"name": 1, "password": "x"}', b'{"name": "a", "password": "x", "more": 1}', b"{}", b""):
            assert client.post("/api/session", content=body).status_code == 400
        large = client.post("/api/session", content=b'{"name": "' + b"a" * 20_000 + b'"}')
        assert (large.status_code, large.json()["reason"]) == (413, "too_large")


def test_every_answer_of_the_api_binds_the_browser(centre: Centre) -> None:
    with TestClient(create_app(centre.office)) as client:
        for method, path in (("GET", "/api/health"), ("GET", "/api/nothing"), ("DELETE", "/api/health"),
                             ("GET", "/api/own"), ("POST", "/api/session"), ("GET", "/api/openapi.json")):  # fmt: skip
            answer = client.request(method, path)
            assert answer.headers["x-content-type-options"] == "nosniff", path
            assert "default-src 'none'" in answer.headers["content-security-policy"], path
            assert answer.headers["cache-control"] == "no-store", path
            assert "access-control-allow-origin" not in answer.headers


@pytest.mark.only_sqlite
def test_a_fault_of_ours_is_a_word_to_the_client_and_a_place_in_the_log(
    centre: Centre, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("花子 entered this")

    monkeypatch.setattr("central.http.app.issue.listed", broken)
    with TestClient(create_app(centre.office), raise_server_exceptions=False) as client:
        answer = client.get("/api/coupons")
    assert (answer.status_code, answer.json()["reason"]) == (500, "fault")
    said = "\n".join(record.getMessage() for record in caplog.records)
    assert "RuntimeError at test_api_description.py" in said
    assert "花子" not in said + answer.text
