"""The kiosk page as a person uses it: real demo processes, real Chromium, real barcodes through the lens.

Nothing is told to the unit: what it answers is read from the log, the display's pixels and the centre's
bookings on the page.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import httpx
import pytest
import segno
from PIL import Image
from playwright.sync_api import Browser, Page, expect

from hal.decode.accept import GONE_MS
from tests.browser.running import Demo, chromium
from tests.servers import wait_until

pytestmark = pytest.mark.timeout(240)

ANSWER_MS: Final = 15_000
BOOKED_MS: Final = 30_000  # after a mended network the unit waits out its back-off
D_RECORD, S_MUSIC, V_BAR, LEAFLET, T_AIR, R_DINER = 1, 3, 4, 5, 6, 8
BAR_ROWS: Final = 12  # the display's status bar
ICON_COLUMNS: Final = range(104, 128)  # where it shows the link


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as one:
        yield one


@pytest.fixture(scope="module")
def demo(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    one = Demo(tmp_path_factory.mktemp("page") / "var")
    yield one
    one.stop()


@pytest.fixture(scope="module")
def address(demo: Demo) -> str:
    return demo.wait()


@pytest.fixture
def complaints() -> list[str]:
    """What the browser's console said, beside its chatter."""
    return []


@pytest.fixture
def page(browser: Browser, address: str, complaints: list[str]) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1280, "height": 800}, locale="en-GB", permissions=["camera"])
    one = context.new_page()
    one.set_default_timeout(ANSWER_MS)
    one.on("console", lambda said: complaints.append(said.text) if said.type in ("error", "warning") else None)
    one.on("pageerror", lambda error: complaints.append(str(error)))
    one.goto(address)
    expect(one.locator("#health [data-process=unit]")).to_have_attribute("data-state", "up")
    expect(one.locator("#oled")).to_have_attribute("data-drawn", "true")
    yield one
    context.close()
    set_right(address)
    assert complaints == []


def set_right(address: str) -> None:
    """The world as it was, whatever the test did to it, or failed to undo."""
    for path, body in (
        ("network", {"cut": False}),
        ("disk", {"full": False}),
        ("camera", {"on": True}),
        ("clock", {"name": "clock_right"}),
        ("card", {"name": ""}),
        ("process/broker", {"run": True}),
        ("process/central", {"run": True}),
        ("power", {"on": True}),
    ):
        httpx.post(f"{address}api/world/{path}", json=body, timeout=60, trust_env=False).raise_for_status()
    httpx.delete(f"{address}api/world/picture", trust_env=False).raise_for_status()


def log_in(page: Page, name: str) -> None:
    if page.locator("#switch-person").is_visible():
        page.click("#switch-person")
    page.click(f"[data-person={name}]")
    page.click(".who button[type=submit]")
    expect(page.locator(".app-bar b")).to_have_text(name)


def open_coupon(page: Page, campaign: int, state: str = "") -> None:
    page.locator(f".ticket{'.' + state if state else ''}[data-campaign='{campaign}']").first.click()
    expect(page.locator("#hold")).to_be_visible()


def get_coupon(page: Page, campaign: int) -> None:
    page.click(f"[data-offer='{campaign}']")
    expect(page.locator("#hold")).to_be_visible()


def scans(page: Page) -> int:
    return page.locator("#log [data-scan]").count()


def hold_up(page: Page, reason: str) -> str:
    """Hold the open coupon up until the unit answers `reason`; the scan's id."""
    before = newest(page)
    page.click("#hold")
    return answered(page, before, reason)


def newest(page: Page) -> str:
    first = page.locator("#log [data-scan]")
    return first.first.get_attribute("data-scan") or "" if first.count() else ""


def answered(page: Page, before: str, reason: str) -> str:
    fresh = page.locator("#log [data-scan]").first  # the newest stands on top
    if before:
        expect(fresh).not_to_have_attribute("data-scan", before, timeout=ANSWER_MS)
    expect(fresh).to_have_attribute("data-reason", reason, timeout=ANSWER_MS)
    return fresh.get_attribute("data-scan") or ""


def take_away(page: Page) -> None:
    """Away from the camera, until the display is ready for the next one and this one would be a new scan."""
    page.click("#take-away")
    page.wait_for_timeout(GONE_MS + 500)  # nothing tells when the unit has forgotten it; a person waits too
    wait_until(lambda: bar_lit(page), 15, "the display to be ready again")
    page.click(".back")


def booked(page: Page, scan: str) -> None:
    expect(page.locator(f"#log [data-scan='{scan}'] [data-step=booked]")).to_be_visible(timeout=BOOKED_MS)


def row(page: Page, number: int) -> str:
    """The centre's booking of a coupon's number, on the page."""
    line = page.locator("#booked tbody tr", has_text=str(number))
    expect(line).to_have_count(1, timeout=BOOKED_MS)
    return line.inner_text()


def display(page: Page) -> list[list[bool]]:
    """The display's 128x64 pixels, as the page draws them."""
    picture = page.evaluate("document.getElementById('oled').toDataURL('image/png')")
    canvas = Image.open(io.BytesIO(base64.b64decode(picture.partition(",")[2]))).convert("L")
    return [[canvas.getpixel((x * 6 + 3, y * 6 + 3)) > 150 for x in range(128)] for y in range(64)]  # type: ignore[operator]


def lit_share(page: Page) -> float:
    return sum(map(sum, display(page))) / (128 * 64)


def bar_lit(page: Page) -> bool:
    """The line under the status bar stands on the ready screen alone, and most of the display is dark."""
    return lit_share(page) < 0.5 and any(display(page)[row][0] and display(page)[row][4] for row in (10, 11, 12))


def link_icon(page: Page) -> list[list[bool]]:
    rows = display(page)[:BAR_ROWS]
    return [[line[x] for x in ICON_COLUMNS] for line in rows]


def test_K5_K6_a_coupon_is_accepted_once_shown_and_booked_and_then_refused_as_used(page: Page) -> None:
    log_in(page, "AAA")
    open_coupon(page, D_RECORD)
    scan = hold_up(page, "ok")
    wait_until(lambda: lit_share(page) > 0.5, 5, "the yes, which lights the whole display")
    assert page.locator("#kiosk").get_attribute("data-light") == "green"
    for step in ("seen", "decoded", "decided", "on_disk", "shown", "sent"):
        expect(page.locator(f"#log [data-scan='{scan}'] [data-step={step}]")).to_be_visible()
    booked(page, scan)
    assert "銀座" in row(page, 91819)
    expect(page.locator(".coupon .state-tag")).to_have_class("state-tag used")  # K7: the phone's own history
    take_away(page)
    open_coupon(page, D_RECORD)
    hold_up(page, "used")
    wait_until(lambda: lit_share(page) < 0.5, 5, "the no")
    row(page, 91819)


def test_power_is_cut_and_on_again_and_nothing_is_lost(page: Page) -> None:
    log_in(page, "CCC")
    open_coupon(page, D_RECORD)
    page.click("#toggle-network")  # so that it can't have been booked before the cut
    scan = hold_up(page, "ok")
    page.click("#toggle-power")
    expect(page.locator("#health [data-process=unit]")).to_have_attribute("data-state", "off")
    wait_until(lambda: lit_share(page) == 0, 5, "the display to be dark")
    expect(page.locator("#view")).to_be_hidden()
    page.click("#take-away")
    page.click("#toggle-network")
    page.click("#toggle-power")
    expect(page.locator("#health [data-process=unit]")).to_have_attribute("data-state", "up", timeout=30_000)
    assert "銀座" in row(page, 91820)
    booked(page, scan)
    page.click("#hold")
    expect(page.locator("#log [data-scan]").first).to_have_attribute("data-reason", "used")
    row(page, 91820)


def test_offline_a_signed_coupon_counts_and_is_booked_after_healing_and_an_online_one_says_not_now(page: Page) -> None:
    log_in(page, "BBB")
    wait_until(lambda: bar_lit(page), 15, "the ready screen")
    online = link_icon(page)
    page.click("#toggle-network")
    wait_until(lambda: bar_lit(page) and link_icon(page) != online, 15, "the offline icon")
    get_coupon(page, D_RECORD)
    signed = hold_up(page, "ok")
    take_away(page)
    open_coupon(page, S_MUSIC, "unused")
    hold_up(page, "not_now")
    take_away(page)
    expect(page.locator(f"#log [data-scan='{signed}'] [data-step=booked]")).to_have_count(0)
    page.click("#toggle-network")
    booked(page, signed)
    wait_until(lambda: bar_lit(page) and link_icon(page) == online, 15, "the online icon")
    open_coupon(page, S_MUSIC, "unused")
    booked(page, hold_up(page, "ok"))


def test_something_else_that_is_dropped_on_the_camera_is_not_a_coupon(
    page: Page, tmp_path: Path, complaints: list[str]
) -> None:
    code = segno.make("https://example.org/menu", error="m")
    out = io.BytesIO()
    code.save(out, kind="png", scale=12, border=4)
    before = newest(page)
    page.evaluate(
        """(data) => {
          const bytes = Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0));
          const transfer = new DataTransfer();
          transfer.items.add(new File([bytes], "menu.png", { type: "image/png" }));
          const drop = new DragEvent("drop", { dataTransfer: transfer, bubbles: true, cancelable: true });
          document.getElementById("camera").dispatchEvent(drop);
        }""",
        base64.b64encode(out.getvalue()).decode(),
    )
    answered(page, before, "not_a_coupon")
    page.click("#take-away")
    (tmp_path / "notes.png").write_bytes(b"no picture")
    page.set_input_files("#picture-file", tmp_path / "notes.png")
    expect(page.locator("#log .event.bad").first).to_contain_text("can’t be read")
    assert [said for said in complaints if "409" in said]  # Chromium writes each refusal to the console
    complaints.clear()


def test_a_full_disk_puts_the_unit_out_of_service_and_it_recovers_by_itself(page: Page) -> None:
    log_in(page, "AAA")
    get_coupon(page, D_RECORD)
    number = int(page.locator(".coupon dd").first.inner_text())
    page.click("#toggle-disk")
    hold_up(page, "out_of_service")
    page.click("#toggle-disk")
    expect(page.locator("#log .event", has_text="back in service").first).to_be_visible(timeout=ANSWER_MS)
    take_away(page)
    page.locator(".ticket.unused", has_text=f"No. {number}").click()
    booked(page, hold_up(page, "ok"))
    row(page, number)


def test_K4_a_moving_code_renews_itself_on_the_phone_and_the_new_one_counts(page: Page) -> None:
    log_in(page, "CCC")
    get_ticket(page, T_AIR)
    expect(page.locator(".note.moving")).to_be_visible()
    first = modules(page)
    page.wait_for_function(
        "(first) => document.querySelector('.symbol canvas')?.toDataURL() !== first", arg=first, timeout=20_000
    )
    assert modules(page) != first
    booked(page, hold_up(page, "ok"))
    expect(page.locator(".coupon .state-tag")).to_have_class("state-tag used")


def modules(page: Page) -> str:
    """What the open coupon's barcode looks like."""
    return str(page.evaluate("() => document.querySelector('.symbol canvas').toDataURL()"))


def get_ticket(page: Page, campaign: int) -> None:
    """Download a coupon that wants the password again."""
    page.click(f"[data-offer='{campaign}']")
    page.click(".who button[type=submit]")
    expect(page.locator("#hold")).to_be_visible()


def test_a_leaflets_ean_counts_each_time_and_a_tilted_turned_blurred_phone_is_read(page: Page) -> None:
    log_in(page, "AAA")
    open_coupon(page, LEAFLET)
    hold_up(page, "ok")
    take_away(page)
    open_coupon(page, V_BAR)
    for name, value in (("rotate_deg", "25"), ("tilt_y_deg", "-25"), ("blur_px", "1.2"), ("glare", "0.2")):
        page.locator(f"#sliders input[name={name}]").fill(value)
    hold_up(page, "ok")
    page.click("#pose-reset")


def test_the_phone_is_dragged_in_front_of_the_camera_with_the_mouse_and_away_again(page: Page) -> None:
    log_in(page, "BBB")
    open_coupon(page, 2)
    symbol = page.locator(".symbol").bounding_box()
    camera = page.locator("#camera").bounding_box()
    assert symbol
    assert camera
    before = newest(page)
    page.mouse.move(symbol["x"] + 60, symbol["y"] + 60)
    page.mouse.down()
    page.mouse.move(camera["x"] + camera["width"] / 2, camera["y"] + camera["height"] / 2, steps=8)
    page.mouse.up()
    answered(page, before, "ok")
    page.focus("#camera")
    page.keyboard.press("Escape")
    expect(page.locator("#take-away")).to_be_hidden()


def test_K4_the_phone_shows_its_coupons_without_the_centre(
    browser: Browser, address: str, page: Page, complaints: list[str]
) -> None:
    log_in(page, "BBB")
    expect(page.locator(".ticket[data-campaign='8']")).to_be_visible()
    page.click("#toggle-central")
    expect(page.locator("#phone-net")).to_have_text("No service")
    page.reload()
    open_coupon(page, R_DINER)
    hold_up(page, "ok")  # signed: the unit needs no centre either
    page.click("#toggle-central")
    expect(page.locator("#health [data-process=central]")).to_have_attribute("data-state", "up", timeout=30_000)
    assert "銀座" in row(page, 78154)
    complaints[:] = [said for said in complaints if "503" not in said]  # what Chromium writes of a centre that is gone


def test_a_process_that_dies_unasked_is_told_with_its_last_lines_and_comes_back(page: Page, demo: Demo) -> None:
    demo.child("unit").kill()
    told = page.locator("#log .event.bad").first
    expect(told).to_contain_text("Unit died (killed by SIGKILL)")
    told.locator("summary").click()
    expect(told.locator("pre")).to_contain_text('"event":')
    expect(page.locator("#health [data-process=unit]")).to_have_attribute("data-state", "up", timeout=30_000)


def test_the_webcam_can_be_the_camera(page: Page) -> None:
    """Chromium's own test picture stands in for a person: it is seen live, and holds no coupon."""
    page.click("#webcam")
    expect(page.locator("#webcam")).to_have_attribute("aria-pressed", "true")
    shown = page.locator("#view")
    expect(shown).to_be_visible()
    first = shown.get_attribute("src")
    expect(shown).not_to_have_attribute("src", first or "")
    page.click("#webcam")
    expect(page.locator("#webcam")).to_have_attribute("aria-pressed", "false")


def test_a_wrong_clock_is_shown_and_flagged(page: Page) -> None:
    log_in(page, "AAA")
    page.click("[data-clock=clock_10y]")
    expect(page.locator("[data-control=clock] small")).to_contain_text("203")
    open_coupon(page, V_BAR)
    before = newest(page)
    page.click("#hold")
    fresh = page.locator("#log [data-scan]").first
    expect(fresh).not_to_have_attribute("data-scan", before)
    expect(fresh.locator("[data-step=shown]")).to_be_visible()
    page.click("[data-clock=clock_right]")


def test_a_member_card_goes_into_the_slot_and_out_again(page: Page) -> None:
    page.click("[data-card=CCC]")
    expect(page.locator("#slot")).to_have_class("slot in")
    page.click("[data-card=CCC]")
    expect(page.locator("#slot")).to_have_class("slot")


@pytest.mark.parametrize("width", [1280, 900, 390, 320])
def test_the_page_fits_its_window_in_both_languages_with_nothing_overlapping(page: Page, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 844})
    log_in(page, "BBB")
    for language in ("ja", "en"):
        page.click(f"[data-lang={language}]")
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert page.evaluate(OVERLAPS) == []
        expect(page.locator("#kiosk")).to_be_visible()


OVERLAPS: Final = """() => {
  // Buttons, labels and headings that are not inside one another must not cover one another, nor stick out.
  const kinds = "button, .segmented, h1, h2, .control b, .control small, .plate, .grille, #oled, #camera, .health li";
  const nodes = [...document.querySelectorAll(kinds)].filter(
    (node) => node.offsetParent && !node.closest(".phone-screen, #log, .visually-hidden"),
  );
  const found = [];
  nodes.forEach((a, i) => {
    const p = a.getBoundingClientRect();
    if (p.right > innerWidth + 0.5 || p.left < -0.5) found.push(`${a.id || a.textContent} sticks out`);
    if (a.scrollWidth > a.clientWidth + 1 && a.matches("button")) found.push(`${a.textContent} is cut`);
    nodes.slice(i + 1).forEach((b) => {
      if (a.contains(b) || b.contains(a)) return;
      const q = b.getBoundingClientRect();
      const wide = Math.min(p.right, q.right) - Math.max(p.left, q.left);
      const high = Math.min(p.bottom, q.bottom) - Math.max(p.top, q.top);
      if (wide > 1 && high > 1) found.push(`${a.id || a.textContent} covers ${b.id || b.textContent}`);
    });
  });
  return found;
}"""


def test_the_controls_are_reached_and_pressed_by_keyboard(page: Page) -> None:
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.focus("[data-person=AAA]")
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    page.locator(".who input").press("Enter")
    expect(page.locator(".app-bar b")).to_have_text("AAA")
    page.locator(f".ticket[data-campaign='{V_BAR}']").press("Enter")
    page.locator("#hold").press("Enter")
    expect(page.locator("#hold")).to_have_attribute("aria-pressed", "true")
    page.focus("#camera")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Escape")
    expect(page.locator("#hold")).to_have_attribute("aria-pressed", "false")
