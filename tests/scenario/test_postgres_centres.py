"""Several centres on one PostgreSQL, and a server that is restored: who speaks with the broker, and who finds out."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from central import office as bureau
from central.db import migrate
from central.db.database import Database, StorageError, StorageReason
from central.db.postgresql import WRITERS_LOCK
from central.settings import CentralSettings
from tests.postgres import Postgres
from tests.scenario.test_central_service import Phone, Service
from tests.servers import ROOT, Mosquitto, wait_until
from tests.unit.central.central_kit import Centre, Lane
from wire import topics
from wire.messages import PullAck

MAKER = """
import sys
from central.db import migrate
from central.db.database import Database
migrate.upgrade(Database(sys.argv[1]))
"""


@pytest.fixture
def name(postgres: Postgres) -> Iterator[str]:
    """A database of the server; centres of this test use it."""
    before, made = Centre.databases, postgres.fresh()
    Centre.databases = staticmethod(lambda _folder: postgres.url(made))
    yield made
    Centre.databases = staticmethod(before)
    postgres.drop(made)


def put_back(postgres: Postgres, copy: str, name: str) -> None:
    """As an operator with the server's tools: the database is replaced by an older copy of it."""
    postgres.drop(name)
    postgres.copy(copy, name)


def copied(postgres: Postgres, centre: Centre, name: str) -> str:
    centre.office.database.close()  # nobody may be connected to what is copied
    postgres.copy(name, name + "_copy")
    return name + "_copy"


def second_centre(first: Centre, folder: Path) -> None:
    """Another machine's: the keys were copied to it, and `tokuten central init` was run there."""
    folder.mkdir()
    shutil.copytree(first.settings.keys_folder, folder / "keys")
    bureau.create(Centre.settings_for(folder)).close()


def test_a_database_that_was_put_back_is_found_out_by_the_centre_that_runs_and_at_the_next_start(
    postgres: Postgres, name: str, tmp_path: Path
) -> None:
    centre, lane = Centre(tmp_path / "centre"), Lane()
    centre.enrol(lane)
    lane.redeem(1)
    assert centre.book(lane).status == "ok"
    copy = copied(postgres, centre, name)
    lane.redeem(2)
    assert centre.book(lane).upto == 2
    put_back(postgres, copy, name)
    with pytest.raises(StorageError) as caught:
        centre.book(lane)
    assert caught.value.reason is StorageReason.REPLACED
    before = centre.incarnation
    centre.close()
    centre = Centre.reopened(tmp_path / "centre")
    assert centre.incarnation != before
    assert centre.one("SELECT awaits FROM devices") is True
    ack = centre.ingest.tell(PullAck(lane.epoch, 2, lane.hashes[2]), lane.origin())
    assert (ack.incarnation, ack.upto) == (centre.incarnation, 1)
    assert centre.book(lane, 2).upto == 2
    centre.close()
    postgres.drop(copy)


def test_a_database_that_went_back_in_place_is_found_out_by_its_mark(name: str, tmp_path: Path) -> None:
    centre = Centre(tmp_path / "centre")
    centre.office.witness.advance()
    with centre.office.database.write() as connection:  # a dump of a minute ago was loaded into the same database
        connection.exec_driver_sql("UPDATE meta SET value = '1' WHERE key = 'mark'")
    centre.office.database.close()
    with pytest.raises(StorageError) as caught:
        centre.book(Lane())
    assert caught.value.reason is StorageReason.REPLACED
    before = centre.incarnation
    centre.close()
    centre = Centre.reopened(tmp_path / "centre")
    assert centre.incarnation != before
    centre.close()


def test_a_server_that_crashed_and_came_back_is_no_restore(tmp_path: Path) -> None:
    before, server = Centre.databases, Postgres()
    server.start()
    server.make_template()
    made = server.fresh()
    Centre.databases = staticmethod(lambda _folder: server.url(made))
    try:
        centre, lane = Centre(tmp_path / "centre"), Lane()
        centre.enrol(lane)
        server.crash()
        server.start()
        lane.redeem(1)
        assert centre.book(lane).upto == 1
        was = centre.incarnation
        centre.start()
        assert centre.incarnation == was
        centre.close()
    finally:
        Centre.databases = staticmethod(before)
        server.close()


def test_a_recovery_to_a_point_in_time_is_found_out_by_its_timeline_alone(tmp_path: Path) -> None:
    before, server = Centre.databases, Postgres()
    server.start()
    server.make_template()
    made = server.fresh()
    Centre.databases = staticmethod(lambda _folder: server.url(made))
    try:
        centre = Centre(tmp_path / "centre")
        was = centre.incarnation
        server.recover()
        with pytest.raises(StorageError) as caught:
            centre.book(Lane())
        assert caught.value.reason is StorageReason.REPLACED
        centre.start()
        assert centre.incarnation != was
        centre.close()
    finally:
        Centre.databases = staticmethod(before)
        server.close()


def test_two_centres_that_come_back_after_a_restore_begin_one_new_incarnation(
    postgres: Postgres, name: str, tmp_path: Path
) -> None:
    one = Centre(tmp_path / "one")
    second_centre(one, tmp_path / "two")
    two = Centre.reopened(tmp_path / "two")
    assert two.incarnation == one.incarnation, "a further centre is no restore"
    assert two.secret == one.secret
    with pytest.raises(bureau.OfficeError, match="copy them from there"):
        bureau.create(Centre.settings_for(tmp_path / "three"))
    assert not (tmp_path / "three" / "keys").exists(), "keys of its own would be worth nothing"
    two.close()
    copy = copied(postgres, one, name)
    put_back(postgres, copy, name)
    one.close()
    old = one.incarnation
    one, two = Centre.reopened(tmp_path / "one"), Centre.reopened(tmp_path / "two")
    assert one.incarnation == two.incarnation != old
    one.office.witness.advance()
    two.office.witness.advance()
    told = bureau.restore(Centre.settings_for(tmp_path / "two"), None)
    with pytest.raises(StorageError) as caught:
        one.office.witness.advance()
    assert caught.value.reason is StorageReason.REPLACED
    one.start()
    assert one.incarnation == told
    one.close()
    two.close()
    postgres.drop(copy)


def test_a_database_without_tables_says_what_to_do_and_two_that_make_them_at_once_make_them_once(
    postgres: Postgres, tmp_path: Path
) -> None:
    url = postgres.empty("bare")
    with pytest.raises(bureau.OfficeError, match="tokuten central init"):
        bureau.open_office(CentralSettings(data_dir=str(tmp_path), database=url))
    with postgres.connect("bare") as session:
        session.execute("SELECT pg_advisory_lock(%s)", (WRITERS_LOCK,))
        makers = [subprocess.Popen([sys.executable, "-c", MAKER, url], cwd=ROOT) for _ in range(2)]
        postgres.wait_for_waiters(len(makers))
    assert [maker.wait(30) for maker in makers] == [0, 0]
    database = Database(url)
    assert migrate.revision(database) == migrate.head()
    database.close()
    postgres.drop("bare")


def test_of_two_services_one_speaks_with_the_broker_and_the_other_takes_over_when_it_is_killed(
    name: str, tmp_path: Path, mosquitto: Mosquitto
) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    first = Service(tmp_path / "one", mosquitto)
    second = Service(tmp_path / "two", mosquitto, beside=first)
    first.start()
    second.start(connects=False)
    phone, lane = Phone(first), first.lane
    try:
        for serial in range(1, 41):
            lane.redeem(serial)
        phone.say(topics.UP_EV, lane.batch(1, 20))
        wait_until(lambda: len(phone.acks()) == 1, what="an acknowledgement")
        assert second.connections == 0
        for one in (first, second):
            assert httpx.get(f"http://127.0.0.1:{one.port}/api/health").json()["booked"] == 20
        first.end(signal.SIGKILL)
        wait_until(lambda: second.connections == 1, 30, "the other centre to take its turn")
        phone.say(topics.UP_EV, lane.batch(11, 40))
        wait_until(lambda: len(phone.acks()) == 2, what="an acknowledgement by the other one")
        assert (phone.acks()[-1].upto, phone.acks()[-1].incarnation) == (40, phone.acks()[0].incarnation)
        assert httpx.get(f"http://127.0.0.1:{second.port}/api/health").json()["booked"] == 40
    finally:
        phone.client.close()
        for one in (first, second):
            if not one.process_ended:
                one.end(signal.SIGKILL)


def test_a_service_whose_server_crashes_goes_on_when_it_is_back_and_books_what_is_sent_again(
    tmp_path: Path, mosquitto: Mosquitto
) -> None:
    before, server = Centre.databases, Postgres()
    server.start()
    server.make_template()
    made = server.fresh()
    Centre.databases = staticmethod(lambda _folder: server.url(made))
    service = Service(tmp_path, mosquitto)
    service.start()
    phone, lane = Phone(service), service.lane
    health = f"http://127.0.0.1:{service.port}/api/health"
    try:
        for serial in range(1, 31):
            lane.redeem(serial)
        phone.say(topics.UP_EV, lane.batch(1, 10))
        wait_until(lambda: len(phone.acks()) == 1, what="an acknowledgement")
        server.crash()
        phone.say(topics.UP_EV, lane.batch(11, 20))
        wait_until(lambda: httpx.get(health).status_code == 503, 10, "the API to say that it is not available")
        assert len(phone.acks()) == 1, "nothing is acknowledged that is not on disk"
        connected = service.connections
        wait_until(lambda: "or another centre speaks" in service.log.read_text(), 20, "the link to be let go")
        server.start()
        wait_until(lambda: service.connections > connected, 30, "the centre to come back to the broker")
        phone.say(topics.UP_EV, lane.batch(11, 30))
        wait_until(lambda: phone.acks()[-1].upto == 30, 20, "what was sent again to be acknowledged")
        assert phone.acks()[-1].incarnation == phone.acks()[0].incarnation
        assert httpx.get(health).json()["booked"] == 30
        assert not service.process_ended
    finally:
        phone.client.close()
        if not service.process_ended:
            service.end(signal.SIGKILL)
        Centre.databases = staticmethod(before)
        server.close()
