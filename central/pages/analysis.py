"""Analysis (K10): the pages of a provider, a shop and an operator, and what they can take away as a file.

Whose figures are shown comes from the session alone. What stands for fewer people than `figures.GROUP_MIN` is not
shown to shops and providers. An operator's look at one person is written down first.
"""

from __future__ import annotations

from typing import Final

from central import audit, directory, registry
from central.analysis import days, figures, files, person
from central.analysis.figures import By, Figures, Question, Scope
from central.pages import chart, words
from central.pages.answer import Answer, File, Page
from central.pages.asked import Asked, Refusal, Refused
from central.pages.counter import Counter
from central.pages.words.analysis import COLUMN
from central.staff import Role
from loyalty.campaign import Lang

DAYS_SHOWN: Final = 28  # where nothing is asked for
CHOICES: Final = {
    Role.PROVIDER: (By.DAY, By.HOUR, By.COUPON, By.SHOP),
    Role.SHOP: (By.DAY, By.HOUR, By.COUPON),
    Role.OPERATOR: (By.DAY, By.HOUR, By.COUPON, By.SHOP),
}


def show(counter: Counter, asked: Asked) -> Answer:
    question = _question(counter, asked)
    with counter.office.database.read() as connection:
        found = figures.ask(connection, question)
        title = registry.titles(connection).get(asked.member.site, asked.member.site)
    drawn = [name for name in found.columns if name != "discount_yen" and any(getattr(row, name) for row in found.rows)]
    shown = {name: _chart(found, name, asked.lang) for name in drawn}
    data: dict[str, object] = {
        "figures": found, "charts": shown, "choices": CHOICES[asked.member.role], "by": question.by,
        "path": asked.path, "parquet": files.parquet_there(), "of": title or asked.member.provider,
        "days_max": figures.DAYS_MAX, "rows_max": figures.ROWS_MAX,
    }  # fmt: skip
    return Page("analysis.html", data)


def take(counter: Counter, asked: Asked) -> Answer:
    """The same figures as a file."""
    kind = asked.query.get("kind")
    if kind not in ("csv", "parquet") or (kind == "parquet" and not files.parquet_there()):
        raise Refused(Refusal.NOT_FOUND)
    question = _question(counter, asked)
    with counter.office.database.read() as connection:
        found = figures.ask(connection, question)
    name = f"tokuten-{found.by}-{found.from_day}-{found.to_day}.{kind}"
    if kind == "csv":
        return File(files.as_csv(found), "text/csv; charset=utf-8", name)
    return File(files.as_parquet(found), "application/vnd.apache.parquet", name)


def one_person(counter: Counter, asked: Asked) -> Answer:
    """What one person looks at, downloads and uses, where and when. The look is in the audit log, and on their page."""
    with counter.office.database.write() as connection:
        entry = directory.person(connection, asked.number)
        if entry is None:
            raise Refused(Refusal.NOT_FOUND)
        audit.note(connection, Role.OPERATOR, asked.member.name, audit.What.USE_SEEN, asked.now_ms, entry.holder)
        way = person.way(connection, entry.id, entry.holder, counter.office.settings.utc_offset_min)
        titles = registry.titles(connection)
    return Page("operator/person_use.html", {"entry": entry, "way": way, "titles": titles, "limit": person.LINES_MAX})


def _question(counter: Counter, asked: Asked) -> Question:
    """What the address asks for, about what the session may see. Raises Refused."""
    member = asked.member
    today = days.of(asked.now_ms, counter.office.settings.utc_offset_min)
    scope = Scope(
        provider=member.provider if member.role is Role.PROVIDER else None,
        site=member.site if member.role is Role.SHOP else None,
    )
    by = asked.query.get("by", By.DAY.value)
    if by not in CHOICES[member.role]:
        raise Refused(Refusal.BAD_FORM)
    try:
        to_day = days.read(asked.query["to"]) if asked.query.get("to") else today
        from_day = days.read(asked.query["from"]) if asked.query.get("from") else to_day - DAYS_SHOWN + 1
        return Question(by=By(by), from_day=from_day, to_day=to_day, scope=scope)
    except ValueError as error:
        raise Refused(Refusal.BAD_FORM) from error


def _chart(found: Figures, column: str, lang: Lang) -> object:
    """The picture of one column. Hours and days with nothing have a place, too."""
    title = words.say(COLUMN[column], lang)
    known = {row.key: row for row in found.rows}
    bars: list[chart.Bar] = []
    for key, label in _places(found):
        row = known.get(key)
        value = getattr(row, column) if row is not None else 0
        bars.append(chart.Bar(label, value, "—" if value is None else f"{value:,}"))
    draw = chart.columns if found.by in (By.DAY, By.HOUR) else chart.rows
    return draw(bars, title)


def _places(found: Figures) -> list[tuple[str, str]]:
    """(key, label) of each bar."""
    if found.by is By.HOUR:
        return [(f"{hour:02}", str(hour)) for hour in range(24)]
    if found.by is By.DAY:
        first, last = days.read(found.from_day), days.read(found.to_day)
        every = [days.shown(day) for day in range(max(first, last - chart.BARS_MAX + 1), last + 1)]
        return [(key, f"{int(key[5:7])}/{int(key[8:])}") for key in every]
    return [(row.key, row.name) for row in found.rows]
