"""The ledger: programmes, earn rules, accounts, transfers, postings, lots; and conflicts about points.

Points that were booked as facts before there was a ledger wait, like all facts of a programme that nobody entered yet.
"""

from __future__ import annotations

import msgspec
import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def _number(name: str, default: str | None = None, *, nullable: bool = False) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger(), server_default=default, nullable=nullable)


def _words(name: str, default: str | None = None) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), server_default=default, nullable=False)


def _bytes(name: str) -> sa.Column[bytes]:
    return sa.Column(name, sa.LargeBinary(), nullable=False)


def _of(table: str, column: str, *, name: str, nullable: bool = False) -> list[sa.schema.SchemaItem]:
    """A column that names a row of another table. `name`: of the table that it stands in."""
    return [
        sa.Column(column, _ID, nullable=nullable),
        sa.ForeignKeyConstraint([column], [f"{table}.id"], name=op.f(f"fk_{name}_{column}")),
    ]


def _where(name: str, table: str, columns: list[str], where: str) -> None:
    clause = sa.text(where)
    op.create_index(name, table, columns, unique=False, sqlite_where=clause, postgresql_where=clause)


def _waiting() -> None:
    """Facts about points: [type, stamp, id, programme, holder, points, site ...]. One told twice waits once."""
    connection, seen = op.get_bind(), set[bytes]()
    facts = sa.table("facts", *map(sa.column, ("epoch_id", "seq", "type", "body", "booked_ms")))
    conflicts = sa.table(
        "conflicts",
        *map(
            sa.column,
            (
                "kind", "campaign", "serial", "first_epoch", "first_seq", "second_epoch", "second_seq", "found_ms",
                "programme", "holder", "site", "points", "transfer",
            ),
        ),
    )  # fmt: skip
    points = sa.select(facts).where(facts.c.type.in_(("pe", "ps"))).order_by(facts.c.epoch_id, facts.c.seq)
    for row in connection.execute(points).all():
        _, _, name, programme, holder, count, site, *_ = msgspec.msgpack.decode(bytes(row.body))
        if name in seen:
            continue
        seen.add(name)
        connection.execute(
            sa.insert(conflicts).values(
                kind="unknown_programme", campaign=0, serial=0, first_epoch=0, first_seq=0, second_epoch=row.epoch_id,
                second_seq=row.seq, found_ms=row.booked_ms, programme=programme, holder=holder, site=site,
                points=count, transfer=name,
            )
        )  # fmt: skip


def upgrade() -> None:
    op.create_table(
        "programmes",
        sa.Column("id", _ID, autoincrement=False, nullable=False),
        _bytes("body"),
        _number("changed_ms"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_programmes")),
    )
    op.create_table(
        "earn_rules",
        _number("programme"),
        _words("site"),
        _number("revision"),
        _bytes("body"),
        _number("made_ms"),
        sa.PrimaryKeyConstraint("programme", "site", "revision", name=op.f("pk_earn_rules")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "accounts",
        sa.Column("id", _ID, nullable=False),
        _words("kind"),
        _number("programme"),
        _number("holder"),
        _words("place"),
        _number("balance"),
        _number("held"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_accounts")),
        sa.UniqueConstraint(
            "place", "programme", "kind", "holder", name=op.f("uq_accounts_place_programme_kind_holder")
        ),
    )
    _where("ix_accounts_owing", "accounts", ["programme"], "kind = 'advance' AND balance < 0")
    _where("ix_accounts_holder", "accounts", ["holder", "programme"], "holder <> 0")
    op.create_table(
        "transfers",
        sa.Column("id", _ID, nullable=False),
        _bytes("name"),
        _words("kind"),
        _words("state"),
        _number("programme"),
        _number("at_ms"),
        _number("booked_ms"),
        _bytes("content"),
        *_of("transfers", "about", name="transfers", nullable=True),
        *_of("transfers", "settles", name="transfers", nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_transfers")),
        sa.UniqueConstraint("name", name=op.f("uq_transfers_name")),
        sa.UniqueConstraint("settles", name=op.f("uq_transfers_settles")),
    )
    _where("ix_transfers_about", "transfers", ["about"], "about IS NOT NULL")
    op.create_table(
        "postings",
        *_of("transfers", "transfer", name="postings"),
        *_of("accounts", "account", name="postings"),
        _number("amount"),
        sa.PrimaryKeyConstraint("transfer", "account", name=op.f("pk_postings")),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_postings_account", "postings", ["account", "transfer"], unique=False)
    op.create_table(
        "lots",
        *_of("transfers", "transfer", name="lots"),
        _number("number"),
        *_of("accounts", "account", name="lots"),
        _number("programme"),
        _number("points"),
        _number("yen"),
        _number("rest"),
        _number("rest_yen"),
        _number("at_ms"),
        _number("expires_ms"),
        _number("origin", nullable=True),
        _number("origin_number", nullable=True),
        sa.PrimaryKeyConstraint("transfer", "number", name=op.f("pk_lots")),
        sqlite_with_rowid=False,
    )
    _where("ix_lots_open", "lots", ["account", "expires_ms"], "rest > 0")
    _where("ix_lots_ending", "lots", ["programme", "expires_ms"], "rest > 0")
    op.create_table(
        "lot_moves",
        *_of("transfers", "transfer", name="lot_moves"),
        _number("lot"),
        _number("number"),
        _number("points"),
        _number("yen"),
        sa.PrimaryKeyConstraint("transfer", "lot", "number", name=op.f("pk_lot_moves")),
        sa.ForeignKeyConstraint(
            ["lot", "number"], ["lots.transfer", "lots.number"], name=op.f("fk_lot_moves_lot_number")
        ),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_lot_moves_lot", "lot_moves", ["lot", "number"], unique=False)
    for column in (
        _number("programme", "0"),
        _number("holder", "0"),
        _words("site", ""),
        _number("points", "0"),
        sa.Column("transfer", sa.LargeBinary(), nullable=True),
    ):
        op.add_column("conflicts", column)
    _where("ix_conflicts_owed", "conflicts", ["programme", "holder"], "holder <> 0 AND state = 'waits'")
    _where("ix_conflicts_transfer", "conflicts", ["transfer"], "transfer IS NOT NULL")
    _waiting()
