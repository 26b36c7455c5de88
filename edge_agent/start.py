"""Opening the store at the start of an agent, whatever state the last power cut left it in."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import TypeVar

from edge_agent.settings import UnitSettings
from edge_agent.steps import StepLog
from edge_agent.store.connection import StoreCorrupt
from edge_agent.store.salvage import interrupted, salvage
from edge_agent.store.store import Store
from edge_agent.timekeeper import Timekeeper
from hal.clock import Clock
from wire.chain import EPOCH_BYTES

A = TypeVar("A")


def on_store(settings: UnitSettings, clock: Clock, steps: StepLog, make: Callable[[Store], A]) -> A:
    """What `make` builds on the unit's store; damage that shows only as it reads is salvaged too. Raises StoreError."""
    store = open_store(settings, clock, steps)
    try:
        return make(store)
    except StoreCorrupt:
        store.close()
    except BaseException:
        store.close()
        raise
    store = _salvaged(settings, clock, steps)
    try:
        return make(store)
    except BaseException:
        store.close()
        raise


def open_store(settings: UnitSettings, clock: Clock, steps: StepLog) -> Store:
    """The unit's store; a damaged one is set aside and salvaged. Raises StoreError."""
    if interrupted(settings.folder):
        return _salvaged(settings, clock, steps)
    try:
        return _opened(settings)
    except StoreCorrupt:  # it is closed
        return _salvaged(settings, clock, steps)


def _opened(settings: UnitSettings) -> Store:
    store = Store(settings.folder, settings.device)
    try:
        store.start(secrets.token_bytes(EPOCH_BYTES))
        _of_site(store, settings)
    except BaseException:
        store.close()
        raise
    return store


def _salvaged(settings: UnitSettings, clock: Clock, steps: StepLog) -> Store:
    at = Timekeeper(clock, 0).now().stamp
    store, saved = salvage(settings.folder, settings.device, secrets.token_bytes(EPOCH_BYTES), at)
    steps.line("salvaged", facts=len(saved.carried), unverified=saved.unverified, folder=saved.folder.name)
    _of_site(store, settings)
    return store


def _of_site(store: Store, settings: UnitSettings) -> None:
    if store.cache.meta("site", "") != settings.site:
        with store.transaction():
            store.cache.set_meta("site", settings.site)
