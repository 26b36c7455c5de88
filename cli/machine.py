"""What `tokuten unit` and `tokuten hub` share: a machine that is enrolled, its key, and the lines that it says."""

from __future__ import annotations

import logging
import os
import queue
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import typer

from cli.exits import Exit, Stop

if TYPE_CHECKING:
    from nacl.signing import SigningKey

    from wire.topics import Address

LINES_WAITING_MAX = 2_000


class MachineSettings(Protocol):
    """What is set for a machine that is enrolled."""

    @property
    def address(self) -> Address: ...

    @property
    def folder(self) -> Path: ...

    @property
    def data_dir(self) -> str: ...

    @property
    def centre_public_key(self) -> str: ...


def enrolled(section: str, settings: MachineSettings, *, print_key: bool) -> SigningKey | None:
    """The machine's key, made at the first start; None: it was printed, and that was all. Raises Stop."""
    from edge_agent.identity import BadKeyFile, device_key
    from wire.topics import BadTopic

    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    try:
        settings.address  # noqa: B018 - an id that can't be one is refused before anything is opened
        key = device_key(settings.folder)
    except (BadTopic, BadKeyFile) as error:
        raise Stop(str(error), Exit.SETTINGS) from error
    except OSError as error:
        raise Stop(f"{settings.data_dir}: {error.strerror}", Exit.MISSING) from error
    if print_key:
        typer.echo(key.verify_key.encode().hex())
        return None
    if not settings.centre_public_key:
        raise Stop(f"{section}.centre_public_key is not set: `tokuten central init` prints it", Exit.SETTINGS)
    return key


class Lines:
    """Writes lines to standard output from a thread of its own: a reader that stalls never stalls a scan."""

    def __init__(self) -> None:
        self._queue: queue.Queue[bytes | None] = queue.Queue(LINES_WAITING_MAX)
        self._thread = threading.Thread(target=self._run, name="lines", daemon=True)
        self._thread.start()

    def write(self, line: bytes) -> None:
        try:
            self._queue.put_nowait(line + b"\n")
        except queue.Full:
            return  # nobody reads: the log gives way, not the unit

    def _run(self) -> None:
        while (line := self._queue.get()) is not None:
            try:
                os.write(1, line)
            except OSError:
                return

    def close(self) -> None:
        self.write_end()
        self._thread.join(1.0)

    def write_end(self) -> None:
        try:
            self._queue.put_nowait(None)
        except queue.Full:
            return
