"""What runs in the emulated machine: a lane that redeems as fast as it can, on one disk after another.

    python -m tests.powercut.guest KIND=SCANS...      the first on /dev/vda, the second on /dev/vdb, ...

Says each yes on the second serial line when the light is green, and then marks it on the disk itself.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.powercut.kinds import KINDS, Kind
from tests.powercut.lane import Lane
from tests.powercut.marks import Marker

DISPLAY = Path("/dev/ttyS1")


def run(device: Path, kind: Kind, scans: int) -> None:
    folder = Path("/mnt") / device.name
    folder.mkdir()
    subprocess.run(["mount", "-t", "ext4", "-o", kind.mount, str(device), str(folder)], check=True, timeout=60)
    marker = Marker(device)
    with DISPLAY.open("w", buffering=1) as display:

        def seen(serial: int) -> None:
            print(f"{kind.name} {serial}", file=display, flush=True)
            marker.shown(serial)

        lane = Lane(folder / "unit", seen)
        for pragma in kind.pragmas:
            lane.store.connection.execute(f"PRAGMA {pragma}")
        for serial in range(1, scans + 1):
            lane.scan(serial)
        lane.close()
    marker.close()


def main(words: list[str]) -> None:
    for number, word in enumerate(words):
        name, _, scans = word.partition("=")
        run(Path(f"/dev/vd{'abcdefgh'[number]}"), KINDS[name], int(scans))


if __name__ == "__main__":
    main(sys.argv[1:])
