"""A unit and the centre with the production code on both sides, and a network, disks and restores ruled by a seed.

Store, wire machines and the centre's desk run unchanged on real SQLite files; only the network between them,
the time and the randomness are stand-ins. What is checked is said in DESIGN: a fact stops waiting only when
the centre has committed it, and no fact is booked twice.
"""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from itertools import count
from pathlib import Path
from random import Random
from typing import Protocol

from nacl.signing import SigningKey
from sqlalchemy import text

from central import registry
from central.coupons import issue
from central.db.migrate import upgrade
from central.desk import Desk
from central.office import Office, create
from central.settings import CentralSettings
from edge_agent.centre import Centre
from edge_agent.core.visit import Moment
from edge_agent.steps import StepLog
from edge_agent.store.store import Store
from loyalty.campaign import Campaign, Kind, Policy
from wire import topics
from wire.facts import EpochOpened, Redeemed, decode_fact
from wire.topics import Address

NOW_MS = 1_800_000_000_000
WHERE = Address("demo", "shinjuku", "unit-1")
KEY = SigningKey(b"k" * 32)


class Keeper(Protocol):
    """Who keeps the centre's database, and copies of it."""

    def url(self, folder: Path) -> str:
        """The setting `database` of a centre in that folder."""

    def backup(self, office: Office, name: str) -> str:
        """Copies the database, in place of an older copy of that name; gives how `put_back` knows it."""

    def put_back(self, office: Office, backup: str) -> None:
        """Puts a copy in the place of the database. The centre is closed."""


class Files:
    """SQLite: the database is a file in the centre's folder, its copies lie beside that."""

    def url(self, _folder: Path) -> str:
        return ""

    def backup(self, office: Office, name: str) -> str:
        assert office.database.path is not None
        copy = office.database.path.parent.parent / f"{name}.db"
        copy.unlink(missing_ok=True)
        with closing(sqlite3.connect(office.database.path)) as source, closing(sqlite3.connect(copy)) as target:
            source.backup(target)
        return str(copy)

    def put_back(self, office: Office, backup: str) -> None:
        database = office.database.path
        assert database is not None
        for suffix in ("-wal", "-shm"):
            database.with_name(database.name + suffix).unlink(missing_ok=True)
        shutil.copy(backup, database)


class World:
    """One unit, one centre. Every method is one thing that can happen."""

    def __init__(self, folder: Path, seed: int, loss: float = 0.15, keeper: Keeper | None = None) -> None:
        self.rng = Random(seed)
        self.keeper = keeper or Files()
        self.loss = loss
        self.folder = folder
        self.mono_ms = 0
        self.serials = count(1)
        self.up: list[tuple[str, bytes]] = []
        self.down: list[tuple[str, bytes]] = []
        settings = CentralSettings(data_dir=str(folder / "centre"), database=self.keeper.url(folder / "centre"))
        self.office = create(settings)
        with self.office.database.write() as connection:
            registry.add_device(connection, WHERE.device, WHERE.site, KEY.verify_key.encode(), NOW_MS)
            issue.issue(
                connection,
                Campaign(id=1, name="券", kind=Kind.AMOUNT, policy=Policy.SIGNED, provider="s", amount_yen=100),
                NOW_MS,
            )
        self.incarnation = self.office.witness.start()
        self.desk = Desk(self.office, self.incarnation)
        self.steps = StepLog(lambda line: None, lambda: NOW_MS)
        self._open_unit()

    # --- the unit -------------------------------------------------------------------------------------

    def _open_unit(self) -> None:
        self.store = Store(self.folder / "unit", WHERE.device)
        self.store.start(self.rng.randbytes(16))
        self.unit = Centre(
            WHERE,
            self.store,
            self,
            (KEY, self.office.keys.centre().verify_key),
            self.steps,
            random=self.rng.random,
            random_bytes=self.rng.randbytes,
        )
        self.unit.connected(self.mono_ms)

    def publish(self, leaf: topics.Leaf, payload: bytes) -> bool:
        """The unit hands a packet to the broker, who may lose it though it said yes."""
        self.up.append((WHERE.topic(leaf), payload))
        return True

    def moment(self) -> Moment:
        return Moment(wall_ms=NOW_MS + self.mono_ms, mono_ms=self.mono_ms, boot=b"b" * 8, trusted=True)

    def redeem(self, how_many: int = 1) -> list[int]:
        """Decide and store; returns the serials."""
        serials = [next(self.serials) for _ in range(how_many)]
        stamp = self.moment().stamp
        with self.store.transaction():
            self.store.journal.append(
                [Redeemed(stamp, 1, serial, 0, 1, "signed", WHERE.site, 0, 100, 1) for serial in serials]
            )
        self.unit.uplink.appended(self.store.journal.last)
        return serials

    def image(self) -> Path:
        """Copy the unit's disk, as a backup or a cloned card would."""
        self.store.connection.checkpoint()
        copy = self.folder / f"image-{self.mono_ms}"
        shutil.copytree(self.store.folder, copy, dirs_exist_ok=True)
        return copy

    def restore_unit(self, image: Path) -> None:
        """The unit comes up from an old image of its disk."""
        self.store.close()
        shutil.rmtree(self.store.folder)
        shutil.copytree(image, self.store.folder)
        self._open_unit()

    def restart_unit(self) -> None:
        self.store.close()
        self._open_unit()

    # --- the centre -----------------------------------------------------------------------------------

    def backup(self) -> str:
        """A copy of the centre's database as it is now; gives its name."""
        return self.keeper.backup(self.office, f"backup-{self.mono_ms}")

    def restore_centre(self, backup: str) -> None:
        self.office.witness.advance()  # the centre stops cleanly before its old database is put in place
        self.desk.close()
        self.office.close()
        self.keeper.put_back(self.office, backup)
        self.office = Office(self.office.settings)
        upgrade(self.office.database)
        self.incarnation = self.office.witness.start()
        self.desk = Desk(self.office, self.incarnation)

    # --- the network ----------------------------------------------------------------------------------

    def deliver(self) -> None:
        """Each message on its way arrives, or is lost, doubled or late."""
        for queue, arrive in ((self.up, self._at_centre), (self.down, self._at_unit)):
            waiting, queue[:] = list(queue), []
            if self.rng.random() < self.loss:
                self.rng.shuffle(waiting)
            for message in waiting:
                luck = self.rng.random()
                if luck < self.loss:
                    continue
                if luck < 1.5 * self.loss:
                    queue.append(message)  # late
                    continue
                arrive(*message)
                if luck > 1 - self.loss / 2:
                    arrive(*message)

    def _at_centre(self, topic: str, payload: bytes) -> None:
        self.down.extend(self.desk.handle(topic, payload, NOW_MS + self.mono_ms))

    def _at_unit(self, topic: str, payload: bytes) -> None:
        self.unit.arrived(topic, payload, self.moment())

    def pass_time(self, ms: int) -> None:
        self.mono_ms += ms
        self.unit.pump(self.mono_ms)

    def reconnect(self) -> None:
        self.unit.disconnected()
        self.unit.connected(self.mono_ms)

    def settle(self, turns: int = 400) -> None:
        """No more faults: everything must reach the centre in a bounded number of turns."""
        self.loss = 0.0
        self.reconnect()
        for _ in range(turns):
            self.pass_time(1_500)
            self.deliver()
            if not self.unit.uplink.waiting and not self.up and not self.down:
                return
        raise AssertionError(f"{self.unit.uplink.waiting} facts still wait after {turns} turns without faults")

    # --- what is true ---------------------------------------------------------------------------------

    def journal(self) -> list[bytes]:
        """The bodies of all facts that the unit has, except the openings of epochs."""
        return [
            body for (body,) in self.store.connection.rows("SELECT body FROM journal ORDER BY position") if _plain(body)
        ]

    def booked(self) -> list[int]:
        """The serials of all redemptions that count at the centre, one for each row."""
        with self.office.database.read() as connection:
            rows = connection.execute(text("SELECT serial FROM redemptions WHERE state <> 'void' ORDER BY serial"))
            return [row[0] for row in rows]

    def close(self) -> None:
        self.store.close()
        self.desk.close()
        self.office.close()


def _plain(body: bytes) -> bool:
    return not isinstance(decode_fact(body), EpochOpened)


def serials(bodies: list[bytes]) -> Iterator[int]:
    for body in bodies:
        fact = decode_fact(body)
        if isinstance(fact, Redeemed):
            yield fact.serial
