"""Who may come in to the till's interface, and how much at once. ASGI middleware around the application.

Bounds: HANDLED_MAX requests at a time, bodies of at most BODY_BYTES_MAX that arrive within BODY_WITHIN_S. Connections
and headers are bounded by the server (`till.server`).

The loopback does not keep other web pages out, so without a token the Host must be one of the lane's own names (a name
that suddenly resolves here is told by it), and the Origin of a page, where one is named, must be that same host. Bodies
are JSON by their type, which no form of another page can send. With a token every request to the interface carries it;
the cashier's page itself is no secret.
"""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import Iterable
from typing import Final

from litestar.types import (
    ASGIApp,
    HTTPRequestEvent,
    HTTPResponseBodyEvent,
    HTTPResponseStartEvent,
    Message,
    Receive,
    ReceiveMessage,
    Scope,
    Send,
)

from edge_agent.till.problem import MEDIA_TYPE, PROBLEMS, encoded

BODY_BYTES_MAX: Final = 256 * 1024  # a thousand lines
BODY_WITHIN_S: Final = 5.0
HANDLED_MAX: Final = 16
SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
INTERFACE: Final = "/v1/"
LOCAL_NAMES: Final = ("127.0.0.1", "localhost")
HEADERS: Final = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cache-control", b"no-store"),
    (
        b"content-security-policy",
        b"default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
)


class Door:
    """See the module. `names`: under which tills reach this lane; `token` empty: none is asked for."""

    def __init__(self, app: ASGIApp, *, names: Iterable[str], port: int, token: str) -> None:
        self._app, self._token = app, token.encode()
        hosts = [*LOCAL_NAMES, *names]
        self._hosts = frozenset(f"{name.lower()}:{port}".encode() for name in hosts)
        self._inside = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if str(scope["type"]) != "http":
            await self._app(scope, receive, send)
            return
        refusal = self._refusal(str(scope.get("method", "")), str(scope["path"]), scope["headers"])
        if refusal:
            await _refuse(send, refusal)
            return
        if self._inside >= HANDLED_MAX:
            await _refuse(send, "overloaded")
            return
        self._inside += 1
        try:
            body = await _body(receive)
            if isinstance(body, str):
                await _refuse(send, body)
            else:
                await self._app(scope, _once(body, receive), _with_headers(send))
        finally:
            self._inside -= 1

    def _refusal(self, method: str, path: str, headers: Iterable[tuple[bytes, bytes]]) -> str:
        """Why the request is refused; empty: it is not."""
        given = {name.lower(): value for name, value in headers}
        host, origin = given.get(b"host", b"").lower(), given.get(b"origin")
        if not self._token and host not in self._hosts:
            return "forbidden"
        if origin is not None and origin.lower() not in (b"http://" + host, b"https://" + host):
            return "forbidden"
        if self._token and path.startswith(INTERFACE):
            kind, _, said = given.get(b"authorization", b"").partition(b" ")
            if kind.lower() != b"bearer" or not hmac.compare_digest(said.strip(), self._token):
                return "no_token"
        if method in SAFE_METHODS:
            return ""
        if given.get(b"sec-fetch-site", b"none") not in (b"same-origin", b"none"):
            return "forbidden"
        length = given.get(b"content-length", b"0")
        if not length.isdigit() or int(length[:20]) > BODY_BYTES_MAX:
            return "too_large" if length.isdigit() else "bad_request"
        has_body = length != b"0" or b"transfer-encoding" in given
        kind = given.get(b"content-type", b"").partition(b";")[0].strip().lower()
        return "not_json" if has_body and kind != b"application/json" else ""


async def _body(receive: Receive) -> bytes | str:
    """The whole body, or the reason why it is not taken."""
    parts, size = list[bytes](), 0
    try:
        async with asyncio.timeout(BODY_WITHIN_S):
            while True:
                message = await receive()
                if message["type"] != "http.request":
                    return "bad_request"
                part = message["body"]
                size += len(part)
                if size > BODY_BYTES_MAX:
                    return "too_large"
                parts.append(part)
                if not message["more_body"]:
                    return b"".join(parts)
    except TimeoutError:
        return "too_slow"


def _once(body: bytes, receive: Receive) -> Receive:
    """The body as one message; after it, whatever the connection says."""
    told = False

    async def hear() -> ReceiveMessage:
        nonlocal told
        if told:
            return await receive()
        told = True
        whole: HTTPRequestEvent = {"type": "http.request", "body": body, "more_body": False}
        return whole

    return hear


def _with_headers(send: Send) -> Send:
    async def say(message: Message) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message["headers"], *HEADERS]
        await send(message)

    return say


async def _refuse(send: Send, reason: str) -> None:
    body = encoded(reason)
    headers = [(b"content-type", MEDIA_TYPE.encode()), (b"content-length", str(len(body)).encode()), *HEADERS]
    if reason == "no_token":
        headers.append((b"www-authenticate", b"Bearer"))
    start: HTTPResponseStartEvent = {
        "type": "http.response.start", "status": PROBLEMS[reason].status, "headers": headers,
    }  # fmt: skip
    end: HTTPResponseBodyEvent = {"type": "http.response.body", "body": body, "more_body": False}
    await send(start)
    await send(end)
