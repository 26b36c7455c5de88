"""How conflicts about points end: by themselves, when what was owed is earned back, or by a person's word.

shop     the shop bears it: its exposure
issuer   the issuer bears it: as if the points had been given out
holder   it is taken back from what the person earns later: it waits on, until it is earned back, paid or given up
settled  it is let be, as the note says; not while points are kept apart for it
"""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import Connection, update

from central.conflicts import ConflictState, Party, pseudonym
from central.db import bulk
from central.db.schema import conflicts
from central.ledger import history, programmes, tills
from central.ledger.chart import Key, Kind
from central.ledger.sheet import Sheet
from central.ledger.transfer import Draft, content_of

CLAIM: Final = "claim"
KINDS: Final = (
    "unknown_programme", "id_reused", "overspent", "unknown_holder", "ended", "old_rule", "wrong_points",
)  # fmt: skip
"""Gravest first: a fact that is odd in several ways makes one conflict."""

_PAID: Final = (
    "UPDATE conflicts SET state = 'paid', resolved_ms = ?, note = 'nothing is owed any more' "
    "WHERE programme = ? AND holder = ? AND (site = ? OR ? = '') AND state = 'waits' AND charges = 'holder'"
)


def paid(connection: Connection, advances: list[Key], now_ms: int) -> None:
    """What a person owed of these accounts has been earned back."""
    bulk.run_many(connection, _PAID, [(now_ms, key.programme, key.holder, key.place, key.place) for key in advances])


def withdraw(connection: Connection, numbers: list[int], note: str, now_ms: int) -> None:
    """There was none after all."""
    values = {"state": ConflictState.WITHDRAWN.value, "resolved_ms": now_ms, "note": note}
    for start in range(0, len(numbers), bulk.LOOKUP_KEYS):
        part = numbers[start : start + bulk.LOOKUP_KEYS]
        connection.execute(update(conflicts).where(conflicts.c.id.in_(part)).values(**values))


def end(connection: Connection, row: Any, how: str, now_ms: int) -> dict[str, Any] | str:
    """What a person's word changes of a conflict about points (a row of `conflicts` that waits), its postings made;
    or why it can't be done. `how`: a central.coupons.disputes.Ending.
    """
    resolved: dict[str, Any] = {"state": ConflictState.SETTLED.value, "resolved_ms": now_ms}
    given, bears = tills.issued(row.programme, row.site), _bears(connection, row)
    if how == "settled":
        apart = f"{row.points:,} points are kept apart for conflict {row.id}: charge somebody"
        return resolved if bears is None else apart
    if how == "holder":
        if bears is None or row.charges == Party.HOLDER:
            return f"conflict {row.id} has no points to take back: refund the purchase instead"
        _move(connection, row, how, bears, _advance(connection, row), now_ms)
        return {"charges": Party.HOLDER.value, "charged": pseudonym(row.holder)}
    shop = Key(Kind.EXPOSURE.value, row.programme, 0, row.site)
    if bears is not None:
        _move(connection, row, how, bears, shop if how == "shop" else given, now_ms)
        _nothing_owed(connection, bears, now_ms)
    if how == "paid":
        return {"state": ConflictState.PAID.value, "resolved_ms": now_ms}
    if how == "shop":
        return resolved | {"charges": Party.SHOP.value, "charged": row.site}
    state = ConflictState.GIVEN_UP if how == "given_up" else ConflictState.SETTLED
    charged = {"charges": Party.ISSUER.value, "charged": _name(connection, row)}
    return resolved | charged | {"state": state.value}


def _nothing_owed(connection: Connection, bears: Key, now_ms: int) -> None:
    """What ended one claim may have been the last that its person owed: the others of it are over, too."""
    if bears.kind == Kind.ADVANCE:
        sheet = Sheet(connection, now_ms)
        sheet.read((), [bears])
        if not sheet.account(bears).balance:
            paid(connection, [bears], now_ms)


def _bears(connection: Connection, row: Any) -> Key | None:
    """Where the points of a conflict stand while it waits; None: none are missing."""
    if row.kind != "overspent":
        return None
    if row.charges == Party.HOLDER:
        return _advance(connection, row)
    return Key(Kind.SUSPENSE.value, row.programme, row.holder, row.site)


def _advance(connection: Connection, row: Any) -> Key:
    programme = programmes.get(connection, row.programme)
    place = row.site if programme is None else programme.place(row.site)
    return tills.advance(row.programme, row.holder, place)


def _name(connection: Connection, row: Any) -> str:
    programme = programmes.get(connection, row.programme)
    return f"programme {row.programme}" if programme is None else programme.name


def _move(connection: Connection, row: Any, how: str, bears: Key, then: Key, now_ms: int) -> None:
    """What `bears` the points of a conflict bears them no more: `then` does. As much as it still bears."""
    name, sheet = content_of(CLAIM, row.id, how), Sheet(connection, now_ms)
    sheet.read([name], [bears, then])
    points = min(row.points, max(0, -sheet.account(bears).balance))
    before = None if row.transfer is None else history.find(connection, bytes(row.transfer))
    if not points:
        return
    draft = sheet.open(name, CLAIM, row.programme, now_ms, content_of(CLAIM, row.id, how, points))
    if isinstance(draft, Draft):
        draft.about = None if before is None else before.id
        sheet.leg(draft, bears, points)
        sheet.leg(draft, then, -points)
        sheet.write()
