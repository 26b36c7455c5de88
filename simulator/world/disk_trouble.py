"""What can be wrong with a simulated disk: it is full, it fails, its power goes at a chosen change."""

from __future__ import annotations

from enum import Enum, auto
from random import Random


class Fate(Enum):
    """What becomes of one change."""

    WHOLE = auto()
    PART = auto()
    NOTHING = auto()


class DiskTrouble:
    """Faults on request. `calm` is what the hot path asks: nothing is wrong and nothing will be."""

    def __init__(self, rng: Random) -> None:
        self._rng = rng
        self._full, self._failing = False, 0.0
        self._room_bytes: int | None = None
        self._cut_in: int | None = None
        self._trouble_in: tuple[int, float] | None = None
        self._dead = False
        self._calm = True

    @property
    def dead(self) -> bool:
        """The moment of the cut has come: everything fails and nothing changes."""
        return self._dead

    @property
    def full(self) -> bool:
        """While set, no file can grow."""
        return self._full

    @full.setter
    def full(self, full: bool) -> None:
        self._full = full
        self._look()

    @property
    def room_bytes(self) -> int | None:
        """By how much files may still grow; None: no limit. What is cut off or deleted makes room again."""
        return self._room_bytes

    @room_bytes.setter
    def room_bytes(self, room_bytes: int | None) -> None:
        self._room_bytes = room_bytes
        self._look()

    @property
    def failing(self) -> float:
        """How likely a write, a truncation or a sync fails. What a failed sync did not sync stays unsynced."""
        return self._failing

    @failing.setter
    def failing(self, failing: float) -> None:
        self._failing = failing
        self._look()

    def power_cut_in(self, changes: int) -> None:
        """The `changes`-th change from now on (write, truncation, sync, creation, deletion) is the moment of the cut.

        By seed it happens not at all, in part, or whole. From then on the disk is `dead`, until `lose_power` or `kill`.
        """
        assert changes > 0, "the first change from now on is number 1"
        self._cut_in = changes
        self._look()

    def trouble_in(self, changes: int, failing: float) -> None:
        """With the `changes`-th change from now on it begins to fail so likely; 0.0: it is full from then on."""
        assert changes > 0, "the first change from now on is number 1"
        self._trouble_in = changes, failing
        self._look()

    def heal(self) -> None:
        """There is room, and nothing fails; no cut and no trouble is to come."""
        self._full, self._failing, self._room_bytes, self._cut_in = False, 0.0, None, None
        self._trouble_in = None
        self._look()

    def _revive(self) -> None:
        self._dead = False
        self._cut_in = None
        self._look()

    def _look(self) -> None:
        soon = self._cut_in is not None or self._trouble_in is not None
        self._calm = not self._full and not self._failing and self._room_bytes is None and not soon

    def _fate(self) -> Fate:
        """What becomes of the next change. After the moment of the cut the disk is dead."""
        if self._trouble_in is not None:
            left, failing = self._trouble_in
            self._trouble_in = (left - 1, failing) if left > 1 else None
            if left == 1:
                self._full, self._failing = not failing, failing
        if self._cut_in is None:
            return Fate.WHOLE
        self._cut_in -= 1
        if self._cut_in > 0:
            return Fate.WHOLE
        self._cut_in = None
        self._dead = True
        return self._rng.choice(list(Fate))

    def _fails(self) -> bool:
        return self._failing > 0 and self._rng.random() < self._failing

    def _room_for(self, growth_bytes: int) -> int:
        """How much of it there is room for; that room is taken."""
        if self._full:
            return 0
        if self._room_bytes is None:
            return growth_bytes
        room = min(growth_bytes, self._room_bytes)
        self._room_bytes -= room
        return room

    def _make_room(self, size_bytes: int) -> None:
        if self._room_bytes is not None:
            self._room_bytes += size_bytes
