"""A person's bank accounts on the pages, and the coupons that are selected for each (B1).

An account is named in forms by its place among the person's own, so nobody else's can be named at all. It is shown by
its last digits. It can't be entered here: whoever types a number has not shown that the account is theirs, and money
will be taken from it; the operator enters it once that was shown (`tokuten bank account add`).
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import Connection

from central.bank import accounts, selection
from central.bank.accounts import Account
from central.coupons import download, history, shelf
from central.coupons.history import State
from central.pages.answer import Answer, Page, Redirect
from central.pages.asked import Asked, Refusal, Refused
from central.pages.asked import number as read_number
from central.pages.counter import Counter
from loyalty.campaign import Campaign

COUPONS_LOOKED_AT_MAX: Final = 300


def listed(counter: Counter, asked: Asked) -> Answer:
    return _listed(counter, asked)


def _listed(counter: Counter, asked: Asked, words: str = "", status: int = 200) -> Page:
    """`words`: a clear no, in the reader's language."""
    with counter.office.database.read() as connection:
        mine = accounts.of_person(connection, asked.person)
        chosen = [selection.listed(connection, one.id) for one in mine]
        free = _free(connection, asked, {one.id for some in chosen for one in some})
    data: dict[str, object] = {
        "accounts": list(zip(mine, chosen, strict=True)), "free": free, "words": words,
    }  # fmt: skip
    return Page("person/account.html", data, status)


def _free(connection: Connection, asked: Asked, chosen: set[int]) -> list[Campaign]:
    """What can be selected: coupons that they have, and those that they can still download; each campaign once."""
    held = {
        line.campaign.id: line.campaign
        for line in history.shown_to(connection, asked.person.id, COUPONS_LOOKED_AT_MAX)
        if line.id not in chosen and line.state is State.UNUSED and shelf.is_usable(line, asked.now_ms)
    }
    offered = {
        one.campaign.id: one.campaign
        for one in shelf.on_offer(connection, asked.now_ms)
        if one.standing == shelf.Standing.OPEN and not one.campaign.strong_auth  # a ticket's password is asked there
    }
    return [one for one in {**offered, **held}.values() if selection.suits(one) is None]


def _own(connection: Connection, asked: Asked) -> Account:
    """The account that a form names. Raises Refused for a place at which this person has none."""
    place = read_number(asked.field("account", 20))
    mine = accounts.of_person(connection, asked.person)
    if place > len(mine):
        raise Refused(Refusal.NOT_FOUND)
    return mine[place - 1]


def close(counter: Counter, asked: Asked) -> Answer:
    if asked.form.get("sure") != "yes":
        raise Refused(Refusal.BAD_FORM)
    with counter.office.database.write() as connection:
        accounts.close(connection, _own(connection, asked).id, asked.now_ms)
    return Redirect("/account")


def select(counter: Counter, asked: Asked) -> Answer:
    with counter.office.database.write() as connection:
        account = _own(connection, asked)
        campaign = read_number(asked.field("coupon", 20))
        done = selection.select_coupon(
            connection, counter.office.keys, asked.person, account.id, campaign, asked.now_ms, proven=False
        )
    if isinstance(done, selection.No):
        return _listed(counter, asked, words=selection.WORDS[done][asked.lang], status=409)
    if isinstance(done, download.No):
        return _listed(counter, asked, words=download.WORDS[done][asked.lang], status=409)
    return Redirect("/account")


def drop(counter: Counter, asked: Asked) -> Answer:
    with counter.office.database.write() as connection:
        if not selection.drop(connection, asked.person, read_number(asked.field("coupon", 20))):
            raise Refused(Refusal.NOT_FOUND)
    return Redirect("/account")
