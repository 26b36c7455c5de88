"""The serial link between the host and the reader board: frames, their kinds, and the codes inside. Both sides
import it.

A frame on the wire:  stuffed(kind, fields, payload, CRC-32)  then 0x00.  Three bytes never stand inside a frame:
0x00, which ends it, 0x03, which stops a MicroPython program that is still booting, and 0x1B, which announces a
changed one. A reader that came in the middle, or lost bytes, is in step again after the next 0x00; what does not fit
its CRC is counted and dropped, and the streams (`stream.py`) send it again.

    HELLO    board -> host   version, who it is, which boot, why it was reset; while nobody has opened a session
    OPEN     host -> board   version, session
    OPENED   board -> host   the session stands, both streams begin at 0; and the hello again
    DATA     both            session, number, 'all below this came', payload
    ALIVE    both            the same without a payload: an acknowledgement, a sign of life, or (GAP) 'something is
    missing'

Payloads:  ask (id, command, arguments) -> answer (id, error, data);  event (number, dropped, code, data). Numbers
are little-endian.

The language is the subset that MicroPython and CPython share. Framing uses the methods of `bytes`, which are native
on both: a loop over the bytes in Python allocates less and takes a multiple of the time (docs/board.md has the
figures).
"""

import binascii

VERSION = 1
END = b"\x00"
PAYLOAD_MAX = 248
HEAD_BYTES = 7  # kind, session (4), number, acknowledged
CRC_BYTES = 4
FRAME_MAX = 2 * (HEAD_BYTES + PAYLOAD_MAX + CRC_BYTES)  # each byte may be stuffed

# kinds of frames
HELLO = 0x41
OPEN = 0x42
OPENED = 0x43
DATA = 0x44
ALIVE = 0x45
GAP = 0x46  # ALIVE from somebody who has seen that a frame is missing

# kinds of payloads, their first byte
ASK = 0x61
ANSWER = 0x62
EVENT = 0x63

# commands
PING = 0x10  # any bytes -> the same
READ = 0x11  # card, page, pages (1 to PAGES_MAX) -> 4 bytes each
WRITE = 0x12  # card, page, 4 bytes -> nothing
AUTHENTICATE = 0x13  # card, 4 bytes -> 2 bytes
COUNTER = 0x14  # card, number -> 3 bytes
SIGNATURE = 0x15  # card -> 32 bytes
SIGNAL = 0x20  # light, sound, duration_ms (2 bytes) -> nothing
STATISTICS = 0x30  # -> STATISTICS_FIELDS numbers of 4 bytes
WITNESS = 0x31  # name (16 bytes) -> number (8 bytes)
RAISE_WITNESS = 0x32  # name (16 bytes), number (8 bytes) -> number (8 bytes) that stands now
PAGES_MAX = 60

# events
CARD_CAME = 0x01  # chip, UID
CARD_LEFT = 0x02  # UID
BUTTON = 0x03  # number
READER_FAILED = 0x04  # error
READER_HEALED = 0x05
TWO_CARDS = 0x06  # more than one card in the field: none of them is touched

# errors, in answers and in READER_FAILED
OK = 0
GONE = 1  # the card is not there (any more)
REFUSED = 2  # the card said NAK; the data is its code
FOREIGN = 3  # not a chip that we know
ABSENT = 4  # no reader chip answers
HUNG = 5  # the reader chip answers, and does not do what it is told
GARBLED = 6  # what came from the card was damaged, again and again
UNVERIFIED = 7  # written, and read back as something else
COLLISION = 8  # two cards
MALFORMED = 9  # the ask has the wrong shape
UNKNOWN = 10  # no such command
FLASH = 11  # the board's memory can't be written
ERRORS = (
    "ok", "gone", "refused", "foreign", "absent", "hung", "garbled", "unverified", "collision", "malformed", "unknown",
    "flash",
)  # fmt: skip

# chips, in CARD_CAME
CHIP_UNKNOWN = 0
CHIP_NTAG213 = 1
CHIP_NTAG215 = 2
CHIP_NTAG216 = 3
CHIP_MF0UL11 = 4
CHIP_MF0UL21 = 5

# lights and sounds, in SIGNAL
LIGHT_OFF = 0
LIGHT_GREEN = 1
LIGHT_RED = 2
LIGHT_AMBER = 3
LIGHT_BLUE = 4
SOUND_NONE = 0
SOUND_YES = 1
SOUND_NO = 2
SOUND_TICK = 3
SIGNAL_MAX_MS = 10_000

# why the board began anew
RESET_POWER = 1
RESET_WATCHDOG = 3  # the numbers of machine.reset_cause() on the RP2040

WITNESS_NAME_BYTES = 16

# what STATISTICS answers, in this order
STATISTICS_FIELDS = (
    "frames_received", "frames_damaged", "bytes_outside", "frames_sent", "frames_resent", "duplicates", "gaps",
    "round_trip_us", "events_dropped", "transfers", "reader_failures", "reader_recoveries", "loop_longest_ms",
    "heap_used",
)  # fmt: skip


class Malformed(Exception):
    """A frame or payload whose CRC fits has the wrong shape: the other side speaks another version."""


def frame(body: bytes) -> bytes:
    """What goes on the wire for one frame."""
    whole = body + binascii.crc32(body).to_bytes(4, "little")
    return whole.replace(b"\x1b", b"\x1b;").replace(b"\x00", b"\x1b ").replace(b"\x03", b"\x1b#") + END


def unframe(stuffed: bytes) -> "bytes | None":
    """The body of what stood between two ENDs; None: damaged."""
    whole = stuffed
    if stuffed.find(b"\x1b") >= 0:  # 0x1B 0x3B comes last, or its 0x1B would begin another pair
        whole = stuffed.replace(b"\x1b ", b"\x00").replace(b"\x1b#", b"\x03").replace(b"\x1b;", b"\x1b")
    cut = len(whole) - CRC_BYTES
    if cut < 1 or binascii.crc32(whole[:cut]) != int.from_bytes(whole[cut:], "little"):
        return None
    return whole[:cut]


class Decoder:
    """Bytes in, in pieces of any size; bodies of whole frames out. It holds at most FRAME_MAX bytes."""

    def __init__(self) -> None:
        self.damaged = 0  # frames whose CRC does not fit, or that are too long
        self.outside = 0  # bytes that were thrown away with them
        self._held = b""
        self._skipping = False  # a frame too long to be one: until its end

    def feed(self, data: bytes) -> "list[bytes]":
        """The bodies that `data` completes."""
        out: list[bytes] = []
        start = 0
        while True:
            end = data.find(END, start)
            if end < 0:
                break
            stuffed = self._held + data[start:end]
            start = end + 1
            self._held = b""
            if self._skipping or len(stuffed) > FRAME_MAX:
                self._skipping = False
                self._throw(len(stuffed))
            elif stuffed:
                body = unframe(stuffed)
                if body is None:
                    self._throw(len(stuffed))
                else:
                    out.append(body)
        rest = data[start:]
        if self._skipping or len(self._held) + len(rest) > FRAME_MAX:
            self._skipping = True
            self.outside += len(self._held) + len(rest)
            self._held = b""
        else:
            self._held = self._held + rest
        return out

    def _throw(self, size: int) -> None:
        self.damaged += 1
        self.outside += size


class Hello:
    """What a board says of itself."""

    def __init__(self, version: int, boot: int, reset_cause: int, firmware: int, config_crc: int, board: bytes) -> None:
        self.version = version  # of the link
        self.boot = boot  # 32 bits; another one after each reset
        self.reset_cause = reset_cause
        self.firmware = firmware  # major << 16 | minor << 8 | patch
        self.config_crc = config_crc  # of the configuration that the board runs with
        self.board = board  # 8 bytes, the chip's own number

    def body(self) -> bytes:
        return (
            bytes((HELLO, self.version))
            + self.boot.to_bytes(4, "little")
            + bytes((self.reset_cause,))
            + self.firmware.to_bytes(4, "little")
            + self.config_crc.to_bytes(4, "little")
            + self.board
        )


HELLO_BYTES = 23


def parse_hello(body: bytes) -> Hello:
    """Raises Malformed. A longer one is of a later version, and its first fields stand where they always do."""
    if len(body) < HELLO_BYTES:
        raise Malformed("a hello is too short")
    number = int.from_bytes
    return Hello(
        body[1], number(body[2:6], "little"), body[6], number(body[7:11], "little"), number(body[11:15], "little"),
        body[15:23],
    )  # fmt: skip


def open_body(session: int) -> bytes:
    return bytes((OPEN, VERSION)) + session.to_bytes(4, "little")


def opened_body(session: int, hello: Hello) -> bytes:
    """It says who opened: the host may have come while an older session still stood, and have heard no HELLO."""
    return bytes((OPENED, VERSION)) + session.to_bytes(4, "little") + hello.body()


def hello_of_opened(body: bytes) -> Hello:
    """Raises Malformed."""
    return parse_hello(body[6:])


def session_of(body: bytes) -> int:
    """Of an OPEN or an OPENED. Raises Malformed."""
    if len(body) < 6:
        raise Malformed("a frame of a session is too short")
    return int.from_bytes(body[2:6], "little")
