"""The cards beside the kiosk outlive the demo, there is always an empty one, and the eye reads what a display shows."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from edge_agent.screens.layout import draw
from edge_agent.screens.screen import Icon, Screen, Status
from hal.virtual.tag import Tag
from loyalty.card import Balance, Record
from loyalty.card_slots import Chip, look, plan
from simulator.kiosk.eye import qr_text
from simulator.wallet import FOREIGN, TAGS_MAX, Wallet

KEY = b"k" * 32
LINK = "http://127.0.0.1:8470/card/c_kNc6I-aZ2_Y-L7zR519A"


def write(tag: Tag) -> None:
    made = plan(Record(holder=7, generation=1, balances=(Balance(1, 70),)), None, Chip.NTAG213, tag.uid, KEY)
    assert made is not None
    for page in made.writes:
        tag.write(page.page, page.data)


def kinds(wallet: Wallet) -> list[tuple[str, str]]:
    return [(face["name"], face["kind"]) for face in wallet.faces()]


def test_what_the_kiosk_wrote_on_a_card_is_there_after_a_restart(tmp_path: Path) -> None:
    file = tmp_path / "wallet.json"
    wallet = Wallet(file)
    wallet.fill()
    write(wallet.tags["new-1"])
    assert wallet.keep()
    assert not wallet.keep(), "nothing has changed since"
    again = Wallet(file).tags["new-1"]
    found = look(again.user_memory, again.chip, again.uid, (KEY,)).found
    assert found is not None
    assert (found.record.holder, found.record.points(1)) == (7, 70)
    assert file.stat().st_mode & 0o077 == 0, "nobody else reads it"


def test_there_is_always_one_empty_card_as_long_as_there_is_room(tmp_path: Path) -> None:
    wallet = Wallet(tmp_path / "wallet.json")
    wallet.fill()
    assert kinds(wallet) == [("new-1", "empty"), (FOREIGN, "foreign")]
    write(wallet.tags["new-1"])
    wallet.fill()
    assert kinds(wallet) == [("new-1", "new"), ("new-2", "empty"), (FOREIGN, "foreign")]
    for number in range(2, 2 * TAGS_MAX):
        if f"new-{number}" in wallet.tags:
            write(wallet.tags[f"new-{number}"])
            wallet.fill()
    assert len(wallet.tags) == TAGS_MAX
    assert len({tag.uid for tag in wallet.tags.values()}) == TAGS_MAX


def test_a_file_that_cant_be_read_is_as_if_there_was_none(tmp_path: Path) -> None:
    file = tmp_path / "wallet.json"
    file.write_text("[{]")
    assert Wallet(file).tags == {}


def test_the_eye_reads_the_qr_of_a_display_and_nothing_else() -> None:
    status = Status(clock="10:00", online=True, waiting=0)
    shown = draw(Screen(icon=Icon.PHONE, headline="会員登録", detail="スマホで", code=LINK))
    assert qr_text(shown.tobytes()) == LINK
    assert (
        qr_text(draw(Screen(icon=Icon.PHONE, headline="クーポンを\nどうぞ", detail="", status=status)).tobytes()) == ""
    )
    assert qr_text(Image.new("1", (128, 64)).tobytes()) == ""
