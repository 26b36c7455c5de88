"""Base45 as RFC 9285 has it: its own examples, a reference decoder written from its text, and strictness."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loyalty.barcode import base45

EXAMPLES = [
    (b"", b""),
    (b"AB", b"BB8"),
    (b"Hello!!", b"%69 VD92EX0"),
    (b"base-45", b"UJCLQE7W581"),
    (b"ietf!", b"QED8WEX0"),
    (b"\xff\xff", b"FGW"),
    (b"\x00\x00\x00", b"00000"),
]
ALPHABET = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:"


def reference_decode(text: bytes) -> bytes:
    """Section 4 of the RFC, one character at a time. Raises ValueError."""
    out = bytearray()
    for at in range(0, len(text), 3):
        group = [ALPHABET.index(c) for c in text[at : at + 3]]
        if len(group) == 1:
            raise ValueError("a group of one")
        value = sum(digit * 45**place for place, digit in enumerate(group))
        out += value.to_bytes(len(group) - 1, "big") if value < 256 ** (len(group) - 1) else _refuse()
    return bytes(out)


def _refuse() -> bytes:
    raise ValueError("a group above what its bytes hold")


@pytest.mark.parametrize(("data", "text"), EXAMPLES)
def test_the_examples_of_the_rfc_encode_and_decode(data: bytes, text: bytes) -> None:
    assert base45.encode(data).encode() == text
    assert base45.decode(text) == data


@given(st.binary(max_size=200))
def test_what_was_encoded_decodes_to_itself(data: bytes) -> None:
    assert base45.decode(base45.encode(data).encode()) == data


@given(st.lists(st.sampled_from(ALPHABET), max_size=60).map(bytes))
def test_any_legal_characters_decode_as_the_reference_does_and_only_to_what_encodes_back(text: bytes) -> None:
    try:
        expected = reference_decode(text)
    except ValueError:
        with pytest.raises(base45.Base45Error):
            base45.decode(text)
    else:
        assert base45.decode(text) == expected
        assert base45.encode(expected).encode() == text


@pytest.mark.parametrize(
    "text",
    [
        b"GGW",  # 65536, the RFC's own example of a refusal
        b":::",  # 91124
        b"V5",  # 256 in a last group
        b"A",
        b"BB8A",
        b"bb8",
        b"BB8\n",
        b" B8!",
        b"BB\x008",
        b"\xef\xbc\xa2B8",
    ],
)
def test_what_the_encoder_can_not_produce_is_refused(text: bytes) -> None:
    with pytest.raises(base45.Base45Error):
        base45.decode(text)


@pytest.mark.parametrize("code", range(256))
def test_exactly_the_45_characters_are_legal(code: int) -> None:
    assert base45.legal(bytes([code])) == (code in ALPHABET)
