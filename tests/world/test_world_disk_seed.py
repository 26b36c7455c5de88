"""The same seed leaves the same bytes, in any process."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).resolve().parents[2]
LIFE: Final = """
import hashlib, sqlite3, sys
from itertools import count
from pathlib import Path
from random import Random
from simulator.world.disk import Disk
from simulator.world.vfs import DiskVfs
from tests.world.disk_rig import CentreBook, Life, StoreBook

folder, seed = Path(sys.argv[1]), int(sys.argv[2])
if seed % 2:  # what happened in the process before does not matter
    sqlite3.connect(folder / "outside.db").execute("SELECT random()")
seen = hashlib.sha256()
ticks = count(1_800_000_000_000)
rng = Random(int(sys.argv[3]))
left = []
with DiskVfs(entropy=rng.randbytes, now_ms=lambda: next(ticks), sleep_us=lambda _: None) as vfs:
    for number, book in enumerate((StoreBook, CentreBook)):
        place = folder / str(number)
        place.mkdir()
        disk = vfs.mount(Disk(place, rng))
        life = Life(book, disk, rng)
        for _ in range(8):
            assert not life.live(1)  # what it leaves has been recovered already,
            sqlite3.connect(folder / "outside.db").execute("SELECT count(*) FROM sqlite_schema")
            left.append(sqlite3.connect(place / "other.db"))
            disk.power_cut_in(rng.randint(1, 30))
            try:
                while True:
                    left[-1].execute("CREATE TABLE IF NOT EXISTS a (b)")
                    left[-1].execute("INSERT INTO a VALUES (randomblob(3000))")
                    left[-1].commit()
            except sqlite3.Error:
                disk.lose_power()  # and this has not
            for path in sorted(place.iterdir()):
                seen.update(path.name.encode() + path.read_bytes())
        sql = sqlite3.connect(place / "other.db")
        said = sql.execute("SELECT random(), datetime('now'), CURRENT_TIMESTAMP, julianday('now')").fetchone()
        assert said[1].startswith("2027-01-15"), said
        seen.update(repr(said).encode())
        seen.update(repr((disk.writes, disk.syncs, disk.folder_syncs)).encode())
print(seen.hexdigest())
"""


def lived(folder: Path, process: int, seed: int) -> str:
    folder.mkdir()
    environment = {**os.environ, "PYTHONHASHSEED": str(process), "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", LIFE, str(folder), str(process), str(seed)],
        env=environment, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_two_processes_with_other_hash_seeds_leave_the_same_bytes_after_the_same_power_cuts(tmp_path: Path) -> None:
    first, second = (lived(tmp_path / str(process), process, seed=7) for process in (1, 2))
    assert first == second


def test_another_seed_leaves_other_bytes(tmp_path: Path) -> None:
    assert lived(tmp_path / "7", 1, seed=7) != lived(tmp_path / "8", 1, seed=8)


LEFT_OPEN: Final = """
import sys
from pathlib import Path
from random import Random
from simulator.world.disk import Disk
from simulator.world.vfs import DiskVfs
from tests.world.disk_rig import CentreBook, StoreBook
folder = Path(sys.argv[1])
with DiskVfs() as vfs:
    disk = vfs.mount(Disk(folder, Random(1)))
    left = [StoreBook(folder), CentreBook(folder)]
    for book in left:
        book.write([("CREATE TABLE a (b)", ()), ("INSERT INTO a VALUES (1)", ())])
    END
"""


@pytest.mark.parametrize(
    ("end", "code"),
    [
        ("pass", 0),
        ("raise SystemExit(3)", 3),
        ("disk.power_cut_in(2); left[0].write([('INSERT INTO a VALUES (2)', ())])", 1),
        ("import os, signal; os.kill(os.getpid(), signal.SIGINT)", -2),
    ],
)
def test_a_process_that_leaves_connections_open_ends_as_it_would_without_us(
    tmp_path: Path, end: str, code: int
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", LEFT_OPEN.replace("END", end), str(tmp_path)],
        cwd=ROOT, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == code, done.stderr
    assert "Exception ignored" not in done.stderr
