"""A bank behind HTTP: JSON, one connection for each question.

A connection is never used twice, and an answer must name the id that was asked about: an answer that comes twice, or
late, can't be taken for the answer to another question. The whole exchange has one limit, whatever the bank sends how
slowly: when it is up, the connection is cut.
"""

from __future__ import annotations

import http.client
import socket
import ssl
import threading
import time
from contextlib import suppress
from typing import Final
from urllib.parse import urlsplit

import msgspec

from central.bank.adapter import BankSilent, BankUnreached, Decline, Outcome, Said

ANSWER_BYTES_MAX: Final = 16 * 1024


class Answer(msgspec.Struct, frozen=True):
    """What the bank's answers look like."""

    id: str
    outcome: Outcome
    decline: Decline | None = None


class Debit(msgspec.Struct, frozen=True):
    """What is posted for a debit."""

    id: str
    account: str
    amount_yen: int


class HttpBank:
    """`url`: http(s)://host[:port][/path]. `token`: what the centre shows to the bank; empty: nothing."""

    def __init__(self, url: str, token: str = "") -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"{url!r} is no address of a bank: http://host or https://host is expected")
        self._secure, self._host, self._path = parts.scheme == "https", parts.hostname, parts.path.rstrip("/")
        self._port = parts.port or (443 if self._secure else 80)
        self._headers = {"Content-Type": "application/json", "Connection": "close"}
        if token:
            self._headers["Authorization"] = f"Bearer {token}"
        self._context = ssl.create_default_context() if self._secure else None

    def debit(self, payment: bytes, account: str, amount_yen: int, limit_ms: int) -> Said:
        body = msgspec.json.encode(Debit(payment.hex(), account, amount_yen))
        return self._ask("POST", "/debits", payment, body, limit_ms)

    def status(self, payment: bytes, limit_ms: int) -> Said:
        return self._ask("GET", f"/debits/{payment.hex()}", payment, b"", limit_ms)

    def reverse(self, payment: bytes, limit_ms: int) -> Said:
        return self._ask("POST", f"/debits/{payment.hex()}/reverse", payment, b"", limit_ms)

    def _ask(self, method: str, path: str, payment: bytes, body: bytes, limit_ms: int) -> Said:
        until = time.monotonic() + limit_ms / 1000
        connection = self._connected(limit_ms)
        left_s = max(0.0, until - time.monotonic())
        cut = threading.Timer(left_s, _cut, (connection,))
        cut.daemon = True
        cut.start()
        try:
            connection.request(method, self._path + path, body, self._headers)
            response = connection.getresponse()
            raw = response.read(ANSWER_BYTES_MAX)
        except (OSError, http.client.HTTPException, AttributeError) as error:  # AttributeError: cut under its hands
            late = time.monotonic() >= until
            raise BankSilent("did not answer in time" if late else f"broke off: {type(error).__name__}") from error
        finally:
            cut.cancel()
            connection.close()
        if response.status != http.client.OK:
            raise BankSilent(f"answered {response.status}")
        return _believed(raw, payment)

    def _connected(self, limit_ms: int) -> http.client.HTTPConnection:
        timeout_s = limit_ms / 1000
        connection: http.client.HTTPConnection
        if self._context is not None:
            connection = http.client.HTTPSConnection(self._host, self._port, timeout=timeout_s, context=self._context)
        else:
            connection = http.client.HTTPConnection(self._host, self._port, timeout=timeout_s)
        try:
            connection.connect()
        except OSError as error:
            connection.close()
            raise BankUnreached(f"can't be reached: {type(error).__name__}") from error
        return connection


def _believed(raw: bytes, payment: bytes) -> Said:
    try:
        answer = msgspec.json.decode(raw, type=Answer)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise BankSilent("answered nonsense") from error
    if answer.id != payment.hex():
        raise BankSilent("answered about another payment")
    decline = None if answer.outcome is not Outcome.REFUSED else answer.decline or Decline.OTHER
    return Said(answer.outcome, decline)


def _cut(connection: http.client.HTTPConnection) -> None:
    sock = connection.sock
    if sock is not None:
        with suppress(OSError):
            sock.shutdown(socket.SHUT_RDWR)
