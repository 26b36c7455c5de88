"""Whoever sends whatever to the API gets an answer that its description names, in its shape, and no fault.

Requests are made from the served description (schemathesis): such as fit it, and such as break it in one place or in
all. `make soak` sends many more of them, on PostgreSQL too.
"""

from __future__ import annotations

from typing import Any, Final

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from central import tokens
from central.coupons import persons
from central.http import limits
from central.http.app import create_app
from central.office import now_ms
from central.tokens import Scope
from scripts.make_openapi import openapi
from tests.unit.central.central_kit import Centre
from tests.unit.central.pages_kit import give

CHECKS: Final = [
    not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance,
]  # fmt: skip
OPERATIONS: Final = [(method, path) for path, item in openapi()["paths"].items() for method in item]
EXAMPLES: Final = 8  # of each operation and kind of request
EXAMPLES_OF_SOAK: Final = 400
GARBAGE: Final = ("", "Bearer", "Bearer x", "Basic YTpi", "Bearer " + "x" * 5_000, "bearer \x7f", "tkt_")


@pytest.fixture
def bearers(mall: Centre) -> dict[str, str]:
    """A token that works, of each kind."""
    give(mall, "BBB", 1)
    with mall.office.database.write() as connection:
        person = persons.find(connection, "BBB")
        assert person is not None
        _, provider = tokens.issue(connection, "fuzz", frozenset(Scope), 1, "ops", now_ms(), provider="S楽器")
        _, site = tokens.issue(connection, "fuzz", tokens.OF_SHOPS, 1, "ops", now_ms(), site="ginza")
        session = persons.open_session(connection, person, now_ms(), 3_600_000)
    operator = mall.office.settings.operator_token_path.read_text().strip()
    return {"person": session, "operator": operator, "provider": provider, "site": site}


@pytest.fixture
def described(mall: Centre, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The application and its description. Tries and requests are not limited, so that what lies behind is reached."""
    monkeypatch.setattr(limits, "TRIES_PER_NAME", 10**6)
    monkeypatch.setattr(limits.Tries, "allowed", lambda *_: True)
    monkeypatch.setattr(tokens.Rate, "wait_ms", lambda *_: 0)
    return schemathesis.openapi.from_asgi("/api/openapi.json", create_app(mall.office))


def sent(described: Any, bearers: dict[str, str], method: str, path: str, examples: int) -> set[int]:
    """The statuses that came, each of them checked. Two of three requests come from somebody who may ask."""
    operation = described[path][method.upper()]
    wanted = "".join(name for one in openapi()["paths"][path][method].get("security", ()) for name in one)
    fit = f"Bearer {bearers.get(wanted, bearers['provider'])}"
    others = st.sampled_from([*(f"Bearer {one}" for one in bearers.values()), *GARBAGE])
    who = st.integers(0, 2).flatmap(lambda one: st.just(fit) if one else others)
    takes = operation.body or operation.query or operation.path_parameters
    return {
        status
        for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)[: 2 if takes else 1]
        for status in _sent(
            operation.as_strategy(generation_mode=mode), who, examples, OPERATIONS.index((method, path))
        )
    }


def _sent(cases: st.SearchStrategy[Any], who: st.SearchStrategy[str], examples: int, number: int) -> set[int]:
    answered: set[int] = set()

    @seed(number)
    @settings(
        max_examples=examples, deadline=None, database=None, phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(case=cases, bearer=who)
    def send(case: Any, bearer: str) -> None:
        answer = case.call(headers={"authorization": bearer} if bearer else {})
        answered.add(answer.status_code)
        case.validate_response(answer, checks=CHECKS)
        assert "Traceback" not in answer.text

    send()
    return answered


def everything(described: Any, bearers: dict[str, str], examples: int) -> set[int]:
    return {status for method, path in OPERATIONS for status in sent(described, bearers, method, path, examples)}


def test_every_endpoint_answers_whatever_it_is_sent_as_its_description_says(
    described: Any, bearers: dict[str, str]
) -> None:
    answered = everything(described, bearers, EXAMPLES)
    assert {200, 400, 401, 403, 404} <= answered  # it came past the door, and as far as the rules


@pytest.mark.slow
@pytest.mark.timeout(3_000)
def test_every_endpoint_answers_very_many_requests_as_its_description_says(
    described: Any, bearers: dict[str, str]
) -> None:
    assert {200, 201, 400, 401, 403, 404, 409, 422} <= everything(described, bearers, EXAMPLES_OF_SOAK)


def test_the_fuzzer_finds_an_endpoint_that_fails_and_one_that_is_not_described_truly(
    described: Any, bearers: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("central.http.own.figures.ask", fails)
    with pytest.raises(FailureGroup, match="500"):
        sent(described, bearers, "get", "/api/own/analysis", EXAMPLES)
    del described.raw_schema["paths"]["/api/own"]["get"]["responses"]["401"]
    with pytest.raises(FailureGroup, match="401"):
        sent(described, bearers, "get", "/api/own", EXAMPLES)
