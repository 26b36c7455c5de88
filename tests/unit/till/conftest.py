"""A lane with its till's interface, for the tests of this folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.till.till_rig import TillRig


@pytest.fixture
def lane(tmp_path: Path) -> Iterator[TillRig]:
    rig = TillRig(tmp_path / "unit")
    yield rig
    rig.close()
