"""The embedded broker: who may say what, the password file, garbage, and bounds on memory."""

from __future__ import annotations

import json
import re
import socket
from pathlib import Path

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.broker.access import BadPasswordFile, Passwords, may_publish, may_subscribe, password_line
from tests.mqtt_client import Client
from tests.servers import EmbeddedBroker, Mosquitto, Relay, wait_until
from wire.topics import LEAVES, Address, centre_subscriptions, subscriptions

OWN = Address("demo", "ueno", "lane-1")
OTHER = Address("demo", "ueno", "lane-2")
MIB = 1024 * 1024


def test_a_unit_may_do_exactly_what_the_tree_gives_it() -> None:
    for leaf in LEAVES:
        assert may_publish("lane-1", OWN.topic(leaf)) is leaf.upward
        assert may_subscribe("lane-1", OWN.topic(leaf)) is (not leaf.upward)
        assert not may_publish("lane-1", OTHER.topic(leaf))
        assert not may_subscribe("lane-1", OTHER.topic(leaf))
        assert not may_publish("lane-1", OWN.whole_site.topic(leaf))
    assert all(may_subscribe("lane-1", topic) for topic, _ in subscriptions(OWN))
    assert all(may_subscribe("centre", topic) for topic, _ in centre_subscriptions("demo"))


FOR_ALL = re.compile(r"tk/1/[a-z0-9_-]{1,32}/[a-z0-9_-]{1,32}/all/dn/(feed|cmd)")


@given(topic=st.text(max_size=80) | st.from_regex(r"tk/1/[a-z+]{1,4}/[a-z#]{1,4}/(all|lane-2|\+)/(up|st|dn)/\w{2,4}"))
def test_no_other_text_gets_a_unit_anywhere(topic: str) -> None:
    assert not may_publish("lane-1", topic)
    assert not may_subscribe("lane-1", topic) or FOR_ALL.fullmatch(topic)


def test_the_users_of_a_password_file_fit_with_their_password_alone(tmp_path: Path) -> None:
    path = tmp_path / "passwords"
    path.write_text(password_line("lane-1", "秘密") + "\n\n" + password_line("centre", "s") + "\n")
    passwords = Passwords(path)
    assert passwords.fit("lane-1", "秘密")
    assert not passwords.fit("lane-1", "s")
    assert not passwords.fit("lane-2", "s")
    assert not passwords.fit("", "")


def test_a_changed_password_file_counts_at_once_and_a_broken_one_lets_nobody_in(tmp_path: Path) -> None:
    path = tmp_path / "passwords"
    path.write_text(password_line("lane-1", "old"))
    passwords = Passwords(path)
    path.write_text(password_line("lane-1", "new") + "\n" + password_line("lane-2", "two"))
    assert passwords.fit("lane-1", "new")
    assert passwords.fit("lane-2", "two")
    path.write_text("nonsense")
    assert not passwords.fit("lane-1", "new")


WRONG_LINES = [
    "lane-1",
    "lane-1:secret",
    "lane-1:$6$101$AAAA$AAAA",
    "lane-1:$7$0$AAAA$AAAA",
    "lane-1:$7$1$*$AAAA",
    ":$7$1$AA==$AA==",
]


@pytest.mark.parametrize("line", WRONG_LINES)
def test_a_wrong_line_is_named_with_its_number(tmp_path: Path, line: str) -> None:
    path = tmp_path / "passwords"
    path.write_text(password_line("ok", "x") + "\n" + line)
    with pytest.raises(BadPasswordFile, match=f"{path}, line 2: "):
        Passwords(path)


@pytest.mark.parametrize("name", ["", "a:b", "a b", "a\n"])
def test_a_user_name_that_would_break_the_file_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="user name"):
        password_line(name, "x")


def test_mosquitto_reads_the_same_password_file(mosquitto: Mosquitto) -> None:
    mosquitto.passwords_file.write_text(password_line("lane-1", "made here") + "\n")
    mosquitto.stop()
    mosquitto.start()
    client = Client(mosquitto.port, "lane-1", "made here")
    assert client.welcome
    client.close()


GARBAGE = {
    "http": b"GET / HTTP/1.1\r\n\r\n",
    "nothing": b"",
    "no connect": b"\xc0\x00",
    "huge": b"\x10\xff\xff\xff\x7f",
    "endless length": b"\x10\xff\xff\xff\xff\xff\xff",
    "cut": b"\x10\x20\x00\x04MQTT\x04\x02",
    "longer inside": b"\x10\x0c\x00\x04MQTT\x04\xc2\x00\x3c\xff\xff",
    "not utf-8": b"\x10\x10\x00\x04MQTT\x04\x02\x00\x3c\x00\x04\xff\xfe\xfd\xfc",
    "reserved": b"\xf0\x00",
}


def test_garbage_ends_its_connection_and_nothing_else(embedded_broker: EmbeddedBroker) -> None:
    client = Client(embedded_broker.port, "centre")
    for name, data in GARBAGE.items():
        with socket.create_connection(("127.0.0.1", embedded_broker.port), timeout=15) as sock:
            sock.sendall(data)
            sock.shutdown(socket.SHUT_WR)
            assert len(sock.recv(100)) <= 4, name  # at most a refusal
    client.subscribe("tk/1/#")
    client.say("tk/1/demo/ueno/all/dn/feed", b"alive")
    wait_until(lambda: client.heard, what="a message after the garbage")
    client.close()
    assert "Traceback" not in embedded_broker.log.read_text()


def test_a_client_that_does_not_read_costs_a_bounded_memory_and_then_its_connection(
    embedded_broker: EmbeddedBroker,
) -> None:
    memory = psutil.Process(embedded_broker.pid).memory_info
    deaf = socket.create_connection(("127.0.0.1", embedded_broker.port))
    deaf.sendall(_connect("lane-1", "lane-1-secret"))
    assert deaf.recv(4) == b"\x20\x02\x00\x00"
    topic = b"tk/1/demo/ueno/lane-1/dn/feed"
    deaf.sendall(
        b"\x82" + bytes([2 + 2 + len(topic) + 1]) + b"\x00\x01" + len(topic).to_bytes(2, "big") + topic + b"\x00"
    )
    assert deaf.recv(5)[:1] == b"\x90"
    centre = Client(embedded_broker.port, "centre")
    before = memory().rss
    for _ in range(3000):
        centre.paho.publish(topic.decode(), b"x" * 60_000, qos=0)  # 180 MB in all
    other = Client(embedded_broker.port, "lane-2")
    peak = 0

    def passed() -> bool:
        nonlocal peak
        peak = max(peak, memory().rss)
        return other.heard != []

    other.subscribe("tk/1/demo/ueno/lane-2/dn/ack")
    centre.paho.publish("tk/1/demo/ueno/lane-2/dn/ack", b"through", qos=1)
    wait_until(passed, 60, "a message behind those that nobody reads")
    assert peak - before < 130 * MIB
    assert _is_cut(deaf)
    for client in (centre, other):
        client.close()


def test_a_broker_that_is_ended_with_clients_in_every_state_says_no_word_of_faults(
    embedded_broker: EmbeddedBroker,
) -> None:
    line = Relay(embedded_broker.port)
    deaf, centre = Client(line.port, "lane-1"), Client(embedded_broker.port, "centre")
    deaf.subscribe("tk/1/demo/ueno/lane-1/dn/ack")
    line.freeze()
    centre.say("tk/1/demo/ueno/lane-1/dn/ack")
    with socket.create_connection(("127.0.0.1", embedded_broker.port)):  # has not said who it is
        embedded_broker.stop()
    line.close()
    for client in (deaf, centre):
        client.close()
    assert [json.loads(said)["event"] for said in embedded_broker.log.read_text().splitlines()] == ["ready", "stopped"]


def _is_cut(sock: socket.socket) -> bool:
    """Whether the far end gave the connection up, once everything that it had sent is read."""
    with sock:
        sock.settimeout(20)
        try:
            while sock.recv(MIB):
                pass
        except TimeoutError:
            return False
        except ConnectionResetError:
            return True
    return True


def _connect(user: str, password: str) -> bytes:
    texts = b"".join(len(text).to_bytes(2, "big") + text for text in (user.encode(), user.encode(), password.encode()))
    body = b"\x00\x04MQTT\x04\xc2\x00\x00" + texts
    return b"\x10" + bytes([len(body)]) + body
