"""A lane asks for a payment (B2): its account, its shop, the coupon that was selected (B3), the bill (B4, B5), a row.

All of it in one transaction, before the bank hears a word. The same question again is the same payment with the same
answer. Where several selected coupons count, the one that saves the shopper most does; of those that save the same,
the one that ends first. Where none counts, the full price is paid.
"""

from __future__ import annotations

import hashlib
import logging
from typing import Final, NamedTuple

import msgspec
from sqlalchemy import Connection, insert, select, text

from central import decide
from central.bank import accounts, book, selection, shops
from central.bank.accounts import Account
from central.bank.selection import Selected
from central.bank.states import State
from central.coupons import issue, stoplist
from central.db.schema import OPEN_PAYMENT, QuestionState, bank_settlements, questions, stored_serial
from central.registry import Device
from central.reversals import told
from loyalty import tax
from loyalty.coupon import Now
from loyalty.lease import NOTHING, Amount
from loyalty.reason import Reason
from loyalty.tax import Bill
from wire.messages import AskSettlement, Settled, Settlement, encode

WAIT_MAX_MS: Final = 10_000  # no shopper is kept longer, whatever a unit says
_log = logging.getLogger(__name__)


class _Best(NamedTuple):
    bill: Bill
    selected: Selected
    leased: Amount


def ask(connection: Connection, request: AskSettlement, device: Device, now_ms: int) -> Settlement | None:
    """The answer, if there is one already; None: the payment stands in the book, and the bank is to be asked."""
    if len(request.question) != decide.QUESTION_BYTES:
        return _refusal(request, Reason.NOT_NOW)
    if len(request.sale) not in (0, told.ID_BYTES):
        return _refusal(request, Reason.NOT_NOW)
    if len(request.account) != accounts.ACCOUNT_BYTES:
        return _refusal(request, Reason.NO_ACCOUNT)
    before = book.get(connection, request.question)
    if before is not None:
        return _again(before, request, device)
    withdrawn = select(questions.c.question).where(questions.c.question == request.question)
    if connection.execute(withdrawn).first() is not None:  # before it came; or it was another question
        return Settlement(request.question, Settled.VOID, Reason.NOT_NOW.value)
    wrong = tax.problems(request.lines, points_yen=request.points_yen)
    if wrong:
        _log.warning("%s asked for a payment that can't be: %s", device.name, " ".join(wrong))
        return _refusal(request, Reason.NOT_NOW)
    _give_up_older(connection, device, now_ms)
    refusal, account, shop = _may_pay(connection, request, device)
    if refusal is not None or account is None or shop is None:
        return _refused(connection, request, device, refusal or Reason.NOT_NOW, now_ms)
    best, in_time = _best(connection, request, account, shop, device, now_ms)
    if not in_time:  # after a restore: whether a coupon was used can't be known yet
        return _refused(connection, request, device, Reason.NOT_NOW, now_ms)
    bill = best.bill if best is not None else _bill(request, shop, tax.NOTHING_OFF)
    settled = _as_settled(request, bill, best.selected if best is not None else None)
    leased = best.leased if best is not None else NOTHING
    _keep(connection, request, device, settled, best, QuestionState.GRANTED, State.ASKED, now_ms, leased)
    return None


def _again(before: book.Payment, request: AskSettlement, device: Device) -> Settlement | None:
    if before.device_id != device.id or before.digest not in (book.UNKNOWN, _digest(request)):
        _log.warning("%s asked for a payment under the name of another one", device.name)
        return _refusal(request, Reason.NOT_NOW)
    return before.answer


def _give_up_older(connection: Connection, device: Device, now_ms: int) -> None:
    """A lane asks for one payment at a time: an older one that is still open was given up.

    Not so one that the lane has settled: the goods are gone, and a restored book is only asking the bank about it.
    """
    over = select(questions.c.question).where(questions.c.state == QuestionState.SETTLED.value)
    over = over.where(questions.c.question == bank_settlements.c.question)
    mine = text(OPEN_PAYMENT) & (bank_settlements.c.device_id == device.id) & ~over.exists()
    for question in connection.execute(select(bank_settlements.c.question).where(mine)).scalars().all():
        book.give_up(connection, bytes(question), now_ms)


def _may_pay(
    connection: Connection, request: AskSettlement, device: Device
) -> tuple[Reason | None, Account | None, shops.Shop | None]:
    shop = shops.find(connection, device.site)
    if shop is None:
        return Reason.WRONG_SHOP, None, None
    account = accounts.find(connection, request.account)
    if account is None:
        return Reason.NO_ACCOUNT, None, shop
    if stoplist.stops(connection, 0, 0, account.person.holder):  # a lost phone or card
        return Reason.REVOKED, account, shop
    return None, account, shop


def _best(
    connection: Connection, request: AskSettlement, account: Account, shop: shops.Shop, device: Device, now_ms: int
) -> tuple[_Best | None, bool]:
    """The selected coupon that saves most here and now, and whether that can be known."""
    price_yen = sum(line.yen for line in request.lines)
    now = Now(wall_ms=now_ms, error_ms=decide.CLOCK_ERROR_MS)
    found: list[tuple[tuple[int, int, int], _Best]] = []
    for one in selection.listed(connection, account.id):
        if selection.suits(one.campaign) is not None:
            continue  # its campaign was changed since
        issued = issue.get(connection, one.coupon.campaign)
        _, verdict = decide.judge_given(connection, issued, one.coupon, device, price_yen, now)
        if verdict.reason is not Reason.OK:
            continue
        held = decide.held_back(connection, issued, one.coupon, device)
        if held is Reason.NOT_NOW:
            return None, False
        if held is not None:
            continue
        bill = _bill(request, shop, one.off)
        rank = (-bill.saved_yen, one.coupon.expires_s or 2**32, one.id)
        found.append((rank, _Best(bill, one, verdict.leased or NOTHING)))
    return (min(found, key=lambda pair: pair[0])[1] if found else None), True


def _bill(request: AskSettlement, shop: shops.Shop, off: tax.Off) -> Bill:
    return tax.bill(request.lines, off, basis=shop.basis, rounding=shop.rounding, points_yen=request.points_yen)


def _as_settled(request: AskSettlement, bill: Bill, used: Selected | None) -> Settlement:
    coupon = used.coupon if used is not None else None
    return Settlement(
        question=request.question,
        state=Settled.SETTLED,
        reason=Reason.OK.value,
        price_yen=bill.price_yen,
        debit_yen=bill.debit_yen,
        points_yen=bill.points_yen,
        discount_yen=bill.discount_yen,
        campaign=coupon.campaign if coupon is not None else 0,
        serial=coupon.serial if coupon is not None else 0,
        holder=coupon.holder if coupon is not None else 0,
        revision=used.campaign.revision if used is not None else 0,
        parts=list(bill.parts),
    )


def _refusal(request: AskSettlement, reason: Reason) -> Settlement:
    return Settlement(request.question[: decide.QUESTION_BYTES], Settled.REFUSED, reason.value)


def _refused(connection: Connection, request: AskSettlement, device: Device, reason: Reason, now_ms: int) -> Settlement:
    """Refused by the centre, and kept: the same question later has the same answer."""
    refusal = _refusal(request, reason)
    _keep(connection, request, device, refusal, None, QuestionState.REFUSED, State.REFUSED, now_ms)
    return refusal


def _keep(
    connection: Connection,
    request: AskSettlement,
    device: Device,
    settled: Settlement,
    best: _Best | None,
    question_state: QuestionState,
    state: State,
    now_ms: int,
    leased: Amount = NOTHING,
) -> None:
    serial = stored_serial(settled.serial)
    connection.execute(
        insert(questions).values(
            question=request.question,
            device_id=device.id,
            campaign=settled.campaign,
            serial=serial,
            holder=settled.holder,
            state=question_state.value,
            reason=settled.reason,
            at_ms=0,
            site="",
            asked_ms=now_ms,
            cost_yen=leased.yen,
        )
    )
    until_ms = now_ms + max(0, min(request.wait_ms, WAIT_MAX_MS))
    connection.execute(
        insert(bank_settlements).values(
            question=request.question,
            device_id=device.id,
            site=device.site,
            account_id=request.account,
            digest=_digest(request),
            state=state.value,
            reason=settled.reason,
            coupon_id=best.selected.id if best is not None else None,
            campaign=settled.campaign,
            serial=serial,
            answer=encode(settled),
            debit_yen=settled.debit_yen,
            asked_ms=now_ms,
            until_ms=until_ms,
            changed_ms=now_ms,
            tries=0,
            next_ms=until_ms,
            sale=request.sale or None,
        )
    )
    told.sold_again(connection, [request.sale] if request.sale else [], now_ms)


def _digest(request: AskSettlement) -> bytes:
    return hashlib.sha256(encode(msgspec.structs.replace(request, wait_ms=0))).digest()
