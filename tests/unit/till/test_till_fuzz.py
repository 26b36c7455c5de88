"""The interface against its own OpenAPI document: whatever is sent, no fault, and only what the document says.

What no schema can say (an account belongs to the tender `account`, lines cost so much at most together) is refused too.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
import yaml
from hypothesis import HealthCheck, given, settings
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import positive_data_acceptance

from scripts.make_till_api import openapi
from tests.unit.till.till_rig import TillRig, new_id

ROOT = Path(__file__).resolve().parents[3]
EXAMPLES = 20  # of each operation
DOCUMENT = schemathesis.openapi.from_dict(openapi())
OPERATIONS = {one.ok().label: one.ok() for one in DOCUMENT.get_all_operations() if isinstance(one, Ok)}


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TillRig]:
    rig = TillRig(tmp_path_factory.mktemp("till") / "unit")
    yield rig
    rig.close()


@pytest.mark.parametrize("label", OPERATIONS)
def test_whatever_is_sent_is_answered_as_the_document_says(shop: TillRig, label: str) -> None:
    @given(case=OPERATIONS[label].as_strategy())
    @settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
    def sent(case: schemathesis.Case[Any]) -> None:
        case.call_and_validate(
            base_url=f"http://127.0.0.1:{shop.port}", timeout=30, excluded_checks=[positive_data_acceptance]
        )

    sent()


def test_the_lane_has_survived_it_all(shop: TillRig) -> None:
    """Runs after the above, on the same lane."""
    sale = shop.http.get("/v1/lane").json()["sale"]
    if sale is not None:
        assert shop.cancel(sale).json()["state"] == "cancelled"
    assert shop.open(new_id()).status_code == 200
    assert shop.thread.is_alive()


def test_the_document_is_served_as_it_stands_in_the_docs(shop: TillRig) -> None:
    served = shop.http.get("/v1/openapi.json").json()
    assert served["openapi"].startswith("3.1")
    assert served == yaml.safe_load((ROOT / "docs" / "till-openapi.yaml").read_text(encoding="utf-8"))
