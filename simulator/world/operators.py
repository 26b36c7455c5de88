"""What operators of a centre and people with phones do: campaigns, keys, units, stop lists, downloads.

Each act is one call of what the command line and the API call. None of them works while the centre is down.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from central import homes, leases, registry
from central.bank import accounts, selection, shops
from central.bank.selection import Selected
from central.coupons import cards, download, issue, keyring, persons, stoplist
from central.coupons.download import Given, No
from central.coupons.persons import Person
from central.db.schema import DeviceState
from central.homes import HomeError
from central.ledger import programmes
from central.members import giving, membership, requests
from central.members.requests import Granted
from loyalty.campaign import Campaign
from loyalty.lease import POINTS, Pot
from loyalty.points import EarnRule, Programme
from loyalty.tax import Rounding
from simulator.world.observe import Downloaded, Enrolled, FloorSet, Issued, WrittenOff

if TYPE_CHECKING:
    from simulator.world.unit import Unit
    from simulator.world.world import World


class Operators:
    """See the module."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._given: set[tuple[int, int]] = set()  # campaign and serial of what people have

    def open_site(self, site: str) -> None:
        with self._world.office.writing() as connection:
            registry.add_site(connection, site)
        self.takes_accounts(site)

    def takes_accounts(self, site: str) -> None:
        """It takes payment by account; every second shop owes consumption tax."""
        with self._world.office.writing() as connection:
            shops.put(connection, site, liable=len(site) % 2 == 0, rounding=Rounding.FLOOR)

    # --- campaigns ------------------------------------------------------------------------------------

    def issue(self, campaign: Campaign) -> None:
        with self._world.office.writing() as connection:
            issued = issue.issue(connection, campaign, self._world.time.wall_ms)
        self._say(issued, "issued")

    def change(self, campaign: Campaign) -> None:
        """New terms, or none any more, or again. Raises IssueError for terms that can't be."""
        with self._world.office.writing() as connection:
            changed = issue.change(connection, campaign)
        self._say(changed, "stopped" if changed.stopped else "changed")

    def campaigns(self) -> list[Campaign]:
        """As they stand now."""
        with self._world.office.office.database.read() as connection:
            return [issued.campaign for issued in issue.listed(connection)]

    def _say(self, campaign: Campaign, what: str) -> None:
        world = self._world
        world.note("operator", what, f"campaign {campaign.id} revision {campaign.revision} {campaign.policy}")
        world.saw(Issued(world.time.now_ms, campaign))

    # --- keys -----------------------------------------------------------------------------------------

    def rotate_key(self) -> int:
        world = self._world
        with world.office.writing() as connection:
            number = keyring.rotate(connection, world.office.office.keys, world.time.wall_ms)
        world.note("operator", "key", str(number))
        return number

    def retire_key(self, number: int) -> None:
        """Raises KeyringError."""
        world = self._world
        with world.office.writing() as connection:
            keyring.retire(connection, number, world.time.wall_ms)
        world.note("operator", "key retired", str(number))

    # --- units ----------------------------------------------------------------------------------------

    def enrol(self, unit: Unit) -> None:
        """At the site where it stands, or again after it was written off or forgotten."""
        world = self._world
        with world.office.writing() as connection:
            registry.add_device(connection, unit.device, unit.site, unit.key.verify_key.encode(), world.time.wall_ms)
        world.note("operator", "enrolled", unit.device)
        world.saw(Enrolled(world.time.now_ms, unit.device, unit.site))

    def _knows(self, unit: Unit) -> bool:
        with self._world.office.office.database.read() as connection:
            return registry.find(connection, unit.device) is not None

    def throw_away(self, unit: Unit) -> None:
        """It is blocked, and what it holds is given up: it will never report again."""
        world = self._world
        with world.office.writing() as connection:
            device = registry.find(connection, unit.device)
            if device is None:
                return  # a restored database that does not know it
            registry.set_state(connection, unit.device, DeviceState.BLOCKED)
            registry.write_off(connection, unit.device)
            leases.write_off(connection, device.id)
            homes.write_off(connection, device.id)
        unit.enrolled = False
        world.note("operator", "written off", unit.device)
        world.saw(WrittenOff(world.time.now_ms, unit.device))

    def hand_over_home(self, unit: Unit) -> None:
        """This unit is to keep the home of its site."""
        world = self._world
        with world.office.writing() as connection:
            device = registry.find(connection, unit.device)
            if device is None:
                return
            try:
                homes.hand_over(connection, unit.site, device)
            except HomeError:
                return  # nobody keeps one yet
        world.note("operator", "home", unit.device)

    def after_restore(self) -> None:
        """A restored database may not know a unit that was enrolled since, nor that one was written off.

        One that it never knew is entered to be written off: other units may have given it parts.
        """
        world = self._world
        for unit in world.units.values():
            if unit.enrolled or not self._knows(unit):
                self.enrol(unit)
            if not unit.enrolled:
                self.throw_away(unit)
        for campaign in self.campaigns():
            world.saw(Issued(world.time.now_ms, campaign))

    # --- people ---------------------------------------------------------------------------------------

    def person(self, name: str) -> Person:
        with self._world.office.writing() as connection:
            return persons.add(connection, name, "no password", self._world.time.wall_ms)

    def account(self, person: Person, number: str) -> bytes:
        """A bank account of that person's; its id. No two have one number."""
        with self._world.office.writing() as connection:
            keys = self._world.office.office.keys
            return accounts.add(connection, keys, person, number, self._world.time.wall_ms).id

    def select(self, person: Person, account: bytes, campaign: int) -> Selected | object:
        """A coupon of this campaign is to count when the account pays (B1); else a reason why not."""
        world = self._world
        with world.office.writing() as connection:
            keys, now_ms = world.office.office.keys, world.time.wall_ms
            chosen = selection.select_coupon(connection, keys, person, account, campaign, now_ms, proven=True)
        if isinstance(chosen, Selected) and (campaign, chosen.coupon.serial) not in self._given:
            coupon = chosen.coupon  # it was downloaded for this
            self._given.add((campaign, coupon.serial))
            world.saw(Downloaded(world.time.now_ms, campaign, coupon.serial, coupon.holder, ""))
        return chosen

    def bind_card(self, person: Person, uid: bytes) -> None:
        """This card is that person's from now on."""
        with self._world.office.writing() as connection:
            secret = self._world.office.office.keys.cache_secret()
            cards.bind(connection, secret, person, uid, self._world.time.wall_ms)

    def confirm_card(self, code: str, person: Person) -> Granted | requests.No:
        """Somebody who is logged in on their phone takes the tag in a kiosk for their card."""
        world = self._world
        with world.office.writing() as connection:
            secret = world.office.office.keys.cache_secret()
            given = requests.confirm(connection, secret, code, person, world.time.wall_ms)
        world.note("person", "card", str(given.generation) if isinstance(given, Granted) else given.value)
        return given

    def block_card(self, person: Person) -> bool:
        """A card was lost, or, where it was blocked before, found again. False: there is none."""
        world = self._world
        with world.office.writing() as connection:
            secret = world.office.office.keys.cache_secret()
            member = membership.of_holder(connection, person.holder)
            if member is None or member.generation == 0:
                return False
            (giving.unblock if member.blocked else giving.block)(connection, secret, member)
        world.note("operator", "card found" if member.blocked else "card blocked", f"{person.holder:012x}")
        return True

    def card_of(self, holder: int) -> tuple[int, bool]:
        """(generation of the valid card, whether it is blocked), as the centre has it; (0, False): there is none."""
        with self._world.office.office.database.read() as connection:
            member = membership.of_holder(connection, holder)
        return (0, False) if member is None else (member.generation, member.blocked)

    def download(self, number: int, person: Person | None, *, home: str = "", phone: bytes = b"") -> Given | No:
        world = self._world
        with world.office.writing() as connection:
            given = download.download(
                connection,
                world.office.office.keys,
                number,
                person,
                proven=True,
                now_ms=world.time.wall_ms,
                home=home,
                phone=phone,
            )
        if isinstance(given, Given):
            coupon = given.coupon
            self._given.add((number, coupon.serial))
            world.note("person", "downloads", f"campaign {number} serial {coupon.serial:016x}")
            world.saw(Downloaded(world.time.now_ms, number, coupon.serial, coupon.holder, home))
        return given

    def enter(self, programme: Programme) -> None:
        """Its points mean something from now on."""
        with self._world.office.writing() as connection:
            programmes.put(connection, programme, self._world.time.wall_ms)

    def rule(self, programme: int, site: str) -> None:
        """What this shop gives for a purchase, from now on."""
        now_ms = self._world.time.wall_ms
        rule = EarnRule(programme=programme, site=site, per_yen=100, from_ms=now_ms)
        with self._world.office.writing() as connection:
            programmes.set_rule(connection, rule, now_ms)

    def floor(self, programme: int, holder: int, points: int) -> None:
        """So many points of a person (0: of any person together) may be spent without the centre."""
        with self._world.office.writing() as connection:
            leases.put(connection, Pot(POINTS, programme, holder), (points, None))
        self._world.saw(FloorSet(self._world.time.now_ms, programme, holder, points))

    def revoke(self, campaign: int, serial: int) -> None:
        world = self._world
        with world.office.writing() as connection:
            secret = world.office.office.keys.cache_secret()
            stoplist.revoke_serial(connection, secret, campaign, serial, "lost", world.time.wall_ms)
        world.note("operator", "revoked", f"campaign {campaign} serial {serial:016x}")
