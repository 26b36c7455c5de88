"""Whatever is scanned gives an answer in bounded time: any bytes, and GS1 messages with anything done to them."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from loyalty.barcode import TEXT_BYTES_MAX, Member, NotACoupon, Own, Trade, read
from loyalty.barcode.explain import explain
from loyalty.barcode.gs1.ais import AIS, Ai
from loyalty.barcode.gs1.faults import Fault
from loyalty.barcode.trade import coupon_of, serial_number
from loyalty.campaign import Campaign, Kind, Policy
from loyalty.coupon import Coupon
from loyalty.reason import Reason

READ_MS_MAX = 25  # measured: below 2 for the worst; generous, because the machine is shared
FORMATS = ["", "qr", "gs1_qr", "datamatrix", "gs1_datamatrix", "code128", "gs1_128", "databar", "databar_expanded"]
VALID = [
    b"2554912345678904000123\x1d172612313900500",
    b"]C12554912345678904",
    b"8110106141416543213500120234111201109326123142601019" + b"1011",
    b"81120106141416543219000123456789012",
    b"01049123456789041726123110LOT-4711\x1d21A0001",
    b"(255)4912345678904000123(17)261231(3941)0125",
    b"https://shop.example/a/255/4912345678904000123?17=261231&3900=500#x",
    b"https://id.gs1.org/01/04912345678904/10/A%2FB/21/X?17=261200",
    b"8018491234567890123451\x1d80191",
]
CAMPAIGN = Campaign(
    id=7, name="n", kind=Kind.AMOUNT, policy=Policy.OPEN, provider="p", amount_yen=1, serials=False, trade="gcn:1"
)


def sane(text: bytes, format: str) -> None:
    """An answer, in time, with everything that is told about it in its bounds."""
    started = time.thread_time()
    found = read(text, format)
    assert (time.thread_time() - started) * 1000 < READ_MS_MAX
    for line in explain(found):
        assert len(line) < 4 * TEXT_BYTES_MAX
    if isinstance(found, NotACoupon):
        assert found.detail
        if found.trouble is not None:
            assert 0 <= found.trouble.at <= len(text)
            assert found.trouble.ai == "" or found.trouble.ai.encode() in AIS
            assert found.reason in (Reason.CHECK_DIGIT, Reason.INCOMPLETE, Reason.MISPRINTED)
    elif isinstance(found, Trade):
        assert 0 <= serial_number(found.serial) < 2**64
        assert 0 < len(found.elements) <= 64
        for ai, value in found.elements:
            entry = AIS[ai.encode()]
            assert entry.least <= len(value) <= entry.most
        for now_ms in (0, 1_790_000_000_000, 4_000_000_000_000):
            named = Campaign(
                id=7, name="n", kind=Kind.AMOUNT, policy=Policy.OPEN, provider="p", serials=False, trade=found.key
            )
            assert isinstance(coupon_of(found, named, now_ms, 540), Coupon)
    else:
        assert isinstance(found, Member | Own) or format in ("", "qr")


@given(st.binary(max_size=TEXT_BYTES_MAX), st.sampled_from(FORMATS))
@example(b"\x1d" * TEXT_BYTES_MAX, "gs1_128")
@example(b"20" * (TEXT_BYTES_MAX // 2), "gs1_128")
@example(b"(10)" * (TEXT_BYTES_MAX // 4), "")
@example(b"(" * TEXT_BYTES_MAX, "")
@example(b"\\(" * (TEXT_BYTES_MAX // 2), "")
@example(b"(10)" + b"\\(" * 2040, "")
@example(b"http", "gs1_qr")
@example(b"https://" + b"/01" * 1300, "")
@example(b"https://a/255/4912345678904?" + b"1=2&" * 1000, "")
@example(b"https://a/255/4912345678904?" + b"%" * 4000, "")
@example(b"https://a/255/" + b"%34" * 1300, "")
@settings(max_examples=400)
def test_K5_any_bytes_from_any_symbol_get_an_answer(text: bytes, format: str) -> None:
    sane(text, format)


def _flip(text: bytes, at: int, byte: int) -> bytes:
    return text[:at] + bytes((byte,)) + text[at + 1 :]


def _drop(text: bytes, at: int, byte: int) -> bytes:
    return text[:at] + text[at + 1 :]


def _insert(text: bytes, at: int, byte: int) -> bytes:
    return text[:at] + bytes((byte,)) + text[at:]


def _cut(text: bytes, at: int, byte: int) -> bytes:
    return text[:at]


def _double(text: bytes, at: int, byte: int) -> bytes:
    return text[:at] + text


MUTATIONS: list[Callable[[bytes, int, int], bytes]] = [_flip, _drop, _insert, _cut, _double]
INTERESTING = st.sampled_from(list(b"0123456789()/?&=%#;\x1d]\\ABab\x00\xff"))


@given(
    st.sampled_from(VALID),
    st.lists(st.tuples(st.sampled_from(MUTATIONS), st.integers(0, 120), INTERESTING), max_size=6),
    st.sampled_from(FORMATS),
)
@settings(max_examples=600)
def test_K5_a_message_with_anything_done_to_it_gets_an_answer(
    text: bytes, mutations: list[tuple[Callable[[bytes, int, int], bytes], int, int]], format: str
) -> None:
    for mutate, at, byte in mutations:
        text = mutate(text, min(at, len(text)), byte)[:TEXT_BYTES_MAX]
    sane(text, format)


@pytest.mark.parametrize("text", VALID)
def test_the_messages_that_are_changed_are_whole_before(text: bytes) -> None:
    assert isinstance(read(text, "gs1_128"), Trade | Member)


@st.composite
def values(draw: st.DrawFn, ai: Ai) -> str:
    """A value of the right length and characters, whatever it means."""
    parts = []
    for part in ai.parts:
        length = draw(st.integers(part.least, part.most))
        letters = sorted(part.characters.decode())
        parts.append(draw(st.text(st.sampled_from(letters), min_size=length, max_size=length)))
    return "".join(parts)


@given(st.lists(st.sampled_from(sorted(AIS)), min_size=1, max_size=8).flatmap(
    lambda ais: st.tuples(*(st.tuples(st.just(AIS[ai]), values(AIS[ai])) for ai in ais))
))  # fmt: skip
@settings(max_examples=300)
def test_every_AI_is_split_where_it_ends(pairs: tuple[tuple[Ai, str], ...]) -> None:
    """Rules may refuse what the values mean; where one ends and the next begins is never in doubt."""
    text = "".join(ai.ai + value + ("" if ai.predefined else "\x1d") for ai, value in pairs)
    found = read(text.encode(), "gs1_128")
    if isinstance(found, NotACoupon) and found.trouble is not None:
        assert found.trouble.fault not in (Fault.UNKNOWN_AI, Fault.TOO_LONG, Fault.EMPTY)
    elif isinstance(found, Trade):
        assert found.elements == tuple((ai.ai, value) for ai, value in pairs)


@pytest.mark.parametrize("start", [b"", b"\x1d", b"]C1", b"(01)", b"https://a/255/", b"TK2:", b"8110"])
def test_a_text_of_a_megabyte_takes_no_longer_than_a_small_one(start: bytes) -> None:
    for filling in (b"0", b"\x1d", b"(", b"/01", b"%41", b"&"):
        started = time.thread_time()
        assert isinstance(read(start + filling * 300_000, "gs1_128"), NotACoupon)
        assert (time.thread_time() - started) * 1000 < READ_MS_MAX
