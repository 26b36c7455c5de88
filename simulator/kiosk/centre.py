"""The centre, as the page's server reaches it: the same HTTP API that phones and operators use.

The operator's token stays here; a person's token is the phone's and passes through. Raises CentreGone when
no answer comes within `TIMEOUT_S`; refusals are handed on as they are.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final, NamedTuple

import httpx
import msgspec

TIMEOUT_S: Final = 4.0
BODY_BYTES_MAX: Final = 1024 * 1024


class CentreGone(ConnectionError):
    """The centre does not answer."""


class Answer(NamedTuple):
    """An answer of the centre."""

    status: int
    body: Any

    @property
    def ok(self) -> bool:
        return 200 <= self.status < 300


class Centre:
    """One centre. Belongs to one event loop; `close` it."""

    def __init__(self, url: str, operator_token: Path) -> None:
        self.url = url
        self._operator_token = operator_token
        limits = httpx.Limits(max_connections=16, max_keepalive_connections=4)
        self._client = httpx.AsyncClient(base_url=url, timeout=TIMEOUT_S, trust_env=False, limits=limits)

    async def close(self) -> None:
        await self._client.aclose()

    async def ask(self, method: str, path: str, *, bearer: str = "", body: object = None) -> Answer:
        """Raises CentreGone."""
        headers = {"Authorization": bearer} if bearer else {}
        content = None if body is None else msgspec.json.encode(body)
        if content is not None:
            headers["Content-Type"] = "application/json"
        try:
            response = await self._client.request(method, path, headers=headers, content=content)
            answer = msgspec.json.decode(response.content) if response.content else None
        except (httpx.HTTPError, OSError, msgspec.DecodeError) as error:
            raise CentreGone(f"{self.url}: {error or type(error).__name__}") from error
        return Answer(response.status_code, answer)

    async def alive(self) -> bool:
        try:
            return (await self.ask("GET", "/api/health")).ok
        except CentreGone:
            return False

    async def redemptions(self, limit: int = 25) -> list[dict[str, Any]]:
        """The newest redemptions that are booked. Raises CentreGone, also when the operator's token is refused."""
        try:
            token = self._operator_token.read_text().strip()
        except OSError as error:
            raise CentreGone(f"no operator token: {error}") from error
        answer = await self.ask("GET", f"/api/redemptions?limit={limit}", bearer=f"Bearer {token}")
        if not answer.ok or not isinstance(answer.body, list):
            raise CentreGone(f"/api/redemptions: {answer.status} {answer.body}")
        return answer.body
