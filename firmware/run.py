"""Makes a board of its parts and runs it for good. Whatever ends it, the runner (main.py) resets the machine."""

import binascii
import json

from firmware.app import Board
from firmware.hardware import DEFAULT, Parts

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from firmware.hardware import Line


def configuration(text: str) -> "tuple[dict[str, Any], int]":
    """The defaults with what `text` (JSON) changes, and a CRC over all of it. Raises ValueError for what is unknown."""
    config = dict(DEFAULT)
    for name, value in json.loads(text).items():
        if name not in config:
            raise ValueError(name)
        config[name] = value
    whole = ",".join(sorted(name + "=" + str(value) for name, value in config.items()))
    return config, binascii.crc32(whole.encode())


def make(
    machine: "Any", line: "Line", store: "Any", heap_used: "Any", text: str, boot: int, reset_cause: int, number: bytes
) -> Board:
    """`text`: config.json; `boot`: 32 random bits; `number`: the chip's own, 8 bytes."""
    config, crc = configuration(text)
    return Board(Parts(machine, config, line, store, heap_used), boot, reset_cause, crc, number)
