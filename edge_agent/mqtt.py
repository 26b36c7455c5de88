"""The MQTT adapter: paho-mqtt 2.x behind the few calls that a unit needs.

What paho does by itself is not enough for money (FACTS: measured): `publish` queues while offline, its loop
thread dies on any exception in a callback and says nothing, its back-off has no jitter, `loop_stop` can hang.
So: nothing is handed to paho unless connected and little is outstanding; callbacks only put things into the
inbox, inside a guard; the loop is ours, in a thread that is watched; a PUBACK means nothing to anybody.
"""

from __future__ import annotations

import logging
import secrets
import socket
import ssl
import threading
import time
from collections.abc import Callable
from pathlib import Path
from random import SystemRandom
from typing import Any, Final

import msgspec
from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode

from edge_agent.settings import BrokerLogin
from wire import topics
from wire.backoff import Backoff
from wire.messages import Conn, encode
from wire.topics import PACKET_BYTES_MAX, Address

OUTSTANDING_MAX: Final = 20  # packets that the broker has not taken; beyond it `publish` says no
STABLE_S: Final = 60.0  # a connection that lived so long resets the back-off
CONNECT_TIMEOUT_S: Final = 10.0
STOP_WAIT_S: Final = 3.0
LOOP_S: Final = 0.25
_random = SystemRandom().random
log = logging.getLogger(__name__)


class Connected(msgspec.Struct, frozen=True):
    """The broker took our login and our subscriptions."""


class Disconnected(msgspec.Struct, frozen=True):
    why: str


class Arrived(msgspec.Struct, frozen=True):
    """A message came."""

    topic: str
    payload: bytes


LinkEvent = Connected | Disconnected | Arrived
Sink = Callable[[LinkEvent], Any]


class Mqtt:
    """One connection to the broker, kept up by a thread of its own."""

    def __init__(self, where: Address, login: BrokerLogin, sink: Sink) -> None:
        self._where, self._login, self._sink = where, login, sink
        self.session = secrets.token_bytes(8)
        self._stop = threading.Event()
        self._up = False
        self._counting = threading.Lock()
        self._given = self._taken = 0  # packets of this connection, and those the broker has taken
        self._awaited: int | None = None
        self._thread = threading.Thread(target=self._run, name="mqtt", daemon=True)
        self._client: paho.Client | None = None

    def start(self) -> None:
        self._thread.start()

    @property
    def up(self) -> bool:
        return self._up

    @property
    def alive(self) -> bool:
        """False means that the connection will not come back: a fault of ours."""
        return self._thread.is_alive()

    def publish(self, leaf: topics.Leaf, payload: bytes) -> bool:
        """Hand a packet to the broker. False: not connected or too much outstanding; try again later."""
        client = self._client
        if client is None or not self._up:
            return False
        topic = self._where.topic(leaf)
        if len(payload) + len(topic) + 8 > PACKET_BYTES_MAX:
            raise ValueError(f"a packet of {len(payload)} bytes for {leaf.path}: at most {PACKET_BYTES_MAX} go through")
        with self._counting:
            if self._given - self._taken >= OUTSTANDING_MAX:
                return False
            self._given += 1
        return client.publish(topic, payload, leaf.qos, leaf.retained).rc == MQTTErrorCode.MQTT_ERR_SUCCESS

    def stop(self) -> None:
        """Say goodbye and end; never hangs."""
        if self._up:
            self.publish(topics.ST_CONN, encode(Conn(False, self.session)))
        self._stop.set()
        self._thread.join(STOP_WAIT_S)

    # --- the thread -----------------------------------------------------------------------------------

    def _run(self) -> None:
        backoff = Backoff(_random, first_ms=500, cap_ms=self._login.reconnect_max_s * 1000)
        while not self._stop.is_set():
            began_s = time.monotonic()
            why = self._one_connection()
            was_up, self._up, self._client = self._up, False, None
            if was_up:
                self._sink(Disconnected(why))
            if time.monotonic() - began_s > STABLE_S:
                backoff.reset()
            self._stop.wait(backoff.next_ms() / 1000)

    def _one_connection(self) -> str:
        """Connect, and stay until the connection ends. Says why it ended."""
        try:
            client = self._new_client()
            client.connect(self._login.host, self._login.port, self._login.keepalive_s)
        except (OSError, ValueError) as error:  # ValueError: paho's word for a bad host or port
            return f"no connection to {self._login.host}:{self._login.port}: {error}"
        self._given = self._taken = 0
        self._client = client
        deadline_s = time.monotonic() + CONNECT_TIMEOUT_S
        while not self._stop.is_set():
            code = client.loop(LOOP_S)
            if code != MQTTErrorCode.MQTT_ERR_SUCCESS:
                return paho.error_string(code)
            if not self._up and time.monotonic() > deadline_s:
                return "the broker did not answer in time"
        client.disconnect()
        client.loop(LOOP_S)
        return "stopped"

    def _new_client(self) -> paho.Client:
        login = self._login
        client = paho.Client(
            CallbackAPIVersion.VERSION2, client_id=self._where.device, clean_session=True, protocol=paho.MQTTv311,
            reconnect_on_failure=False,
        )  # fmt: skip
        password = Path(login.password_file).read_text().strip() if login.password_file else None
        client.username_pw_set(login.username or self._where.device, password)
        if login.ca_file:
            client.tls_set(
                login.ca_file, login.cert_file or None, login.key_file or None, tls_version=ssl.PROTOCOL_TLS_CLIENT
            )
        client.connect_timeout = CONNECT_TIMEOUT_S
        client.will_set(self._where.topic(topics.ST_CONN), encode(Conn(False, self.session)), 1, True)
        client.on_socket_open = guarded(send_at_once)
        client.on_connect = guarded(self._on_connect)
        client.on_subscribe = guarded(self._on_subscribe)
        client.on_message = guarded(self._on_message)
        client.on_publish = guarded(self._on_publish)
        return client

    def _on_connect(self, client: paho.Client, data: Any, flags: Any, reason: Any, properties: Any) -> None:
        if reason.is_failure:
            log.warning("the broker refused the login: %s", reason)
            client.disconnect()
            return
        _, self._awaited = client.subscribe(topics.subscriptions(self._where))

    def _on_subscribe(self, client: paho.Client, data: Any, mid: int, reasons: list[Any], properties: Any) -> None:
        if mid != self._awaited:
            return
        for (topic, _), reason in zip(topics.subscriptions(self._where), reasons, strict=False):
            if reason.is_failure:
                log.error("the broker refused the subscription to %s: %s", topic, reason)
        self._up = True
        self.publish(topics.ST_CONN, encode(Conn(True, self.session)))
        self._sink(Connected())

    def _on_publish(self, client: paho.Client, data: Any, mid: int, reason: Any, properties: Any) -> None:
        # Runs under paho's lock: count, and nothing else. It frees a place; it does not mean that anything is booked.
        with self._counting:
            self._taken += 1

    def _on_message(self, client: paho.Client, data: Any, message: paho.MQTTMessage) -> None:
        self._sink(Arrived(message.topic, bytes(message.payload)))


def send_at_once(client: paho.Client, data: Any, opened: Any) -> None:
    """No waiting for more to send: beside small PUBACKs a batch would lie for 40 ms (delayed TCP acknowledgement)."""
    opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def guarded(callback: Callable[..., None]) -> Callable[..., None]:
    """An exception in a callback would end paho's loop without a word: log it instead."""

    def guard(*values: Any) -> None:
        try:
            callback(*values)
        except Exception:
            log.exception("a callback of the MQTT connection failed")

    return guard
