"""The checkers that read disks: quiet about a life in which all went well, and each of them can fail.

One short life is lived; for every promise a single row of a copy of its databases is changed, and the checker says so.
"""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import msgspec
import pytest

from edge_agent.inbox import Inbox
from simulator.world.checks import all_checkers
from simulator.world.checks.auditor import Auditor
from simulator.world.checks.bounds import Bounded
from simulator.world.checks.caches import CachesConverge
from simulator.world.checks.ledger import LedgerBalances
from simulator.world.checks.parts import PartsAreKnown
from simulator.world.checks.payments import PaidOnce
from simulator.world.checks.purses import MovedAsAsked
from simulator.world.checks.reasons import NoInternalError
from simulator.world.checks.time_goes_on import TimeGoesOn
from simulator.world.checks.waiting import NothingWaits
from simulator.world.faults import CENTRES, DISKS
from simulator.world.held import held_by
from simulator.world.life import Life, Plan
from simulator.world.observe import (
    AtRest,
    Checker,
    DiskSpoilt,
    Downloaded,
    Held,
    PaymentSeen,
    PointsSeen,
    Refused,
    Seen,
    Violation,
)
from simulator.world.run import installed
from simulator.world.trace import Trace
from tests.shops import Recorder
from tests.world.story import change, told

PLAN = Plan(seed=5, steps=150, sites=2, lanes=2, without=tuple(sorted(DISKS | CENTRES)))


class Lived(NamedTuple):
    """A life, and where its disks lie."""

    folder: Path
    seen: list[Seen]
    rest: AtRest

    def moved(self, to: Path) -> Lived:
        shutil.copytree(self.folder, to)

        def there(path: Path) -> Path:
            return to / path.relative_to(self.folder)

        units = tuple(unit._replace(store=there(unit.store)) for unit in self.rest.units)
        return Lived(to, self.seen, self.rest._replace(units=units, centre=there(self.rest.centre)))

    def check(self, checker: Checker) -> None:
        told(checker, self.seen, self.rest)


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Lived:
    folder = tmp_path_factory.mktemp("life") / "world"
    folder.mkdir()
    recorder = Recorder()
    with installed(PLAN.seed) as ground:
        life = Life(PLAN, folder, ground, Trace(), [recorder])
        while not life.over:
            life.step()
        life.peace()
        life.world.finish()
    assert recorder.rest is not None, "the world came to rest"
    return Lived(folder, recorder.seen, recorder.rest)


@pytest.mark.parametrize("checker", all_checkers(), ids=lambda checker: checker.name)
def test_a_life_in_which_all_went_well_makes_no_checker_speak(lived: Lived, checker: Checker) -> None:
    lived.check(checker)
    for unit in lived.rest.units:
        checker.came_up(unit)


AT_A_UNIT: list[tuple[type[Checker], str, str]] = [
    (CachesConverge, "UPDATE meta SET value = value - 1 WHERE key = 'feed_number'", "stands at"),
    (CachesConverge, "UPDATE meta SET value = zeroblob(16) WHERE key = 'feed_incarnation'", "stands at"),
    (CachesConverge, "DELETE FROM campaigns WHERE id = 1", "campaign 1 is missing"),
    (CachesConverge, "UPDATE campaigns SET body = (SELECT body FROM campaigns WHERE id = 2) WHERE id = 1", "revision"),
    (
        CachesConverge,
        "INSERT INTO campaigns (id, found_by, body) SELECT 99, '', body FROM campaigns LIMIT 1",
        "not the",
    ),
    (CachesConverge, "UPDATE keys SET retired_ms = 1 WHERE id = (SELECT max(id) FROM keys)", "keys: 1"),
    (CachesConverge, "DELETE FROM lanes WHERE device = (SELECT max(device) FROM lanes)", "lanes: 1"),
    (CachesConverge, "DELETE FROM cards WHERE card = (SELECT max(card) FROM cards)", "cards: 1"),
    (CachesConverge, "INSERT INTO revoked SELECT value, zeroblob(16) FROM meta WHERE key = 'generation'", "1 are not"),
    (CachesConverge, "UPDATE homes SET term = term + 1", "stands at term"),
    (CachesConverge, "UPDATE homes SET device = 'nobody'", "is kept by 'nobody'"),
    (CachesConverge, "DELETE FROM homes", "it knows the homes []"),
    (CachesConverge, "DELETE FROM seen_{generation}", "is unknown"),
    (CachesConverge, "UPDATE seen_{generation} SET provisional = 1", "hint alone"),
    (
        CachesConverge,
        "INSERT INTO seen_{generation} VALUES (zeroblob(16), 1, x'', 0, 'ginza', zeroblob(16), 0)",
        "was never booked",
    ),
    (
        CachesConverge,
        "INSERT INTO seen_{generation} VALUES (zeroblob(16), 1, x'', 0, 'ginza', zeroblob(16), 1)",
        "has no more",
    ),
    (NothingWaits, "UPDATE epochs SET acked = acked - 1 WHERE id = (SELECT max(id) FROM epochs)", "1 facts after"),
    (NothingWaits, "INSERT INTO questions VALUES (zeroblob(16), 7, 12)", "is open"),
    (PartsAreKnown, "UPDATE parts SET granted_count = granted_count + 500, spent_count = 500", "was granted"),
    (PartsAreKnown, "UPDATE parts SET moved_count = moved_count + 500", "uses left"),
    (PartsAreKnown, "UPDATE parts SET spent_yen = spent_yen - 50000", "yen left"),
    (Bounded, "CREATE TABLE diary (line TEXT)", "nothing bounds the table diary"),
    (Bounded, "INSERT INTO my_epochs VALUES (zeroblob(16))", "rows in my_epochs"),
    (
        Bounded,
        "INSERT INTO epochs SELECT id + 1000, zeroblob(16), base, last, acked, incarnation FROM epochs",
        "rows in epochs",
    ),
    (
        Bounded,
        "INSERT INTO marks (device, epoch, number, hash) WITH n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n"
        " WHERE i < 17) SELECT 'x', CAST(i AS BLOB), 1, x'' FROM n",
        "marks of one lane",
    ),
    (
        Bounded,
        "INSERT INTO questions WITH n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 22)"
        " SELECT CAST(i AS BLOB), 1, i FROM n",
        "rows in questions",
    ),
    (
        Bounded,
        "INSERT INTO away WITH n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 500)"
        " SELECT 4, i, x'', '', 0 FROM n",
        "rows in away",
    ),
    (Bounded, "INSERT INTO staged (body) VALUES (zeroblob(8000000))", "bytes in its store"),
]
"""What is changed on the disk of the first unit, and what is then said."""


@pytest.mark.parametrize(("kind", "query", "words"), AT_A_UNIT)
def test_a_row_that_is_wrong_on_a_unit_is_found(
    lived: Lived, tmp_path: Path, kind: type[Checker], query: str, words: str
) -> None:
    copy = lived.moved(tmp_path / "world")
    store = copy.rest.units[0].store
    with closing(sqlite3.connect(store)) as connection:
        row = connection.execute("SELECT value FROM meta WHERE key = 'generation'").fetchone()
    change(store, query.format(generation=row[0] if row else 0))
    with pytest.raises(Violation) as found:
        copy.check(kind())
    assert words in found.value.what
    assert copy.rest.units[0].device in found.value.what
    assert found.value.checker == kind().name


AT_THE_CENTRE: list[tuple[type[Checker], str, str]] = [
    (
        CachesConverge,
        "INSERT INTO revocations (campaign, serial, holder, revoked_ms, note) VALUES (0, 0, 77, 1, '')",
        "stop list: 1",
    ),
    (
        CachesConverge,
        "UPDATE coupons SET home = (SELECT id FROM sites WHERE name = 'ginza'), moves = moves + 1"
        " WHERE id = (SELECT max(id) FROM coupons WHERE campaign = 4)",
        "moved 0 times",
    ),
    (CachesConverge, "UPDATE feeds SET head = head + 1", "stands at"),
    (
        NothingWaits,
        "INSERT INTO questions (question, device_id, campaign, serial, holder, state, reason, at_ms, site, asked_ms)"
        " SELECT zeroblob(16), min(id), 7, 12, 0, 'granted', 'ok', 0, '', 0 FROM devices",
        "is not open on the unit",
    ),
    (LedgerBalances, "UPDATE postings SET amount = amount + 1 WHERE amount > 0", "out of nothing"),
    (LedgerBalances, "UPDATE accounts SET balance = balance + 1 WHERE kind = 'issued'", "its postings sum to"),
    (LedgerBalances, "UPDATE lots SET rest = rest + 1", "its lots hold"),
    (
        LedgerBalances,
        "UPDATE facts SET body = (SELECT body FROM facts WHERE type = 'rd' LIMIT 1) WHERE type = 'pe'",
        "by the facts",
    ),
    (PaidOnce, "UPDATE bank_settlements SET state = 'void' WHERE state = 'settled'", "the bank debited"),
    (PaidOnce, "UPDATE bank_settlements SET debit_yen = debit_yen + 1 WHERE state = 'settled'", "the bank debited"),
    (PaidOnce, "UPDATE bank_settlements SET state = 'in_doubt' WHERE state = 'settled'", "is still in_doubt"),
    (PaidOnce, "DELETE FROM bank_settlements", "knows nothing"),
    (
        MovedAsAsked,
        "DELETE FROM postings WHERE transfer IN (SELECT id FROM transfers WHERE kind = 'buy')",
        "has it no more",
    ),
    (MovedAsAsked, "UPDATE transfers SET name = randomblob(16) WHERE kind = 'buy'", "nobody was told"),
    (
        MovedAsAsked,
        "UPDATE postings SET amount = amount * 2 WHERE transfer IN (SELECT id FROM transfers WHERE kind = 'buy')",
        "points moved",
    ),
    (NothingWaits, "UPDATE devices SET awaits = 1", "still awaits the journal"),
    (NothingWaits, "UPDATE devices SET owes_parts = 1", "still awaits the parts"),
    (NothingWaits, "UPDATE pots SET transit_count = 1 WHERE kind = 'c' AND id = 1", "1 uses and 0 yen"),
    (
        NothingWaits,
        "INSERT INTO home_moves SELECT zeroblob(16), 4, c.serial, c.home, 0 FROM coupons c"
        " JOIN homes h ON h.site_id = c.home AND h.device_id IS NOT NULL WHERE c.campaign = 4 LIMIT 1",
        "to let it go",
    ),
    (NothingWaits, "UPDATE homes SET next_device_id = device_id", "to leave its home"),
    (
        NothingWaits,
        "INSERT INTO dead_letters (device, topic, epoch, seq, reason, payload, payload_bytes, digest, times,"
        " received_ms) SELECT min(name), '', zeroblob(16), 3, 'not a fact', x'', 0, x'', 1, 0 FROM devices",
        "was put aside",
    ),
    (NoInternalError, "UPDATE questions SET reason = 'internal'", "'internal'"),
    (
        NoInternalError,
        "INSERT INTO dead_letters (device, topic, reason, payload, payload_bytes, digest, times, received_ms)"
        " VALUES ('x', '', 'a fault of the centre: KeyError', x'', 0, x'', 1, 0)",
        "a fault of the centre: KeyError",
    ),
    (Bounded, "CREATE TABLE diary (line TEXT)", "nothing bounds the table diary"),
    (Bounded, "UPDATE feeds SET head = head + 200000", "changes kept for a site"),
    (
        Bounded,
        "INSERT INTO hints WITH n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1001)"
        " SELECT CAST(i AS BLOB), 1, 1, i, 0, '', 0, 0 FROM n",
        "hints of one unit",
    ),
    (
        Bounded,
        "INSERT INTO dead_letters (device, topic, reason, payload, payload_bytes, digest, times, received_ms)"
        " WITH n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2001)"
        " SELECT 'x', '', '', x'', 0, CAST(i AS BLOB), 1, 0 FROM n",
        "messages refused whole",
    ),
    (
        Bounded,
        "INSERT INTO cards WITH n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 12)"
        " SELECT CAST(i AS BLOB), (SELECT min(id) FROM persons), 0 FROM n",
        "cards of one person",
    ),
    (
        Bounded,
        "INSERT INTO sessions WITH n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 21)"
        " SELECT CAST(i AS BLOB), (SELECT min(id) FROM persons), 0 FROM n",
        "sessions of one person",
    ),
    (
        Bounded,
        "INSERT INTO feed_bodies (changes) WITH n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 17)"
        " SELECT x'90' FROM n",
        "bodies that no log needs",
    ),
    (Auditor, "UPDATE campaigns SET redeemed = redeemed + 1 WHERE redeemed > 0", "uses, "),
    (
        Auditor,
        "UPDATE redemptions SET state = 'void' WHERE id = (SELECT min(id) FROM redemptions WHERE state = 'double')",
        "are booked",
    ),
    (
        Auditor,
        "UPDATE redemptions SET state = 'void' WHERE id = (SELECT min(id) FROM redemptions WHERE state = 'cleared')",
        "redemptions count",
    ),
    (Auditor, "UPDATE campaigns SET given_out = given_out + 1 WHERE id = 1", "given out"),
    (
        Auditor,
        "UPDATE coupons SET serial = 12 WHERE id = (SELECT min(id) FROM coupons WHERE campaign = 5)",
        "is no coupon",
    ),
    (Auditor, "DELETE FROM conflicts WHERE kind = 'double'", "0 conflicts say so"),
    (
        Auditor,
        "INSERT INTO conflicts (kind, campaign, serial, first_epoch, first_seq, second_epoch, second_seq, found_ms)"
        " VALUES ('double', 5, 12, 0, 0, 1, 1, 0)",
        "1 conflicts say so instead of 0",
    ),
    (Auditor, "UPDATE campaigns SET exposed = exposed + 1 WHERE id = 5", "uses too many"),
    (Auditor, "UPDATE pots SET spent_count = spent_count + 1 WHERE kind = 'c' AND id = 1", "are spent"),
    (Auditor, "UPDATE pots SET spent_yen = spent_yen - 1 WHERE kind = 'c' AND id = 2", "are spent"),
    (Auditor, "UPDATE pots SET out_count = out_count + 1 WHERE kind = 'c' AND id = 1", "are out, and the parts"),
    (Auditor, "UPDATE pots SET spent_count = -1 WHERE kind = 'c' AND id = 1", "none can be below zero"),
    (Auditor, "UPDATE pots SET cap_count = 0 WHERE kind = 'c' AND id = 1", "more than 0"),
    (Auditor, "UPDATE pots SET transit_count = -1 WHERE kind = 'c' AND id = 1", "-1 uses are under way"),
    (Auditor, "UPDATE pots SET exposure_count = 1 WHERE kind = 'c' AND id = 1", "no disk and no unit was lost"),
    (
        Auditor,
        "INSERT INTO questions (question, device_id, campaign, serial, holder, state, reason, at_ms, site, asked_ms)"
        " WITH n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 40)"
        " SELECT CAST(i AS BLOB), 1, 1, i, 0, 'granted', 'ok', 0, '', 0 FROM n",
        "40 held are more",
    ),
    (
        Auditor,
        "INSERT OR REPLACE INTO pots VALUES ('p', 9, 0, 10, NULL, 0, 3, 0, 0, 0, 0, 0, 0, 0)",
        "3 points spent, the facts say 0",
    ),
]
"""What is changed at the centre, and what is then said."""


@pytest.mark.parametrize(("kind", "query", "words"), AT_THE_CENTRE)
def test_a_row_that_is_wrong_at_the_centre_is_found(
    lived: Lived, tmp_path: Path, kind: type[Checker], query: str, words: str
) -> None:
    copy = lived.moved(tmp_path / "world")
    change(copy.rest.centre, query)
    with pytest.raises(Violation) as found:
        copy.check(kind())
    assert words in found.value.what


def test_a_part_that_was_taken_and_never_given_is_found_where_no_disk_was_lost(lived: Lived, tmp_path: Path) -> None:
    copy = lived.moved(tmp_path / "world")
    _tell(copy, "lt", ["lt", [0, 0, b"boot", True], bytes(16), "ginza-1", ["c", 1, 0], [3, 0]])
    with pytest.raises(Violation, match=r"campaign 1: .* took 3 uses and 0 yen that ginza-1 never gave"):
        copy.check(Auditor())


def test_a_use_that_was_told_and_not_booked_is_found(lived: Lived, tmp_path: Path) -> None:
    copy = lived.moved(tmp_path / "world")
    _tell(copy, "rd", ["rd", [0, 0, b"boot", True], 6, 0, 0, 1, "open", "ginza", 0, 0, 0])
    with pytest.raises(Violation, match="campaign 6 says"):
        copy.check(Auditor())


def _tell(copy: Lived, tag: str, fact: list[object]) -> None:
    with closing(sqlite3.connect(copy.rest.centre)) as connection, connection:
        connection.execute(
            "INSERT INTO facts SELECT min(epoch_id), 1000000, x'', ?, ?, 0 FROM facts",
            (tag, msgspec.msgpack.encode(fact)),
        )


def test_a_serial_that_is_given_out_twice_is_seen_at_once() -> None:
    auditor = Auditor()
    auditor.saw(Downloaded(1, 5, 12, 77, ""))
    with pytest.raises(Violation, match="serial 000000000000000c of campaign 5 was given out twice"):
        auditor.saw(Downloaded(2, 5, 12, 78, ""))


def test_a_debit_that_a_shopper_saw_and_the_bank_did_not_make_twice_or_not_at_all_is_found(lived: Lived) -> None:
    seen = next(one for one in lived.seen if isinstance(one, PaymentSeen) and one.yen)
    debit = (seen.payment.hex(), -seen.yen)
    for bank, words in (
        (tuple(one for one in lived.rest.bank if one != debit), "are settled"),
        ((*lived.rest.bank, debit), "twice"),
    ):
        with pytest.raises(Violation) as found:
            told(PaidOnce(), lived.seen, lived.rest._replace(bank=bank))
        assert words in found.value.what


def test_a_payment_that_is_said_to_be_settled_with_two_amounts_is_seen_at_once(lived: Lived) -> None:
    seen = next(one for one in lived.seen if isinstance(one, PaymentSeen))
    with pytest.raises(Violation, match="was settled with"):
        told(PaidOnce(), [seen, seen._replace(yen=seen.yen + 1)], lived.rest)


def test_points_that_a_person_saw_and_no_fact_tells_of_are_missed(lived: Lived) -> None:
    unit = lived.rest.units[0]
    ghost = PointsSeen(1, unit.device, unit.site, b"no boot!", 5, 1, 77, 12, True)
    with pytest.raises(Violation, match=r"12 points that holder 00000000004d earned .* are 0 facts"):
        lived._replace(seen=[*lived.seen, ghost]).check(Auditor())


def test_a_shopper_who_is_told_of_an_internal_error_is_heard_at_once() -> None:
    with pytest.raises(Violation, match="internal"):
        NoInternalError().saw(Refused(1, "ginza-0", "ginza", 3, 12, "internal_error"))


def test_a_log_of_a_store_that_grew_without_end_is_seen_when_the_unit_comes_up(lived: Lived, tmp_path: Path) -> None:
    unit = lived.moved(tmp_path / "world").rest.units[0]
    with unit.store.with_name(unit.store.name + "-wal").open("wb") as wal:
        wal.truncate(16 * 1024 * 1024 + 1)
    with pytest.raises(Violation, match="bytes in the log of its store"):
        Bounded().came_up(unit)


def test_a_fact_stamped_long_before_a_time_that_the_unit_was_sure_of_is_found(lived: Lived, tmp_path: Path) -> None:
    copy = lived.moved(tmp_path / "world")
    unit = copy.rest.units[0]
    with closing(sqlite3.connect(unit.store)) as sql:
        position, body = sql.execute("SELECT position, body FROM journal ORDER BY position DESC LIMIT 1").fetchone()
        fact = msgspec.msgpack.decode(body)
        fact[1][0] -= 700_000
        sql.execute("UPDATE journal SET body = ? WHERE position = ?", (msgspec.msgpack.encode(fact), position))
        sql.commit()
    with pytest.raises(Violation, match=f"fact {position} of {unit.device} is .* behind a time that it was sure of"):
        copy.check(TimeGoesOn())
    forgot = Lived(copy.folder, [*copy.seen, DiskSpoilt(1, unit.device)], copy.rest)
    forgot.check(TimeGoesOn())


def test_what_grows_in_the_memory_of_a_program_is_found(lived: Lived) -> None:
    assert {held.owner for held in lived.rest.memory} == {"centre", *(unit.device for unit in lived.rest.units)}
    leak = Held("ginza-0", "_centre._heard_of", 201)
    with pytest.raises(Violation, match=r"ginza-0: 201 elements in memory at _centre\._heard_of"):
        lived._replace(rest=lived.rest._replace(memory=(*lived.rest.memory, leak))).check(Bounded())


def test_containers_are_found_wherever_a_program_keeps_them() -> None:
    outbox = Inbox[list[int]]()
    outbox.put([1, 2, 3])
    sizes = {held.path: held.size for held in held_by("it", outbox)}
    assert 3 in sizes.values(), "inside a queue"
