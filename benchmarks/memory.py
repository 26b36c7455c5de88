"""Memory of a running unit: agent and camera process together, with 100,000 known serials in its cache.

PSS (proportional set size: what the kernel would get back, shared pages divided among those who share them), read
from /proc for every process of the unit, after its start and after scans through the real camera path.

    agent and camera process, idle and after 100 scans: below 120 MB
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path
from typing import Final

import psutil

from benchmarks.figures import Limits, Size, given
from benchmarks.lane import fill_seen
from tests.scenario.house import SIGNED, House, Process
from tests.servers import Mosquitto, wait_until

MEMORY_MAX_MB: Final = 120.0
SERIALS: Final = 100_000
SCANS: Final = {Size.QUICK: 10, Size.USUAL: 100, Size.FULL: 100}
IDLE_S: Final = 5.0


def pss_mb(pid: int) -> float:
    """The proportional set size of one process, in MB (10**6 bytes)."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024 / 1e6
    raise LookupError(f"/proc/{pid}/smaps_rollup tells no Pss")


def unit_mb(unit: Process) -> tuple[float, str]:
    """(all together, each in words)."""
    agent = psutil.Process(unit.popen.pid)
    parts = {"agent": pss_mb(agent.pid)}
    for child in agent.children(recursive=True):
        parts["camera"] = parts.get("camera", 0.0) + pss_mb(child.pid)
    return sum(parts.values()), ", ".join(f"{name} {size:.1f}" for name, size in parts.items())


def measure(folder: Path, scans: int) -> Limits:
    """Both figures, printed."""
    limits = Limits()
    broker = Mosquitto(folder)
    broker.start()
    house = House(folder / "house", broker)
    try:
        house.start()
        assert house.unit is not None
        house.unit.end()
        fill_seen(house.folder / "unit", SERIALS)
        unit = house.start_unit()
        began_s = time.monotonic()
        wait_until(lambda: time.monotonic() - began_s > IDLE_S, 2 * IDLE_S, "the unit to have settled")
        total, words = unit_mb(unit)
        limits.below(f"PSS when idle with {SERIALS:,} serials, MB", total, MEMORY_MAX_MB, words)
        for serial in range(1, scans + 1):
            decided = house.scan(house.code(SIGNED, serial), 60)
            assert decided["accepted"], decided
        total, words = unit_mb(unit)
        limits.below(f"PSS after {scans} scans, MB", total, MEMORY_MAX_MB, words)
    finally:
        house.close()
        broker.stop()
    return limits


def main(arguments: list[str] | None = None) -> int:
    taken = given("Memory of the agent and its camera process.", arguments)
    with tempfile.TemporaryDirectory(dir=taken.folder) as folder:
        return measure(Path(folder), SCANS[taken.size]).code()


if __name__ == "__main__":
    sys.exit(main())
