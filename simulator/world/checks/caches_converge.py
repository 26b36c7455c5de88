"""When the faults have stopped, every cache is what the centre's tables say (DESIGN, 'The downlink').

For each unit that is enrolled and up:

    position      the newest number of its site's log, under the centre's present incarnation
    secret        the same for all units; the hashes below are computed with it anew
    campaigns     every one that is not long over, as the centre has it: revision, policy, stopped and all
    keys          the same, retired or not
    redemptions   every use that counts of campaigns that are counted here, by the keyed hash of its serial (without a
                  serial: by the name of its fact); none but those, and provisional ones that the centre still holds as
                  hints
    stop list     the same keyed hashes
    cards         the same, by keyed hash
    homes         the same keepers and terms; the serials that moved to or from here, as often
    lanes         the active units of its site, and their keys

A campaign that ended more than ENDED_KEPT_MS ago may be there or not.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import Any, ClassVar, Final

import msgspec

from loyalty.campaign import Campaign, Policy
from simulator.world.checks import disks
from simulator.world.checks.base import Watch
from simulator.world.checks.disks import Disk, Unreadable, unsigned
from simulator.world.checks.issued import campaigns
from simulator.world.observe import AtRest, UnitAtRest

ENDED_KEPT_MS: Final = 29 * 86_400_000  # a day less than the centre keeps them in snapshots
HOME_SHIFT: Final = 48  # of a serial under policy `home`: above these bits stands the number of the site
WORDS_MAX: Final = 3  # of what differs, said in a violation


def serial_hash(secret: bytes, campaign: int, serial: int) -> bytes:
    return _keyed(secret, b"serial", campaign.to_bytes(4, "big") + serial.to_bytes(8, "big"))


def holder_hash(secret: bytes, holder: int) -> bytes:
    return _keyed(secret, b"holder", holder.to_bytes(8, "big"))


def card_hash(secret: bytes, uid: bytes) -> bytes:
    return _keyed(secret, b"card", uid)


def fact_name(device: str, epoch: bytes, number: int) -> bytes:
    return blake2b(device.encode() + b"\0" + epoch + number.to_bytes(8, "big"), digest_size=16).digest()


def _keyed(secret: bytes, person: bytes, body: bytes) -> bytes:
    return blake2b(body, key=secret, digest_size=16, person=person).digest()


class CachesConverge(Watch):
    """See the module."""

    name: ClassVar = "caches-converge"

    def at_rest(self, world: AtRest) -> None:
        secret = b""
        try:
            with disks.opened(world.centre) as centre:
                for unit in world.units:
                    if not (unit.enrolled and unit.up):
                        continue
                    with disks.opened(unit.store) as cache:
                        self._position(unit, cache, centre)
                        here = bytes(disks.meta(cache, "secret") or b"")
                        if not here or (secret and here != secret):
                            self.broken(f"{unit.device} has {'another' if here else 'no'} secret for hashes")
                        secret = here
                        self._terms(unit, cache, centre, world.at_ms)
                        self._redemptions(unit, cache, centre, secret, world.at_ms)
                        self._lists(unit, cache, centre, secret)
                        self._homes(unit, cache, centre, secret)
        except Unreadable as error:
            self.broken(f"a disk can't be read: {error}")

    def _position(self, unit: UnitAtRest, cache: Disk, centre: Disk) -> None:
        row = centre.row("SELECT f.head FROM feeds f JOIN sites s ON s.id = f.site_id WHERE s.name = ?", (unit.site,))
        stands = (disks.meta(cache, "feed_incarnation"), disks.meta(cache, "feed_number"))
        expected = (disks.meta(centre, "incarnation"), row[0] if row else None)
        if stands != expected:
            self.broken(
                f"the cache of {unit.device} stands at {stands[1]} ({_hex(stands[0])}),"
                f" the log of {unit.site} at {expected[1]} ({_hex(expected[0])})"
            )

    def _same(self, unit: UnitAtRest, what: str, has: Any, expected: Any) -> None:
        """Two sets of rows that must be equal."""
        if has == expected:
            return
        more, fewer = sorted(map(repr, has - expected)), sorted(map(repr, expected - has))
        self.broken(
            f"{what} in the cache of {unit.device}: {len(more)} that the centre does not have {more[:WORDS_MAX]},"
            f" {len(fewer)} missing {fewer[:WORDS_MAX]}"
        )

    def _terms(self, unit: UnitAtRest, cache: Disk, centre: Disk, at_ms: int) -> None:
        has = {
            number: msgspec.msgpack.decode(body, type=Campaign)
            for number, body in cache.rows("SELECT id, body FROM campaigns")
        }
        known = {campaign.id: campaign for campaign in campaigns(centre)}
        for number, campaign in known.items():
            if has.get(number) != campaign and not (number not in has and _over(campaign, at_ms)):
                here = has.get(number)
                self.broken(
                    f"campaign {number} in the cache of {unit.device} is "
                    + ("missing" if here is None else f"revision {here.revision} ({here.policy}, {_stands(here)})")
                    + f", at the centre revision {campaign.revision} ({campaign.policy}, {_stands(campaign)})"
                )
        self._same(unit, "campaigns", set(has) - set(known), set[int]())
        keys = "SELECT id, public, retired_ms FROM "
        self._same(unit, "keys", set(cache.rows(keys + "keys")), set(centre.rows(keys + "coupon_keys")))

    def _redemptions(self, unit: UnitAtRest, cache: Disk, centre: Disk, secret: bytes, at_ms: int) -> None:
        terms = {campaign.id: campaign for campaign in campaigns(centre)}
        generation = int(disks.meta(cache, "generation") or 0)
        has: dict[bytes, tuple[int, bool]] = {}
        for key, campaign, provisional in cache.rows(f"SELECT key, campaign, provisional FROM seen_{generation}"):  # noqa: S608
            has[key] = (campaign, bool(provisional))
        wanted: dict[bytes, int] = {}
        all_of_them: dict[bytes, int] = {}
        for campaign, serial, device, epoch, seq in centre.rows(
            "SELECT r.campaign, r.serial, d.name, e.epoch, r.seq FROM redemptions r JOIN epochs e ON e.id = r.epoch_id"
            " JOIN devices d ON d.id = e.device_id WHERE r.state <> 'void'"
        ):
            key = serial_hash(secret, campaign, unsigned(serial)) if serial else fact_name(device, epoch, seq)
            all_of_them[key] = campaign
            term = terms.get(campaign)
            counted = term is not None and (term.per_person is not None if not serial else term.serials)
            if term is not None and counted and _counts_at(term, unit.site) and not _over(term, at_ms):
                wanted[key] = campaign
        told = {key for key, (_, provisional) in has.items() if not provisional}
        self._same(unit, "uses", (told - all_of_them.keys()) | (told & wanted.keys()), set(wanted))
        hints: set[bytes] = set()
        for fact, campaign, serial in centre.rows("SELECT fact, campaign, serial FROM hints"):
            hints.add(serial_hash(secret, campaign, unsigned(serial)) if serial else fact)
        self._same(unit, "hints", {key for key, (_, provisional) in has.items() if provisional} - hints, set[bytes]())

    def _lists(self, unit: UnitAtRest, cache: Disk, centre: Disk, secret: bytes) -> None:
        generation = int(disks.meta(cache, "generation") or 0)
        stopped = {
            holder_hash(secret, holder) if holder else serial_hash(secret, campaign, unsigned(serial))
            for campaign, serial, holder in centre.rows("SELECT campaign, serial, holder FROM revocations")
        }
        has = {row[0] for row in cache.rows("SELECT key FROM revoked WHERE generation = ?", (generation,))}
        self._same(unit, "stop list", has, stopped)
        cards = {
            (card_hash(secret, uid), holder)
            for uid, holder in centre.rows("SELECT c.uid, p.holder FROM cards c JOIN persons p ON p.id = c.person_id")
        }
        self._same(unit, "cards", set(cache.rows("SELECT card, holder FROM cards")), cards)
        lanes = centre.rows(
            "SELECT d.name, d.public FROM devices d JOIN sites s ON s.id = d.site_id"
            " WHERE s.name = ? AND d.state = 'active'",
            (unit.site,),
        )
        self._same(unit, "lanes", set(cache.rows("SELECT device, public FROM lanes")), set(lanes))

    def _homes(self, unit: UnitAtRest, cache: Disk, centre: Disk, secret: bytes) -> None:
        kept = centre.rows(
            "SELECT h.site_id, coalesce(d.name, ''), h.epoch, h.term FROM homes h LEFT JOIN devices d"
            " ON d.id = h.device_id"
        )
        self._same(unit, "homes", set(cache.rows("SELECT number, device, epoch, term FROM homes")), set(kept))
        site = centre.number("SELECT id FROM sites WHERE name = ?", (unit.site,))
        by_home = {campaign.id for campaign in campaigns(centre) if campaign.policy is Policy.HOME}
        moved = {
            (serial_hash(secret, campaign, unsigned(serial)), home, moves)
            for campaign, serial, home, moves in centre.rows(
                "SELECT campaign, serial, home, moves FROM coupons WHERE moves > 0"
            )
            if campaign in by_home and site in (home, unsigned(serial) >> HOME_SHIFT)
        }
        # A serial that came here and left again for elsewhere is told to the two homes of each move alone.
        has = set(cache.rows("SELECT key, home, moves FROM moved"))
        self._same(unit, "serials that moved", has & moved, moved)


def _over(campaign: Campaign, at_ms: int) -> bool:
    return campaign.ends_ms is not None and at_ms >= campaign.ends_ms + ENDED_KEPT_MS


def _counts_at(campaign: Campaign, site: str) -> bool:
    return not campaign.shops or site in campaign.shops


def _stands(campaign: Campaign) -> str:
    return "stopped" if campaign.stopped else "in force"


def _hex(value: Any) -> str:
    return value.hex() if isinstance(value, bytes) else str(value)
