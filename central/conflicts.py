"""Facts that can't both be right, or a use that nobody should have been given: who pays, by the campaign's rule.

Everything is booked; a conflict only says what is at stake and who bears it (promise 4). A fact that is odd in
several ways makes one conflict, of the gravest kind, so that its amount is charged once.

    rule      at booking                                 then
    operator  waits; nobody is charged yet               a person charges somebody, or lets it be
    issuer    settled: the issuer is charged
    shop      settled: the site of the second use is
    claim     waits: the holder is charged               paid; or given up, and then the issuer bears it

A claim against nobody (the coupon names no holder) and a campaign that the centre does not know wait for a person.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Final, NamedTuple

from central.db.schema import Flag
from loyalty.campaign import Campaign, ConflictRule, Kind

NO_FACT: Final = 0  # where a conflict is about one fact alone, this stands for the epoch and number of the first


class ConflictState(StrEnum):
    WAITS = "waits"  # for a person, or for the payment of a claim
    SETTLED = "settled"
    PAID = "paid"  # what was claimed came in
    GIVEN_UP = "given_up"  # it never will: the issuer bears it
    WITHDRAWN = "withdrawn"  # there was none after all: the clock was corrected, or the home's word came later


class Party(StrEnum):
    """Who is charged."""

    NOBODY = ""  # not yet
    ISSUER = "issuer"
    SHOP = "shop"
    HOLDER = "holder"


# Gravest first. What is not in here (forks, doubted clocks, facts told again) puts no money at stake.
KINDS: Final = (
    (int(Flag.DOUBLE), "double"),
    (int(Flag.REVOKED), "revoked"),
    (int(Flag.CANCELLED), "cancelled"),
    (int(Flag.NOT_GRANTED), "not_granted"),
    (int(Flag.OVER_CAP), "over_cap"),
    (int(Flag.OVER_PERSON_LIMIT), "over_person_limit"),
    (int(Flag.LATE), "late"),
    (int(Flag.OUTSIDE_DATES), "outside_dates"),
    (int(Flag.UNKNOWN_CAMPAIGN), "unknown_campaign"),
)
AT_STAKE: Final = sum(flag for flag, _ in KINDS)

COLUMNS: Final = (
    "kind", "campaign", "serial", "first_epoch", "first_seq", "second_epoch", "second_seq", "found_ms", "rule",
    "charges", "charged", "amount_yen", "state", "resolved_ms",
)  # fmt: skip


class Stakes(NamedTuple):
    """What a campaign says about conflicts, worked out once for each batch."""

    rule: ConflictRule
    issuer: str
    value_yen: int  # of a use that has no discount of its own


NOTHING_KNOWN: Final = Stakes(ConflictRule.OPERATOR, "", 0)


def of(campaign: Campaign) -> Stakes:
    value_yen = campaign.amount_yen if campaign.kind is Kind.AMOUNT else campaign.value_yen
    return Stakes(campaign.conflict, campaign.provider, value_yen)


def kind_of(flags: int) -> str:
    """The gravest kind of conflict among flags of which at least one puts money at stake."""
    return next(kind for flag, kind in KINDS if flags & flag)


def row(
    kind: str,
    use: tuple[int, int],
    first: tuple[int, int],
    second: tuple[int, int],
    *,
    stake: Stakes,
    amount_yen: int,
    site: str,
    holder: int,
    now_ms: int,
) -> tuple[Any, ...]:
    """A row of `conflicts`, in the order of COLUMNS. `use` is (campaign, stored serial), facts are (epoch, number)."""
    party, name = charge(stake, site, holder)
    settled = party in (Party.ISSUER, Party.SHOP)
    state = ConflictState.SETTLED if settled else ConflictState.WAITS
    return (
        kind, *use, *first, *second, now_ms, stake.rule.value, party.value, name, amount_yen, state.value,
        now_ms if settled else None,
    )  # fmt: skip


def charge(stake: Stakes, site: str, holder: int) -> tuple[Party, str]:
    """Whom the rule charges, and by what name: the issuer's, the site's, or the holder's pseudonym."""
    if stake.rule is ConflictRule.ISSUER:
        return Party.ISSUER, stake.issuer
    if stake.rule is ConflictRule.SHOP:
        return Party.SHOP, site
    if stake.rule is ConflictRule.CLAIM and holder:
        return Party.HOLDER, pseudonym(holder)
    return Party.NOBODY, ""


def pseudonym(holder: int) -> str:
    return f"{holder:012x}"
