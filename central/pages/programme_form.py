"""The form of a programme (`loyalty.points.Programme`), as an operator fills it in; its fields have the same names."""

from __future__ import annotations

from typing import Final

from central.pages.asked import Asked
from loyalty.cells import printable
from loyalty.points import NAME_CHARS_MAX, Overspending, Programme, Rate, Rounding

DIGITS_MAX: Final = 9
TICKS: Final = ("shared", "transferable", "overdraft")
LIVES: Final = ("days", "months")  # empty: none
DAYS: Final = ("grace_days", "refund_days", "rule_days")  # empty: 0
RATES: Final = ("buy", "sell", "cash_out")  # yen for one point, or yen/points; empty: none
FIELDS: Final = frozenset({"name", *TICKS, *LIVES, *DAYS, *RATES, "rounding", "overspending"})


def read(asked: Asked, number: int, known: Programme | None) -> tuple[Programme | None, set[str]]:
    """(the programme, or None; the fields that can't be read). What a form does not ask stays as it was (`known`)."""
    wrong: set[str] = set()
    whole: dict[str, int | None] = {}
    for name in (*LIVES, *DAYS):
        text = asked.field(name, 20).replace(",", "")
        if text and not _is_number(text):
            wrong.add(name)
        whole[name] = int(text) if text and name not in wrong else None
    rates: dict[str, Rate | None] = {}
    for name in RATES:
        rates[name] = _rate(asked.field(name, 30))
        if rates[name] is None and asked.field(name, 30):
            wrong.add(name)
    rounding, overspending = asked.field("rounding", 20), asked.field("overspending", 20)
    if rounding not in list(Rounding):
        wrong.add("rounding")
    if overspending not in list(Overspending):
        wrong.add("overspending")
    name = printable(asked.field("name", 2 * NAME_CHARS_MAX))
    if not name:
        wrong.add("name")
    if wrong:
        return None, wrong
    return (
        Programme(
            id=number,
            name=name,
            shared=asked.form.get("shared") == "yes",
            transferable=asked.form.get("transferable") == "yes",
            overdraft=asked.form.get("overdraft") == "yes",
            days=whole["days"],
            months=whole["months"],
            grace_days=whole["grace_days"] or 0,
            refund_days=whole["refund_days"] or 0,
            rule_days=whole["rule_days"] or 0,
            rounding=Rounding(rounding),
            overspending=Overspending(overspending),
            buy=rates["buy"],
            sell=rates["sell"],
            cash_out=rates["cash_out"],
            utc_offset_min=known.utc_offset_min if known is not None else 9 * 60,
        ),
        set(),
    )


def values(programme: Programme) -> dict[str, str]:
    """The form, filled in with what is there."""
    found = {"name": programme.name, "rounding": programme.rounding.value}
    found |= {"overspending": programme.overspending.value}
    found |= {name: "yes" for name in TICKS if getattr(programme, name)}
    for name in (*LIVES, *DAYS):
        value: int | None = getattr(programme, name)
        found[name] = "" if value is None else str(value)
    for name in RATES:
        rate: Rate | None = getattr(programme, name)
        found[name] = "" if rate is None else str(rate.yen) if rate.points == 1 else f"{rate.yen}/{rate.points}"
    return found


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= DIGITS_MAX


def _rate(text: str) -> Rate | None:
    yen, slash, points = text.replace(",", "").partition("/")
    if not _is_number(yen) or (slash and not _is_number(points)):
        return None
    return Rate(int(yen), int(points) if slash else 1)
