"""The states of a visit and every transition that may happen, as one table.

`machine` asks this table before it changes state; the diagram in the docs is generated from it
(`scripts/make_state_diagram.py`). Kiosk and lane are the same machine: what belongs to the till happens in
lanes only.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final, NamedTuple


class Mode(StrEnum):
    KIOSK = "kiosk"  # without a till: a scan redeems
    LANE = "lane"  # with a till: a scan reserves, payment redeems


class State(StrEnum):
    READY = "ready"  # nothing in hand
    ASKING = "asking"  # a question to the centre is open
    SHOWING = "showing"  # an answer is on the display
    BASKET = "basket"  # the till has a basket open
    PAYING = "paying"  # the bank is asked, through the centre
    OUT_OF_SERVICE = "out_of_service"  # money can't be stored


class Transition(NamedTuple):
    """From `state`, `event` (a class name of `events`) leads to one of `to`, for the reason in words."""

    state: State
    event: str
    to: tuple[State, ...]
    why: str


S = State
TABLE: Final = (
    Transition(S.READY, "Started", (S.READY,), "questions from before the restart are withdrawn"),
    Transition(S.READY, "Scanned", (S.SHOWING, S.ASKING), "decided, or the centre is asked"),
    Transition(S.READY, "CardPresented", (S.SHOWING,), "whether the card is known here"),
    Transition(S.READY, "BasketOpened", (S.BASKET,), "lane: the till begins"),
    Transition(S.SHOWING, "Scanned", (S.SHOWING, S.ASKING), "the next coupon"),
    Transition(S.SHOWING, "CardPresented", (S.SHOWING, S.ASKING), "the card that a coupon waited for, or another"),
    Transition(S.SHOWING, "TimeUp", (S.READY, S.BASKET), "shown long enough"),
    Transition(S.SHOWING, "BasketOpened", (S.BASKET,), "lane: the till begins, or the total changed"),
    Transition(S.SHOWING, "BasketPaid", (S.SHOWING,), "lane: reserved coupons are redeemed"),
    Transition(S.SHOWING, "BasketCancelled", (S.SHOWING,), "lane: reserved coupons are released"),
    Transition(S.READY, "PointsEarned", (S.SHOWING,), "points for a purchase"),
    Transition(S.READY, "PointsWanted", (S.SHOWING,), "points that pay, within the leased floors"),
    Transition(S.SHOWING, "PointsEarned", (S.SHOWING,), "points for a purchase"),
    Transition(S.SHOWING, "PointsWanted", (S.SHOWING,), "points that pay, within the leased floors"),
    Transition(S.BASKET, "PointsEarned", (S.SHOWING,), "points for a purchase"),
    Transition(S.BASKET, "PointsWanted", (S.SHOWING,), "points that pay, within the leased floors"),
    Transition(S.READY, "SaleReversed", (S.SHOWING,), "lane: a sale is taken back"),
    Transition(S.SHOWING, "SaleReversed", (S.SHOWING,), "lane: a sale is taken back"),
    Transition(S.BASKET, "SaleReversed", (S.SHOWING,), "lane: a sale is taken back, between the goods of another"),
    Transition(S.BASKET, "CardPresented", (S.SHOWING,), "lane: a card that may not speak for anybody"),
    Transition(S.READY, "CardWritten", (S.SHOWING,), "what became of writing a card"),
    Transition(S.SHOWING, "CardWritten", (S.SHOWING,), "what became of writing a card"),
    Transition(S.BASKET, "CardWritten", (S.SHOWING,), "what became of writing a card"),
    Transition(S.READY, "CardOffered", (S.SHOWING,), "kiosk: the QR for whoever wants a card"),
    Transition(S.SHOWING, "CardOffered", (S.SHOWING,), "kiosk: the QR for whoever wants a card"),
    Transition(S.READY, "CardGranted", (S.SHOWING,), "kiosk: the tag becomes a member's card"),
    Transition(S.SHOWING, "CardGranted", (S.SHOWING,), "kiosk: the tag becomes a member's card"),
    Transition(S.READY, "CardDenied", (S.SHOWING,), "kiosk: no card can be given out"),
    Transition(S.SHOWING, "CardDenied", (S.SHOWING,), "kiosk: no card can be given out"),
    Transition(S.SHOWING, "CardRemoved", (S.READY,), "kiosk: whoever wanted a card went away"),
    Transition(S.ASKING, "Answered", (S.SHOWING,), "yes or no from the centre"),
    Transition(S.ASKING, "TimeUp", (S.SHOWING,), "not now: the question is withdrawn"),
    Transition(S.ASKING, "LinkChanged", (S.SHOWING,), "the connection went: not now, the question is withdrawn"),
    Transition(S.ASKING, "Missed", (S.SHOWING,), "the centre is out of reach: not now, the question is withdrawn"),
    Transition(S.ASKING, "BasketPaid", (S.SHOWING,), "lane: the till did not wait: the question is withdrawn"),
    Transition(S.ASKING, "BasketCancelled", (S.SHOWING,), "lane: the question is withdrawn, all is released"),
    Transition(S.BASKET, "Scanned", (S.SHOWING, S.ASKING), "a coupon for the basket"),
    Transition(S.BASKET, "BasketOpened", (S.BASKET,), "the total changed"),
    Transition(S.BASKET, "BasketPaid", (S.SHOWING,), "reserved coupons are redeemed"),
    Transition(S.BASKET, "BasketCancelled", (S.SHOWING,), "reserved coupons are released"),
    Transition(S.BASKET, "TimeUp", (S.SHOWING,), "no payment came: reserved coupons are released"),
    Transition(S.BASKET, "PayByAccount", (S.PAYING, S.SHOWING), "the bank is asked, or can't be: not now"),
    Transition(S.SHOWING, "PayByAccount", (S.PAYING, S.SHOWING), "the bank is asked, or can't be: not now"),
    Transition(S.PAYING, "PaymentAnswered", (S.SHOWING,), "settled with its coupon, or a clear no"),
    Transition(S.PAYING, "TimeUp", (S.SHOWING,), "not now: the payment is withdrawn"),
    Transition(S.PAYING, "LinkChanged", (S.SHOWING,), "the connection went: not now, the payment is withdrawn"),
    Transition(S.PAYING, "Missed", (S.SHOWING,), "the centre is out of reach: not now, the payment is withdrawn"),
    Transition(S.PAYING, "BasketPaid", (S.SHOWING,), "paid in another way: the payment by account is withdrawn"),
    Transition(S.PAYING, "BasketCancelled", (S.SHOWING,), "the payment is withdrawn, all is released"),
    Transition(S.OUT_OF_SERVICE, "StoreRecovered", (S.READY,), "facts can be stored again"),
    *(Transition(state, "StoreFailed", (S.OUT_OF_SERVICE,), "a fact can't be stored") for state in State),
)
ALLOWED: Final = {(row.state, row.event): row.to for row in TABLE}


class ForbiddenTransition(AssertionError):
    """The machine tried a transition that is not in the table: a bug of ours."""


def check(before: State, event: str, after: State) -> State:
    """`after`, if the table has it. Staying as one is, is always allowed: the event meant nothing here."""
    if after is not before and after not in ALLOWED.get((before, event), ()):
        raise ForbiddenTransition(f"{before} --{event}--> {after} is not in the table")
    return after
