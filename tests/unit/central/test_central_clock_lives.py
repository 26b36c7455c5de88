"""Random lives of a unit whose clocks are wrong but honest: the stated error always covers the truth.

Boots with and without time, walls that jump, hellos that come late, batches cut anywhere, corrections in between.
"""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest

from tests.unit.central.test_central_clocks import DAY_MS, HOUR_MS, YEAR_2040_MS, Shop

LIVES = 40
ERROR_MS = 50


def live(shop: Shop, dice: Random) -> dict[int, int]:
    """The true time of each serial."""
    lane, truths, sent = shop.lane, dict[int, int](), 0
    for number in range(dice.randint(3, 8)):
        lane.pass_time(dice.choice([0, 1_000, HOUR_MS, 3 * DAY_MS]))
        knows = dice.random() < 0.3
        wrong_ms = dice.choice([0, YEAR_2040_MS, lane.true_ms - DAY_MS, lane.true_ms + 7 * HOUR_MS])
        error_ms = dice.randint(-ERROR_MS, ERROR_MS)
        lane.restart(number.to_bytes(8, "big"), wall_ms=lane.true_ms + error_ms if knows else wrong_ms, trusted=knows)
        for _ in range(dice.randint(0, 6)):
            luck = dice.random()
            if luck < 0.5:
                truths[len(truths) + 1] = lane.use(len(truths) + 1, dice.choice([1, 1_000, HOUR_MS]))
            elif luck < 0.6:
                lane.put(lane.true_ms + dice.randint(-ERROR_MS, ERROR_MS), trusted=True)  # a source is found
            elif luck < 0.7:
                lane.put(dice.choice([0, YEAR_2040_MS]), trusted=False)  # the wall jumps
            elif luck < 0.85:
                shop.hello(late_ms=dice.choice([5, 5, 2_000, 50_000]))
            elif len(lane) > sent:
                shop.book(sent + 1, sent := dice.randint(sent + 1, len(lane)))
        if dice.random() < 0.3:
            shop.correct()
    if len(lane) > sent:
        shop.book(sent + 1)
    return truths


@pytest.mark.parametrize("seed", range(LIVES))
def test_K6_the_stated_error_covers_the_truth_in_any_honest_life(tmp_path: Path, seed: int) -> None:
    dice = Random(seed)
    shop = Shop(tmp_path / "shop")
    truths = live(shop, dice)
    for _ in range(2):
        for serial, true_ms in truths.items():
            shop.off(serial, true_ms)
        shop.correct()
    shop.centre.close()
