"""What is typed to a till that has only a keyboard: as the shop says, once per coupon, never in the way of the lane."""

from __future__ import annotations

import os
import select
from pathlib import Path

import pytest

from edge_agent.settings import WedgeSettings
from edge_agent.till.faults import TillSettingsError
from edge_agent.till.wedge import CantType, Wedge, encoded, typed
from hal.events import Scanned
from loyalty.campaign import Campaign
from loyalty.check_digit import fits
from loyalty.coupon import Verdict
from loyalty.reason import Reason
from tests.servers import wait_until
from tests.unit.edge_agent.agent_world import ONLINE, OPEN, SIGNED, code
from tests.unit.till.till_rig import TillRig, new_id

JAN = "29{yen:10}{check}"


def said(campaign: Campaign, **texts: str) -> str:
    return typed(WedgeSettings(**texts), Verdict(reason=Reason.OK, campaign=campaign))  # type: ignore[arg-type]


def test_an_amount_becomes_an_in_store_jan_or_whatever_the_till_knows() -> None:
    jan = said(SIGNED, amount=JAN)
    assert jan == "2900000010009\n" or jan.startswith("290000001000")
    assert len(jan) == 14
    assert fits(jan.strip())
    assert said(SIGNED, amount="C{yen}\t{campaign:3}") == "C1000\t001\n"
    assert said(OPEN, percent="P{percent:2}", after="tab") == "P10\t"
    assert (said(ONLINE), said(ONLINE, gift="G", after="nothing")) == ("", "G")


def test_a_value_that_has_no_room_is_not_typed_short() -> None:
    with pytest.raises(CantType, match="no room"):
        said(SIGNED, amount="{yen:3}")


@pytest.mark.parametrize("text", ["{yen", "{colour}", "{yen:0}", "値"])
def test_a_text_that_nobody_can_type_is_refused_at_the_start(text: str) -> None:
    with pytest.raises(TillSettingsError, match="wedge"):
        Wedge(WedgeSettings(device="/dev/null", keys="hid", amount=text), lambda fault: None)


def test_keys_go_down_and_up_as_a_usb_keyboard_reports_them() -> None:
    assert encoded("hid", "0aA\n") == bytes.fromhex(
        "00002700000000000000000000000000"
        "00000400000000000000000000000000"
        "02000400000000000000000000000000"
        "00002800000000000000000000000000"
    )


def test_K5_a_coupon_that_counts_at_a_lane_without_baskets_is_typed_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "keys")
    keys = os.open(tmp_path / "keys", os.O_RDONLY | os.O_NONBLOCK)
    rig = TillRig(tmp_path / "unit", wedge=WedgeSettings(device=str(tmp_path / "keys")))
    try:
        rig.agent.inbox.put(Scanned(text=code(SIGNED, serial=7), format="qr"))
        assert select.select([keys], [], [], 10)[0]
        assert os.read(keys, 100) == b"1000\n"
        rig.agent.inbox.put(Scanned(text=code(SIGNED, serial=7), format="qr"))
        sale = new_id()
        rig.open(sale)
        assert rig.coupon(sale, code(SIGNED, serial=8)).json()["coupon"]["counts"]
        rig.pay(sale, new_id())
        assert os.read(keys, 100) == b"", "a refusal is not typed, nor what the till knows already"
    finally:
        rig.close()
        os.close(keys)


def test_a_keyboard_that_takes_nothing_is_said_and_the_lane_goes_on(tmp_path: Path) -> None:
    rig = TillRig(tmp_path / "unit", wedge=WedgeSettings(device=str(tmp_path / "none")))
    try:
        rig.agent.inbox.put(Scanned(text=code(SIGNED, serial=7), format="qr"))
        wait_until(lambda: any(line.get("part") == "wedge" and not line["ok"] for line in rig.lines), 10, "the fault")
        assert rig.open(new_id()).status_code == 200
    finally:
        rig.close()
