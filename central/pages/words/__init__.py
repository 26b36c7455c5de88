"""What the pages say, in Japanese and English. Each text is (Japanese, English); `{name}` is filled in."""

from __future__ import annotations

from typing import Final

from central.pages.words import analysis, consent, frame, person, staff, tokens
from loyalty.campaign import Lang

Text = tuple[str, str]

EVERY: Final[dict[str, Text]] = {
    **frame.WORDS,
    **person.WORDS,
    **consent.WORDS,
    **staff.WORDS,
    **analysis.WORDS,
    **tokens.WORDS,
}


def say(key: str, lang: Lang, **values: object) -> str:
    """Raises KeyError for words that do not exist: a fault of the program."""
    text = EVERY[key][0 if lang == "ja" else 1]
    return text.format(**values) if values else text
