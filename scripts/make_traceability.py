"""docs/traceability.md: each feature row with its code and the tests that carry its name.

The rows and their code stand in docs/rows.toml; the tests are found by their names (`test_K5_...`), so the table can't
promise a test that is not there. A row without code and without a test says 'later'.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Final

import msgspec

ROOT: Final = Path(__file__).resolve().parent.parent
ROWS_FILE: Final = "docs/rows.toml"
TEST_NAME: Final = re.compile(r"\bdef test_((?:[KGBPM]\d+_)+)")

HEAD = """<!-- made by scripts/make_traceability.py from docs/rows.toml and the names of the tests -->
# From documents to code and tests

Every feature has a row; its name stands in the names of the tests that show it (`test_K5_...`). *later*: not built yet.
"""


class Row(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """A feature that a person can use and a test can show."""

    what: str
    code: tuple[str, ...] = ()


class Rows(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """docs/rows.toml"""

    documents: dict[str, str]
    rows: dict[str, Row]


def rows() -> Rows:
    return msgspec.convert(tomllib.loads((ROOT / ROWS_FILE).read_text(encoding="utf-8")), Rows)


def tests() -> dict[str, list[str]]:
    """The test files that name each row, sorted. A name may carry several: `test_K6_K9_...`."""
    found: dict[str, set[str]] = {}
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        for names in TEST_NAME.findall(path.read_text(encoding="utf-8")):
            for row in names.strip("_").split("_"):
                found.setdefault(row, set()).add(str(path.relative_to(ROOT)))
    return {row: sorted(paths) for row, paths in found.items()}


def pages() -> dict[str, str]:
    """What this generator writes: path below the repository and text."""
    all_rows, shown = rows(), tests()
    text = HEAD
    for letter, title in all_rows.documents.items():
        text += f"\n## {letter}: {title}\n\n| row | what | code | tests |\n|---|---|---|---|\n"
        for name, row in all_rows.rows.items():
            if name.startswith(letter):
                text += f"| {name} | {row.what} | {_paths(row.code)} | {_paths(shown.get(name, ()))} |\n"
    return {"docs/traceability.md": text}


def _paths(paths: tuple[str, ...] | list[str]) -> str:
    return "<br>".join(f"`{path}`" for path in paths) or "later"
