"""What the people of the story bought, and what their shops made of it: points, bargains, offers, an account (M, B).

Everything goes the way that it goes in a real centre: purchases, points and a refund are facts of tills of the past,
booked by ingest and ledger; rules, bargains and consents are entered by the functions behind the pages; offers are
picked by a run.

    street     points that each shop keeps for itself: Ginza gives 1 for 100 yen, Shinjuku 2
    city       points that all shops share, and that end after a year
    conflict   CCC spent points twice while the network was gone: a person has to say who bears it
    refund     BBB brought a scarf back

`load` can be called again, also after a crash in the middle: what is there stays as it is.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final, NamedTuple

from sqlalchemy import Connection

from central import audit, consent, customers, leases, registry
from central.analysis import views
from central.audit import What
from central.bank import accounts, selection, shops
from central.consent import Purpose
from central.coupons import issue, persons
from central.coupons.persons import Person
from central.db.database import Database
from central.db.schema import DeviceState
from central.ingest import Ingest
from central.keys import Keys
from central.ledger import programmes
from central.offers import addresses, bargains, goods
from central.offers import run as runs
from central.offers.bargains import About, Draft
from central.offers.goods import Goods
from central.staff import Role
from loyalty.campaign import DAY_MS, Campaign
from loyalty.check_digit import check_digit
from loyalty.lease import POINTS, Pot
from loyalty.points import EarnRule, Programme, Rate, earned
from loyalty.tax import Rounding
from simulator import story
from simulator.past import PastLane, stamp
from wire.facts import Bought, Earned, Fact, Redeemed, Reversal, Reversed, SaleLine, Spent

STREET, CITY = 1, 2
SHOPS: Final = ("ginza", "shinjuku")
RULES_FROM_DAYS: Final = 120  # before today: older than any purchase of the story
BARGAIN_DAYS: Final = 60
FLOOR_OF_ALL, FLOOR_OF_ONE = 5_000, 500  # points that tills may take without the centre
ACCOUNTS: Final = (("AAA", "0005-210-1000234", 30_000), ("BBB", "0001-440-2000567", 80_000))  # with yen in them

_GOODS: Final = (  # a company's number, then the article's
    ("490100010001", "珈琲豆 深煎り200g", "珈琲・茶"),
    ("490100010002", "紅茶 缶125g", "珈琲・茶"),
    ("490100020001", "どら焼き 5個", "菓子"),
    ("490100020002", "抹茶クッキー", "菓子"),
    ("490100030001", "ギター弦 1組", "楽器"),
    ("490100030002", "楽譜 名曲集", "楽器"),
    ("490100040001", "サッカーソックス", "スポーツ"),
    ("490100040002", "タオルマフラー", "スポーツ"),
    ("490100050001", "赤ワイン 720ml", "酒"),
    ("490100050002", "チーズ 盛り合わせ", "食品"),
)
BEANS, TEA, DORAYAKI, COOKIES, STRINGS, SCORES, SOCKS, SCARF, WINE, CHEESE = (
    int(digits + str(check_digit(digits))) for digits, _, _ in _GOODS
)


Rules = dict[tuple[int, str], list[EarnRule]]


class _Purchase(NamedTuple):
    """One visit to a till. `pays`: points of `STREET` that pay a part."""

    who: str
    site: str
    at: str
    lines: tuple[tuple[int, int, int], ...]  # goods, how many, yen for all of them
    pays: int = 0
    back: bool = False  # brought back afterwards


_PURCHASES: Final = (
    _Purchase("AAA", "ginza", "0422 11:05", ((BEANS, 1, 1280), (DORAYAKI, 1, 980))),
    _Purchase("BBB", "ginza", "0424 18:40", ((BEANS, 2, 2560), (SCORES, 1, 2200))),
    _Purchase("CCC", "ginza", "0427 10:15", ((BEANS, 1, 1280), (SOCKS, 2, 1960))),
    _Purchase("AAA", "shinjuku", "0429 15:30", ((WINE, 1, 2400), (CHEESE, 1, 1350))),
    _Purchase("CCC", "shinjuku", "0430 19:55", ((WINE, 2, 4800), (CHEESE, 1, 1350), (TEA, 1, 1600))),
    _Purchase("BBB", "shinjuku", "0502 12:20", ((STRINGS, 3, 2940), (WINE, 1, 2400), (CHEESE, 1, 1350))),
    _Purchase("AAA", "ginza", "0506 17:10", ((BEANS, 1, 1280), (COOKIES, 2, 1160))),
    _Purchase("BBB", "ginza", "0509 18:05", ((SCARF, 1, 3200), (DORAYAKI, 1, 980)), back=True),
    _Purchase("CCC", "ginza", "0511 11:45", ((DORAYAKI, 2, 1960), (BEANS, 1, 1280))),
    _Purchase("BBB", "ginza", "0513 19:50", ((BEANS, 1, 1280), (TEA, 1, 1600)), pays=30),
    _Purchase("AAA", "shinjuku", "0516 20:10", ((SOCKS, 1, 980), (WINE, 1, 2400)), pays=20),
    _Purchase("CCC", "shinjuku", "0518 21:15", ((CHEESE, 2, 2700),), pays=120),
    _Purchase("CCC", "shinjuku", "0518 21:40", ((WINE, 1, 2400),), pays=120),  # a second till, with no network
    _Purchase("BBB", "ginza", "0520 12:30", ((STRINGS, 1, 980), (COOKIES, 1, 580))),
)

_LEAFLETS_TODAY: Final = ((55, 1980), (34, 3300), (12, 2640))  # minutes ago, yen of the basket

_BARGAINS: Final = (
    ("ginza", bargains.Kind.BARGAIN, "珈琲豆 まとめ買い", "深煎り200gを2袋で200円引き。", About.GTIN, BEANS),
    ("ginza", bargains.Kind.RECOMMENDED, "新しい抹茶のお菓子", "宇治の抹茶を使いました。", About.CATEGORY, "菓子"),
    ("ginza", bargains.Kind.BARGAIN, "雨の日ポイント2倍", "雨の日は共通ポイントが2倍です。", About.NONE, ""),
    ("shinjuku", bargains.Kind.BARGAIN, "ワインとチーズの夕べ", "赤ワイン1本にチーズをひと皿。", About.GTIN, WINE),
    ("shinjuku", bargains.Kind.RECOMMENDED, "弦の張り替えます", "弦をお求めの方は張り替え無料。", About.GTIN, STRINGS),
)


def load(database: Database, keys: Keys, incarnation: bytes, now_ms: int, utc_offset_min: int) -> None:
    """Enter all of it, after `story.load`. Raises StorageError and the centre's errors."""
    with database.write() as connection:
        if programmes.get(connection, STREET) is None:
            _enter(connection, keys, now_ms, utc_offset_min)
        people = _people(connection)
        told = issue.get(connection, story.D_RECORD)
    assert told is not None, "the story of the coupons comes first"
    _report(database, keys, incarnation, people, told.issued_ms)
    with database.write() as connection:  # like the lanes of the coupons: no kiosk of today need look for them
        for site in SHOPS:
            registry.set_state(connection, _till_name(site), DeviceState.BLOCKED)
        _give_floors(connection, people)
        _look_up(connection, now_ms)
    _pick_offers(database, keys, now_ms)


def _people(connection: Connection) -> dict[str, Person]:
    found = {one.name: persons.find(connection, one.name) for one in story.PEOPLE}
    return {name: person for name, person in found.items() if person is not None}  # somebody may have erased theirs


def _enter(connection: Connection, keys: Keys, now_ms: int, utc_offset_min: int) -> None:
    """What shops and people said, in one transaction."""
    _enter_points(connection, now_ms, utc_offset_min)
    goods.put(
        connection,
        [
            Goods(gtin=int(digits + str(check_digit(digits))), name=name, category=category)
            for digits, name, category in _GOODS
        ],
    )
    for site, kind, title, body, about, what in _BARGAINS:
        draft = Draft(
            kind=kind, title=title, body=body, about=about, goods=f"{what:013}" if isinstance(what, int) else what,
            from_ms=now_ms - DAY_MS, until_ms=now_ms + BARGAIN_DAYS * DAY_MS,
        )  # fmt: skip
        bargains.add(connection, site, draft, now_ms)
    people = _people(connection)
    for name, person in people.items():
        said = [Purpose.SERVICE, Purpose.OFFERS, Purpose.ANALYSIS] + ([Purpose.SHOPS] if name == "BBB" else [])
        for purpose in said:
            consent.give(connection, person.id, purpose, story.moved("0211 09:00", now_ms))
        _look_around(connection, person, now_ms, utc_offset_min)
    for site in SHOPS:
        registry.add_device(connection, _till_name(site), site, _till(keys, site).public, now_ms)
        shops.put(connection, site, liable=site == "ginza", rounding=Rounding.FLOOR)
    for name, number, _ in ACCOUNTS:
        accounts.add(connection, keys, people[name], number, now_ms)
    (account,) = accounts.of_person(connection, people["BBB"])
    selection.select_coupon(connection, keys, people["BBB"], account.id, story.S_MUSIC, now_ms, proven=False)
    trouble = addresses.enter_postal(
        connection, people["AAA"].id, "AAA", "160-0022", "東京都新宿区新宿 1-2-3", "ja", now_ms
    )
    assert trouble is None, trouble


def _enter_points(connection: Connection, now_ms: int, utc_offset_min: int) -> None:
    from_ms = now_ms - RULES_FROM_DAYS * DAY_MS
    street = Programme(id=STREET, name="商店街ポイント", sell=Rate(1), refund_days=30, utc_offset_min=utc_offset_min)
    city = Programme(
        id=CITY, name="街の共通ポイント", shared=True, months=12, sell=Rate(1), utc_offset_min=utc_offset_min
    )
    for one in (street, city):
        programmes.put(connection, one, from_ms)
    for site, points in (("ginza", 1), ("shinjuku", 2)):
        rule = EarnRule(programme=STREET, site=site, per_yen=100, points=points, from_ms=from_ms)
        programmes.set_rule(connection, rule, from_ms)
        programmes.set_rule(connection, EarnRule(programme=CITY, site=site, per_yen=500, from_ms=from_ms), from_ms)


def _look_around(connection: Connection, person: Person, now_ms: int, utc_offset_min: int) -> None:
    """Which coupons they opened in the last days, as their pages count it (K10)."""
    for ago, number in enumerate((story.S_MUSIC, story.D_RECORD, story.S_MUSIC, story.FIRST_COME, story.COFFEE)):
        if (person.id + ago) % 4:  # not everybody looked at everything
            views.count(connection, person.id, number, now_ms - ago * DAY_MS, utc_offset_min)


# --- what was bought ------------------------------------------------------------------------------------


def _till_name(site: str) -> str:
    return f"till-{site}"


def _till(keys: Keys, site: str) -> PastLane:
    return PastLane(keys, story.TENANT, site, _till_name(site))


def _report(database: Database, keys: Keys, incarnation: bytes, people: dict[str, Person], now_ms: int) -> None:
    with database.read() as connection:
        devices = [registry.find(connection, _till_name(site)) for site in SHOPS]
    if all(device is not None and device.state == DeviceState.BLOCKED for device in devices):
        return  # they were told to the end
    ingest = Ingest(database, incarnation, keys.cache_secret())
    tills = {site: _till(keys, site) for site in SHOPS}
    with database.read() as connection:
        rules = programmes.all_rules(connection)
        leaflet = issue.get(connection, story.LEAFLET)
    for one in _PURCHASES:
        if one.who in people:
            for fact in _facts(one, people[one.who].holder, rules, story.moved(one.at, now_ms)):
                tills[one.site].report(ingest, fact)
    assert leaflet is not None, "the story has it"
    for ago_min, spend_yen in _LEAFLETS_TODAY:
        tills[SHOPS[0]].report(ingest, _leaflet(leaflet.campaign, now_ms - ago_min * 60_000, spend_yen))


def _facts(one: _Purchase, holder: int, rules: Rules, at_ms: int) -> Iterator[Fact]:
    """What a till says of a purchase, by the shop's first rules."""
    at, site = stamp(at_ms), one.site
    total_yen, sale = sum(yen for _, _, yen in one.lines), _id("sale", one)
    yield Bought(at, sale, holder, site, total_yen, [SaleLine(*line) for line in one.lines])
    if one.pays:
        yield Spent(at, _id("spent", one), STREET, holder, one.pays, site, b"", sale)
    for number in (STREET, CITY):
        spend_yen, rule = total_yen - one.pays, rules[number, site][0]
        points = earned(rule, spend_yen)
        yield Earned(at, _id(f"earned {number}", one), number, holder, points, site, spend_yen, rule.revision, sale)
    if one.back:
        yield Reversed(at, _id("back", one), sale, Reversal.REFUND, one.lines[0][2], site)


def _leaflet(campaign: Campaign, at_ms: int, spend_yen: int) -> Redeemed:
    """A printed leaflet that was used by nobody in particular (K8)."""
    off_yen = spend_yen * campaign.percent // 100
    return Redeemed(
        stamp(at_ms), campaign.id, 0, 0, campaign.revision, campaign.policy, SHOPS[0], spend_yen, off_yen, 0
    )


def _id(what: str, one: _Purchase) -> bytes:
    """16 bytes, the same each time that the story is told."""
    return hashlib.blake2b(f"{what} {one.who} {one.site} {one.at}".encode(), digest_size=16).digest()


def _give_floors(connection: Connection, people: dict[str, Person]) -> None:
    """How many points may be spent without the centre: what tills go by when points pay."""
    for number in (STREET, CITY):
        for holder, points in ((0, FLOOR_OF_ALL), *((person.holder, FLOOR_OF_ONE) for person in people.values())):
            pot = Pot(POINTS, number, holder)
            if leases.find(connection, pot) is None:
                leases.put(connection, pot, (points, None))


def _look_up(connection: Connection, now_ms: int) -> None:
    """The shop in Ginza has looked for BBB, who finds that on their own page (M7)."""
    if audit.listed(connection, 1):
        return
    found = customers.find(connection, SHOPS[0], "BBB", now_ms)
    if found is not None:
        audit.note(connection, Role.SHOP, SHOPS[0], What.CUSTOMER_SEEN, now_ms, found.holder, SHOPS[0])


# --- offers (M9) ----------------------------------------------------------------------------------------


def _pick_offers(database: Database, keys: Keys, now_ms: int) -> None:
    """One run, the way `tokuten offers run` does it; later ones are the visitor's."""
    with database.read() as connection:
        found = runs.listed(connection, 1)
    if found and found[0].finished_ms is not None:
        return
    year, week, _ = datetime.fromtimestamp(now_ms / 1000, UTC).isocalendar()
    at = runs.begin(database, found[0].period if found else f"{year}-W{week:02}", now_ms)
    while at.finished_ms is None:
        at = runs.step(database, keys.cache_secret(), at.period, now_ms)
