"""What was bought, as the fact that the journal keeps (M3). Pure.

Equal goods are one line. A sale of more kinds of goods than a fact has room for keeps the first ones; the others are
summed in a line without a code, so that the lines still add up.
"""

from __future__ import annotations

from typing import Final

from loyalty.basket import Line
from wire.facts import SALE_LINES_MAX, Bought, SaleLine, Stamp

GTIN_DIGITS_MAX: Final = 14
NO_GTIN: Final = 0


def bought(sale: bytes, holder: int, site: str, total_yen: int, lines: tuple[Line, ...], stamp: Stamp) -> Bought:
    """The fact of a sale. `holder` 0: nobody showed a card; `total_yen`: what was to be paid for all."""
    return Bought(stamp, sale, holder, site, total_yen, _lines(lines))


def _lines(lines: tuple[Line, ...]) -> list[SaleLine]:
    sums: dict[int, tuple[int, int]] = {}
    for line in lines:
        gtin = _number(line.gtin)
        if gtin not in sums and len(sums) - (NO_GTIN in sums) >= SALE_LINES_MAX - 1:  # one is kept for the others
            gtin = NO_GTIN
        quantity, yen = sums.get(gtin, (0, 0))
        sums[gtin] = (quantity + line.quantity, yen + line.yen)
    return [SaleLine(gtin, quantity, yen) for gtin, (quantity, yen) in sums.items()]


def _number(gtin: str) -> int:
    return int(gtin) if gtin.isascii() and gtin.isdigit() and len(gtin) <= GTIN_DIGITS_MAX else NO_GTIN
