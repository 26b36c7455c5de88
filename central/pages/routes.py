"""Which page is whose: one table, and the way that each request takes before its function is called.

    body bound -> session -> role -> form token (POST) -> the page function, in a worker thread -> headers

A function can't forget a check: what is not in the table is not served, and the table says for whom a page is. Error
pages carry a reason. Nothing here writes names, tokens or what was entered to a log.
"""

from __future__ import annotations

import hmac
import logging
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, NamedTuple

from litestar import Request, Response, get, post
from litestar.concurrency import sync_to_thread
from litestar.datastructures import Cookie
from litestar.exceptions import ClientException, HTTPException
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath

from central import staff
from central.coupons import persons
from central.coupons.keyring import KeyringError
from central.db.database import StorageError
from central.http.limits import Tries
from central.keys import KeyFileError
from central.office import Office, now_ms
from central.pages import (
    account,
    analysis,
    bargains,
    card,
    customers,
    entrance,
    offers,
    operator,
    operator_points,
    person,
    points,
    provider,
    shop,
    shop_rules,
    tokens,
)
from central.pages import asked as ask
from central.pages.answer import Answer, File, Page, Redirect
from central.pages.asked import Asked, Refusal, Refused, Ticket, Visitor
from central.pages.counter import Counter
from central.pages.render import HEADERS, HSTS, Renderer
from central.staff import Role

BODY_BYTES_MAX: Final = 16 * 1024
COOKIE: Final = "tokuten"
PEER_CHARS_MAX: Final = 64
COOKIE_LANG: Final = "tokuten_lang"
LANG_LIFE_S: Final = 365 * 86_400
STATIC_LIFE_S: Final = 365 * 86_400  # its address changes with its content
_log = logging.getLogger(__name__)
_Request = Request[Any, Any, Any]
Act = Callable[[Counter, Asked], Answer]

ANYBODY: Final[frozenset[Role | None]] = frozenset({None, *Role})
PEOPLE: Final[frozenset[Role | None]] = frozenset({Role.PERSON})
SHOPS: Final[frozenset[Role | None]] = frozenset({Role.SHOP})
PROVIDERS: Final[frozenset[Role | None]] = frozenset({Role.PROVIDER})
OPERATORS: Final[frozenset[Role | None]] = frozenset({Role.OPERATOR})


class Route(NamedTuple):
    """One page."""

    method: str
    path: str
    whose: frozenset[Role | None]
    act: Act
    by_token: bool = False  # a link in a mail is all the proof there is (RFC 8058): no session, no form of ours


ROUTES: Final = (
    Route("GET", "/", ANYBODY, entrance.start),
    Route("GET", "/login", ANYBODY, entrance.login),
    Route("POST", "/login", ANYBODY, entrance.log_in),
    Route("GET", "/register", ANYBODY, entrance.register),
    Route("POST", "/register", ANYBODY, entrance.enter),
    Route("GET", "/staff", ANYBODY, entrance.staff_login),
    Route("POST", "/staff", ANYBODY, entrance.staff_log_in),
    Route("POST", "/logout", ANYBODY, entrance.log_out),
    Route("POST", "/language", ANYBODY, entrance.language),
    Route("GET", "/offline", ANYBODY, entrance.offline),
    Route("GET", "/offers", ANYBODY, person.offers),
    Route("GET", "/offers/{number}", ANYBODY, person.offer),
    Route("POST", "/offers/{number}", PEOPLE, person.download),
    Route("GET", "/card/{code}", ANYBODY, card.page),
    Route("GET", "/card/{code}/state", ANYBODY, card.state),
    Route("POST", "/card/{code}/register", ANYBODY, card.register),
    Route("POST", "/card/{code}/claim", ANYBODY, card.claim),
    Route("POST", "/card/{code}/confirm", ANYBODY, card.confirm),
    Route("GET", "/coupons", PEOPLE, person.wallet),
    Route("GET", "/coupons/{number}", PEOPLE, person.coupon),
    Route("GET", "/coupons/{number}/state", PEOPLE, person.state),
    Route("GET", "/history", PEOPLE, person.history),
    Route("GET", "/points", PEOPLE, points.mine),
    Route("GET", "/account", PEOPLE, account.listed),
    Route("POST", "/account/select", PEOPLE, account.select),
    Route("POST", "/account/drop", PEOPLE, account.drop),
    Route("POST", "/account/close", PEOPLE, account.close),
    Route("GET", "/me", PEOPLE, person.me),
    Route("POST", "/me/consent", PEOPLE, person.consent),
    Route("POST", "/me/password", PEOPLE, person.password),
    Route("POST", "/me/export", PEOPLE, person.export),
    Route("GET", "/me/erase", PEOPLE, person.erasing),
    Route("POST", "/me/erase", PEOPLE, person.erase),
    Route("GET", "/bargains", ANYBODY, offers.listed),
    Route("GET", "/bargains/{number}", ANYBODY, offers.one),
    Route("GET", "/confirm", ANYBODY, offers.confirming),
    Route("POST", "/confirm", ANYBODY, offers.confirm),
    Route("GET", "/unsubscribe", ANYBODY, offers.leaving),
    Route("POST", "/unsubscribe", ANYBODY, offers.leave, by_token=True),
    Route("GET", "/for-me", PEOPLE, offers.mine),
    Route("POST", "/for-me/{number}/decline", PEOPLE, offers.decline),
    Route("GET", "/purchases", PEOPLE, offers.bought),
    Route("GET", "/me/contact", PEOPLE, offers.contact),
    Route("POST", "/me/contact", PEOPLE, offers.change_contact),
    Route("GET", "/shop", SHOPS, shop.today),
    Route("GET", "/shop/rules", SHOPS, shop_rules.listed),
    Route("POST", "/shop/rules", SHOPS, shop_rules.enter),
    Route("GET", "/shop/customers", SHOPS, customers.form),
    Route("POST", "/shop/customers", SHOPS, customers.look),  # who is asked for stands in no address
    Route("POST", "/shop/customers/file", SHOPS, customers.keep),
    Route("GET", "/shop/bargains", SHOPS, bargains.listed),
    Route("GET", "/shop/bargains/new", SHOPS, bargains.new),
    Route("POST", "/shop/bargains/new", SHOPS, bargains.add),
    Route("GET", "/shop/bargains/{number}", SHOPS, bargains.edit),
    Route("POST", "/shop/bargains/{number}", SHOPS, bargains.change),
    Route("POST", "/shop/bargains/{number}/end", SHOPS, bargains.end),
    Route("GET", "/shop/sales", SHOPS, bargains.sales),
    Route("GET", "/shop/analysis", SHOPS, analysis.show),
    Route("GET", "/shop/analysis/file", SHOPS, analysis.take),
    Route("GET", "/provider", PROVIDERS, provider.listed),
    Route("GET", "/provider/analysis", PROVIDERS, analysis.show),
    Route("GET", "/provider/analysis/file", PROVIDERS, analysis.take),
    Route("GET", "/provider/issue", PROVIDERS, provider.form),
    Route("POST", "/provider/issue", PROVIDERS, provider.issue),
    Route("GET", "/provider/coupons/{number}", PROVIDERS, provider.one),
    Route("POST", "/provider/coupons/{number}/stop", PROVIDERS, provider.stop),
    Route("GET", "/operator", OPERATORS, operator.overview),
    Route("POST", "/operator/notices", OPERATORS, operator.see_notices),
    Route("GET", "/operator/people", OPERATORS, operator.people),
    Route("POST", "/operator/people", OPERATORS, operator.people),  # what is searched for stands in no address
    Route("GET", "/operator/people/{number}", OPERATORS, operator.one_person),
    Route("GET", "/operator/people/{number}/use", OPERATORS, analysis.one_person),
    Route("GET", "/operator/analysis", OPERATORS, analysis.show),
    Route("GET", "/operator/analysis/file", OPERATORS, analysis.take),
    Route("GET", "/operator/places", OPERATORS, operator.places),
    Route("GET", "/operator/programmes", OPERATORS, operator_points.listed),
    Route("POST", "/operator/programmes", OPERATORS, operator_points.enter),
    Route("GET", "/operator/programmes/{number}", OPERATORS, operator_points.one),
    Route("POST", "/operator/programmes/{number}", OPERATORS, operator_points.change),
    Route("POST", "/operator/programmes/{number}/rule", OPERATORS, operator_points.rule),
    Route("GET", "/operator/ledger", OPERATORS, operator_points.ledger),
    Route("POST", "/operator/ledger/audit", OPERATORS, operator_points.audit),
    Route("GET", "/operator/conflicts", OPERATORS, operator.conflicts),
    Route("POST", "/operator/conflicts/{number}", OPERATORS, operator.settle),
    Route("GET", "/operator/offers", OPERATORS, operator.post),
    Route("GET", "/operator/tokens", OPERATORS, tokens.listed),
    Route("POST", "/operator/tokens", OPERATORS, tokens.issue),
    Route("POST", "/operator/tokens/{number}/revoke", OPERATORS, tokens.revoke),
    Route("GET", "/operator/audit", OPERATORS, operator.audit_log),
)


class Door:
    """Takes requests to page functions."""

    def __init__(self, office: Office, tries: Tries) -> None:
        self.office = office
        self.renderer = Renderer(office.settings.utc_offset_min)
        self.counter = Counter(office, self.renderer, tries)
        self.secure = office.settings.http.secure_cookies
        # The prefix makes the browser refuse the cookie from a neighbouring host or without TLS (RFC 6265bis, 4.1.3.2).
        self.cookie = f"__Host-{COOKIE}" if self.secure else COOKIE

    # --- a request -------------------------------------------------------------------------------------

    async def serve(self, route: Route, request: _Request) -> Response[bytes]:
        try:
            form = ""
            if route.method == "POST":
                form = (await request.body()).decode("utf-8")
            return await sync_to_thread(self._serve, route, request, form)
        except UnicodeDecodeError:
            return self.refused(request, Refusal.BAD_FORM)
        except ClientException as error:  # the body is over the bound
            return self.refused(request, Refusal.TOO_LARGE if error.status_code == 413 else Refusal.BAD_FORM)

    def _serve(self, route: Route, request: _Request, form: str) -> Response[bytes]:
        try:
            asked = self._asked(request, form)
        except Refused as no:
            return self.refused(request, no.refusal)
        except StorageError as error:
            _log.error("a page failed: %s", error.reason)
            return self.refused(request, Refusal.UNAVAILABLE)
        try:
            if asked.visitor.role not in route.whose:
                return self._turned_away(asked)
            if route.method == "POST" and not route.by_token:
                _check_form(request, asked)
            return self._answered(asked, route.act(self.counter, asked))
        except Refused as no:
            return self._refused(asked, no.refusal)
        except (StorageError, KeyFileError, KeyringError) as error:
            _log.error("a page failed: %s: %s", type(error).__name__, getattr(error, "reason", ""))
            return self._refused(asked, Refusal.UNAVAILABLE)
        except Exception as error:  # noqa: BLE001 - a fault of ours: the visitor gets a page, the log the place
            _log.error("a page failed: %s at %s", type(error).__name__, place(error))
            return self._refused(asked, Refusal.FAULT)

    def _asked(self, request: _Request, form: str = "", *, known: bool = True) -> Asked:
        """`known`: whether the database is asked who this is. Raises Refused, StorageError."""
        now = now_ms()
        ticket = Ticket.read(request.cookies.get(self.cookie))
        visitor = self._visitor(ticket, now) if known and ticket is not None else Visitor()
        if ticket is None or (known and ticket.kind != "n" and visitor.role is None):
            ticket = Ticket.nobodys()
        path = request.scope["path"]
        numbered = request.path_params.get("number")
        return Asked(
            path=path,
            number=ask.number(numbered) if numbered is not None else 0,
            query=ask.fields(request.scope.get("query_string", b"").decode("latin-1")),
            form=ask.fields(form),
            ticket=ticket,
            visitor=visitor,
            lang=ask.language(request.cookies.get(COOKIE_LANG), request.headers.get("accept-language", "")),
            now_ms=now,
            part=request.headers.get("hx-request") == "true",
            code=request.path_params.get("code", "")[: ask.CODE_CHARS_MAX],
            peer=self._peer(request),
        )

    def _peer(self, request: _Request) -> str:
        if self.office.settings.http.forwarded_for:
            return request.headers.get("x-forwarded-for", "").rpartition(",")[2].strip()[:PEER_CHARS_MAX]
        client = request.scope.get("client")
        return client[0] if client else ""

    def _visitor(self, ticket: Ticket, now: int) -> Visitor:
        if ticket.kind == "n":
            return Visitor()
        with self.office.database.read() as connection:
            if ticket.kind == "p":
                return Visitor(person=persons.of_session(connection, ticket.token, now))
            return Visitor(member=staff.of_session(connection, ticket.token, now))

    # --- answers ---------------------------------------------------------------------------------------

    def _turned_away(self, asked: Asked) -> Response[bytes]:
        if asked.visitor.role is not None:
            return self._refused(asked, Refusal.NOT_YOURS)
        if asked.part:
            return self._refused(asked, Refusal.LOGIN)
        staffs = asked.path.startswith(("/shop", "/provider", "/operator"))
        return self._answered(asked, Redirect("/staff" if staffs else f"/login?next={asked.path}"))

    def _answered(self, asked: Asked, answer: Answer) -> Response[bytes]:
        headers: dict[str, str] = {}
        cookies: list[Cookie] = []
        ticket = asked.ticket
        if isinstance(answer, Redirect):
            ticket = answer.ticket or ticket
            headers["hx-redirect" if asked.part else "location"] = answer.to
            if answer.forget:
                headers["clear-site-data"] = '"cache", "storage"'
            if answer.lang:
                cookies.append(self._cookie(COOKIE_LANG, answer.lang, LANG_LIFE_S))
            status, body, media = 200 if asked.part else 303, b"", "text/plain"
        elif isinstance(answer, File):
            status, body, media = 200, answer.body, answer.media_type
            headers["content-disposition"] = f'attachment; filename="{answer.name}"'
        else:
            status, media = answer.status, "text/html"
            body = self.renderer.page(answer.template, asked, answer.data)
        if asked.visitor.owner:
            headers["tokuten-owner"] = asked.visitor.owner  # for the service worker, which keeps pages of one person
        cookies.append(self._cookie(self.cookie, str(ticket), self._life_s(ticket)))
        return self._response(body, status, media, headers, cookies)

    def _cookie(self, name: str, value: str, life_s: int | None) -> Cookie:
        return Cookie(
            key=name, value=value, path="/", httponly=True, samesite="lax", secure=self.secure, max_age=life_s
        )

    def _life_s(self, ticket: Ticket) -> int | None:
        """A person's phone keeps its session when the app is closed; everybody else's ends with the browser."""
        return self.office.settings.http.session_minutes * 60 if ticket.kind == "p" else None

    def _refused(self, asked: Asked, refusal: Refusal) -> Response[bytes]:
        return self._answered(asked, Page("error.html", {"reason": refusal.value}, ask.STATUS[refusal]))

    def refused(self, request: _Request, refusal: Refusal) -> Response[bytes]:
        """An error page for somebody who is not looked up."""
        try:
            asked = self._asked(request, known=False)
        except Refused:  # a query or a number that can't be read
            asked = Asked(
                path="/", number=0, query={}, form={}, ticket=Ticket.nobodys(), visitor=Visitor(), lang="ja",
                now_ms=now_ms(), part=False,
            )  # fmt: skip
        page = self.renderer.page("error.html", asked, {"reason": refusal.value})
        return self._response(page, ask.STATUS[refusal], "text/html", {}, [])

    def _response(
        self, body: bytes, status: int, media: str, headers: dict[str, str], cookies: list[Cookie]
    ) -> Response[bytes]:
        every = {**HEADERS, "cache-control": "no-store", "vary": "Accept-Language, Cookie, HX-Request", **headers}
        if self.secure:
            every["strict-transport-security"] = HSTS
        return Response(body, status_code=status, media_type=media, headers=every, cookies=cookies)

    # --- what is the same for everybody ----------------------------------------------------------------

    def static(self, name: str) -> Response[bytes]:
        found = self.renderer.static.get(name)
        if found is None:
            raise HTTPException(status_code=404)
        life = {"cache-control": f"public, max-age={STATIC_LIFE_S}, immutable"}
        return self._response(found.body, 200, found.media_type, life, [])

    def worker(self) -> Response[bytes]:
        """The service worker; the browser asks for it anew each day and at each start."""
        files = [self.renderer.address(name) for name in ("pages.css", "pages.js", "htmx.min.js", "icon.svg")]
        body = self.renderer.script("worker.js", files=files, version=self.renderer.version)
        return self._response(body, 200, "text/javascript", {"cache-control": "no-cache"}, [])

    def manifest(self, lang: str) -> Response[bytes]:
        body = self.renderer.script("manifest.webmanifest", lang=lang)
        return self._response(body, 200, "application/manifest+json", {"cache-control": "no-cache"}, [])


def _check_form(request: _Request, asked: Asked) -> None:
    """Whether a form is one of ours, sent from a page of ours. Raises Refused."""
    site = request.headers.get("sec-fetch-site", "same-origin")
    if site not in ("same-origin", "none"):
        raise Refused(Refusal.STALE_FORM)
    token = asked.form.get("csrf", "").encode("utf-8", "replace")
    if not hmac.compare_digest(token, asked.ticket.csrf.encode()):
        raise Refused(Refusal.STALE_FORM)


def place(error: Exception) -> str:
    """Where it happened. The message of an unforeseen error may hold what somebody entered, so it is not said."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f"{Path(frame.filename).name}:{frame.lineno}"


def handlers(door: Door) -> list[HTTPRouteHandler]:
    """Everything that a browser may ask for."""

    @get("/static/{name:str}", include_in_schema=False, sync_to_thread=False)
    def static(name: FromPath[str]) -> Response[bytes]:
        return door.static(name)

    @get("/worker.js", include_in_schema=False, sync_to_thread=False)
    def worker() -> Response[bytes]:
        return door.worker()

    @get("/manifest.json", include_in_schema=False, sync_to_thread=False)
    def manifest(request: _Request) -> Response[bytes]:
        return door.manifest("en" if request.query_params.get("lang") == "en" else "ja")

    return [*(_handler(door, route) for route in ROUTES), static, worker, manifest]


def _handler(door: Door, route: Route) -> HTTPRouteHandler:
    async def serve(request: _Request) -> Response[bytes]:
        return await door.serve(route, request)

    make = get if route.method == "GET" else post
    return make(
        route.path.replace("{number}", "{number:str}").replace("{code}", "{code:str}"), include_in_schema=False
    )(serve)
