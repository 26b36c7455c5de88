"""The form of an earn rule (M4), as shops and operators fill it in. A day is entered as a day; today means: at once."""

from __future__ import annotations

from typing import Final

from central.ledger.programmes import ProgrammeError
from central.pages.asked import Asked
from central.pages.render import Renderer
from loyalty.points import RATE_MAX, EarnRule, Rounding

DIGITS_MAX: Final = 9
_FIELDS: Final = ("per_yen", "points", "from_ms", "site", "programme", "revision")


def read(asked: Asked, renderer: Renderer, site: str) -> tuple[EarnRule | None, list[str]]:
    """(the rule, or None; keys of what is wrong)."""
    trouble: list[str] = []
    numbers: dict[str, int] = {}
    for name in ("programme", "per_yen", "points"):
        text = asked.field(name, 20).replace(",", "")
        if text.isascii() and text.isdigit() and len(text) <= DIGITS_MAX and 0 < int(text) <= RATE_MAX:
            numbers[name] = int(text)
        else:
            trouble.append(f"rules.wrong.{name}")
    rounding = asked.field("rounding", 20) or Rounding.DOWN.value
    if rounding not in list(Rounding):
        trouble.append("issue.no_choice")
    from_ms = _from_ms(asked, renderer)
    if from_ms is None:
        trouble.append("rules.wrong.from_ms")
    if trouble or from_ms is None:
        return None, trouble
    return EarnRule(site=site, rounding=Rounding(rounding), from_ms=from_ms, **numbers), []


def _from_ms(asked: Asked, renderer: Renderer) -> int | None:
    """None: no day, or one that is over: what was given by then can't be changed."""
    text = asked.field("from", 20)
    if not text:
        return asked.now_ms
    try:
        at_ms = renderer.instant_ms(text)
    except (ValueError, OverflowError):
        return None
    today_ms = renderer.midnight_ms(asked.now_ms)
    return asked.now_ms if at_ms == today_ms else at_ms if at_ms > today_ms else None


def words(error: ProgrammeError) -> list[str]:
    """Keys of what `central.ledger.programmes` found wrong."""
    fields = {problem.partition(":")[0] for problem in error.problems}
    return [f"rules.wrong.{name}" for name in _FIELDS if name in fields] or ["rules.wrong.programme"]
