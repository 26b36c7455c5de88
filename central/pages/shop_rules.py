"""A shop's rules: what it gives for a purchase, and from when on (M4); what points buy (M11); how tax is reckoned (B3).

A rule is never changed: what is entered is the next revision, shown with an example before it is made. Whose it is
comes from the session alone. Tax is said by the operator, and shown here.
"""

from __future__ import annotations

from typing import Final

from central import registry
from central.bank import shops
from central.ledger import benefits, programmes
from central.ledger.programmes import ProgrammeError
from central.pages import rule_form
from central.pages.answer import Answer, Page, Redirect
from central.pages.asked import Asked
from central.pages.counter import Counter
from loyalty.points import EarnRule

EXAMPLES_YEN: Final = (500, 1_000, 3_980)


def listed(counter: Counter, asked: Asked) -> Answer:
    return _listed(counter, asked)


def _listed(
    counter: Counter,
    asked: Asked,
    wanted: EarnRule | None = None,
    trouble: tuple[str, ...] = (),
    status: int = 200,
) -> Page:
    """`wanted`: what was entered, to be looked at before it is made."""
    site = asked.member.site
    with counter.office.database.read() as connection:
        data: dict[str, object] = {
            "benefits": benefits.of_site(connection, site, asked.now_ms),
            "tax": shops.find(connection, site),
            "title": registry.titles(connection).get(site, site),
            "wanted": wanted,
            "trouble": trouble,
            "examples": EXAMPLES_YEN,
            "values": asked.form,
        }
    return Page("shop/rules.html", data, status)


def enter(counter: Counter, asked: Asked) -> Answer:
    """The next revision of this shop's own rule: looked at first, made when it is confirmed."""
    wanted, trouble = rule_form.read(asked, counter.renderer, asked.member.site)
    if wanted is None:
        return _listed(counter, asked, None, tuple(trouble), 422)
    try:
        with counter.office.database.write() as connection:
            if asked.form.get("sure") == "yes":
                programmes.set_rule(connection, wanted, asked.now_ms)
                return Redirect("/shop/rules")
            programmes.check_rule(connection, wanted)
    except ProgrammeError as error:
        return _listed(counter, asked, None, tuple(rule_form.words(error)), 422)
    return _listed(counter, asked, wanted)
