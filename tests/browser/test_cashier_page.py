"""The cashier's page in a real Chromium: a whole sale by keyboard, in both languages, on a phone and on a tablet."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from hal.events import Scanned
from loyalty.card import Balance
from tests.browser.running import chromium
from tests.unit.edge_agent.agent_world import SIGNED, code
from tests.unit.edge_agent.test_agent_cards import member_card
from tests.unit.till.till_rig import HER, PROGRAMME, TillRig
from wire.facts import Redeemed, Reversed, Spent, decode_fact

TOKEN = "a token that nobody guesses"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as opened:
        yield opened


@pytest.fixture
def lane(tmp_path: Path) -> Iterator[TillRig]:
    rig = TillRig(tmp_path / "unit")
    yield rig
    rig.close()


@pytest.fixture(params=[(360, 740), (1024, 768)], ids=["phone", "tablet"])
def page(request: pytest.FixtureRequest, browser: Browser, lane: TillRig) -> Iterator[Page]:
    width, height = request.param
    opened = browser.new_page(viewport={"width": width, "height": height})
    faults: list[str] = []
    opened.on("pageerror", lambda error: faults.append(str(error)))
    opened.goto(f"http://127.0.0.1:{lane.port}/")
    yield opened
    assert faults == []
    assert opened.evaluate("document.documentElement.scrollWidth") <= width, "nothing to scroll sideways"
    opened.close()


def type_line(page: Page, yen: int, quantity: int = 1) -> None:
    page.fill("#yen", str(yen))
    page.fill("#quantity", str(quantity))
    page.press("#yen", "Enter")


def test_K5_M4_M11_a_sale_with_a_coupon_from_the_camera_and_points_by_keyboard(page: Page, lane: TillRig) -> None:
    expect(page.locator("h1")).to_have_text("レジ")
    type_line(page, 550, 2)
    expect(page.locator("#amount")).to_have_text("1,100円")
    expect(page.locator("#yen")).to_be_focused()
    type_line(page, 540)
    expect(page.locator("#amount")).to_have_text("1,640円")
    lane.agent.inbox.put(Scanned(text=code(SIGNED, serial=7), format="qr"))
    expect(page.locator("#coupons li")).to_contain_text(SIGNED.name)
    expect(page.locator("#amount")).to_have_text("640円")
    lane.world.insert_card(member_card(HER, 1, Balance(PROGRAMME, 300)))
    expect(page.locator("#member-says")).to_contain_text("300")
    page.fill("#points", "140")
    page.press("#cash", "Enter")
    expect(page.locator("#receipt-h")).to_be_focused()
    expect(page.locator("#receipt-sums")).to_contain_text("500円")
    facts = lane.facts(decode_fact)
    assert [fact.serial for fact in facts if isinstance(fact, Redeemed)] == [7]
    assert [fact.points for fact in facts if isinstance(fact, Spent)] == [140]
    page.press("#next", "Enter")
    expect(page.locator("#amount")).to_have_text("0円")


def test_a_coupon_that_is_typed_and_does_not_count_says_why_in_both_languages(page: Page, lane: TillRig) -> None:
    page.click("#lang")
    expect(page.locator("h1")).to_have_text("Cashier")
    type_line(page, 500)
    expect(page.locator("#amount")).to_have_text("¥500")
    page.fill("#text", "hello")
    page.press("#text", "Enter")
    expect(page.locator("#said")).to_contain_text("Not a coupon")
    page.click("#lang")
    expect(page.locator("#said")).to_contain_text("対象外のコードです")


def test_a_reload_goes_on_with_the_sale_and_a_payment_is_made_once(page: Page, lane: TillRig) -> None:
    type_line(page, 1_640)
    page.fill("#text", code(SIGNED, serial=7).decode())
    page.press("#text", "Enter")
    expect(page.locator("#amount")).to_have_text("640円")
    page.reload()
    expect(page.locator("#amount")).to_have_text("640円")
    page.click("#cash")
    expect(page.locator("#receipt")).to_be_visible()
    page.reload()
    expect(page.locator("#receipt")).to_be_visible()
    page.once("dialog", lambda dialog: dialog.accept())
    page.click("#void")
    expect(page.locator("#taken-back")).to_be_visible()
    facts = lane.facts(decode_fact)
    assert len([fact for fact in facts if isinstance(fact, Redeemed)]) == 1
    assert [fact.kind for fact in facts if isinstance(fact, Reversed)] == ["void"]


def test_a_line_is_taken_out_and_the_sale_is_given_up(page: Page, lane: TillRig) -> None:
    type_line(page, 500)
    type_line(page, 300)
    expect(page.locator("#amount")).to_have_text("800円")
    page.click("#lines li:first-child button")
    expect(page.locator("#amount")).to_have_text("300円")
    page.click("#cancel")
    expect(page.locator("#no-lines")).to_be_visible()
    assert lane.http.get("/v1/lane").json()["sale"] is None


def test_a_lane_with_a_token_asks_the_cashier_for_it(browser: Browser, tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text(TOKEN + "\n")
    rig = TillRig(tmp_path / "unit", token_file=str(file))
    page = browser.new_page()
    try:
        page.goto(f"http://127.0.0.1:{rig.port}/")
        expect(page.locator("#till")).to_be_hidden()
        page.fill("#token-text", TOKEN)
        page.press("#token-text", "Enter")
        type_line(page, 500)
        expect(page.locator("#amount")).to_have_text("500円")
    finally:
        page.close()
        rig.close()
