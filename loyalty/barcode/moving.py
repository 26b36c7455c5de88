"""Codes against screenshots: `TK2:`, whose second half is a time step signed by the phone.

    ticket      body, big-endian   the 24 bytes of `own` with version 2 | the phone's public key, 32 bytes
                signed             by the centre's key, b"TK2:" + body: 64 bytes
    what shows  the ticket | step u32 (Unix seconds / STEP_S) | the phone's signature of b"TK2 step:" + body + step

The centre gives out the ticket once. The phone makes the rest anew every STEP_S seconds, without any network; and any
lane checks both signatures with the public keys that it has, without any network either. 188 bytes in base45 are 286
characters: QR version 10-M (57x57 modules). A ticket alone is no code that counts: it is what a phone keeps.

Whether a step is fresh is `loyalty.freshness`. What a picture of the screen can still do is be shown within that
window, once for each lane (`edge_agent.store`): the page on barcodes says so.
"""

from __future__ import annotations

import struct
from typing import Final

from nacl.bindings import crypto_sign_open
from nacl.exceptions import BadSignatureError
from nacl.signing import SigningKey

from loyalty.barcode import base45
from loyalty.barcode.kinds import NotACoupon, Own
from loyalty.coupon import Coupon
from loyalty.reason import Reason

PREFIX: Final = b"TK2:"
VERSION: Final = 2
STEP_S: Final = 15
PHONE_KEY_BYTES: Final = 32
SIGNATURE_BYTES: Final = 64
STEP_MAX: Final = 2**32 - 1
_HEAD: Final = struct.Struct(">BBIQIHI")
BODY_BYTES: Final = _HEAD.size + PHONE_KEY_BYTES
TICKET_BYTES: Final = BODY_BYTES + SIGNATURE_BYTES
_STEP: Final = struct.Struct(">I")
TEXT_BYTES: Final = TICKET_BYTES + _STEP.size + SIGNATURE_BYTES
TICKET_CHARS: Final = len(PREFIX) + TICKET_BYTES // 2 * 3  # 184
TEXT_CHARS: Final = len(PREFIX) + TEXT_BYTES // 2 * 3  # 286
_STEP_SIGNED: Final = b"TK2 step:"


def mint(signing_key: SigningKey, coupon: Coupon) -> str:
    """The ticket for the phone `coupon.phone`, signed. Raises ValueError for a coupon that has none."""
    if not 1 <= coupon.key <= 255:
        raise ValueError(f"key {coupon.key}: a code of ours is signed with a key of 1 to 255")
    if len(coupon.phone) != PHONE_KEY_BYTES:
        raise ValueError(f"a phone's key has {PHONE_KEY_BYTES} bytes, not {len(coupon.phone)}")
    try:
        head = _HEAD.pack(
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
    body = head + coupon.phone
    return PREFIX.decode() + base45.encode(body + signing_key.sign(PREFIX + body).signature)


def step_of(wall_ms: int) -> int:
    """The step that a phone shows at that time."""
    return max(0, min(wall_ms // (STEP_S * 1000), STEP_MAX))


def show(ticket: str, phone_key: SigningKey, step: int) -> str:
    """What the phone's screen says at `step`. Raises ValueError for a text that is no ticket of this phone."""
    if len(ticket) != TICKET_CHARS or not ticket.startswith(PREFIX.decode()):
        raise ValueError("this is no ticket of a moving code")
    kept = base45.decode(ticket[len(PREFIX) :].encode())
    body = kept[:BODY_BYTES]
    if body[_HEAD.size :] != phone_key.verify_key.encode():
        raise ValueError("the ticket was given to another phone")
    moment = _STEP.pack(step)
    signature = phone_key.sign(_STEP_SIGNED + body + moment).signature
    return PREFIX.decode() + base45.encode(kept + moment + signature)


def payload(text: bytes, prefix: int, chars: int, what: str) -> bytes | NotACoupon:
    """The bytes behind the prefix of a code of ours (`what`) that has `chars` characters."""
    if len(text) > chars:
        return NotACoupon(Reason.DAMAGED, f"{len(text)} characters, more than the {chars} of {what}")
    if len(text) < chars:
        if not base45.legal(text[prefix:]):
            return NotACoupon(Reason.DAMAGED, "a character that is not one of the 45, and too short")
        return NotACoupon(Reason.INCOMPLETE, f"{len(text)} of {chars} characters of {what}")
    try:
        return base45.decode(text[prefix:])
    except base45.Base45Error as error:
        return NotACoupon(Reason.DAMAGED, str(error))


def parse(text: bytes) -> Own | NotACoupon:
    """What a text that begins with `PREFIX` says, its signatures not yet checked."""
    data = payload(text, len(PREFIX), TEXT_CHARS, "a moving code")
    if isinstance(data, NotACoupon):
        return data
    body = data[:BODY_BYTES]
    version, key, campaign, serial, expires_s, holder_high, holder_low = _HEAD.unpack_from(body)
    if version != VERSION:
        return NotACoupon(Reason.UNKNOWN_VERSION, f"the body is of version {version}, not {VERSION}")
    (step,) = _STEP.unpack_from(data, TICKET_BYTES)
    if key == 0 or step == 0:
        return NotACoupon(Reason.DAMAGED, "key 0 or step 0, which stand for 'none', in a moving code")
    coupon = Coupon(
        campaign=campaign,
        serial=serial,
        holder=holder_high << 32 | holder_low,
        expires_s=expires_s,
        key=key,
        phone=body[_HEAD.size :],
        step=step,
    )
    return Own(coupon, body, data[BODY_BYTES:TICKET_BYTES], data[TICKET_BYTES + _STEP.size :])


def genuine(own: Own, public: bytes) -> bool:
    """Whether the holder of `public`'s other half signed the ticket, and the ticket's phone its step."""
    moment = _STEP.pack(own.coupon.step)
    try:
        crypto_sign_open(own.signature + PREFIX + own.body, public)
        crypto_sign_open(own.step_signature + _STEP_SIGNED + own.body + moment, own.coupon.phone)
    except BadSignatureError:
        return False
    return True
