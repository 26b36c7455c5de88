"""The phone's side of a member card (M1, M2): what is typed behind the QR of a kiosk.

    GET  /api/cards/{code}            where the request stands
    POST /api/cards/{code}/register   {name, password}: a new person
    POST /api/cards/{code}/claim      {login, password}: number or name of somebody who is known

Nobody is logged in here: the code is the right to ask. What is refused says why in both languages; of number and
password it is not said which was wrong.
"""

from __future__ import annotations

from typing import Annotated, Any, Final, TypeVar

import msgspec
from litestar import Request, get, post
from litestar.concurrency import sync_to_thread
from litestar.handlers import HTTPRouteHandler
from litestar.params import PathParameter

from central.http import answers
from central.http.described import ReadBody, problems, takes
from central.http.limits import Tries
from central.members import membership, requests
from central.members.requests import Granted, No, Standing
from central.office import Office, now_ms

_STATUS: Final[dict[No, int]] = {
    No.GONE: 404, No.WRONG: 403, No.TOO_MANY_TRIES: 429, No.NAME_TAKEN: 409, No.BAD_NAME: 400, No.BAD_PASSWORD: 400,
    No.NOT_POSSIBLE: 409,
}  # fmt: skip
_Request = Request[Any, Any, Any]
Code = Annotated[str, PathParameter(max_length=64)]
A = TypeVar("A", Granted, Standing)


class Registering(msgspec.Struct, forbid_unknown_fields=True):
    name: str
    password: str


class Claiming(msgspec.Struct, forbid_unknown_fields=True):
    login: str
    password: str


class CardGiven(msgspec.Struct):
    """`number` as people read it."""

    number: str
    generation: int


def routes(office: Office, tries: Tries, body: ReadBody) -> list[HTTPRouteHandler]:
    """The handlers. `tries` bounds how many passwords are looked at at once."""
    secret = office.keys.cache_secret()

    def look(code: str) -> Standing:
        with office.database.read() as connection:
            found = _given(requests.standing(connection, code, now_ms()))
        return Standing(state=found.state, number=membership.shown(found.number) if found.number else "")

    def register(code: str, typed: Registering) -> CardGiven:
        with tries.checking:
            done = requests.register(office.database, secret, code, typed.name, typed.password, now_ms())
        return _card(done)

    def claim(code: str, typed: Claiming) -> CardGiven:
        with tries.checking:
            done = requests.claim(office.database, secret, code, typed.login, typed.password, now_ms())
        return _card(done)

    @get("/api/cards/{code:str}", sync_to_thread=True, responses=problems(404))
    def card_request(code: Code) -> Standing:
        """Where the request of a kiosk stands."""
        return look(code)

    @post("/api/cards/{code:str}/register", status_code=200, **takes(Registering, 403, 404, 409, 429))
    async def register_card(request: _Request, code: Code) -> CardGiven:
        """A new person, and a card (M1)."""
        return await sync_to_thread(register, code, await body(request, Registering))

    @post("/api/cards/{code:str}/claim", status_code=200, **takes(Claiming, 403, 404, 409, 429))
    async def claim_card(request: _Request, code: Code) -> CardGiven:
        """A card for somebody who is known (M2)."""
        return await sync_to_thread(claim, code, await body(request, Claiming))

    return [card_request, register_card, claim_card]


def _card(done: Granted | No) -> CardGiven:
    granted = _given(done)
    return CardGiven(membership.shown(granted.number), granted.generation)


def _given(done: A | No) -> A:
    """Raises ApiRefusal."""
    if isinstance(done, No):
        raise answers.ApiRefusal(_STATUS[done], done.value, requests.WORDS[done])
    return done
