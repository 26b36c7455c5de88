"""The desk between the till and the one thread that decides: an act goes into the inbox, its answer comes back.

Whoever asks waits, never longer than a bound; at most WAITING_MAX wait at a time. An answer that comes after its bound
is dropped: the act is done all the same, and the till that says it again is told so. Safe from any thread.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Final, Protocol

import msgspec

from edge_agent.core import events as ev
from edge_agent.core.receipt import SaleState, TillAnswer

ANSWER_WITHIN_S: Final = 5.0  # of one act; the deciding thread takes milliseconds, and a disk that hangs is no answer
WAITING_MAX: Final = 32
PENDING_LOOKS_MAX: Final = 200  # how often one wait looks again
UNDER_WAY: Final = frozenset({SaleState.ASKING, SaleState.PAYING})


class NoAnswer(Exception):
    """The lane did not take the wish, or did not answer in time. Nothing is known: say it again."""


class Speaker(Protocol):
    """What speaks with a till in a thread of its own."""

    @property
    def alive(self) -> bool: ...


class Desk:
    """See the module. `put` hands an event to the agent's inbox; False: there is no room."""

    def __init__(self, put: Callable[[ev.TillAsks], bool]) -> None:
        self._put = put
        self._changed = threading.Condition()
        self._waiting: dict[int, Future[TillAnswer]] = {}
        self._number = 0
        self._stirs = 0
        self._speakers: list[Speaker] = []

    @property
    def alive(self) -> bool:
        return all(speaker.alive for speaker in self._speakers)

    def watch(self, speaker: Speaker) -> None:
        """Where this one ends, the desk is not alive any more."""
        self._speakers.append(speaker)

    # --- the deciding thread ---------------------------------------------------------------------------

    def answered(self, reply: int, answer: TillAnswer) -> None:
        with self._changed:
            waiting = self._waiting.pop(reply, None)
        if waiting is not None:
            waiting.set_result(answer)

    def stirred(self) -> None:
        with self._changed:
            self._stirs += 1
            self._changed.notify_all()

    # --- whoever speaks for the till -------------------------------------------------------------------

    def ask(self, sale: bytes, act: ev.Act) -> TillAnswer:
        """One act and its answer. Raises NoAnswer."""
        future: Future[TillAnswer] = Future()
        with self._changed:
            if len(self._waiting) >= WAITING_MAX:
                raise NoAnswer("too many wait already")
            self._number += 1
            reply = self._number
            self._waiting[reply] = future
        try:
            if not self._put(ev.TillAsks(reply=reply, sale=sale, act=act)):
                raise NoAnswer("the lane has more to do than it can take")
            return future.result(ANSWER_WITHIN_S)
        except TimeoutError as error:
            raise NoAnswer("the lane did not answer in time") from error
        finally:
            with self._changed:
                self._waiting.pop(reply, None)

    def add_coupon(self, sale: bytes, act: ev.AddCoupon, within_s: float) -> TillAnswer:
        """The act, and what the centre says where it is asked; still 'asking' when the time is up."""
        answer = self.ask(sale, act)
        asked = answer.asked
        if not asked:
            return answer
        later = self._until(lambda: self.ask(sale, ev.ReadSale()), answer, within_s)
        if later.sale is None or later.sale.state is SaleState.ASKING:
            return later
        last = later.sale.last
        said = next((one for one in later.sale.coupons if one.id == asked), last if last and last.id == asked else None)
        return msgspec.structs.replace(later, coupon=said)

    def pay(self, sale: bytes, act: ev.PaySale, within_s: float) -> TillAnswer:
        """The payment, and what came of it; still 'paying' when the time is up: say it again."""
        return self._until(lambda: self.ask(sale, act), self.ask(sale, act), within_s)

    def _until(self, look: Callable[[], TillAnswer], answer: TillAnswer, within_s: float) -> TillAnswer:
        """Look again whenever something was decided, until nothing is under way or the time is up."""
        until_s = time.monotonic() + within_s
        for _ in range(PENDING_LOOKS_MAX):
            if answer.sale is None or answer.sale.state not in UNDER_WAY:
                break
            with self._changed:
                seen = self._stirs
            answer = look()
            if answer.sale is None or answer.sale.state not in UNDER_WAY:
                break
            with self._changed:
                if not self._changed.wait_for(lambda: self._stirs != seen, max(0.0, until_s - time.monotonic())):  # noqa: B023
                    break
        return answer
