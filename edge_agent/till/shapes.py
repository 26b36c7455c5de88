"""What travels between till and lane in JSON. Money is whole yen, ids are 32 hexadecimal digits that the till makes."""

from __future__ import annotations

from typing import Annotated, Final

import msgspec
from msgspec import Meta

from edge_agent.core.events import Tender
from edge_agent.core.receipt import CouponView, SaleView, TillReason, Words
from hal.decode.formats import Format
from loyalty.basket import Line
from loyalty.points import POINTS_MAX
from loyalty.tax import LINES_MAX, RATE_BP_MAX, STANDARD_BP, YEN_MAX

COUPON_CHARS_MAX: Final = 4_096
QUANTITY_MAX: Final = 99_999
GRAMS_MAX: Final = 99_999_999

Id = Annotated[
    str,
    Meta(pattern="^[0-9a-f]{32}$", description="16 random bytes as 32 hexadecimal digits, in small letters."),
]
Yen = Annotated[int, Meta(ge=0, le=YEN_MAX)]


class Goods(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """Goods of one kind."""

    yen: Annotated[int, Meta(ge=0, le=YEN_MAX, description="For all of them together, tax included.")]
    gtin: Annotated[
        str, Meta(pattern=r"^([0-9]{8}|[0-9]{12,14})?$", description="Their JAN, UPC or GTIN; empty: they have none.")
    ] = ""
    quantity: Annotated[int, Meta(ge=1, le=QUANTITY_MAX)] = 1
    rate_bp: Annotated[
        int, Meta(ge=0, le=RATE_BP_MAX, description="Tax rate in hundredths of a per cent: 1000, or 800 (reduced).")
    ] = STANDARD_BP
    grams: Annotated[int, Meta(ge=0, le=GRAMS_MAX, description="All of them together; 0: not weighed.")] = 0
    family: Annotated[
        str, Meta(pattern="^([0-9]{3})?$", description="The manufacturer's family code; empty: not known.")
    ] = ""

    @property
    def line(self) -> Line:
        return Line(
            gtin=self.gtin, yen=self.yen, quantity=self.quantity, grams=self.grams, family=self.family,
            rate_bp=self.rate_bp,
        )  # fmt: skip


class Opening(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """What lies in the sale now; what lay in it before is replaced."""

    lines: Annotated[tuple[Goods, ...], Meta(max_length=LINES_MAX)] = ()


class CouponText(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """A coupon that the till has read itself."""

    text: Annotated[str, Meta(min_length=1, max_length=COUPON_CHARS_MAX, description="As it stands in the symbol.")]
    format: Annotated[Format, Meta(description="The symbol it stood in.")] = Format.QR


class Payment(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """How the sale is paid. `payment` names this try: said again it is the same one; another try needs another."""

    payment: Id
    tender: Annotated[Tender, Meta(description="cash, other (the till's own business), account (through the centre).")]
    account: Annotated[
        str, Meta(pattern="^([0-9a-f]{32})?$", description="Tender `account`: the centre's id of the bank account.")
    ] = ""
    programme: Annotated[int, Meta(ge=0, le=2**31 - 1, description="Whose points pay a part; 0: none do.")] = 0
    points: Annotated[int, Meta(ge=0, le=POINTS_MAX, description="How many of them.")] = 0


class Void(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """The whole sale is taken back. `id` names this reversal: said again it is the same one."""

    id: Id


class Refund(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """A part of its price is given back. `id` names this reversal: said again it is the same one."""

    id: Id
    yen: Annotated[int, Meta(ge=0, le=YEN_MAX, description="Of the price; 0: all that is left of it.")] = 0


class CouponAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What is said of the coupon; null: the centre has not answered yet (read the sale). And the sale after it."""

    coupon: CouponView | None
    sale: SaleView


class Reversal(msgspec.Struct, frozen=True, kw_only=True):
    """It is taken back; what has to come of it is the centre's. `sale`: where this lane made it."""

    id: str
    kind: str
    yen: int
    sale: SaleView | None


class Lane(msgspec.Struct, frozen=True, kw_only=True):
    """The lane, as it is now."""

    device: str
    site: str
    mode: str
    state: str
    language: str
    online: bool  # the centre is thought to be in reach
    waiting: int  # facts that are not yet known to be booked
    sale: str | None  # the one that is open
    card: bool  # a card is in the slot
    member: bool  # and it speaks for its holder


class Problem(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Why it was not done (RFC 9457), with a reason that does not change and a sentence in both languages."""

    type: str
    title: str
    status: int
    reason: str
    words: Words
    detail: str = ""
    sale: SaleView | None = None


__all__ = [
    "CouponAnswer", "CouponText", "Goods", "Lane", "Opening", "Payment", "Problem", "Refund", "Reversal", "SaleView",
    "TillReason", "Void",
]  # fmt: skip
