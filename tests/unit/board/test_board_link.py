"""The link between host and board: every ask and every event once, or a failure with a name, whatever the pipe does."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware import protocol as p
from firmware.board_end import HELLO_MS, SILENT_MS
from firmware.events import EVENTS_MAX
from firmware.stream import WINDOW, Counters, Stream
from hal.board.host_end import Answer, Lost, Why
from tests.unit.board.link_rig import Wire

SECOND_MS = 1_000
KINDS = [p.HELLO, p.OPEN, p.OPENED, p.DATA, p.ALIVE, p.GAP, 0]


def check(wire: Wire) -> None:
    """What holds at any time."""
    assert len(set(wire.done)) == len(wire.done), "an ask was done twice"
    for token, result in wire.results:
        if isinstance(result, Answer):
            assert (result.error, result.data) == (p.OK, token)
            assert token in wire.done
    numbers = [(event.boot, event.number) for event in wire.events]
    assert numbers == sorted(set(numbers)), "an event came twice or out of order"
    assert all(wire.told[key] == event.data for key, event in zip(numbers, wire.events, strict=True))


def settle(wire: Wire) -> None:
    """Faults stop: now there must be progress."""
    wire.badness(0.0)
    wire.run(15 * SECOND_MS)
    assert wire.host.open
    assert not wire.asked, "an ask has no result"
    check(wire)
    last = {key for key in wire.told if key[0] == wire.boot}
    come = {(event.boot, event.number) for event in wire.events if event.boot == wire.boot}
    assert len(last) == len(come) + wire.board.events.dropped, "an event was lost without being counted"
    wire.ask()
    wire.run(SECOND_MS)
    assert isinstance(wire.results[-1][1], Answer)


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32), badness=st.sampled_from([0.02, 0.1, 0.3, 0.6]), resets=st.booleans())
def test_every_ask_and_event_arrives_once_or_fails_with_a_name(seed: int, badness: float, resets: bool) -> None:
    wire = Wire(seed)
    wire.badness(badness)
    for _ in range(300):
        wire.run(5 * wire.random.randint(1, 6))
        dice = wire.random.random()
        if dice < 0.4:
            wire.ask()
        elif dice < 0.7:
            wire.tell()
        elif dice < 0.71 and resets:
            wire.start_board()
        elif dice < 0.72:
            wire.to_board.cut()
            wire.to_host.cut()
    check(wire)
    settle(wire)


def test_a_clean_pipe_loses_and_repeats_nothing() -> None:
    wire = Wire(1)
    wire.run(HELLO_MS)
    for _ in range(400):
        wire.ask()
        wire.tell()
        wire.run(20)
    settle(wire)
    assert all(isinstance(result, Answer) for _, result in wire.results)
    assert len(wire.results) == 401
    assert len(wire.events) == 400
    assert (wire.host.counters.resent, wire.board.counters.resent) == (0, 0)
    assert wire.host.decoder.damaged == 0


def test_the_host_says_nothing_before_the_board_does_also_after_a_reset() -> None:
    wire = Wire(2)
    for _ in range(1000):
        wire.now_ms += 5
        assert wire.host.output(wire.now_ms) == b""
    wire.run(SECOND_MS)
    wire.to_host.cut()
    lost_at_ms = wire.now_ms
    while wire.host.open:
        wire.now_ms += 5
        wire.host.output(wire.now_ms)
    assert wire.now_ms - lost_at_ms <= SILENT_MS + 10
    assert wire.host.why is Why.SILENT
    for _ in range(1000):
        wire.now_ms += 5
        assert wire.host.output(wire.now_ms) == b""


def test_what_the_host_sends_never_holds_a_byte_that_stops_a_booting_program() -> None:
    for value in range(256):
        framed = p.frame(bytes((value,)) * 40 + b"\x1b\x03\x00 ;#")
        assert b"\x03" not in framed
        assert framed.index(p.END) == len(framed) - 1
        assert p.unframe(framed[:-1]) == bytes((value,)) * 40 + b"\x1b\x03\x00 ;#"


def test_a_reset_of_the_board_is_named_and_its_open_asks_are_lost() -> None:
    wire = Wire(3)
    wire.run(SECOND_MS)
    wire.ask()
    wire.start_board()
    wire.run(SECOND_MS)
    assert [result for _, result in wire.results] == [Lost(0, Why.RESET)]
    assert (wire.host.resets, wire.host.open) == (1, True)
    settle(wire)


def test_events_wait_while_the_host_is_away_and_what_did_not_fit_is_counted() -> None:
    wire = Wire(4)
    for _ in range(EVENTS_MAX + 5):
        wire.tell()
    wire.run(2 * SECOND_MS)
    assert [event.number for event in wire.events] == list(range(6, EVENTS_MAX + 6))
    assert wire.host.missed_events == 5


def test_a_newer_host_takes_over_and_gets_what_waits() -> None:
    wire = Wire(5)
    wire.run(SECOND_MS)
    old = wire.host
    wire.host = type(old)(0x1234, wire.now_ms)
    wire.tell()
    wire.run(2 * SECOND_MS)
    assert wire.host.open
    assert len(wire.events) == 1
    assert wire.board.sessions == 2


def test_another_version_is_refused_by_name_on_both_sides() -> None:
    wire = Wire(6)
    hello = p.Hello(p.VERSION + 1, 9, p.RESET_POWER, 1, 0, b"board-01")
    wire.host.receive(p.frame(hello.body()), wire.now_ms)
    assert wire.host.why is Why.VERSION
    assert wire.host.output(wire.now_ms) == b""
    wire.board.receive(p.frame(bytes((p.OPEN, p.VERSION + 1, 1, 0, 0, 0))), wire.now_ms)
    assert not wire.board.open


def test_the_window_bounds_what_is_on_its_way() -> None:
    stream = Stream(7, 0, Counters())
    for _ in range(WINDOW):
        stream.send(b"x")
    with pytest.raises(ValueError, match="room"):
        stream.send(b"x")
    assert len(stream.output(0)) == WINDOW


def test_a_stream_that_is_never_answered_breaks_after_a_bounded_number_of_tries() -> None:
    stream = Stream(7, 0, Counters())
    stream.send(b"x")
    now_ms, sent = 0, 0
    while not stream.broken:
        sent += len([out for out in stream.output(now_ms) if p.unframe(out[:-1])[:1] == bytes((p.DATA,))])  # type: ignore[index]
        now_ms += 10
        assert now_ms < 60_000
    assert sent <= 14


@settings(max_examples=100, deadline=None)
@given(st.lists(st.binary(max_size=600), max_size=20))
def test_rubbish_never_breaks_a_decoder_and_the_next_frame_is_read(pieces: list[bytes]) -> None:
    decoder = p.Decoder()
    for piece in pieces:
        decoder.feed(piece)
    good = p.frame(b"\x44 hello")
    assert decoder.feed(p.END + good)[-1:] == [b"\x44 hello"]


@settings(max_examples=100, deadline=None)
@given(st.binary(min_size=1, max_size=p.PAYLOAD_MAX), st.integers(1, 40))
def test_a_frame_is_read_in_pieces_of_any_size(body: bytes, size: int) -> None:
    decoder = p.Decoder()
    framed = p.frame(body) * 2
    out = [got for at in range(0, len(framed), size) for got in decoder.feed(framed[at : at + size])]
    assert out == [body, body]
    assert (decoder.damaged, decoder.outside) == (0, 0)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(KINDS), st.binary(max_size=40))))
def test_well_framed_nonsense_is_survived_by_both_ends(bodies: list[tuple[int, bytes]]) -> None:
    wire = Wire(8)
    wire.run(SECOND_MS)
    session = wire.host._session.to_bytes(4, "little")
    for kind, rest in bodies:
        for body in (bytes((kind,)) + rest, bytes((kind,)) + session + rest):
            wire.host.receive(p.frame(body), wire.now_ms)
            wire.board.receive(p.frame(body), wire.now_ms)
            for ask in wire.board.asks():
                wire.board.answer(ask[0], p.OK, b"")
            wire.board.output(wire.now_ms)
            wire.host.output(wire.now_ms)
    wire.host.results()


def test_a_stream_of_bytes_without_an_end_is_held_in_bounds() -> None:
    decoder = p.Decoder()
    for _ in range(1000):
        decoder.feed(b"x" * 100)
        assert len(decoder._held) <= p.FRAME_MAX
    assert decoder.outside >= 99_000
    assert decoder.feed(p.END + p.frame(b"Dab")) == [b"Dab"]


def test_a_payload_that_comes_again_is_acknowledged_at_once() -> None:
    sender, receiver = Stream(7, 0, Counters()), Stream(7, 0, Counters())
    sender.send(b"x")
    (framed,) = sender.output(0)
    body = p.unframe(framed[:-1])
    assert body is not None
    receiver.take(body, 0)
    receiver.output(20)  # its acknowledgement is lost
    receiver.take(body, 21)
    assert receiver.inbox == [b"x"]
    assert len(receiver.output(21)) == 1


def test_an_event_whose_acknowledgement_was_lost_with_its_session_is_not_told_twice() -> None:
    wire = Wire(9)
    wire.run(SECOND_MS)
    wire.tell()
    for _ in range((SILENT_MS + SECOND_MS) // 5):
        wire.step()
        wire.to_board.cut()
    assert [event.number for event in wire.events] == [1]
    assert len(wire.board.events) == 1
    wire.run(5 * SECOND_MS)
    assert wire.board.sessions > 1
    assert len(wire.board.events) == 0
    assert [event.number for event in wire.events] == [1]


def test_an_opening_that_comes_late_does_not_end_the_newer_session() -> None:
    wire = Wire(10)
    for session in (0x10001, 0x10002, 0x10001):
        wire.board.receive(p.frame(p.open_body(session)), wire.now_ms)
    assert wire.board.sessions == 2
    opened = wire.board.output(wire.now_ms).split(p.END)[0]
    body = p.unframe(opened)
    assert body is not None
    assert p.session_of(body) == 0x10002
