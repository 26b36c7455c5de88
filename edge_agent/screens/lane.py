"""The screens around the verdict: the basket of a till, and cards that are not known here. Pure."""

from __future__ import annotations

from typing import Final

from edge_agent.screens.screen import Icon, Screen, Tone
from loyalty.campaign import Lang

Words = dict[Lang, tuple[str, str]]

BASKET: Final[Words] = {
    "ja": ("{yen}円", "クーポンをどうぞ"),
    "en": ("{yen} yen", "Now show your coupons."),
}
PAID: Final[Words] = {
    "ja": ("ありがとう\nございました", "{yen}円引きました"),
    "en": ("Thank you", "{yen} yen off."),
}
PAID_PLAIN: Final[Words] = {
    "ja": ("ありがとう\nございました", "またお越し下さい"),
    "en": ("Thank you", "Please come again."),
}
RELEASED: Final[Words] = {
    "ja": ("お会計は\n中止されました", "クーポンは使われて\nいません"),
    "en": ("Cancelled", "No coupon\nwas used."),
}
FOREIGN_CARD: Final[Words] = {
    "ja": ("このカードは\n使えません", "クーポンをカメラに\nお見せ下さい"),
    "en": ("Unknown card", "Please show a coupon\nto the camera."),
}


def basket(lang: Lang, yen: int) -> Screen:
    """The till's total so far."""
    headline, detail = BASKET[lang]
    return Screen(icon=Icon.PHONE, headline=headline.format(yen=f"{yen:,}"), detail=detail)


def paid(lang: Lang, off_yen: int) -> Screen:
    """The basket is paid; `off_yen` is what its coupons took off."""
    headline, detail = (PAID if off_yen else PAID_PLAIN)[lang]
    return Screen(icon=Icon.CHECK, headline=headline, detail=detail.format(yen=f"{off_yen:,}"), tone=Tone.YES)


def released(lang: Lang) -> Screen:
    """The basket was given up, and its coupons with it."""
    headline, detail = RELEASED[lang]
    return Screen(icon=Icon.CROSS, headline=headline, detail=detail)


def foreign_card(lang: Lang) -> Screen:
    """A card that nobody told this unit about."""
    headline, detail = FOREIGN_CARD[lang]
    return Screen(icon=Icon.CARD, headline=headline, detail=detail)
