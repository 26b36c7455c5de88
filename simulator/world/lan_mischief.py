"""Somebody on the shop's network who is no lane of the site: records, repeats, alters, makes up, and tries to log in.

Each act says whether there was anything to act on. What comes of it is counted: a datagram or message that changed
nothing as replayed or forged, a login as refused; whoever is let in is a violation of the audit.
"""

from __future__ import annotations

from collections import deque
from random import Random
from typing import TYPE_CHECKING, Final

import msgspec
from nacl.signing import SigningKey

from edge_agent.site.talk import Login, Packet
from simulator.world.lan_connection import Connection
from simulator.world.lan_net import LanNet
from wire.hub import BEACON_BYTES_MAX, Beacon
from wire.site_envelope import LOGIN_BYTES, SESSION_BYTES, login, sign_beacon
from wire.site_messages import subscriptions, topic
from wire.topics import ALL, Address

if TYPE_CHECKING:
    from simulator.world.lan_hub import SimHub
    from simulator.world.site_lan import SiteLan

RECORDED_MAX: Final = 64  # of each kind: the last ones
STRANGER: Final = "stranger"


class Mischief:
    """See the module."""

    def __init__(self, lan: SiteLan, rng: Random) -> None:
        self._lan, self._rng = lan, rng
        self._key = SigningKey(rng.randbytes(32))
        self._datagrams: deque[bytes] = deque(maxlen=RECORDED_MAX)
        self._packets: deque[Packet] = deque(maxlen=RECORDED_MAX)
        self._logins: deque[tuple[bytes, Login]] = deque(maxlen=RECORDED_MAX)

    def record_datagram(self, datagram: bytes) -> None:
        self._datagrams.append(datagram)

    def record_packet(self, packet: Packet) -> None:
        self._packets.append(packet)

    def record_login(self, session: bytes, given: Login) -> None:
        self._logins.append((session, given))

    # --- datagrams ------------------------------------------------------------------------------------

    def replay_datagram(self) -> bool:
        """One that was recorded, to all."""
        self._lan.catch_up()
        if not self._datagrams:
            return False
        refused = self._throw(self._datagrams[self._rng.randrange(len(self._datagrams))])
        self._lan.counts.datagrams_replayed += refused
        return refused > 0

    def forge_datagram(self) -> bool:
        """Noise, an altered recording, or a beacon that nobody signed who may."""
        self._lan.catch_up()
        refused = self._throw(self._made_up())
        self._lan.counts.datagrams_forged += refused
        return refused > 0

    def _throw(self, datagram: bytes) -> int:
        """To all who listen. How many of them it left as they were."""
        listening = [net for net in self._lan.nets.values() if net.air is not None]
        before = [net.refused for net in listening]
        for net in listening:
            if net.air is not None:
                net.air.put(datagram)
        self._lan.run_now()
        return sum(net.refused > then for net, then in zip(listening, before, strict=True))

    def _made_up(self) -> bytes:
        kind = self._rng.randrange(3)
        if kind == 0 or not self._datagrams:
            return self._rng.randbytes(self._rng.randrange(BEACON_BYTES_MAX + 100))
        if kind == 1:
            return self._altered(self._datagrams[-1])
        nets = list(self._lan.nets.values())
        where = nets[self._rng.randrange(len(nets))].where if nets else Address("demo", STRANGER, STRANGER)
        device = where.device if self._rng.random() < 0.7 else STRANGER
        session, count = self._rng.randbytes(SESSION_BYTES), 1 + self._rng.randrange(1_000)
        body = msgspec.msgpack.encode(Beacon(where.tenant, where.site, device, session, count, 0, 1, ["10.66.6.6"]))
        return msgspec.msgpack.encode([sign_beacon(self._key, body), body])

    def _altered(self, data: bytes) -> bytes:
        if not data:
            return b"\0"
        at, bit = self._rng.randrange(len(data)), 1 << self._rng.randrange(8)
        return data[:at] + bytes([data[at] ^ bit]) + data[at + 1 :]

    # --- messages -------------------------------------------------------------------------------------

    def replay_message(self) -> bool:
        """One that was recorded, of this hub or an earlier one, to one lane: as who stands between could.

        It may be new to a lane that was not there when it was said.
        """
        if (net := self._linked()) is None or not self._packets:
            return False
        refused = self._whisper(net, self._packets[self._rng.randrange(len(self._packets))])
        self._lan.counts.messages_replayed += refused
        return refused

    def forge_message(self) -> bool:
        """A recorded one altered, or as said to somebody else or by somebody else."""
        if (net := self._linked()) is None or not self._packets:
            return False
        packet = self._packets[self._rng.randrange(len(self._packets))]
        kind = self._rng.randrange(3)
        if kind == 0:
            packet = Packet(packet.topic, self._altered(packet.payload))
        else:
            *_, sender, to = packet.topic.split("/")
            tenant, site, device = net.where
            names = sorted({other.device for other in self._lan.nets.values()} - {sender})
            if kind == 1 and names:
                sender = names[self._rng.randrange(len(names))]
            packet = Packet(topic(tenant, site, sender, device if to == ALL else ALL), packet.payload)
        refused = self._whisper(net, packet)
        self._lan.counts.messages_forged += refused
        return refused

    def _linked(self) -> LanNet | None:
        self._lan.catch_up()
        linked = [net for net in self._lan.nets.values() if net.linked]
        return linked[self._rng.randrange(len(linked))] if linked else None

    def _whisper(self, net: LanNet, packet: Packet) -> bool:
        assert net.link is not None, "it is linked"
        before = net.refused
        net.link.talk.hear(packet, self._lan.agenda.now_ms)
        return net.refused > before

    # --- logins ---------------------------------------------------------------------------------------

    def intrude(self) -> bool:
        """Try to log in at a hub: by a recorded login, a made-up one, or in a stranger's name."""
        self._lan.catch_up()
        hubs = self._lan.hubs
        if not hubs:
            return False
        hub = hubs[self._rng.randrange(len(hubs))]
        recorded = [given for session, given in self._logins if session == hub.session]
        kind = self._rng.randrange(3)
        if kind == 0 and recorded:
            given = recorded[self._rng.randrange(len(recorded))]
        else:
            nets = list(self._lan.nets.values())
            user = STRANGER if kind == 1 or not nets else nets[self._rng.randrange(len(nets))].device
            once = self._rng.randbytes(LOGIN_BYTES)
            given = Login(user, login(self._key, user, hub.device, hub.session, once))
        Intruder(self._lan, hub, given)
        return True


class Intruder:
    """The end of a connection that is none of the site's lanes."""

    device = ""

    def __init__(self, lan: SiteLan, hub: SimHub, given: Login) -> None:
        self._lan, self._given = lan, given
        connection = Connection(lan, self, hub)
        hub.accept(connection)
        connection.to_hub.send(lambda: hub.login(connection, given.user, given.password))

    def answered(self, connection: Connection, welcome: bool) -> None:
        if not welcome:
            self._lan.counts.logins_refused += 1
            connection.leave()
            return
        self._lan.audit.wrong(f"the hub of {connection.hub.device} let a stranger in as {self._given.user}")
        where = self._lan.nets[connection.hub.device].where
        filters = subscriptions(Address(where.tenant, where.site, self._given.user))
        connection.to_hub.send(lambda: connection.hub.subscribe(connection, filters))

    def subscribed(self, connection: Connection, granted: tuple[str, ...]) -> None:
        """Nothing to add: it was let in."""

    def hear(self, connection: Connection, packet: Packet) -> None:
        self._lan.audit.wrong(f"a stranger heard what was said on {packet.topic}")

    def closed(self, connection: Connection, why: str) -> None:
        """Sent away."""
