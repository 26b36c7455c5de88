"""`tokuten bank` as a person types it."""

from __future__ import annotations

from pathlib import Path

import pytest

from central.coupons import persons
from loyalty.campaign import Policy
from tests.unit.central.central_kit import NOW_MS, Centre, Lane, campaign
from tests.unit.central.test_central_cli import Shell


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    centre = Centre(tmp_path / "centre", campaign(1, policy=Policy.ONLINE), campaign(2))
    centre.enrol(Lane())
    with centre.office.database.write() as connection:
        persons.add(connection, "hanako", persons.hash_password("secret"), NOW_MS)
    centre.close()
    (tmp_path / "number").write_text("0001-123-7654321\n")
    return Shell(tmp_path)


def test_B1_an_account_is_added_listed_selected_for_and_closed(shell: Shell) -> None:
    assert "no accounts" in shell.run("bank", "account", "list")
    added = shell.run("bank", "account", "add", "hanako", "--number-file", str(shell.folder / "number")).strip()
    assert len(added) == 32
    listed = shell.run("bank", "account", "list")
    assert "hanako" in listed
    assert added in listed
    assert "…321" in listed
    assert "7654321" not in listed
    assert "is selected" in shell.run("bank", "select", "hanako", "1")
    assert "not_for_accounts" in shell.run("bank", "select", "hanako", "2", code=1)
    assert shell.run("bank", "account", "close", added).strip() == "closed"
    shell.run("bank", "account", "close", added, code=2)
    shell.run("bank", "account", "close", "xyz", code=2)
    shell.run("bank", "select", "hanako", "1", code=2)
    shell.run("bank", "select", "nobody", "1", code=2)


def test_B3_a_shop_says_how_it_stands_to_tax(shell: Shell) -> None:
    assert "no shop" in shell.run("bank", "shops")
    shell.run("bank", "shop", "ginza", "--liable", "--rounding", "half_up")
    said = shell.run("bank", "shops")
    assert "liable" in said
    assert "half_up" in said
    shell.run("bank", "shop", "ginza", "--exempt")
    assert "exempt" in shell.run("bank", "shops")
    shell.run("bank", "shop", "ginza", "--stop")
    shell.run("bank", "shop", "ginza", "--stop", code=2)
    shell.run("bank", "shop", "nowhere", "--liable", code=2)
    shell.run("bank", "shop", "ginza", code=2)
    shell.run("bank", "shop", "ginza", "--liable", "--stop", code=2)


def test_B6_there_are_no_payments_yet(shell: Shell) -> None:
    assert "no such payments" in shell.run("bank", "settlements")
    assert "no such payments" in shell.run("bank", "settlements", "--open")
