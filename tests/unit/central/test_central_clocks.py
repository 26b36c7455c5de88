"""When it happened: clocks of 1970 and 2040, jumps, reboots without time, and corrections that come later."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from central import correction
from central.coupons import clearing
from central.db.schema import Flag
from central.offsets import CENTRE_ERROR_MS, HELLO_LATE_MS, STEP_MS
from loyalty.campaign import ConflictRule
from tests.unit.central.central_kit import NOW_MS, Centre, Lane, campaign
from wire.facts import Stamp, TimeSource
from wire.messages import PullAck

YEAR_2040_MS = 2_208_988_800_000
HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
ONE, TWO, THREE = b"boot-one", b"boot-two", b"boot-333"


class Clocked(Lane):
    """A lane whose clocks are set by hand: `true_ms` goes on, whatever the wall shows."""

    def __init__(self) -> None:
        super().__init__()
        self.true_ms = NOW_MS
        self.restart(ONE, wall_ms=NOW_MS, trusted=True)

    def restart(self, boot: bytes, *, wall_ms: int, trusted: bool) -> None:
        self.boot, self.started_ms = boot, self.true_ms
        self.put(wall_ms, trusted=trusted)

    def put(self, wall_ms: int, *, trusted: bool, error_ms: int = 50) -> None:
        self.off_ms, self.trusted, self.error_ms = wall_ms - self.true_ms, trusted, error_ms if trusted else 0

    def pass_time(self, ms: int) -> None:
        self.true_ms += ms

    @property
    def shown(self) -> Stamp:
        source = TimeSource.NTP if self.trusted else TimeSource.FLOOR
        mono_ms = self.true_ms - self.started_ms + 7_000
        return Stamp(self.true_ms + self.off_ms, mono_ms, self.boot, self.trusted, self.error_ms, source)

    def use(self, serial: int, after_ms: int = 1_000) -> int:
        """Redeems; gives the true time."""
        self.true_ms += after_ms
        self.redeem(serial, at=self.shown)
        return self.true_ms


class Shop:
    """A centre whose clock is right."""

    def __init__(self, folder: Path, *terms: object) -> None:
        self.lane = Clocked()
        self.centre = Centre(folder, *(terms or (campaign(),)))  # type: ignore[arg-type]
        self.centre.enrol(self.lane)

    def hello(self, *, late_ms: int = 20) -> None:
        shown = self.lane.shown
        self.lane.pass_time(late_ms)
        request = PullAck(self.lane.epoch, len(self.lane), self.lane.hashes[-1], shown, b"12345678")
        ack = self.centre.ingest.tell(request, self.lane.origin(self.lane.true_ms))
        assert (ack.now_ms, ack.nonce) == (self.lane.true_ms, b"12345678")

    def book(self, first: int = 1, last: int | None = None) -> None:
        self.lane.pass_time(100)
        assert self.centre.book(self.lane, first, last, now_ms=self.lane.true_ms).status == "ok"

    def correct(self) -> int:
        """Steps until nothing waits; gives how many there were."""
        steps = 0
        while True:
            with self.centre.office.database.write() as connection:
                if not correction.step(connection, self.lane.true_ms):
                    return steps
            steps += 1

    def off(self, serial: int, true_ms: int) -> int:
        """How far the booked time of a serial is from the truth; its error must cover that."""
        ((at_ms, error_ms),) = self.centre.query(f"SELECT at_ms, at_error_ms FROM redemptions WHERE serial = {serial}")
        off_ms = int(str(at_ms)) - true_ms
        assert abs(off_ms) <= int(str(error_ms)) + CENTRE_ERROR_MS, "the stated bound holds"
        return off_ms

    def flags(self, serial: int) -> list[str]:
        return Flag(int(str(self.centre.one(f"SELECT flags FROM redemptions WHERE serial = {serial}")))).names()

    def error(self, serial: int) -> int:
        return int(str(self.centre.one(f"SELECT at_error_ms FROM redemptions WHERE serial = {serial}")))


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    made = Shop(tmp_path / "shop")
    yield made
    made.centre.close()


def test_K6_a_trusted_stamp_is_taken_as_it_is_with_its_error(shop: Shop) -> None:
    shop.hello()
    true_ms = shop.lane.use(1)
    shop.book()
    assert shop.off(1, true_ms) == 0
    assert (shop.error(1), shop.flags(1)) == (50, [])


@pytest.mark.parametrize("wall_ms", [0, YEAR_2040_MS, NOW_MS - DAY_MS, NOW_MS + DAY_MS])
def test_K6_a_wrong_clock_that_knows_it_is_put_right_by_the_hello_it_said(shop: Shop, wall_ms: int) -> None:
    shop.lane.restart(TWO, wall_ms=wall_ms, trusted=False)
    shop.hello()
    true_ms = shop.lane.use(1)
    shop.book()
    assert shop.off(1, true_ms) == 20, "what the hello took"
    assert (shop.error(1), shop.flags(1)) == (HELLO_LATE_MS, ["clock_corrected"])
    with shop.centre.office.database.read() as connection:
        assert clearing.newest(connection, 1)[0].at_error_ms == HELLO_LATE_MS
    raw_ms = shop.centre.one("SELECT wall_ms FROM redemptions")
    assert raw_ms == wall_ms + 1_020, "the raw stamp stays"


@pytest.mark.parametrize("wall_ms", [NOW_MS - DAY_MS, NOW_MS + DAY_MS, YEAR_2040_MS])
def test_K6_a_wrong_clock_that_is_sure_of_itself_is_not_believed(shop: Shop, wall_ms: int) -> None:
    shop.lane.restart(TWO, wall_ms=wall_ms, trusted=True)
    shop.hello()
    true_ms = shop.lane.use(1)
    shop.book()
    assert shop.off(1, true_ms) == 20
    assert shop.flags(1) == ["clock_corrected"]


def test_K6_nothing_happened_after_it_was_booked_whatever_a_trusted_stamp_says(shop: Shop) -> None:
    """A boot that never said hello: the moment of booking is all that is known against it."""
    shop.lane.restart(TWO, wall_ms=YEAR_2040_MS, trusted=True)
    true_ms = shop.lane.use(1)
    shop.lane.pass_time(HOUR_MS)
    shop.book()
    assert 0 <= shop.off(1, true_ms) <= HOUR_MS + 100
    assert shop.flags(1) == ["clock_corrected"]


def test_K6_a_wall_that_jumps_there_and_back_within_one_boot_moves_no_fact(shop: Shop) -> None:
    shop.hello()
    truths: dict[int, int] = {}
    for serial, (wall_ms, trusted) in enumerate(
        [(0, False), (NOW_MS, True), (YEAR_2040_MS, False), (NOW_MS - DAY_MS, False), (YEAR_2040_MS, True)], 1
    ):
        shop.lane.put(wall_ms if wall_ms != NOW_MS else shop.lane.true_ms, trusted=trusted)
        truths[serial] = shop.lane.use(serial, HOUR_MS)
    shop.book()
    for serial, true_ms in truths.items():
        assert abs(shop.off(serial, true_ms)) <= STEP_MS
    assert [bool(shop.flags(serial)) for serial in truths] == [True, False, True, True, True]
    order = [int(str(row[0])) for row in shop.centre.query("SELECT at_ms FROM redemptions ORDER BY seq")]
    assert order == sorted(order)


def test_K6_a_boot_that_learns_the_time_later_lends_it_to_what_came_before_in_the_same_batch(shop: Shop) -> None:
    shop.lane.restart(TWO, wall_ms=0, trusted=False)
    before_ms = shop.lane.use(1, HOUR_MS)
    shop.lane.put(shop.lane.true_ms, trusted=True)
    after_ms = shop.lane.use(2, HOUR_MS)
    shop.book()
    assert (shop.off(1, before_ms), shop.off(2, after_ms)) == (0, 0)
    assert (shop.flags(1), shop.flags(2)) == (["clock_corrected"], [])


def test_K6_a_reboot_without_time_lies_between_its_neighbours_and_says_how_exactly(shop: Shop) -> None:
    """Trusted; then a boot of 1970 that nobody ever saw trusted; then trusted again: three boots in one batch."""
    first_ms = shop.lane.use(1)
    shop.lane.pass_time(HOUR_MS)
    shop.lane.restart(TWO, wall_ms=first_ms, trusted=False)  # the floor: where it was trusted last
    truths = {serial: shop.lane.use(serial, 60_000) for serial in (2, 3)}
    shop.lane.pass_time(2 * HOUR_MS)
    shop.lane.restart(THREE, wall_ms=shop.lane.true_ms, trusted=True)
    last_ms = shop.lane.use(4)
    shop.hello()
    shop.book()
    for serial, true_ms in truths.items():
        assert -HOUR_MS - 60_000 <= shop.off(serial, true_ms) <= 0
        assert shop.flags(serial) == ["clock_corrected"]
        assert shop.error(serial) <= last_ms - first_ms
    times = [int(str(row[0])) for row in shop.centre.query("SELECT at_ms FROM redemptions ORDER BY seq")]
    assert times == sorted(times)
    assert times[2] - times[1] == 60_000, "within a boot the distances are exact"


@pytest.mark.parametrize("wall_ms", [0, YEAR_2040_MS])
def test_K6_two_boots_that_nobody_saw_trusted_keep_the_journals_order(shop: Shop, wall_ms: int) -> None:
    first_ms = shop.lane.use(1)
    truths: dict[int, int] = {}
    for serial, boot in ((2, TWO), (4, THREE)):
        shop.lane.pass_time(HOUR_MS)
        shop.lane.restart(boot, wall_ms=wall_ms, trusted=False)
        truths[serial] = shop.lane.use(serial)
        truths[serial + 1] = shop.lane.use(serial + 1, 5 * 60_000)
    shop.lane.pass_time(HOUR_MS)
    shop.book()
    for serial, true_ms in truths.items():
        shop.off(serial, true_ms)
    times = [int(str(row[0])) for row in shop.centre.query("SELECT at_ms FROM redemptions ORDER BY seq")]
    assert times == sorted(times)
    assert times[0] == first_ms
    assert times[-1] <= shop.lane.true_ms


def test_K6_what_was_booked_before_the_boot_was_known_is_corrected_afterwards(shop: Shop) -> None:
    shop.lane.restart(TWO, wall_ms=0, trusted=False)
    true_ms = shop.lane.use(1, HOUR_MS)
    shop.lane.pass_time(5 * HOUR_MS)
    shop.book()
    assert shop.error(1) >= 5 * HOUR_MS
    assert shop.correct() == 0
    shop.hello()
    assert shop.correct() == 1
    assert shop.off(1, true_ms) == 20
    assert shop.error(1) <= HELLO_LATE_MS + HOUR_MS
    shop.lane.put(shop.lane.true_ms, trusted=True)
    later_ms = shop.lane.use(2)
    shop.book(2)
    assert shop.correct() == 1
    assert (shop.off(1, true_ms), shop.off(2, later_ms)) == (0, 0)
    assert shop.error(1) < 6_000
    assert shop.flags(2) == []


def test_K6_a_stamp_that_a_later_hello_refutes_is_corrected_afterwards(shop: Shop) -> None:
    shop.lane.restart(TWO, wall_ms=NOW_MS - 3 * DAY_MS, trusted=True)
    true_ms = shop.lane.use(1)
    shop.book()
    assert shop.flags(1) == [], "nobody can know yet"
    shop.hello()
    shop.correct()
    assert shop.off(1, true_ms) == 20
    assert shop.flags(1) == ["clock_corrected"]


def test_K6_the_boot_before_is_bounded_by_the_batch_that_follows(shop: Shop) -> None:
    shop.lane.restart(TWO, wall_ms=0, trusted=False)
    true_ms = shop.lane.use(1)
    shop.lane.restart(THREE, wall_ms=shop.lane.true_ms, trusted=True)
    shop.lane.use(2)
    shop.lane.pass_time(DAY_MS)
    shop.book(1, 1)
    assert shop.error(1) >= DAY_MS
    shop.book(2)
    shop.correct()
    shop.off(1, true_ms)
    assert shop.error(1) < 2 * HOUR_MS


def test_K6_corrections_go_in_bounded_steps(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("central.correction.CORRECTED_AT_ONCE", 10)
    shop.lane.use(1)
    shop.lane.restart(TWO, wall_ms=0, trusted=False)
    truths = {serial: shop.lane.use(serial) for serial in range(2, 47)}
    shop.lane.restart(THREE, wall_ms=0, trusted=False)
    shop.lane.use(99)
    shop.book(1, 46)
    shop.lane.boot, shop.lane.started_ms = TWO, truths[2] - 1_000  # a hello of the boot before, that was under way
    shop.hello()
    shop.book(47)
    assert shop.correct() == 5
    for serial, true_ms in truths.items():
        assert shop.off(serial, true_ms) == 20
    assert shop.centre.query("SELECT count(*) FROM boot_spans WHERE corrected IS NOT NULL") == [(0,)]


def test_K6_no_fact_is_later_than_its_booking_however_late_the_hello_was(shop: Shop) -> None:
    shop.lane.restart(TWO, wall_ms=0, trusted=False)
    shop.hello(late_ms=30_000)
    true_ms = shop.lane.use(1)
    shop.book()
    assert shop.off(1, true_ms) == 100, "when it was booked, and not half a minute later"


def test_K6_a_hello_that_is_late_is_forgotten_for_one_that_is_not(shop: Shop) -> None:
    shop.lane.restart(TWO, wall_ms=0, trusted=False)
    shop.hello(late_ms=30_000)
    true_ms = shop.lane.use(1)
    shop.hello(late_ms=5)
    shop.book()
    assert shop.off(1, true_ms) == 5


def test_K6_the_centres_word_at_the_unit_is_a_stamp_like_any_other(shop: Shop) -> None:
    shop.lane.restart(TWO, wall_ms=0, trusted=False)
    shop.hello()
    shop.lane.put(shop.lane.true_ms + 300, trusted=True, error_ms=1_010)
    true_ms = shop.lane.use(1)
    shop.book()
    assert shop.off(1, true_ms) == 300
    assert (shop.error(1), shop.flags(1)) == (1_010, [])


def test_K6_boots_and_times_that_can_not_be_are_booked_and_clamped(shop: Shop) -> None:
    first_ms = shop.lane.use(1)
    for serial, (boot, mono_ms) in enumerate([(b"", 5), (b"x" * 40, 5), (TWO, -1), (TWO, 2**60)], 2):
        shop.lane.redeem(serial, at=Stamp(0, mono_ms, boot, True, 2**60))
    shop.book()
    times = [int(str(row[0])) for row in shop.centre.query("SELECT at_ms FROM redemptions ORDER BY seq")]
    assert len(times) == 5
    assert all(first_ms - 100 <= at_ms <= shop.lane.true_ms for at_ms in times)


# --- what hangs on the time -----------------------------------------------------------------------------


def dated(folder: Path, starts_ms: int | None = None) -> Shop:
    return Shop(folder, campaign(starts_ms=starts_ms, ends_ms=NOW_MS + DAY_MS, conflict=ConflictRule.SHOP))


def test_K6_dates_go_by_the_corrected_time(tmp_path: Path) -> None:
    shop = dated(tmp_path / "dated")
    shop.lane.restart(TWO, wall_ms=YEAR_2040_MS, trusted=False)
    shop.hello()
    shop.lane.use(1)
    shop.lane.pass_time(DAY_MS + HOUR_MS)
    shop.lane.put(NOW_MS, trusted=False)  # by its wall it is still in time
    shop.lane.use(2)
    shop.book()
    assert shop.flags(1) == ["clock_corrected"]
    assert shop.flags(2) == ["outside_dates", "clock_corrected"]
    assert shop.centre.query("SELECT serial, kind, charged FROM conflicts") == [(2, "outside_dates", "ginza")]
    shop.centre.close()


def test_K6_no_shop_is_charged_for_a_date_that_the_clocks_leave_open(tmp_path: Path) -> None:
    shop = dated(tmp_path / "open")
    shop.lane.pass_time(DAY_MS - 30_000)
    shop.lane.restart(TWO, wall_ms=0, trusted=False)
    shop.hello()
    shop.lane.use(1, 45_000)  # a quarter of a minute too late, and a hello may be a minute under way
    shop.book()
    assert shop.flags(1) == ["outside_dates", "clock_corrected"]
    assert shop.centre.one("SELECT count(*) FROM conflicts") == 0
    shop.centre.close()


def test_K6_a_charge_that_came_of_a_wrong_time_is_withdrawn_and_one_that_was_missed_is_made(tmp_path: Path) -> None:
    shop = dated(tmp_path / "withdrawn")
    shop.lane.pass_time(DAY_MS + 2 * HOUR_MS)
    shop.lane.restart(TWO, wall_ms=NOW_MS, trusted=True)  # it is a day and two hours behind, and sure of itself
    shop.lane.use(1)
    shop.book()
    assert shop.centre.one("SELECT count(*) FROM conflicts") == 0
    shop.hello()
    shop.correct()
    assert shop.flags(1) == ["outside_dates", "clock_corrected"]
    assert shop.centre.query("SELECT kind, state, amount_yen FROM conflicts") == [("outside_dates", "settled", 100)]
    shop.centre.close()

    other = dated(tmp_path / "early", starts_ms=NOW_MS - HOUR_MS)
    other.lane.restart(TWO, wall_ms=NOW_MS - DAY_MS, trusted=True)
    other.lane.use(1)
    other.book()
    assert other.centre.query("SELECT kind, state FROM conflicts") == [("outside_dates", "settled")]
    other.hello()
    other.correct()
    assert other.flags(1) == ["clock_corrected"]
    assert other.centre.query("SELECT kind, state, note FROM conflicts") == [
        ("outside_dates", "withdrawn", "its time was corrected")
    ]
    other.centre.close()


def test_K6_a_fact_told_again_under_another_epoch_is_known_though_its_time_was_corrected(shop: Shop) -> None:
    shop.lane.restart(TWO, wall_ms=0, trusted=False)
    shop.hello()
    shop.lane.use(1)
    shop.book()
    again = shop.lane.under_a_new_epoch(0, "salvaged")
    assert shop.centre.book(again, now_ms=shop.lane.true_ms + 5).status == "ok"
    assert shop.centre.query("SELECT state FROM redemptions ORDER BY id") == [("cleared",), ("void",)]


def test_K6_the_caches_are_told_the_corrected_time(shop: Shop) -> None:
    from central import snapshot
    from wire.messages import PutRedemption

    shop.lane.restart(TWO, wall_ms=0, trusted=False)
    shop.hello()
    true_ms = shop.lane.use(1)
    shop.book()
    with shop.centre.office.database.read() as connection:
        (told,) = [
            change
            for change in snapshot.changes(connection, "ginza", shop.centre.secret, NOW_MS)
            if isinstance(change, PutRedemption)
        ]
    assert told.at_ms == true_ms + 20
