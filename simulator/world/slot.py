"""The card slot of a unit: tags that people put in, and the reader that writes them, page by page, while hands pull.

The tags behave as the chips do (`hal.virtual.tag`), and the writing is the production's (`edge_agent.card_writer`);
on a real unit it runs on the reader's thread, here in the turn that asks for it. A page is torn where the power goes,
where the process is killed, and where somebody takes the card out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

from edge_agent.card_writer import CardJob, write
from edge_agent.core import events as ev
from hal.card import PAGE_BYTES
from hal.errors import CardGone, HalReason
from hal.events import CardPresented, CardRemoved
from hal.virtual.tag import Tag
from wire.facts import Outcome

if TYPE_CHECKING:
    from simulator.world.unit import Unit


class Slot:
    """A `hal.card.CardReader`, and the hands before it."""

    def __init__(self, unit: Unit) -> None:
        self._unit = unit
        self._rng = unit.world.entropy.stream(f"{unit.device}/slot")
        self.tag: Tag | None = None
        self.copied = False  # what is in it is a copy on another tag than the one it was written for
        self._pages_left: int | None = None  # until somebody pulls it out

    # --- hands ----------------------------------------------------------------------------------------

    def insert(self, tag: Tag, *, copied: bool = False) -> None:
        self.tag, self.copied, self._pages_left = tag, copied, None
        self.present()

    def present(self) -> None:
        """The reader says what is in the slot; also after a start."""
        if self.tag is not None:
            self.tag.enter_field()
            self._unit.put(CardPresented(uid=self.tag.uid, record=self.tag.readable, chip=self.tag.chip.value))

    def take(self) -> None:
        if self.tag is not None:
            tag, self.tag = self.tag, None
            self._unit.put(CardRemoved(uid=tag.uid))

    def pull_in(self, pages: int) -> None:
        """It will be pulled out while that page is written."""
        self._pages_left = pages

    # --- the reader -----------------------------------------------------------------------------------

    def ask(self, job: CardJob) -> bool:
        """What `edge_agent.parts.CardPoller.ask` does."""
        outcome = write(self, job)
        self._unit.note("card", f"{job.uid.hex()} {outcome.value}")
        if job.before is not None and outcome is Outcome.DONE:
            self._unit.world.fire("card-points-written")
        self._unit.put(ev.CardWritten(id=job.id, outcome=outcome))
        return True

    def poll(self) -> list[CardPresented | CardRemoved]:
        return []

    def read(self, uid: bytes, page: int, pages: int) -> bytes:
        return self._here(uid).read(page, pages)

    def write(self, uid: bytes, page: int, data: bytes) -> None:
        tag = self._here(uid)
        try:
            self._unit.step()
        except BaseException:
            self._tear(tag, page, data)
            self._unit.world.fire("card-cut-off")
            raise
        if self._pages_left is not None:
            self._pages_left -= 1
            if self._pages_left <= 0:
                self._tear(tag, page, data)
                self.take()
                self._unit.world.fire("card-torn")
                self._gone()
        tag.write(page, data)

    def authenticate(self, uid: bytes, password: bytes) -> bytes:
        return self._here(uid).authenticate(password)

    def counter(self, uid: bytes, number: int) -> int:
        return self._here(uid).counter(number)

    def close(self) -> None:
        """Nothing to let go of."""

    def _tear(self, tag: Tag, page: int, data: bytes) -> None:
        tag.write(page, data, torn_after=self._rng.randrange(PAGE_BYTES + 1))

    def _here(self, uid: bytes) -> Tag:
        if self.tag is None or self.tag.uid != uid:
            self._gone()
        return self.tag

    def _gone(self) -> NoReturn:
        raise CardGone(HalReason.CARD_GONE, "the card was taken out")
