"""What a page function gives back."""

from __future__ import annotations

import msgspec

from central.pages.asked import Ticket


class Page(msgspec.Struct, frozen=True):
    """A template, filled."""

    template: str
    data: dict[str, object] = {}
    status: int = 200


class Redirect(msgspec.Struct, frozen=True):
    """Go on there, with GET. `ticket`: the session from now on; `forget`: the browser lets go of what it keeps."""

    to: str
    ticket: Ticket | None = None
    lang: str = ""
    forget: bool = False


class File(msgspec.Struct, frozen=True):
    """Something to keep."""

    body: bytes
    media_type: str
    name: str


Answer = Page | Redirect | File
