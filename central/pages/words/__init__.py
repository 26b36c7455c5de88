"""What the pages say, in Japanese and English. Each text is (Japanese, English); `{name}` is filled in."""

from __future__ import annotations

from typing import Final

from central.pages.words import analysis, card, consent, frame, offers, person, points, staff, tokens
from loyalty.campaign import Lang
from loyalty.points import EarnRule, Rate, Rounding

Text = tuple[str, str]

EVERY: Final[dict[str, Text]] = {
    **frame.WORDS,
    **person.WORDS,
    **card.WORDS,
    **consent.WORDS,
    **staff.WORDS,
    **points.WORDS,
    **offers.WORDS,
    **analysis.WORDS,
    **tokens.WORDS,
}


def say(key: str, lang: Lang, **values: object) -> str:
    """Raises KeyError for words that do not exist: a fault of the program."""
    text = EVERY[key][0 if lang == "ja" else 1]
    return text.format(**values) if values else text


def move_kind(kind: str, points: int) -> str:
    """The key of what points came or went by."""
    key = f"move.{kind}{'_in' if points > 0 else '_out'}" if kind == "give" else f"move.{kind}"
    return key if key in EVERY else "move.other"


def earn_rule(rule: EarnRule, lang: Lang) -> str:
    """What a shop gives, in words."""
    text = say("rule.words", lang, per_yen=f"{rule.per_yen:,}", points=counted(rule.points, lang))
    return text if rule.rounding is Rounding.DOWN else text + say(f"rule.rounding.{rule.rounding}", lang)


def rate(rate: Rate, lang: Lang) -> str:
    """What points are at a rate, in words."""
    return say("rate.words", lang, yen=f"{rate.yen:,}", points=counted(rate.points, lang))


def counted(points: int, lang: Lang) -> str:
    """So many points, in words."""
    return say("points.count.one" if points == 1 else "points.count", lang, count=f"{points:,}")
