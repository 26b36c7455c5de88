"""The line protocol of old tills over a real pty: acknowledged, damaged, repeated, unplugged."""

from __future__ import annotations

import os
import pty
import select
import tty
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge_agent.till.line import LINE_BYTES_MAX, checksum, framed
from tests.servers import wait_until
from tests.unit.edge_agent.agent_world import SIGNED, code
from tests.unit.till.till_rig import TillRig, new_id
from wire.facts import Redeemed, Reversed, decode_fact


class OldTill:
    """A till at the other end of a serial line."""

    def __init__(self, folder: Path) -> None:
        self.master, slave = pty.openpty()
        tty.setraw(self.master)
        tty.setraw(slave)
        self.rig = TillRig(folder / "unit", enabled=False, serial_device=os.ttyname(slave))
        self._slave = slave
        self._number = 0

    def raw(self, line: bytes, within_s: float = 20.0) -> str:
        """The answer to a line as it is sent; its checksum is right."""
        os.write(self.master, line)
        got = b""
        while not got.endswith(b"\r\n"):
            assert select.select([self.master], [], [], within_s)[0], f"no answer; so far {got!r}"
            got += os.read(self.master, 4_096)
        body, _, crc = got.strip().rpartition(b"*")
        assert crc == checksum(body)
        return body.decode()

    def says(self, words: str) -> str:
        """The answer, without its number."""
        self._number += 1
        number, _, said = self.raw(framed(f"{self._number} {words}")).partition(" ")
        assert number == str(self._number)
        return said

    def close(self) -> None:
        self.rig.close()
        os.close(self.master)
        os.close(self._slave)


@pytest.fixture
def till(tmp_path: Path) -> Iterator[OldTill]:
    made = OldTill(tmp_path)
    yield made
    made.close()


def test_K6_a_whole_sale_and_its_void_over_the_line(till: OldTill) -> None:
    sale, payment, back = new_id(), new_id(), new_id()
    assert till.says(f"LINE {sale} 1 1100 1000 1 4901234567894").startswith("OK state=open price=1100")
    assert till.says(f"LINE {sale} 2 540 800 1").startswith("OK state=open price=1640 discount=0 total=1640")
    assert till.says(f"LINE {sale} 2 440 800 1").startswith("OK state=open price=1540"), (
        "the same line again replaces it"
    )
    added = till.says(f"COUPON {sale} qr {code(SIGNED, serial=7).decode()}")
    assert added.startswith("OK state=open price=1540 discount=1000 total=540")
    assert till.says(f"COUPONS {sale} 1").endswith("off=1000 counts=1 campaign=1")
    assert till.says(f"TOTAL {sale}").startswith("OK state=open")
    paid = till.says(f"PAY {sale} {payment} cash")
    assert paid == "OK state=paid price=1540 discount=1000 total=540 paid=540 coupons=1"
    assert till.says(f"PAY {sale} {payment} cash") == paid
    assert till.says(f"PAY {sale} {new_id()} cash") == "NO sale_paid"
    assert till.says(f"VOID {sale} {back}") == till.says(f"VOID {sale} {back}") == f"OK id={back}"
    facts = till.rig.facts(decode_fact)
    assert len([fact for fact in facts if isinstance(fact, Redeemed)]) == 1
    assert len([fact for fact in facts if isinstance(fact, Reversed)]) == 1


def test_K5_a_coupon_that_does_not_count_says_why(till: OldTill) -> None:
    sale = new_id()
    till.says(f"LINE {sale} 1 1100 1000 1")
    assert till.says(f"COUPON {sale} qr hello") == "NO not_a_coupon"
    assert till.says(f"CANCEL {sale}").startswith("OK state=cancelled")


def test_a_damaged_line_is_not_acknowledged_and_its_repeat_is(till: OldTill) -> None:
    sale = new_id()
    good = framed(f"5 LINE {sale} 1 1100 1000 1")
    assert till.raw(good.replace(b"1100", b"9100")) == "0 NO damaged"
    assert till.raw(b"\xff\x00rubbish\n") == "0 NO damaged"
    assert till.raw(good).startswith("5 OK")


def test_a_line_without_an_end_is_dropped_and_the_next_one_counts(till: OldTill) -> None:
    os.write(till.master, b"x" * (LINE_BYTES_MAX + 600) + b"\n")
    assert till.says(f"TOTAL {new_id()}") == "NO unknown_sale"


@pytest.mark.parametrize(
    "words",
    [
        "", "DANCE", "LINE", "LINE xy 1 1 1000 1", "LINE {} 2 1 1000 1", "LINE {} 1 -1 1000 1", "LINE {} 1 1 1000 1 12",
        "PAY {} {} account", "PAY {} {} shells", "PAY {} {} cash 1", "PAY {} {} cash x y", "COUPON {} qr",
        "COUPONS {} 0", "DROP {} zz", "REFUND {} {} 99999999999",
    ],
)  # fmt: skip
def test_what_is_no_request_is_refused_and_the_line_goes_on(till: OldTill, words: str) -> None:
    assert till.says(words.format(new_id(), new_id())) in ("NO bad_request", "NO unknown_sale")
    assert till.says(f"TOTAL {new_id()}") == "NO unknown_sale"


def test_a_line_that_is_not_there_is_said_once_and_the_lane_goes_on(tmp_path: Path) -> None:
    rig = TillRig(tmp_path / "unit", serial_device=str(tmp_path / "nothing"))
    try:
        wait_until(lambda: any(line.get("part") == "till" and not line["ok"] for line in rig.lines), 10, "the fault")
        assert rig.open(new_id()).status_code == 200
    finally:
        rig.close()
