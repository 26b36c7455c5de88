"""Bargains and recommendations that shops register (M8): each of its own site; anybody looks them all up.

One has a title, a text, a first and a last day, and may be about goods: one article, all of a company's, all of a kind.
A coupon may belong to it. It is changed until it is over; ended, it stays for those who were told of it.
"""

from __future__ import annotations

import unicodedata
from enum import StrEnum
from typing import Any, Final

import msgspec
from sqlalchemy import ColumnElement, Connection, Row, Select, func, insert, select, update

from central.coupons import issue
from central.db.schema import bargains, goods, sites
from central.offers import goods as articles
from loyalty.campaign import DAY_MS
from loyalty.cells import printable

TITLE_CHARS_MAX: Final = 60
BODY_CHARS_MAX: Final = 1_000
LIFE_MAX_MS: Final = 366 * DAY_MS
PER_SITE_MAX: Final = 500  # that are not over
WORDS_MAX: Final = 5  # of one search
WORD_CHARS_MAX: Final = 40
PREFIX_DIGITS: Final = range(6, 13)  # of a company, as it stands in GTIN-13


class Kind(StrEnum):
    """What a shop says of it."""

    BARGAIN = "bargain"
    RECOMMENDED = "recommended"


class About(StrEnum):
    """Which goods it is about."""

    NONE = "none"  # the shop as a whole
    GTIN = "gtin"
    PREFIX = "prefix"  # every article of a company
    CATEGORY = "category"


class Draft(msgspec.Struct, frozen=True, kw_only=True):
    """A bargain as a shop enters it."""

    kind: Kind
    title: str
    body: str = ""
    about: About = About.NONE
    goods: str = ""
    campaign: int | None = None
    from_ms: int
    until_ms: int  # the first instant at which it is over


class Bargain(msgspec.Struct, frozen=True, kw_only=True):
    """One that is registered."""

    id: int
    site: str
    shop: str  # the site as people read it
    kind: Kind
    title: str
    body: str
    about: About
    goods: str
    goods_name: str  # what that article is called; empty: not known, or it is about no one article
    campaign: int | None
    from_ms: int
    until_ms: int
    ended_ms: int | None

    def holds(self, now_ms: int) -> bool:
        return self.ended_ms is None and self.from_ms <= now_ms < self.until_ms


class BargainError(ValueError):
    """A bargain can't be as it was entered. `problems`: by field, a word of `central.pages.words.offers`."""

    def __init__(self, problems: dict[str, str]) -> None:
        super().__init__(", ".join(f"{field}: {problem}" for field, problem in problems.items()))
        self.problems = problems


# --- what a shop does ---------------------------------------------------------------------------------------


def add(connection: Connection, site: str, draft: Draft, now_ms: int) -> int:
    """Registers one of this site; gives its number. Raises BargainError."""
    site_id = connection.execute(select(sites.c.id).where(sites.c.name == site)).scalar_one()
    values = _values(connection, site, draft)
    running = select(func.count()).where(bargains.c.site_id == site_id, bargains.c.until_ms > now_ms)
    if connection.execute(running.where(bargains.c.ended_ms.is_(None))).scalar_one() >= PER_SITE_MAX:
        raise BargainError({"title": "bargain.too_many"})
    made = connection.execute(
        insert(bargains).values(site_id=site_id, made_ms=now_ms, changed_ms=now_ms, **values).returning(bargains.c.id)
    )
    return int(made.scalar_one())


def change(connection: Connection, site: str, number: int, draft: Draft, now_ms: int) -> bool:
    """Says it anew; False: it is not this site's, or over. Raises BargainError."""
    values = _values(connection, site, draft)
    mine = _of(site, number) & bargains.c.ended_ms.is_(None) & (bargains.c.until_ms > now_ms)
    return connection.execute(update(bargains).where(mine).values(changed_ms=now_ms, **values)).rowcount == 1


def end(connection: Connection, site: str, number: int, now_ms: int) -> bool:
    """Ends it now; False: it is not this site's, or has ended."""
    mine = _of(site, number) & bargains.c.ended_ms.is_(None)
    return connection.execute(update(bargains).where(mine).values(ended_ms=now_ms)).rowcount == 1


def _of(site: str, number: int) -> ColumnElement[bool]:
    theirs = select(sites.c.id).where(sites.c.name == site).scalar_subquery()
    return (bargains.c.id == number) & (bargains.c.site_id == theirs)


def _values(connection: Connection, site: str, draft: Draft) -> dict[str, object]:
    title, body = printable(draft.title), "\n".join(printable(line) for line in draft.body.splitlines()).strip()
    problems: dict[str, str] = {}
    if not 0 < len(title) <= TITLE_CHARS_MAX:
        problems["title"] = "bargain.title.bad"
    if len(body) > BODY_CHARS_MAX:
        problems["body"] = "bargain.body.bad"
    if not draft.from_ms < draft.until_ms <= draft.from_ms + LIFE_MAX_MS:
        problems["until"] = "bargain.until.bad"
    wanted = printable(draft.goods)
    name = ""
    try:
        wanted, name = _goods(connection, draft.about, wanted)
    except ValueError:
        problems["goods"] = f"bargain.goods.{draft.about.value}.bad"
    if draft.campaign is not None:
        issued = issue.get(connection, draft.campaign)
        if issued is None or (issued.campaign.shops and site not in issued.campaign.shops):
            problems["campaign"] = "bargain.campaign.bad"
    if problems:
        raise BargainError(problems)
    return {
        "kind": draft.kind.value,
        "title": title,
        "body": body,
        "found_by": folded(f"{title}\n{body}\n{name}\n{wanted}"),
        "about": draft.about.value,
        "goods": wanted,
        "campaign": draft.campaign,
        "from_ms": draft.from_ms,
        "until_ms": draft.until_ms,
    }


def _goods(connection: Connection, about: About, text: str) -> tuple[str, str]:
    """(as it is kept, what it is called). Raises ValueError."""
    if about is About.NONE:
        return "", ""
    if about is About.GTIN:
        number = articles.gtin(text)
        name = connection.execute(select(goods.c.name).where(goods.c.gtin == number)).scalar()
        return f"{number:014}", name or ""
    if about is About.PREFIX:
        if not (text.isascii() and text.isdigit() and len(text) in PREFIX_DIGITS):
            raise ValueError("a company's prefix has 6 to 12 digits")
        return text, ""
    if text not in articles.categories(connection):
        raise ValueError("no goods are of that kind")
    return text, text


# --- looking them up ----------------------------------------------------------------------------------------


def folded(text: str) -> str:
    """`text` as it is searched: full and half width, upper and lower case are one (NFKC, case folded)."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())


def _select() -> Select[Any]:
    return select(
        bargains.c.id,
        sites.c.name,
        sites.c.title.label("shop"),
        bargains.c.kind,
        bargains.c.title,
        bargains.c.body,
        bargains.c.about,
        bargains.c.goods,
        bargains.c.campaign,
        bargains.c.from_ms,
        bargains.c.until_ms,
        bargains.c.ended_ms,
    ).join_from(bargains, sites, sites.c.id == bargains.c.site_id)


def _read(connection: Connection, rows: list[Row[Any]]) -> list[Bargain]:
    numbers = {int(row.goods) for row in rows if row.about == About.GTIN.value}
    found = connection.execute(select(goods.c.gtin, goods.c.name).where(goods.c.gtin.in_(numbers))) if numbers else ()
    names = {row.gtin: row.name for row in found}
    return [
        Bargain(
            id=row.id,
            site=row.name,
            shop=row.shop,
            kind=Kind(row.kind),
            title=row.title,
            body=row.body,
            about=About(row.about),
            goods=row.goods,
            goods_name=names.get(int(row.goods), "") if row.about == About.GTIN.value else "",
            campaign=row.campaign,
            from_ms=row.from_ms,
            until_ms=row.until_ms,
            ended_ms=row.ended_ms,
        )
        for row in rows
    ]


def one(connection: Connection, number: int) -> Bargain | None:
    rows = connection.execute(_select().where(bargains.c.id == number)).all()
    return next(iter(_read(connection, list(rows))), None)


def of_site(connection: Connection, site: str, limit: int) -> list[Bargain]:
    """A shop's own, the newest first, also those that are over."""
    rows = connection.execute(_select().where(sites.c.name == site).order_by(bargains.c.id.desc()).limit(limit)).all()
    return _read(connection, list(rows))


def shown(connection: Connection, now_ms: int, limit: int, *, site: str = "", words: str = "") -> list[Bargain]:
    """What anybody may look up now, the soonest to end first; of one shop, and with all of these words in it."""
    query = _select().where(bargains.c.ended_ms.is_(None), bargains.c.from_ms <= now_ms, bargains.c.until_ms > now_ms)
    if site:
        query = query.where(sites.c.name == site)
    for word in folded(printable(words)).split()[:WORDS_MAX]:
        query = query.where(bargains.c.found_by.contains(word[:WORD_CHARS_MAX], autoescape=True))
    rows = connection.execute(query.order_by(bargains.c.until_ms, bargains.c.id).limit(limit)).all()
    return _read(connection, list(rows))


def coupons_for(connection: Connection, site: str, limit: int) -> list[tuple[int, str]]:
    """The coupons that this shop honours, to choose from: (number, name), the newest first."""
    return [
        (each.campaign.id, each.campaign.name)
        for each in issue.newest(connection, limit)
        if not each.campaign.stopped and (not each.campaign.shops or site in each.campaign.shops)
    ]
