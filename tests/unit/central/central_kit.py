"""A lane as the centre sees it: a journal with a chain and a key, and the batches that come of it."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

from nacl.signing import SigningKey, VerifyKey
from sqlalchemy import text

from central import registry
from central.coupons import issue
from central.desk import Desk, Outgoing
from central.ingest import Ingest, Origin
from central.office import Office, create, open_office
from central.settings import CentralSettings
from loyalty.campaign import Campaign, Kind, Policy
from wire import chain, topics
from wire.envelope import unseal
from wire.facts import Cancelled, EpochOpened, Fact, Redeemed, Stamp, encode_fact
from wire.messages import Ack, Batch, encode

NOW_MS = 1_800_000_000_000
BOOT = b"boot0001"


def campaign(number: int = 1, **terms: object) -> Campaign:
    """A coupon of 100 yen, honoured everywhere, with serials."""
    plain: dict[str, object] = {
        "id": number, "name": "100円引き", "kind": Kind.AMOUNT, "policy": Policy.SIGNED, "provider": "S楽器",
        "amount_yen": 100,
    }  # fmt: skip
    return Campaign(**{**plain, **terms})  # type: ignore[arg-type]


class Lane:
    """One unit with one epoch of its journal."""

    def __init__(self, name: str = "lane-1", site: str = "ginza", key: SigningKey | None = None) -> None:
        self.name, self.site = name, site
        self.key = key or SigningKey.generate()
        self.epoch = secrets.token_bytes(16)
        self.facts: list[bytes] = []
        self.hashes = [chain.genesis(name, self.epoch)]
        self.mono_ms = 0

    def __len__(self) -> int:
        return len(self.facts)

    @property
    def address(self) -> topics.Address:
        return topics.address("demo", self.site, self.name)

    def origin(self, now_ms: int = NOW_MS) -> Origin:
        return Origin(self.name, self.address.topic(topics.UP_EV), now_ms)

    def stamp(self, at_ms: int = NOW_MS) -> Stamp:
        self.mono_ms += 1
        return Stamp(at_ms, self.mono_ms, BOOT, True, 50)

    def journal(self, fact: Fact | bytes) -> int:
        """Appends a fact; gives its number."""
        body = fact if isinstance(fact, bytes) else encode_fact(fact)
        self.facts.append(body)
        self.hashes.append(chain.link(self.hashes[-1], body))
        return len(self.facts)

    def redeem(
        self,
        serial: int,
        *,
        campaign: int = 1,
        holder: int = 0,
        question: bytes = b"",
        at_ms: int = NOW_MS,
        at: Stamp | None = None,
        policy: str = "signed",
        discount_yen: int = 100,
    ) -> int:
        stamp = at or self.stamp(at_ms)
        return self.journal(
            Redeemed(stamp, campaign, serial, holder, 1, policy, self.site, 0, discount_yen, 1, question, False)
        )

    def cancel(self, question: bytes, *, campaign: int = 1, serial: int = 0) -> int:
        return self.journal(Cancelled(self.stamp(), question, campaign, serial))

    def batch(self, first: int = 1, last: int | None = None) -> bytes:
        """Facts first..last as they go on the wire."""
        last = len(self.facts) if last is None else last
        head = chain.signed_head(self.name, self.epoch, last, self.hashes[last])
        return encode(
            Batch(
                self.epoch,
                first,
                self.hashes[first - 1],
                self.hashes[last],
                self.facts[first - 1 : last],
                self.key.sign(head).signature,
            )
        )

    def as_it_was(self, length: int) -> Lane:
        """This lane's disk, restored to when its journal ended at `length`."""
        old = Lane(self.name, self.site, self.key)
        old.epoch, old.mono_ms = self.epoch, self.mono_ms + 1_000
        old.facts, old.hashes = self.facts[:length], self.hashes[: length + 1]
        return old

    def under_a_new_epoch(self, after: int, reason: str) -> Lane:
        """What the unit does after a fork: the facts after `after` follow under an epoch of their own."""
        new = Lane(self.name, self.site, self.key)
        carried = self.facts[after:]
        new.journal(EpochOpened(self.stamp(), reason, self.epoch, after, len(carried)))
        for body in carried:
            new.journal(body)
        return new


Databases = Callable[[Path], str]


def sqlite_file(_folder: Path) -> str:
    """The setting `database` of a centre in that folder: SQLite, a file of its own."""
    return ""


class Centre:
    """A centre on real files, or on a real database server: `databases` says which, for each folder."""

    databases: ClassVar[Databases] = staticmethod(sqlite_file)

    def __init__(self, folder: Path, *campaigns: Campaign) -> None:
        self.settings = self.settings_for(folder)
        self.office: Office = create(self.settings)
        self.start()
        with self.office.database.write() as connection:
            for one in campaigns or (campaign(),):
                issue.issue(connection, one, NOW_MS)

    @classmethod
    def settings_for(cls, folder: Path) -> CentralSettings:
        return CentralSettings(data_dir=str(folder), database=cls.databases(folder))

    @classmethod
    def reopened(cls, folder: Path) -> Centre:
        """A centre that was made before, as a process that starts on it."""
        centre = cls.__new__(cls)
        centre.settings = cls.settings_for(folder)
        centre.office = open_office(centre.settings)
        centre.start()
        return centre

    def start(self) -> None:
        self.incarnation = self.office.witness.start()
        self.secret = self.office.keys.cache_secret()
        self.ingest = Ingest(self.office.database, self.incarnation, self.secret)
        self.desk = Desk(self.office, self.incarnation)

    def enrol(self, *lanes: Lane) -> None:
        with self.office.database.write() as connection:
            for lane in lanes:
                registry.add_device(connection, lane.name, lane.site, lane.key.verify_key.encode(), NOW_MS)

    def book(self, lane: Lane, first: int = 1, last: int | None = None, now_ms: int = NOW_MS) -> Ack:
        return self.ingest.book(lane.batch(first, last), lane.origin(now_ms))

    def query(self, sql: str) -> list[tuple[object, ...]]:
        with self.office.database.read() as connection:
            return [tuple(row) for row in connection.execute(text(sql))]

    def one(self, sql: str) -> object:
        ((value,),) = self.query(sql)
        return value

    def opened(self, message: Outgoing) -> bytes:
        """What a unit finds in a sealed message."""
        public = VerifyKey(self.office.keys.centre().verify_key.encode())
        return unseal(public, message.topic, message.payload)

    def close(self) -> None:
        self.desk.close()
        self.office.close()
