"""Whether a member card that was read may speak for its holder (M1, M2); a lost, replaced or copied one may not."""

from __future__ import annotations

import msgspec

from loyalty.card_slots import Kind, Look
from loyalty.reason import Reason


class Valid(msgspec.Struct, frozen=True):
    """What is known of a card beside what it says itself."""

    generation: int = 1  # of its holder's valid card, as far as the feed has told
    blocked: bool = False  # that one was lost
    stopped: bool = False  # everything of its holder is on the stop list
    counter: int = 0  # the highest that was seen on this tag here; 0: it was never here


def refusal(look: Look, valid: Valid) -> Reason | None:
    """Why a card of ours is refused; None: it may speak, or it is none of ours.

    A generation above the known one is a card that was given out just now, before the feed told it: its MAC says so.
    """
    if look.found is None:
        return Reason.CARD_UNREADABLE if look.kind is Kind.BROKEN else None
    record = look.found.record
    if valid.stopped:
        return Reason.CARD_BLOCKED
    if record.generation < valid.generation:
        return Reason.CARD_OLD
    if record.generation == valid.generation and valid.blocked:
        return Reason.CARD_BLOCKED
    return Reason.CARD_SUSPECT if record.counter < valid.counter else None
