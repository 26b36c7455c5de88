"""A provider's form as a campaign (K1). What can't be read is said here, what contradicts itself by `loyalty.campaign`.

The names of the fields are those of `Campaign`, so that what is wrong stands beside where it was entered. A day is
entered as a day: the first instant after a last day is worked out here.
"""

from __future__ import annotations

from typing import Any, Final

from central.pages.asked import Asked
from central.pages.render import Renderer
from loyalty.campaign import Campaign, Kind, Policy
from loyalty.cells import printable

TEXT: Final = ("name", "gift")
NUMBERS: Final = ("amount_yen", "percent", "min_spend_yen")  # empty: 0
LIMITS: Final = ("stock", "days_after_download", "per_person", "first_number", "cap", "budget_yen")  # empty: none
DAYS: Final = {"starts_ms": False, "ends_ms": True, "download_ends_ms": True}  # whether it is the day's end
CHOICES: Final = ("kind", "policy", "serials", "strong_auth", "shops")
FIELDS: Final = frozenset({*TEXT, *NUMBERS, *LIMITS, *DAYS, *CHOICES})
POLICIES: Final = (Policy.SIGNED, Policy.ONLINE, Policy.OPEN, Policy.LEASE)  # those that need no key of a shop's lane
DIGITS_MAX: Final = 16
SHOP: Final = "shop."  # a checkbox for each site


def read(asked: Asked, renderer: Renderer) -> tuple[Campaign | None, dict[str, list[str]]]:
    """(the campaign with number 0, or None; what can't be read, by field)."""
    errors: dict[str, list[str]] = {}
    values: dict[str, Any] = {name: printable(asked.field(name)) for name in TEXT}
    for name in (*NUMBERS, *LIMITS):
        text = asked.field(name).replace(",", "")
        if text and not (text.isascii() and text.isdigit() and len(text) <= DIGITS_MAX):
            errors[name] = ["issue.no_number"]
        elif text or name in NUMBERS:
            values[name] = int(text or "0")
    for name, after in DAYS.items():
        text = asked.field(name)
        try:
            values[name] = renderer.instant_ms(text, after=after) if text else None
        except (ValueError, OverflowError):
            errors[name] = ["issue.no_day"]
    kind, policy = asked.field("kind"), asked.field("policy")
    if kind not in list(Kind):
        errors["kind"] = ["issue.no_choice"]
    if policy not in POLICIES:
        errors["policy"] = ["issue.no_choice"]
    if errors:
        return None, errors
    # What belongs to another kind is not shown by the form, and left out here.
    if kind != Kind.AMOUNT:
        values["amount_yen"] = 0
    if kind != Kind.PERCENT:
        values["percent"] = 0
    if kind not in (Kind.GIFT, Kind.TICKET):
        values["gift"] = ""
    campaign = Campaign(
        id=0,
        kind=Kind(kind),
        policy=Policy(policy),
        provider=asked.member.provider,
        serials=asked.form.get("serials") == "yes",
        strong_auth=asked.form.get("strong_auth") == "yes",
        shops=tuple(sorted(name.removeprefix(SHOP) for name in asked.form if name.startswith(SHOP))),
        **values,
    )
    return campaign, errors
