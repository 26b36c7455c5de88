"""A person's pages: what is on offer, my coupons as barcodes, their history (figure 3 of document K), my data.

Whose data is shown comes from the session alone. A number in an address that is somebody else's is not found.
"""

from __future__ import annotations

from typing import Final

import msgspec

from central import audit, own_data, registry
from central import consent as consents
from central.analysis import views
from central.coupons import download as giving
from central.coupons import history as book
from central.coupons import issue, persons, shelf
from central.homes import HomeError
from central.ledger import balances, programmes
from central.pages.answer import Answer, File, Page, Redirect
from central.pages.asked import Asked, Refusal, Refused, Ticket
from central.pages.counter import Counter
from central.pages.entrance import new_password
from central.staff import Role

COUPONS_SHOWN_MAX: Final = 300
LOOKS_SHOWN_MAX: Final = 20


def offers(counter: Counter, asked: Asked) -> Answer:
    person = asked.visitor.person
    with counter.office.database.read() as connection:
        found = shelf.on_offer(connection, asked.now_ms)
        mine = shelf.counts(connection, person.id) if person is not None else {}
    return Page("person/offers.html", {"offers": found, "mine": mine})


def offer(counter: Counter, asked: Asked) -> Answer:
    """K10: the look is counted, if this person agreed to that."""
    page = _offer(counter, asked)
    person = asked.visitor.person
    if person is not None:
        with counter.office.database.read() as connection:
            counts = views.agreed(connection, person.id)
        if counts:
            offset_min = counter.office.settings.utc_offset_min
            counter.office.database.unit(
                lambda connection: views.count(connection, person.id, asked.number, asked.now_ms, offset_min)
            )
    return page


def _offer(counter: Counter, asked: Asked, trouble: str = "", status: int = 200) -> Page:
    """`trouble`: a clear no, in words."""
    person = asked.visitor.person
    with counter.office.database.read() as connection:
        issued = issue.get(connection, asked.number)
        if issued is None or not shelf.is_shown(issued, asked.now_ms):
            raise Refused(Refusal.NOT_FOUND)
        mine = shelf.counts(connection, person.id) if person is not None else {}
        titles = registry.titles(connection)
    data: dict[str, object] = {
        "offer": shelf.Offer.of(issued, asked.now_ms), "mine": mine, "trouble": trouble, "titles": titles,
    }  # fmt: skip
    return Page("person/offer.html", data, status)


def download(counter: Counter, asked: Asked) -> Answer:
    """K3: the coupon, or a clear no. A ticket is given out against the password alone."""
    person = asked.person
    password = asked.form.get("password", "")
    proven = False
    if password:
        with counter.office.database.read() as connection:
            stored = persons.stored_hash(connection, person.name)
        if not counter.password_fits(person.name, stored, password, asked.now_ms):
            return _offer(counter, asked, "wrong_password", 403)
        proven = True
    try:
        with counter.office.database.write() as connection:
            given = giving.download(
                connection, counter.office.keys, asked.number, person, proven=proven, now_ms=asked.now_ms
            )
            row = None if isinstance(given, giving.No) else shelf.newest_of(connection, person.id, asked.number)
    except HomeError as error:
        raise Refused(Refusal.UNAVAILABLE) from error
    if isinstance(given, giving.No):
        if given is giving.No.UNKNOWN:
            raise Refused(Refusal.NOT_FOUND)
        return _offer(counter, asked, giving.WORDS[given][asked.lang], 409)
    return Redirect(f"/coupons/{row}")


def wallet(counter: Counter, asked: Asked) -> Answer:
    with counter.office.database.read() as connection:
        lines = book.shown_to(connection, asked.person.id, COUPONS_SHOWN_MAX)
        titles = registry.titles(connection)
    usable = [line for line in lines if shelf.is_usable(line, asked.now_ms)]
    done = [line for line in lines if not shelf.is_usable(line, asked.now_ms)]
    return Page("person/wallet.html", {"usable": usable, "done": done, "titles": titles})


def _mine(counter: Counter, asked: Asked) -> dict[str, object]:
    with counter.office.database.read() as connection:
        line = book.one_of(connection, asked.person.id, asked.number)
        titles = registry.titles(connection)
    if line is None:
        raise Refused(Refusal.NOT_FOUND)
    return {"line": line, "titles": titles, "usable": shelf.is_usable(line, asked.now_ms)}


def coupon(counter: Counter, asked: Asked) -> Answer:
    return Page("person/coupon.html", _mine(counter, asked))


def state(counter: Counter, asked: Asked) -> Answer:
    """The part of a coupon's page that changes while it is looked at: unused, then used."""
    return Page("person/state.html", _mine(counter, asked))


def history(counter: Counter, asked: Asked) -> Answer:
    with counter.office.database.read() as connection:
        lines = book.shown_to(connection, asked.person.id, COUPONS_SHOWN_MAX)
        titles = registry.titles(connection)
    return Page("person/history.html", {"lines": lines, "titles": titles, "limit": COUPONS_SHOWN_MAX})


# --- my data -------------------------------------------------------------------------------------------------


def me(counter: Counter, asked: Asked) -> Answer:
    return _me(counter, asked)


def _me(counter: Counter, asked: Asked, trouble: str = "", done: str = "", status: int = 200) -> Page:
    person = asked.person
    with counter.office.database.read() as connection:
        given = consents.in_force(connection, person.id)
        looks = audit.of_person(connection, person.holder, LOOKS_SHOWN_MAX)
        titles = registry.titles(connection)
    data: dict[str, object] = {
        "pseudonym": f"{person.holder:012x}",
        "consents": {one.purpose.value: one for one in given},
        "purposes": list(consents.Purpose),
        "looks": looks,
        "titles": titles,
        "trouble": trouble,
        "done": done,
    }
    return Page("person/me.html", data, status)


def _note(counter: Counter, asked: Asked, what: audit.What) -> None:
    with counter.office.database.write() as connection:
        person = asked.person
        audit.note(connection, Role.PERSON, f"{person.holder:012x}", what, asked.now_ms, person.holder)


def consent(counter: Counter, asked: Asked) -> Answer:
    """A consent is given, or withdrawn; without the one to the service there is no account to keep, but to erase."""
    person = asked.person
    wanted = asked.field("purpose")
    gives = asked.form.get("agree") == "yes"
    if wanted not in list(consents.Purpose) or (wanted == consents.Purpose.SERVICE and not gives):
        raise Refused(Refusal.BAD_FORM)
    purpose = consents.Purpose(wanted)
    with counter.office.database.write() as connection:
        if gives:
            changed = consents.give(connection, person.id, purpose, asked.now_ms)
        else:
            changed = consents.withdraw(connection, person.id, purpose, asked.now_ms)
            if purpose is consents.Purpose.ANALYSIS:
                views.forget(connection, person.id, counter.office.settings.utc_offset_min)
        if changed:
            what = audit.What.CONSENT_GIVEN if gives else audit.What.CONSENT_WITHDRAWN
            audit.note(connection, Role.PERSON, f"{person.holder:012x}", what, asked.now_ms, person.holder)
    return _me(counter, asked, done="me.consent_kept")


def _proven(counter: Counter, asked: Asked) -> bool:
    """Whether the form holds this person's password. Raises Refused after too many tries."""
    with counter.office.database.read() as connection:
        stored = persons.stored_hash(connection, asked.person.name)
    return counter.password_fits(asked.person.name, stored, asked.form.get("old", ""), asked.now_ms)


def password(counter: Counter, asked: Asked) -> Answer:
    """A new password ends every session; this browser gets a new one."""
    wanted, trouble = new_password(asked)
    if not trouble and not _proven(counter, asked):
        trouble = "me.wrong_password"
    if trouble:
        return _me(counter, asked, trouble=trouble, status=422)
    hashed = counter.hashed(wanted)
    life_ms = counter.office.settings.http.session_minutes * 60_000
    with counter.office.database.write() as connection:
        persons.set_password(connection, asked.person, hashed)
        token = persons.open_session(connection, asked.person, asked.now_ms, life_ms)
    _note(counter, asked, audit.What.PASSWORD_CHANGED)
    return Redirect("/me", ticket=Ticket("p", token))


def export(counter: Counter, asked: Asked) -> Answer:
    _note(counter, asked, audit.What.EXPORTED)
    with counter.office.database.read() as connection:
        everything = own_data.export(connection, asked.person, asked.now_ms)
    body = msgspec.json.format(msgspec.json.encode(everything), indent=2)
    return File(body, "application/json", "tokuten-my-data.json")


def erasing(counter: Counter, asked: Asked) -> Answer:
    return _erasing(counter, asked)


def _erasing(counter: Counter, asked: Asked, trouble: str = "", status: int = 200) -> Page:
    """Says before it is too late what points are left."""
    with counter.office.database.read() as connection:
        left = [one for one in balances.of_person(connection, asked.person.holder, asked.now_ms) if one.usable]
        names = programmes.names(connection, left)
        titles = registry.titles(connection)
    return Page("person/erase.html", {"trouble": trouble, "left": left, "names": names, "titles": titles}, status)


def erase(counter: Counter, asked: Asked) -> Answer:
    """Name and password go, the books stay under the pseudonym. It can't be undone, so the password is asked."""
    person = asked.person
    if asked.form.get("sure") != "yes" or not _proven(counter, asked):
        return _erasing(counter, asked, "me.wrong_password", 422)
    with counter.office.database.write() as connection:
        own_data.erase(connection, counter.office.keys.cache_secret(), person, asked.now_ms)
        views.forget(connection, person.id, counter.office.settings.utc_offset_min)
        audit.note(connection, Role.PERSON, f"{person.holder:012x}", audit.What.ERASED, asked.now_ms, person.holder)
    return Redirect("/", ticket=Ticket.nobodys(), forget=True)
