"""A lane's connection to one hub in the world, again and again until it is ended (`edge_agent.site.ports.LinkPort`).

It stands for MQTT and the thread of `edge_agent.site.link`, in the same order of things; what is said and heard, and
how long it waits until the next try, is the production `Talk`'s.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from edge_agent.site.link import ANSWER_S, CONNECT_S, OUTSTANDING_MAX
from edge_agent.site.talk import Packet, Talk
from simulator.world.lan_connection import Connection
from simulator.world.lan_hub import SimHub
from wire.hub import Place

if TYPE_CHECKING:
    from simulator.world.site_lan import SiteLan

CONNECT_MS: Final = int(CONNECT_S * 1000)
ANSWER_MS: Final = int(ANSWER_S * 1000)


class SimLink:
    """See the module."""

    def __init__(self, lan: SiteLan, device: str, talk: Talk) -> None:
        self._lan, self.device, self.talk = lan, device, talk
        self.up = False
        self._ended = False
        self._connection: Connection | None = None
        self._try = 0  # the number of the try; what an earlier one brings is not ours any more
        self._address = 0  # which one of the hub's is tried
        self._was_up = False

    @property
    def place(self) -> Place:
        return self.talk.place

    @property
    def connection(self) -> Connection | None:
        return self._connection

    def start(self) -> None:
        self._connect(0)

    def end(self) -> None:
        connection = self._connection
        self._stop()
        if connection is not None:
            connection.leave()

    def vanish(self) -> None:
        """The power goes."""
        if self._connection is not None:
            self._connection.client_died()
        self._stop()

    def _stop(self) -> None:
        self.up, self._ended, self._connection = False, True, None
        self._try += 1

    def say(self, to: str, body: bytes) -> bool:
        connection = self._connection
        if not self.up or connection is None:
            return False
        packet = self.talk.seal(to, body)
        if len(connection.to_hub) >= OUTSTANDING_MAX:
            return False
        connection.to_hub.send(lambda: connection.hub.publish(connection, packet), message=True)
        return True

    # --- a connection ---------------------------------------------------------------------------------

    def _connect(self, address: int) -> None:
        lan = self._lan
        self._try += 1
        number, self._address, self._was_up = self._try, address, False
        lan.audit.followed(self.device, self.place.device, self.place.session)
        login = self.talk.login()
        at = (self.place.addresses or ("",))[address]
        found = lan.find(self.device, at, self.place.port)
        if not isinstance(found, SimHub):
            pause_ms = CONNECT_MS if found == "silent" else 2 * lan.latency_ms(False)
            lan.agenda.after(pause_ms, lambda: self._over(number, f"no connection to {at}: {found}"))
            return
        connection = self._connection = Connection(lan, self, found)
        found.accept(connection)
        self.talk.connected()
        connection.to_hub.send(lambda: found.login(connection, login.user, login.password))
        lan.agenda.after(ANSWER_MS, lambda: self._give_up(number))

    def _give_up(self, number: int) -> None:
        if number == self._try and not self.up and self._connection is not None:
            self._connection.leave()
            self._over(number, "the hub did not answer in time")

    def _over(self, number: int, why: str) -> None:
        if self._ended or number != self._try:
            return
        was_up, self.up, self._connection = self._was_up, False, None
        self._try += 1
        if not was_up and self._address + 1 < len(self.place.addresses):
            self._connect(self._address + 1)
            return
        number, pause_ms = self._try, self.talk.ended(was_up, why)
        self._lan.agenda.after(pause_ms, lambda: self._again(number))

    def _again(self, number: int) -> None:
        if not self._ended and number == self._try:
            self._connect(0)

    # --- what the hub's end tells (`simulator.world.lan_connection.Client`) ---------------------------

    def answered(self, connection: Connection, welcome: bool) -> None:
        if connection is not self._connection:
            return
        if not welcome:
            self._over(self._try, "the hub refused the login")
        else:
            filters = self.talk.subscriptions
            connection.to_hub.send(lambda: connection.hub.subscribe(connection, filters))

    def subscribed(self, connection: Connection, granted: tuple[str, ...]) -> None:
        if connection is not self._connection:
            return
        if granted != self.talk.subscriptions:
            self._over(self._try, "the hub refused our subscriptions")
        else:
            self.up = self._was_up = True
            self.talk.subscribed()

    def hear(self, connection: Connection, packet: Packet) -> None:
        if connection is self._connection:
            self.talk.hear(packet, self._lan.agenda.now_ms)

    def closed(self, connection: Connection, why: str) -> None:
        if connection is self._connection:
            self._over(self._try, why)
