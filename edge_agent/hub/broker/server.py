"""amqtt, made fit: access rules of ours, bounds on memory, and the gaps of amqtt 0.12 closed.

Who may do what is handed in (`admission.Rules`): a site's hub knows lanes (`edge_agent.hub.rules`), the demo's broker
knows passwords (`simulator.broker`).

What amqtt does by itself and is corrected here (FACTS, 'Brokers'; each is held by a test):
- it deletes the session of a client id before it has checked the newcomer's password, and leaves the old
  connection of a taken-over id open: here login comes first, and the old connection is closed;
- it publishes a will without asking the access rules: here a forbidden will refuses the connection;
- it never ends a silent connection, so that no will comes: see `streams`;
- its queues have no bounds: here publishers wait while `BACKLOG_MAX` messages wait to be delivered, and sessions are
  always clean (nothing is queued for who is away; no part of Tokuten relies on a broker's memory).
Like every broker it acknowledges what it then drops for lack of permission: an acknowledgement proves nothing.
"""

from __future__ import annotations

import asyncio
import logging
import signal
import struct
from collections import deque
from collections.abc import Callable
from typing import Any, Final

from amqtt.adapters import ReaderAdapter, WriterAdapter
from amqtt.broker import Broker
from amqtt.contexts import Action, BrokerConfig, ListenerConfig
from amqtt.errors import AMQTTError, BrokerError, CodecError, MQTTError, NoDataError
from amqtt.mqtt.connack import IDENTIFIER_REJECTED, NOT_AUTHORIZED, ConnackPacket
from amqtt.mqtt.protocol.broker_handler import BrokerProtocolHandler
from amqtt.session import Session

from edge_agent.hub.broker.admission import Refusal, Rules, refusal
from edge_agent.hub.broker.streams import BoundedWriter, PacketReader

BACKLOG_MAX: Final = 1_000  # messages of at most 64 KiB that wait to be delivered
DELIVERIES_MAX: Final = 500  # deliveries under way
BACKLOG_POLL_S: Final = 0.01
STOP_S: Final = 5.0
LISTENER: Final = "default"
# The methods of amqtt's Broker that we replace: were one renamed, its rule would silently be gone.
REPLACED: Final = (
    "stream_connected", "_initialize_client_session", "_authenticate", "_topic_filtering", "_run_broadcast",
    "retain_message",
)  # fmt: skip

log = logging.getLogger(__name__)


REFUSALS: Final = {Refusal.LOGIN: int(NOT_AUTHORIZED), Refusal.HELD: int(IDENTIFIER_REJECTED)}  # as CONNACK codes


class EmbeddedBroker(Broker):  # type: ignore[misc]  # amqtt has no types
    """A broker with our rules."""

    def __init__(self, rules: Rules, host: str, port: int, connections_max: int) -> None:
        missing = [name for name in REPLACED if not hasattr(Broker, name)]
        assert not missing, f"this amqtt has no {missing}: our access rules would not hold"
        listener = ListenerConfig(bind=f"{host}:{port}", max_connections=connections_max)
        super().__init__(BrokerConfig(listeners={LISTENER: listener}, plugins={}))
        self._rules = rules

    async def stream_connected(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, listener_name: str
    ) -> None:
        try:
            await self._client_connected(listener_name, PacketReader(reader, self._room), BoundedWriter(writer))
        except asyncio.CancelledError:
            return  # the loop is ending, and asyncio 3.11 would report the connection's task as a fault

    async def _room(self) -> None:
        """Return when there is room for another message."""
        while self._broadcast_queue.qsize() + len(self._tasks_queue) >= BACKLOG_MAX:
            await asyncio.sleep(BACKLOG_POLL_S)

    # --- who may connect -------------------------------------------------------------------------------

    async def _initialize_client_session(
        self, reader: ReaderAdapter, writer: WriterAdapter, remote_address: str, remote_port: int
    ) -> tuple[BrokerProtocolHandler, Session]:
        """Read CONNECT, check it, take the client id over. Raises MQTTError; the connection is closed then."""
        try:
            handler, session = await BrokerProtocolHandler.init_from_connect(reader, writer, self.plugins_manager)
        except (AMQTTError, MQTTError, NoDataError, CodecError, OSError, ValueError, IndexError, struct.error) as error:
            await writer.close()
            raise MQTTError(f"{remote_address}:{remote_port}: no proper CONNECT: {error}") from error
        refusal = await self._refusal(session)
        if refusal:
            await ConnackPacket.build(0, refusal).to_stream(writer)
            await writer.close()
            log.warning("%s:%d: user %r refused, CONNACK %d", remote_address, remote_port, session.username, refusal)
            raise MQTTError(f"{session.username!r} refused")
        # nothing below gives up control before amqtt has registered the session: no two can hold one id
        await self._take_over(session.client_id)
        session.clean_session = True
        session.parent = 0
        assert isinstance(reader, PacketReader)
        reader.keep_alive(session.keep_alive)
        return handler, session

    async def _refusal(self, session: Session) -> int:
        """The CONNACK code that refuses `session`; 0: welcome."""
        holder, _ = self._sessions.get(session.client_id or "", (None, None))
        why = refusal(
            self._rules,
            session.username or "",
            session.password or "",
            will_topic=(session.will_topic or "") if session.will_flag else None,
            holder=None if holder is None else holder.username or "",
        )
        return 0 if why is None else REFUSALS[why]

    async def _authenticate(self, session: Session, _: ListenerConfig | None = None) -> bool:
        """amqtt asks after `_initialize_client_session`: who comes here was let in there, by a password for one try."""
        return True

    async def _take_over(self, client_id: str | None) -> None:
        """Close the old connection of this client id, so that its will is published, and forget its session."""
        session, handler = self._sessions.get(client_id or "", (None, None))
        if session is not None and handler is not None and session.transitions.is_connected():
            await handler.handle_connection_closed()
        if session is not None:
            await self._delete_session(client_id or "")

    async def dismiss(self, stays: Callable[[str], bool]) -> None:
        """Close the connections of users who may not stay."""
        for client_id, (session, _) in list(self._sessions.items()):
            if not stays(session.username or ""):
                await self._take_over(client_id)

    @property
    def port(self) -> int:
        """Where it listens; what the system chose where 0 was asked for."""
        return int(self._servers[LISTENER].instance.sockets[0].getsockname()[1])

    # --- who may say and hear what ---------------------------------------------------------------------

    async def _topic_filtering(self, session: Session, topic: str, action: Action) -> bool:
        user = session.username or ""
        if action == Action.PUBLISH:
            return self._rules.may_publish(user, topic)
        if action == Action.SUBSCRIBE:
            return self._rules.may_subscribe(user, topic)
        return True  # it was allowed to subscribe

    # --- bounds ----------------------------------------------------------------------------------------

    async def _run_broadcast(self, running_tasks: deque[asyncio.Task[Any]]) -> None:
        while len(running_tasks) >= DELIVERIES_MAX:
            await asyncio.wait([running_tasks[0]])
            oldest = running_tasks.popleft()
            if not oldest.cancelled() and (error := oldest.exception()):
                log.info("a delivery failed: %s", error)
        await super()._run_broadcast(running_tasks)

    async def retain_message(
        self,
        source_session: Session | None,
        topic_name: str | None,
        data: bytes | bytearray | None,
        qos: int | None = None,
    ) -> None:
        most = self._rules.retained_max
        if data and topic_name not in self._retained_messages and len(self._retained_messages) >= most:
            log.warning("%d topics are retained already; %s is not", most, topic_name)
            return
        await super().retain_message(source_session, topic_name, data, qos)


def _noteworthy(record: logging.LogRecord) -> bool:
    """A log filter: amqtt reports each delivery to a client that has gone as an error with a traceback."""
    return not record.getMessage().startswith("Task failed and will be skipped")


async def opened(rules: Rules, host: str, port: int, connections_max: int) -> EmbeddedBroker:
    """A broker that listens. Raises OSError."""
    logging.getLogger("amqtt.broker").addFilter(_noteworthy)
    broker = EmbeddedBroker(rules, host, port, connections_max)
    try:
        await broker.start()
    except BrokerError as error:
        raise OSError(f"the broker can't listen on {host}:{port}: {error}") from error
    return broker


async def serve(broker: EmbeddedBroker, end: asyncio.Event) -> None:
    """Until SIGTERM, SIGINT or `end`; then close every connection."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, end.set)
    await end.wait()
    try:
        async with asyncio.timeout(STOP_S):
            await broker.shutdown()
    except TimeoutError:
        log.warning("connections did not close within %g s", STOP_S)
