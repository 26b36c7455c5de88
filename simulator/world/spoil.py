"""Rubbish in a SQLite file that nobody has open, such that whoever opens it next must notice."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from random import Random
from typing import Final

PAGE_BYTES: Final = 4_096
NOTICED: Final = ("meta", "epochs", "journal")
"""Tables that every start reads: one of their first pages goes, so that what is lost is lost at a known moment."""
OTHERS_MAX: Final = 3
HEADER_TOO: Final = 0.1


def pages(store: Path, rng: Random) -> list[int]:
    """Overwrites some pages of `store`, a file without a log; gives their numbers, 1 for the first."""
    with closing(sqlite3.connect(store)) as sql:
        roots = dict(sql.execute("SELECT name, rootpage FROM sqlite_schema WHERE type = 'table'"))
        count: int = sql.execute("PRAGMA page_count").fetchone()[0]
    others = rng.sample(range(2, count + 1), min(count - 1, rng.randrange(OTHERS_MAX + 1)))
    spoilt = sorted({roots[rng.choice(NOTICED)], *others, *([1] if rng.random() < HEADER_TOO else [])})
    with store.open("r+b") as file:
        for number in spoilt:
            file.seek((number - 1) * PAGE_BYTES)
            file.write(rng.randbytes(PAGE_BYTES))
    return spoilt
