"""Points that units report: booked with their batch, once, whatever they say; what is odd is flagged and settled."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic import command

from central.coupons import disputes
from central.coupons.disputes import Ending
from central.db import migrate
from central.db.database import Database
from central.ledger import audit, audit_facts, balances, expiry, lanes, programmes, refunds
from central.ledger.refunds import Refund
from loyalty.points import EarnRule, Overspending, Programme, Rate
from tests.unit.central.central_kit import NOW_MS, Centre, Lane
from tests.unit.ledger.ledger_kit import DAY_MS, done, why
from wire.facts import Earned, Spent, Stamp, encode_fact

HOLDER = 0xABCDEF


class Shop(Centre):
    """A centre with programme 1, one lane in ginza and one in shinjuku, and a person."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.lane, self.other = Lane("lane-1", "ginza"), Lane("lane-2", "shinjuku")
        self.enrol(self.lane, self.other)
        self._names = itertools.count(1)
        with self.office.database.write() as connection:
            connection.exec_driver_sql(
                f"INSERT INTO persons (name, password_hash, holder, created_ms) VALUES ('BBB', '', {HOLDER}, 0)"
            )

    def programme(self, **terms: object) -> None:
        plain: dict[str, object] = {"id": 1, "name": "ginza points", "sell": Rate(2)}
        with self.office.database.write() as connection:
            programmes.put(connection, Programme(**{**plain, **terms}), NOW_MS)  # type: ignore[arg-type]

    def rule(self, **terms: object) -> None:
        plain: dict[str, object] = {"programme": 1, "site": "ginza", "per_yen": 100}
        with self.office.database.write() as connection:
            programmes.set_rule(connection, EarnRule(**{**plain, **terms}), NOW_MS)  # type: ignore[arg-type]

    def name(self) -> bytes:
        return hashlib.blake2b(bytes([next(self._names)]), digest_size=16).digest()

    def earn(self, points: int, *, lane: Lane | None = None, name: bytes = b"", **more: object) -> bytes:
        one, name = self.lane if lane is None else lane, name or self.name()
        terms: dict[str, object] = {"holder": HOLDER, "programme": 1, "spend_yen": 0, **more}
        at_ms = int(str(terms.pop("at_ms", NOW_MS)))
        one.journal(Earned(one.stamp(at_ms), name, points=points, site=one.site, **terms))  # type: ignore[arg-type]
        return name

    def spend(self, points: int, *, lane: Lane | None = None, name: bytes = b"", at_ms: int = NOW_MS) -> bytes:
        one, name = self.lane if lane is None else lane, name or self.name()
        one.journal(Spent(one.stamp(at_ms), name, 1, HOLDER, points, one.site))
        return name

    def tell(self, *told: Lane) -> None:
        """Everything that the lanes have to say, also once more."""
        for one in told or (self.lane, self.other):
            if one.facts:
                assert self.book(one).status == "ok"
                assert self.book(one).status == "ok"

    def conflicts(self) -> list[tuple[object, ...]]:
        return self.query(
            "SELECT kind, points, amount_yen, charges, charged, state FROM conflicts WHERE programme = 1 ORDER BY id"
        )

    def usable(self, place: str = "ginza", now_ms: int = NOW_MS) -> int:
        with self.office.database.read() as connection:
            found = balances.of_person(connection, HOLDER, now_ms)
        return next((one.usable for one in found if one.place in ("", place)), 0)

    def sums(self) -> dict[str, int]:
        rows = self.query("SELECT kind, SUM(balance) FROM accounts GROUP BY kind HAVING SUM(balance) <> 0")
        return {str(kind): int(str(total)) for kind, total in rows}

    def end(self, how: Ending, number: int = 1) -> str:
        with self.office.database.write() as connection:
            return disputes.end(connection, number, how, "", NOW_MS)

    def waiting(self) -> int:
        with self.office.database.write() as connection:
            return lanes.book_waiting(connection, NOW_MS)


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    shop = Shop(tmp_path / "centre")
    yield shop
    with shop.office.database.read() as connection:
        found = [finding.words() for finding in (*audit.audit(connection), *audit_facts.audit(connection))]
    shop.close()
    assert found == []


def test_M4_M11_points_of_a_lane_are_booked_once_with_their_batch(shop: Shop) -> None:
    shop.programme()
    name = shop.earn(30)
    shop.lane.redeem(7, holder=HOLDER)
    shop.spend(12)
    shop.tell()
    assert shop.usable() == 18
    assert shop.sums() == {"member": 18, "issued": -30, "redeemed": 12}
    assert shop.one("SELECT count(*) FROM transfers") == 2
    assert shop.one("SELECT name FROM transfers WHERE kind = 'earn'") == name
    assert shop.conflicts() == []


@pytest.mark.parametrize("reason", ["fork", "restored", "salvaged"])
def test_M4_a_fact_told_again_under_another_epoch_is_the_same_transfer(shop: Shop, reason: str) -> None:
    shop.programme()
    shop.earn(30)
    shop.spend(12)
    shop.tell()
    shop.tell(shop.lane.under_a_new_epoch(1, reason))
    assert shop.usable() == 18
    assert shop.one("SELECT count(*) FROM transfers") == 2
    assert shop.conflicts() == []


@pytest.mark.parametrize(
    "damage", ["DELETE FROM postings", "UPDATE postings SET amount = 2 * amount", "DELETE FROM lots"]
)
def test_the_auditor_misses_a_fact_that_is_not_in_the_ledger_or_not_as_it_was_told(shop: Shop, damage: str) -> None:
    shop.programme()
    shop.earn(30)
    shop.tell()
    with shop.office.database.engine.connect() as connection, connection.begin() as undone:
        connection.exec_driver_sql(damage)
        words = [finding.words() for finding in audit_facts.audit(connection)]
        assert bool(words) == ("postings" in damage)
        if words:
            assert words[0].startswith("fact 1/1: points issued or redeemed for it: ")
            assert "should be -30" in words[0]
        else:
            assert audit.audit(connection), "that is what the other half is for"
        undone.rollback()


def test_M5_a_shop_keeps_its_points_and_a_shared_programme_shares_them(shop: Shop) -> None:
    shop.programme()
    shop.earn(30)
    shop.earn(4, lane=shop.other)
    shop.tell()
    assert (shop.usable("ginza"), shop.usable("shinjuku")) == (30, 4)
    with shop.office.database.read() as connection:
        (one,) = balances.at_shop(connection, 1, "ginza", NOW_MS)
    assert (one.holder, one.points) == (HOLDER, 30)


def test_an_earning_may_be_spent_within_the_batch_that_brings_it_but_not_before(shop: Shop) -> None:
    shop.programme()
    shop.spend(5)
    shop.earn(5)
    shop.spend(5)
    shop.tell()
    assert [row[:2] for row in shop.conflicts()] == [("overspent", 5)]


# What each rule makes of 30 points spent where 10 were: the sums, the conflict.
OVERSPENT: dict[Overspending, tuple[dict[str, int], tuple[str, str, str]]] = {
    Overspending.OPERATOR: ({"suspense": -20}, ("", "", "waits")),
    Overspending.SHOP: ({"exposure": -20}, ("shop", "ginza", "settled")),
    Overspending.NEGATIVE: ({"member": -20}, ("holder", "000000abcdef", "settled")),
    Overspending.LATER: ({"advance": -20}, ("holder", "000000abcdef", "waits")),
}


@pytest.mark.parametrize("rule", Overspending)
def test_M11_points_spent_beyond_the_balance_are_borne_by_the_rule_of_the_programme(
    shop: Shop, rule: Overspending
) -> None:
    shop.programme(overspending=rule, overdraft=True)
    shop.earn(10)
    shop.spend(30)
    shop.tell()
    sums, borne = OVERSPENT[rule]
    assert shop.sums() == {"issued": -10, "redeemed": 30, **sums}
    assert shop.conflicts() == [("overspent", 20, 40, *borne)]
    assert shop.usable() == 0


def test_M11_what_a_person_owes_is_taken_of_what_they_earn_later(shop: Shop) -> None:
    shop.programme(overspending=Overspending.LATER)
    shop.spend(20)
    shop.earn(15)
    shop.tell()
    assert (shop.usable(), shop.sums()["advance"]) == (0, -5)
    assert shop.conflicts()[0][-1] == "waits"
    shop.earn(15)
    shop.tell()
    assert shop.usable() == 10
    assert shop.conflicts() == [("overspent", 20, 40, "holder", "000000abcdef", "paid")]


def test_M11_a_negative_balance_is_filled_before_anything_can_be_spent(shop: Shop) -> None:
    shop.programme(overspending=Overspending.NEGATIVE, overdraft=True)
    shop.spend(20)
    shop.earn(15)
    shop.earn(15)
    shop.tell()
    assert shop.usable() == 10


ENDINGS: dict[Ending, tuple[dict[str, int], tuple[str, str, str]]] = {
    Ending.SHOP: ({"exposure": -20}, ("shop", "ginza", "settled")),
    Ending.ISSUER: ({"issued": -30}, ("issuer", "ginza points", "settled")),
    Ending.HOLDER: ({"advance": -20}, ("holder", "000000abcdef", "waits")),
}


@pytest.mark.parametrize("how", ENDINGS)
def test_M11_what_waits_for_the_operator_is_moved_to_whom_they_say(shop: Shop, how: Ending) -> None:
    shop.programme()
    shop.earn(10)
    shop.spend(30)
    shop.tell()
    assert "kept apart" in shop.end(Ending.SETTLED)
    assert "claims nothing" in shop.end(Ending.PAID)
    assert shop.end(how) == ""
    sums, borne = ENDINGS[how]
    assert shop.sums() == {"issued": -10, "redeemed": 30, **sums}
    assert shop.conflicts() == [("overspent", 20, 40, *borne)]


@pytest.mark.parametrize(
    ("how", "state", "charges"),
    [(Ending.PAID, "paid", "holder"), (Ending.GIVEN_UP, "given_up", "issuer"), (Ending.SHOP, "settled", "shop")],
)
def test_M11_a_claim_ends_by_payment_or_is_borne_by_somebody(shop: Shop, how: Ending, state: str, charges: str) -> None:
    shop.programme(overspending=Overspending.LATER)
    shop.spend(20)
    shop.tell()
    assert shop.end(how) == ""
    assert (shop.conflicts()[0][3], shop.conflicts()[0][-1]) == (charges, state)
    bears = "exposure" if how is Ending.SHOP else "issued"
    assert shop.sums() == {"redeemed": 20, bears: -20}
    assert "does not wait" in shop.end(how)


def test_M11_a_refund_relieves_first_whoever_bore_what_was_missing(shop: Shop) -> None:
    shop.programme()
    shop.earn(10)
    name = shop.spend(30)
    shop.tell()
    shop.end(Ending.SHOP)
    with shop.office.database.write() as connection:
        done(refunds.restore(connection, Refund(b"1" * 16, name, 15), NOW_MS))
    assert (shop.usable(), shop.sums()["exposure"]) == (0, -5)
    with shop.office.database.write() as connection:
        done(refunds.restore(connection, Refund(b"2" * 16, name), NOW_MS))
        assert why(refunds.restore(connection, Refund(b"3" * 16, name), NOW_MS)) == "too_much"
    assert shop.usable() == 10
    assert shop.sums() == {"member": 10, "issued": -10}


def test_facts_of_a_programme_that_nobody_entered_are_kept_and_booked_when_it_is(shop: Shop) -> None:
    shop.earn(30)
    shop.spend(12)
    shop.tell()
    shop.tell(shop.lane.under_a_new_epoch(0, "salvaged"))
    assert shop.conflicts() == [
        ("unknown_programme", 30, 0, "", "", "waits"),
        ("unknown_programme", 12, 0, "", "", "waits"),
    ]
    assert (shop.sums(), shop.waiting()) == ({}, 0)
    shop.programme(shared=True)
    assert shop.waiting() == 2
    assert shop.waiting() == 0
    assert (shop.usable(), {row[-1] for row in shop.conflicts()}) == (18, {"withdrawn"})
    shop.tell(shop.lane.under_a_new_epoch(0, "fork"))
    assert shop.usable() == 18


def test_points_that_were_booked_before_there_was_a_ledger_wait_for_their_programme(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'old.db'}")
    command.upgrade(migrate._config(database), "0005")
    stamp = Stamp(NOW_MS, 1, b"boot0001", True)
    earned = encode_fact(Earned(stamp, b"e" * 16, 1, HOLDER, 30, "ginza", 3_000))
    spent = encode_fact(Spent(stamp, b"s" * 16, 1, HOLDER, 12, "ginza"))
    with database.write() as connection:
        connection.exec_driver_sql("INSERT INTO sites (id, name, title) VALUES (1, 'ginza', '')")
        connection.exec_driver_sql(
            "INSERT INTO devices (id, name, site_id, public, state, enrolled_ms, awaits) "
            "VALUES (1, 'a', 1, '', '', 0, 0)"
        )
        for epoch in (1, 2):  # the second one tells the earning once more
            connection.exec_driver_sql(
                "INSERT INTO epochs VALUES (?, 1, ?, 2, '', '', '', 0, 0, 0)", (epoch, bytes([epoch]))
            )
        rows = [(1, 1, "pe", earned), (1, 2, "ps", spent), (2, 1, "pe", earned)]
        connection.exec_driver_sql("INSERT INTO facts VALUES (?, ?, '', ?, ?, 0)", rows)
    migrate.upgrade(database)
    with database.write() as connection:
        assert lanes.book_waiting(connection, NOW_MS) == 0
        programmes.put(connection, Programme(id=1, name="points"), NOW_MS)
        assert lanes.book_waiting(connection, NOW_MS) == 2
        (one,) = balances.of_person(connection, HOLDER, NOW_MS)
        assert one.usable == 18
        assert audit.audit(connection) == []
    database.close()


def test_M11_only_what_is_still_owed_is_given_up(shop: Shop) -> None:
    shop.programme(overspending=Overspending.LATER)
    shop.spend(20)
    shop.earn(5)
    shop.tell()
    assert shop.end(Ending.GIVEN_UP) == ""
    assert shop.sums() == {"issued": -20, "redeemed": 20}


def test_M11_a_second_claim_ends_with_the_last_point_that_is_owed(shop: Shop) -> None:
    shop.programme(overspending=Overspending.LATER)
    shop.spend(10)
    shop.spend(10)
    shop.earn(10)
    shop.tell()
    assert [row[-1] for row in shop.conflicts()] == ["waits", "waits"]
    assert shop.end(Ending.GIVEN_UP, 2) == ""
    assert [row[-1] for row in shop.conflicts()] == ["paid", "given_up"]


def test_the_centre_writes_off_and_books_what_waits_by_itself(shop: Shop) -> None:
    shop.earn(30, at_ms=NOW_MS - 5 * DAY_MS)
    shop.tell()
    shop.programme(days=1)
    shop.desk.tidy(NOW_MS)
    assert shop.sums() == {"breakage": 30, "issued": -30}


def test_a_fact_that_a_person_let_be_is_not_booked_later(shop: Shop) -> None:
    shop.earn(30)
    shop.tell()
    assert shop.end(Ending.SETTLED) == ""
    shop.programme()
    assert shop.waiting() == 0
    assert shop.usable() == 0


def test_M4_two_facts_of_one_name_are_both_booked_and_flagged(shop: Shop) -> None:
    shop.programme()
    shop.earn(30, name=b"n" * 16)
    shop.earn(30, name=b"n" * 16, lane=shop.other)
    shop.tell()
    shop.tell(shop.other.under_a_new_epoch(0, "salvaged"))
    assert shop.sums() == {"member": 60, "issued": -60}
    assert shop.conflicts() == [("id_reused", 30, 60, "", "", "waits")]


def test_two_facts_of_one_name_and_of_no_known_programme_are_both_kept(shop: Shop) -> None:
    shop.earn(30, name=b"n" * 16)
    shop.earn(31, name=b"n" * 16)
    shop.tell()
    shop.tell(shop.lane.under_a_new_epoch(0, "salvaged"))
    assert [row[1] for row in shop.conflicts()] == [30, 31]
    shop.programme()
    assert shop.waiting() == 2
    assert shop.usable() == 61


def test_M10_points_of_a_pseudonym_that_nobody_has_are_booked_and_flagged(shop: Shop) -> None:
    shop.programme()
    shop.earn(30, holder=0x99)
    shop.tell()
    assert shop.sums() == {"member": 30, "issued": -30}
    assert shop.conflicts() == [("unknown_holder", 30, 60, "", "", "waits")]
    assert shop.end(Ending.SETTLED) == ""


def test_points_spent_before_their_end_count_though_the_unit_tells_it_later(shop: Shop) -> None:
    shop.programme(days=1, grace_days=5)
    shop.earn(10, at_ms=NOW_MS - 4 * DAY_MS)
    shop.spend(4, at_ms=NOW_MS - 3 * DAY_MS)
    shop.tell()
    assert shop.conflicts() == []
    shop.spend(2)
    shop.tell()
    assert shop.conflicts() == [("ended", 2, 4, "issuer", "ginza points", "settled")]
    with shop.office.database.write() as connection:
        assert expiry.step(connection, NOW_MS + 6 * DAY_MS) == 1
    assert shop.sums() == {"breakage": 4, "issued": -10, "redeemed": 6}


def test_M4_the_shops_rule_in_force_and_the_one_before_it_are_believed_for_a_while(shop: Shop) -> None:
    shop.programme(rule_days=7)
    shop.rule(per_yen=100)
    shop.rule(per_yen=50, from_ms=NOW_MS - 10 * DAY_MS)
    shop.earn(10, spend_yen=1_000, revision=1, at_ms=NOW_MS - 5 * DAY_MS)  # within a week of the change
    shop.earn(20, spend_yen=1_000, revision=2)
    shop.earn(9, spend_yen=1_000, revision=0)  # a lane that does not say which rule
    shop.tell()
    assert shop.conflicts() == []
    shop.earn(10, spend_yen=1_000, revision=1)
    shop.earn(21, spend_yen=1_000, revision=2)
    shop.earn(20, spend_yen=1_000, revision=3)
    shop.tell()
    assert [row[:2] for row in shop.conflicts()] == [("old_rule", 10), ("wrong_points", 1), ("wrong_points", 20)]
    assert shop.usable() == 90, "all of them were given, so all of them are booked"


def test_M4_a_rule_belongs_to_a_programme_and_a_shop_that_are_there(shop: Shop) -> None:
    with pytest.raises(programmes.ProgrammeError, match="there is no programme 1"):
        shop.rule()
    shop.programme()
    with pytest.raises(programmes.ProgrammeError, match="there is no site nowhere"):
        shop.rule(site="nowhere")
    shop.rule(from_ms=1_000)
    with pytest.raises(programmes.ProgrammeError, match="begins later"):
        shop.rule(from_ms=999)


def test_how_points_are_kept_is_settled_once_people_have_some(shop: Shop) -> None:
    shop.programme()
    shop.programme(shared=True)
    shop.programme()
    shop.earn(1)
    shop.tell()
    with pytest.raises(programmes.ProgrammeError, match="kept the other way"):
        shop.programme(shared=True)


def test_a_fact_that_can_not_be_is_put_aside_and_holds_up_nothing(shop: Shop) -> None:
    shop.programme()
    shop.earn(0)
    shop.earn(2**40)
    shop.earn(1, spend_yen=-1)
    shop.earn(1, revision=-1)
    shop.earn(7)
    shop.tell()
    assert shop.usable() == 7
    assert shop.one("SELECT count(*) FROM dead_letters") == 4


def test_a_batch_of_many_costs_as_many_statements_as_a_batch_of_few(shop: Shop) -> None:
    from sqlalchemy import event  # counts what the driver is asked

    shop.programme()
    counts: list[int] = []
    seen: list[str] = []
    event.listen(shop.office.database.engine, "before_cursor_execute", lambda *given: seen.append(given[2]))
    for many in (1, 2, 100):  # the first one opens the accounts
        first = len(shop.lane) + 1
        for _ in range(many):
            shop.earn(5)
            shop.spend(2)
        seen.clear()
        shop.book(shop.lane, first)
        counts.append(len(seen))
    assert counts[1] == counts[2]
