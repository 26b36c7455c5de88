"""Which card lies there, and what is asked of it. One card at a time; a reader chip that fails is started anew by
itself.

A card is announced when it is selected and its chip is known, and is gone when it twice did not answer. Whatever
ends its session (a NAK, damage) is mended by selecting it again before the next command: by its UID, so that another
card that took its place is never touched.
"""

from firmware import protocol as p
from firmware import tags
from firmware.events import Events
from firmware.faults import Garbled, Nak, ReaderFault, Silent, TwoCards
from firmware.reader import Found, Reader

SEARCH_MS = 60
PRESENCE_MS = 100
CHECK_MS = 1_000
RESTART_FIRST_MS = 200
RESTART_MAX_MS = 5_000
DAMAGED_MAX = 5  # searches in a row that end in damage, before the card is called foreign
UID_MAX = 10


class Refused(Exception):
    """An ask that can't be done: an error of protocol, and its data."""

    def __init__(self, error: int, data: bytes = b"") -> None:
        super().__init__(error)
        self.error = error
        self.data = data


class Cards:
    """See the module."""

    def __init__(self, reader: Reader, events: Events, now_ms: int) -> None:
        self.failures = 0
        self.recoveries = 0
        self._reader = reader
        self._events = events
        self._card: Found | None = None
        self._kind = p.CHIP_UNKNOWN
        self._awake = False
        self._crowd = False  # two cards were announced
        self._damaged = 0
        self._error = p.OK  # of the reader
        self._started = False
        self._next_ms = now_ms
        self._check_ms = now_ms
        self._restart_ms = RESTART_FIRST_MS

    @property
    def transfers(self) -> int:
        return self._reader.transfers

    # -- by itself

    def poll(self, now_ms: int) -> None:
        """Look whether a card came or went, when it is time to. Never raises."""
        if now_ms < self._next_ms:
            return
        self._next_ms = now_ms + (PRESENCE_MS if self._card else SEARCH_MS)
        try:
            if not self._started:
                self._start(now_ms)
            elif now_ms - self._check_ms >= CHECK_MS:
                self._check_ms = now_ms
                self._reader.check()
            if self._card:
                self._look_after(self._card)
            else:
                self._search()
        except ReaderFault as fault:
            self._fail(fault, now_ms)
        except (Garbled, TwoCards):  # two cards, after one of them was selected
            self._damaged += 1
            self._awake = False

    def announce(self) -> None:
        """A host came that may know nothing: say what lies there, unless that waits to be said anyway."""
        if self._card and not self._events.holds(p.CARD_CAME, self._said(self._card)):
            self._events.add(p.CARD_CAME, self._said(self._card))
        self._crowd = False

    def _said(self, card: Found) -> bytes:
        return bytes((self._kind,)) + card.uid

    def _start(self, now_ms: int) -> None:
        self._reader.start()
        self._started = True
        self._check_ms = now_ms
        self._restart_ms = RESTART_FIRST_MS
        if self._error != p.OK:
            self._error = p.OK
            self.recoveries += 1
            self._events.add(p.READER_HEALED, b"")

    def _fail(self, fault: ReaderFault, now_ms: int) -> None:
        self._leave()
        self._crowd = False
        if self._error != fault.error:
            self.failures += 1
            self._events.add(p.READER_FAILED, bytes((fault.error,)))
        self._error = fault.error
        self._started = False
        self._next_ms = now_ms + self._restart_ms
        self._restart_ms = min(RESTART_MAX_MS, 2 * self._restart_ms)

    def _search(self) -> None:
        try:
            found = self._reader.select()
        except TwoCards:
            if not self._crowd:
                self._crowd = True
                self._events.add(p.TWO_CARDS, b"")
            return
        self._crowd = False
        if found is None:
            self._damaged = 0
            return
        self._awake = True
        self._kind = p.CHIP_UNKNOWN
        if found.sak == 0 and len(found.uid) == 7:
            try:
                self._kind = tags.chip(self._reader)
            except (Nak, Silent):  # an older Ultralight, which knows no such command, or one that left
                self._awake = False
            except (Garbled, TwoCards):
                if self._damaged < DAMAGED_MAX:
                    raise
                self._awake = False
        self._damaged = 0
        self._card = found
        self._events.add(p.CARD_CAME, self._said(found))

    def _look_after(self, card: Found) -> None:
        if self._awake and self._kind != p.CHIP_UNKNOWN:
            try:
                tags.chip(self._reader)  # does not count as reading, and needs no password
            except (Silent, Garbled, Nak, TwoCards):
                self._awake = False
            else:
                return
        if not self._again(card):
            self._leave()

    def _again(self, card: Found) -> bool:
        """Select this card again: is it there?"""
        for _ in range(2):
            try:
                found = self._reader.select()
            except (Garbled, TwoCards):
                continue
            if found is not None and found.uid == card.uid:
                self._awake = True
                return True
        return False

    def _leave(self) -> None:
        if self._card:
            self._events.add(p.CARD_LEFT, self._card.uid)
        self._card = None
        self._awake = False

    # -- as asked

    def ask(self, command: int, arguments: bytes, now_ms: int) -> bytes:
        """The answer's data. Raises Refused."""
        size = arguments[0] if arguments else 0
        uid, rest = arguments[1 : 1 + size], arguments[1 + size :]
        if not 4 <= size <= UID_MAX or len(uid) != size:
            raise Refused(p.MALFORMED)
        if self._error != p.OK:
            raise Refused(self._error)
        card = self._card
        if card is None or card.uid != uid:
            raise Refused(p.COLLISION if self._crowd else p.GONE)
        if self._kind == p.CHIP_UNKNOWN:
            raise Refused(p.FOREIGN)
        try:
            if not self._awake and not self._again(card):
                raise Silent()
            return self._do(command, rest)
        except Silent:
            self._leave()
            raise Refused(p.GONE) from None
        except Nak as nak:
            self._awake = False
            raise Refused(p.REFUSED, bytes((nak.code,))) from None
        except (Garbled, TwoCards):
            self._awake = False
            raise Refused(p.GARBLED) from None
        except tags.Unverified:
            raise Refused(p.UNVERIFIED) from None
        except ReaderFault as fault:
            self._fail(fault, now_ms)
            raise Refused(fault.error) from None

    def _do(self, command: int, rest: bytes) -> bytes:
        pages = tags.PAGES[self._kind]
        if command == p.READ and len(rest) == 2:
            if not 1 <= rest[1] <= p.PAGES_MAX or rest[0] + rest[1] > pages:
                raise Refused(p.MALFORMED)  # a chip would roll over to page 0
            return tags.read(self._reader, rest[0], rest[1])
        if command == p.WRITE and len(rest) == 5 and rest[0] < pages:
            tags.write(self._reader, self._kind, rest[0], rest[1:])
            return b""
        if command == p.AUTHENTICATE and len(rest) == 4:
            return tags.authenticate(self._reader, rest)
        if command == p.COUNTER and len(rest) == 1:
            return tags.counter(self._reader, rest[0])
        if command == p.SIGNATURE and not rest:
            return tags.signature(self._reader)
        raise Refused(p.MALFORMED)
