"""What both brokers must do for us: who may log in, say and hear what, and what a broker's end means."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from tests.mqtt_client import Client
from tests.servers import PASSWORDS, EmbeddedBroker, Mosquitto, Relay, wait_until

AnyBroker = Mosquitto | EmbeddedBroker
SITE = "tk/1/demo/ueno"


Connect = Callable[..., Client]


@pytest.fixture
def connect(broker: AnyBroker) -> Iterator[Connect]:
    clients: list[Client] = []

    def connect_(user: str, port: int = 0, **options: Any) -> Client:
        clients.append(Client(port or broker.port, user, **options))
        return clients[-1]

    yield connect_
    for client in clients:
        client.close()


def test_only_known_users_with_their_password_get_in(connect: Connect) -> None:
    assert connect("centre").welcome
    assert not connect("centre", password="wrong", client_id="a").welcome
    assert not connect("nobody", password="", client_id="b").welcome
    assert not connect("lane-1", password=PASSWORDS["lane-2"], client_id="c").welcome


def test_a_unit_is_heard_on_its_own_topics_and_nowhere_else(connect: Connect) -> None:
    centre, unit = connect("centre"), connect("lane-1")
    centre.subscribe("tk/1/#")
    forbidden = [
        f"{SITE}/lane-2/up/ev",
        f"{SITE}/lane-2/st/conn",
        f"{SITE}/lane-1/dn/ack",
        f"{SITE}/lane-2/dn/cmd",
        f"{SITE}/all/dn/feed",
        f"{SITE}/all/up/ev",
        "tk/1/demo",
        "elsewhere",
    ]
    for topic in forbidden:
        unit.say(topic)
    unit.say(f"{SITE}/lane-1/up/ev", b"mine")
    unit.say(f"{SITE}/lane-1/st/info", b"last")
    wait_until(lambda: (f"{SITE}/lane-1/st/info", b"last") in centre.heard, what="the permitted messages")
    assert centre.heard == [(f"{SITE}/lane-1/up/ev", b"mine"), (f"{SITE}/lane-1/st/info", b"last")]


def test_a_unit_hears_its_own_downlink_and_its_site_and_nobody_else(connect: Connect) -> None:
    centre, unit = connect("centre"), connect("lane-1")
    unit.subscribe(f"{SITE}/lane-1/dn/ack", f"{SITE}/all/dn/feed")
    unit.subscribe(f"{SITE}/lane-2/dn/ack", f"{SITE}/lane-2/up/ev", f"{SITE}/lane-1/up/ev", "tk/1/#", "#")
    for topic in (f"{SITE}/lane-2/dn/ack", f"{SITE}/lane-2/up/ev"):
        centre.say(topic, b"not for lane-1")
    centre.say(f"{SITE}/lane-1/dn/ack", b"yours")
    centre.say(f"{SITE}/all/dn/feed", b"for all")
    wait_until(lambda: len({topic for topic, _ in unit.heard}) >= 2, what="the permitted messages")
    assert {payload for _, payload in unit.heard} == {b"yours", b"for all"}


def test_a_will_outside_a_units_own_topics_is_never_published(connect: Connect) -> None:
    centre = connect("centre")
    centre.subscribe("tk/1/#")
    intruder = connect("lane-1", topic=f"{SITE}/lane-2/st/conn", payload=b"forged", qos=1)
    if intruder.welcome:  # Mosquitto lets it in and drops the will
        intruder.vanish()
    other = connect("lane-2", topic=f"{SITE}/lane-2/st/conn", payload=b"gone", qos=1)
    other.vanish()
    wait_until(lambda: centre.heard, what="the permitted will")
    assert centre.heard == [(f"{SITE}/lane-2/st/conn", b"gone")]


def test_a_second_connection_with_the_same_id_ends_the_first(connect: Connect) -> None:
    first = connect("lane-1")
    first.paho.reconnect_delay_set(60, 60)
    second = connect("lane-1")
    second.subscribe(f"{SITE}/lane-1/dn/ack")
    assert first.gone.wait(5), "the old connection stayed open"
    connect("centre").say(f"{SITE}/lane-1/dn/ack", b"once")
    wait_until(lambda: second.heard, what="the message")
    assert second.heard == [(f"{SITE}/lane-1/dn/ack", b"once")]


def test_a_stranger_with_a_units_client_id_does_not_disturb_it(connect: Connect) -> None:
    unit = connect("lane-1")
    unit.subscribe(f"{SITE}/lane-1/dn/ack")
    assert not connect("lane-1", password="guess").welcome
    connect("centre").say(f"{SITE}/lane-1/dn/ack", b"still here")
    wait_until(lambda: unit.heard, what="the message after the stranger's try")
    assert not unit.gone.is_set()


def test_a_retained_birth_is_seen_by_who_subscribes_later(connect: Connect) -> None:
    connect("lane-1").say(f"{SITE}/lane-1/st/conn", b"up", retain=True)
    centre = connect("centre")
    centre.subscribe("tk/1/demo/+/+/st/conn")
    wait_until(lambda: centre.heard, what="the retained message")
    assert centre.heard == [(f"{SITE}/lane-1/st/conn", b"up")]


def test_a_packet_of_64_kib_passes_and_a_larger_one_does_not(connect: Connect) -> None:
    centre, unit = connect("centre"), connect("lane-1")
    centre.subscribe("tk/1/#")
    topic = f"{SITE}/lane-1/up/ev"
    fits = 64 * 1024 - len(topic) - 2 - 2 - 4
    unit.say(topic, b"f" * fits)
    wait_until(lambda: centre.heard, what="the packet of 64 KiB")
    unit.paho.publish(topic, b"L" * (fits + 1000), qos=1)
    assert unit.gone.wait(10), "a packet over the limit did not end the connection"
    assert [len(payload) for _, payload in centre.heard] == [fits]


def test_a_silent_client_is_declared_dead(broker: AnyBroker, connect: Connect) -> None:
    line = Relay(broker.port)
    centre = connect("centre")
    centre.subscribe("tk/1/#")
    unit = mqtt.Client(CallbackAPIVersion.VERSION2, client_id="lane-1")
    unit.username_pw_set("lane-1", PASSWORDS["lane-1"])
    unit.will_set(f"{SITE}/lane-1/st/conn", b"gone", qos=1)
    unit.connect("127.0.0.1", line.port, keepalive=2)
    unit.loop_start()
    wait_until(unit.is_connected, what="the connection")
    line.freeze()
    wait_until(lambda: centre.heard, 10, "the will of a client whose network went silent")
    assert centre.heard == [(f"{SITE}/lane-1/st/conn", b"gone")]
    line.close()
    unit.disconnect()
    unit.loop_stop()


def test_a_killed_broker_comes_back_on_the_same_port(broker: AnyBroker, connect: Connect) -> None:
    client = connect("centre")
    broker.kill()
    assert client.gone.wait(5)
    broker.start()
    assert connect("centre", client_id="again").welcome


def test_the_relay_cuts_delays_and_heals(broker: AnyBroker, relay: Relay, connect: Connect) -> None:
    client = connect("lane-1", port=relay.port)
    relay.cut()
    assert client.gone.wait(5)
    relay.heal()
    relay.delay_ms = 150
    client.codes.clear()
    wait_until(lambda: client.codes, 15, "the reconnect")
    centre = connect("centre")
    centre.subscribe("tk/1/#")
    client.say(f"{SITE}/lane-1/up/ev", b"late")
    wait_until(lambda: centre.heard, what="the message through the slow line")
