"""The checkers find nothing where all is well. (On troubled lives: `test_world_lives.py`.)"""

from __future__ import annotations

from pathlib import Path

from simulator.world.observe import Green, Refused
from tests.shops import Shops
from tests.world.story import CAMPAIGNS, HOME, LANES, PERSONAL


def test_a_day_without_trouble_breaks_no_promise(tmp_path: Path) -> None:
    with Shops(tmp_path, CAMPAIGNS, LANES) as shops:
        for campaign in CAMPAIGNS:
            if campaign is PERSONAL:
                continue
            code = shops.coupon(campaign.id, home="ginza" if campaign is HOME else "")
            for lane in ("lane-1", "lane-2"):
                shops.scan(lane, code)
                shops.run(1_000)
        assert sum(isinstance(seen, Green) for seen in shops.seen) == 8  # two for each campaign without serials
        assert sum(isinstance(seen, Refused) for seen in shops.seen) == 4
        shops.judge()
