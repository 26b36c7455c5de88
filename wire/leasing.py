"""The lease line, the unit's side: what to ask the centre for, when, and what to give back. Sans-I/O.

The machine knows each pot's state as its owner tells it (`Pots`) and how much is spent of it; it decides when a
report goes out. Reports and grants are totals, so a lost, doubled or late message changes nothing: it is asked
again. `now_ms` is monotonic time throughout; wall time is handed in where an end is compared.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, Protocol

import msgspec

from loyalty.lease import (
    CAMPAIGN,
    NOTHING,
    POINTS,
    Amount,
    GrantReason,
    Limits,
    Pot,
    Rate,
    runs_low,
    surplus,
    target,
)
from wire.backoff import Backoff, Random
from wire.messages import AskLease, Grant, Grants, Held

ASK_FIRST_MS: Final = 2_000
ASK_CAP_MS: Final = 60_000
ASK_HURRY_MS: Final = 200  # between asks when a shopper had to be sent away
LOOK_EVERY_MS: Final = 10_000  # how often ends and surpluses are looked at
RENEW_BEFORE_MS: Final = 86_400_000  # a part is renewed when its end is so near
RECALL_KEEPS_MS: Final = 60_000  # what is asked back leaves what will be spent in so long: somebody waits for it now
SETTLE_MS: Final = 120_000  # nothing is returned as surplus so soon after the start: use is not known yet
POTS_MAX: Final = 1_000
_MORE: Final = frozenset({GrantReason.GRANTED.value, GrantReason.SHARED.value})


class Want(msgspec.Struct, frozen=True):
    """A pot that the unit should have a part of. `unit_yen`: what one use costs at most."""

    pot: Pot
    limits: Limits
    unit_yen: int


class State(msgspec.Struct, frozen=True):
    """What the unit has of a pot."""

    granted: Amount
    left: Amount
    ends_ms: int | None


class Pots(Protocol):
    """What the machine asks of the store."""

    def wanted(self) -> Iterable[Want]:
        """The pots that this unit should have parts of, at most POTS_MAX."""

    def held(self) -> Iterable[Pot]:
        """The pots that it has had parts of in the open epoch."""

    def state(self, pot: Pot) -> State: ...


class Apply(msgspec.Struct, frozen=True):
    """Write down what was granted in all."""

    parts: list[Grant]


class Return(msgspec.Struct, frozen=True):
    """Give so much back, by a fact."""

    pot: Pot
    amount: Amount


class Leasing:
    """See the module."""

    def __init__(self, pots: Pots, random: Random) -> None:
        self._pots = pots
        self._backoff = Backoff(random, first_ms=ASK_FIRST_MS, cap_ms=ASK_CAP_MS, floor_ms=ASK_FIRST_MS // 2)
        self._rates: dict[Pot, Rate] = {}
        self._wants: dict[Pot, Want] = {}
        self._sought: dict[Pot, Amount] = {}  # what a shopper was sent away for
        self._short: set[Pot] = set()  # pots of which the centre gave less than was wanted, at the last answer
        self._empty: set[Pot] = set()  # ... and those of them of which it has none to give
        self._connected = False
        self._whole_due = False
        self._ask_at_ms = self._asked_ms = self._look_at_ms = self._started_ms = 0

    # --- what happened --------------------------------------------------------------------------------

    def connected(self, now_ms: int) -> None:
        self._connected = self._whole_due = True
        self._ask_at_ms = self._look_at_ms = now_ms
        self._backoff.reset()
        self._short.clear()
        self._empty.clear()
        if not self._started_ms:
            self._started_ms = now_ms

    def disconnected(self) -> None:
        self._connected = False

    def report_anew(self, now_ms: int) -> None:
        """The centre's database is another one, or this unit's epoch: say all that is held."""
        self._whole_due, self._ask_at_ms = True, now_ms

    def refresh(self, now_ms: int) -> None:
        """Campaigns changed: look again at what is wanted."""
        self._look_at_ms = min(self._look_at_ms, now_ms)

    def spent(self, pot: Pot, cost: Amount, now_ms: int) -> None:
        self._rate(pot).spent(cost, now_ms)
        want, state = self._wants.get(pot), self._pots.state(pot)
        if (
            want is not None
            and pot not in self._short
            and runs_low(state.left, self._target(want, now_ms), want.limits)
        ):
            self._ask_at_ms = min(self._ask_at_ms, max(now_ms, self._asked_ms + ASK_HURRY_MS))

    def sought(self, pot: Pot, cost: Amount, now_ms: int) -> None:
        """A shopper could not be served out of this unit's part."""
        if pot.kind == CAMPAIGN:
            self._rate(pot).spent(cost, now_ms)  # it would have been spent
        elif not (cost - self._pots.state(pot).left).above_zero:
            return  # points are sought ahead of time, and there are enough
        if len(self._sought) < POTS_MAX:
            self._sought[pot] = self._sought.get(pot, NOTHING).most(cost)
        self._ask_at_ms = min(self._ask_at_ms, max(now_ms, self._asked_ms + ASK_HURRY_MS))

    def on_grants(self, grants: Grants, epoch: bytes, incarnation: bytes, now_ms: int) -> Apply | None:
        """None: it speaks of another epoch, or comes from a database that is gone or not yet known."""
        if grants.epoch != epoch or grants.incarnation != incarnation:
            return None
        self._whole_due = self._whole_due and not grants.whole
        self._sought.clear()
        for part in grants.parts:
            (self._short.discard if part.reason == GrantReason.GRANTED else self._short.add)(part.pot)
            (self._empty.discard if part.reason in _MORE else self._empty.add)(part.pot)
        if self._short > self._empty:
            self._backoff.reset()
        if self._short:  # ever more rarely, until a shopper is sent away
            self._ask_at_ms = now_ms + ASK_FIRST_MS + self._backoff.next_ms()
        else:
            self._backoff.reset()
        return Apply(grants.parts)

    def on_recall(self, pot: Pot, amount: Amount, now_ms: int) -> Return | None:
        """Others have none left: return what will not be spent soon. None: nothing can be spared."""
        left, want = self._pots.state(pot).left, self._wants.get(pot)
        unit_yen = want.unit_yen if want is not None else 0
        soon = self._rate(pot).ahead(now_ms, RECALL_KEEPS_MS, round_up=False).least(left)  # the last one goes, too
        keeps = Amount(soon.count, soon.yen // unit_yen * unit_yen if unit_yen else soon.yen)  # whole uses
        spare = (left - keeps).above_zero.least(amount)
        return Return(pot, spare) if spare else None

    # --- what to do -----------------------------------------------------------------------------------

    def look(self, now_ms: int, wall_ms: int) -> list[Return]:
        """By time: parts that ended or that nobody wants here any more, and what is far beyond what is wanted."""
        if now_ms < self._look_at_ms:
            return []
        self._look_at_ms = now_ms + LOOK_EVERY_MS
        self._wants = {want.pot: want for want in self._pots.wanted()}
        returns = []
        for pot in list(self._pots.held()):
            state, want = self._pots.state(pot), self._wants.get(pot)
            if not state.left:
                continue
            ended = state.ends_ms is not None and wall_ms >= state.ends_ms
            if ended or (want is None and pot.kind == CAMPAIGN):
                returns.append(Return(pot, state.left))
            elif want is not None and now_ms - self._started_ms >= SETTLE_MS:
                beyond = surplus(state.left, self._target(want, now_ms), want.limits)
                if beyond:
                    returns.append(Return(pot, beyond))
        news = (want for pot, want in self._wants.items() if pot not in self._empty)
        if self._connected and any(self._due(want, now_ms, wall_ms) for want in news):
            self._ask_at_ms = min(self._ask_at_ms, now_ms)
        return returns

    def poll(self, now_ms: int, wall_ms: int, epoch: bytes, incarnation: bytes) -> AskLease | None:
        """The report that is due, if any."""
        if not self._connected or now_ms < self._ask_at_ms:
            return None
        if not incarnation:  # the first hello is not answered yet
            self._ask_at_ms = now_ms + ASK_HURRY_MS
            return None
        whole = self._whole_due
        asked = dict(self._pots_to_ask(now_ms, wall_ms))
        if not whole and not asked:
            self._ask_at_ms = now_ms + ASK_CAP_MS
            return None
        pots = list(dict.fromkeys([*asked, *(self._pots.held() if whole else ())]))[:POTS_MAX]
        parts = [Held(pot, self._pots.state(pot).granted, asked.get(pot, NOTHING), pot in self._sought) for pot in pots]
        self._asked_ms = now_ms
        self._ask_at_ms = now_ms + ASK_FIRST_MS + self._backoff.next_ms()
        return AskLease(incarnation, epoch, parts, whole)

    def low(self, now_ms: int) -> list[tuple[Pot, Amount]]:
        """What there is too little of, for whoever may have some while the centre is out of reach."""
        found = []
        for pot, want in self._wants.items():
            left, aim = self._pots.state(pot).left, self._target(want, now_ms)
            if runs_low(left, aim, want.limits):
                found.append((pot, want.limits.of((aim - left).above_zero)))
        return found

    def due_ms(self) -> int:
        """When `look` or `poll` may have something by time alone."""
        return min(self._ask_at_ms, self._look_at_ms) if self._connected else self._look_at_ms

    def _pots_to_ask(self, now_ms: int, wall_ms: int) -> list[tuple[Pot, Amount]]:
        asked = []
        # Points are asked for when somebody wants to pay with them; campaigns ahead of time.
        floors = {pot: Want(pot, Limits(), 0) for pot in self._sought if pot.kind == POINTS}
        for pot, want in (self._wants | floors).items():
            if not self._due(want, now_ms, wall_ms):
                continue
            aim = self._target(want, now_ms).most(self._sought.get(pot, NOTHING))
            missing = want.limits.of((aim - self._pots.state(pot).left).above_zero)
            asked.append((pot, missing or want.limits.of(Amount(1, want.unit_yen))))
        return asked

    def _due(self, want: Want, now_ms: int, wall_ms: int) -> bool:
        state = self._pots.state(want.pot)
        if want.pot in self._sought or runs_low(state.left, self._target(want, now_ms), want.limits):
            return True
        return state.ends_ms is not None and wall_ms >= state.ends_ms - RENEW_BEFORE_MS

    def _target(self, want: Want, now_ms: int) -> Amount:
        return target(self._rate(want.pot), want.unit_yen, now_ms)

    def _rate(self, pot: Pot) -> Rate:
        rate = self._rates.get(pot)
        if rate is None:
            if len(self._rates) >= 2 * POTS_MAX:
                self._rates.clear()
            rate = self._rates[pot] = Rate()
        return rate
