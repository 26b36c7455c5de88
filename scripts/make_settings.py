"""docs/settings.md, made from the settings' own structs and descriptions (`cli.settings.OWNERS`)."""

from __future__ import annotations

import inspect
from collections.abc import Iterator

import msgspec

from cli.settings import OWNERS, describe, owner

HEAD = """<!-- made by scripts/make_settings.py from the settings structs -->
# Settings

One TOML file for all parts, given with `--config FILE`; each part reads its own section. An environment variable
wins over the file, the file over the default. A variable's name is the path in capitals with two underscores between:
`TOKUTEN_UNIT__BROKER__HOST=10.0.0.5` is `host` in `[unit.broker]`. Lists are written as in TOML: `'["ueno", "ginza"]'`.
An unknown section or key is refused with the nearest known name, a wrong value with what was expected (exit code 3).
Relative paths start at the working directory. Secrets are kept in files of their own, which the settings name.
"""


def pages() -> dict[str, str]:
    """What this generator writes: path below the repository and text."""
    return {"docs/settings.md": HEAD + "".join(_section(name, owner(name)) for name in OWNERS)}


def _section(name: str, kind: type[msgspec.Struct]) -> str:
    text = inspect.cleandoc(kind.__doc__ or "").partition("\n")[0].removeprefix(f"[{name}]: ")
    return f"\n## [{name}]\n\n{text[:1].upper()}{text[1:]}\n\n" + "\n".join(_rows(name, kind)) + "\n"


def _rows(section: str, kind: type[msgspec.Struct]) -> Iterator[str]:
    yield "| setting | what | value | default |"
    yield "|---|---|---|---|"
    for setting in describe(section, kind):
        default = "**must be given**" if setting.required else f"`{setting.default}`" if setting.default else "none"
        yield f"| `{setting.path}` | {setting.description.replace('|', '&#124;')} | {setting.type} | {default} |"
