"""Why a GS1 message is wrong: a code, the AI that it is about, and the place in the scanned text."""

from __future__ import annotations

from enum import StrEnum

import msgspec


class Fault(StrEnum):
    """The codes are logged and shown to those who print coupons; they are never renamed."""

    # the text as a whole
    EMPTY = "empty"
    TOO_MANY = "too_many"  # more elements than any message has
    UNKNOWN_AI = "unknown_ai"
    BRACKETS = "brackets"  # '(' and ')' that do not enclose an AI
    ADDRESS = "address"  # a character, or an escape, that can't stand in a web address
    # one value
    CHARACTER = "character"
    TOO_SHORT = "too_short"
    TOO_LONG = "too_long"  # too long, or the separator after it is missing
    CHECK_DIGIT = "check_digit"
    DATE = "date"
    # the bodies of coupons (8110, 8112)
    LENGTH_CODE = "length_code"  # a digit that tells a length, out of its range
    CODE = "code"  # a digit that chooses one of several meanings, and chooses none
    EXCESS = "excess"  # digits after the end
    ENDS_BEFORE_START = "ends_before_start"
    # values together
    REPEATED = "repeated"  # the same AI with another value, or twice in an address
    MISSING = "missing"  # another AI must be there
    EXCLUDED = "excluded"  # another AI must not be there
    PLACE = "place"  # in an address: in the path instead of the query, or the other way round, or out of order


class Trouble(msgspec.Struct, frozen=True):
    """What is wrong and where. `words` never repeats what the code says."""

    fault: Fault
    ai: str  # empty: no AI was reached
    at: int  # 0-based offset in the scanned text
    words: str

    def __str__(self) -> str:
        about = f"({self.ai}) " if self.ai else ""
        return f"{about}at character {self.at}: {self.words} [{self.fault.value}]"


class Gs1Error(ValueError):
    """A message that breaks a rule."""

    def __init__(self, fault: Fault, ai: str, at: int, words: str) -> None:
        self.trouble = Trouble(fault, ai, at, words)
        super().__init__(str(self.trouble))
