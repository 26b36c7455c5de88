"""The whole house as processes: a centre that dies behind a broker that lives, and clocks that are wrong."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from central.db.schema import Flag
from central.office import Office
from central.offsets import HELLO_LATE_MS
from edge_agent.core.reach import HOLD_FIRST_MS, PROBE_OFFLINE_MS, found_out_ms
from edge_agent.timekeeper import BUILD_MS
from tests.scenario.house import ONLINE, SIGNED, House
from tests.servers import Mosquitto, wait_until
from wire.facts import TimeSource, decode_fact

ASK_WAIT_MS = 2_000  # as the house is set
SLACK_MS = 1_500  # of a busy machine
SHARP_MS = 5_000
YEAR_2040_MS = 2_208_988_800_000


@pytest.fixture
def house(tmp_path: Path, mosquitto: Mosquitto) -> Iterator[House]:
    made = House(tmp_path / "house", mosquitto)
    yield made
    made.close()


def reach(house: House) -> list[tuple[bool, str]]:
    assert house.unit is not None
    return [(line["online"], line["why"]) for line in house.unit.lines if line["event"] == "reach"]


def online(house: House) -> bool:
    return bool(said := reach(house)) and said[-1][0]


def waited_ms(house: House, decided: dict[str, Any]) -> int:
    """How long the shopper waited for this answer, from the decoded code to the picture."""
    assert house.unit is not None
    steps = {line["step"]: line["mono_ms"] for line in house.unit.lines if line.get("scan") == decided["scan"]}
    return int(steps["shown"] - steps["decoded"])


def test_K5_a_centre_that_dies_behind_a_living_broker_is_found_out_and_no_shopper_waits_too_long(house: House) -> None:
    house.start()
    assert house.centre is not None
    wait_until(lambda: online(house), 20, "the unit to be online")
    died = time.monotonic()
    house.centre.kill()
    reasons: list[str] = []
    for serial in range(1, 5):  # two shoppers wait in vain, the second not so long; then nobody does
        decided = house.scan(house.code(ONLINE, serial))
        reasons.append(decided["reason"])
        limit_ms = (ASK_WAIT_MS, ASK_WAIT_MS // 2, 0, 0)[serial - 1]
        assert waited_ms(house, decided) <= limit_ms + SLACK_MS
        house.long_enough_away()
    assert reasons == ["not_now"] * 4
    assert reach(house)[-1] == (False, "silent")
    assert (time.monotonic() - died) * 1000 < found_out_ms(ASK_WAIT_MS)
    assert house.scan(house.code(SIGNED, 9))["reason"] == "ok", "what needs no centre goes on"
    house.start_centre()
    wait_until(lambda: online(house), (HOLD_FIRST_MS + PROBE_OFFLINE_MS) / 1000 + 20, "the centre to be found again")


def test_K5_a_centre_that_hangs_is_found_out_without_any_shopper(house: House) -> None:
    """Stopped, not killed: its connection to the broker lives for a while, and nothing says that it is gone."""
    house.start()
    assert house.centre is not None
    wait_until(lambda: online(house), 20, "the unit to be online")
    house.centre.popen.send_signal(signal.SIGSTOP)
    try:
        limit_s = (found_out_ms(ASK_WAIT_MS) + SLACK_MS) / 1000
        wait_until(lambda: not online(house), limit_s, "the silence to be noticed")
        decided = house.scan(house.code(ONLINE, 1))
        assert decided["reason"] == "not_now"
        assert waited_ms(house, decided) <= SLACK_MS
    finally:
        house.centre.popen.send_signal(signal.SIGCONT)
    wait_until(lambda: online(house), 90, "the centre to be found again")


def redemptions(house: House) -> dict[int, dict[str, Any]]:
    office = Office(house.settings)
    try:
        with office.database.read() as connection:
            rows = connection.execute(
                text(
                    "SELECT r.serial, r.at_ms, r.at_error_ms, r.flags, r.booked_ms, f.body FROM redemptions r "
                    "JOIN facts f ON f.epoch_id = r.epoch_id AND f.seq = r.seq"
                )
            )
            return {row.serial: row._asdict() for row in rows}
    finally:
        office.close()


def test_K5_K6_clocks_of_1970_and_2040_and_a_reboot_without_time_end_as_true_times_at_the_centre(house: House) -> None:
    truths: dict[int, int] = {}

    def scan(serial: int) -> None:
        assert house.scan(house.code(SIGNED, serial))["reason"] == "ok"
        truths[serial] = time.time_ns() // 1_000_000

    real_ms = time.time_ns() // 1_000_000
    house.start()
    scan(1)  # synchronised
    wait_until(lambda: 1 in redemptions(house), 20, "the first")
    house.line.cut()
    assert house.unit is not None
    house.unit.kill()
    house.world.set_synchronised(False)
    house.world.set_clock_offset(-real_ms)  # 1970, and nobody to ask
    house.start_unit()
    scan(2)
    house.world.set_clock_offset(YEAR_2040_MS - real_ms)  # it jumps within the boot
    scan(3)
    house.unit.kill()
    house.world.set_clock_offset(-real_ms)
    house.start_unit()
    scan(4)  # the boot after: two boots without time in one batch
    house.line.heal()
    wait_until(lambda: online(house), 60, "the centre to be reached")
    scan(5)  # the clock is still wrong, and the centre has named the time
    wait_until(lambda: len(redemptions(house)) == 5, 30, "all of them")
    booked = redemptions(house)
    for serial, row in booked.items():
        off_ms = abs(row["at_ms"] - truths[serial])
        assert off_ms <= row["at_error_ms"] + SLACK_MS, (serial, off_ms, row)
        assert row["at_ms"] <= row["booked_ms"]
    assert [bool(booked[serial]["flags"] & Flag.CLOCK_CORRECTED) for serial in (1, 2, 3, 4, 5)] == [
        False, True, True, True, False,
    ]  # fmt: skip
    times = [booked[serial]["at_ms"] for serial in sorted(booked)]
    assert times == sorted(times)
    stamps = {serial: decode_fact(row["body"]).at for serial, row in booked.items()}
    assert stamps[1].source == TimeSource.NTP
    assert stamps[2].source == TimeSource.FLOOR
    assert stamps[2].wall_ms >= BUILD_MS
    assert stamps[3].source == TimeSource.CLOCK
    assert stamps[3].wall_ms > YEAR_2040_MS
    assert (stamps[5].source, stamps[5].trusted) == (TimeSource.CENTRE, True)
    assert booked[4]["at_error_ms"] <= HELLO_LATE_MS, "its boot said hello before the batch came"

    def corrected() -> bool:
        return bool(redemptions(house)[4]["at_error_ms"] < SHARP_MS)

    wait_until(corrected, 60, "what the centre's word at the unit adds to the fact before it")
    assert abs(redemptions(house)[4]["at_ms"] - truths[4]) <= SHARP_MS + SLACK_MS
