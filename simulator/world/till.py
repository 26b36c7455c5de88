"""A till that speaks the interface of its lane (`edge_agent.core.checkout`), and the cashier at it.

What it wants goes to the lane as the adapters of real tills put it there; questions and answers are lost on the way.
Whatever was not answered is said again under its names until it is: a sale that was paid is paid once, whichever
answers its till has seen.
"""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

from edge_agent.core import events as ev
from edge_agent.core.receipt import SaleState, SaleView, TillAnswer, TillReason
from loyalty.basket import Line
from loyalty.tax import REDUCED_BP, STANDARD_BP
from simulator.world import catalogue
from simulator.world.observe import Receipt

if TYPE_CHECKING:
    from simulator.world.people import People, Shopper
    from simulator.world.unit import Unit

TRIES_MAX: Final = 5  # in one go; the rest is for the next shopper, or for the evening
LEFT_MAX: Final = 8  # sales that had no answer, and are asked about again
OVER_MAX: Final = 6  # receipts in the drawer, which are asked for again
WAIT_MS: Final = 400  # between two questions of one try
PATIENCE_MS: Final = 1_200  # of a shopper whose points were refused, and who tries once more
HOLDER_SHARE: Final = 0.5  # of the shoppers put their card in
KINDS: Final = ("till-unasked", "till-unheard", "till-asked-again", "till-paid", "till-points", "till-account")
"""What must have happened in the fixed seeds."""

UNASKED, UNHEARD = 0.05, 0.15


class Left(NamedTuple):
    """A payment that had no answer yet."""

    sale: bytes
    lines: tuple[Line, ...]
    act: ev.PaySale


class Till:
    """The port (`edge_agent.ports.TillPort`) and the network between it and the lane."""

    alive = True

    def __init__(self, unit: Unit) -> None:
        self._unit = unit
        self._rng = unit.world.entropy.stream(f"{unit.device}/till")
        self._number = 0
        self._heard: dict[int, TillAnswer] = {}
        self.left: list[Left] = []
        self.open: list[bytes] = []  # that were opened, and had no end that was heard of
        self.over: list[tuple[bytes, ev.PaySale]] = []
        self.calm = False  # nothing is lost any more

    def answered(self, reply: int, answer: TillAnswer) -> None:
        self._heard = {reply: answer}

    def stirred(self) -> None:
        """This till asks again of its own."""

    def ask(self, sale: bytes, act: ev.Act) -> TillAnswer | None:
        """The answer; None: it was lost, or nobody was there to give it."""
        unit = self._unit
        self._number += 1
        if self._strikes("till-unasked", UNASKED):
            return None
        unit.put(ev.TillAsks(reply=self._number, sale=sale, act=act))
        unit.world.run(self._rng.choice((5, 5, 40)))
        answer = self._heard.pop(self._number, None)
        if answer is None or self._strikes("till-unheard", UNHEARD):
            return None
        self._look(sale, answer)
        return answer

    def _strikes(self, kind: str, share: float) -> bool:
        if self.calm or self._rng.random() >= share:
            return False
        self._unit.world.fire(kind)
        return True

    def _look(self, sale: bytes, answer: TillAnswer) -> None:
        """What it was told of a sale that is over."""
        view = answer.sale
        if view is None or bytes.fromhex(view.sale) != sale or view.state not in (SaleState.PAID, SaleState.CANCELLED):
            return
        unit = self._unit
        self.open = [one for one in self.open if one != sale]
        self.left = [one for one in self.left if one.sale != sale]
        unit.note("till", f"sale {view.sale[:8]} {view.state}, {view.total_yen} yen")
        paid = view.paid
        unit.world.saw(
            Receipt(
                unit.world.time.now_ms,
                unit.device,
                sale,
                view.state is SaleState.PAID,
                bytes.fromhex(paid.payment) if paid is not None else b"",
                paid.yen if paid is not None and paid.tender == ev.Tender.ACCOUNT else None,
                view.total_yen,
                sum(coupon.counts for coupon in view.coupons) + bool(paid is not None and paid.campaign),
                paid.points if paid is not None else 0,
                sum(points.earns for points in view.points),
            )
        )

    # --- a payment --------------------------------------------------------------------------------------

    def pay(self, sale: bytes, lines: tuple[Line, ...], act: ev.PaySale) -> SaleView | None:
        """Asks until it is known what came of it, or for so long. The paid sale; None: not paid, or not known yet."""
        unit = self._unit
        if act.tender is ev.Tender.ACCOUNT:
            unit.payment_asked = ev.PayByAccount(account=act.account, lines=(), payment=act.payment, sale=sale)
        for _ in range(TRIES_MAX):
            answer = self.ask(sale, act)
            if answer is None:
                unit.world.run(self._rng.choice((WAIT_MS, 10 * WAIT_MS)))
            elif answer.sale is not None and answer.sale.state is SaleState.PAID:
                self._keep(sale, act)
                return answer.sale
            elif answer.refusal is TillReason.UNKNOWN_SALE:  # the lane was restarted before it was paid
                self.ask(sale, ev.OpenSale(lines=lines))
            elif answer.refusal is None or answer.refusal in (TillReason.BUSY, TillReason.OUT_OF_SERVICE):
                unit.world.run(4 * WAIT_MS)
            else:
                return None  # it was told why not
        self.left = [*(one for one in self.left if one.sale != sale), Left(sale, lines, act)][-LEFT_MAX:]
        return None

    def waits_for(self, sale: bytes) -> bool:
        """Whether its payment had no answer yet."""
        return any(one.sale == sale for one in self.left)

    def _keep(self, sale: bytes, act: ev.PaySale) -> None:
        self.over = [*(one for one in self.over if one[0] != sale), (sale, act)][-OVER_MAX:]

    def wait(self) -> None:
        self._unit.world.run(WAIT_MS)

    def cancel(self, sale: bytes) -> None:
        """Said until it is answered, or for so long."""
        for _ in range(TRIES_MAX):
            if self.ask(sale, ev.CancelSale()) is not None:
                return
            self.wait()

    def again(self, *, all_of_it: bool = False) -> None:
        """What had no answer is asked again; so is, now and then, what had one."""
        unit = self._unit
        for one in list(self.left) if all_of_it else self.left[:1]:
            self.left.remove(one)
            unit.world.fire("till-asked-again")
            if self.pay(one.sale, one.lines, one.act) is None and one not in self.left:
                self.cancel(one.sale)  # it was refused: the shopper is gone
        for sale in list(self.open) if all_of_it else self.open[:1]:
            if not self.waits_for(sale):
                self.cancel(sale)
        if self.over and (all_of_it or self._rng.random() < 0.3):
            sale, act = self._rng.choice(self.over)
            unit.world.fire("till-asked-again")
            self.ask(sale, self._rng.choice((act, ev.ReadSale(), ev.CancelSale(), ev.OpenSale(lines=()))))


def serve(till: Till, people: People, rng: Random, unit: Unit) -> None:
    """One shopper at the till, from the first goods to the receipt, or as far as it goes."""
    till.again()
    sale, lines = rng.randbytes(16), _goods(rng)
    shopper = rng.choice(people.shoppers)
    carded = rng.random() < HOLDER_SHARE
    if carded:
        _insert(unit, shopper)
    answer = till.ask(sale, ev.OpenSale(lines=lines))
    till.open = [*till.open, sale][-LEFT_MAX:]
    if answer is not None and answer.refusal is TillReason.OTHER_SALE:
        till.again(all_of_it=True)
        answer = till.ask(sale, ev.OpenSale(lines=lines))
    for _ in range(rng.randrange(3)):
        _, code = people.code(rng)
        if rng.random() < 0.5:
            till.ask(sale, ev.AddCoupon(text=code.text, format=code.format))
        else:
            unit.hold_up(code.text, code.format)
        unit.world.run(rng.randrange(10, 1_500))
    if rng.random() < 0.2:  # something was forgotten
        lines = (*lines, *_goods(rng))
        till.ask(sale, ev.OpenSale(lines=lines))
    view = _read(till, sale)
    if view is not None and view.coupons and rng.random() < 0.15:
        till.ask(sale, ev.DropCoupon(coupon=bytes.fromhex(rng.choice(view.coupons).id)))
    if rng.random() < 0.12:
        till.cancel(sale)
    else:
        _pay(till, people, rng, sale, lines, shopper, view)
    if carded:
        _take(unit, shopper)


def _pay(
    till: Till, people: People, rng: Random, sale: bytes, lines: tuple[Line, ...], shopper: Shopper,
    view: SaleView | None,
) -> None:  # fmt: skip
    world, luck = people.world, rng.random()
    act = ev.PaySale(payment=rng.randbytes(16), tender=ev.Tender.CASH)
    here = next((one for one in view.points if one.yen), None) if view is not None and view.member else None
    if here is not None and view is not None and luck < 0.5 and view.total_yen:
        points = min(rng.randrange(1, 60), view.total_yen)
        act = ev.PaySale(payment=act.payment, tender=ev.Tender.CASH, programme=here.programme, points=max(1, points))
    elif luck > 0.7:
        act = ev.PaySale(payment=act.payment, tender=ev.Tender.ACCOUNT, account=shopper.account)
    paid = till.pay(sale, lines, act)
    if paid is None and act.points and not till.waits_for(sale):  # refused: the lane has sought leave by now
        world.run(PATIENCE_MS)
        act = msgspec.structs.replace(act, payment=rng.randbytes(16))
        paid = till.pay(sale, lines, act)
    if paid is None and not till.waits_for(sale):  # refused: another way to pay
        act = ev.PaySale(payment=rng.randbytes(16), tender=ev.Tender.CASH)
        paid = till.pay(sale, lines, act)
    if paid is None:
        return
    people.remember_sale(sale, paid.price_yen)
    world.fire("till-points" if act.points else "till-account" if act.tender is ev.Tender.ACCOUNT else "till-paid")


def _read(till: Till, sale: bytes) -> SaleView | None:
    """How it stands, once the centre has answered about its coupons."""
    for _ in range(TRIES_MAX):
        answer = till.ask(sale, ev.ReadSale())
        if answer is not None and (answer.sale is None or answer.sale.state is not SaleState.ASKING):
            return answer.sale
        till.wait()
    return None


def _goods(rng: Random) -> tuple[Line, ...]:
    return tuple(
        Line(
            gtin=rng.choice(catalogue.GTINS),
            yen=rng.randrange(10, 900),
            quantity=rng.randrange(1, 5),
            rate_bp=rng.choice((STANDARD_BP, REDUCED_BP)),
        )
        for _ in range(rng.randrange(1, 5))
    )


def _insert(unit: Unit, shopper: Shopper) -> None:
    if shopper.drawer.card is not None:
        unit.slot.insert(shopper.drawer.card)
    else:
        unit.insert_card(shopper.card)
    unit.world.run(5)


def _take(unit: Unit, shopper: Shopper) -> None:
    if unit.slot.tag is not None:
        unit.slot.take()
    else:
        unit.take_card(shopper.card)
