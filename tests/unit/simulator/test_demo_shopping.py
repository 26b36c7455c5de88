"""The demo's story of purchases is booked by the real ways: it adds up, leaves no page empty, and can be cut off."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from central import audit, registry
from central.bank import accounts, selection
from central.coupons import disputes, persons
from central.db.schema import facts
from central.incarnation import current
from central.ledger import audit as ledger_audit
from central.ledger import balances
from central.offers import bargains, purchases, told
from central.office import Office, create, now_ms
from central.settings import CentralSettings
from simulator import shopping, story
from simulator.kiosk.pocket import Pocket
from simulator.past import PastLane

PHONES = {one.name: Pocket(b"s" * 32).public(one.name) for one in story.PEOPLE}


class Town:
    """A centre that has heard the story, at one moment."""

    def __init__(self, folder: Path) -> None:
        self.office: Office = create(CentralSettings(data_dir=str(folder)))
        self.now_ms = now_ms()
        with self.office.database.read() as connection:
            self.incarnation = current(connection)
        story.load(self.office.database, self.office.keys, self.incarnation, self.now_ms, PHONES)

    def shop(self) -> None:
        shopping.load(self.office.database, self.office.keys, self.incarnation, self.now_ms, 0)

    def facts(self) -> int:
        with self.office.database.read() as connection:
            return connection.execute(select(func.count()).select_from(facts)).scalar_one()


@pytest.fixture(autouse=True)
def _fast(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(persons, "hash_password", lambda password: f"hash of {password}")


@pytest.fixture
def town(tmp_path: Path) -> Iterator[Town]:
    made = Town(tmp_path / "centre")
    yield made
    made.office.close()


def test_every_page_of_the_pages_has_something_true_to_show(town: Town) -> None:
    town.shop()
    with town.office.database.read() as connection:
        bbb = persons.find(connection, "BBB")
        assert bbb is not None
        here = {
            (one.programme, one.place): one.usable for one in balances.of_person(connection, bbb.holder, town.now_ms)
        }
        assert here == {(shopping.STREET, "ginza"): 70, (shopping.STREET, "shinjuku"): 133, (shopping.CITY, ""): 32}
        (account,) = accounts.of_person(connection, bbb)
        assert [one.campaign.id for one in selection.listed(connection, account.id)] == [story.S_MUSIC]
        for site in shopping.SHOPS:
            assert purchases.of_site(connection, site, 100)
            assert bargains.of_site(connection, site, 10)
        for one in story.PEOPLE:
            person = persons.find(connection, one.name)
            assert person is not None
            assert told.of_person(connection, person.id, town.now_ms), f"{one.name} is offered nothing"
        (conflict,) = disputes.listed(connection)
        assert (conflict.kind, conflict.points) == ("overspent", 34)
        assert [look.name for look in audit.listed(connection)] == ["BBB"]
        assert ledger_audit.audit(connection) == []


def test_told_again_the_story_stays_as_it_is(town: Town) -> None:
    town.shop()
    before = town.facts()
    town.shop()
    assert town.facts() == before
    with town.office.database.read() as connection:
        assert [one.name for one in registry.all_devices(connection) if one.state == "active"] == []


def test_cut_off_in_the_middle_it_goes_on_and_books_nothing_twice(
    town: Town, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    told_so_far = 0
    report = PastLane.report

    def cut_off(self: PastLane, *args: Any) -> None:
        nonlocal told_so_far
        told_so_far += 1
        if told_so_far > 20:
            raise KeyboardInterrupt
        report(self, *args)

    monkeypatch.setattr(PastLane, "report", cut_off)
    with pytest.raises(KeyboardInterrupt):
        town.shop()
    monkeypatch.setattr(PastLane, "report", report)
    town.shop()
    whole = Town(tmp_path / "whole")
    whole.shop()
    assert town.facts() == whole.facts()
    whole.office.close()
