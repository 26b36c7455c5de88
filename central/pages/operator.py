"""The operator's pages: people, places, conflicts and the audit log. Every look at people is written down first."""

from __future__ import annotations

from typing import Final

from central import audit, deadletters, directory, notices, registry, staff
from central.coupons import disputes, history, issue
from central.coupons.disputes import Ending
from central.ledger import balances, programmes, statement
from central.offers import outbox
from central.offers import run as offer_runs
from central.pages.answer import Answer, Page, Redirect
from central.pages.asked import Asked, Refusal, Refused
from central.pages.asked import number as read_number
from central.pages.counter import Counter
from central.staff import Role

PEOPLE_SHOWN_MAX: Final = 50
COUPONS_SHOWN_MAX: Final = 200
MOVES_SHOWN_MAX: Final = 100
CONFLICTS_SHOWN_MAX: Final = 100
LOOKS_SHOWN_MAX: Final = 100
RUNS_SHOWN_MAX: Final = 20


def overview(counter: Counter, asked: Asked) -> Answer:
    with counter.office.database.read() as connection:
        data: dict[str, object] = {
            "counts": directory.counts(connection),
            "notices": notices.listed(connection, limit=20),
            "letters": deadletters.listed(connection)[:5],
        }
    return Page("operator/overview.html", data)


def see_notices(counter: Counter, asked: Asked) -> Answer:
    with counter.office.database.write() as connection:
        notices.mark_seen(connection, [read_number(asked.field("id", 20))], asked.now_ms)
    return Redirect("/operator")


def people(counter: Counter, asked: Asked) -> Answer:
    """People whose name begins like this; nobody is shown before something is asked for."""
    wanted = asked.field("q", 40)
    found: list[directory.Entry] = []
    if wanted:
        with counter.office.database.write() as connection:
            found = directory.people(connection, wanted, PEOPLE_SHOWN_MAX)
            for holder in [one.holder for one in found] or [0]:
                audit.note(connection, Role.OPERATOR, asked.member.name, audit.What.PEOPLE_LISTED, asked.now_ms, holder)
    template = "operator/people_found.html" if asked.part else "operator/people.html"
    return Page(template, {"q": wanted, "people": found, "limit": PEOPLE_SHOWN_MAX})


def one_person(counter: Counter, asked: Asked) -> Answer:
    with counter.office.database.write() as connection:
        entry = directory.person(connection, asked.number)
        if entry is None:
            raise Refused(Refusal.NOT_FOUND)
        audit.note(connection, Role.OPERATOR, asked.member.name, audit.What.PERSON_SEEN, asked.now_ms, entry.holder)
        lines = history.shown_to(connection, entry.id, COUPONS_SHOWN_MAX)
        points = balances.of_person(connection, entry.holder, asked.now_ms)
        moves = statement.of_person(connection, entry.holder, MOVES_SHOWN_MAX)
        names = programmes.names(connection, points, moves)
        titles = registry.titles(connection)
    data: dict[str, object] = {
        "entry": entry, "lines": lines, "titles": titles, "balances": points, "moves": moves,
        "names": names,
    }  # fmt: skip
    return Page("operator/person.html", data)


def places(counter: Counter, asked: Asked) -> Answer:
    with counter.office.database.read() as connection:
        data: dict[str, object] = {
            "sites": directory.sites_with_units(connection),
            "providers": directory.providers(connection),
            "staff": staff.listed(connection),
        }
    return Page("operator/places.html", data)


def conflicts(counter: Counter, asked: Asked) -> Answer:
    return _conflicts(counter, asked)


def _conflicts(counter: Counter, asked: Asked, trouble: str = "", status: int = 200) -> Page:
    every = asked.query.get("all") == "1"
    with counter.office.database.read() as connection:
        rows = disputes.listed(connection, waiting=not every, limit=CONFLICTS_SHOWN_MAX)
        campaigns = issue.names(connection, {row.campaign for row in rows})
        names = programmes.names(connection, (row for row in rows if row.programme))
        places = directory.places_of(connection, [fact for row in rows for fact in (row.first, row.second)])
        titles = registry.titles(connection)
    data: dict[str, object] = {
        "rows": rows, "every": every, "campaigns": campaigns, "places": places, "titles": titles, "trouble": trouble,
        "points": names, "endings": list(Ending),
        "limit": CONFLICTS_SHOWN_MAX,
    }  # fmt: skip
    return Page("operator/conflicts.html", data, status)


def settle(counter: Counter, asked: Asked) -> Answer:
    how = asked.field("how")
    if how not in list(Ending):
        raise Refused(Refusal.BAD_FORM)
    with counter.office.database.write() as connection:
        problem = disputes.end(connection, asked.number, Ending(how), asked.field("note"), asked.now_ms)
    return _conflicts(counter, asked, "conflicts.cannot_end", 409) if problem else Redirect("/operator/conflicts")


def post(counter: Counter, asked: Asked) -> Answer:
    """How the runs of offers stand, and what became of their mails."""
    with counter.office.database.read() as connection:
        runs = offer_runs.listed(connection, RUNS_SHOWN_MAX)
        by_run = outbox.counts_by_run(connection, [one.id for one in runs])
        mails = outbox.counts(connection)
    data: dict[str, object] = {"runs": runs, "by_run": by_run, "mails": mails, "states": list(outbox.State)}
    return Page("operator/post.html", data)


def audit_log(counter: Counter, asked: Asked) -> Answer:
    before = asked.query.get("before", "")
    with counter.office.database.read() as connection:
        looks = audit.listed(connection, LOOKS_SHOWN_MAX, read_number(before) if before else None)
    return Page("operator/audit.html", {"looks": looks, "limit": LOOKS_SHOWN_MAX})
