"""The unit's MQTT adapter on both brokers, with every trap of paho that was measured (FACTS)."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from edge_agent.mqtt import OUTSTANDING_MAX, Arrived, Connected, Disconnected, LinkEvent, Mqtt
from edge_agent.settings import BrokerLogin
from tests.conftest import AnyBroker
from tests.mqtt_client import Client
from tests.servers import Relay, wait_until
from wire import topics
from wire.messages import Conn, decode
from wire.topics import PACKET_BYTES_MAX, address

WHERE = address("demo", "ginza", "lane-1")


class Ears:
    """Keeps what the adapter says."""

    def __init__(self) -> None:
        self.heard: queue.Queue[LinkEvent] = queue.Queue()
        self.all: list[LinkEvent] = []

    def __call__(self, event: LinkEvent) -> None:
        self.all.append(event)

    def count(self, kind: type[Any]) -> int:
        return sum(isinstance(event, kind) for event in self.all)


@pytest.fixture
def ears() -> Ears:
    return Ears()


@pytest.fixture
def link(broker: AnyBroker, relay: Relay, ears: Ears) -> Iterator[Mqtt]:
    password = str(broker.password_file("lane-1"))
    made = Mqtt(WHERE, BrokerLogin(port=relay.port, password_file=password, keepalive_s=5), ears)
    made.start()
    wait_until(lambda: made.up, 20, "the adapter to connect")
    yield made
    made.stop()


@pytest.fixture
def centre(broker: AnyBroker) -> Iterator[Client]:
    client = Client(broker.port, "centre")
    client.subscribe("tk/1/demo/+/+/up/ev", "tk/1/demo/+/+/st/conn")
    yield client
    client.close()


def heard(client: Client, leaf: topics.Leaf) -> list[bytes]:
    return [payload for topic, payload in client.heard if topic == WHERE.topic(leaf)]


def test_K6_what_is_published_arrives_and_what_is_sent_down_is_heard(link: Mqtt, centre: Client, ears: Ears) -> None:
    assert link.publish(topics.UP_EV, b"batch")
    wait_until(lambda: heard(centre, topics.UP_EV) == [b"batch"], what="the batch")
    centre.say(WHERE.topic(topics.DN_ACK), b"ack")
    centre.say(WHERE.whole_site.topic(topics.DN_FEED), b"feed")
    wait_until(lambda: ears.count(Arrived) == 2, what="both messages")


def test_K9_a_birth_is_retained_and_a_cut_line_makes_the_will_known(link: Mqtt, relay: Relay, centre: Client) -> None:
    wait_until(lambda: [decode(p, Conn).up for p in heard(centre, topics.ST_CONN)] == [True], what="the birth")
    relay.cut()
    wait_until(lambda: not decode(heard(centre, topics.ST_CONN)[-1], Conn).up, 30, "the will")
    assert decode(heard(centre, topics.ST_CONN)[-1], Conn).session == link.session


def test_K6_nothing_is_queued_while_there_is_no_connection(
    link: Mqtt, relay: Relay, centre: Client, ears: Ears
) -> None:
    relay.cut()
    wait_until(lambda: not link.up, 30, "the adapter to notice")
    assert not link.publish(topics.UP_EV, b"lost")  # paho would have queued it, and sent it twice after a retry
    relay.heal()
    wait_until(lambda: link.up, 60, "the adapter to come back")
    assert ears.count(Connected) == 2
    assert ears.count(Disconnected) == 1
    assert link.publish(topics.UP_EV, b"sent")
    wait_until(lambda: heard(centre, topics.UP_EV) == [b"sent"], what="what was sent after the cut alone")


def test_K6_a_broker_that_does_not_answer_is_handed_only_so_much(link: Mqtt, relay: Relay) -> None:
    relay.freeze()
    taken = [link.publish(topics.UP_EV, b"x" * 1000) for _ in range(OUTSTANDING_MAX + 10)]
    assert taken.count(True) <= OUTSTANDING_MAX
    assert taken[-1] is False
    relay.thaw()
    wait_until(lambda: link.publish(topics.UP_EV, b"y"), 20, "room for the next packet")


def test_a_packet_that_no_broker_would_pass_on_is_refused_here(link: Mqtt) -> None:
    with pytest.raises(ValueError, match="at most"):
        link.publish(topics.UP_EV, b"x" * PACKET_BYTES_MAX)


def test_an_exception_in_a_callback_does_not_end_the_connection(broker: AnyBroker) -> None:
    calls = []

    def burst(event: LinkEvent) -> None:
        calls.append(event)
        if isinstance(event, Arrived):
            raise RuntimeError("a fault of ours")

    password = str(broker.password_file("lane-1"))
    link = Mqtt(WHERE, BrokerLogin(port=broker.port, password_file=password), burst)
    link.start()
    client = Client(broker.port, "centre")
    try:
        wait_until(lambda: link.up, 20, "the connection")
        for number in range(3):
            client.say(WHERE.topic(topics.DN_ACK), str(number).encode())
        wait_until(lambda: sum(isinstance(call, Arrived) for call in calls) == 3, what="all three messages")
        assert link.alive
        assert link.up
    finally:
        client.close()
        link.stop()


def test_a_wrong_password_is_not_a_connection_and_is_tried_again(broker: AnyBroker, ears: Ears) -> None:
    wrong = broker.password_file("lane-2")
    link = Mqtt(WHERE, BrokerLogin(port=broker.port, password_file=str(wrong)), ears)
    link.start()
    try:
        wrong.write_text((broker.password_file("lane-1")).read_text())
        wait_until(lambda: link.up, 30, "the right password to be tried")
        assert link.alive
    finally:
        link.stop()


def test_stopping_says_goodbye_and_never_hangs(broker: AnyBroker, ears: Ears, centre: Client) -> None:
    link = Mqtt(WHERE, BrokerLogin(port=broker.port, password_file=str(broker.password_file("lane-1"))), ears)
    link.start()
    wait_until(lambda: link.up, 20, "the connection")
    stopping = threading.Thread(target=link.stop)
    stopping.start()
    stopping.join(5)
    assert not stopping.is_alive()
    wait_until(lambda: [decode(p, Conn).up for p in heard(centre, topics.ST_CONN)][-1:] == [False], what="the goodbye")
