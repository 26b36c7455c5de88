"""The cache: what the centre told this unit. Written by the downlink alone; the unit's own facts stand elsewhere.

Redemptions stand in one of two tables: one is in force while the other takes a snapshot, part by part, so
that a snapshot of millions of rows never makes a shopper wait; the switch is one small transaction.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from edge_agent.store.connection import Connection
from edge_agent.store.homes import Homes
from loyalty.campaign import Campaign, Policy
from loyalty.coupon import STRANGER
from loyalty.keys import Key
from loyalty.points import EarnRule, Programme
from wire import sealing
from wire.messages import (
    Change,
    DropRedemption,
    DropRevoked,
    PutCampaign,
    PutCard,
    PutCardKey,
    PutGeneration,
    PutHome,
    PutKey,
    PutLane,
    PutMoved,
    PutProgramme,
    PutRedemption,
    PutRevoked,
    PutRule,
    PutSecret,
    decode,
    encode,
)

CAMPAIGNS_HELD_MAX: Final = 512  # decoded campaigns in memory
TAKEN_BACK_MAX: Final = 10_000  # redemptions that the centre took back, remembered against late tellers: the newest
RULES_HELD_MAX: Final = 32  # revisions of one earn rule: the one in force, those to come, and some before
LANE_ACTIVE: Final = "active"
_EMPTY_SECRET: Final = b""


class Cache:
    """See the module. Opens no transaction; after a rolled-back one call `reload`."""

    def __init__(self, connection: Connection) -> None:
        self._sql = connection
        self.homes = Homes(connection)
        self._campaigns: dict[int, Campaign | None] = {}
        self._keys: dict[int, Key | None] = {}
        self._lanes: dict[str, bytes] | None = None
        self._staging = False  # a snapshot is on its way
        self.reload()

    def reload(self) -> None:
        self._campaigns.clear()
        self._keys.clear()
        self.homes.reload()
        self._lanes = None
        self._programmes: tuple[tuple[Programme, tuple[EarnRule, ...]], ...] | None = None
        self._card_keys: tuple[bytes, ...] | None = None
        self._anything_revoked: bool | None = None
        self._generation = int(self.meta("generation", 0))
        self.secret = bytes(self.meta("secret", _EMPTY_SECRET))

    # --- position -----------------------------------------------------------------------------------

    @property
    def position(self) -> tuple[bytes, int]:
        """(incarnation, number) of the last change that is in force."""
        return bytes(self.meta("feed_incarnation", b"")), int(self.meta("feed_number", 0))

    def meta(self, key: str, default: Any) -> Any:
        row = self._sql.row("SELECT value FROM meta WHERE key = ?", (key,))
        return default if row is None else row[0]

    def set_meta(self, key: str, value: Any) -> None:
        self._sql.execute(
            "INSERT INTO meta VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value", (key, value)
        )

    # --- look-ups -----------------------------------------------------------------------------------

    def campaign(self, number: int) -> Campaign | None:
        if number in self._campaigns:
            return self._campaigns[number]
        row = self._sql.row("SELECT body FROM campaigns WHERE id = ?", (number,))
        found = None if row is None else decode(row[0], Campaign)
        if len(self._campaigns) >= CAMPAIGNS_HELD_MAX:
            self._campaigns.clear()
        self._campaigns[number] = found
        return found

    def campaign_found_by(self, code: str) -> Campaign | None:
        """The newest campaign for which an unsigned code stands."""
        query = "SELECT id FROM campaigns WHERE found_by = ? AND found_by <> '' ORDER BY id DESC LIMIT 1"
        row = self._sql.row(query, (code,)) if code else None
        return None if row is None else self.campaign(row[0])

    def holder_of_card(self, uid: bytes) -> int:
        """The pseudonym of whose card it is; STRANGER for one that nobody told this unit about; 0: no card."""
        if not uid:
            return 0
        row = self._sql.row("SELECT holder FROM cards WHERE card = ?", (sealing.card_hash(self.secret, uid),))
        return STRANGER if row is None else int(row[0])

    @property
    def card_keys(self) -> tuple[bytes, ...]:
        """What authenticates member cards, the newest first: that one writes. Empty: nothing was told yet."""
        if self._card_keys is None:
            self._card_keys = tuple(
                row[0] for row in self._sql.rows("SELECT secret FROM card_keys ORDER BY number DESC")
            )
        return self._card_keys

    def valid_card(self, holder: int) -> tuple[int, bool]:
        """The generation of a holder's valid card, and whether it is blocked."""
        key = sealing.holder_hash(self.secret, holder)
        row = self._sql.row("SELECT generation, blocked FROM generations WHERE key = ?", (key,))
        return (1, False) if row is None else (int(row[0]), bool(row[1]))

    def key(self, number: int) -> Key | None:
        if number not in self._keys:
            row = self._sql.row("SELECT public, retired_ms FROM keys WHERE id = ?", (number,))
            self._keys[number] = None if row is None else Key(id=number, public=row[0], retired_ms=row[1])
        return self._keys[number]

    def programmes(self) -> tuple[tuple[Programme, tuple[EarnRule, ...]], ...]:
        """Each kind of points, with this shop's rules for it, oldest first; the same object until they change."""
        if self._programmes is None:
            rules: dict[int, list[EarnRule]] = {}
            for number, body in self._sql.rows("SELECT programme, body FROM earn_rules ORDER BY programme, revision"):
                rules.setdefault(number, []).append(decode(body, EarnRule))
            self._programmes = tuple(
                (decode(body, Programme), tuple(rules.get(number, ())))
                for number, body in self._sql.rows("SELECT id, body FROM programmes ORDER BY id")
            )
        return self._programmes

    def seen(self, key: bytes) -> tuple[int, str] | None:
        """(at_ms, site) of a redemption told by the centre, by the keyed hash of its serial."""
        row = self._sql.row(
            f"SELECT at_ms, site FROM seen_{self._generation} WHERE key = ?"  # noqa: S608
            " AND fact NOT IN (SELECT fact FROM given_back)",
            (key,),
        )
        return None if row is None else (row[0], row[1])

    def facts_of_holder(self, campaign: int, holder: bytes, at_most: int) -> list[bytes]:
        rows = self._sql.rows(
            f"SELECT fact FROM seen_{self._generation} WHERE holder = ? AND campaign = ? AND holder <> x''"  # noqa: S608
            " AND fact NOT IN (SELECT fact FROM given_back) LIMIT ?",
            (holder, campaign, at_most),
        )
        return [row[0] for row in rows]

    def leased(self, site: str, limit: int) -> list[Campaign]:
        """The newest campaigns of policy `lease` that count at `site`."""
        rows = self._sql.rows("SELECT id FROM campaigns WHERE leased = 1 ORDER BY id DESC LIMIT ?", (limit,))
        found = (self.campaign(row[0]) for row in rows)
        return [campaign for campaign in found if campaign and (not campaign.shops or site in campaign.shops)]

    @property
    def anything_revoked(self) -> bool:
        """Whether the stop list has anything; asked once until it changes, for it is short or empty."""
        if self._anything_revoked is None:
            row = self._sql.row("SELECT 1 FROM revoked WHERE generation = ? LIMIT 1", (self._generation,))
            self._anything_revoked = row is not None
        return self._anything_revoked

    def revoked(self, serial: bytes, holder: bytes) -> bool:
        """Whether the stop list has one of these keyed hashes; empty: there is none."""
        row = self._sql.row(
            "SELECT 1 FROM revoked WHERE generation = ? AND key IN (?, ?) LIMIT 1", (self._generation, serial, holder)
        )
        return row is not None

    def lanes(self) -> dict[str, bytes]:
        """The units of this site and their public keys; the same object until they change."""
        if self._lanes is None:
            self._lanes = dict(self._sql.rows("SELECT device, public FROM lanes ORDER BY device"))
        return self._lanes

    def campaigns_count(self) -> int:
        row = self._sql.row("SELECT count(*) FROM campaigns")
        return int(row[0]) if row else 0

    # --- changes ------------------------------------------------------------------------------------

    def apply(self, changes: Iterable[Change], incarnation: bytes, number: int) -> None:
        self._apply_all(changes, self._generation)
        self._set_position(incarnation, number)

    def start_snapshot(self, rows_max: int) -> bool:
        """Empty the table that is not in force, at most `rows_max` rows at a time. True when it is empty."""
        self._sql.execute("DELETE FROM staged")
        self._staging = True
        return self._empty(rows_max)

    def empty_old(self, rows_max: int) -> None:
        """Let go of what a snapshot replaced, a little at a time, unless the next one is on its way."""
        if not self._staging:
            self._empty(rows_max)

    def _empty(self, rows_max: int) -> bool:
        table = f"seen_{1 - self._generation}"
        cursor = self._sql.execute(f"DELETE FROM {table} WHERE key IN (SELECT key FROM {table} LIMIT ?)", (rows_max,))  # noqa: S608
        old = 1 - self._generation
        stopped = self._sql.execute(
            "DELETE FROM revoked WHERE generation = ?1 AND key IN"
            " (SELECT key FROM revoked WHERE generation = ?1 LIMIT ?2)",
            (old, rows_max),
        )
        return max(cursor.rowcount, stopped.rowcount) < rows_max

    def stage(self, changes: Iterable[Change]) -> None:
        """Put rows of a snapshot aside: what there is much of into what is not in force, the rest as it came."""
        many: list[Change] = []
        for change in changes:
            if isinstance(change, PutRedemption | DropRedemption | PutRevoked | DropRevoked):
                many.append(change)
            else:
                self._sql.execute("INSERT INTO staged (body) VALUES (?)", (encode(change),))
        self._apply_all(many, 1 - self._generation)

    def finish_snapshot(self, incarnation: bytes, number: int) -> None:
        self._sql.execute("DELETE FROM campaigns")
        self._sql.execute("DELETE FROM keys")
        self._sql.execute("DELETE FROM cards")
        self._sql.execute("DELETE FROM card_keys")
        self._sql.execute("DELETE FROM generations")
        self._sql.execute("DELETE FROM programmes")
        self._sql.execute("DELETE FROM earn_rules")
        self._programmes = None
        self._card_keys = None
        self._sql.execute("DELETE FROM lanes")
        self._campaigns.clear()
        self._keys.clear()
        self.homes.clear()
        self._lanes = None
        for (body,) in self._sql.rows("SELECT body FROM staged ORDER BY id"):
            self._apply(decode(body, Change), self._generation)
        self._sql.execute("DELETE FROM staged")
        self._generation = 1 - self._generation
        self._anything_revoked = None
        self._staging = False
        self.set_meta("generation", self._generation)
        self._set_position(incarnation, number)

    def _set_position(self, incarnation: bytes, number: int) -> None:
        self.set_meta("feed_incarnation", incarnation)
        self.set_meta("feed_number", number)

    def _apply_all(self, changes: Iterable[Change], generation: int) -> None:
        """In order; redemptions that follow each other in one call of the driver: nearly all changes are such."""
        run: list[tuple[Any, ...]] = []
        for change in changes:
            if isinstance(change, PutRedemption):
                run.append(
                    (
                        change.serial or change.fact, change.campaign, change.holder, change.at_ms, change.site,
                        change.fact, change.provisional,
                    )
                )  # fmt: skip
                continue
            self._put_redemptions(run, generation)
            run = []
            self._apply(change, generation)
        self._put_redemptions(run, generation)

    def _put_redemptions(self, rows: list[tuple[Any, ...]], generation: int) -> None:
        """The first one told stands; a hint gives way to what is booked, and what we gave back to anything."""
        if rows:
            self._sql.executemany(
                f"INSERT INTO seen_{generation} VALUES (?, ?, ?, ?, ?, ?, ?)"  # noqa: S608
                " ON CONFLICT (key) DO UPDATE SET campaign = excluded.campaign, holder = excluded.holder,"
                " at_ms = excluded.at_ms, site = excluded.site, fact = excluded.fact, provisional = 0"
                " WHERE (provisional = 1 AND excluded.provisional = 0)"
                f" OR seen_{generation}.fact IN (SELECT fact FROM given_back)",
                rows,
            )

    def _apply(self, change: Change, generation: int) -> None:
        if isinstance(change, DropRedemption):
            self._take_back(change, generation)
            self._sql.execute(
                f"DELETE FROM seen_{generation} WHERE key = ? AND fact = ?",  # noqa: S608
                (change.serial or change.fact, change.fact),
            )
        elif isinstance(change, PutRevoked):
            self._anything_revoked = None
            self._sql.execute("INSERT OR IGNORE INTO revoked VALUES (?, ?)", (generation, change.key))
        elif isinstance(change, DropRevoked):
            self._anything_revoked = None
            self._sql.execute("DELETE FROM revoked WHERE generation = ? AND key = ?", (generation, change.key))
        elif isinstance(change, PutCampaign):
            campaign = change.campaign
            self._campaigns.pop(campaign.id, None)
            self._sql.execute(
                "INSERT INTO campaigns (id, found_by, body, leased) VALUES (?, ?, ?, ?) ON CONFLICT (id) DO UPDATE"
                " SET found_by = excluded.found_by, body = excluded.body, leased = excluded.leased",
                (
                    campaign.id,
                    campaign.found_by,
                    encode(campaign),
                    campaign.policy is Policy.LEASE and not campaign.stopped,
                ),
            )
        elif isinstance(change, PutCard):
            if change.holder:
                self._sql.execute(
                    "INSERT INTO cards VALUES (?, ?) ON CONFLICT (card) DO UPDATE SET holder = excluded.holder",
                    (change.card, change.holder),
                )
            else:
                self._sql.execute("DELETE FROM cards WHERE card = ?", (change.card,))
        elif isinstance(change, PutGeneration):
            if (change.generation, change.blocked) == (1, False):
                self._sql.execute("DELETE FROM generations WHERE key = ?", (change.key,))
            else:
                self._sql.execute(
                    "INSERT INTO generations VALUES (?, ?, ?) ON CONFLICT (key) DO UPDATE"
                    " SET generation = excluded.generation, blocked = excluded.blocked",
                    (change.key, change.generation, change.blocked),
                )
        elif isinstance(change, PutCardKey):
            self._card_keys = None
            self._sql.execute(
                "INSERT INTO card_keys VALUES (?, ?) ON CONFLICT (number) DO UPDATE SET secret = excluded.secret",
                (change.number, change.secret),
            )
        elif isinstance(change, PutKey):
            self._keys.pop(change.id, None)
            self._sql.execute(
                "INSERT INTO keys VALUES (?, ?, ?)"
                " ON CONFLICT (id) DO UPDATE SET public = excluded.public, retired_ms = excluded.retired_ms",
                (change.id, change.public, change.retired_ms),
            )
        elif isinstance(change, PutProgramme):
            self._programmes = None
            self._sql.execute(
                "INSERT INTO programmes VALUES (?, ?) ON CONFLICT (id) DO UPDATE SET body = excluded.body",
                (change.programme.id, encode(change.programme)),
            )
        elif isinstance(change, PutRule):
            self._put_rule(change.rule)
        elif isinstance(change, PutHome | PutMoved):
            self.homes.put(change)
        elif isinstance(change, PutSecret):
            self.secret = change.secret
            self.set_meta("secret", change.secret)
        elif isinstance(change, PutLane):
            self._lanes = None
            if change.state == LANE_ACTIVE:
                self._sql.execute(
                    "INSERT INTO lanes VALUES (?, ?) ON CONFLICT (device) DO UPDATE SET public = excluded.public",
                    (change.device, change.public),
                )
            else:
                self._sql.execute("DELETE FROM lanes WHERE device = ?", (change.device,))

    def _put_rule(self, rule: EarnRule) -> None:
        self._programmes = None
        self._sql.execute(
            "INSERT INTO earn_rules VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET body = excluded.body",
            (rule.programme, rule.revision, encode(rule)),
        )
        self._sql.execute(
            "DELETE FROM earn_rules WHERE programme = ? AND revision <= ?",
            (rule.programme, rule.revision - RULES_HELD_MAX),
        )

    def _take_back(self, change: DropRedemption, generation: int) -> None:
        """What was booked and counts no more can't come back through a lane. A hint's end says nothing of its fact."""
        told = self._sql.row(
            f"SELECT provisional FROM seen_{generation} WHERE key = ? AND fact = ?",  # noqa: S608
            (change.serial or change.fact, change.fact),
        )
        if not change.given_back and (told is None or told[0]):
            return
        self._sql.execute("DELETE FROM heard WHERE fact = ?", (change.fact,))
        self._sql.execute("INSERT OR IGNORE INTO taken_back (fact) VALUES (?)", (change.fact,))
        self._sql.execute("DELETE FROM taken_back WHERE id <= (SELECT max(id) FROM taken_back) - ?", (TAKEN_BACK_MAX,))

    def told(self, key: bytes, fact: bytes) -> bool:
        """Whether the centre told this very fact as booked; `key`: as in `seen`, or the fact itself."""
        row = self._sql.row(
            f"SELECT 1 FROM seen_{self._generation} WHERE key = ? AND fact = ? AND provisional = 0",  # noqa: S608
            (key, fact),
        )
        return row is not None
