"""The models of chips and cards: what the standard and the data sheets say, and what they don't let a driver do."""

from __future__ import annotations

import pytest

from firmware import type_a
from hal.virtual.chips import ModelError
from hal.virtual.chips.air import Air, Foreign, Frame, TagMemory, crc_a, with_crc
from hal.virtual.chips.mfrc522 import Mfrc522Model
from hal.virtual.chips.pn532 import Pn532Model
from hal.virtual.tag import Tag
from loyalty.card_slots import Chip

UID = bytes.fromhex("04a1b2c3d4e5f6")


def air_with(*memories: TagMemory | Foreign) -> Air:
    air = Air()
    for memory in memories:
        air.put(memory)
    air.switch(on=True)
    return air


def select(air: Air) -> None:
    assert air.send(Frame(b"\x52", 7)).frame is not None
    for level in (0x93, 0x95):
        part = air.send(Frame(bytes((level, 0x20)))).frame
        assert part is not None
        assert air.send(with_crc(bytes((level, 0x70)) + part.data)).frame is not None


def said(air: Air, command: bytes) -> Frame | None:
    return air.send(with_crc(command)).frame


@pytest.mark.parametrize(("data", "crc"), [("0000", "a01e"), ("1234", "26cf")])
def test_both_crcs_give_the_examples_of_the_standard(data: str, crc: str) -> None:
    """ISO/IEC 14443-3, annex B."""
    assert crc_a(bytes.fromhex(data)).hex() == crc
    assert type_a.crc_a(bytes.fromhex(data)).hex() == crc


def test_a_card_is_woken_and_selected_through_the_cascade() -> None:
    air = air_with(TagMemory(Tag(UID)))
    assert said(air, b"\x60") is None  # not before it is selected
    assert air.send(Frame(b"\x26", 7)).frame == Frame(b"\x44\x00")
    first = air.send(Frame(b"\x93\x20")).frame
    assert first is not None
    assert first.data == b"\x88" + UID[:3] + bytes((0x88 ^ UID[0] ^ UID[1] ^ UID[2],))
    more = air.send(with_crc(b"\x93\x70" + first.data)).frame
    assert more == with_crc(b"\x04")
    second = air.send(Frame(b"\x95\x20")).frame
    assert second is not None
    assert air.send(with_crc(b"\x95\x70" + second.data)).frame == with_crc(b"\x00")
    assert said(air, b"\x60") == with_crc(bytes.fromhex("0004040201000f03"))


def test_a_halted_card_hears_the_wake_up_and_not_the_request() -> None:
    air = air_with(TagMemory(Tag(UID)))
    select(air)
    assert said(air, b"\x50\x00") is None
    assert air.send(Frame(b"\x26", 7)).frame is None
    assert air.send(Frame(b"\x52", 7)).frame is not None


def test_reading_past_the_end_rolls_over_and_fast_reading_does_not() -> None:
    tag = Tag(UID)
    tag.write(39, b"last")
    air = air_with(TagMemory(tag))
    select(air)
    rolled = said(air, b"\x30\x2c")
    assert rolled is not None
    assert rolled.data[4:16] == tag.read(0, 3)
    assert said(air, b"\x3a\x2c\x2d") == Frame(b"\x00", 4)


def test_a_nak_ends_the_session_and_a_wrong_crc_has_a_code_of_its_own() -> None:
    air = air_with(TagMemory(Tag(UID)))
    select(air)
    assert air.send(Frame(b"\x30\x04\xff\xff")).frame == Frame(b"\x01", 4)
    assert said(air, b"\x30\x04") is None
    select(air)
    assert said(air, b"\xa2\x00abcd") == Frame(b"\x00", 4)
    assert said(air, b"\x30\x04") is None


def test_two_cards_that_answer_differently_collide() -> None:
    air = air_with(TagMemory(Tag(UID)), TagMemory(Tag(UID[:6] + b"\x00")))
    assert not air.send(Frame(b"\x52", 7)).collision  # the same ATQA
    select(air_with(TagMemory(Tag(UID))))
    first = air.send(Frame(b"\x93\x20")).frame
    assert first is not None
    air.send(with_crc(b"\x93\x70" + first.data))
    assert air.send(Frame(b"\x95\x20")).collision


def test_a_tear_leaves_half_a_page_and_no_card() -> None:
    tag = Tag(UID)
    memory = TagMemory(tag)
    air = air_with(memory)
    memory.tear = (1, 3)
    select(air)
    assert said(air, b"\xa2\x04done") == Frame(b"\x0a", 4)
    assert said(air, b"\xa2\x05torn") is None
    assert tag.read(4, 2) == b"donetor\x00"
    assert air.cards == []


@pytest.mark.parametrize("chip", Chip)
def test_each_chip_says_its_version(chip: Chip) -> None:
    air = air_with(TagMemory(Tag(UID, chip)))
    select(air)
    version = said(air, b"\x60")
    assert version is not None
    assert len(version.data) == 10


@pytest.mark.parametrize(
    "transfer",
    ["0301", "0200", "8300", "fe00", "6e91", "0c00ff"],
    ids=["odd address", "reserved or not", "odd read", "reserved read", "read-only", "start without a command"],
)
def test_the_mfrc522_model_refuses_what_the_data_sheet_forbids(transfer: str) -> None:
    chip = Mfrc522Model(Air())
    if transfer == "0200":  # Idle is allowed
        chip.transfer(bytes.fromhex(transfer))
        return
    with pytest.raises(ModelError):
        chip.transfer(bytes.fromhex(transfer) if transfer != "0c00ff" else b"\x1a\x80")


def test_the_mfrc522_model_holds_64_bytes() -> None:
    chip = Mfrc522Model(Air())
    chip.transfer(bytes((0x12,)) + bytes(64))
    with pytest.raises(ModelError, match="64"):
        chip.transfer(b"\x12\x00")


def test_the_pn532_model_takes_no_wrong_checksum_and_nothing_before_its_setup() -> None:
    chip = Pn532Model(Air())
    with pytest.raises(ModelError, match="frame"):
        chip.write(0x24, bytes.fromhex("0000ff02fed40200ff"))
    with pytest.raises(ModelError, match="SAM"):
        chip.write(0x24, bytes.fromhex("0000ff04fcd44a0100e100"))
    assert not chip.write(0x25, b"")
