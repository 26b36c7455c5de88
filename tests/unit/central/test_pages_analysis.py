"""The pages of analysis (K10): each role sees its own, in both languages, with charts that read without a script."""

from __future__ import annotations

import json

import pytest

from central.analysis import rollup
from central.office import now_ms
from central.pages import chart
from central.pages.chart import Bar
from tests.unit.central.central_kit import Centre, Lane
from tests.unit.central.pages_kit import Browser, give
from tests.unit.central.test_analysis import use

TOKYO = 540
STAFF = {"ops": "/operator/analysis", "gakki": "/provider/analysis", "ginza": "/shop/analysis"}


def counted(centre: Centre) -> None:
    assert rollup.bring_up_to_date(centre.office.database, TOKYO, now_ms())


def traded(centre: Centre, lane: Lane) -> None:
    use(lane, 6, at_ms=now_ms())
    use(lane, 7, campaign=2, at_ms=now_ms())
    centre.book(lane, now_ms=now_ms())
    counted(centre)


@pytest.mark.parametrize("lang", ["ja", "en"])
@pytest.mark.parametrize("by", ["day", "hour", "coupon", "shop"])
@pytest.mark.parametrize("name", list(STAFF))
def test_K10_every_role_sees_its_figures_as_charts_and_as_a_table(
    browser: Browser, mall: Centre, lane: Lane, name: str, by: str, lang: str
) -> None:
    traded(mall, lane)
    browser.log_in_as_staff(name)
    answer = browser.get(f"{STAFF[name]}?by={by}", **{"accept-language": lang})
    if (name, by) == ("ginza", "shop"):
        assert answer.status_code == 400
        return
    assert answer.status_code == 200
    assert '<svg class="chart' in answer.text
    assert 'role="img"' in answer.text
    assert ("利用" if lang == "ja" else "Used") in answer.text
    total = {"ops": 13, "gakki": 6, "ginza": 13}[name]
    assert f">{total}</td>" in answer.text


def test_K10_a_provider_never_sees_anothers_figures_whatever_the_address_says(
    browser: Browser, mall: Centre, lane: Lane
) -> None:
    traded(mall, lane)
    browser.log_in_as_staff("record")
    for path in ("/provider/analysis?by=coupon", "/provider/analysis?by=coupon&provider=S楽器&campaign=1"):
        answer = browser.get(path)
        assert "Dレコード割引" in answer.text
        assert "S楽器100円券" not in answer.text
    taken = browser.get("/provider/analysis/file?kind=csv&by=coupon&provider=S楽器")
    assert "S楽器" not in taken.text


def test_K10_a_shop_never_sees_another_sites_figures(browser: Browser, mall: Centre, lane: Lane) -> None:
    traded(mall, lane)
    browser.log_in_as_staff("urawa")
    assert "Nothing in these days" in browser.get("/shop/analysis?by=coupon&site=ginza").text
    assert "S楽器" not in browser.get("/shop/analysis/file?kind=csv&by=coupon&site=ginza").text


def test_K10_small_groups_are_not_on_a_providers_page_nor_in_its_file(
    browser: Browser, mall: Centre, lane: Lane
) -> None:
    use(lane, 4, at_ms=now_ms())
    mall.book(lane, now_ms=now_ms())
    counted(mall)
    browser.log_in_as_staff("gakki")
    page = browser.get("/provider/analysis?by=coupon").text
    assert "fewer than 5 people" in page
    assert ">4<" not in page
    assert ": 4<" not in page
    assert "¥400" not in page
    assert browser.get("/provider/analysis/file?kind=csv&by=coupon").text.splitlines()[1] == "1,S楽器100円券,0,0,,"


def test_K10_figures_are_taken_as_files(browser: Browser, mall: Centre, lane: Lane) -> None:
    traded(mall, lane)
    browser.log_in_as_staff("ops")
    plain = browser.get("/operator/analysis/file?kind=csv&by=shop")
    assert plain.headers["content-type"].startswith("text/csv")
    assert plain.text.splitlines() == ["\ufeffshop,name,uses,discount_yen", "ginza,銀座,13,1300"]
    typed = browser.get("/operator/analysis/file?kind=parquet&by=shop")
    assert typed.content[:4] == b"PAR1"
    assert ".parquet" in typed.headers["content-disposition"]


@pytest.mark.parametrize(
    "query",
    ["by=king", "from=2026-13-01", "from=2026-01-01&to=2025-01-01", "from=1900-01-01", "to=9999999-01-01", "from=%00"],
)
def test_odd_questions_are_refused_in_words(browser: Browser, mall: Centre, query: str) -> None:
    browser.log_in_as_staff("ops")
    answer = browser.get(f"/operator/analysis?{query}")
    assert answer.status_code == 400
    assert 'data-reason="bad_form"' in answer.text
    assert browser.get("/operator/analysis/file?kind=exe").status_code == 404


def test_K10_an_operators_look_at_one_persons_way_is_written_down_and_that_person_sees_it(
    browser: Browser, mall: Centre
) -> None:
    give(mall, "BBB", 1)
    number = mall.one("SELECT id FROM persons WHERE name = 'BBB'")
    browser.log_in_as_staff("ops")
    page = browser.get(f"/operator/people/{number}/use")
    assert "S楽器100円券" in page.text
    assert "did not agree" in page.text
    assert mall.query("SELECT who, what FROM audit") == [("ops", "use_seen")]
    browser.log_in("BBB")
    assert "Looked at what they look at and use" in browser.get("/me").text


def test_K10_looks_are_kept_from_the_consent_on_and_gone_with_it(browser: Browser, mall: Centre) -> None:
    browser.log_in("BBB")
    browser.get("/offers/1")
    assert mall.one("SELECT count(*) FROM offer_views") == 0
    browser.get("/me")
    browser.post("/me/consent", {"purpose": "analysis", "agree": "yes"})
    browser.get("/offers/1")
    browser.get("/offers/1")
    assert mall.one("SELECT times FROM offer_views") == 2
    assert json.loads(browser.post("/me/export").text)["views"][0]["times"] == 2
    counted(mall)
    assert mall.one("SELECT count FROM analysis_cells WHERE what = 'view'") == 2
    browser.get("/me")
    browser.post("/me/consent", {"purpose": "analysis", "agree": "no"})
    assert mall.one("SELECT count(*) FROM offer_views") == 0
    counted(mall)
    assert mall.one("SELECT count(*) FROM analysis_cells WHERE what = 'view'") == 0
    assert mall.one("SELECT count(*) FROM analysis_people WHERE what = 'view'") == 0


def test_K10_whoever_agrees_when_registering_is_counted_and_an_erasure_takes_it_away(
    browser: Browser, mall: Centre
) -> None:
    browser.register("花子", analysis="yes")
    browser.get("/offers/1")
    assert mall.one("SELECT count(*) FROM offer_views") == 1
    browser.get("/me/erase")
    assert browser.post("/me/erase", {"sure": "yes", "old": "correct horse"}).status_code == 303
    assert mall.one("SELECT count(*) FROM offer_views") == 0


def test_a_chart_is_text_of_what_was_entered_and_never_markup() -> None:
    for draw in (chart.rows, chart.columns):
        drawn = draw([Bar('<script>"', 3, "3"), Bar("b", None, "—"), Bar("c", 0, "0")], 'a"b')
        assert "<script" not in drawn
        assert 'a"b"' not in drawn
        assert "style=" not in drawn
        assert drawn.count("<rect") == 3
    assert chart.columns([], "nothing").startswith("<svg")
