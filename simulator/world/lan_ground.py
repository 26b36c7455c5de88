"""The ground of a simulated site's network: what is due when, who reaches whom, the rates and counts of faults.

Everything happens in the order of the agenda: by time, then in the order in which it was written down. Nothing here
depends on hashes, threads or the real time.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Sequence
from typing import Final

import msgspec

Call = Callable[[], object]
EVENTS_MAX: Final = 1_000_000  # in one step: a network that does more does not come to rest


class LanRates(msgspec.Struct):
    """How often each of these happens, from 0 to 1; the world may change them at any moment."""

    datagram_lost: float = 0.0  # for each receiver
    datagram_doubled: float = 0.0
    datagram_late: float = 0.0  # by up to `late_ms`, past later ones
    message_doubled: float = 0.0  # the hub passes it on twice
    message_late: float = 0.0  # the hub passes later ones on before it
    connection_broken: float = 0.0  # with each message: what is under way on one of the connections is lost
    hub_stillborn: float = 0.0  # a hub that is started ends before it listens
    late_ms: int = 1_500
    latency_ms: int = 4  # of the wire: from 1 up to this


class LanCounts(msgspec.Struct):
    """What really had an effect, since the start. Of a datagram: for each lane that was listening."""

    datagrams_lost: int = 0
    datagrams_doubled: int = 0
    datagrams_late: int = 0
    datagrams_cut: int = 0  # they met a cut, a split or a way that is closed
    datagrams_replayed: int = 0  # old, and refused
    datagrams_forged: int = 0  # made up, and refused
    messages_doubled: int = 0
    messages_late: int = 0
    messages_lost: int = 0  # under way as their connection ended
    messages_held: int = 0  # they met a cut, a split or a way that is closed, and waited
    messages_replayed: int = 0  # old, and refused
    messages_forged: int = 0  # altered or sent to somebody else, and refused
    connections_broken: int = 0
    logins_refused: int = 0  # of strangers
    hubs_stillborn: int = 0
    hubs_killed: int = 0
    hubs_hung: int = 0
    powers_lost: int = 0  # units that vanished without a goodbye
    processes_killed: int = 0


class Agenda:
    """What is due when."""

    def __init__(self, now_ms: int) -> None:
        self.now_ms = now_ms  # of what is happening
        self._due: list[tuple[int, int, Call]] = []
        self._count = 0
        self.events = 0  # since the start

    def at(self, at_ms: int, call: Call) -> None:
        self._count += 1
        heapq.heappush(self._due, (max(at_ms, self.now_ms), self._count, call))

    def after(self, pause_ms: int, call: Call) -> None:
        self.at(self.now_ms + pause_ms, call)

    def due_ms(self) -> int | None:
        return self._due[0][0] if self._due else None

    def run(self, now_ms: int) -> None:
        """Everything that is due up to now, each at its own time."""
        for _ in range(EVENTS_MAX):
            if not self._due or self._due[0][0] > now_ms:
                self.now_ms = max(self.now_ms, now_ms)
                return
            self.now_ms, _, call = heapq.heappop(self._due)
            self.events += 1
            call()
        raise RuntimeError(f"more than {EVENTS_MAX} events up to {now_ms} ms")


class Cables:
    """Who reaches whom."""

    def __init__(self) -> None:
        self._unplugged: set[str] = set()  # asked for members only: their order means nothing
        self._cut: set[str] = set()
        self._closed: set[tuple[str, str]] = set()
        self._group: dict[str, int] = {}

    def plugged(self, device: str) -> bool:
        """Whether it has an interface with an address."""
        return device not in self._unplugged

    def unplug(self, device: str) -> None:
        self._unplugged.add(device)

    def plug(self, device: str) -> None:
        self._unplugged.discard(device)

    def cut(self, device: str) -> None:
        self._cut.add(device)

    def join(self, device: str) -> None:
        self._cut.discard(device)

    def split(self, groups: Sequence[Sequence[str]]) -> None:
        """Who is named in none of the groups is with the others who are not."""
        self._group = {device: number for number, group in enumerate(groups, 1) for device in group}

    def close(self, sender: str, receiver: str) -> None:
        self._closed.add((sender, receiver))

    def heal(self) -> None:
        self._unplugged.clear()
        self._cut.clear()
        self._closed.clear()
        self._group.clear()

    @property
    def whole(self) -> bool:
        return not (self._unplugged or self._cut or self._closed or self._group)

    def passes(self, sender: str, receiver: str) -> bool:
        if sender == receiver:
            return True
        return (
            sender not in self._unplugged
            and receiver not in self._unplugged
            and sender not in self._cut
            and receiver not in self._cut
            and (sender, receiver) not in self._closed
            and self._group.get(sender, 0) == self._group.get(receiver, 0)
        )
