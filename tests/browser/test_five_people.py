"""Document K from beginning to end, as five people see it: real broker, centre, lane and Chromium (K1 to K7).

A provider issues a coupon, two people want the last one at the same moment, the lane's camera reads the winner's
screen, the cashier sees a yes, the shop its redemption, the provider its clearing; the operator prints figure 3.
"""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from simulator.story import NEWEST, STAFF_PASSWORD
from tests.browser.running import Demo, chromium
from tests.servers import ROOT

pytestmark = pytest.mark.timeout(240)

ANSWER_MS: Final = 20_000
PASSWORD: Final = "correct horse"
NAME: Final = "秋の一杯"
# Figure 3 of document K, as it is printed there: years are those of the document.
FIGURE_3: Final = """
AAA|****|T航空34便|18625|000501 19:19|未|—|—
||Pスポーツ割引|98815|000514 23:11|済|000521 13:54|新宿
||V居酒屋割引|—|000411 20:25|—|—|—
BBB|****|Rレストラン割引|78154|000418 13:15|未|—|—
||Fデパートプレゼント|—|000312 18:10|—|—|—
||Dレコード割引|91818|000513 19:35|済|000514 14:15|銀座
||S楽器1000円券|98338|000513 19:40|済|000514 19:19|新宿
||桜台特急K12号|15811|000218 23:35|済|000326 20:20|東京
CCC|****|サッカーUR-SE|58119|000311 19:11|済|000419 17:30|浦和
||Nシネマ|71865|000311 19:20|未|—|—
||Rレストラン割引|78155|000503 10:48|済|000505 20:30|銀座
||V居酒屋割引|—|000503 10:50|—|—|—
"""
CLICK_AT: Final = "at => setTimeout(() => document.querySelector('main form button').click(), at - Date.now())"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as one:
        yield one


@pytest.fixture(scope="module")
def demo(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    one = Demo(tmp_path_factory.mktemp("five") / "var")
    one.wait()
    yield one
    one.stop()


class Pages:
    """The browsers of several people, each with a session of its own."""

    def __init__(self, browser: Browser, demo: Demo) -> None:
        self._browser = browser
        found = re.search(r"web pages +(http://\S+)/ ", demo.said)
        assert found
        self.centre = found[1]

    def come(self, address: str = "") -> Page:
        context = self._browser.new_context(
            viewport={"width": 420, "height": 860}, locale="ja-JP", base_url=address or self.centre
        )
        context.set_default_timeout(ANSWER_MS)
        return context.new_page()

    def staff(self, name: str) -> Page:
        page = self.come()
        page.goto("/staff")
        page.get_by_label("お名前").fill(name)
        page.get_by_label("パスワード").fill(STAFF_PASSWORD)
        page.get_by_role("main").get_by_role("button", name="ログイン").click()
        page.wait_for_url(re.compile("/(shop|provider|operator)$"))
        return page

    def register(self, name: str) -> Page:
        page = self.come()
        page.goto("/register")
        page.get_by_label("お名前").fill(name)
        page.locator("[name=password]").fill(PASSWORD)
        page.locator("[name=again]").fill(PASSWORD)
        page.get_by_text("上記の取り扱いに同意します").click()
        page.get_by_role("main").get_by_role("button", name="新規登録").click()
        page.wait_for_url("**/offers")
        return page


@pytest.fixture
def pages(browser: Browser, demo: Demo) -> Iterator[Pages]:
    yield Pages(browser, demo)
    for context in browser.contexts:
        context.close()


def issue(page: Page, name: str, stock: int) -> int:
    """The provider's page; the coupon's number."""
    page.goto("/provider/issue")
    page.get_by_label("クーポン名").fill(name)
    page.get_by_text("プレゼント", exact=True).click()
    page.get_by_label("お渡しするもの").fill("珈琲")
    page.get_by_label("配布枚数").fill(str(stock))
    page.get_by_label("識別番号の開始番号").fill("5001")
    page.get_by_role("button", name="この内容で発行する").click()
    expect(page.get_by_role("heading", name=name)).to_be_visible()
    return int(page.url.rpartition("/")[2])


def both_at_once(pages: list[Page], campaign: int) -> list[Page]:
    """They press the button at the same moment; the one who got it first."""
    for page in pages:
        page.goto(f"/offers/{campaign}")
    at_ms = time.time() * 1000 + 700
    for page in pages:
        page.evaluate(CLICK_AT, at_ms)
    for page in pages:
        expect(page.locator("svg.qr, .trouble").first).to_be_visible()
    return sorted(pages, key=lambda page: "/coupons/" not in page.url)


def printed(demo: Demo) -> list[list[str]]:
    """What the operator's command prints: the cells of each row."""
    command = [sys.executable, "-m", "cli", "history", "--lang", "ja", "--config", str(demo.folder / "tokuten.toml")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    rows = [line for line in done.stdout.splitlines() if line.startswith("│")]
    return [[cell.strip() for cell in row.split("│")[1:-1]] for row in rows]


def as_moved(figure: str) -> list[list[str]]:
    """The figure with its dates moved as `simulator.story` moves them: the newest to yesterday, all distances kept."""
    today = datetime.now().astimezone().replace(tzinfo=None)
    moved = datetime(today.year, today.month, today.day) - timedelta(days=1) - NEWEST  # noqa: DTZ001

    def cell(text: str) -> str:
        if not re.fullmatch(r"\d{6} \d\d:\d\d", text):
            return text
        return f"{datetime.strptime(text, '%y%m%d %H:%M') + moved:%Y-%m-%d %H:%M}"  # noqa: DTZ007

    return [[cell(text) for text in line.split("|")] for line in figure.strip().splitlines()]


def filled(rows: list[list[str]]) -> list[list[str]]:
    """With the person in each row: the figure names a person once, above all of theirs."""
    name = ""
    full: list[list[str]] = []
    for row in rows:
        name = row[0] or name
        assert row[:2] in ([name, "****"], ["", ""])
        full.append([name, *row[2:]])
    return full


def test_K7_what_the_operator_prints_is_figure_3_of_the_document(demo: Demo) -> None:
    ours, figure = filled(printed(demo)), filled(as_moved(FIGURE_3))
    assert [row for row in ours if row in figure] == sorted(figure, key=lambda row: (row[0], row[3]))  # by download
    assert len([row for row in ours if row[0] in ("AAA", "BBB", "CCC")]) == len(figure) + 8  # theirs in the demo


def test_K1_K3_K5_K6_K7_a_coupon_from_its_issue_to_its_clearing_as_five_people_see_it(demo: Demo, pages: Pages) -> None:
    provider = pages.staff("gakki")
    campaign = issue(provider, NAME, stock=1)

    winner, loser = both_at_once([pages.register("花子"), pages.register("太郎")], campaign)
    expect(winner.locator("svg.qr")).to_be_visible()
    expect(loser.locator(".trouble")).to_have_text("配布は終了しました（残り0枚）")
    assert "/coupons/" not in loser.url
    who = "花子" if "花子" in winner.content() else "太郎"

    found = re.search(r"kiosk page +(http://\S+)", demo.said)
    assert found
    cashier = pages.come(found[1])
    cashier.goto("/")
    expect(cashier.locator("#health [data-process=unit]")).to_have_attribute("data-state", "up")
    screen = winner.locator(".code").screenshot()
    httpx.post(f"{found[1]}api/world/picture", content=screen, trust_env=False).raise_for_status()
    scan = cashier.locator("#log [data-scan]").first
    expect(scan).to_have_attribute("data-reason", "ok", timeout=ANSWER_MS)
    expect(cashier.locator("#kiosk")).to_have_attribute("data-light", "green")
    expect(scan.locator("[data-step=booked]")).to_be_visible(timeout=ANSWER_MS)

    expect(winner.locator("#state")).to_have_attribute("data-state", "used")  # the phone that is held up says so
    shop = pages.staff("ginza")
    expect(shop.get_by_role("row", name=NAME)).to_contain_text("消し込み済み")
    provider.reload()
    expect(provider.get_by_role("row", name="5001")).to_contain_text("消し込み済み")

    operator = pages.staff("operator")
    operator.goto("/operator/people")
    operator.get_by_label("お名前のはじめ").fill(who)
    operator.get_by_role("button", name="検索").click()
    operator.get_by_role("link", name=who).click()
    expect(operator.get_by_role("row", name=NAME)).to_contain_text("銀座")
    (line,) = [row for row in printed(demo) if row[2] == NAME]
    assert line[:4] == [who, "****", NAME, "5001"]
    assert (line[5], line[7]) == ("済", "銀座")


def test_K3_of_two_who_press_at_the_same_moment_one_gets_the_last_coupon_each_time(pages: Pages) -> None:
    provider = pages.staff("gakki")
    two = [pages.register("一郎"), pages.register("二郎")]
    for turn in range(2):
        winner, loser = both_at_once(two, issue(provider, f"最後の一枚{turn}", stock=1))
        expect(winner.locator("svg.qr")).to_be_visible()
        expect(loser.locator(".trouble")).to_have_text("配布は終了しました（残り0枚）")
