"""What happens, told to every open page at once.

Each page has a queue of its own, at most `QUEUE_MAX` messages; a page that does not keep up is disconnected
and comes back by itself, with the whole state. Views of the camera are not queued: a page gets the newest.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final

import msgspec

QUEUE_MAX: Final = 400
PAGES_MAX: Final = 16


class Page:
    """One open page."""

    def __init__(self) -> None:
        self._queue: asyncio.Queue[bytes | None] = asyncio.Queue(QUEUE_MAX)
        self._view: bytes | None = None
        self._news = asyncio.Event()
        self.gone = False

    def put(self, message: bytes) -> None:
        try:
            self._queue.put_nowait(message)
        except asyncio.QueueFull:
            self.gone = True
        self._news.set()

    def put_view(self, jpeg: bytes) -> None:
        self._view = jpeg
        self._news.set()

    def leave(self) -> None:
        self.gone = True
        self._news.set()

    async def next(self) -> tuple[list[bytes], bytes | None]:
        """The messages since the last call (texts, in order) and the newest view. Raises EOFError at the end."""
        await self._news.wait()
        self._news.clear()
        if self.gone:
            raise EOFError
        texts = []
        while not self._queue.empty():
            text = self._queue.get_nowait()
            assert text is not None
            texts.append(text)
        view, self._view = self._view, None
        return texts, view


class Hub:
    """All open pages. Belongs to one event loop."""

    def __init__(self) -> None:
        self._pages: set[Page] = set()

    @property
    def watched(self) -> bool:
        return bool(self._pages)

    def join(self) -> Page | None:
        """A new page; None when there are PAGES_MAX already."""
        if len(self._pages) >= PAGES_MAX:
            return None
        page = Page()
        self._pages.add(page)
        return page

    def leave(self, page: Page) -> None:
        self._pages.discard(page)

    def tell(self, kind: str, **fields: Any) -> None:
        message = encode(kind, **fields)
        for page in self._pages:
            page.put(message)

    def tell_view(self, jpeg: bytes) -> None:
        for page in self._pages:
            page.put_view(jpeg)

    def close(self) -> None:
        for page in self._pages:
            page.leave()


def encode(kind: str, **fields: Any) -> bytes:
    return msgspec.json.encode({"t": kind, **fields})
