"""The check digit of GS1's numbers: modulo 10 with weights 3 and 1 from the right (GS1 General Specifications, 7.9).

One rule for EAN/JAN-13, EAN/JAN-8 and UPC-A, and for the GS1 numbers that come with coupons. It finds every
single wrong digit and most swapped neighbours; it is no proof against a misread of the whole symbol.
"""

from __future__ import annotations


def check_digit(digits: str) -> int:
    """The digit that belongs after `digits` (ASCII digits, without their check digit)."""
    weighted = 3 * sum(map(int, digits[::-2])) + sum(map(int, digits[-2::-2]))
    return -weighted % 10


def fits(number: str) -> bool:
    """Whether the last digit of `number` (ASCII digits) is the check digit of those before it."""
    return int(number[-1]) == check_digit(number[:-1])
