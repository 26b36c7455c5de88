"""Snapshots on their way: made in a thread of their own, spooled to disk, sent part by part as there is room.

A unit that asks while its snapshot is being made waits for it; one that asks again while it is being sent has
missed a part and gets the same one from its beginning.
"""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import IO, Final

from central import snapshot
from central.db.database import Database, StorageError
from central.keys import KeyFileError
from wire.messages import SnapshotPart
from wire.topics import Address

SNAPSHOTS_MAX: Final = 64  # units served at once; others ask again
_log = logging.getLogger(__name__)


class _Sending:
    def __init__(self, spooled: snapshot.Spooled, spool: IO[bytes]) -> None:
        self._spooled, self._spool = spooled, spool
        self.rewind()

    def rewind(self) -> None:
        self._left = snapshot.parts(self._spooled, self._spool)

    def next(self) -> SnapshotPart | None:
        return next(self._left, None)

    def close(self) -> None:
        self._spool.close()


class Snapshots:
    """Owned by the thread that publishes; `wanted` and `next_parts` are called from there alone."""

    def __init__(
        self,
        database: Database,
        incarnation: bytes,
        secret: bytes,
        folder: Path,
        card_keys: Callable[[], Sequence[tuple[int, bytes]]] = tuple,
    ) -> None:
        """`card_keys` gives the keys of member cards as they are when a snapshot is made."""
        self._database, self._incarnation, self._secret, self._folder = database, incarnation, secret, folder
        self._card_keys = card_keys
        self._maker = ThreadPoolExecutor(1, thread_name_prefix="snapshot")
        self._making: dict[Address, Future[_Sending]] = {}
        self._sending: dict[Address, _Sending] = {}

    def wanted(self, address: Address, now_ms: int) -> None:
        """A unit asks for the whole state."""
        if address in self._making:
            return
        if (running := self._sending.get(address)) is not None:
            running.rewind()
        elif len(self._making) + len(self._sending) < SNAPSHOTS_MAX:
            self._making[address] = self._maker.submit(self._make, address.site, now_ms)

    @property
    def busy(self) -> bool:
        return bool(self._making or self._sending)

    def next_parts(self, room: int) -> Iterator[tuple[Address, SnapshotPart]]:
        """At most `room` parts, in turn for every unit that waits for some."""
        for address in [address for address, future in self._making.items() if future.done()]:
            future = self._making.pop(address)
            try:
                self._sending[address] = future.result()
            except (StorageError, KeyFileError, LookupError, OSError) as error:  # the unit asks again
                _log.warning("no snapshot for %s: %s", address.device, error)
        while room > 0 and self._sending:
            for address in list(self._sending):
                if room <= 0:
                    return
                part = self._sending[address].next()
                if part is None:
                    self._sending.pop(address).close()
                else:
                    room -= 1
                    yield address, part

    def wait(self) -> None:
        """Until everything that is being made is made (for whoever drives a centre in one thread)."""
        for future in list(self._making.values()):
            future.exception()

    def drop(self) -> None:
        """The connection is gone, and what was being sent with it: units ask again."""
        for sending in self._sending.values():
            sending.close()
        self._sending.clear()

    def close(self) -> None:
        self._maker.shutdown(wait=True, cancel_futures=True)
        for future in self._making.values():
            if not future.cancelled() and future.exception() is None:
                future.result().close()
        self._making.clear()
        self.drop()

    def _make(self, site: str, now_ms: int) -> _Sending:
        spool = tempfile.TemporaryFile(dir=self._folder)  # noqa: SIM115 - lives until it is sent
        try:
            with self._database.read() as connection:
                spooled = snapshot.write(
                    connection, site, self._incarnation, self._secret, now_ms, spool, self._card_keys()
                )
        except BaseException:
            spool.close()
            raise
        return _Sending(spooled, spool)
