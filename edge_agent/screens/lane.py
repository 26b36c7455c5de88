"""The screens around the verdict: the basket of a till, and cards that are not known here. Pure."""

from __future__ import annotations

from typing import Final

from edge_agent.screens.screen import Icon, Screen, Tone
from loyalty.campaign import Lang
from loyalty.cells import printable, shorten
from loyalty.reason import LINE_CELLS

Words = dict[Lang, tuple[str, str]]

BASKET: Final[Words] = {
    "ja": ("クーポンを\nどうぞ", "お会計 {yen}円"),
    "en": ("Show your coupon", "Total {yen} yen"),
}
PAID: Final[Words] = {
    "ja": ("ありがとう\nございました", "クーポンのお値引き\n{yen}円"),
    "en": ("Thank you", "You saved\n{yen} yen"),
}
PAID_PLAIN: Final[Words] = {
    "ja": ("ありがとう\nございました", "またお越しください"),
    "en": ("Thank you", "Please come again."),
}
PAYING: Final[Words] = {
    "ja": ("口座で\nお支払い中", "{yen}円\n銀行に確認しています"),
    "en": ("Asking the bank", "{yen} yen\nOne moment, please."),
}
SETTLED: Final[Words] = {
    "ja": ("口座払い完了", "{yen}円"),
    "en": ("Paid by account", "{yen} yen"),
}
SAVED: Final[dict[Lang, str]] = {"ja": "{name}\n値引き{yen}円", "en": "{name}\nSave {yen} yen"}
RELEASED: Final[Words] = {
    "ja": ("お会計は\n取消しです", "クーポンはまた\nお使いになれます"),
    "en": ("Checkout cancelled", "Your coupons can\nbe used again."),
}
EARNED: Final[Words] = {
    "ja": ("ポイントが\nつきました", "{points}ポイント"),
    "en": ("Points for you", "{points} points"),
}
SPENT: Final[Words] = {
    "ja": ("ポイントで\nお支払い", "{points}ポイント"),
    "en": ("Paid with points", "{points} points"),
}
REVERSED: Final[Words] = {
    "ja": ("取消しました", "クーポンとポイントを\nお戻しします"),
    "en": ("Sale taken back", "Coupons and points\ncome back to you."),
}
REVERSED_PART: Final[Words] = {
    "ja": ("一部返品です", "{yen}円の返品を\n受付けました"),
    "en": ("Part taken back", "Goods for {yen} yen\nwere returned."),
}
FOREIGN_CARD: Final[Words] = {
    "ja": ("このカードは\n使えません", "クーポンのコードを\nカメラにお見せ下さい"),
    "en": ("Unknown card", "Please show a coupon\nto the camera."),
}
CARD_OFFER: Final[Words] = {
    "ja": ("会員登録", "スマホで\n読取って\nください"),
    "en": ("Your card", "Scan with\na phone"),
}
CARD_GIVEN: Final[Words] = {
    "ja": ("会員カードが\nできました", "会員番号\n{number}"),
    "en": ("Your card is ready", "Member number\n{number}"),
}


def basket(lang: Lang, yen: int) -> Screen:
    """The till's total so far."""
    headline, detail = BASKET[lang]
    return Screen(icon=Icon.BASKET, headline=headline, detail=detail.format(yen=f"{yen:,}"))


def paid(lang: Lang, off_yen: int) -> Screen:
    """The basket is paid; `off_yen` is what its coupons took off."""
    headline, detail = (PAID if off_yen else PAID_PLAIN)[lang]
    strong = 1 if off_yen else None
    text = detail.format(yen=f"{off_yen:,}")
    return Screen(icon=Icon.CHECK, headline=headline, detail=text, strong=strong, tone=Tone.YES)


def paying(lang: Lang, yen: int) -> Screen:
    """The bank is being asked."""
    headline, detail = PAYING[lang]
    return Screen(icon=Icon.WAIT, headline=headline, detail=detail.format(yen=f"{yen:,}"))


def settled(lang: Lang, debit_yen: int, coupon: str, saved_yen: int) -> Screen:
    """The bank debited; `coupon` is the name of the one that was used (B6), empty: none was, or it is not known."""
    headline, detail = SETTLED[lang]
    text = detail.format(yen=f"{debit_yen:,}")
    if saved_yen:
        name = shorten(printable(coupon), LINE_CELLS)
        text += "\n" + SAVED[lang].format(name=name, yen=f"{saved_yen:,}").lstrip("\n")
    return Screen(icon=Icon.CHECK, headline=headline, detail=text, strong=0, tone=Tone.YES)


def released(lang: Lang) -> Screen:
    """The basket was given up, and its coupons with it."""
    headline, detail = RELEASED[lang]
    return Screen(icon=Icon.BASKET, headline=headline, detail=detail)


def points(lang: Lang, number: int, *, spent: bool) -> Screen:
    """Points were earned or spent."""
    headline, detail = (SPENT if spent else EARNED)[lang]
    text = detail.format(points=f"{number:,}")
    return Screen(icon=Icon.CHECK, headline=headline, detail=text, strong=0, tone=Tone.YES)


def reversed_sale(lang: Lang, part_yen: int) -> Screen:
    """A sale was taken back; `part_yen`: that much of its price, 0: the whole of it."""
    headline, detail = (REVERSED_PART if part_yen else REVERSED)[lang]
    text = detail.format(yen=f"{part_yen:,}")
    return Screen(icon=Icon.CHECK, headline=headline, detail=text, tone=Tone.YES)


def card_offer(lang: Lang, link: str) -> Screen:
    """Somebody wants a card: the QR with which they go on, on their phone."""
    headline, detail = CARD_OFFER[lang]
    return Screen(icon=Icon.CARD, headline=headline, detail=detail, code=link)


def card_given(lang: Lang, number: str) -> Screen:
    """The card is written; `number`: its holder's."""
    headline, detail = CARD_GIVEN[lang]
    shown = f"{number[:4]} {number[4:7]} {number[7:]}"
    return Screen(icon=Icon.CHECK, headline=headline, detail=detail.format(number=shown), strong=1, tone=Tone.YES)


def foreign_card(lang: Lang) -> Screen:
    """A card that nobody told this unit about."""
    headline, detail = FOREIGN_CARD[lang]
    return Screen(icon=Icon.CARD, headline=headline, detail=detail, tone=Tone.NO)
