"""The OLED's driver on the wire: golden bytes of each chip, only what changed, and back after a loss of power."""

from __future__ import annotations

import errno
import itertools
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from hal.backends import open_display
from hal.display import HEIGHT_PX, WIDTH_PX
from hal.errors import HalReason, PartFailed, PartMissing
from hal.pi.pages import PAGES, Window, changed, content, pages
from tests.contract.stands import CHIPS, ModelDisplay
from tests.pi_models.oled import Oled, Strange

Make = Callable[..., ModelDisplay]
GOLDEN = Path(__file__).parents[1] / "screens" / "golden"


@pytest.fixture
def make(monkeypatch: pytest.MonkeyPatch) -> Make:
    return lambda name="pi-ssd1306-i2c", **options: ModelDisplay(name, monkeypatch, **options)


def blank() -> Image.Image:
    return Image.new("1", (WIDTH_PX, HEIGHT_PX))


def dots(*places: tuple[int, int]) -> Image.Image:
    picture = blank()
    for place in places:
        picture.putpixel(place, 1)
    return picture


SSD1306 = "ae d580 a83f d300 40 8d14 2000 a1 c8 da12 d9f1 db40 a4 a6"
SH1106 = "ae 20 10 b0 c8 00 10 40 a1 a6 a83f a4 d300 d5f0 d922 da12 db20 8d14"


@pytest.mark.parametrize(("chip", "settings"), [("ssd1306", SSD1306), ("ssd1309", SSD1306), ("sh1106", SH1106)])
def test_the_start_sets_the_chip_while_it_is_dark_and_lights_it_last(make: Make, chip: str, settings: str) -> None:
    stand = make(f"pi-{chip}-i2c")
    assert stand.wires.sent[0] == bytes.fromhex("78 00" + settings)
    assert stand.wires.sent[1] == bytes.fromhex("78 00 81a0")
    assert stand.wires.sent[-1] == bytes.fromhex("78 00 af")
    assert stand.shows(blank())  # the memory held anything: it was cleared before the light


def test_one_dot_is_one_byte_in_a_window_of_one(make: Make) -> None:
    stand = make()
    stand.wires.sent.clear()
    stand.display.show(dots((5, 19)))
    assert stand.wires.sent == [bytes.fromhex("78 00 21 05 05 22 02 02"), bytes.fromhex("78 40 08")]


def test_an_sh1106_has_its_first_column_at_two(make: Make) -> None:
    stand = make("pi-sh1106-i2c")
    stand.wires.sent.clear()
    stand.display.show(dots((126, 63)))
    assert stand.wires.sent == [bytes.fromhex("78 00 b7 00 18"), bytes.fromhex("78 40 80")]


def test_over_spi_a_line_says_what_is_a_command(make: Make) -> None:
    stand = make("pi-ssd1306-spi")
    stand.wires.sent.clear()
    stand.display.show(dots((0, 0)))
    assert stand.wires.sent == [bytes.fromhex("21 00 00 22 00 00"), bytes.fromhex("01")]
    assert stand.lines.levels[25] == 1, "the reset line was let go"


def test_the_same_picture_again_sends_nothing(make: Make) -> None:
    stand = make()
    stand.display.show(dots((5, 19)))
    before = stand.wires.bytes_sent
    stand.display.show(dots((5, 19)))
    assert stand.wires.bytes_sent == before


def test_a_changed_line_costs_less_than_a_third_of_a_frame(make: Make) -> None:
    stand = make()
    stand.display.renew()
    before = stand.wires.bytes_sent
    stand.display.renew()
    whole = stand.wires.bytes_sent - before
    line = blank()
    ImageDraw.Draw(line).rectangle((4, 17, 90, 27), fill=1)  # a line of 11 rows touches two pages
    before = stand.wires.bytes_sent
    stand.display.show(line)
    assert 0 < stand.wires.bytes_sent - before < whole / 3


@pytest.mark.parametrize("name", CHIPS)
def test_every_golden_picture_of_the_screens_is_seen_as_it_was_drawn(make: Make, name: str) -> None:
    stand = make(name)
    for path in sorted(GOLDEN.rglob("*.png"))[::9]:
        picture = Image.open(path).convert("1")
        if picture.size == (WIDTH_PX, HEIGHT_PX):
            stand.display.show(picture)
            assert stand.shows(picture), path.name


def test_a_display_that_hangs_upside_down_is_turned_by_the_chip(make: Make) -> None:
    stand = make(upside_down=True)
    picture = dots((0, 0), (1, 0), (127, 3))
    stand.display.show(picture)
    assert stand.shows(picture.transpose(Image.Transpose.ROTATE_180))


@pytest.mark.parametrize("name", CHIPS)
def test_a_display_whose_power_was_gone_shows_its_picture_after_it_is_renewed(make: Make, name: str) -> None:
    stand = make(name)
    picture = dots((9, 9), (100, 50))
    stand.display.show(picture)
    stand.oled.power_on()
    assert not stand.shows(picture)
    stand.display.renew()
    assert stand.shows(picture)


def test_renewing_never_switches_a_working_display_off(make: Make) -> None:
    stand = make()
    stand.wires.sent.clear()
    stand.display.renew()
    commands = b"".join(sent[2:] for sent in stand.wires.sent if sent[1] == 0)
    assert 0xAE not in commands


@pytest.mark.parametrize("transfers", range(6))
def test_after_a_failure_anywhere_the_next_picture_is_whole(make: Make, transfers: int) -> None:
    stand = make()
    stand.display.show(dots((0, 0), (60, 30), (127, 63)))
    stand.wires.fail_after = transfers
    with pytest.raises(PartFailed) as failed:
        stand.display.show(dots((3, 0), (64, 30), (120, 63)))
    assert failed.value.reason is HalReason.NO_ANSWER
    assert "0x3C" in str(failed.value)
    stand.oled.power_on()
    stand.heal_part()
    stand.display.show(dots((3, 0), (64, 30), (120, 63)))
    assert stand.shows(dots((3, 0), (64, 30), (120, 63)))


def test_a_display_at_another_address_is_missing_and_the_bus_is_let_go(make: Make) -> None:
    stand = make()
    with pytest.raises(PartMissing, match=r"0x3D.*nothing answers"):
        open_display("pi", {"i2c_address": 0x3D})
    assert stand.wires.closed == 1


def test_a_bus_that_is_turned_off_says_how_to_turn_it_on(make: Make) -> None:
    stand = make()
    stand.wires.there = False
    with pytest.raises(PartMissing, match="raspi-config nonint do_i2c 0") as missing:
        open_display("pi", stand.options)
    assert missing.value.reason is HalReason.NOT_FOUND


@pytest.mark.parametrize(("number", "words"), [(errno.ENXIO, "nothing answers"), (errno.ETIMEDOUT, "timed out")])
def test_what_the_kernel_says_is_put_into_words(make: Make, number: int, words: str) -> None:
    stand = make()
    stand.wires.error = number
    with pytest.raises(PartFailed, match=words):
        stand.display.show(dots((1, 1)))


def test_opening_again_and_again_keeps_no_drivers_in_memory(make: Make) -> None:
    stand = make()
    for _ in range(50):
        open_display("pi", stand.options).close()
    assert stand.wires.opened == 51
    assert stand.wires.closed == 50


# -- the model


@pytest.mark.parametrize("stream", ["00 e5", "00 81", "00 21 05", "00 21 05 04", "00 22 00 08", "80 af", "00 20 01"])
def test_the_model_takes_nothing_that_the_data_sheet_has_no_meaning_for(stream: str) -> None:
    oled = Oled("ssd1306")
    oled.i2c(bytes.fromhex("00 20 00"))
    with pytest.raises(Strange):
        oled.i2c(bytes.fromhex(stream))


def test_an_ssd1306_without_its_charge_pump_is_dark() -> None:
    oled = Oled("ssd1306")
    oled.i2c(bytes.fromhex("00 af"))
    assert oled.look() == blank().tobytes()


# -- what has changed


def test_pages_hold_eight_rows_with_the_uppermost_in_bit_0() -> None:
    found = pages(dots((0, 0), (1, 7), (127, 63)))
    assert (found[0][:3], found[7][127]) == (b"\x01\x80\x00", 0x80)
    assert [len(page) for page in found] == [WIDTH_PX] * PAGES


@pytest.mark.parametrize(
    ("places", "windows"),
    [
        ([(4, 0), (4, 1), (4, 2)], [Window(0, 2, 4, 4)]),  # one above the other: one rectangle
        ([(4, 0), (120, 1)], [Window(0, 0, 4, 4), Window(1, 1, 120, 120)]),  # far apart: two
        ([(4, 3), (8, 3)], [Window(3, 3, 4, 8)]),  # a gap that is cheaper to send than to leave out
        ([(4, 3), (40, 3)], [Window(3, 3, 4, 4), Window(3, 3, 40, 40)]),
        ([(4, 0), (4, 2)], [Window(0, 0, 4, 4), Window(2, 2, 4, 4)]),  # a page between them
    ],
)
def test_windows_are_joined_where_that_is_cheaper(places: list[tuple[int, int]], windows: list[Window]) -> None:
    after = made_of([(column, page, 1) for column, page in places])
    assert changed(made_of([]), after, overhead_bytes=10, rectangles=True) == windows


rows = st.lists(st.tuples(st.integers(0, WIDTH_PX - 1), st.integers(0, PAGES - 1), st.integers(0, 255)), max_size=40)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows, rows, st.booleans(), st.sampled_from([3, 7, 10]))
def test_the_windows_make_one_picture_of_another_and_never_cost_more_than_a_frame(
    first: list[tuple[int, int, int]], second: list[tuple[int, int, int]], rectangles: bool, overhead: int
) -> None:
    before, after = made_of(first), made_of(second)
    windows = changed(before, after, overhead_bytes=overhead, rectangles=rectangles)
    memory = [bytearray(page) for page in before]
    for window in windows:
        put(memory, window, content(after, window))
    assert tuple(bytes(page) for page in memory) == after
    whole = WIDTH_PX * PAGES + overhead * (1 if rectangles else PAGES)
    assert sum(window.size_bytes + overhead for window in windows) <= whole
    assert rectangles or all(window.first_page == window.last_page for window in windows)
    assert (windows == []) == (before == after)


def made_of(bytes_set: list[tuple[int, int, int]]) -> tuple[bytes, ...]:
    memory = [bytearray(WIDTH_PX) for _ in range(PAGES)]
    for column, page, value in bytes_set:
        memory[page][column] = value
    return tuple(bytes(page) for page in memory)


def put(memory: list[bytearray], window: Window, data: bytes) -> None:
    places = itertools.product(
        range(window.first_page, window.last_page + 1), range(window.first_column, window.last_column + 1)
    )
    for (page, column), value in zip(places, data, strict=True):
        memory[page][column] = value


@pytest.mark.parametrize("chip", CHIPS)
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(rows, min_size=2, max_size=4))
def test_any_row_of_pictures_is_seen_by_the_model_of_each_chip(
    make: Make, chip: str, row: list[list[tuple[int, int, int]]]
) -> None:
    stand = make(chip)
    for bytes_set in row:
        picture = blank()
        for column, page, value in bytes_set:
            for bit in range(8):
                picture.putpixel((column, page * 8 + bit), value >> bit & 1)
        stand.display.show(picture)
        assert stand.shows(picture)
