"""Write the pages of docs/ that are made from code. A test fails when one of them is out of date.

python -m scripts.make_docs            # writes them
python -m scripts.make_docs --check    # names those that are out of date; exit 1 if there are any
"""

from __future__ import annotations

import sys
from pathlib import Path

from scripts import make_asyncapi, make_openapi, make_settings, make_state_machine, make_till_api, make_traceability

ROOT = Path(__file__).resolve().parent.parent
GENERATORS = (make_asyncapi, make_openapi, make_settings, make_state_machine, make_till_api, make_traceability)


def pages() -> dict[str, str]:
    """Every generated page: path below the repository and text."""
    return {path: text for generator in GENERATORS for path, text in generator.pages().items()}


def out_of_date() -> list[str]:
    """The generated pages whose file says something else."""
    return [path for path, text in pages().items() if not _same(ROOT / path, text)]


def _same(path: Path, text: str) -> bool:
    return path.is_file() and path.read_text(encoding="utf-8") == text


def main() -> int:
    stale = out_of_date()
    if "--check" in sys.argv[1:]:
        for path in stale:
            print(f"{path} is out of date: make docs")
        return 1 if stale else 0
    for path, text in pages().items():
        if path in stale:
            (ROOT / path).write_text(text, encoding="utf-8")
            print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
