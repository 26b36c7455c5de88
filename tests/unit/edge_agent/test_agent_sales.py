"""What a till tells of a sale becomes one bounded fact (M3), and offers for a card's holder are asked for (M9)."""

from __future__ import annotations

from collections.abc import Callable

from edge_agent.core import events as ev
from edge_agent.core.sales import bought
from edge_agent.core.states import Mode
from edge_agent.core.visit import Step
from edge_agent.store.store import Store
from loyalty.basket import Line
from tests.unit.edge_agent.agent_world import Driver
from wire.facts import FACT_BYTES_MAX, SALE_LINES_MAX, Bought, SaleLine, Stamp, encode_fact

AT = Stamp(2**41, 2**40, b"bootboot", True, 2**31, 4)
SALE = b"s" * 16
TEA, RICE = "4901234567894", "49012347"


def sold(*lines: Line, holder: int = 7, site: str = "ginza") -> Bought:
    return bought(SALE, holder, site, sum(line.yen for line in lines), lines, AT)


def test_M3_a_sale_is_a_fact_with_when_where_what_and_how_much() -> None:
    fact = sold(Line(gtin=TEA, yen=300, quantity=2), Line(gtin=RICE, yen=2_000))
    assert (fact.at, fact.sale, fact.holder, fact.site, fact.total_yen) == (AT, SALE, 7, "ginza", 2_300)
    assert fact.lines == [SaleLine(int(TEA), 2, 300), SaleLine(int(RICE), 1, 2_000)]


def test_M3_equal_goods_are_one_line_and_goods_without_a_code_another() -> None:
    fact = sold(Line(gtin=TEA, yen=150), Line(gtin="", yen=80), Line(gtin=TEA, yen=150))
    assert fact.lines == [SaleLine(int(TEA), 2, 300), SaleLine(0, 1, 80)]


def test_M3_a_basket_with_more_goods_than_a_fact_has_room_for_still_adds_up() -> None:
    many = tuple(Line(gtin=f"{10**13 + n}", yen=10**9, quantity=9_999) for n in range(1_000))
    fact = sold(*many, site="s" * 64)
    assert len(fact.lines) == SALE_LINES_MAX
    assert fact.lines[-1].gtin == 0
    assert sum(line.yen for line in fact.lines) == sum(line.yen for line in many)
    assert sum(line.quantity for line in fact.lines) == sum(line.quantity for line in many)
    assert len(encode_fact(fact)) <= FACT_BYTES_MAX


def test_M3_as_many_goods_as_there_is_room_for_are_each_kept() -> None:
    most = tuple(Line(gtin=f"{10**13 + n}", yen=1) for n in range(SALE_LINES_MAX - 1))
    fact = sold(*most, Line(gtin="", yen=5))
    assert [line.gtin for line in fact.lines] == [int(line.gtin) for line in most] + [0]


def test_M9_what_the_centre_says_of_offers_disturbs_nobody(store: Store) -> None:
    check: Callable[[ev.Event], Step] = Driver(store, Mode.KIOSK)
    step = check(ev.OffersTold(question=b"q" * 16, titles=("お茶 50円引き",)))
    assert step.facts == ()
