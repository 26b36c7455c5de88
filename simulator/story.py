"""The demo's story: the coupons of document K's figure 2 and the people of its figure 3, moved to today.

Figure 3's newest line (21 May 2000, 13:54) becomes yesterday, and every other date keeps its distance to it.
Names, identification numbers, places and what is left of each coupon are the document's. Downloads are real
downloads, and what was used was booked as real facts: signed batches of the shops' lanes through the centre's
own ingest. What the figures do not say (amounts, where a coupon counts) is ours. Figure 2 lists 28 remaining
vouchers of S楽器 and 26 numbers; 28 is taken.

Two coupons are ours: one that only the first fifty may use together (policy `lease`), and one that the lane which keeps
the home of Ginza decides about (policy `home`).

The air ticket's code moves on the phone (`TK2:`). What the people bought besides is `simulator.shopping`.

`load` can be called again, also after a crash in the middle: what is there stays as it is.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from sqlalchemy import Connection

from central import registry, staff
from central.coupons import download, history, issue, persons
from central.coupons.download import Given
from central.db.database import Database
from central.db.schema import DeviceState
from central.decide import QUESTION_BYTES, Decider
from central.ingest import Ingest
from central.keys import Keys
from central.staff import Role
from loyalty.barcode import own
from loyalty.barcode.kinds import Own
from loyalty.campaign import Campaign, Kind, Policy
from simulator.past import PastLane, stamp
from wire.facts import Redeemed
from wire.messages import Ask

TENANT: Final = "demo"
SITES: Final = {"ginza": "銀座", "shinjuku": "新宿", "urawa": "浦和", "tokyo": "東京"}
NEWEST: Final = datetime(2000, 5, 21)  # noqa: DTZ001 (a date in the document; local time is added below)
LEAFLETS: Final = 4  # vouchers of S楽器 given to people who are not asked who they are


class Someone(NamedTuple):
    """A person of figure 3."""

    name: str
    password: str
    about: dict[str, str]
    colours: tuple[str, str]
    uid: bytes  # of the member card


PEOPLE: Final = (
    Someone("AAA", "aaa-demo", {"ja": "新宿でよく買い物", "en": "Often in Shinjuku"}, ("#b5533c", "#6f2a1c"),
            bytes.fromhex("04a1b2c3d4e501")),
    Someone("BBB", "bbb-demo", {"ja": "銀座と新宿で音楽", "en": "Music in Ginza"}, ("#2d6a8f", "#173f5a"),
            bytes.fromhex("04a1b2c3d4e502")),
    Someone("CCC", "ccc-demo", {"ja": "浦和でサッカー", "en": "Football in Urawa"}, ("#3f7d58", "#1e4a31"),
            bytes.fromhex("04a1b2c3d4e503")),
)  # fmt: skip


class Helper(NamedTuple):
    """Somebody who works with the centre's pages."""

    name: str
    role: Role
    site: str = ""
    provider: str = ""


STAFF: Final = (
    Helper("ginza", Role.SHOP, site="ginza"),
    Helper("gakki", Role.PROVIDER, provider="S楽器"),
    Helper("operator", Role.OPERATOR),
)
STAFF_PASSWORD: Final = "staff-demo"  # noqa: S105 - of the demo, and printed by it

D_RECORD, F_STORE, S_MUSIC, V_BAR, LEAFLET, T_AIR, P_SPORT, R_DINER, SAKURADAI, SOCCER, N_CINEMA = range(1, 12)
FIRST_COME, COFFEE = 12, 13  # ours: what a cap and a home are, to be tried with the network cut

# (who, campaign, downloaded, used, where) as figure 3 has it; then what our three people got besides.
_FIGURE_3: Final = (
    ("AAA", T_AIR, "0501 19:19", "", ""),
    ("AAA", P_SPORT, "0514 23:11", "0521 13:54", "shinjuku"),
    ("AAA", V_BAR, "0411 20:25", "", ""),
    ("BBB", R_DINER, "0418 13:15", "", ""),
    ("BBB", F_STORE, "0312 18:10", "", ""),
    ("BBB", D_RECORD, "0513 19:35", "0514 14:15", "ginza"),
    ("BBB", S_MUSIC, "0513 19:40", "0514 19:19", "shinjuku"),
    ("BBB", SAKURADAI, "0218 23:35", "0326 20:20", "tokyo"),
    ("CCC", SOCCER, "0311 19:11", "0419 17:30", "urawa"),
    ("CCC", N_CINEMA, "0311 19:20", "", ""),
    ("CCC", R_DINER, "0503 10:48", "0505 20:30", "ginza"),
    ("CCC", V_BAR, "0503 10:50", "", ""),
    ("AAA", D_RECORD, "0515 08:02", "", ""),
    ("CCC", D_RECORD, "0516 12:31", "", ""),
    ("BBB", S_MUSIC, "0517 21:05", "", ""),
    ("CCC", S_MUSIC, "0518 18:44", "", ""),
    ("AAA", FIRST_COME, "0519 09:30", "", ""),
    ("BBB", FIRST_COME, "0519 09:31", "", ""),
    ("CCC", FIRST_COME, "0519 09:32", "", ""),
    ("BBB", COFFEE, "0520 08:15", "", ""),
)


def moved(mmdd_hhmm: str, now_ms: int) -> int:
    """A moment of the figures (in the year 2000) as it is moved to today, in ms."""
    then = datetime.strptime(f"2000{mmdd_hhmm}", "%Y%m%d %H:%M")  # noqa: DTZ007 (local time, as people read it)
    today = datetime.fromtimestamp(now_ms / 1000)  # noqa: DTZ006
    yesterday = datetime(today.year, today.month, today.day) - timedelta(days=1)  # noqa: DTZ001
    return int((then + (yesterday - NEWEST)).timestamp() * 1000)


def campaigns(now_ms: int) -> list[Campaign]:
    """Figure 2, a leaflet's EAN, and what else figure 3 speaks of."""

    def day_after(mmdd: str) -> int:
        """The first instant after a last day."""
        return moved(f"{mmdd} 00:00", now_ms) + 86_400_000

    return [
        Campaign(id=D_RECORD, name="Dレコード割引", kind=Kind.AMOUNT, amount_yen=300, policy=Policy.SIGNED,
                 provider="Dレコード", stock=33, first_number=91818, days_after_download=60,
                 download_ends_ms=day_after("0618")),
        Campaign(id=F_STORE, name="Fデパートプレゼント", kind=Kind.GIFT, gift="紅茶", policy=Policy.OPEN,
                 provider="Fデパート", serials=False),
        Campaign(id=S_MUSIC, name="S楽器1000円券", kind=Kind.AMOUNT, amount_yen=1000, policy=Policy.ONLINE,
                 provider="S楽器", stock=35, first_number=98338, download_ends_ms=day_after("0730")),
        Campaign(id=V_BAR, name="V居酒屋割引", kind=Kind.PERCENT, percent=10, policy=Policy.OPEN,
                 provider="V居酒屋", serials=False, download_ends_ms=day_after("0711")),
        Campaign(id=LEAFLET, name="B書店チラシ割引", kind=Kind.PERCENT, percent=5, policy=Policy.OPEN,
                 provider="B書店", serials=False, jan="4912345678904"),
        Campaign(id=T_AIR, name="T航空34便", kind=Kind.TICKET, gift="T航空34便", policy=Policy.SIGNED,
                 provider="T航空", first_number=18625, strong_auth=True, stock=120, moving=True),
        Campaign(id=P_SPORT, name="Pスポーツ割引", kind=Kind.PERCENT, percent=15, policy=Policy.SIGNED,
                 provider="Pスポーツ", first_number=98815, download_ends_ms=day_after("0515")),
        Campaign(id=R_DINER, name="Rレストラン割引", kind=Kind.PERCENT, percent=20, policy=Policy.SIGNED,
                 provider="Rレストラン", first_number=78154, per_person=1, download_ends_ms=day_after("0510")),
        Campaign(id=SAKURADAI, name="桜台特急K12号", kind=Kind.TICKET, gift="桜台特急K12号", policy=Policy.SIGNED,
                 provider="桜台鉄道", first_number=15811, strong_auth=True, shops=("tokyo",),
                 download_ends_ms=day_after("0326")),
        Campaign(id=SOCCER, name="サッカーUR-SE", kind=Kind.TICKET, gift="サッカーUR-SE", policy=Policy.SIGNED,
                 provider="浦和競技場", first_number=58119, strong_auth=True, shops=("urawa",),
                 download_ends_ms=day_after("0419")),
        Campaign(id=N_CINEMA, name="Nシネマ", kind=Kind.TICKET, gift="Nシネマ", policy=Policy.SIGNED,
                 provider="Nシネマ", first_number=71865, strong_auth=True, shops=("shinjuku",),
                 download_ends_ms=day_after("0401")),
        Campaign(id=FIRST_COME, name="銀座祭先着50名", kind=Kind.AMOUNT, amount_yen=200, policy=Policy.LEASE,
                 provider="銀座商店会", cap=50),
        Campaign(id=COFFEE, name="C珈琲店の一杯", kind=Kind.GIFT, gift="珈琲一杯", policy=Policy.HOME,
                 provider="C珈琲店", shops=("ginza",)),
    ]  # fmt: skip


def load(database: Database, keys: Keys, incarnation: bytes, now_ms: int, phones: Mapping[str, bytes]) -> bool:
    """Enter the story unless it is there; True: it was entered now. Raises StorageError and the centre's errors.

    `phones`: the public keys of the people's phones, by name.
    """
    with database.write() as connection:
        entered = issue.get(connection, D_RECORD)
        if entered is None:
            _enter(connection, keys, now_ms, phones)
        _enter_staff(connection, now_ms)
    if _unbooked(database):
        _book_uses(database, keys, incarnation, now_ms if entered is None else entered.issued_ms)
    with database.write() as connection:  # the lanes of the past are gone: no kiosk of today need look for them
        for site in SITES:
            registry.set_state(connection, _lane_name(site), DeviceState.BLOCKED)
    return entered is None


def _enter_staff(connection: Connection, now_ms: int) -> None:
    """Those who are not there; a demo of an older version has none."""
    missing = [one for one in STAFF if staff.find(connection, one.name) is None]
    hashed = persons.hash_password(STAFF_PASSWORD) if missing else ""
    for one in missing:
        staff.add(connection, one.name, hashed, one.role, now_ms, site=one.site, provider=one.provider)


def _enter(connection: Connection, keys: Keys, now_ms: int, phones: Mapping[str, bytes]) -> None:
    """Shops, their lanes, the people, the coupons, and what was downloaded, in one transaction."""
    for site, title in SITES.items():
        registry.add_site(connection, site, title)
        registry.add_device(connection, _lane_name(site), site, _lane(keys, site).public, now_ms)
    everybody = {
        one.name: persons.add(connection, one.name, persons.hash_password(one.password), now_ms) for one in PEOPLE
    }
    for campaign in campaigns(now_ms):
        issue.issue(connection, campaign, now_ms)
    wanted = [(moved(at, now_ms), campaign, everybody[who]) for who, campaign, at, _, _ in _FIGURE_3]
    wanted.sort(key=lambda one: one[0])  # so that the numbers come out as in the figures
    for at_ms, number, person in wanted:
        phone = phones.get(person.name, b"")
        given = download.download(connection, keys, number, person, proven=True, now_ms=at_ms, phone=phone)
        _checked(given)
    leaflets_ms = moved("0519 10:00", now_ms)
    for copy in range(LEAFLETS):
        _checked(download.download(connection, keys, S_MUSIC, None, proven=False, now_ms=leaflets_ms + copy))


def _checked(given: Given | download.No) -> Given:
    assert isinstance(given, Given), f"the story's own coupon was not given out: {given}"
    return given


# --- what was used -------------------------------------------------------------------------------------


def _lane(keys: Keys, site: str) -> PastLane:
    return PastLane(keys, TENANT, site, _lane_name(site))


def _lane_name(site: str) -> str:
    return f"lane-{site}"


def _uses(now_ms: int) -> list[tuple[str, str, int, int]]:
    """(site, who, campaign, when), by time."""
    uses = [(site, who, campaign, moved(used, now_ms)) for who, campaign, _, used, site in _FIGURE_3 if used]
    return sorted(uses, key=lambda use: use[3])


def _unbooked(database: Database) -> bool:
    with database.read() as connection:
        booked = registry.last_booked(connection)
    return any(booked.get(_lane_name(site), 0) == 0 for site in SITES)


def _book_uses(database: Database, keys: Keys, incarnation: bytes, now_ms: int) -> None:
    """Each use as the shop's lane itself would have sent it: asked where it must, signed, booked at its time."""
    with database.read() as connection:
        terms = {one.campaign.id: one.campaign for one in issue.listed(connection)}
        texts: dict[tuple[str, int], str] = {}
        for line in history.of_everybody(connection):  # oldest first: the first one is the one that was used
            texts.setdefault((line.person, line.campaign.id), line.text)
    ingest = Ingest(database, incarnation, keys.cache_secret())

    lanes = {site: _lane(keys, site) for site in SITES}
    for site, who, number, at_ms in _uses(now_ms):
        text = texts[who, number].encode()
        code = own.parse(text)
        assert isinstance(code, Own)
        question = b""
        if terms[number].policy is Policy.ONLINE:
            question = hashlib.blake2b(text, digest_size=QUESTION_BYTES).digest()
            Decider(database).answer(Ask(question, text, 0, 0), lanes[site].name, at_ms)
        lanes[site].report(ingest, _redeemed(terms[number], code, site, at_ms, question))


def _redeemed(campaign: Campaign, code: Own, site: str, at_ms: int, question: bytes) -> Redeemed:
    coupon = code.coupon
    return Redeemed(
        stamp(at_ms),
        campaign.id,
        coupon.serial,
        coupon.holder,
        campaign.revision,
        campaign.policy,
        site,
        0,
        campaign.amount_yen,
        coupon.key,
        question,
    )
