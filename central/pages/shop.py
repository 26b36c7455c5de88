"""A shop's page: today's redemptions of its own site. Which site that is comes from the session alone."""

from __future__ import annotations

from typing import Final

from central import registry
from central.coupons import usage
from central.pages.answer import Answer, Page
from central.pages.asked import Asked
from central.pages.counter import Counter

SHOWN_MAX: Final = 200


def today(counter: Counter, asked: Asked) -> Answer:
    site = asked.member.site
    from_ms, to_ms = counter.renderer.midnight_ms(asked.now_ms), counter.renderer.midnight_ms(asked.now_ms, 1)
    with counter.office.database.read() as connection:
        uses = usage.of_site(connection, site, from_ms, to_ms, SHOWN_MAX)
        total = usage.total_of_site(connection, site, from_ms, to_ms)
        title = registry.titles(connection).get(site, site)
    data: dict[str, object] = {"uses": uses, "total": total, "title": title, "limit": SHOWN_MAX, "today": from_ms}
    return Page("shop/today.html", data)
