"""How much a running program holds in memory, as can be seen from outside: the sizes of the containers it reaches."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Set
from typing import Any, Final

from simulator.world.observe import Held

OURS: Final = ("central.", "edge_agent.", "wire.", "loyalty.", "hal.", "queue")
"""Modules whose objects are followed."""
CONTAINERS: Final = (dict, list, set, frozenset, tuple, deque)


def held_by(owner: str, root: object) -> tuple[Held, ...]:
    """Every container that `root` reaches by attributes and elements, once each, by the path to it."""
    seen: set[int] = set()
    found: list[Held] = []
    waiting: deque[tuple[str, object]] = deque([("", root)])
    while waiting:
        path, thing = waiting.popleft()
        if id(thing) in seen:
            continue
        seen.add(id(thing))
        if isinstance(thing, CONTAINERS):
            found.append(Held(owner, path, len(thing)))
            waiting.extend((f"{path}[]", element) for element in _elements(thing))
        elif type(thing).__module__.startswith(OURS):
            waiting.extend((f"{path}.{name}".lstrip("."), value) for name, value in _attributes(thing))
    return tuple(found)


def _elements(container: Any) -> Iterator[object]:
    if isinstance(container, Mapping):
        yield from container.values()
    elif isinstance(container, Set | list | tuple | deque):
        yield from container


def _attributes(thing: object) -> Iterator[tuple[str, object]]:
    names = [*getattr(thing, "__dict__", ()), *getattr(type(thing), "__struct_fields__", ())]
    for kind in type(thing).__mro__:
        slots = kind.__dict__.get("__slots__", ())
        names += [slots] if isinstance(slots, str) else list(slots)
    for name in dict.fromkeys(names):
        value = getattr(thing, name, None)
        if value is not None:
            yield name, value
