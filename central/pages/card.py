"""The page behind the QR of a kiosk: a person says on their phone whose card the tag in the slot becomes (M1, M2).

    nobody is logged in    register (M1), or claim with member number (or name) and password (M2)
    somebody is            confirm: nothing is typed again
    granted                'look at the kiosk', until that has said what became of the card

The code in the address is the right to ask, so nobody need be logged in; it lives ten minutes and opens nothing else.
Nobody is logged in by it either: the phone may be somebody else's. Forms and tries are bounded as on the other pages,
and a code bears five tries whatever becomes of them (`central.members.requests`).
"""

from __future__ import annotations

from typing import Final

from central import consent
from central.consent import Purpose
from central.members import membership, requests
from central.members.giving import CardState
from central.members.requests import Granted, No, Standing
from central.pages import words
from central.pages.answer import Answer, Page, Redirect
from central.pages.asked import Asked, Refusal, Refused
from central.pages.counter import Counter
from central.pages.entrance import new_password

LOGIN_CHARS_MAX: Final = 100
_STATUS: Final[dict[No, int]] = {
    No.GONE: 404, No.WRONG: 403, No.TOO_MANY_TRIES: 429, No.NAME_TAKEN: 409, No.BAD_NAME: 422, No.BAD_PASSWORD: 422,
    No.NOT_POSSIBLE: 409,
}  # fmt: skip
_STATE: Final = {
    CardState.GRANTED.value: "waits",
    CardState.WRITTEN.value: "done",
    CardState.UNDONE.value: "failed",
    CardState.DOUBTED.value: "failed",
}
"""What the page says of a card; of every other state: that the time is over."""
OPEN: Final = "open"
OVER: Final = "over"


def page(counter: Counter, asked: Asked) -> Answer:
    return _page(counter, asked)


def state(counter: Counter, asked: Asked) -> Answer:
    """The part that changes while the kiosk writes."""
    return Page("card_state.html", _standing(counter, asked))


def _standing(counter: Counter, asked: Asked) -> dict[str, object]:
    with counter.office.database.read() as connection:
        found = requests.standing(connection, asked.code, asked.now_ms)
        person = asked.visitor.person
        member = None if person is None else membership.of_holder(connection, person.holder)
    stands: Standing | None = None if isinstance(found, No) else found
    state = OVER if stands is None else OPEN if stands.state == "open" else _STATE.get(stands.state, OVER)
    number = "" if stands is None or not stands.number else membership.shown(stands.number)
    return {
        "state": state,
        "site": "" if stands is None else stands.site,
        "number": number,
        "has_card": member is not None and member.generation > 0,
    }


def _page(counter: Counter, asked: Asked, trouble: str = "", status: int = 200) -> Page:
    """`trouble`: a clear no, in words."""
    stands = _standing(counter, asked)
    data: dict[str, object] = {
        **stands,
        "trouble": trouble,
        "name": asked.form.get("name", ""),
        "login": asked.form.get("login", ""),
        "agreed": asked.form.get("service") == "yes",
        "offers": asked.form.get("offers") == "yes",
        "version": consent.VERSION,
        "registration": counter.office.settings.http.registration,
    }
    return Page("card.html", data, 404 if stands["state"] == OVER and status == 200 else status)


def register(counter: Counter, asked: Asked) -> Answer:
    """M1: a new name and password, with what they agree to."""
    if not counter.office.settings.http.registration:
        return _page(counter, asked, status=403)
    if not counter.registrations.allowed(asked.peer, asked.now_ms):
        raise Refused(Refusal.TOO_MANY_TRIES)
    name = asked.field("name", LOGIN_CHARS_MAX)
    password, key = new_password(asked)
    if not key and asked.form.get("service") != "yes":
        key = "register.consent_needed"
    if key:
        return _page(counter, asked, words.say(key, asked.lang), 422)
    counter.registrations.failed(asked.peer, asked.now_ms)  # each one counts, whatever becomes of it
    agreed = [Purpose.SERVICE, *([Purpose.OFFERS] if asked.form.get("offers") == "yes" else [])]
    office = counter.office
    with counter.turn():
        done = requests.register(
            office.database, office.keys.cache_secret(), asked.code, name, password, asked.now_ms, agreed
        )
    return _answered(counter, asked, done)


def claim(counter: Counter, asked: Asked) -> Answer:
    """M2: number (or name) and password of before."""
    login, password, office = asked.field("login", LOGIN_CHARS_MAX), asked.form.get("password", ""), counter.office
    with counter.turn():
        done = requests.claim(office.database, office.keys.cache_secret(), asked.code, login, password, asked.now_ms)
    return _answered(counter, asked, done)


def confirm(counter: Counter, asked: Asked) -> Answer:
    """M2, and M1 for who registered on the pages before: the phone knows who they are."""
    person, office = asked.visitor.person, counter.office
    if person is None:
        return Redirect(f"/login?next=/card/{asked.code}")
    with office.database.write() as connection:
        done = requests.confirm(connection, office.keys.cache_secret(), asked.code, person, asked.now_ms)
    return _answered(counter, asked, done)


def _answered(counter: Counter, asked: Asked, done: Granted | No) -> Answer:
    if isinstance(done, No):
        return _page(counter, asked, requests.WORDS[done][asked.lang], _STATUS[done])
    return Redirect(f"/card/{asked.code}")
