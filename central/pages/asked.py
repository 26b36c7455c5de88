"""One request to a page: who asks, in which language, for what. Plain values; nothing of the framework is in here."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from enum import StrEnum
from typing import Final, NamedTuple
from urllib.parse import parse_qsl

import msgspec

from central.coupons.persons import Person
from central.staff import Member, Role
from loyalty.campaign import Lang

FIELDS_MAX: Final = 300  # a checkbox for each shop
TOKEN_CHARS_MAX: Final = 100
CODE_CHARS_MAX: Final = 64
NUMBER_MAX: Final = 2**53


class Refusal(StrEnum):
    """Why a page is not given. The words stand in `central.pages.words.frame`."""

    NOT_FOUND = "not_found"
    NOT_YOURS = "not_yours"  # logged in, as somebody for whom this is not
    LOGIN = "login"
    STALE_FORM = "stale_form"  # no token, or that of another session
    BAD_FORM = "bad_form"
    TOO_LARGE = "too_large"
    TOO_MANY_TRIES = "too_many_tries"
    UNAVAILABLE = "unavailable"
    FAULT = "fault"


STATUS: Final[dict[Refusal, int]] = {
    Refusal.NOT_FOUND: 404,
    Refusal.NOT_YOURS: 403,
    Refusal.LOGIN: 401,
    Refusal.STALE_FORM: 403,
    Refusal.BAD_FORM: 400,
    Refusal.TOO_LARGE: 413,
    Refusal.TOO_MANY_TRIES: 429,
    Refusal.UNAVAILABLE: 503,
    Refusal.FAULT: 500,
}


class Refused(Exception):
    """A clear no; becomes an error page."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.value)
        self.refusal = refusal


class Ticket(NamedTuple):
    """The cookie: what kind of session it names, and the token. The database knows the token's hash alone."""

    kind: str  # 'n': nobody is logged in, 'p': a person, 's': staff
    token: str

    @classmethod
    def read(cls, cookie: str | None) -> Ticket | None:
        kind, _, token = (cookie or "").partition(".")
        if kind not in ("n", "p", "s") or not 20 <= len(token) <= TOKEN_CHARS_MAX or not token.isascii():
            return None
        return cls(kind, token)

    @classmethod
    def nobodys(cls) -> Ticket:
        return cls("n", secrets.token_urlsafe(32))

    def __str__(self) -> str:
        return f"{self.kind}.{self.token}"

    @property
    def csrf(self) -> str:
        """What every form of this session carries: it can't be made without the cookie, which scripts can't read."""
        return hmac.digest(self.token.encode(), b"tokuten form", "sha256").hex()


class Visitor(msgspec.Struct, frozen=True, kw_only=True):
    """Who asks. Nobody in particular, a person, or a member of staff."""

    person: Person | None = None
    member: Member | None = None

    @property
    def role(self) -> Role | None:
        if self.person is not None:
            return Role.PERSON
        return None if self.member is None else self.member.role

    @property
    def name(self) -> str:
        who = self.person or self.member
        return "" if who is None else who.name

    @property
    def owner(self) -> str:
        """Whose pages a browser keeps: tells one person from another, and says nothing of who they are."""
        if self.person is None:
            return ""
        return hashlib.sha256(b"owner" + self.person.holder.to_bytes(8, "big")).hexdigest()[:16]


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """One request."""

    path: str
    number: int  # that the path names; 0: none
    query: dict[str, str]
    form: dict[str, str]
    ticket: Ticket
    visitor: Visitor
    lang: Lang
    now_ms: int
    part: bool  # htmx asks for a part of a page
    code: str = ""  # of the card request that the path names
    peer: str = ""  # the client's address, for limits alone; never kept

    @property
    def person(self) -> Person:
        """Of a page that is for people alone."""
        assert self.visitor.person is not None
        return self.visitor.person

    @property
    def member(self) -> Member:
        """Of a page that is for staff alone."""
        assert self.visitor.member is not None
        return self.visitor.member

    def field(self, name: str, chars_max: int = 500) -> str:
        """A field of the form without blanks at its ends; empty: it is not there. Raises Refused if too long."""
        value = self.form.get(name, "").strip()
        if len(value) > chars_max:
            raise Refused(Refusal.BAD_FORM)
        return value


def fields(text: str) -> dict[str, str]:
    """A form or a query as a browser sends it; of fields named twice the last counts. Raises Refused."""
    try:
        return dict(parse_qsl(text, keep_blank_values=True, max_num_fields=FIELDS_MAX, errors="strict"))
    except ValueError as error:
        raise Refused(Refusal.BAD_FORM) from error


def number(text: str) -> int:
    """A row's number in a path. Raises Refused for what names no row."""
    if not (text.isascii() and text.isdigit() and len(text) <= 16 and 0 < int(text) <= NUMBER_MAX):
        raise Refused(Refusal.NOT_FOUND)
    return int(text)


def language(cookie: str | None, accepted: str) -> Lang:
    """By the cookie, else by Accept-Language (RFC 9110, 12.5.4), else Japanese."""
    if cookie == "ja" or cookie == "en":
        return "en" if cookie == "en" else "ja"
    best: Lang = "ja"
    best_weight = 0.0
    for part in accepted[:500].split(","):
        tag, _, rest = part.strip().partition(";")
        try:
            weight = float(rest.partition("q=")[2] or "1")
        except ValueError:
            continue
        main = tag.strip().lower().partition("-")[0]
        if main in ("ja", "en") and weight > best_weight:
            best, best_weight = ("en" if main == "en" else "ja"), weight
    return best
