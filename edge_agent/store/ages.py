"""How old a position of the journal is for sure, whatever clocks said meanwhile.

A fact's own stamp may be wrong by any amount, and so may the time at which somebody tidies up. So now and then a time
that can be trusted is written down beside the position at which the journal stood then: what lies at or before it is
at least as old as that. Without a trusted time nothing grows old.
"""

from __future__ import annotations

from typing import Final

from edge_agent.store.cache import Cache

DAY_MS: Final = 86_400_000
MARKS_MAX: Final = 200  # the oldest go first
MARKS_IN_TIME: Final = 100  # for the time after which things are let go of
_KEY: Final = "ages"


class Ages:
    """See the module. Opens no transaction; kept in the store's `meta`."""

    def __init__(self, cache: Cache) -> None:
        self._cache = cache

    def note(self, trusted_ms: int, position: int, keep_ms: int) -> None:
        """The journal stands at `position` now. `keep_ms`: the age that `before` will be asked for."""
        every_ms = max(DAY_MS, keep_ms // MARKS_IN_TIME)
        marks = [mark for mark in self._marks() if mark[0] <= trusted_ms]  # one from the future was no time at all
        if not marks or trusted_ms - marks[-1][0] >= every_ms:
            marks = [*marks, (trusted_ms, position)][-MARKS_MAX:]
            self._cache.set_meta(_KEY, ",".join(f"{at_ms}:{number}" for at_ms, number in marks))

    def before(self, at_ms: int) -> int:
        """The last position that is at least as old as `at_ms`; 0: none is known to be."""
        return max((number for marked_ms, number in self._marks() if marked_ms <= at_ms), default=0)

    def _marks(self) -> list[tuple[int, int]]:
        """Time and position, both growing."""
        text = str(self._cache.meta(_KEY, ""))
        pairs = [mark.split(":") for mark in text.split(",") if mark]
        return [(int(at_ms), int(number)) for at_ms, number in pairs]
