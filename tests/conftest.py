"""Fixtures that every test may ask for: real brokers, a real database server, a bad network."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.postgres import MISSING, Postgres, programs
from tests.servers import EmbeddedBroker, Mosquitto, Relay

AnyBroker = Mosquitto | EmbeddedBroker


@pytest.fixture(params=["mosquitto", "embedded"])
def broker(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[AnyBroker]:
    """A running broker of each kind, with the users of `tests.servers.PASSWORDS` and our access rules."""
    folder = tmp_path / "broker"
    folder.mkdir()
    server: AnyBroker = Mosquitto(folder) if request.param == "mosquitto" else EmbeddedBroker(folder)
    server.start()
    yield server
    server.stop()


@pytest.fixture
def mosquitto(tmp_path: Path) -> Iterator[Mosquitto]:
    folder = tmp_path / "mosquitto"
    folder.mkdir()
    server = Mosquitto(folder)
    server.start()
    yield server
    server.stop()


@pytest.fixture
def embedded_broker(tmp_path: Path) -> Iterator[EmbeddedBroker]:
    folder = tmp_path / "embedded"
    folder.mkdir()
    server = EmbeddedBroker(folder)
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A running PostgreSQL for all tests of this process; where it is not installed, they are skipped and say so."""
    if programs() is None:
        pytest.skip(MISSING)
    server = Postgres()
    server.start()
    server.make_template()
    yield server
    server.close()


@pytest.fixture
def relay(broker: AnyBroker) -> Iterator[Relay]:
    """A network between a client and the `broker` of this test, with faults on request."""
    line = Relay(broker.port)
    yield line
    line.close()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--hardware", action="store_true", help="also run what needs a real board or Pi")
    parser.addoption("--slow", action="store_true", help="also run the long tests (make soak)")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    for item in items:
        for marker in ("hardware", "slow"):
            if item.get_closest_marker(marker) and not config.getoption(f"--{marker}"):
                item.add_marker(pytest.mark.skip(reason=f"needs --{marker}"))
