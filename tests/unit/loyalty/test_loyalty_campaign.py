"""What can be issued (K1), what can not and why, and how it is named to the shopper."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from loyalty.campaign import (
    CAMPAIGN_ID_MAX,
    COUNT_MAX,
    DAYS_MAX,
    NAME_CHARS_MAX,
    NUMBER_MAX,
    PER_PERSON_MAX,
    SHOP_ID,
    SHOPS_MAX,
    TIME_MS_MAX,
    YEN_MAX,
    Campaign,
    Kind,
    Lang,
    Policy,
    benefit,
    problems,
)
from wire.topics import ID_PATTERN

AMOUNT = Campaign(
    id=1, name="S楽器 1000円券", kind=Kind.AMOUNT, policy=Policy.SIGNED, provider="S楽器", amount_yen=1000
)
PERCENT = msgspec.structs.replace(AMOUNT, kind=Kind.PERCENT, amount_yen=0, percent=10)
GIFT = msgspec.structs.replace(AMOUNT, kind=Kind.GIFT, amount_yen=0, gift="石けん")
TICKET = msgspec.structs.replace(AMOUNT, kind=Kind.TICKET, amount_yen=0, gift="航空34便", strong_auth=True)
OPEN = msgspec.structs.replace(AMOUNT, policy=Policy.OPEN, serials=False)
JAN = msgspec.structs.replace(OPEN, jan="4901234567894")
ONLINE = msgspec.structs.replace(AMOUNT, policy=Policy.ONLINE)
HOME = msgspec.structs.replace(AMOUNT, policy=Policy.HOME)
LEASE = msgspec.structs.replace(AMOUNT, policy=Policy.LEASE, cap=100)


def changed(campaign: Campaign, **changes: Any) -> Campaign:
    return msgspec.structs.replace(campaign, **changes)


GOOD: dict[str, Campaign] = {
    # figure 2 of the document
    "D record discount": changed(PERCENT, stock=30, download_ends_ms=961_254_000_000, first_number=91821),
    "F store present": changed(GIFT, policy=Policy.OPEN, serials=False),
    "S music 1000 yen": changed(AMOUNT, stock=28, download_ends_ms=964_882_800_000, first_number=98345),
    "V bar discount": changed(OPEN, download_ends_ms=963_241_200_000),
    "a name with a full-width space": changed(AMOUNT, name="S楽器　1000円券"),
    "a flight": TICKET,
    "a leaflet's JAN-13": JAN,
    "a leaflet's JAN-8": changed(JAN, jan="49123456"),
    "capped online": changed(ONLINE, cap=1),
    "capped lease": LEASE,
    "a leased budget": changed(LEASE, cap=None, budget_yen=100_000),
    "a budget for what is asked": changed(ONLINE, budget_yen=100_000),
    "ten rides for each holder, no serials": changed(TICKET, serials=False, per_person=10),
    "one for each person": changed(AMOUNT, per_person=1),
    "all of it off": changed(PERCENT, percent=100),
    "the smallest of everything": changed(
        ONLINE, amount_yen=1, starts_ms=0, ends_ms=1, download_ends_ms=1, days_after_download=1,
        stock=1, cap=1, per_person=1, first_number=1, name="a", provider="a",
    ),
    "the largest of everything": changed(
        ONLINE, id=CAMPAIGN_ID_MAX, revision=2**32 - 1, amount_yen=YEN_MAX, min_spend_yen=YEN_MAX,
        ends_ms=TIME_MS_MAX, starts_ms=TIME_MS_MAX - 1, download_ends_ms=TIME_MS_MAX, days_after_download=DAYS_MAX,
        stock=COUNT_MAX, cap=COUNT_MAX, per_person=PER_PERSON_MAX, first_number=NUMBER_MAX - COUNT_MAX + 1,
        name="券" * NAME_CHARS_MAX, provider="店" * NAME_CHARS_MAX,
        shops=tuple(f"shop-{n}" for n in range(SHOPS_MAX)),
    ),
}  # fmt: skip


@pytest.mark.parametrize("which", GOOD)
def test_K1_a_campaign_that_makes_sense_has_no_problems(which: str) -> None:
    assert problems(GOOD[which]) == []


BAD: list[tuple[str, Campaign]] = [
    ("id", changed(AMOUNT, id=0)),
    ("id", changed(AMOUNT, id=CAMPAIGN_ID_MAX + 1)),
    ("revision", changed(AMOUNT, revision=0)),
    ("name", changed(AMOUNT, name="")),
    ("name", changed(AMOUNT, name="券" * (NAME_CHARS_MAX + 1))),
    ("name", changed(AMOUNT, name="two\nlines")),
    ("name", changed(AMOUNT, name=" ")),
    ("name", changed(AMOUNT, name="S楽器　　1000円券")),
    ("name", changed(AMOUNT, name="right\u202eleft")),
    ("name", changed(AMOUNT, name="か\u3099")),  # not composed
    ("provider", changed(AMOUNT, provider="")),
    ("amount_yen", changed(AMOUNT, amount_yen=0)),
    ("amount_yen", changed(AMOUNT, amount_yen=-1)),
    ("amount_yen", changed(AMOUNT, amount_yen=YEN_MAX + 1)),
    ("amount_yen", changed(PERCENT, amount_yen=1)),
    ("amount_yen", changed(GIFT, amount_yen=1)),
    ("percent", changed(PERCENT, percent=0)),
    ("percent", changed(PERCENT, percent=101)),
    ("percent", changed(AMOUNT, percent=1)),
    ("percent", changed(TICKET, percent=1)),
    ("gift", changed(GIFT, gift="")),
    ("gift", changed(TICKET, gift="")),
    ("gift", changed(AMOUNT, gift="石けん")),
    ("min_spend_yen", changed(AMOUNT, min_spend_yen=-1)),
    ("min_spend_yen", changed(AMOUNT, min_spend_yen=YEN_MAX + 1)),
    ("starts_ms", changed(AMOUNT, starts_ms=-1)),
    ("ends_ms", changed(AMOUNT, ends_ms=TIME_MS_MAX + 1)),
    ("ends_ms", changed(AMOUNT, starts_ms=1000, ends_ms=1000)),
    ("ends_ms", changed(AMOUNT, starts_ms=1001, ends_ms=1000)),
    ("download_ends_ms", changed(AMOUNT, download_ends_ms=0)),
    ("download_ends_ms", changed(AMOUNT, ends_ms=1000, download_ends_ms=1001)),
    ("days_after_download", changed(AMOUNT, days_after_download=0)),
    ("days_after_download", changed(AMOUNT, days_after_download=DAYS_MAX + 1)),
    ("days_after_download", changed(JAN, days_after_download=7)),
    ("stock", changed(AMOUNT, stock=0)),
    ("stock", changed(AMOUNT, stock=COUNT_MAX + 1)),
    ("cap", changed(ONLINE, cap=0)),
    ("cap", changed(AMOUNT, cap=10)),
    ("cap", changed(OPEN, cap=10)),
    ("cap", changed(HOME, cap=10)),
    ("budget_yen", changed(AMOUNT, budget_yen=100_000)),
    ("budget_yen", changed(LEASE, budget_yen=0)),
    ("budget_yen", changed(ONLINE, budget_yen=1)),
    ("budget_yen", changed(TICKET, policy=Policy.ONLINE, budget_yen=1_000)),
    ("cap", changed(LEASE, cap=None)),
    ("per_person", changed(AMOUNT, per_person=0)),
    ("per_person", changed(AMOUNT, per_person=PER_PERSON_MAX + 1)),
    ("per_person", changed(OPEN, per_person=1)),
    ("first_number", changed(AMOUNT, first_number=0)),
    ("first_number", changed(AMOUNT, first_number=NUMBER_MAX + 1)),
    ("first_number", changed(AMOUNT, first_number=NUMBER_MAX, stock=2)),
    ("first_number", changed(OPEN, first_number=1)),
    ("serials", changed(AMOUNT, policy=Policy.OPEN)),
    ("serials", changed(HOME, serials=False)),
    ("strong_auth", changed(OPEN, strong_auth=True)),
    ("policy", changed(AMOUNT, serials=False)),
    ("jan", changed(JAN, jan="4901234567890")),
    ("jan", changed(JAN, jan="490123456789")),
    ("jan", changed(JAN, jan="490123456789x")),
    ("jan", changed(JAN, jan="４９１２３４５６")),
    ("jan", changed(AMOUNT, jan="4901234567894", serials=False, per_person=1)),
    ("shops", changed(AMOUNT, shops=("Ginza",))),
    ("shops", changed(AMOUNT, shops=("ginza!",))),
    ("shops", changed(AMOUNT, shops=("",))),
    ("shops", changed(AMOUNT, shops=("ginza", "ginza"))),
    ("shops", changed(AMOUNT, shops=tuple(f"shop-{n}" for n in range(SHOPS_MAX + 1)))),
]


@pytest.mark.parametrize(("field", "campaign"), BAD, ids=[f"{n}-{field}" for n, (field, _) in enumerate(BAD)])
def test_K1_a_campaign_that_is_impossible_has_exactly_one_problem_and_it_names_the_field(
    field: str, campaign: Campaign
) -> None:
    (problem,) = problems(campaign)
    assert problem.startswith(f"{field}: ")
    assert problem.endswith(".")
    assert len(problem) < 200


def test_all_problems_are_told_at_once() -> None:
    fields = {
        problem.split(":")[0]
        for problem in problems(changed(JAN, id=0, name="", amount_yen=0, serials=True, cap=0, shops=("!",)))
    }
    assert fields == {"id", "name", "amount_yen", "serials", "cap", "jan", "shops"}


def test_a_shop_is_named_by_the_rule_for_sites_on_the_wire() -> None:
    assert SHOP_ID.pattern == ID_PATTERN.pattern


@pytest.mark.parametrize(
    ("campaign", "lang", "words"),
    [
        (changed(AMOUNT, amount_yen=100), "ja", "100円引き"),
        (changed(AMOUNT, amount_yen=100), "en", "100 yen off"),
        (changed(AMOUNT, amount_yen=12345), "ja", "12,345円引き"),
        (PERCENT, "ja", "10%引き"),
        (PERCENT, "en", "10% off"),
        (GIFT, "ja", "石けんプレゼント"),
        (GIFT, "en", "Gift: 石けん"),
        (TICKET, "ja", "航空34便"),
        (TICKET, "en", "Ticket: 航空34便"),
        (changed(GIFT, gift="{amount}"), "en", "Gift: {amount}"),
    ],
)
def test_K4_the_benefit_is_said_in_a_few_words(campaign: Campaign, lang: Lang, words: str) -> None:
    assert benefit(campaign, lang) == words


def test_a_campaign_survives_the_way_to_a_cache() -> None:
    for campaign in GOOD.values():
        assert msgspec.msgpack.decode(msgspec.msgpack.encode(campaign), type=Campaign) == campaign


@pytest.mark.parametrize(
    ("terms", "field"),
    [
        ({"value_yen": 100}, "value_yen"),
        ({"value_yen": -1, "kind": Kind.GIFT, "amount_yen": 0, "gift": "傘"}, "value_yen"),
        ({"exposure_limit": -1}, "exposure_limit"),
        ({"exposure_limit_yen": -1}, "exposure_limit_yen"),
        ({"exposure_limit": 1, "policy": Policy.ONLINE}, "exposure_limit"),
        ({"exposure_limit_yen": 1, "policy": Policy.OPEN, "serials": False}, "exposure_limit_yen"),
    ],
)
def test_K1_who_pays_and_how_much_is_borne_must_make_sense(terms: dict[str, Any], field: str) -> None:
    plain = {"id": 1, "name": "x", "kind": Kind.AMOUNT, "policy": Policy.SIGNED, "provider": "p", "amount_yen": 1}
    (found,) = problems(Campaign(**{**plain, **terms}))
    assert found.startswith(f"{field}: ")


def test_K1_a_gift_has_a_value_and_a_signed_coupon_an_exposure() -> None:
    gift = Campaign(
        id=1, name="x", kind=Kind.GIFT, policy=Policy.SIGNED, provider="p", gift="傘", value_yen=500, exposure_limit=0,
        exposure_limit_yen=5_000,
    )  # fmt: skip
    assert problems(gift) == []
