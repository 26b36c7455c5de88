"""The operator's page of API tokens: issue one (it is shown this once), see when each was last used, revoke it."""

from __future__ import annotations

from typing import Final

from central import directory, registry
from central import tokens as book
from central.pages.answer import Answer, Page, Redirect
from central.pages.asked import Asked, Refusal, Refused
from central.pages.counter import Counter
from central.tokens import Scope, TokenError

SITE: Final = "site:"  # how the form names whose a token is
PROVIDER: Final = "provider:"
ALL: Final = "all"
DAYS: Final = (7, 30, 90, 366)


def listed(counter: Counter, asked: Asked) -> Answer:
    return _listed(counter, asked)


def _listed(counter: Counter, asked: Asked, made: str = "", trouble: str = "", status: int = 200) -> Page:
    with counter.office.database.read() as connection:
        data: dict[str, object] = {
            "tokens": book.listed(connection),
            "sites": registry.titles(connection),
            "providers": [one.name for one in directory.providers(connection)],
            "scopes": list(Scope),
            "days": DAYS,
            "made": made,
            "trouble": trouble,
            "form": asked.form,
        }
    return Page("operator/tokens.html", data, status)


def issue(counter: Counter, asked: Asked) -> Answer:
    whose, life = asked.field("whose", 200), asked.field("days", 10)
    scopes = frozenset(scope for scope in Scope if asked.form.get(scope.value) == "yes")
    if whose not in (ALL, *_owners(counter)) or life not in map(str, DAYS):
        raise Refused(Refusal.BAD_FORM)
    try:
        with counter.office.database.write() as connection:
            _, text = book.issue(
                connection, asked.field("name", 100), scopes, int(life), asked.member.name, asked.now_ms,
                site=whose.removeprefix(SITE) if whose.startswith(SITE) else "",
                provider=whose.removeprefix(PROVIDER) if whose.startswith(PROVIDER) else "",
            )  # fmt: skip
    except TokenError:
        return _listed(counter, asked, trouble="tokens.trouble", status=422)
    return _listed(counter, asked, made=text)


def _owners(counter: Counter) -> list[str]:
    """Whose a token may be. What is none of these is nobody's: it must not become the whole centre's."""
    with counter.office.database.read() as connection:
        providers = [PROVIDER + one.name for one in directory.providers(connection)]
        return [SITE + name for name in registry.titles(connection)] + providers


def revoke(counter: Counter, asked: Asked) -> Answer:
    with counter.office.database.write() as connection:
        if not book.revoke(connection, asked.number, asked.member.name, asked.now_ms):
            raise Refused(Refusal.NOT_FOUND)
    return Redirect("/operator/tokens")
