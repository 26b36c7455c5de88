"""The operator's pages about points: programmes, shops' earn rules (M4), what is owed, whether the books are right."""

from __future__ import annotations

from typing import Final

import msgspec

from central import registry
from central.bank import shops
from central.ledger import audits, benefits, lanes, liability, programmes
from central.ledger.programmes import ProgrammeError
from central.pages import programme_form, rule_form
from central.pages.answer import Answer, Page, Redirect
from central.pages.asked import Asked, Refusal, Refused
from central.pages.counter import Counter
from loyalty.points import Overspending, Programme, Rounding

AUDITS_SHOWN_MAX: Final = 10
BOOKED_AT_ONCE_MAX: Final = 20  # steps of what waited for a new programme; the centre's turn books the rest
EMPTY: Final = {"rounding": Rounding.DOWN.value, "overspending": Overspending.OPERATOR.value, "rule_days": "7"}


def listed(counter: Counter, asked: Asked) -> Answer:
    return _listed(counter, asked, EMPTY, set(), 200)


def _listed(counter: Counter, asked: Asked, values: dict[str, str], wrong: set[str], status: int) -> Page:
    with counter.office.database.read() as connection:
        found = programmes.listed(connection)
    data: dict[str, object] = {"programmes": found, **_form(values, wrong)}
    return Page("operator/programmes.html", data, status)


def _form(values: dict[str, str], wrong: set[str]) -> dict[str, object]:
    return {
        "values": values, "wrong": wrong, "roundings": list(Rounding), "overspendings": list(Overspending),
    }  # fmt: skip


def enter(counter: Counter, asked: Asked) -> Answer:
    """A new programme; facts of it that came before are booked."""
    with counter.office.database.read() as connection:
        number = programmes.next_number(connection)
    programme, wrong = programme_form.read(asked, number, None)
    if programme is not None:
        wrong = _put(counter, programme, asked.now_ms)
        if not wrong:
            return Redirect(f"/operator/programmes/{number}")
    return _listed(counter, asked, asked.form, wrong, 422)


def _put(counter: Counter, programme: Programme, now_ms: int) -> set[str]:
    """Gives the fields that can't be so; none: it is entered."""
    try:
        with counter.office.database.write() as connection:
            programmes.put(connection, programme, now_ms)
    except ProgrammeError as error:
        return {problem.partition(":")[0] for problem in error.problems}
    for _ in range(BOOKED_AT_ONCE_MAX):
        with counter.office.database.write() as connection:
            if not lanes.book_waiting(connection, now_ms):
                break
    return set()


def one(counter: Counter, asked: Asked) -> Answer:
    return _one(counter, asked)


def _one(
    counter: Counter,
    asked: Asked,
    values: dict[str, str] | None = None,
    wrong: set[str] | None = None,
    trouble: tuple[str, ...] = (),
    status: int = 200,
) -> Page:
    """`wrong` is about the programme, `trouble` about a rule."""
    with counter.office.database.read() as connection:
        programme = programmes.get(connection, asked.number)
        if programme is None:
            raise Refused(Refusal.NOT_FOUND)
        given = benefits.of_programme(connection, asked.number, asked.now_ms)
        titles = registry.titles(connection)
    data: dict[str, object] = {
        "programme": programme,
        "benefits": given,
        "titles": titles,
        "trouble": trouble,
        "entered": asked.form if trouble else {},
        **_form(programme_form.values(programme) if values is None else values, wrong or set()),
    }
    return Page("operator/programme.html", data, status)


def change(counter: Counter, asked: Asked) -> Answer:
    """The next revision of a programme."""
    with counter.office.database.read() as connection:
        known = programmes.get(connection, asked.number)
    if known is None:
        raise Refused(Refusal.NOT_FOUND)
    programme, wrong = programme_form.read(asked, asked.number, known)
    if programme is not None:
        wrong = _put(counter, programme, asked.now_ms)
        if not wrong:
            return Redirect(f"/operator/programmes/{asked.number}")
    return _one(counter, asked, asked.form, wrong, status=422)


def rule(counter: Counter, asked: Asked) -> Answer:
    """The next revision of some shop's rule."""
    named = {**asked.form, "programme": str(asked.number)}
    wanted, trouble = rule_form.read(
        msgspec.structs.replace(asked, form=named), counter.renderer, asked.field("site", 40)
    )
    if wanted is None:
        return _one(counter, asked, trouble=tuple(trouble), status=422)
    try:
        with counter.office.database.write() as connection:
            programmes.set_rule(connection, wanted, asked.now_ms)
    except ProgrammeError as error:
        return _one(counter, asked, trouble=tuple(rule_form.words(error)), status=422)
    return Redirect(f"/operator/programmes/{asked.number}")


def ledger(counter: Counter, asked: Asked) -> Answer:
    return _ledger(counter)


def _ledger(counter: Counter, trouble: str = "", status: int = 200) -> Page:
    with counter.office.database.read() as connection:
        before = audits.listed(connection, AUDITS_SHOWN_MAX)
        large = audits.too_many(connection)  # then as it was when the auditor last looked
        owed = liability.by_shop(connection) if not large else before[0].owed if before else []
        data: dict[str, object] = {
            "audits": before,
            "owed_ms": before[0].at_ms if large and before else None,
            "owed": owed,
            "names": programmes.names(connection, owed),
            "taxes": {one.site: one for one in shops.listed(connection)},
            "titles": registry.titles(connection),
            "trouble": trouble,
            "limit": liability.ROWS_MAX,
        }
    return Page("operator/ledger.html", data, status)


def audit(counter: Counter, asked: Asked) -> Answer:
    """Has the auditor look now; one at a time, and not at a ledger that takes too long for a page."""
    with counter.office.database.read() as connection:
        if audits.too_many(connection):
            return _ledger(counter, "ledger.too_many", 409)
    if not counter.auditing.acquire(blocking=False):
        return _ledger(counter, "ledger.running", 409)
    try:
        audits.run(counter.office.database, asked.now_ms)
    finally:
        counter.auditing.release()
    return Redirect("/operator/ledger")
