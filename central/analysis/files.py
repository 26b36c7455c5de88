"""Figures as files: CSV for spreadsheets, Parquet for programs (K10).

Parquet is written by DuckDB, which is not installed everywhere (the extra `parquet`): `parquet_there` says so, and
`parquet` raises ParquetMissing with what to do. See docs/adr/0029.
"""

from __future__ import annotations

import csv
import importlib.util
import io
import tempfile
from pathlib import Path
from typing import Final

from central.analysis.figures import Figures

_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")
_HEADS: Final = ("key", "name")


class ParquetMissing(Exception):
    """There is nothing here that writes Parquet; the message says how to get it."""

    def __init__(self) -> None:
        super().__init__("Parquet is written by DuckDB, which is not installed: pip install 'tokuten[parquet]'")


def parquet_there() -> bool:
    return importlib.util.find_spec("duckdb") is not None


def as_csv(figures: Figures) -> bytes:
    """UTF-8 with a byte order mark, as spreadsheets want it; a figure that is not shown is an empty cell."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow([figures.by.value, "name", *figures.columns])
    for row in figures.rows:
        numbers = [getattr(row, name) for name in figures.columns]
        writer.writerow([row.key, _plain(row.name), *("" if number is None else number for number in numbers)])
    return text.getvalue().encode("utf-8-sig")


def _plain(name: str) -> str:
    """A name that a spreadsheet does not take for a formula (OWASP, CSV injection)."""
    return f"'{name}" if name.startswith(_FORMULA) else name


def as_parquet(figures: Figures) -> bytes:
    """The same rows with types: `key` and `name` are texts, figures 64-bit whole numbers or NULL.

    Raises ParquetMissing.
    """
    if not parquet_there():
        raise ParquetMissing
    import duckdb

    numbers = ", ".join(f"{name} BIGINT" for name in figures.columns)
    marks = ", ".join("?" * (len(_HEADS) + len(figures.columns)))
    with tempfile.TemporaryDirectory(prefix="tokuten-") as folder, duckdb.connect(":memory:") as book:
        book.execute(f'CREATE TABLE figures ("{figures.by.value}" VARCHAR, name VARCHAR, {numbers})')
        if figures.rows:
            rows = [(row.key, row.name, *(getattr(row, name) for name in figures.columns)) for row in figures.rows]
            book.executemany(f"INSERT INTO figures VALUES ({marks})", rows)  # noqa: S608
        path = Path(folder) / "figures.parquet"
        book.execute(f"COPY figures TO '{path}' (FORMAT parquet)")
        return path.read_bytes()
