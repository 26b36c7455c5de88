"""Writing a member card, page by page, reading it back, and saying what became of it.

`DONE` is said of what was read back, `UNDONE` of a card that was read back and says what it said before, or is as empty
as it was; anything else is `DOUBT`. A page that the card refuses is tried again; a card that is gone is not waited
for. Whatever happens, there is an answer, after a bounded number of transfers.
"""

from __future__ import annotations

from typing import Final

import msgspec

from hal.card import CardReader
from hal.errors import CardGone, CardRefused, HalError
from loyalty.card_slots import USER_FIRST_PAGE, USER_PAGES, Chip, Found, Plan, is_empty, look
from wire.facts import Outcome

TRIES: Final = 3  # of one page


class CardJob(msgspec.Struct, frozen=True, kw_only=True):
    """A write that was asked for."""

    id: bytes
    uid: bytes
    chip: Chip
    plan: Plan
    before: Found | None
    keys: tuple[bytes, ...]  # the programme's, as they are accepted


def write(reader: CardReader, job: CardJob) -> Outcome:
    """Blocks for the transfers of one card, tens of milliseconds."""
    try:
        for page in job.plan.writes:
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
        return Outcome.DOUBT
    found = look(memory, job.chip, job.uid, job.keys).found
    if found == Found(job.plan.record, job.plan.slot):
        return Outcome.DONE
    as_before = found == job.before and (found is not None or is_empty(memory))
    return Outcome.UNDONE if as_before else Outcome.DOUBT


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
