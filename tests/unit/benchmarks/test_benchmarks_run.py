"""Every benchmark runs, tiny: what it measures still exists. Its times mean nothing here and are not looked at."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import (
    barcodes,
    disk_bytes,
    display_bus,
    drain,
    figures,
    flat,
    frame_to_verdict,
    ingest,
    ingest_postgres,
    leased,
    memory,
    payment,
    points,
    price_of_safety,
    redemption,
    site,
    world_disk,
    world_speed,
)
from benchmarks.__main__ import names
from benchmarks.figures import Limits
from tests.postgres import MISSING, programs
from tests.servers import ROOT


def said(capsys: pytest.CaptureFixture[str]) -> str:
    return capsys.readouterr().out


def test_a_broken_limit_is_told_and_ends_with_1(capsys: pytest.CaptureFixture[str]) -> None:
    limits = Limits()
    limits.at_most("kept", 1.0, 1.0, "a, b")
    assert limits.code() == 0
    limits.below("equal", 1.0, 1.0, "a, b")
    limits.at_least("too little", 0.4, 0.5, "a, b")
    assert limits.code() == 1
    assert len(limits.broken) == 2
    assert said(capsys).count("BROKEN") == 2


def test_both_sides_take_turns_and_neither_is_always_the_first() -> None:
    order: list[str] = []

    def side(name: str) -> float:
        order.append(name)
        return len(order)

    assert figures.in_turn(2, lambda: side("a"), lambda: side("b")) == [[1, 4], [2, 3]]
    assert order == ["a", "b", "b", "a"]


def test_the_99th_percentile_is_the_value_below_which_99_of_100_lie() -> None:
    assert figures.percentile([float(n) for n in range(1, 101)], 0.99) == 99


def test_one_redemption_beside_raw_sqlite(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    redemption.measure(tmp_path, 5)
    out = said(capsys)
    assert "in Ed25519 verifications" in out
    assert "whole, ours to raw" in out


def test_the_raw_side_of_a_redemption_writes_the_very_same_rows(tmp_path: Path) -> None:
    both = redemption.Both(tmp_path, "OFF")
    for _ in range(3):
        both.turn()
    for table in ("journal", "own"):
        rows = both.lane.store.connection.rows(f"SELECT * FROM {table} ORDER BY position")
        assert both.raw.sql.execute(f"SELECT * FROM {table} ORDER BY position").fetchall() == rows[:3]
        assert len(rows) == 4  # raw is one behind
    both.close()


def test_redemptions_and_starts_with_much_known_and_waiting(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    flat.measure(tmp_path, flat.Sizes(serials=(10, 500), campaigns=20, waiting=300, rounds=3, starts=2))
    assert "a start with 500 serials, 20 other campaigns, 300 waiting" in said(capsys)


def test_a_lease_guarded_redemption_beside_an_open_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    leased.measure(tmp_path, 5)
    assert "a lease-guarded redemption to an open one" in said(capsys)


def test_a_day_of_a_few_sites_under_every_policy(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    limits, outcomes = price_of_safety.measure(tmp_path, price_of_safety.Sizes(sites=3, customers=20))
    assert limits.code() == 0
    assert "| `lease` |" in said(capsys)
    assert price_of_safety.plot(outcomes).count("<circle") == len(outcomes) == 4


def test_a_drain_books_every_fact_and_the_fresh_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    drain.near(tmp_path, 2_000, Limits())
    out = said(capsys)
    assert "drain of 2,000 facts" in out
    assert "hint after" in out


def test_a_drain_over_a_long_line_comes_to_its_end(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    drain.far(tmp_path, 200, Limits())
    assert "200 ms round trip" in said(capsys)


def test_booking_beside_raw_inserts(tmp_path: Path) -> None:
    measured = ingest.measure(tmp_path, count=2, size=20)
    assert len(measured.centre_s) == len(measured.raw_s) == 2


def test_booking_on_postgresql_beside_pgbench(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    if programs() is None:
        pytest.skip(MISSING)
    sizes = ingest_postgres.Sizes(clients=2, batches=1, rounds=1, pgbench_s=1, scale=1, members=(100, 200))
    ingest_postgres.measure(tmp_path, sizes, Limits())
    out = said(capsys)
    assert "rate with 200 members to that with 100" in out
    assert "one coupon for all lanes" in out


def test_booking_of_points_beside_raw_writes(tmp_path: Path) -> None:
    measured = points.measure(tmp_path, count=2, size=20, members=5)
    assert len(measured.centre_s) == len(measured.raw_s) == 2


def test_a_frame_becomes_a_green_light(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    frame_to_verdict.measure(tmp_path, 2)
    assert "frame to verdict" in said(capsys)


def test_every_kind_of_barcode_is_understood(capsys: pytest.CaptureFixture[str]) -> None:
    barcodes.measure(3)
    out = said(capsys)
    for kind in barcodes.kinds():
        assert kind.name in out


def test_memory_of_agent_and_camera_process(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    memory.measure(tmp_path, 1)
    assert "camera" in said(capsys)


def test_a_redemption_on_the_simulated_disk(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    world_disk.measure(tmp_path, 5)
    assert "a power loss and the next start" in said(capsys)


def test_how_fast_the_world_lives(capsys: pytest.CaptureFixture[str]) -> None:
    assert world_speed.main(["--quick"]) == 0
    assert "turns of units" in said(capsys)


def test_a_payment_by_account_and_its_parts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert payment.measure(tmp_path, 2).code() == 0
    assert "the bank" in said(capsys)


def test_bytes_on_disk_for_a_redemption(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    disk_bytes.measure(tmp_path, 5)
    assert "bytes written for a redemption" in said(capsys)


def test_bytes_on_the_bus_of_a_display(capsys: pytest.CaptureFixture[str]) -> None:
    assert display_bus.measure().code() == 0
    assert "a full frame by luma.oled" in said(capsys)


def test_every_benchmark_is_found_by_make_bench() -> None:
    assert {
        "barcodes",
        "decode",
        "disk_bytes",
        "display_bus",
        "drain",
        "flat",
        "frame_to_verdict",
        "ingest",
        "memory",
        "points",
        "redemption",
    } <= set(names())


def test_an_unknown_benchmark_is_refused_with_the_names_that_there_are() -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "benchmarks", "speed"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 2
    assert "redemption" in ended.stderr


def test_two_lanes_of_a_site_beside_a_raw_message(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    site.measure(tmp_path, 3, Limits())
    assert "yes on lane A to refusal on lane B" in said(capsys)
