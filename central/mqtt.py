"""The broker, from the centre's side: one thread that receives, books, answers and pushes.

The thread drives paho's loop itself, so nothing of ours runs in a thread of paho's: callbacks only note what
came, and the work is done between two turns of the loop. What follows from paho's ways (see FACTS of the
design):

- a fresh client for each connection: nothing queued for a dead one is ever sent again;
- nothing is published while offline, and what is outstanding is counted and bounded here;
- a message is acknowledged to the broker only after its handling, and that proves nothing to a unit: the
  sealed Ack does;
- back-off between connections is ours, with full jitter, and is forgotten only after a minute of stability.
"""

from __future__ import annotations

import logging
import random
import socket
import ssl
import threading
import time
from collections import deque
from pathlib import Path
from typing import Any, Final

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode
from paho.mqtt.reasoncodes import ReasonCode

from central.db.database import StorageError, StorageReason
from central.desk import Desk, Outgoing
from central.incarnation import MARK_EVERY_S, Witness
from central.office import now_ms
from central.settings import CentralBroker
from central.turn import Turn
from wire.topics import PACKET_BYTES_MAX, centre_subscriptions

KEEPALIVE_S: Final = 60
CONNECT_TIMEOUT_S: Final = 5.0
TURN_S: Final = 0.1  # the loop waits at most so long for the network
TURN_PAYING_S: Final = 0.005  # ... and so long while a lane waits for the bank, whose answer is no network's event here
PUSH_EVERY_S: Final = 0.2
TIDY_EVERY_S: Final = 30.0
ORDERS_EVERY_S: Final = 10.0
TURN_EVERY_S: Final = 1.0  # a centre that waits for its turn asks so often
OUTSTANDING_MAX: Final = 100  # published and not yet acknowledged by the broker
SNAPSHOT_ROOM: Final = 20  # of these, for snapshots
QUEUED_MAX: Final = 2_000  # paho's own queue; beyond it a message is dropped, and pulled later
BACKOFF_FIRST_S: Final = 0.5
BACKOFF_CAP_S: Final = 30.0
STABLE_AFTER_S: Final = 60.0
GOODBYE_S: Final = 2.0
_log = logging.getLogger(__name__)


class Link:
    """Runs until `stop` is set; `healthy` tells whether it is connected and subscribed.

    Of several centres on one database, the one whose `turn` it is speaks with the broker; the others wait for it.
    """

    def __init__(self, desk: Desk, witness: Witness, broker: CentralBroker, tenant: str, turn: Turn) -> None:
        self._desk, self._witness, self._broker, self._tenant = desk, witness, broker, tenant
        self._turn = turn
        self._inbox: deque[paho.MQTTMessage] = deque()  # bounded by the broker's window: acks come after handling
        self._outstanding: set[int] = set()
        self._refusal = ""
        self._wanted_suback: int | None = None
        self._next_push = self._next_orders = self._next_tidy = self._next_mark = 0.0
        self.healthy = threading.Event()

    def run(self, stop: threading.Event) -> None:
        """Raises StorageError when the database fails in a way that does not pass by itself."""
        attempt = 0
        self._next_mark = time.monotonic() + MARK_EVERY_S
        while not stop.is_set():
            if not self._turn.mine():
                stop.wait(TURN_EVERY_S)
                continue
            began = time.monotonic()
            try:
                self._connection(stop)
            except (OSError, ValueError) as error:
                _log.warning("broker %s:%d: %s", self._broker.host, self._broker.port, error)
            except StorageError as error:
                if error.reason is not StorageReason.GONE:
                    raise
                _log.error("the database: %s", error)
            self.healthy.clear()
            self._desk.snapshots.drop()
            attempt = 0 if time.monotonic() - began > STABLE_AFTER_S else attempt + 1
            stop.wait(random.uniform(0.05, min(BACKOFF_CAP_S, BACKOFF_FIRST_S * 2 ** min(attempt, 10))))  # noqa: S311

    # --- one connection --------------------------------------------------------------------------------

    def _connection(self, stop: threading.Event) -> None:
        client = self._client()
        self._inbox.clear()
        self._outstanding.clear()
        self._refusal, self._wanted_suback = "", None
        client.connect(self._broker.host, self._broker.port, KEEPALIVE_S)
        announced = False
        while not stop.is_set():
            if not self._turn.mine():
                _log.warning("the database can't be reached, or another centre speaks with the broker now")
                break
            code = client.loop(TURN_PAYING_S if self._desk.paying else TURN_S)
            if self._refusal:
                _log.error("broker %s:%d: %s", self._broker.host, self._broker.port, self._refusal)
                break
            if code is not MQTTErrorCode.MQTT_ERR_SUCCESS:
                _log.warning("the broker's connection ended: %s", paho.error_string(code))
                break
            if self.healthy.is_set():
                if not announced:
                    announced = True
                    self._publish(client, self._desk.announce())
                self._work(client)
            self._by_time()
        self._goodbye(client)

    def _client(self) -> paho.Client:
        client = paho.Client(
            CallbackAPIVersion.VERSION2,
            client_id=f"centre-{self._tenant}",
            clean_session=True,
            protocol=paho.MQTTv311,
            reconnect_on_failure=False,
            manual_ack=True,
        )
        broker = self._broker
        if broker.username:
            password = None
            if broker.password_file:
                password = Path(broker.password_file).read_text(encoding="utf-8").split("\n", 1)[0]
            client.username_pw_set(broker.username, password)
        if broker.ca_file:
            context = ssl.create_default_context(cafile=broker.ca_file)
            if broker.cert_file:
                context.load_cert_chain(broker.cert_file, broker.key_file or None)
            client.tls_set_context(context)
        client.connect_timeout = CONNECT_TIMEOUT_S
        client.max_inflight_messages_set(OUTSTANDING_MAX)
        client.max_queued_messages_set(QUEUED_MAX)
        client.on_socket_open = _send_at_once
        client.on_connect = self._on_connect
        client.on_subscribe = self._on_subscribe
        client.on_message = self._on_message
        client.on_publish = self._on_publish
        return client

    def _goodbye(self, client: paho.Client) -> None:
        deadline = time.monotonic() + GOODBYE_S
        client.disconnect()
        while time.monotonic() < deadline and client.loop(TURN_S) is MQTTErrorCode.MQTT_ERR_SUCCESS:
            pass

    # Callbacks run inside `client.loop`, in this same thread. They only note things and can't fail.

    def _on_connect(self, client: paho.Client, _data: Any, _flags: Any, reason: ReasonCode, _props: Any) -> None:
        if reason.is_failure:
            self._refusal = f"refused the centre: {reason}"
            return
        _code, self._wanted_suback = client.subscribe(centre_subscriptions(self._tenant))

    def _on_subscribe(self, _client: paho.Client, _data: Any, mid: int, reasons: list[ReasonCode], _props: Any) -> None:
        if any(reason.is_failure for reason in reasons):
            self._refusal = "refused a subscription: check the broker's access rules for the centre"
        elif mid == self._wanted_suback:
            _log.info("connected to broker %s:%d", self._broker.host, self._broker.port)
            self.healthy.set()

    def _on_message(self, _client: paho.Client, _data: Any, message: paho.MQTTMessage) -> None:
        self._inbox.append(message)

    def _on_publish(self, _client: paho.Client, _data: Any, mid: int, reason: ReasonCode, _props: Any) -> None:
        self._outstanding.discard(mid)
        if reason.is_failure:
            _log.warning("the broker refused a message: %s", reason)

    # --- between two turns -----------------------------------------------------------------------------

    def _work(self, client: paho.Client) -> None:
        while self._inbox:
            message = self._inbox.popleft()
            try:
                self._publish(client, self._desk.handle(message.topic, bytes(message.payload), now_ms()))
            except StorageError as error:  # nothing was booked or answered; the unit sends it again
                _give_up_if_replaced(error)
                _log.error("the database: %s (%s)", error, error.reason.value)
            client.ack(message.mid, message.qos)
        try:
            self._publish(client, self._desk.paid())
            now = time.monotonic()
            if now >= self._next_push and len(self._outstanding) < OUTSTANDING_MAX:
                self._next_push = now + PUSH_EVERY_S
                self._desk.reverse(now_ms())
                self._publish(client, list(self._desk.pushes()))
            if now >= self._next_orders and len(self._outstanding) < OUTSTANDING_MAX:
                self._next_orders = now + ORDERS_EVERY_S
                self._publish(client, [*self._desk.orders(), *self._desk.card_grants(now_ms())])
            if self._desk.snapshots.busy:
                room = SNAPSHOT_ROOM - len(self._outstanding)
                self._publish(client, list(self._desk.snapshot_parts(max(0, room))))
        except StorageError as error:
            _give_up_if_replaced(error)
            _log.error("the database: %s (%s)", error, error.reason.value)

    def _publish(self, client: paho.Client, messages: list[Outgoing]) -> None:
        for message in messages:
            if len(message.payload) > PACKET_BYTES_MAX:
                _log.error("a message of %d bytes for %s was not sent", len(message.payload), message.topic)
                continue
            info = client.publish(message.topic, message.payload, qos=1)
            if info.rc is MQTTErrorCode.MQTT_ERR_SUCCESS:
                if not info.is_published():
                    self._outstanding.add(info.mid)
            else:
                _log.warning("a message for %s was not sent: %s", message.topic, paho.error_string(info.rc))

    def _by_time(self) -> None:
        now = time.monotonic()
        try:
            if now >= self._next_tidy:
                self._next_tidy = now + TIDY_EVERY_S
                self._desk.tidy(now_ms())
            if now >= self._next_mark:
                self._next_mark = now + MARK_EVERY_S
                self._witness.advance()
        except StorageError as error:
            _give_up_if_replaced(error)
            _log.error("the database: %s (%s)", error, error.reason.value)


def _give_up_if_replaced(error: StorageError) -> None:
    """Nothing that this process would say of another database is true: whoever started it starts it anew."""
    if error.reason is StorageReason.REPLACED:
        raise error


def _send_at_once(_client: paho.Client, _data: Any, opened: Any) -> None:
    """No waiting for more to send: beside small PUBACKs an answer would lie for 40 ms (delayed TCP acknowledgement)."""
    opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
