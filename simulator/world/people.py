"""People with phones and cards: what they download, hold up, copy, forget, and buy."""

from __future__ import annotations

from contextlib import suppress
from random import Random
from typing import TYPE_CHECKING, Final, NamedTuple

from nacl.signing import SigningKey

from central.coupons.download import Given
from central.coupons.persons import Person
from edge_agent.core import events as ev
from edge_agent.core.effects import View
from edge_agent.core.states import Mode
from loyalty.barcode import moving
from loyalty.points import Programme, Rate
from loyalty.tax import Price
from simulator.world import catalogue
from simulator.world.catalogue import Code
from simulator.world.members import BUSY, Drawer
from simulator.world.office import CentreAway
from simulator.world.purses import Purses
from simulator.world.till import serve

if TYPE_CHECKING:
    from simulator.world.unit import Unit
    from simulator.world.world import World

PAY_TRIES: Final = 2
PURSE_MAX: Final = 40  # codes that a person keeps; the oldest go first
AGAIN: Final = 0.12  # of shoppers hold up once more what was held up last
AGAIN_AFTER_TROUBLE: Final = 0.7
KNOWN_MAX: Final = 12  # of all people's codes, that somebody copied
FIRST_YEN: Final = 4_000  # on each account
SALES_MAX: Final = 12  # that may be brought back: the newest of all
BACK_AT_ONCE: Final = 0.08
BROUGHT: Final = ("reversed", "reversed-part", "reversed-again")
"""What must have happened in the fixed seeds."""
FLOOR: Final = 600  # points of a person that may be spent without the centre


class Held(NamedTuple):
    """A coupon on a phone."""

    text: str
    moving: bool


class Sale(NamedTuple):
    """What somebody may bring back."""

    name: bytes
    spend_yen: int
    with_receipt: bool = False  # of a till that counts its points itself


class Shopper:
    """One person."""

    def __init__(self, world: World, number: int) -> None:
        self.rng = world.entropy.stream(f"person-{number}")
        self.phone = SigningKey(self.rng.randbytes(32))
        self.card = self.rng.randbytes(7)
        self.person: Person = world.operators.person(f"person {number}")
        self.purse: list[Held] = []
        self.drawer = Drawer()
        if number % 2 == 0:
            world.operators.bind_card(self.person, self.card)
        world.operators.floor(catalogue.PROGRAMME, self.person.holder, FLOOR)
        self.account_number = f"{number:03d}-{4_000_000 + number}"
        self.account = world.operators.account(self.person, self.account_number)
        world.office.bank.books.open(self.account_number, FIRST_YEN)

    def keep(self, given: Given) -> None:
        self.purse = [*self.purse, Held(given.text, given.campaign.moving)][-PURSE_MAX:]

    def shows(self, held: Held, wall_ms: int) -> Code:
        if not held.moving:
            return Code(held.text.encode(), "qr")
        step = moving.step_of(wall_ms)
        return Code(moving.show(held.text, self.phone, step).encode(), "qr")


class People:
    """See the module. Every method is one thing that somebody does; all take the randomness of their step."""

    def __init__(self, world: World, count: int) -> None:
        self.world = self._world = world
        self.shoppers = [Shopper(world, number) for number in range(count)]
        self._last: dict[str, tuple[Shopper, Code]] = {}  # by unit: who was there last, and what they held up
        self._copied: list[tuple[Shopper, Held]] = []
        self._sales: list[Sale] = []  # the newest
        self._slips: list[ev.SaleReversed] = []  # the newest reversals
        self._given: list[tuple[int, int]] = []  # campaign and serial of the newest coupons
        world.operators.enter(Programme(id=catalogue.PROGRAMME, name="街のポイント", sell=Rate(1)))
        for site in world.lans:
            world.operators.rule(catalogue.PROGRAMME, site)
        self.purses = Purses(world, [shopper.person.holder for shopper in self.shoppers])
        world.operators.floor(catalogue.PROGRAMME, 0, 10 * FLOOR)

    def download(self, rng: Random) -> None:
        world, shopper = self._world, rng.choice(self.shoppers)
        number = rng.choice(catalogue.DOWNLOADED)
        nobody = number not in catalogue.NEED_PERSON and number != catalogue.MOVING and rng.random() < 0.3
        home = rng.choice(list(world.lans)) if number == catalogue.HOME and rng.random() < 0.8 else ""
        phone = shopper.phone.verify_key.encode() if number == catalogue.MOVING else b""
        given = world.operators.download(number, None if nobody else shopper.person, home=home, phone=phone)
        if isinstance(given, Given):
            shopper.keep(given)
            self._given = [*self._given, (number, given.coupon.serial)][-PURSE_MAX:]
            if rng.random() < 0.3:  # and sends a picture of it to a friend
                self._copied = [*self._copied, (shopper, shopper.purse[-1])][-KNOWN_MAX:]

    def code(self, rng: Random) -> tuple[Shopper, Code]:
        """Somebody, and what they hold up."""
        shopper, luck = rng.choice(self.shoppers), rng.random()
        wall_ms = self._world.time.wall_ms
        if luck < 0.15:
            return shopper, catalogue.odd(rng, list(catalogue.TRADE))
        if luck < 0.22:
            return shopper, catalogue.odd(rng, list(catalogue.OTHERS))
        if luck < 0.35 and self._copied:
            owner, held = rng.choice(self._copied)
            late_ms = rng.choice((0, 0, 120_000))  # an old screenshot
            return shopper, owner.shows(held, wall_ms - late_ms)
        if not shopper.purse:
            return shopper, Code(b"4912345678904", "ean13")
        held = shopper.purse[-1 - min(int(rng.expovariate(0.4)), len(shopper.purse) - 1)]
        code = shopper.shows(held, wall_ms)
        return shopper, catalogue.odd(rng, [code]) if rng.random() < 0.05 else code

    def visit(self, rng: Random, unit: Unit) -> None:
        """A shopper before a unit, for a moment or with a basket."""
        if unit.mode is Mode.LANE and rng.random() < 0.7:
            if unit.till is not None:
                self.visit_till(rng, unit)
            else:
                self._basket(rng, unit)
            return
        shopper, code = self.code(rng)
        if rng.random() < (AGAIN_AFTER_TROUBLE if unit.eyes.troubled else AGAIN) and unit.device in self._last:
            shopper, code = self._last[unit.device]  # "did it work?"
        unit.eyes.troubled = unit.eyes.meant is View.OUT_OF_SERVICE
        self._last[unit.device] = shopper, code
        with_card = rng.random() < 0.3
        if with_card and rng.random() < 0.5:
            unit.insert_card(shopper.card)
            self._world.run(rng.randrange(10, 400))
        unit.hold_up(code.text, code.format, confirmed=rng.random() < 0.9)
        if with_card:
            self._world.run(rng.randrange(10, 400))
            unit.insert_card(shopper.card)
            self._world.run(rng.randrange(10, 400))
            unit.take_card(shopper.card)

    def visit_till(self, rng: Random, unit: Unit) -> None:
        """At a till that speaks the interface of its lane."""
        assert unit.till is not None, "the lane has one"
        serve(unit.till, self, rng, unit)

    def _basket(self, rng: Random, unit: Unit) -> None:
        spend_yen, lines = catalogue.basket(rng)
        unit.put(ev.BasketOpened(spend_yen=spend_yen, basket=lines))
        for _ in range(rng.randrange(1, 4)):
            _, code = self.code(rng)
            unit.hold_up(code.text, code.format)
            self._world.run(rng.randrange(10, 1_500))
        luck = rng.random()
        if luck < 0.1:  # walks away
            return
        if luck >= 0.85:
            unit.put(ev.BasketCancelled())
            return
        unit.put(ev.BasketPaid(sale=self._sold(rng, spend_yen)))
        if rng.random() < BACK_AT_ONCE:  # a slip of the cashier's: voided on the spot
            self._world.run(rng.randrange(10, 1_500))
            self.bring_back(rng, unit)

    def _sold(self, rng: Random, spend_yen: int) -> bytes:
        """The till's name for a sale, which is remembered by whoever made it. Some tills name none."""
        if rng.random() < 0.1:
            return b""
        name = rng.randbytes(16)
        self.remember_sale(name, spend_yen)
        return name

    def remember_sale(self, name: bytes, price_yen: int, *, with_receipt: bool = False) -> None:
        """It may be brought back."""
        self._sales = [*self._sales, Sale(name, price_yen, with_receipt)][-SALES_MAX:]

    def bring_back(self, rng: Random, unit: Unit) -> None:
        """Somebody brings a sale back, to any lane: all of it or some, perhaps once more or with the same slip."""
        if unit.eyes.meant in BUSY:
            return  # the display waits for another answer, and nobody would see this one
        luck = rng.random()
        if luck < 0.15 and self._slips:
            unit.take_back(rng.choice(self._slips))
            self._world.fire("reversed-again")
            return
        if luck < 0.2 or not self._sales:  # of a shop that is none of ours
            sale = Sale(rng.randbytes(16), 1_000)
        else:
            sale = self._sales[-1 - min(int(rng.expovariate(0.3)), len(self._sales) - 1)]
        part = rng.random() < 0.3
        yen = rng.randrange(1, sale.spend_yen + 2) if part and sale.spend_yen else 0
        kind = "refund" if yen or rng.random() < 0.6 else "void"
        slip = ev.SaleReversed(id=rng.randbytes(16), sale=sale.name, kind=kind, yen=yen)
        self._slips = [*self._slips, slip][-SALES_MAX:]
        unit.take_back(slip)
        self._world.fire("reversed-part" if yen else "reversed")

    def pay(self, rng: Random, unit: Unit) -> None:
        """Somebody pays a basket by account (B2): only the card is carried. Where nothing was said, the till asks
        again under the same name, or takes cash, or lets it be."""
        if unit.mode is not Mode.LANE or unit.till is not None or unit.eyes.meant in BUSY:
            return
        shopper = rng.choice(self.shoppers)
        if rng.random() < 0.3 and self._world.office.up:
            with suppress(CentreAway):
                self._world.operators.select(shopper.person, shopper.account, catalogue.ONLINE)
        lines = tuple(Price(rate_bp, rng.randrange(1, 3_000)) for rate_bp in (1_000, 800)[: rng.randrange(1, 3)])
        spend_yen = sum(line.yen for line in lines)
        sale = self._sold(rng, spend_yen)
        asked = ev.PayByAccount(account=shopper.account, lines=lines, payment=rng.randbytes(16), sale=sale)
        for _ in range(PAY_TRIES):
            unit.put(ev.BasketOpened(spend_yen=spend_yen))
            if rng.random() < 0.3:
                code = self.code(rng)[1]
                unit.hold_up(code.text, code.format)
                self._world.run(rng.randrange(10, 1_500))
            unit.eyes.troubled = False
            unit.pay(asked)
            self._world.fire("paid-by-account")
            self._world.run(rng.randrange(100, 9_000))
            if not unit.eyes.troubled or rng.random() < 0.5:
                break
        luck = rng.random()
        if luck < 0.3:
            unit.put(ev.BasketPaid(sale=sale) if luck < 0.15 else ev.BasketCancelled())
        elif luck < 0.45:
            self.bring_back(rng, unit)
        if rng.random() < 0.1:  # wages
            self._world.office.bank.books.open(shopper.account_number, FIRST_YEN)

    def points(self, rng: Random, unit: Unit) -> None:
        shopper = rng.choice(self.shoppers)
        if unit.eyes.meant in BUSY:
            return  # the display waits for the answer to something else, and points would not be seen
        holder, points = shopper.person.holder, rng.randrange(1, 120)
        programme = catalogue.PROGRAMME
        if rng.random() < 0.5:
            sale, yen = self._sold(rng, 100 * points), 100 * points
            unit.points(ev.PointsEarned(programme=programme, holder=holder, points=points, spend_yen=yen, sale=sale))
        else:
            named = [one.name for one in self._sales if not one.with_receipt]
            sale = named[-1] if named and rng.random() < 0.5 else self._sold(rng, 0)
            unit.points(ev.PointsWanted(programme=programme, holder=holder, points=points, sale=sale))

    def revoke(self, rng: Random) -> None:
        """Somebody lost their phone: one coupon is put on the stop list."""
        given = [one for one in self._given if one[0] not in (catalogue.BUDGET, catalogue.BY_PERSON, catalogue.FAMILY)]
        if given:
            self._world.operators.revoke(*rng.choice(given))
            self._world.fire("revoked")
