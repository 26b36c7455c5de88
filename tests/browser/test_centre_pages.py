"""The pages as people use them: a real centre, a real Chromium, and a network that goes away (K3, K4).

The barcode is read back from the pixels of the screen, as a lane's camera would see them.
"""

from __future__ import annotations

import io
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
import zxingcpp
from PIL import Image
from playwright.sync_api import Browser, BrowserContext, Page, ViewportSize, expect

from central.office import now_ms
from tests.browser.running import chromium
from tests.servers import ROOT, free_port, listens, wait_until
from tests.unit.central.central_kit import Centre, Lane
from tests.unit.central.pages_kit import PASSWORD, shops

pytestmark = pytest.mark.timeout(240)

ANSWER_MS: Final = 15_000
START_S: Final = 60.0
PHONE: Final[ViewportSize] = {"width": 360, "height": 740}


class Running:
    """`tokuten central` as a process, without a broker: pages need none."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.port = folder, free_port()
        shops(folder / "centre").close()
        self.config = folder / "tokuten.toml"
        self.config.write_text(
            f'[central]\ndata_dir = "{folder / "centre"}"\n[central.broker]\nport = {free_port()}\n'
            f"[central.http]\nport = {self.port}\n"
        )
        self.start()

    def start(self) -> None:
        command = [sys.executable, "-m", "cli", "central", "--config", str(self.config)]
        with (self.folder / "centre.log").open("ab") as log:
            self.process = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log)
        wait_until(lambda: listens(self.port) or self.process.poll() is not None, START_S, "the centre's pages")
        assert self.process.poll() is None, (self.folder / "centre.log").read_text()

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(30)

    def redeem(self, serial: int, campaign: int = 1, times: int = 1) -> None:
        """A lane of Ginza reports uses, in another process than the one that serves."""
        lane = Lane()
        centre = Centre.reopened(self.folder / "centre")
        centre.enrol(lane)
        for _ in range(times):
            lane.redeem(serial, campaign=campaign, at_ms=now_ms())
        centre.book(lane, now_ms=now_ms())
        centre.close()

    def forget_sessions(self) -> None:
        centre = Centre.reopened(self.folder / "centre")
        with centre.office.database.write() as connection:
            connection.exec_driver_sql("DELETE FROM sessions")
        centre.close()

    def serial(self) -> int:
        centre = Centre.reopened(self.folder / "centre")
        serial = centre.one("SELECT serial FROM coupons ORDER BY id DESC LIMIT 1")
        centre.close()
        assert isinstance(serial, int)
        return serial % 2**64

    def text(self) -> str:
        centre = Centre.reopened(self.folder / "centre")
        text = str(centre.one("SELECT text FROM coupons ORDER BY id DESC LIMIT 1"))
        centre.close()
        return text


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as one:
        yield one


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    one = Running(tmp_path)
    yield one
    one.kill()


@pytest.fixture
def complaints() -> list[str]:
    """What the browser's console said against us: a broken policy, a script that fails."""
    return []


@pytest.fixture
def phone(browser: Browser, running: Running, complaints: list[str]) -> Iterator[BrowserContext]:
    context = browser.new_context(viewport=PHONE, locale="ja-JP", base_url=f"http://127.0.0.1:{running.port}")
    context.set_default_timeout(ANSWER_MS)
    yield context
    context.close()
    assert complaints == []


@pytest.fixture
def page(phone: BrowserContext, complaints: list[str]) -> Page:
    one = phone.new_page()
    one.on("pageerror", lambda error: complaints.append(str(error)))
    one.on("console", lambda said: complaints.append(said.text) if "Content Security Policy" in said.text else None)
    return one


def register(page: Page, name: str) -> None:
    page.goto("/register")
    page.get_by_label("お名前").fill(name)
    page.locator("[name=password]").fill(PASSWORD)
    page.locator("[name=again]").fill(PASSWORD)
    page.get_by_text("上記の取り扱いに同意します").click()
    page.get_by_role("main").get_by_role("button", name="新規登録").click()
    page.wait_for_url("**/offers")


def download(page: Page, name: str) -> str:
    """The address of the coupon's page."""
    page.goto("/offers")
    page.get_by_role("link", name=name).click()
    page.get_by_role("button", name="受け取る").click()
    page.wait_for_url("**/coupons/*")
    return page.url


def code_on_screen(page: Page) -> str:
    """What a camera reads from the page."""
    shown = Image.open(io.BytesIO(page.locator("svg.qr").screenshot())).convert("L")
    found = zxingcpp.read_barcode(shown)
    assert found is not None, "no barcode can be read from the screen"
    return str(found.text)


def keep(page: Page) -> None:
    """My coupons, until the phone says that it keeps them."""
    page.goto("/coupons")
    expect(page.locator(".kept")).to_be_visible()


def test_K4_a_coupon_that_was_downloaded_is_shown_without_any_network_until_somebody_logs_out(
    page: Page, phone: BrowserContext, running: Running
) -> None:
    register(page, "花子")
    address = download(page, "S楽器100円券")
    text = code_on_screen(page)
    assert text == running.text()
    keep(page)

    running.kill()
    phone.set_offline(True)
    page.goto("/coupons")
    expect(page.get_by_text("オフラインです。保存済み")).to_be_visible()
    page.get_by_role("link", name="S楽器100円券").click()
    page.wait_for_url(address)
    assert code_on_screen(page) == text
    page.goto("/offers")  # what is not theirs to keep is not there
    expect(page.get_by_role("heading", name="オフラインです")).to_be_visible()

    page.goto("/coupons")
    page.get_by_role("button", name="ログアウト").click()
    page.goto("/coupons")
    expect(page.get_by_role("heading", name="オフラインです")).to_be_visible()
    page.goto(address)
    expect(page.get_by_role("heading", name="オフラインです")).to_be_visible()


def test_K4_a_phone_that_changes_hands_keeps_nothing_of_the_one_before(
    page: Page, phone: BrowserContext, running: Running
) -> None:
    register(page, "花子")
    hers = download(page, "S楽器100円券")
    keep(page)
    page.get_by_role("button", name="ログアウト").click()
    page.wait_for_url("**/")
    register(page, "太郎")
    download(page, "Dレコード割引")
    keep(page)
    running.kill()
    phone.set_offline(True)
    page.goto(hers)
    expect(page.get_by_role("heading", name="オフラインです")).to_be_visible()
    page.goto("/coupons")
    expect(page.get_by_role("link", name="Dレコード割引")).to_be_visible()
    expect(page.get_by_text("S楽器100円券")).to_have_count(0)


def test_K4_a_coupon_is_shown_when_the_login_has_ended(page: Page, running: Running) -> None:
    register(page, "花子")
    address = download(page, "S楽器100円券")
    keep(page)
    running.forget_sessions()
    page.goto(address)
    expect(page.get_by_text("ログインの期限が切れたため")).to_be_visible()
    assert code_on_screen(page) == running.text()
    page.goto("/history")  # nothing else is
    page.wait_for_url("**/login?next=/history")
    page.goto(address)
    page.locator(".ended a").click()
    page.wait_for_url("**/login")
    page.go_back()
    page.get_by_role("button", name="ログアウト").click()
    page.wait_for_load_state()
    page.goto(address)
    page.wait_for_url("**/login?next=/coupons/*")


TELL_THE_WORKER: Final = """async ({owner, keep}) => {
    const told = new Promise((resolve) => navigator.serviceWorker.addEventListener("message", resolve, {once: true}));
    (await navigator.serviceWorker.ready).active.postMessage({owner, keep});
    await told;
}"""


def test_K4_a_page_is_kept_for_its_owner_alone(page: Page, phone: BrowserContext, running: Running) -> None:
    register(page, "花子")
    hers = download(page, "S楽器100円券")
    keep(page)
    path = hers.removeprefix(f"http://127.0.0.1:{running.port}")
    page.evaluate(TELL_THE_WORKER, {"owner": "somebody else", "keep": [path]})
    running.kill()
    phone.set_offline(True)
    for address in ("/coupons", path):
        page.goto(address)
        expect(page.get_by_role("heading", name="オフラインです")).to_be_visible()


def test_K4_for_another_owner_all_is_let_go_of_even_when_nothing_can_be_fetched(
    page: Page, phone: BrowserContext, running: Running
) -> None:
    register(page, "花子")
    download(page, "S楽器100円券")
    keep(page)
    running.kill()
    phone.set_offline(True)
    page.evaluate(TELL_THE_WORKER, {"owner": "somebody else", "keep": []})
    page.goto("/coupons")
    expect(page.get_by_role("heading", name="オフラインです")).to_be_visible()


def test_K7_the_page_that_is_held_up_says_that_the_coupon_was_used_while_it_is_looked_at(
    page: Page, running: Running
) -> None:
    register(page, "花子")
    download(page, "S楽器100円券")
    expect(page.locator("#state")).to_have_attribute("data-state", "unused")
    running.redeem(running.serial())
    expect(page.locator("#state")).to_have_attribute("data-state", "used")
    expect(page.locator("#state")).to_contain_text("銀座")


def test_without_scripts_a_person_registers_downloads_and_shows_a_coupon(browser: Browser, running: Running) -> None:
    context = browser.new_context(
        viewport=PHONE, locale="ja-JP", java_script_enabled=False, base_url=f"http://127.0.0.1:{running.port}"
    )
    page = context.new_page()
    register(page, "花子")
    download(page, "S楽器100円券")
    assert code_on_screen(page) == running.text()
    context.close()


def test_no_page_is_wider_than_a_phone(page: Page) -> None:
    register(page, "W" * 40)
    address = download(page, "S楽器100円券")
    for path in ("/", "/offers", "/offers/1", "/coupons", address, "/history", "/me", "/me/erase", "/register"):
        page.goto(path)
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"], path


def come_as_staff(browser: Browser, running: Running, name: str, complaints: list[str]) -> Page:
    context = browser.new_context(locale="en-GB", base_url=f"http://127.0.0.1:{running.port}")
    context.set_default_timeout(ANSWER_MS)
    page = context.new_page()
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda said: complaints.append(said.text) if "Content Security Policy" in said.text else None)
    page.goto("/staff")
    page.get_by_label("Name").fill(name)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("main").get_by_role("button", name="Log in").click()
    page.wait_for_load_state()
    return page


def test_K1_K3_K6_from_the_provider_to_the_person_to_the_shop_and_the_operator(
    page: Page, browser: Browser, running: Running, complaints: list[str]
) -> None:
    provider = come_as_staff(browser, running, "gakki", complaints)
    provider.get_by_role("navigation").get_by_role("link", name="Issue").click()
    provider.get_by_label("Name").fill("秋の一杯")
    provider.get_by_text("Gift", exact=True).click()
    expect(provider.get_by_label("Amount (yen)")).to_be_hidden()
    provider.get_by_label("What is handed over").fill("珈琲")
    provider.get_by_label("How many can be downloaded").fill("1")
    provider.get_by_label("First number that people see").fill("5001")
    provider.get_by_role("button", name="Issue it").click()
    expect(provider.get_by_role("heading", name="秋の一杯")).to_be_visible()

    register(page, "花子")
    download(page, "秋の一杯")
    expect(page.get_by_text("5001")).to_be_visible()
    page.goto("/offers")
    expect(page.get_by_role("link", name="秋の一杯")).to_contain_text("配布終了")
    campaign = int(provider.url.rpartition("/")[2])
    running.redeem(running.serial(), campaign=campaign, times=2)

    provider.reload()
    expect(provider.get_by_role("row", name="Cleared")).to_contain_text("5001")
    expect(provider.get_by_role("row", name="Used twice")).to_contain_text("銀座")
    shop = come_as_staff(browser, running, "ginza", complaints)
    expect(shop.get_by_role("row", name="Cleared")).to_contain_text("秋の一杯")
    other = come_as_staff(browser, running, "urawa", complaints)
    expect(other.get_by_text("Nothing has been redeemed today.")).to_be_visible()

    operator = come_as_staff(browser, running, "ops", complaints)
    operator.get_by_role("link", name="Conflicts", exact=True).click()
    operator.get_by_label("End it by").select_option(label="Charge the shop")
    operator.get_by_role("button", name="Settle").click()
    expect(operator.get_by_text("No conflict waits for anybody.")).to_be_visible()
    operator.get_by_role("link", name="People", exact=True).click()
    operator.get_by_label("Name begins with").fill("花")
    operator.get_by_role("button", name="Search").click()
    operator.get_by_role("link", name="花子").click()
    expect(operator.get_by_role("row", name="秋の一杯")).to_contain_text("銀座")

    page.goto("/me")
    expect(page.get_by_text("会員情報の閲覧")).to_be_visible()
    for one in (provider, shop, other, operator):
        one.context.close()
