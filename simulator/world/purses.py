"""What people do with their points at the centre: they buy, give, exchange and cash out (G2, G3, G5, G8).

Each act has a name that the person's page makes. Where the centre was away the same act is tried again under its name
some time later, as a person does who saw no answer: it must count once.
"""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, Final

from central.ledger import gifts
from central.ledger.gifts import Gift
from central.ledger.transfer import Booked
from loyalty.points import Programme, Rate
from simulator.world.observe import PointsAsked, PointsMoved
from simulator.world.office import CentreAway

if TYPE_CHECKING:
    from simulator.world.world import World

NUMBER: Final = 2
PROGRAMME: Final = Programme(
    id=NUMBER, name="贈るポイント", shared=True, transferable=True, buy=Rate(100), sell=Rate(80), cash_out=Rate(70)
)
ACTS: Final = {"buy": gifts.buy, "give": gifts.give, "exchange": gifts.exchange, "cash_out": gifts.cash_out}
KINDS: Final = tuple(f"points-{kind.replace('_', '-')}" for kind in ACTS)
_WEIGHTS: Final = (4, 3, 2, 1)


class Purses:
    """See the module."""

    def __init__(self, world: World, holders: list[int]) -> None:
        self._world, self._holders = world, holders
        self._unanswered: list[tuple[str, Gift]] = []
        world.operators.enter(PROGRAMME)

    def act(self, rng: Random) -> None:
        """One act, or once more one that had no answer. Raises CentreAway."""
        if self._unanswered and rng.random() < 0.5:
            self._do(*self._unanswered.pop(rng.randrange(len(self._unanswered))))
            return
        kind = rng.choices(list(ACTS), _WEIGHTS)[0]
        mine, other = rng.sample(self._holders, 2)
        gift = Gift(rng.randbytes(16), NUMBER, mine, rng.randrange(1, 60), to=other if kind == "give" else 0)
        self._do(kind, gift)

    def again(self) -> None:
        """Whoever had no answer asks once more. Raises CentreAway."""
        while self._unanswered:
            self._do(*self._unanswered.pop())

    def _do(self, kind: str, gift: Gift) -> None:
        world = self._world
        world.saw(PointsAsked(world.time.now_ms, gift.name, kind, gift.holder, gift.to, gift.points))
        try:
            with world.office.writing() as connection:
                outcome = ACTS[kind](connection, gift, world.time.wall_ms)
        except CentreAway:
            self._unanswered.append((kind, gift))
            raise
        booked = isinstance(outcome, Booked)
        world.note("person", kind, f"{gift.points} points, {'booked' if booked else 'refused'}")
        world.saw(PointsMoved(world.time.now_ms, gift.name, booked))
        if booked:
            world.fire(f"points-{kind.replace('_', '-')}")
