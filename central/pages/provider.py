"""A provider's pages: issue a coupon, see how it stands and is used, stop it (K1, K6, K10 in small).

Whose coupons are shown, and in whose name one is issued, comes from the session alone.
"""

from __future__ import annotations

from typing import Final

from central import registry
from central.coupons import issue as desk
from central.coupons import usage
from central.coupons.issue import Issued, IssueError
from central.pages.answer import Answer, Page, Redirect
from central.pages.asked import Asked, Refusal, Refused
from central.pages.campaign_form import FIELDS, read
from central.pages.counter import Counter

SHOWN_MAX: Final = 300
USES_SHOWN_MAX: Final = 100
DAYS_SHOWN: Final = 14


def listed(counter: Counter, asked: Asked) -> Answer:
    with counter.office.database.read() as connection:
        found = desk.of_provider(connection, asked.member.provider, SHOWN_MAX)
    return Page("provider/list.html", {"issued": found, "limit": SHOWN_MAX})


def form(counter: Counter, asked: Asked) -> Answer:
    return _form(counter, asked, {}, {}, 200)


def _form(counter: Counter, asked: Asked, values: dict[str, str], errors: dict[str, list[str]], status: int) -> Page:
    with counter.office.database.read() as connection:
        titles = registry.titles(connection)
    general = [text for field, texts in errors.items() if field not in FIELDS for text in texts]
    data: dict[str, object] = {"values": values, "errors": errors, "general": general, "titles": titles}
    return Page("provider/issue.html", data, status)


def issue(counter: Counter, asked: Asked) -> Answer:
    campaign, errors = read(asked, counter.renderer)
    if campaign is not None:
        try:
            with counter.office.database.write() as connection:
                issued = desk.issue(connection, campaign, asked.now_ms)
            return Redirect(f"/provider/coupons/{issued.id}")
        except IssueError as error:
            for problem in error.problems:
                field, _, words = problem.partition(": ")
                errors.setdefault(field if words else "", []).append(problem)
    return _form(counter, asked, asked.form, errors, 422)


def _own(counter: Counter, asked: Asked) -> Issued:
    """Raises Refused for what is another provider's, as for what does not exist."""
    with counter.office.database.read() as connection:
        issued = desk.get(connection, asked.number)
    if issued is None or issued.campaign.provider != asked.member.provider:
        raise Refused(Refusal.NOT_FOUND)
    return issued


def one(counter: Counter, asked: Asked) -> Answer:
    issued = _own(counter, asked)
    to_ms = counter.renderer.midnight_ms(asked.now_ms, 1)
    from_ms = counter.renderer.midnight_ms(asked.now_ms, 1 - DAYS_SHOWN)
    with counter.office.database.read() as connection:
        uses = usage.of_campaign(connection, asked.number, USES_SHOWN_MAX)
        days = usage.by_day(connection, asked.number, from_ms, to_ms)
        titles = registry.titles(connection)
    data: dict[str, object] = {
        "issued": issued, "uses": uses, "days": days, "most": max(1, *(day.uses for day in days)), "titles": titles,
        "limit": USES_SHOWN_MAX,
    }  # fmt: skip
    return Page("provider/coupon.html", data)


def stop(counter: Counter, asked: Asked) -> Answer:
    _own(counter, asked)
    if asked.form.get("sure") != "yes":
        raise Refused(Refusal.BAD_FORM)
    with counter.office.database.write() as connection:
        desk.stop(connection, asked.number)
    return Redirect(f"/provider/coupons/{asked.number}")
