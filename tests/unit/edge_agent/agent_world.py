"""What the tests of the agent share: a signed coupon's world, and a core that is driven by hand."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from pathlib import Path

import msgspec
import pytest
from nacl.signing import SigningKey

from edge_agent.core.events import Event, Heard, LinkChanged
from edge_agent.core.machine import Core
from edge_agent.core.reach import GOODS
from edge_agent.core.states import Mode
from edge_agent.core.visit import Moment, Step
from edge_agent.store.store import Store
from hal.events import Scanned
from loyalty.barcode.own import mint
from loyalty.campaign import Campaign, Kind, Policy
from loyalty.coupon import Coupon
from wire.messages import Change, PutCampaign, PutKey, PutSecret

NOW_MS = 1_800_000_000_000
BOOT = b"bootboot"
ISSUER = SigningKey(bytes(range(32)))
SECRET = b"s" * 32

SIGNED = Campaign(
    id=1, name="S楽器 1000円券", kind=Kind.AMOUNT, policy=Policy.SIGNED, provider="s-gakki", amount_yen=1000
)
OPEN = Campaign(
    id=2, name="V居酒屋割引", kind=Kind.PERCENT, policy=Policy.OPEN, provider="v-izakaya", percent=10, serials=False
)
ONLINE = Campaign(id=3, name="サッカー", kind=Kind.TICKET, policy=Policy.ONLINE, provider="soccer", gift="1階席")
JAN = Campaign(
    id=4,
    name="特売",
    kind=Kind.AMOUNT,
    policy=Policy.OPEN,
    provider="shop",
    amount_yen=50,
    serials=False,
    jan="4912345678904",
)


def world() -> list[Change]:
    """What the centre told this unit."""
    return [
        PutSecret(SECRET),
        PutKey(7, ISSUER.verify_key.encode()),
        *(PutCampaign(campaign) for campaign in (SIGNED, OPEN, ONLINE, JAN)),
    ]


def moment(wall_ms: int = NOW_MS, mono_ms: int = 1_000) -> Moment:
    return Moment(wall_ms=wall_ms, mono_ms=mono_ms, boot=BOOT, trusted=True)


def code(campaign: Campaign, serial: int = 0, holder: int = 0, expires_s: int = 0, key: int = 7) -> bytes:
    """The text of a coupon, as its barcode holds it."""
    coupon = Coupon(campaign=campaign.id, serial=serial, holder=holder, expires_s=expires_s, key=key)
    return mint(ISSUER, coupon).encode()


def scanned(text: bytes, format: str = "qr", confirmed: bool = True) -> Scanned:
    return Scanned(text=text, format=format, confirmed=confirmed, frame=5)


class Driver:
    """A core on a real store, without a runner: what it decides is committed, effects are kept to be looked at."""

    def __init__(self, store: Store, mode: Mode = Mode.KIOSK) -> None:
        ids = count(1)
        self.store = store
        self.core = Core(site="shinjuku", mode=mode, ask_wait_ms=3_000, new_id=lambda: next(ids).to_bytes(16, "big"))
        self.position = 0

    def __call__(self, event: Event, at: Moment | None = None, *, shown: bool = True) -> Step:
        """One event. `shown`: the effects happen, so 'shown' is written down; False: the power goes before.

        A link that comes up has a centre behind it that answers at once.
        """
        at = at or moment()
        step = self.one(event, at, shown)
        if isinstance(event, LinkChanged) and event.up:
            for _ in range(GOODS):
                self.one(Heard(took_ms=1), at, shown)
        return step

    def one(self, event: Event, at: Moment, shown: bool = True) -> Step:
        with self.store.transaction():
            step = self.core.handle(event, self.store.look_up(self.core.needs(event)), at)
            self.position = self.store.keep(step)
        self.core.adopt(step)
        if shown and step.facts:
            self.store.mark_shown(range(self.position, self.position + len(step.facts)))
        return step


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store(tmp_path / "unit", "unit-1")
    opened.start(b"e" * 16)
    with opened.transaction():
        opened.cache.apply(world(), b"i" * 16, 5)
    yield opened
    opened.close()


@pytest.fixture
def drive(store: Store) -> Driver:
    return Driver(store)


def replaced(campaign: Campaign, **changes: object) -> Campaign:
    return msgspec.structs.replace(campaign, **changes)
