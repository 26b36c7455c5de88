"""A real SMTP server (aiosmtpd) that takes mails, or does what mail servers do instead."""

from __future__ import annotations

import asyncio
import ssl
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP as Server
from aiosmtpd.smtp import AuthResult, Envelope, LoginPassword, Session

from tests.servers import free_port


class MailServer:
    """Listens on a port of its own until `stop`; the same port again after `start`.

    `answers`: what RCPT is answered for an address, once for each entry, before it is taken; `data_answers`: what the
    next mails are answered. `cut_before_answer`: so many mails are taken, and the connection is cut before the yes.
    """

    def __init__(self, *, tls: ssl.SSLContext | None = None, login: tuple[str, str] | None = None) -> None:
        self.taken: list[EmailMessage] = []
        self.to: list[str] = []
        self.answers: dict[str, list[str]] = {}
        self.data_answers: list[str] = []
        self.cut_before_answer = 0
        self._tls, self._login, self._port = tls, login, free_port()
        self._controller: Controller | None = None

    @property
    def port(self) -> int:
        return self._port

    def start(self) -> MailServer:
        options: dict[str, Any] = {"hostname": "127.0.0.1", "port": self._port}
        if self._tls is not None:
            options |= {"tls_context": self._tls, "require_starttls": True}
        if self._login is not None:
            options |= {"authenticator": self._authenticate, "auth_required": True, "auth_require_tls": True}
        self._controller = Controller(self, **options)
        self._controller.start()
        return self

    def stop(self) -> None:
        if self._controller is not None:
            self._controller.stop()
            self._controller = None

    def _authenticate(
        self, _server: Server, _session: Session, _envelope: Envelope, _how: str, said: object
    ) -> AuthResult:
        assert isinstance(said, LoginPassword)
        assert self._login is not None
        fits = (said.login, said.password) == tuple(part.encode() for part in self._login)
        return AuthResult(success=fits, handled=False)

    async def handle_RCPT(
        self, _server: Server, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        waiting = self.answers.get(address)
        if waiting:
            return waiting.pop(0)
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Server, _session: Session, envelope: Envelope) -> str:
        if self.data_answers:
            return self.data_answers.pop(0)
        body = envelope.content
        assert isinstance(body, bytes)
        message = message_from_bytes(body, policy=default)
        assert isinstance(message, EmailMessage)
        self.taken.append(message)
        self.to += envelope.rcpt_tos
        if self.cut_before_answer:
            self.cut_before_answer -= 1
            transport = server.transport
            assert isinstance(transport, asyncio.WriteTransport)
            transport.abort()
        return "250 taken"
