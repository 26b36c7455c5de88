"""A plain MQTT client for tests: the real paho, keeping what it hears and what it was told."""

from __future__ import annotations

import threading
from typing import Any

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from tests.servers import PASSWORDS, wait_until


class Client:
    """A paho client that keeps what it hears."""

    def __init__(self, port: int, user: str, password: str | None = None, client_id: str = "", **will: Any) -> None:
        self.heard: list[tuple[str, bytes]] = []
        self.codes: list[str] = []
        self.granted: list[int] = []
        self.acknowledged: set[int] = set()
        self.gone = threading.Event()
        self.paho = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=client_id or user)
        self.paho.username_pw_set(user, PASSWORDS.get(user, "") if password is None else password)
        if will:
            self.paho.will_set(**will)
        self.paho.on_connect = lambda _c, _u, _f, code, _p: self.codes.append(str(code))
        self.paho.on_message = lambda _c, _u, message: self.heard.append((message.topic, bytes(message.payload)))
        self.paho.on_subscribe = lambda _c, _u, _m, codes, _p: self.granted.extend(code.value for code in codes)
        self.paho.on_publish = lambda _c, _u, mid, _r, _p: self.acknowledged.add(mid)
        self.paho.on_disconnect = lambda *_: self.gone.set()
        self.paho.connect("127.0.0.1", port, keepalive=30)
        self.paho.loop_start()
        wait_until(lambda: self.codes or self.gone.is_set(), what="an answer to CONNECT")

    @property
    def welcome(self) -> bool:
        return self.codes == ["Success"]

    def subscribe(self, *filters: str) -> None:
        self.granted.clear()
        self.paho.subscribe([(one, 1) for one in filters])
        wait_until(lambda: len(self.granted) == len(filters), what="SUBACK")

    def say(self, topic: str, payload: bytes = b"x", retain: bool = False) -> None:
        """Publish with QoS 1 and wait for the acknowledgement."""
        info = self.paho.publish(topic, payload, qos=1, retain=retain)
        wait_until(lambda: info.mid in self.acknowledged, what=f"PUBACK of {topic}")

    def close(self) -> None:
        self.paho.disconnect()
        self.paho.loop_stop()

    def vanish(self) -> None:
        """End the connection without DISCONNECT."""
        self.paho.loop_stop()
        sock = self.paho.socket()
        assert sock is not None
        sock.close()
