"""The board's drivers on the models of the chips: every kind of card, every kind of fault, and how few transfers it
takes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import pytest

from firmware import protocol as p
from firmware import tags
from firmware.cards import CHECK_MS, Cards, Refused
from firmware.events import Events
from firmware.faults import Garbled, Nak, ReaderFault, Silent, TwoCards
from firmware.hardware import DEFAULT, Parts
from firmware.mfrc522 import Mfrc522
from firmware.reader import Found, Reader
from hal.virtual.chips.air import Foreign, TagMemory
from hal.virtual.chips.bench import Bench
from hal.virtual.chips.shim import Machine
from hal.virtual.tag import Tag
from loyalty.card_slots import USER_PAGES, Chip

UID = bytes.fromhex("04a1b2c3d4e5f6")
KINDS: Final = {
    Chip.NTAG213: p.CHIP_NTAG213,
    Chip.NTAG215: p.CHIP_NTAG215,
    Chip.NTAG216: p.CHIP_NTAG216,
    Chip.MF0UL11: p.CHIP_MF0UL11,
    Chip.MF0UL21: p.CHIP_MF0UL21,
}


class Rig:
    def __init__(self, chip: str) -> None:
        self.bench = Bench()
        machine = Machine(self.bench.serve)

        class NoLine:
            receive = staticmethod(lambda: b"")
            send = staticmethod(lambda data: None)
            idle = staticmethod(machine.idle)

        self.reader: Reader = Parts(machine, DEFAULT | {"reader": chip}, NoLine(), machine, lambda: 0).reader

    def find(self) -> Found:
        found = self.reader.select()
        assert found is not None
        return found


@pytest.fixture(params=["mfrc522", "pn532"])
def rig(request: pytest.FixtureRequest):  # type: ignore[no-untyped-def]
    opened = Rig(request.param)
    opened.reader.start()
    yield opened
    opened.bench.close()


@pytest.fixture
def mfrc522():  # type: ignore[no-untyped-def]
    opened = Rig("mfrc522")
    opened.reader.start()
    yield opened
    opened.bench.close()


def test_an_empty_field_is_no_card(rig: Rig) -> None:
    assert rig.reader.select() is None


@pytest.mark.parametrize("uid", ["a1b2c3d4", "04a1b2c3d4e5f6", "04a1b2c3d4e5f6070809"])
def test_the_whole_uid_comes_out_of_every_cascade(rig: Rig, uid: str) -> None:
    rig.bench.put(Foreign(bytes.fromhex(uid), sak=0x20))
    found = rig.find()
    assert (found.uid.hex(), found.sak) == (uid, 0x20)
    assert rig.find().uid.hex() == uid  # and again, of a card that is awake


@pytest.mark.parametrize("chip", Chip)
def test_each_chip_is_known_read_written_and_signed(rig: Rig, chip: Chip) -> None:
    tag = Tag(UID, chip)
    rig.bench.insert_card(tag)
    rig.find()
    kind = tags.chip(rig.reader)
    assert kind == KINDS[chip]
    last = 3 + USER_PAGES[chip]
    tags.write(rig.reader, kind, last, b"last")
    assert tags.read(rig.reader, last, 1) == b"last"
    assert tags.read(rig.reader, 0, 12) == tag.read(0, 12)
    assert len(tags.signature(rig.reader)) == 32
    assert tags.USER_PAGES[kind] == USER_PAGES[chip]
    assert tags.PAGES[kind] == tag.pages


def test_a_card_is_known_and_read_with_the_transfers_that_the_standard_needs_and_20_percent_more(rig: Rig) -> None:
    """WUPA, twice anticollision and selection (ISO/IEC 14443-3), GET_VERSION, one FAST_READ of the user's 144 bytes."""
    rig.bench.insert_card(Tag(UID))
    before = rig.bench.air.frames
    rig.find()
    tags.chip(rig.reader)
    assert len(tags.read(rig.reader, 4, 36)) == 144
    assert rig.bench.air.frames - before <= 7 * 1.2


@pytest.mark.parametrize("damaged", [1, 2])
def test_a_damaged_answer_is_asked_for_again(rig: Rig, damaged: int) -> None:
    rig.bench.insert_card(Tag(UID))
    rig.find()
    rig.bench.air.damage = damaged
    assert tags.read(rig.reader, 4, 8) == bytes(32)


def test_damage_without_an_end_is_given_up(rig: Rig) -> None:
    rig.bench.insert_card(Tag(UID))
    rig.find()
    rig.bench.air.damage = 100
    with pytest.raises(Garbled):
        tags.read(rig.reader, 4, 8)
    assert rig.bench.air.damage == 100 - tags.TRIES_MAX


def test_a_write_whose_acknowledgement_was_damaged_is_settled_by_reading(mfrc522: Rig) -> None:
    tag = Tag(UID)
    mfrc522.bench.insert_card(tag)
    mfrc522.find()
    mfrc522.bench.air.damage = 1
    tags.write(mfrc522.reader, p.CHIP_NTAG213, 4, b"abcd")
    assert tag.read(4, 1) == b"abcd"


def test_a_page_that_reads_as_something_else_is_said(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    tag = Tag(UID)
    rig.bench.insert_card(tag)
    rig.find()
    monkeypatch.setattr(tag, "write", lambda page, data: None)
    with pytest.raises(tags.Unverified):
        tags.write(rig.reader, p.CHIP_NTAG213, 4, b"abcd")


def test_a_card_that_left_is_silent(rig: Rig) -> None:
    rig.bench.insert_card(Tag(UID))
    rig.find()
    rig.bench.remove_card()
    with pytest.raises(Silent):
        tags.read(rig.reader, 4, 1)
    with pytest.raises(Silent):
        tags.write(rig.reader, p.CHIP_NTAG213, 4, b"abcd")


def test_a_refusal_has_its_code_and_the_card_can_be_selected_again(mfrc522: Rig) -> None:
    mfrc522.bench.insert_card(Tag(UID))
    mfrc522.find()
    with pytest.raises(Nak) as refused:
        mfrc522.reader.command(b"\xa2\x00abcd", 12, 0)
    assert refused.value.code == 0
    assert mfrc522.find().uid == UID
    assert tags.read(mfrc522.reader, 4, 1) == bytes(4)


def test_two_cards_are_a_collision_and_neither_is_taken(mfrc522: Rig) -> None:
    mfrc522.bench.insert_card(Tag(UID))
    mfrc522.bench.put(TagMemory(Tag(bytes.fromhex("04000102030405"))))
    with pytest.raises(TwoCards):
        mfrc522.reader.select()


def test_an_answer_longer_than_the_chips_buffer_is_drained_while_it_comes(mfrc522: Rig) -> None:
    tag = Tag(UID, Chip.NTAG216)
    for page in range(4, 64):
        tag.write(page, bytes((page, 1, 2, 3)))
    mfrc522.bench.insert_card(tag)
    mfrc522.find()
    assert tags.read(mfrc522.reader, 4, 60) == tag.read(4, 60)


FAULTS: Final[dict[str, tuple[str, Callable[[Bench], None], int]]] = {
    "mfrc522-absent": ("mfrc522", lambda bench: setattr(bench.mfrc522, "absent", True), p.ABSENT),
    "mfrc522-hung": ("mfrc522", lambda bench: setattr(bench.mfrc522, "hung", True), p.HUNG),
    "mfrc522-dip": ("mfrc522", lambda bench: bench.mfrc522.dip(), p.HUNG),
    "pn532-absent": ("pn532", lambda bench: setattr(bench.pn532, "absent", True), p.ABSENT),
    "pn532-hung": ("pn532", lambda bench: setattr(bench.pn532, "hung", True), p.HUNG),
    "pn532-stuck": ("pn532", lambda bench: setattr(bench.pn532, "stuck", True), p.ABSENT),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_reader_chip_that_fails_is_named(name: str) -> None:
    chip, spoil, error = FAULTS[name]
    rig = Rig(chip)
    rig.reader.start()
    spoil(rig.bench)

    def use() -> None:
        rig.reader.check()
        rig.reader.select()

    with pytest.raises(ReaderFault) as fault:
        use()
    assert fault.value.error == error
    rig.bench.close()


def test_garbage_on_the_bus_is_an_error_with_a_name_and_never_a_card(rig: Rig) -> None:
    rig.bench.insert_card(Tag(UID))
    for reads in range(1, 12):
        rig.bench.mfrc522.garbage = rig.bench.pn532.garbage = reads
        try:
            found = rig.reader.select()
        except (Garbled, ReaderFault, TwoCards, Silent):
            rig.bench.mfrc522.garbage = rig.bench.pn532.garbage = 0
            rig.reader.start()
        else:
            assert found is None or found.uid == UID


def test_the_bits_of_a_short_frame_reach_the_chip(mfrc522: Rig) -> None:
    chip = mfrc522.reader._chip  # type: ignore[attr-defined]
    assert isinstance(chip, Mfrc522)
    with pytest.raises(Silent):
        chip.exchange(b"\x52", 7, 1)


def test_another_card_that_took_the_place_of_one_that_slept_is_not_touched(rig: Rig) -> None:
    cards = Cards(rig.reader, Events(), 0)
    rig.bench.insert_card(Tag(UID))
    cards.poll(0)
    rig.bench.refuse_card(1)
    asked = bytes((7,)) + UID
    with pytest.raises(Refused):
        cards.ask(p.READ, asked + b"\x04\x01", 1)  # a NAK: it must be selected anew
    rig.bench.remove_card()
    other = Tag(bytes.fromhex("04000102030405"))
    rig.bench.insert_card(other)
    with pytest.raises(Refused) as refused:
        cards.ask(p.WRITE, asked + b"\x04mine", 2)
    assert refused.value.error == p.GONE
    assert other.user_memory == bytes(144)


def test_a_chip_that_lost_its_setup_is_noticed_within_a_second_without_waiting_for_it(mfrc522: Rig) -> None:
    events = Events()
    cards = Cards(mfrc522.reader, events, 0)
    cards.poll(0)
    mfrc522.bench.mfrc522.dip()
    before = mfrc522.bench.mfrc522.transfers
    cards.poll(CHECK_MS)
    assert events.holds(p.READER_FAILED, bytes((p.HUNG,)))
    assert mfrc522.bench.mfrc522.transfers - before < 10
    cards.poll(2 * CHECK_MS)
    assert events.holds(p.READER_HEALED, b"")
