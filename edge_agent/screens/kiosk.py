"""The pages of a kiosk, turned with two buttons: A, the left one, and B (M6, M12). Pure."""

from __future__ import annotations

from typing import Final

from edge_agent.core.pages import Page, PageKind
from edge_agent.screens.screen import Icon, Screen, Tone
from loyalty.campaign import Lang
from loyalty.cells import printable, shorten
from loyalty.reason import LINE_CELLS

Words = dict[Lang, tuple[str, str]]

TITLE_CELLS: Final = 2 * LINE_CELLS  # what somebody else called it: two lines of it, or its beginning
NEXT: Final[dict[Lang, str]] = {"ja": "A:次へ", "en": "A: next"}
NEXT_OR_TAKE: Final[dict[Lang, str]] = {"ja": "A:次へ B:受け取る", "en": "A: next  B: take"}
HINT: Final[dict[Lang, str]] = {
    "ja": "クーポンをどうぞ\nA:ポイント・お知らせ",
    "en": "Show a coupon, or\nA: points and news",
}
MEMBER: Final[dict[Lang, str]] = {"ja": "会員番号", "en": "Member number"}
POINTS: Final[Words] = {
    "ja": ("ポイント", "{points}ポイント"),
    "en": ("Your points", "{points} points"),
}
OF_CARD: Final[dict[Lang, str]] = {"ja": "カードの記録です", "en": "as your card says"}
TAKE: Final[Words] = {
    "ja": ("受け取り", "スマホで\nまたは\nBボタン"),
    "en": ("Take it", "by phone,\nor press\nB"),
}
TAKEN: Final[Words] = {
    "ja": ("お受取り\nできました", "スマホの会員ページで\nお使いになれます"),
    "en": ("It is yours", "Use it from your page\non your phone."),
}
NOT_TAKEN: Final[Words] = {
    "ja": ("お受取り\nできません", "スマホの会員ページで\nお確かめください"),
    "en": ("Not possible", "Please look on your\npage on your phone."),
}
_ICONS: Final = {
    PageKind.MEMBER: Icon.CARD,
    PageKind.POINTS: Icon.CARD,
    PageKind.COUPON: Icon.PHONE,
    PageKind.BARGAIN: Icon.BASKET,
}


def page(lang: Lang, what: Page) -> Screen:
    """One page, and what the buttons do there."""
    title = shorten(printable(what.title), TITLE_CELLS)
    icon, following = _ICONS[what.kind], NEXT[lang]
    if what.kind is PageKind.MEMBER:
        return Screen(icon=icon, headline=MEMBER[lang], detail=f"{title}\n{following}")
    if what.kind is PageKind.POINTS:
        plain, points = POINTS[lang]
        lines = [points.format(points=f"{what.number:,}"), *([OF_CARD[lang]] if what.of_card else []), following]
        return Screen(icon=icon, headline=title or plain, detail="\n".join(lines))
    return Screen(icon=icon, headline=title, detail=NEXT_OR_TAKE[lang] if what.kind is PageKind.COUPON else following)


def take(lang: Lang, what: Page) -> Screen:
    """A coupon to be taken: the QR for the phone, or the second button."""
    headline, detail = TAKE[lang]
    return Screen(icon=Icon.PHONE, headline=headline, detail=detail, code=what.link)


def taken(lang: Lang, *, given: bool) -> Screen:
    headline, detail = (TAKEN if given else NOT_TAKEN)[lang]
    icon, tone = (Icon.CHECK, Tone.YES) if given else (Icon.CROSS, Tone.NO)
    return Screen(icon=icon, headline=headline, detail=detail, tone=tone)
