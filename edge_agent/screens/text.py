"""Lines of text: where a line may end in Japanese and English, and the best way to fill a box.

Japanese is broken between characters, but never so that a mark stands at the beginning of a line that may not
(JIS X 4051: 、。」ー and small kana among them) or an opening bracket at the end of one, and rather before a
new phrase than inside one. English is broken at spaces. No word is ever cut.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import accumulate, pairwise
from typing import Final, NamedTuple

from edge_agent.screens.fonts import Face, font

LINES_MAX: Final = 3
CHARACTERS_MAX: Final = 120  # of one text; more is not looked at (no box here holds half of it)

NEVER_FIRST: Final = frozenset(
    "、。，．・：；？！゛゜ヽヾゝゞ々ー―…‥’”）〕］｝〉》」』】°′″℃％‰,.:;?!)]}％%"
    "ぁぃぅぇぉっゃゅょゎァィゥェォッャュョヮヵヶｧｨｩｪｫｯｬｭｮｰ､｡｣･"
)
NEVER_LAST: Final = frozenset("‘“（〔［｛〈《「『【([{￥¥＃#｢")

_PHRASE, _MARK, _WORD_END, INSIDE_COST, _COUNTED = 0, 0, 500, 5000, 20000  # what it costs to end a line there


class Wrapped(NamedTuple):
    cost: int  # of its line ends; INSIDE_COST and more: a word of kana or kanji had to be broken
    lines: list[str]


def wrap(text: str, face: Face, width_px: int, lines_max: int = LINES_MAX) -> Wrapped | None:
    """`text` (from `fonts.drawable`) in at most `lines_max` lines of `width_px`; None when it does not fit.

    Of all ways the one with the fewest lines, then the best line ends, then the most even lines.
    """
    parts = [part.strip(" ") for part in text[:CHARACTERS_MAX].split("\n")]
    if len(text) > CHARACTERS_MAX or len(parts) > lines_max:
        return None
    cost = 0
    lines: list[str] = []
    for left, part in zip(range(len(parts) - 1, -1, -1), parts, strict=True):
        filled = _fill(part, face, width_px, lines_max - len(lines) - left)
        if filled is None:
            return None
        cost += filled.cost
        lines += filled.lines
    return Wrapped(cost, lines)


def _fill(text: str, face: Face, width_px: int, lines_max: int) -> Wrapped | None:
    box = _Box(text, face, width_px)
    for count in range(1, lines_max + 1):
        if box.least_px <= count * width_px:
            best = min(box.ways(0, count), default=None)
            if best is not None:
                return Wrapped(best.cost, [text[start:end].rstrip(" ") for start, end in best.spans])
    return None


class _Way(NamedTuple):
    cost: int
    spans: tuple[tuple[int, int], ...]


class _Box:
    """One text and the width that its lines may have. Only line ends that fit are looked at, so the work is
    bounded by how many characters a line can hold, whatever the text."""

    def __init__(self, text: str, face: Face, width_px: int) -> None:
        self._text = text
        self._width_px = width_px
        advances = font(face).advances_px(text)
        self._until = [0, *accumulate(advances)]
        self._solid = [0] * (len(text) + 1)  # the end of the text before `at` without its spaces
        for at, character in enumerate(text, start=1):
            self._solid[at] = self._solid[at - 1] if character == " " else at
        self.least_px = sum(advance for advance, c in zip(advances, text, strict=True) if c != " ")

    def _line_px(self, start: int, end: int) -> int:
        return self._until[max(start, self._solid[end])] - self._until[start]

    def ways(self, start: int, count: int) -> Iterator[_Way]:
        """Each way to break the text from `start` on into `count` lines that fit."""
        for cost, ends in self._ends(start, count):
            spans = tuple(pairwise((start, *ends)))
            widths = [self._line_px(*span) for span in spans]
            yield _Way(cost + sum((max(widths) - width) ** 2 for width in widths) // 8, spans)

    def _ends(self, start: int, count: int) -> Iterator[tuple[int, tuple[int, ...]]]:
        last = len(self._text)
        if count == 1:
            if self._line_px(start, last) <= self._width_px:
                yield 0, (last,)
            return
        for end in range(start + 1, last):
            if self._line_px(start, end) > self._width_px:
                return
            cost = end_cost(self._text, end)
            if cost is not None:
                for rest_cost, rest in self._ends(end, count - 1):
                    yield cost + rest_cost, (end, *rest)


def end_cost(text: str, at: int) -> int | None:
    """What it costs to end a line before `text[at]`; None where no line may end."""
    before, after = text[at - 1], text[at]
    if after == " " or after in NEVER_FIRST or before in NEVER_LAST:
        return None
    if before == " ":
        solid = text[:at].rstrip(" ")
        return None if solid and solid[-1] in NEVER_LAST else _PHRASE
    if _latin(before) and _latin(after):
        return None
    if before in NEVER_FIRST and not _kana(before):
        return _MARK
    if before.isdigit():
        return _COUNTED  # 100円, 3回: a number stays with what it counts
    opens = not _hiragana(after) or (after in "ごお" and at + 1 < len(text) and _kanji(text[at + 1]))
    if _hiragana(before) and opens and before not in "ごお":
        return _PHRASE
    if _kind(before) != _kind(after):
        return _WORD_END
    return INSIDE_COST


def _latin(character: str) -> bool:
    return "!" <= character <= "ÿ"


def _hiragana(character: str) -> bool:
    return "ぁ" <= character <= "ん"


def _kana(character: str) -> bool:
    return "ぁ" <= character <= "ヺ" or character == "ー"


def _kanji(character: str) -> bool:
    return "一" <= character <= "鿿"


def _kind(character: str) -> int:
    if _hiragana(character):
        return 0
    if _kana(character):
        return 1
    return 2 if _kanji(character) else 3
