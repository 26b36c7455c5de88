"""A shop's page: what its own site redeemed today, and the points it gave, took and took back (M5).

Which site that is comes from the session alone.
"""

from __future__ import annotations

from typing import Final

from central import registry
from central.coupons import usage
from central.ledger import programmes, site_day
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
        points = site_day.of_site(connection, site, from_ms, to_ms)
        names = programmes.names(connection, points)
        title = registry.titles(connection).get(site, site)
    data: dict[str, object] = {
        "uses": uses, "total": total, "title": title, "limit": SHOWN_MAX, "today": from_ms, "points": points,
        "names": names, "looked_at": site_day.LOOKED_AT_MAX,
    }  # fmt: skip
    return Page("shop/today.html", data)
