"""The board: what it does in each turn of its one loop, and the asks that it answers.

Everything comes from outside (`Hardware`), so that the same code runs on the RP2040, in MicroPython on a PC, and in
CPython. A turn never waits: the longest is one command to a card (some 30 ms). Nothing escapes from a turn but what
the runner makes a reset of.
"""

from firmware import protocol as p
from firmware.board_end import BoardEnd
from firmware.buttons import Buttons
from firmware.cards import Cards, Refused
from firmware.signals import Signals
from firmware.witness import Witness

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    from firmware.reader import Reader
    from firmware.signals import Lamp
    from firmware.witness import Store

    class Hardware(Protocol):
        """What a board is made of."""

        reader: Reader
        lamp: Lamp
        store: Store
        buttons: int  # how many

        def pressed(self, button: int) -> bool: ...

        def now_ms(self) -> int:
            """Since it started; never wraps."""

        def receive(self) -> bytes:
            """What came over the line; never waits."""

        def send(self, data: bytes) -> None: ...

        def idle(self, ms: int) -> None:
            """Until something came over the line, at most so long."""

        def feed(self) -> None:
            """The watchdog."""

        def heap_used(self) -> int: ...


FIRMWARE = 0x000100  # major << 16 | minor << 8 | patch
IDLE_MS = 5  # buttons and tones are looked after as often


class Board:
    """See the module."""

    def __init__(self, hardware: "Hardware", boot: int, reset_cause: int, config_crc: int, board: bytes) -> None:
        now_ms = hardware.now_ms()
        self.link = BoardEnd(p.Hello(p.VERSION, boot, reset_cause, FIRMWARE, config_crc, board), now_ms)
        self.cards = Cards(hardware.reader, self.link.events, now_ms)
        self._hardware = hardware
        self._signals = Signals(hardware.lamp)
        self._buttons = Buttons(hardware.pressed, hardware.buttons, self.link.events)
        self._witness = Witness(hardware.store)
        self._sessions = 0
        self._longest_ms = 0

    def turn(self) -> None:
        """Once around."""
        hardware, link = self._hardware, self.link
        began_ms = hardware.now_ms()
        hardware.feed()
        data = hardware.receive()
        if data:
            link.receive(data, began_ms)
        if link.sessions != self._sessions:
            self._sessions = link.sessions
            self.cards.announce()
        asks = link.asks()
        for ask in asks:
            try:
                link.answer(ask[0], p.OK, self._do(ask[1], ask[2:]))
            except Refused as refused:
                link.answer(ask[0], refused.error, refused.data)
        self._say()
        now_ms = hardware.now_ms()
        self._signals.tick(now_ms, link.open)
        self._buttons.tick(now_ms)
        if not asks and not data:
            self.cards.poll(now_ms)
            self._say()
        now_ms = hardware.now_ms()
        self._longest_ms = max(self._longest_ms, now_ms - began_ms)
        hardware.idle(min(IDLE_MS, link.due_ms(now_ms)))

    def _say(self) -> None:
        out = self.link.output(self._hardware.now_ms())
        if out:
            self._hardware.send(out)

    def _do(self, command: int, arguments: bytes) -> bytes:
        """Raises Refused."""
        now_ms = self._hardware.now_ms()
        if command == p.PING:
            return arguments[: p.PAYLOAD_MAX - 3]
        if p.READ <= command <= p.SIGNATURE:
            return self.cards.ask(command, arguments, now_ms)
        if command == p.SIGNAL:
            duration_ms = int.from_bytes(arguments[2:4], "little")
            if len(arguments) != 4 or not self._signals.set(arguments[0], arguments[1], duration_ms, now_ms):
                raise Refused(p.MALFORMED)
            return b""
        if command == p.STATISTICS:
            return b"".join(value.to_bytes(4, "little") for value in self._statistics())
        if command == p.WITNESS and len(arguments) == p.WITNESS_NAME_BYTES:
            return self._witness.number(arguments).to_bytes(8, "little")
        if command == p.RAISE_WITNESS and len(arguments) == p.WITNESS_NAME_BYTES + 8:
            name, number = (
                arguments[: p.WITNESS_NAME_BYTES],
                int.from_bytes(arguments[p.WITNESS_NAME_BYTES :], "little"),
            )
            try:
                return self._witness.raise_to(name, number).to_bytes(8, "little")
            except OSError:
                raise Refused(p.FLASH) from None
        raise Refused(p.MALFORMED if command in (p.WITNESS, p.RAISE_WITNESS) else p.UNKNOWN)

    def _statistics(self) -> "tuple[int, ...]":
        """In the order of protocol.STATISTICS_FIELDS."""
        counters, decoder = self.link.counters, self.link.decoder
        return (
            counters.received, decoder.damaged, decoder.outside, counters.sent, counters.resent, counters.duplicates,
            counters.gaps, counters.round_trip_us, self.link.events.dropped, self.cards.transfers, self.cards.failures,
            self.cards.recoveries, self._longest_ms, self._hardware.heap_used(),
        )  # fmt: skip
