"""The unit's time: who vouches for it, the floor that nobody passes, the centre's word that is good once."""

from __future__ import annotations

from pathlib import Path

import pytest
from nacl.signing import SigningKey

from edge_agent.centre import Centre
from edge_agent.steps import StepLog
from edge_agent.store.store import Store
from edge_agent.timekeeper import (
    BUILD_MS,
    CENTRE_ERROR_MS,
    HEARD_ERROR_MAX_MS,
    ROUND_TRIP_MAX_MS,
    Timekeeper,
)
from hal.clock import Reading
from loyalty.campaign import ClockRule
from loyalty.reason import Reason
from tests.unit.edge_agent.agent_world import SIGNED, Driver, code, replaced, scanned
from wire import topics
from wire.envelope import seal
from wire.facts import TimeSource
from wire.messages import Ack, PullAck, PutCampaign, decode, encode
from wire.topics import Address

TRUE_MS = BUILD_MS + 400 * 86_400_000
YEAR_2040_MS = 2_208_988_800_000
CENTRE_KEY = SigningKey(b"c" * 32)
WHERE = Address("demo", "shinjuku", "unit-1")


class HandClock:
    """A clock whose wall and whose monotonic time are set by hand."""

    boot = b"bootboot"

    def __init__(self, wall_ms: int = 0, synchronised: bool = False) -> None:
        self.wall_ms, self.mono_ms, self.synchronised = wall_ms, 1_000, synchronised

    def read(self) -> Reading:
        return Reading(self.wall_ms, self.mono_ms, self.synchronised, 20)

    def pass_time(self, ms: int) -> None:
        self.wall_ms += ms
        self.mono_ms += ms


def shown(time: Timekeeper) -> tuple[int, bool, int]:
    now = time.now()
    return now.wall_ms, now.trusted, now.source


def test_K5_each_time_says_who_vouches_for_it() -> None:
    clock = HandClock(TRUE_MS, synchronised=True)
    time = Timekeeper(clock, 0)
    assert shown(time) == (TRUE_MS, True, TimeSource.NTP)
    clock.synchronised = False
    clock.pass_time(500)
    assert shown(time) == (TRUE_MS + 500, False, TimeSource.CLOCK)
    clock.wall_ms = 0
    assert shown(time) == (TRUE_MS + 500, False, TimeSource.FLOOR)
    assert time.now().stamp.source == TimeSource.FLOOR


def test_K5_a_clock_in_1970_takes_the_centres_word_with_the_round_trip_as_its_bound() -> None:
    clock = HandClock(0)
    time = Timekeeper(clock, 0)
    asked_ms = clock.mono_ms
    clock.pass_time(300)
    assert time.hear(TRUE_MS, asked_ms, clock.mono_ms)
    now = time.now()
    assert (now.trusted, now.source) == (True, TimeSource.CENTRE)
    assert now.error_ms == 150 + CENTRE_ERROR_MS
    assert abs(now.wall_ms - (TRUE_MS + 150)) <= now.error_ms
    clock.pass_time(86_400_000)
    later = time.now()
    assert later.wall_ms == now.wall_ms + 86_400_000
    assert later.error_ms == now.error_ms + 86_400_000 * 200 // 1_000_000, "it grows as the crystal drifts"


def test_K5_a_clock_in_2040_that_nobody_vouches_for_is_put_right_by_the_centre() -> None:
    clock = HandClock(YEAR_2040_MS)
    time = Timekeeper(clock, 0)
    assert shown(time) == (YEAR_2040_MS, False, TimeSource.CLOCK)
    time.hear(TRUE_MS, clock.mono_ms, clock.mono_ms)
    assert shown(time) == (TRUE_MS, True, TimeSource.CENTRE)


def test_K5_ntp_goes_before_the_centre_and_comes_back_to_it() -> None:
    clock = HandClock(TRUE_MS + 40, synchronised=True)
    time = Timekeeper(clock, 0)
    time.hear(TRUE_MS, clock.mono_ms, clock.mono_ms)
    assert shown(time) == (TRUE_MS + 40, True, TimeSource.NTP)
    clock.synchronised, clock.wall_ms = False, 0
    assert shown(time) == (TRUE_MS + 40, True, TimeSource.CENTRE), "not before what was trusted a moment ago"


def test_K5_the_centre_can_not_take_a_unit_below_its_floor() -> None:
    clock = HandClock(0)
    time = Timekeeper(clock, TRUE_MS)
    assert not time.hear(TRUE_MS - 60_000, clock.mono_ms, clock.mono_ms)
    assert shown(time) == (TRUE_MS, False, TimeSource.FLOOR)
    assert time.hear(TRUE_MS - 500, clock.mono_ms, clock.mono_ms), "within its error it may be right"
    assert shown(time) == (TRUE_MS, True, TimeSource.CENTRE)


def test_K5_a_word_of_the_centre_that_ntp_has_overtaken_vouches_for_nothing_any_more() -> None:
    clock = HandClock(0)
    time = Timekeeper(clock, 0)
    time.hear(TRUE_MS, clock.mono_ms, clock.mono_ms)
    clock.wall_ms, clock.synchronised = TRUE_MS + 86_400_000, True
    assert time.now().trusted
    clock.wall_ms, clock.synchronised = 0, False
    assert shown(time) == (TRUE_MS + 86_400_000, False, TimeSource.FLOOR)


@pytest.mark.parametrize("took_ms", [-1, ROUND_TRIP_MAX_MS + 1])
def test_K5_an_answer_that_took_too_long_says_nothing_about_the_time(took_ms: int) -> None:
    clock = HandClock(0)
    time = Timekeeper(clock, 0)
    assert not time.hear(TRUE_MS, clock.mono_ms - took_ms, clock.mono_ms)
    assert not time.now().trusted


def test_K5_of_two_answers_the_better_one_stands_until_it_is_too_old() -> None:
    clock = HandClock(0)
    time = Timekeeper(clock, 0)
    clock.pass_time(10_000)
    time.hear(TRUE_MS, clock.mono_ms - 20, clock.mono_ms)
    time.hear(TRUE_MS + 3_000, clock.mono_ms - 8_000, clock.mono_ms)
    assert time.now().error_ms == 10 + CENTRE_ERROR_MS
    clock.pass_time(HEARD_ERROR_MAX_MS * 1_000_000 // 200)
    assert not time.now().trusted


def test_K5_wall_time_that_jumps_there_and_back_in_one_boot_does_not_move_the_units_time() -> None:
    clock = HandClock(TRUE_MS)
    time = Timekeeper(clock, 0)
    time.hear(TRUE_MS, clock.mono_ms, clock.mono_ms)
    for wall_ms in (0, YEAR_2040_MS, TRUE_MS - 86_400_000, YEAR_2040_MS, 0):
        clock.wall_ms = wall_ms
        clock.pass_time(1_000)
        assert time.now().trusted
    assert time.now().wall_ms == TRUE_MS + 5_000


# --- what travels ---------------------------------------------------------------------------------------


class Line:
    """Keeps what a unit publishes."""

    def __init__(self) -> None:
        self.hellos: list[PullAck] = []

    def publish(self, leaf: topics.Leaf, payload: bytes) -> bool:
        request = decode(payload, PullAck) if leaf is topics.UP_REQ and b"ack" in payload[:6] else None
        if request is not None:
            self.hellos.append(request)
        return True


class Spoken:
    """A unit's side of the conversation, and a centre that answers by hand."""

    def __init__(self, folder: Path) -> None:
        self.clock, self.line = HandClock(0), Line()
        self.time = Timekeeper(self.clock, 0)
        self.store = Store(folder, "unit-1")
        self.store.start(b"e" * 16)
        keys = (SigningKey(b"d" * 32), CENTRE_KEY.verify_key)
        steps = StepLog(lambda line: None, lambda: 0)
        self.unit = Centre(WHERE, self.store, self.line, keys, steps, time=self.time)
        self.unit.connected(self.clock.mono_ms)

    def hello(self) -> PullAck:
        self.unit.probe(self.clock.mono_ms)
        return self.line.hellos[-1]

    def answer(self, hello: PullAck, now_ms: int, nonce: bytes | None = None) -> object:
        topic = WHERE.topic(topics.DN_ACK)
        ack = Ack(b"i" * 16, hello.epoch, 0, hello.head_hash, "ok", now_ms=now_ms, nonce=nonce or hello.nonce)
        return self.unit.arrived(topic, seal(CENTRE_KEY, topic, encode(ack)), self.time.now())


def test_K5_a_hello_carries_what_the_clocks_show_and_its_answer_sets_the_time(tmp_path: Path) -> None:
    spoken = Spoken(tmp_path / "unit")
    hello = spoken.hello()
    assert hello.at is not None
    assert (hello.at.mono_ms, hello.at.trusted, hello.at.source) == (1_000, False, TimeSource.FLOOR)
    spoken.clock.pass_time(80)
    spoken.answer(hello, TRUE_MS)
    assert shown(spoken.time) == (TRUE_MS + 40, True, TimeSource.CENTRE)
    spoken.store.close()


def test_K5_an_answer_that_is_played_again_or_was_never_asked_for_moves_nothing(tmp_path: Path) -> None:
    spoken = Spoken(tmp_path / "unit")
    old = spoken.hello()
    spoken.answer(old, TRUE_MS)
    spoken.answer(old, TRUE_MS + 9_000_000)
    assert spoken.time.now().wall_ms == TRUE_MS
    spoken.clock.pass_time(5_000)
    fresh = spoken.hello()
    for played in (old, fresh):
        spoken.answer(played, TRUE_MS + 9_000_000, nonce=old.nonce)
        spoken.answer(played, TRUE_MS + 9_000_000, nonce=b"whatever")
    assert spoken.time.now().wall_ms == TRUE_MS + 5_000
    spoken.answer(fresh, TRUE_MS + 5_001)
    assert abs(spoken.time.now().wall_ms - TRUE_MS - 5_000) <= 1
    spoken.store.close()


def test_K5_an_answer_that_is_not_the_centres_sets_no_clock(tmp_path: Path) -> None:
    spoken = Spoken(tmp_path / "unit")
    hello = spoken.hello()
    topic = WHERE.topic(topics.DN_ACK)
    forged = Ack(b"i" * 16, hello.epoch, 0, hello.head_hash, "ok", now_ms=TRUE_MS, nonce=hello.nonce)
    assert spoken.unit.arrived(topic, seal(SigningKey.generate(), topic, encode(forged)), spoken.time.now()) is None
    assert not spoken.time.now().trusted
    spoken.store.close()


# --- what follows for a coupon with dates ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("rule", "word_of_the_centre", "expected"),
    [
        (ClockRule.REFUSE, False, Reason.CLOCK_UNTRUSTED),
        (ClockRule.REFUSE, True, Reason.OK),
        (ClockRule.ACCEPT, False, Reason.OK),
        (ClockRule.ACCEPT, True, Reason.OK),
    ],
)
def test_K5_a_unit_that_wakes_up_in_1970_keeps_the_campaigns_rule_until_somebody_vouches_for_the_time(
    drive: Driver, store: Store, rule: ClockRule, word_of_the_centre: bool, expected: Reason
) -> None:
    dated = replaced(SIGNED, starts_ms=TRUE_MS - 86_400_000, ends_ms=TRUE_MS + 86_400_000, clock_rule=rule)
    with store.transaction():
        store.cache.apply([PutCampaign(dated)], b"i" * 16, 6)
    time = Timekeeper(HandClock(0), TRUE_MS)  # it was trusted before the power went
    if word_of_the_centre:
        time.hear(TRUE_MS + 1, 1_000, 1_000)
    step = drive(scanned(code(dated, serial=5)), time.now())
    assert step.verdict is not None
    assert step.verdict.reason is expected
    assert step.verdict.clock_doubted is (expected is Reason.OK and not word_of_the_centre)
    for fact in step.facts:
        assert fact.at.wall_ms >= TRUE_MS


def test_K5_the_answer_to_a_probe_costs_the_disk_nothing(tmp_path: Path) -> None:
    spoken = Spoken(tmp_path / "unit")
    spoken.answer(spoken.hello(), TRUE_MS)
    other = Store(tmp_path / "unit", "unit-1", read_only=True)
    before = other.connection.row("PRAGMA data_version")  # changes with each commit of somebody else
    for _ in range(5):
        assert spoken.answer(spoken.hello(), TRUE_MS) is not None
    assert other.connection.row("PRAGMA data_version") == before
    with spoken.store.transaction():
        spoken.store.cache.set_meta("probe", b"written")
    assert other.connection.row("PRAGMA data_version") != before
    other.close()
    spoken.store.close()
