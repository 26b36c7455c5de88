"""Write the signatures of picamera2's classes that we use, from the released package's source, as JSON.

`python -m scripts.make_picamera2_words [FILE]`: pip downloads the package alone; it is parsed and never imported, since
it needs a Raspberry Pi's own libcamera. FILE is tests/unit/pi/picamera2.json unless it is named.
"""

from __future__ import annotations

import ast
import json
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import Final

DEFAULT: Final = Path(__file__).resolve().parent.parent / "tests/unit/pi/picamera2.json"
CLASSES: Final = {"picamera2.py": "Picamera2", "request.py": "CompletedRequest", "job.py": "Job"}


def main(arguments: list[str]) -> None:
    out = Path(arguments[0]) if arguments else DEFAULT
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", folder, "picamera2"]
        subprocess.run(command, check=True)
        (wheel,) = Path(folder).glob("picamera2-*.whl")
        with zipfile.ZipFile(wheel) as archive:
            classes = {
                name: _methods(archive.read(f"picamera2/{file}").decode(), name) for file, name in CLASSES.items()
            }
        version = wheel.name.split("-")[1]
    out.write_text(json.dumps({"version": version, "classes": classes}, indent=1) + "\n")


def _methods(source: str, name: str) -> dict[str, list[str]]:
    """Each public method of a class with the names of its arguments; of overloads the last, which is the real one."""
    (found,) = (node for node in ast.parse(source).body if isinstance(node, ast.ClassDef) and node.name == name)
    return {
        node.name: [argument.arg for argument in (*node.args.args, *node.args.kwonlyargs)]
        for node in found.body
        if isinstance(node, ast.FunctionDef) and (not node.name.startswith("_") or node.name == "__init__")
    }


if __name__ == "__main__":
    main(sys.argv[1:])
