"""What the lease line asks of this unit's store (`wire.leasing.Pots`)."""

from __future__ import annotations

from collections.abc import Iterable

from edge_agent.store.store import Store
from loyalty.coupon import limits, unit_yen
from loyalty.lease import CAMPAIGN, Pot
from wire.leasing import POTS_MAX, State, Want


class StoredPots:
    """Parts as they stand on disk; campaigns as the cache knows them."""

    def __init__(self, store: Store, site: str) -> None:
        self._store, self._site = store, site

    def wanted(self) -> Iterable[Want]:
        for campaign in self._store.cache.leased(self._site, POTS_MAX):
            yield Want(Pot(CAMPAIGN, campaign.id), limits(campaign), unit_yen(campaign))

    def held(self) -> Iterable[Pot]:
        return (pot for pot, _ in self._store.parts.accounts())

    def state(self, pot: Pot) -> State:
        account = self._store.parts.account(pot)
        return State(account.granted, account.left, account.ends_ms)
