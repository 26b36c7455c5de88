"""What programs of shops and providers ask with a token (`central.tokens`): whose it is says what they see.

    GET  /api/own                          whose token this is, and what it may do
    GET  /api/own/analysis                 analysis:read       figures by day, hour, coupon or shop
    GET  /api/own/redemptions              redemptions:read    a shop's day, or one coupon's newest
    GET  /api/own/coupons                  coupons:read        a provider's coupons, and how they stand
    POST /api/own/coupons                  coupons:issue       issues one in the provider's name
    POST /api/own/coupons/{number}/stop    coupons:issue       stops one of the provider's own

Nothing names a holder. What belongs to another is not found, as what does not exist.
"""

from __future__ import annotations

from typing import Annotated, Any, Final

import msgspec
from litestar import Request, get, post
from litestar.concurrency import sync_to_thread
from litestar.handlers import HTTPRouteHandler
from litestar.params import PathParameter, QueryParameter
from msgspec import Meta

from central import audit, tokens
from central.analysis import days, figures
from central.coupons import issue, usage
from central.coupons.issue import Issued, IssueError
from central.http import answers
from central.http.described import TOKEN, ReadBody, problems, takes
from central.office import Office, now_ms
from central.staff import Role
from central.tokens import Scope, Token
from loyalty.campaign import CAMPAIGN_ID_MAX, DAY_MS, Campaign, Kind, Policy

DAYS_SHOWN: Final = 28
COUPONS_MAX: Final = 300
_ISSUABLE: Final = (Policy.SIGNED, Policy.ONLINE, Policy.OPEN, Policy.LEASE)  # those that need no key of a lane
_MS: Final = Meta(ge=0, le=answers.NUMBER_MAX)
_COUNT: Final = Meta(ge=0, le=10**16)
_Request = Request[Any, Any, Any]
Ms = Annotated[int, _MS]
Count = Annotated[int, _COUNT]
Number = Annotated[int, PathParameter(ge=1, le=CAMPAIGN_ID_MAX)]
Day = Annotated[str, QueryParameter(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$", description="Such as 2026-07-30.")]


class Whose(msgspec.Struct):
    name: str
    site: str
    provider: str
    scopes: list[str]
    expires_ms: int


class OwnCoupon(msgspec.Struct):
    id: int
    name: str
    kind: str
    benefit: answers.Words
    stopped: bool
    stock_left: int | None
    given_out: int
    redeemed: int
    issued_ms: int
    download_ends_ms: int | None
    ends_ms: int | None


class NewCoupon(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A coupon as a provider issues it; what contradicts itself is said sentence by sentence (422)."""

    name: Annotated[str, Meta(max_length=200)]
    kind: Kind
    policy: Policy = Policy.SIGNED
    amount_yen: Count = 0
    percent: Count = 0
    gift: Annotated[str, Meta(max_length=200)] = ""
    min_spend_yen: Count = 0
    stock: Count | None = None
    per_person: Count | None = None
    cap: Count | None = None
    budget_yen: Count | None = None
    starts_ms: Ms | None = None
    ends_ms: Ms | None = None
    download_ends_ms: Ms | None = None
    days_after_download: Count | None = None
    first_number: Count | None = None
    serials: bool = True
    strong_auth: bool = False
    shops: Annotated[list[Annotated[str, Meta(max_length=32)]], Meta(max_length=300)] = []


def routes(office: Office, rate: tokens.Rate, body: ReadBody) -> list[HTTPRouteHandler]:
    """The handlers. `rate` bounds how often each token may ask."""

    def of(request: _Request, scope: Scope | None) -> Token:
        """Whose request this is. Raises ApiRefusal."""
        now = now_ms()
        token = tokens.working(office.database, answers.bearer(request), now)
        if token is None:
            raise answers.refusal(401, "not_logged_in")
        wait_ms = rate.wait_ms(token.id, now)
        if wait_ms:
            raise answers.refusal(429, "too_many_requests", {"retry-after": str(-(-wait_ms // 1000))})
        if scope is not None and scope not in token.scopes:
            raise answers.refusal(403, "scope_missing")
        return token

    @get("/api/own", sync_to_thread=True, security=TOKEN, responses=problems(401, 429))
    def whose_token(request: _Request) -> Whose:
        """Whose this token is, and what it may do."""
        token = of(request, None)
        return Whose(token.name, token.site, token.provider, [one.value for one in token.scopes], token.expires_ms)

    @get("/api/own/analysis", sync_to_thread=True, security=TOKEN, responses=problems(401, 403, 429))
    def own_analysis(
        request: _Request,
        by: Annotated[figures.By, QueryParameter()] = figures.By.COUPON,
        first: Annotated[Day | None, QueryParameter(name="from")] = None,
        last: Annotated[Day | None, QueryParameter(name="to")] = None,
    ) -> figures.Figures:
        """Views, downloads and uses (K10). Of a shop and a provider, no figure of fewer than 5 people."""
        token = of(request, Scope.ANALYSIS_READ)
        scope = figures.Scope(provider=token.provider or None, site=token.site or None)
        try:
            to_day = days.read(last) if last else days.of(now_ms(), office.settings.utc_offset_min)
            from_day = days.read(first) if first else to_day - DAYS_SHOWN + 1
            question = figures.Question(by=by, from_day=from_day, to_day=to_day, scope=scope)
        except ValueError as error:
            raise answers.refusal(400, "bad_request") from error
        with office.database.read() as connection:
            return figures.ask(connection, question)

    @get("/api/own/redemptions", sync_to_thread=True, security=TOKEN, responses=problems(401, 403, 404, 429))
    def own_redemptions(
        request: _Request,
        campaign: Annotated[int | None, QueryParameter(ge=1, le=CAMPAIGN_ID_MAX)] = None,
        day: Annotated[Day | None, QueryParameter()] = None,
        limit: Annotated[int, QueryParameter(ge=1, le=usage.LIMIT_MAX)] = 100,
    ) -> list[usage.Use]:
        """Of a shop: those of a day (today, where none is named). Else: the newest of the campaign that is named."""
        token = of(request, Scope.REDEMPTIONS_READ)
        with office.database.read() as connection:
            if token.site:
                from_ms = _midnight_ms(office, day)
                return usage.of_site(connection, token.site, from_ms, from_ms + DAY_MS, limit)
            if campaign is None:
                raise answers.refusal(400, "bad_request")
            if not _owns(issue.get(connection, campaign), token):
                raise answers.refusal(404, "not_found")
            return usage.of_campaign(connection, campaign, limit)

    @get("/api/own/coupons", sync_to_thread=True, security=TOKEN, responses=problems(401, 403, 429))
    def own_coupons(request: _Request) -> list[OwnCoupon]:
        """The newest 300."""
        token = of(request, Scope.COUPONS_READ)
        with office.database.read() as connection:
            if token.provider:
                found = issue.of_provider(connection, token.provider, COUPONS_MAX)
            else:
                found = issue.newest(connection, COUPONS_MAX)
        return [_own(one) for one in found]

    def issue_one(request: _Request, data: NewCoupon) -> OwnCoupon:
        token = of(request, Scope.COUPONS_ISSUE)
        at_ms = now_ms()
        terms = msgspec.structs.asdict(data) | {"shops": tuple(sorted(set(data.shops)))}
        campaign = Campaign(id=0, provider=token.provider, **terms)
        if campaign.policy not in _ISSUABLE:
            raise answers.refusal(422, "bad_coupon", problems=["policy: this one can't be issued by the API."])
        try:
            with office.database.write() as connection:
                issued = issue.issue(connection, campaign, at_ms)
                _note(connection, token, audit.What.COUPON_ISSUED, at_ms)
                stands = issue.get(connection, issued.id)
        except IssueError as error:
            raise answers.refusal(422, "bad_coupon", problems=error.problems) from error
        assert stands is not None
        return _own(stands)

    @post("/api/own/coupons", security=TOKEN, **takes(NewCoupon, 401, 403, 422, 429))
    async def issue_coupon(request: _Request) -> OwnCoupon:
        """Issue a coupon in the provider's name."""
        return await sync_to_thread(issue_one, request, await body(request, NewCoupon))

    @post(
        "/api/own/coupons/{number:int}/stop", status_code=200, sync_to_thread=True, security=TOKEN,
        responses=problems(401, 403, 404, 429),
    )  # fmt: skip
    def stop_coupon(request: _Request, number: Number) -> OwnCoupon:
        """Stop one of the provider's own. It can't be taken back."""
        token = of(request, Scope.COUPONS_ISSUE)
        at_ms = now_ms()
        with office.database.write() as connection:
            if not _owns(issue.get(connection, number), token):
                raise answers.refusal(404, "not_found")
            issue.stop(connection, number)
            _note(connection, token, audit.What.COUPON_STOPPED, at_ms)
            stands = issue.get(connection, number)
        assert stands is not None
        return _own(stands)

    return [whose_token, own_analysis, own_redemptions, own_coupons, issue_coupon, stop_coupon]


def _note(connection: Any, token: Token, what: audit.What, at_ms: int) -> None:
    audit.note(connection, Role.PROVIDER, f"{token.provider} ({token.name})", what, at_ms)


def _owns(issued: Issued | None, token: Token) -> bool:
    """Whether a coupon is there for this token. The whole centre's sees every coupon."""
    return issued is not None and (not token.provider or issued.campaign.provider == token.provider)


def _midnight_ms(office: Office, day: str | None) -> int:
    """Where a day begins. Raises ApiRefusal."""
    offset_min = office.settings.utc_offset_min
    try:
        number = days.read(day) if day else days.of(now_ms(), offset_min)
    except ValueError as error:
        raise answers.refusal(400, "bad_request") from error
    return days.starts_ms(number, offset_min)


def _own(issued: Issued) -> OwnCoupon:
    campaign = issued.campaign
    return OwnCoupon(
        id=campaign.id,
        name=campaign.name,
        kind=campaign.kind.value,
        benefit=answers.words(campaign),
        stopped=campaign.stopped,
        stock_left=issued.stock_left,
        given_out=issued.given_out,
        redeemed=issued.redeemed,
        issued_ms=issued.issued_ms,
        download_ends_ms=campaign.download_ends_ms,
        ends_ms=campaign.ends_ms,
    )
