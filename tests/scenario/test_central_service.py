"""`tokuten central` as a process, behind a real broker: booked, answered, pushed, and ended in order."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from nacl.signing import VerifyKey

from central.office import create
from tests.mqtt_client import Client
from tests.servers import Mosquitto, free_port, listens, wait_until
from tests.unit.central.central_kit import Centre, Lane
from wire import topics
from wire.envelope import unseal
from wire.messages import Ack, Feed, FeedMessage, PullFeed, PutCampaign, SnapshotPart, decode, encode

ROOT = Path(__file__).resolve().parents[2]


class Service:
    """The process, and what it was told."""

    def __init__(
        self, folder: Path, broker: Mosquitto, beside: Service | None = None, lane: Lane | None = None
    ) -> None:
        """`beside`: another one on the same database, whose keys were copied. `lane`: one that is enrolled already in a
        centre that is there. Neither: both are made."""
        self.folder, self.port, self.broker = folder, free_port(), broker
        self.config = folder / "tokuten.toml"
        self.config.write_text(
            f'[central]\ndata_dir = "{folder / "centre"}"\ndatabase = "{Centre.databases(folder / "centre")}"\n'
            f'[central.broker]\nport = {broker.port}\npassword_file = "{broker.password_file("centre")}"\n'
            f"[central.http]\nport = {self.port}\n"
        )
        if beside is not None:
            self.lane: Lane = beside.lane
            self.public: VerifyKey = beside.public
            shutil.copytree(beside.folder / "centre" / "keys", folder / "centre" / "keys")
            create(Centre.settings_for(folder / "centre")).close()
        else:
            centre = Centre(folder / "centre") if lane is None else Centre.reopened(folder / "centre")
            self.lane = Lane() if lane is None else lane
            if lane is None:
                centre.enrol(self.lane)
            self.public = VerifyKey(centre.office.keys.centre().verify_key.encode())
            centre.close()
        self.process: subprocess.Popen[bytes] | None = None
        self.log = folder / "centre.log"

    def command(self, *words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "cli", *words, "--config", str(self.config)]
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)

    def start(self, *, connects: bool = True) -> None:
        connected = self.connections
        command = [sys.executable, "-m", "cli", "central", "--config", str(self.config)]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log)
        if connects:
            wait_until(lambda: self.connections > connected or self.process_ended, 30, "the centre to connect")
        wait_until(lambda: listens(self.port) or self.process_ended, 30, "the HTTP API")
        assert not self.process_ended, self.log.read_text()

    @property
    def connections(self) -> int:
        return self.log.read_text().count("connected to broker") if self.log.exists() else 0

    @property
    def process_ended(self) -> bool:
        return self.process is not None and self.process.poll() is not None

    def end(self, number: signal.Signals) -> int:
        assert self.process is not None
        self.process.send_signal(number)
        return self.process.wait(15)


@pytest.fixture
def service(tmp_path: Path, mosquitto: Mosquitto) -> Iterator[Service]:
    service = Service(tmp_path, mosquitto)
    service.start()
    yield service
    if not service.process_ended:
        service.end(signal.SIGKILL)


class Phone:
    """A lane's connection to the broker."""

    def __init__(self, service: Service) -> None:
        self.service, self.lane = service, service.lane
        self.client = Client(service.broker.port, "lane-1")
        self.client.subscribe(*(topic for topic, _ in topics.subscriptions(self.lane.address)))

    def say(self, leaf: topics.Leaf, payload: bytes) -> None:
        self.client.say(self.lane.address.topic(leaf), payload)

    def acks(self) -> list[Ack]:
        topic = self.lane.address.topic(topics.DN_ACK)
        heard = [body for where, body in self.client.heard if where == topic]
        return [decode(unseal(self.service.public, topic, body), Ack) for body in heard]

    def feeds(self) -> list[Feed | SnapshotPart]:
        out = []
        for where, body in list(self.client.heard):
            if where.endswith("dn/feed"):
                out.append(decode(unseal(self.service.public, where, body), FeedMessage))
        return out


def test_a_batch_is_acknowledged_under_the_centres_seal_and_survives_a_kill(service: Service) -> None:
    phone, lane = Phone(service), service.lane
    for serial in range(1, 201):
        lane.redeem(serial)
    for first in (1, 51, 101):
        phone.say(topics.UP_EV, lane.batch(first, first + 49))
    wait_until(lambda: len(phone.acks()) == 3, what="three acknowledgements")
    assert [ack.upto for ack in phone.acks()] == [50, 100, 150]
    service.end(signal.SIGKILL)
    service.start()
    phone.say(topics.UP_EV, lane.batch(101, 200))
    wait_until(lambda: len(phone.acks()) == 4, what="an acknowledgement after the restart")
    ack = phone.acks()[-1]
    assert (ack.status, ack.upto, ack.upto_hash) == ("ok", 200, lane.hashes[200])
    assert httpx.get(f"http://127.0.0.1:{service.port}/api/health").json()["booked"] == 200
    phone.client.close()


def test_K2_a_coupon_issued_by_another_process_reaches_the_units_within_a_second(service: Service) -> None:
    phone = Phone(service)
    phone.say(topics.UP_REQ, encode(PullFeed(b"", 0)))
    wait_until(lambda: any(isinstance(one, SnapshotPart) for one in phone.feeds()), what="the snapshot")
    done = service.command("coupon", "issue", "新しい券", "--provider", "S楽器", "--amount-yen", "50")
    committed = time.monotonic()
    assert done.returncode == 0, done.stderr

    def pushed() -> bool:
        changes = [change for one in phone.feeds() if isinstance(one, Feed) for change in one.changes]
        return any(isinstance(change, PutCampaign) and change.campaign.name == "新しい券" for change in changes)

    wait_until(pushed, 5, "the new coupon")
    assert time.monotonic() - committed < 1.0
    phone.client.close()


def test_the_centre_comes_back_by_itself_when_the_broker_does(service: Service) -> None:
    phone, lane = Phone(service), service.lane
    before = service.connections
    service.broker.kill()
    service.broker.start()
    wait_until(lambda: service.connections > before, 30, "the centre to come back")
    phone.client.close()
    phone = Phone(service)
    lane.redeem(1)
    phone.say(topics.UP_EV, lane.batch())
    wait_until(lambda: len(phone.acks()) == 1, what="an acknowledgement")
    phone.client.close()


def test_the_process_ends_in_order_with_all_its_parts(service: Service) -> None:
    assert httpx.get(f"http://127.0.0.1:{service.port}/api/health").status_code == 200
    assert service.end(signal.SIGTERM) == 0
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"http://127.0.0.1:{service.port}/api/health")
    assert '"event":"stopped"' in service.log.read_text()


def test_a_second_centre_on_the_same_folder_and_a_restore_under_a_running_one_are_refused(service: Service) -> None:
    copy = service.folder / "copy.db"
    assert service.command("central", "backup", str(copy)).returncode == 0
    for words in (("central",), ("central", "restore", str(copy))):
        refused = service.command(*words)
        assert refused.returncode == 4
        assert "is running" in refused.stderr
    service.end(signal.SIGTERM)
    assert service.command("central", "restore", str(copy)).returncode == 0
