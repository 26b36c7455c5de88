"""Who may speak to the page's server: pages that it served itself, in a browser on this machine.

The server listens on the loopback alone. That does not keep other web pages out: a name that suddenly
resolves to 127.0.0.1 (DNS rebinding) is told by its Host, a form or script of another site (CSRF) by its
Origin, and a WebSocket, which browsers open across origins without asking, by its Origin too.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from litestar.types import ASGIApp, Message, Receive, Scope, Send

SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
NAMES: Final = ("127.0.0.1", "localhost")
HEADERS: Final = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cache-control", b"no-cache"),
    (
        b"content-security-policy",
        b"default-src 'self'; img-src 'self' blob: data:; style-src 'self'; object-src 'none'; base-uri 'none';"
        b" form-action 'none'; frame-ancestors 'none'",
    ),
)


class Guard:
    """ASGI middleware: 403 (or a refused WebSocket) for everybody else; adds the page's security headers."""

    def __init__(self, app: ASGIApp, port: int) -> None:
        self._app = app
        self._hosts = frozenset(f"{name}:{port}".encode() for name in NAMES)
        self._origins = frozenset(b"http://" + host for host in self._hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        kind = str(scope["type"])
        if kind == "websocket":
            if self._refusal(scope["headers"], method=None):
                await send({"type": "websocket.close", "code": 1008, "reason": "not from here"})
                return
            await self._app(scope, receive, send)
            return
        if kind != "http":
            await self._app(scope, receive, send)
            return
        refusal = self._refusal(scope["headers"], str(scope.get("method", "")))
        if refusal:
            await send({"type": "http.response.start", "status": 403, "headers": [(b"content-type", b"text/plain")]})
            await send({"type": "http.response.body", "body": refusal.encode(), "more_body": False})
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *HEADERS]
            await send(message)

        await self._app(scope, receive, with_headers)

    def _refusal(self, headers: Iterable[tuple[bytes, bytes]], method: str | None) -> str:
        """Why the request is refused; empty: it is not. `method` None: a WebSocket."""
        given = {name.lower(): value for name, value in headers}
        if given.get(b"host", b"").lower() not in self._hosts:
            return "the Host is not this server's"
        if method in SAFE_METHODS:
            return ""
        origin = given.get(b"origin")
        if origin is not None:
            return "" if origin.lower() in self._origins else "the Origin is another page's"
        if method is None:
            return "a WebSocket needs an Origin"
        site = given.get(b"sec-fetch-site", b"none")
        return "" if site in (b"same-origin", b"none") else "sent by another site"
