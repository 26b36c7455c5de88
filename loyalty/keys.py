"""The keys that sign our codes, and whether a code that was read may be believed (K5).

A key has a number of 1 to 255 that stands in the text, so keys are rotated by minting with the next one. A key
that is retired at T refuses its texts from T on: planned, long after the last text it signed; at once, when it
leaked.

A retirement holds by the latest instant that a trusted clock allows (its reading and the bound of its error),
since a leaked key must not live on inside a tolerance. By an untrusted clock it holds as the clock reads: the
unit raises that clock to the last time it trusted, so what was retired then stays retired, and a retirement
that lies ahead does not put every unit without a network out of work at each start.
"""

from __future__ import annotations

import msgspec

from loyalty.barcode import own as own_code
from loyalty.barcode.kinds import Own
from loyalty.coupon import Now
from loyalty.reason import Reason


class Key(msgspec.Struct, frozen=True):
    """The public half of a key that signs coupons. Raises ValueError for what can be no such key."""

    id: int  # 1..255
    public: bytes  # 32 bytes, Ed25519
    retired_ms: int | None = None  # first instant at which its texts no longer count; None: in use

    def __post_init__(self) -> None:
        if not 1 <= self.id <= own_code.KEY_ID_MAX:
            raise ValueError(f"key {self.id}: a key's id is 1 to {own_code.KEY_ID_MAX}")
        if len(self.public) != own_code.PUBLIC_KEY_BYTES:
            raise ValueError(f"key {self.id}: {len(self.public)} bytes, not {own_code.PUBLIC_KEY_BYTES}")


def check(own: Own, key: Key | None, now: Now) -> Reason | None:
    """Why the code may not be believed, or None if it may. `key` is the row for `own.coupon.key`, if there is one.

    In this order: UNKNOWN_KEY, NOT_GENUINE, KEY_RETIRED. The signature comes before the retirement, so that a
    forged or misread code is never told to 'download it again'.
    """
    if key is None or key.id != own.coupon.key:
        return Reason.UNKNOWN_KEY
    if not own_code.genuine(own, key.public):
        return Reason.NOT_GENUINE
    if key.retired_ms is not None and now.wall_ms + (now.error_ms if now.trusted else 0) >= key.retired_ms:
        return Reason.KEY_RETIRED
    return None
