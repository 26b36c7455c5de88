"""The check digits of older codes: membership numbers in Code 39, ITF and NW-7 (Codabar), prices inside EAN codes.

Each rule is what printers of member cards and scales offer under that name. `fits` is total. The
rules of digits leave out letters: the start and stop of NW-7 are none of the number. Those with an alphabet of their
own take every character, and one that they do not know fits nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import Final

from loyalty import check_digit


class Check(StrEnum):
    """How a check digit is worked out."""

    NONE = "none"
    MOD10 = "mod10"  # weights 3 and 1 from the right: GS1's own, and 'modulus 10 / weight 3'
    LUHN = "luhn"  # weights 2 and 1 from the right, digits of products added: bank cards
    MOD11 = "mod11"  # weights 2 to 7 from the right; 10 and 11 give 0
    DR7 = "7dr"  # what is left of the number divided by 7
    DSR7 = "7dsr"  # 7 less that
    DR9 = "9dr"
    DSR9 = "9dsr"
    MOD16 = "mod16"  # Codabar's own, start and stop letters included
    MOD43 = "mod43"  # Code 39's own


_CODABAR: Final = "0123456789-$:/.+ABCD"
_CODE39: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ-. $/+%"


def _luhn(digits: str) -> str:
    total = 0
    for place, digit in enumerate(reversed(digits)):
        doubled = int(digit) * (1 if place % 2 else 2)
        total += doubled - 9 if doubled > 9 else doubled
    return str(-total % 10)


def _mod11(digits: str) -> str:
    total = sum(int(digit) * (2 + place % 6) for place, digit in enumerate(reversed(digits)))
    left = 11 - total % 11
    return "0" if left >= 10 else str(left)


_DIGITS: Final[dict[Check, Callable[[str], str]]] = {
    Check.MOD10: lambda digits: str(check_digit.check_digit(digits)),
    Check.LUHN: _luhn,
    Check.MOD11: _mod11,
    Check.DR7: lambda digits: str(int(digits) % 7),
    Check.DSR7: lambda digits: str(7 - int(digits) % 7),
    Check.DR9: lambda digits: str(int(digits) % 9),
    Check.DSR9: lambda digits: str(9 - int(digits) % 9),
}
_ALPHABETS: Final = {Check.MOD16: _CODABAR, Check.MOD43: _CODE39}


def fits(check: Check, others: str, digit: str) -> bool:
    """Whether `digit` is the check digit of the other characters, in the order in which they stand."""
    if check is Check.NONE:
        return True
    alphabet = _ALPHABETS.get(check)
    if alphabet is None:
        digits = "".join(character for character in others if character in "0123456789")
        return digits != "" and _DIGITS[check](digits) == digit
    values = [alphabet.find(character) for character in others]
    if min(values, default=-1) < 0:
        return False
    if check is Check.MOD16:
        return digit == alphabet[-sum(values) % 16]
    return digit == alphabet[sum(values) % 43]


# Price check digits (General Specifications, 7.9.2 to 7.9.5): a digit's weight is a table, not a product.
_TWO_MINUS: Final = (0, 2, 4, 6, 8, 9, 1, 3, 5, 7)
_THREE: Final = (0, 3, 6, 9, 2, 5, 8, 1, 4, 7)
_FIVE_PLUS: Final = (0, 5, 1, 6, 2, 7, 3, 8, 4, 9)
_FIVE_MINUS: Final = (0, 5, 9, 4, 8, 3, 7, 2, 6, 1)
_PRICE_WEIGHTS: Final = {
    4: (_TWO_MINUS, _TWO_MINUS, _THREE, _FIVE_MINUS),
    5: (_FIVE_PLUS, _TWO_MINUS, _FIVE_MINUS, _FIVE_PLUS, _TWO_MINUS),
}
PRICE_LENGTHS: Final = tuple(_PRICE_WEIGHTS)


def price_check_digit(price: str) -> str:
    """The check digit of a price of four or five digits."""
    total = sum(table[int(digit)] for table, digit in zip(_PRICE_WEIGHTS[len(price)], price, strict=True))
    if len(price) == 4:
        return str(3 * total % 10)
    return str(_FIVE_MINUS.index(-total % 10))
