"""Bargains for anybody (M8), a person's own offers, purchases and addresses (M3, M9), and the links in mails.

The links in mails work without logging in: who has one reads the mails that go there. Only a POST changes anything,
so a program that opens every link neither confirms nor ends anything.
"""

from __future__ import annotations

from typing import Final

from central import audit, registry
from central import consent as consents
from central.coupons import shelf
from central.offers import addresses, bargains, purchases, told, words
from central.pages.answer import Answer, Page, Redirect
from central.pages.asked import Asked, Refusal, Refused
from central.pages.counter import Counter
from central.staff import Role

BARGAINS_SHOWN_MAX: Final = 200
PURCHASES_SHOWN_MAX: Final = 50
SEARCH_CHARS_MAX: Final = 100
SITE_CHARS_MAX: Final = 64


# --- for anybody --------------------------------------------------------------------------------------------


def listed(counter: Counter, asked: Asked) -> Answer:
    """What holds now, by shop and by words."""
    q, site = asked.query.get("q", "")[:SEARCH_CHARS_MAX], asked.query.get("site", "")[:SITE_CHARS_MAX]
    with counter.office.database.read() as connection:
        titles = registry.titles(connection)
        wanted = site if site in titles else ""
        found = bargains.shown(connection, asked.now_ms, BARGAINS_SHOWN_MAX, site=wanted, words=q)
    data: dict[str, object] = {
        "bargains": found, "q": q, "site": wanted, "titles": titles, "limit": BARGAINS_SHOWN_MAX,
    }  # fmt: skip
    return Page("offers/listed.html", data)


def one(counter: Counter, asked: Asked) -> Answer:
    """One of them; one that is over can still be looked at: a mail or a letter led there."""
    with counter.office.database.read() as connection:
        found = bargains.one(connection, asked.number)
        if found is None or found.from_ms > asked.now_ms:
            raise Refused(Refusal.NOT_FOUND)
        offered = {each.campaign.id for each in shelf.on_offer(connection, asked.now_ms)}
    data: dict[str, object] = {
        "bargain": found, "holds": found.holds(asked.now_ms), "coupon": found.campaign in offered,
    }  # fmt: skip
    return Page("offers/one.html", data)


def confirming(counter: Counter, asked: Asked) -> Answer:
    return Page("offers/confirm.html", {"token": _token(asked), "done": ""})


def confirm(counter: Counter, asked: Asked) -> Answer:
    with counter.office.database.write() as connection:
        done = addresses.confirm(connection, _token(asked), asked.now_ms)
    data: dict[str, object] = {"token": _token(asked), "done": "confirm.done" if done else "confirm.too_late"}
    return Page("offers/confirm.html", data, 200 if done else 404)


def leaving(counter: Counter, asked: Asked) -> Answer:
    return Page("offers/leave.html", {"token": _token(asked), "done": False})


def leave(counter: Counter, asked: Asked) -> Answer:
    """One click (RFC 8058). A link that is not known gets the same answer: no more mail comes by it."""
    with counter.office.database.write() as connection:
        addresses.leave(connection, _token(asked))
    return Page("offers/leave.html", {"token": _token(asked), "done": True})


def _token(asked: Asked) -> str:
    return asked.query.get("t", "")[: addresses.TOKEN_CHARS + 1]


# --- for one person -----------------------------------------------------------------------------------------


def mine(counter: Counter, asked: Asked) -> Answer:
    """What was picked for them, and why."""
    person = asked.person
    with counter.office.database.read() as connection:
        picks = told.of_person(connection, person.id, asked.now_ms)
        given = {one.purpose for one in consents.in_force(connection, person.id)}
    reasons = {pick.bargain: words.reason(pick, asked.lang) for pick in picks}
    agreed = consents.Purpose.OFFERS in given
    return Page("offers/mine.html", {"picks": picks, "reasons": reasons, "agreed": agreed})


def decline(counter: Counter, asked: Asked) -> Answer:
    """They want to hear no more of this one."""
    with counter.office.database.write() as connection:
        if bargains.one(connection, asked.number) is None:
            raise Refused(Refusal.NOT_FOUND)
        told.decline(connection, asked.person.id, asked.number)
    return Redirect("/for-me")


def bought(counter: Counter, asked: Asked) -> Answer:
    """What they bought: when, where, what, how much (M3, M6)."""
    with counter.office.database.read() as connection:
        found = purchases.of_holder(connection, asked.person.holder, PURCHASES_SHOWN_MAX)
        titles = registry.titles(connection)
    days = counter.office.settings.offers.purchases_kept_days
    data: dict[str, object] = {"purchases": found, "titles": titles, "limit": PURCHASES_SHOWN_MAX, "days": days}
    return Page("offers/bought.html", data)


def contact(counter: Counter, asked: Asked) -> Answer:
    return _contact(counter, asked)


def _contact(counter: Counter, asked: Asked, trouble: str = "", done: str = "") -> Page:
    with counter.office.database.read() as connection:
        mail = addresses.mail_of(connection, asked.person.id)
        post = addresses.postal_of(connection, asked.person.id)
    data: dict[str, object] = {"mail": mail, "post": post, "trouble": trouble, "done": done, "form": asked.form}
    return Page("offers/contact.html", data, 422 if trouble else 200)


def change_contact(counter: Counter, asked: Asked) -> Answer:
    """A mail address or a postal one is entered, or taken away."""
    what, person = asked.field("what"), asked.person
    secret = counter.office.keys.cache_secret()
    trouble: str | None = None
    done = "contact.removed"
    with counter.office.database.write() as connection:
        if what == "mail":
            address = asked.field("address", addresses.ADDRESS_CHARS_MAX)
            trouble = addresses.enter(connection, secret, person.id, address, asked.lang, asked.now_ms)
            done = "contact.mailed"
        elif what == "post":
            trouble = addresses.enter_postal(
                connection, person.id, asked.field("name"), asked.field("postcode"), asked.field("lines"), asked.lang,
                asked.now_ms,
            )  # fmt: skip
            done = "contact.kept"
        elif what == "no_mail":
            addresses.forget_mail(connection, person.id)
        elif what == "no_post":
            addresses.forget_postal(connection, person.id)
        else:
            raise Refused(Refusal.BAD_FORM)
        if not trouble:
            who = f"{person.holder:012x}"
            audit.note(connection, Role.PERSON, who, audit.What.ADDRESS_CHANGED, asked.now_ms, person.holder)
    return _contact(counter, asked, trouble=trouble or "", done="" if trouble else done)
