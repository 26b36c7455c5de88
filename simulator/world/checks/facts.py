"""What a fact on a disk says, read from its bytes without the production code.

A fact is a MessagePack array: its tag, the stamp (wall_ms, mono_ms, boot, trusted, error_ms, source), and its fields in
a fixed order; fields at the end that an older unit did not write count as empty.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import msgspec


class Use(NamedTuple):
    """A coupon counted (`rd`)."""

    boot: bytes
    mono_ms: int
    campaign: int
    serial: int
    holder: int
    policy: str
    site: str
    asked: bool  # the centre, or the home of the serial, had said yes
    leased: bool
    cost_yen: int
    sale: bytes = b""

    @property
    def moment(self) -> tuple[bytes, int]:
        return self.boot, self.mono_ms

    @property
    def what(self) -> tuple[int, int, int]:
        return self.campaign, self.serial, self.holder


class Points(NamedTuple):
    """Points were earned (`pe`) or spent (`ps`)."""

    boot: bytes
    mono_ms: int
    name: bytes  # 16 random bytes
    earned: bool
    programme: int
    holder: int
    points: int
    asked: bool
    sale: bytes = b""
    spend_yen: int = 0  # of the purchase that earned them

    @property
    def moment(self) -> tuple[bytes, int]:
        return self.boot, self.mono_ms


class Reversal(NamedTuple):
    """A sale was taken back (`rv`)."""

    boot: bytes
    mono_ms: int
    id: bytes
    sale: bytes
    kind: str
    yen: int  # of its price; 0: the whole


class Opened(NamedTuple):
    """The first fact of an epoch that follows another one (`ep`)."""

    reason: str
    previous: bytes
    after: int
    carried: int


class Other(NamedTuple):
    """Any other fact, or bytes that are none (tag '')."""

    tag: str
    fields: tuple[Any, ...] = ()


Fact = Use | Points | Reversal | Opened | Other


def read(body: bytes) -> Fact:
    """The fact in `body`."""
    try:
        tag, stamp, *fields = msgspec.msgpack.decode(body)
        mono_ms, boot = stamp[1], stamp[2]
        if tag == "rd":
            campaign, serial, holder, _, policy, site, _, _, _, *rest = fields
            question, _, leased, cost_yen, sale = [*rest, *(b"", False, False, 0, b"")[len(rest) :]][:5]
            return Use(boot, mono_ms, campaign, serial, holder, policy, site, bool(question), leased, cost_yen, sale)
        if tag in ("pe", "ps"):
            name, programme, holder, points, _, *rest = fields
            if tag == "pe":
                spend_yen, _, sale = [*rest, *(0, 0, b"")[len(rest) :]][:3]
                return Points(boot, mono_ms, name, True, programme, holder, points, False, sale, spend_yen)
            question, sale = [*rest, *(b"", b"")[len(rest) :]][:2]
            return Points(boot, mono_ms, name, False, programme, holder, points, bool(question), sale)
        if tag == "rv":
            return Reversal(boot, mono_ms, *fields[:4])
        if tag == "ep":
            return Opened(*fields[:4])
        return Other(tag, tuple(fields))
    except (msgspec.MsgspecError, ValueError, TypeError, IndexError):
        return Other("")
