"""The line protocol of old tills: text lines over a serial line, each answered by one line, each safe to repeat.

    till   7 LINE 5f0c..e7 1 1100 1000 1 4901234567894*A1B2
    lane   7 OK state=open price=1100 discount=0 total=1100 paid=0 coupons=0*3C4D

A line is a number that the till chooses (1 to 999), a verb, its words, `*`, and the CRC-16 of all before the star
(CCITT, initial value 0, four hexadecimal digits), ended by CR, LF or both; at most LINE_BYTES_MAX bytes. The answer has
the same number. A damaged line is answered `0 NO damaged`, and the till sends it again, as when no answer came.

    LINE sale n yen rate_bp quantity [gtin]   the n-th line of the sale, which it opens; n again replaces it
    COUPON sale format text                   a coupon that the till has read (the text is the rest of the line)
    DROP sale coupon                          COUPONS sale n       the n-th coupon: its id, what it takes off
    TOTAL sale                                PAY sale payment tender [programme points]
    CANCEL sale                               VOID sale id         REFUND sale id yen

Sales, payments and reversals are named by 32 hexadecimal digits. `NO reason` has the reasons of `till.problem` and, of
a coupon or a payment, of `loyalty.reason`. The lines of the open sale are kept in memory: after a restart of the lane
the till sends them again from the first one.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Callable
from typing import Final

from edge_agent.core import events as ev
from edge_agent.core.receipt import SaleState, SaleView, TillAnswer, TillReason
from edge_agent.till.desk import Desk, NoAnswer
from edge_agent.till.shapes import QUANTITY_MAX
from loyalty.basket import Line
from loyalty.points import POINTS_MAX
from loyalty.tax import LINES_MAX, RATE_BP_MAX, YEN_MAX

LINE_BYTES_MAX: Final = 4_096
WITHIN_S: Final = 12.0
_ID: Final = re.compile("[0-9a-f]{32}")
_GTIN: Final = re.compile("[0-9]{8}|[0-9]{12,14}")
_FORMAT: Final = re.compile("[a-z0-9_]{2,20}")


class _No(Exception):
    """Not done, for this reason."""


class LineTill:
    """What one till says, line by line. `answer` blocks until the lane has answered, with a bound."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._open, self._lines = b"", list[Line]()
        self._verbs: dict[str, Callable[[list[str]], str]] = {
            "LINE": self._line, "DROP": self._drop, "COUPONS": self._coupons, "TOTAL": self._total, "PAY": self._pay,
            "CANCEL": self._cancel, "VOID": self._void, "REFUND": self._refund,
        }  # fmt: skip

    def answer(self, line: bytes) -> bytes:
        """The answer to one line (without its end); always one, always whole."""
        body, star, crc = line.rpartition(b"*")
        if not star or len(line) > LINE_BYTES_MAX or crc.upper() != checksum(body):
            return framed("0 NO damaged")
        try:
            number, verb, rest = [*body.decode("utf-8").split(" ", 2), "", ""][:3]
        except UnicodeDecodeError:
            return framed("0 NO damaged")
        if not (number.isascii() and number.isdigit() and 0 < int(number) < 1_000):
            return framed("0 NO bad_request")
        try:
            said = self._coupon(rest) if verb == "COUPON" else self._verbs[verb](rest.split())
        except (_No, NoAnswer) as error:
            return framed(f"{number} NO {error if isinstance(error, _No) else 'no_answer'}")
        except (KeyError, ValueError, IndexError):
            return framed(f"{number} NO bad_request")
        return framed(f"{number} OK {said}")

    # --- verbs -------------------------------------------------------------------------------------------

    def _line(self, words: list[str]) -> str:
        sale, at, yen, rate_bp, quantity, *gtin = words
        name, index = _name(sale), _number(at, LINES_MAX) - 1
        if name != self._open:
            self._open, self._lines = name, []
        if not 0 <= index <= len(self._lines) or len(gtin) > 1 or (gtin and not _GTIN.fullmatch(gtin[0])):
            raise ValueError("a line out of order")
        line = Line(
            gtin=gtin[0] if gtin else "",
            yen=_number(yen, YEN_MAX),
            rate_bp=_number(rate_bp, RATE_BP_MAX),
            quantity=max(1, _number(quantity, QUANTITY_MAX)),
        )
        lines = [*self._lines[:index], line, *self._lines[index + 1 :]]
        said = _sum(_sale(self._desk.ask(name, ev.OpenSale(lines=tuple(lines)))))
        self._lines = lines
        return said

    def _coupon(self, rest: str) -> str:
        sale, format, text = rest.split(" ", 2)
        if not _FORMAT.fullmatch(format) or not text:
            raise ValueError("no coupon")
        act = ev.AddCoupon(text=text.encode(), format=format)
        answer = self._desk.add_coupon(_name(sale), act, WITHIN_S)
        view, coupon = _sale(answer), answer.coupon
        if coupon is None:
            raise _No(TillReason.BUSY)
        if not coupon.counts:
            raise _No(coupon.reason)
        return f"{_sum(view)} coupon={coupon.id} off={coupon.discount_yen}"

    def _drop(self, words: list[str]) -> str:
        sale, coupon = words
        return self._done(sale, ev.DropCoupon(coupon=_name(coupon)))

    def _coupons(self, words: list[str]) -> str:
        sale, at = words
        view = _sale(self._desk.ask(_name(sale), ev.ReadSale()))
        index = _number(at, LINES_MAX) - 1
        if not 0 <= index < len(view.coupons):
            raise ValueError("no such coupon")
        one = view.coupons[index]
        return f"coupon={one.id} off={one.discount_yen} counts={int(one.counts)} campaign={one.campaign}"

    def _total(self, words: list[str]) -> str:
        (sale,) = words
        return self._done(sale, ev.ReadSale())

    def _pay(self, words: list[str]) -> str:
        sale, payment, tender, *points = words
        programme, count = (int(points[0]), _number(points[1], POINTS_MAX)) if points else (0, 0)
        act = ev.PaySale(payment=_name(payment), tender=ev.Tender(tender), programme=programme, points=count)
        if act.tender is ev.Tender.ACCOUNT:
            raise ValueError("the line protocol carries no bank account")
        answer = self._desk.pay(_name(sale), act, WITHIN_S)
        if answer.refusal is TillReason.REFUSED and answer.sale is not None and answer.sale.failed is not None:
            raise _No(answer.sale.failed.reason)
        view = _sale(answer)
        if view.state is not SaleState.PAID:
            raise _No(TillReason.PAYMENT_UNDER_WAY)
        return _sum(view)

    def _cancel(self, words: list[str]) -> str:
        (sale,) = words
        return self._done(sale, ev.CancelSale())

    def _void(self, words: list[str]) -> str:
        sale, id = words
        return self._reversed(sale, ev.ReverseSale(id=_name(id), kind="void"))

    def _refund(self, words: list[str]) -> str:
        sale, id, yen = words
        return self._reversed(sale, ev.ReverseSale(id=_name(id), kind="refund", yen=_number(yen, YEN_MAX)))

    def _done(self, sale: str, act: ev.Act) -> str:
        return _sum(_sale(self._desk.ask(_name(sale), act)))

    def _reversed(self, sale: str, act: ev.ReverseSale) -> str:
        answer = self._desk.ask(_name(sale), act)
        if answer.refusal is not None:
            raise _No(answer.refusal)
        return f"id={act.id.hex()}"


def checksum(body: bytes) -> bytes:
    """CRC-16/XMODEM of what stands before the star, as four hexadecimal digits."""
    return b"%04X" % binascii.crc_hqx(body, 0)


def framed(said: str) -> bytes:
    """A line as it is sent."""
    body = said.encode()
    return body + b"*" + checksum(body) + b"\r\n"


def _sale(answer: TillAnswer) -> SaleView:
    if answer.refusal is not None or answer.sale is None:
        raise _No(answer.refusal or "no_answer")
    return answer.sale


def _sum(view: SaleView) -> str:
    paid = view.paid.yen if view.paid is not None else 0
    return (
        f"state={view.state} price={view.price_yen} discount={view.discount_yen} total={view.total_yen} paid={paid}"
        f" coupons={len(view.coupons)}"
    )


def _name(text: str) -> bytes:
    if not _ID.fullmatch(text):
        raise ValueError("32 hexadecimal digits are a name")
    return bytes.fromhex(text)


def _number(text: str, most: int) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 10 and int(text) <= most):
        raise ValueError("a number out of its bounds")
    return int(text)
