"""What the lanes of a simulated site said and heard, compared from outside: nothing heard unsaid, nothing heard twice.

It knows bodies only, neither signatures nor counts; and the hubs that really were, but not their beacons. Once means:
once in the life of who listens; a unit that starts again has forgotten what it heard, and each kind of message bears to
be heard again (`wire.site_messages`). Bounded: of each pair of lanes it remembers the last `BODIES_MAX` different
bodies; what is heard later was said too long ago to be right.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from typing import Final

from wire.topics import ALL

BODIES_MAX: Final = 1_024
VIOLATIONS_MAX: Final = 100
HUBS_MAX: Final = 10_000  # that are remembered
DIGEST_BYTES: Final = 12


class Audit:
    """See the module. `violations` says in words what must not be."""

    def __init__(self) -> None:
        self.violations: list[str] = []
        self.said_count = self.heard_count = 0
        self._hubs: OrderedDict[bytes, str] = OrderedDict()  # session: whose
        self._said: dict[tuple[str, str], OrderedDict[bytes, int]] = {}  # sender, to: how often
        self._heard: dict[tuple[str, str], OrderedDict[bytes, int]] = {}  # sender, receiver: how often

    def hub_began(self, device: str, session: bytes) -> None:
        self._hubs[session] = device
        while len(self._hubs) > HUBS_MAX:
            self._hubs.popitem(last=False)

    def followed(self, device: str, hub: str, session: bytes) -> None:
        """This lane tries to connect to that hub."""
        if self._hubs.get(session) != hub:
            self.wrong(f"{device} follows a hub of {hub} that never was")

    def said(self, sender: str, to: str, body: bytes) -> None:
        self.said_count += 1
        _count(self._said.setdefault((sender, to), OrderedDict()), _digest(body))

    def began(self, receiver: str) -> None:
        """This lane starts anew, and remembers nothing."""
        for pair in [pair for pair in self._heard if pair[1] == receiver]:
            del self._heard[pair]

    def heard(self, receiver: str, sender: str, body: bytes) -> None:
        self.heard_count += 1
        digest = _digest(body)
        times = _count(self._heard.setdefault((sender, receiver), OrderedDict()), digest)
        most = sum(self._said[sender, to].get(digest, 0) for to in (ALL, receiver) if (sender, to) in self._said)
        if not most:
            self.wrong(f"{receiver} heard from {sender} what {sender} never said to it: {body[:40]!r}")
        elif times > most:
            self.wrong(f"{receiver} heard {times} times from {sender} what was said {most} times: {body[:40]!r}")

    def wrong(self, what: str) -> None:
        if len(self.violations) < VIOLATIONS_MAX:
            self.violations.append(what)


def _digest(body: bytes) -> bytes:
    return hashlib.blake2b(body, digest_size=DIGEST_BYTES).digest()


def _count(bodies: OrderedDict[bytes, int], digest: bytes) -> int:
    times = bodies[digest] = bodies.pop(digest, 0) + 1
    while len(bodies) > BODIES_MAX:
        bodies.popitem(last=False)
    return times
