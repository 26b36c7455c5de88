"""Batches as they come in the field: twice, out of order, cut, changed, forked, from a restored disk."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import msgspec
import pytest
from nacl.signing import SigningKey

from central.coupons import clearing
from central.db.schema import Flag
from loyalty.campaign import Policy
from loyalty.lease import CAMPAIGN, Amount, Pot
from tests.unit.central.central_kit import NOW_MS, Centre, Lane, campaign
from wire import chain
from wire.facts import Earned, EpochOpened, Given, HomeLeft
from wire.messages import Ack, Batch, PullAck, decode, encode


def flags(centre: Centre, serial: int) -> list[list[str]]:
    """The flags of each redemption of a serial, in the order of booking."""
    rows = centre.query(f"SELECT flags FROM redemptions WHERE serial = {serial} ORDER BY id")
    return [Flag(int(str(row[0]))).names() for row in rows]


def test_a_batch_is_booked_and_acknowledged_with_the_hash_of_its_end(centre: Centre, lane: Lane) -> None:
    for serial in (1, 2, 3):
        lane.redeem(serial)
    assert centre.book(lane) == Ack(
        centre.incarnation, lane.epoch, 3, lane.hashes[3], "ok", 1, 3, answers=lane.hashes[3]
    )  # fmt: skip
    assert centre.one("SELECT count(*) FROM facts") == 3
    assert centre.query("SELECT serial, state, flags FROM redemptions ORDER BY id") == [
        (1, "cleared", 0), (2, "cleared", 0), (3, "cleared", 0),
    ]  # fmt: skip


def test_the_same_batch_again_books_nothing_and_is_acknowledged_again(centre: Centre, lane: Lane) -> None:
    lane.redeem(1)
    lane.redeem(2)
    first = centre.book(lane)
    assert centre.book(lane) == first
    assert centre.one("SELECT count(*) FROM facts") == 2
    assert centre.one("SELECT count(*) FROM conflicts") == 0


def test_a_batch_that_overlaps_books_only_what_is_new(centre: Centre, lane: Lane) -> None:
    for serial in range(1, 7):
        lane.redeem(serial)
    centre.book(lane, 1, 4)
    ack = centre.book(lane, 3, 6)
    assert (ack.status, ack.upto, ack.upto_hash) == ("ok", 6, lane.hashes[6])
    assert centre.query("SELECT seq FROM facts ORDER BY seq") == [(number,) for number in range(1, 7)]


def test_batches_in_any_order_doubled_and_lost_end_in_every_fact_booked_once(centre: Centre, lane: Lane) -> None:
    for serial in range(1, 61):
        lane.redeem(serial)
    dice = random.Random(7)
    upto = 0
    for _ in range(400):
        first = dice.randint(1, 60)
        last = dice.randint(first, min(60, first + 9))
        ack = centre.book(lane, first, last)
        assert ack.status == ("gap" if first > upto + 1 else "ok")
        upto = max(upto, last) if ack.status == "ok" else upto
        assert (ack.upto, ack.upto_hash) == (upto, lane.hashes[upto])
    assert centre.book(lane, upto + 1 if upto < 60 else 1).upto == 60
    assert centre.one("SELECT count(*) FROM facts") == 60
    assert centre.one("SELECT count(DISTINCT serial) FROM redemptions WHERE state = 'cleared'") == 60


def test_a_gap_is_told_with_the_number_to_send_from(centre: Centre, lane: Lane) -> None:
    for serial in range(1, 6):
        lane.redeem(serial)
    ack = centre.book(lane, 3, 5)
    assert (ack.status, ack.upto, ack.upto_hash) == ("gap", 0, chain.genesis(lane.name, lane.epoch))
    assert centre.one("SELECT count(*) FROM facts") == 0


def test_a_fork_is_told_with_the_last_common_number_and_books_nothing(centre: Centre, lane: Lane) -> None:
    for serial in range(1, 6):
        lane.redeem(serial)
    centre.book(lane)
    other = lane.as_it_was(3)
    other.redeem(40)
    other.redeem(50)
    ack = centre.book(other, 2, 5)
    assert (ack.status, ack.upto, ack.upto_hash) == ("fork", 3, lane.hashes[3])
    assert centre.one("SELECT count(*) FROM facts") == 5


def test_after_a_fork_both_histories_are_booked_once_and_flagged(centre: Centre, lane: Lane) -> None:
    for serial in range(1, 6):
        lane.redeem(serial)
    centre.book(lane)
    other = lane.as_it_was(3)
    other.redeem(40)
    other.redeem(50)
    new = other.under_a_new_epoch(3, "fork")
    new.redeem(60)  # after the fork is over: an ordinary fact
    assert centre.book(new).status == "ok"
    assert [flags(centre, serial) for serial in (3, 4, 5, 40, 50, 60)] == [
        [[]], [["fork"]], [["fork"]], [["fork"]], [["fork"]], [[]],
    ]  # fmt: skip
    assert centre.query("SELECT opened_by, after, flagged_until FROM epochs ORDER BY id") == [
        ("", 0, 0),
        ("fork", 3, 3),
    ]


def test_a_salvaged_fact_that_was_booked_before_is_not_a_second_redemption(centre: Centre, lane: Lane) -> None:
    lane.redeem(1)
    lane.redeem(2)
    lane.redeem(0, campaign=2)  # K8: no serial to tell it by
    centre.book(lane)
    salvaged = lane.under_a_new_epoch(0, "salvaged")
    assert centre.book(salvaged).status == "ok"
    assert centre.query("SELECT state, count(*) FROM redemptions GROUP BY state ORDER BY state") == [
        ("cleared", 3), ("void", 3),
    ]  # fmt: skip
    assert flags(centre, 1) == [["salvaged"], ["salvaged", "repeated"]]
    assert centre.query("SELECT kind FROM conflicts") == [("unknown_campaign",)]


def test_a_unit_whose_disk_is_an_old_copy_learns_it_from_its_first_question(centre: Centre, lane: Lane) -> None:
    for serial in range(1, 6):
        lane.redeem(serial)
    centre.book(lane)
    old = lane.as_it_was(2)
    ack = centre.ingest.tell(PullAck(old.epoch, 2, old.hashes[2]), old.origin())
    assert (ack.status, ack.upto, ack.upto_hash, ack.first) == ("ok", 5, lane.hashes[5], 0)


def test_histories_that_part_before_the_batch_are_searched_back_until_they_meet(centre: Centre, lane: Lane) -> None:
    for serial in range(1, 41):
        lane.redeem(serial)
    centre.book(lane)
    other = lane.as_it_was(10)
    for serial in range(111, 141):
        other.redeem(serial)
    first, asked = 31, []
    while (ack := centre.book(other, first, 40)).status == "gap":
        asked.append(first)
        first = ack.upto + 1
    assert (ack.status, ack.upto) == ("fork", 10)
    assert asked == [31, 16]


@pytest.mark.parametrize(
    "change", ["signature", "signer", "before", "after", "fact", "epoch", "first", "empty", "long"]
)
def test_a_batch_that_was_changed_is_refused_whole_and_kept_as_a_dead_letter(
    centre: Centre, lane: Lane, change: str
) -> None:
    for serial in (1, 2, 3):
        lane.redeem(serial)
    batch: Batch = decode(lane.batch(), Batch)
    changes: dict[str, dict[str, Any]] = {
        "signature": {"signature": bytes(64)},
        "signer": {"signature": SigningKey.generate().sign(b"x").signature},
        "before": {"before": bytes(32)},
        "after": {"after": bytes(32)},
        "fact": {"facts": [batch.facts[0], batch.facts[2], batch.facts[1]]},
        "epoch": {"epoch": bytes(15)},
        "first": {"first": 0},
        "empty": {"facts": []},
        "long": {"facts": [bytes(9_000)]},
    }
    payload = encode(msgspec.structs.replace(batch, **changes[change]))
    ack = centre.ingest.book(payload, lane.origin())
    assert ack.status == "bad"
    assert ack.detail
    assert centre.one("SELECT count(*) FROM facts") == 0
    centre.ingest.book(payload, lane.origin())
    assert centre.query("SELECT device, times, seq, payload_bytes FROM dead_letters") == [
        ("lane-1", 2, None, len(payload))
    ]
    assert centre.book(lane).status == "ok", "the lane's own batch is booked as if nothing had been"


def test_garbage_never_raises_and_never_fills_the_table(
    centre: Centre, lane: Lane, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("central.deadletters.REFUSED_MAX", 20)
    lane.redeem(1)
    good = lane.batch()
    dice = random.Random(3)
    for _ in range(120):
        cut = bytearray(good[: dice.randint(0, len(good))])
        for _ in range(dice.randint(1, 4)):
            if cut:
                cut[dice.randrange(len(cut))] ^= 1 << dice.randrange(8)
        assert centre.ingest.book(bytes(cut), lane.origin()).status == "bad"
    assert centre.one("SELECT count(*) FROM dead_letters") == 20


def test_a_unit_that_is_not_enrolled_or_blocked_is_refused(centre: Centre, lane: Lane) -> None:
    stranger = Lane("lane-9")
    stranger.redeem(1)
    assert centre.book(stranger).status == "bad"
    with centre.office.database.write() as connection:
        connection.exec_driver_sql("UPDATE devices SET state = 'blocked'")
    lane.redeem(1)
    assert centre.book(lane).status == "bad"


def test_one_fact_that_can_not_be_understood_is_put_aside_and_the_others_are_booked(centre: Centre, lane: Lane) -> None:
    lane.redeem(1)
    lane.journal(b"\xc1 no fact at all")
    lane.redeem(2, campaign=0)
    lane.redeem(3)
    ack = centre.book(lane)
    assert (ack.status, ack.upto, ack.aside) == ("ok", 4, 2)
    assert centre.query("SELECT seq FROM dead_letters ORDER BY seq") == [(2,), (3,)]
    assert centre.query("SELECT serial FROM redemptions ORDER BY id") == [(1,), (3,)]
    lane.redeem(4)
    assert centre.book(lane, 5).status == "ok", "the chain goes on through what was put aside"


def test_a_text_that_no_database_keeps_is_put_aside_and_holds_up_nothing(centre: Centre, lane: Lane) -> None:
    lane.site = "gin\0za"
    lane.redeem(1)
    lane.site = "ginza"
    lane.journal(Earned(lane.stamp(), b"i" * 16, 1, 5, 10, "gin\0za", 1_000))
    lane.journal(EpochOpened(lane.stamp(), "fo\0rk", b"", 0, 0))
    lane.journal(Given(lane.stamp(), b"t" * 16, "lane\0", Pot(CAMPAIGN, 1), Amount(1)))
    lane.journal(HomeLeft(lane.stamp(), b"q" * 16, 1, 5, "lane\0"))
    lane.redeem(2)
    ack = centre.book(lane)
    assert (ack.status, ack.upto, ack.aside) == ("ok", 6, 5)
    assert centre.query("SELECT serial FROM redemptions") == [(2,)]


def test_booked_facts_can_not_be_changed(centre: Centre, lane: Lane) -> None:
    lane.redeem(1)
    centre.book(lane)
    with pytest.raises(Exception, match="append-only"), centre.office.database.write() as connection:
        connection.exec_driver_sql("UPDATE facts SET body = hash")


def test_the_largest_serial_comes_back_as_it_went_in(centre: Centre, lane: Lane) -> None:
    lane.redeem(2**64 - 1, holder=2**48 - 1)
    assert centre.book(lane).aside == 0
    with centre.office.database.read() as connection:
        assert clearing.newest(connection, 1)[0].serial == 2**64 - 1


def test_K6_a_second_redemption_of_a_serial_is_a_second_fact_with_a_conflict(centre: Centre, lane: Lane) -> None:
    other = Lane("lane-2", "shinjuku")
    centre.enrol(other)
    lane.redeem(7)
    other.redeem(7)
    other.redeem(8)
    other.redeem(8)  # twice in one batch
    centre.book(lane)
    assert centre.book(other).status == "ok"
    assert centre.query("SELECT serial, site, state FROM redemptions ORDER BY id") == [
        (7, "ginza", "cleared"), (7, "shinjuku", "double"), (8, "shinjuku", "cleared"), (8, "shinjuku", "double"),
    ]  # fmt: skip
    assert centre.query("SELECT kind, serial, first_seq, second_seq FROM conflicts ORDER BY id") == [
        ("double", 7, 1, 1), ("double", 8, 2, 3),
    ]  # fmt: skip
    assert centre.one("SELECT redeemed FROM campaigns") == 2


def test_K6_a_use_that_was_booked_late_uses_the_serial_up(tmp_path: Path, lane: Lane) -> None:
    centre, day_ms = Centre(tmp_path / "other", campaign(ends_ms=NOW_MS)), 86_400_000
    other = Lane("lane-2")
    centre.enrol(lane, other)
    lane.redeem(7, at_ms=NOW_MS - 5)
    other.redeem(7, at_ms=NOW_MS - 4)
    centre.book(lane, now_ms=NOW_MS + 2 * day_ms)
    centre.book(other, now_ms=NOW_MS + 2 * day_ms)
    assert centre.query("SELECT state FROM redemptions ORDER BY id") == [("late",), ("double",)]
    centre.close()


def test_what_is_odd_about_a_redemption_is_flagged_and_booked(tmp_path: Path, lane: Lane) -> None:
    day_ms = 86_400_000
    terms = (
        campaign(1, ends_ms=NOW_MS),
        campaign(2, per_person=1),
        campaign(3, policy=Policy.ONLINE, cap=1),
    )
    centre = Centre(tmp_path / "other", *terms)
    centre.enrol(lane)
    lane.redeem(1, at_ms=NOW_MS + 5)  # past the end by the unit's clock
    lane.redeem(2, campaign=2, holder=9)
    lane.redeem(3, campaign=2, holder=9)
    lane.redeem(4, campaign=3)
    lane.redeem(5, campaign=3)
    lane.redeem(6, campaign=77)
    centre.book(lane)
    late = Lane("lane-2")
    centre.enrol(late)
    late.redeem(10, at_ms=NOW_MS - 5)
    centre.book(late, now_ms=NOW_MS + 2 * day_ms)
    assert [flags(centre, serial)[0] for serial in (1, 2, 3, 4, 5, 6, 10)] == [
        ["outside_dates"], [], ["over_person_limit"], ["not_granted"], ["over_cap", "not_granted"],
        ["unknown_campaign"], ["late"],
    ]  # fmt: skip
    assert centre.one("SELECT state FROM redemptions WHERE serial = 10") == "late"
    centre.close()
