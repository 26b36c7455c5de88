"""What else happens at a step, beside what `life` drew for it: people, operators and senders who do it wrong.

Each step has a stream of its own for these, so that they leave the draws for people and faults as they were. Like a
fault, each kind has a name, strikes by the seed, and is counted once it really happened (`World.fired`); a kind that
never fires in the fixed seeds fails the tests.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import TYPE_CHECKING, Final

import msgspec

from central.coupons.issue import IssueError
from edge_agent.core import events as ev
from loyalty.barcode.instore import CodeRule
from simulator.world import cards, catalogue, drafts, misprints, paper, rubbish
from simulator.world.observe import Violation

if TYPE_CHECKING:
    from simulator.world.life import Life
    from simulator.world.unit import Unit

SHARE: Final = 0.4  # of the steps have one
MANY: Final = 24  # coupons for one basket: more than it may hold
PAUSES_MS: Final = (5, 5, 60, 5_000)
"""Between two acts of one person. Never none: facts of one unit are told apart by the millisecond."""

Extra = Callable[["Life", Random], None]


def one_more(life: Life, rng: Random, without: tuple[str, ...]) -> None:
    """Perhaps one of them. Raises CentreAway and Violation."""
    if rng.random() >= SHARE:
        return
    kind = rng.choice(list(EXTRAS))
    if kind not in without:
        life.world.run(rng.choice(PAUSES_MS[:-1]))  # what was drawn for the step comes first
        life.world.note("extra", kind)
        EXTRAS[kind](life, rng)


def _unit(life: Life, rng: Random) -> Unit:
    return rng.choice(list(life.world.units.values()))


# --- people -------------------------------------------------------------------------------------------------


def cut_out(life: Life, rng: Random) -> None:
    """Somebody has coupons from a paper, and goods in the basket that they may be for."""
    unit = _unit(life, rng)
    spend_yen, lines = catalogue.basket(rng)
    unit.put(ev.BasketOpened(spend_yen=spend_yen, basket=lines))
    for _ in range(rng.randrange(1, 5)):
        code = paper.cutting(rng)
        unit.hold_up(code.text, code.format)
        life.world.run(rng.randrange(10, 200))
    if rng.random() < 0.5:
        unit.put(ev.BasketPaid())
    life.world.fire("paper")


def misprinted(life: Life, rng: Random) -> None:
    unit = _unit(life, rng)
    for _ in range(3):
        code = misprints.of_the_trade(rng)
        unit.hold_up(code.text, code.format, confirmed=rng.random() < 0.9)
        life.world.run(20)
    life.world.fire("misprinted")


def damaged(life: Life, rng: Random) -> None:
    """A code of ours through a scratched screen, and one that was never ours."""
    unit = _unit(life, rng)
    _, code = life.people.code(rng)
    if code.text.startswith(b"TK") and len(code.text) > 100:
        unit.hold_up(misprints.damaged(rng, code.text))
        life.world.run(20)
    unit.hold_up(misprints.forged(rng))
    life.world.fire("damaged")


def show_member_card(life: Life, rng: Random) -> None:
    """Cards and labels of the shop's own, worn ones too: no coupons, and no harm."""
    unit = _unit(life, rng)
    for _ in range(3):
        code = cards.card(rng)
        unit.hold_up(code.text, code.format)
        life.world.run(20)
    life.world.fire("member-card")


def fuss(life: Life, rng: Random) -> None:
    """Cards change, the till pays what was not opened, cancels, opens twice, is asked for points in between."""
    unit, world = _unit(life, rng), life.world
    shopper, code = life.people.code(rng)
    acts: tuple[Callable[[], None], ...] = (
        lambda: unit.put(ev.BasketPaid()),
        lambda: unit.put(ev.BasketCancelled()),
        lambda: unit.put(ev.BasketOpened(spend_yen=rng.randrange(1, 2_000))),
        lambda: unit.insert_card(shopper.card),
        lambda: unit.insert_card(rng.randbytes(7)),
        lambda: unit.take_card(shopper.card),
        lambda: unit.hold_up(code.text, code.format),
        lambda: unit.hold_up(code.text, code.format, confirmed=False),
        lambda: life.people.points(rng, unit),
        lambda: life.people.bring_back(rng, unit),
    )
    for _ in range(rng.randrange(2, 7)):
        rng.choice(acts)()
        world.run(rng.choice(PAUSES_MS))
    world.fire("fuss")


def hoard(life: Life, rng: Random) -> None:
    """Somebody with more coupons than a basket holds."""
    unit = _unit(life, rng)
    unit.put(ev.BasketOpened(spend_yen=3_000))
    for _ in range(MANY):
        code = life.people.code(rng)[1] if rng.random() < 0.3 else catalogue.Code(b"4912345678904", "ean13")
        unit.hold_up(code.text, code.format)
        life.world.run(10)
    unit.put(ev.BasketPaid() if rng.random() < 0.8 else ev.BasketCancelled())
    life.world.fire("hoard")


# --- operators ----------------------------------------------------------------------------------------------


def draft(life: Life, rng: Random) -> None:
    """An operator types what can't be, and is told so."""
    campaign = drafts.campaign(rng)
    life.world.need_centre()
    try:
        life.world.operators.issue(campaign)
    except IssueError:
        life.world.fire("draft")
        return
    raise Violation("drafts", f"a campaign that can't be was issued: {campaign}")


def settings(life: Life, rng: Random) -> None:
    """A technician writes a rule for the shop's codes that fits none; the unit would not start with it."""
    rule = drafts.rule(rng)
    try:
        msgspec.convert(rule, CodeRule)
    except msgspec.ValidationError:
        life.world.fire("settings")
        return
    raise Violation("drafts", f"a rule that can't be was taken: {rule}")


# --- networks -----------------------------------------------------------------------------------------------


def rubbish_up(life: Life, rng: Random) -> None:
    rubbish.to_centre(life, rng, _unit(life, rng))
    life.world.fire("rubbish-up")


def rubbish_down(life: Life, rng: Random) -> None:
    unit = _unit(life, rng)
    if unit.up:
        rubbish.to_unit(life, rng, unit)
        life.world.fire("rubbish-down")


def rubbish_between(life: Life, rng: Random) -> None:
    if rubbish.between_lanes(life, rng, _unit(life, rng)):
        life.world.fire("rubbish-between")


EXTRAS: Final[dict[str, Extra]] = {
    "paper": cut_out,
    "misprinted": misprinted,
    "damaged": damaged,
    "member-card": show_member_card,
    "fuss": fuss,
    "hoard": hoard,
    "draft": draft,
    "settings": settings,
    "rubbish-up": rubbish_up,
    "rubbish-down": rubbish_down,
    "rubbish-between": rubbish_between,
}
"""Every kind, by name."""
