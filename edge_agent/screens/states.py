"""Every state of the unit as a `Screen`, in Japanese and English.

The words of a verdict are `loyalty.reason.sentence`'s; the others are here. Pure.
"""

from __future__ import annotations

from typing import Final

from edge_agent.core.effects import Show, View
from edge_agent.screens import lane
from edge_agent.screens.screen import Icon, Screen, Status, Tone
from loyalty.campaign import Lang
from loyalty.coupon import Verdict
from loyalty.reason import Reason, sentence, short_benefit

ANSWERS: Final = {
    Reason.OK: (Icon.CHECK, Tone.YES),
    Reason.OK_AGAIN: (Icon.CHECK, Tone.YES),
    Reason.RESERVED: (Icon.CHECK, Tone.YES),
    Reason.UNCONFIRMED: (Icon.WAIT, Tone.PLAIN),
    Reason.BUSY: (Icon.WAIT, Tone.PLAIN),
    Reason.OUT_OF_SERVICE: (Icon.WRENCH, Tone.NO),
}  # every other reason is a plain no

Words = dict[Lang, tuple[str, str]]

READY: Final[Words] = {
    "ja": ("クーポンを\nどうぞ", "カメラにお見せ下さい"),
    "en": ("Show your coupon", "to the camera"),
}
SEEN: Final[Words] = {"ja": ("読み取り中", "そのままお待ち下さい"), "en": ("Reading", "Please hold it still.")}
CHECKING: Final[Words] = {"ja": ("確認中です", "少々お待ちください"), "en": ("Checking", "One moment, please.")}
ASKING: Final[Words] = {
    "ja": ("センターに確認中", "少々お待ちください"),
    "en": ("Asking the centre", "One moment, please."),
}
STARTING: Final[Words] = {"ja": ("起動中です", "少々お待ちください"), "en": ("Starting", "One moment, please.")}
UPDATING: Final[Words] = {
    "ja": ("更新中です", "電源を切らないで\nください"),
    "en": ("Updating", "Please don't turn\nthe power off."),
}
OUT_OF_SERVICE: Final[Words] = {
    "ja": ("ただいま休止中です", "係員をお呼びください"),
    "en": ("Out of service", "Please call the staff."),
}
CARD_WRITING: Final[Words] = {
    "ja": ("カードに\n書込み中です", "抜かずにお待ち下さい"),
    "en": ("Writing the card", "Please leave it in."),
}
CARD: Final[Words] = {"ja": ("ようこそ", "クーポンをどうぞ"), "en": ("Welcome", "Now show a coupon.")}


def screen_for(show: Show, lang: Lang, tz_offset_min: int, status: Status) -> Screen:
    """The screen of an effect of the core. `status` is for the views that carry the bar."""
    match show.view:
        case View.READY:
            return ready(lang, status)
        case View.ASKING:
            return asking(lang)
        case View.VERDICT:
            assert show.verdict is not None, "a view of a verdict has one"
            return answer(show.verdict, lang, tz_offset_min)
        case View.FOREIGN_CARD:
            return lane.foreign_card(lang)
        case View.KNOWN_CARD:
            return card_greeting(lang)
        case View.CARD_WRITING:
            return _screen(Icon.WAIT, CARD_WRITING[lang])
        case View.CARD_OFFER:
            return lane.card_offer(lang, show.detail)
        case View.CARD_GIVEN:
            return lane.card_given(lang, show.detail)
        case View.BASKET:
            return lane.basket(lang, show.number)
        case View.PAID:
            return lane.paid(lang, show.number)
        case View.PAYING:
            return lane.paying(lang, show.number)
        case View.SETTLED:
            used, saved_yen = (show.verdict.campaign, show.verdict.discount_yen or 0) if show.verdict else (None, 0)
            return lane.settled(lang, show.number, used.name if used is not None else "", saved_yen)
        case View.EARNED | View.SPENT:
            return lane.points(lang, show.number, spent=show.view is View.SPENT)
        case View.REVERSED:
            return lane.reversed_sale(lang, show.number)
        case View.RELEASED:
            return lane.released(lang)
        case View.OUT_OF_SERVICE:
            return out_of_service(lang, status)


def ready(lang: Lang, status: Status) -> Screen:
    """Idle: an invitation, and the bar for whoever looks after the unit."""
    return _screen(Icon.PHONE, READY[lang], status=status)


def seen(lang: Lang, step: int = 0) -> Screen:
    """Something stands before the camera and is being read. `step` turns the icon."""
    return _screen(Icon.WAIT, SEEN[lang], step=step)


def checking(lang: Lang, step: int = 0) -> Screen:
    return _screen(Icon.WAIT, CHECKING[lang], step=step)


def asking(lang: Lang, step: int = 0) -> Screen:
    """The centre was asked; the answer has a time limit."""
    return _screen(Icon.WAIT, ASKING[lang], step=step)


def starting(lang: Lang, step: int = 0) -> Screen:
    return _screen(Icon.WAIT, STARTING[lang], step=step)


def answer(verdict: Verdict, lang: Lang, tz_offset_min: int) -> Screen:
    """Yes or no, and why (K5); 'hold it still' and 'one moment' are neither."""
    words = sentence(verdict, lang, tz_offset_min)
    icon, tone = ANSWERS.get(verdict.reason, (Icon.CROSS, Tone.NO))
    given = "" if verdict.campaign is None else short_benefit(verdict.campaign, lang)
    lines = words.detail.split("\n")
    strong = lines.index(given) if tone is Tone.YES and given in lines else None
    return Screen(icon=icon, headline=words.headline, detail=words.detail, strong=strong, tone=tone)


def card_greeting(lang: Lang, detail: str = "") -> Screen:
    """A card was put in. `detail`: what is known of it; empty: what to do next."""
    headline, next_step = CARD[lang]
    return _screen(Icon.CARD, (headline, detail or next_step))


def out_of_service(lang: Lang, status: Status | None = None) -> Screen:
    return _screen(Icon.WRENCH, OUT_OF_SERVICE[lang], status=status)


def updating(lang: Lang, percent: int | None = None) -> Screen:
    """`percent`: 0..100, None while it is not known."""
    headline, detail = UPDATING[lang]
    return Screen(icon=Icon.UPDATE, headline=headline, detail=detail, progress=percent)


def _screen(icon: Icon, words: tuple[str, str], *, step: int = 0, status: Status | None = None) -> Screen:
    headline, detail = words
    return Screen(icon=icon, headline=headline, detail=detail, step=step, status=status)
