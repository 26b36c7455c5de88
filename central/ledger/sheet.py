"""The accounts and lots that some transfers concern: read at once, changed in memory, written at once.

However many transfers a sheet has, it costs a fixed number of statements: that is what lets a batch of a lane be booked
with all its postings. Every transfer of points goes through here: one of a person's page, five hundred of a lane.

What it promises:
- A transfer sums to zero in each unit, or nothing is written (`Unbalanced`: a fault of ours, not of the caller's data).
- The same name with the same content is one transfer; `open` says so, and when the content is another one.
- Points of a person are in lots, and what is left of the lots is what can be spent: rest = max(0, balance - held).
  Points that come to a negative balance pay it back first and make no lot.
- On a server with several workers the accounts of persons are locked in one order before they are read, so two
  transfers of one person never both see the old balance. SQLite's write transaction does that for the whole database.
- What shops and the operator keep is only added to, and nothing is decided by it: those accounts are changed last, in
  one order, so that all lanes of a shop book side by side up to their commits. Their balances here may be behind.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

from sqlalchemy import Connection, select

from central.db import bulk
from central.db.schema import accounts, lot_moves, lots, postings, transfers
from central.ledger.chart import Key, Kind
from central.ledger.lots import Lot, Move, ended, in_order, order, taken
from central.ledger.transfer import NAME_BYTES, Account, Booked, Draft, Outcome, Refusal, Refused, State, Took, check

_ACCOUNT_SELECT: Final = "a.id, a.kind, a.programme, a.holder, a.place, a.balance, a.held"
_ACCOUNT_JOIN: Final = (
    "accounts a WHERE a.kind = wanted.k0 AND a.programme = wanted.k1 AND a.holder = wanted.k2 AND a.place = wanted.k3"
)
_OPEN_ACCOUNT: Final = (
    "INSERT INTO accounts (kind, programme, holder, place, balance, held) VALUES (?, ?, ?, ?, 0, 0) "
    "ON CONFLICT DO NOTHING"
)
_TRANSFER_SELECT: Final = "t.id, t.name, t.content"
_TRANSFER_JOIN: Final = "transfers t WHERE t.name = wanted.k0"
_TRANSFER_COLUMNS: Final = (
    "name", "kind", "state", "programme", "at_ms", "booked_ms", "content", "about", "settles",
)  # fmt: skip
_LOT_SELECT: Final = "l.account, l.transfer, l.number, l.points, l.yen, l.rest, l.rest_yen, l.at_ms, l.expires_ms"
_LOT_JOIN: Final = "lots l WHERE l.account = wanted.k0 AND l.rest > 0"
_LOT_COLUMNS: Final = (
    "transfer", "number", "account", "programme", "points", "yen", "rest", "rest_yen", "at_ms", "expires_ms", "origin",
    "origin_number",
)  # fmt: skip
_POSTED: Final = State.POSTED.value
_PENDING: Final = State.PENDING.value
_CHANGE_ACCOUNT: Final = bulk.Change("accounts", ("balance", "held"), ("id",))
_CHANGE_LOT: Final = bulk.Change("lots", ("rest", "rest_yen"), ("transfer", "number"))


class Sheet:
    """See the module. For one write transaction; `write` ends it."""

    def __init__(self, connection: Connection, now_ms: int) -> None:
        self.connection, self.now_ms = connection, now_ms
        self._accounts: dict[Key, Account] = {}
        self._known: dict[bytes, tuple[int, bytes]] = {}
        self._lots: dict[tuple[int, int], Lot] = {}
        self._drafts: list[Draft] = []

    # --- reading ----------------------------------------------------------------------------------------

    def read(
        self,
        names: Iterable[bytes],
        keys: Iterable[Key],
        *,
        perhaps: Iterable[Key] = (),
        spending: Iterable[Key] = (),
    ) -> None:
        """Reads accounts (those of `keys` are opened where they are missing), transfers by name, and the lots of
        the accounts `spending`."""
        wanted = sorted({key for key in keys if key not in self._accounts})
        looked = sorted({*wanted, *(key for key in perhaps if key not in self._accounts)})
        self._look_up(looked)
        missing = [key for key in wanted if key not in self._accounts]
        if missing:
            bulk.run_many(self.connection, _OPEN_ACCOUNT, missing)
            self._look_up(missing)
        self._lock([self._accounts[key] for key in looked if key in self._accounts])
        fresh = [(name,) for name in dict.fromkeys(names) if name not in self._known]
        for number, name, content in bulk.look_up(self.connection, _TRANSFER_SELECT, _TRANSFER_JOIN, fresh):
            self._known[bytes(name)] = (number, bytes(content))
        self._read_lots([key for key in dict.fromkeys(spending) if key in self._accounts])

    def _look_up(self, keys: Sequence[Key]) -> None:
        for number, *key, balance, held in bulk.look_up(self.connection, _ACCOUNT_SELECT, _ACCOUNT_JOIN, keys):
            one = Key(*key)
            self._accounts[one] = Account(one, number, balance, held)

    def _lock(self, found: list[Account]) -> None:
        """On a server: locks persons' rows, in the order of their numbers, and reads them again as they are then."""
        by_number = {account.id: account for account in found if account.key.holder}
        if self.connection.dialect.name == "sqlite" or not by_number:
            return
        numbers = sorted(by_number)
        for start in range(0, len(numbers), bulk.LOOKUP_KEYS):
            part = numbers[start : start + bulk.LOOKUP_KEYS]
            query = select(accounts.c.id, accounts.c.balance, accounts.c.held).where(accounts.c.id.in_(part))
            for row in self.connection.execute(query.order_by(accounts.c.id).with_for_update(key_share=True)):
                by_number[row.id].balance, by_number[row.id].held = row.balance, row.held

    def _read_lots(self, keys: list[Key]) -> None:
        by_number: dict[int, list[Lot]] = {}
        for key in keys:
            account = self._accounts[key]
            if account.lots is None:
                account.lots = by_number[account.id] = []
        numbers = [(number,) for number in by_number]
        for account_id, transfer, number, points, yen, rest, rest_yen, at_ms, expires_ms in bulk.look_up(
            self.connection, _LOT_SELECT, _LOT_JOIN, numbers
        ):
            lot = Lot(transfer, number, points, yen, at_ms, expires_ms, rest=rest, rest_yen=rest_yen)
            by_number[account_id].append(self.adopt(lot))
        for found in by_number.values():
            found.sort(key=order)

    def account(self, key: Key) -> Account:
        """An account that was read, or is opened now."""
        if key not in self._accounts:
            self.read((), [key])
        return self._accounts[key]

    def there(self, key: Key) -> Account | None:
        """An account that was read, if it exists."""
        return self._accounts.get(key)

    def adopt(self, lot: Lot) -> Lot:
        """The one object for a lot of the database, whoever read it."""
        return self._lots.setdefault((lot.transfer, lot.number), lot)

    # --- making transfers -------------------------------------------------------------------------------

    def open(
        self,
        name: bytes,
        kind: str,
        programme: int,
        at_ms: int,
        content: bytes,
        state: State = State.POSTED,
    ) -> Draft | Outcome:
        """A new transfer; or what became of it, if its name is known. The name must have been read."""
        known = self._known.get(name)
        if known is not None:
            number, before = known
            if before == content:
                return Booked(number, repeated=True)
            return Refused(Refusal.OTHER_CONTENT, f"{name.hex()} is the name of another transfer")
        if len(name) != NAME_BYTES:
            return Refused(Refusal.OTHER_CONTENT, f"a transfer's name has {NAME_BYTES} bytes, not {len(name)}")
        draft = Draft(name, kind, programme, at_ms, content, state)
        self._known[name] = (0, content)
        self._drafts.append(draft)
        return draft

    def leg(self, draft: Draft, key: Key, amount: int) -> None:
        """One leg; a second one on the same account is added to it."""
        if amount:
            draft.legs[key] = draft.legs.get(key, 0) + amount
            account = self.account(key)
            if draft.state is State.POSTED:
                account.balance += amount
                account.balance_change += amount
            elif amount < 0:
                self.hold(account, -amount)

    def hold(self, account: Account, points: int) -> None:
        """Holds so much more, or less, of an account for pending transfers."""
        account.held += points
        account.held_change += points

    def usable(self, key: Key, at_ms: int) -> int:
        """The points of a person that count at that time. Its lots must have been read."""
        account = self._accounts.get(key)
        return 0 if account is None else sum(lot.rest for lot in in_order(account.lots or (), at_ms))

    def take(
        self,
        draft: Draft,
        key: Key,
        points: int,
        at_ms: int,
        *,
        ended_too: bool = False,
        first: Sequence[Lot] = (),
    ) -> Took:
        """Takes points of a person's lots, with the leg for what was there. What is missing is the caller's to book.

        `first`: lots to take before all others; `ended_too`: in the end also of points that had ended.
        """
        account = self.account(key)
        assert account.lots is not None, f"the lots of {key.words()} were not read"
        moves = taken(first, points)
        for move in moves:
            self.move(draft, move, -1)
        left = points - sum(move.points for move in moves)
        for lots_of in (in_order, ended) if ended_too else (in_order,):
            more = taken(list(lots_of(account.lots, at_ms)), left)
            for move in more:
                self.move(draft, move, -1)
            left -= sum(move.points for move in more)
            moves += more
        got = points - left
        self.leg(draft, key, -got)
        late = sum(move.points for move in moves if move.lot.expires_ms <= at_ms)
        return Took(got, sum(move.yen for move in moves), left, late, moves)

    def give(
        self,
        draft: Draft,
        key: Key,
        points: int,
        yen: int,
        at_ms: int,
        expires_ms: int,
    ) -> None:
        """Gives a person points in a lot of their own, for which so many yen were paid; with the leg."""
        account = self.account(key)
        back, back_yen = self._pay_back(draft, account, points, yen)
        self.leg(draft, key, points)
        self.put(draft, account, Lot(0, 0, points - back, yen - back_yen, at_ms, expires_ms))

    def hand_over(self, draft: Draft, key: Key, moves: Sequence[Move]) -> None:
        """Gives a person what was taken of somebody else's lots, with the ends that they had; with the legs."""
        by_end: dict[int, list[Move]] = {}
        for move in moves:
            by_end.setdefault(move.lot.expires_ms, []).append(move)
        for expires_ms, group in sorted(by_end.items()):
            points, yen = sum(move.points for move in group), sum(move.yen for move in group)
            self.give(draft, key, points, yen, min(move.lot.at_ms for move in group), expires_ms)

    def put(self, draft: Draft, account: Account, lot: Lot) -> None:
        """A new lot, without a leg."""
        if lot.points:
            lot.number = len(draft.lots) + 1
            draft.lots.append((account, lot))
            if account.lots is not None:
                account.lots.append(lot)

    def come_back(
        self, draft: Draft, key: Key, moves: Sequence[Move], points: int, *, ended_until_ms: int, fresh_ms: int
    ) -> int:
        """So many points come back to where `moves` had taken them, the last ones first. Gives the yen that come with
        them. To be called before the legs, which are the caller's.

        What pays back a debt goes into no lot; what no move covers makes a new lot that ends `fresh_ms`. What came of
        lots that have ended goes into new ones that end `ended_until_ms`; if that is past, into their own all the
        same, which are written off in their turn.
        """
        account = self.account(key)
        left = points - min(points, account.debt)
        yen = 0
        for lot, most, most_yen in reversed(moves):
            part = min(left, most)
            if not part:
                continue
            part_yen = most_yen if part == most else most_yen * part // most
            left, yen = left - part, yen + part_yen
            if lot.expires_ms <= self.now_ms < ended_until_ms:
                self.put(draft, account, Lot(0, 0, part, part_yen, lot.at_ms, ended_until_ms, origin=lot))
                continue
            self.move(draft, Move(lot, part, part_yen), 1)
            if account.lots is not None and lot not in account.lots:
                account.lots.append(lot)
        self.put(draft, account, Lot(0, 0, left, 0, self.now_ms, fresh_ms))
        return yen

    def _pay_back(self, draft: Draft, account: Account, points: int, yen: int) -> tuple[int, int]:
        """What of points that come goes to a debt; the yen that were paid for them are the operator's then."""
        back = min(points, account.debt)
        back_yen = yen if back == points else yen * back // points
        if back_yen:
            self.leg(draft, Key(Kind.DEPOSITS.value, draft.programme), -back_yen)
            self.leg(draft, Key(Kind.FEES.value, draft.programme), back_yen)
        return back, back_yen

    def move(self, draft: Draft, move: Move, direction: int) -> None:
        """Takes of a lot (-1) or puts back into it (1), without a leg."""
        points, yen = direction * move.points, direction * move.yen
        before = draft.moves.get(move.lot, (0, 0))
        draft.moves[move.lot] = (before[0] + points, before[1] + yen)
        move.lot.rest += points
        move.lot.rest_yen += yen

    # --- writing ----------------------------------------------------------------------------------------

    def write(self) -> dict[bytes, int]:
        """Writes everything; gives the number of each new transfer. Raises Unbalanced before anything is written."""
        drafts, connection = self._drafts, self.connection
        for draft in drafts:
            check(draft)
        rows: list[tuple[Any, ...]] = [
            (
                draft.name, draft.kind, _POSTED if draft.state is State.POSTED else _PENDING, draft.programme,
                draft.at_ms, self.now_ms, draft.content, draft.about, draft.settles,
            )
            for draft in drafts
        ]  # fmt: skip
        bulk.insert_rows(connection, transfers, _TRANSFER_COLUMNS, rows)
        names = [(draft.name,) for draft in drafts]
        numbers = {
            bytes(name): number for number, name, _ in bulk.look_up(connection, _TRANSFER_SELECT, _TRANSFER_JOIN, names)
        }
        posted: list[tuple[Any, ...]] = []
        brought: list[tuple[Any, ...]] = []
        moved: list[tuple[Any, ...]] = []
        changed: dict[Lot, tuple[int, int]] = {}
        for draft in drafts:
            draft.id = numbers[draft.name]
            for _, lot in draft.lots:
                lot.transfer = draft.id
        for draft in drafts:
            number = draft.id
            posted += [(number, self._accounts[key].id, amount) for key, amount in draft.legs.items() if amount]
            for account, lot in draft.lots:
                origin = (None, None) if lot.origin is None else (lot.origin.transfer, lot.origin.number)
                brought.append(
                    (
                        number, lot.number, account.id, account.key.programme, lot.points, lot.yen, lot.rest,
                        lot.rest_yen, lot.at_ms, lot.expires_ms, *origin,
                    )
                )  # fmt: skip
            for lot, (points, yen) in draft.moves.items():
                if points or yen:
                    moved.append((number, lot.transfer, lot.number, points, yen))
                    before = changed.get(lot, (0, 0))
                    changed[lot] = (before[0] + points, before[1] + yen)
        bulk.insert_rows(connection, postings, ("transfer", "account", "amount"), posted)
        bulk.insert_rows(connection, lots, _LOT_COLUMNS, brought)
        bulk.insert_rows(connection, lot_moves, ("transfer", "lot", "number", "points", "yen"), moved)
        fresh = {lot for draft in drafts for _, lot in draft.lots}  # written as they are by now
        _CHANGE_LOT.apply(
            connection,
            [(*change, lot.transfer, lot.number) for lot, change in changed.items() if lot not in fresh],
        )
        persons, others = list[tuple[int, int, int]](), list[tuple[int, int, int]]()
        for account in self._accounts.values():
            if account.balance_change or account.held_change:
                row = (account.balance_change, account.held_change, account.id)
                (persons if account.key.holder else others).append(row)
        _CHANGE_ACCOUNT.apply(connection, persons)
        _CHANGE_ACCOUNT.one_by_one(connection, sorted(others, key=lambda row: row[2]))
        self._drafts, self._accounts, self._lots = [], {}, {}
        return numbers
