"""The runner: durable before visible, in this order, whatever fails in between."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest
from nacl.signing import SigningKey
from PIL import Image

from edge_agent.core.events import PointsEarned
from edge_agent.panel import Panel
from edge_agent.runner import Agent
from edge_agent.settings import BrokerLogin, UnitSettings
from edge_agent.steps import StepLog
from edge_agent.store.connection import StoreCorrupt, StoreUnwritable
from edge_agent.store.journal import Journal
from edge_agent.store.store import Store
from edge_agent.timekeeper import BUILD_MS, SAVE_EVERY_MS, Timekeeper
from hal import backends
from hal.clock import Reading
from hal.errors import HalReason, PartFailed
from hal.indicators import Light
from hal.virtual.world import Lit, Shown, World, WorldEvent
from tests.unit.edge_agent.agent_world import SIGNED, code, scanned, world
from wire.uplink import OpenEpoch

CENTRE = SigningKey(b"c" * 32)


class Unit:
    """An agent on virtual parts in memory; its broker is not there. What happens is kept in order."""

    def __init__(self, folder: Path) -> None:
        self.happened: list[str] = []
        self.lines: list[dict[str, object]] = []
        self.world = World()
        self.world.observe(self._see)
        self.store = Store(folder, "unit-1")
        self.store.start(b"e" * 16)
        with self.store.transaction():
            self.store.cache.apply(world(), b"i" * 16, 5)
        options: dict[str, object] = {"port": self.world.port()}
        self.time = Timekeeper(backends.open_clock("virtual", options), 0)
        self.display = backends.open_display("virtual", options)
        panel = Panel(
            self.display,
            backends.open_indicators("virtual", options),
            lang="ja",
            utc_offset_min=540,
            wall_ms=lambda: self.time.now().wall_ms,
        )
        self.agent = Agent(
            UnitSettings(device="unit-1", site="shinjuku", data_dir=str(folder), broker=BrokerLogin(port=1)),
            store=self.store,
            panel=panel,
            time=self.time,
            steps=StepLog(self._line, lambda: 0),
            keys=(SigningKey(b"d" * 32), CENTRE.verify_key),
            version="test",
        )

    def _line(self, line: bytes) -> None:
        self.lines.append(msgspec.json.decode(line))

    def _see(self, event: WorldEvent) -> None:
        if isinstance(event, Shown):
            self.happened.append(f"shown, {self.facts()} on disk")
        elif isinstance(event, Lit):
            self.happened.append(f"{event.light}, {self.facts()} on disk")

    def facts(self) -> int:
        """As another process would count them: only what is committed."""
        other = Store(self.store.folder, "unit-1", read_only=True)
        count = other.journal.position
        other.close()
        return count

    def reasons(self) -> list[object]:
        return [line["reason"] for line in self.lines if line.get("step") == "decided"]


@pytest.fixture
def unit(tmp_path: Path) -> Iterator[Unit]:
    made = Unit(tmp_path / "unit")
    made.agent.start()
    made.happened.clear()
    yield made
    made.agent.close()


def test_K5_nothing_is_shown_before_its_fact_is_on_disk(unit: Unit) -> None:
    unit.agent.decide(scanned(code(SIGNED, serial=1)))
    assert unit.happened == ["shown, 1 on disk", "green, 1 on disk"]


def test_K5_what_is_shown_is_marked_and_what_is_not_is_not(unit: Unit) -> None:
    unit.agent.decide(scanned(code(SIGNED, serial=1)))

    def broken(image: Image.Image) -> None:
        raise PartFailed(HalReason.NO_ANSWER, "the display is gone")

    working, unit.display.show = unit.display.show, broken  # type: ignore[method-assign]
    unit.agent.decide(scanned(code(SIGNED, serial=2)))
    unit.display.show = working  # type: ignore[method-assign]
    assert unit.store.connection.rows("SELECT position, shown FROM own ORDER BY position") == [(1, 1), (2, 0)]
    unit.agent.decide(scanned(code(SIGNED, serial=2)))
    unit.agent.decide(scanned(code(SIGNED, serial=2)))
    assert unit.reasons() == ["ok", "ok", "ok_again", "used"]


def failing(unit: Unit, monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """The disk takes nothing any more, until the returned function is called."""
    keep, probe = unit.store.keep, unit.store.probe

    def full(*values: object) -> int:
        raise StoreUnwritable("database or disk is full")

    monkeypatch.setattr(unit.store, "keep", full)
    monkeypatch.setattr(unit.store, "probe", full)

    def heal() -> None:
        monkeypatch.setattr(unit.store, "keep", keep)
        monkeypatch.setattr(unit.store, "probe", probe)

    return heal


def test_K5_without_room_for_a_fact_there_is_no_green(unit: Unit, monkeypatch: pytest.MonkeyPatch) -> None:
    heal = failing(unit, monkeypatch)
    unit.agent.decide(scanned(code(SIGNED, serial=1)))
    assert unit.happened == ["shown, 0 on disk", f"{Light.RED}, 0 on disk"]
    heal()
    for _ in range(200):
        unit.agent.turn(0.05)
        if any(line["event"] == "store" and line["ok"] for line in unit.lines):
            break
    unit.agent.decide(scanned(code(SIGNED, serial=1)))
    assert unit.reasons() == ["out_of_service", "ok"]
    assert unit.facts() == 1


def test_M4_points_that_can_not_be_stored_are_not_shown_either(unit: Unit, monkeypatch: pytest.MonkeyPatch) -> None:
    failing(unit, monkeypatch)
    unit.agent.decide(PointsEarned(programme=1, holder=7, points=10, spend_yen=1_000))
    assert unit.happened == ["shown, 0 on disk", f"{Light.RED}, 0 on disk"]


def test_K5_waiting_for_a_disk_does_not_keep_the_processor_busy(unit: Unit, monkeypatch: pytest.MonkeyPatch) -> None:
    failing(unit, monkeypatch)
    unit.agent.decide(scanned(code(SIGNED, serial=1)))
    assert unit.agent.until_due_s() > 0.5


def test_K5_a_mark_that_found_no_room_is_written_before_the_unit_serves_again(
    unit: Unit, monkeypatch: pytest.MonkeyPatch
) -> None:
    mark, tried = unit.store.mark_shown, list[object]()

    def full(positions: object) -> None:
        tried.append(positions)
        raise StoreUnwritable("database or disk is full")

    monkeypatch.setattr(unit.store, "mark_shown", full)
    unit.agent.decide(scanned(code(SIGNED, serial=1)))
    assert unit.reasons() == ["ok"]
    assert tried
    monkeypatch.setattr(unit.store, "mark_shown", mark)
    for _ in range(200):
        unit.agent.turn(0.05)
        if any(line["event"] == "store" and line["ok"] for line in unit.lines):
            break
    unit.agent.decide(scanned(code(SIGNED, serial=1)))
    assert unit.reasons() == ["ok", "used"], "it was seen: nobody gets it again"


def test_K5_damage_that_can_not_be_mended_at_once_is_mended_when_the_disk_takes_writes_again(
    unit: Unit, monkeypatch: pytest.MonkeyPatch
) -> None:
    unit.agent.decide(scanned(code(SIGNED, serial=1)))
    begin, tried = Journal.start, list[bytes]()

    def damaged(*values: object) -> int:
        raise StoreCorrupt("database disk image is malformed")

    def full(journal: Journal, epoch: bytes) -> None:
        tried.append(epoch)
        if len(tried) == 1:
            raise StoreUnwritable("database or disk is full")
        begin(journal, epoch)

    monkeypatch.setattr(unit.store, "keep", damaged)
    monkeypatch.setattr(Journal, "start", full)
    unit.agent.decide(scanned(code(SIGNED, serial=2)))
    assert len(tried) == 1
    assert unit.agent.store is unit.store
    for _ in range(200):
        unit.agent.turn(0.05)
        if unit.agent.store is not unit.store:
            break
    assert unit.agent.store.journal.last == 2  # the epoch's opening, and what the damaged store still had to report
    assert [path.name for path in unit.store.folder.glob("damaged-*")] == ["damaged-1"]


def test_K6_nothing_grows_old_while_the_clock_may_be_wrong(unit: Unit, monkeypatch: pytest.MonkeyPatch) -> None:
    tidied: list[int | None] = []
    monkeypatch.setattr(unit.store, "tidy", lambda trusted_ms, keep_ms: tidied.append(trusted_ms))
    sure = unit.time.now()
    for now in (sure, msgspec.structs.replace(sure, trusted=False)):
        monkeypatch.setattr(unit.time, "now", lambda now=now: now)
        unit.agent._tidy()
    assert tidied == [sure.wall_ms, None]


def test_K6_an_epoch_that_the_journal_let_go_of_is_not_spoken_of(unit: Unit) -> None:
    unit.store.carry_out([OpenEpoch(b"e" * 16, 0, "fork")], b"n" * 16, unit.time.now().stamp)
    unit.agent._centre.use(unit.store)
    assert [state.epoch for state in unit.agent._centre.uplink.epochs] == [b"e" * 16, b"n" * 16]
    unit.agent._tidy()
    assert [state.epoch for state in unit.store.journal.epochs()] == [b"n" * 16]
    assert [state.epoch for state in unit.agent._centre.uplink.epochs] == [b"n" * 16]


class FixedClock:
    boot = b"bootboot"

    def __init__(self, wall_ms: int, synchronised: bool) -> None:
        self.reading = Reading(wall_ms, 0, synchronised, 20)

    def read(self) -> Reading:
        return self.reading


def test_K5_a_clock_in_1970_is_raised_to_the_last_trusted_time_and_not_trusted() -> None:
    floor_ms = BUILD_MS + 86_400_000
    clock = FixedClock(0, synchronised=False)
    time = Timekeeper(clock, floor_ms)
    clock.reading = Reading(5_000, 7_000, False, 0)
    now = time.now()
    assert (now.wall_ms, now.trusted, now.error_ms) == (floor_ms + 7_000, False, 0)


def test_K5_a_source_that_says_it_is_before_this_software_was_built_is_not_believed() -> None:
    assert not Timekeeper(FixedClock(BUILD_MS - 1, synchronised=True), 0).now().trusted
    assert Timekeeper(FixedClock(BUILD_MS, synchronised=True), 0).now().trusted


def test_K5_a_trusted_time_is_worth_writing_down_every_ten_minutes() -> None:
    clock = FixedClock(BUILD_MS + SAVE_EVERY_MS, synchronised=True)
    time = Timekeeper(clock, BUILD_MS)
    now = time.now()
    assert time.to_save(now) == BUILD_MS + SAVE_EVERY_MS
    assert time.to_save(now) is None
