"""Topics, facts, messages and seals: what is ours is read back the same, what is not is refused with its reason."""

from __future__ import annotations

from contextlib import suppress

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nacl.signing import SigningKey

from wire import chain, topics
from wire.envelope import NotSealed, seal, unseal
from wire.facts import FACT_BYTES_MAX, EpochOpened, FactTooLong, Redeemed, Stamp, decode_fact, encode_fact
from wire.messages import Batch, Change, Command, FeedMessage, Request, decode
from wire.sealing import fact_id, holder_hash, serial_hash
from wire.topics import BadTopic, address

STAMP = Stamp(1, 2, b"b" * 8, True)
FACT = Redeemed(STAMP, 1, 2**64 - 1, 2**48 - 1, 1, "signed", "ginza", 0, 100, 7)


def test_K6_a_fact_of_a_redemption_is_small_and_reads_back_the_same() -> None:
    body = encode_fact(FACT)
    assert decode_fact(body) == FACT
    assert len(body) < 100


def test_a_fact_with_fields_of_a_newer_version_still_reads() -> None:
    longer = msgspec.msgpack.encode([*msgspec.msgpack.decode(encode_fact(FACT)), "something new"])
    assert decode_fact(longer) == FACT


def test_a_fact_that_is_too_long_is_refused_before_it_is_stored() -> None:
    with pytest.raises(FactTooLong, match=str(FACT_BYTES_MAX)):
        encode_fact(EpochOpened(STAMP, "fork", b"", 0, 0, "x" * FACT_BYTES_MAX))


@given(st.binary(max_size=4096))
def test_garbage_on_the_wire_is_a_named_error_and_nothing_else(garbage: bytes) -> None:
    for kind in (Batch, Request, FeedMessage, Command, Change):
        with suppress(msgspec.MsgspecError, UnicodeDecodeError):
            decode(garbage, kind)
    with suppress(msgspec.MsgspecError, UnicodeDecodeError):
        decode_fact(garbage)


def test_an_address_gives_its_topics_and_a_topic_its_address() -> None:
    where = address("demo", "ginza", "lane-1")
    for leaf in topics.LEAVES:
        topic = where.topic(leaf)
        assert topic.count("/") <= 7
        assert topics.parse(topic) == (where, leaf)


@pytest.mark.parametrize("device", ["", "all", "Lane", "a/b", "a+b", "#", "x" * 33, "ラ", "a b"])
def test_an_id_that_can_not_stand_in_a_topic_is_refused_with_the_rule(device: str) -> None:
    with pytest.raises(BadTopic, match="device"):
        address("demo", "ginza", device)


@pytest.mark.parametrize(
    "topic", ["", "tk/1/a/b/c/up", "tk/2/a/b/c/up/ev", "tk/1/a/b/c/up/xx", "tk/1/A/b/c/up/ev", "tk/1/a/b/c/up/ev/x"]
)
def test_a_topic_outside_the_tree_is_refused(topic: str) -> None:
    with pytest.raises(BadTopic):
        topics.parse(topic)


def test_a_unit_subscribes_without_wildcards_and_within_the_limits_of_aws() -> None:
    filters = topics.subscriptions(address("demo", "ginza", "lane-1"))
    assert len(filters) <= 8
    assert not any("+" in topic or "#" in topic for topic, _ in filters)


def test_a_seal_holds_for_its_topic_alone() -> None:
    key = SigningKey(b"c" * 32)
    sealed = seal(key, "tk/1/a/b/c/dn/ack", b"body")
    assert unseal(key.verify_key, "tk/1/a/b/c/dn/ack", sealed) == b"body"
    with pytest.raises(NotSealed, match="signature"):
        unseal(key.verify_key, "tk/1/a/b/d/dn/ack", sealed)
    with pytest.raises(NotSealed, match="signature"):
        unseal(SigningKey(b"d" * 32).verify_key, "tk/1/a/b/c/dn/ack", sealed)


@given(st.binary(max_size=300))
def test_what_is_not_sealed_is_refused_by_name(garbage: bytes) -> None:
    with pytest.raises(NotSealed):
        unseal(SigningKey(b"c" * 32).verify_key, "t", garbage)


def test_the_chain_speaks_for_every_fact_before_it() -> None:
    genesis = chain.genesis("lane-1", b"e" * 16)
    facts = [b"a", b"b", b"c"]
    hashes = chain.links(genesis, facts)
    assert hashes[-1] == chain.link(hashes[-2], b"c")
    assert chain.links(genesis, [b"x", b"b", b"c"])[-1] != hashes[-1]
    assert chain.genesis("lane-2", b"e" * 16) != genesis


def test_K6_a_stolen_list_of_hashes_tells_nothing_without_its_key() -> None:
    one, other = serial_hash(b"a" * 32, 1, 5), serial_hash(b"b" * 32, 1, 5)
    assert one != other
    assert serial_hash(b"a" * 32, 2, 5) != one
    assert holder_hash(b"a" * 32, 5) != one
    assert fact_id("lane-1", b"e" * 16, 5) != fact_id("lane-1", b"e" * 16, 6)
