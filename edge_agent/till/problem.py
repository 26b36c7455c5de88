"""Refusals of the till's interface: problem details (RFC 9457) with a stable reason and a sentence in both languages.

A coupon that does not count is no problem: it is an answer (`core.receipt.CouponView`).
"""

from __future__ import annotations

from typing import Final, NamedTuple

import msgspec

from edge_agent.core.receipt import SaleView, TillReason, Words
from edge_agent.till.shapes import Problem

MEDIA_TYPE: Final = "application/problem+json"
TYPE: Final = "/v1/problems/"
DETAIL_CHARS_MAX: Final = 300


class Told(NamedTuple):
    status: int
    words: Words


PROBLEMS: Final[dict[str, Told]] = {
    # what the lane says
    TillReason.NOT_A_LANE: Told(409, Words("この端末はレジ用ではありません。", "This unit is a kiosk, not a lane.")),
    TillReason.OUT_OF_SERVICE: Told(
        503, Words("記録できないため休止中です。", "Out of service: nothing can be stored at the moment.")
    ),
    TillReason.BUSY: Told(409, Words("前の処理をしています。もう一度どうぞ。", "Still at work; try again.")),
    TillReason.OTHER_SALE: Told(409, Words("別のお会計が開いています。", "Another sale is open at this lane.")),
    TillReason.UNKNOWN_SALE: Told(
        404, Words("このお会計は開いていません。もう一度開いてください。", "This sale is not open here; open it again.")
    ),
    TillReason.SALE_OPEN: Told(
        409, Words("お会計前です。取消ではなく中止してください。", "The sale is not paid yet: cancel it instead.")
    ),
    TillReason.SALE_PAID: Told(409, Words("このお会計は支払い済みです。", "The sale is paid already.")),
    TillReason.SALE_CANCELLED: Told(409, Words("このお会計は中止されています。", "The sale was cancelled.")),
    TillReason.BAD_LINES: Told(422, Words("明細の金額か税率が正しくありません。", "No purchase can have such lines.")),
    TillReason.PAYMENT_UNDER_WAY: Told(409, Words("お支払いの処理中です。", "A payment is under way.")),
    TillReason.NO_MEMBER: Told(422, Words("会員カードが入っていません。", "No member's card is in the slot.")),
    TillReason.NO_WORTH: Told(422, Words("このポイントは支払いに使えません。", "Such points buy nothing here.")),
    TillReason.TOO_MANY_POINTS: Told(
        422, Words("ポイントがお支払い額を超えています。", "The points are worth more than what is to be paid.")
    ),
    TillReason.POINTS_AND_ACCOUNT: Told(
        422, Words("ポイントと口座払いは併用できません。", "Points and a bank account can't pay together.")
    ),
    TillReason.NO_REVERSAL: Told(
        409, Words("この取消はできません。", "That can't be taken back, or the id stands for another reversal.")
    ),
    TillReason.REFUSED: Told(402, Words("お支払いができませんでした。", "The payment was refused; `failed` says why.")),
    # what the interface itself says
    "bad_request": Told(400, Words("要求の形が正しくありません。", "The request is not of the form that is expected.")),
    "no_token": Told(401, Words("トークンが必要です。", "A token is needed, and this is not it.")),
    "forbidden": Told(403, Words("この接続元からは使えません。", "Not from there: another page's, or another name's.")),
    "not_found": Told(404, Words("見つかりません。", "There is nothing here.")),
    "not_allowed": Told(405, Words("この操作はできません。", "That can't be done to it.")),
    "too_slow": Told(408, Words("送信が遅すぎます。", "The request took too long to arrive.")),
    "too_large": Told(413, Words("要求が大きすぎます。", "The request is too large.")),
    "not_json": Told(415, Words("JSONで送ってください。", "The body must be JSON.")),
    "overloaded": Told(503, Words("混み合っています。もう一度どうぞ。", "Too much at once; try again.")),
    "no_answer": Told(503, Words("応答がありません。もう一度どうぞ。", "The lane did not answer; say it again.")),
    "fault": Told(500, Words("内部エラーです。", "A fault of ours; the log says more.")),
}
BY_STATUS: Final = {
    400: "bad_request", 401: "no_token", 403: "forbidden", 404: "not_found", 405: "not_allowed", 413: "too_large",
    415: "not_json", 422: "bad_request", 503: "overloaded",
}  # fmt: skip
"""What the framework says by a status alone."""


class TillProblem(Exception):
    """A refusal on its way to the till."""

    def __init__(self, reason: str, detail: str = "", sale: SaleView | None = None) -> None:
        super().__init__(reason)
        self.reason, self.detail, self.sale = reason, detail, sale


def problem(reason: str, detail: str = "", sale: SaleView | None = None) -> Problem:
    """The body. `detail`: what exactly, for whoever builds the till."""
    told = PROBLEMS[reason]
    return Problem(
        type=TYPE + reason,
        title=told.words.en,
        status=told.status,
        reason=reason,
        words=told.words,
        detail=detail[:DETAIL_CHARS_MAX],
        sale=sale,
    )


def encoded(reason: str, detail: str = "") -> bytes:
    return msgspec.json.encode(problem(reason, detail))
