"""A ledger with one programme that every shop keeps for itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.unit.ledger.ledger_kit import Ledger

Make = Callable[..., Ledger]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    """A ledger whose programme has these terms; its books are right at the end."""
    made: list[Ledger] = []

    def one(**terms: object) -> Ledger:
        made.append(Ledger(tmp_path, **terms))
        return made[-1]

    yield one
    for ledger in made:
        found = [finding.words() for finding in ledger.audit()]
        ledger.close()
        assert found == []


@pytest.fixture
def ledger(make: Make) -> Ledger:
    return make()
