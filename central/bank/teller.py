"""Asks the bank, and brings every payment to an end.

Payments that lanes wait for are debited by WORKERS threads, so that a bank that is slow with one keeps no other
waiting; one more thread, the clerk, asks about what is in doubt and reverses what was withdrawn, again and again with
pauses that grow (`book.later`), until the bank has said how it ended. Nothing here keeps a transaction open while a
bank is asked. Each step is committed before the next is tried (`states`).

At the start everything that is open is somebody's who died: what the bank never heard of is void, what it may have
heard of is in doubt, and the clerk asks. That is safe beside other processes too: a step is made once, and a bank that
was told to reverse an id does not debit it any more.

A storage fault leaves a payment where it is: the clerk finds it once its lane has surely given up (ORPHAN_MS).
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Final, NamedTuple

from central.bank import accounts, book
from central.bank.accounts import AccountError
from central.bank.adapter import Bank, BankSilent, BankUnreached, Decline, Outcome, Said
from central.bank.states import Happening, State
from central.db.database import Database, StorageError
from central.keys import KeyFileError, Keys
from loyalty.reason import Reason
from wire.messages import Settlement

WORKERS: Final = 4
QUEUE_MAX: Final = 64  # payments that wait for a worker
ANSWERS_MAX: Final = 1_000  # answers that wait to be sent; the oldest are dropped, a lane asks again
MARGIN_MS: Final = 250  # of the lane's time, for the way back of an answer that tells of a doubt
LIMIT_MIN_MS: Final = 100  # less is no time to ask a bank in
CLERK_EVERY_S: Final = 0.5
CLERK_AT_ONCE: Final = 20
ORPHAN_MS: Final = 15_000
STOP_WITHIN_S: Final = 5.0
_REASONS: Final = {Decline.FUNDS: Reason.NO_FUNDS, Decline.ACCOUNT: Reason.NO_ACCOUNT, Decline.OTHER: Reason.DECLINED}
_log = logging.getLogger(__name__)


class Told(NamedTuple):
    """An answer for a lane."""

    device: str
    site: str
    answer: Settlement


class Teller:
    """See the module. `limit_ms`: how long the bank may take; `clock`: wall time in ms."""

    def __init__(self, database: Database, keys: Keys, bank: Bank, limit_ms: int, clock: Callable[[], int]) -> None:
        self._database, self._keys, self._bank = database, keys, bank
        self._limit_ms, self._clock = limit_ms, clock
        self._queue: queue.Queue[bytes] = queue.Queue(QUEUE_MAX)
        self._answers: deque[Told] = deque(maxlen=ANSWERS_MAX)
        self._halt = threading.Event()
        self._threads: list[threading.Thread] = []
        self._under_way = 0
        self._lock = threading.Lock()

    def start(self) -> None:
        """Raises StorageError."""
        self.recover()
        self._threads = [threading.Thread(target=self._work, name=f"teller-{n}", daemon=True) for n in range(WORKERS)]
        self._threads.append(threading.Thread(target=self._mend, name="clerk", daemon=True))
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """No new payment is begun; what a bank is being asked is left to the next start if it takes too long."""
        self._halt.set()
        until = time.monotonic() + STOP_WITHIN_S
        for thread in self._threads:
            thread.join(max(0.0, until - time.monotonic()))

    @property
    def busy(self) -> bool:
        """Whether an answer may come soon, or waits to be sent."""
        return bool(self._answers) or self._under_way > 0

    def take(self, question: bytes) -> bool:
        """A payment in state 'asked' is to be debited. False: there is no room, and its lane is told 'not now'."""
        with self._lock:
            self._under_way += 1
        try:
            self._queue.put_nowait(question)
        except queue.Full:
            self._over()
            return False
        return True

    def answers(self) -> list[Told]:
        """What is to be told to lanes now."""
        out: list[Told] = []
        while self._answers:
            out.append(self._answers.popleft())
        return out

    def _over(self) -> None:
        with self._lock:
            self._under_way -= 1

    # --- what a lane waits for -------------------------------------------------------------------------

    def _work(self) -> None:
        while not self._halt.is_set():
            with suppress(queue.Empty, StorageError):
                self._next(CLERK_EVERY_S)

    def work_off(self) -> None:
        """Pays what waits, in the caller's thread: for a centre that has started none. Raises StorageError."""
        with suppress(queue.Empty):
            while True:
                self._next(0.0)

    def _next(self, wait_s: float) -> None:
        """Pays the one that waits longest. Raises queue.Empty, StorageError."""
        question = self._queue.get(wait_s > 0, wait_s)
        try:
            self.pay(question)
        except StorageError as error:
            _log.error("payment %s: the database: %s", _short(question), error)
            raise
        except Exception:  # noqa: BLE001 - our fault with one payment must not end all; the clerk takes it on
            _log.exception("payment %s", _short(question))
        finally:
            self._over()

    def pay(self, question: bytes) -> None:
        """Brings a payment from 'asked' to an answer. Raises StorageError."""
        begun = self._begin(question)
        if begun is not None:
            number, amount_yen, limit_ms = begun
            try:
                said = self._bank.debit(question, number, amount_yen, limit_ms)
            except BankSilent as error:
                _log.warning("payment %s: the bank %s", _short(question), error)
                happening = Happening.UNREACHED if isinstance(error, BankUnreached) else Happening.SILENT
                self._move(question, State.DEBITING, happening)
            else:
                self._move(question, State.DEBITING, *_heard(said))
        self._tell(question)

    def _begin(self, question: bytes) -> tuple[str, int, int] | None:
        """Writes down that the bank is to be asked; the account's number, the amount and the limit, if it is."""
        now_ms = self._clock()
        with self._database.write() as connection:
            payment = book.get(connection, question)
            if payment is None or payment.state is not State.ASKED:
                return None
            limit_ms = min(self._limit_ms, payment.until_ms - now_ms - MARGIN_MS)
            happening, number = Happening.BEGUN, ""
            if payment.debit_yen == 0:
                happening = Happening.NOTHING_DUE
            elif limit_ms < LIMIT_MIN_MS:
                happening = Happening.TOO_LATE
            else:
                try:
                    number = accounts.number(connection, self._keys, payment.account)
                except (AccountError, KeyFileError) as error:
                    _log.error("payment %s: %s", _short(question), error)
                    happening = Happening.TOO_LATE
            moved = book.move(
                connection, question, State.ASKED, happening, now_ms, next_ms=payment.until_ms + ORPHAN_MS
            )
        if not moved or happening is not Happening.BEGUN:
            return None
        return number, payment.debit_yen, limit_ms

    def _move(self, question: bytes, state: State, happening: Happening, reason: Reason | None = None) -> bool:
        with self._database.write() as connection:
            return book.move(connection, question, state, happening, self._clock(), reason=reason)

    def _tell(self, question: bytes) -> None:
        with self._database.read() as connection:
            payment = book.get(connection, question)
        if payment is not None and payment.answer is not None:
            self._answers.append(Told(payment.device, payment.site, payment.answer))

    # --- what is open ----------------------------------------------------------------------------------

    def recover(self) -> None:
        """At the start: see the module. Raises StorageError."""
        while self._orphans(2**62):
            continue

    def _orphans(self, until_ms: int) -> int:
        """Payments whose process, or whose step, was lost: those whose time was up before `until_ms`."""
        now_ms = self._clock()
        with self._database.write() as connection:
            lost = book.due(connection, (State.ASKED, State.DEBITING), until_ms, CLERK_AT_ONCE)
            for payment in lost:
                happening = Happening.TOO_LATE if payment.state is State.ASKED else Happening.SILENT
                _log.warning("payment %s was %s: %s", _short(payment.question), payment.state, happening)
                book.move(connection, payment.question, payment.state, happening, now_ms)
        return len(lost)

    def _mend(self) -> None:
        while not self._halt.wait(CLERK_EVERY_S):
            try:
                self.mend()
            except StorageError as error:
                _log.error("payments in doubt: the database: %s", error)
            except Exception:  # noqa: BLE001 - as above: tried again after a pause
                _log.exception("payments in doubt")

    def mend(self) -> None:
        """Asks the bank about what is in doubt, and has it reverse what is to go back. Raises StorageError."""
        now_ms = self._clock()
        with self._database.read() as connection:
            lost = book.due(connection, (State.ASKED, State.DEBITING), now_ms, 1)
            waiting = book.due(connection, (State.IN_DOUBT, State.REVERSING), now_ms, CLERK_AT_ONCE)
        if lost:
            self._orphans(now_ms)
        for payment in waiting:
            if self._halt.is_set():
                return
            self._settle_doubt(payment)

    def _settle_doubt(self, payment: book.Payment) -> None:
        question, state = payment.question, payment.state
        try:
            if state is State.IN_DOUBT:
                said = self._bank.status(question, self._limit_ms)
                if said.outcome in (Outcome.UNKNOWN, Outcome.REVERSED):
                    if not self._move(question, State.IN_DOUBT, Happening.UNHEARD):
                        return
                    state = State.REVERSING
                elif self._move(question, State.IN_DOUBT, *_heard(said)):
                    self._tell(question)
            if state is State.REVERSING:
                said = self._bank.reverse(question, self._limit_ms)
                if said.outcome not in (Outcome.REVERSED, Outcome.REFUSED):
                    raise BankSilent(f"was told to reverse, and answered {said.outcome}")
                if self._move(question, State.REVERSING, Happening.REVERSED):
                    self._tell(question)
        except BankSilent as error:
            _log.warning("payment %s, %s: the bank %s", _short(question), state, error)
            with self._database.write() as connection:
                latest = book.get(connection, question)
                if latest is not None:
                    book.later(connection, latest, self._clock())


def _heard(said: Said) -> tuple[Happening, Reason | None]:
    """What the bank's answer to a debit, or about one, means. One that was reversed will not come again."""
    if said.outcome is Outcome.DEBITED:
        return Happening.DEBITED, None
    if said.outcome is Outcome.REFUSED:
        return Happening.DECLINED, _REASONS[said.decline or Decline.OTHER]
    return Happening.SILENT, None


def _short(question: bytes) -> str:
    return question.hex()[:8]
