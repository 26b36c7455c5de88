"""The connection to the hub that is followed: a thread that connects, again and again, until it is ended.

A lane logs in by a signature over the hub's session. What it says is signed here, what it hears is checked here and
handed on; nothing waits: what can't be sent at once is not sent (`wire.peers` asks again). QoS 0 throughout: the hub
keeps nothing, and a message that is late is worth nothing.
"""

from __future__ import annotations

import logging
import secrets
import threading
import time
from collections import Counter
from collections.abc import Callable
from random import SystemRandom
from typing import Any, Final

import msgspec
from nacl.signing import SigningKey
from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode

from edge_agent.mqtt import guarded, send_at_once
from wire import site_envelope
from wire.backoff import Backoff
from wire.hub import Place
from wire.site_envelope import Ear, Forged, Keys, Mouth
from wire.site_messages import parse_topic, subscriptions, topic
from wire.topics import PACKET_BYTES_MAX, Address

CONNECT_S: Final = 1.0
ANSWER_S: Final = 4.0  # for CONNACK and SUBACK
KEEPALIVE_S: Final = 5
LOOP_S: Final = 0.25
RETRY_FIRST_MS: Final = 200
RETRY_CAP_MS: Final = 2_000
HEARD_PER_S: Final = 100  # messages of one lane in a second; more is a flood, and is not looked at
OUTSTANDING_MAX: Final = 200  # packets handed to paho that are not on the wire yet
_random = SystemRandom().random
log = logging.getLogger(__name__)


class Up(msgspec.Struct, frozen=True):
    """Connected to the hub of this session."""

    session: bytes
    hub: str


class Lost(msgspec.Struct, frozen=True):
    """The connection to it ended."""

    session: bytes


class Failed(msgspec.Struct, frozen=True):
    """A try to connect failed, or the hub refused us."""

    session: bytes
    why: str


class Echo(msgspec.Struct, frozen=True):
    """The hub passed on something of ours: it is alive."""

    session: bytes


class Said(msgspec.Struct, frozen=True):
    """Another lane said this, and signed it."""

    sender: str
    body: bytes


LinkEvent = Up | Lost | Failed | Echo | Said
Sink = Callable[[LinkEvent], Any]


class Link:
    """One hub that is followed. `lanes` gives the keys of now; `sink` is called on the link's thread."""

    def __init__(
        self, where: Address, key: SigningKey, place: Place, ear: Ear, lanes: Callable[[], Keys], sink: Sink
    ) -> None:
        self._where, self._key, self.place, self._ear, self._lanes, self._sink = where, key, place, ear, lanes, sink
        self.forged = self.flooded = 0
        self._second, self._heard = 0, Counter[str]()
        self._end = threading.Event()
        self._saying = threading.Lock()  # what is signed leaves in the order of its counts
        self._client: paho.Client | None = None
        self._mouth: Mouth | None = None
        self._up = False
        self._refusal = ""
        self._counting = threading.Lock()
        self._given = self._taken = 0
        self._thread = threading.Thread(target=self._run, name="site link", daemon=True)

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
            client, mouth = self._client, self._mouth
            if not self._up or client is None or mouth is None:
                return False
            where = topic(self._where.tenant, self._where.site, self._where.device, to)
            packet = mouth.say(where, body)
            if len(packet) + len(where) + 8 > PACKET_BYTES_MAX:
                raise ValueError(
                    f"a message of {len(packet)} bytes between lanes: at most {PACKET_BYTES_MAX} go through"
                )
            with self._counting:
                if self._given - self._taken >= OUTSTANDING_MAX:
                    return False
                self._given += 1
            return client.publish(where, packet, 0).rc == MQTTErrorCode.MQTT_ERR_SUCCESS

    # --- the thread -----------------------------------------------------------------------------------

    def _run(self) -> None:
        backoff = Backoff(_random, first_ms=RETRY_FIRST_MS, cap_ms=RETRY_CAP_MS)
        session = self.place.session
        while not self._end.is_set():
            for address in self.place.addresses or ("",):
                if self._end.is_set():
                    return
                was_up, why = self._one_connection(address)
                if was_up:
                    backoff.reset()
                    break
            if not self._end.is_set():
                self._sink(Lost(session) if was_up else Failed(session, why))
            self._end.wait(backoff.next_ms() / 1000)

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
            self._mouth = Mouth(self._key, self.place.session, secrets.token_bytes(site_envelope.VOICE_BYTES))
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
        device, place = self._where.device, self.place
        client = paho.Client(
            CallbackAPIVersion.VERSION2, client_id=device, clean_session=True, protocol=paho.MQTTv311,
            reconnect_on_failure=False,
        )  # fmt: skip
        client.connect_timeout = CONNECT_S
        once = secrets.token_bytes(site_envelope.LOGIN_BYTES)
        client.username_pw_set(device, site_envelope.login(self._key, device, place.device, place.session, once))
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
            client.subscribe([(name, 0) for name in subscriptions(self._where)])

    def _on_subscribe(self, client: paho.Client, data: Any, mid: int, reasons: list[Any], properties: Any) -> None:
        if any(reason.is_failure for reason in reasons):
            self._refusal = "the hub refused our subscriptions"
        elif not self._end.is_set():
            self._up = True
            self._sink(Up(self.place.session, self.place.device))

    def _on_publish(self, client: paho.Client, data: Any, mid: int, reason: Any, properties: Any) -> None:
        with self._counting:  # runs on whichever thread put the packet on the wire
            self._taken += 1

    def _on_message(self, client: paho.Client, data: Any, message: paho.MQTTMessage) -> None:
        heard = parse_topic(self._where, message.topic)
        if heard is None or self._end.is_set():
            return
        if heard.sender == self._where.device:
            self._sink(Echo(self.place.session))
            return
        if not self._gate(heard.sender):
            self.flooded += 1
            return
        try:
            body = self._ear.hear(self._lanes(), message.topic, heard.sender, bytes(message.payload))
        except Forged as error:
            self.forged += 1
            log.info("a message on the site's network changes nothing: %s", error)
            return
        self._sink(Said(heard.sender, body))

    def _gate(self, sender: str) -> bool:
        second = int(time.monotonic())
        if second != self._second:
            self._second, self._heard = second, Counter()
        self._heard[sender] += 1
        return self._heard[sender] <= HEARD_PER_S
