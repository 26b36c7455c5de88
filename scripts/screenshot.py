"""docs/images/kiosk.png: the kiosk page with a yes on the display, from the real demo in a real Chromium.

`python -m scripts.screenshot [FILE]`; needs Chromium on the PATH. Takes about half a minute.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Page, ViewportSize, expect

from tests.browser.running import Demo, chromium

ROOT = Path(__file__).resolve().parent.parent
TARGET = ROOT / "docs" / "images" / "kiosk.png"
SIZE = ViewportSize(width=1280, height=804)


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
    target.parent.mkdir(parents=True, exist_ok=True)
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


def main(target: Path) -> None:
    with tempfile.TemporaryDirectory() as folder, chromium() as browser:
        demo = Demo(Path(folder) / "demo")
        try:
            address = demo.wait()
            page = browser.new_context(viewport=SIZE, device_scale_factor=1, locale="ja-JP").new_page()
            page.goto(address)
            page.wait_for_selector("#oled[data-drawn]")
            take(page, target)
        finally:
            demo.stop()
    print(f"{target}: {target.stat().st_size // 1024} KiB")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else TARGET)
