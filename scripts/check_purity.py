"""Hold the pure packages to their promise where the import checker can't see: calls and reads, not imports.

In `loyalty`, `wire` and `edge_agent/core` the clock, randomness, files and the terminal are handed in as
arguments or come out as effects. import-linter bans whole modules (.importlinter); this finds `datetime.now`, the
makers of random keys, `open`, `print` and imports by name, also behind aliases and inside functions.

    python -m scripts.check_purity        # exit 1 and one line for each violation
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

ROOT: Final = Path(__file__).resolve().parent.parent
PURE: Final = ("loyalty", "wire", "edge_agent/core")

BANNED: Final = {
    "datetime.datetime.now": "the time is an argument",
    "datetime.datetime.utcnow": "the time is an argument",
    "datetime.datetime.today": "the time is an argument",
    "datetime.date.today": "the time is an argument",
    "nacl.utils.random": "randomness is an argument",
    "nacl.signing.SigningKey.generate": "randomness is an argument",
    "nacl.public.PrivateKey.generate": "randomness is an argument",
    "importlib": "imports stand at the top of a module",
    "builtins.__import__": "imports stand at the top of a module",
    "builtins.open": "files belong to the store and the adapters",
    "builtins.print": "what is said is an effect",
    "builtins.input": "what is heard is an event",
    "builtins.eval": "text is data",
    "builtins.exec": "text is data",
    "builtins.breakpoint": "not in the repository",
}
# Modules that .importlinter bans too; here they are found without a graph, in one file.
BANNED_MODULES: Final = frozenset(
    {"time", "random", "secrets", "uuid", "os", "socket", "threading", "asyncio", "sqlite3"}
)


class Violation(NamedTuple):
    """Where something impure stands."""

    path: str
    line: int
    what: str
    why: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.what}: {self.why}"


def violations(source: str, path: str) -> list[Violation]:
    """Everything impure in one module's source."""
    tree = ast.parse(source, path)
    names = dict(_imports(tree))
    found = {
        Violation(path, getattr(node, "lineno", 0), name, BANNED.get(name, "a pure module does without it"))
        for node in ast.walk(tree)
        for name in _banned(node, names)
    }
    return sorted(found)


def _imports(tree: ast.AST) -> Iterator[tuple[str, str]]:
    """(local name, dotted origin) of each import, wherever it stands."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield (alias.asname, alias.name) if alias.asname else (alias.name.partition(".")[0],) * 2
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            for alias in node.names:
                yield alias.asname or alias.name, f"{node.module}.{alias.name}"


def _banned(node: ast.AST, names: dict[str, str]) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names if _bad_module(alias.name))
    elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
        if _bad_module(node.module):
            yield node.module
        yield from (full for alias in node.names if (full := f"{node.module}.{alias.name}") in BANNED)
    elif isinstance(node, ast.Attribute | ast.Name) and isinstance(node.ctx, ast.Load):
        name = _dotted(node, names)
        if name in BANNED:
            yield name


def _bad_module(name: str) -> bool:
    return name.partition(".")[0] in BANNED_MODULES or name.partition(".")[0] in BANNED


def _dotted(node: ast.AST, names: dict[str, str]) -> str:
    """The full name that an expression like `dt.now` stands for; '' where it is none."""
    if isinstance(node, ast.Name):
        return names.get(node.id, f"builtins.{node.id}")
    if isinstance(node, ast.Attribute):
        head = _dotted(node.value, names)
        return f"{head}.{node.attr}" if head else ""
    return ""


def main() -> int:
    found = [
        violation
        for folder in PURE
        for path in sorted((ROOT / folder).rglob("*.py"))
        for violation in violations(path.read_text(encoding="utf-8"), str(path.relative_to(ROOT)))
    ]
    for violation in found:
        print(violation)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
