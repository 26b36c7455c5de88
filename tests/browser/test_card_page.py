"""The story of a card on a phone: an empty tag, the QR of its kiosk, a new member, a lost card, the next one (M1, M2).

A real centre serves the pages to a real Chromium; the kiosk speaks to the same database through a desk of its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from central.office import now_ms
from tests.browser.running import chromium
from tests.browser.test_centre_pages import ANSWER_MS, PHONE, Running
from tests.unit.central.central_kit import Centre, Lane
from tests.unit.central.pages_kit import PASSWORD
from wire.facts import CardSettled
from wire.messages import AskCard, CardGrant, CardOffer, Command, decode, encode
from wire.topics import UP_REQ

pytestmark = pytest.mark.timeout(240)


class Kiosk:
    """A kiosk of Ginza: one empty tag after the other is put in."""

    def __init__(self, running: Running) -> None:
        self.folder, self.lane, self._tags = running.folder / "centre", Lane(), 0
        with self._centre() as centre:
            centre.enrol(self.lane)

    @contextmanager
    def _centre(self) -> Iterator[Centre]:
        centre = Centre.reopened(self.folder)
        yield centre
        centre.close()

    def hears(self) -> CardOffer | CardGrant:
        """What the centre says of the tag in the slot."""
        ask = AskCard(self._tags.to_bytes(16, "big"), self._tags.to_bytes(7, "big"), "ntag213")
        with self._centre() as centre:
            (answer,) = centre.desk.handle(self.lane.address.topic(UP_REQ), encode(ask), now_ms())
            said = decode(centre.opened(answer), Command)
        assert isinstance(said, CardOffer | CardGrant)
        return said

    def insert(self) -> str:
        """An empty tag; the address that the display shows as a QR."""
        self._tags += 1
        offer = self.hears()
        assert isinstance(offer, CardOffer)
        return "/card/" + offer.link.rpartition("/")[2]

    def writes(self) -> CardGrant:
        """The card is written, and that is reported."""
        grant = self.hears()
        assert isinstance(grant, CardGrant)
        self.lane.journal(CardSettled(self.lane.stamp(), grant.question, "done"))
        with self._centre() as centre:
            centre.book(self.lane, now_ms=now_ms())
        return grant


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
def phone(browser: Browser, running: Running) -> Iterator[BrowserContext]:
    context = browser.new_context(viewport=PHONE, locale="ja-JP", base_url=f"http://127.0.0.1:{running.port}")
    context.set_default_timeout(ANSWER_MS)
    yield context
    context.close()


def fits(page: Page) -> bool:
    """Whether nothing has to be scrolled sideways."""
    wide: bool = page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    return wide


def test_M1_M2_a_member_gets_a_card_loses_it_and_gets_the_next_one(
    phone: BrowserContext, browser: Browser, running: Running
) -> None:
    kiosk, page = Kiosk(running), phone.new_page()
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda said: complaints.append(said.text) if "Content Security Policy" in said.text else None)

    page.goto(kiosk.insert())
    expect(page.get_by_text("銀座の端末のカード")).to_be_visible()
    assert fits(page)
    new = page.locator("#new")
    new.get_by_label("お名前").fill("山田花子")
    new.locator("[name=password]").fill("twelve horses")
    new.locator("[name=again]").fill("twelve horses")
    new.get_by_text("上記の取り扱いに同意します").click()
    new.get_by_role("button", name="登録してカードを作る").click()
    expect(page.get_by_role("heading", name="端末をご覧ください")).to_be_visible()
    grant = kiosk.writes()
    expect(page.get_by_role("heading", name="カードができました")).to_be_visible()  # without a touch
    number = f"{grant.number[:4]} {grant.number[4:7]} {grant.number[7:]}"
    expect(page.locator("#card")).to_contain_text(number)
    assert fits(page)

    page.goto(kiosk.insert())  # the card is lost: another tag
    claim = page.locator("#claim")
    claim.get_by_label("会員番号").fill(number)
    claim.get_by_label("パスワード").fill("wrong horse")
    claim.get_by_role("button").click()
    expect(page.get_by_role("alert")).to_have_text("会員番号またはパスワードが違います")
    claim.get_by_label("パスワード").fill("twelve horses")
    claim.get_by_role("button").click()
    expect(page.get_by_role("heading", name="端末をご覧ください")).to_be_visible()
    after = kiosk.writes()
    assert (after.holder, after.generation, after.number) == (grant.holder, 2, grant.number)
    expect(page.get_by_role("heading", name="カードができました")).to_be_visible()

    page.goto("/login")
    page.get_by_label("お名前").fill("山田花子")
    page.get_by_label("パスワード").fill("twelve horses")
    page.get_by_role("main").get_by_role("button", name="ログイン").click()
    page.goto(kiosk.insert())
    page.get_by_role("button", name="わたしのカードにする").click()  # and nothing is typed
    expect(page.get_by_role("heading", name="端末をご覧ください")).to_be_visible()
    assert kiosk.writes().generation == 3
    assert complaints == []


def test_M1_the_page_says_the_same_in_english_and_a_code_that_is_over_is_a_clear_no(
    browser: Browser, running: Running
) -> None:
    context = browser.new_context(viewport=PHONE, locale="en-GB", base_url=f"http://127.0.0.1:{running.port}")
    context.set_default_timeout(ANSWER_MS)
    kiosk, page = Kiosk(running), context.new_page()
    page.goto(address := kiosk.insert())
    expect(page.get_by_text("The card in the kiosk at 銀座")).to_be_visible()
    claim = page.locator("#claim")
    claim.get_by_label("Member number").fill("BBB")
    claim.get_by_label("Password").fill(PASSWORD)
    claim.get_by_role("button", name="Make a new card").click()
    expect(page.get_by_role("heading", name="Look at the kiosk")).to_be_visible()
    kiosk.insert()
    assert kiosk.hears().question != b""
    page.goto(address[:-4] + "AAAA")
    expect(page.get_by_role("heading", name="The time is over")).to_be_visible()
    context.close()
