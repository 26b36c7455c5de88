"""The world's end of the link: serves one World to the processes of its unit, over a unix socket.

One thread for each connection, at most CONNECTIONS_MAX; each has a port of its own, closed with it. The
socket's file is for its owner alone. A stranger that talks garbage is told why, and disconnected.

What can fail: `serve` raises PartFailed when another simulator listens there or the path is unusable.
"""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Final, Protocol, Self

from hal.errors import HalError, HalReason, PartFailed
from hal.virtual import framing
from hal.virtual.framing import Answer, Ask, Ended, Garbage
from hal.virtual.port import Port

CONNECTIONS_MAX: Final = 16
REFUSALS_MAX: Final = 16  # reasons of refused connections that are kept to be read
PATH_BYTES_MAX: Final = 107  # sun_path of unix(7)


class PortMaker(Protocol):
    """A `world.World`, as far as the server needs it."""

    def port(self, *, hangs: bool) -> Port: ...


def serve(world: PortMaker, socket_path: Path) -> Server:
    """Serve `world` at `socket_path` until the returned server is closed. Raises PartFailed."""
    return Server(world, socket_path)


class Server:
    """Serves one world; `with serve(...)` or `close()` ends it and every connection."""

    def __init__(self, world: PortMaker, path: Path) -> None:
        self._world = world
        self._path = path
        self._listener = _listen(path)
        self._lock = threading.Lock()
        self._connections: set[socket.socket] = set()
        self._closed = False
        self.refusals: list[str] = []  # why connections were closed on strangers, the last REFUSALS_MAX
        threading.Thread(target=self._accept, name="world-link", daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            with self._lock:
                full = len(self._connections) >= CONNECTIONS_MAX
                if not full and not self._closed:
                    self._connections.add(sock)
            if full or self._closed:
                self._refuse(sock, f"there are {CONNECTIONS_MAX} connections already")
                sock.close()
                continue
            threading.Thread(target=self._converse, args=(sock,), name="world-link-unit", daemon=True).start()

    def _converse(self, sock: socket.socket) -> None:
        port: Port | None = None
        try:
            hello = framing.receive_ask(sock)
            if not isinstance(hello, framing.Hello) or hello.version != framing.VERSION:
                raise Garbage(f"the first message must be a hello of version {framing.VERSION}")
            port = self._world.port(hangs=False)
            framing.send(sock, framing.Done())
            while True:
                framing.send(sock, _answer(port, framing.receive_ask(sock)))
        except Garbage as error:
            self._refuse(sock, str(error))
        except Ended:
            pass
        finally:
            if port is not None:
                port.close()
            with self._lock:
                self._connections.discard(sock)
            sock.close()

    def _refuse(self, sock: socket.socket, reason: str) -> None:
        with self._lock:
            self.refusals = [*self.refusals[1 - REFUSALS_MAX :], reason]
        sock.settimeout(framing.BODY_WAIT_S)
        with suppress(Ended):
            framing.send(sock, framing.Goodbye(reason))

    def close(self) -> None:
        with self._lock:
            if self._closed:
                return
            self._closed = True
            connections = list(self._connections)
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for sock in connections:
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        self._path.unlink(missing_ok=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _answer(port: Port, ask: Ask) -> Answer:
    try:
        match ask:
            case framing.Show():
                port.show(ask.pixels)
            case framing.Signal():
                port.signal(ask.light, ask.sound, ask.duration_ms)
            case framing.CardEvents():
                return framing.pack_cards(port.card_events())
            case framing.CardRead():
                return framing.Pages(port.card_read(ask.uid, ask.page, ask.pages))
            case framing.CardWrite():
                port.card_write(ask.uid, ask.page, ask.data)
            case framing.CardAuthenticate():
                return framing.Pages(port.card_authenticate(ask.uid, ask.password))
            case framing.CardCounter():
                return framing.Count(port.card_counter(ask.uid, ask.number))
            case framing.ButtonEvents():
                return framing.Buttons([event.button for event in port.button_events()])
            case framing.AskClock():
                return framing.ClockIs(port.clock_setting())
            case framing.AskFrame():
                frame = port.frame(ask.after, ask.timeout_ms / 1000)
                return framing.NoFrame() if frame is None else framing.FrameIs(*frame)
            case framing.Hello():
                raise Garbage("a second hello")
    except HalError as error:
        return framing.Failed(type(error).__name__, error.reason.value, str(error))
    except ValueError as error:
        return framing.Failed(ValueError.__name__, "", str(error))
    return framing.Done()


def _listen(path: Path) -> socket.socket:
    if len(bytes(path)) > PATH_BYTES_MAX:
        raise PartFailed(HalReason.PROTOCOL, f"a socket's path has at most {PATH_BYTES_MAX} bytes: {path}")
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        if path.is_socket():
            _remove_if_dead(path)
        listener.bind(bytes(path))
        path.chmod(0o600)
        listener.listen(CONNECTIONS_MAX)
    except OSError as error:
        listener.close()
        if isinstance(error, PartFailed):
            raise
        raise PartFailed(HalReason.NOT_FOUND, f"cannot listen at {path}: {error}") from error
    return listener


def _remove_if_dead(path: Path) -> None:
    """A socket that nobody listens on was left by a simulator that was killed."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(bytes(path))
        except ConnectionRefusedError:
            path.unlink(missing_ok=True)
        else:
            raise PartFailed(HalReason.PROTOCOL, f"another simulator listens at {path}")
