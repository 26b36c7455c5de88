"""A centre with one coupon and one lane; every test of this folder runs on each kind of database.

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


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "database" not in metafunc.fixturenames:
        return
    both = metafunc.definition.get_closest_marker("only_sqlite") is None
    metafunc.parametrize("database", [SQLITE, POSTGRESQL] if both else [SQLITE], indirect=True)


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
