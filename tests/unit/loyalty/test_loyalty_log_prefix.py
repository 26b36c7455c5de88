"""A code in a log is a prefix: never enough to be used, and never a way to write into the log."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nacl.signing import SigningKey

from loyalty.barcode import own
from loyalty.coupon import Coupon
from loyalty.reason import LOG_PREFIX_CHARS, log_prefix


@given(st.integers(0, 2**64 - 1), st.integers(0, 2**48 - 1), st.integers(0, 2**32 - 1))
def test_coupons_of_one_campaign_and_key_look_the_same_in_a_log(serial: int, holder: int, expires_s: int) -> None:
    key = SigningKey(b"\1" * 32)
    coupon = Coupon(campaign=7, serial=serial, holder=holder, expires_s=expires_s, key=1)
    assert log_prefix(own.mint(key, coupon)) == log_prefix(own.mint(key, Coupon(campaign=7, key=1)))


def test_coupons_of_two_campaigns_can_be_told_apart() -> None:
    key = SigningKey(b"\1" * 32)
    prefixes = {log_prefix(own.mint(key, Coupon(campaign=n, key=k))) for n in (1, 2, 2**32 - 1) for k in (1, 2)}
    assert len(prefixes) == 6


@given(st.binary(max_size=300) | st.text(max_size=300))
def test_at_most_a_third_is_shown_and_all_of_it_is_printable(text: bytes | str) -> None:
    shown, _, length = log_prefix(text).partition("…")
    assert len(shown) <= min(LOG_PREFIX_CHARS, len(text) / 3)
    assert shown.isascii()
    assert shown.isprintable()
    assert length == f"({len(text)})"


@pytest.mark.parametrize(("text", "shown"), [
    (b"4901234567894", "4901…(13)"),
    (b"\x1b[31mred" * 9, ".[31mred.[31m…(72)"),
    ("12", "…(2)"),
    (b"", "…(0)"),
])  # fmt: skip
def test_it_looks_like_this(text: bytes | str, shown: str) -> None:
    assert log_prefix(text) == shown
