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


@pytest.mark.parametrize("opener", OPENERS)
def test_backends_of_a_later_release_say_so(opener: Opener) -> None:
    with pytest.raises(PartMissing, match="later release"):
        opener("board", {})


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
