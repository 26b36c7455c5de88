"""Payment by account between processes: the real centre and the real bank, killed with SIGKILL at the worst moments."""

from __future__ import annotations

import secrets
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from central.bank.book import Payment, get
from central.bank.states import State
from central.db.database import Database
from loyalty.tax import STANDARD_BP, Price
from simulator.bank.faults import Fault
from tests.bank_kit import FUNDS_YEN, House, SandboxBank
from tests.mqtt_client import Client
from tests.scenario.test_central_service import Service
from tests.servers import Mosquitto, Relay, wait_until
from wire import topics
from wire.envelope import unseal
from wire.messages import AskSettlement, Command, Settled, Settlement, decode, encode


class Shop(Service):
    """A centre that speaks to its bank through a network that can be frozen."""

    def __init__(self, folder: Path, broker: Mosquitto, bank: SandboxBank) -> None:
        house = House(folder / "centre", bank)
        house.select(1)
        self.account = house.account
        house.close()
        self.relay = Relay(bank.port)
        super().__init__(folder, broker, lane=house.lane)
        with self.config.open("a") as config:
            config.write(f'[central.bank]\nurl = "http://127.0.0.1:{self.relay.port}"\ntimeout_ms = 1000\n')
        self.bank = bank
        self.database = Database(f"sqlite:///{folder / 'centre' / 'centre.db'}")
        self.client = Client(broker.port, "lane-1")
        self.client.subscribe(*(topic for topic, _ in topics.subscriptions(self.lane.address)))

    def request(self) -> AskSettlement:
        return AskSettlement(secrets.token_bytes(16), self.account, [Price(STANDARD_BP, 1_100)], 5_000)

    def ask(self, request: AskSettlement) -> None:
        self.client.say(self.lane.address.topic(topics.UP_REQ), encode(request))

    def told(self, request: AskSettlement) -> list[Settlement]:
        topic = self.lane.address.topic(topics.DN_CMD)
        heard = [
            decode(unseal(self.public, topic, body), Command) for where, body in self.client.heard if where == topic
        ]
        return [one for one in heard if isinstance(one, Settlement) and one.question == request.question]

    def payment(self, request: AskSettlement) -> Payment | None:
        with self.database.read() as connection:
            return get(connection, request.question)

    def in_state(self, request: AskSettlement, state: State) -> bool:
        payment = self.payment(request)
        return payment is not None and payment.state is state

    def close(self) -> None:
        self.client.close()
        self.database.close()
        if not self.process_ended:
            self.end(signal.SIGKILL)
        self.relay.close()


@pytest.fixture
def shop(tmp_path: Path, mosquitto: Mosquitto) -> Iterator[Shop]:
    bank = SandboxBank(tmp_path)
    bank.start()
    shop = Shop(tmp_path, mosquitto, bank)
    shop.start()
    yield shop
    shop.close()
    bank.stop()


def test_B2_B6_a_lane_is_told_settled_with_its_coupon_over_the_broker(shop: Shop) -> None:
    request = shop.request()
    shop.ask(request)
    wait_until(lambda: shop.told(request), what="the answer")
    (answer,) = shop.told(request)
    assert (answer.state, answer.campaign, answer.debit_yen) == (Settled.SETTLED, 1, 990)
    assert shop.bank.movements == [990]
    assert shop.end(signal.SIGTERM) == 0


def test_B6_the_centre_is_killed_between_its_commit_and_the_debit(shop: Shop) -> None:
    """The intent is on disk and no byte has reached the bank."""
    shop.relay.freeze()
    request = shop.request()
    shop.ask(request)
    wait_until(lambda: shop.in_state(request, State.DEBITING), what="the intent")
    shop.end(signal.SIGKILL)
    assert shop.bank.movements == []
    shop.relay.cut()
    shop.relay.thaw()
    shop.relay.heal()
    shop.start()
    wait_until(lambda: shop.in_state(request, State.VOID), what="the end of the doubt")
    wait_until(lambda: shop.told(request), what="the later answer")
    assert shop.told(request)[-1].state is Settled.VOID
    assert shop.bank.balance_yen == FUNDS_YEN
    again = shop.request()
    shop.ask(again)
    wait_until(lambda: shop.told(again), what="the next payment")
    assert shop.told(again)[0].campaign == 1, "the coupon is free again"


def test_B6_the_centre_is_killed_between_the_debit_and_its_commit(shop: Shop) -> None:
    """The money has moved, and the bank's answer finds nobody."""
    shop.bank.fault(Fault.HOLD_AFTER)
    request = shop.request()
    shop.ask(request)
    wait_until(lambda: shop.bank.held == 1, what="the debit")
    shop.end(signal.SIGKILL)
    assert shop.in_state(request, State.DEBITING)
    assert shop.bank.movements == [990]
    shop.start()
    wait_until(lambda: shop.in_state(request, State.SETTLED), what="the end of the doubt")
    wait_until(lambda: shop.told(request), what="the later answer")
    assert (shop.told(request)[-1].state, shop.told(request)[-1].debit_yen) == (Settled.SETTLED, 990)
    shop.ask(request)
    wait_until(lambda: len(shop.told(request)) == 2, what="the same answer")
    assert shop.bank.movements == [990]


def test_B6_the_bank_is_killed_between_its_debit_and_its_answer(shop: Shop) -> None:
    shop.bank.fault(Fault.HOLD_AFTER)
    request = shop.request()
    shop.ask(request)
    wait_until(lambda: shop.bank.held == 1, what="the debit")
    shop.bank.kill()
    wait_until(lambda: shop.told(request), what="the doubt")
    assert shop.told(request)[0].state is Settled.IN_DOUBT
    shop.bank.start()
    wait_until(lambda: len(shop.told(request)) == 2, 20, "the end of the doubt")
    assert shop.told(request)[1].state is Settled.SETTLED
    assert shop.bank.movements == [990]


def test_B6_both_are_killed_again_and_again_and_every_yen_is_known(shop: Shop) -> None:
    requests = []
    for number in range(4):
        request = shop.request()
        requests.append(request)
        shop.bank.fault((Fault.HOLD_AFTER, Fault.HOLD_BEFORE)[number % 2])
        shop.ask(request)
        wait_until(lambda: shop.bank.held >= 1, what="the bank")
        if number < 2:
            shop.end(signal.SIGKILL)
            shop.bank.kill()
            shop.bank.start()
        else:
            shop.bank.kill()
            shop.end(signal.SIGKILL)
            shop.bank.start()
        shop.start()
    ends = (State.SETTLED, State.VOID)
    wait_until(lambda: all(p is not None and p.state in ends for p in map(shop.payment, requests)), 20, "their ends")
    payments = [payment for payment in map(shop.payment, requests) if payment is not None]
    settled = sum(payment.debit_yen for payment in payments if payment.state is State.SETTLED)
    assert shop.bank.balance_yen == FUNDS_YEN - settled
    coupons = [payment.settled.campaign for payment in payments if payment.state is State.SETTLED]
    assert coupons.count(1) <= 1, "there is one coupon"
