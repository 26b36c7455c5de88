"""Void and refund at the centre: a sale taken back frees its coupons, undoes its points, once, in whichever order."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Connection, event

from central import decide, feed, registry, settlement, snapshot
from central.coupons import disputes, history, issue, usage
from central.coupons.disputes import Ending
from central.ledger import audit, audit_facts, balances, lanes, programmes
from central.offers import purchases
from central.reversals import coupons, settle
from central.reversals.odd import Kind as Odd
from edge_agent.store.store import Store
from loyalty.campaign import Policy
from loyalty.coupon import Coupon, Now
from loyalty.points import Programme, Rate
from tests.unit.central.central_kit import NOW_MS, Centre, Lane, campaign
from tests.unit.central.test_central_feed import Cache
from wire import sealing
from wire.facts import Bought, Earned, HomeLeft, Redeemed, Reversed, SaleLine, Spent
from wire.messages import Change, DropRedemption, PutRedemption, decode

HOLDER = 0xABCDEF
SALE, OTHER, THIRD = b"s" * 16, b"t" * 16, b"u" * 16
LEASED = campaign(5, policy=Policy.LEASE, cap=3, budget_yen=10_000)


class Mall(Centre):
    """Two lanes in two shops, a programme, and a person with an account."""

    def __init__(self, folder: Path) -> None:
        super().__init__(
            folder, campaign(1, exposure_limit=50), campaign(2, per_person=1, serials=False), LEASED,
            campaign(6, policy=Policy.ONLINE), campaign(7, policy=Policy.HOME),
        )  # fmt: skip
        self.lane, self.far = Lane("lane-1", "ginza"), Lane("lane-2", "shinjuku")
        self.enrol(self.lane, self.far)
        self._ids = itertools.count(1)
        self.now_ms = NOW_MS
        with self.office.database.write() as connection:
            programmes.put(connection, Programme(id=1, name="points", sell=Rate(2), shared=True), NOW_MS)
            connection.exec_driver_sql(
                f"INSERT INTO persons (name, password_hash, holder, created_ms) VALUES ('BBB', '', {HOLDER}, 0)"
            )

    def id(self) -> bytes:
        return next(self._ids).to_bytes(16, "big")

    def sell(self, lane: Lane, serial: int, sale: bytes = SALE, *, number: int = 1, **terms: object) -> None:
        plain: dict[str, object] = {
            "campaign": number, "serial": serial, "holder": 0, "revision": 1, "policy": "signed", "site": lane.site,
            "spend_yen": 1_000, "discount_yen": 100, "key": 1, "sale": sale,
        }  # fmt: skip
        lane.journal(Redeemed(lane.stamp(), **{**plain, **terms}))  # type: ignore[arg-type]

    def earn(self, lane: Lane, points: int, spend_yen: int = 1_000, sale: bytes = SALE, programme: int = 1) -> None:
        lane.journal(Earned(lane.stamp(), self.id(), programme, HOLDER, points, lane.site, spend_yen, sale=sale))

    def spend(self, lane: Lane, points: int, sale: bytes = SALE) -> None:
        lane.journal(Spent(lane.stamp(), self.id(), 1, HOLDER, points, lane.site, sale=sale))

    def back(self, lane: Lane, sale: bytes = SALE, yen: int = 0, id: bytes = b"", kind: str = "refund") -> bytes:
        name = id or self.id()
        lane.journal(Reversed(lane.stamp(), name, sale, kind, yen, lane.site))
        return name

    def tell(self, *told: Lane) -> None:
        """All that the lanes have to say, also once more; then what is due is settled, also once more."""
        for lane in told or (self.lane, self.far):
            if len(lane):
                for _ in range(2):
                    ack = self.book(lane, now_ms=self.now_ms)
                    assert (ack.status, ack.aside) == ("ok", 0)
        self.settle()

    def settle(self) -> None:
        for _ in range(2):
            settle.due(self.office.database, self.secret, self.now_ms)

    def states(self, serial: int = 0, number: int = 1) -> list[object]:
        rows = self.query(f"SELECT state FROM redemptions WHERE campaign = {number} AND serial = {serial} ORDER BY id")
        return [row[0] for row in rows]

    def conflicts(self) -> list[tuple[object, ...]]:
        return self.query("SELECT kind, state, amount_yen, note FROM conflicts ORDER BY id")

    def usable(self) -> int:
        with self.office.database.read() as connection:
            return sum(one.usable for one in balances.of_person(connection, HOLDER, self.now_ms))

    def redeemed(self, number: int = 1) -> object:
        return self.one(f"SELECT redeemed FROM campaigns WHERE id = {number}")


@pytest.fixture
def mall(tmp_path: Path) -> Iterator[Mall]:
    mall = Mall(tmp_path / "centre")
    yield mall
    with mall.office.database.read() as connection:
        found = [finding.words() for finding in (*audit.audit(connection), *audit_facts.audit(connection))]
    mall.close()
    assert found == []


# --- coupons -------------------------------------------------------------------------------------------------


def test_K6_a_sale_taken_back_frees_its_serial_and_the_counters_go_down(mall: Mall) -> None:
    mall.sell(mall.lane, 7)
    mall.tell()
    assert (mall.states(7), mall.redeemed()) == (["cleared"], 1)
    mall.back(mall.lane)
    mall.tell()
    assert (mall.states(7), mall.redeemed(), mall.conflicts()) == (["restored"], 0, [])
    mall.sell(mall.far, 7, OTHER)
    mall.tell()
    assert (mall.states(7), mall.redeemed(), mall.conflicts()) == (["restored", "cleared"], 1, [])


@pytest.mark.parametrize("first", ["sale", "reversal"])
@pytest.mark.parametrize("same_lane", [True, False])
def test_sale_and_reversal_may_arrive_in_either_order_from_any_lanes(mall: Mall, first: str, same_lane: bool) -> None:
    taker = mall.lane if same_lane else mall.far
    for step in ("sale", "reversal") if first == "sale" else ("reversal", "sale"):
        if step == "sale":
            mall.sell(mall.lane, 7)
            mall.earn(mall.lane, 10)
        else:
            mall.back(taker)
        mall.tell()
    assert (mall.states(7), mall.redeemed(), mall.usable(), mall.conflicts()) == (["restored"], 0, 0, [])


def test_a_part_gives_no_coupon_back_and_the_rest_does(mall: Mall) -> None:
    mall.sell(mall.lane, 7)
    mall.back(mall.lane, yen=400)
    mall.back(mall.far, yen=600)
    mall.tell()
    assert mall.states(7) == ["cleared"], "whatever the parts add up to"
    mall.back(mall.far)
    mall.tell()
    assert mall.states(7) == ["restored"]
    assert mall.conflicts() == []


def test_the_second_use_that_was_booked_as_a_double_becomes_the_use(mall: Mall) -> None:
    mall.sell(mall.lane, 7)
    mall.sell(mall.far, 7, OTHER)
    mall.sell(mall.far, 7, THIRD)
    mall.tell()
    assert mall.states(7) == ["cleared", "double", "double"]
    assert mall.one("SELECT exposed FROM campaigns WHERE id = 1") == 2
    mall.back(mall.lane)
    mall.tell()
    assert (mall.states(7), mall.redeemed()) == (["restored", "cleared", "double"], 1)
    assert mall.one("SELECT exposed FROM campaigns WHERE id = 1") == 1
    (ended, waits) = mall.conflicts()
    assert ended == ("double", "withdrawn", 100, "the sale of the first use was taken back: this is the use")
    assert waits[:2] == ("double", "waits")
    firsts = mall.query("SELECT first_epoch, first_seq FROM conflicts WHERE state = 'waits'")
    assert firsts == mall.query("SELECT epoch_id, seq FROM redemptions WHERE state = 'cleared'")
    mall.back(mall.far, THIRD)
    mall.tell()
    assert mall.states(7) == ["restored", "cleared", "restored"], "the sale of a double may be taken back, too"
    assert mall.conflicts()[1][1:] == ("withdrawn", 100, "its sale was taken back")
    assert (mall.redeemed(), mall.one("SELECT exposed FROM campaigns WHERE id = 1")) == (1, 0)


def test_a_double_that_is_odd_in_another_way_too_keeps_a_conflict_of_that_kind(mall: Mall) -> None:
    mall.sell(mall.lane, 7, number=6, question=b"")
    mall.sell(mall.far, 7, OTHER, number=6)
    mall.back(mall.lane)
    mall.tell()
    assert mall.states(7, 6) == ["restored", "cleared"]
    assert [row[:2] for row in mall.conflicts()] == [("not_granted", "withdrawn"), ("not_granted", "waits")]


def test_a_conflict_that_was_paid_stays_paid(mall: Mall) -> None:
    mall.sell(mall.lane, 7)
    mall.sell(mall.far, 7, OTHER, holder=HOLDER)
    mall.tell()
    with mall.office.database.write() as connection:
        assert disputes.end(connection, 1, Ending.HOLDER, "", NOW_MS) == ""
        assert disputes.end(connection, 1, Ending.PAID, "in cash", NOW_MS) == ""
    mall.back(mall.far, OTHER)
    mall.tell()
    assert [row[:2] for row in mall.conflicts()] == [("double", "paid")]


def test_a_limit_for_each_person_counts_one_less(mall: Mall) -> None:
    mall.sell(mall.lane, 0, number=2, holder=HOLDER)
    mall.tell()
    mall.back(mall.lane)
    mall.tell()
    with mall.office.database.read() as connection:
        assert settlement.person_count(connection, 2, HOLDER) == 0
    mall.sell(mall.lane, 0, OTHER, number=2, holder=HOLDER)
    mall.tell()
    assert (mall.states(0, 2), mall.conflicts()) == (["restored", "cleared"], [])


def test_what_was_taken_of_a_limit_is_in_the_pot_again_and_not_in_the_part(mall: Mall) -> None:
    query = "SELECT spent_count, spent_yen, out_count, exposure_count FROM pots WHERE id = 5"
    mall.sell(mall.lane, 7, number=5, policy="lease", cost_yen=100)
    mall.tell()
    assert mall.query(query) == [(1, 100, 0, 0)]
    mall.back(mall.lane)
    mall.tell()
    assert mall.query(query) == [(0, 0, 0, 0)]


def test_K7_the_table_of_figure_3_shows_the_coupon_as_unused_again(mall: Mall) -> None:
    with mall.office.database.write() as connection:
        connection.exec_driver_sql(
            "INSERT INTO coupons (campaign, serial, number, person_id, downloaded_ms, text)"
            " SELECT 1, 7, 1, id, 0, '' FROM persons"
        )
    mall.sell(mall.lane, 7)
    mall.tell()
    with mall.office.database.read() as connection:
        assert [line.state for line in history.of_everybody(connection)] == [history.State.USED]
        assert usage.total_of_site(connection, "ginza", 0, NOW_MS + 1).uses == 1
    mall.back(mall.lane)
    mall.tell()
    with mall.office.database.read() as connection:
        assert [(line.state, line.used_ms) for line in history.of_everybody(connection)] == [
            (history.State.UNUSED, None)
        ]
        assert usage.total_of_site(connection, "ginza", 0, NOW_MS + 1).uses == 0
        assert [use.state for use in usage.of_campaign(connection, 1, 10)] == ["restored"]


def test_the_centre_says_yes_again_to_a_coupon_that_was_given_back(mall: Mall) -> None:
    mall.sell(mall.lane, 7, number=6)
    mall.back(mall.lane)
    mall.tell()
    with mall.office.database.read() as connection:
        lane = registry.find(connection, "lane-2")
        assert lane is not None
        issued = issue.get(connection, 6)
        coupon = Coupon(campaign=6, serial=7, key=1)
        _, verdict = decide.judge_given(connection, issued, coupon, lane, 1_000, Now(wall_ms=NOW_MS, error_ms=0))
    assert verdict.reason.value == "ok"


# --- caches --------------------------------------------------------------------------------------------------


def test_caches_forget_what_was_given_back_and_learn_of_the_use_that_stands(mall: Mall) -> None:
    cache = Cache(mall, mall.far)
    cache.pull()
    mall.sell(mall.lane, 7)
    mall.sell(mall.far, 7, OTHER)
    mall.sell(mall.lane, 8, THIRD)
    mall.tell()
    cache.push()
    assert [one.site for one in cache.redeemed.values()] == ["ginza", "ginza", "shinjuku"]
    mall.back(mall.lane)
    mall.back(mall.lane, THIRD)
    mall.tell()
    cache.push()
    assert [one.site for one in cache.redeemed.values()] == ["shinjuku"]
    assert cache.snapshots == 1
    fresh = Cache(mall, mall.far)
    fresh.pull()
    assert fresh.state == cache.state


@pytest.mark.parametrize("first", [True, False])
def test_a_lane_refuses_the_serial_as_long_as_any_use_of_it_stands(mall: Mall, tmp_path: Path, first: bool) -> None:
    store = Store(tmp_path / "unit", "lane-9")
    key = sealing.serial_hash(mall.secret, 1, 7)

    def hear() -> tuple[int, str] | None:
        known = store.cache.position[1]
        with mall.office.database.read() as connection:
            told = [decode(bytes(raw), Change)
                    for message in feed.messages_since(connection, "shinjuku", known, mall.incarnation)
                    for raw in message.changes]  # fmt: skip
        with store.transaction():
            store.cache.apply(told, mall.incarnation, known + len(told))
        return store.cache.seen(key)

    mall.sell(mall.lane, 7)
    mall.sell(mall.far, 7, OTHER)
    mall.tell()
    assert hear() == (NOW_MS, "ginza")
    mall.back(mall.lane, SALE if first else OTHER)
    mall.tell()
    assert hear() == (NOW_MS, "shinjuku" if first else "ginza")
    mall.back(mall.far, OTHER if first else SALE)
    mall.tell()
    assert hear() is None
    store.close()


def test_a_lane_that_takes_a_snapshot_hears_of_what_others_may_still_tell(mall: Mall) -> None:
    mall.sell(mall.lane, 7)
    mall.back(mall.lane)
    mall.tell()
    with mall.office.database.read() as connection:
        told = list(snapshot.changes(connection, "shinjuku", mall.secret, NOW_MS))
    name = sealing.fact_id("lane-1", mall.lane.epoch, 1)
    assert DropRedemption(name, sealing.serial_hash(mall.secret, 1, 7), given_back=True) in told
    assert not any(isinstance(change, PutRedemption) for change in told)


# --- points --------------------------------------------------------------------------------------------------


def test_M4_earned_points_are_taken_back_in_proportion_and_the_pieces_add_up(mall: Mall) -> None:
    mall.earn(mall.lane, 10, spend_yen=999)
    mall.tell()
    left = [mall.usable()]
    for yen in (333, 333, 333):
        mall.back(mall.far, yen=yen)
        mall.tell()
        left.append(mall.usable())
    assert left == [10, 7, 4, 0], "10 x 333 // 999 is 3, and 10 x 666 // 999 is 6"
    assert mall.conflicts() == []


def test_M11_spent_points_come_back_with_the_whole_sale_alone(mall: Mall) -> None:
    mall.earn(mall.lane, 50, sale=b"")
    mall.spend(mall.lane, 30)
    mall.earn(mall.lane, 8)
    mall.tell()
    assert mall.usable() == 28
    mall.back(mall.lane, yen=500)
    mall.tell()
    assert mall.usable() == 24
    mall.back(mall.lane)
    mall.tell()
    assert mall.usable() == 50


def test_points_that_were_earned_and_are_spent_already_leave_a_debt(mall: Mall) -> None:
    mall.earn(mall.lane, 10)
    mall.spend(mall.far, 10, OTHER)
    mall.tell()
    mall.back(mall.lane)
    mall.tell()
    mall.back(mall.far, OTHER)
    mall.tell()
    total = mall.one("SELECT sum(balance) FROM accounts WHERE kind IN ('member', 'exposure')")
    assert total == 0


def test_what_was_overspent_on_a_sale_is_asked_of_nobody_when_it_is_taken_back(mall: Mall) -> None:
    mall.spend(mall.lane, 30)
    mall.tell()
    assert mall.conflicts()[0][:2] == ("overspent", "waits")
    mall.back(mall.lane)
    mall.tell()
    assert mall.conflicts() == [("overspent", "withdrawn", 60, "its sale was taken back")]
    assert mall.query("SELECT balance FROM accounts WHERE balance <> 0") == []


def test_points_of_a_programme_that_is_entered_later_are_undone_then(mall: Mall) -> None:
    mall.earn(mall.lane, 10, programme=9)
    mall.back(mall.lane)
    mall.tell()
    with mall.office.database.write() as connection:
        programmes.put(connection, Programme(id=9, name="late"), NOW_MS)
        assert lanes.book_waiting(connection, NOW_MS) == 1
    assert mall.usable() == 10
    mall.now_ms += settle.LOOK_AGAIN_MS
    mall.settle()
    assert mall.usable() == 0


# --- told twice, told late, told wrong -------------------------------------------------------------------------


def test_the_same_reversal_from_two_lanes_is_one(mall: Mall) -> None:
    mall.earn(mall.lane, 10, spend_yen=1_000)
    name = mall.back(mall.lane, yen=500)
    mall.back(mall.far, yen=500, id=name)
    mall.tell()
    assert (mall.usable(), mall.conflicts()) == (5, [])
    assert mall.one("SELECT count(*) FROM facts WHERE type = 'rv'") == 2


def test_a_journal_told_again_under_another_epoch_takes_nothing_back_twice(mall: Mall) -> None:
    mall.sell(mall.lane, 7)
    mall.earn(mall.lane, 10)
    mall.back(mall.lane, yen=500)
    mall.tell()
    again = mall.lane.under_a_new_epoch(0, "restored")
    mall.tell(again)
    assert (mall.states(7), mall.usable()) == (["cleared", "void"], 5)
    mall.back(again)
    mall.tell(again)
    assert (mall.states(7), mall.usable(), mall.redeemed()) == (["restored", "void"], 0, 0)
    assert mall.conflicts() == []


def test_an_unknown_sale_waits_and_is_shown_after_a_day_and_settled_whenever_it_comes(mall: Mall) -> None:
    mall.back(mall.far, yen=300)
    mall.tell()
    assert (mall.conflicts(), mall.one("SELECT state FROM reversals")) == ([], "waits")
    mall.now_ms += settle.UNKNOWN_AFTER_MS
    mall.settle()
    assert mall.conflicts() == [("unknown_sale", "waits", 300, "")]
    assert mall.one("SELECT count(*) FROM reversals WHERE due_ms IS NOT NULL") == 0, "nobody looks for ever"
    mall.earn(mall.lane, 10)
    mall.tell(mall.lane)
    assert mall.usable() == 7
    assert mall.conflicts() == [("unknown_sale", "withdrawn", 300, "the sale came later")]


def test_the_whole_sale_taken_back_twice_under_other_ids_is_a_conflict_and_nothing_is_doubled(mall: Mall) -> None:
    mall.earn(mall.lane, 50, sale=b"")
    mall.sell(mall.lane, 7)
    mall.spend(mall.lane, 30)
    mall.back(mall.lane)
    mall.back(mall.far)
    mall.tell()
    assert (mall.usable(), mall.states(7), mall.redeemed()) == (50, ["restored"], 0)
    assert mall.conflicts() == [(Odd.REVERSED_TWICE, "waits", 1_000, "")]
    assert mall.query("SELECT site FROM conflicts") == [("shinjuku",)]


def test_more_than_was_paid_is_a_conflict_about_what_is_too_much(mall: Mall) -> None:
    mall.earn(mall.lane, 10)
    mall.back(mall.lane, yen=700)
    mall.back(mall.far, yen=700)
    mall.tell()
    assert mall.usable() == 0
    assert mall.conflicts() == [(Odd.OVER_REFUND, "waits", 400, "")]
    mall.back(mall.far)
    mall.back(mall.far, yen=100)
    mall.tell()
    assert [row[:3] for row in mall.conflicts()] == [
        (Odd.OVER_REFUND, "waits", 400), (Odd.OVER_REFUND, "waits", 100),
    ]  # fmt: skip


def test_an_id_that_stands_for_another_reversal_is_a_conflict(mall: Mall) -> None:
    mall.earn(mall.lane, 10)
    name = mall.back(mall.lane, yen=500)
    mall.back(mall.far, yen=900, id=name)
    mall.tell()
    assert (mall.usable(), mall.conflicts()) == (5, [(Odd.REVERSAL_ID_REUSED, "waits", 900, "")])


def test_a_person_charges_the_shop_of_a_reversal(mall: Mall) -> None:
    mall.earn(mall.lane, 10)
    mall.back(mall.lane)
    mall.back(mall.far)
    mall.tell()
    with mall.office.database.write() as connection:
        assert disputes.end(connection, 1, Ending.SHOP, "their till", NOW_MS) == ""
    assert mall.query("SELECT charged, state FROM conflicts") == [("shinjuku", "settled")]


@pytest.mark.parametrize(
    "fact",
    [
        Reversed(Lane().stamp(), b"r", SALE, "void", 0, "ginza"),
        Reversed(Lane().stamp(), b"r" * 16, b"", "void", 0, "ginza"),
        Reversed(Lane().stamp(), b"r" * 16, SALE, "gift", 0, "ginza"),
        Reversed(Lane().stamp(), b"r" * 16, SALE, "refund", -1, "ginza"),
        Reversed(Lane().stamp(), b"r" * 16, SALE, "refund", 0, ""),
        Redeemed(Lane().stamp(), 1, 7, 0, 1, "signed", "ginza", 0, 100, 1, sale=b"short"),
        Earned(Lane().stamp(), b"p" * 16, 1, 5, 5, "ginza", 100, sale=b"short"),
    ],
)
def test_a_reversal_that_cannot_be_is_put_aside(mall: Mall, fact: Reversed) -> None:
    mall.lane.journal(fact)
    mall.sell(mall.lane, 7)
    assert mall.book(mall.lane).aside == 1
    assert mall.states(7) == ["cleared"], "and holds up nothing"


def test_one_sale_that_cannot_be_settled_holds_up_no_other(mall: Mall, monkeypatch: pytest.MonkeyPatch) -> None:
    mall.sell(mall.lane, 7)
    mall.sell(mall.lane, 8, OTHER)
    mall.back(mall.lane)
    mall.back(mall.lane, OTHER)
    sound = coupons.give_back

    def fault(connection: Connection, secret: bytes, epoch_id: int, seq: int, fact: Redeemed, now_ms: int) -> None:
        if fact.serial == 7:
            raise KeyError("a fault of ours")
        sound(connection, secret, epoch_id, seq, fact, now_ms)

    with monkeypatch.context() as broken:
        broken.setattr(coupons, "give_back", fault)
        mall.tell()
    assert (mall.states(7), mall.states(8)) == (["cleared"], ["restored"])
    mall.settle()
    assert mall.states(7) == ["cleared"], "it is not tried without a pause"
    mall.now_ms += settle.LOOK_AGAIN_MS
    mall.settle()
    assert mall.states(7) == ["restored"]


def test_a_home_s_word_that_comes_after_the_reversal_holds_the_serial_no_more(mall: Mall) -> None:
    question = b"q" * 16
    mall.sell(mall.far, 7, number=7, question=question, policy="home")
    mall.back(mall.far)
    mall.tell()
    with mall.office.database.write() as connection:
        settlement.granted_elsewhere(connection, HomeLeft(mall.lane.stamp(), question, 7, 7, "lane-2"), NOW_MS)
    assert mall.query("SELECT state FROM questions WHERE campaign = 7") == [("settled",)]


def test_a_batch_of_sales_costs_as_many_statements_whatever_its_length(mall: Mall) -> None:
    seen: list[str] = []
    event.listen(mall.office.database.engine, "before_cursor_execute", lambda *given: seen.append(given[2]))

    def cost(count: int, start: int) -> int:
        first = len(mall.lane) + 1
        for number in range(count):
            sale = (start + number).to_bytes(16, "big")
            mall.sell(mall.lane, start + number, sale)
            mall.back(mall.lane, sale)
        before = len(seen)
        mall.book(mall.lane, first)
        return len(seen) - before

    cost(1, 1_000)
    assert cost(2, 2_000) == cost(60, 3_000)
    for _ in range(3):
        mall.settle()
    assert mall.one("SELECT count(*) FROM redemptions WHERE state = 'restored'") == 63


@pytest.mark.parametrize("sold_first", [True, False])
def test_M3_a_purchase_that_was_taken_back_stays_in_the_history_as_such(mall: Mall, sold_first: bool) -> None:
    """Paid in cash, without a coupon or a card: the sale is known all the same, by its goods and its price."""
    mall.lane.journal(Bought(mall.lane.stamp(), SALE, HOLDER, "ginza", 900, [SaleLine(4901234567894, 1, 900)]))
    mall.back(mall.far, yen=400)
    lanes = (mall.lane, mall.far) if sold_first else (mall.far, mall.lane)
    mall.tell(*lanes)
    with mall.office.database.read() as connection:
        assert [one.returned for one in purchases.of_holder(connection, HOLDER, 9)] == [False], "a part came back"
    mall.back(mall.far)
    mall.tell(*lanes)
    with mall.office.database.read() as connection:
        (bought,) = purchases.of_holder(connection, HOLDER, 9)
    assert (bought.returned, bought.total_yen, len(bought.lines)) == (True, 900, 1)
    assert mall.conflicts() == []
    mall.back(mall.far, yen=100)
    mall.tell(*lanes)
    assert [row[0] for row in mall.conflicts()] == ["over_refund"], "the price is known by the goods alone"
