"""Points that units report: booked exactly once, with the batch that brings them, whatever they say (promise 4).

The name of the transfer is the fact's, so a fact that is told again under another epoch of its unit is the transfer
that is there. Nothing is refused: what is odd is booked as it was told, and flagged as a conflict, of its gravest kind:

    unknown_programme  nobody entered it yet: it is kept as a conflict alone, and booked by `book_waiting` once it is
    id_reused          its name stands for another fact: booked under a name made of both
    overspent          more than the person had: the rest is borne by the programme's rule
    unknown_holder     nobody has this pseudonym, or not any more
    ended              points that had ended were spent, and were not written off yet: honoured, at the issuer's cost
    old_rule           earned by a rule that was replaced longer ago than the programme lets a lane lag behind
    wrong_points       not what the rule that it names gives for the purchase

This is the hot path: a batch costs a fixed number of statements, whatever its length.
"""

from __future__ import annotations

import hashlib
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, select

from central.conflicts import ConflictState, Party, pseudonym
from central.db import bulk
from central.db.schema import conflicts, facts
from central.ledger import claims, money, programmes, tills
from central.ledger.chart import Key, member
from central.ledger.sheet import Sheet
from central.ledger.tills import EARN, SPEND, Purchase
from central.ledger.transfer import CONTENT_BYTES, Draft, Refused
from loyalty.points import POINTS_MAX, EarnRule, Overspending, Programme, earned, in_force, worth_yen
from wire.facts import Earned, PointsFact, Spent, decode_fact

WAITING_PER_STEP: Final = 500
UNKNOWN_PROGRAMME: Final = "unknown_programme"
_DAY_MS: Final = 86_400_000
_PERSON_SELECT: Final = "p.holder"
_PERSON_JOIN: Final = "persons p WHERE p.holder = wanted.k0"
_KEPT_SELECT: Final = "c.transfer, f.body"
_KEPT_JOIN: Final = (
    "conflicts c CROSS JOIN facts f WHERE c.transfer = wanted.k0 AND c.kind = 'unknown_programme' "
    "AND f.epoch_id = c.second_epoch AND f.seq = c.second_seq"
)
_OWING: Final = "SELECT DISTINCT programme FROM accounts WHERE kind = 'advance' AND balance < 0"
_COLUMNS: Final = (
    "kind", "campaign", "serial", "first_epoch", "first_seq", "second_epoch", "second_seq", "found_ms", "rule",
    "charges", "charged", "amount_yen", "state", "resolved_ms", "programme", "holder", "site", "points", "transfer",
)  # fmt: skip


class Told(NamedTuple):
    """One fact about points, as a unit told it."""

    seq: int
    fact: PointsFact
    body: bytes
    at_ms: int  # corrected by the centre, from 1970 to now

    @property
    def content(self) -> bytes:
        return content_of(self.body)


def content_of(body: bytes) -> bytes:
    """What tells two facts apart that have one name."""
    return hashlib.blake2b(body, digest_size=CONTENT_BYTES).digest()


def names_of(fact: PointsFact, body: bytes) -> tuple[bytes, bytes]:
    """The names that the transfer of a fact may have: its own, or one made of that and its content."""
    return fact.id, hashlib.blake2b(fact.id + content_of(body), digest_size=16).digest()


def told_at(seq: int, fact: PointsFact, body: bytes, at_ms: int, now_ms: int) -> Told:
    """A fact that happened at that time, as near as it can have: not before 1970, and not after now."""
    return Told(seq, fact, body, 0 if at_ms < 0 else now_ms if at_ms > now_ms else at_ms)


class _Odd(NamedTuple):
    """What is odd about one fact."""

    kind: str
    points: int  # at stake


class _Batch(NamedTuple):
    """What is known about the facts of a batch."""

    sheet: Sheet
    epoch_id: int
    now_ms: int
    programmes: dict[int, Programme]
    rules: dict[tuple[int, str], list[EarnRule]]
    persons: set[int]


def book(connection: Connection, epoch_id: int, told: list[Told], now_ms: int) -> None:
    """Books the points of one batch, in its order, in the batch's transaction."""
    if not told:
        return
    known = programmes.by_number(connection, {one.fact.programme for one in told})
    lost = [one for one in told if one.fact.programme not in known]
    if lost:
        _keep(connection, epoch_id, lost, now_ms)
    told = [one for one in told if one.fact.programme in known]
    if told:
        _book(connection, epoch_id, told, known, now_ms)


def _book(connection: Connection, epoch_id: int, told: list[Told], known: dict[int, Programme], now_ms: int) -> None:
    sheet, rows = Sheet(connection, now_ms), list[tuple[Any, ...]]()
    _read(sheet, told, known)
    whose = [(holder,) for holder in {one.fact.holder for one in told}]
    batch = _Batch(
        sheet,
        epoch_id,
        now_ms,
        known,
        programmes.rules(connection, {(one.fact.programme, one.fact.site) for one in told}),
        {row[0] for row in bulk.look_up(connection, _PERSON_SELECT, _PERSON_JOIN, whose)},
    )
    repaid: list[Key] = []
    for one in told:
        name = one.fact.id
        draft = _open(sheet, name, one)
        odd: list[_Odd] = []
        if isinstance(draft, Refused):
            name = _other_name(one)
            odd.append(_Odd("id_reused", one.fact.points))
            sheet.read([name], ())
            draft = _open(sheet, name, one)
        if not isinstance(draft, Draft):
            continue  # told before
        odd += _legs(batch, draft, one, repaid)
        if one.fact.holder not in batch.persons:
            odd.append(_Odd("unknown_holder", one.fact.points))
        if odd:
            rows.append(_conflict(batch, one, name, min(odd, key=lambda each: claims.KINDS.index(each.kind))))
    sheet.write()
    bulk.insert_rows(connection, conflicts, _COLUMNS, rows)
    claims.paid(connection, repaid, now_ms)


def _read(sheet: Sheet, told: list[Told], known: dict[int, Programme]) -> None:
    """All that the batch concerns, at once. Few programmes have anybody who owes points: the others look for nobody."""
    owing = {row[0] for row in bulk.run(sheet.connection, _OWING)}
    keys: dict[Key, None] = {}
    perhaps: dict[Key, None] = {}
    spending: dict[Key, None] = {}
    for _, fact, _, _ in told:
        programme = known[fact.programme]
        mine = member(fact.programme, fact.holder, programme.place(fact.site))
        keys[mine] = None
        if isinstance(fact, Earned):
            keys[tills.issued(fact.programme, fact.site)] = None
            if fact.programme in owing:
                perhaps[tills.advance(*mine[1:])] = None
        else:
            spending[mine] = None
            keys[tills.redeemed(fact.programme, fact.site)] = None
            keys |= dict.fromkeys(money.keys(programme, tills.retailer(programme.id, fact.site)))
    sheet.read([one.fact.id for one in told], keys, perhaps=perhaps, spending=spending)


def _open(sheet: Sheet, name: bytes, one: Told) -> Draft | object:
    kind = EARN if isinstance(one.fact, Earned) else SPEND
    return sheet.open(name, kind, one.fact.programme, one.at_ms, one.content)


def _other_name(one: Told) -> bytes:
    return names_of(one.fact, one.body)[1]


def _legs(batch: _Batch, draft: Draft, one: Told, repaid: list[Key]) -> list[_Odd]:
    """The legs of one fact; gives what is odd about it."""
    fact, sheet, programme = one.fact, batch.sheet, batch.programmes[one.fact.programme]
    purchase = Purchase(draft.name, fact.programme, fact.holder, fact.site, fact.points, one.at_ms)
    if isinstance(fact, Spent):
        took = tills.take(sheet, draft, programme, purchase, whatever=True)
        if took.missing:
            return [_Odd("overspent", took.missing)]
        return [_Odd("ended", took.ended)] if took.ended else []
    if tills.give(sheet, draft, programme, purchase):
        owed = tills.advance(fact.programme, fact.holder, programme.place(fact.site))
        if not sheet.account(owed).balance:
            repaid.append(owed)
    revisions = batch.rules.get((fact.programme, fact.site))
    return _judged(programme, revisions, fact, one.at_ms) if revisions and fact.revision else []


def _judged(programme: Programme, revisions: list[EarnRule], fact: Earned, at_ms: int) -> list[_Odd]:
    """Whether the shop's rule gives these points (M4)."""
    newest = in_force(revisions, at_ms)
    if newest is not None and fact.revision < newest.revision:
        begun = revisions[fact.revision].from_ms  # when the rule after it began
        if at_ms >= begun + programme.rule_days * _DAY_MS:
            return [_Odd("old_rule", _apart(fact.points, earned(newest, fact.spend_yen)))]
    named = revisions[fact.revision - 1] if 0 < fact.revision <= len(revisions) else None
    right = 0 if named is None else earned(named, fact.spend_yen)
    return [] if fact.points == right else [_Odd("wrong_points", _apart(fact.points, right))]


def _apart(told: int, right: int) -> int:
    return min(abs(told - right), POINTS_MAX)


def _conflict(batch: _Batch, one: Told, name: bytes, odd: _Odd) -> tuple[Any, ...]:
    programme, fact = batch.programmes[one.fact.programme], one.fact
    party, charged, state = Party.NOBODY, "", ConflictState.WAITS
    rule = programme.overspending
    if odd.kind == "overspent" and rule is not Overspending.OPERATOR:
        if rule is Overspending.SHOP:
            party, charged, state = Party.SHOP, fact.site, ConflictState.SETTLED
        else:
            party, charged = Party.HOLDER, pseudonym(fact.holder)
            state = ConflictState.SETTLED if rule is Overspending.NEGATIVE else ConflictState.WAITS
    elif odd.kind == "ended":
        party, charged, state = Party.ISSUER, programme.name, ConflictState.SETTLED
    yen = 0 if programme.sell is None else worth_yen(programme.sell, odd.points, programme.rounding)
    return (
        odd.kind, 0, 0, 0, 0, batch.epoch_id, one.seq, batch.now_ms, rule.value, party.value, charged, yen, state.value,
        batch.now_ms if state is ConflictState.SETTLED else None, fact.programme, fact.holder, fact.site, odd.points,
        name,
    )  # fmt: skip


# --- programmes that nobody entered yet ---------------------------------------------------------------------


def _keep(connection: Connection, epoch_id: int, told: list[Told], now_ms: int) -> None:
    """Facts of programmes that are not known: conflicts, until the programme is entered or a person lets them be."""
    names = [(name,) for one in told for name in (one.fact.id, _other_name(one))]
    known = {bytes(name): bytes(body) for name, body in bulk.look_up(connection, _KEPT_SELECT, _KEPT_JOIN, names)}
    rows: list[tuple[Any, ...]] = []
    for one in told:
        fact = one.fact
        name = fact.id if known.get(fact.id, one.body) == one.body else _other_name(one)
        if name in known:
            continue  # told before, under another epoch
        known[name] = one.body
        rows.append(
            (
                UNKNOWN_PROGRAMME, 0, 0, 0, 0, epoch_id, one.seq, now_ms, Overspending.OPERATOR.value, "", "", 0,
                ConflictState.WAITS.value, None, fact.programme, fact.holder, fact.site, fact.points, name,
            )
        )  # fmt: skip
    bulk.insert_rows(connection, conflicts, _COLUMNS, rows)


def book_waiting(connection: Connection, now_ms: int, most: int = WAITING_PER_STEP) -> int:
    """Books facts of programmes that were entered since they came; gives how many. A step, called by time."""
    numbers = [programme.id for programme in programmes.listed(connection)]
    waits = (conflicts.c.kind == UNKNOWN_PROGRAMME) & (conflicts.c.state == ConflictState.WAITS.value)
    its_fact = (facts.c.epoch_id == conflicts.c.second_epoch) & (facts.c.seq == conflicts.c.second_seq)
    rows = connection.execute(
        select(conflicts.c.id, facts.c.epoch_id, facts.c.seq, facts.c.body)
        .join_from(conflicts, facts, its_fact)
        .where(waits, conflicts.c.programme.in_(numbers))
        .order_by(conflicts.c.id)
        .limit(most)
    ).all()
    by_epoch: dict[int, list[Told]] = {}
    for _, epoch_id, seq, body in rows:
        fact = decode_fact(bytes(body))
        assert isinstance(fact, Earned | Spent)
        by_epoch.setdefault(epoch_id, []).append(told_at(seq, fact, bytes(body), fact.at.wall_ms, now_ms))
    for epoch_id, told in by_epoch.items():
        book(connection, epoch_id, told, now_ms)
    claims.withdraw(connection, [row.id for row in rows], "booked when its programme was entered", now_ms)
    return len(rows)
