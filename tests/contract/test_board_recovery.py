"""The reader board and its host, when something goes wrong: each failure has a name, and all is well again by
itself."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

import pytest

from firmware import protocol as p
from firmware.board_end import SILENT_MS
from hal.board.card import BoardCardReader
from hal.board.indicators import BoardIndicators
from hal.board.line import Line
from hal.errors import CardForeign, CardGone, HalReason, PartFailed
from hal.events import CardPresented, CardRemoved
from hal.indicators import LONGEST_MS, Light, Sound
from hal.virtual.chips.air import Foreign, TagMemory
from hal.virtual.chips.bench import Bench
from hal.virtual.chips.thread_board import ThreadBoard
from hal.virtual.tag import Tag
from tests.micropython_board import MicroPythonBoard
from tests.servers import wait_until

UID = bytes.fromhex("04a1b2c3d4e5f6")
OTHER_UID = bytes.fromhex("04000102030405")
AnyBoard = ThreadBoard | MicroPythonBoard


class Rig:
    """A board on a device that keeps its name when it is unplugged."""

    def __init__(self, folder: Path, kind: type[AnyBoard], config: str = "{}") -> None:
        self.bench = Bench()
        self.link = folder / "board"
        self.link.symlink_to(self.bench.device)
        self.board = kind(self.bench, config)
        self.card = BoardCardReader(str(self.link))
        self.indicators = BoardIndicators(str(self.link))

    def close(self) -> None:
        self.card.close()
        self.indicators.close()
        self.board.stop()
        self.bench.close()

    @property
    def line(self) -> Line:
        return self.card._board.line

    def failed(self) -> HalReason | None:
        try:
            self.card.poll()
        except PartFailed as failed:
            return failed.reason
        return None

    def come(self, uid: bytes) -> None:
        wait_until(lambda: self.card.present == uid, 5, "the card to be seen")


@pytest.fixture(params=[ThreadBoard, MicroPythonBoard])
def rig(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Rig]:
    opened = Rig(tmp_path, request.param)
    yield opened
    opened.close()


@pytest.fixture
def threaded(tmp_path: Path) -> Iterator[Rig]:
    opened = Rig(tmp_path, ThreadBoard)
    yield opened
    opened.close()


def polled(rig: Rig, count: int) -> list[CardPresented | CardRemoved]:
    events: list[CardPresented | CardRemoved] = []

    def come() -> bool:
        events.extend(rig.card.poll())
        return len(events) >= count

    wait_until(come, 5, f"{count} events")
    return events


def test_a_board_that_begins_anew_is_known_again_and_so_is_its_card(rig: Rig) -> None:
    rig.bench.insert_card(Tag(UID))
    rig.come(UID)
    rig.board.reset()
    wait_until(lambda: rig.line.sessions == 2, 10, "another session")
    assert [type(event) for event in polled(rig, 3)] == [CardPresented, CardRemoved, CardPresented]
    assert rig.card.read(UID, 4, 1) == bytes(4)
    hello = rig.line.hello
    assert hello is not None
    assert hello.reset_cause == p.RESET_WATCHDOG
    assert rig.line.statistics()["resets"] == 1


def test_a_call_that_a_reset_took_with_it_fails_by_name(threaded: Rig) -> None:
    threaded.board.stop()
    with pytest.raises(PartFailed) as failed:
        threaded.line.call(p.PING, b"x", wait_s=4)
    assert failed.value.reason is HalReason.NO_ANSWER
    wait_until(lambda: threaded.failed() is HalReason.NO_ANSWER, 5, "the poll to say so")
    threaded.board.start()
    wait_until(lambda: threaded.failed() is None, 5, "the board to be back")


def test_the_host_writes_nothing_until_the_board_is_heard() -> None:
    bench = Bench()
    line = Line(bench.device)
    assert not line.wait_open(0.5)
    with pytest.raises(BlockingIOError):
        os.read(bench.master, 1)
    with pytest.raises(PartFailed, match="says nothing"):
        line.check()
    line.close()
    bench.close()


def test_a_board_that_is_not_there_at_the_start_is_found_when_it_comes(tmp_path: Path) -> None:
    device = tmp_path / "board"
    card = BoardCardReader(str(device))
    with pytest.raises(PartFailed, match="unplugged"):
        card.poll()
    bench = Bench()
    device.symlink_to(bench.device)
    board = ThreadBoard(bench)
    bench.insert_card(Tag(UID))
    wait_until(lambda: card.present == UID, 10, "the card on the board that came")
    wait_until(lambda: card.statistics.get("sessions") == 1, 30, "statistics")
    card.close()
    board.stop()
    bench.close()


def test_a_board_that_is_unplugged_is_found_again_on_another_port(threaded: Rig) -> None:
    old = threaded.bench
    threaded.board.stop()
    new = Bench()
    threaded.link.unlink()
    threaded.link.symlink_to(new.device)
    old.close()
    missed = (HalReason.VANISHED, HalReason.NO_ANSWER)  # gone, or silent on the new port already
    wait_until(lambda: threaded.failed() in missed, 5, "the board to be missed")
    threaded.bench, threaded.board = new, ThreadBoard(new)
    wait_until(lambda: threaded.failed() is None, 10, "the board to be found")
    new.insert_card(Tag(OTHER_UID))
    threaded.come(OTHER_UID)
    assert threaded.line.statistics()["unplugged"] == 1


def test_a_host_that_falls_silent_leaves_out_of_service_and_no_green(rig: Rig) -> None:
    rig.indicators.signal(Light.GREEN, Sound.NONE, LONGEST_MS)
    assert rig.bench.light is Light.GREEN
    rig.line.close()  # the agent died; nobody put the light out
    wait_until(lambda: rig.bench.light is not Light.GREEN, SILENT_MS / 1000 + 2, "the green to go out")
    rig.bench.lights.clear()
    wait_until(lambda: rig.bench.lights.count(Light.RED) >= 2, 8, "two blinks")
    assert Light.GREEN not in rig.bench.lights


SPOIL: dict[str, tuple[str, Callable[[Bench], None], Callable[[Bench], None], HalReason]] = {
    "mfrc522 hangs": ("mfrc522", lambda b: setattr(b.mfrc522, "hung", True), lambda b: None, HalReason.HUNG),
    "mfrc522 hangs for long": (
        "mfrc522",
        lambda b: vars(b.mfrc522).update(hang_outlasts_reset=True, hung=True),
        lambda b: setattr(b.mfrc522, "hung", False),
        HalReason.HUNG,
    ),
    "mfrc522 is gone": (
        "mfrc522",
        lambda b: setattr(b.mfrc522, "absent", True),
        lambda b: setattr(b.mfrc522, "absent", False),
        HalReason.NO_ANSWER,
    ),
    "mfrc522 lost its supply for a moment": ("mfrc522", lambda b: b.mfrc522.dip(), lambda b: None, HalReason.HUNG),
    "pn532 hangs": ("pn532", lambda b: setattr(b.pn532, "hung", True), lambda b: None, HalReason.HUNG),
    "i2c is stuck": ("pn532", lambda b: setattr(b.pn532, "stuck", True), lambda b: None, HalReason.NO_ANSWER),
}


@pytest.mark.parametrize("name", SPOIL)
def test_a_reader_chip_that_fails_is_said_and_started_anew_by_the_board(name: str, tmp_path: Path) -> None:
    chip, spoil, mend, reason = SPOIL[name]
    rig = Rig(tmp_path, ThreadBoard, f'{{"reader": "{chip}"}}')
    rig.bench.insert_card(Tag(UID))
    rig.come(UID)
    with rig.bench.lock:
        spoil(rig.bench)
    wait_until(lambda: rig.card.present is None, 5, "the failure to be noticed")
    seen: list[HalReason | None] = []

    def counted() -> bool:
        seen.append(rig.failed())
        return rig.line.statistics()["board_reader_failures"] >= 1

    wait_until(counted, 5, "a failure")
    with rig.bench.lock:
        mend(rig.bench)
    rig.come(UID)
    assert rig.card.read(UID, 4, 1) == bytes(4)
    assert set(seen) <= {None, reason}
    rig.close()


@pytest.mark.parametrize("seed", range(3))
def test_over_a_cable_that_loses_bytes_every_card_comes_and_goes_once_and_every_write_is_whole(
    threaded: Rig, seed: int
) -> None:
    random = Random(seed)

    def spoil(data: bytes) -> bytes:
        return bytes(byte for byte in data if random.random() > 0.004)

    tags = [Tag(UID[:6] + bytes((number,))) for number in range(6)]
    threaded.bench.spoil = spoil
    for number, tag in enumerate(tags):
        threaded.bench.insert_card(tag)
        threaded.come(tag.uid)
        threaded.card.write(tag.uid, 4, bytes((number,)) * 4)
        assert threaded.card.read(tag.uid, 4, 1) == bytes((number,)) * 4 == tag.read(4, 1)
        threaded.bench.remove_card()
        wait_until(lambda: threaded.card.present is None, 5, "the card to be missed")
    threaded.bench.spoil = bytes
    events = polled(threaded, 2 * len(tags))
    assert [event.uid for event in events] == [tag.uid for tag in tags for _ in range(2)]
    assert threaded.line.statistics()["frames_damaged"] + threaded.line.statistics()["board_frames_damaged"] > 0


def test_two_cards_at_once_are_nobodys_and_the_one_that_stays_is_read(threaded: Rig) -> None:
    other = TagMemory(Tag(OTHER_UID))
    with threaded.bench.lock:
        threaded.bench.put(other)
        threaded.bench.insert_card(Tag(UID))
    crowd_until_s = time.monotonic() + 0.3
    wait_until(lambda: time.monotonic() > crowd_until_s, 2, "a few searches")
    assert threaded.card.present is None
    with pytest.raises(CardGone):
        threaded.card.read(UID, 4, 1)
    threaded.bench.take(other)
    threaded.come(UID)


@pytest.mark.parametrize("uid", ["a1b2c3d4", "04a1b2c3d4e5f7"])
def test_a_foreign_card_is_told_of_and_never_written(rig: Rig, uid: str) -> None:
    foreign = Foreign(bytes.fromhex(uid), sak=0x20)
    rig.bench.put(foreign)
    rig.come(foreign.uid)
    assert polled(rig, 1) == [CardPresented(uid=foreign.uid, record=b"", chip="")]
    with pytest.raises(CardForeign):
        rig.card.write(foreign.uid, 4, b"mine")
    rig.bench.take(foreign)
    wait_until(lambda: rig.card.present is None, 5, "it to be missed")


def test_the_witness_is_kept_through_a_reset(rig: Rig) -> None:
    name = bytes(range(16))
    line = rig.line
    assert line.call(p.RAISE_WITNESS, name + (41).to_bytes(8, "little")) == (41).to_bytes(8, "little")
    rig.board.reset()
    wait_until(lambda: line.sessions == 2, 10, "another session")
    assert line.call(p.WITNESS, name) == (41).to_bytes(8, "little")


def test_the_program_of_the_board_leaves_room_in_192_kib(tmp_path: Path) -> None:
    """MicroPython on WebAssembly is a 32-bit machine as the RP2040 is; its heap grows, so what is used is looked at."""
    rig = Rig(tmp_path, MicroPythonBoard)
    rig.bench.insert_card(Tag(UID))
    rig.come(UID)
    for _ in range(200):
        rig.line.call(p.PING, bytes(200))
    used = rig.line.statistics()["board_heap_used"]
    rig.close()
    assert 0 < used < 128 * 1024


@pytest.mark.parametrize("command", [0, 0x10, 0x11, 0x12, 0x13, 0x14, 0x15, 0x20, 0x30, 0x31, 0x32, 0x7F, 0xFF])
def test_an_ask_of_any_shape_has_an_answer(threaded: Rig, command: int) -> None:
    for size in (0, 1, 7, 8, 16, 24, 200):
        for fill in (0, 7, 255):
            try:
                threaded.line.call(command, bytes((fill,)) * size)
            except (ValueError, PartFailed, CardGone, CardForeign):
                continue
