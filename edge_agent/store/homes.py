"""Which serials this unit may decide alone because it keeps their home (policy `home`).

Who keeps a home, and which serials moved, is the centre's word (cache); which serials left from here is this unit's
own (`away`), written with the fact that says so.
"""

from __future__ import annotations

import msgspec

from edge_agent.store.connection import Connection
from edge_agent.store.journal import signed64
from loyalty.coupon import CENTRE_HOME, Home, Left, home_number
from wire import sealing
from wire.facts import Fact, HomeLeft, KeeperLeft
from wire.messages import PutHome, PutMoved

Me = tuple[str, bytes]


class Homes:
    """See the module. Opens no transaction; after a rolled-back one call `reload`.

    `me` is this unit and the open epoch of its journal: a home is kept by both together.
    """

    def __init__(self, connection: Connection) -> None:
        self._sql = connection
        self._homes: dict[int, PutHome] = {}
        self.reload()

    def reload(self) -> None:
        rows = self._sql.rows("SELECT number, site, title, device, epoch, term FROM homes")
        self._homes = {row[0]: PutHome(*row) for row in rows}

    def home(self, me: Me, secret: bytes, campaign: int, serial: int) -> Home:
        """Where this serial may be decided."""
        number, moves = home_number(serial), 0
        moved = self._sql.row(
            "SELECT home, moves FROM moved WHERE key = ?", (sealing.serial_hash(secret, campaign, serial),)
        )
        if moved is not None:
            number, moves = moved
        kept = self._homes.get(number)
        if number == CENTRE_HOME or kept is None:
            return Home(number=number)
        left = self._left(campaign, serial, moves)
        here = (kept.device, kept.epoch) == me and left is None
        return Home(number=number, site=kept.title or kept.site, keeper=kept.device, here=here, left=left)

    def _left(self, campaign: int, serial: int, moves: int) -> Left | None:
        """How it left from here, if it has not come back since."""
        row = self._sql.row(
            "SELECT question, device, moves FROM away WHERE campaign = ? AND serial = ?", (campaign, signed64(serial))
        )
        return Left(row[0], row[1]) if row is not None and moves <= row[2] else None

    def kept_term(self, me: Me) -> int | None:
        """The term under which this unit keeps the home of its site; None: it keeps none."""
        for kept in self._homes.values():
            if (kept.device, kept.epoch) == me:
                return kept.term
        return None

    def keep(self, fact: Fact, me: Me, secret: bytes) -> None:
        """What a fact that is being journalled changes here."""
        if isinstance(fact, HomeLeft):
            moved = self._sql.row(
                "SELECT moves FROM moved WHERE key = ?", (sealing.serial_hash(secret, fact.campaign, fact.serial),)
            )
            self._sql.execute(
                "INSERT OR REPLACE INTO away VALUES (?, ?, ?, ?, ?)",
                (fact.campaign, signed64(fact.serial), fact.question, fact.to, moved[0] if moved else 0),
            )
        elif isinstance(fact, KeeperLeft):
            for kept in list(self._homes.values()):
                if kept.device == me[0] and kept.term <= fact.term:
                    self.put(msgspec.structs.replace(kept, device=""))

    # --- changes of the centre --------------------------------------------------------------------------

    def put(self, change: PutHome | PutMoved) -> None:
        if isinstance(change, PutMoved):
            self._sql.execute(
                "INSERT INTO moved VALUES (?, ?, ?) ON CONFLICT (key) DO UPDATE SET home = excluded.home,"
                " moves = excluded.moves WHERE excluded.moves > moved.moves",
                (change.serial, change.home, change.moves),
            )
            return
        known = self._homes.get(change.number)
        if known is not None and (known.term > change.term or (known.term == change.term and not known.device)):
            return  # this unit has left since, and the centre does not know it yet
        self._homes[change.number] = change
        self._sql.execute("INSERT OR REPLACE INTO homes VALUES (?, ?, ?, ?, ?, ?)", msgspec.structs.astuple(change))

    def clear(self) -> None:
        """A snapshot replaces what the centre told."""
        self._sql.execute("DELETE FROM moved")
        left = [kept for kept in self._homes.values() if not kept.device]
        self._sql.execute("DELETE FROM homes")
        self._homes = {}
        for kept in left:  # what this unit left stays left until a later term
            self.put(kept)
