"""Which port a server of the demo gets: the one that was asked for, or the next free one, said aloud.

A newcomer wants the page, not a lesson about ports; so a taken port is passed over. Raises NoPort when
`TRIES` ports in a row are taken: then something is wrong, and the setting is named.
"""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable, Collection
from typing import Final

TRIES: Final = 20
PORT_MAX: Final = 65_535


class NoPort(OSError):
    """No port could be had; the message names the first one and the setting."""


def pick(port: int, setting: str, taken: Collection[int] = (), say: Callable[[str], None] = lambda text: None) -> int:
    """`port`, or the next one on 127.0.0.1 that is free and not in `taken`. Raises NoPort."""
    for candidate in range(port, min(port + TRIES, PORT_MAX + 1)):
        if candidate not in taken and is_free(candidate):
            if candidate != port:
                say(f"port {port} is taken ({setting}): using {candidate}")
            return candidate
    raise NoPort(
        errno.EADDRINUSE, f"ports {port} to {port + TRIES - 1} are all taken; choose another one with {setting}"
    )


def is_free(port: int) -> bool:
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            sock.bind(("127.0.0.1", port))
        except OSError as error:
            if error.errno in (errno.EADDRINUSE, errno.EACCES):
                return False
            raise
    return True
