"""The demo's story as a visitor clicks it: a card of one's own, pages of the kiosk, and a sale with coupon and points.

Real demo processes and Chromium. The unit gets nothing but what its camera sees, cards in its slot and its buttons; the
QR on its display is read from its pixels, and leads to the centre's own pages.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, TimeoutError, expect

from tests.browser.running import Demo, chromium

pytestmark = pytest.mark.timeout(240)

ANSWER_MS: Final = 20_000
LOOK_MS: Final = 800
PAGES_MAX: Final = 12
LEFT, RIGHT = 0, 1
COFFEE, R_DINER = 13, 8


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as one:
        yield one


@pytest.fixture(scope="module")
def demo(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    one = Demo(tmp_path_factory.mktemp("story") / "var")
    one.wait()
    yield one
    one.stop()


@pytest.fixture
def context(browser: Browser, demo: Demo) -> Iterator[BrowserContext]:
    one = browser.new_context(viewport={"width": 1280, "height": 900}, locale="en-GB")
    one.set_default_timeout(ANSWER_MS)
    yield one
    one.close()


@pytest.fixture
def page(context: BrowserContext, demo: Demo) -> Page:
    one = context.new_page()
    one.goto(demo.wait())
    expect(one.locator("#oled")).to_have_attribute("data-drawn", "true")
    return one


def opened(page: Page, link: str) -> Page:
    """What a link of the page opens."""
    expect(page.locator(link)).to_be_visible(timeout=ANSWER_MS)
    with page.context.expect_page() as coming:
        page.click(link)
    return coming.value


def press(page: Page, button: int) -> None:
    page.click(f"[data-button='{button}']")


def turned_to_a_coupon(page: Page) -> bool:
    """The next page, and whether the second button offers what is on it."""
    press(page, LEFT)
    press(page, RIGHT)  # does nothing on pages of points
    try:
        page.wait_for_selector("#qr", timeout=LOOK_MS)
    except TimeoutError:
        return False
    return True


def test_M1_an_empty_card_becomes_somebodys_by_the_qr_on_the_display(page: Page) -> None:
    page.click("#cards [data-kind=empty]")
    phone = opened(page, "#qr")
    new = phone.locator("form", has=phone.get_by_role("button", name="Register and make the card"))
    new.locator("[name=name]").fill("Dora")
    new.locator("[name=password]").fill("correct horse")
    new.locator("[name=again]").fill("correct horse")
    new.locator("[name=service]").check()
    new.get_by_role("button").click()
    expect(phone.locator("#card")).to_contain_text(re.compile(r"[0-9]{4} [0-9]{3} [0-9]{3}"))
    page.bring_to_front()
    expect(page.locator("#cards [data-kind=new]")).to_have_count(1, timeout=ANSWER_MS)  # it was written
    expect(page.locator("#cards [data-kind=empty]")).to_have_count(1)  # and there is another empty one
    expect(page.locator("#qr")).to_be_hidden()
    page.click("#cards [data-kind=new]")


def test_M6_M12_a_member_turns_the_pages_and_takes_a_coupon_with_two_buttons(page: Page) -> None:
    page.click("[data-card=AAA]")
    expect(page.locator("#slot")).to_have_class("slot in")
    assert any(turned_to_a_coupon(page) for _ in range(PAGES_MAX)), "the kiosk offers no coupon"
    expect(page.locator("#qr")).to_have_attribute("href", re.compile(f"/offers/{COFFEE}$"))
    press(page, RIGHT)
    expect(page.locator("#kiosk")).to_have_attribute("data-light", "green")
    page.click("[data-card=AAA]")
    page.click("[data-person=AAA]")
    page.click(".who button[type=submit]")
    expect(page.locator(f".ticket[data-campaign='{COFFEE}']")).to_be_visible()


def test_K5_M3_M11_at_a_lane_the_till_takes_coupon_and_points_and_the_shop_sees_it(page: Page) -> None:
    page.click("[data-mode=lane]")
    till = opened(page, "#till")
    till.fill("#yen", "1640")
    till.press("#yen", "Enter")
    expect(till.locator("#amount")).to_have_text(re.compile("1,640"))
    page.bring_to_front()
    page.click("[data-card=BBB]")
    page.click("[data-person=BBB]")
    page.click(".who button[type=submit]")
    page.click(f".ticket[data-campaign='{R_DINER}']")
    page.click("#hold")
    expect(page.locator("#log [data-scan]").first).to_have_attribute("data-reason", "reserved")
    till.bring_to_front()
    expect(till.locator("#amount")).to_have_text(re.compile("1,312"))
    till.fill("#points", "50")
    till.press("#cash", "Enter")
    expect(till.locator("#receipt-sums")).to_contain_text("1,262")
    page.bring_to_front()
    page.click("#take-away")
    page.click("[data-card=BBB]")
    expect(page.locator(".state-tag")).to_have_text("used")
    centre = page.context.new_page()
    centre.goto(page.locator("#addresses a").get_attribute("href") + "staff")  # type: ignore[operator]
    centre.get_by_label("Name").fill("ginza")
    centre.get_by_label("Password").fill("staff-demo")
    centre.get_by_role("main").get_by_role("button", name="Log in").click()
    expect(centre.get_by_role("row", name="Rレストラン割引")).to_contain_text("328")
    page.bring_to_front()
    page.click("[data-mode=kiosk]")
    expect(page.locator("#push-buttons")).to_be_visible()
