"""What page functions are given: the open centre, the limits on tries, and how dates are read."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from central.coupons import persons
from central.http.limits import Tries
from central.office import Office
from central.pages.asked import Refusal, Refused
from central.pages.render import Renderer

REGISTRATIONS_PER_PEER: Final = 20  # in a window of `central.http.limits`; a shop's guests share one address
REGISTRATIONS_IN_ALL: Final = 200
TURN_WITHIN_S: Final = 5.0
LOOKS_PER_SHOP: Final = 60  # at customers, in such a window; found or not
MISSES_PER_SHOP: Final = 15  # of them, that found nobody: more is guessing
LOOKS_IN_ALL: Final = 3_000
FILES_PER_SHOP: Final = 20


class Counter:
    """One for all requests; safe between threads."""

    def __init__(self, office: Office, renderer: Renderer, tries: Tries) -> None:
        self.office, self.renderer, self.tries = office, renderer, tries
        self.registrations = Tries(REGISTRATIONS_PER_PEER, REGISTRATIONS_IN_ALL)
        self.looks = Tries(LOOKS_PER_SHOP, LOOKS_IN_ALL)
        self.misses = Tries(MISSES_PER_SHOP, LOOKS_IN_ALL)
        self.files = Tries(FILES_PER_SHOP, LOOKS_IN_ALL)
        self.auditing = threading.Lock()  # one at a time: it reads the whole ledger

    def password_fits(self, key: str, stored: str | None, password: str, now_ms: int) -> bool:
        """`key`: who is tried, for the limits. Raises Refused after too many tries."""
        if not self.tries.allowed(key, now_ms):
            raise Refused(Refusal.TOO_MANY_TRIES)
        with self.turn():
            fits = persons.password_fits(stored, password)
        if fits:
            self.tries.succeeded(key)
        else:
            self.tries.failed(key, now_ms)
        return fits

    def hashed(self, password: str) -> str:
        """Raises PersonError; Refused as above."""
        with self.turn():
            return persons.hash_password(password)

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Passwords are checked a few at a time: a crowd that tries them does not take the threads of all pages.

        Raises Refused when there are too many."""
        if not self.tries.checking.acquire(timeout=TURN_WITHIN_S):
            raise Refused(Refusal.TOO_MANY_TRIES)
        try:
            yield
        finally:
            self.tries.checking.release()
