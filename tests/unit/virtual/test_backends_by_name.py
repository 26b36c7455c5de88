"""Backends are chosen by name, without a fallback, and a wrong name tells the right ones."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from hal.backends import open_camera, open_card, open_clock, open_display, open_indicators
from hal.errors import PartMissing
from hal.virtual.world import World

OPENERS = [open_camera, open_card, open_clock, open_display, open_indicators]
Opener = Callable[[str, dict[str, object]], object]


@pytest.mark.parametrize("opener", OPENERS)
def test_an_unknown_name_lists_the_names(opener: Opener) -> None:
    with pytest.raises(PartMissing, match=r"'virtual', 'pi', 'board'"):
        opener("virtaul", {})


@pytest.mark.parametrize("opener", [open_camera, open_clock, open_display])
def test_a_part_that_the_board_does_not_have_is_named(opener: Opener) -> None:
    with pytest.raises(PartMissing, match="the reader board has a card reader and indicators"):
        opener("board", {"device": "/dev/ttyACM0"})


@pytest.mark.parametrize("opener", [open_card, open_indicators])
@pytest.mark.parametrize("options", [{}, {"device": ""}, {"device": "/dev/x", "socket": "/tmp/x"}, {"port": 1}])
def test_a_part_of_the_board_needs_its_serial_port(opener: Opener, options: dict[str, object]) -> None:
    with pytest.raises(PartMissing, match="'device'"):
        opener("board", options)


def test_a_pi_has_no_card_reader_of_its_own() -> None:
    with pytest.raises(PartMissing, match="no card reader of its own"):
        open_card("pi", {})


@pytest.mark.parametrize("opener", [open_camera, open_display, open_indicators, open_clock])
def test_a_real_part_takes_its_own_options_and_no_others(opener: Opener) -> None:
    with pytest.raises(PartMissing, match="colour"):
        opener("pi", {"colour": "red"})


@pytest.mark.parametrize(
    "options", [{}, {"socket": "/tmp/x", "port": World().port()}, {"sokcet": "/tmp/x"}, {"port": 1}]
)
def test_a_virtual_part_needs_a_socket_or_a_port(options: dict[str, object]) -> None:
    with pytest.raises(PartMissing, match="'port'"):
        open_display("virtual", options)
