"""Coming in and going out: logging in, registering, language. Whoever logs in gets a new session token."""

from __future__ import annotations

import re
from typing import Final

from central import audit, consent, staff
from central.coupons import persons
from central.coupons.persons import PersonError
from central.pages.answer import Answer, Page, Redirect
from central.pages.asked import Asked, Refusal, Refused, Ticket
from central.pages.counter import Counter
from central.staff import Role

NEW_PASSWORD_CHARS_MIN: Final = 8  # NIST SP 800-63B, 5.1.1.2
HOME: Final = {Role.PERSON: "/coupons", Role.SHOP: "/shop", Role.PROVIDER: "/provider", Role.OPERATOR: "/operator"}
_INSIDE: Final = re.compile(r"/[A-Za-z0-9_-]+(/[A-Za-z0-9_-]+)*")  # a path of ours, never another host


def start(counter: Counter, asked: Asked) -> Answer:
    role = asked.visitor.role
    return Page("start.html") if role is None else Redirect(HOME[role])


def inside(path: str, otherwise: str = "/") -> str:
    """`path`, if it leads to a page of ours."""
    return path if len(path) <= 200 and _INSIDE.fullmatch(path) else otherwise


def login(counter: Counter, asked: Asked) -> Answer:
    return _login(counter, asked)


def _login(counter: Counter, asked: Asked, trouble: str = "", status: int = 200) -> Page:
    wanted = inside(asked.form.get("next", "") or asked.query.get("next", ""))
    data: dict[str, object] = {
        "trouble": trouble,
        "name": asked.form.get("name", ""),
        "next": wanted,
        "registration": counter.office.settings.http.registration,
    }
    return Page("login.html", data, status)


def log_in(counter: Counter, asked: Asked) -> Answer:
    name, password = asked.field("name", 100), asked.form.get("password", "")
    with counter.office.database.read() as connection:
        person, stored = persons.find(connection, name), persons.stored_hash(connection, name)
    try:
        fits = counter.password_fits(name, stored, password, asked.now_ms)
    except Refused:
        return _login(counter, asked, "too_many", 429)
    if not fits or person is None:
        return _login(counter, asked, "wrong_login", 401)
    return Redirect(inside(asked.form.get("next", ""), "/coupons"), ticket=_open(counter, person, asked.now_ms))


def _open(counter: Counter, person: persons.Person, now_ms: int) -> Ticket:
    life_ms = counter.office.settings.http.session_minutes * 60_000
    with counter.office.database.write() as connection:
        return Ticket("p", persons.open_session(connection, person, now_ms, life_ms))


def staff_login(counter: Counter, asked: Asked) -> Answer:
    return Page("staff_login.html", {"trouble": "", "name": ""})


def staff_log_in(counter: Counter, asked: Asked) -> Answer:
    name, password = asked.field("name", 100), asked.form.get("password", "")
    with counter.office.database.read() as connection:
        member, stored = staff.find(connection, name), staff.stored_hash(connection, name)
    try:
        fits = counter.password_fits(f"\x00staff {name}", stored, password, asked.now_ms)
    except Refused:
        return Page("staff_login.html", {"trouble": "too_many", "name": name}, 429)
    if not fits or member is None:
        return Page("staff_login.html", {"trouble": "wrong_login", "name": name}, 401)
    life_ms = counter.office.settings.http.staff_session_minutes * 60_000
    with counter.office.database.write() as connection:
        ticket = Ticket("s", staff.open_session(connection, member, asked.now_ms, life_ms))
    return Redirect(HOME[member.role], ticket=ticket)


def log_out(counter: Counter, asked: Asked) -> Answer:
    with counter.office.database.write() as connection:
        if asked.ticket.kind == "p":
            persons.close_session(connection, asked.ticket.token)
        elif asked.ticket.kind == "s":
            staff.close_session(connection, asked.ticket.token)
    return Redirect("/", ticket=Ticket.nobodys(), forget=True)


def register(counter: Counter, asked: Asked) -> Answer:
    if asked.visitor.role is not None:
        return Redirect(HOME[asked.visitor.role])
    return _register(counter, asked)


def _register(counter: Counter, asked: Asked, trouble: str = "", status: int = 200) -> Page:
    data: dict[str, object] = {
        "trouble": trouble,
        "name": asked.form.get("name", ""),
        "agreed": asked.form.get("service") == "yes",
        "offers": asked.form.get("offers") == "yes",
        "analysis": asked.form.get("analysis") == "yes",
        "version": consent.VERSION,
        "open": counter.office.settings.http.registration,
    }
    return Page("register.html", data, status)


def new_password(asked: Asked) -> tuple[str, str]:
    """(the password that was entered twice, what is wrong with it)."""
    password = asked.form.get("password", "")
    if not NEW_PASSWORD_CHARS_MIN <= len(password) <= persons.PASSWORD_CHARS_MAX:
        return password, "register.short"
    return password, "" if password == asked.form.get("again", "") else "register.differ"


def enter(counter: Counter, asked: Asked) -> Answer:
    """Registers somebody, with what they agreed to, and logs them in."""
    if not counter.office.settings.http.registration:
        return _register(counter, asked, status=403)
    if not counter.registrations.allowed(asked.peer, asked.now_ms):
        raise Refused(Refusal.TOO_MANY_TRIES)
    name = asked.field("name", 100)
    password, trouble = new_password(asked)
    if not trouble and asked.form.get("service") != "yes":
        trouble = "register.consent_needed"
    if trouble:
        return _register(counter, asked, trouble, 422)
    counter.registrations.failed(asked.peer, asked.now_ms)  # each one counts, whatever becomes of it
    hashed = counter.hashed(password)
    try:
        with counter.office.database.write() as connection:
            person = persons.register(connection, name, hashed, asked.now_ms)
            if person is None:
                return _register(counter, asked, "register.taken", 409)
            pseudonym = f"{person.holder:012x}"
            consent.give(connection, person.id, consent.Purpose.SERVICE, asked.now_ms)
            for purpose in (consent.Purpose.OFFERS, consent.Purpose.ANALYSIS):
                if asked.form.get(purpose.value) == "yes":
                    consent.give(connection, person.id, purpose, asked.now_ms)
            audit.note(connection, Role.PERSON, pseudonym, audit.What.REGISTERED, asked.now_ms, person.holder)
    except PersonError:
        return _register(counter, asked, "register.name_form", 422)
    return Redirect("/offers", ticket=_open(counter, person, asked.now_ms))


def language(counter: Counter, asked: Asked) -> Answer:
    return Redirect(inside(asked.form.get("next", "")), lang="en" if asked.form.get("to") == "en" else "ja")


def offline(counter: Counter, asked: Asked) -> Answer:
    """What the service worker shows where there is no network; kept by it, so it holds nothing of anybody."""
    return Page("offline.html")
