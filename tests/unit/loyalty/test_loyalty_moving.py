"""Moving codes: a ticket that the centre signed, a time step that the phone signs, and what is stale (issue 3)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nacl.signing import SigningKey

from loyalty import freshness, keys
from loyalty.barcode import NotACoupon, Own, base45, moving, read
from loyalty.campaign import ClockRule
from loyalty.coupon import Coupon, Now
from loyalty.keys import Key
from loyalty.reason import Reason

ISSUER, PHONE, OTHER = SigningKey(b"i" * 32), SigningKey(b"p" * 32), SigningKey(b"o" * 32)
COUPON = Coupon(campaign=7, serial=2**63, holder=2**47, expires_s=9, key=3, phone=PHONE.verify_key.encode())
TICKET = moving.mint(ISSUER, COUPON)
STEP = 119_000_000
TEXT = moving.show(TICKET, PHONE, STEP).encode()
KEY = Key(3, ISSUER.verify_key.encode())
SHOWN_MS = STEP * freshness.STEP_MS


def parsed(text: bytes) -> Own:
    found = read(text, "qr")
    assert isinstance(found, Own), found
    return found


def reason(text: bytes) -> Reason:
    found = read(text, "qr")
    assert isinstance(found, NotACoupon)
    return found.reason


def test_a_moving_code_says_all_that_its_ticket_says_and_the_step() -> None:
    own = parsed(TEXT)
    assert (own.coupon.campaign, own.coupon.serial, own.coupon.holder) == (7, 2**63, 2**47)
    assert (own.coupon.expires_s, own.coupon.key, own.coupon.phone) == (9, 3, COUPON.phone)
    assert own.coupon.step == STEP
    assert keys.check(own, KEY, Now(wall_ms=0)) is None
    assert (len(TICKET), len(TEXT)) == (moving.TICKET_CHARS, moving.TEXT_CHARS) == (184, 286)


def test_a_ticket_alone_is_no_code_that_counts() -> None:
    assert reason(TICKET.encode()) is Reason.INCOMPLETE


def test_another_phone_can_show_nothing_with_it() -> None:
    with pytest.raises(ValueError, match="another phone"):
        moving.show(TICKET, OTHER, STEP)
    forged = bytearray(base45.decode(TEXT[4:]))
    forged[-64:] = OTHER.sign(b"TK2 step:" + bytes(forged[:56]) + bytes(forged[120:124])).signature
    assert (
        keys.check(parsed(b"TK2:" + base45.encode(bytes(forged)).encode()), KEY, Now(wall_ms=0)) is Reason.NOT_GENUINE
    )


@given(st.integers(0, 187), st.integers(0, 7))
def test_a_code_with_any_bit_changed_is_not_genuine(byte: int, bit: int) -> None:
    """Ticket, step and both signatures are held by the keys; the version and key 0 are told before that."""
    data = bytearray(base45.decode(TEXT[4:]))
    data[byte] ^= 1 << bit
    found = read(b"TK2:" + base45.encode(bytes(data)).encode(), "qr")
    if isinstance(found, Own):
        assert keys.check(found, KEY, Now(wall_ms=0)) in (Reason.NOT_GENUINE, Reason.UNKNOWN_KEY)
    else:
        assert byte in (0, 1)


def test_a_step_of_one_coupon_fits_no_other() -> None:
    other = moving.mint(ISSUER, Coupon(campaign=8, key=3, phone=COUPON.phone))
    mixed = bytes(base45.decode(other[4:].encode())) + bytes(base45.decode(TEXT[4:]))[120:]
    assert keys.check(parsed(b"TK2:" + base45.encode(mixed).encode()), KEY, Now(wall_ms=0)) is Reason.NOT_GENUINE


@pytest.mark.parametrize(("text", "expected"), [
    (TEXT[:-3], Reason.INCOMPLETE), (TEXT + b"0", Reason.DAMAGED), (TEXT[:9] + b"a" + TEXT[10:], Reason.DAMAGED),
    (b"TK2:", Reason.INCOMPLETE), (TEXT[:9] + b"a", Reason.DAMAGED),
])  # fmt: skip
def test_what_is_no_whole_code_is_named(text: bytes, expected: Reason) -> None:
    found = read(text, "qr")
    assert isinstance(found, NotACoupon)
    assert found.reason in (expected, Reason.UNKNOWN_VERSION if text == b"TK2:" else expected)


@pytest.mark.parametrize("wrong", [
    Coupon(campaign=7, key=0, phone=COUPON.phone), Coupon(campaign=7, key=1, phone=b"x"),
    Coupon(campaign=2**32, key=1, phone=COUPON.phone),
])  # fmt: skip
def test_a_coupon_that_has_no_ticket_is_refused(wrong: Coupon) -> None:
    with pytest.raises(ValueError):
        moving.mint(ISSUER, wrong)


# --- freshness ----------------------------------------------------------------------------------------------------

FIRST_MS, END_MS = freshness.window_ms(STEP)


def answer(
    wall_ms: int, rule: ClockRule = ClockRule.ACCEPT, last_step: int = 0, *, trusted: bool = True, error_ms: int = 0
) -> tuple[Reason | None, bool]:
    return freshness.judge(STEP, last_step, rule, Now(wall_ms=wall_ms, trusted=trusted, error_ms=error_ms))


def test_a_step_counts_while_it_is_shown_and_a_moment_after() -> None:
    assert (FIRST_MS, END_MS) == (SHOWN_MS - 5_000, SHOWN_MS + 35_000)
    assert moving.step_of(SHOWN_MS) == moving.step_of(SHOWN_MS + 14_999) == STEP


@pytest.mark.parametrize(("wall_ms", "stale"), [
    (FIRST_MS - 1, True), (FIRST_MS, False), (SHOWN_MS, False), (END_MS - 1, False), (END_MS, True),
    (END_MS + 3_600_000, True), (0, True),
])  # fmt: skip
@pytest.mark.parametrize("rule", ClockRule)
def test_by_an_exact_clock_the_window_holds_to_the_millisecond(rule: ClockRule, wall_ms: int, stale: bool) -> None:
    assert answer(wall_ms, rule) == ((Reason.STALE, False) if stale else (None, False))


@pytest.mark.parametrize(("wall_ms", "certain", "as_it_reads"), [
    (END_MS + 499, None, Reason.STALE), (END_MS + 500, Reason.STALE, None), (END_MS - 1, None, None),
    (FIRST_MS - 500, None, Reason.STALE), (FIRST_MS - 501, Reason.STALE, None), (FIRST_MS + 499, None, None),
])  # fmt: skip
def test_inside_the_clocks_error_the_campaign_chooses(
    wall_ms: int, certain: Reason | None, as_it_reads: Reason | None
) -> None:
    if certain is not None:
        assert answer(wall_ms, ClockRule.REFUSE, error_ms=500) == (certain, False)
        return
    assert answer(wall_ms, ClockRule.REFUSE, error_ms=500) == (Reason.CLOCK_UNTRUSTED, True)
    assert answer(wall_ms, ClockRule.ACCEPT, error_ms=500) == (as_it_reads, True)


@pytest.mark.parametrize("wall_ms", [0, SHOWN_MS, 4_000_000_000_000])
def test_a_clock_that_is_not_trusted_can_not_tell(wall_ms: int) -> None:
    assert answer(wall_ms, ClockRule.REFUSE, trusted=False) == (Reason.CLOCK_UNTRUSTED, True)
    assert answer(wall_ms, ClockRule.ACCEPT, trusted=False) == (None, True)


@pytest.mark.parametrize("rule", ClockRule)
def test_a_step_that_counted_here_is_stale_by_any_clock(rule: ClockRule) -> None:
    for last_step in (STEP, STEP + 1):
        assert answer(SHOWN_MS, rule, last_step)[0] is Reason.STALE
        assert answer(SHOWN_MS, rule, last_step, trusted=False)[0] is Reason.STALE
    assert answer(SHOWN_MS, rule, STEP - 1) == (None, False)
