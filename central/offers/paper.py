"""Letters for the printer (M9): one PDF, a page for each person with a postal address and no confirmed mail address.

A page is A4, folded twice to go into a 長形3号 envelope (JIS S 5502: 120 x 235 mm) with a window: the address stands
22 mm from the left and 14 mm from the top. The font is embedded, so a page prints the same everywhere. Text that does
not fit is shrunk or cut with an ellipsis, never printed over something else.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import msgspec
from fontTools.ttLib import TTLibError
from fpdf import FPDF
from fpdf.errors import FPDFException
from sqlalchemy import Select, exists, select

from central import audit
from central.db.database import Database
from central.db.schema import mail_addresses, offer_picks, persons, postal_addresses
from central.offers import letter, told, words
from central.offers.addresses import PostalAddress
from central.offers.told import Pick
from central.staff import Role
from loyalty.campaign import Lang

FONTS: Final = (
    "/usr/share/fonts/opentype/ipaexfont-gothic/ipaexg.ttf",
    "/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc",
)
LETTERS_AT_ONCE: Final = 200  # people of one look at the database
LETTERS_MAX: Final = 20_000  # in one file
BODY_LINES_MAX: Final = 2
_LEFT, _TOP, _WIDTH = 22.0, 14.0, 85.0  # mm: what the window shows
_TEXT_LEFT, _TEXT_TOP, _TEXT_WIDTH, _END_TOP = 22.0, 102.0, 166.0, 283.0  # below the first fold
_PT: Final = 0.3528  # mm


class PaperError(Exception):
    """Letters can't be printed; the message says what is missing."""


class Letter(msgspec.Struct, frozen=True, kw_only=True):
    """One person's letter."""

    person_id: int
    holder: int
    to: PostalAddress
    picks: list[Pick]


def font(named: str) -> Path:
    """The font file of the settings, or the first that is there. Raises PaperError."""
    for path in map(Path, (named,) if named else FONTS):
        if path.is_file():
            return path
    raise PaperError(
        f"{named} is not there"
        if named
        else "no font with Japanese: apt install fonts-ipaexfont-gothic, or letter_font"
    )


def for_run(database: Database, run_id: int, who: str, now_ms: int) -> Iterator[Letter]:
    """The letters of a run, by person. Each stands in the audit log before it is given. Raises StorageError."""
    after = 0
    for _ in range(LETTERS_MAX // LETTERS_AT_ONCE):
        found: list[Letter] = []
        with database.write() as connection:
            rows = connection.execute(_next_people(run_id, after)).all()
            for row in rows:
                to = PostalAddress(**{name: getattr(row, name) for name in PostalAddress.__struct_fields__})
                picks = told.of_person(connection, row.id, now_ms, run_id)
                if picks:
                    audit.note(connection, Role.OPERATOR, who, audit.What.LETTER_PRINTED, now_ms, row.holder)
                    found.append(Letter(person_id=row.id, holder=row.holder, to=to, picks=picks))
        yield from found
        if len(rows) < LETTERS_AT_ONCE:
            return
        after = rows[-1].id


def _next_people(run_id: int, after: int) -> Select[Any]:
    mailed = exists().where(mail_addresses.c.person_id == persons.c.id, mail_addresses.c.confirmed_ms.is_not(None))
    picked = exists().where(offer_picks.c.person_id == persons.c.id, offer_picks.c.run_id == run_id)
    columns = [postal_addresses.c[name] for name in PostalAddress.__struct_fields__]
    return (
        select(persons.c.id, persons.c.holder, *columns)
        .join_from(postal_addresses, persons)
        .where(persons.c.id > after, picked, ~mailed)
        .order_by(persons.c.id)
        .limit(LETTERS_AT_ONCE)
    )


class Paper:
    """A PDF that letters are added to."""

    def __init__(self, font_file: Path, sender: str, utc_offset_min: int) -> None:
        """Raises PaperError."""
        self._pdf = FPDF(format="A4")
        self._pdf.set_auto_page_break(False)
        self._pdf.c_margin = 0
        self._sender, self._offset = sender, utc_offset_min
        try:
            self._pdf.add_font("jp", "", font_file)
        except (FPDFException, TTLibError, OSError, ValueError, KeyError) as error:
            raise PaperError(f"{font_file} is no font that can be embedded: {error}") from error
        self.pages = 0

    def add(self, one: Letter, now_ms: int) -> None:
        """One page."""
        lang, to = one.to.lang, one.to
        self._pdf.add_page()
        self.pages += 1
        y = self._line(_LEFT, _TOP, _WIDTH, f"〒{to.postcode}", 10)
        for line in to.lines.splitlines():
            y = self._line(_LEFT, y, _WIDTH, line, 10)
        self._line(_LEFT, y + 2, _WIDTH, words.say("letter.honorific", lang, name=to.name), 13)
        y = 16.0
        for line in self._sender.replace("\\n", "\n").splitlines()[:2]:
            y = self._line(130, y, 60, line, 9, align="R")
        self._line(130, y, 60, letter.day(self._offset, now_ms, lang), 9, align="R")
        y = self._line(_TEXT_LEFT, _TEXT_TOP, _TEXT_WIDTH, words.say("letter.subject", lang, name=to.name), 15)
        y = self._block(_TEXT_LEFT, y + 3, _TEXT_WIDTH, words.say("letter.lead", lang), 10.5, 2) + 3
        for pick in one.picks:
            y = self._offer(pick, y, lang)
        self._block(_TEXT_LEFT, _END_TOP, _TEXT_WIDTH, words.say("letter.end", lang), 8, 2)

    def _offer(self, pick: Pick, y: float, lang: Lang) -> float:
        self._pdf.set_draw_color(170, 160, 140)
        self._pdf.line(_TEXT_LEFT, y, _TEXT_LEFT + _TEXT_WIDTH, y)
        y = self._line(_TEXT_LEFT, y + 2, _TEXT_WIDTH, pick.title, 13)
        until = words.say("until", lang, day=letter.day(self._offset, pick.until_ms - 1, lang))
        y = self._line(_TEXT_LEFT, y, _TEXT_WIDTH, f"{pick.shop}  {until}", 9.5)
        if pick.body:
            y = self._block(_TEXT_LEFT, y + 0.5, _TEXT_WIDTH, " ".join(pick.body.split()), 10, BODY_LINES_MAX)
        return self._line(_TEXT_LEFT, y + 0.5, _TEXT_WIDTH, words.reason(pick, lang), 8.5) + 2.5

    def _line(self, x: float, y: float, width: float, text: str, size_pt: float, align: str = "L") -> float:
        """One line, shrunk to two thirds at most; gives where the next one begins."""
        self._pdf.set_font("jp", size=size_pt)
        shrunk = size_pt
        while self._pdf.get_string_width(text) > width and shrunk > size_pt * 2 / 3:
            shrunk -= 0.5
            self._pdf.set_font("jp", size=shrunk)
        self._write(x, y, width, self._cut(text, width), size_pt, align)
        return y + size_pt * _PT * 1.5

    def _block(self, x: float, y: float, width: float, text: str, size_pt: float, most: int) -> float:
        """A text in lines, at most so many."""
        self._pdf.set_font("jp", size=size_pt)
        for number in range(most):
            fits = len(text) if number == most - 1 else self._fitting(text, width)
            self._write(x, y, width, self._cut(text[:fits].strip(), width), size_pt, "L")
            y += size_pt * _PT * 1.5
            text = text[fits:].strip()
            if not text:
                break
        return y

    def _fitting(self, text: str, width: float) -> int:
        """How many characters go into one line; English breaks between words."""
        fits = next((n for n in range(1, len(text) + 1) if self._pdf.get_string_width(text[:n]) > width), len(text) + 1)
        if fits > len(text):
            return len(text)
        space = text.rfind(" ", 0, fits)
        return space + 1 if space > 0 and text[fits - 1].isascii() else fits - 1

    def _cut(self, text: str, width: float) -> str:
        if self._pdf.get_string_width(text) <= width:
            return text
        while text and self._pdf.get_string_width(text + "…") > width:
            text = text[:-1]
        return text + "…"

    def _write(self, x: float, y: float, width: float, text: str, size_pt: float, align: str) -> None:
        self._pdf.set_xy(x, y)
        self._pdf.cell(width, size_pt * _PT * 1.3, text, align=align)

    def bytes(self) -> bytes:
        """The file."""
        return bytes(self._pdf.output())
