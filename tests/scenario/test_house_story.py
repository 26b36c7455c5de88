"""The story of document K by the command line and the camera: issued, downloaded, shown, scanned, cleared, printed."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from edge_agent.store.store import Store
from tests.scenario.house import DEVICE, House
from tests.servers import Mosquitto, wait_until


@pytest.fixture
def house(tmp_path: Path, mosquitto: Mosquitto) -> Iterator[House]:
    made = House(tmp_path / "house", mosquitto)
    yield made
    made.close()


def tokuten(house: House, *words: str, given: str = "") -> subprocess.CompletedProcess[str]:
    """A command as a person types it."""
    return subprocess.run(
        [sys.executable, "-m", "cli", *words, "--config", str(house.config)],
        input=given,
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "COLUMNS": "200"},
    )


def done(house: House, *words: str, given: str = "") -> str:
    result = tokuten(house, *words, given=given)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def knows(house: House, campaign: int) -> bool:
    store = Store(house.folder / "unit", DEVICE, read_only=True)
    try:
        return store.cache.campaign(campaign) is not None
    finally:
        store.close()


def shown(house: House, picture: Path) -> str:
    """Hold the picture of a barcode before the camera; the reason of the verdict."""
    assert house.unit is not None
    lines, before = house.unit.lines, len(house.unit.lines)
    house.world.show_picture(Image.open(picture).convert("L").resize((420, 420), Image.Resampling.NEAREST))
    wait_until(lambda: any(line.get("step") == "shown" for line in lines[before:]), 20, "an answer")
    house.world.show_nothing()
    return next(str(line["reason"]) for line in lines[before:] if line.get("step") == "decided")


def test_K1_K2_K3_K4_K5_K6_K7_a_coupon_from_its_issue_to_its_line_in_the_history(house: House, tmp_path: Path) -> None:
    house.start()
    done(
        house, "coupon", "issue", "Pスポーツ割引", "--provider", "p-sports", "--amount-yen", "500", "--stock", "1",
        "--first-number", "98815", "--number", "77",
    )  # fmt: skip
    wait_until(lambda: knows(house, 77), 10, "the kiosk to know the new coupon through the feed")
    secret = tmp_path / "secret"
    secret.write_text("correct horse\n")
    done(house, "central", "person", "AAA", "--password-file", str(secret))
    picture = tmp_path / "coupon.png"
    done(house, "coupon", "download", "77", "--person", "AAA", "--png", str(picture))
    sold_out = tokuten(house, "coupon", "download", "77")
    assert sold_out.returncode == 1
    assert "Traceback" not in sold_out.stderr

    assert house.centre is not None
    house.centre.kill()  # K4: the phone shows it whatever the centre does
    assert shown(house, picture) == "ok"
    house.start_centre()
    wait_until(lambda: len(house.booked()) == 1, 30, "the redemption to be booked")
    table = done(house, "history", "--person", "AAA", "--lang", "ja")
    (line,) = [line for line in table.splitlines() if "98815" in line]
    assert "Pスポーツ割引" in line
    assert "済" in line
    assert "correct horse" not in table
    house.long_enough_away()
    assert shown(house, picture) == "used"


def test_K1_a_coupon_that_makes_no_sense_is_refused_in_words(house: House) -> None:
    refused = tokuten(house, "coupon", "issue", "X", "--provider", "p", "--kind", "percent", "--percent", "140")
    assert refused.returncode != 0
    assert "percent" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_K5_the_verdict_of_a_picture_is_what_the_unit_would_say(house: House, tmp_path: Path) -> None:
    house.start()
    picture = tmp_path / "coupon.svg.png"
    done(house, "coupon", "download", "1", "--png", str(picture))
    words = [sys.executable, "-m", "cli", "scan", str(picture), "--json", "--store", str(house.folder / "unit")]
    before = subprocess.run(words, capture_output=True, text=True, timeout=60)
    assert '"verdict":"ok"' in before.stdout.replace(" ", ""), before.stdout + before.stderr
    assert shown(house, picture) == "ok"
    after = subprocess.run(words, capture_output=True, text=True, timeout=60)
    assert '"verdict":"used"' in after.stdout.replace(" ", "")
