"""The centre in the world: one or two workers on one database, the production desk in each, and the operators' acts.

A worker does what `central.mqtt.Link` does around the desk: it hands in what arrives, publishes the answers, pushes
what changed, tidies and counts its mark. It is killed in the middle of a batch, between commit and answer, and with
its power.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from functools import partial
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Final, NamedTuple

from sqlalchemy import Connection

from central import feed, incarnation
from central.db.database import StorageError, StorageReason
from central.db.migrate import upgrade
from central.desk import Desk, Outgoing
from central.incarnation import MARK_EVERY_S
from central.mqtt import PUSH_EVERY_S, SNAPSHOT_ROOM, TIDY_EVERY_S
from central.office import Office, create, restore
from central.settings import CentralSettings
from loyalty.barcode.instore import BarcodeSettings
from simulator.world.clock import NEVER_MS
from simulator.world.disk import Disk
from simulator.world.observe import CentreDown, CentreRestored

if TYPE_CHECKING:
    from simulator.world.world import World

TRY_AGAIN_MS: Final = 5_000  # a centre that can't start (its disk is full) is started again


class CentreAway(Exception):
    """Nobody can do anything at the centre now."""


class Worker(NamedTuple):
    office: Office
    desk: Desk


class HeadOffice:
    """See the module. Every method is one thing that can happen to it."""

    def __init__(self, world: World, barcodes: BarcodeSettings, log_kept_changes: int) -> None:
        self.world = world
        self.rng: Random = world.entropy.stream("centre")
        self.folder = world.folder / "centre"
        self.folder.mkdir()
        self.disk = world.vfs.mount(Disk(self.folder, world.entropy.stream("centre/disk")))
        self.settings = CentralSettings(
            tenant=world.tenant, data_dir=str(self.folder), barcodes=barcodes, log_kept_changes=log_kept_changes
        )
        self.workers: list[Worker] = []
        self.back_ms = NEVER_MS
        self.pause_ms = 0  # nothing that it does by time alone is done more often (a whole day of many shops)
        self._why = ""
        self._mute = False  # killed between the commit and the answer of the next message
        self._power_goes = False
        self._push_ms = self._tidy_ms = self._mark_ms = NEVER_MS
        with self._drawing():
            office = create(self.settings, world.time.wall_ms)
            self.public_key = office.keys.centre().verify_key.encode()
            office.close()
            self.open()

    @contextmanager
    def _drawing(self) -> Iterator[None]:
        before = self.world.entropy.use(self.rng)
        try:
            yield
        finally:
            self.world.entropy.use(before)

    @property
    def up(self) -> bool:
        return bool(self.workers)

    # --- its life -------------------------------------------------------------------------------------

    def open(self) -> None:
        """A worker starts."""
        now_ms = self.world.time.now_ms
        try:
            office = Office(self.settings)
            upgrade(office.database)
            worker = Worker(office, Desk(office, office.witness.start()))
        except StorageError as error:
            self._storage(error)
            if not self.workers:
                self.back_ms = now_ms + TRY_AGAIN_MS
            return
        self.workers.append(worker)
        self.back_ms = NEVER_MS
        self.world.wan.centre_up = True
        self._push_ms, self._tidy_ms = now_ms, now_ms + round(TIDY_EVERY_S * 1000)
        self._mark_ms = now_ms + MARK_EVERY_S * 1000
        self.world.note("centre", "up", f"{len(self.workers)} at work")
        self._work(worker, lambda: list(worker.desk.announce()))

    def close_one(self) -> None:
        """The older of two workers ends, as it should."""
        if len(self.workers) > 1:
            self._end(self.workers.pop(0))

    def stop(self, *, power: bool) -> None:
        """All are killed, or their machine's power cut, between two steps."""
        if self.workers:
            self._power_goes, self._why = power, ""
            self.disk.die()
            self._went_down()

    def cut_in(self, writes: int, *, power: bool, why: str) -> None:
        """It will stop in the middle of that write to its disk."""
        self._power_goes, self._why = power, why
        self.disk.power_cut_in(writes)

    def mute(self) -> None:
        """It will be killed after the next commit, before it answers."""
        self._mute = True

    def _went_down(self) -> None:
        power, self._power_goes, self._mute = self._power_goes, False, False
        why, self._why = self._why, ""
        if why:
            self.world.fire(why)
        for worker in self.workers:
            self._end(worker)
        self.workers.clear()
        self.world.wan.centre_up = False
        if power:
            self.world.lost(self.disk.lose_power())
        else:
            self.disk.kill()
        now_ms = self.world.time.now_ms
        self.world.note("centre", "power cut" if power else "killed")
        self.world.saw(CentreDown(now_ms, power))
        self.back_ms = now_ms + self.world.rng.randrange(500, 15_000)

    def _end(self, worker: Worker) -> None:
        worker.desk.close()
        with suppress(Exception):  # its disk may be dead
            worker.office.close()

    def heal(self) -> None:
        """Nothing is broken any more: one worker, at work."""
        self._mute = False
        self.disk.heal()
        self.close_one()
        if not self.workers:
            self.back_ms = min(self.back_ms, self.world.time.now_ms + 1)

    def close(self) -> None:
        """It ends as it should."""
        for worker in self.workers:
            self._end(worker)
        self.workers.clear()

    def abandon(self) -> None:
        """Whatever it is doing, its files are closed."""
        self.disk.die()
        self.close()

    # --- messages -------------------------------------------------------------------------------------

    def arrived(self, topic: str, payload: bytes) -> None:
        if not self.workers:
            return
        worker = self.workers[0] if len(self.workers) == 1 else self.rng.choice(self.workers)
        self._work(worker, lambda: worker.desk.handle(topic, payload, self.world.time.wall_ms))
        self._push_ms = min(self._push_ms, self._in_s(PUSH_EVERY_S))

    def _work(self, worker: Worker, work: Callable[[], list[Outgoing]]) -> None:
        """One piece of work; what it says is published unless the worker did not live to say it."""
        answers: list[Outgoing] = []
        with self._drawing():
            try:
                answers = work()
                worker.desk.snapshots.wait()  # made in a thread: so that a seed is a seed
            except StorageError as error:  # nothing was booked or answered; the unit sends it again
                self._storage(error)
                return
        if self.disk.dead or (self._mute and answers):
            self._why = self._why if self.disk.dead else "centre-muted"
            self.disk.die()
            self._went_down()
            return
        self._publish(answers)

    def _storage(self, error: StorageError) -> None:
        self.world.note("centre", "storage", error.reason)
        if self.disk.dead:
            self._went_down()
        elif error.reason is StorageReason.FULL:
            self.world.fire("centre-full")

    def _publish(self, messages: list[Outgoing]) -> None:
        for message in messages:
            self.world.wan.take(message.topic, message.payload, up=False)

    # --- time -----------------------------------------------------------------------------------------

    @property
    def due_ms(self) -> int:
        if not self.workers:
            return self.back_ms
        return min(self._push_ms, self._tidy_ms, self._mark_ms)

    def step(self) -> None:
        now_ms = self.world.time.now_ms
        if not self.workers:
            if now_ms >= self.back_ms:
                with self._drawing():
                    self.open()
            return
        if now_ms >= self._push_ms:
            self._push_ms = NEVER_MS
            for worker in list(self.workers):
                if worker in self.workers:
                    self._work(worker, partial(self._pushes, worker))
        if now_ms >= self._tidy_ms and self.workers:
            self._tidy_ms = self._in_s(TIDY_EVERY_S)
            worker = self.workers[-1]
            self._work(worker, lambda: self._tidy(worker))
        if now_ms >= self._mark_ms and self.workers:
            self._mark_ms = self._in_s(MARK_EVERY_S)
            worker = self.workers[-1]
            self._work(worker, lambda: self._advance(worker))

    def _in_s(self, every_s: float) -> int:
        """When something that is done so often is done next."""
        return self.world.time.now_ms + max(round(every_s * 1000), self.pause_ms)

    def _tidy(self, worker: Worker) -> list[Outgoing]:
        worker.desk.tidy(self.world.time.wall_ms)
        return worker.desk.orders() + worker.desk.card_grants(self.world.time.wall_ms)

    def _advance(self, worker: Worker) -> list[Outgoing]:
        worker.office.witness.advance()
        return []

    def _pushes(self, worker: Worker) -> list[Outgoing]:
        worker.desk.reverse(self.world.time.wall_ms)
        said = list(worker.desk.pushes())
        if worker.desk.snapshots.busy:
            said += worker.desk.snapshot_parts(SNAPSHOT_ROOM)
            self._push_ms = self.world.time.now_ms + round(PUSH_EVERY_S * 1000)
        return said

    # --- backups --------------------------------------------------------------------------------------

    def backup(self, to: Path) -> None:
        with (
            closing(sqlite3.connect(self.folder / "centre.db")) as old,
            closing(sqlite3.connect(to)) as new,
        ):
            old.backup(new)

    def restore(self, backup: Path, backup_ms: int) -> None:
        """The operator stops it, puts a copy of the database in its place by command, and starts it again."""
        if self.workers:
            self.stop(power=False)
        self.disk.heal()
        self.disk.settle()
        with self._drawing():
            restore(self.settings, backup)
            for old in self.folder.glob("*.before-restore*"):
                old.unlink()
        self.world.note("centre", "restored", f"as of {backup_ms / 1000:.0f} s")
        self.world.saw(CentreRestored(self.world.time.now_ms, backup_ms))
        with self._drawing():
            self.open()

    # --- operators and people -------------------------------------------------------------------------

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """An operator's or a person's act. Raises CentreAway: then nothing was kept."""
        if not self.workers:
            raise CentreAway
        try:
            with self._drawing(), self.workers[-1].office.database.write() as connection:
                yield connection
        except StorageError as error:
            self._storage(error)
            raise CentreAway from error
        if self.disk.dead:
            self._went_down()
            raise CentreAway
        self._push_ms = min(self._push_ms, self.world.time.now_ms)

    @property
    def office(self) -> Office:
        return self.workers[-1].office

    @property
    def incarnation(self) -> bytes:
        with self.office.database.read() as connection:
            return incarnation.current(connection)

    def feed_heads(self) -> dict[str, int]:
        with self.office.database.read() as connection:
            return feed.heads(connection)
