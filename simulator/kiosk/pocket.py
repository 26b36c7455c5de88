"""What a phone keeps to itself: its key, and with it the code that moves (`TK2:`, `loyalty.barcode.moving`).

A real phone holds the key in its own secure store and draws the code itself. Here the page's server plays that part
for the three people of the story, so that the page needs no crypto of its own; the centre and the unit are given
no more than they would be by a phone. The keys come from one seed in the demo's folder, so they outlive a restart.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import Final

from nacl.signing import SigningKey

from loyalty.barcode import moving

PEOPLE_MAX: Final = 100  # whose keys are held


class Pocket:
    """The phones' keys, by the name of who holds the phone."""

    def __init__(self, seed: bytes) -> None:
        self._seed = seed
        self._keys: dict[str, SigningKey] = {}

    def public(self, name: str) -> bytes:
        """The public key of that person's phone, 32 bytes."""
        return self._key(name).verify_key.encode()

    def shown(self, name: str, ticket: str, now_ms: int) -> tuple[str, int]:
        """(what the screen of that person's phone says, until when). Raises ValueError for what is no ticket of it."""
        step = moving.step_of(now_ms)
        return moving.show(ticket, self._key(name), step), (step + 1) * moving.STEP_S * 1000

    def _key(self, name: str) -> SigningKey:
        if name not in self._keys:
            if len(self._keys) >= PEOPLE_MAX:
                self._keys.clear()
            self._keys[name] = SigningKey(blake2b(name.encode(), key=self._seed, digest_size=32).digest())
        return self._keys[name]


def is_ticket(text: str) -> bool:
    """Whether a coupon's text is a ticket, to which the phone adds the rest."""
    return len(text) == moving.TICKET_CHARS and text.startswith(moving.PREFIX.decode())
