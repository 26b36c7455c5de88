"""The checker of member cards finds what it is for: one thing wrong at a time, in what was seen or in the books."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest

from simulator.world.checks.member_cards import MemberCards
from simulator.world.observe import AtRest, CardGreeted, DiskRestored, DiskSpoilt, UnitAtRest, Violation

HER, UID, NAME, OTHER = 11, b"\4" * 7, b"n" * 16, b"o" * 16
BOOT = b"bootboot"


def greeted(**changes: Any) -> CardGreeted:
    plain = CardGreeted(1_000, "lane-1", UID, HER, 2, 7, False, 2, False)
    return plain._replace(**changes)


def found(words: str, *seen: CardGreeted | DiskRestored | DiskSpoilt) -> None:
    checker = MemberCards()
    for one in seen[:-1]:
        checker.saw(one)
    with pytest.raises(Violation, match=words):
        checker.saw(seen[-1])


def content(*seen: CardGreeted | DiskRestored | DiskSpoilt) -> None:
    checker = MemberCards()
    for one in seen:
        checker.saw(one)


def test_M2_a_card_that_was_replaced_may_not_be_greeted_once_the_unit_has_the_feed() -> None:
    found("generation 2 is the valid one", greeted(generation=1))
    content(greeted(generation=1, told_generation=0))
    content(greeted(generation=3))


def test_M2_a_card_that_was_blocked_may_not_be_greeted_either() -> None:
    found("this is blocked", greeted(told_blocked=True))


def test_M1_a_copy_on_another_tag_may_not_be_greeted() -> None:
    found("a copy on another tag", greeted(copied=True))


def test_M1_a_card_that_was_rolled_back_may_not_be_greeted_where_its_later_state_was_seen() -> None:
    found("its counter is 6, and was 7 here", greeted(), greeted(counter=6))
    content(greeted(), greeted(counter=7), greeted(counter=8))
    content(greeted(), greeted(counter=6, device="lane-2"))
    for change in (DiskRestored(2_000, "lane-1", 500), DiskSpoilt(2_000, "lane-1")):
        content(greeted(), change, greeted(counter=6))


class Books:
    """A centre's database with nothing in it but what this checker reads."""

    def __init__(self, folder: Path) -> None:
        self.path, self._seq = folder / "centre.db", 0
        self.run(
            "CREATE TABLE devices (id INTEGER, name TEXT)",
            "CREATE TABLE epochs (id INTEGER, device_id INTEGER)",
            "CREATE TABLE facts (epoch_id INTEGER, seq INTEGER, type TEXT, body BLOB)",
            "CREATE TABLE persons (id INTEGER, holder INTEGER)",
            "CREATE TABLE members (person_id INTEGER, generation INTEGER)",
            "CREATE TABLE issued_cards (question BLOB, state TEXT)",
            "INSERT INTO devices VALUES (1, 'lane-1')",
            "INSERT INTO epochs VALUES (1, 1)",
            f"INSERT INTO persons VALUES (1, {HER})",
            "INSERT INTO members VALUES (1, 2)",
        )

    def run(self, *statements: str, values: tuple[object, ...] = ()) -> None:
        with closing(sqlite3.connect(self.path, isolation_level=None)) as sql:
            for statement in statements:
                sql.execute(statement, values)

    def fact(self, tag: str, mono_ms: int, *fields: object) -> None:
        self._seq += 1
        body = msgspec.msgpack.encode([tag, [0, mono_ms, BOOT, True, 0, 0], *fields])
        self.run("INSERT INTO facts VALUES (1, ?, ?, ?)", values=(self._seq, tag, body))

    def writes(self, name: bytes = NAME, *, generation: int = 2, why: str = "points") -> None:
        self.fact("cw", 100, name, b"card", HER, generation, 8, why)

    def ends(self, outcome: str, name: bytes = NAME, mono_ms: int = 200) -> None:
        self.fact("cd", mono_ms, name, outcome)

    def spends(self, mono_ms: int) -> None:
        self.fact("ps", mono_ms, b"s" * 16, 5, HER, 100, "ginza")

    def given_out(self, state: str, name: bytes = NAME) -> None:
        self.run("INSERT INTO issued_cards VALUES (?, ?)", values=(name, state))

    def look(self, *seen: DiskRestored | DiskSpoilt, enrolled: bool = True) -> None:
        checker = MemberCards()
        for one in seen:
            checker.saw(one)
        unit = UnitAtRest("lane-1", "ginza", self.path, enrolled, up=True)
        checker.at_rest(AtRest(9_000, (unit,), self.path))

    def found(self, words: str) -> None:
        with pytest.raises(Violation, match=words):
            self.look()


@pytest.fixture
def books(tmp_path: Path) -> Books:
    return Books(tmp_path)


def test_M1_every_write_of_a_card_has_an_end_or_is_said_to_be_in_doubt(books: Books) -> None:
    books.writes()
    books.found("never said its end")
    books.look(DiskRestored(1_000, "lane-1", 500))
    books.look(enrolled=False)
    books.ends("doubt")
    books.look()


@pytest.mark.parametrize("outcome", ["doubt", "undone"])
def test_M1_a_card_that_was_not_written_pays_nothing(books: Books, outcome: str) -> None:
    books.writes()
    books.ends(outcome)
    books.spends(201)
    books.look()
    books.spends(200)
    books.found("took 100 points in the moment")


def test_M1_a_card_that_was_written_pays(books: Books) -> None:
    books.writes()
    books.ends("done")
    books.spends(200)
    books.look()


def test_M2_the_centre_knows_every_card_that_its_kiosks_have_written(books: Books) -> None:
    books.writes(generation=3, why="issue")
    books.ends("done")
    books.found("wrote card 3 .* of whom the centre knows 2")


@pytest.mark.parametrize(
    ("outcomes", "state", "fine"),
    [
        (["done"], "written", True), (["done"], "granted", False), (["doubt", "done"], "doubted", False),
        (["doubt"], "doubted", True), (["doubt"], "written", False), (["doubt"], "replaced", True),
        ([], "granted", True),
    ],
)  # fmt: skip
def test_M1_what_the_centre_says_of_a_card_is_what_its_kiosk_said(
    books: Books, outcomes: list[str], state: str, fine: bool
) -> None:
    books.given_out(state)
    if outcomes:
        books.writes(why="issue")
    for outcome in outcomes:
        books.ends(outcome)
    if fine:
        books.look()
    else:
        books.found("the centre says")
