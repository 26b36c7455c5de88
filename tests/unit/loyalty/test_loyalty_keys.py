"""Rotation of the keys that sign coupons: which text may be believed, and until when (K5)."""

from __future__ import annotations

import pytest
from nacl.signing import SigningKey

from loyalty.barcode import Own, own, read
from loyalty.coupon import Coupon, Now
from loyalty.keys import Key, check
from loyalty.reason import Reason

OLD, NEW = SigningKey(b"\1" * 32), SigningKey(b"\2" * 32)
RETIRED_MS = 1_780_000_000_000


def code(signing_key: SigningKey, key: int) -> Own:
    found = read(own.mint(signing_key, Coupon(campaign=1, serial=2, key=key)).encode(), "qr")
    assert isinstance(found, Own)
    return found


def key(signing_key: SigningKey, id: int, retired_ms: int | None = None) -> Key:
    return Key(id, bytes(signing_key.verify_key), retired_ms)


def at(wall_ms: int, *, trusted: bool = True, error_ms: int = 0) -> Now:
    return Now(wall_ms=wall_ms, trusted=trusted, error_ms=error_ms)


def test_K5_a_text_is_believed_under_the_key_that_signed_it() -> None:
    assert check(code(OLD, 1), key(OLD, 1), at(RETIRED_MS)) is None
    assert check(code(NEW, 2), key(NEW, 2), at(RETIRED_MS)) is None


def test_K5_a_text_of_a_key_that_is_not_known_is_refused_as_such() -> None:
    assert check(code(NEW, 2), None, at(0)) == Reason.UNKNOWN_KEY
    assert check(code(NEW, 2), key(NEW, 1), at(0)) == Reason.UNKNOWN_KEY


def test_K5_a_forged_coupon_is_refused_as_not_genuine() -> None:
    assert check(code(SigningKey(b"\3" * 32), 1), key(OLD, 1), at(0)) == Reason.NOT_GENUINE


def test_K5_a_retired_key_refuses_its_texts_from_that_instant_on_and_not_before() -> None:
    retired = key(OLD, 1, RETIRED_MS)
    assert check(code(OLD, 1), retired, at(RETIRED_MS - 1)) is None
    assert check(code(OLD, 1), retired, at(RETIRED_MS)) == Reason.KEY_RETIRED
    assert check(code(NEW, 2), key(NEW, 2), at(RETIRED_MS)) is None


def test_a_key_retired_from_the_beginning_of_time_is_retired() -> None:
    assert check(code(OLD, 1), key(OLD, 1, 0), at(0)) == Reason.KEY_RETIRED


def test_K5_a_forged_text_of_a_retired_key_is_not_genuine_rather_than_old() -> None:
    assert check(code(NEW, 1), key(OLD, 1, 0), at(RETIRED_MS)) == Reason.NOT_GENUINE


def test_a_retirement_holds_as_soon_as_the_clocks_error_allows_it() -> None:
    retired = key(OLD, 1, RETIRED_MS)
    assert check(code(OLD, 1), retired, at(RETIRED_MS - 501, error_ms=500)) is None
    assert check(code(OLD, 1), retired, at(RETIRED_MS - 500, error_ms=500)) == Reason.KEY_RETIRED


def test_a_retirement_follows_an_untrusted_clock_as_it_reads() -> None:
    retired = key(OLD, 1, RETIRED_MS)
    assert check(code(OLD, 1), retired, at(RETIRED_MS - 1, trusted=False, error_ms=10**9)) is None
    assert check(code(OLD, 1), retired, at(RETIRED_MS, trusted=False)) == Reason.KEY_RETIRED


@pytest.mark.parametrize(
    ("id", "public"), [(0, bytes(32)), (256, bytes(32)), (-1, bytes(32)), (1, bytes(31)), (1, b"")]
)
def test_what_can_be_no_key_is_refused_when_it_is_made(id: int, public: bytes) -> None:
    with pytest.raises(ValueError):
        Key(id, public)
