"""Online and offline: decided on evidence, without flapping, and no shopper waits longer than the limit."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_agent.awaited import AWAITED_MAX, Awaited
from edge_agent.core import events as ev
from edge_agent.core.effects import AskCentre, ProbeCentre, Show, StartTimer, View
from edge_agent.core.reach import (
    GOODS,
    HOLD_FIRST_MS,
    HOLD_MAX_MS,
    PROBE_EVERY_MS,
    PROBE_OFFLINE_MS,
    STEADY_MS,
    Reach,
    Why,
    changes_max,
    found_out_ms,
)
from edge_agent.core.states import State
from edge_agent.core.visit import Step
from loyalty.reason import Reason
from tests.unit.edge_agent.agent_world import ONLINE, SIGNED, Driver, code, moment, scanned
from wire.facts import Cancelled

LIMIT_MS = 3_000


def online(now_ms: int = 0, **changes: object) -> Reach:
    reach = Reach(limit_ms=LIMIT_MS).linked(True, now_ms)
    for _ in range(GOODS):
        reach = reach.heard(50, now_ms)
    assert reach.online
    return reach.but(**changes)


def test_K5_a_link_alone_is_not_the_centre_and_two_good_answers_are() -> None:
    reach = Reach(limit_ms=LIMIT_MS)
    assert (reach.online, reach.why, reach.wait_ms) == (False, Why.STARTING, 0)
    reach = reach.linked(True, 10)
    assert not reach.online
    assert reach.probe_due(10), "the link is up: ask at once"
    once = reach.heard(50, 60)
    assert not once.online
    assert once.probe_due(60), "and ask again at once"
    assert once.heard(50, 110).online
    assert not once.heard(LIMIT_MS + 1, 110).online, "an answer that comes too late is none"


def test_K5_it_is_offline_the_moment_the_link_goes_and_a_shopper_waits_for_nothing() -> None:
    gone = online().linked(False, 5_000)
    assert (gone.online, gone.link, gone.why, gone.wait_ms, gone.probe_ms) == (False, False, Why.NO_LINK, 0, None)
    assert gone.heard(10, 5_001) == gone, "what was on its way as the link went is no evidence"
    assert gone.missed(5_001) == gone


def test_K5_one_answer_that_is_missed_shortens_the_wait_and_two_end_it() -> None:
    reach = online(5_000)
    assert reach.wait_ms == LIMIT_MS
    once = reach.missed(6_000)
    assert (once.online, once.wait_ms) == (True, LIMIT_MS // 2)
    assert once.heard(50, 6_500).wait_ms == LIMIT_MS
    twice = once.heard(LIMIT_MS + 1, 7_000)
    assert (twice.online, twice.why, twice.wait_ms) == (False, Why.SILENT, 0)


def test_K5_after_a_fall_good_answers_count_when_the_hold_is_over() -> None:
    fallen = online(100_000).linked(False, 100_000).linked(True, 100_100)
    early = fallen.heard(50, 100_200).heard(50, 100_300)
    assert not early.online
    assert early.probe_ms == 100_000 + HOLD_FIRST_MS, "and it is asked again just then"
    assert early.heard(50, 100_000 + HOLD_FIRST_MS).online


def test_K5_falls_that_follow_each_other_are_held_longer_and_a_steady_time_forgives() -> None:
    reach, now_ms, holds = online(0), 0, []
    for _ in range(8):
        reach = reach.linked(False, now_ms + 10).linked(True, now_ms + 20)
        holds.append(reach.hold_ms)
        now_ms += 10 + reach.hold_ms
        reach = reach.heard(1, now_ms).heard(1, now_ms)
        assert reach.online
    assert holds == [2_000, 4_000, 8_000, 16_000, 32_000, HOLD_MAX_MS, HOLD_MAX_MS, HOLD_MAX_MS]
    assert reach.linked(False, now_ms + STEADY_MS).hold_ms == HOLD_MAX_MS // 2


def test_K5_a_centre_that_stirs_after_a_silence_is_asked_at_once() -> None:
    silent = online().missed(1_000).missed(2_000)
    assert silent.probe_ms == 2_000 + PROBE_OFFLINE_MS
    assert silent.stirred(2_500).probe_due(2_500)
    assert online(0).stirred(10).probe_ms == PROBE_EVERY_MS


def test_K5_a_centre_that_dies_in_silence_is_found_out_within_the_stated_time() -> None:
    """Nobody asks anything: only probes, each of which is missed as soon as the limit is over."""
    reach, now_ms = online(0), 0
    while reach.online:
        assert reach.probe_ms is not None
        now_ms = reach.probe_ms
        reach = reach.probed(now_ms)
        now_ms += LIMIT_MS
        reach = reach.missed(now_ms)
    assert now_ms == found_out_ms(LIMIT_MS)


def evidence(reach: Reach, what: int, now_ms: int) -> Reach:
    steps = (
        lambda: reach.linked(True, now_ms),
        lambda: reach.linked(False, now_ms),
        lambda: reach.heard(10, now_ms),
        lambda: reach.heard(10, now_ms).heard(10, now_ms),
        lambda: reach.heard(LIMIT_MS + 1, now_ms),
        lambda: reach.missed(now_ms),
        lambda: reach.stirred(now_ms),
        lambda: reach.probed(now_ms),
    )
    return steps[what]()


def changes(what: list[tuple[int, int]]) -> tuple[int, int]:
    """(how often the state changed, the time that passed)."""
    reach, now_ms, count = Reach(limit_ms=LIMIT_MS), 0, 0
    for after_ms, kind in what:
        now_ms += after_ms
        after = evidence(reach, kind, now_ms)
        count += after.online != reach.online
        assert after.wait_ms <= LIMIT_MS
        assert (after.wait_ms > 0) == after.online
        assert not (after.online and not after.link)
        assert HOLD_MAX_MS >= after.hold_ms >= reach.hold_ms // 2
        reach = after
    return count, now_ms


@given(st.lists(st.tuples(st.sampled_from([0, 1, 100, 2_000, 5_000, 64_000]), st.integers(0, 7)), max_size=400))
@settings(max_examples=300, deadline=None)
def test_K5_whatever_the_evidence_the_state_does_not_flap(what: list[tuple[int, int]]) -> None:
    count, passed_ms = changes(what)
    assert count <= changes_max(passed_ms)


@pytest.mark.parametrize("steady", [False, True])
def test_K5_the_worst_evidence_there_can_be_does_not_make_it_flap(steady: bool) -> None:
    """An adversary who cuts as soon as it is online (or as soon as that counts as steady) and heals at once."""
    dice = Random(1)
    what: list[tuple[int, int]] = []
    for _ in range(3_000):
        what += [(STEADY_MS if steady and dice.random() < 0.5 else 0, 1), (0, 0)]
        what += [(1_000, 3)] * (HOLD_MAX_MS // 1_000)
    count, passed_ms = changes(what)
    assert 100 < count <= changes_max(passed_ms)


# --- in the core ----------------------------------------------------------------------------------------


def reason(step: Step) -> Reason | None:
    return step.verdict.reason if step.verdict else None


def test_K5_a_question_waits_as_long_as_reach_allows(drive: Driver) -> None:
    drive(ev.LinkChanged(up=True), moment(mono_ms=0))
    first = drive(scanned(code(ONLINE, serial=1)), moment(mono_ms=10))
    (timer,) = [effect for effect in first.effects if isinstance(effect, StartTimer)]
    assert timer.after_ms == LIMIT_MS
    drive(ev.TimeUp(id=timer.id), moment(mono_ms=10 + LIMIT_MS))
    second = drive(scanned(code(ONLINE, serial=2)), moment(mono_ms=4_000))
    (ask,) = [effect for effect in second.effects if isinstance(effect, AskCentre)]
    (timer,) = [effect for effect in second.effects if isinstance(effect, StartTimer)]
    assert ask.wait_ms == timer.after_ms == LIMIT_MS // 2
    drive(ev.TimeUp(id=timer.id), moment(mono_ms=5_500))
    third = drive(scanned(code(ONLINE, serial=3)), moment(mono_ms=5_600))
    assert reason(third) is Reason.NOT_NOW, "two in a row: nobody waits any more"
    assert third.facts == ()
    assert third.verdict is not None


def test_K5_an_answer_to_a_shopper_is_evidence_too(drive: Driver) -> None:
    drive(ev.LinkChanged(up=True), moment(mono_ms=0))
    drive(ev.Missed(), moment(mono_ms=5))
    drive(scanned(code(ONLINE, serial=1)), moment(mono_ms=10))
    question = drive.core.visit.asked
    assert question is not None
    drive(ev.Answered(question=question.question, granted=True, reason=Reason.OK), moment(mono_ms=400))
    assert drive.core.visit.reach.bads == 0


def test_K5_a_shopper_who_waits_is_told_as_soon_as_it_is_known_to_be_in_vain(drive: Driver) -> None:
    drive(ev.LinkChanged(up=True), moment(mono_ms=0))
    drive(scanned(code(ONLINE, serial=1)), moment(mono_ms=10))
    drive(ev.Missed(), moment(mono_ms=500))
    assert drive.core.visit.state is State.ASKING
    step = drive(ev.Missed(), moment(mono_ms=600))
    assert reason(step) is Reason.NOT_NOW
    assert [type(fact) for fact in step.facts] == [Cancelled]
    assert not drive.core.visit.reach.online


def test_K5_what_needs_no_centre_is_decided_in_silence_as_well(drive: Driver) -> None:
    assert reason(drive(scanned(code(SIGNED, serial=1)))) is Reason.OK


def test_K5_the_idle_display_is_drawn_anew_when_the_state_changes(drive: Driver) -> None:
    drive(ev.LinkChanged(up=True), moment(mono_ms=0))
    assert drive(ev.Missed(), moment(mono_ms=10)).effects == ()
    (show,) = drive(ev.Missed(), moment(mono_ms=20)).effects
    assert isinstance(show, Show)
    assert show.view is View.READY


def test_K5_a_probe_is_an_effect(drive: Driver) -> None:
    drive(ev.LinkChanged(up=True), moment(mono_ms=0))
    assert drive(ev.ProbeDue(), moment(mono_ms=PROBE_EVERY_MS)).effects == (ProbeCentre(),)
    assert not drive.core.visit.reach.probe_due(PROBE_EVERY_MS)


# --- what is awaited ------------------------------------------------------------------------------------


def test_an_answer_is_counted_once_and_a_silence_once() -> None:
    awaited = Awaited(1_000)
    awaited.ask(b"a", 0)
    awaited.ask(b"a", 900)  # sent again: it counts from the first time
    assert awaited.due_ms() == 1_001
    assert awaited.missed(1_000) == 0
    assert awaited.missed(1_001) == 1
    assert awaited.missed(9_000) == 0
    assert awaited.due_ms() is None
    assert awaited.answered(b"a") == (0, True)
    assert awaited.answered(b"a") is None


def test_what_is_awaited_is_bounded_and_forgotten_with_the_link() -> None:
    awaited = Awaited(1_000)
    for number in range(100):
        awaited.ask(bytes([number]), number)
    assert awaited.missed(10_000) == AWAITED_MAX
    awaited.ask(b"b", 0)
    awaited.clear()
    assert awaited.missed(10_000) == 0
