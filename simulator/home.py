"""What the demo keeps on disk, all of it in one folder, so that it can go on or begin anew.

    demo.lock        one demo at a time runs here
    tokuten.toml     the settings of broker, centre and unit, written at each start (ports may move)
    secrets/         the broker's logins and the seed of the phones' keys, readable by their owner alone
    central/  unit/  the data of the centre and of the unit
    wallet.json      what stands on the member cards and tags that lie beside the kiosk
    bank.db          the books of the sandbox bank
    logs/            what each process said

What can fail: Taken (a demo runs here already), NotOurs (`reset` of a folder that no demo made), OSError.
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import shutil
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from hal.virtual.serving import PATH_BYTES_MAX
from simulator.broker.access import CENTRE, password_line

LOCK: Final = "demo.lock"
OURS: Final = frozenset(
    {LOCK, "tokuten.toml", "secrets", "central", "unit", "logs", "world.sock", "wallet.json"}
    | {f"bank.db{tail}" for tail in ("", "-wal", "-shm")}
)
PASSWORD_BYTES: Final = 16


class Taken(OSError):
    """A demo runs in this folder already; the message says which."""


class NotOurs(OSError):
    """The folder holds things that no demo made, so it is not emptied."""


class Home:
    """The folder. `with Home(...)` holds it against a second demo; the kernel lets go when the process dies."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()
        self.settings_file = self.folder / "tokuten.toml"
        self.central = self.folder / "central"
        self.unit = self.folder / "unit"
        self.logs = self.folder / "logs"
        self.wallet = self.folder / "wallet.json"
        self.bank = self.folder / "bank.db"
        self.passwords = self.folder / "secrets" / "broker.passwords"
        self.socket = self._socket()
        self._lock: int | None = None

    def __enter__(self) -> Self:
        """Raises Taken, OSError."""
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = os.open(self.folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            who = os.pread(lock, 200, 0).decode(errors="replace") or "another process"
            os.close(lock)
            raise Taken(f"the demo runs already in {self.folder}: {who}") from None
        self._lock = lock
        self.announce(f"process {os.getpid()}")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None
        if self.socket.parent != self.folder:
            shutil.rmtree(self.socket.parent, ignore_errors=True)

    def announce(self, words: str) -> None:
        """What a second demo here is told."""
        if self._lock is not None:
            os.ftruncate(self._lock, 0)
            os.pwrite(self._lock, words.encode(), 0)

    def reset(self) -> None:
        """Begin anew: everything that a demo made here is removed. Call it while the folder is held."""
        strange = sorted({path.name for path in self.folder.iterdir()} - OURS)
        if strange:
            raise NotOurs(f"{self.folder} also holds {', '.join(strange[:5])}: not emptied")
        for path in self.folder.iterdir():
            if path.name == LOCK:
                continue
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()

    def password_file(self, name: str) -> Path:
        return self.folder / "secrets" / f"{name}.password"

    def make_logins(self, device: str) -> None:
        """The broker's logins for the centre and the unit, unless they are there."""
        if self.passwords.exists() and self.password_file(device).exists():
            return
        self.passwords.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        lines = []
        for name in (CENTRE, device):
            password = secrets.token_hex(PASSWORD_BYTES)
            write_private(self.password_file(name), password + "\n")
            lines.append(password_line(name, password))
        write_private(self.passwords, "\n".join(lines) + "\n")

    def phone_seed(self) -> bytes:
        """What the keys of the story's phones are made of; made at the first call."""
        file = self.folder / "secrets" / "phones.seed"
        if not file.exists():
            file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            write_private(file, secrets.token_hex(32) + "\n")
        return bytes.fromhex(file.read_text(encoding="utf-8").strip())

    def write_settings(self, sections: dict[str, dict[str, object]]) -> None:
        """The settings file, from {'unit.broker': {'port': 1883}}."""
        text = "# Written by the demo at each start; changes here are lost.\n"
        for section, values in sections.items():
            text += f"\n[{section}]\n"
            text += "".join(f"{key} = {json.dumps(value, ensure_ascii=False)}\n" for key, value in values.items())
        write_private(self.settings_file, text)

    def _socket(self) -> Path:
        """Beside the rest where the path is short enough for a unix socket, else in a folder of its own."""
        near = self.folder / "world.sock"
        if len(bytes(near)) <= PATH_BYTES_MAX:
            return near
        return Path(tempfile.mkdtemp(prefix="tokuten-")) / "world.sock"


def write_private(path: Path, text: str) -> None:
    """Replaces `path` at once, readable by its owner alone."""
    new = path.with_name(path.name + ".new")
    new.unlink(missing_ok=True)
    handle = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)
    new.replace(path)
