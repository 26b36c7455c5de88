"""Every fault at once on a site's network: nothing heard twice or unsaid, nobody let in, one hub afterwards."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from tests.world.lan_storm import storm

SEEDS = range(1, 13)
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def storms() -> list[dict[str, int]]:
    return [msgspec.to_builtins(storm(seed).lan.counts) for seed in SEEDS]


def test_after_a_storm_of_faults_there_is_one_hub_and_nothing_was_heard_twice(storms: list[dict[str, int]]) -> None:
    assert len(storms) == len(SEEDS)


def test_every_kind_of_fault_had_an_effect_in_these_seeds(storms: list[dict[str, int]]) -> None:
    total = {name: sum(counts[name] for counts in storms) for name in storms[0]}
    assert not [name for name, times in total.items() if not times], total


def test_the_same_seed_is_the_same_story_in_any_process() -> None:
    def trace(seed: int, hash_seed: str) -> str:
        command = [sys.executable, "-m", "tests.world.lan_storm", str(seed)]
        environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
        run = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True, timeout=60)
        return run.stdout

    assert trace(3, "1") == trace(3, "4242") == storm(3).trace()
    assert trace(3, "1") != storm(4).trace()
