"""Random lives of a ledger beside a naive one: a list of lots for each person, in plain Python."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from central.ledger.transfer import Booked, Outcome
from tests.unit.ledger.ledger_kit import ALICE, BOB, DAY_MS, GINZA, NOW_MS, Ledger

PEOPLE = (ALICE, BOB)
LIFE_DAYS = 4
POINTS = st.integers(1, 30)
PERSON = st.sampled_from(PEOPLE)


class Naive:
    """Lots as [end in days, order of coming, points], by person; debts; what waits."""

    def __init__(self) -> None:
        self.lots: dict[int, list[list[int]]] = {person: [] for person in PEOPLE}
        self.debt = dict.fromkeys(PEOPLE, 0)
        self.day = 0
        self.count = 0

    def come(self, person: int, points: int, end: int | None = None) -> None:
        back = min(self.debt[person], points)
        self.debt[person] -= back
        self.count += 1
        if points > back:
            self.lots[person].append([self.day + LIFE_DAYS + 1 if end is None else end, self.count, points - back])

    def usable(self, person: int) -> int:
        return sum(points for end, _, points in self.lots[person] if end > self.day)

    def go(self, person: int, points: int) -> list[list[int]]:
        """What was taken of which lots: [lot, points]."""
        taken: list[list[int]] = []
        for lot in sorted(self.lots[person]):
            part = min(points, lot[2]) if lot[0] > self.day else 0
            if part:
                lot[2] -= part
                points -= part
                taken.append([self.lots[person].index(lot), part])
        assert not points
        return taken

    def back(self, person: int, taken: list[list[int]], points: int) -> None:
        back = min(self.debt[person], points)
        self.debt[person] -= back
        points -= back
        for one in reversed(taken):
            part = min(points, one[1])
            one[1] -= part
            points -= part
            self.lots[person][one[0]][2] += part
        if points:
            self.come(person, points)

    def expire(self) -> int:
        gone = 0
        for lots in self.lots.values():
            for lot in lots:
                if lot[0] <= self.day:
                    gone += lot[2]
                    lot[2] = 0
        return gone


class LedgerMachine(RuleBasedStateMachine):
    """See the module."""

    @initialize()
    def begin(self) -> None:
        self.folder = Path(tempfile.mkdtemp())
        self.ledger = Ledger(self.folder, days=LIFE_DAYS, overdraft=True, shared=True, transferable=True)
        self.naive = Naive()
        self.spent: list[tuple[bytes, int, int, list[list[int]], int]] = []  # name, person, points, lots, restored
        self.earned: list[tuple[bytes, int, int]] = []
        self.waiting: list[tuple[bytes, int, int, list[list[int]]]] = []
        self.told: list[tuple[bytes, int, int]] = []  # spendings, to be told again
        self.breakage = 0

    def teardown(self) -> None:
        if hasattr(self, "ledger"):
            self.ledger.close()
            shutil.rmtree(self.folder)

    @rule(person=PERSON, points=POINTS)
    def earn(self, person: int, points: int) -> None:
        self.earned.append((self.ledger.earn(points, holder=person), person, points))
        self.naive.come(person, points)

    @rule(person=PERSON, points=POINTS, waits=st.booleans())
    def spend(self, person: int, points: int, waits: bool) -> None:
        fits = points <= self.naive.usable(person)
        name, outcome = self.ledger.spend(points, holder=person, waits=waits)
        assert isinstance(outcome, Booked) == fits
        if fits:
            taken = self.naive.go(person, points)
            if waits:
                self.waiting.append((name, person, points, taken))
            else:
                self.spent.append((name, person, points, taken, 0))
                self.told.append((name, person, points))

    @precondition(lambda self: self.waiting)
    @rule(data=st.data(), post=st.booleans())
    def settle(self, data: st.DataObject, post: bool) -> None:
        name, person, points, taken = self.waiting.pop(data.draw(st.integers(0, len(self.waiting) - 1)))
        outcome: Outcome = self.ledger.post(name) if post else self.ledger.void(name)
        assert isinstance(outcome, Booked)
        if not post:
            self.naive.back(person, taken, points)
        assert not isinstance(self.ledger.void(name), Booked)

    @precondition(lambda self: self.spent)
    @rule(data=st.data())
    def refund(self, data: st.DataObject) -> None:
        place = data.draw(st.integers(0, len(self.spent) - 1))
        name, person, points, taken, restored = self.spent[place]
        part = data.draw(st.integers(1, points))
        outcome = self.ledger.restore(name, part)
        assert isinstance(outcome, Booked) == (part <= points - restored)
        if isinstance(outcome, Booked):
            self.naive.back(person, taken, part)
            self.spent[place] = (name, person, points, taken, restored + part)

    @rule(giver=PERSON, points=POINTS)
    def give(self, giver: int, points: int) -> None:
        taker = BOB if giver == ALICE else ALICE
        fits = points <= self.naive.usable(giver)
        assert isinstance(self.ledger.gift("give", points, holder=giver, to=taker), Booked) == fits
        if fits:
            by_end: dict[int, int] = {}
            for lot, part in self.naive.go(giver, points):
                end = self.naive.lots[giver][lot][0]
                by_end[end] = by_end.get(end, 0) + part
            for end, part in sorted(by_end.items()):
                self.naive.come(taker, part, end)

    @precondition(lambda self: self.told)
    @rule(data=st.data())
    def repeat(self, data: st.DataObject) -> None:
        name, person, points = data.draw(st.sampled_from(self.told))
        at_ms, self.ledger.now_ms = self.ledger.now_ms, NOW_MS
        outcome = self.ledger.spend(points, holder=person, name=name)[1]
        self.ledger.now_ms = at_ms
        assert not isinstance(outcome, Booked) or outcome.repeated

    @rule(days=st.integers(1, 3))
    def time_goes_on(self, days: int) -> None:
        self.ledger.now_ms += days * DAY_MS
        self.naive.day += days

    @rule()
    def expire(self) -> None:
        while self.ledger.expire(3):
            pass
        self.breakage += self.naive.expire()

    @rule(person=PERSON, points=POINTS)
    def take_back_more_than_there_is(self, person: int, points: int) -> None:
        """A purchase that earned points which are gone: all that counts or has ended goes, and the rest is a debt."""
        name = self.ledger.earn(points, holder=person)
        fits = self.naive.usable(person)
        self.naive.come(person, points)
        more = self.naive.usable(person)
        if more:
            _, outcome = self.ledger.spend(more, holder=person)
            assert isinstance(outcome, Booked), fits
            self.naive.go(person, more)
        assert isinstance(self.ledger.take_back(name), Booked)
        left = points
        for lot in sorted(self.naive.lots[person], reverse=True):  # those that ended last come first
            part = min(left, lot[2])
            lot[2] -= part
            left -= part
        self.naive.debt[person] += left

    @invariant()
    def both_agree(self) -> None:
        if not hasattr(self, "ledger"):
            return
        for person in PEOPLE:
            assert self.ledger.usable(person, GINZA) == self.naive.usable(person)
            held = sum(points for _, whose, points, _ in self.waiting if whose == person)
            lots = sum(points for _, _, points in self.naive.lots[person])
            assert self.ledger.points(person, GINZA) == lots + held - self.naive.debt[person]
        assert self.ledger.sums().get("breakage", 0) == self.breakage
        assert [finding.words() for finding in self.ledger.audit()] == []


TestLedgerMachine = LedgerMachine.TestCase
TestLedgerMachine.settings = settings(max_examples=25, stateful_step_count=30, deadline=None)
