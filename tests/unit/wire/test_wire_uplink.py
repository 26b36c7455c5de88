"""The uplink machine: the cursor moves on the centre's word alone, and only on its word about our own facts."""

from __future__ import annotations

import pytest

from wire.messages import Ack
from wire.uplink import (
    HELLO_EVERY_MS,
    RESEND_CAP_MS,
    RESEND_FIRST_MS,
    Advance,
    EpochState,
    Hello,
    Ignored,
    NewIncarnation,
    OpenEpoch,
    Refused,
    SendBatch,
    Uplink,
)

E, I, J = b"e" * 16, b"i" * 16, b"j" * 16  # noqa: E741 - an epoch, and two incarnations, the older one first


class Chain:
    """A journal whose hashes are readable: 'ours-3'."""

    def __init__(self, last: int, oldest: int = 1) -> None:
        self.last, self.first = last, oldest

    def hash_at(self, epoch: bytes, number: int) -> bytes | None:
        return ours(number) if number == 0 or self.first <= number <= self.last else None

    def oldest(self, epoch: bytes) -> int:
        return self.first


def ours(number: int) -> bytes:
    return f"ours-{number}".encode()


def machine(last: int, acked: int, *, oldest: int = 1, incarnation: bytes = I) -> Uplink:
    state = EpochState(epoch=E, last=last, acked=acked, incarnation=incarnation)
    made = Uplink([state], incarnation, [], Chain(last, oldest), lambda: 0.5)
    made.connected(0)
    return made


def ack(
    upto: int,
    hash: bytes | None = None,
    status: str = "ok",
    first: int = 0,
    last: int = 0,
    by: bytes = I,
    nonce: bytes = b"",
) -> Ack:
    answers = ours(last) if last else b""
    return Ack(by, E, upto, ours(upto) if hash is None else hash, status, first, last, nonce=nonce, answers=answers)


def greeted(last: int, acked: int) -> Uplink:
    up = machine(last, acked)
    assert up.poll(0) == Hello(E, last)
    up.on_ack(ack(acked))
    return up


def test_a_connection_begins_with_where_the_journal_ends() -> None:
    up = machine(5, 3)
    assert up.poll(0) == Hello(E, 5)
    assert up.poll(1) is None  # one thing outstanding at a time
    assert up.on_ack(ack(3)) == [Advance(E, 3, I)]
    assert up.poll(2) == SendBatch(E, 4)


def test_an_epoch_that_the_journal_let_go_of_is_not_spoken_of_even_to_a_centre_that_was_restored() -> None:
    gone = EpochState(epoch=b"g" * 16, last=0, acked=0, incarnation=I)
    up = Uplink([gone, EpochState(epoch=E, last=2, acked=2, incarnation=I)], I, [], Chain(2), lambda: 0.5)
    up.connected(0)
    up.pruned({E})
    up.asked(b"nonce")
    assert up.poll(0) == Hello(E, 2)
    assert up.on_ack(ack(0, by=J, nonce=b"nonce"))[0] == NewIncarnation(J, I)
    assert up.poll(1) == SendBatch(E, 1)
    assert up.poll(2) is None


def test_nothing_is_sent_without_a_connection() -> None:
    up = machine(5, 3)
    up.disconnected()
    assert up.poll(0) is None
    assert up.due_ms() is None


def test_a_batch_is_sent_again_when_its_time_is_up_and_never_earlier() -> None:
    up = greeted(5, 3)
    assert up.poll(0) == SendBatch(E, 4)
    up.sent(5)
    due = up.due_ms()
    assert due is not None
    assert RESEND_FIRST_MS <= due <= RESEND_FIRST_MS + RESEND_CAP_MS
    assert up.poll(due - 1) is None
    assert up.poll(due) == SendBatch(E, 4)


def test_the_waits_between_tries_grow_up_to_their_cap() -> None:
    up = greeted(5, 3)
    now, waits = 0, []
    for _ in range(12):
        assert up.poll(now) == SendBatch(E, 4)
        up.sent(5)
        due = up.due_ms()
        assert due is not None
        waits.append(due - now)
        now = due
    assert waits == sorted(waits)
    assert waits[-1] <= RESEND_FIRST_MS + RESEND_CAP_MS


def test_the_cursor_moves_on_an_acknowledgement_of_our_own_history() -> None:
    up = greeted(5, 3)
    up.poll(0)
    up.sent(5)
    assert up.on_ack(ack(5, first=4, last=5)) == [Advance(E, 5, I)]
    assert up.waiting == 0
    assert up.poll(1) is None


def test_an_acknowledgement_of_somebody_elses_facts_moves_nothing() -> None:
    up = greeted(5, 3)
    up.poll(0)
    up.sent(5)
    (action,) = up.on_ack(ack(5, b"theirs-5"))
    assert isinstance(action, Ignored)
    assert up.waiting == 2


def test_an_old_acknowledgement_does_not_move_the_cursor_back() -> None:
    up = greeted(9, 7)
    (action,) = up.on_ack(ack(5, first=4, last=5))
    assert isinstance(action, Ignored)
    assert up.waiting == 2


def test_an_acknowledgement_of_another_epoch_is_ignored() -> None:
    up = greeted(5, 3)
    assert isinstance(up.on_ack(Ack(I, b"x" * 16, 5, ours(5), "ok"))[0], Ignored)


def test_a_gap_rewinds_to_what_the_centre_has() -> None:
    up = greeted(9, 7)
    up.poll(0)
    up.sent(9)
    assert up.on_ack(ack(2, status="gap", first=8, last=9)) == [Advance(E, 2, I)]
    assert up.poll(1) == SendBatch(E, 3)


def test_a_gap_below_what_is_retained_opens_a_new_epoch() -> None:
    up = machine(9, 7, oldest=6)
    up.poll(0)
    assert up.on_ack(ack(2, status="gap")) == [OpenEpoch(E, 5, "pruned")]


def test_a_fork_opens_a_new_epoch_after_the_last_common_number() -> None:
    up = greeted(9, 7)
    up.poll(0)
    up.sent(9)
    assert up.on_ack(ack(8, status="fork", first=8, last=9)) == [OpenEpoch(E, 8, "fork")]


def test_a_fork_that_does_not_begin_in_our_history_is_not_believed() -> None:
    up = greeted(9, 7)
    assert isinstance(up.on_ack(ack(8, b"theirs", status="fork"))[0], Ignored)


def test_the_same_fork_told_twice_opens_one_epoch() -> None:
    up = greeted(8, 7)
    assert isinstance(up.on_ack(ack(8, status="fork"))[0], Ignored)


def test_a_centre_that_has_more_than_we_ever_wrote_means_an_old_disk() -> None:
    up = machine(5, 5)
    up.poll(0)
    assert up.on_ack(ack(9, b"later-9")) == [OpenEpoch(E, 5, "restored")]


def test_an_old_disk_with_waiting_facts_lets_the_centre_compare_them_first() -> None:
    up = machine(5, 3)
    up.poll(0)
    assert isinstance(up.on_ack(ack(9, b"later-9"))[0], Ignored)
    assert up.poll(1) == SendBatch(E, 4)
    up.sent(5)
    actions = up.on_ack(ack(9, b"later-9", first=4, last=5))
    assert actions == [Advance(E, 5, I), OpenEpoch(E, 5, "restored")]


def test_a_new_incarnation_is_taken_and_all_epochs_are_spoken_of_anew() -> None:
    up = greeted(9, 9)
    up.asked(b"n")
    assert up.on_ack(ack(4, by=J, nonce=b"n")) == [NewIncarnation(J, I), Advance(E, 4, J)]
    assert up.retired == [I]
    assert up.waiting == 5


def test_a_new_incarnation_hears_of_an_epoch_that_is_over_and_all_booked() -> None:
    over = EpochState(epoch=b"o" * 16, last=4, acked=4, incarnation=I)
    up = Uplink([over, EpochState(epoch=E, last=3, acked=2, incarnation=I)], I, [], Chain(9), lambda: 0.5)
    up.connected(0)
    assert up.poll(0) == Hello(E, 3)
    up.on_ack(Ack(I, E, 2, ours(2), "ok"))
    up.asked(b"n")
    up.on_ack(ack(0, by=J, nonce=b"n"))
    assert up.poll(1) == Hello(b"o" * 16, 4)
    up.on_ack(Ack(J, b"o" * 16, 0, ours(0), "ok"))
    assert up.poll(2) == SendBatch(b"o" * 16, 1)


def test_a_new_incarnation_hears_anew_of_an_epoch_that_this_connection_has_spoken_of() -> None:
    over = EpochState(epoch=b"o" * 16, last=4, acked=3, incarnation=I)
    up = Uplink([over, EpochState(epoch=E, last=3, acked=2, incarnation=I)], I, [], Chain(9), lambda: 0.5)
    up.connected(0)
    assert up.poll(0) == Hello(b"o" * 16, 4)
    up.on_ack(Ack(I, b"o" * 16, 4, ours(4), "ok"))
    up.asked(b"n")
    up.on_ack(ack(0, by=J, nonce=b"n"))
    assert up.poll(1) == Hello(b"o" * 16, 4)


def test_an_acknowledgement_of_a_database_that_is_gone_means_nothing() -> None:
    up = greeted(9, 9)
    up.asked(b"n")
    up.on_ack(ack(4, by=J, nonce=b"n"))
    up.asked(b"m")
    assert isinstance(up.on_ack(ack(9, by=I, nonce=b"m"))[0], Ignored)
    assert up.waiting == 5


def test_a_new_unit_takes_the_living_database_though_a_late_answer_of_a_gone_one_follows() -> None:
    up = machine(2, 0, incarnation=b"")
    assert up.poll(0) == Hello(E, 2)
    up.asked(b"first")
    late = ack(0, by=I, nonce=b"first")  # given before the restore
    again = up.due_ms()
    assert again is not None
    assert up.poll(again) == Hello(E, 2)
    up.asked(b"second")
    assert up.on_ack(ack(0, by=J, nonce=b"second")) == [Advance(E, 0, J)]
    assert isinstance(up.on_ack(late)[0], Ignored)
    assert (up.incarnation, up.retired) == (J, [])
    assert up.poll(again + 1) == Hello(E, 2), "who lives is asked once more"
    up.asked(b"third")
    assert up.on_ack(ack(0, by=J, nonce=b"third")) == [Advance(E, 0, J)]
    assert up.poll(again + 2) == SendBatch(E, 1)


def test_of_two_quick_restores_the_one_that_answers_the_newest_hello_lives_whichever_is_heard_first() -> None:
    k = b"k" * 16
    for heard in ([J, k], [k, J]):
        up = greeted(9, 9)
        up.asked(b"n")
        up.asked(b"m")
        nonces = {J: b"n", k: b"m"}
        for by in heard:
            up.on_ack(ack(4, by=by, nonce=nonces[by]))
        assert up.poll(1) == Hello(E, 9)
        up.asked(b"o")
        up.on_ack(ack(4, by=k, nonce=b"o"))
        assert up.incarnation == k
        assert k not in up.retired


def test_a_batch_that_another_database_answers_brings_a_hello_about_at_once() -> None:
    up = greeted(5, 3)
    assert up.poll(0) == SendBatch(E, 4)
    up.sent(5)
    (action,) = up.on_ack(ack(0, status="gap", first=4, last=5, by=J))
    assert isinstance(action, Ignored)
    assert up.poll(1) == Hello(E, 5)
    up.asked(b"n")
    assert isinstance(up.on_ack(ack(0, status="gap", first=4, last=5, by=J))[0], Ignored)
    assert up.poll(2) is None, "one hello is enough, however many such answers come"
    assert up.on_ack(ack(0, by=J, nonce=b"n")) == [NewIncarnation(J, I), Advance(E, 0, J)]


def test_a_hello_of_an_earlier_connection_names_no_new_database() -> None:
    up = machine(5, 5)
    up.poll(0)
    up.asked(b"n")
    up.disconnected()
    up.connected(1)
    assert isinstance(up.on_ack(ack(5, by=J, nonce=b"n"))[0], Ignored)
    assert up.incarnation == I


def test_a_refused_batch_is_reported_and_waits() -> None:
    up = greeted(5, 3)
    up.poll(0)
    up.sent(5)
    refused = Ack(I, E, 0, b"", "bad", 4, 5, 0, "the signature does not fit")
    assert up.on_ack(refused) == [Refused("the signature does not fit")]
    assert up.poll(1) is None
    assert up.waiting == 2


def test_an_idle_unit_says_hello_now_and_then() -> None:
    up = greeted(5, 5)
    assert up.poll(HELLO_EVERY_MS - 1) is None
    assert up.poll(HELLO_EVERY_MS) == Hello(E, 5)


def test_epochs_are_sent_in_order() -> None:
    old = EpochState(epoch=b"o" * 16, last=4, acked=2, incarnation=I)
    new = EpochState(epoch=E, last=3, acked=0, incarnation=b"")
    up = Uplink([old, new], I, [], Chain(9), lambda: 0.5)
    up.connected(0)
    assert up.poll(0) == Hello(b"o" * 16, 4)
    up.on_ack(Ack(I, b"o" * 16, 4, ours(4), "ok"))
    assert up.poll(1) == Hello(E, 3)
    assert up.waiting == 3


def test_a_late_answer_to_a_batch_with_the_same_numbers_of_a_lost_history_advances_nothing() -> None:
    up = machine(1, 0)
    assert up.poll(0) == Hello(E, 1)
    up.on_ack(ack(1, b"theirs-1"))  # the disk was put back; what was number 1 before is booked
    assert up.poll(1) == SendBatch(E, 1)
    up.sent(1)
    late = Ack(I, E, 1, b"theirs-1", "ok", 1, 1, answers=b"theirs-1")
    assert all(isinstance(action, Ignored) for action in up.on_ack(late))
    assert up.waiting == 1
    later = Ack(I, E, 2, b"theirs-2", "ok", 1, 1, answers=b"theirs-1")
    assert not any(isinstance(action, Advance) for action in up.on_ack(later))
    assert up.on_ack(ack(0, status="fork", first=1, last=1)) == [OpenEpoch(E, 0, "fork")]


def test_a_hello_says_under_which_incarnation_all_before_it_is_booked() -> None:
    old = EpochState(epoch=b"o" * 16, last=4, acked=2, incarnation=I)
    up = Uplink([old, EpochState(epoch=E, last=3, acked=3, incarnation=I)], I, [], Chain(9), lambda: 0.5)
    up.connected(0)
    assert up.booked_before(E) is None, "two facts of the older epoch are not booked"
    up.on_ack(Ack(I, b"o" * 16, 4, ours(4), "ok"))
    assert up.booked_before(E) == I
    assert up.booked_before(b"o" * 16) is None, "the open epoch is still to be spoken of"
    up.asked(b"n")
    up.on_ack(ack(3, by=J, nonce=b"n"))
    assert up.booked_before(E) is None, "the restored database may have forgotten the older epoch"
    assert machine(3, 3).booked_before(E) == b""


@pytest.mark.parametrize("status", ["", "maybe", "OK"])
def test_an_unknown_status_changes_nothing(status: str) -> None:
    up = greeted(5, 3)
    assert isinstance(up.on_ack(ack(5, status=status))[0], Ignored)
    assert up.waiting == 2


def test_after_a_fork_the_epoch_before_is_spoken_of_again() -> None:
    """Else it would stand under the incarnation that is gone, and a restored centre would wait for this unit."""
    up = greeted(9, 7)
    up.asked(b"n")
    assert isinstance(up.on_ack(ack(12, b"theirs", by=J, nonce=b"n"))[0], NewIncarnation)
    assert up.poll(1) == SendBatch(E, 8)
    up.sent(9)
    assert up.on_ack(ack(7, by=J, status="fork", first=8, last=9)) == [OpenEpoch(E, 7, "fork")]
    newer = b"f" * 16
    up.reload([EpochState(epoch=E, last=7, acked=7, incarnation=I), EpochState(epoch=newer, last=3, acked=0)])
    assert up.poll(3) == Hello(E, 7)
    assert up.on_ack(ack(7, by=J)) == [Advance(E, 7, J)]
    assert up.poll(4) == Hello(newer, 3)
    assert up.booked_before(newer) == J
