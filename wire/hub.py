"""Which lane of a site runs the hub, and which hub a lane follows. Sans-I/O: time and randomness are handed in.

A hub announces itself twice a second with a signed beacon. Everybody follows the best one heard: lowest rank (a box
of its own is 0, a lane 1), then name. Where none is heard, lanes start one, each after a delay of its own; who
starts says so at once (a claim: a beacon without a port), and the others wait. Of two hubs the worse one steps
down, once it has reached the better one. A hub that is announced but can't be reached is doubted for a while, so that
no broken or recorded hub holds a site up; so is one that is reached and passes nothing on (each lane feels its pulse).

Promises: among lanes that hear each other there is one hub after bounded time; forged, foreign, stale and recorded
beacons change nothing but counters, and at worst cost the time of `LINK_TRIES` connections. It does not decide what is
true: without any hub, or with a hub that drops, each lane stays within its campaigns' policies.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

import msgspec
from nacl.signing import SigningKey, VerifyKey

from wire.backoff import Backoff, Random
from wire.site_envelope import SESSION_BYTES, Keys, beacon_fits, sign_beacon
from wire.topics import Address

RANK_BOX: Final = 0
RANK_LANE: Final = 1
BEACON_EVERY_MS: Final = 500
HUB_LOST_MS: Final = 2_000  # without a beacon and without a word over its connection
PULSE_EVERY_MS: Final = 1_000
ECHO_LOST_MS: Final = 3_000  # connected, and nothing that we say comes back: the hub hangs, whatever it announces
LISTEN_MS: Final = 700  # how long a lane listens before it starts a hub: longer than between two beacons
SLOT_MS: Final = 150  # between the delays of two lanes
SLOTS_MAX: Final = 8
CLAIM_MAX_MS: Final = 15_000  # how long a hub may take to start, in its own eyes and in those of others
LINK_TRIES: Final = 2  # connections that fail before a hub is doubted
DOUBT_FIRST_MS: Final = 5_000  # doubles with each time
DOUBT_CAP_MS: Final = 600_000
RESTART_FIRST_MS: Final = 1_000
RESTART_CAP_MS: Final = 30_000
STEADY_MS: Final = 60_000  # what went well for so long is trusted anew: the pauses begin from the first again
BEACON_BYTES_MAX: Final = 600
ADDRESSES_MAX: Final = 4
SESSIONS_MAX: Final = 4  # of one device that are kept apart: the newest
VERIFIED_PER_S: Final = 200  # beacons whose signature is looked at; more is a flood


class Beacon(msgspec.Struct, array_like=True, frozen=True):
    """What a hub announces. `port` 0: it is only about to start."""

    tenant: str
    site: str
    device: str
    session: bytes  # random, new with each start of the hub; logins and messages are bound to it
    count: int  # grows with each beacon of a session
    rank: int
    port: int
    addresses: list[str]


class _Sealed(msgspec.Struct, array_like=True, frozen=True):
    signature: bytes
    body: bytes


class Place(msgspec.Struct, frozen=True):
    """A hub that can be connected to."""

    device: str
    session: bytes
    rank: int
    port: int
    addresses: tuple[str, ...]

    @property
    def order(self) -> tuple[int, str]:
        """The lowest is the best."""
        return self.rank, self.device


class StartHub(msgspec.Struct, frozen=True):
    """Start a hub under this session, then say `hub_started` or `hub_failed`."""

    session: bytes


class StopHub(msgspec.Struct, frozen=True):
    """End our hub, whatever it is doing."""


class Announce(msgspec.Struct, frozen=True):
    """Send this to the site."""

    datagram: bytes


class Follow(msgspec.Struct, frozen=True):
    """Leave the hub that was followed, if any, and connect to this one, again and again until told otherwise."""

    place: Place


class Unfollow(msgspec.Struct, frozen=True):
    """Be connected to no hub."""


class Pulse(msgspec.Struct, frozen=True):
    """Say something to ourselves through the hub; what comes back is `link_heard`."""


Action = StartHub | StopHub | Announce | Follow | Unfollow | Pulse


class Counts(msgspec.Struct):
    """What came in and changed nothing, since the start."""

    garbage: int = 0
    foreign: int = 0  # of another tenant or site
    strangers: int = 0  # of our site, but no lane that the centre named
    forged: int = 0
    stale: int = 0
    flooded: int = 0


class _Heard:
    """A session of another lane's hub."""

    def __init__(self, place: Place, now_ms: int) -> None:
        self.place = place
        self.count = 0
        self.heard_ms: int | None = now_ms
        self.claimed_ms = now_ms  # since when it is only about to start
        self.failures = 0
        self.doubts = 0
        self.doubted_ms: int | None = None  # until then

    def failed(self, now_ms: int) -> None:
        self.failures += 1
        if self.failures >= LINK_TRIES:
            self.doubt(now_ms)

    def doubt(self, now_ms: int) -> None:
        pause_ms = min(DOUBT_CAP_MS, DOUBT_FIRST_MS << min(self.doubts, 20))
        self.failures, self.doubts, self.doubted_ms = 0, self.doubts + 1, now_ms + pause_ms

    def fresh(self, now_ms: int) -> bool:
        doubted = self.doubted_ms is not None and now_ms < self.doubted_ms
        return self.heard_ms is not None and now_ms - self.heard_ms < HUB_LOST_MS and not doubted


class _Own:
    """Our own hub."""

    def __init__(self, session: bytes, now_ms: int) -> None:
        self.session, self.began_ms = session, now_ms
        self.port = 0
        self.count = self.failures = 0
        self.beacon_ms = now_ms  # when the next one is due


class Hub:
    """See the module. `new_session` gives 16 random bytes."""

    def __init__(
        self,
        where: Address,
        key: SigningKey,
        *,
        rank: int = RANK_LANE,
        candidate: bool = True,
        random: Random,
        new_session: Callable[[], bytes],
    ) -> None:
        self._where, self._key, self._rank, self._candidate = where, key, rank, candidate
        self._random, self._new_session = random, new_session
        self._restart = Backoff(random, first_ms=RESTART_FIRST_MS, cap_ms=RESTART_CAP_MS)
        self._lanes: Keys = {}
        self._heard: dict[tuple[str, bytes], _Heard] = {}
        self._own: _Own | None = None
        self._following: Place | None = None
        self._linked = False
        self._linked_ms = 0  # since when
        self._echo_ms = self._pulse_ms = 0  # when something came back last, and when the next pulse is due
        self._start_ms: int | None = None  # when we start a hub, unless one is heard before
        self._not_before_ms = 0  # our last hub failed: not again before then
        self._second: int | None = None  # of the flood gate
        self._verified = 0
        self._pending: list[Action] = []  # what came of something that was said, for the next poll
        self.addresses: tuple[str, ...] = ()  # where others reach us; set by the owner
        self.counts = Counts()

    # --- what the owner says --------------------------------------------------------------------------

    def use(self, lanes: Mapping[str, VerifyKey]) -> None:
        """The lanes of this site, as the centre told them; we are one of them or keep still."""
        self._lanes = dict(lanes)
        self._heard = {name: heard for name, heard in self._heard.items() if name[0] in lanes}

    @property
    def alone(self) -> bool:
        """Nobody to share with: nothing is opened, said or started."""
        return self._where.device not in self._lanes or len(self._lanes) < 2

    @property
    def serving(self) -> bool:
        return self._own is not None and self._own.port != 0

    @property
    def following(self) -> Place | None:
        """The hub that is followed now, our own included."""
        return self._following

    def hub_started(self, port: int, now_ms: int) -> None:
        """Our hub listens."""
        if self._own is not None:
            self._own.port, self._own.beacon_ms = port, now_ms

    def hub_failed(self, now_ms: int) -> None:
        """Our hub did not start, or ended unasked."""
        if self._own is not None:
            self._fell(self._own, now_ms)

    def network_is_back(self) -> None:
        """It was away: what failed without it says nothing of what will fail with it."""
        self._restart.reset()
        self._not_before_ms = 0

    def link_up(self, session: bytes, now_ms: int) -> None:
        """We are connected to the hub of this session."""
        if self._following is not None and self._following.session == session:
            self._linked, self._linked_ms, self._pulse_ms = True, now_ms, now_ms
            self.link_heard(session, now_ms)

    def link_heard(self, session: bytes, now_ms: int) -> None:
        """Something came over the connection: its hub is alive, whether or not its beacons reach us."""
        if not self._linked or self._following is None or self._following.session != session:
            return
        if (heard := self._of(session)) is not None:
            heard.heard_ms = now_ms
            heard.failures = 0
            if now_ms - self._linked_ms > STEADY_MS:
                heard.doubts = 0
        self._echo_ms = now_ms

    def link_lost(self, session: bytes, now_ms: int) -> None:
        """The connection ended: only a new beacon shows that its hub is still there."""
        if self._following is not None and self._following.session == session:
            self._linked = False
        if (heard := self._of(session)) is not None:
            heard.heard_ms = None

    def link_failed(self, session: bytes, now_ms: int) -> None:
        """A try to connect failed, or the hub refused us."""
        if self._own is not None and self._own.session == session:
            self._own.failures += 1
            if self._own.failures >= LINK_TRIES:
                self._fell(self._own, now_ms)  # a hub that we can't reach ourselves is none
        elif (heard := self._of(session)) is not None:
            heard.failed(now_ms)

    # --- beacons --------------------------------------------------------------------------------------

    def on_datagram(self, data: bytes, now_ms: int) -> None:
        """Something came in from the network: from anybody."""
        beacon = self._beacon(data, now_ms)
        if beacon is None:
            return
        name = (beacon.device, beacon.session)
        place = Place(beacon.device, beacon.session, beacon.rank, beacon.port, tuple(beacon.addresses))
        heard = self._heard.get(name)
        if heard is None:
            heard = self._heard[name] = _Heard(place, now_ms)
            self._forget_old_sessions(beacon.device)
        heard.place, heard.count, heard.heard_ms = place, beacon.count, now_ms

    def _beacon(self, data: bytes, now_ms: int) -> Beacon | None:
        if len(data) > BEACON_BYTES_MAX:
            self.counts.garbage += 1
            return None
        try:
            sealed = _sealed.decode(data)
            beacon = _beacons.decode(sealed.body)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            self.counts.garbage += 1
            return None
        if (beacon.tenant, beacon.site) != (self._where.tenant, self._where.site):
            self.counts.foreign += 1
            return None
        if beacon.device == self._where.device:
            return None  # our own, heard again
        key = self._lanes.get(beacon.device)
        if key is None:
            self.counts.strangers += 1
            return None
        heard = self._heard.get((beacon.device, beacon.session))
        if heard is not None and beacon.count <= heard.count:
            self.counts.stale += 1
            return None
        if not self._gate(now_ms):
            self.counts.flooded += 1
            return None
        well_made = (
            len(beacon.session) == SESSION_BYTES
            and 0 < beacon.count < 1 << 62
            and 0 <= beacon.port < 1 << 16
            and RANK_BOX <= beacon.rank <= RANK_LANE
            and len(beacon.addresses) <= ADDRESSES_MAX
        )
        if not well_made or not beacon_fits(key, sealed.body, sealed.signature):
            self.counts.forged += 1
            return None
        return beacon

    def _gate(self, now_ms: int) -> bool:
        second = now_ms // 1000
        if second != self._second:
            self._second, self._verified = second, 0
        self._verified += 1
        return self._verified <= VERIFIED_PER_S

    def _forget_old_sessions(self, device: str) -> None:
        """The newest few are kept; the one that we are connected to is never forgotten for others."""
        names = [name for name in self._heard if name[0] == device]
        for name in names[: max(0, len(names) - SESSIONS_MAX)]:
            if not (self._linked and self._following is not None and name[1] == self._following.session):
                del self._heard[name]

    # --- what to do -----------------------------------------------------------------------------------

    def poll(self, now_ms: int) -> list[Action]:
        """What is to be done now, in order. To be called at least every `SLOT_MS`."""
        actions, self._pending = self._pending, []
        if self.alone:
            self._start_ms = None
            self._stop(actions)
            self._go_to(None, actions)
            return actions
        self._feel_pulse(now_ms, actions)
        best = self._best(now_ms)
        own = self._own
        if own is not None and not own.port and self._gives_way(best, now_ms):
            self._stop(actions)
        elif own is not None and not own.port and now_ms - own.began_ms > CLAIM_MAX_MS:
            self._fell(own, now_ms)
        elif own is not None and own.port:
            best = self._serve(own, best, actions)
        if self._own is None:
            self._perhaps_start(best, now_ms, actions)
        if best is not None or not self._linked:
            self._go_to(best, actions)
        self._announce(now_ms, actions)
        return actions

    def _feel_pulse(self, now_ms: int, actions: list[Action]) -> None:
        """Is the hub that we are connected to passing anything on?"""
        place = self._following
        if not self._linked or place is None:
            return
        if now_ms - self._echo_ms > ECHO_LOST_MS:
            self._linked = False
            if self._own is not None and self._own.session == place.session:
                self._fell(self._own, now_ms)
                actions += self._pending
                self._pending = []
            elif (heard := self._of(place.session)) is not None:
                heard.doubt(now_ms)
        elif now_ms >= self._pulse_ms:
            self._pulse_ms = now_ms + PULSE_EVERY_MS
            actions.append(Pulse())

    def _best(self, now_ms: int) -> Place | None:
        """The best hub of another lane that serves; of two sessions of one lane the one that we are connected to."""
        serving = [h.place for h in self._heard.values() if h.place.port and h.fresh(now_ms)]
        linked = self._following.session if self._linked and self._following is not None else b""
        if not serving:
            return None
        # the newest session stands last in the table
        return min(reversed(serving), key=lambda place: (place.order, place.session != linked))

    def _gives_way(self, best: Place | None, now_ms: int) -> bool:
        """Whether our hub, which is only about to start, need not."""
        mine = (self._rank, self._where.device)
        served = best is not None and best.rank <= self._rank
        return served or any(place.order < mine for place in self._claims(now_ms))

    def _claims(self, now_ms: int) -> list[Place]:
        return [
            heard.place
            for heard in self._heard.values()
            if not heard.place.port and heard.fresh(now_ms) and now_ms - heard.claimed_ms < CLAIM_MAX_MS
        ]

    def _serve(self, own: _Own, best: Place | None, actions: list[Action]) -> Place:
        """Our hub is up: whom do we follow, and do we step down?"""
        ours = Place(self._where.device, own.session, self._rank, own.port, self.addresses)
        if best is None or ours.order < best.order:
            return ours
        if self._linked and self._following is not None and self._following.session == best.session:
            self._stop(actions)  # we have reached the better one; so can the others
        return best

    def _perhaps_start(self, best: Place | None, now_ms: int, actions: list[Action]) -> None:
        outranked = best is not None and best.rank > self._rank
        wanted = self._candidate and (best is None or outranked)
        if not wanted or any(place.rank <= self._rank for place in self._claims(now_ms)):
            self._start_ms = None
            return
        if best is None and self._linked:
            # The hub has been silent for long enough: we have listened already.
            self._linked = False
            self._start_ms = now_ms + self._slot_ms()
        if self._start_ms is None:
            self._start_ms = now_ms + LISTEN_MS + self._slot_ms()
        if now_ms >= max(self._start_ms, self._not_before_ms):
            self._start_ms = None
            self._own = _Own(self._new_session(), now_ms)
            actions.append(StartHub(self._own.session))

    def _slot_ms(self) -> int:
        """Lanes that miss the hub at the same moment do not all start one."""
        place = 0 if self._rank < RANK_LANE else 1 + sorted(self._lanes).index(self._where.device)
        return SLOT_MS * (place % SLOTS_MAX) + int(self._random() * SLOT_MS)

    def _announce(self, now_ms: int, actions: list[Action]) -> None:
        own = self._own
        if own is None or now_ms < own.beacon_ms:
            return
        if own.port and now_ms - own.began_ms > STEADY_MS:
            self._restart.reset()
        own.count += 1
        own.beacon_ms = now_ms + BEACON_EVERY_MS
        tenant, site, device = self._where
        addresses = list(self.addresses[:ADDRESSES_MAX])
        beacon = Beacon(tenant, site, device, own.session, own.count, self._rank, own.port, addresses)
        body = msgspec.msgpack.encode(beacon)
        actions.append(Announce(msgspec.msgpack.encode(_Sealed(sign_beacon(self._key, body), body))))

    # --- small steps ----------------------------------------------------------------------------------

    def _go_to(self, place: Place | None, actions: list[Action]) -> None:
        before = self._following
        same = place is not None and before is not None and place.session == before.session
        if same and place is not None and before is not None and place.port == before.port:
            if place.addresses == before.addresses or self._linked:
                return
        elif place is None and before is None:
            return
        self._following, self._linked = place, False
        actions.append(Unfollow() if place is None else Follow(place))

    def _stop(self, actions: list[Action]) -> None:
        if self._own is not None:
            self._own = None
            actions.append(StopHub())

    def _fell(self, own: _Own, now_ms: int) -> None:
        if self._following is not None and self._following.session == own.session:
            self._linked = False
        self._stop(self._pending)
        self._not_before_ms = now_ms + self._restart.next_ms()

    def _of(self, session: bytes) -> _Heard | None:
        return next((heard for name, heard in self._heard.items() if name[1] == session), None)


_sealed = msgspec.msgpack.Decoder(_Sealed)
_beacons = msgspec.msgpack.Decoder(Beacon)
