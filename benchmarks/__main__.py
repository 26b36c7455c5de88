"""`make bench`: the machine, then every benchmark of this folder, each in a process of its own.

    python -m benchmarks [NAME...] [--quick | --full]      # all, or those named

A benchmark is a module with a `main()`; it prints both sides and their ratio, and ends with something else than 0
where its bound is broken. The others still run, and the whole ends with 1 then. `--quick` takes a minute or two and
proves little; `--full` has the sizes that the promises speak of, and takes long (docs/benchmarks.md).
"""

from __future__ import annotations

import argparse
import ast
import datetime
import os
import platform
import sqlite3
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path

HERE = Path(__file__).resolve().parent
PARTS = ("msgspec", "PyNaCl", "paho-mqtt", "zxing-cpp", "numpy", "SQLAlchemy")
FLAGS = {"decode": ("--quick",)}  # what those know that have no sizes of their own: decode is always whole


def names() -> list[str]:
    """The modules here that have a `main()`."""
    return [path.stem for path in sorted(HERE.glob("[a-z]*.py")) if _has_main(path)]


def _has_main(path: Path) -> bool:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return any(isinstance(node, ast.FunctionDef) and node.name == "main" for node in tree.body)


def machine() -> str:
    """What the figures were measured on."""
    cpuinfo = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    model = next((line.partition(":")[2].strip() for line in cpuinfo if line.startswith("model name")), "unknown")
    packages = ", ".join(f"{name} {version(name)}" for name in PARTS)
    return (
        f"{os.cpu_count()} x {model or platform.machine()}, {platform.system()} {platform.release()}\n"
        f"Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}, {packages}"
    )


def main() -> int:
    known = names()
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="The figures, as ratios in one run.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(known))
    how_much = parser.add_mutually_exclusive_group()
    how_much.add_argument("--quick", action="store_true", help="small sizes")
    how_much.add_argument("--full", action="store_true", help="the sizes of the promises")
    taken = parser.parse_args()
    if unknown := set(taken.names) - set(known):
        print(f"no benchmark is called {', '.join(sorted(unknown))}; there are: {', '.join(known)}", file=sys.stderr)
        return 2
    size = "quick" if taken.quick else "full" if taken.full else ""
    print(f"{datetime.datetime.now(datetime.UTC):%Y-%m-%d %H:%M} UTC, sizes: {size or 'usual'}\n{machine()}")
    failed = []
    for name in taken.names or known:
        load, began_s = os.getloadavg()[0], time.monotonic()
        print(f"\n== {name} (load {load:.1f})", flush=True)
        flags = [f"--{size}"] if size and f"--{size}" in FLAGS.get(name, (f"--{size}",)) else []
        command = [sys.executable, "-m", f"benchmarks.{name}", *flags]
        if subprocess.run(command, cwd=HERE.parent, check=False).returncode:
            failed.append(name)
        print(f"  ({time.monotonic() - began_s:.0f} s)", flush=True)
    if failed:
        print(f"\nFAILED: {' '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
