"""The verdict that a unit would give now, without writing anything (`tokuten scan --store`)."""

from __future__ import annotations

from pathlib import Path

from edge_agent.core.examine import examine, wants
from edge_agent.core.visit import Row
from edge_agent.store.store import Store
from loyalty import barcode
from loyalty.barcode import Shop
from loyalty.coupon import Now, Verdict


class Preview:
    """A unit's store, opened for reading alone; usable while the unit runs. Raises StoreError."""

    def __init__(self, folder: Path) -> None:
        self._store = Store(folder, read_only=True)
        self.site = str(self._store.cache.meta("site", ""))

    def verdict(
        self, text: bytes, format: str, now: Now, *, confirmed: bool = False, shop: Shop | None = None
    ) -> Verdict:
        """`confirmed`: False for an unsigned linear code that was seen in one picture only."""
        shop = shop or Shop()
        reading = barcode.read(text, format, shop)
        rows = self._store.look_up(wants(reading))
        row = rows[0] if rows else Row()
        return examine(reading, confirmed, row, site=self.site, spend_yen=None, now=now, shop=shop)

    def close(self) -> None:
        self._store.close()


def preview(folder: Path, text: bytes, format: str, now: Now) -> Verdict:
    """One verdict from the store in `folder`. Raises StoreError."""
    store = Preview(folder)
    try:
        return store.verdict(text, format, now)
    finally:
        store.close()
