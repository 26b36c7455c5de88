"""What can be wrong with `[unit.till]`."""

from __future__ import annotations


class TillSettingsError(ValueError):
    """The till's interface can't be opened as it is set; the sentence says why."""
