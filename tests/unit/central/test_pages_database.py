"""What the pages keep: databases of before are carried over, and staff are entered by command alone."""

from __future__ import annotations

from pathlib import Path

from alembic import command

from central.db import migrate
from central.db.database import Database
from tests.unit.central.central_kit import campaign
from tests.unit.central.test_central_cli import Shell
from wire.messages import encode


def test_campaigns_that_were_issued_before_are_their_providers(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'centre.db'}")
    command.upgrade(migrate._config(database), "0009")
    with database.write() as connection:
        connection.exec_driver_sql(
            "INSERT INTO campaigns (id, body, found_by, given_out, redeemed, issued_ms) VALUES (1, ?, '', 0, 0, 1)",
            (encode(campaign(1, provider="Dレコード")),),
        )
    migrate.upgrade(database)
    with database.read() as connection:
        assert connection.exec_driver_sql("SELECT provider FROM campaigns").scalar() == "Dレコード"
    database.close()


def test_staff_are_entered_changed_and_removed_by_command(tmp_path: Path) -> None:
    shell = Shell(tmp_path)
    shell.run("central", "init")
    (tmp_path / "short").write_text("short\n")
    (tmp_path / "good").write_text("good enough\n")
    good = ("--password-file", str(tmp_path / "good"))
    assert "no staff" in shell.run("staff", "list")
    for words, code in (
        (("add", "yamada", "--role", "king", *good), 2),
        (("add", "yamada", "--role", "person", *good), 2),
        (("add", "yamada", "--role", "shop", *good), 2),
        (("add", "yamada", "--role", "shop", "--site", "nowhere", *good), 2),
        (("add", "yamada", "--role", "operator", "--provider", "S", *good), 2),
        (("add", "yamada", "--role", "operator", "--password-file", str(tmp_path / "short")), 2),
        (("remove", "yamada"), 1),
    ):
        shell.run("staff", *words, code=code)
    shell.run("staff", "add", "yamada", "--role", "operator", *good)
    shell.run("staff", "add", "gakki", "--role", "provider", "--provider", "S楽器", *good)
    shell.run("staff", "add", "yamada", "--role", "provider", "--provider", "Dレコード", *good)
    listed = shell.run("staff", "list")
    assert "Dレコード" in listed
    assert "operator" not in listed
    shell.run("staff", "remove", "yamada")
    assert "yamada" not in shell.run("staff", "list")
