"""What lanes say to each other: signed, once, under one hub; and nothing else is understood."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nacl.signing import SigningKey

from wire import site_messages
from wire.site_envelope import SESSION_BYTES, VOICES_MAX, Ear, Forged, Mouth, login, login_once, sign_beacon
from wire.site_messages import (
    MESSAGE_BYTES_MAX,
    SPANS_MAX,
    Here,
    Language,
    Mark,
    NotOurs,
    Run,
    SiteMessage,
    Span,
    Spent,
    Want,
    encode,
    parse_topic,
    subscriptions,
    topic,
)
from wire.topics import Address

A, B = SigningKey(b"a" * 32), SigningKey(b"b" * 32)
KEYS = {"a": A.verify_key, "b": B.verify_key}
HUB, OTHER_HUB = b"h" * SESSION_BYTES, b"i" * SESSION_BYTES
TOPIC = topic("demo", "s", "a")
E, H = b"e" * 16, b"h" * 32


def test_what_a_lane_says_is_heard_once_as_it_was_said() -> None:
    mouth, ear = Mouth(A, HUB, b"voice..1"), Ear(HUB)
    packet = mouth.say(TOPIC, b"hello")
    assert ear.hear(KEYS, TOPIC, "a", packet) == b"hello"
    with pytest.raises(Forged, match="before"):
        ear.hear(KEYS, TOPIC, "a", packet)
    assert ear.hear(KEYS, TOPIC, "a", mouth.say(TOPIC, b"again")) == b"again"


def test_what_was_said_out_of_order_is_not_heard_any_more() -> None:
    mouth, ear = Mouth(A, HUB, b"voice..1"), Ear(HUB)
    first, second = mouth.say(TOPIC, b"1"), mouth.say(TOPIC, b"2")
    ear.hear(KEYS, TOPIC, "a", second)
    with pytest.raises(Forged):
        ear.hear(KEYS, TOPIC, "a", first)


def test_a_message_can_be_played_neither_under_another_hub_nor_topic_nor_name() -> None:
    packet = Mouth(A, HUB, b"voice..1").say(TOPIC, b"hello")
    with pytest.raises(Forged):
        Ear(OTHER_HUB).hear(KEYS, TOPIC, "a", packet)
    with pytest.raises(Forged):
        Ear(HUB).hear(KEYS, topic("demo", "s", "a", "b"), "a", packet)
    with pytest.raises(Forged):
        Ear(HUB).hear(KEYS, TOPIC, "b", packet)
    with pytest.raises(Forged, match="no lane"):
        Ear(HUB).hear({"b": B.verify_key}, TOPIC, "a", packet)


def test_one_kind_of_signature_is_not_another() -> None:
    """A beacon's signature under a login, or under a message, is none."""
    once = b"12345678"
    body = HUB + once + b"a\0b"
    assert login_once(A.verify_key, "a", "b", HUB, (once + sign_beacon(A, body)).hex()) is None


@given(st.data())
def test_a_packet_that_was_changed_anywhere_is_not_heard(data: st.DataObject) -> None:
    packet = bytearray(Mouth(A, HUB, b"voice..1").say(TOPIC, b"hello"))
    at = data.draw(st.integers(0, len(packet) - 1))
    packet[at] ^= data.draw(st.integers(1, 255))
    with pytest.raises(Forged):
        Ear(HUB).hear(KEYS, TOPIC, "a", bytes(packet))


@given(st.binary(max_size=200))
def test_any_bytes_are_a_forgery_or_no_message_and_nothing_worse(body: bytes) -> None:
    with pytest.raises(Forged):
        Ear(HUB).hear(KEYS, TOPIC, "a", body)
    with pytest.raises(NotOurs):
        Language().decode(body)


def test_connections_of_one_lane_take_a_bounded_place() -> None:
    ear = Ear(HUB)
    for n in range(10 * VOICES_MAX):
        ear.hear(KEYS, TOPIC, "a", Mouth(A, HUB, n.to_bytes(8, "big")).say(TOPIC, b"x"))
    assert len(ear._heard["a"]) == VOICES_MAX


def test_a_login_counts_for_one_lane_one_hub_and_one_session() -> None:
    password = login(A, "a", "b", HUB, b"12345678")
    assert login_once(A.verify_key, "a", "b", HUB, password) == b"12345678"
    assert login_once(B.verify_key, "a", "b", HUB, password) is None
    assert login_once(A.verify_key, "a", "a", HUB, password) is None
    assert login_once(A.verify_key, "c", "b", HUB, password) is None
    assert login_once(A.verify_key, "a", "b", OTHER_HUB, password) is None
    for wrong in ("", "zz", password[:-2], password + "00", "秘密"):
        assert login_once(A.verify_key, "a", "b", HUB, wrong) is None


GOOD: list[SiteMessage] = [
    Here([Span(E, 1, 5, H)], [Mark("b", E, 3, H)]),
    Run(E, 0, H, 5, H, [Spent(2, 1, b"s" * 16, b"", 9), Spent(4, 1, b"t" * 16, b"", 9)]),
    Run(E, 5, b"", 5, H, []),
    Want(E, 3),
]


@pytest.mark.parametrize("message", GOOD)
def test_messages_are_understood_as_they_were_said(message: SiteMessage) -> None:
    assert Language().decode(encode(message)) == message


BAD: dict[str, SiteMessage] = {
    "no epochs": Here([], []),
    "too many epochs": Here([Span(E, 1, 5, H)] * (SPANS_MAX + 1), []),
    "short epoch": Here([Span(b"e", 1, 5, H)], []),
    "ends before it begins": Here([Span(E, 7, 5, H)], []),
    "mark below nothing": Here([Span(E, 1, 5, H)], [Mark("b", E, -1, H)]),
    "run backwards": Run(E, 5, H, 4, H, []),
    "not in order": Run(E, 0, H, 5, H, [Spent(4, 1, b"", b"", 9), Spent(2, 1, b"", b"", 9)]),
    "twice": Run(E, 0, H, 5, H, [Spent(4, 1, b"", b"", 9)] * 2),
    "outside": Run(E, 0, H, 5, H, [Spent(6, 1, b"", b"", 9)]),
    "no such campaign": Run(E, 0, H, 5, H, [Spent(4, -1, b"", b"", 9)]),
    "no such time": Run(E, 0, H, 5, H, [Spent(4, 1, b"", b"", 1 << 63)]),
    "short hash": Run(E, 0, H, 5, b"", []),
    "want below nothing": Want(E, -1),
}


@pytest.mark.parametrize("which", BAD)
def test_what_can_not_be_is_no_message(which: str) -> None:
    with pytest.raises(NotOurs):
        Language().decode(encode(BAD[which]))


def test_a_message_that_is_too_long_is_not_read() -> None:
    body = encode(Run(E, 0, H, 5, H, [Spent(4, 1, b"s" * MESSAGE_BYTES_MAX, b"", 9)]))
    with pytest.raises(NotOurs, match="at most"):
        Language().decode(body)


class Greeting(SiteMessage, tag="greeting", frozen=True):
    text: str


class Impostor(SiteMessage, tag="here", frozen=True):
    text: str


def test_other_kinds_are_added_beside_ours_and_unknown_ones_are_no_harm() -> None:
    language = Language()
    with pytest.raises(NotOurs):
        language.decode(encode(Greeting("hello")))
    language.add(Greeting)
    language.add(Greeting)
    assert language.decode(encode(Greeting("hello"))) == Greeting("hello")
    assert language.decode(encode(GOOD[0])) == GOOD[0]
    with pytest.raises(TypeError):
        language.add(Impostor)
    assert language.decode(encode(GOOD[0])) == GOOD[0]


def test_a_newer_lanes_additional_field_is_no_harm() -> None:
    raw = msgspec.msgpack.decode(encode(GOOD[3]))
    assert Language().decode(msgspec.msgpack.encode([*raw, "new"])) == GOOD[3]


def test_topics_say_who_speaks_to_whom() -> None:
    me = Address("demo", "s", "a")
    assert parse_topic(me, topic("demo", "s", "b")) == site_messages.Heard("b", "all")
    assert parse_topic(me, topic("demo", "s", "b", "a")) == site_messages.Heard("b", "a")
    for foreign in (topic("demo", "s", "b", "c"), topic("demo", "t", "b"), topic("x", "s", "b"), "ts/1/demo/s", ""):
        assert parse_topic(me, foreign) is None
    assert subscriptions(me) == ("ts/1/demo/s/+/all", "ts/1/demo/s/+/a")
