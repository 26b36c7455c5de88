"""The pictures of the README, from the real demo in a real Chromium: kiosk, till and a person's points.

`python -m scripts.screenshot [FOLDER]`; needs Chromium on the PATH. Takes about half a minute.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Page, ViewportSize, expect

from tests.browser.running import Demo, chromium

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "docs" / "images"
NAMES = ("kiosk.png", "till.png", "points.png")
SIZE = ViewportSize(width=1280, height=824)
PANE = ViewportSize(width=800, height=640)


def take(page: Page, target: Path) -> None:
    """BBB lets a few things be seen, then holds up a coupon that counts."""
    page.click("[data-person=BBB]")
    page.click(".who button[type=submit]")
    show(page, "8", "ok", leave=True)
    page.click(".back")
    page.click("[data-offer='1']")
    expect(page.locator("#hold")).to_be_visible()
    page.locator("#sliders input[name=rotate_deg]").fill("-6")
    page.locator("#sliders input[name=tilt_y_deg]").fill("14")
    scan = show(page, "", "ok")
    expect(page.locator(f"#log [data-scan='{scan}'] [data-step=booked]")).to_be_visible()
    page.mouse.move(1270, 790)
    page.wait_for_timeout(400)  # until what is animated stands still
    page.screenshot(path=target)


def show(page: Page, campaign: str, reason: str, *, leave: bool = False) -> str:
    """Hold up a coupon (the open one, where no campaign is named); the scan's id."""
    if campaign:
        page.click(f".ticket[data-campaign='{campaign}']")
    first = page.locator("#log [data-scan]").first
    before = first.get_attribute("data-scan") if first.count() else ""
    page.click("#hold")
    if before:
        expect(first).not_to_have_attribute("data-scan", before, timeout=15_000)
    expect(first).to_have_attribute("data-reason", reason, timeout=15_000)
    if leave:
        page.click("#take-away")
    return first.get_attribute("data-scan") or ""


def at_the_till(page: Page, target: Path) -> None:
    """The cashier's page in the middle of a sale, with BBB's card in the slot and a coupon that was held up."""
    page.click("#take-away")
    page.click("[data-mode=lane]")
    expect(page.locator("#till")).to_be_visible(timeout=20_000)
    with page.context.expect_page() as coming:
        page.click("#till")
    till = coming.value
    till.set_viewport_size(PANE)
    for yen, rate in (("3980", "1000"), ("1280", "800")):
        till.fill("#yen", yen)
        till.select_option("#rate", rate)
        till.press("#yen", "Enter")
        expect(till.locator("#yen")).to_have_value("")
    page.bring_to_front()
    page.click("[data-card=BBB]")
    page.click(".back")
    page.click(".ticket.unused[data-campaign='12']")
    show(page, "", "reserved")
    till.bring_to_front()
    expect(till.locator("#coupons li")).to_be_visible(timeout=15_000)
    expect(till.locator("#points")).to_be_visible(timeout=15_000)
    till.screenshot(path=target)


def points(page: Page, centre: str, target: Path) -> None:
    """BBB's own page of points."""
    page.set_viewport_size(PANE)
    page.goto(f"{centre}/login")
    page.locator("[name=name]").fill("BBB")
    page.locator("[name=password]").fill("bbb-demo")
    page.locator("main form button").first.click()
    page.wait_for_url("**/coupons")
    page.goto(f"{centre}/points")
    page.screenshot(path=target)


def main(folder: Path) -> None:
    targets = [folder / name for name in NAMES]
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as home, chromium() as browser:
        demo = Demo(Path(home) / "demo")
        try:
            address = demo.wait()
            context = browser.new_context(viewport=SIZE, device_scale_factor=1, locale="ja-JP")
            page = context.new_page()
            page.goto(address)
            page.wait_for_selector("#oled[data-drawn]")
            take(page, targets[0])
            at_the_till(page, targets[1])
            centre = (page.locator("#addresses a").get_attribute("href") or "").rstrip("/")
            points(context.new_page(), centre, targets[2])
        finally:
            demo.stop()
    for target in targets:
        print(f"{target}: {target.stat().st_size // 1024} KiB")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER)
