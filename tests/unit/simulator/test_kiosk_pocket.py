"""What the demo's phone keeps to itself: its key, the code that it makes of a ticket, and a folder that remembers."""

from __future__ import annotations

from pathlib import Path

import pytest
from nacl.signing import SigningKey

from loyalty.barcode import moving, own
from loyalty.barcode.kinds import Own
from loyalty.coupon import Coupon
from simulator.home import Home
from simulator.kiosk.pocket import Pocket, is_ticket
from simulator.kiosk.symbol import symbol

ISSUER = SigningKey(b"i" * 32)
NOW_MS = 1_800_000_000_000


def ticket(pocket: Pocket, name: str) -> str:
    return moving.mint(ISSUER, Coupon(campaign=6, serial=5, key=1, phone=pocket.public(name)))


def test_K4_the_phone_makes_a_new_code_every_15_seconds_without_the_centre() -> None:
    pocket = Pocket(b"s" * 32)
    kept = ticket(pocket, "AAA")
    text, until_ms = pocket.shown("AAA", kept, NOW_MS)
    assert NOW_MS < until_ms <= NOW_MS + 15_000
    assert pocket.shown("AAA", kept, until_ms - 1) == (text, until_ms)
    later, _ = pocket.shown("AAA", kept, until_ms)
    assert later != text
    for shown in (text, later):
        read = own.parse(shown.encode())
        assert isinstance(read, Own)
        assert own.genuine(read, ISSUER.verify_key.encode())


def test_each_persons_phone_has_a_key_of_its_own() -> None:
    pocket = Pocket(b"s" * 32)
    assert pocket.public("AAA") != pocket.public("BBB")
    with pytest.raises(ValueError, match="another phone"):
        pocket.shown("BBB", ticket(pocket, "AAA"), NOW_MS)


def test_the_keys_outlive_a_restart_of_the_demo(tmp_path: Path) -> None:
    first = Pocket(Home(tmp_path).phone_seed())
    again = Pocket(Home(tmp_path).phone_seed())
    assert first.public("AAA") == again.public("AAA")
    assert (tmp_path / "secrets" / "phones.seed").stat().st_mode & 0o077 == 0


def test_a_moving_code_fits_a_symbol_that_a_phone_can_show() -> None:
    pocket = Pocket(b"s" * 32)
    kept = ticket(pocket, "AAA")
    assert is_ticket(kept)
    text, _ = pocket.shown("AAA", kept, NOW_MS)
    assert not is_ticket(text)
    assert len(symbol(text)["rows"]) == 57  # QR version 10
