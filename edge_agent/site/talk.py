"""What a lane says and hears on its connection to a hub: the login, the signatures, what is refused.

No sockets, threads, time or randomness: they are handed in. `edge_agent.site.link` carries it over MQTT. A lane logs in
by a signature over the hub's session. What it says is signed here, what it hears is checked here and handed on.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable
from typing import Any, Final, NamedTuple

import msgspec
from nacl.signing import SigningKey

from wire import site_envelope
from wire.backoff import Backoff, Random
from wire.hub import Place
from wire.site_envelope import Ear, Forged, Keys, Mouth
from wire.site_messages import parse_topic, subscriptions, topic
from wire.topics import PACKET_BYTES_MAX, Address

RETRY_FIRST_MS: Final = 200
RETRY_CAP_MS: Final = 2_000
HEARD_PER_S: Final = 100  # messages of one lane in a second; more is a flood, and is not looked at
HEAD_BYTES: Final = 8  # of an MQTT packet beside topic and payload, at most
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
RandomBytes = Callable[[int], bytes]


class Login(NamedTuple):
    """Good for one connection."""

    user: str
    password: str


class Packet(NamedTuple):
    """What travels."""

    topic: str
    payload: bytes


class Talk:
    """One hub that is followed, over as many connections as it takes. `lanes` gives the keys of now."""

    def __init__(
        self,
        where: Address,
        key: SigningKey,
        place: Place,
        ear: Ear,
        lanes: Callable[[], Keys],
        sink: Sink,
        *,
        random: Random,
        random_bytes: RandomBytes,
    ) -> None:
        self._where, self._key, self.place, self._ear, self._lanes, self._sink = where, key, place, ear, lanes, sink
        self._random_bytes = random_bytes
        self._backoff = Backoff(random, first_ms=RETRY_FIRST_MS, cap_ms=RETRY_CAP_MS)
        self.forged = self.flooded = 0
        self._second, self._heard = 0, Counter[str]()
        self._mouth: Mouth | None = None

    # --- a connection ---------------------------------------------------------------------------------

    def login(self) -> Login:
        """For the next connection."""
        device, place = self._where.device, self.place
        once = self._random_bytes(site_envelope.LOGIN_BYTES)
        return Login(device, site_envelope.login(self._key, device, place.device, place.session, once))

    @property
    def subscriptions(self) -> tuple[str, ...]:
        """What to ask for once the login is taken."""
        return subscriptions(self._where)

    def connected(self) -> None:
        """A connection is there: what is said from now on has a voice of its own."""
        self._mouth = Mouth(self._key, self.place.session, self._random_bytes(site_envelope.VOICE_BYTES))

    def subscribed(self) -> None:
        """The hub took the login and the subscriptions."""
        self._sink(Up(self.place.session, self.place.device))

    def ended(self, was_up: bool, why: str) -> int:
        """It is over, or never came about. How long to wait until the next try, in ms."""
        if was_up:
            self._backoff.reset()
        self._sink(Lost(self.place.session) if was_up else Failed(self.place.session, why))
        return self._backoff.next_ms()

    # --- what is said and heard -----------------------------------------------------------------------

    def seal(self, to: str, body: bytes) -> Packet:
        """What to send, in this order and no other. Raises ValueError for a body that is too long."""
        assert self._mouth is not None, "nothing is said before there is a connection"
        where = topic(self._where.tenant, self._where.site, self._where.device, to)
        payload = self._mouth.say(where, body)
        if len(payload) + len(where) + HEAD_BYTES > PACKET_BYTES_MAX:
            raise ValueError(f"a message of {len(payload)} bytes between lanes: at most {PACKET_BYTES_MAX} go through")
        return Packet(where, payload)

    def hear(self, packet: Packet, now_ms: int) -> None:
        """The hub passed this on: hand on what another lane said, once, and what tells that the hub is alive."""
        heard = parse_topic(self._where, packet.topic)
        if heard is None:
            return
        if heard.sender == self._where.device:
            self._sink(Echo(self.place.session))
            return
        if not self._gate(heard.sender, now_ms):
            self.flooded += 1
            return
        try:
            body = self._ear.hear(self._lanes(), packet.topic, heard.sender, packet.payload)
        except Forged as error:
            self.forged += 1
            log.info("a message on the site's network changes nothing: %s", error)
            return
        self._sink(Said(heard.sender, body))

    def _gate(self, sender: str, now_ms: int) -> bool:
        second = now_ms // 1000
        if second != self._second:
            self._second, self._heard = second, Counter()
        self._heard[sender] += 1
        return self._heard[sender] <= HEARD_PER_S
