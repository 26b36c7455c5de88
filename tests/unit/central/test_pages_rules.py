"""Shops' rules (M4, M11), programmes, what is owed and the ledger's audit, on the pages of shops and operators."""

from __future__ import annotations

import pytest

from central.bank import shops
from central.ledger import audits, programmes, refunds
from central.ledger.refunds import Refund
from central.office import now_ms
from central.pages.render import Renderer
from loyalty import tax
from loyalty.campaign import DAY_MS
from loyalty.points import EarnRule, Overspending, Programme, Rate, Rounding
from tests.unit.central.central_kit import Centre, Lane
from tests.unit.central.pages_kit import Browser
from tests.unit.central.points_kit import OWN, SHARED, earned, person, programmed, spent
from wire.facts import Earned, Spent

RULE = {"programme": "1", "per_yen": "50", "points": "2", "rounding": "up"}
PROGRAMME = {
    "name": "ギフト", "shared": "yes", "transferable": "yes", "buy": "100", "sell": "80", "cash_out": "1/2",
    "days": "365", "rounding": "down", "overspending": "later", "rule_days": "3",
}  # fmt: skip


@pytest.fixture(autouse=True)
def programmes_there(mall: Centre) -> None:
    programmed(mall)


def rules(mall: Centre, site: str, programme: int = OWN) -> list[EarnRule]:
    with mall.office.database.read() as connection:
        return programmes.rules(connection, [(programme, site)]).get((programme, site), [])


def day(days: int) -> str:
    renderer = Renderer(9 * 60)
    return renderer.iso(renderer.midnight_ms(now_ms(), days))[:10]


# --- a shop -------------------------------------------------------------------------------------------------


def test_M4_a_shop_changes_its_rule_after_it_saw_in_an_example_what_it_means(browser: Browser, mall: Centre) -> None:
    browser.log_in_as_staff("ginza")
    page = browser.get("/shop/rules").text
    assert "1 point for each ¥100" in page
    assert "A purchase of ¥3,980 earns 39 points" in page
    looked = browser.post("/shop/rules", RULE)
    assert looked.status_code == 200
    assert "A purchase of ¥3,980 earns 160 points" in looked.text  # 159.2, rounded up
    assert len(rules(mall, "ginza")) == 1  # not before it is confirmed
    assert browser.post("/shop/rules", {**RULE, "sure": "yes"}).status_code == 303
    made = rules(mall, "ginza")[-1]
    assert (made.revision, made.per_yen, made.points, made.rounding) == (2, 50, 2, Rounding.UP)
    assert abs(made.from_ms - now_ms()) < 60_000
    assert rules(mall, "ginza")[0].per_yen == 100  # the one before stays, to judge by


def test_M4_a_rule_begins_on_the_day_that_was_entered_and_never_in_the_past(browser: Browser, mall: Centre) -> None:
    browser.log_in_as_staff("ginza")
    browser.get("/shop/rules")
    assert browser.post("/shop/rules", {**RULE, "from": day(10), "sure": "yes"}).status_code == 303
    assert rules(mall, "ginza")[-1].from_ms == Renderer(9 * 60).instant_ms(day(10))
    page = browser.get("/shop/rules").text
    assert "1 point for each ¥100" in page
    assert "2 points for each ¥50" in page
    for wrong in (day(-1), day(5), "2027-02-30", "x"):  # before today, before the rule that was made last, no day
        answer = browser.post("/shop/rules", {**RULE, "from": wrong, "sure": "yes"})
        assert answer.status_code == 422, wrong
        assert "It can begin today or later" in answer.text
    assert len(rules(mall, "ginza")) == 2


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("per_yen", "0", "yen are a whole number"), ("per_yen", "-1", "yen are a whole number"),
        ("points", "1.5", "points are a whole number"), ("points", "9" * 19, "points are a whole number"),
        ("points", "", "points are a whole number"), ("programme", "77", "no such programme"),
        ("programme", "", "no such programme"), ("rounding", "gold", "choose one"),
    ],
)  # fmt: skip
def test_M4_what_can_be_no_rule_is_said(browser: Browser, mall: Centre, field: str, value: str, words: str) -> None:
    browser.log_in_as_staff("ginza")
    browser.get("/shop/rules")
    answer = browser.post("/shop/rules", {**RULE, field: value, "sure": "yes"})
    assert answer.status_code == 422
    assert words in answer.text
    assert len(rules(mall, "ginza")) == 1


def test_M4_a_shop_never_sets_or_sees_a_rule_of_another_site(browser: Browser, mall: Centre) -> None:
    browser.log_in_as_staff("urawa")
    assert "1 point for each ¥100" not in browser.get("/shop/rules?site=ginza").text
    browser.post("/shop/rules?site=ginza", {**RULE, "site": "ginza", "sure": "yes"})
    assert len(rules(mall, "ginza")) == 1
    assert len(rules(mall, "urawa")) == 1


def test_B3_a_shop_sees_its_tax_flag_and_rounding(browser: Browser, mall: Centre) -> None:
    browser.log_in_as_staff("ginza")
    assert "takes no payment by bank account" in browser.get("/shop/rules").text
    with mall.office.database.write() as connection:
        shops.put(connection, "ginza", liable=True, rounding=tax.Rounding.CEILING)
    page = browser.get("/shop/rules").text
    assert "Liable" in page
    assert "<dd>Up</dd>" in page


def test_M5_a_shop_sees_its_days_points_with_refunds_and_no_other_shops(browser: Browser, mall: Centre) -> None:
    earned(mall, "BBB", 500)
    purchase, earning = spent(mall, "BBB", 120), earned(mall, "BBB", 40)
    earned(mall, "BBB", 8_888, site="urawa")
    with mall.office.database.write() as connection:
        refunds.restore(connection, Refund(b"r" * 16, purchase, 100), now_ms())
        refunds.take_back(connection, Refund(b"t" * 16, earning), now_ms())
    browser.log_in_as_staff("ginza")
    page = browser.get("/shop").text.partition("Points today")[2]
    assert [one.partition("<")[0] for one in page.split('class="amount digits">')[1:]] == ["540", "120", "100", "40"]
    assert "8,888" not in page
    assert "BBB" not in page


# --- an operator --------------------------------------------------------------------------------------------


def test_an_operator_enters_a_programme_and_its_next_revision(browser: Browser, mall: Centre) -> None:
    browser.log_in_as_staff("ops")
    browser.get("/operator/programmes")
    answer = browser.post("/operator/programmes", PROGRAMME)
    assert answer.headers["location"] == "/operator/programmes/3"
    with mall.office.database.read() as connection:
        made = programmes.get(connection, 3)
    assert made == Programme(
        id=3, name="ギフト", shared=True, transferable=True, days=365, buy=Rate(100), sell=Rate(80),
        cash_out=Rate(1, 2), overspending=Overspending.LATER, rule_days=3,
    )  # fmt: skip
    page = browser.get("/operator/programmes/3").text
    assert 'value="1/2"' in page
    changed = {**PROGRAMME, "sell": "85"}
    assert browser.post("/operator/programmes/3", changed).status_code == 303
    with mall.office.database.read() as connection:
        again = programmes.get(connection, 3)
    assert again is not None
    assert (again.revision, again.sell) == (2, Rate(85))
    assert browser.post("/operator/programmes/99", changed).status_code == 404


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", ""), ("days", "x"), ("days", "0"), ("months", "5"), ("buy", "1/0"), ("buy", "1.5"), ("sell", "9" * 12),
        ("overspending", "negative"), ("overspending", "gold"), ("rounding", ""), ("rule_days", "-1"),
    ],
)  # fmt: skip
def test_what_can_be_no_programme_is_said_beside_its_field(
    browser: Browser, mall: Centre, field: str, value: str
) -> None:
    browser.log_in_as_staff("ops")
    browser.get("/operator/programmes")
    answer = browser.post("/operator/programmes", {**PROGRAMME, field: value})
    assert answer.status_code == 422
    assert 'class="error"' in answer.text
    assert mall.one("SELECT count(*) FROM programmes") == 2


def test_a_programme_with_points_keeps_whose_they_are(browser: Browser, mall: Centre) -> None:
    earned(mall, "BBB", 5)
    browser.log_in_as_staff("ops")
    browser.get("/operator/programmes/1")
    answer = browser.post("/operator/programmes/1", {**PROGRAMME, "shared": "yes"})
    assert answer.status_code == 422
    assert "People have points already" in answer.text


def test_M4_an_operator_makes_a_shops_rule(browser: Browser, mall: Centre) -> None:
    browser.log_in_as_staff("ops")
    browser.get("/operator/programmes/1")
    assert browser.post("/operator/programmes/1/rule", {**RULE, "site": "urawa"}).status_code == 303
    assert rules(mall, "urawa")[0].per_yen == 50
    assert "浦和" in browser.get("/operator/programmes/1").text
    assert browser.post("/operator/programmes/1/rule", {**RULE, "site": "nowhere"}).status_code == 422
    assert browser.post("/operator/programmes/1/rule", {**RULE, "site": ""}).status_code == 422


def test_facts_that_waited_for_a_programme_are_booked_once_it_is_entered(
    browser: Browser, mall: Centre, lane: Lane
) -> None:
    holder = person(mall, "BBB").holder
    lane.journal(Earned(lane.stamp(now_ms()), b"e" * 16, 3, holder, 25, "ginza", 2_500, 1))
    mall.book(lane, now_ms=now_ms())
    browser.log_in_as_staff("ops")
    page = browser.get("/operator/conflicts").text
    assert "Nobody entered this programme yet" in page
    assert browser.post("/operator/programmes", PROGRAMME).status_code == 303
    assert mall.one(f"SELECT balance FROM accounts WHERE kind = 'member' AND holder = {holder}") == 25


def test_conflicts_about_points_are_listed_with_what_is_at_stake_and_settled(
    browser: Browser, mall: Centre, lane: Lane
) -> None:
    lane.journal(Spent(lane.stamp(now_ms()), b"s" * 16, OWN, person(mall, "BBB").holder, 70, "ginza"))
    mall.book(lane, now_ms=now_ms())
    browser.log_in_as_staff("ops")
    page = browser.get("/operator/conflicts").text
    for words in ("More points spent than there were", "70 points", "¥70", "店のポイント", "銀座"):
        assert words in page, words
    number = mall.one("SELECT id FROM conflicts")
    assert browser.post(f"/operator/conflicts/{number}", {"how": "shop"}).status_code == 303
    assert mall.query("SELECT state, charged FROM conflicts") == [("settled", "ginza")]


def test_M10_an_operator_sees_a_persons_points_and_the_look_is_written_down(browser: Browser, mall: Centre) -> None:
    earned(mall, "BBB", 321)
    browser.log_in_as_staff("ops")
    number = mall.one("SELECT id FROM persons WHERE name = 'BBB'")
    assert "321" in browser.get(f"/operator/people/{number}").text
    assert mall.query("SELECT what, holder FROM audit") == [("person_seen", person(mall, "BBB").holder)]


def test_an_operator_sees_what_is_owed_by_shop_and_who_is_liable_for_tax(browser: Browser, mall: Centre) -> None:
    earned(mall, "BBB", 500)
    spent(mall, "BBB", 120)
    earned(mall, "AAA", 33, site="urawa", programme=SHARED)
    with mall.office.database.write() as connection:
        shops.put(connection, "ginza", liable=True, rounding=tax.Rounding.FLOOR)
    browser.log_in_as_staff("ops")
    page = browser.get("/operator/ledger").text
    ginza = next(row for row in page.split("<tr>") if "銀座" in row)
    assert [one.partition("<")[0] for one in ginza.split('class="amount digits">')[1:]] == [
        "380",
        "500",
        "120",
        "—",
        "—",
    ]
    assert "Liable" in ginza


def test_an_operator_has_the_ledger_audited_and_what_is_wrong_is_said_and_kept(browser: Browser, mall: Centre) -> None:
    earned(mall, "BBB", 500)
    browser.log_in_as_staff("ops")
    assert "Nobody has had it audited yet" in browser.get("/operator/ledger").text
    assert browser.post("/operator/ledger/audit").status_code == 303
    assert "The books are right" in browser.get("/operator/ledger").text
    with mall.office.database.write() as connection:
        connection.exec_driver_sql("UPDATE accounts SET balance = balance + 1 WHERE kind = 'member'")
    browser.post("/operator/ledger/audit")
    page = browser.get("/operator/ledger").text
    assert 'data-findings="2"' in page  # the balance, and the points in its lots
    assert "balance 501, should be 500" in page
    assert mall.one("SELECT count(*) FROM ledger_audits") == 2


def test_a_ledger_that_is_too_large_for_a_page_is_audited_by_command(
    browser: Browser, mall: Centre, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("central.ledger.audits.POSTINGS_ON_A_PAGE_MAX", 1)
    earned(mall, "BBB", 500)
    browser.log_in_as_staff("ops")
    browser.get("/operator/ledger")
    answer = browser.post("/operator/ledger/audit")
    assert answer.status_code == 409
    assert "tokuten ledger audit" in answer.text
    assert mall.one("SELECT count(*) FROM ledger_audits") == 0


def test_what_a_large_ledger_owes_is_told_as_of_its_last_audit(
    browser: Browser, mall: Centre, monkeypatch: pytest.MonkeyPatch
) -> None:
    earned(mall, "BBB", 500)
    audits.run(mall.office.database, now_ms())
    monkeypatch.setattr(audits, "POSTINGS_ON_A_PAGE_MAX", 1)
    earned(mall, "BBB", 4_000)
    browser.log_in_as_staff("ops")
    page = browser.get("/operator/ledger").text
    assert "As of the audit of" in page
    assert ">500<" in page
    assert "4,500" not in page


def test_a_rule_is_not_changed_without_end(mall: Centre, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(programmes, "REVISIONS_MAX", 2)
    later = EarnRule(programme=OWN, site="ginza", per_yen=100, from_ms=now_ms() + DAY_MS)
    with mall.office.database.write() as connection:
        programmes.set_rule(connection, later, now_ms())
        with pytest.raises(programmes.ProgrammeError):
            programmes.set_rule(connection, later, now_ms())
