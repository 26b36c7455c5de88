"""API tokens."""

from __future__ import annotations

from typing import Final

WORDS: Final[dict[str, tuple[str, str]]] = {
    "menu.tokens": ("APIトークン", "API tokens"),
    "tokens.title": ("APIトークン", "API tokens"),
    "tokens.lead": (
        "店舗や発行元のプログラムが、その店舗・発行元の情報だけを扱うための鍵です。",
        "Keys by which programs of a shop or a provider handle what is that shop's or provider's, and no more.",
    ),
    "tokens.new": ("新しく発行する", "Issue a token"),
    "tokens.made": (
        "発行しました。表示はこの一度だけです。いま控えてください。",
        "Here it is. It is shown this once: keep it now.",
    ),
    "tokens.trouble": (
        "発行できません。名前（40文字まで）と、その対象に許される権限を1つ以上選んでください。店舗は読み取りの一部、発行・停止は発行元だけです。",
        "It can't be issued. It needs a name of up to 40 characters and at least one right that its owner may have: "
        "a shop may read analysis and redemptions; only a provider may issue.",
    ),
    "tokens.name": ("名前", "Name"),
    "tokens.name.hint": ("何に使うか。例：売上集計", "What it is for, such as “sales report”"),
    "tokens.whose": ("対象", "Whose"),
    "tokens.all": ("全体（読み取りのみ）", "The whole centre (read only)"),
    "tokens.days": ("有効日数", "Days it works"),
    "tokens.scopes": ("権限", "What it may do"),
    "tokens.scope.analysis:read": ("分析を読む", "Read analysis"),
    "tokens.scope.redemptions:read": ("利用と消し込みを読む", "Read redemptions"),
    "tokens.scope.coupons:read": ("クーポンを読む", "Read coupons"),
    "tokens.scope.coupons:issue": ("クーポンを発行・停止する", "Issue and stop coupons"),
    "tokens.issue": ("発行する", "Issue"),
    "tokens.none": ("トークンはありません。", "There are no tokens."),
    "tokens.state": ("状態", "State"),
    "tokens.works": ("有効", "Works"),
    "tokens.revoked": ("失効", "Revoked"),
    "tokens.over": ("期限切れ", "Over"),
    "tokens.expires": ("期限", "Until"),
    "tokens.used": ("最終利用", "Last used"),
    "tokens.by": ("発行者", "Issued by"),
    "tokens.revoke": ("失効させる", "Revoke"),
}
