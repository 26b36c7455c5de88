"""Our own code text: what is minted reads back, and nothing that was changed on the way is ever believed (K5)."""

from __future__ import annotations

import string

import pytest
import segno
from hypothesis import given, settings
from hypothesis import strategies as st
from nacl.signing import SigningKey

from loyalty.barcode import NotACoupon, Own, base45, own, read
from loyalty.coupon import Coupon, Now
from loyalty.keys import Key, check
from loyalty.reason import Reason

SIGNING_KEY = SigningKey(bytes(range(32)))
KEY = Key(3, bytes(SIGNING_KEY.verify_key))
NOW = Now(wall_ms=1_780_000_000_000)
COUPON = Coupon(campaign=7, serial=0x8000_0000_0000_0005, holder=0x8000_0000_0003, expires_s=1_900_000_000, key=3)
TEXT = own.mint(SIGNING_KEY, COUPON).encode()
GOLDEN = (
    b"TK1:Y5000070088G000000500BEEESM88G0003005CA2TD17L:V8MQ4OLLJ0O%EUBY15"
    b"PR4UIPKBX6MDBI+97QEBMFSQ*743NFYJPIRIJ097U4446AFOWG1BRP6IGSCX+L1NHMAK"
)

COUPONS = st.builds(
    Coupon,
    campaign=st.integers(0, 2**32 - 1),
    serial=st.integers(0, 2**64 - 1),
    holder=st.integers(0, 2**48 - 1),
    expires_s=st.integers(0, 2**32 - 1),
    key=st.integers(1, 255),
)


def answer(text: bytes, format: str = "qr") -> Reason | None:
    """Why a unit would not believe `text`; None: it would."""
    found = read(text, format)
    if isinstance(found, Own):
        return check(found, KEY if found.coupon.key == KEY.id else None, NOW)
    assert isinstance(found, NotACoupon)
    return found.reason


def as_read(text: bytes) -> Own:
    found = read(text, "qr")
    assert isinstance(found, Own)
    return found


BODY = as_read(TEXT).body


def with_body(body: bytes) -> bytes:
    """A text of a changed body under the signature of the right one."""
    return b"TK1:" + base45.encode(body + as_read(TEXT).signature).encode()


@given(COUPONS)
@settings(max_examples=50)
def test_K5_a_minted_coupon_reads_back_and_is_genuine_under_its_key_alone(coupon: Coupon) -> None:
    found = as_read(own.mint(SIGNING_KEY, coupon).encode())
    assert found.coupon == coupon
    assert (len(found.body), len(found.signature)) == (24, 64)
    assert own.genuine(found, KEY.public)
    assert not own.genuine(found, bytes(SigningKey(b"\1" * 32).verify_key))


def test_the_layout_of_the_text_never_changes() -> None:
    assert TEXT == GOLDEN
    assert BODY.hex() == "0103000000078000000000000005713fb300800000000003"


def test_the_text_fits_an_alphanumeric_QR_code_of_version_6_M() -> None:
    assert len(TEXT) == own.TEXT_CHARS == 136
    symbol = segno.make(TEXT.decode(), error="m", boost_error=False, micro=False)
    assert (symbol.version, symbol.mode, symbol.error) == (6, "alphanumeric", "M")


@pytest.mark.parametrize("place", range(136))
def test_K5_a_text_with_one_flipped_bit_is_refused_for_what_it_now_is(place: int) -> None:
    for bit in range(8):
        changed = bytearray(TEXT)
        changed[place] ^= 1 << bit
        assert answer(bytes(changed)) == expected_of_changed(bytes(changed))


def expected_of_changed(text: bytes) -> Reason:
    """By the definition of the text, without the code under test: the prefix, 44 groups of 16 bits, version, key."""
    if not text.startswith(b"TK1:"):
        versioned = text[:2] == b"TK" and text[2:3].isdigit() and text[3:4] == b":"
        return Reason.UNKNOWN_VERSION if versioned else Reason.NOT_A_COUPON
    payload = text[4:]
    alphabet = (string.digits + string.ascii_uppercase + " $%*+-./:").encode()
    if any(c not in alphabet for c in payload):
        return Reason.DAMAGED
    digits = [alphabet.index(c) for c in payload]
    groups = [a + 45 * b + 2025 * c for a, b, c in zip(digits[::3], digits[1::3], digits[2::3], strict=True)]
    if max(groups) > 0xFFFF:
        return Reason.DAMAGED
    version, key = divmod(groups[0], 256)
    if version != 1:
        return Reason.UNKNOWN_VERSION
    if key == 0:
        return Reason.DAMAGED
    return Reason.NOT_GENUINE if key == KEY.id else Reason.UNKNOWN_KEY


@pytest.mark.parametrize("byte", range(24))
def test_K5_one_changed_bit_of_the_body_under_the_old_signature_is_never_genuine(byte: int) -> None:
    expected = {0: Reason.UNKNOWN_VERSION, 1: Reason.UNKNOWN_KEY}.get(byte, Reason.NOT_GENUINE)
    for bit in range(8):
        body = BODY[:byte] + bytes([BODY[byte] ^ 1 << bit]) + BODY[byte + 1 :]
        assert answer(with_body(body)) == expected


@pytest.mark.parametrize("byte", range(64))
def test_K5_one_changed_bit_of_the_signature_is_never_genuine(byte: int) -> None:
    signature = as_read(TEXT).signature
    for bit in range(8):
        changed = signature[:byte] + bytes([signature[byte] ^ 1 << bit]) + signature[byte + 1 :]
        assert answer(b"TK1:" + base45.encode(BODY + changed).encode()) == Reason.NOT_GENUINE


@pytest.mark.parametrize("length", range(1, 136))
def test_K5_a_cut_text_is_incomplete_wherever_it_was_cut(length: int) -> None:
    assert answer(TEXT[:length]) == Reason.INCOMPLETE


@pytest.mark.parametrize("length", [4, 5, 70, 135])
def test_K5_a_cut_text_with_an_illegal_character_is_damaged(length: int) -> None:
    assert answer(TEXT[:length] + b"a"[: length < 135] + b"~") == Reason.DAMAGED


@pytest.mark.parametrize("extra", [b"0", b" ", b"\n", b"\0", b"ABC", b"~" * 4000])
def test_K5_a_text_with_something_after_it_is_damaged(extra: bytes) -> None:
    assert answer(TEXT + extra) == Reason.DAMAGED


@pytest.mark.parametrize("text", [b"TK3:" + TEXT[4:], b"TK0:", b"TK10:XYZ", with_body(b"\2" + BODY[1:])])
def test_K5_another_version_is_named_as_such(text: bytes) -> None:
    assert answer(text) == Reason.UNKNOWN_VERSION


def test_a_signed_code_can_not_say_that_it_is_unsigned() -> None:
    body = BODY[:1] + b"\0" + BODY[2:]
    text = b"TK1:" + base45.encode(body + SIGNING_KEY.sign(b"TK1:" + body).signature).encode()
    assert answer(text) == Reason.DAMAGED


def test_a_signature_made_for_something_else_does_not_fit() -> None:
    bare = b"TK1:" + base45.encode(BODY + SIGNING_KEY.sign(BODY).signature).encode()
    assert answer(bare) == Reason.NOT_GENUINE


def test_a_signature_that_is_not_reduced_is_refused_so_that_a_coupon_has_one_text() -> None:
    order = 2**252 + 27742317777372353535851937790883648493
    found = as_read(TEXT)
    s = int.from_bytes(found.signature[32:], "little") + order
    again = found.signature[:32] + s.to_bytes(32, "little")
    assert answer(b"TK1:" + base45.encode(found.body + again).encode()) == Reason.NOT_GENUINE


@pytest.mark.parametrize("format", ["", "qr", "datamatrix", "code128", "ean13"])
def test_a_code_of_ours_counts_from_any_symbol(format: str) -> None:
    assert answer(TEXT, format) is None


@pytest.mark.parametrize(
    "coupon",
    [
        Coupon(campaign=1, key=0),
        Coupon(campaign=1, key=256),
        Coupon(campaign=2**32, key=1),
        Coupon(campaign=-1, key=1),
        Coupon(campaign=1, serial=2**64, key=1),
        Coupon(campaign=1, holder=2**48, key=1),
        Coupon(campaign=1, holder=-1, key=1),
        Coupon(campaign=1, expires_s=2**32, key=1),
    ],
)
def test_a_coupon_that_has_no_text_is_not_minted(coupon: Coupon) -> None:
    with pytest.raises(ValueError):
        own.mint(SIGNING_KEY, coupon)


def test_a_public_key_of_another_length_is_refused_before_it_reaches_libsodium() -> None:
    found = as_read(TEXT)
    with pytest.raises(ValueError, match="32 bytes"):
        own.genuine(found, KEY.public[:31])


def test_the_key_of_all_zeros_signs_nothing() -> None:
    forged = b"TK1:" + base45.encode(BODY + b"\1" + bytes(63)).encode()
    found = as_read(forged)
    assert not own.genuine(found, bytes(32))
    assert not own.genuine(found, b"\1" + bytes(31))
