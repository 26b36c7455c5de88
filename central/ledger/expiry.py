"""Points whose time is over are written off to breakage, and the yen that were paid for them are forfeited.

A step, called by time; it does at most so many lots a turn and says whether there is more. Each programme waits
`grace_days` after the end: a unit that was dark reports in that time what was spent before it.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import Connection, select

from central.db.schema import accounts, lots
from central.ledger import money, programmes
from central.ledger.chart import Key, Kind
from central.ledger.lots import Lot, Move
from central.ledger.refunds import EXPIRE
from central.ledger.sheet import Sheet
from central.ledger.transfer import Draft, content_of
from loyalty.points import written_off_ms

LOTS_PER_STEP: Final = 500


def step(connection: Connection, now_ms: int, most: int = LOTS_PER_STEP) -> int:
    """Writes off about `most` lots (an account's together); gives how many it were. 0: nothing is left to do."""
    done = 0
    for programme in programmes.listed(connection):
        until_ms = written_off_ms(programme, now_ms)
        over = (lots.c.programme == programme.id) & (lots.c.expires_ms <= until_ms) & (lots.c.rest > 0)
        rows = connection.execute(
            select(accounts.c.kind, accounts.c.programme, accounts.c.holder, accounts.c.place)
            .select_from(lots.join(accounts))
            .where(over)
            .order_by(lots.c.expires_ms)
            .limit(most - done)
        )
        keys = [Key(*row) for row in rows]
        if keys:
            done += _write_off(connection, programme.id, keys, until_ms, now_ms)
        if done >= most:
            break
    return done


def _write_off(connection: Connection, programme: int, keys: list[Key], until_ms: int, now_ms: int) -> int:
    """All that is over in these accounts, as one transfer for each of them."""
    breakage, forfeited = Key(Kind.BREAKAGE.value, programme), Key(Kind.FORFEITED.value, programme)
    sheet, wanted = Sheet(connection, now_ms), list(dict.fromkeys(keys))
    sheet.read((), [*wanted, breakage, money.deposits(programme), forfeited], spending=wanted)
    over = {key: [lot for lot in sheet.account(key).lots or () if lot.rest > 0 and lot.expires_ms <= until_ms]
            for key in wanted}  # fmt: skip
    # Named by what it does and when: no randomness, and two workers at once make one transfer of it.
    names = {key: content_of(EXPIRE, key, now_ms, sheet.account(key).balance, _lots(over[key])) for key in wanted}
    sheet.read(names.values(), ())
    count = 0
    for key in wanted:
        points, yen = sum(lot.rest for lot in over[key]), sum(lot.rest_yen for lot in over[key])
        draft = sheet.open(names[key], EXPIRE, programme, now_ms, names[key]) if points else None
        if not isinstance(draft, Draft):
            continue
        for lot in over[key]:
            sheet.move(draft, Move(lot, lot.rest, lot.rest_yen), -1)
        sheet.leg(draft, key, -points)
        sheet.leg(draft, breakage, points)
        sheet.leg(draft, money.deposits(programme), -yen)
        sheet.leg(draft, forfeited, yen)
        count += len(over[key])
    sheet.write()
    return count


def _lots(over: list[Lot]) -> list[tuple[int, int, int]]:
    return [(lot.transfer, lot.number, lot.rest) for lot in over]
