"""A shop's bargains and recommendations (M8), and its own sales (M3). Whose they are comes from the session alone."""

from __future__ import annotations

from typing import Final

from central import registry
from central.offers import bargains, goods, purchases
from central.offers.bargains import About, Bargain, BargainError, Draft, Kind
from central.pages.answer import Answer, Page, Redirect
from central.pages.asked import Asked, Refusal, Refused
from central.pages.asked import number as read_number
from central.pages.counter import Counter

SHOWN_MAX: Final = 300
SALES_SHOWN_MAX: Final = 100
COUPONS_CHOSEN_FROM: Final = 500
_NEW_DAYS: Final = 7


def listed(counter: Counter, asked: Asked) -> Answer:
    with counter.office.database.read() as connection:
        found = bargains.of_site(connection, asked.member.site, SHOWN_MAX)
        title = registry.titles(connection).get(asked.member.site, asked.member.site)
    return Page("shop/bargains.html", {"bargains": found, "title": title, "limit": SHOWN_MAX})


def new(counter: Counter, asked: Asked) -> Answer:
    today, week = counter.renderer.iso(asked.now_ms), counter.renderer.midnight_ms(asked.now_ms, _NEW_DAYS)
    return _form(counter, asked, {"from": today[:10], "until": counter.renderer.iso(week)[:10]}, {}, 0, 200)


def add(counter: Counter, asked: Asked) -> Answer:
    try:
        draft = _read(counter, asked)
        with counter.office.database.write() as connection:
            bargains.add(connection, asked.member.site, draft, asked.now_ms)
    except BargainError as error:
        return _form(counter, asked, asked.form, error.problems, 0, 422)
    return Redirect("/shop/bargains")


def edit(counter: Counter, asked: Asked) -> Answer:
    own, iso = _own(counter, asked), counter.renderer.iso
    values = {
        "kind": own.kind.value, "title": own.title, "body": own.body, "about": own.about.value,
        "goods": own.goods.lstrip("0").zfill(13) if own.about is About.GTIN else own.goods,
        "campaign": str(own.campaign or ""), "from": iso(own.from_ms)[:10], "until": iso(own.until_ms - 1)[:10],
    }  # fmt: skip
    return _form(counter, asked, values, {}, own.id, 200)


def change(counter: Counter, asked: Asked) -> Answer:
    own = _own(counter, asked)
    try:
        draft = _read(counter, asked)
        with counter.office.database.write() as connection:
            changed = bargains.change(connection, asked.member.site, own.id, draft, asked.now_ms)
    except BargainError as error:
        return _form(counter, asked, asked.form, error.problems, own.id, 422)
    if not changed:
        return _form(counter, asked, asked.form, {"title": "bargain.over"}, own.id, 409)
    return Redirect("/shop/bargains")


def end(counter: Counter, asked: Asked) -> Answer:
    own = _own(counter, asked)
    with counter.office.database.write() as connection:
        bargains.end(connection, asked.member.site, own.id, asked.now_ms)
    return Redirect("/shop/bargains")


def sales(counter: Counter, asked: Asked) -> Answer:
    """The shop's own sales; whose they were is not told."""
    with counter.office.database.read() as connection:
        found = purchases.of_site(connection, asked.member.site, SALES_SHOWN_MAX)
        title = registry.titles(connection).get(asked.member.site, asked.member.site)
    return Page("shop/sales.html", {"purchases": found, "title": title, "limit": SALES_SHOWN_MAX})


def _own(counter: Counter, asked: Asked) -> Bargain:
    """Raises Refused for what is another shop's, as for what does not exist."""
    with counter.office.database.read() as connection:
        found = bargains.one(connection, asked.number)
    if found is None or found.site != asked.member.site:
        raise Refused(Refusal.NOT_FOUND)
    return found


def _form(
    counter: Counter, asked: Asked, values: dict[str, str], problems: dict[str, str], number: int, status: int
) -> Page:
    with counter.office.database.read() as connection:
        data: dict[str, object] = {
            "values": values,
            "problems": problems,
            "number": number,
            "kinds": list(Kind),
            "abouts": list(About),
            "categories": goods.categories(connection),
            "coupons": bargains.coupons_for(connection, asked.member.site, COUPONS_CHOSEN_FROM),
        }
    return Page("shop/bargain.html", data, status)


def _read(counter: Counter, asked: Asked) -> Draft:
    """The form. Raises BargainError for days that are none; Refused for what no form of ours sends."""
    kind, about, campaign = asked.field("kind"), asked.field("about"), asked.field("campaign", 20)
    if kind not in list(Kind) or about not in list(About):
        raise Refused(Refusal.BAD_FORM)
    try:
        from_ms = counter.renderer.instant_ms(asked.field("from", 20))
        until_ms = counter.renderer.instant_ms(asked.field("until", 20), after=True)
    except (ValueError, OverflowError):
        raise BargainError({"until": "bargain.until.bad"}) from None
    return Draft(
        kind=Kind(kind),
        title=asked.field("title"),
        body=asked.field("body", 4_000),
        about=About(about),
        goods=asked.field("goods", 60) if about != About.CATEGORY else asked.field("category", 60),
        campaign=read_number(campaign) if campaign else None,
        from_ms=from_ms,
        until_ms=until_ms,
    )
