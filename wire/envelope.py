"""Sealed downlink: what moves money or code is signed by the centre (DESIGN, 'Security').

A sealed message is a MessagePack array [signature, body]; the Ed25519 signature covers the topic too, so a
message for one unit can't be played to another.
"""

from __future__ import annotations

import msgspec
from nacl.exceptions import BadSignatureError
from nacl.signing import SigningKey, VerifyKey


class NotSealed(ValueError):
    """A downlink message that the centre did not sign for this topic; the message says what is wrong."""


class _Sealed(msgspec.Struct, array_like=True, frozen=True):
    signature: bytes
    body: bytes


_decoder = msgspec.msgpack.Decoder(_Sealed)


def seal(key: SigningKey, topic: str, body: bytes) -> bytes:
    signature = key.sign(topic.encode() + b"\0" + body).signature
    return msgspec.msgpack.encode(_Sealed(signature, body))


def unseal(key: VerifyKey, topic: str, sealed: bytes) -> bytes:
    """The body. Raises NotSealed."""
    try:
        message = _decoder.decode(sealed)
        key.verify(topic.encode() + b"\0" + message.body, message.signature)
    except msgspec.MsgspecError as error:
        raise NotSealed(f"not a sealed message: {error}") from error
    except (BadSignatureError, ValueError) as error:
        raise NotSealed(f"the centre's signature does not fit: {error}") from error
    return message.body
