"""What of the unsynced changes is on the platter when the power comes back: decided by seed.

Nothing, everything, everything up to one moment, or each file and each name for itself: nothing, everything, the
first few, or any subset, with writes torn at sectors. A write that was lost may still have made its file longer. Of
names (files created and deleted) the first few changes of each survive, or the first few of all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from random import Random
from typing import Final

from simulator.world.unsynced import Change, Content, pieces
from simulator.world.unsynced_names import UnsyncedNames, give_back


class Regime(Enum):
    NOTHING = auto()
    EVERYTHING = auto()
    MOMENT = auto()
    EACH = auto()


REGIMES: Final = (Regime.NOTHING, Regime.EVERYTHING, Regime.MOMENT, Regime.MOMENT, *[Regime.EACH] * 4)
_ODDS: Final = (0.1, 0.5, 0.9)  # that a write of a random subset survives
_TORN: Final = 0.2  # of the writes of a random subset


@dataclass
class Losses:
    """What a power loss did; truncations count as writes."""

    kept: int = 0
    dropped: int = 0
    torn: int = 0
    entries_lost: int = 0
    unlinks_undone: int = 0
    plain_undone: int = 0


class Fate(Enum):
    """Of one unsynced change."""

    KEPT = auto()
    DROPPED = auto()
    TORN = auto()


def lose(contents: Sequence[Content], names: UnsyncedNames, rng: Random) -> Losses:
    """Rewrite the real files as they are found after the power loss."""
    losses = Losses()
    changed = [content for content in contents if content.changes]
    moments = sorted(
        [change.moment for content in changed for change in content.changes]
        + [entry.moment for entry in names.entries]
    )  # fmt: skip
    if not moments:
        return losses
    regime = rng.choice(REGIMES)
    last = {Regime.NOTHING: 0, Regime.EVERYTHING: moments[-1]}.get(regime, rng.choice([0, *moments]))
    for content in changed:
        _settle(content, _each(content, rng) if regime is Regime.EACH else _upto(last, moments), rng, losses)
    in_order = regime is not Regime.EACH or rng.random() < 0.5  # a journalling file system changes its folders in order
    for own in names.by_path():
        survive = sum(entry.moment <= last for entry in own) if in_order else rng.randint(0, len(own))
        losses.entries_lost += sum(entry.created for entry in own[survive:])
        losses.unlinks_undone += sum(not entry.created for entry in own[survive:])
        give_back(own, survive)
    return losses


def surviving(sectors: Iterable[tuple[int, int]], rng: Random) -> list[tuple[int, int]]:
    """Which sectors of a torn write reached the disk: the first few, or any."""
    every = list(sectors)
    if rng.random() < 0.5:
        return every[: rng.randint(0, len(every))]
    return [sector for sector in every if rng.random() < 0.5]


def _upto(last: int, moments: Sequence[int]) -> Callable[[Change], Fate]:
    """Everything up to a moment; the write after it was under way."""
    following = next((moment for moment in moments if moment > last), None) if last else None
    return lambda change: (
        Fate.TORN if change.moment == following else Fate.KEPT if change.moment <= last else Fate.DROPPED
    )


def _each(content: Content, rng: Random) -> Callable[[Change], Fate]:
    """One file for itself."""
    way = rng.randrange(4)
    if way == 0:
        return lambda _: Fate.DROPPED
    if way == 1:
        return lambda _: Fate.KEPT
    if way == 2:
        moments = [change.moment for change in content.changes]
        return _upto(rng.choice(moments), moments)
    odds = rng.choice(_ODDS)
    return lambda _: Fate.TORN if rng.random() < _TORN else Fate.KEPT if rng.random() < odds else Fate.DROPPED


def _settle(content: Content, fate_of: Callable[[Change], Fate], rng: Random, losses: Losses) -> None:
    content.take_back()
    longer_anyway = rng.random() < 0.25  # lost writes may have made the file longer, with noughts or what stood there
    stale = rng.random() < 0.5
    for change in content.changes:
        fate = fate_of(change)
        if change.after is None and fate is Fate.TORN:
            fate = Fate.DROPPED
        if fate is Fate.KEPT:
            content.redo(change)
            losses.kept += 1
        elif fate is Fate.TORN:
            content.redo(change, surviving(pieces(change.offset, len(change.after or b"")), rng))
            losses.torn += 1
        else:
            losses.dropped += 1
            if longer_anyway and change.after is not None and rng.random() < 0.5:
                content.grow(change.offset + len(change.after), rng if stale else None)
