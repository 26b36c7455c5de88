"""The display and the lights of a unit, and the people before them: what is shown is seen, and noted (`observe`)."""

from __future__ import annotations

from enum import Enum, auto
from typing import TYPE_CHECKING, Any

import msgspec

from edge_agent.core.effects import Show, Signal, View
from edge_agent.core.pages import Page
from edge_agent.screens.screen import Status
from edge_agent.screens.states import screen_for
from hal.errors import HalReason, PartFailed
from loyalty.campaign import Lang
from loyalty.card_slots import look
from loyalty.coupon import Verdict
from loyalty.reason import Reason
from simulator.world.observe import (
    Blank,
    CardGreeted,
    DiskFull,
    Green,
    PaymentSeen,
    PointsSeen,
    Refused,
    ReversalSeen,
)

if TYPE_CHECKING:
    from simulator.world.unit import Unit

JAPAN_MIN = 540  # ahead of UTC
_COUNTED = frozenset({Reason.OK, Reason.OK_AGAIN})


class Fatal(Enum):
    """When the unit is killed: at its next yes, after the commit."""

    UNSEEN = auto()  # before anything is shown
    UNMARKED = auto()  # when it was shown, and before that is written down


class Eyes:
    """A panel (`edge_agent.ports.Panel`). While `broken`, nobody sees anything, and the agent is told so."""

    def __init__(self, unit: Unit) -> None:
        self._unit = unit
        self.broken = False
        self.meant: View | None = None  # to be seen, whether it was or not
        self.page: Page | None = None  # of a kiosk, that is on the display
        self.troubled = False  # out of service since somebody asked
        self.verdict: Verdict | None = None  # the last one that was seen
        self.fatal: Fatal | None = None
        self.link = ""  # that the display shows as a QR to whoever wants a card
        self._lang: Lang = "ja" if sum(unit.device.encode()) % 2 else "en"

    def show(self, what: Show, *, online: bool, waiting: int) -> None:
        self._unit.step()
        self.meant, self.page = what.view, what.page
        self.troubled = self.troubled or what.view is View.OUT_OF_SERVICE
        yes = what.view is View.VERDICT and what.verdict is not None and what.verdict.accepted
        if yes and self.fatal is Fatal.UNSEEN:
            self._die()
        if self.broken:
            self._unit.note("unseen", what.view)
            unit = self._unit
            unit.world.fire("display-broken")
            unit.world.saw(Blank(unit.world.time.now_ms, unit.device, unit.clock.boot, unit.clock.read().mono_ms))
            raise PartFailed(HalReason.NO_ANSWER, "the display does not answer")
        self._read(what, online=online, waiting=waiting)
        if what.view is View.OUT_OF_SERVICE and (self._unit.disk.full or self._unit.disk.failing):
            self._unit.world.fire("disk-full" if self._unit.disk.full else "disk-failing")
            unit = self._unit
            unit.world.saw(DiskFull(unit.world.time.now_ms, unit.device, unit.clock.boot, unit.clock.read().mono_ms))
        if what.view is View.VERDICT and what.verdict is not None:
            self._verdict(what)
        elif what.view is View.PAID:
            self._paid()
        elif what.view is View.SETTLED:
            self._settled(what)
        elif what.view is View.REVERSED:
            self._reversed()
        elif what.view in (View.EARNED, View.SPENT):
            self._points(what)
        else:
            self._unit.note("shows", what.view)
        if what.view is View.KNOWN_CARD:
            self._greeted()
        elif what.view is View.CARD_OFFER:
            self.link = what.detail
        elif what.view is View.TAKEN and what.number:
            self._unit.world.fire("card-coupon-taken")
        if yes and self.fatal is Fatal.UNMARKED:
            self._die()

    def _die(self) -> None:
        self.fatal = None
        self._unit.stop_in(1, power=False, why="")
        self._unit.step()

    def refresh(self, *, online: bool, waiting: int) -> None:
        """The idle screen's clock, which nobody here looks at."""

    def signal(self, what: Signal) -> None:
        self._unit.step()

    def close(self) -> None:
        """Nothing to let go of."""

    # --- what a person sees ---------------------------------------------------------------------------

    def _read(self, what: Show, *, online: bool, waiting: int) -> None:
        """The words of it: half of the units speak English."""
        status = Status(clock="12:00", online=online, waiting=waiting)
        screen = screen_for(what, self._lang, JAPAN_MIN, status)
        self._unit.note("display", screen.headline)

    def _verdict(self, what: Show) -> None:
        unit, verdict = self._unit, what.verdict
        assert verdict is not None, "a verdict is shown"
        self.verdict = verdict
        campaign = verdict.campaign.id if verdict.campaign is not None else 0
        coupon = verdict.coupon
        serial, holder = (coupon.serial, coupon.holder) if coupon is not None else (0, 0)
        if verdict.reason in _COUNTED and coupon is not None:
            limited = verdict.campaign is not None and verdict.campaign.budget_yen is not None
            cost_yen = verdict.cost_yen if limited else 0
            self._green(coupon.campaign, serial, holder, cost_yen, again=verdict.reason is Reason.OK_AGAIN)
        elif verdict.accepted:
            unit.note("reserved", f"campaign {campaign} serial {serial:016x}")
        else:
            unit.note("refused", f"{verdict.reason} campaign {campaign} serial {serial:016x}")
            unit.world.saw(
                Refused(
                    unit.world.time.now_ms,
                    unit.device,
                    unit.site,
                    campaign or (coupon.campaign if coupon else 0),
                    serial,
                    verdict.reason,
                )
            )

    def _paid(self) -> None:
        """The till's display says what came off; which coupons those were is told by what lies on the disk."""
        unit = self._unit
        now, found = unit.clock.read(), 0
        for fact in unit.newest_facts():
            if fact[1][1:3] != [now.mono_ms, unit.clock.boot]:
                continue
            if fact[0] == "rd":
                found += 1
                self._green(fact[2], fact[3], fact[4], fact[14], fact[15], again=False)
            elif fact[0] in ("pe", "ps"):
                self._of_receipt(fact)
        unit.note("paid", f"{found} coupons")

    def _of_receipt(self, fact: list[Any]) -> None:
        """Points that paid, or that the purchase earned: they stand on the receipt."""
        unit = self._unit
        tag, (_, mono_ms, boot, *_), _, programme, holder, points, *_, sale = fact
        now_ms, earned = unit.world.time.now_ms, tag == "pe"
        unit.world.saw(
            PointsSeen(now_ms, unit.device, unit.site, boot, mono_ms, programme, holder, points, earned, sale)
        )

    def _settled(self, what: Show) -> None:
        """Paid by account: the goods are handed over."""
        unit, asked = self._unit, self._unit.payment_asked
        assert asked is not None, "nobody pays before a basket is there"
        unit.note("settled", f"{what.number} yen, payment {asked.payment.hex()}")
        unit.world.saw(PaymentSeen(unit.world.time.now_ms, unit.device, asked.payment, what.number, asked.sale))
        self._paid()

    def _reversed(self) -> None:
        unit, asked = self._unit, self._unit.reversal_asked
        if asked is not None:
            unit.note("reversed", asked.sale.hex()[:8])
            unit.world.saw(ReversalSeen(unit.world.time.now_ms, unit.device, asked.id))

    def _green(self, campaign: int, serial: int, holder: int, cost_yen: int, sale: bytes = b"", *, again: bool) -> None:
        unit = self._unit
        unit.note("green", f"campaign {campaign} serial {serial:016x}{' again' if again else ''}")
        unit.world.saw(
            Green(
                unit.world.time.now_ms,
                unit.device,
                unit.site,
                unit.clock.boot,
                unit.clock.read().mono_ms,
                campaign,
                serial,
                holder,
                cost_yen,
                again,
                sale,
            )
        )

    def _points(self, what: Show) -> None:
        unit, asked = self._unit, self._unit.points_asked
        if asked is None:
            return
        unit.note(what.view, f"{what.number} points, holder {asked.holder:012x}")
        unit.world.saw(
            PointsSeen(
                unit.world.time.now_ms,
                unit.device,
                unit.site,
                unit.clock.boot,
                unit.clock.read().mono_ms,
                asked.programme,
                asked.holder,
                what.number,
                what.view is View.EARNED,
                asked.sale,
            )
        )

    def _greeted(self) -> None:
        """The card in the slot speaks, if it is a member's. Cards that speak by their UID say nothing themselves."""
        unit, tag = self._unit, self._unit.slot.tag
        if tag is None or unit.agent is None:
            return
        cache = unit.agent.store.cache
        found = look(tag.user_memory, tag.chip, tag.uid, cache.card_keys).found
        if found is None and not unit.slot.copied:
            return
        office = unit.world.office
        told = (0, False)
        record = found.record if found is not None else None
        there = office.up and not office.disk.dead
        if there and cache.position == (office.incarnation, office.feed_heads().get(unit.site, 0)):
            told = unit.world.operators.card_of(record.holder if record is not None else 0)
        holder, generation, counter = (
            (record.holder, record.generation, record.counter) if record is not None else (0, 0, 0)
        )
        now_ms = unit.world.time.now_ms
        unit.world.saw(CardGreeted(now_ms, unit.device, tag.uid, holder, generation, counter, unit.slot.copied, *told))


_any = msgspec.msgpack.Decoder()


def plain(body: bytes) -> list[Any]:
    """A fact as it lies on the disk, without the types of the production code."""
    fact: list[Any] = _any.decode(body)
    return fact
