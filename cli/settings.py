"""Settings: one TOML file with sections [unit] [hub] [central] [broker] [demo], and environment variables over it.

Precedence, highest first: environment (`TOKUTEN_UNIT__BROKER__HOST=...`), file, default. Nothing is guessed:
an unknown section or key is refused with the nearest known name, a value of the wrong type with what was
expected, and each message says where the value stood. A section is checked when a command uses it, so that a
unit can share a file with a centre whose packages it does not have.

The structs and their descriptions live beside their owners (`OWNERS`); `docs/settings.md` is made from them.
"""

from __future__ import annotations

import difflib
import importlib
import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeVar

import msgspec
from msgspec import inspect

from cli.exits import Exit, Stop

T = TypeVar("T", bound=msgspec.Struct)

PREFIX: Final = "TOKUTEN_"
FILE_BYTES_MAX: Final = 1024 * 1024
OWNERS: Final[dict[str, tuple[str, str]]] = {
    "unit": ("edge_agent.settings", "UnitSettings"),
    "hub": ("edge_agent.hub.box", "HubSettings"),
    "central": ("central.settings", "CentralSettings"),
    "broker": ("simulator.broker", "BrokerSettings"),
    "demo": ("simulator.demo", "DemoSettings"),
}


class SettingsError(Stop):
    """The settings can't be used; the message names file or variable, section, key and what was expected."""

    def __init__(self, message: str) -> None:
        super().__init__(message, Exit.SETTINGS)


class Setting(NamedTuple):
    """One setting, for the docs."""

    path: str  # 'unit.broker.host'
    type: str
    default: str  # as TOML; '' where it must be given
    required: bool
    description: str

    @property
    def variable(self) -> str:
        return PREFIX + self.path.upper().replace(".", "__")


def load(section: str, kind: type[T], path: Path | None = None, environ: Mapping[str, str] = os.environ) -> T:
    """Section `section` of the file at `path` (None: no file) under the environment, as a `kind`.

    Raises SettingsError.
    """
    where = str(path) if path else "no settings file given"
    given = _read(path) if path else {}
    for name, table in given.items():
        if name not in OWNERS:
            raise SettingsError(f"{where}: [{name}]: no such section{_nearest(name, OWNERS)}")
        if not isinstance(table, dict):
            raise SettingsError(f"{where}: {name}: expected a section [{name}], got {_type_name(table)}")
    struct = _struct(inspect.type_info(kind))
    assert struct is not None, f"{kind} is not a struct"
    values = given.get(section, {})
    _refuse_unknown(values, struct, where, section)
    for variable, keys, text in _variables(environ, section):
        _set(values, struct, keys, text, variable)
    return _check(values, kind, where, section)


def owner(section: str) -> type[msgspec.Struct]:
    """The struct of a section, imported from its owner."""
    module, name = OWNERS[section]
    return getattr(importlib.import_module(module), name)  # type: ignore[no-any-return]


def describe(section: str, kind: type[msgspec.Struct]) -> Iterator[Setting]:
    """Every setting of a section, nested ones included, in the order of the struct."""
    struct = _struct(inspect.type_info(kind))
    assert struct is not None
    yield from _describe(section, struct)


# --- reading -------------------------------------------------------------------------------------------


def _read(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            body = file.read(FILE_BYTES_MAX + 1)
    except OSError as error:
        raise SettingsError(f"{path}: can't be read: {error.strerror}") from error
    if len(body) > FILE_BYTES_MAX:
        raise SettingsError(f"{path}: more than {FILE_BYTES_MAX} bytes can't be a settings file")
    try:
        return tomllib.loads(body.decode())
    except UnicodeDecodeError as error:
        raise SettingsError(f"{path}: is not UTF-8 text (byte {error.start})") from error
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{path}: is not TOML: {error}") from error


def _variables(environ: Mapping[str, str], section: str) -> Iterator[tuple[str, list[str], str]]:
    """(variable, keys below the section, text) for each of our variables that belongs to `section`."""
    for variable in sorted(environ):
        if not variable.startswith(PREFIX):
            continue
        head, *keys = variable.removeprefix(PREFIX).lower().split("__")
        if head not in OWNERS or not keys:
            raise SettingsError(
                f"{variable}: names no setting (the form is {PREFIX}SECTION__KEY){_nearest(head, OWNERS)}"
            )
        if head == section:
            yield variable, keys, environ[variable]


def _set(values: dict[str, Any], struct: inspect.StructType, keys: list[str], text: str, variable: str) -> None:
    """Put an environment variable's value over the file's."""
    for depth, key in enumerate(keys):
        fields = {field.encode_name: field for field in struct.fields}
        if key not in fields:
            raise SettingsError(f"{variable}: no such setting{_nearest(key, fields)}")
        inner = _struct(fields[key].type)
        if depth == len(keys) - 1:
            if inner is not None:
                raise SettingsError(f"{variable}: is a section; name one of its keys: {', '.join(_names(inner))}")
            values[key] = _value(struct.cls, key, text, variable)
        elif inner is None:
            raise SettingsError(f"{variable}: {key} is a value, nothing stands below it")
        else:
            struct, values = inner, values.setdefault(key, {})


def _value(cls: type, key: str, text: str, variable: str) -> Any:
    """The text of a variable as the type of its field: words and numbers as they are, lists as in TOML."""
    kind = msgspec.structs.fields(cls)
    wanted = next(field.type for field in kind if field.encode_name == key)
    value: Any = text
    if text[:1] in "[{":
        try:
            value = tomllib.loads(f"x = {text}")["x"]
        except tomllib.TOMLDecodeError as error:
            raise SettingsError(f"{variable}: is not a TOML list or table: {error}") from error
    try:
        converted = msgspec.convert(value, wanted, strict=False, dec_hook=_from_toml)
        return msgspec.to_builtins(converted, builtin_types=(bytes,), enc_hook=str)
    except msgspec.ValidationError as error:
        raise SettingsError(f"{variable}: {_sentence(str(error))[1]}") from error


# --- checking ------------------------------------------------------------------------------------------


def _refuse_unknown(values: dict[str, Any], struct: inspect.StructType, where: str, section: str) -> None:
    fields = {field.encode_name: field for field in struct.fields}
    for key, value in values.items():
        if key not in fields:
            raise SettingsError(f"{where}: [{section}] {key}: no such setting{_nearest(key, fields)}")
        inner = _struct(fields[key].type)
        if inner is not None and isinstance(value, dict):
            _refuse_unknown(value, inner, where, f"{section}.{key}")


_MISSING: Final = re.compile(r"Object missing required field `(.+?)`")


def _check(values: dict[str, Any], kind: type[T], where: str, section: str) -> T:
    try:
        return msgspec.convert(values, kind, dec_hook=_from_toml)
    except msgspec.ValidationError as error:
        table, what = _sentence(str(error), section)
        if missing := _MISSING.search(str(error)):
            variable = PREFIX + f"{table}.{missing[1]}".upper().replace(".", "__")
            raise SettingsError(f"{where}: [{table}] {missing[1]}: must be given (there or as {variable})") from error
        section, _, key = table.rpartition(".")
        raise SettingsError(f"{where}: [{section}] {key}: {what}") from error


def _from_toml(kind: type, value: Any) -> Any:
    """What TOML and msgspec have no word for: a path is written as a text."""
    if kind is Path and isinstance(value, str):
        return Path(value)
    raise TypeError(f"expected a {kind.__name__.lower()}, got {_type_name(value)}")


def _sentence(message: str, section: str = "") -> tuple[str, str]:
    """(path, what is wrong) from msgspec's message: 'Expected `int`, got `str` - at `$.broker.port`'."""
    what, _, path = message.partition(" - at `$")
    what = what.replace("`", "")
    return section + path.removesuffix("`"), what[:1].lower() + what[1:]


def _struct(kind: inspect.Type) -> inspect.StructType | None:
    """The struct that a type is, perhaps behind annotations or 'or None'."""
    if isinstance(kind, inspect.Metadata):
        return _struct(kind.type)
    if isinstance(kind, inspect.UnionType):
        return next((inner for inner in map(_struct, kind.types) if inner is not None), None)
    return kind if isinstance(kind, inspect.StructType) else None


def _names(struct: inspect.StructType) -> list[str]:
    return [field.encode_name for field in struct.fields]


def _nearest(name: str, known: Mapping[str, Any]) -> str:
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    return f"; did you mean {near[0]!r}?" if near else f"; there are: {', '.join(known)}"


def _type_name(value: Any) -> str:
    return {str: "a text", bool: "true or false", int: "a number", float: "a number", list: "a list"}.get(
        type(value), type(value).__name__
    )


# --- describing ----------------------------------------------------------------------------------------


def _describe(path: str, struct: inspect.StructType) -> Iterator[Setting]:
    for field in struct.fields:
        inner = _struct(field.type)
        here = f"{path}.{field.encode_name}"
        if inner is not None:
            yield from _describe(here, inner)
        else:
            default: Any = field.default
            if field.default_factory is not msgspec.NODEFAULT:
                default = field.default_factory()
            yield Setting(here, _words(field.type), _toml(default), field.required, _description(field.type))


def _description(kind: inspect.Type) -> str:
    if isinstance(kind, inspect.Metadata):
        return str((kind.extra_json_schema or {}).get("description", "")) or _description(kind.type)
    return ""


def _words(kind: inspect.Type) -> str:
    """The type in words, with its bounds."""
    match kind:
        case inspect.Metadata():
            return _words(kind.type)
        case inspect.UnionType():
            return " or ".join(_words(inner) for inner in kind.types)
        case inspect.NoneType():
            return "nothing"
        case inspect.BoolType():
            return "true or false"
        case inspect.IntType() | inspect.FloatType():
            bounds = [f"from {kind.ge}" if kind.ge is not None else "", f"to {kind.le}" if kind.le is not None else ""]
            return " ".join(["number", *filter(None, bounds)])
        case inspect.LiteralType():
            return ", ".join(f"`{value}`" for value in kind.values)
        case inspect.EnumType():
            return ", ".join(f"`{member.value}`" for member in kind.cls)
        case inspect.ListType() | inspect.VarTupleType() | inspect.SetType():
            return f"list of {_words(kind.item_type)}"
        case inspect.StructType():
            return f"tables of {', '.join(_names(kind))}"
        case inspect.DictType():
            return f"table of {_words(kind.value_type)}"
        case _:
            return "text"


def _toml(value: Any) -> str:
    match value:
        case msgspec.NODEFAULT | None:
            return ""
        case bool():
            return str(value).lower()
        case str() | Path():
            return f'"{value}"'
        case list() | tuple():
            return "[" + ", ".join(map(_toml, value)) + "]"
        case _:
            return str(value)
