"""Our own code text: `TK1:` and base45 of a 24-byte body with its Ed25519 signature (DESIGN, 'Coupon text').

    body, big-endian    version u8 = 1 | key id u8 | campaign u32 | serial u64 | expires_s u32 | holder u48
    what is signed      b"TK1:" + body, so that a signature made for anything else never fits a coupon
    text                136 characters, all of QR's alphanumeric set: fits version 6-M (41x41 modules)

Each coupon has exactly one text under its key (base45 is read strictly, Ed25519 is deterministic and
malleable signatures are refused), so the text itself can serve as the coupon's name. `parse` says what is
wrong with a text; `genuine` is the only thing that makes one worth believing.
"""

from __future__ import annotations

import re
import struct
from typing import Final

from nacl.bindings import crypto_sign_open, crypto_sign_PUBLICKEYBYTES
from nacl.exceptions import BadSignatureError
from nacl.signing import SigningKey

from loyalty.barcode import base45, moving
from loyalty.barcode.kinds import NotACoupon, Own
from loyalty.coupon import Coupon
from loyalty.reason import Reason

PREFIX: Final = b"TK1:"
VERSION: Final = 1
BODY_BYTES: Final = 24
SIGNATURE_BYTES: Final = 64
TEXT_CHARS: Final = len(PREFIX) + (BODY_BYTES + SIGNATURE_BYTES) // 2 * 3  # 136
KEY_ID_MAX: Final = 255
PUBLIC_KEY_BYTES: Final = crypto_sign_PUBLICKEYBYTES

_BODY: Final = struct.Struct(">BBIQIHI")  # the holder's 48 bits are the last two: 16 high, 32 low
_ANY_VERSION: Final = re.compile(rb"TK[0-9]{1,3}:")


def mint(signing_key: SigningKey, coupon: Coupon) -> str:
    """The text of `coupon`, signed. Raises ValueError for a coupon that has no text (a number out of range, no key)."""
    if not 1 <= coupon.key <= KEY_ID_MAX:
        raise ValueError(f"key {coupon.key}: a code of ours is signed with a key of 1 to {KEY_ID_MAX}")
    try:
        body = _BODY.pack(
            VERSION,
            coupon.key,
            coupon.campaign,
            coupon.serial,
            coupon.expires_s,
            coupon.holder >> 32,
            coupon.holder & 0xFFFF_FFFF,
        )
    except struct.error as error:
        raise ValueError(f"a number of this coupon does not fit its place in the text: {error}") from error
    signature = signing_key.sign(PREFIX + body).signature
    return PREFIX.decode() + base45.encode(body + signature)


def looks_own(text: bytes) -> bool:
    """Whether `text` claims to be a code of ours, of any version, or is the beginning of one (K5)."""
    return text.startswith(PREFIX) or _is_beginning(text) or bool(_ANY_VERSION.match(text))


def _is_beginning(text: bytes) -> bool:
    return text != b"" and (PREFIX.startswith(text) or moving.PREFIX.startswith(text))


def parse(text: bytes) -> Own | NotACoupon:
    """What a text that `looks_own` says, its signature not yet checked. `TK2:` is `moving`'s.

    In this order: another version before the colon is UNKNOWN_VERSION; a character outside the alphabet, at
    any length, is DAMAGED; too short is INCOMPLETE, too long DAMAGED; then the groups and the body.
    """
    if text.startswith(moving.PREFIX) and text != moving.PREFIX:
        return moving.parse(text)
    if not text.startswith(PREFIX):
        if _is_beginning(text):
            return NotACoupon(Reason.INCOMPLETE, "the first characters of a code of ours, and no more")
        return NotACoupon(Reason.UNKNOWN_VERSION, f"a code of ours, of another version than {VERSION}")
    data = moving.payload(text, len(PREFIX), TEXT_CHARS, "a code of ours")
    if isinstance(data, NotACoupon):
        return data
    body = data[:BODY_BYTES]
    version, key, campaign, serial, expires_s, holder_high, holder_low = _BODY.unpack(body)
    if version != VERSION:
        return NotACoupon(Reason.UNKNOWN_VERSION, f"the body is of version {version}, not {VERSION}")
    if key == 0:
        return NotACoupon(Reason.DAMAGED, "key 0, which stands for 'unsigned', in a signed code")
    coupon = Coupon(
        campaign=campaign, serial=serial, holder=holder_high << 32 | holder_low, expires_s=expires_s, key=key
    )
    return Own(coupon, body, data[BODY_BYTES:])


def genuine(own: Own, public: bytes) -> bool:
    """Whether the holder of `public`'s other half signed this code. Raises ValueError if `public` is no key.

    libsodium checks it: signatures that are not reduced and public keys of small order never pass.
    """
    if len(public) != PUBLIC_KEY_BYTES:  # libsodium would read past its end
        raise ValueError(f"a public key has {PUBLIC_KEY_BYTES} bytes, not {len(public)}")
    if own.step_signature:
        return moving.genuine(own, public)
    try:
        crypto_sign_open(own.signature + PREFIX + own.body, public)
    except BadSignatureError:
        return False
    return True
