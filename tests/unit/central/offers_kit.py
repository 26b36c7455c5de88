"""The worked example of docs/offers.md: six people, four kinds of goods, four bargains."""

from __future__ import annotations

import secrets
from typing import Any

from central import consent, registry
from central.consent import Purpose
from central.coupons import persons
from central.offers import addresses, bargains, goods, purchases, run
from central.offers.bargains import About, Draft, Kind
from central.offers.goods import Goods
from central.offers.purchases import Told
from loyalty.campaign import DAY_MS
from tests.unit.central.central_kit import BOOT, NOW_MS, Centre
from wire.facts import Bought, SaleLine, Stamp

TEA, RICE, COFFEE, BREAD = 4901000000013, 4901000000020, 4902000000010, 4902000000027
ALL_GOODS = (
    Goods(gtin=TEA, name="緑茶", category="飲料"),
    Goods(gtin=RICE, name="おにぎり", category="軽食"),
    Goods(gtin=COFFEE, name="珈琲", category="飲料"),
    Goods(gtin=BREAD, name="パン", category="軽食"),
)
BASKETS = (
    ("A", "ginza", (TEA, RICE)),
    ("A", "ginza", (TEA, RICE)),
    ("B", "ginza", (TEA, RICE)),
    ("C", "urawa", (TEA, RICE)),
    ("C", "urawa", (COFFEE, BREAD)),
    ("D", "ginza", (COFFEE, BREAD)),
    ("E", "urawa", (COFFEE, BREAD)),
    ("F", "ginza", (TEA,)),
)
DRAFTS = (
    ("urawa", "おにぎり 20円引き", About.GTIN, str(RICE)),
    ("ginza", "緑茶 10円引き", About.GTIN, str(TEA)),
    ("urawa", "飲料の日", About.CATEGORY, "飲料"),
    ("ginza", "銀座店 改装オープン", About.NONE, ""),
)
PERIOD = "2027-W02"
SECRET = b"k" * 32


def draft(title: str, about: About = About.NONE, which: str = "", **terms: Any) -> Draft:
    """A bargain of a week, begun a day ago."""
    terms = {"kind": Kind.BARGAIN, "from_ms": NOW_MS - DAY_MS, "until_ms": NOW_MS + 7 * DAY_MS, **terms}
    return Draft(title=title, about=about, goods=which, **terms)


def buy(centre: Centre, holder: int, site: str, what: tuple[int, ...], at_ms: int, sale: bytes = b"") -> None:
    fact = Bought(
        Stamp(at_ms, 1, BOOT, True), sale or secrets.token_bytes(16), holder, site, 100 * len(what),
        [SaleLine(gtin, 1, 100) for gtin in what],
    )  # fmt: skip
    with centre.office.database.write() as connection:
        purchases.book(connection, [Told(fact, at_ms)], NOW_MS)


def enter(centre: Centre, name: str, *, agreed: bool = True, mail: bool = True) -> persons.Person:
    """Somebody, with a confirmed mail address."""
    with centre.office.database.write() as connection:
        person = persons.add(connection, name, "!", NOW_MS - DAY_MS)
        if agreed:
            consent.give(connection, person.id, Purpose.OFFERS, NOW_MS - DAY_MS)
        if mail:
            address = f"{name.lower()}@example.jp"
            assert addresses.enter(connection, SECRET, person.id, address, "ja", NOW_MS - DAY_MS) is None
            entered = addresses.mail_of(connection, person.id)
            assert entered is not None
            token = addresses.confirm_token(SECRET, entered.nonce)
            assert addresses.confirm(connection, token, NOW_MS - DAY_MS)
    return person


def example(centre: Centre) -> dict[str, persons.Person]:
    """Enters the example; gives its people by name."""
    with centre.office.database.write() as connection:
        registry.add_site(connection, "ginza", "銀座店")
        registry.add_site(connection, "urawa", "浦和店")
        goods.put(connection, ALL_GOODS)
        for site, title, about, which in DRAFTS:
            bargains.add(connection, site, draft(title, about, which), NOW_MS - DAY_MS)
    people = {name: enter(centre, name) for name in "ABCDEF"}
    for number, (name, site, what) in enumerate(BASKETS):
        buy(centre, people[name].holder, site, what, NOW_MS - DAY_MS + number * 60_000)
    return people


def run_to_end(
    centre: Centre, period: str = PERIOD, now_ms: int = NOW_MS, stop_at: run.Stage = run.Stage.DONE
) -> run.Run:
    at = run.begin(centre.office.database, period, now_ms)
    for _ in range(1_000):
        if at.stage is stop_at:
            return at
        at = run.step(centre.office.database, SECRET, period, now_ms)
    raise AssertionError("the run does not end")
