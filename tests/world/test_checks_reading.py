"""What checkers work out by themselves is what the production code means: facts, chains, and what they name.

The checkers import nothing of the production code; here the two are held side by side.
"""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import pytest

from edge_agent.settings import UnitSettings
from edge_agent.store.connection import Connection
from loyalty.lease import Amount, Pot
from loyalty.reason import Reason
from simulator.world.checks import exactly_once, stores, unseen_yes_is_repeated
from simulator.world.checks.facts import Opened, Other, Points, Reversal, Use, read
from wire import chain, facts
from wire.facts import Stamp, encode_fact

AT = Stamp(1_800_000_000_000, 4_000, b"bootboot", True)
POT = Pot("c", 3)


def test_facts_are_read_as_they_are_written() -> None:
    redeemed = facts.Redeemed(AT, 3, 2**63 + 1, 7, 1, "lease", "ginza", 0, 100, 1, b"q" * 16, False, True, 100)
    assert read(encode_fact(redeemed)) == Use(b"bootboot", 4_000, 3, 2**63 + 1, 7, "lease", "ginza", True, True, 100)
    spent = facts.Spent(AT, b"n" * 16, 1, 7, 30, "ginza")
    assert read(encode_fact(spent)) == Points(b"bootboot", 4_000, b"n" * 16, False, 1, 7, 30, False)
    earned = facts.Earned(AT, b"n" * 16, 1, 7, 30, "ginza", 500)
    assert read(encode_fact(earned)) == Points(b"bootboot", 4_000, b"n" * 16, True, 1, 7, 30, False, spend_yen=500)
    of_sale = facts.Earned(AT, b"n" * 16, 1, 7, 30, "ginza", 500, 2, b"s" * 16)
    assert read(encode_fact(of_sale)) == Points(b"bootboot", 4_000, b"n" * 16, True, 1, 7, 30, False, b"s" * 16, 500)
    back = facts.Reversed(AT, b"r" * 16, b"s" * 16, "refund", 300, "ginza")
    assert read(encode_fact(back)) == Reversal(b"bootboot", 4_000, b"r" * 16, b"s" * 16, "refund", 300)
    opened = facts.EpochOpened(AT, "fork", b"e" * 16, 4, 2)
    assert read(encode_fact(opened)) == Opened("fork", b"e" * 16, 4, 2)
    given = facts.Given(AT, b"t" * 16, "lane-2", POT, Amount(2))
    assert read(encode_fact(given)) == Other("lg", (b"t" * 16, "lane-2", ["c", 3, 0], [2, 0]))


def test_every_kind_of_fact_is_known_to_the_checkers_by_its_tag() -> None:
    tags = {kind.__struct_config__.tag for kind in get_args(facts.Fact)}
    assert tags == {"rd", "cx", "ep", "lr", "lg", "lt", "hl", "kl", "pe", "ps", "cw", "cd", "cs", "rv"}


def test_a_fact_of_an_older_unit_is_read_without_its_newer_fields() -> None:
    assert read(b"\x9b\xa2rd\x94\x01\x02\xc4\x01b\xc3\x03\x05\x07\x01\xa4open\xa1s\x00\x00\x00") == Use(
        b"b", 2, 3, 5, 7, "open", "s", False, False, 0
    )


@pytest.mark.parametrize("body", [b"", b"\xc1", b"\x90", b"\x92\xa2rd\x05", b"\x01"])
def test_bytes_that_are_no_fact_are_nothing(body: bytes) -> None:
    assert read(body) == Other("")


def test_the_chain_is_that_of_the_wire() -> None:
    epoch = b"e" * 16
    assert stores.chain_begins("lane-1", epoch) == chain.genesis("lane-1", epoch)
    assert stores.chain_goes_on(b"h" * 32, b"fact") == chain.link(b"h" * 32, b"fact")


def test_what_is_booked_is_kept_as_long_as_the_checkers_think() -> None:
    assert UnitSettings(device="u", site="s").keep_acked_days * 86_400_000 == exactly_once.KEPT_MS


def test_reasons_that_may_still_be_said_to_an_unseen_yes_are_reasons() -> None:
    assert {reason.value for reason in Reason} >= unseen_yes_is_repeated.MAY_STILL_BE_SAID


def test_a_disk_is_read_while_it_is_open_elsewhere_and_is_not_changed(tmp_path: Path) -> None:
    written = Connection(tmp_path / "a#b?.db")
    written.execute("CREATE TABLE t (x)")
    written.execute("INSERT INTO t VALUES (5)")
    with stores.opened(tmp_path / "a#b?.db") as disk:
        assert disk.number("SELECT x FROM t") == 5
        with pytest.raises(stores.Unreadable):
            disk.rows("INSERT INTO t VALUES (6)")
        with pytest.raises(stores.Unreadable):
            disk.rows("SELECT y FROM nothing")
    written.execute("INSERT INTO t VALUES (7)")
    written.checkpoint()
    with stores.opened(tmp_path / "a#b?.db") as disk:
        assert disk.number("SELECT count(*) FROM t") == 2
    written.close()
    with pytest.raises(stores.Unreadable), stores.opened(tmp_path / "none.db") as disk:
        disk.rows("SELECT 1")
