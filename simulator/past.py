"""A lane of the past: what the story says has happened at a shop, as that shop's lane itself would have sent it.

Signed batches through the centre's own ingest, one for each fact, booked shortly after the fact's time. The lane's key
and epoch are made of its name, so that after a crash in the middle it sends the same batches again, and they are booked
once: it has to be told the same facts in the same order.
"""

from __future__ import annotations

import hashlib
from typing import Final

from nacl.signing import SigningKey

from central.ingest import Ingest, Origin
from central.keys import Keys
from wire import chain, topics
from wire.facts import Fact, Stamp, encode_fact
from wire.messages import Batch, encode

BOOKED_AFTER_MS: Final = 900


class PastLane:
    """One lane of one shop."""

    def __init__(self, keys: Keys, tenant: str, site: str, name: str) -> None:
        self.name = name
        seed = hashlib.blake2b(name.encode(), key=keys.cache_secret(), digest_size=32).digest()
        self._key = SigningKey(seed)
        self._epoch = hashlib.blake2b(name.encode(), digest_size=chain.EPOCH_BYTES).digest()
        self._topic = topics.address(tenant, site, name).topic(topics.UP_EV)
        self._seq, self._after = 0, chain.genesis(name, self._epoch)

    @property
    def public(self) -> bytes:
        return self._key.verify_key.encode()

    def report(self, ingest: Ingest, fact: Fact) -> None:
        """The next fact of its journal."""
        body = encode_fact(fact)
        before, self._after = self._after, chain.link(self._after, body)
        self._seq += 1
        head = chain.signed_head(self.name, self._epoch, self._seq, self._after)
        batch = Batch(self._epoch, self._seq, before, self._after, [body], self._key.sign(head).signature)
        ack = ingest.book(encode(batch), Origin(self.name, self._topic, fact.at.wall_ms + BOOKED_AFTER_MS))
        assert ack.status == "ok", f"the story's own facts were not booked: {ack}"


def stamp(at_ms: int) -> Stamp:
    """A moment of the story, by a clock that was right."""
    return Stamp(at_ms, at_ms % 86_400_000, b"\0" * 8, True)
