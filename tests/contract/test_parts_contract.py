"""What every card reader and clock promises (hal/card.py, hal/clock.py), and what a world tells of a whole unit.

Displays, indicators and cameras have suites of their own beside this one.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image, ImageDraw

from hal.card import PAGE_BYTES
from hal.display import HEIGHT_PX, WIDTH_PX
from hal.errors import CardGone, CardRefused
from hal.events import CardPresented, CardRemoved
from hal.indicators import LONGEST_MS, Light, Sound
from hal.virtual.tag import Tag
from hal.virtual.world import DARK, CardMoved, Lit, Played, Shown, WorldEvent
from loyalty.card_slots import USER_FIRST_PAGE, USER_PAGES, Chip
from tests.contract.parts_rig import RIGS, Rig, open_rig
from tests.servers import wait_until

UID = bytes.fromhex("04a1b2c3d4e5f6")
OTHER_UID = bytes.fromhex("04000102030405")


@pytest.fixture(params=RIGS)
def rig(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Rig]:
    with open_rig(request.param, tmp_path) as opened:
        yield opened


def _picture() -> Image.Image:
    picture = Image.new("1", (WIDTH_PX, HEIGHT_PX))
    ImageDraw.Draw(picture).rectangle((3, 5, 60, 20), fill=1)
    return picture


# -- a world's whole unit


def test_observers_are_told_of_pictures_lights_and_sounds_in_order(rig: Rig) -> None:
    told: list[WorldEvent] = []
    stop = rig.world.observe(told.append)
    rig.display.show(_picture())
    rig.indicators.signal(Light.RED, Sound.NO, 500)
    rig.world.insert_card(Tag(UID))
    stop()
    rig.world.remove_card()
    assert told == [Shown(_picture().tobytes()), Lit(Light.RED, 500), Played(Sound.NO), CardMoved(UID)]


def test_a_power_cut_leaves_everything_dark(rig: Rig) -> None:
    rig.display.show(_picture())
    rig.indicators.signal(Light.GREEN, Sound.YES, LONGEST_MS)
    rig.world.cut_power()
    assert rig.world.look()[:2] == (DARK, Light.OFF)


# -- the card reader


def test_cards_come_and_go_as_events_in_order(rig: Rig) -> None:
    tag, other = Tag(UID), Tag(OTHER_UID)
    assert rig.card.poll() == []
    rig.world.insert_card(tag)
    rig.world.remove_card()
    rig.world.insert_card(other)
    assert rig.card.poll() == [
        CardPresented(uid=UID, record=tag.user_memory, chip=tag.chip),
        CardRemoved(uid=UID),
        CardPresented(uid=OTHER_UID, record=other.user_memory, chip=other.chip),
    ]
    assert rig.card.poll() == []


def test_what_was_written_is_read_back_and_stays_on_the_card(rig: Rig) -> None:
    tag = Tag(UID)
    rig.world.insert_card(tag)
    rig.card.write(UID, 4, b"abcd")
    rig.card.write(UID, 39, b"wxyz")
    assert rig.card.read(UID, 4, 1) == b"abcd"
    rig.world.remove_card()
    rig.world.insert_card(tag)
    assert rig.card.read(UID, 4, 36) == b"abcd" + bytes(34 * PAGE_BYTES) + b"wxyz"


def test_the_uid_stands_in_the_first_pages_and_cannot_be_written(rig: Rig) -> None:
    rig.world.insert_card(Tag(UID))
    head = rig.card.read(UID, 0, 2)
    assert head[:3] + head[4:] == UID
    assert head[3] == 0x88 ^ UID[0] ^ UID[1] ^ UID[2]
    for page in (0, 1):
        with pytest.raises(CardRefused):
            rig.card.write(UID, page, b"zzzz")
    assert rig.card.read(UID, 0, 2) == head


@pytest.mark.parametrize(("page", "pages"), [(45, 1), (44, 2), (-1, 1), (4, 0), (0, 46)])
def test_pages_that_a_card_does_not_have_are_refused(rig: Rig, page: int, pages: int) -> None:
    rig.world.insert_card(Tag(UID))
    with pytest.raises(ValueError, match="page"):
        rig.card.read(UID, page, pages)


@pytest.mark.parametrize("data", [b"", b"abc", b"abcde"])
def test_a_write_is_one_page_exactly(rig: Rig, data: bytes) -> None:
    rig.world.insert_card(Tag(UID))
    with pytest.raises(ValueError, match="4 bytes"):
        rig.card.write(UID, 4, data)


def test_another_card_than_the_one_meant_is_never_touched(rig: Rig) -> None:
    other = Tag(OTHER_UID)
    rig.world.insert_card(Tag(UID))
    rig.world.remove_card()
    with pytest.raises(CardGone):
        rig.card.read(UID, 4, 1)
    rig.world.insert_card(other)
    with pytest.raises(CardGone):
        rig.card.write(UID, 4, b"mine")
    assert other.user_memory == bytes(144)


def test_a_card_pulled_out_in_the_middle_of_a_write_holds_half_of_the_page(rig: Rig) -> None:
    tag = Tag(UID)
    tag.write(8, b"old!")
    rig.world.insert_card(tag)
    rig.world.tear_card(after_bytes=2)
    with pytest.raises(CardGone):
        rig.card.write(UID, 8, b"NEW?")
    assert tag.read(8, 1) == b"NEd!"
    assert [type(event) for event in rig.card.poll()] == [CardPresented, CardRemoved]


def test_lock_bits_freeze_a_page_for_good(rig: Rig) -> None:
    rig.world.insert_card(Tag(UID))
    rig.card.write(UID, 5, b"kept")
    rig.card.write(UID, 2, bytes((0, 0, 1 << 5, 0)))
    with pytest.raises(CardRefused):
        rig.card.write(UID, 5, b"lost")
    rig.card.write(UID, 2, bytes(4))  # bits can be set and never cleared
    with pytest.raises(CardRefused):
        rig.card.write(UID, 5, b"lost")
    assert rig.card.read(UID, 5, 1) == b"kept"


@pytest.mark.parametrize("chip", Chip)
def test_each_chip_has_its_users_pages_and_no_others(rig: Rig, chip: Chip) -> None:
    tag = Tag(UID, chip)
    rig.world.insert_card(tag)
    (come,) = rig.card.poll()
    assert isinstance(come, CardPresented)
    assert (come.chip, len(come.record)) == (chip, USER_PAGES[chip] * PAGE_BYTES)
    last = USER_FIRST_PAGE + USER_PAGES[chip] - 1
    rig.card.write(UID, USER_FIRST_PAGE, b"1st!")
    rig.card.write(UID, last, b"last")
    assert rig.card.read(UID, USER_FIRST_PAGE, USER_PAGES[chip]) == tag.user_memory
    assert tag.user_memory[:4] + tag.user_memory[-4:] == b"1st!last"
    with pytest.raises(ValueError, match="page"):
        rig.card.read(UID, tag.pages, 1)


@pytest.mark.parametrize("after_writes", [0, 1, 2])
@pytest.mark.parametrize("after_bytes", [0, 3, 4])
def test_a_card_is_pulled_out_in_any_of_several_writes(rig: Rig, after_writes: int, after_bytes: int) -> None:
    tag = Tag(UID)
    rig.world.insert_card(tag)
    rig.world.tear_card(after_bytes, after_writes=after_writes)
    for page in range(after_writes):
        rig.card.write(UID, 4 + page, b"done")
    with pytest.raises(CardGone):
        rig.card.write(UID, 4 + after_writes, b"torn")
    assert tag.user_memory.startswith((b"done" * after_writes + b"torn"[:after_bytes]).ljust(12, b"\0"))
    with pytest.raises(CardGone):
        rig.card.read(UID, 4, 1)


def test_a_card_that_says_no_is_written_when_it_is_asked_again(rig: Rig) -> None:
    rig.world.insert_card(Tag(UID))
    rig.world.refuse_card(2)
    with pytest.raises(CardRefused):
        rig.card.write(UID, 4, b"abcd")
    with pytest.raises(CardRefused):
        rig.card.read(UID, 4, 1)
    assert rig.card.read(UID, 4, 1) == bytes(4)
    rig.card.write(UID, 4, b"abcd")
    assert rig.card.read(UID, 4, 1) == b"abcd"


PASSWORD, PACK = b"pass", b"ok"


def guard(rig: Rig, access: int = 0) -> None:
    """Set an NTAG213's password for all of the user's pages; AUTH0 comes last."""
    rig.card.write(UID, 0x2B, PASSWORD)
    rig.card.write(UID, 0x2C, PACK + bytes(2))
    rig.card.write(UID, 0x2A, bytes((access, 0, 0, 0)))
    rig.card.write(UID, 0x29, bytes((0, 0, 0, 4)))


def test_a_guarded_card_is_written_with_its_password_alone_and_only_while_it_stays(rig: Rig) -> None:
    tag = Tag(UID)
    rig.world.insert_card(tag)
    guard(rig)
    with pytest.raises(CardRefused):
        rig.card.write(UID, 4, b"shut")
    with pytest.raises(CardRefused):
        rig.card.authenticate(UID, b"pasS")
    assert rig.card.authenticate(UID, PASSWORD) == PACK
    rig.card.write(UID, 4, b"open")
    with pytest.raises(CardRefused):
        rig.card.write(UID, 0, b"anid")
    with pytest.raises(CardRefused):  # the refusal ended the session
        rig.card.write(UID, 4, b"shut")
    rig.card.authenticate(UID, PASSWORD)
    rig.world.remove_card()
    rig.world.insert_card(tag)
    with pytest.raises(CardRefused):  # and so does leaving
        rig.card.write(UID, 4, b"shut")
    assert rig.card.read(UID, 4, 1) == b"open"
    assert rig.card.read(UID, 0x2B, 2) == bytes(8)  # password and answer can't be read


def test_a_card_that_guards_reading_shows_nothing_until_the_password_comes(rig: Rig) -> None:
    tag = Tag(UID)
    tag.write(4, b"hers")
    rig.world.insert_card(tag)
    guard(rig, access=0x80)
    rig.world.remove_card()
    rig.world.insert_card(tag)
    assert rig.card.poll()[-1] == CardPresented(uid=UID, record=b"", chip=tag.chip)
    with pytest.raises(CardRefused):
        rig.card.read(UID, 4, 1)
    rig.card.authenticate(UID, PASSWORD)
    assert rig.card.read(UID, 4, 1) == b"hers"


def test_a_card_that_counts_wrong_passwords_opens_no_more_after_the_last(rig: Rig) -> None:
    rig.world.insert_card(Tag(UID))
    guard(rig, access=2)
    for _ in range(2):
        with pytest.raises(CardRefused):
            rig.card.authenticate(UID, b"????")
    with pytest.raises(CardRefused, match="no more"):
        rig.card.authenticate(UID, PASSWORD)


def test_the_chips_counter_grows_with_each_session_that_reads_and_cannot_be_set_back(rig: Rig) -> None:
    tag = Tag(UID)
    rig.world.insert_card(tag)
    with pytest.raises(CardRefused):
        rig.card.counter(UID, 2)
    rig.card.write(UID, 0x2A, bytes((0x10, 0, 0, 0)))
    before = rig.card.counter(UID, 2)
    for session in range(3):
        rig.world.remove_card()
        rig.world.insert_card(tag)
        rig.card.read(UID, 4, 1)
        assert rig.card.counter(UID, 2) == before + session + 1
    with pytest.raises(ValueError, match="counter"):
        rig.card.counter(UID, 3)


# -- the clock


def test_the_clock_shows_the_worlds_offset_and_trust(rig: Rig) -> None:
    rig.world.set_clock_offset(-86_400_000)
    rig.world.set_synchronised(False)
    before = time.time_ns() // 1_000_000
    reading = rig.clock.read()
    after = time.time_ns() // 1_000_000
    assert before <= reading.wall_ms + 86_400_000 <= after
    assert not reading.synchronised
    rig.world.set_synchronised(True, error_ms=35)
    assert rig.clock.read()[2:] == (True, 35)


def test_a_frozen_clock_stands_still_while_monotonic_time_goes_on(rig: Rig) -> None:
    rig.world.set_clock_rate(-1_000_000)
    first = rig.clock.read()
    wait_until(lambda: rig.clock.read().mono_ms >= first.mono_ms + 60, 2, "60 ms of monotonic time")
    second = rig.clock.read()
    assert abs(second.wall_ms - first.wall_ms) <= 2  # the real clock is read a moment before the monotonic one


def test_a_drifting_clock_does_not_jump_when_the_drift_begins(rig: Rig) -> None:
    rig.world.set_clock_offset(5_000)
    rig.world.set_clock_rate(500_000)
    ahead_ms = rig.clock.read().wall_ms - time.time_ns() // 1_000_000
    assert 4_990 <= ahead_ms <= 6_000


def test_the_boot_has_one_name_of_eight_bytes(rig: Rig) -> None:
    assert len(rig.clock.boot) == 8
    assert rig.clock.boot == rig.clock.boot
