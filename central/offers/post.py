"""The mail server: takes what is due from the outbox, and says what became of it. SMTP (RFC 5321) by smtplib.

The connection is made first (with TLS, and a login, as the settings say): a server that is down, slow or will not have
us costs no mail a try. Then each mail is written down as tried, sent, and its answer written down:

    250             sent
    4xx             it waits, longer each time (a greylist lets the next try through)
    5xx             refused for good
    silence         it waits; the connection is given up, and others wait for the next step

A mail that was taken by the server, but not written down as sent, is sent again under the same Message-ID. All that
smtplib raises is translated here. Every answer has a time limit, and so has a mail in all: a server that sends a byte
now and then is cut off.
"""

from __future__ import annotations

import logging
import smtplib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from email.message import EmailMessage
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, select

from central.db.database import Database, StorageError
from central.db.schema import persons
from central.offers import addresses, letter, outbox, told
from central.offers.letter import Sender
from central.offers.outbox import Kind, Mail, State
from central.settings import CentralMail, MailSecurity

SENT_PER_STEP: Final = 20
MAIL_WITHIN_S: Final = 60.0  # of one mail in all, and of connecting
UNREACHABLE_FIRST_S: Final = 5.0  # how long the sender waits after a server that could not be reached; twice that
UNREACHABLE_CAP_S: Final = 300.0  # each further time, up to this
IDLE_S: Final = 5.0
_log = logging.getLogger(__name__)


class MailError(Exception):
    """The settings lead to no mail server; the message says what to do."""


class Trouble(StrEnum):
    """Why a step stopped before all was done."""

    NONE = ""
    UNREACHABLE = "unreachable"  # no connection, no TLS
    LOGIN = "login"  # it does not take our name and password
    CUT_OFF = "cut_off"  # the connection ended, or fell silent, in the middle


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one step."""

    sent: int = 0
    later: int = 0
    refused: int = 0
    needless: int = 0
    trouble: Trouble = Trouble.NONE
    detail: str = ""

    @property
    def done(self) -> int:
        return self.sent + self.later + self.refused + self.needless


class _CutOff(Exception):
    """The connection is of no more use."""


class Postman:
    """Sends what waits. Not for several threads at once; several processes may each have one."""

    def __init__(self, database: Database, mail: CentralMail, secret: bytes, utc_offset_min: int) -> None:
        """Raises MailError."""
        if not mail.host or not mail.sender or not mail.pages:
            raise MailError("[central.mail] needs host, sender and pages")
        self._database, self._mail = database, mail
        self._sender = Sender(
            address=mail.sender, pages=mail.pages.rstrip("/"), secret=secret, utc_offset_min=utc_offset_min
        )
        try:
            self._password = ""
            if mail.password_file:
                self._password = Path(mail.password_file).read_text(encoding="utf-8").split("\n", 1)[0]
            self._tls = ssl.create_default_context(cafile=mail.ca_file or None)
        except (OSError, UnicodeDecodeError) as error:
            raise MailError(f"[central.mail]: {error}") from error

    def step(self, now_ms: int) -> Told:
        """Tries what is due, SENT_PER_STEP mails at most. Raises StorageError."""
        with self._database.read() as connection:
            due = outbox.due(connection, now_ms, SENT_PER_STEP)
        if not due:
            return Told()
        try:
            with self._connected() as server:
                return self._send_all(server, due, now_ms)
        except smtplib.SMTPAuthenticationError as error:
            return Told(trouble=Trouble.LOGIN, detail=f"answer {error.smtp_code}")
        except (smtplib.SMTPException, OSError, ValueError) as error:
            return Told(trouble=Trouble.UNREACHABLE, detail=_said(error))

    def _send_all(self, server: smtplib.SMTP, due: list[Mail], now_ms: int) -> Told:
        sums = dict.fromkeys(State, 0)
        for mail in due:
            try:
                became = self._one(server, mail, now_ms)
            except _CutOff as error:
                sums[State.WAITING] += 1
                return _told(sums, Trouble.CUT_OFF, str(error))
            if became is not None:
                sums[became] += 1
        return _told(sums)

    def _one(self, server: smtplib.SMTP, mail: Mail, now_ms: int) -> State | None:
        """None: another sender has it. Raises _CutOff."""
        with self._database.write() as connection:
            if not outbox.claim(connection, mail, now_ms):
                return None
            message = self._message(connection, mail, now_ms)
            if message is None:
                outbox.settle(connection, mail.id, State.NEEDLESS, 0, now_ms)
                return State.NEEDLESS
        state, code, cut = self._hand_over(server, message)
        with self._database.write() as connection:
            outbox.settle(connection, mail.id, state, code, now_ms)
        if cut:
            raise _CutOff(cut)
        return state

    def _message(self, connection: Connection, mail: Mail, now_ms: int) -> EmailMessage | None:
        """What it says now; None: there is nothing to say any more, or nobody to say it to."""
        to = addresses.mail_of(connection, mail.person_id)
        if to is None:
            return None
        if mail.kind is Kind.CONFIRM:
            return None if to.confirmed_ms is not None else letter.confirm(self._sender, to, mail.name, now_ms)
        picks = told.of_person(connection, mail.person_id, now_ms, mail.run_id)
        name = connection.execute(select(persons.c.name).where(persons.c.id == mail.person_id)).scalar_one()
        if to.confirmed_ms is None or not picks:
            return None
        return letter.offers(self._sender, to, mail.name, name, picks, now_ms)

    def _hand_over(self, server: smtplib.SMTP, message: EmailMessage) -> tuple[State, int, str]:
        """(what became of it, the server's answer, why the connection is of no more use)."""
        try:
            with _within(server, MAIL_WITHIN_S):
                server.send_message(message)
        except smtplib.SMTPRecipientsRefused as error:
            ((code, _),) = error.recipients.values()
            return _by_code(code), code, "answer 421" if code == 421 else ""
        except (smtplib.SMTPSenderRefused, smtplib.SMTPDataError) as error:
            return _by_code(error.smtp_code), error.smtp_code, "answer 421" if error.smtp_code == 421 else ""
        except (smtplib.SMTPException, OSError, ValueError) as error:
            return State.WAITING, 0, _said(error)
        return State.SENT, 250, ""

    @contextmanager
    def _connected(self) -> Iterator[smtplib.SMTP]:
        """Raises smtplib.SMTPException, OSError."""
        mail, name = self._mail, self._sender.address.rpartition("@")[2]
        if mail.security is MailSecurity.TLS:
            server: smtplib.SMTP = _Tls(mail.host, mail.port, name, timeout=mail.timeout_s, context=self._tls)
        else:
            server = _Plain(mail.host, mail.port, name, mail.timeout_s)
        try:
            with _within(server, MAIL_WITHIN_S):
                if mail.security is MailSecurity.STARTTLS:
                    server.starttls(context=self._tls)
                if mail.username:
                    server.login(mail.username, self._password)
            yield server
            with suppress(smtplib.SMTPException, OSError):
                server.quit()
        finally:
            server.close()

    def run(self, stop: threading.Event, now_ms: Callable[[], int]) -> None:
        """Sends until `stop` is set, and waits where there is nothing to do or nobody to do it with."""
        wait_s = UNREACHABLE_FIRST_S
        while not stop.is_set():
            try:
                said = self.step(now_ms())
            except StorageError as error:
                _log.error("the outbox: %s", error.reason)
                said = Told(trouble=Trouble.UNREACHABLE, detail="the database")
            if said.trouble is not Trouble.NONE:
                _log.warning("the mail server: %s (%s)", said.trouble.value, said.detail)
                stop.wait(wait_s)
                wait_s = min(2 * wait_s, UNREACHABLE_CAP_S)
                continue
            wait_s = UNREACHABLE_FIRST_S
            if not said.done:
                stop.wait(IDLE_S)


class _Plain(smtplib.SMTP):
    """Also the greeting comes within the limit."""

    def connect(self, *where: Any, **how: Any) -> tuple[int, bytes]:
        with _within(self, MAIL_WITHIN_S):
            return super().connect(*where, **how)


class _Tls(smtplib.SMTP_SSL):
    """The same, under TLS from the first byte on."""

    def connect(self, *where: Any, **how: Any) -> tuple[int, bytes]:
        with _within(self, MAIL_WITHIN_S):
            return super().connect(*where, **how)


@contextmanager
def _within(server: smtplib.SMTP, limit_s: float) -> Iterator[None]:
    """Cuts the connection off when this takes longer in all, however often a byte comes."""

    def cut() -> None:
        sock = getattr(server, "sock", None)
        if sock is not None:
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    timer = threading.Timer(limit_s, cut)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _by_code(code: int) -> State:
    return State.REFUSED if 500 <= code < 600 else State.WAITING


def _said(error: BaseException) -> str:
    """The kind of an error, without what a server wrote: that may repeat an address."""
    return type(error).__name__


def _told(sums: dict[State, int], trouble: Trouble = Trouble.NONE, detail: str = "") -> Told:
    return Told(
        sent=sums[State.SENT],
        later=sums[State.WAITING],
        refused=sums[State.REFUSED],
        needless=sums[State.NEEDLESS],
        trouble=trouble,
        detail=detail,
    )
