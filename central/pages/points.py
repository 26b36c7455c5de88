"""A person's points: by shop, their history, and what the shops give (M5, M6, P12). Whose, the session alone says."""

from __future__ import annotations

from typing import Final

from central import registry
from central.ledger import balances, benefits, programmes, statement
from central.pages.answer import Answer, Page
from central.pages.asked import Asked
from central.pages.counter import Counter

MOVES_SHOWN_MAX: Final = 200


def mine(counter: Counter, asked: Asked) -> Answer:
    holder = asked.person.holder
    with counter.office.database.read() as connection:
        found = balances.of_person(connection, holder, asked.now_ms)
        moves = statement.of_person(connection, holder, MOVES_SHOWN_MAX)
        given = benefits.of_shops(connection, asked.now_ms)
        known = programmes.by_number(connection, programmes.named(found, moves))
        titles = registry.titles(connection)
    data: dict[str, object] = {
        "balances": found,
        "moves": moves,
        "benefits": given,
        "names": {number: one.name for number, one in known.items()},
        "sells": {number: one.sell for number, one in known.items()},
        "titles": titles,
        "limit": MOVES_SHOWN_MAX,
    }
    return Page("person/points.html", data)
