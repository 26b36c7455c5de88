"""What all checkers share: a name, hooks that do nothing, and how a promise is said to be broken."""

from __future__ import annotations

from typing import ClassVar, NoReturn

from simulator.world.observe import AtRest, Seen, UnitAtRest, Violation


class Watch:
    """A checker that sees nothing yet (`simulator.world.observe.Checker`)."""

    name: ClassVar[str]

    def saw(self, seen: Seen) -> None:
        """At each step."""

    def came_up(self, unit: UnitAtRest) -> None:
        """A unit has just come up."""

    def at_rest(self, world: AtRest) -> None:
        """Everything must have come together."""

    def broken(self, what: str) -> NoReturn:
        raise Violation(self.name, what)
