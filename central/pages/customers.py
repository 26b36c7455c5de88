"""A shop looks up a customer (M7): only what happened at this shop, each look written down, the answer kept in a file.

Who is asked for stands in no address. Which site asks comes from the session alone. The same answer is given for
nobody, for somebody who has nothing to do with this shop, and for somebody who was erased.
"""

from __future__ import annotations

import csv
import io
from typing import Final

from sqlalchemy import Connection

from central import audit, customers, registry
from central.audit import What
from central.customers import Customer
from central.ledger import programmes
from central.pages.answer import Answer, File, Page
from central.pages.asked import Asked, Refusal, Refused
from central.pages.counter import Counter
from central.pages.words import move_kind, say
from central.staff import Role

TOLD_CHARS_MAX: Final = 40
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")  # what a spreadsheet would work out instead of showing
BOM: Final = "\ufeff"  # spreadsheets read the file as UTF-8


def form(counter: Counter, asked: Asked) -> Answer:
    return _page(counter, asked, "", None)


def _page(counter: Counter, asked: Asked, told: str, found: Customer | None) -> Page:
    site = asked.member.site
    with counter.office.database.read() as connection:
        names = _names(connection, found)
        title = registry.titles(connection).get(site, site)
    data: dict[str, object] = {
        "told": told, "found": found, "names": names, "title": title, "limit": customers.SHOWN_MAX,
    }  # fmt: skip
    return Page("shop/customers.html", data)


def _names(connection: Connection, found: Customer | None) -> dict[int, str]:
    if found is None:
        return {}
    return programmes.names(connection, found.balances, found.moves)


def look(counter: Counter, asked: Asked) -> Answer:
    told = asked.field("q", TOLD_CHARS_MAX)
    return _page(counter, asked, told, _look(counter, asked, told, What.CUSTOMER_SEEN) if told else None)


def _look(counter: Counter, asked: Asked, told: str, what: What) -> Customer | None:
    """Looks, and writes it down in the same transaction. Raises Refused after too many looks."""
    site = asked.member.site
    if not (counter.looks.allowed(site, asked.now_ms) and counter.misses.allowed(site, asked.now_ms)):
        raise Refused(Refusal.TOO_MANY_TRIES)
    counter.looks.failed(site, asked.now_ms)  # each one counts, whatever becomes of it
    with counter.office.database.write() as connection:
        found = customers.find(connection, site, told, asked.now_ms)
        holder = 0 if found is None else found.holder
        done = what if found is not None else What.CUSTOMER_SOUGHT
        audit.note(connection, Role.SHOP, asked.member.name, done, asked.now_ms, holder, site)
    if found is None:
        counter.misses.failed(site, asked.now_ms)
    return found


def keep(counter: Counter, asked: Asked) -> Answer:
    """The answer as a file (CSV). It is looked up anew: the right to it may have gone."""
    site = asked.member.site
    if not counter.files.allowed(site, asked.now_ms):
        raise Refused(Refusal.TOO_MANY_TRIES)
    counter.files.failed(site, asked.now_ms)
    found = _look(counter, asked, asked.field("q", TOLD_CHARS_MAX), What.CUSTOMER_KEPT)
    if found is None:
        raise Refused(Refusal.NOT_FOUND)
    with counter.office.database.read() as connection:
        names = _names(connection, found)
    return File(_csv(counter, asked, found, names).encode(), "text/csv", f"tokuten-{found.holder:012x}.csv")


def _csv(counter: Counter, asked: Asked, found: Customer, names: dict[int, str]) -> str:
    def words(key: str) -> str:
        return say(key, asked.lang)

    lines = io.StringIO()
    write = csv.writer(lines).writerow
    write([words(f"customers.csv.{name}") for name in ("when", "what", "of", "number", "points", "yen")])
    for one in found.balances:
        now = counter.renderer.iso(asked.now_ms)
        write([now, words("points.usable"), _cell(names.get(one.programme, "")), "", one.usable, ""])
    for move in found.moves:
        kind = words(move_kind(move.kind, move.points))
        at = counter.renderer.iso(move.at_ms)
        write([at, kind, _cell(names.get(move.programme, "")), "", move.points, ""])
    for use in found.uses:
        number = "" if use.number is None else use.number
        at = counter.renderer.iso(use.at_ms)
        write([at, words("customers.used"), _cell(use.name), number, "", use.discount_yen])
    return BOM + lines.getvalue()


def _cell(text: str) -> str:
    """Text that a spreadsheet shows and does not work out."""
    return f"'{text}" if text.startswith(_FORMULA) else text
