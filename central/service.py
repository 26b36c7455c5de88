"""`tokuten central`: the broker link and the HTTP API in one process, until it is told to stop.

One thread owns the link and books what comes. When it dies, the process ends with an error, so that whoever
started it starts it again; nothing is half alive. SIGTERM and SIGINT end both parts in bounded time.
"""

from __future__ import annotations

import asyncio
import logging
import signal
import sys
import threading
from pathlib import Path
from typing import Any, Final

import msgspec
from granian.constants import Interfaces
from granian.server.embed import Server

from central.bank.http_bank import HttpBank
from central.bank.teller import Teller
from central.db.database import StorageError
from central.desk import Desk
from central.http.app import create_app
from central.mqtt import Link
from central.offers.post import MailError, Postman
from central.office import Office, OfficeError, alone, now_ms, open_office
from central.settings import CentralSettings
from central.turn import Turn

STOP_WITHIN_S: Final = 10.0
WATCH_EVERY_S: Final = 0.5
_log = logging.getLogger(__name__)


class _Worker(threading.Thread):
    """The thread of the link; `fault` is what ended it, if anything did."""

    def __init__(self, link: Link, stop: threading.Event) -> None:
        super().__init__(name="link", daemon=True)
        self._link, self._halt = link, stop
        self.fault: BaseException | None = None

    def run(self) -> None:
        try:
            self._link.run(self._halt)
        except BaseException as error:  # noqa: BLE001 - kept for the main thread, which ends the process
            self.fault = error


def say(event: str, **fields: Any) -> None:
    """One line on stdout for whoever supervises this process."""
    sys.stdout.write(msgspec.json.encode({"event": event, **fields}).decode() + "\n")
    sys.stdout.flush()


def run(settings: CentralSettings) -> int:
    """Runs until SIGTERM or SIGINT; gives the exit code. Raises OfficeError, KeyFileError, StorageError at start."""
    with alone(settings):
        office = open_office(settings)
        try:
            return _run(office)
        finally:
            office.close()


def _run(office: Office) -> int:
    incarnation = office.witness.start()
    teller = _teller(office)
    desk = Desk(office, incarnation, teller)
    if teller is not None:
        teller.start()
    stop = threading.Event()
    turn = Turn(office.database)
    link = Link(desk, office.witness, office.settings.broker, office.settings.tenant, turn)
    worker = _Worker(link, stop)
    worker.start()
    mailing = _mailing(office, stop)
    say("started", incarnation=incarnation.hex())
    try:
        asyncio.run(_serve(office, worker, link, stop))
    finally:
        stop.set()
        worker.join(STOP_WITHIN_S)
        if mailing is not None:
            mailing.join(STOP_WITHIN_S)
        turn.close()
        if teller is not None:
            teller.stop()
        desk.close()
    if worker.fault is not None:
        _log.error("the broker link ended: %r", worker.fault)
        return 1
    try:
        office.witness.advance()
    except StorageError as error:
        _log.error("the database: %s", error)
        return 1
    say("stopped")
    return 0


def _mailing(office: Office, stop: threading.Event) -> threading.Thread | None:
    """Sends what waits in the outbox, if there is a mail server. Raises OfficeError for settings that lead to none.

    A mail that is under way when the process ends is sent again by the next one, under the same Message-ID.
    """
    mail = office.settings.mail
    if not mail.host:
        return None
    try:
        postman = Postman(office.database, mail, office.keys.cache_secret(), office.settings.utc_offset_min)
    except MailError as error:
        raise OfficeError(str(error)) from error
    thread = threading.Thread(target=postman.run, args=(stop, now_ms), name="mail", daemon=True)
    thread.start()
    return thread


def _teller(office: Office) -> Teller | None:
    """Who asks the bank, if there is one. Raises OfficeError for settings that lead to none."""
    bank = office.settings.bank
    if not bank.url:
        return None
    try:
        token = Path(bank.token_file).read_text(encoding="utf-8").split("\n", 1)[0] if bank.token_file else ""
        return Teller(office.database, office.keys, HttpBank(bank.url, token), bank.timeout_ms, now_ms)
    except (OSError, ValueError) as error:
        raise OfficeError(f"[central.bank]: {error}") from error


async def _serve(office: Office, worker: _Worker, link: Link, stop: threading.Event) -> None:
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, ended.set)
    http = office.settings.http
    server = None
    serving: asyncio.Task[None] | None = None
    if http.enabled:
        server = Server(
            create_app(office),
            address=http.host,
            port=http.port,
            interface=Interfaces.ASGI,
            log_enabled=False,
            websockets=False,
        )
        serving = asyncio.create_task(server.serve())
        say("http", host=http.host, port=http.port)
    said = False
    while not ended.is_set():
        if not worker.is_alive():
            break
        if serving is not None and serving.done():
            _log.error("the HTTP server ended: %r", serving.exception())
            break
        if link.healthy.is_set() != said:
            said = not said
            say("broker", connected=said)
        try:
            await asyncio.wait_for(ended.wait(), WATCH_EVERY_S)
        except TimeoutError:
            continue
    stop.set()
    if server is not None and serving is not None:
        server.stop()  # type: ignore[no-untyped-call]
        await asyncio.wait([serving], timeout=STOP_WITHIN_S)
