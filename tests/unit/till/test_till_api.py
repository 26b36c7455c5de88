"""The till's HTTP interface: a sale from its first line to its receipt, on a real socket."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from edge_agent.core.states import Mode
from edge_agent.till.problem import PROBLEMS
from loyalty.card import Balance
from tests.servers import wait_until
from tests.unit.edge_agent.agent_world import ONLINE, SIGNED, code
from tests.unit.edge_agent.test_agent_cards import member_card, points_on
from tests.unit.till.till_rig import HER, PROGRAMME, TillRig, new_id
from wire.facts import Earned, Redeemed, Reversed, Spent, decode_fact


def test_K5_K6_a_sale_with_a_coupon_from_its_lines_to_its_receipt(lane: TillRig) -> None:
    sale, payment = new_id(), new_id()
    opened = lane.open(sale)
    assert (opened.status_code, opened.json()["state"], opened.json()["total_yen"]) == (200, "open", 1_640)
    said = lane.coupon(sale, code(SIGNED, serial=7)).json()
    assert (said["coupon"]["reason"], said["coupon"]["counts"], said["coupon"]["discount_yen"]) == (
        "reserved", True, 1_000,
    )  # fmt: skip
    assert said["sale"]["total_yen"] == 640
    assert sum(part["gross_yen"] for part in said["sale"]["tax"]) == 640
    paid = lane.pay(sale, payment)
    assert (paid.status_code, paid.json()["state"], paid.json()["paid"]["yen"]) == (200, "paid", 640)
    assert lane.pay(sale, payment).json() == paid.json(), "said again, told again"
    assert lane.read(sale).json() == paid.json()
    facts = lane.facts(decode_fact)
    assert [(fact.serial, fact.sale.hex()) for fact in facts if isinstance(fact, Redeemed)] == [(7, sale)]


def test_K5_a_coupon_that_does_not_count_is_an_answer_with_its_reason(lane: TillRig) -> None:
    sale = new_id()
    lane.open(sale)
    lane.coupon(sale, code(SIGNED, serial=7))
    lane.pay(sale, new_id())
    other = new_id()
    lane.open(other)
    again = lane.coupon(other, code(SIGNED, serial=7))
    assert again.status_code == 200
    assert (again.json()["coupon"]["reason"], again.json()["coupon"]["counts"]) == ("used", False)
    assert again.json()["coupon"]["words"]["ja"].startswith("すでにご利用済みです")
    nonsense = lane.coupon(other, b"hello")
    assert nonsense.json()["coupon"]["reason"] == "not_a_coupon"
    assert nonsense.json()["sale"]["coupons"] == []


def test_a_coupon_is_taken_out_and_a_sale_is_given_up(lane: TillRig) -> None:
    sale = new_id()
    lane.open(sale)
    coupon = lane.coupon(sale, code(SIGNED, serial=7)).json()["coupon"]["id"]
    for _ in range(2):
        out = lane.http.delete(f"/v1/sales/{sale}/coupons/{coupon}")
        assert (out.status_code, out.json()["coupons"]) == (200, [])
    for _ in range(2):
        assert lane.cancel(sale).json()["state"] == "cancelled"
    assert lane.open(sale).json()["reason"] == "sale_cancelled"
    assert [fact for fact in lane.facts(decode_fact) if isinstance(fact, Redeemed)] == []


def test_refusals_are_problem_details_with_a_stable_reason_in_both_languages(lane: TillRig) -> None:
    answer = lane.read(new_id())
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    body = answer.json()
    assert body["reason"] == "unknown_sale"
    assert body["type"] == "/v1/problems/unknown_sale"
    assert body["words"] == {"ja": PROBLEMS["unknown_sale"].words.ja, "en": PROBLEMS["unknown_sale"].words.en}
    assert lane.http.get(body["type"]).json()["title"] == body["title"]
    assert lane.http.get("/v1/problems/nothing").status_code == 404
    first = new_id()
    lane.open(first)
    assert lane.open(new_id()).json()["reason"] == "other_sale"
    assert lane.http.get("/v1/lane").json()["sale"] == first


def test_a_kiosk_serves_no_till(tmp_path: Path) -> None:
    kiosk = TillRig(tmp_path / "unit", Mode.KIOSK)
    try:
        assert kiosk.open(new_id()).json()["reason"] == "not_a_lane"
    finally:
        kiosk.close()


def test_M4_M11_points_pay_a_part_and_the_rest_earns(lane: TillRig) -> None:
    tag = member_card(HER, 1, Balance(PROGRAMME, 300))
    lane.world.insert_card(tag)
    wait_until(lambda: lane.http.get("/v1/lane").json()["member"], 10, "the card to be read")
    sale, payment = new_id(), new_id()
    shown = lane.open(sale).json()["points"]
    assert shown == [
        {"programme": PROGRAMME, "name": "特典ポイント", "spendable": 300, "yen": 1, "points": 1, "earns": 16}
    ]
    paid = lane.pay(sale, payment, programme=PROGRAMME, points=140)
    assert paid.status_code == 200, paid.text
    assert paid.json()["paid"] == {
        "payment": payment, "tender": "cash", "yen": 1_500, "programme": PROGRAMME, "points": 140, "points_yen": 140,
        "campaign": 0, "name": "",
    }  # fmt: skip
    assert points_on(tag) == 300 - 140 + 15
    assert lane.pay(sale, payment, programme=PROGRAMME, points=140).json() == paid.json()
    facts = lane.facts(decode_fact)
    assert [fact.points for fact in facts if isinstance(fact, Spent)] == [140]
    assert [(fact.points, fact.spend_yen) for fact in facts if isinstance(fact, Earned)] == [(15, 1_500)]


def test_M11_more_than_the_card_has_is_refused_and_says_why(lane: TillRig) -> None:
    lane.world.insert_card(member_card(HER, 1, Balance(PROGRAMME, 300)))
    wait_until(lambda: lane.http.get("/v1/lane").json()["member"], 10, "the card to be read")
    sale = new_id()
    lane.open(sale)
    answer = lane.pay(sale, new_id(), programme=PROGRAMME, points=301)
    assert (answer.status_code, answer.json()["reason"]) == (402, "refused")
    assert answer.json()["sale"]["failed"]["reason"] == "no_points"
    assert lane.pay(sale, new_id()).json()["state"] == "paid"


def test_K9_B2_what_only_the_centre_decides_is_a_clear_not_now_without_it_and_the_sale_goes_on(lane: TillRig) -> None:
    sale = new_id()
    lane.open(sale)
    assert lane.coupon(sale, code(ONLINE, serial=5)).json()["coupon"]["reason"] == "not_now"
    refused = lane.pay(sale, new_id(), tender="account", account="ab" * 16)
    assert (refused.status_code, refused.json()["sale"]["failed"]["reason"]) == (402, "not_now")
    assert lane.pay(sale, new_id()).json()["state"] == "paid"


def test_a_sale_is_taken_back_once_by_void_and_in_part_by_refund(lane: TillRig) -> None:
    sale, back = new_id(), new_id()
    lane.open(sale)
    assert lane.http.post(f"/v1/sales/{sale}/void", json={"id": back}).json()["reason"] == "sale_open"
    lane.coupon(sale, code(SIGNED, serial=7))
    lane.pay(sale, new_id())
    first, again = (lane.http.post(f"/v1/sales/{sale}/void", json={"id": back}) for _ in range(2))
    assert (first.status_code, first.json()["sale"]["state"]) == (200, "paid")
    assert again.json() == first.json()
    foreign = lane.http.post(f"/v1/sales/{new_id()}/refund", json={"id": new_id(), "yen": 300})
    assert (foreign.status_code, foreign.json()["sale"]) == (200, None)
    reversals = [fact for fact in lane.facts(decode_fact) if isinstance(fact, Reversed)]
    assert [(fact.kind, fact.yen) for fact in reversals] == [("void", 0), ("refund", 300)]
    other = new_id()
    lane.open(other)
    assert lane.coupon(other, code(SIGNED, serial=7)).json()["coupon"]["counts"], "the coupon counts again here"


def test_tills_that_come_at_once_get_one_sale_and_every_repeat_the_same_receipt(lane: TillRig) -> None:
    with ThreadPoolExecutor(8) as tills:
        answers = list(tills.map(lambda _: lane.open(new_id()).status_code, range(8)))
    assert sorted(answers) == [200] + [409] * 7
    sale, payment = lane.http.get("/v1/lane").json()["sale"], new_id()
    lane.coupon(sale, code(SIGNED, serial=7))
    with ThreadPoolExecutor(8) as tills:
        paid = list(tills.map(lambda _: lane.pay(sale, payment).text, range(8)))
    assert len(set(paid)) == 1
    assert json.loads(paid[0])["state"] == "paid"
    assert len([fact for fact in lane.facts(decode_fact) if isinstance(fact, Redeemed)]) == 1


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("", {"lines": [{"yen": -1}]}),
        ("", {"lines": [{"yen": 1, "gtin": "123"}]}),
        ("", {"lines": [{"yen": 1, "colour": "red"}]}),
        ("", {"lines": [{"yen": 1}] * 1_001}),
        ("/coupons", {"text": ""}),
        ("/coupons", {"text": "x", "format": "smell"}),
        ("/payment", {"tender": "cash"}),
        ("/payment", {"payment": "xy", "tender": "cash"}),
        ("/payment", {"payment": "0" * 32, "tender": "shells"}),
        ("/payment", {"payment": "0" * 32, "tender": "account"}),
        ("/payment", {"payment": "0" * 32, "tender": "cash", "points": 5}),
        ("/void", {}),
        ("/refund", {"id": "0" * 32, "yen": 10**12}),
    ],
)
def test_what_is_not_of_the_form_is_refused_and_changes_nothing(
    lane: TillRig, path: str, body: dict[str, object]
) -> None:
    sale = new_id()
    before = lane.open(sale).json()
    answer = lane.http.request("PUT" if not path else "POST", f"/v1/sales/{sale}{path}", json=body)
    assert (answer.status_code, answer.json()["reason"]) == (400, "bad_request")
    assert lane.read(sale).json() == before


def test_when_nothing_can_be_stored_the_till_is_told_out_of_service_and_nothing_is_paid(
    lane: TillRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    from edge_agent.store.connection import StoreUnwritable
    from edge_agent.store.journal import Journal

    sale, payment = new_id(), new_id()
    lane.open(sale)
    lane.coupon(sale, code(SIGNED, serial=7))

    def full(*_: object, **__: object) -> int:
        raise StoreUnwritable("disk full")

    with monkeypatch.context() as broken:
        broken.setattr(Journal, "append", full)
        answer = lane.pay(sale, payment)
        assert (answer.status_code, answer.json()["reason"]) == (503, "out_of_service")
    wait_until(lambda: lane.open(sale).status_code == 200, 10, "the disk to be well again")
    assert [fact for fact in lane.facts(decode_fact) if isinstance(fact, Redeemed)] == []
    assert lane.coupon(sale, code(SIGNED, serial=7)).json()["coupon"]["counts"]
    assert lane.pay(sale, payment).json()["paid"]["yen"] == 640
