"""The table of transitions: every row can be reached, and nothing outside it happens."""

from __future__ import annotations

import typing

import pytest

from edge_agent.core import events
from edge_agent.core.states import ALLOWED, TABLE, ForbiddenTransition, State, check
from hal import events as hal_events


def test_every_event_of_the_table_exists() -> None:
    known = {kind.__name__ for kind in typing.get_args(events.Event)} | {
        kind.__name__ for kind in typing.get_args(hal_events.HalEvent)
    }
    assert {row.event for row in TABLE} <= known


def test_each_pair_of_state_and_event_stands_once() -> None:
    assert len(ALLOWED) == len(TABLE)


def test_every_state_can_be_entered_and_left() -> None:
    entered = {to for row in TABLE for to in row.to if to is not row.state}
    left = {row.state for row in TABLE if any(to is not row.state for to in row.to)}
    assert entered | {State.READY} == set(State)
    assert left == set(State)


def test_a_transition_that_is_not_in_the_table_is_a_fault() -> None:
    with pytest.raises(ForbiddenTransition, match="out_of_service"):
        check(State.OUT_OF_SERVICE, "Scanned", State.SHOWING)
    assert check(State.OUT_OF_SERVICE, "Scanned", State.OUT_OF_SERVICE) is State.OUT_OF_SERVICE
