"""Every cache knows what the centre knows, once it has had time to hear of it (DESIGN, 'The downlink').

What a cache of a site must have is worked out here from the centre's own tables, and the keyed hashes from their
published form. A cache may say less than the newest word in two places, both of them harmless: the keeper of a home
that was given up (nobody may decide there, whoever the cache names), and a serial that moved on from a place that was
not its first home. Hints may be lost on their way; but what is said to be a hint must still be one at the centre.
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b
from typing import Any, Final, NamedTuple

from simulator.world.checks.stores import Disk, opened, plain, unsigned
from simulator.world.observe import AtRest, Seen, UnitAtRest, Violation

HASH_BYTES: Final = 16
DAY_MS: Final = 86_400_000
OVER_KEPT_MS: Final = 30 * DAY_MS  # a campaign that ended so long ago may be left out
HOME_BITS: Final = 16  # of a serial: the site that decided first
CENTRE_HOME: Final = 0


def serial_hash(secret: bytes, campaign: int, serial: int) -> bytes:
    return _keyed(secret, b"serial", campaign.to_bytes(4, "big") + serial.to_bytes(8, "big"))


def holder_hash(secret: bytes, holder: int) -> bytes:
    return _keyed(secret, b"holder", holder.to_bytes(8, "big"))


def card_hash(secret: bytes, uid: bytes) -> bytes:
    return _keyed(secret, b"card", uid)


def fact_name(device: str, epoch: bytes, number: int) -> bytes:
    return blake2b(device.encode() + b"\0" + epoch + number.to_bytes(8, "big"), digest_size=HASH_BYTES).digest()


def _keyed(secret: bytes, person: bytes, data: bytes) -> bytes:
    return blake2b(data, key=secret, digest_size=HASH_BYTES, person=person).digest()


class _Use(NamedTuple):
    """A redemption that the centre has booked, or heard of by a hint."""

    campaign: int
    serial: int
    holder: int
    fact: bytes

    def key(self, secret: bytes) -> bytes:
        return serial_hash(secret, self.campaign, self.serial) if self.serial else self.fact


class _Centre:
    """What the centre knows."""

    def __init__(self, sql: Disk, now_ms: int) -> None:
        self._sql = sql
        self.incarnation: bytes = sql.value("SELECT value FROM meta WHERE key = 'incarnation'")
        self.heads = sql.pairs("SELECT s.name, f.head FROM feeds f JOIN sites s ON s.id = f.site_id")
        self.sites = sql.pairs("SELECT name, id FROM sites")
        self.campaigns: dict[int, dict[str, Any]] = {
            number: plain(body) for number, body in sql.rows("SELECT id, body FROM campaigns")
        }
        self.keys = _rows(sql, "SELECT id, public, retired_ms FROM coupon_keys")
        self.cards = sql.pairs("SELECT c.uid, p.holder FROM cards c JOIN persons p ON p.id = c.person_id")
        self.revoked = list(sql.rows("SELECT campaign, serial, holder FROM revocations"))
        self.over = {
            number
            for number, terms in self.campaigns.items()
            if terms.get("ends_ms") is not None and now_ms >= terms["ends_ms"] + OVER_KEPT_MS
        }
        self.booked = [
            _Use(campaign, unsigned(serial), holder, fact_name(device, epoch, seq))
            for campaign, serial, holder, device, epoch, seq in sql.rows(
                "SELECT r.campaign, r.serial, r.holder, d.name, e.epoch, r.seq FROM redemptions r"
                " JOIN epochs e ON e.id = r.epoch_id JOIN devices d ON d.id = e.device_id"
                " WHERE r.state NOT IN ('void', 'restored')"
            )
        ]
        self.hinted = {fact for (fact,) in sql.rows("SELECT fact FROM hints")}

    def lanes(self, site: str) -> set[tuple[Any, ...]]:
        query = "SELECT name, public FROM devices WHERE site_id = ? AND state = 'active'"
        return _rows(self._sql, query, self.sites[site])

    def homes(self) -> dict[int, tuple[str, str, str, bytes, int]]:
        rows = self._sql.rows(
            "SELECT h.site_id, s.name, s.title, coalesce(d.name, ''), h.epoch, h.term FROM homes h"
            " JOIN sites s ON s.id = h.site_id LEFT JOIN devices d ON d.id = h.device_id"
        )
        return {number: tuple(rest) for number, *rest in rows}

    def moved(self) -> Iterable[tuple[int, int, int, int]]:
        """Campaign, serial, its home now and how often that changed."""
        rows = self._sql.rows("SELECT campaign, serial, home, moves FROM coupons WHERE moves > 0")
        return [(campaign, unsigned(serial), home, moves) for campaign, serial, home, moves in rows]

    def counts_at(self, campaign: int, site: str) -> bool:
        shops = self.campaigns[campaign].get("shops", ())
        return not shops or site in shops

    def told(self, use: _Use, site: str) -> bool:
        """Whether every cache of `site` must know of it."""
        terms = self.campaigns.get(use.campaign)
        if terms is None or use.campaign in self.over or not self.counts_at(use.campaign, site):
            return False
        return bool(terms.get("serials", True) or terms.get("per_person") is not None)


def _rows(sql: Disk, query: str, *values: object) -> set[tuple[Any, ...]]:
    return set(sql.rows(query, values))


class CachesConverge:
    """See the module."""

    name: Final = "caches-converge"

    def saw(self, seen: Seen) -> None:
        """What is seen says nothing of caches."""

    def came_up(self, unit: UnitAtRest) -> None:
        """Nor has a unit that just came up heard anything."""

    def at_rest(self, world: AtRest) -> None:
        with opened(world.centre) as sql:
            now_ms = sql.value("SELECT coalesce(max(booked_ms), 0) FROM facts")
            centre = _Centre(sql, now_ms)
            for unit in world.units:
                if unit.enrolled:
                    with opened(unit.store) as store:
                        self._unit(centre, unit, store)

    def _unit(self, centre: _Centre, unit: UnitAtRest, store: Disk) -> None:
        meta = store.pairs("SELECT key, value FROM meta")
        secret = bytes(meta.get("secret", b""))
        position = (bytes(meta.get("feed_incarnation", b"")), meta.get("feed_number", 0))
        told = (centre.incarnation, centre.heads[unit.site])
        if position != told:
            self._no(unit, f"stands at {_at(position)}, the log of {unit.site} at {_at(told)}")
        self._campaigns(centre, unit, store)
        self._same(unit, "keys", _rows(store, "SELECT id, public, retired_ms FROM keys"), centre.keys)
        self._same(unit, "lanes", _rows(store, "SELECT device, public FROM lanes"), centre.lanes(unit.site))
        cards = {(card_hash(secret, uid), holder) for uid, holder in centre.cards.items()}
        self._same(unit, "cards", _rows(store, "SELECT card, holder FROM cards"), cards)
        generation = int(meta.get("generation", 0))
        stopped = {
            (holder_hash(secret, holder) if holder else serial_hash(secret, campaign, unsigned(serial)),)
            for campaign, serial, holder in centre.revoked
        }
        listed = _rows(store, "SELECT key FROM revoked WHERE generation = ?", generation)
        self._same(unit, "stop list", listed, stopped)
        self._homes(centre, unit, store, secret)
        self._redemptions(centre, unit, store, secret, generation)

    def _campaigns(self, centre: _Centre, unit: UnitAtRest, store: Disk) -> None:
        known = {number: plain(body) for number, body in store.rows("SELECT id, body FROM campaigns")}
        for number, terms in centre.campaigns.items():
            if number not in known and number not in centre.over:
                self._no(unit, f"campaign {number} is missing")
            if number in known and known[number] != terms:
                mine, theirs = known[number].get("revision", 1), terms.get("revision", 1)
                self._no(unit, f"campaign {number} stands at revision {mine}, at the centre at {theirs}")
        for number in known.keys() - centre.campaigns.keys():
            self._no(unit, f"campaign {number} is not the centre's")

    def _homes(self, centre: _Centre, unit: UnitAtRest, store: Disk, secret: bytes) -> None:
        rows = store.rows("SELECT number, site, title, device, epoch, term FROM homes")
        known = {number: tuple(rest) for number, *rest in rows}
        homes = centre.homes()
        if known.keys() != homes.keys():
            self._no(unit, f"it knows the homes {sorted(known)}, the centre {sorted(homes)}")
        for number, (site, title, keeper, epoch, term) in homes.items():
            mine = known[number]
            if (mine[0], mine[1], mine[4]) != (site, title, term):
                self._no(unit, f"home {number} stands at term {mine[4]}, at the centre at {term}")
            if keeper and (mine[2], mine[3]) != (keeper, epoch):
                self._no(unit, f"home {number} is kept by '{mine[2]}', as the centre says by '{keeper}'")
        here = centre.sites[unit.site]
        moved = {key: (home, moves) for key, home, moves in store.rows("SELECT key, home, moves FROM moved")}
        for campaign, serial, home, moves in centre.moved():
            if centre.campaigns[campaign].get("policy") != "home" or not centre.counts_at(campaign, unit.site):
                continue
            mine = moved.get(serial_hash(secret, campaign, serial), (serial >> (64 - HOME_BITS), 0))
            if mine[1] > moves or (home == here and mine != (home, moves)):
                what = f"serial {serial:016x} of campaign {campaign} moved {mine[1]} times to {mine[0]}"
                self._no(unit, f"{what}, as the centre says {moves} times to {home}")
            if mine[1] == 0 and mine[0] == here:
                self._no(unit, f"serial {serial:016x} of campaign {campaign} left, and is not known to have moved")

    def _redemptions(self, centre: _Centre, unit: UnitAtRest, store: Disk, secret: bytes, generation: int) -> None:
        rows = store.rows(f"SELECT key, campaign, fact, provisional FROM seen_{generation}")  # noqa: S608
        seen = {key: (campaign, fact, provisional) for key, campaign, fact, provisional in rows}
        may: dict[bytes, int] = {}
        for use in centre.booked:
            key = use.key(secret)
            may[key] = use.campaign
            if centre.told(use, unit.site) and (key not in seen or seen[key][2]):
                what = "known by a hint alone" if key in seen else "unknown"
                self._no(unit, f"a use of serial {use.serial:016x} of campaign {use.campaign} is {what}")
        for key, (campaign, fact, provisional) in seen.items():
            if provisional and fact not in centre.hinted:
                self._no(unit, f"a use of campaign {campaign} is known by a hint that the centre has no more")
            if not provisional and may.get(key) != campaign:
                self._no(unit, f"a use of campaign {campaign} was never booked ({key.hex()})")

    def _same(self, unit: UnitAtRest, what: str, mine: set[tuple[Any, ...]], theirs: set[tuple[Any, ...]]) -> None:
        if mine != theirs:
            lacks, has = len(theirs - mine), len(mine - theirs)
            self._no(unit, f"{what}: {lacks} of the centre's {len(theirs)} are missing, {has} are not the centre's")

    def _no(self, unit: UnitAtRest, what: str) -> None:
        raise Violation(self.name, f"the cache of {unit.device}: {what}")


def _at(position: tuple[bytes, int]) -> str:
    return f"{position[1]} of {position[0].hex()[:8]}"
