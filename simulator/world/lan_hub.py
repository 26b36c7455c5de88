"""A hub of a simulated site: production rules for logins, topics and lanes; broker and process are stand-ins."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from edge_agent.hub.broker.admission import refusal
from edge_agent.hub.process import Ended, Listening
from edge_agent.hub.rules import Order, keys_of, rules_of
from edge_agent.site.node import ANY_HOST
from edge_agent.site.talk import Login, Packet
from simulator.world.lan_connection import Connection

if TYPE_CHECKING:
    from simulator.world.site_lan import SiteLan

START_MS: Final = (150, 900)  # that a process takes until it listens
PORTS: Final = (32_768, 60_999)  # of which the system chooses
BACKLOG_MAX: Final = 500  # deliveries to one lane that wait; what is more is dropped with its connection


class SimHub:
    """One life of a hub, from its order to its end (`edge_agent.site.ports.HubPort`)."""

    def __init__(self, lan: SiteLan, order: Order, sink: Callable[[Listening | Ended], Any], pid: int) -> None:
        self._lan, self._order, self._sink, self.pid = lan, order, sink, pid
        self.device, self.session, self.host = order.device, bytes.fromhex(order.session), order.host
        self._rules = rules_of(order)
        self._sessions: dict[str, Connection] = {}  # by client id, which is the lane's name
        self._open: list[Connection] = []
        self.port = 0
        self.ended = self.hung = False
        self.mute = False  # it hangs, and answers logins all the same
        lan.audit.hub_began(self.device, self.session)
        lan.agenda.after(lan.between(*START_MS), self._listen)

    @property
    def listening(self) -> bool:
        return self.port != 0 and not self.ended

    @property
    def full(self) -> bool:
        return len(self._open) >= self._order.connections_max

    @property
    def connections(self) -> list[Connection]:
        """Of lanes that are logged in."""
        return list(self._sessions.values())

    def _listen(self) -> None:
        if self.ended:
            return
        if not self._lan.has_address(self.device, self.host):
            self._end("it ended with 1: no such address")
        elif self._lan.happens(self._lan.rates.hub_stillborn):
            self._lan.counts.hubs_stillborn += 1
            self._end("it ended with 1: the port is taken")
        else:
            self.port = self._order.port or self._lan.between(*PORTS)
            self._sink(Listening(self.port, self.session))

    def use(self, lanes: dict[str, str]) -> None:
        self._rules.lanes = keys_of(lanes)
        for connection in self.connections:
            if connection.user not in self._rules.lanes:
                connection.close()

    def stop(self) -> None:
        """Killed by its owner: the system closes its connections."""
        if not self.ended:
            self.ended = True
            for connection in list(self._open):
                connection.close()

    def kill(self) -> None:
        """Killed by somebody else."""
        if not self.ended:
            self.stop()
            self._end("it ended with -9")

    def vanish(self) -> None:
        """Its machine lost its power: nobody is told."""
        self.ended = True
        for connection in list(self._open):
            connection.hub_died()

    def _end(self, why: str) -> None:
        self.ended = True
        self._sink(Ended(self.session, why))

    # --- connections ----------------------------------------------------------------------------------

    def accept(self, connection: Connection) -> None:
        self._open.append(connection)

    def forget(self, connection: Connection) -> None:
        if connection in self._open:
            self._open.remove(connection)
        if self._sessions.get(connection.user) is connection:
            del self._sessions[connection.user]

    def left(self, connection: Connection) -> None:
        connection.finish()

    def login(self, connection: Connection, user: str, password: str) -> None:
        """As `edge_agent.hub.broker.server` does: who is let in takes over the client id."""
        if self.ended or (self.hung and not self.mute):
            return
        self._lan.mischief.record_login(
            self.session, Login(user, password)
        )  # one that the hub has not seen yet is good
        held = self._sessions.get(user)
        if refusal(self._rules, user, password, holder=None if held is None else held.user) is not None:
            connection.to_client.send(lambda: connection.client.answered(connection, False))
            connection.close()
            return
        if held is not None:
            held.close()
        connection.user, connection.heard_ms = user, self._lan.agenda.now_ms
        self._sessions[user] = connection
        connection.to_client.send(lambda: connection.client.answered(connection, True))

    def subscribe(self, connection: Connection, filters: tuple[str, ...]) -> None:
        if self.ended or (self.hung and not self.mute) or not connection.user:
            return
        granted = tuple(name for name in filters if self._rules.may_subscribe(connection.user, name))
        connection.filters = tuple(tuple(name.split("/")) for name in granted)
        connection.to_client.send(lambda: connection.client.subscribed(connection, granted))

    def publish(self, connection: Connection, packet: Packet) -> None:
        if self.ended or self.hung or not connection.user:
            return
        connection.heard_ms = self._lan.agenda.now_ms
        if not self._rules.may_publish(connection.user, packet.topic):
            return
        lan = self._lan
        lan.mischief.record_packet(packet)
        levels = tuple(packet.topic.split("/"))
        for receiver in self.connections:
            if any(_fits(name, levels) for name in receiver.filters):
                lan.pass_on(receiver, packet)
        if lan.happens(lan.rates.connection_broken):
            lan.break_connection(self)


def pass_on(connection: Connection, packet: Packet) -> None:
    """To one lane; a lane that takes nothing for too long is let go."""
    if len(connection.to_client) >= BACKLOG_MAX:
        connection.close()
    elif not connection.over:
        connection.to_client.send(lambda: connection.client.hear(connection, packet), message=True)


def listens_at(hub: SimHub, address: str, port: int) -> bool:
    return hub.listening and hub.port == port and hub.host in (ANY_HOST, address)


def _fits(name: tuple[str, ...], topic: tuple[str, ...]) -> bool:
    """Whether a filter with `+` takes this topic."""
    if len(name) != len(topic):
        return False
    for level, given in zip(name, topic, strict=True):  # noqa: SIM110 - half the time of `all`, and it is most of a message
        if level not in ("+", given):
            return False
    return True
