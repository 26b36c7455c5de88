"""Centres that are killed, and two of them at once: real processes, real files."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from pathlib import Path

from central.coupons import download, issue
from central.office import Office, now_ms, open_office
from central.settings import CentralSettings
from tests.unit.central.central_kit import NOW_MS, Centre, Lane, campaign
from wire.messages import PullAck

ROOT = Path(__file__).resolve().parents[2]
BATCHES, SIZE = 60, 20

BOOKER = """
import sys
from pathlib import Path
from central.ingest import Ingest, Origin
from central.office import open_office
from central.settings import CentralSettings

folder = Path(sys.argv[1])
office = open_office(CentralSettings(data_dir=str(folder / "centre")))
ingest = Ingest(office.database, office.witness.start(), office.keys.cache_secret())
while True:
    for path in sorted((folder / "batches").iterdir()):
        ack = ingest.book(path.read_bytes(), Origin("lane-1", "tk/1/demo/ginza/lane-1/up/ev", 1))
        print(ack.status, ack.upto, flush=True)
"""

TAKER = """
import sys
from central.coupons import download
from central.office import now_ms, open_office
from central.settings import CentralSettings

office = open_office(CentralSettings(data_dir=sys.argv[1]))
print("ready", flush=True)
for _ in sys.stdin:
    with office.database.write() as connection:
        given = download.download(connection, office.keys, 1, None, proven=False, now_ms=now_ms())
    if isinstance(given, download.No):
        print(given.value, flush=True)
    else:
        print(given.number, given.coupon.serial, flush=True)
"""


def start(program: str, *arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", program, *arguments]
    return subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def test_killed_in_the_middle_of_ingest_it_has_lost_and_doubled_nothing(tmp_path: Path) -> None:
    lane = Lane()
    for serial in range(1, BATCHES * SIZE + 1):
        lane.redeem(serial)
    centre = Centre(tmp_path / "centre")
    centre.enrol(lane)
    centre.close()
    (tmp_path / "batches").mkdir()
    for number in range(BATCHES):
        (tmp_path / "batches" / f"{number:03}").write_bytes(lane.batch(number * SIZE + 1, (number + 1) * SIZE))
    dice, told, kills_in_the_middle = random.Random(1), 0, 0
    for _ in range(8):
        process = start(BOOKER, str(tmp_path))
        assert process.stdout is not None
        try:
            for _ in range(dice.randint(1, BATCHES // 4)):
                status, upto = process.stdout.readline().split()
                assert status == "ok"
                assert int(upto) >= told, "what was acknowledged is gone"
                told = int(upto)
            time.sleep(dice.random() * 0.004)  # somewhere inside a transaction
        finally:
            process.kill()
            rest = process.communicate()[0].splitlines()
        told = max([told, *(int(line.split()[1]) for line in rest if len(line.split()) == 2)])
        office = open_office(CentralSettings(data_dir=str(tmp_path / "centre")))
        whole = _whole(office, lane)
        assert whole >= told
        kills_in_the_middle += whole < BATCHES * SIZE
        office.close()
    assert kills_in_the_middle >= 1, "every kill came too late to prove anything"
    office = open_office(CentralSettings(data_dir=str(tmp_path / "centre")))
    centre = Centre(tmp_path / "centre", campaign(2))
    for first in range(1, BATCHES * SIZE + 1, SIZE):
        assert centre.book(lane, first, first + SIZE - 1).status == "ok"
    assert _whole(centre.office, lane) == BATCHES * SIZE
    ack = centre.ingest.tell(PullAck(lane.epoch, len(lane), lane.hashes[-1]), lane.origin())
    assert (ack.upto, ack.upto_hash) == (len(lane), lane.hashes[-1])
    centre.close()
    office.close()


def _whole(office: Office, lane: Lane) -> int:
    """Checks that the database is one whole: as many facts as it says, in the chain's order, each counted once."""
    with office.database.read() as connection:
        sql = connection.exec_driver_sql
        assert sql("PRAGMA integrity_check").scalar() == "ok"
        assert sql("PRAGMA foreign_key_check").all() == []
        hashes = [bytes(row[0]) for row in sql("SELECT hash FROM facts ORDER BY seq")]
        upto = sql("SELECT coalesce(max(upto), 0) FROM epochs").scalar_one()
        assert hashes == lane.hashes[1 : upto + 1]
        assert sql("SELECT count(DISTINCT serial), count(*) FROM redemptions WHERE state = 'cleared'").one() == (
            upto, upto,
        )  # fmt: skip
        assert sql("SELECT redeemed FROM campaigns WHERE id = 1").scalar() == upto
        assert (
            sql("SELECT coalesce(sum(count), 0) FROM change_log").scalar()
            == sql("SELECT sum(head) FROM feeds").scalar()
        )
    return int(upto)


def test_K3_of_two_processes_that_want_the_last_coupon_one_gets_it(tmp_path: Path) -> None:
    stock = 15  # uneven: in the last round there is one for two
    centre = Centre(tmp_path / "centre", campaign(1, stock=stock, first_number=500))
    centre.close()
    takers = [start(TAKER, str(tmp_path / "centre")) for _ in range(2)]
    rounds: list[list[str]] = []
    try:
        for taker in takers:
            assert taker.stdout is not None
            assert taker.stdout.readline() == "ready\n"
        for _ in range(stock // 2 + 1):
            for taker in takers:  # both go at once
                assert taker.stdin is not None
                taker.stdin.write("go\n")
                taker.stdin.flush()
            rounds.append([taker.stdout.readline().strip() for taker in takers if taker.stdout is not None])
    finally:
        for taker in takers:
            taker.kill()
            taker.communicate()
    answers = [answer for both in rounds for answer in both]
    given = [answer.split() for answer in answers if answer != "sold_out"]
    assert sorted(int(number) for number, _ in given) == list(range(500, 500 + stock))
    assert len({serial for _, serial in given}) == stock
    assert sorted(answer == "sold_out" for answer in rounds[-1]) == [False, True]


def test_K3_a_download_that_was_not_committed_gave_nothing_out(tmp_path: Path) -> None:
    centre = Centre(tmp_path / "centre", campaign(1, stock=1))

    class PowerCut(Exception):
        pass

    try:
        with centre.office.database.write() as connection:
            given = download.download(connection, centre.office.keys, 1, None, proven=False, now_ms=now_ms())
            assert isinstance(given, download.Given)
            raise PowerCut
    except PowerCut:
        pass
    with centre.office.database.read() as connection:
        issued = issue.get(connection, 1)
    assert issued is not None
    assert (issued.stock_left, issued.given_out, NOW_MS > 0) == (1, 0, True)
    centre.close()
