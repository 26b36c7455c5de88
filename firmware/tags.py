"""The commands of NTAG213/215/216 and MIFARE Ultralight EV1, over any reader.

NXP's data sheets: NTAG213/215/216 rev. 3.2, section 10, and MF0ULx1 rev. 3.3, section 10: GET_VERSION, READ,
FAST_READ, WRITE, PWD_AUTH, READ_CNT, READ_SIG. What is damaged on its way is asked for again, reading only: a WRITE
that got no clear answer is settled by reading the page.
"""

from firmware import protocol as p
from firmware.faults import Garbled, Silent
from firmware.reader import Reader

_GET_VERSION = b"\x60"
_FAST_READ = 0x3A
_WRITE = 0xA2
_PWD_AUTH = 0x1B
_READ_CNT = 0x39
_READ_SIG = b"\x3c\x00"
_SHORT_MS = 6  # every answer but that of a write begins within 5 ms
_WRITE_MS = 12  # programming takes 4.1 ms (10 ms for the compatible one)
TRIES_MAX = 3  # of a command that only reads
_USER_FIRST = 4

# product type, subtype, size of GET_VERSION -> chip; pages in all, pages of the user
_VERSIONS = {
    (4, 2, 0x0F): p.CHIP_NTAG213,
    (4, 2, 0x11): p.CHIP_NTAG215,
    (4, 2, 0x13): p.CHIP_NTAG216,
    (3, 1, 0x0B): p.CHIP_MF0UL11,
    (3, 1, 0x0E): p.CHIP_MF0UL21,
    (3, 2, 0x0B): p.CHIP_MF0UL11,  # 50 pF
    (3, 2, 0x0E): p.CHIP_MF0UL21,
}
PAGES = (0, 45, 135, 231, 20, 41)  # by chip
USER_PAGES = (0, 36, 126, 222, 12, 32)


class Unverified(Exception):
    """A page was written and reads as something else."""


def chip(reader: Reader) -> int:
    """Which of protocol.CHIP_*. Raises Silent, Garbled, Nak, ReaderFault."""
    version = _asked(reader, _GET_VERSION, 8)
    if version[0] != 0 or version[1] != 4:  # header, NXP
        return p.CHIP_UNKNOWN
    return _VERSIONS.get((version[2], version[3], version[6]), p.CHIP_UNKNOWN)


def read(reader: Reader, page: int, pages: int) -> bytes:
    """1 to PAGES_MAX pages."""
    return _asked(reader, bytes((_FAST_READ, page, page + pages - 1)), 4 * pages)


def write(reader: Reader, kind: int, page: int, data: bytes) -> None:
    """One page, read back where it reads as it was written (lock bits only grow, passwords read as zeros). Raises
    Unverified and what reading raises."""
    verifiable = _USER_FIRST <= page < _USER_FIRST + USER_PAGES[kind]
    try:
        reader.command(bytes((_WRITE, page)) + data, _WRITE_MS, 0)
    except Garbled:
        if not verifiable:
            raise
    if verifiable and read(reader, page, 1) != data:
        raise Unverified()


def authenticate(reader: Reader, password: bytes) -> bytes:
    """The answer (PACK). Never repeated: chips count wrong tries."""
    return reader.command(bytes((_PWD_AUTH,)) + password, _SHORT_MS, 2)


def counter(reader: Reader, number: int) -> bytes:
    """3 bytes, least significant first."""
    return _asked(reader, bytes((_READ_CNT, number)), 3)


def signature(reader: Reader) -> bytes:
    return _asked(reader, _READ_SIG, 32)


def _asked(reader: Reader, command: bytes, answer_bytes: int) -> bytes:
    """What only reads may be asked again."""
    for left in range(TRIES_MAX - 1, -1, -1):
        try:
            return reader.command(command, _SHORT_MS + answer_bytes // 8, answer_bytes)
        except Garbled:
            if not left:
                raise
    raise Silent()
