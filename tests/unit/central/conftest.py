"""A centre with one coupon and one lane; the tests of this folder run on each kind of database.

`only_sqlite` marks what is about SQLite's files. A test asks for nothing: `Centre` makes its database where the
test's turn says.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.postgres import Postgres
from tests.unit.central.central_kit import Centre, Lane, sqlite_file

SQLITE, POSTGRESQL = "sqlite", "postgresql"
# Many tests of rules over few statements: `make test` runs them on SQLite alone, `make soak` on PostgreSQL.
SELDOM_ON_POSTGRESQL = ("test_central_clocks", "test_central_clock_lives", "test_central_homes", "test_central_trade")


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
