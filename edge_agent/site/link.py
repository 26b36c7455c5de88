"""The connection to the hub that is followed: a thread that connects, again and again, until it is ended.

What is said and heard on it is `edge_agent.site.talk`'s; here are MQTT, the thread and the time. Nothing waits: what
can't be sent at once is not sent (`wire.peers` asks again). QoS 0 throughout: the hub keeps nothing, and a message that
is late is worth nothing.
"""

from __future__ import annotations

import threading
import time
from typing import Any, Final

from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode

from edge_agent.mqtt import guarded, send_at_once
from edge_agent.site.talk import Packet, Talk
from wire.hub import Place

CONNECT_S: Final = 1.0
ANSWER_S: Final = 4.0  # for CONNACK and SUBACK
KEEPALIVE_S: Final = 5
LOOP_S: Final = 0.25
OUTSTANDING_MAX: Final = 200  # packets handed to paho that are not on the wire yet


class Link:
    """One hub that is followed. What `talk` hands on comes on the link's thread."""

    def __init__(self, talk: Talk) -> None:
        self.talk = talk
        self._end = threading.Event()
        self._saying = threading.Lock()  # what is signed leaves in the order of its counts
        self._client: paho.Client | None = None
        self._up = False
        self._refusal = ""
        self._counting = threading.Lock()
        self._given = self._taken = 0
        self._thread = threading.Thread(target=self._run, name="site link", daemon=True)

    @property
    def place(self) -> Place:
        return self.talk.place

    def start(self) -> None:
        self._thread.start()

    def end(self) -> None:
        """Leave; returns at once."""
        self._up = False
        self._end.set()

    def join(self, timeout_s: float) -> None:
        if self._thread.is_alive():
            self._thread.join(timeout_s)

    @property
    def up(self) -> bool:
        return self._up

    def say(self, to: str, body: bytes) -> bool:
        """To a lane or to all, from any thread. False: it was not sent."""
        with self._saying:
            client = self._client
            if not self._up or client is None:
                return False
            packet = self.talk.seal(to, body)
            with self._counting:
                if self._given - self._taken >= OUTSTANDING_MAX:
                    return False
                self._given += 1
            return client.publish(packet.topic, packet.payload, 0).rc == MQTTErrorCode.MQTT_ERR_SUCCESS

    # --- the thread -----------------------------------------------------------------------------------

    def _run(self) -> None:
        while not self._end.is_set():
            for address in self.place.addresses or ("",):
                if self._end.is_set():
                    return
                was_up, why = self._one_connection(address)
                if was_up:
                    break
            if not self._end.is_set():
                self._end.wait(self.talk.ended(was_up, why) / 1000)

    def _one_connection(self, address: str) -> tuple[bool, str]:
        """Connect, and stay. Says whether it ever was up, and why it ended."""
        client = self._new_client()
        self._refusal, was_up = "", False
        try:
            client.connect(address, self.place.port, KEEPALIVE_S)
        except (OSError, ValueError) as error:  # ValueError: paho's word for a bad host
            return False, f"no connection to {address}:{self.place.port}: {error}"
        with self._saying:
            self._client, self._given, self._taken = client, 0, 0
            self.talk.connected()
        deadline_s = time.monotonic() + ANSWER_S
        why = ""
        while not self._end.is_set() and not why:
            code = client.loop(LOOP_S)
            was_up = was_up or self._up
            if self._refusal or code != MQTTErrorCode.MQTT_ERR_SUCCESS:
                why = self._refusal or paho.error_string(code)
            elif not was_up and time.monotonic() > deadline_s:
                why = "the hub did not answer in time"
        self._up = False
        client.disconnect()
        client.loop(LOOP_S)
        return was_up, why

    def _new_client(self) -> paho.Client:
        login = self.talk.login()
        client = paho.Client(
            CallbackAPIVersion.VERSION2, client_id=login.user, clean_session=True, protocol=paho.MQTTv311,
            reconnect_on_failure=False,
        )  # fmt: skip
        client.connect_timeout = CONNECT_S
        client.username_pw_set(login.user, login.password)
        client.on_socket_open = guarded(send_at_once)
        client.on_connect = guarded(self._on_connect)
        client.on_subscribe = guarded(self._on_subscribe)
        client.on_message = guarded(self._on_message)
        client.on_publish = guarded(self._on_publish)
        return client

    def _on_connect(self, client: paho.Client, data: Any, flags: Any, reason: Any, properties: Any) -> None:
        if reason.is_failure:
            self._refusal = f"the hub refused the login: {reason}"
        else:
            client.subscribe([(name, 0) for name in self.talk.subscriptions])

    def _on_subscribe(self, client: paho.Client, data: Any, mid: int, reasons: list[Any], properties: Any) -> None:
        if any(reason.is_failure for reason in reasons):
            self._refusal = "the hub refused our subscriptions"
        elif not self._end.is_set():
            self._up = True
            self.talk.subscribed()

    def _on_publish(self, client: paho.Client, data: Any, mid: int, reason: Any, properties: Any) -> None:
        with self._counting:  # runs on whichever thread put the packet on the wire
            self._taken += 1

    def _on_message(self, client: paho.Client, data: Any, message: paho.MQTTMessage) -> None:
        if not self._end.is_set():
            self.talk.hear(Packet(message.topic, bytes(message.payload)), time.monotonic_ns() // 1_000_000)
