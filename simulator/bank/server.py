"""The sandbox bank over HTTP on the loopback: its API as `central.bank.http_bank` speaks it, and its control interface.

    POST /debits                  {id, account, amount_yen} -> {id, outcome, decline}
    GET  /debits/{id}
    POST /debits/{id}/reverse
    PUT  /control/accounts        {account, balance_yen}
    PUT  /control/fault           {fault, times}
    POST /control/release         lets go of what is held
    GET  /control/books           {balances, movements, held}

Faults of sockets (a connection that ends in the middle, an answer that comes twice) are what it is for, so it stands
on the standard library's server, which gives the socket away. Nothing is logged: requests name accounts.
"""

from __future__ import annotations

import os
import signal
import socket
import time
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Final, NoReturn

import msgspec

from simulator.bank.faults import HOLD_S_MAX, Fault, Faults
from simulator.bank.ledger import Conflict, Entry, Ledger

BODY_BYTES_MAX: Final = 16 * 1024
TRICKLE_S: Final = 0.05


class Debit(msgspec.Struct, frozen=True):
    id: str
    account: str
    amount_yen: int


class Opened(msgspec.Struct, frozen=True):
    account: str
    balance_yen: int


class Set(msgspec.Struct, frozen=True):
    fault: Fault
    times: int = 1


class BankServer(ThreadingHTTPServer):
    """Runs with `serve_forever`."""

    daemon_threads = True

    def __init__(self, host: str, port: int, ledger: Path) -> None:
        super().__init__((host, port), _Handler)
        self.ledger, self.faults = Ledger(ledger), Faults()


class _Handler(BaseHTTPRequestHandler):
    server: BankServer
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: object) -> None:
        """See the module."""

    def do_GET(self) -> None:
        self._handle()

    def do_POST(self) -> None:
        self._handle()

    def do_PUT(self) -> None:
        self._handle()

    def _handle(self) -> None:
        body = self.rfile.read(min(int(self.headers.get("Content-Length") or 0), BODY_BYTES_MAX))
        steps = [step for step in self.path.split("/") if step]
        try:
            if steps[:1] == ["control"]:
                self._send(200, self._control(steps[1:], body))
            else:
                self._bank(steps, body)
        except (msgspec.MsgspecError, UnicodeDecodeError, LookupError):
            self._send(400, b"{}")
        except Conflict:
            self._send(409, b"{}")

    def _control(self, steps: list[str], body: bytes) -> bytes:
        server = self.server
        if steps == ["accounts"]:
            opened = msgspec.json.decode(body, type=Opened)
            server.ledger.open(opened.account, opened.balance_yen)
        elif steps == ["fault"]:
            wanted = msgspec.json.decode(body, type=Set)
            server.faults.set(wanted.fault, wanted.times)
        elif steps == ["release"]:
            server.faults.release()
        elif steps == ["books"]:
            return msgspec.json.encode({**server.ledger.books(), "held": server.faults.held})
        else:
            raise LookupError
        return b"{}"

    def _bank(self, steps: list[str], body: bytes) -> None:
        fault = self.server.faults.take()
        if fault is Fault.HOLD_BEFORE:
            self.server.faults.hold()
        if fault is Fault.DROP_BEFORE:
            self._hang_up()
            return
        if fault is Fault.DIE_BEFORE:
            _die()
        payment, entry = self._do(steps, body)
        if fault is Fault.HOLD_AFTER:
            self.server.faults.hold()
        if fault is Fault.DROP_AFTER:
            self._hang_up()
            return
        if fault is Fault.DIE_AFTER:
            _die()
        told = "0" * 32 if fault is Fault.ANOTHERS else payment
        answer = msgspec.json.encode({"id": told, "outcome": entry.outcome, "decline": entry.decline})
        if fault is Fault.BROKEN:
            self._send(503, b"{}")
        elif fault is Fault.NONSENSE:
            self._send(200, b'{"id": 7, "outcome"')
        elif fault is Fault.TRICKLE:
            self._trickle()
        else:
            self._send(200, answer)
            if fault is Fault.TWICE:
                self._send(200, answer)

    def _do(self, steps: list[str], body: bytes) -> tuple[str, Entry]:
        ledger = self.server.ledger
        match (self.command, steps):
            case ("POST", ["debits"]):
                debit = msgspec.json.decode(body, type=Debit)
                return debit.id, ledger.debit(debit.id, debit.account, debit.amount_yen)
            case ("GET", ["debits", payment]):
                return payment, ledger.status(payment)
            case ("POST", ["debits", payment, "reverse"]):
                return payment, ledger.reverse(payment)
        raise LookupError

    def _send(self, status: int, body: bytes) -> None:
        with suppress(OSError):  # whoever asked may be gone
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
            self.wfile.flush()

    def _hang_up(self) -> None:
        self.close_connection = True
        with suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)

    def _trickle(self) -> None:
        """A byte now and then: no single one is late."""
        end = time.monotonic() + HOLD_S_MAX
        with suppress(OSError):
            self.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
            while time.monotonic() < end:
                self.wfile.write(b".")
                self.wfile.flush()
                time.sleep(TRICKLE_S)


def _die() -> NoReturn:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("the signal can't be caught")
