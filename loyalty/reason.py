"""Why a scan was answered as it was: one code for each reason, and its sentence for the small display.

The codes are stored, sent and shown; they are never renamed. `sentence` gives the words (K5: 'valid, or
not and why').
"""

from __future__ import annotations

from enum import StrEnum


class Reason(StrEnum):
    """Every answer a unit can give to something held in front of its camera."""

    # yes
    OK = "ok"
    OK_AGAIN = "ok_again"  # decided before a power cut, never shown: the same yes once more
    RESERVED = "reserved"  # counts when the basket is paid
    # what is wrong with the text
    NOT_A_COUPON = "not_a_coupon"
    CHECK_DIGIT = "check_digit"
    INCOMPLETE = "incomplete"  # cut off: too short for what it says it is
    DAMAGED = "damaged"  # characters that can't stand there
    UNKNOWN_VERSION = "unknown_version"
    UNKNOWN_KEY = "unknown_key"
    KEY_RETIRED = "key_retired"
    NOT_GENUINE = "not_genuine"  # the signature does not fit: forged or misread
    UNCONFIRMED = "unconfirmed"  # an unsigned linear code seen in one picture only
    # what the campaign says
    UNKNOWN_CAMPAIGN = "unknown_campaign"
    STOPPED = "stopped"
    NOT_YET = "not_yet"
    EXPIRED = "expired"
    USED = "used"
    PERSON_LIMIT = "person_limit"
    CAP_REACHED = "cap_reached"
    WRONG_SHOP = "wrong_shop"
    MIN_SPEND = "min_spend"
    NEEDS_BASKET = "needs_basket"  # a minimum spend, and no basket is open
    WRONG_HOLDER = "wrong_holder"  # the card in the slot belongs to somebody else
    NOT_DOWNLOADED = "not_downloaded"  # validly signed, but the centre never gave it out
    # what the unit can't do at the moment
    CLOCK_UNTRUSTED = "clock_untrusted"
    NOT_NOW = "not_now"  # only the centre decides, and it did not answer in time
    BUSY = "busy"
    OUT_OF_SERVICE = "out_of_service"
    POLICY_UNSUPPORTED = "policy_unsupported"  # this version of the unit does not know the policy


ACCEPTING = frozenset({Reason.OK, Reason.OK_AGAIN, Reason.RESERVED})
