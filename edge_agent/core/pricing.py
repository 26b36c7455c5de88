"""The till's open sale as it stands: what its coupons take off, tax, the member's points; how it is told. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from edge_agent.core import events as ev
from edge_agent.core import receipt
from edge_agent.core.cards import Cards
from edge_agent.core.effects import TellTill
from edge_agent.core.paying import PayingByAccount
from edge_agent.core.receipt import (
    CouponView,
    FailedView,
    PointsView,
    SaleState,
    SaleView,
    TillAnswer,
    TillReason,
)
from edge_agent.core.reversing import Reversing
from edge_agent.core.states import State
from edge_agent.core.visit import (
    AtTill,
    Moment,
    ProgrammeHere,
    Row,
    Sale,
    Step,
    Visit,
    Want,
)
from loyalty import points as rules_of_points
from loyalty.coupon import Verdict
from loyalty.tax import Part

NOTHING_KNOWN: Final = AtTill()
encode_view: Final = msgspec.msgpack.Encoder().encode
decode_view: Final = msgspec.msgpack.Decoder(SaleView).decode


class SaleBill(msgspec.Struct, frozen=True, kw_only=True):
    """The open sale as it would be paid now."""

    coupons: tuple[CouponView, ...]
    price_yen: int
    discount_yen: int
    total_yen: int
    parts: tuple[Part, ...]


class Pricing(Cards, PayingByAccount, Reversing):
    """See the module."""

    # --- what must be looked up --------------------------------------------------------------------------

    def _sale_wants(self, sale: bytes) -> tuple[Want, ...]:
        """The sale's own row, and where it is the open one those of its coupons."""
        visit = self.visit
        wanted = (Want(sale=sale, card=visit.card, holder=visit.card_holder),)
        if visit.sale is None or visit.sale.id != sale:
            return wanted
        return (*wanted, *(reserved.want for reserved in visit.reserved))

    def _may_scan(self) -> bool:
        sale = self.visit.sale
        return super()._may_scan() and (sale is None or sale.paying is None)

    def _payment_under_way(self) -> bool:
        sale = self.visit.sale
        return self.visit.state is State.PAYING or (sale is not None and sale.paying is not None)

    # --- what the till is told ---------------------------------------------------------------------------

    def _told(self, event: ev.TillAsks, answer: TillAnswer, step: Step | None = None) -> Step:
        step = step or Step(visit=self.visit)
        return msgspec.structs.replace(step, effects=(*step.effects, TellTill(reply=event.reply, answer=answer)))

    def _answered_with(
        self, event: ev.TillAsks, step: Step, by_want: Mapping[Want, Row], at: Moment, **terms: object
    ) -> Step:
        """The step, and the sale as it is after it."""
        view = self._view(step.visit, by_want, at)
        return self._told(event, msgspec.structs.replace(TillAnswer(sale=view), **terms), step)

    def _refused(
        self, event: ev.TillAsks, refusal: TillReason, by_want: Mapping[Want, Row], at: Moment, step: Step | None = None
    ) -> Step:
        return self._answered_with(event, step or Step(visit=self.visit), by_want, at, refusal=refusal)

    # --- the sale as it is -------------------------------------------------------------------------------

    def _till_row(self, by_want: Mapping[Want, Row]) -> AtTill:
        return next((row.till for want, row in by_want.items() if want.sale and row.till is not None), NOTHING_KNOWN)

    def _bill(self, visit: Visit, by_want: Mapping[Want, Row], at: Moment) -> SaleBill:
        """What the sale of `visit` comes to; every coupon in it was looked up."""
        assert visit.sale is not None, "a sale is open"
        rows = tuple(by_want[reserved.want] for reserved in visit.reserved)
        coupons, discount_yen = list[CouponView](), 0
        for reserved, verdict in self._in_basket(rows, at, visit):
            view = receipt.coupon_view(reserved.coupon, verdict, self._till_rules, reserved=True)
            coupons.append(view)
            discount_yen += view.discount_yen
        price_yen = sum(line.yen for line in visit.sale.lines)
        made = receipt.bill(visit.sale.lines, min(discount_yen, price_yen), self._till_rules)
        return SaleBill(
            coupons=tuple(coupons),
            price_yen=price_yen,
            discount_yen=made.saved_yen,
            total_yen=made.gross_yen,
            parts=made.parts,
        )

    def _view(self, visit: Visit, by_want: Mapping[Want, Row], at: Moment) -> SaleView:
        sale = visit.sale
        assert sale is not None, "a sale is open"
        state = SaleState.OPEN
        if visit.state is State.ASKING:
            state = SaleState.ASKING
        elif visit.state is State.PAYING or sale.paying is not None:
            state = SaleState.PAYING
        made = self._bill(visit, by_want, at)
        return self._shape(sale, state, made, self._till_row(by_want), made.total_yen, at)

    def _shape(
        self, sale: Sale, state: SaleState, made: SaleBill, known: AtTill, money_yen: int, at: Moment
    ) -> SaleView:
        failed = None
        if sale.failed is not None:
            payment, reason = sale.failed
            failed = FailedView(
                payment=payment.hex(), reason=reason, words=receipt.words(Verdict(reason=reason), self._till_rules)
            )
        return SaleView(
            sale=sale.id.hex(),
            state=state,
            lines=sale.lines,
            coupons=made.coupons,
            last=None if sale.last is None else receipt.coupon_view(None, sale.last, self._till_rules),
            price_yen=made.price_yen,
            discount_yen=made.discount_yen,
            total_yen=made.total_yen,
            tax=receipt.tax_views(made.parts),
            member=known.holder > 0,
            points=tuple(self._points_view(here, money_yen, at) for here in known.programmes if known.holder),
            failed=failed,
        )

    def _points_view(self, here: ProgrammeHere, money_yen: int, at: Moment) -> PointsView:
        programme, rule = here.programme, rules_of_points.in_force(here.rule, at.wall_ms)
        said = self.visit.member.record.points(programme.id) if self.visit.member is not None else None
        sell = programme.sell
        return PointsView(
            programme=programme.id,
            name=programme.name,
            spendable=max(0, here.spendable if said is None else min(said, here.spendable)),
            yen=sell.yen if sell is not None else 0,
            points=sell.points if sell is not None else 1,
            earns=rules_of_points.earned(rule, money_yen) if rule is not None else 0,
        )


def worth_yen(here: ProgrammeHere, points: int) -> int:
    programme = here.programme
    if programme.sell is None:
        return 0
    rounding = programme.rounding
    return rules_of_points.worth_yen(programme.sell, points, rounding)


def of_sale(step: Step, **changes: object) -> Step:
    """The step, with these changes to the open sale."""
    sale = step.visit.sale
    if sale is None:
        return step
    changed = msgspec.structs.replace(sale, **changes)
    return msgspec.structs.replace(step, visit=msgspec.structs.replace(step.visit, sale=changed))
