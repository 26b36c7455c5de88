"""A centre on real files, with one coupon and one lane."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from litestar.testing import TestClient

from central.coupons import persons
from central.http.app import create_app
from tests.unit.central.central_kit import Centre, Lane
from tests.unit.central.pages_kit import QUICK, Browser, shops


@pytest.fixture
def lane() -> Lane:
    return Lane()


@pytest.fixture
def centre(tmp_path: Path, lane: Lane) -> Iterator[Centre]:
    centre = Centre(tmp_path / "centre")
    centre.enrol(lane)
    yield centre
    centre.close()


@pytest.fixture
def mall(tmp_path: Path, lane: Lane, monkeypatch: pytest.MonkeyPatch) -> Iterator[Centre]:
    """Two shops with people, providers and staff."""
    monkeypatch.setattr("central.coupons.persons._hasher", lambda: QUICK)
    persons._nobodys_hash.cache_clear()
    centre = shops(tmp_path / "mall")
    centre.enrol(lane)
    yield centre
    centre.close()


@pytest.fixture
def browser(mall: Centre) -> Iterator[Browser]:
    with TestClient(create_app(mall.office), raise_server_exceptions=False) as client:
        yield Browser(client)
