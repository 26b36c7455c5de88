"""People with phones and cards: what they download, hold up, copy, forget, and buy."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, Final, NamedTuple

from nacl.signing import SigningKey

from central.coupons.download import Given
from central.coupons.persons import Person
from edge_agent.core import events as ev
from edge_agent.core.effects import View
from edge_agent.core.states import Mode
from loyalty.barcode import moving
from simulator.world import catalogue
from simulator.world.catalogue import Code

if TYPE_CHECKING:
    from simulator.world.unit import Unit
    from simulator.world.world import World

PURSE_MAX: Final = 40  # codes that a person keeps; the oldest go first
AGAIN: Final = 0.12  # of shoppers hold up once more what was held up last
AGAIN_AFTER_TROUBLE: Final = 0.7
KNOWN_MAX: Final = 12  # of all people's codes, that somebody copied
SALES_MAX: Final = 12  # that may be brought back: the newest of all
BACK_AT_ONCE: Final = 0.08
FLOOR: Final = 300  # points of a person that may be spent without the centre


class Held(NamedTuple):
    """A coupon on a phone."""

    text: str
    moving: bool


class Sale(NamedTuple):
    """What somebody may bring back."""

    name: bytes
    spend_yen: int


class Shopper:
    """One person."""

    def __init__(self, world: World, number: int) -> None:
        self.rng = world.entropy.stream(f"person-{number}")
        self.phone = SigningKey(self.rng.randbytes(32))
        self.card = self.rng.randbytes(7)
        self.person: Person = world.operators.person(f"person {number}")
        self.purse: list[Held] = []
        if number % 2 == 0:
            world.operators.bind_card(self.person, self.card)
        world.operators.floor(catalogue.PROGRAMME, self.person.holder, FLOOR)

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
        self._world = world
        self._shoppers = [Shopper(world, number) for number in range(count)]
        self._last: dict[str, tuple[Shopper, Code]] = {}  # by unit: who was there last, and what they held up
        self._copied: list[tuple[Shopper, Held]] = []
        self._sales: list[Sale] = []  # the newest
        self._slips: list[ev.SaleReversed] = []  # the newest reversals
        self._given: list[tuple[int, int]] = []  # campaign and serial of the newest coupons
        world.operators.programme(catalogue.PROGRAMME, "街のポイント")
        world.operators.floor(catalogue.PROGRAMME, 0, 10 * FLOOR)

    def download(self, rng: Random) -> None:
        world, shopper = self._world, rng.choice(self._shoppers)
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
        shopper, luck = rng.choice(self._shoppers), rng.random()
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
        sale = Sale(rng.randbytes(16), spend_yen)
        self._sales = [*self._sales, sale][-SALES_MAX:]
        return sale.name

    def bring_back(self, rng: Random, unit: Unit) -> None:
        """Somebody brings a sale back, to any lane: all of it or some, perhaps once more or with the same slip."""
        if unit.eyes.meant in (View.ASKING, View.PAYING):
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

    def points(self, rng: Random, unit: Unit) -> None:
        shopper = rng.choice(self._shoppers)
        if unit.eyes.meant is View.ASKING:
            return  # the display waits for the answer to something else, and points would not be seen
        holder, points = shopper.person.holder, rng.randrange(1, 120)
        programme = catalogue.PROGRAMME
        if rng.random() < 0.5:
            sale, yen = self._sold(rng, 100 * points), 100 * points
            unit.points(ev.PointsEarned(programme=programme, holder=holder, points=points, spend_yen=yen, sale=sale))
        else:
            sale = self._sales[-1].name if self._sales and rng.random() < 0.5 else self._sold(rng, 0)
            unit.points(ev.PointsWanted(programme=programme, holder=holder, points=points, sale=sale))

    def revoke(self, rng: Random) -> None:
        """Somebody lost their phone: one coupon is put on the stop list."""
        given = [one for one in self._given if one[0] not in (catalogue.BUDGET, catalogue.BY_PERSON, catalogue.FAMILY)]
        if given:
            self._world.operators.revoke(*rng.choice(given))
            self._world.fire("revoked")
