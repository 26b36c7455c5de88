"""Writing a member card, page by page, reading it back, and saying what became of it.

`DONE` is said of what was read back, `UNDONE` of a card that was read back and says what it said before, or that was
never touched; anything else is `DOUBT`. A page that the card refuses is tried again; a card that is gone is not waited
for. Whatever happens, there is an answer, after a bounded number of transfers.
"""

from __future__ import annotations

from typing import Final

import msgspec

from hal.card import CardReader
from hal.errors import CardGone, CardRefused, HalError
from loyalty.card_slots import USER_FIRST_PAGE, USER_PAGES, Chip, Found, Plan, look
from wire.facts import Outcome

TRIES: Final = 3  # of one page


class CardJob(msgspec.Struct, frozen=True, kw_only=True):
    """A write that was asked for."""

    id: bytes
    uid: bytes
    chip: Chip
    plan: Plan
    before: Found | None
    key: bytes  # the programme's


def write(reader: CardReader, job: CardJob) -> Outcome:
    """Blocks for the transfers of one card, tens of milliseconds."""
    touched = False
    try:
        for page in job.plan.writes:
            touched = True
            _page(reader, job.uid, page.page, page.data)
        if reader.read(job.uid, job.plan.first_page, len(job.plan.writes)) == job.plan.data:
            return Outcome.DONE
    except CardGone:
        return Outcome.DOUBT
    except HalError:
        pass  # the card may still be there: it is asked what it says
    try:
        memory = reader.read(job.uid, USER_FIRST_PAGE, USER_PAGES[job.chip])
    except HalError:
        return Outcome.DOUBT if touched else Outcome.UNDONE
    found = look(memory, job.chip, job.uid, (job.key,)).found
    if found == Found(job.plan.record, job.plan.slot):
        return Outcome.DONE
    return Outcome.UNDONE if _says_the_old(found, job.before) else Outcome.DOUBT


def _says_the_old(found: Found | None, before: Found | None) -> bool:
    """Whether nothing of the new record counts: the old one does, or (by another key, or never written) none at all."""
    return found is None or found == before


def _page(reader: CardReader, uid: bytes, page: int, data: bytes) -> None:
    """Raises HalError."""
    for tries_left in reversed(range(TRIES)):
        try:
            reader.write(uid, page, data)
        except CardRefused:
            if not tries_left:
                raise
        else:
            return
