"""A lane of the past: what the story says has happened at a shop, as that shop's lane itself would have sent it.

Signed batches through the centre's own ingest, one for each fact, booked shortly after the fact's time. The lane's key
and epoch are made of its name, so that after a crash in the middle it sends the same batches again, and they are booked
once.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
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
        self._site, self._tenant = site, tenant
        seed = hashlib.blake2b(name.encode(), key=keys.cache_secret(), digest_size=32).digest()
        self._key = SigningKey(seed)

    @property
    def public(self) -> bytes:
        return self._key.verify_key.encode()

    def report(self, ingest: Ingest, facts: Iterable[Fact]) -> None:
        """Its whole journal, in order. Facts are taken one by one, each after the one before it is booked."""
        epoch = hashlib.blake2b(self.name.encode(), digest_size=chain.EPOCH_BYTES).digest()
        topic = topics.address(self._tenant, self._site, self.name).topic(topics.UP_EV)
        before = chain.genesis(self.name, epoch)
        for seq, fact in enumerate(facts, start=1):
            body = encode_fact(fact)
            after = chain.link(before, body)
            signature = self._key.sign(chain.signed_head(self.name, epoch, seq, after)).signature
            batch = Batch(epoch, seq, before, after, [body], signature)
            ack = ingest.book(encode(batch), Origin(self.name, topic, fact.at.wall_ms + BOOKED_AFTER_MS))
            assert ack.status == "ok", f"the story's own facts were not booked: {ack}"
            before = after


def stamp(at_ms: int) -> Stamp:
    """A moment of the story, by a clock that was right."""
    return Stamp(at_ms, at_ms % 86_400_000, b"\0" * 8, True)
