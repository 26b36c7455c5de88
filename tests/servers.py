"""Real servers for tests: brokers, and the bad network between them and whoever speaks to them.

Each runs as its own process or thread on a free port of the loopback, and is ended by the pid that was started.
Nothing here sleeps for luck: `wait_until` waits for a condition with a bound and says what did not come.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final, Protocol

ROOT: Final = Path(__file__).resolve().parent.parent
START_S: Final = 15.0
STOP_S: Final = 10.0
STOP_TRIES: Final = 5
PASSWORDS: Final = {"centre": "centre-secret", "lane-1": "lane-1-secret", "lane-2": "lane-2-secret"}


def wait_until(
    condition: Callable[[], object], timeout_s: float = 10.0, what: str = "the condition", every_s: float = 0.01
) -> None:
    """Return as soon as `condition()` is true; AssertionError after `timeout_s`."""
    end = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > end:
            raise AssertionError(f"waited {timeout_s:g} s in vain for {what}")
        time.sleep(every_s)


def free_port() -> int:
    """A port of the loopback that nobody listens on now."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def listens(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


class Broker(Protocol):
    """What a test may do to a broker."""

    port: int
    folder: Path

    def password_file(self, name: str) -> Path:
        """A file with the password of `name`, as a unit's settings want it."""

    def kill(self) -> None:
        """SIGKILL: what was in memory is gone."""

    def stop(self) -> None:
        """SIGTERM, and wait for the end."""

    def start(self) -> None:
        """Start, or start again on the same port; returns when it listens."""


class _Process(ABC):
    """A server that is a process of its own, with its output in a file."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.process: subprocess.Popen[bytes] | None = None
        self.log = folder / f"{type(self).__name__.lower()}.log"

    @abstractmethod
    def command(self) -> list[str]:
        """The words that start it."""

    def listens(self, pid: int) -> bool:
        return listens(self.port)

    def start(self) -> None:
        assert self.process is None or self.process.poll() is not None, "it runs already"
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(self.command(), stdout=log, stderr=log, cwd=ROOT)
        process = self.process

        def ready() -> bool:
            if process.poll() is not None:
                raise AssertionError(f"{self.command()[0]} ended with {process.returncode}:\n{self.log.read_text()}")
            return self.listens(process.pid)

        wait_until(ready, START_S, f"{type(self).__name__} to listen")

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    def kill(self) -> None:
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        self._end(signal.SIGTERM)

    def _end(self, number: int) -> None:
        if self.process is None or self.process.poll() is not None:
            return
        for _ in range(STOP_TRIES):
            self.process.send_signal(number)  # again: Mosquitto listens before it heeds its first SIGTERM
            try:
                self.process.wait(STOP_S / STOP_TRIES)
                return
            except subprocess.TimeoutExpired:
                continue
        self.process.kill()
        self.process.wait(STOP_S)
        raise AssertionError(f"pid {self.process.pid} did not end on signal {number}")


class _WithPasswords(_Process):
    def __init__(self, folder: Path, passwords: Mapping[str, str] = PASSWORDS) -> None:
        super().__init__(folder)
        self.passwords_file = folder / "passwords"
        self.set_passwords(passwords)

    def set_passwords(self, passwords: Mapping[str, str]) -> None:
        """Who may log in. Mosquitto reads it at its start, the embedded broker at each login."""
        self.passwords = dict(passwords)
        self.passwords_file.write_text("".join(password_line(*pair) + "\n" for pair in passwords.items()))
        self.passwords_file.chmod(0o600)

    def password_file(self, name: str) -> Path:
        path = self.folder / f"{name}.password"
        path.write_text(self.passwords[name])
        path.chmod(0o600)
        return path


def password_line(name: str, password: str) -> str:
    """A line of a Mosquitto password file: PBKDF2-SHA512, written here independently of the code under test."""
    salt = secrets.token_bytes(12)
    digest = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, 101)
    return f"{name}:$7$101${base64.b64encode(salt).decode()}${base64.b64encode(digest).decode()}"


class Mosquitto(_WithPasswords):
    """Mosquitto with the access rules that we ship (deploy/mosquitto/tokuten.acl)."""

    host = "127.0.0.1"

    def command(self) -> list[str]:
        program = shutil.which("mosquitto", path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")
        assert program, "mosquitto is not installed: run scripts/install_system.sh"
        # it drops root for an account that can't read a test's folder, and takes its rules only from owned files
        acl = self.folder / "acl"
        shutil.copyfile(ROOT / "deploy/mosquitto/tokuten.acl", acl)
        acl.chmod(0o600)
        config = self.folder / "mosquitto.conf"
        lines = [
            f"listener {self.port} {self.host}",
            "allow_anonymous false",
            "persistence false",
            "max_packet_size 65536",
            "set_tcp_nodelay true",
            f"password_file {self.passwords_file}",
            f"acl_file {acl}",
        ]
        if os.geteuid() == 0:
            lines.append("user root")
        config.write_text("\n".join(lines) + "\n")
        return [program, "-c", str(config)]


class EmbeddedBroker(_WithPasswords):
    """`tokuten broker`, the broker of the demo."""

    def command(self) -> list[str]:
        config = self.folder / "broker.toml"
        config.write_text(
            f'[broker]\nhost = "127.0.0.1"\nport = {self.port}\npassword_file = "{self.passwords_file}"\n'
        )
        return [sys.executable, "-m", "cli", "broker", "--config", str(config)]


class Relay:
    """A TCP relay on a port of its own, with the faults of a network.

    `cut` drops every connection and refuses new ones until `heal`; `freeze` lets connections stand but passes
    nothing; `delay_ms` holds each piece of data back by so much, each way, without changing the order.
    """

    CHUNK_BYTES: Final = 64 * 1024
    CONNECTIONS_MAX: Final = 100

    def __init__(self, target_port: int) -> None:
        self.target_port = target_port
        self.port = free_port()
        self.delay_ms = 0
        self.connections = 0  # since the start
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._flowing = threading.Event()
        self._flowing.set()
        self._healthy = True
        self._ended = False
        self._listener = socket.create_server(("127.0.0.1", self.port))
        self._thread = threading.Thread(target=self._accept, name="relay", daemon=True)
        self._thread.start()

    def cut(self) -> None:
        self._healthy = False
        self.drop()

    def heal(self) -> None:
        self._healthy = True

    def freeze(self) -> None:
        self._flowing.clear()

    def thaw(self) -> None:
        self._flowing.set()

    def drop(self) -> None:
        """Close every connection; new ones may come."""
        with self._lock:
            ends, self._open = self._open, set()
        for end in ends:
            _close(end)

    def close(self) -> None:
        self._ended = True
        self._flowing.set()
        _close(self._listener)
        self.drop()
        self._thread.join(STOP_S)

    def _accept(self) -> None:
        while not self._ended:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            if not self._healthy or len(self._open) >= 2 * self.CONNECTIONS_MAX:
                _close(near)
                continue
            try:
                far = socket.create_connection(("127.0.0.1", self.target_port), timeout=5)
            except OSError:
                _close(near)
                continue
            far.settimeout(None)
            for end in (near, far):
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self._lock:
                self._open |= {near, far}
            self.connections += 1
            self._connect(near, far)

    def _connect(self, near: socket.socket, far: socket.socket) -> None:
        over = threading.Semaphore(0)
        for source, sink in ((near, far), (far, near)):
            line = _Line(self, source, sink, over)
            threading.Thread(target=line.read, name="relay read", daemon=True).start()
            threading.Thread(target=line.write, name="relay write", daemon=True).start()
        threading.Thread(target=self._forget, args=(near, far, over), name="relay end", daemon=True).start()

    def _forget(self, near: socket.socket, far: socket.socket, over: threading.Semaphore) -> None:
        """A connection whose two directions are over makes room for others."""
        over.acquire()
        over.acquire()
        with self._lock:
            self._open -= {near, far}
        _close(near)
        _close(far)


class _Line:
    """One direction of one connection: what came in, and when it may go out."""

    WAITING_MAX: Final = 4096  # pieces; beyond, the sender waits, as on a full network

    def __init__(self, relay: Relay, source: socket.socket, sink: socket.socket, over: threading.Semaphore) -> None:
        self.relay, self.source, self.sink, self._over = relay, source, sink, over
        self._waiting: list[tuple[float, bytes]] = []
        self._change = threading.Condition()

    def read(self) -> None:
        data = b"x"
        while data:
            try:
                data = self.source.recv(Relay.CHUNK_BYTES)
            except OSError:
                data = b""
            with self._change:
                self._change.wait_for(lambda: len(self._waiting) < self.WAITING_MAX or self.relay._ended)
                self._waiting.append((time.monotonic() + self.relay.delay_ms / 1000, data))
                self._change.notify_all()

    def write(self) -> None:
        try:
            self._write()
        finally:
            self._over.release()

    def _write(self) -> None:
        while True:
            with self._change:
                self._change.wait_for(lambda: self._waiting)
                due, data = self._waiting.pop(0)
                self._change.notify_all()
            if (rest := due - time.monotonic()) > 0:
                time.sleep(rest)
            self.relay._flowing.wait()
            try:
                if not data:
                    self.sink.shutdown(socket.SHUT_WR)
                    return
                self.sink.sendall(data)
            except OSError:
                _close(self.source)
                return


def _close(end: socket.socket) -> None:
    with contextlib.suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
    end.close()
