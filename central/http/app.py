"""The routes (Litestar) of the API, beside those of the pages (`central.pages`).

They check who asks, open a transaction, and hand over to `central.coupons`.

Odd input gets a 4xx with a reason; a storage fault a 503. Nothing here writes names, tokens or texts to a log.
"""

from __future__ import annotations

import hmac
import logging
from functools import cache
from typing import Annotated, Any, Final, TypeVar

import msgspec
from litestar import Litestar, Request, Response, get, post
from litestar.concurrency import sync_to_thread
from litestar.datastructures import MutableScopeHeaders
from litestar.exceptions import HTTPException
from litestar.params import PathParameter, QueryParameter
from litestar.types import Message, Scope

from central import incarnation, notices, tokens
from central.conflicts import pseudonym
from central.coupons import clearing, disputes, download, history, issue, persons
from central.coupons.keyring import KeyringError
from central.db.database import StorageError
from central.homes import HomeError
from central.http import answers, described, own
from central.http.described import OPERATOR, PERSON, problems, takes
from central.http.limits import Tries
from central.keys import KeyFileError, read_secret
from central.office import Office, now_ms
from central.pages.asked import Refusal
from central.pages.routes import Door, handlers, place

BODY_BYTES_MAX: Final = 16 * 1024
HEADERS: Final = {
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}
"""Of every answer of the API; pages have their own (`central.pages.render`)."""
BODIES: Final = (
    answers.Login, answers.Wanted, answers.Ended, answers.Seen, own.NewCoupon,
)  # fmt: skip
_ODD: Final = {404: "not_found", 405: "not_found", 413: "too_large"}
T = TypeVar("T")
_log = logging.getLogger(__name__)
_Request = Request[Any, Any, Any]


class Api:
    """The handlers of one open centre."""

    def __init__(self, office: Office, tries: Tries) -> None:
        self.office, self.tries = office, tries

    # --- who asks --------------------------------------------------------------------------------------

    def log_in(self, login: answers.Login) -> answers.Session:
        person = self._checked(login.name, login.password)
        if person is None:
            raise answers.refusal(401, "wrong_login")
        life_ms = self.office.settings.http.session_minutes * 60_000
        known = person
        token = self.office.database.unit(lambda connection: persons.open_session(connection, known, now_ms(), life_ms))
        return answers.Session(token, person.name)

    def _checked(self, name: str, password: str) -> persons.Person | None:
        """The person, if the password is theirs. Raises ApiRefusal after too many tries."""
        if not self.tries.allowed(name, now_ms()):
            raise answers.refusal(429, "too_many_tries")
        with self.office.database.read() as connection:
            person, stored = persons.find(connection, name), persons.stored_hash(connection, name)
        with self.tries.checking:
            fits = persons.password_fits(stored, password)
        if not fits:
            self.tries.failed(name, now_ms())
            return None
        self.tries.succeeded(name)
        return person

    def _person(self, request: _Request) -> persons.Person:
        with self.office.database.read() as connection:
            person = persons.of_session(connection, answers.bearer(request), now_ms())
        if person is None:
            raise answers.refusal(401, "not_logged_in")
        return person

    def _operator(self, request: _Request) -> None:
        expected = read_secret(self.office.settings.operator_token_path).hex()
        if not hmac.compare_digest(answers.bearer(request).encode("utf-8", "replace"), expected.encode()):
            raise answers.refusal(401, "not_logged_in")

    # --- what is asked ---------------------------------------------------------------------------------

    def health(self) -> answers.Health:
        with self.office.database.read() as connection:
            return answers.Health(incarnation.current(connection).hex(), clearing.booked(connection))

    def on_offer(self) -> list[answers.OnOffer]:
        now = now_ms()
        with self.office.database.read() as connection:
            every = issue.listed(connection)
        return [
            answers.OnOffer(
                id=issued.campaign.id,
                name=issued.campaign.name,
                kind=issued.campaign.kind.value,
                benefit=answers.words(issued.campaign),
                stock_left=issued.stock_left,
                download_ends_ms=issued.campaign.download_ends_ms,
                strong_auth=issued.campaign.strong_auth,
                moving=issued.campaign.moving,
                needs_card=issued.campaign.needs_card,
            )
            for issued in every
            if not issued.campaign.stopped
            and not issued.campaign.found_by
            and (issued.campaign.ends_ms is None or now < issued.campaign.ends_ms)
        ]

    def held(self, request: _Request) -> list[answers.Held]:
        person = self._person(request)
        with self.office.database.read() as connection:
            lines = history.of_person(connection, person.name)
        return [
            answers.Held(
                campaign=line.campaign.id,
                name=line.campaign.name,
                kind=line.campaign.kind.value,
                benefit=answers.words(line.campaign),
                number=line.number,
                text=line.text,
                downloaded_ms=line.downloaded_ms,
                expires_ms=line.expires_ms,
                state=line.state.value,
                used_ms=line.used_ms,
                used_site=line.used_site,
                moving=line.campaign.moving,
                needs_card=line.campaign.needs_card,
            )
            for line in lines
        ]

    def take(self, request: _Request, wanted: answers.Wanted) -> answers.Held:
        person = self._person(request)
        proven = False
        if wanted.password is not None:
            if self._checked(person.name, wanted.password) is None:
                raise answers.ApiRefusal(403, "wrong_password", answers.WORDS["wrong_login"])
            proven = True
        try:
            given = self.office.database.unit(
                lambda connection: download.download(
                    connection,
                    self.office.keys,
                    wanted.campaign,
                    person,
                    proven=proven,
                    now_ms=now_ms(),
                    home=wanted.home,
                    phone=bytes.fromhex(wanted.phone),
                )
            )
        except HomeError as error:
            raise answers.refusal(409, "no_home") from error
        if isinstance(given, download.No):
            status = 403 if given is download.No.NEEDS_PASSWORD else 404 if given is download.No.UNKNOWN else 409
            raise answers.ApiRefusal(status, given.value, download.WORDS[given])
        state = history.State.UNUSED if given.campaign.serials else history.State.UNTRACKED
        return answers.Held(
            campaign=given.campaign.id,
            name=given.campaign.name,
            kind=given.campaign.kind.value,
            benefit=answers.words(given.campaign),
            number=given.number,
            text=given.text,
            downloaded_ms=given.downloaded_ms,
            expires_ms=given.expires_ms,
            state=state.value,
            used_ms=None,
            used_site=None,
            moving=given.campaign.moving,
            needs_card=given.campaign.needs_card,
        )

    def redemptions(self, request: _Request, limit: int) -> list[answers.RedemptionRow]:
        self._operator(request)
        with self.office.database.read() as connection:
            rows = clearing.newest(connection, limit)
        return [
            answers.RedemptionRow(
                device=row.device,
                epoch=row.epoch.hex(),
                seq=row.seq,
                campaign=row.campaign,
                name=row.name,
                number=row.number,
                site=row.site,
                at_ms=row.at_ms,
                at_error_ms=row.at_error_ms,
                booked_ms=row.booked_ms,
                flags=row.flags,
            )
            for row in rows
        ]

    def conflicts(self, request: _Request, limit: int, *, every: bool) -> list[answers.ConflictRow]:
        self._operator(request)
        with self.office.database.read() as connection:
            rows = disputes.listed(connection, waiting=not every, limit=limit)
        return [
            answers.ConflictRow(
                id=row.id,
                kind=row.kind,
                campaign=row.campaign,
                serial=f"{row.serial:016x}" if row.serial else "",
                first=row.first,
                second=row.second,
                found_ms=row.found_ms,
                rule=row.rule,
                charges=row.charges,
                charged=row.charged,
                amount_yen=row.amount_yen,
                state=row.state,
                resolved_ms=row.resolved_ms,
                note=row.note,
                programme=row.programme,
                holder=pseudonym(row.holder) if row.holder else "",
                site=row.site,
                points=row.points,
            )
            for row in rows
        ]

    def end_conflict(self, request: _Request, number: int, ended: answers.Ended) -> answers.Done:
        self._operator(request)
        with self.office.database.write() as connection:
            problem = disputes.end(connection, number, ended.how, ended.note, now_ms())
        if problem:
            raise answers.refusal(409, "cannot_end")
        return answers.Done(1)

    def notices(self, request: _Request, *, seen: bool) -> list[answers.NoticeRow]:
        self._operator(request)
        with self.office.database.read() as connection:
            rows = notices.listed(connection, seen=seen)
        return [
            answers.NoticeRow(row.id, row.kind, row.campaign, answers.Words(row.ja, row.en), row.at_ms, row.seen_ms)
            for row in rows
        ]

    def see_notices(self, request: _Request, seen: answers.Seen) -> answers.Done:
        self._operator(request)
        with self.office.database.write() as connection:
            return answers.Done(notices.mark_seen(connection, seen.ids, now_ms()))


async def _body(request: _Request, kind: type[T]) -> T:
    """The request's JSON as a `kind`, to the letter: a text is no number. Raises ApiRefusal."""
    try:
        return msgspec.json.decode(await request.body(), type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise answers.refusal(400, "bad_request") from error


def _refused(_request: _Request, refusal: answers.ApiRefusal) -> Response[Any]:
    return Response(refusal.body, status_code=refusal.status, media_type="application/json", headers=refusal.headers)


def _odd(_request: _Request, error: HTTPException) -> Response[Any]:
    reason = _ODD.get(error.status_code, "bad_request")
    allowed = {"allow": error.headers["Allow"]} if error.headers and "Allow" in error.headers else {}
    return _refused(_request, answers.refusal(error.status_code, reason, allowed))


def _broken(_request: _Request, error: Exception) -> Response[Any]:
    """The database or a key file does not answer: it is our fault and it may pass."""
    _log.error("a request failed: %s: %s", type(error).__name__, error)
    return _refused(_request, answers.refusal(503, "unavailable"))


async def _api_headers(message: Message, scope: Scope) -> None:
    """What binds a browser that is led to the API stands on each of its answers."""
    if message["type"] == "http.response.start" and scope["path"].startswith("/api/"):
        there = MutableScopeHeaders.from_message(message)
        for name, value in HEADERS.items():
            there.setdefault(name, value)


def create_app(office: Office) -> Litestar:
    """The API over an open centre. The database is reached in worker threads, never in the event loop."""
    tries = Tries()  # one count for whoever guesses, by the API or by the pages
    api = Api(office, tries)
    door = Door(office, tries) if office.settings.http.pages else None

    def odd(request: _Request, error: HTTPException) -> Response[Any]:
        """What the framework itself refuses: unknown paths, wrong methods, parameters, over-size bodies."""
        if door is None or request.scope["path"].startswith("/api/"):
            return _odd(request, error)
        unknown = error.status_code in (404, 405)
        return door.refused(request, Refusal.NOT_FOUND if unknown else Refusal.BAD_FORM)

    def failed(request: _Request, error: Exception) -> Response[Any]:
        """A fault of ours: the client gets a word, the log the place; what was entered goes nowhere."""
        _log.error("a request failed: %s at %s", type(error).__name__, place(error))
        if door is None or request.scope["path"].startswith("/api/"):
            return _refused(request, answers.refusal(500, "fault"))
        return door.refused(request, Refusal.FAULT)

    @get("/api/health", sync_to_thread=True, responses=problems())
    def health() -> answers.Health:
        """The centre's life, and how many redemptions it has booked."""
        return api.health()

    @post("/api/session", status_code=200, **takes(answers.Login, 401, 429))
    async def session(request: _Request) -> answers.Session:
        """Log a person in."""
        return await sync_to_thread(api.log_in, await _body(request, answers.Login))

    @get("/api/coupons", sync_to_thread=True, responses=problems())
    def on_offer() -> list[answers.OnOffer]:
        """What can be downloaded."""
        return api.on_offer()

    @get("/api/me/coupons", sync_to_thread=True, security=PERSON, responses=problems(401))
    def held(request: _Request) -> list[answers.Held]:
        """A person's coupons."""
        return api.held(request)

    @post("/api/me/coupons", security=PERSON, **takes(answers.Wanted, 401, 403, 404, 409, 429))
    async def take(request: _Request) -> answers.Held:
        """Download a coupon (K3): it, or a clear no."""
        return await sync_to_thread(api.take, request, await _body(request, answers.Wanted))

    @get("/api/redemptions", sync_to_thread=True, security=OPERATOR, responses=problems(401))
    def redemptions(
        request: _Request, limit: Annotated[int, QueryParameter(ge=1, le=clearing.LIMIT_MAX)] = 50
    ) -> list[answers.RedemptionRow]:
        """The newest, of all shops."""
        return api.redemptions(request, limit)

    @get("/api/conflicts", sync_to_thread=True, security=OPERATOR, responses=problems(401))
    def conflicts(
        request: _Request,
        limit: Annotated[int, QueryParameter(ge=1, le=disputes.LIMIT_MAX)] = 100,
        every: Annotated[bool, QueryParameter(name="all")] = False,
    ) -> list[answers.ConflictRow]:
        """Those that wait for somebody, or all."""
        return api.conflicts(request, limit, every=every)

    @post("/api/conflicts/{number:int}", status_code=200, security=OPERATOR, **takes(answers.Ended, 401, 404, 409))
    async def end_conflict(
        request: _Request, number: Annotated[int, PathParameter(ge=1, le=answers.NUMBER_MAX)]
    ) -> answers.Done:
        """End a conflict."""
        return await sync_to_thread(api.end_conflict, request, number, await _body(request, answers.Ended))

    @get("/api/notices", sync_to_thread=True, security=OPERATOR, responses=problems(401))
    def told(request: _Request, seen: Annotated[bool, QueryParameter()] = False) -> list[answers.NoticeRow]:
        """What an operator should know of."""
        return api.notices(request, seen=seen)

    @post("/api/notices/seen", status_code=200, security=OPERATOR, **takes(answers.Seen, 401))
    async def see_notices(request: _Request) -> answers.Done:
        """Put notices away."""
        return await sync_to_thread(api.see_notices, request, await _body(request, answers.Seen))

    endpoints = [
        *(health, session, on_offer, held, take, redemptions, conflicts, end_conflict, told, see_notices),
        *own.routes(office, tokens.Rate(), _body),
    ]
    description = cache(lambda: msgspec.json.encode(described.describe(endpoints, BODIES)))

    @get("/api/openapi.json", sync_to_thread=True, media_type="application/json")
    def openapi() -> bytes:
        return description()

    return Litestar(
        [*endpoints, openapi, *([] if door is None else handlers(door))],
        exception_handlers={
            answers.ApiRefusal: _refused,
            HTTPException: odd,
            StorageError: _broken,
            KeyFileError: _broken,
            KeyringError: _broken,
            Exception: failed,
        },
        request_max_body_size=BODY_BYTES_MAX,
        before_send=[_api_headers],
        openapi_config=None,
        logging_config=None,
    )
