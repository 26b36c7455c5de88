"""The lease line of a unit: what it asks for and when, what it believes, and what it gives back."""

from __future__ import annotations

from collections.abc import Iterable
from random import Random

import pytest

from loyalty.lease import CAMPAIGN, HORIZON_MS, NOTHING, POINTS, Amount, GrantReason, Limits, Pot
from wire.leasing import ASK_CAP_MS, ASK_HURRY_MS, RECALL_KEEPS_MS, SETTLE_MS, Leasing, State, Want
from wire.messages import AskLease, Grant, Grants

POT, BUDGET = Pot(CAMPAIGN, 1), Pot(CAMPAIGN, 2)
EPOCH, CENTRE = b"e" * 16, b"i" * 16
WALL_MS = 1_800_000_000_000
END_MS = WALL_MS + 3 * 86_400_000


class Parts:
    """What a unit has, and wants to have parts of."""

    def __init__(self) -> None:
        self.wants = [Want(POT, Limits(), 0)]
        self.states: dict[Pot, State] = {}

    def wanted(self) -> Iterable[Want]:
        return self.wants

    def held(self) -> Iterable[Pot]:
        return self.states

    def state(self, pot: Pot) -> State:
        return self.states.get(pot, State(NOTHING, NOTHING, None))

    def have(self, left: int, *, granted: int = 0, ends_ms: int = END_MS, yen: int = 0) -> None:
        self.states[POT] = State(Amount(granted or left), Amount(left, yen), ends_ms)


class Line:
    """The machine, and the time."""

    def __init__(self) -> None:
        self.parts = Parts()
        self.machine = Leasing(self.parts, Random(1).random)
        self.now_ms = 1_000
        self.machine.connected(self.now_ms)

    def look(self) -> list[tuple[Pot, Amount]]:
        return [(one.pot, one.amount) for one in self.machine.look(self.now_ms, WALL_MS)]

    def poll(self) -> AskLease | None:
        self.look()
        return self.machine.poll(self.now_ms, WALL_MS, EPOCH, CENTRE)

    def granted(self, *parts: Grant, epoch: bytes = EPOCH, centre: bytes = CENTRE, whole: bool = True) -> bool:
        grants = Grants(centre, epoch, list(parts), whole)
        return self.machine.on_grants(grants, EPOCH, CENTRE, self.now_ms) is not None


@pytest.fixture
def line() -> Line:
    return Line()


def grant(count: int, reason: GrantReason = GrantReason.GRANTED) -> Grant:
    return Grant(POT, Amount(count), END_MS, reason.value)


def test_the_first_report_says_all_that_is_held_and_is_repeated_until_it_is_answered(line: Line) -> None:
    line.parts.have(9)
    ask = line.poll()
    assert ask is not None
    assert (ask.whole, [(one.pot, one.granted, one.want) for one in ask.parts]) == (True, [(POT, Amount(9), NOTHING)])
    line.now_ms += ASK_CAP_MS + 2_000
    again = line.poll()
    assert again is not None
    assert again.whole
    assert line.granted(whole=False), "it answered something else"
    line.now_ms += ASK_CAP_MS + 2_000
    assert line.poll() is not None
    assert line.granted()
    line.now_ms += ASK_CAP_MS + 2_000
    assert line.poll() is None


def test_nothing_is_asked_before_the_centre_s_database_is_known_or_while_it_can_t_be(line: Line) -> None:
    line.look()
    assert line.machine.poll(line.now_ms, WALL_MS, EPOCH, b"") is None
    line.machine.disconnected()
    line.now_ms += ASK_CAP_MS
    assert line.poll() is None


def test_grants_for_another_life_of_the_disk_or_of_the_centre_are_void(line: Line) -> None:
    assert not line.granted(grant(5), epoch=b"x" * 16)
    assert not line.granted(grant(5), centre=b"x" * 16)
    assert line.granted(grant(5))


def test_a_part_is_renewed_before_it_runs_out_and_by_use(line: Line) -> None:
    line.parts.have(2)
    line.poll()
    line.granted()
    line.now_ms += ASK_CAP_MS
    for _ in range(4):
        line.machine.spent(POT, Amount(1), line.now_ms)
        line.now_ms += 60_000
    line.parts.have(5, granted=9)
    ask = line.poll()
    assert ask is not None
    (held,) = ask.parts
    assert held.granted == Amount(9)
    assert 30 <= held.want.count + 5 <= 50, "eight hours at the pace of four in four minutes, fading"


def test_a_part_is_renewed_before_its_end(line: Line) -> None:
    line.parts.have(9, ends_ms=WALL_MS + 3_600_000)
    line.poll()
    line.granted()
    line.now_ms += ASK_CAP_MS
    assert line.poll() is not None


def test_a_shopper_who_is_sent_away_hurries_the_asking(line: Line) -> None:
    line.poll()
    line.granted(grant(0, GrantReason.WITH_OTHERS))
    line.now_ms += ASK_HURRY_MS
    assert line.poll() is None, "who has nothing to give is not pestered"
    line.machine.sought(POT, Amount(3), line.now_ms)
    ask = line.poll()
    assert ask is not None
    assert [(one.urgent, one.want.count >= 3) for one in ask.parts] == [(True, True)]


def test_points_are_asked_for_when_somebody_wants_to_pay_with_them(line: Line) -> None:
    floor = Pot(POINTS, 1, 77)
    line.machine.sought(floor, Amount(200), line.now_ms)
    ask = line.poll()
    assert ask is not None
    assert {one.pot: one.want for one in ask.parts}[floor] == Amount(200)


def test_points_that_are_here_already_are_not_asked_for_again(line: Line) -> None:
    floor = Pot(POINTS, 1, 77)
    line.parts.states[floor] = State(Amount(200), Amount(200), END_MS)
    line.poll()
    line.granted(Grant(POT, Amount(9), END_MS, GrantReason.SHARED.value))
    line.parts.have(9)
    line.machine.sought(floor, Amount(200), line.now_ms)
    line.now_ms += ASK_HURRY_MS
    assert line.poll() is None
    line.machine.sought(floor, Amount(201), line.now_ms)
    line.now_ms += ASK_HURRY_MS
    assert line.poll() is not None


def test_what_ended_or_is_not_wanted_any_more_is_returned(line: Line) -> None:
    line.parts.have(4, ends_ms=WALL_MS)
    assert line.look() == [(POT, Amount(4))]
    line.parts.have(4)
    line.parts.wants = []
    line.now_ms += 10_000
    assert line.look() == [(POT, Amount(4))]


def test_a_surplus_is_returned_once_its_use_is_known(line: Line) -> None:
    line.parts.have(100)
    assert line.look() == []
    line.now_ms += SETTLE_MS
    assert line.look() == [(POT, Amount(96))], "all but twice the least that a lane wants at hand"


def test_a_recall_leaves_what_is_spent_within_a_minute_and_the_last_one_goes_too(line: Line) -> None:
    line.parts.have(1)
    back = line.machine.on_recall(POT, Amount(5), line.now_ms)
    assert back is not None
    assert back.amount == Amount(1)
    for _ in range(600):
        line.machine.spent(POT, Amount(1), line.now_ms)
        line.now_ms += 500
    line.parts.have(100)
    busy = line.machine.on_recall(POT, Amount(1_000), line.now_ms)
    assert busy is not None
    assert 100 - busy.amount.count >= RECALL_KEEPS_MS // 6_000
    line.parts.have(0)
    assert line.machine.on_recall(POT, Amount(5), line.now_ms) is None


def test_a_lane_that_sells_steadily_wants_what_it_sells_in_the_horizon(line: Line) -> None:
    line.parts.have(0)
    line.poll()
    for _ in range(400):  # one a minute for longer than anything is remembered
        line.now_ms += 60_000
        line.machine.spent(POT, Amount(1), line.now_ms)
    (pot, missing), *_ = line.machine.low(line.now_ms)
    per_horizon = HORIZON_MS // 60_000
    assert pot == POT
    assert 0.8 * per_horizon <= missing.count <= 1.25 * per_horizon
