"""Japanese consumption tax over a purchase with a discount (B4, B5): what is debited, and what the receipt says.

Prices in shops include the tax. The tax is rounded once for each rate of a purchase, never for each line; the issuer
of the receipt chooses the rule. A discount lowers the price, and with it the tax; a substitute for money (points that
pay) lowers neither, only what is left to pay: the two never meet here.

Whatever the lines, rates, rule and discount, the parts add up: of each rate net and tax are the gross, the shares are
the discount, and the totals are the sums. No discount raises what is paid, and none leads below zero.

Integers only. Raises ValueError for a purchase that can't be one (`problems` says why).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from enum import StrEnum
from typing import Final

import msgspec

STANDARD_BP: Final = 1_000
"""10 %. Rates are in basis points, hundredths of a per cent, so that any rate can be told."""
REDUCED_BP: Final = 800
RATE_BP_MAX: Final = 10_000
LINES_MAX: Final = 1_000
YEN_MAX: Final = 99_999_999  # of all lines together
_WHOLE_BP: Final = 10_000


class Rounding(StrEnum):
    """What becomes of the part of a yen."""

    FLOOR = "floor"
    CEILING = "ceiling"
    HALF_UP = "half_up"


class Basis(StrEnum):
    """What a discount is taken off."""

    NET = "net"  # the shop is liable: off the price without tax, and the tax of what is left is added (B5)
    PRICE = "price"  # the shop is not liable for tax: off the price, in which there is none (B4)
    GROSS = (
        "gross"  # off the price with its tax, as a till does that knows no coupon by account; the tax is in the rest
    )


class Price(msgspec.Struct, frozen=True, array_like=True):
    """Goods of one rate: what they cost together, tax included."""

    rate_bp: int
    yen: int


class Off(msgspec.Struct, frozen=True):
    """A discount: an amount, or a rate in per cent of what the basis says. Neither: none."""

    yen: int = 0
    percent: int = 0


NOTHING_OFF: Final = Off()


class Part(msgspec.Struct, frozen=True, array_like=True):
    """What a receipt says of one rate: `net_yen + tax_yen == gross_yen`, which is what is to be paid for it."""

    rate_bp: int
    net_yen: int
    tax_yen: int
    gross_yen: int
    discount_yen: int  # its share, in the money of the basis: of net prices it has no tax in it
    price_yen: int  # what it cost before


class Bill(msgspec.Struct, frozen=True):
    """A purchase as it is paid."""

    parts: tuple[Part, ...] = ()  # the highest rate first
    points_yen: int = 0  # paid with points: a substitute for money, which changes no tax

    @property
    def price_yen(self) -> int:
        return sum(part.price_yen for part in self.parts)

    @property
    def discount_yen(self) -> int:
        """What was taken off, in the money of the basis."""
        return sum(part.discount_yen for part in self.parts)

    @property
    def net_yen(self) -> int:
        return sum(part.net_yen for part in self.parts)

    @property
    def tax_yen(self) -> int:
        return sum(part.tax_yen for part in self.parts)

    @property
    def gross_yen(self) -> int:
        """What the purchase costs after the discount, tax included."""
        return sum(part.gross_yen for part in self.parts)

    @property
    def saved_yen(self) -> int:
        """How much less the shopper pays: of a discount on net prices, it and its tax."""
        return self.price_yen - self.gross_yen

    @property
    def debit_yen(self) -> int:
        """What is left to be debited once the points have paid."""
        return self.gross_yen - self.points_yen


def rounded(numerator: int, denominator: int, rule: Rounding) -> int:
    """`numerator / denominator` (neither below zero) in whole yen."""
    if rule is Rounding.FLOOR:
        return numerator // denominator
    if rule is Rounding.CEILING:
        return -(-numerator // denominator)
    return (2 * numerator + denominator) // (2 * denominator)


def tax_on(net_yen: int, rate_bp: int, rule: Rounding) -> int:
    """The tax that is added to all goods of a rate. 105 yen three times at 10 %: 31, not three times 10."""
    return rounded(net_yen * rate_bp, _WHOLE_BP, rule)


def tax_in(gross_yen: int, rate_bp: int, rule: Rounding) -> int:
    """The tax that is in the price of all goods of a rate."""
    return rounded(gross_yen * rate_bp, _WHOLE_BP + rate_bp, rule)


def problems(lines: Sequence[Price], off: Off = NOTHING_OFF, points_yen: int = 0) -> list[str]:
    """Everything that is wrong with a purchase, a sentence each. Empty: it can be computed."""
    return [*_problems(lines, off, points_yen)]


def _problems(lines: Sequence[Price], off: Off, points_yen: int) -> Iterator[str]:
    if len(lines) > LINES_MAX:
        yield f"there are {len(lines):,} lines; at most {LINES_MAX:,} make a purchase."
    if any(not 0 <= line.rate_bp <= RATE_BP_MAX for line in lines):
        yield f"a rate is not between 0 and {RATE_BP_MAX:,} basis points."
    if any(line.yen < 0 for line in lines):
        yield "a line costs less than nothing: what is taken off is a discount."
    elif sum(line.yen for line in lines) > YEN_MAX:
        yield f"the lines cost more than {YEN_MAX:,} yen together."
    if off.yen < 0 or not 0 <= off.percent <= 100 or (off.yen and off.percent):
        yield "a discount is an amount or a rate of 0 to 100 per cent, not both."
    if points_yen < 0:
        yield "points can't pay less than nothing."


def bill(
    lines: Sequence[Price], off: Off = NOTHING_OFF, *, basis: Basis, rounding: Rounding, points_yen: int = 0
) -> Bill:
    """The purchase after the discount. Points beyond what it costs are not taken. Raises ValueError.

    A rate whose share of the discount is nothing keeps the price that the shop wrote on it: taking its tax off and
    adding it again can make another yen of it.
    """
    found = problems(lines, off, points_yen)
    if found:
        raise ValueError("; ".join(found))
    prices: dict[int, int] = {}
    for line in lines:
        rate_bp = 0 if basis is Basis.PRICE else line.rate_bp
        prices[rate_bp] = prices.get(rate_bp, 0) + line.yen
    order = sorted(prices, reverse=True)
    gross = [prices[rate_bp] for rate_bp in order]
    taxes = [tax_in(yen, rate_bp, rounding) for rate_bp, yen in zip(order, gross, strict=True)]
    nets = [yen - tax for yen, tax in zip(gross, taxes, strict=True)]
    room = nets if basis is Basis.NET else gross
    shares = [yen * off.percent // 100 for yen in room] if off.percent else shared(off.yen, gross, room, rounding)
    parts = []
    for rate_bp, price_yen, tax_yen, net_yen, share_yen in zip(order, gross, taxes, nets, shares, strict=True):
        if not share_yen:
            parts.append(Part(rate_bp, net_yen, tax_yen, price_yen, 0, price_yen))
        elif basis is Basis.NET:
            left_yen = net_yen - share_yen
            added_yen = tax_on(left_yen, rate_bp, rounding)
            parts.append(Part(rate_bp, left_yen, added_yen, left_yen + added_yen, share_yen, price_yen))
        else:
            paid_yen = price_yen - share_yen
            inside_yen = tax_in(paid_yen, rate_bp, rounding)
            parts.append(Part(rate_bp, paid_yen - inside_yen, inside_yen, paid_yen, share_yen, price_yen))
    made = Bill(tuple(parts))
    return msgspec.structs.replace(made, points_yen=min(points_yen, made.gross_yen))


def shared(off_yen: int, gross: Sequence[int], room: Sequence[int], rounding: Rounding) -> list[int]:
    """`off_yen` over goods of several rates by their gross amounts, the standard (highest, first) rate's goods last.

    Each but the first gets its share, rounded; the first gets the remainder, so that the shares add up. None gets
    more than its `room`: what one has no room for goes to the others, in order. What none has room for is not given.
    """
    left_yen = min(off_yen, sum(room))
    whole = sum(gross)
    shares = [0] * len(gross)
    if not left_yen:
        return shares
    wanted_yen = left_yen
    for index in range(1, len(gross)):
        shares[index] = min(rounded(wanted_yen * gross[index], whole, rounding), room[index], left_yen)
        left_yen -= shares[index]
    for index in range(len(gross)):
        more_yen = min(left_yen, room[index] - shares[index])
        shares[index] += more_yen
        left_yen -= more_yen
    return shares
