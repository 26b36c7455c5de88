"""The shapes of the API, and its refusals: {"reason", "detail": {"ja", "en"}} with a status that fits."""

from __future__ import annotations

from typing import Annotated, Any, Final

import msgspec
from litestar import Request

from central.coupons.disputes import Ending
from loyalty.campaign import CAMPAIGN_ID_MAX, Campaign, benefit

TOKEN_CHARS_MAX: Final = 200
NUMBER_MAX: Final = 2**53  # of a row, as JSON can name it exactly


class ApiRefusal(Exception):
    """A clear no, on its way to the client."""

    def __init__(
        self,
        status: int,
        reason: str,
        detail: dict[str, str],
        headers: dict[str, str] | None = None,
        problems: list[str] | None = None,
    ) -> None:
        super().__init__(reason)
        self.status, self.reason, self.detail = status, reason, detail
        self.headers, self.problems = headers or {}, problems or []

    @property
    def body(self) -> dict[str, Any]:
        body: dict[str, Any] = {"reason": self.reason, "detail": self.detail}
        return {**body, "problems": self.problems} if self.problems else body


WORDS: Final[dict[str, dict[str, str]]] = {
    "bad_request": {"ja": "要求の形が正しくありません", "en": "The request is not of the form that is expected"},
    "wrong_login": {"ja": "名前またはパスワードが違います", "en": "The name or the password is wrong"},
    "too_many_tries": {"ja": "しばらくしてからやり直してください", "en": "Too many tries; try again later"},
    "not_logged_in": {"ja": "ログインしてください", "en": "Please log in"},
    "too_many_requests": {"ja": "要求が多すぎます。しばらくお待ちください", "en": "Too many requests; please wait"},
    "scope_missing": {"ja": "このトークンでは許可されていません", "en": "This token may not do that"},
    "bad_coupon": {"ja": "このクーポンは発行できません", "en": "This coupon can't be issued"},
    "too_large": {"ja": "送信された内容が大きすぎます", "en": "Too much was sent"},
    "not_found": {"ja": "見つかりません", "en": "There is nothing here"},
    "no_home": {"ja": "このお店は選べません", "en": "This shop can't be chosen for it"},
    "cannot_end": {"ja": "この案件はそのようには処理できません", "en": "This conflict can't be ended like that"},
    "fault": {"ja": "こちらの不具合です", "en": "It is our fault, and it has been written down"},
    "unavailable": {"ja": "ただいまご利用になれません", "en": "Not available at the moment"},
}


def refusal(
    status: int, reason: str, headers: dict[str, str] | None = None, problems: list[str] | None = None
) -> ApiRefusal:
    return ApiRefusal(status, reason, WORDS[reason], headers, problems)


def bearer(request: Request[Any, Any, Any]) -> str:
    """The token that a request shows. Raises ApiRefusal."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not 0 < len(token) <= TOKEN_CHARS_MAX:
        raise refusal(401, "not_logged_in")
    return token


class Login(msgspec.Struct, forbid_unknown_fields=True):
    name: str
    password: str


class Session(msgspec.Struct):
    token: str
    name: str


class Wanted(msgspec.Struct, forbid_unknown_fields=True):
    campaign: Annotated[int, msgspec.Meta(ge=1, le=CAMPAIGN_ID_MAX)]
    password: str | None = None
    phone: Annotated[str, msgspec.Meta(pattern="^([0-9a-f]{64})?$")] = ""  # its public key, for a code that moves
    home: Annotated[str, msgspec.Meta(max_length=32)] = ""  # policy home: the site that decides about it


class Health(msgspec.Struct):
    incarnation: str
    booked: int


class Words(msgspec.Struct):
    ja: str
    en: str


class OnOffer(msgspec.Struct):
    id: int
    name: str
    kind: str
    benefit: Words
    stock_left: int | None
    download_ends_ms: int | None
    strong_auth: bool
    moving: bool  # the download needs the phone's public key
    needs_card: bool


class Held(msgspec.Struct):
    campaign: int
    name: str
    kind: str
    benefit: Words
    number: int | None
    text: str
    downloaded_ms: int
    expires_ms: int | None
    state: str
    used_ms: int | None
    used_site: str | None
    moving: bool  # `text` is a ticket: the phone adds the time step and its signature (loyalty.barcode.moving)
    needs_card: bool


class RedemptionRow(msgspec.Struct):
    device: str
    epoch: str
    seq: int
    campaign: int
    name: str
    number: int | None
    site: str
    at_ms: int
    at_error_ms: int
    booked_ms: int
    flags: list[str]


class ConflictRow(msgspec.Struct):
    """`first` and `second` are (epoch, number) of facts as `/api/redemptions` names them by unit and epoch."""

    id: int
    kind: str
    campaign: int
    serial: str  # 16 hexadecimal digits; empty: none
    first: tuple[int, int]
    second: tuple[int, int]
    found_ms: int
    rule: str
    charges: str
    charged: str
    amount_yen: int
    state: str
    resolved_ms: int | None
    note: str
    programme: int  # of points; then there is no campaign. 0: it is about a coupon
    holder: str  # whose points: 12 hexadecimal digits; empty: nobody's
    site: str
    points: int  # at stake


class Ended(msgspec.Struct, forbid_unknown_fields=True):
    """How a person ends a conflict."""

    how: Ending
    note: str = ""


class NoticeRow(msgspec.Struct):
    id: int
    kind: str
    campaign: int
    words: Words
    at_ms: int
    seen_ms: int | None


class Seen(msgspec.Struct, forbid_unknown_fields=True):
    """Notices that an operator has seen."""

    ids: Annotated[list[Annotated[int, msgspec.Meta(ge=1, le=NUMBER_MAX)]], msgspec.Meta(max_length=1_000)]


class Done(msgspec.Struct):
    done: int


def words(campaign: Campaign) -> Words:
    return Words(benefit(campaign, "ja"), benefit(campaign, "en"))
