"""People with member cards at kiosks and lanes: issued, used, lost, replaced, copied, rolled back, pulled out (M1, M2).

Like `extras`, what happens at a step has randomness of its own, and each kind is counted once it really happened.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import TYPE_CHECKING, Final

from central.members.requests import Granted
from edge_agent.core import events as ev
from edge_agent.core.effects import View
from edge_agent.core.pages import PageKind
from edge_agent.core.states import Mode
from hal.events import ButtonPressed
from hal.virtual.tag import UID_BYTES, Tag
from loyalty.card_slots import WRITES_MAX, Chip
from simulator.world import catalogue
from simulator.world.observe import Violation

if TYPE_CHECKING:
    from simulator.world.life import Life
    from simulator.world.people import Shopper
    from simulator.world.unit import Unit

SHARE: Final = 0.3  # of the steps have one
PULLED: Final = 0.3  # of the cards that are used are pulled out in the middle
CUT_OFF: Final = 0.1  # ... or the unit is killed about then, or loses its power
EARNED_MORE: Final = 5  # times what is spent at once, so that cards have points to pay with
PILE_MAX: Final = 4  # lost cards that somebody else has found, and copies, of one person
ROLL_CALL_MS: Final = 50
ANSWER_MS: Final = 1_500  # of the centre, to a kiosk
BUSY: Final = frozenset({View.ASKING, View.CARD_WRITING, View.PAYING})
"""What is shown then waits for its own answer, and other points would not be seen."""

Act = Callable[["Life", Random], None]


class Drawer:
    """The cards that speak, or once spoke, for one person."""

    def __init__(self) -> None:
        self.card: Tag | None = None
        self.lost: list[Tag] = []
        self.copies: list[Tag] = []  # of a card on other tags
        self.twins: list[Tag] = []  # with the same UID
        self.image: Tag | None = None  # what the card said once


def one_more(life: Life, rng: Random, without: tuple[str, ...]) -> None:
    """Perhaps one act. Raises CentreAway and Violation."""
    if rng.random() >= SHARE:
        return
    kind = rng.choice(list(ACTS))
    if kind not in without:
        life.world.run(rng.choice((5, 60)))
        life.world.note("member", kind)
        ACTS[kind](life, rng)


def _kiosk(life: Life, rng: Random) -> Unit | None:
    there = [unit for unit in life.world.units.values() if unit.mode is Mode.KIOSK and unit.up and unit.enrolled]
    return rng.choice(there) if there else None


def _unit(life: Life, rng: Random) -> Unit:
    return rng.choice(list(life.world.units.values()))


def _with_card(life: Life, rng: Random) -> tuple[Shopper, Tag] | None:
    found = [(one, one.drawer.card) for one in life.people.shoppers if one.drawer.card is not None]
    return rng.choice(found) if found else None


def _points(life: Life, rng: Random, unit: Unit, shopper: Shopper, *, earned: bool) -> None:
    """Somebody at the till, card or not."""
    if unit.eyes.meant in BUSY:
        return
    points, holder = rng.randrange(1, 60), shopper.person.holder
    if earned:
        points *= EARNED_MORE
        unit.points(ev.PointsEarned(programme=catalogue.PROGRAMME, holder=holder, points=points, spend_yen=points))
    else:
        unit.points(ev.PointsWanted(programme=catalogue.PROGRAMME, holder=holder, points=points))
    life.world.run(rng.randrange(5, 400))


# --- acts ---------------------------------------------------------------------------------------------------


def issue(life: Life, rng: Random) -> None:
    """An empty tag in a kiosk, and a phone that says whose it becomes: the first card, or the next one."""
    world, unit, shopper = life.world, _kiosk(life, rng), rng.choice(life.people.shoppers)
    if unit is None:
        return
    if rng.random() < 0.7:  # so that the ledger has something to say at this shop
        _points(life, rng, unit, shopper, earned=True)
        world.run(4_000)
    tag = Tag(rng.randbytes(UID_BYTES), rng.choice((Chip.NTAG213, Chip.MF0UL11)))
    unit.eyes.link = ""
    unit.slot.insert(tag)
    world.run(ANSWER_MS)
    if not unit.eyes.link:
        unit.slot.take()
        return
    given = world.operators.confirm_card(unit.eyes.link.rpartition("/")[2], shopper.person)
    if not isinstance(given, Granted):
        unit.slot.take()
        return
    drawer = shopper.drawer
    if drawer.card is not None:
        drawer.lost = [*drawer.lost, drawer.card][-PILE_MAX:]
    drawer.card = tag
    world.fire("card-issued" if given.generation == 1 else "card-reissued")
    if rng.random() < PULLED:
        unit.slot.pull_in(rng.randrange(1, WRITES_MAX // 2))
    world.office.tell_grants()
    world.run(rng.randrange(200, 4_000))
    unit.slot.take()


def use(life: Life, rng: Random) -> None:
    """A member at a till, whose hand may be quicker than the writing."""
    found = _with_card(life, rng)
    if found is None:
        return
    shopper, tag = found
    _spend_with(life, rng, shopper, tag, _unit(life, rng))
    life.world.fire("card-used")


def _spend_with(life: Life, rng: Random, shopper: Shopper, tag: Tag, unit: Unit, *, copied: bool = False) -> None:
    unit.slot.insert(tag, copied=copied)
    life.world.run(rng.randrange(5, 300))
    for _ in range(rng.randrange(1, 4)):
        if rng.random() < PULLED:
            unit.slot.pull_in(rng.randrange(1, 8))
        elif rng.random() < CUT_OFF:
            unit.stop_in(rng.randrange(2, 16), power=rng.random() < 0.5, why="")
        _points(life, rng, unit, shopper, earned=rng.random() < 0.5)
    if rng.random() < 0.9:  # else it is left there
        unit.slot.take()
        life.world.run(5)


def two_lanes(life: Life, rng: Random) -> None:
    """The same card at two units, one after the other: the second reads what the first wrote."""
    found = _with_card(life, rng)
    units = list(life.world.units.values())
    if found is None or len(units) < 2:
        return
    shopper, tag = found
    for unit in rng.sample(units, 2):
        _spend_with(life, rng, shopper, tag, unit)
    life.world.fire("card-at-two-lanes")


def browse(life: Life, rng: Random) -> None:
    """A member turns pages at a kiosk, takes a coupon perhaps, and goes, at any moment."""
    found, unit = _with_card(life, rng), _kiosk(life, rng)
    if found is None or unit is None or unit.eyes.meant in BUSY:
        return
    _, tag = found
    unit.slot.insert(tag)
    life.world.run(rng.randrange(5, 300))
    wants_one = rng.random() < 0.6
    for _ in range(rng.randrange(1, 12)):
        page = unit.eyes.page
        takes = wants_one and page is not None and page.kind is PageKind.COUPON
        unit.put(ButtonPressed(button=int(takes or rng.random() < 0.2)))
        life.world.run(rng.choice((5, 400, 700, 1_500)))
    if unit.eyes.meant in (View.PAGE, View.TAKE):
        life.world.fire("card-pages")
    unit.slot.take()
    life.world.run(5)
    if unit.up and not unit.eyes.broken and unit.eyes.meant in (View.PAGE, View.TAKE):
        raise Violation("member-cards", f"{unit.device} shows a page of somebody whose card is out")


def find_lost(life: Life, rng: Random) -> None:
    """Somebody has found a card that was replaced, and tries it."""
    lost = [(one, tag) for one in life.people.shoppers for tag in one.drawer.lost]
    if lost:
        shopper, tag = rng.choice(lost)
        _spend_with(life, rng, shopper, tag, _unit(life, rng))
        life.world.fire("card-lost-used")


def copy(life: Life, rng: Random) -> None:
    """The bytes of a card on another tag."""
    found = _with_card(life, rng)
    if found is None:
        return
    shopper, tag = found
    other = Tag(rng.randbytes(UID_BYTES), tag.chip)
    other.copy_from(tag)
    shopper.drawer.copies = [*shopper.drawer.copies, other][-PILE_MAX:]
    _spend_with(life, rng, shopper, other, _unit(life, rng), copied=True)
    life.world.fire("card-copied")


def twin(life: Life, rng: Random) -> None:
    """A tag whose UID could be chosen: the whole card twice."""
    found = _with_card(life, rng)
    if found is None:
        return
    shopper, tag = found
    other = Tag(tag.uid, tag.chip)
    other.copy_from(tag)
    shopper.drawer.twins = [*shopper.drawer.twins, other][-PILE_MAX:]
    _spend_with(life, rng, shopper, rng.choice(shopper.drawer.twins), _unit(life, rng))
    life.world.fire("card-twin")


def roll_back(life: Life, rng: Random) -> None:
    """What a card said once is written back to it."""
    found = _with_card(life, rng)
    if found is None:
        return
    shopper, tag = found
    drawer = shopper.drawer
    if drawer.image is not None and drawer.image.uid == tag.uid and rng.random() < 0.6:
        tag.copy_from(drawer.image)
        life.world.fire("card-rolled-back")
    else:
        drawer.image = Tag(tag.uid, tag.chip)
        drawer.image.copy_from(tag)
    _spend_with(life, rng, shopper, tag, _unit(life, rng))


def block(life: Life, rng: Random) -> None:
    """A card is reported lost at the desk, or found again."""
    life.world.need_centre()
    shopper = rng.choice(life.people.shoppers)
    if life.world.operators.block_card(shopper.person):
        life.world.fire("card-blocked")


ACTS: Final[dict[str, Act]] = {
    "issue": issue,
    "issue-again": issue,
    "use": use,
    "use-again": use,
    "two-lanes": two_lanes,
    "browse": browse,
    "find-lost": find_lost,
    "copy": copy,
    "twin": twin,
    "roll-back": roll_back,
    "block": block,
}
"""Every kind; two of them twice as often."""

FIRED: Final = (
    "card-issued",
    "card-reissued",
    "card-used",
    "card-at-two-lanes",
    "card-pages",
    "card-coupon-taken",
    "card-points-written",
    "card-lost-used",
    "card-copied",
    "card-twin",
    "card-rolled-back",
    "card-blocked",
    "card-torn",
    "card-cut-off",
)
"""What must have happened in the fixed seeds."""


def roll_call(life: Life) -> None:
    """In peace, every card that anybody has is put into every unit: the checker of the cards sees which may speak."""
    for unit in [unit for unit in life.world.units.values() if unit.up and unit.enrolled]:
        for shopper in life.people.shoppers:
            drawer = shopper.drawer
            for tag, copied in [
                *((tag, False) for tag in (*drawer.lost, *drawer.twins)),
                *((tag, True) for tag in drawer.copies),
                *([(drawer.card, False)] if drawer.card is not None else []),
            ]:
                unit.slot.insert(tag, copied=copied)
                life.world.run(ROLL_CALL_MS)
                unit.slot.take()
                life.world.run(ROLL_CALL_MS)
