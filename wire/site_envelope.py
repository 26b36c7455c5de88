"""Who said it: signatures on the site's own network, where no centre answers. Pure.

Each kind of signature covers a text of its own before anything else, so that none can be played as another:
a message between lanes, a hub's beacon, a login at a hub. A message also covers the session of the hub under
which it is said, and a place in its sender's order: what was recorded under another hub, or heard before, is
refused. The hub can drop, never forge.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from typing import Final

import msgspec
from nacl.exceptions import BadSignatureError
from nacl.signing import SigningKey, VerifyKey

SESSION_BYTES: Final = 16  # of a hub: new with each start
VOICE_BYTES: Final = 8  # of a lane's connection: new with each
LOGIN_BYTES: Final = 8  # once in each login, so that none works twice
SIGNATURE_BYTES: Final = 64
VOICES_MAX: Final = 16  # connections of one lane under one hub whose order is remembered
_MESSAGE: Final = b"tokuten site message 1\0"
_BEACON: Final = b"tokuten site beacon 1\0"
_LOGIN: Final = b"tokuten site login 1\0"

Keys = Mapping[str, VerifyKey]
"""The lanes of the site by name: what the centre told, and nobody else."""


class Forged(ValueError):
    """Not said by a lane of this site, or said before; the message says which."""


class _Signed(msgspec.Struct, array_like=True, frozen=True):
    voice: bytes
    count: int
    signature: bytes
    body: bytes


_signed = msgspec.msgpack.Decoder(_Signed)


class Mouth:
    """Signs what one lane says over one connection to a hub. `voice`: 8 random bytes, handed in."""

    def __init__(self, key: SigningKey, session: bytes, voice: bytes) -> None:
        assert len(session) == SESSION_BYTES, "a hub's session has 16 bytes"
        assert len(voice) == VOICE_BYTES, "a connection's voice has 8 bytes"
        self._key, self._session, self._voice, self._count = key, session, voice, 0

    def say(self, topic: str, body: bytes) -> bytes:
        self._count += 1
        covered = _covered(self._session, topic, self._voice, self._count, body)
        return msgspec.msgpack.encode(_Signed(self._voice, self._count, self._key.sign(covered).signature, body))


class Ear:
    """Checks what is heard under one hub. Keep it over reconnections to the same hub: it remembers what was said."""

    def __init__(self, session: bytes) -> None:
        self._session = session
        self._heard: dict[str, OrderedDict[bytes, int]] = {}

    def hear(self, keys: Keys, topic: str, sender: str, payload: bytes) -> bytes:
        """The body. Raises Forged."""
        key = keys.get(sender)
        if key is None:
            raise Forged(f"{sender[:40]!r} is no lane of this site")
        try:
            signed = _signed.decode(payload)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise Forged(f"not a signed message: {error}") from error
        if len(signed.voice) != VOICE_BYTES or not 0 < signed.count < 1 << 63:
            raise Forged("not a signed message: voice or count can't be")
        voices = self._heard.setdefault(sender, OrderedDict())
        if signed.count <= voices.get(signed.voice, 0):
            raise Forged(f"{sender} said this before")
        covered = _covered(self._session, topic, signed.voice, signed.count, signed.body)
        if not _fits(key, covered, signed.signature):
            raise Forged(f"not signed by {sender} for this hub and topic")
        voices[signed.voice] = signed.count
        while len(voices) > VOICES_MAX:
            voices.popitem(last=False)
        return signed.body


def _covered(session: bytes, topic: str, voice: bytes, count: int, body: bytes) -> bytes:
    # The topic names the sender and who it is for. Everything but topic and body has a fixed length.
    return _MESSAGE + session + voice + count.to_bytes(8, "big") + topic.encode() + b"\0" + body


# --- beacons --------------------------------------------------------------------------------------------


def sign_beacon(key: SigningKey, body: bytes) -> bytes:
    return key.sign(_BEACON + body).signature


def beacon_fits(key: VerifyKey, body: bytes, signature: bytes) -> bool:
    return _fits(key, _BEACON + body, signature)


# --- logins ---------------------------------------------------------------------------------------------


def login(key: SigningKey, device: str, hub: str, session: bytes, once: bytes) -> str:
    """The password with which `device` logs in at the hub that announced `session`. `once`: 8 random bytes."""
    return (once + key.sign(_login(device, hub, session, once)).signature).hex()


def login_once(key: VerifyKey, device: str, hub: str, session: bytes, password: str) -> bytes | None:
    """The `once` of a password that fits, None for any other. Whoever asks lets each `once` in a single time."""
    once = once_of(password)
    if once is None:
        return None
    signature = bytes.fromhex(password)[LOGIN_BYTES:]
    return once if _fits(key, _login(device, hub, session, once), signature) else None


def once_of(password: str) -> bytes | None:
    """The `once` that a password says it is for, whoever signed it; None: it is none."""
    try:
        raw = bytes.fromhex(password)
    except ValueError:
        return None
    return raw[:LOGIN_BYTES] if len(raw) == LOGIN_BYTES + SIGNATURE_BYTES else None


def _login(device: str, hub: str, session: bytes, once: bytes) -> bytes:
    return _LOGIN + session + once + device.encode() + b"\0" + hub.encode()


def _fits(key: VerifyKey, covered: bytes, signature: bytes) -> bool:
    try:
        key.verify(covered, signature)
    except (BadSignatureError, ValueError):
        return False
    return True
