"""Taking the digits of a coupon's body (8110, 8112) one field after the other. Raises Gs1Error with the place."""

from __future__ import annotations

from typing import Final

from loyalty.barcode.gs1.elements import Element
from loyalty.barcode.gs1.faults import Fault, Gs1Error

ALL_DIGITS: Final = "0123456789"


class Body:
    """The value of one element, and how much of it was taken."""

    def __init__(self, element: Element) -> None:
        self._element, self._value, self._at = element, element.value, 0
        if not element.value.isdigit():
            wrong = next(index for index, character in enumerate(element.value) if character not in ALL_DIGITS)
            raise self.error(Fault.CHARACTER, wrong, "a coupon's body is digits alone")

    def error(self, fault: Fault, index: int, words: str) -> Gs1Error:
        return Gs1Error(fault, self._element.ai, self._element.place(index), words)

    @property
    def at(self) -> int:
        """The index of the next digit."""
        return self._at

    def next_is(self, digit: str) -> bool:
        """Take `digit`, if it comes next."""
        if not self._value.startswith(digit, self._at):
            return False
        self._at += 1
        return True

    def take(self, digits: int, what: str) -> str:
        """The next so many digits."""
        start, stop = self._at, self._at + digits
        taken = self._value[start:stop]
        if len(taken) < digits:
            raise self.error(Fault.TOO_SHORT, start, f"{what}: {len(taken)} of {digits} digits")
        self._at = stop
        return taken

    def choice(self, allowed: str, what: str) -> str:
        """The next digit, which is one of `allowed`."""
        digit = self.take(1, what)
        if digit not in allowed:
            raise self.error(Fault.CODE, self._at - 1, f"{what}: one of {', '.join(allowed)}")
        return digit

    def counted(self, allowed: str, plus: int, what: str) -> str:
        """A digit that tells a length (less `plus`), then so many digits."""
        length = self.take(1, f"the length of {what}")
        if length not in allowed:
            raise self.error(Fault.LENGTH_CODE, self._at - 1, f"the length of {what}: {allowed[0]} to {allowed[-1]}")
        return self.take(int(length) + plus, what)

    def end(self) -> None:
        """Nothing may follow."""
        left = len(self._value) - self._at
        if left:
            raise self.error(Fault.EXCESS, self._at, f"{left} digits that belong to no field")
