"""Restores: by command, by hand, and what is no restore; and the schema's migrations."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

from central import office as bureau
from central.db import migrate
from central.db.database import Database
from central.db.schema import metadata
from central.incarnation import Witness
from central.office import OfficeError
from tests.unit.central.central_kit import NOW_MS, Centre, Lane
from wire.messages import PullAck


def copy_of(centre: Centre, target: Path) -> Path:
    bureau.backup(centre.settings, target)
    return target


def put_back_by_hand(copy: Path, centre: Centre) -> None:
    path = centre.office.database.path
    assert path is not None
    centre.close()
    for leftover in ("-wal", "-shm"):
        path.with_name(path.name + leftover).unlink(missing_ok=True)
    shutil.copyfile(copy, path)


def test_an_ordinary_restart_keeps_the_incarnation(centre: Centre) -> None:
    before = centre.incarnation
    for _ in range(3):
        centre.start()
        assert centre.incarnation == before


@pytest.mark.only_sqlite
def test_a_restore_by_command_is_a_new_incarnation_and_units_send_again_what_it_forgot(
    centre: Centre, lane: Lane, tmp_path: Path
) -> None:
    before = centre.incarnation
    lane.redeem(1)
    centre.book(lane)
    copy = copy_of(centre, tmp_path / "copy.db")
    lane.redeem(2)
    centre.book(lane, 2)
    centre.close()
    told = bureau.restore(centre.settings, copy)
    centre.office = bureau.open_office(centre.settings)
    centre.start()
    assert centre.incarnation == told != before
    ack = centre.ingest.tell(PullAck(lane.epoch, 2, lane.hashes[2]), lane.origin())
    assert (ack.incarnation, ack.upto, ack.upto_hash) == (told, 1, lane.hashes[1])
    assert centre.book(lane, 2).upto == 2
    assert centre.one("SELECT count(*) FROM redemptions WHERE state = 'cleared'") == 2


@pytest.mark.only_sqlite
def test_a_restored_centre_waits_for_all_epochs_of_a_unit(centre: Centre, lane: Lane, tmp_path: Path) -> None:
    lane.redeem(1)
    centre.book(lane)
    copy = copy_of(centre, tmp_path / "copy.db")
    new = lane.under_a_new_epoch(1, "fork")
    new.redeem(2)
    centre.close()
    told = bureau.restore(centre.settings, copy)
    centre.office = bureau.open_office(centre.settings)
    centre.start()
    old_one = PullAck(lane.epoch, 1, lane.hashes[1], before=None)
    open_one = PullAck(new.epoch, len(new), new.hashes[-1], before=None)
    for hello in (old_one, open_one, PullAck(new.epoch, len(new), new.hashes[-1], before=b"gone" * 4)):
        centre.ingest.tell(hello, lane.origin())
        assert centre.one("SELECT awaits FROM devices"), "its open epoch is not told of yet"
    centre.ingest.tell(PullAck(new.epoch, len(new), new.hashes[-1], before=told), new.origin())
    assert centre.one("SELECT awaits FROM devices"), "and not booked"
    centre.book(new)
    assert not centre.one("SELECT awaits FROM devices")


@pytest.mark.only_sqlite
def test_a_database_that_went_back_is_found_out_at_the_next_start(centre: Centre, tmp_path: Path) -> None:
    before = centre.incarnation
    copy = copy_of(centre, tmp_path / "copy.db")
    centre.office.witness.advance()  # the centre ran on for a minute
    put_back_by_hand(copy, centre)
    centre.office = bureau.open_office(centre.settings)
    centre.start()
    assert centre.incarnation != before
    assert centre.one("SELECT awaits FROM devices")


def test_a_crash_between_the_marks_is_no_restore(centre: Centre, monkeypatch: pytest.MonkeyPatch) -> None:
    before = centre.incarnation

    def crash(*_: object) -> None:
        raise OSError("the power went")

    with monkeypatch.context() as patch:
        patch.setattr(Witness, "_write", crash)
        with pytest.raises(OSError, match="power"):
            centre.office.witness.advance()
    centre.start()
    assert centre.incarnation == before


def test_a_missing_witness_is_taken_for_a_restore(centre: Centre) -> None:
    before = centre.incarnation
    (centre.settings.folder / "centre.mark").unlink()
    centre.start()
    assert centre.incarnation != before


@pytest.mark.only_sqlite
def test_a_copy_that_is_damaged_or_foreign_is_not_put_in_place(centre: Centre, tmp_path: Path) -> None:
    copy = copy_of(centre, tmp_path / "copy.db")
    torn = bytearray(copy.read_bytes())
    torn[4096 * 3 : 4096 * 20] = bytes(4096 * 17)
    (tmp_path / "torn.db").write_bytes(torn)
    (tmp_path / "text.db").write_text("not a database at all" * 100)
    with sqlite3.connect(tmp_path / "foreign.db") as foreign:
        foreign.execute("CREATE TABLE things (id)")
    for name in ("torn.db", "text.db", "foreign.db", "missing.db"):
        with pytest.raises(OfficeError):
            bureau.restore(centre.settings, tmp_path / name)
    assert centre.one("SELECT count(*) FROM campaigns") == 1


@pytest.mark.only_sqlite
def test_a_running_centre_is_not_restored_under_its_feet(centre: Centre, tmp_path: Path) -> None:
    copy = copy_of(centre, tmp_path / "copy.db")
    with bureau.alone(centre.settings), pytest.raises(OfficeError, match="is running"):
        bureau.restore(centre.settings, copy)


def test_the_migrations_make_the_schema_that_the_code_uses(centre: Centre, database: str) -> None:
    with centre.office.database.read() as connection:
        context = MigrationContext.configure(connection, opts={"compare_server_default": database == "postgresql"})
        assert [change for change in compare_metadata(context, metadata) if not _of_postgresql_alone(change)] == []


def _of_postgresql_alone(change: object) -> bool:
    """What revision 0008 adds there as a net below the locks."""
    return isinstance(change, tuple) and change[0] == "remove_index" and change[1].name == "uq_redemptions_use"


def test_a_database_of_a_newer_version_is_refused(centre: Centre) -> None:
    with centre.office.database.write() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(migrate.SchemaTooNew):
        bureau.open_office(centre.settings)


@pytest.mark.only_sqlite
def test_every_connection_is_durable(centre: Centre) -> None:
    database = Database(centre.settings.url)
    with database.read() as connection:
        pragmas = [connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in ("synchronous", "journal_mode")]
        assert pragmas == [2, "wal"]
        assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1
    database.close()


def test_the_start_of_a_fresh_centre_awaits_nobody(centre: Centre, lane: Lane) -> None:
    lane.redeem(1)
    centre.book(lane, now_ms=NOW_MS)
    assert not centre.one("SELECT awaits FROM devices")
