"""`read` answers any bytes, in bounded time, and says why something is no coupon."""

from __future__ import annotations

import time

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from loyalty import check_digit
from loyalty.barcode import TEXT_BYTES_MAX, Jan, NotACoupon, Own, Trade, read
from loyalty.reason import Reason

FORMATS = [
    "", "qr", "datamatrix", "ean13", "ean8", "upca", "code128", "databar", "databar_expanded", "gs1_128", "itf",
    "no such symbol",
]  # fmt: skip
REASONS = {
    Reason.NOT_A_COUPON,
    Reason.CHECK_DIGIT,
    Reason.INCOMPLETE,
    Reason.DAMAGED,
    Reason.MISPRINTED,
    Reason.UNKNOWN_VERSION,
}
READ_MS_MAX = 20  # measured: below 0.1; generous, because the machine is shared


@given(st.binary(max_size=TEXT_BYTES_MAX), st.sampled_from(FORMATS))
@example(b"", "qr")
@example(b"\xff" * TEXT_BYTES_MAX, "qr")
@example(b"0" * TEXT_BYTES_MAX, "")
@example(b"TK1:" + b"0" * TEXT_BYTES_MAX, "qr")
@example("９".encode() * 13, "ean13")
@example("²".encode("latin-1") * 8, "")
@settings(max_examples=300)
def test_any_bytes_get_an_answer_in_bounded_time(text: bytes, format: str) -> None:
    started = time.thread_time()
    found = read(text, format)
    assert (time.thread_time() - started) * 1000 < READ_MS_MAX
    if isinstance(found, NotACoupon):
        assert found.reason in REASONS
        assert found.detail


@given(st.sampled_from([b"TK1:", b"TK1", b"TK2:", b"]C1", b"https://", b"49"]), st.binary(max_size=200))
def test_bytes_that_begin_like_something_known_get_an_answer_too(start: bytes, rest: bytes) -> None:
    assert isinstance(read(start + rest, "qr"), NotACoupon | Own | Jan | Trade)


def test_a_text_of_a_megabyte_takes_no_longer_than_a_small_one() -> None:
    started = time.thread_time()
    for start in (b"", b"TK1:", b"TK2:", b"0", b"https://"):
        for format in FORMATS:
            assert isinstance(read(start + b"0" * 1_000_000, format), NotACoupon)
    assert (time.thread_time() - started) * 1000 < READ_MS_MAX


@given(st.text(st.sampled_from("0123456789"), min_size=7, max_size=12).filter(lambda d: len(d) in (7, 11, 12)))
def test_K8_the_right_check_digit_makes_a_JAN_and_each_of_the_nine_others_is_named_as_wrong(digits: str) -> None:
    right = check_digit.check_digit(digits)
    for last in range(10):
        found = read(f"{digits}{last}".encode())
        if last == right:
            assert found == Jan(f"{digits}{last}".zfill(13) if len(digits) > 7 else f"{digits}{last}")
        else:
            assert isinstance(found, NotACoupon)
            assert found.reason == Reason.CHECK_DIGIT


@pytest.mark.parametrize(
    ("number", "what"),
    [
        ("4901234567894", "JAN-13"),
        ("4006381333931", "EAN-13"),
        ("49123456", "JAN-8"),
        ("96385074", "EAN-8"),
        ("036000291452", "UPC-A"),
        ("9501101530003", "GS1's example GTIN"),
    ],
)
def test_numbers_of_real_labels_have_the_right_check_digit(number: str, what: str) -> None:
    assert isinstance(read(number.encode()), Jan), what


@pytest.mark.parametrize("format", ["ean13", "upca", ""])
def test_a_UPC_A_number_is_the_EAN_13_with_a_zero_in_front(format: str) -> None:
    assert read(b"036000291452", format) == read(b"0036000291452", format) == Jan("0036000291452")


@pytest.mark.parametrize("format", ["qr", "datamatrix", "code128", "itf", "code39", "codabar"])
def test_digits_are_no_JAN_in_a_symbol_that_anybody_can_make(format: str) -> None:
    found = read(b"4901234567894", format)
    assert isinstance(found, NotACoupon)
    assert found.reason == Reason.NOT_A_COUPON


@pytest.mark.parametrize(
    ("text", "format"),
    [
        (b"4901234567894", "ean8"),
        (b"96385074", "ean13"),
        (b"96385074", "upca"),
        (b"490123456789405", "ean13"),  # with a two-digit supplement
        (b"490123456789X", "ean13"),
        (b"", "ean13"),
        (b"4901234", ""),
    ],
)
def test_digits_that_their_symbol_can_not_hold_are_no_coupon(text: bytes, format: str) -> None:
    found = read(text, format)
    assert isinstance(found, NotACoupon)
    assert found.reason == Reason.NOT_A_COUPON


@pytest.mark.parametrize(
    ("text", "format", "word"),
    [
        (b"https://example.com/", "qr", "web address"),
        (b"HTTP://EXAMPLE.COM/", "qr", "web address"),
        (b"WIFI:S:shop;T:WPA;P:secret;;", "qr", "wireless"),
        (b"BEGIN:VCARD\nVERSION:3.0", "qr", "business card"),
        (b"00006141411234567890", "gs1_128", "a GS1 message without a coupon: (00)"),
        (bytes(range(256)), "qr", "binary"),
        (b"\x80\xff\x00", "datamatrix", "binary"),
        ("こんにちは".encode(), "qr", "another kind"),
        (b"", "qr", "empty"),
        (b"x" * 5000, "qr", "more than any barcode"),
        (b"12345", "code128", "5 digits"),
        (b"tk1:" + b"0" * 132, "qr", "another kind"),
    ],
)
def test_what_is_no_coupon_is_named_for_the_log_without_its_text(text: bytes, format: str, word: str) -> None:
    found = read(text, format)
    assert isinstance(found, NotACoupon)
    assert found.reason == Reason.NOT_A_COUPON
    assert word in found.detail
    assert "secret" not in found.detail


@given(st.text(st.sampled_from("0123456789"), min_size=13, max_size=13), st.integers(0, 12), st.integers(1, 9))
def test_a_check_digit_finds_every_single_wrong_digit(digits: str, place: int, by: int) -> None:
    number = digits[:-1] + str(check_digit.check_digit(digits[:-1]))
    wrong = number[:place] + str((int(number[place]) + by) % 10) + number[place + 1 :]
    assert check_digit.fits(number)
    assert not check_digit.fits(wrong)
