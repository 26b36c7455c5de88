"""The network of one site in the world: production nodes, hubs' rules, logins and signatures on a simulated ether.

    lan = SiteLan(rng, lambda: world.mono_ms)
    net = lan.join(where, key, settings, sink)      # what `edge_agent.runner.Agent` uses of `SiteNet`
    net.start(); net.use(lanes); net.say(to, body)
    lan.step(now_ms)                                # all that is due, each at its own time
    lan.due_ms()                                    # when something is due next

Stand-ins only for sockets, threads, processes, time and randomness. Everything follows from the random numbers handed
in and the order of calls. A step may be as long as the world likes: what is due inside happens at its own time, in
order; only the answers of those who listen are late then. A call (`say`, a fault) first brings the network to its time.

Each method below `--- faults` is one thing that can happen; `rates` rules what happens by itself; `mischief` is a
stranger on the network; `counts` says what had an effect; `audit` what must not be.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random
from typing import Final, Literal

from nacl.signing import SigningKey

from edge_agent.settings import SiteNetwork
from edge_agent.site.node import ANY_HOST, LOOPBACK, Sink
from edge_agent.site.talk import Packet
from simulator.world.lan_audit import Audit
from simulator.world.lan_connection import Connection
from simulator.world.lan_ground import Agenda, Cables, LanCounts, LanRates
from simulator.world.lan_hub import SimHub, listens_at, pass_on
from simulator.world.lan_mischief import Mischief
from simulator.world.lan_net import TURN_MS, LanNet, SimAir
from wire.hub import RANK_LANE
from wire.topics import Address

LANES_OF_A_NET: Final = 250  # addresses 10.77.x.1 to 10.77.x.250


class SiteLan:
    """See the module. `now`: the time of now, in ms, which never goes back."""

    def __init__(self, rng: Random, now: Callable[[], int]) -> None:
        self._rng, self._now = rng, now
        # Streams of their own: a fault more draws nothing from what the lanes do.
        self._ether = Random(rng.getrandbits(64))  # noqa: S311 - it rules a simulation, no secret
        self._skipped_ms = 0
        self._running = False
        self.agenda = Agenda(now())
        self.cables = Cables()
        self.rates, self.counts, self.audit = LanRates(), LanCounts(), Audit()
        self.mischief = Mischief(self, Random(rng.getrandbits(64)))  # noqa: S311
        self.nets: dict[str, LanNet] = {}  # in the order in which they joined
        self._machines: dict[str, str] = {}  # address -> device, for good

    # --- lanes ----------------------------------------------------------------------------------------

    def join(
        self, where: Address, key: SigningKey, settings: SiteNetwork, sink: Sink, *, rank: int = RANK_LANE
    ) -> LanNet:
        """A unit is there. It is heard and hears once it is started. It must not be there already."""
        self.catch_up()
        device = where.device
        assert device not in self.nets, f"{device} is on the network already"
        rng = Random(self._rng.getrandbits(64))  # noqa: S311
        net = LanNet(self, where, key, settings, sink, address=self._address(device, settings), rank=rank, rng=rng)
        self.nets[device] = net
        self.audit.began(device)
        return net

    def _address(self, device: str, settings: SiteNetwork) -> str:
        if settings.addresses:
            address = settings.addresses[0]
        else:
            known = [address for address, owner in self._machines.items() if owner == device]
            number = len(self._machines)
            fresh = f"10.77.{number // LANES_OF_A_NET}.{number % LANES_OF_A_NET + 1}"
            address = known[0] if known else fresh
        self._machines[address] = device
        return address

    def gone(self, net: LanNet) -> None:
        if self.nets.get(net.device) is net:
            del self.nets[net.device]

    # --- time -----------------------------------------------------------------------------------------

    def step(self, now_ms: int) -> None:
        """Everything that is due up to now."""
        self._run(now_ms - self._skipped_ms)

    def due_ms(self) -> int | None:
        """When something is due next, a lane's turn included (one every 100 ms for each lane that is not alone)."""
        due_ms = self.agenda.due_ms()
        return None if due_ms is None else due_ms + self._skipped_ms

    def skip(self, pause_ms: int) -> bool:
        """The site's network sleeps through the next `pause_ms`: it costs nothing, and nothing on it ages.

        False, and nothing is skipped, unless it is `settled`: no fault in it is left to be found out.
        """
        self.catch_up()
        if not self.settled:
            return False
        self._skipped_ms += pause_ms
        return True

    @property
    def settled(self) -> bool:
        """No fault is on, and all who are on follow one hub that works."""
        busy = [net for net in self.nets.values() if net.on and not net.node.alone]
        followed = {net.following.session for net in busy if net.linked and net.following is not None}
        hubs = self.hubs
        unlinked = any(not net.linked for net in busy)
        return self.cables.whole and not unlinked and len(followed) <= 1 and not any(hub.hung for hub in hubs)

    def catch_up(self) -> None:
        if not self._running:
            self._run(self._now() - self._skipped_ms)

    def run_now(self) -> None:
        """What is due at this moment."""
        if not self._running:
            self._run(self.agenda.now_ms)

    def _run(self, lan_ms: int) -> None:
        assert not self._running, "a step inside a step"
        self._running = True
        try:
            self.agenda.run(lan_ms)
        finally:
            self._running = False

    # --- faults ---------------------------------------------------------------------------------------

    def cut(self, device: str) -> None:
        """Nothing of it gets through, and it can't tell: the cable is out behind the switch."""
        self.catch_up()
        self.cables.cut(device)

    def unplug(self, device: str) -> None:
        """Its interface is gone: it can tell."""
        self.catch_up()
        self.cables.unplug(device)

    def plug(self, device: str) -> None:
        """Its interface is back."""
        self.catch_up()
        self.cables.plug(device)

    def split(self, groups: Sequence[Sequence[str]]) -> None:
        """Lanes of different groups do not reach each other; those that are named in none are one more group."""
        self.catch_up()
        self.cables.split(groups)

    def drop_one_way(self, sender: str, receiver: str) -> None:
        """Nothing gets from one to the other; the way back is open."""
        self.catch_up()
        self.cables.close(sender, receiver)

    def heal(self) -> None:
        """Everybody reaches everybody again. Hubs that hang still hang, and the rates are as they were."""
        self.catch_up()
        self.cables.heal()

    def kill_hub(self) -> str | None:
        """The process of a hub dies. Whose it was; None: there is none."""
        self.catch_up()
        if (hub := self._any_hub()) is None:
            return None
        self.counts.hubs_killed += 1
        hub.kill()
        return hub.device

    def hang_hub(self, *, mute: bool | None = None) -> str | None:
        """A hub passes nothing on any more. `mute`: it takes logins all the same (None: as it comes)."""
        self.catch_up()
        if (hub := self._any_hub()) is None:
            return None
        self.counts.hubs_hung += not hub.hung
        hub.hung, hub.mute = True, self._ether.random() < 0.5 if mute is None else mute
        return hub.device

    def break_connection(self, hub: SimHub | None = None) -> bool:
        """A connection of a lane to a hub breaks, at whatever it is doing. False: there is none."""
        self.catch_up()
        open_now = [found for one in ([hub] if hub is not None else self.hubs) for found in one.connections]
        if not open_now:
            return False
        self.counts.connections_broken += 1
        open_now[self._ether.randrange(len(open_now))].reset("the connection broke")
        return True

    def remove(self, device: str) -> None:
        """It loses its power: no goodbye, also none of the hub that it runs. It may join again."""
        self.catch_up()
        if (net := self.nets.get(device)) is not None:
            self.counts.powers_lost += 1
            net.vanish()

    def kill(self, device: str) -> None:
        """Its process is killed, and with it its hub: the system closes the connections. It may join again."""
        self.catch_up()
        if (net := self.nets.get(device)) is not None:
            self.counts.processes_killed += 1
            net.stop()

    def _any_hub(self) -> SimHub | None:
        hubs = self.hubs
        return hubs[self._ether.randrange(len(hubs))] if hubs else None

    # --- what the stand-ins ask -----------------------------------------------------------------------

    @property
    def hubs(self) -> list[SimHub]:
        """Those that listen."""
        return [net.hub for net in self.nets.values() if net.hub is not None and net.hub.listening]

    def is_on(self, device: str) -> bool:
        return device in self.nets

    def has_address(self, device: str, host: str) -> bool:
        """Whether a process of this machine can listen there."""
        return host in (ANY_HOST, LOOPBACK) or (self._machines.get(host) == device and self.cables.plugged(device))

    def find(self, device: str, address: str, port: int) -> SimHub | Literal["silent", "refused"]:
        """What answers when this lane connects there."""
        target = device if address == LOOPBACK else self._machines.get(address, "")
        net = self.nets.get(target)
        if net is None or not (self.cables.passes(device, target) and self.cables.passes(target, device)):
            return "silent"
        if target == device and address != LOOPBACK and not self.cables.plugged(device):
            return "silent"
        if net.hub is None or not listens_at(net.hub, address, port):
            return "refused"
        return "silent" if net.hub.full else net.hub

    def spread(self, sender: str, air: SimAir, datagram: bytes) -> None:
        """A datagram goes out to all who listen."""
        self.mischief.record_datagram(datagram)
        for net in self.nets.values():
            if net.air is None or not (net.device == sender or net.air.hears(air, net.address)):
                continue
            if not self.cables.passes(sender, net.device):
                self.counts.datagrams_cut += 1
            elif self.happens(self.rates.datagram_lost):
                self.counts.datagrams_lost += 1
            else:
                self._carry(net, datagram, late=self.happens(self.rates.datagram_late))
                if self.happens(self.rates.datagram_doubled):
                    self.counts.datagrams_doubled += 1
                    self._carry(net, datagram, late=True)

    def _carry(self, net: LanNet, datagram: bytes, *, late: bool) -> None:
        if late:
            self.counts.datagrams_late += 1
        pause_ms = self.between(1, self.rates.late_ms) if late else self.latency_ms(False)
        self.agenda.after(pause_ms, lambda: None if net.air is None else net.air.put(datagram))

    def pass_on(self, receiver: Connection, packet: Packet) -> None:
        """A hub passes a message on to one lane."""
        if self.happens(self.rates.message_late):
            self.agenda.after(self.between(1, self.rates.late_ms), lambda: self._pass_on_late(receiver, packet))
        else:
            pass_on(receiver, packet)
        if self.happens(self.rates.message_doubled):
            self.counts.messages_doubled += 1
            pass_on(receiver, packet)

    def _pass_on_late(self, receiver: Connection, packet: Packet) -> None:
        if not receiver.over:
            self.counts.messages_late += 1
            pass_on(receiver, packet)

    def latency_ms(self, local: bool) -> int:
        return 0 if local else self.between(1, self.rates.latency_ms)

    def between(self, lowest: int, highest: int) -> int:
        """One of these, both included."""
        return lowest + int(self._ether.random() * (highest - lowest + 1))

    def happens(self, rate: float) -> bool:
        return rate > 0 and self._ether.random() < rate


__all__ = ["TURN_MS", "LanCounts", "LanNet", "LanRates", "SiteLan"]
