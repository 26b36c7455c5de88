"""Nothing grows without a bound that has a name: every table of a unit and of the centre stands here, with its own.

A table that this page does not know is a violation too, so that a new one can't come without a bound. What is history
(the journal, the ledger of facts) grows with what happened, and with nothing else: it is held against the size of the
file and the number of things that were seen.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Final

from simulator.world.checks.stores import Disk, opened
from simulator.world.observe import AtRest, DiskRestored, DiskSpoilt, Seen, UnitAtRest, Violation

MEMORY_MAX: Final = 200
"""Elements of a container in memory, in lives with at most 20 units, 20 campaigns and some hundred messages for each:
what grows with messages is longer than that at their end."""
WAL_BYTES_MAX: Final = 16 * 1024 * 1024
STORE_BYTES_EMPTY: Final = 1024 * 1024
STORE_BYTES_EACH: Final = 8 * 1024  # for each thing that was seen anywhere
LANES_MAX: Final = 64
MARKS_PER_LANE_MAX: Final = 16
REVOKED_MAX: Final = 1_000_000
TIDY_ROWS: Final = 500  # what may lie above a bound until the next quiet moment
EPOCHS_EACH: Final = 3  # for each time that a disk was restored or spoilt: salvaged, forked, named by a witness
QUESTIONS_MAX: Final = 21  # a basket of reserved coupons, and the one that is being asked about
HINTS_PER_UNIT_MAX: Final = 1_000
REFUSED_MAX: Final = 2_000
LOG_CHANGES_KEPT: Final = 100_000  # of one site
LOG_CHANGES_NEW: Final = 10_000  # until it is tidied
BODIES_BEFORE_SITES: Final = 16  # of what was said while there was no site: they go when a log is pruned
CARDS_PER_PERSON_MAX: Final = 10
SESSIONS_PER_PERSON_MAX: Final = 20
ACCOUNTS_PER_PERSON_MAX: Final = 5
SELECTED_MAX: Final = 20
GOODS_MAX: Final = 1_000_000
OFFER_RUNS_MAX: Final = 1_000
SALE_LINES_MAX: Final = 256
OFFERS_MAX: Final = 5  # of one person in one run
GOODS_ALIKE_MAX: Final = 20

UNIT: Final = {
    "meta": 64,
    "questions": QUESTIONS_MAX,
    "campaigns": 100_000,
    "keys": 255,
    "lanes": LANES_MAX,
    "homes": 65_535,
    "heard": 200_000 + TIDY_ROWS,
    "marks": LANES_MAX * MARKS_PER_LANE_MAX,
    "taken_back": 10_000,
    "parts": 1_000,
    "phones": 10_000 + TIDY_ROWS,
    "revoked": 2 * REVOKED_MAX,
    "staged": 200_000,
    "card_keys": 4,
    "card_counters": 50_000 + TIDY_ROWS,
    "card_writes": 1_000 + TIDY_ROWS,
    "sales": 20_000 + TIDY_ROWS,
    "programmes": 64,
    "earn_rules": 64 * 32,
}
"""Rows that a table of a unit may have at most."""

UNIT_HISTORY: Final = frozenset(
    {
        "journal",
        "reversals",
        "given_back",
        "own",
        "transfers",
        "away",
        "moved",
        "seen_0",
        "seen_1",
        "cards",
        "epochs",
        "my_epochs",
        "generations",
    }
)
"""Tables of a unit that grow with what happened; some are held against others (`_unit`)."""

CENTRE: Final = {
    "meta": 64,
    "sites": 65_535,
    "coupon_keys": 255,
    "campaigns": 100_000,
    "revocations": REVOKED_MAX,
    "bank_shops": 65_535,
    "ledger_audits": 100,
    "goods": GOODS_MAX,
    "offer_runs": OFFER_RUNS_MAX,
    "api_tokens": 1_000,
    "alembic_version": 1,
}
"""Rows that a table of the centre may have at most."""

CENTRE_HISTORY: Final = frozenset(
    {
        "devices", "epochs", "facts", "redemptions", "conflicts", "notices", "boots", "boot_spans", "persons", "cards",
        "sessions", "coupons", "questions", "pots", "parts", "part_moves", "homes", "home_moves", "feeds",
        "feed_bodies", "change_log", "hints", "dead_letters", "programmes", "earn_rules", "accounts", "transfers",
        "postings", "lots", "lot_moves", "bank_accounts", "bank_selections", "bank_settlements",
        "sale_facts", "reversals", "staff", "staff_sessions", "consents", "audit", "members", "issued_cards",
        "card_requests",
        "purchases", "purchase_lines", "bargains", "goods_people", "goods_pairs", "goods_alike", "offer_picks",
        "offer_declines", "mail_addresses", "postal_addresses", "mails",
        "offer_views", "analysis_cells", "analysis_people", "analysis_touched",
    }
)  # fmt: skip
"""Tables of the centre that grow with what happened; some are held against others (`CENTRE_RULES`)."""

CENTRE_RULES: Final = (
    ("hints of one unit", HINTS_PER_UNIT_MAX, "SELECT max(n) FROM (SELECT count(*) n FROM hints GROUP BY device_id)"),
    ("messages refused whole", REFUSED_MAX, "SELECT count(*) FROM dead_letters WHERE seq IS NULL"),
    ("changes kept for a site", LOG_CHANGES_KEPT + LOG_CHANGES_NEW, "SELECT max(head - floor) FROM feeds"),
    (
        "bodies that no log needs",
        BODIES_BEFORE_SITES,
        "SELECT count(*) FROM feed_bodies WHERE id NOT IN (SELECT body_id FROM change_log)",
    ),
    (
        "cards of one person",
        CARDS_PER_PERSON_MAX,
        "SELECT max(n) FROM (SELECT count(*) n FROM cards GROUP BY person_id)",
    ),
    (
        "sessions of one person",
        SESSIONS_PER_PERSON_MAX,
        "SELECT max(n) FROM (SELECT count(*) n FROM sessions GROUP BY person_id)",
    ),
    (
        "moves of one serial's home that wait",
        1,
        "SELECT max(n) FROM (SELECT count(*) n FROM home_moves GROUP BY campaign, serial)",
    ),
    (
        "open accounts of one person",
        ACCOUNTS_PER_PERSON_MAX,
        "SELECT max(n) FROM (SELECT count(*) n FROM bank_accounts WHERE closed_ms IS NULL GROUP BY person_id)",
    ),
    (
        "coupons selected for one account",
        SELECTED_MAX,
        "SELECT max(n) FROM (SELECT count(*) n FROM bank_selections GROUP BY account_id)",
    ),
    (
        "questions that hold one serial",
        1,
        "SELECT max(n) FROM (SELECT count(*) n FROM questions WHERE state = 'granted' AND serial <> 0"
        " GROUP BY campaign, serial)",
    ),
    (
        "lines of one purchase",
        SALE_LINES_MAX,
        "SELECT max(n) FROM (SELECT count(*) n FROM purchase_lines GROUP BY sale)",
    ),
    ("purchases without a fact", 0, "SELECT (SELECT count(*) FROM purchases) - count(*) FROM facts"),
    ("offers of one person", OFFERS_MAX, "SELECT max(rank) FROM offer_picks"),
    (
        "goods that go with others",
        GOODS_ALIKE_MAX,
        "SELECT max(rank) FROM goods_alike",
    ),
    ("redemptions without a fact", 0, "SELECT (SELECT count(*) FROM redemptions) - count(*) FROM facts"),
    ("homes without a site", 0, "SELECT (SELECT count(*) FROM homes) - count(*) FROM sites"),
)
"""What is counted, how many there may be, and how to count it."""


class Bounded:
    """See the module."""

    name: Final = "bounded"

    def __init__(self) -> None:
        self._seen = 0
        self._new_disks: Counter[str] = Counter()

    def saw(self, seen: Seen) -> None:
        self._seen += 1
        if isinstance(seen, DiskRestored | DiskSpoilt):
            self._new_disks[seen.device] += 1

    def came_up(self, unit: UnitAtRest) -> None:
        self._unit(unit)

    def at_rest(self, world: AtRest) -> None:
        for held in world.memory:
            self._at_most(held.owner, f"elements in memory at {held.path}", held.size, MEMORY_MAX)
        for unit in world.units:
            if unit.enrolled:
                self._unit(unit)
        with opened(world.centre) as sql:
            self._tables(sql, "the centre", CENTRE, CENTRE_HISTORY)
            for what, at_most, query in CENTRE_RULES:
                self._at_most("the centre", what, sql.number(query), at_most)

    def _unit(self, unit: UnitAtRest) -> None:
        wal, size = _size(unit.store.with_name(unit.store.name + "-wal")), _size(unit.store)
        self._at_most(unit.device, "bytes in the log of its store", wal, WAL_BYTES_MAX)
        self._at_most(unit.device, "bytes in its store", size, STORE_BYTES_EMPTY + STORE_BYTES_EACH * self._seen)
        with opened(unit.store) as sql:
            self._tables(sql, unit.device, UNIT, UNIT_HISTORY)
            epochs = 1 + EPOCHS_EACH * self._new_disks[unit.device]
            for table in ("epochs", "my_epochs"):
                self._at_most(unit.device, f"rows in {table}", _rows(sql, table), epochs)
            newest = sql.number("SELECT max(position) FROM journal")
            written = max(newest, sql.number("SELECT max(base + coalesce(last, 0)) FROM epochs"))
            for table in ("journal", "own", "transfers", "away"):
                self._at_most(unit.device, f"rows in {table}", _rows(sql, table), written)
            marks = sql.number("SELECT max(n) FROM (SELECT count(*) n FROM marks GROUP BY device)")
            self._at_most(unit.device, "marks of one lane", marks, MARKS_PER_LANE_MAX)

    def _tables(self, sql: Disk, where: str, bounds: dict[str, int], history: frozenset[str]) -> None:
        for (table,) in sql.rows("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"):
            if table in bounds:
                self._at_most(where, f"rows in {table}", _rows(sql, table), bounds[table])
            elif table not in history:
                raise Violation(self.name, f"{where}: nothing bounds the table {table}")

    def _at_most(self, where: str, what: str, found: int, at_most: int) -> None:
        if found > at_most:
            raise Violation(self.name, f"{where}: {found:,} {what}, at most {at_most:,} are allowed")


def _rows(sql: Disk, table: str) -> int:
    return sql.number(f"SELECT count(*) FROM {table}")  # noqa: S608


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
