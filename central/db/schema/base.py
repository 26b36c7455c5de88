"""What all tables share: how keys are named, and how values are stored that databases do not know."""

from __future__ import annotations

from typing import Final

from sqlalchemy import BigInteger, Column, Integer, LargeBinary, MetaData, Table, Text

metadata: Final = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

Id = BigInteger().with_variant(Integer, "sqlite")  # SQLite numbers rows by itself for INTEGER alone

_SERIAL_SPAN: Final = 2**64

NUL: Final = "\0"  # the one character that a text can't have in every database


def stored_serial(serial: int) -> int:
    return serial - _SERIAL_SPAN if serial >= _SERIAL_SPAN // 2 else serial


def read_serial(stored: int) -> int:
    return stored + _SERIAL_SPAN if stored < 0 else stored


meta = Table("meta", metadata, Column("key", Text, primary_key=True), Column("value", LargeBinary, nullable=False))
