"""Nothing is held on disk without bound: each table that must not grow has its bound here, with its source.

Looked at whenever a unit comes up and at rest. A table that is let go of a little at a time may be SLACK above its
bound. What grows with the trade alone (the journal while nobody answers, uses at the centre) is bounded by the disk:
the unit then stops rather than guess.
"""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, Final, NamedTuple

from simulator.world.checks import disks
from simulator.world.checks.base import Watch
from simulator.world.checks.disks import Disk, Unreadable
from simulator.world.observe import AtRest, UnitAtRest

SLACK: Final = 1_000  # rows that wait for the next tidying


class Bound(NamedTuple):
    """At most so many. `statement` gives one number, the worst."""

    what: str
    statement: str
    most: int
    source: str
    when: str = "always"  # or 'rest': at rest alone


UNIT: Final = (
    Bound("open questions", "SELECT count(*) FROM questions", 1_000, "one at a time, and those of a basket"),
    Bound("open questions", "SELECT count(*) FROM questions", 0, "none waits", "rest"),
    Bound("time steps of phones", "SELECT count(*) FROM phones", 10_000 + SLACK, "store.PHONES_HELD_MAX"),
    Bound("what lanes told", "SELECT count(*) FROM heard", 200_000 + SLACK, "heard.ROWS_MAX"),
    Bound("redemptions taken back", "SELECT count(*) FROM taken_back", 10_000, "cache.TAKEN_BACK_MAX"),
    Bound(
        "marks of one lane",
        "SELECT max(n) FROM (SELECT count(*) AS n FROM marks GROUP BY device)",
        16,
        "site_messages.MARKS_MAX",
    ),
    Bound("lanes with marks", "SELECT count(DISTINCT device) FROM marks", 64, "site_messages.LANES_MAX"),
    Bound("parts", "SELECT count(*) FROM parts", 1_000, "parts.PARTS_MAX"),
    Bound("gone incarnations", "SELECT coalesce(max(length(value)), 0) / 16 FROM meta WHERE key = 'retired'", 8,
          "store.carry_out"),
    Bound("keys of the table meta", "SELECT count(*) FROM meta", 64, "each is named in the code"),
    Bound("keys of coupons", "SELECT count(*) FROM keys", 255, "a code has one byte for it"),
    Bound("open epochs", "SELECT count(*) FROM epochs WHERE last IS NULL", 1, "the last one"),
    Bound("staged changes", "SELECT count(*) FROM staged", 0, "a snapshot is finished", "rest"),
    Bound(
        "yeses of which the facts are gone",
        "SELECT count(*) FROM own WHERE shown = 1 AND position < (SELECT coalesce(min(position), 0) FROM journal)",
        SLACK,
        "store.tidy",
        "rest",
    ),
    Bound(
        "rows of the table that is not in force",
        "SELECT CASE coalesce((SELECT value FROM meta WHERE key = 'generation'), 0)"
        " WHEN 0 THEN (SELECT count(*) FROM seen_1) ELSE (SELECT count(*) FROM seen_0) END",
        200_000,
        "cache.empty_old: what one snapshot held",
    ),
)  # fmt: skip

CENTRE: Final = (
    Bound(
        "dead letters of whole messages",
        "SELECT count(*) FROM dead_letters WHERE seq IS NULL",
        2_001,
        "deadletters.REFUSED_MAX",
    ),
    Bound(
        "hints of one unit",
        "SELECT max(n) FROM (SELECT count(*) AS n FROM hints GROUP BY device_id)",
        1_000,
        "hinting.HINTS_PER_DEVICE_MAX",
    ),
    Bound(
        "changes in the log of one site",
        "SELECT max(n) FROM (SELECT sum(count) AS n FROM change_log GROUP BY site_id)",
        100_000 + SLACK,
        "central.log_kept_changes",
    ),
    Bound(
        "bodies that no log needs",
        "SELECT count(*) FROM feed_bodies b WHERE NOT EXISTS (SELECT 1 FROM change_log c WHERE c.body_id = b.id)",
        SLACK,
        "feed.prune; what was said when there was no site yet",
    ),
    Bound("keys of coupons", "SELECT count(*) FROM coupon_keys", 255, "a code has one byte for it"),
    Bound("campaigns", "SELECT count(*) FROM campaigns", 100_000, "issue.CAMPAIGNS_MAX"),
    Bound("stop list", "SELECT count(*) FROM revocations", 1_000_000, "stoplist.REVOKED_MAX"),
)

LOG_BYTES_MAX: Final = 64 * 1024 * 1024  # of a write-ahead log: many times the pages at which a checkpoint is due


class Bounded(Watch):
    """See the module."""

    name: ClassVar = "bounded"

    def came_up(self, unit: UnitAtRest) -> None:
        self._look(unit.device, unit.store, UNIT, rest=False)

    def at_rest(self, world: AtRest) -> None:
        for unit in world.units:
            self._look(unit.device, unit.store, UNIT, rest=unit.enrolled and unit.up)
        self._look("the centre", world.centre, CENTRE, rest=True)

    def _look(self, whose: str, file: Path, bounds: tuple[Bound, ...], *, rest: bool) -> None:
        try:
            with disks.opened(file) as disk:
                for bound in bounds:
                    if rest or bound.when == "always":
                        self._hold(whose, disk, bound)
        except Unreadable:
            return  # `shown-is-on-disk` says so
        log = file.with_name(file.name + "-wal")
        if log.exists() and log.stat().st_size > LOG_BYTES_MAX:
            self.broken(f"the write-ahead log of {whose} has {log.stat().st_size} bytes; at most {LOG_BYTES_MAX}")

    def _hold(self, whose: str, disk: Disk, bound: Bound) -> None:
        count = disk.number(bound.statement)
        if count > bound.most:
            self.broken(f"{whose} holds {count} ({bound.what}); at most {bound.most} by {bound.source}")
