"""Points, members and accounts on the centre of the pages' tests, as if made before."""

from __future__ import annotations

import itertools

from central import consent
from central.bank import accounts
from central.coupons import persons
from central.coupons.persons import Person
from central.ledger import programmes, tills
from central.ledger.tills import Purchase
from central.ledger.transfer import Booked
from central.members import membership
from central.office import now_ms
from loyalty.points import EarnRule, Programme, Rate
from tests.unit.central.central_kit import Centre

OWN, SHARED = 1, 2
_names = itertools.count(1)


def programmed(centre: Centre) -> None:
    """Two kinds of points: one by shop with a rule in ginza, one that all shops share."""
    with centre.office.database.write() as connection:
        programmes.put(connection, Programme(id=OWN, name="店のポイント", sell=Rate(1), months=12), now_ms())
        programmes.put(connection, Programme(id=SHARED, name="共通ポイント", shared=True), now_ms())
        programmes.set_rule(connection, EarnRule(programme=OWN, site="ginza", per_yen=100), now_ms())


def person(centre: Centre, name: str) -> Person:
    with centre.office.database.read() as connection:
        found = persons.find(connection, name)
    assert found is not None
    return found


def earned(centre: Centre, name: str, points: int, site: str = "ginza", programme: int = OWN) -> bytes:
    """Gives the name of the transfer."""
    purchase = _purchase(centre, name, points, site, programme)
    with centre.office.database.write() as connection:
        assert isinstance(tills.earn(connection, purchase, now_ms()), Booked)
    return purchase.name


def spent(
    centre: Centre, name: str, points: int, site: str = "ginza", programme: int = OWN, *, waits: bool = False
) -> bytes:
    purchase = _purchase(centre, name, points, site, programme)
    with centre.office.database.write() as connection:
        assert isinstance(tills.spend(connection, purchase, now_ms(), pending=waits), Booked)
    return purchase.name


def _purchase(centre: Centre, name: str, points: int, site: str, programme: int) -> Purchase:
    number = next(_names).to_bytes(16, "big")
    return Purchase(number, programme, person(centre, name).holder, site, points, now_ms())


def member_number(centre: Centre, name: str) -> str:
    with centre.office.database.write() as connection:
        member = membership.find_or_enrol(connection, name)
    assert member is not None
    return member.number


def agrees(centre: Centre, name: str) -> None:
    """... that shops look them up."""
    with centre.office.database.write() as connection:
        consent.give(connection, person(centre, name).id, consent.Purpose.SHOPS, now_ms())


def with_account(centre: Centre, name: str, number: str = "0001-123-4567890") -> bytes:
    with centre.office.database.write() as connection:
        return accounts.add(connection, centre.office.keys, person(centre, name), number, now_ms()).id
