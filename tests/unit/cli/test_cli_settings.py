"""Settings: one file, the environment over it, and errors that say where, what and what was meant."""

from __future__ import annotations

import enum
from pathlib import Path
from typing import Annotated

import msgspec
import pytest
from msgspec import Meta

from cli.exits import Exit
from cli.settings import OWNERS, Setting, SettingsError, describe, load


class Mode(enum.StrEnum):
    KIOSK = "kiosk"
    LANE = "lane"


class Login(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    host: Annotated[str, Meta(description="Where.")] = "localhost"
    port: Annotated[int, Meta(ge=1, le=65535, description="Which port.")] = 1883


class Settings(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """Has one of each kind of value."""

    device: Annotated[str, Meta(description="Who.")]
    mode: Annotated[Mode, Meta(description="How.")] = Mode.KIOSK
    folder: Annotated[Path, Meta(description="Where on disk.")] = Path("var")
    keep: Annotated[bool, Meta(description="Whether.")] = False
    wait_s: Annotated[float | None, Meta(description="How long.")] = None
    shops: Annotated[tuple[str, ...], Meta(description="Which.")] = ()
    broker: Login = Login()


def load_text(tmp_path: Path, text: str, **environ: str) -> Settings:
    path = tmp_path / "tokuten.toml"
    path.write_text(text)
    return load("unit", Settings, path, environ)


def refusal(tmp_path: Path, text: str, **environ: str) -> str:
    with pytest.raises(SettingsError) as caught:
        load_text(tmp_path, text, **environ)
    assert caught.value.code is Exit.SETTINGS
    return str(caught.value).removeprefix(f"{tmp_path}/")


def test_the_file_is_read_and_what_it_leaves_out_has_its_default(tmp_path: Path) -> None:
    text = '[unit]\ndevice = "lane-1"\nfolder = "data"\nshops = ["a", "b"]\n[unit.broker]\nport = 18830\n'
    assert load_text(tmp_path, text) == Settings(
        device="lane-1", folder=Path("data"), shops=("a", "b"), broker=Login(port=18830)
    )


def test_the_environment_wins_over_the_file(tmp_path: Path) -> None:
    settings = load_text(
        tmp_path,
        '[unit]\ndevice = "lane-1"\nkeep = true\n[unit.broker]\nhost = "file"\nport = 1\n',
        TOKUTEN_UNIT__BROKER__HOST="environment",
        TOKUTEN_UNIT__KEEP="false",
        TOKUTEN_UNIT__WAIT_S="1.5",
        TOKUTEN_UNIT__MODE="lane",
        TOKUTEN_UNIT__FOLDER="/data",
        TOKUTEN_UNIT__SHOPS='["ueno", "shinjuku"]',
        PATH="/bin",
    )
    assert settings == Settings(
        device="lane-1",
        mode=Mode.LANE,
        folder=Path("/data"),
        wait_s=1.5,
        shops=("ueno", "shinjuku"),
        broker=Login(host="environment", port=1),
    )


def test_the_environment_alone_is_enough() -> None:
    assert load("unit", Settings, None, {"TOKUTEN_UNIT__DEVICE": "lane-1"}) == Settings(device="lane-1")


def test_other_sections_are_left_to_their_owners(tmp_path: Path) -> None:
    text = '[unit]\ndevice = "lane-1"\n[central]\nwhatever = 1\n'
    assert load_text(tmp_path, text, TOKUTEN_CENTRAL__HTTP__PORT="80") == Settings(device="lane-1")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[unit]\ndevise = "x"', "tokuten.toml: [unit] devise: no such setting; did you mean 'device'?"),
        ('[unit.broker]\nhots = "x"', "tokuten.toml: [unit.broker] hots: no such setting; did you mean 'host'?"),
        ("[unit.broker]\nzzz = 1", "tokuten.toml: [unit.broker] zzz: no such setting; there are: host, port"),
        ("[units]", "tokuten.toml: [units]: no such section; did you mean 'unit'?"),
        ("unit = 1", "tokuten.toml: unit: expected a section [unit], got a number"),
        ("[unit]\ndevice = 5", "tokuten.toml: [unit] device: expected str, got int"),
        ('[unit]\ndevice = "x"\nbroker = 5', "tokuten.toml: [unit] broker: expected object, got int"),
        ('[unit]\ndevice = "x"\nfolder = 5', "tokuten.toml: [unit] folder: expected a path, got a number"),
        (
            '[unit]\ndevice = "x"\n[unit.broker]\nport = "1883"',
            "tokuten.toml: [unit.broker] port: expected int, got str",
        ),
        ('[unit]\ndevice = "x"\n[unit.broker]\nport = 0', "tokuten.toml: [unit.broker] port: expected int >= 1"),
        ('[unit]\ndevice = "x"\nmode = "shop"', "tokuten.toml: [unit] mode: invalid enum value 'shop'"),
        ("[unit]", "tokuten.toml: [unit] device: must be given (there or as TOKUTEN_UNIT__DEVICE)"),
        ("[unit", "tokuten.toml: is not TOML: Expected ']' at the end of a table declaration (at end of document)"),
    ],
)
def test_a_wrong_file_is_refused_with_the_place_and_what_was_meant(tmp_path: Path, text: str, message: str) -> None:
    assert refusal(tmp_path, text) == message


@pytest.mark.parametrize(
    ("variable", "value", "message"),
    [
        ("TOKUTEN_UNIT__DEVISE", "x", "TOKUTEN_UNIT__DEVISE: no such setting; did you mean 'device'?"),
        ("TOKUTEN_UNIT__BROKER__PORT", "many", "TOKUTEN_UNIT__BROKER__PORT: expected int, got str"),
        ("TOKUTEN_UNIT__BROKER__PORT", "70000", "TOKUTEN_UNIT__BROKER__PORT: expected int <= 65535"),
        ("TOKUTEN_UNIT__BROKER", "x", "TOKUTEN_UNIT__BROKER: is a section; name one of its keys: host, port"),
        ("TOKUTEN_UNIT__DEVICE__X", "x", "TOKUTEN_UNIT__DEVICE__X: device is a value, nothing stands below it"),
        (
            "TOKUTEN_UNIT__SHOPS",
            "[a",
            "TOKUTEN_UNIT__SHOPS: is not a TOML list or table: Invalid value (at line 1, column 6)",
        ),
        (
            "TOKUTEN_UNITS__DEVICE",
            "x",
            "TOKUTEN_UNITS__DEVICE: names no setting (the form is TOKUTEN_SECTION__KEY); did you mean 'unit'?",
        ),
    ],
)
def test_a_wrong_variable_is_refused_by_its_name(tmp_path: Path, variable: str, value: str, message: str) -> None:
    assert refusal(tmp_path, '[unit]\ndevice = "lane-1"\n', **{variable: value}) == message


def test_a_file_that_is_not_there_or_not_text_is_named(tmp_path: Path) -> None:
    missing = tmp_path / "missing.toml"
    with pytest.raises(SettingsError, match=f"{missing}: can't be read: No such file"):
        load("unit", Settings, missing, {})
    missing.write_bytes(b"[unit]\n\xff")
    with pytest.raises(SettingsError, match="is not UTF-8 text"):
        load("unit", Settings, missing, {})


def test_every_setting_describes_itself() -> None:
    assert list(describe("unit", Settings)) == [
        Setting("unit.device", "text", "", True, "Who."),
        Setting("unit.mode", "`kiosk`, `lane`", '"kiosk"', False, "How."),
        Setting("unit.folder", "text", '"var"', False, "Where on disk."),
        Setting("unit.keep", "true or false", "false", False, "Whether."),
        Setting("unit.wait_s", "number or nothing", "", False, "How long."),
        Setting("unit.shops", "list of text", "[]", False, "Which."),
        Setting("unit.broker.host", "text", '"localhost"', False, "Where."),
        Setting("unit.broker.port", "number from 1 to 65535", "1883", False, "Which port."),
    ]
    assert Setting("unit.broker.host", "text", "", True, "").variable == "TOKUTEN_UNIT__BROKER__HOST"


def test_the_sections_are_the_five_parts() -> None:
    assert list(OWNERS) == ["unit", "hub", "central", "broker", "demo"]
