"""A database of the first release comes up to this version with what was in it, on each kind of database."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from central.db import bulk, migrate
from central.db.database import Database
from tests.postgres import Postgres

FIRST = "0001"
ROWS = (
    ("INSERT INTO sites (name, title) VALUES ('ginza', '銀座店')", ()),
    (
        "INSERT INTO devices (name, site_id, public, state, enrolled_ms, awaits) "
        "SELECT 'lane-1', id, ?, 'active', 5, ? FROM sites",
        (b"k" * 32, False),
    ),
    (
        "INSERT INTO epochs (device_id, epoch, upto, upto_hash, opened_by, previous, after, flagged_until, opened_ms) "
        "SELECT id, ?, 1, ?, '', ?, 0, 0, 5 FROM devices",
        (b"e" * 16, b"h" * 32, b""),
    ),
    ("INSERT INTO facts SELECT id, 1, ?, 'rd', ?, 7 FROM epochs", (b"h" * 32, b"body")),
    (
        "INSERT INTO redemptions (epoch_id, seq, device_id, campaign, serial, holder, site, at_ms, booked_ms, "
        "discount_yen, state, flags) SELECT id, 1, device_id, 1, -5, 9, 'ginza', 6, 7, 100, 'cleared', 0 FROM epochs",
        (),
    ),
    (
        "INSERT INTO campaigns (id, body, jan, stock_left, given_out, redeemed, issued_ms) "
        "VALUES (1, ?, '49', 3, 2, 1, 5)",
        (b"body",),
    ),
    (
        "INSERT INTO conflicts (kind, campaign, serial, first_epoch, first_seq, second_epoch, second_seq, found_ms, "
        "resolved_ms) VALUES ('double', 1, -5, 1, 1, 1, 2, 7, 8), ('double', 1, -6, 1, 1, 1, 3, 7, NULL)",
        (),
    ),
)


@pytest.fixture
def bare(request: pytest.FixtureRequest, database: str, tmp_path: Path) -> Iterator[Database]:
    """A database without tables."""
    if database == "sqlite":
        made = Database(f"sqlite:///{tmp_path / 'centre.db'}")
        yield made
        made.close()
        return
    server: Postgres = request.getfixturevalue("postgres")
    made = Database(server.empty("first_release"))
    yield made
    made.close()
    server.drop("first_release")


def test_a_database_of_the_first_release_comes_up_with_all_that_was_in_it(bare: Database) -> None:
    migrate.upgrade(bare, FIRST)
    assert migrate.revision(bare) == FIRST
    with bare.write() as connection:
        for statement, values in ROWS:
            bulk.run(connection, statement, values)
    migrate.upgrade(bare)
    migrate.upgrade(bare)
    assert migrate.revision(bare) == migrate.head()

    def rows(sql: str) -> list[tuple[object, ...]]:
        with bare.read() as connection:
            return [tuple(row) for row in bulk.run(connection, sql)]

    assert rows("SELECT serial, at_ms, wall_ms, at_error_ms, state FROM redemptions") == [(-5, 6, 6, 0, "cleared")]
    assert rows("SELECT state, rule, amount_yen FROM conflicts ORDER BY id") == [
        ("settled", "operator", 0), ("waits", "operator", 0),
    ]  # fmt: skip
    assert rows("SELECT found_by, stock_left, exposed FROM campaigns") == [("49", 3, 0)]
    (device,) = rows("SELECT awaits, owes_parts, given_up FROM devices")
    assert not any(device)
    with pytest.raises(Exception, match="append-only"), bare.write() as connection:
        bulk.run(connection, "DELETE FROM facts")
