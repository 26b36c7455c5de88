"""Purchases at the centre (M3): booked exactly once by the sale's id, kept by person and by shop, for a stated time."""

from __future__ import annotations

from sqlalchemy import func, select

from central.db.schema import dead_letters, purchase_lines
from central.offers import goods, purchases
from central.touch import EVERYTHING, of
from tests.unit.central.central_kit import NOW_MS, Centre, Lane
from wire.facts import Bought, SaleLine, encode_fact

TEA, RICE = 4901234567894, 4909876543214
SALE = b"s" * 16
HOLDER = 77


def sale(lane: Lane, name: bytes = SALE, holder: int = HOLDER, *, at_ms: int = NOW_MS, yen: int = 300) -> Bought:
    return Bought(lane.stamp(at_ms), name, holder, lane.site, yen, [SaleLine(TEA, 2, yen)])


def kept(centre: Centre, holder: int = HOLDER) -> list[purchases.Purchase]:
    with centre.office.database.read() as connection:
        return purchases.of_holder(connection, holder, 100)


def test_M3_a_purchase_is_kept_with_its_goods_by_person_and_by_shop(centre: Centre, lane: Lane) -> None:
    with centre.office.database.write() as connection:
        goods.put(connection, [goods.Goods(gtin=TEA, name="緑茶 500ml", category="飲料")])
    lane.journal(sale(lane, at_ms=NOW_MS - 60_000))
    lane.journal(sale(lane, b"t" * 16, 0))
    centre.book(lane)
    (mine,) = kept(centre)
    assert (mine.site, mine.at_ms, mine.total_yen) == ("ginza", NOW_MS - 60_000, 300)
    assert [(line.name, line.quantity, line.yen) for line in mine.lines] == [("緑茶 500ml", 2, 300)]
    with centre.office.database.read() as connection:
        assert [one.holder for one in purchases.of_site(connection, "ginza", 100)] == [0, HOLDER]
        assert purchases.of_site(connection, "urawa", 100) == []


def test_M3_purchases_of_nobody_are_no_persons(centre: Centre, lane: Lane) -> None:
    lane.journal(sale(lane, holder=0))
    centre.book(lane)
    assert kept(centre, 0) == []


def test_M3_a_sale_that_is_told_again_is_one_purchase(centre: Centre, lane: Lane) -> None:
    lane.journal(sale(lane))
    lane.journal(sale(lane, at_ms=NOW_MS + 1))  # the till asked twice
    centre.book(lane)
    centre.book(lane.under_a_new_epoch(0, "restored"))
    assert len(kept(centre)) == 1
    with centre.office.database.read() as connection:
        assert connection.execute(select(func.count()).select_from(purchase_lines)).scalar_one() == 1


def test_M3_another_sale_under_the_same_id_is_kept_too_and_once(centre: Centre, lane: Lane) -> None:
    lane.journal(sale(lane))
    lane.journal(sale(lane, yen=500))
    centre.book(lane)
    centre.book(lane.under_a_new_epoch(0, "restored"))
    assert sorted(one.total_yen for one in kept(centre)) == [300, 500]


def test_M3_a_purchase_that_makes_no_sense_is_put_aside_and_the_rest_is_booked(centre: Centre, lane: Lane) -> None:
    for bad in (
        sale(lane, b"short"),
        sale(lane, b"h" * 16, 2**48),
        sale(lane, b"y" * 16, yen=-1),
        Bought(lane.stamp(), b"l" * 16, 1, "ginza", 1, [SaleLine(10**14, 1, 1)]),
        Bought(lane.stamp(), b"m" * 16, 1, "gin\0za", 1, []),
        Bought(lane.stamp(), b"n" * 16, 1, "ginza", 1, [SaleLine(1, 1, 1)] * 257),
    ):
        lane.journal(encode_fact(bad))
    lane.journal(sale(lane))
    assert centre.book(lane).aside == 6
    assert len(kept(centre)) == 1
    with centre.office.database.read() as connection:
        assert connection.execute(select(func.count()).select_from(dead_letters)).scalar_one() == 6


def test_M3_the_time_of_a_purchase_is_never_later_than_its_booking(centre: Centre, lane: Lane) -> None:
    lane.journal(sale(lane, at_ms=NOW_MS + 86_400_000))
    centre.book(lane)
    assert kept(centre)[0].at_ms <= NOW_MS


def test_M3_purchases_are_forgotten_after_their_time_in_steps(centre: Centre, lane: Lane) -> None:
    for number in range(5):
        lane.journal(sale(lane, bytes([number]) * 16, at_ms=NOW_MS - number * 1_000))
    centre.book(lane)
    with centre.office.database.write() as connection:
        assert purchases.forget_old(connection, NOW_MS - 1_500, most=2) == 2
        assert purchases.forget_old(connection, NOW_MS - 1_500, most=2) == 1
        assert purchases.forget_old(connection, NOW_MS - 1_500, most=2) == 0
    assert len(kept(centre)) == 2
    with centre.office.database.read() as connection:
        assert connection.execute(select(func.count()).select_from(purchase_lines)).scalar_one() == 2


def test_batches_of_purchases_are_booked_beside_others(lane: Lane) -> None:
    assert of("lane-1", [encode_fact(sale(lane))]) != EVERYTHING
