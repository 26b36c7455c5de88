"""`tokuten card` as staff types it: first cards, new ones for lost ones, blocking, keys (M1, M2)."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from central.keys import Keys
from cli.exits import Exit, Stop
from cli.main import app
from loyalty.card import PAGE_BYTES
from loyalty.card_slots import USER_FIRST_PAGE, USER_PAGES, Chip, look

UID, OTHER_UID = "04a1b2c3d4e5f6", "04a1b2c3d4e5f7"
Shell = Callable[..., str]


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    (tmp_path / "tokuten.toml").write_text(f'[central]\ndata_dir = "{tmp_path / "centre"}"\n')
    (tmp_path / "password").write_text("secret\n")
    (tmp_path / "wrong").write_text("Secret\n")

    def run(*words: str, code: int = 0) -> str:
        done = CliRunner().invoke(app, [*words, "--config", str(tmp_path / "tokuten.toml")])
        ended, said = done.exit_code, done.output
        if isinstance(done.exception, Stop):
            ended, said = int(done.exception.code), said + str(done.exception)
        elif done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        assert ended == code, said
        return said

    run("central", "init")
    run("central", "person", "BBB", "--password-file", str(tmp_path / "password"))
    return run


def on_a_tag(said: str, chip: Chip) -> bytes:
    """The memory of an empty tag after the page writes that were printed."""
    memory = bytearray(USER_PAGES[chip] * PAGE_BYTES)
    for page, data in re.findall(r"^page +(\d+)  ([0-9a-f]{8})$", said, re.MULTILINE):
        at = (int(page) - USER_FIRST_PAGE) * PAGE_BYTES
        memory[at : at + PAGE_BYTES] = bytes.fromhex(data)
    return bytes(memory)


def test_M1_M2_a_first_card_a_new_one_for_a_lost_one_and_what_no_chip_has_room_for(
    shell: Shell, tmp_path: Path
) -> None:
    ((_, key),) = Keys(tmp_path / "centre" / "keys").cards()
    said = shell("card", "issue", "BBB", "--uid", UID, "--chip", "mf0ul11")
    assert "room for the points of 1 programme;" in said
    first = look(on_a_tag(said, Chip.MF0UL11), Chip.MF0UL11, bytes.fromhex(UID), (key,)).found
    assert first is not None
    number = re.search(r"member (\d{4} \d{3} \d{3}), card 1", said)
    assert number is not None
    assert "reissue" in shell("card", "issue", "BBB", "--uid", UID, code=Exit.NO)
    no = shell(
        "card", "reissue", number[1], "--uid", OTHER_UID, "--password-file", str(tmp_path / "wrong"), code=Exit.NO
    )
    assert "wrong" in no
    said = shell("card", "reissue", number[1], "--uid", OTHER_UID, "--password-file", str(tmp_path / "password"))
    second = look(on_a_tag(said, Chip.NTAG213), Chip.NTAG213, bytes.fromhex(OTHER_UID), (key,)).found
    assert second is not None
    assert (second.record.holder, second.record.generation) == (first.record.holder, 2)
    listed = shell("card", "list", number[1])
    assert UID in listed
    assert "replaced" in listed
    assert UID not in shell("card", "list")


def test_M2_tries_at_the_desk_are_limited_too(shell: Shell, tmp_path: Path) -> None:
    shell("card", "issue", "BBB", "--uid", UID)
    again = ("card", "reissue", "BBB", "--uid", UID, "--password-file")
    for _ in range(5):
        assert "is wrong" in shell(*again, str(tmp_path / "wrong"), code=Exit.NO)
    assert "too many" in shell(*again, str(tmp_path / "password"), code=Exit.NO)


def test_M2_a_lost_card_is_blocked_and_found_again(shell: Shell) -> None:
    shell("card", "issue", "BBB", "--uid", UID)
    assert "is blocked" in shell("card", "block", "BBB")
    assert "already" in shell("card", "block", "BBB", code=Exit.USAGE)
    assert "lost" in shell("card", "list")
    assert "counts again" in shell("card", "block", "BBB", "--found")


@pytest.mark.parametrize("words", [("issue", "nobody", "--uid", UID), ("block", "nobody"), ("list", "nobody")])
def test_nobody_has_no_card(shell: Shell, words: tuple[str, ...]) -> None:
    shell("card", *words, code=Exit.NO)


def test_a_uid_that_is_none_is_said_to_be(shell: Shell) -> None:
    assert "hexadecimal" in shell("card", "issue", "BBB", "--uid", "xyz", code=Exit.USAGE)
    assert "bytes" in shell("card", "issue", "BBB", "--uid", "0401", code=Exit.USAGE)


def test_a_new_key_writes_and_the_one_before_is_still_read(shell: Shell, tmp_path: Path) -> None:
    said = shell("card", "issue", "BBB", "--uid", UID)
    assert "key 2" in shell("card", "key-rotate")
    keys = [key for _, key in Keys(tmp_path / "centre" / "keys").cards()]
    assert len(keys) == 2
    assert look(on_a_tag(said, Chip.NTAG213), Chip.NTAG213, bytes.fromhex(UID), keys).found is not None
