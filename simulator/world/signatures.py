"""Ed25519 at the price of a look-up: what was signed in this process need not be computed again to be checked.

    with remembered_signatures():
        ...

A signature that this process made is valid by construction; it is remembered with its key, and a check of the very same
bytes finds it. Everything else (altered, made elsewhere, forgotten since) is checked as ever: no answer changes, only
its cost. Put around a world it serves everything in it that uses PyNaCl.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from nacl import bindings

REMEMBERED_MAX: Final = 20_000  # signed messages; then all are forgotten
BYTES_MAX: Final = 1_024  # longer ones are not remembered
SEED_BYTES: Final = 32  # of a secret key; its public key follows


@contextmanager
def remembered_signatures() -> Iterator[None]:
    """See the module. Not for several threads."""
    sign, check = bindings.crypto_sign, bindings.crypto_sign_open
    known: dict[tuple[bytes, bytes], bytes] = {}

    def remembering_sign(message: bytes, sk: bytes) -> bytes:
        signed = sign(message, sk)
        if len(signed) <= BYTES_MAX:
            if len(known) >= REMEMBERED_MAX:
                known.clear()
            known[sk[SEED_BYTES:], signed] = message
        return signed

    def remembering_check(signed: bytes, pk: bytes) -> bytes:
        message = known.get((pk, signed))
        return check(signed, pk) if message is None else message

    bindings.crypto_sign, bindings.crypto_sign_open = remembering_sign, remembering_check
    try:
        yield
    finally:
        bindings.crypto_sign, bindings.crypto_sign_open = sign, check
