"""A centre on real files, with one coupon and one lane."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.central.central_kit import Centre, Lane


@pytest.fixture
def lane() -> Lane:
    return Lane()


@pytest.fixture
def centre(tmp_path: Path, lane: Lane) -> Iterator[Centre]:
    centre = Centre(tmp_path / "centre")
    centre.enrol(lane)
    yield centre
    centre.close()
