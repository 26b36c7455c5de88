"""Why a scan was answered as it was: one code for each reason, and its sentence for the small display.

The codes are stored, sent and shown; they are never renamed. `sentence` gives the words (K5: 'valid, or
not and why'), which stand in `loyalty.words`. `log_prefix` is the only form in which the text of a code may be
written to a log.
"""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from enum import StrEnum
from typing import TYPE_CHECKING, Final

import msgspec

from loyalty.campaign import PER_PERSON_MAX, YEN_MAX, Campaign, Lang, benefit
from loyalty.cells import cells, printable, shorten
from loyalty.terms import Unit
from loyalty.words import WORDS

if TYPE_CHECKING:
    from loyalty.basket import Missing
    from loyalty.coupon import Verdict

HEADLINE_CELLS: Final = 20  # half-width cells: 10 full-width
LINE_CELLS: Final = 20
LINES_MAX: Final = 3
LOG_PREFIX_CHARS: Final = 13  # of a code of ours: version, key and campaign, and nothing of the serial


class Reason(StrEnum):
    """Every answer a unit can give to something held in front of its camera."""

    # yes
    OK = "ok"
    OK_AGAIN = "ok_again"  # decided before a power cut, never shown: the same yes once more
    RESERVED = "reserved"  # counts when the basket is paid
    # what is wrong with the text
    NOT_A_COUPON = "not_a_coupon"
    CHECK_DIGIT = "check_digit"
    INCOMPLETE = "incomplete"  # cut off: too short for what it says it is
    DAMAGED = "damaged"  # characters that can't stand there
    MISPRINTED = "misprinted"  # well read, and what it says breaks a rule: whoever printed it must know
    UNKNOWN_VERSION = "unknown_version"
    UNKNOWN_KEY = "unknown_key"
    KEY_RETIRED = "key_retired"
    NOT_GENUINE = "not_genuine"  # the signature does not fit: forged or misread
    UNCONFIRMED = "unconfirmed"  # an unsigned linear code seen in one picture only
    # what the campaign says
    UNKNOWN_CAMPAIGN = "unknown_campaign"
    STOPPED = "stopped"
    REVOKED = "revoked"  # this coupon alone, or everything of its holder: a lost phone or card
    NOT_YET = "not_yet"
    EXPIRED = "expired"
    USED = "used"
    PERSON_LIMIT = "person_limit"
    CAP_REACHED = "cap_reached"
    WRONG_SHOP = "wrong_shop"
    MIN_SPEND = "min_spend"
    NEEDS_BASKET = "needs_basket"  # a minimum spend, and no basket is open
    WRONG_HOLDER = "wrong_holder"  # the card in the slot belongs to somebody else
    NOT_DOWNLOADED = "not_downloaded"  # validly signed, but the centre never gave it out
    NEEDS_CARD = "needs_card"  # counts with the holder's card in the slot, and none is
    STALE = "stale"  # a moving code that was on the screen too long ago, or counted already
    NEEDS_GOODS = "needs_goods"  # the basket lacks the goods that the code asks for
    NEEDS_STAFF = "needs_staff"  # the code asks for something that a person must look at
    # what is wrong with the card in the slot
    CARD_OLD = "card_old"  # a newer one was given out in its place (M2)
    CARD_BLOCKED = "card_blocked"  # it was reported lost
    CARD_UNREADABLE = "card_unreadable"  # torn, forged, or copied from another tag
    CARD_SUSPECT = "card_suspect"  # it says less than it said before: an old state was written back
    CARD_NOT_WRITTEN = "card_not_written"  # it was pulled away, or it refused: nothing counted
    NO_CARD_NOW = "no_card_now"  # the centre gives out no card at the moment, or not on this tag
    # what the unit can't do at the moment
    CLOCK_UNTRUSTED = "clock_untrusted"
    NOT_NOW = "not_now"  # only the centre decides, and it did not answer in time
    NO_PART = "no_part"  # this unit's part of the cap is used up, and the centre did not answer
    NOT_HOME = "not_home"  # the serial may be decided at its home alone, and that could not be asked
    NO_POINTS = "no_points"  # more points than may be spent here without the centre
    BUSY = "busy"
    NO_REVERSAL = "no_reversal"  # the till asks for a reversal that can't be, or names another one by the same id
    # payment by bank account
    NO_FUNDS = "no_funds"
    NO_ACCOUNT = "no_account"  # not known, or closed: here or at the bank
    DECLINED = "declined"  # the bank said no, and not why
    IN_DOUBT = "in_doubt"  # the bank did not answer: settled or given back later, never debited twice
    OUT_OF_SERVICE = "out_of_service"


ACCEPTING = frozenset({Reason.OK, Reason.OK_AGAIN, Reason.RESERVED})


class Sentence(msgspec.Struct, frozen=True):
    """What the display says. Widths are in half-width cells as `loyalty.cells` counts them."""

    headline: str  # at most HEADLINE_CELLS
    detail: str  # at most LINES_MAX lines of at most LINE_CELLS, with line feeds between them


def sentence(verdict: Verdict, lang: Lang, tz_offset_min: int) -> Sentence:
    """The words for `verdict`, its times in the zone that is `tz_offset_min` minutes ahead of UTC (Japan: 540).

    Whatever the verdict holds, the result fits: names are shortened, amounts and counts above the limits of a
    campaign show as 'more than', and times outside the years 1970 to 9999 as the nearest one inside.
    """
    headline, *templates = WORDS[lang][verdict.reason]
    values = _values(verdict, lang, tz_offset_min)
    lines = (_line(template, values) for template in templates)
    return Sentence(headline, "\n".join(line for line in lines if line))


def _values(verdict: Verdict, lang: Lang, tz_offset_min: int) -> dict[str, str]:
    """The values for the braces of `loyalty.words`; empty: the verdict does not have it."""
    campaign, at_ms = verdict.worth, verdict.at_ms
    return {
        "name": printable(campaign.name) if campaign is not None else "",
        "goods": _goods(verdict.missing, lang) if verdict.missing is not None else "",
        "benefit": short_benefit(campaign, lang) if campaign is not None else "",
        "site": printable(verdict.site),
        "discount": _number(verdict.discount_yen or 0, YEN_MAX),
        "needed": _number(verdict.needed_yen, YEN_MAX),
        "limit": _number((campaign.per_person or 0) if campaign is not None else 0, PER_PERSON_MAX),
        "at": _instant(at_ms, lang, tz_offset_min) if at_ms is not None else "",
        "from": _instant(at_ms, lang, tz_offset_min) if at_ms is not None else "",
        "until": _last_day(at_ms, lang, tz_offset_min) if at_ms is not None else "",
    }


_GOODS: Final[dict[Lang, dict[Unit, str]]] = {
    "ja": {
        Unit.ITEMS: "あと{0}点",
        Unit.SPENT: "あと{0}円分",
        Unit.POUNDS: "あと{1}ポンド",
        Unit.KILOGRAMS: "あと{0}g",
    },
    "en": {
        Unit.ITEMS: "{0} more items",
        Unit.SPENT: "{0} yen more",
        Unit.POUNDS: "{1} lb more",
        Unit.KILOGRAMS: "{0} g more",
    },
}


def _goods(lack: Missing, lang: Lang) -> str:
    """What the basket lacks, in the unit of the purchase; pounds come in hundredths."""
    template = _GOODS[lang].get(lack.purchase.unit, "")
    return template.format(_number(lack.value, YEN_MAX), f"{lack.value // 100}.{lack.value % 100:02}")


def short_benefit(campaign: Campaign, lang: Lang) -> str:
    """What the shopper gets, in one line of the display where that can be: a long gift goes without the word for it."""
    whole = printable(benefit(campaign, lang))
    return whole if cells(whole) <= LINE_CELLS or not campaign.gift else printable(campaign.gift)


_ELASTIC: Final = frozenset({"name", "benefit", "site"})


def _line(template: str, values: dict[str, str]) -> str:
    """`template` with its value, in at most LINE_CELLS; empty if the value is. A template holds at most one."""
    before, brace, rest = template.partition("{")
    if not brace:
        return template
    field, _, after = rest.partition("}")
    value = values[field]
    if field in _ELASTIC:
        value = shorten(value, LINE_CELLS - cells(before) - cells(after))
    return f"{before}{value}{after}" if value else ""


def _number(value: int, most: int) -> str:
    if value <= 0:
        return ""
    return f"{value:,}" if value <= most else f"{most:,}+"


_TIME_MS_LAST: Final = 253_370_764_800_000  # the beginning of the year 9999: every zone's clock still has four digits


def _local(at_ms: int, tz_offset_min: int) -> datetime:
    zone = timezone(timedelta(minutes=max(-1439, min(tz_offset_min, 1439))))
    seconds = max(0, min(at_ms, _TIME_MS_LAST)) // 1000
    return datetime.fromtimestamp(seconds, zone)


def _date(local: datetime, lang: Lang) -> str:
    if lang == "ja":
        return f"{local.year:04}/{local.month}/{local.day}"
    return f"{local.day} {_MONTHS[local.month - 1]} {local.year:04}"


_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def _instant(at_ms: int, lang: Lang, tz_offset_min: int) -> str:
    local = _local(at_ms, tz_offset_min)
    return f"{_date(local, lang)} {local.hour}:{local.minute:02}"


def _last_day(at_ms: int, lang: Lang, tz_offset_min: int) -> str:
    """The end of a time that ends at `at_ms`: at midnight, the day before; else that instant."""
    local = _local(at_ms, tz_offset_min)
    if (local.hour, local.minute, local.second) == (0, 0, 0):
        return _date(local - timedelta(days=1), lang)
    return _instant(at_ms, lang, tz_offset_min)


def log_prefix(text: bytes | str) -> str:
    """`text` as it may stand in a log: its first characters, at most a third of it, and how long it is.

    Of a code of ours the prefix tells version, key and campaign; nothing of serial, holder or signature is in
    it. Characters outside printable ASCII show as a dot, so that a code can't write lines or colours of its own.
    """
    start = text[: min(LOG_PREFIX_CHARS, len(text) // 3)]
    shown = start.decode("latin-1") if isinstance(start, bytes) else start
    return "".join(c if " " <= c <= "~" else "." for c in shown) + f"…({len(text)})"
