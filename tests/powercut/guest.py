"""What runs in the emulated machine. The first word belongs to the disk /dev/vda, the second to /dev/vdb, and so on.

python -m tests.powercut.guest redeem KIND=SCANS...   a lane redeems as fast as it can, on one disk after another;
                                                      each yes is said on the second serial line when the light is
                                                      green, and then marked on the disk itself
python -m tests.powercut.guest look SHOWN...          disks after a power cut, each with how many yes were shown
                                                      before it: the kernel mounts them, and it is said what is wrong
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from string import ascii_lowercase
from typing import Final

from tests.powercut.afterwards import in_folder
from tests.powercut.kinds import KINDS, OURS, Kind
from tests.powercut.lane import UNIT, Lane
from tests.powercut.marks import Marker

DISPLAY: Final = Path("/dev/ttyS1")
CHECKPOINT_EVERY: Final = 40  # scans; far more often than a unit does it, because much is written then
MOUNT_S: Final = 60


def mounted(device: Path, options: str) -> Path:
    folder = Path("/mnt") / device.name
    folder.mkdir()
    subprocess.run(["mount", "-t", "ext4", "-o", options, str(device), str(folder)], check=True, timeout=MOUNT_S)
    return folder


def redeem(device: Path, kind: Kind, scans: int) -> None:
    folder = mounted(device, kind.mount)
    marker = Marker(device)
    with DISPLAY.open("w", buffering=1) as display:

        def seen(serial: int) -> None:
            print(f"{kind.name} {serial}", file=display, flush=True)
            marker.shown(serial)

        lane = Lane(folder / UNIT, seen)
        for pragma in kind.pragmas:
            lane.store.connection.execute(f"PRAGMA {pragma}")
        for serial in range(1, scans + 1):
            lane.scan(serial)
            if serial % CHECKPOINT_EVERY == 0:
                lane.store.connection.checkpoint()
        lane.close()
    marker.close()


def look(device: Path, shown: int) -> None:
    found = sorted(set(in_folder(mounted(device, OURS.mount), range(1, shown + 1))))
    DISPLAY.write_text(f"{device.name}: {', '.join(found) or 'nothing'}\n")


def main(what: str, words: list[str]) -> None:
    for letter, word in zip(ascii_lowercase, words, strict=False):
        device = Path(f"/dev/vd{letter}")
        if what == "redeem":
            name, _, scans = word.partition("=")
            redeem(device, KINDS[name], int(scans))
        else:
            look(device, int(word))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
