"""A centre with one coupon and one lane; the tests of this folder run on each kind of database.

`only_sqlite` marks what is about SQLite's files. A test asks for nothing: `Centre` makes its database where the
test's turn says.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from litestar.testing import TestClient

from central.coupons import persons
from central.http.app import create_app
from tests.postgres import Postgres
from tests.unit.central.central_kit import Centre, Lane, sqlite_file
from tests.unit.central.pages_kit import QUICK, Browser, shops

SQLITE, POSTGRESQL = "sqlite", "postgresql"
# Many tests of rules over few statements: `make test` runs them on SQLite alone, `make soak` on PostgreSQL.
SELDOM_ON_POSTGRESQL = (
    "test_central_clocks",
    "test_central_clock_lives",
    "test_central_homes",
    "test_central_trade",
    "test_pages_customers",
    "test_pages_card",
    "test_api_fuzz",
    "test_pages_analysis",
    "test_pages_fuzz",
    "test_pages_guarded",
    "test_pages_person",
    "test_pages_points",
    "test_pages_rules",
    "test_pages_staff",
    "test_security_everywhere",
)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "database" not in metafunc.fixturenames:
        return
    turns: list[object] = [SQLITE]
    if metafunc.definition.get_closest_marker("only_sqlite") is None:
        seldom = metafunc.module.__name__ in SELDOM_ON_POSTGRESQL
        turns.append(pytest.param(POSTGRESQL, marks=pytest.mark.slow) if seldom else POSTGRESQL)
    metafunc.parametrize("database", turns, indirect=True)


@pytest.fixture(autouse=True)
def database(request: pytest.FixtureRequest) -> Iterator[str]:
    """The kind of database that this test's centres have."""
    if request.param == SQLITE:
        Centre.databases = staticmethod(sqlite_file)
        yield SQLITE
        return
    server: Postgres = request.getfixturevalue("postgres")
    made: dict[Path, str] = {}

    def one_for(folder: Path) -> str:
        if folder not in made:
            made[folder] = server.fresh()
        return server.url(made[folder])

    Centre.databases = staticmethod(one_for)
    yield POSTGRESQL
    Centre.databases = staticmethod(sqlite_file)
    for name in made.values():
        server.drop(name)


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
