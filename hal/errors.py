"""What can go wrong with a part of a unit.

    HalError
    +-- PartMissing (FileNotFoundError)     the part is not there, or its library is not
    +-- PartFailed (OSError)                it was there and does not answer as it should
    +-- CardError
        +-- CardGone                        pulled away in the middle
        +-- CardForeign                     not one of ours, or a chip we don't know
        +-- CardRefused                     the card said no (password, lock bits, NAK)

Vendor exceptions are translated into these at the boundary, once; the reason code goes into telemetry.
"""

from __future__ import annotations

from enum import StrEnum


class HalReason(StrEnum):
    """Why, for logs and telemetry."""

    NOT_FOUND = "not_found"
    NO_LIBRARY = "no_library"
    NO_ANSWER = "no_answer"
    PROTOCOL = "protocol"
    VANISHED = "vanished"
    HUNG = "hung"
    NEEDS_REBOOT = "needs_reboot"  # it hangs in the kernel, and a new process does not help
    CARD_GONE = "card_gone"
    CARD_FOREIGN = "card_foreign"
    CARD_REFUSED = "card_refused"


class HalError(Exception):
    """A part failed; `reason` says how, the message says what to do about it."""

    def __init__(self, reason: HalReason, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class PartMissing(HalError, FileNotFoundError):
    pass


class PartFailed(HalError, OSError):
    pass


class CardError(HalError):
    pass


class CardGone(CardError):
    pass


class CardForeign(CardError):
    pass


class CardRefused(CardError):
    pass
