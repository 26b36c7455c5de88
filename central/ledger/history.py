"""What a booked transfer did, read back: for refunds, and for settling pending ones."""

from __future__ import annotations

from typing import Any, NamedTuple

from sqlalchemy import Connection, func, select

from central.db.schema import accounts, lot_moves, lots, postings, transfers
from central.ledger.chart import Key
from central.ledger.lots import Lot, Move, order
from central.ledger.sheet import Sheet


class Written(NamedTuple):
    """A transfer as it is booked."""

    id: int
    name: bytes
    kind: str
    state: str
    programme: int
    at_ms: int


def find(connection: Connection, name: bytes) -> Written | None:
    columns = (transfers.c.id, transfers.c.name, transfers.c.kind, transfers.c.state, transfers.c.programme)
    row = connection.execute(select(*columns, transfers.c.at_ms).where(transfers.c.name == name)).one_or_none()
    return None if row is None else Written(*row)


def legs(connection: Connection, transfer: int, *, with_what_followed: bool = False) -> dict[Key, int]:
    """The legs of a transfer; with those of all transfers about it, where wanted: what is left of it."""
    which = transfers.c.id == transfer
    if with_what_followed:
        which |= transfers.c.about == transfer
    rows = connection.execute(
        select(accounts.c.kind, accounts.c.programme, accounts.c.holder, accounts.c.place, func.sum(postings.c.amount))
        .select_from(postings.join(accounts).join(transfers))
        .where(which)
        .group_by(accounts.c.id, accounts.c.kind, accounts.c.programme, accounts.c.holder, accounts.c.place)
    )
    return {Key(*row[:4]): int(row[4]) for row in rows if row[4]}


def taken(sheet: Sheet, transfer: int) -> list[Move]:
    """What a transfer took of lots, as it was spent, less what came back by transfers about it."""
    connection = sheet.connection
    on_lot = (lot_moves.c.lot == lots.c.transfer) & (lot_moves.c.number == lots.c.number)
    found: dict[tuple[int, int], tuple[Lot, int, int]] = {}
    for row in connection.execute(select(lots, lot_moves.c.points.label("moved"), lot_moves.c.yen.label("moved_yen"))
                                  .select_from(lots.join(lot_moves, on_lot))
                                  .where(lot_moves.c.transfer == transfer, lot_moves.c.points < 0)):  # fmt: skip
        found[row.transfer, row.number] = (sheet.adopt(_lot(row)), -row.moved, -row.moved_yen)
    about = transfers.c.about == transfer
    back = select(lot_moves.c.lot, lot_moves.c.number, lot_moves.c.points, lot_moves.c.yen).join_from(
        lot_moves, transfers, transfers.c.id == lot_moves.c.transfer
    )
    anew = select(lots.c.origin, lots.c.origin_number, lots.c.points, lots.c.yen).join_from(
        lots, transfers, transfers.c.id == lots.c.transfer
    )
    for query in (back.where(about, lot_moves.c.points > 0), anew.where(about, lots.c.origin.is_not(None))):
        for lot, number, points, yen in connection.execute(query):
            if (lot, number) in found:
                one, most, most_yen = found[lot, number]
                found[lot, number] = (one, most - points, most_yen - yen)
    moves = [Move(lot, points, yen) for lot, points, yen in found.values() if points > 0]
    return sorted(moves, key=lambda move: order(move.lot))


def _lot(row: Any) -> Lot:
    return Lot(
        row.transfer, row.number, row.points, row.yen, row.at_ms, row.expires_ms, rest=row.rest, rest_yen=row.rest_yen
    )
