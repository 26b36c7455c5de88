"""Random lives of payments, from seeds: whatever fails in whatever order, the bank's books and the centre's agree.

The bank's ledger is the sandbox's own; in between stands a network that loses questions and answers, and delivers
debits late. Centres die between any two steps. When the faults end, everything comes to an end.
"""

from __future__ import annotations

import secrets
from pathlib import Path
from random import Random
from typing import Any

import pytest

from central.bank import accounts, selection, shops
from central.bank.adapter import BankSilent, BankUnreached, Decline, Outcome, Said
from central.bank.states import State
from central.bank.teller import Teller
from central.coupons import persons
from loyalty.tax import STANDARD_BP, Price, Rounding
from simulator.bank.ledger import Entry, Ledger
from tests.bank_kit import NUMBER, ONLINE
from tests.unit.central.central_kit import NOW_MS, Centre, Lane, campaign
from wire import topics
from wire.messages import AskSettlement, Command, Settled, Settlement, decode, encode

SEEDS = range(12)
STEPS = 60
FUNDS_YEN = 2_500
PRICES_YEN = (1_100, 2_200, 550, 90)
ENDS = {State.SETTLED, State.REFUSED, State.VOID}


class Dies(BaseException):
    """The centre's process ends here."""


class BadNetwork:
    """A bank behind a network; `random` decides what becomes of each question."""

    def __init__(self, ledger: Ledger, random: Random) -> None:
        self.ledger, self.random = ledger, random
        self.troubled = True
        self.late: list[tuple[str, str, int]] = []  # debits that are still under way

    def debit(self, payment: bytes, account: str, amount_yen: int, limit_ms: int) -> Said:
        if self.troubled and self.random.random() < 0.2:
            self.late.append((payment.hex(), account, amount_yen))
            self._lost()
        return self._through(lambda: self.ledger.debit(payment.hex(), account, amount_yen))

    def status(self, payment: bytes, limit_ms: int) -> Said:
        return self._through(lambda: self.ledger.status(payment.hex()))

    def reverse(self, payment: bytes, limit_ms: int) -> Said:
        return self._through(lambda: self.ledger.reverse(payment.hex()))

    def _through(self, work: Any) -> Said:
        fate = self.random.random() if self.troubled else 1.0
        if fate < 0.1:
            raise BankUnreached("is away")
        if fate < 0.2:
            self._lost()
        entry: Entry = work()
        if fate < 0.35:
            self._lost()
        return Said(Outcome(entry.outcome), Decline(entry.decline) if entry.decline else None)

    def _lost(self) -> None:
        if self.random.random() < 0.3:
            raise Dies
        raise BankSilent("said nothing")

    def deliver(self) -> None:
        """What was under way arrives now."""
        late, self.late = self.late, []
        for payment, account, amount_yen in late:
            self.ledger.debit(payment, account, amount_yen)


class Life:
    """One shop with two lanes, one account with three coupons."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.random = Random(seed)
        self.ledger = Ledger(folder / "bank.db")
        self.ledger.open(NUMBER, FUNDS_YEN)
        self.bank = BadNetwork(self.ledger, self.random)
        self.centre = Centre(folder / "centre", campaign(1, **ONLINE))
        self.lanes = [Lane("lane-1", "ginza"), Lane("lane-2", "ginza")]
        self.centre.enrol(*self.lanes)
        keys = self.centre.office.keys
        with self.centre.office.database.write() as connection:
            shops.put(connection, "ginza", liable=True, rounding=Rounding.FLOOR)
            person = persons.add(connection, "hanako", persons.hash_password("secret"), NOW_MS)
            self.account = accounts.add(connection, keys, person, NUMBER, NOW_MS).id
            for _ in range(3):
                selection.select_coupon(connection, keys, person, self.account, 1, NOW_MS, proven=True)
        self.now_ms = NOW_MS
        self.asked: list[tuple[Lane, AskSettlement]] = []
        self.withdrawn: set[bytes] = set()
        self.told: dict[bytes, list[Settlement]] = {}
        self.waiting: list[bytes] = []
        self.start()

    def start(self) -> None:
        office = self.centre.office
        self.teller = Teller(office.database, office.keys, self.bank, 1_000, lambda: self.now_ms)
        self.teller.recover()
        self.centre.desk._teller = self.teller
        self.waiting.clear()

    def step(self) -> None:
        self.now_ms += self.random.choice((10, 50, 200, 200, 1_000, 8_000))
        often = (self.ask, self.work, self.work, self.work, self.mend)
        does = self.random.choice((*often, *often, self.ask_again, self.withdraw, self.late))
        try:
            does()
        except Dies:
            self.start()
        if self.random.random() < 0.05:
            self.start()
        self.hear(self.centre.desk.paid())

    def ask(self) -> None:
        lane = self.random.choice(self.lanes)
        lines = [Price(STANDARD_BP, self.random.choice(PRICES_YEN))]
        self.asked.append((lane, AskSettlement(secrets.token_bytes(16), self.account, lines, 6_000)))
        self.send(*self.asked[-1])

    def ask_again(self) -> None:
        if self.asked:
            self.send(*self.random.choice(self.asked))

    def send(self, lane: Lane, request: AskSettlement) -> None:
        sent = self.centre.desk.handle(lane.address.topic(topics.UP_REQ), encode(request), self.now_ms)
        if not sent:
            self.waiting.append(request.question)
        self.hear(sent)

    def hear(self, sent: Any) -> None:
        for message in sent:
            answer: Settlement = decode(self.centre.opened(message), Command)
            self.told.setdefault(answer.question, []).append(answer)

    def work(self) -> None:
        if self.waiting:
            self.teller.pay(self.waiting.pop(self.random.randrange(len(self.waiting))))

    def withdraw(self) -> None:
        if self.asked:
            lane, request = self.random.choice(self.asked)
            lane.cancel(request.question, campaign=0)
            self.withdrawn.add(request.question)
            self.centre.book(lane, len(lane), now_ms=self.now_ms)

    def mend(self) -> None:
        self.teller.mend()

    def late(self) -> None:
        self.bank.deliver()

    def calm(self) -> None:
        """Faults stop; the clerk has its turns."""
        self.bank.troubled = False
        self.start()
        for _ in range(6):
            self.now_ms += 1_000_000
            self.teller.mend()
        self.bank.deliver()
        self.hear(self.centre.desk.paid())


@pytest.mark.parametrize("seed", SEEDS)
def test_B6_whatever_fails_both_books_agree_and_nothing_is_debited_twice(tmp_path: Path, seed: int) -> None:
    life = Life(tmp_path, seed)
    for _ in range(STEPS):
        life.step()
    life.calm()
    rows = life.centre.query("SELECT question, state, debit_yen, serial FROM bank_settlements")
    moved: dict[str, list[int]] = {}
    for payment, _, yen in life.ledger.books()["movements"]:  # type: ignore[attr-defined]
        moved.setdefault(payment, []).append(-yen)
    settled = {}
    for question, state, debit_yen, serial in rows:
        assert isinstance(question, bytes)
        assert state in ENDS
        there = moved.pop(question.hex(), [])
        if state == State.SETTLED:
            settled[question] = serial
            assert there == ([debit_yen] if debit_yen else []), "debited once"
            assert question not in life.withdrawn
        else:
            assert sum(there) == 0
            assert len(there) in (0, 2), "not debited, or given back once"
    assert not moved, "the bank debited what the centre does not know"
    used = [serial for serial in settled.values() if serial]
    assert len(used) == len(set(used)), "a coupon paid twice"
    for question, answers in life.told.items():
        if question not in life.withdrawn and answers[-1].state is Settled.SETTLED:
            assert question in settled, "told settled, and it was not"
    assert rows, "something happened"
    life.centre.close()
