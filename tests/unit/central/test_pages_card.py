"""The page behind a kiosk's QR (M1, M2): register, claim, confirm, and what each refusal says."""

from __future__ import annotations

import itertools

import httpx
import pytest

from central import audit, consent
from central.coupons import persons
from central.members import membership, requests
from central.members.membership import Member
from central.office import now_ms
from central.pages.counter import REGISTRATIONS_PER_PEER
from loyalty.campaign import Lang
from tests.unit.central.central_kit import Centre, Lane
from tests.unit.central.pages_kit import PASSWORD, Browser, set_http
from wire.facts import CardSettled
from wire.messages import AskCard, CardOffer, Command, decode, encode
from wire.topics import UP_REQ

NEW = {"name": "山田", "password": "twelve horses", "again": "twelve horses", "service": "yes"}
_numbers = itertools.count(1)


class Kiosk:
    """A kiosk with an empty tag in its slot: what its QR says."""

    def __init__(self, mall: Centre, lane: Lane, uid: bytes | None = None) -> None:
        number = next(_numbers)
        self.mall, self.lane = mall, lane
        self.uid = uid or number.to_bytes(7, "big")
        self.question = number.to_bytes(16, "big")
        (answer,) = mall.desk.handle(
            lane.address.topic(UP_REQ), encode(AskCard(self.question, self.uid, "ntag213")), now_ms()
        )
        offer = decode(mall.opened(answer), Command)
        assert isinstance(offer, CardOffer)
        self.path = "/card/" + offer.link.rpartition("/")[2]

    def says(self, outcome: str) -> None:
        self.lane.journal(CardSettled(self.lane.stamp(), self.question, outcome))
        assert self.mall.book(self.lane).aside == 0


def member(mall: Centre, name: str) -> Member | None:
    with mall.office.database.read() as connection:
        return membership.find(connection, name)


def typed(browser: Browser, kiosk: Kiosk, leaf: str, **form: str) -> httpx.Response:
    browser.get(kiosk.path)
    return browser.post(f"{kiosk.path}/{leaf}", form)


def test_M1_somebody_new_types_a_name_and_a_password_and_is_sent_to_the_kiosk(
    mall: Centre, lane: Lane, browser: Browser
) -> None:
    kiosk = Kiosk(mall, lane)
    shown = browser.get(kiosk.path).text
    assert "銀座" in shown, "the page says where the kiosk stands that asked"
    assert typed(browser, kiosk, "register", **NEW, offers="yes").headers["location"] == kiosk.path
    after = browser.get(kiosk.path).text
    made = member(mall, "山田")
    assert made is not None
    assert made.generation == 1
    assert "Look at the kiosk" in after
    assert membership.shown(made.number) in after
    assert f'hx-get="{kiosk.path}/state"' in after
    with mall.office.database.read() as connection:
        assert [one.purpose for one in consent.in_force(connection, made.person.id)] == ["service", "offers"]
        looks = [look.what for look in audit.of_person(connection, made.person.holder)]
    assert looks == [audit.What.CARD_GIVEN, audit.What.REGISTERED]
    assert browser.get("/coupons").status_code == 303, "the phone may be somebody else's: nobody is logged in by this"


@pytest.mark.parametrize(
    ("outcome", "said"), [("done", "Your card is ready"), ("undone", "could not be"), ("doubt", "could not be")]
)
def test_M1_the_phone_sees_what_became_of_the_card(
    mall: Centre, lane: Lane, browser: Browser, outcome: str, said: str
) -> None:
    kiosk = Kiosk(mall, lane)
    typed(browser, kiosk, "register", **NEW)
    assert "Look at the kiosk" in browser.get(kiosk.path + "/state").text
    kiosk.says(outcome)
    part = browser.get(kiosk.path + "/state").text
    assert said in part
    assert "<html" not in part
    assert "hx-get" not in part, "there is nothing more to ask"


def test_M2_number_and_password_give_the_next_card(mall: Centre, lane: Lane, browser: Browser) -> None:
    typed(browser, Kiosk(mall, lane), "register", **NEW)
    before = member(mall, "山田")
    assert before is not None
    kiosk = Kiosk(mall, lane)
    number = membership.shown(before.number)
    assert typed(browser, kiosk, "claim", login=number, password="twelve horses").headers["location"] == kiosk.path
    after = member(mall, "山田")
    assert after is not None
    assert (after.generation, after.number) == (2, before.number)


def test_M2_whoever_is_logged_in_confirms_and_types_nothing(mall: Centre, lane: Lane, browser: Browser) -> None:
    kiosk = Kiosk(mall, lane)
    browser.log_in("BBB")
    page = browser.get(kiosk.path).text
    assert "password" not in page
    assert "BBB" in page
    assert browser.post(kiosk.path + "/confirm").headers["location"] == kiosk.path
    made = member(mall, "BBB")
    assert made is not None
    assert made.generation == 1
    again = Kiosk(mall, lane)
    assert "The card that you had stops working" in browser.get(again.path).text
    browser.post(again.path + "/confirm")
    assert (member(mall, "BBB") or made).generation == 2


def test_M2_nobody_confirms_without_being_logged_in(mall: Centre, lane: Lane, browser: Browser) -> None:
    kiosk = Kiosk(mall, lane)
    assert typed(browser, kiosk, "confirm").headers["location"] == f"/login?next={kiosk.path}"
    browser.log_in_as_staff("ops")
    assert typed(browser, kiosk, "confirm").headers["location"] == f"/login?next={kiosk.path}"
    assert mall.one("SELECT count(*) FROM members") == 0


@pytest.mark.parametrize("lang", ["ja", "en"])
def test_M2_a_wrong_password_and_an_unknown_number_are_the_same_clear_no(
    mall: Centre, lane: Lane, browser: Browser, lang: Lang
) -> None:
    browser.headers = {"accept-language": lang}
    kiosk = Kiosk(mall, lane)
    wrong = typed(browser, kiosk, "claim", login="BBB", password="wrong one")
    unknown = typed(browser, kiosk, "claim", login="ZZZ", password="wrong one")
    assert (wrong.status_code, unknown.status_code) == (403, 403)
    for answer in (wrong, unknown):
        assert requests.WORDS[requests.No.WRONG][lang] in answer.text
    assert wrong.text == unknown.text.replace("ZZZ", "BBB")
    assert "wrong one" not in wrong.text


def test_M2_a_code_bears_five_tries(mall: Centre, lane: Lane, browser: Browser) -> None:
    kiosk = Kiosk(mall, lane)
    for _ in range(requests.TRIES_MAX):
        assert typed(browser, kiosk, "claim", login="BBB", password="wrong one").status_code == 403
    last = typed(browser, kiosk, "claim", login="BBB", password=PASSWORD)
    assert last.status_code == 429
    assert requests.WORDS[requests.No.TOO_MANY_TRIES]["en"] in last.text
    assert mall.one("SELECT count(*) FROM issued_cards") == 0


@pytest.mark.parametrize(
    ("changes", "status", "said"),
    [
        ({"name": "BBB"}, 409, "This name is taken"),
        ({"name": ""}, 422, "A name has 1 to 40"),
        ({"name": "a\u200bb"}, 422, "A name has 1 to 40"),
        ({"again": "another horse"}, 422, "The two passwords differ"),
        ({"password": "short", "again": "short"}, 422, "8 to 200 characters"),
        ({"service": ""}, 422, "Without your consent"),
    ],
)
def test_M1_what_can_not_be_registered_is_said_in_words(
    mall: Centre, lane: Lane, browser: Browser, changes: dict[str, str], status: int, said: str
) -> None:
    kiosk = Kiosk(mall, lane)
    answer = typed(browser, kiosk, "register", **{**NEW, **changes})
    assert (answer.status_code, said in answer.text) == (status, True)
    assert mall.one("SELECT count(*) FROM members") == 0
    with mall.office.database.read() as connection:
        stored = persons.stored_hash(connection, "BBB")
    assert persons.password_fits(stored, PASSWORD), "nobody's password was changed"


def test_M1_a_code_that_is_over_or_made_up_says_so_and_changes_nothing(
    mall: Centre, lane: Lane, browser: Browser
) -> None:
    kiosk = Kiosk(mall, lane)
    typed(browser, kiosk, "register", **NEW)
    for path in (kiosk.path, "/card/" + "x" * 22, "/card/x", "/card/" + "é" * 300):
        browser.get("/offers")
        for leaf, form in (("register", {**NEW, "name": "花子"}), ("claim", {"login": "BBB", "password": PASSWORD})):
            answer = browser.post(f"{path}/{leaf}", form)
            assert answer.status_code == 404
            assert requests.WORDS[requests.No.GONE]["en"] in answer.text
    assert browser.get("/card/" + "x" * 22).status_code == 404
    browser.log_in("BBB")
    assert browser.post("/card/" + "x" * 22 + "/confirm").status_code == 404
    assert mall.one("SELECT count(*) FROM members") == 1


def test_M1_a_card_that_is_somebody_elses_is_given_to_nobody(mall: Centre, lane: Lane, browser: Browser) -> None:
    first = Kiosk(mall, lane)
    typed(browser, first, "register", **NEW)
    first.says("done")
    again = Kiosk(mall, lane, first.uid)
    browser.log_in("BBB")
    browser.get(again.path)
    answer = browser.post(again.path + "/confirm")
    assert (answer.status_code, "please ask the staff" in answer.text) == (409, True)
    assert (member(mall, "山田") or pytest.fail("gone")).generation == 1


def test_M1_where_registration_is_closed_only_members_get_a_card(mall: Centre, lane: Lane, browser: Browser) -> None:
    set_http(mall, registration=False)
    kiosk = Kiosk(mall, lane)
    assert "/register" not in browser.get(kiosk.path).text
    assert typed(browser, kiosk, "register", **NEW).status_code == 403
    assert mall.one("SELECT count(*) FROM members") == 0
    assert typed(browser, kiosk, "claim", login="BBB", password=PASSWORD).status_code == 303


def test_M1_registrations_by_card_are_bounded_as_the_others_are(mall: Centre, lane: Lane, browser: Browser) -> None:
    kiosk = Kiosk(mall, lane)
    for _ in range(REGISTRATIONS_PER_PEER):
        typed(browser, kiosk, "register", **{**NEW, "name": "BBB"})
    assert typed(browser, kiosk, "register", **NEW).status_code == 429
