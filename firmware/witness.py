"""Numbers that only grow, in the board's flash: a witness of how far a unit's journal went, outside the unit's disk.

Each has a name of 16 bytes (a journal's epoch). Two copies are written in turn, each with a number of its own and a
CRC, so that a power cut in the middle of one leaves the other. At most NAMES_MAX names; the one that was raised
longest ago makes room.
"""

import binascii

from firmware import protocol as p

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    class Store(Protocol):
        """Two places that outlive a reset. Raises OSError."""

        def load(self, place: int) -> bytes: ...

        def save(self, place: int, data: bytes) -> None: ...


NAMES_MAX = 4
PLACES = 2
_NAME = p.WITNESS_NAME_BYTES
_ENTRY = _NAME + 8


class Witness:
    """See the module."""

    def __init__(self, store: "Store") -> None:
        self._store = store
        self._written = 0
        self._numbers: list[tuple[bytes, int]] = []  # raised longest ago first
        for place in range(PLACES):
            try:
                self._read(store.load(place))
            except OSError:
                continue  # never written

    def number(self, name: bytes) -> int:
        """0: nobody has raised it."""
        for known, number in self._numbers:
            if known == name:
                return number
        return 0

    def raise_to(self, name: bytes, number: int) -> int:
        """What stands now: the higher of both. Written before it returns. Raises OSError."""
        stands = self.number(name)
        if number <= stands:
            return stands
        kept = [entry for entry in self._numbers if entry[0] != name][-(NAMES_MAX - 1) :]
        numbers = kept + [(name, number)]
        written = self._written + 1
        body = written.to_bytes(4, "little") + b"".join(known + value.to_bytes(8, "little") for known, value in numbers)
        self._store.save(written % PLACES, body + binascii.crc32(body).to_bytes(4, "little"))
        self._written, self._numbers = written, numbers
        return number

    def _read(self, data: bytes) -> None:
        body = data[:-4]
        if len(body) < 4 or (len(body) - 4) % _ENTRY or binascii.crc32(body).to_bytes(4, "little") != data[-4:]:
            return  # torn
        written = int.from_bytes(body[:4], "little")
        if written > self._written:
            self._written = written
            self._numbers = [
                (body[at : at + _NAME], int.from_bytes(body[at + _NAME : at + _ENTRY], "little"))
                for at in range(4, len(body), _ENTRY)
            ]
