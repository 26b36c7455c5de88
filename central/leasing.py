"""What a unit's report of its parts is answered with: grants, and what others are asked to return."""

from __future__ import annotations

import logging
from collections.abc import Container
from typing import Final, NamedTuple

import msgspec
from sqlalchemy import Connection

from central import homes, leases, registry
from central.coupons import issue
from central.db import locks
from central.db.database import Database
from central.registry import Device
from loyalty.lease import CAMPAIGN, KINDS, NOTHING, Amount, GrantReason, Pot
from wire.chain import EPOCH_BYTES
from wire.messages import AskHome, AskLease, Command, Grant, Grants, Held, KeepNoMore, Recall

HELD_MAX: Final = 1_000  # pots in one report
GRANTS_PER_MESSAGE: Final = 400
QUANTITY_MAX: Final = 2**53
_log = logging.getLogger(__name__)


class Told(NamedTuple):
    """A command for a unit."""

    device: str
    site: str
    command: Command


class Lessor:
    """Grants parts. What it grants is committed when `answer` returns. `present`: the units that can be told."""

    def __init__(self, database: Database, incarnation: bytes, present: Container[str]) -> None:
        self._database, self._incarnation, self._present = database, incarnation, present

    def answer(self, ask: AskLease, device_name: str, now_ms: int) -> list[Told]:
        """Raises StorageError: then nothing was granted."""
        if len(ask.epoch) != EPOCH_BYTES or len(ask.parts) > HELD_MAX or not all(map(_sane, ask.parts)):
            _log.warning("%s: a report of its parts that can't be", device_name)
            return []
        limits = {limit(held.pot) for held in ask.parts}
        alone = ask.whole or len(limits) >= locks.HELD_MAX  # a whole report may enter whatever a restore forgot
        return self._database.unit(
            lambda connection: self._answer(connection, ask, device_name, limits, now_ms), alone=alone
        )

    def _answer(
        self, connection: Connection, ask: AskLease, device_name: str, limits: set[locks.Thing], now_ms: int
    ) -> list[Told]:
        locks.hold(connection, [locks.device(device_name), *limits])
        device = registry.find(connection, device_name)
        if device is None or not device.active or ask.incarnation != self._incarnation:
            return []  # a unit that does not know this database yet says so with its next hello
        if ask.whole:
            self._reported(connection, device, ask)
        told = [Told(device.name, device.site, command) for command in _orders(connection, device)]
        grants, recalls = self._grants(connection, device, ask, now_ms)
        # One without a part says that the report came: a unit repeats what it must be sure of.
        for start in range(0, len(grants) or 1, GRANTS_PER_MESSAGE):
            part = grants[start : start + GRANTS_PER_MESSAGE]
            told.append(Told(device.name, device.site, Grants(self._incarnation, ask.epoch, part, ask.whole)))
        return told + recalls

    def _reported(self, connection: Connection, device: Device, ask: AskLease) -> None:
        """All that the unit holds, said to this incarnation: what a restored database forgot is entered again.

        Whether or not the unit owes that word: one that was written off since, and comes up after all, is believed.
        """
        for one in ask.parts:
            leases.report(connection, leases.Owner(device.id, ask.epoch), one.pot, one.granted)
        registry.told_its_parts(connection, device)
        homes.reported(connection, device, ask.epoch)

    def _grants(
        self, connection: Connection, device: Device, ask: AskLease, now_ms: int
    ) -> tuple[list[Grant], list[Told]]:
        closed = registry.anybody_awaited(connection) or registry.anybody_owes_parts(connection)
        grants: list[Grant] = []
        recalls: list[Told] = []
        for one in ask.parts:
            if not one.want:
                continue
            granted, reason = one.granted, GrantReason.NOT_YET
            if not closed:
                granted, reason = self._grant(connection, device, ask.epoch, one, now_ms)
            if reason is GrantReason.WITH_OTHERS:
                recalls += self.recalls(connection, one.pot, one.want, but=device.name, urgent=one.urgent)
            grants.append(Grant(one.pot, granted, now_ms + leases.PART_LIFE_MS, reason.value))
        return grants, recalls

    def _grant(
        self, connection: Connection, device: Device, epoch: bytes, one: Held, now_ms: int
    ) -> tuple[Amount, GrantReason]:
        owner, want = leases.Owner(device.id, epoch), one.want
        if one.pot.kind == CAMPAIGN:
            issued = issue.get(connection, one.pot.id)
            if issued is None or not leases.is_leased(issued.campaign, device.site):
                want = NOTHING
            else:
                leases.ensure(connection, issued.campaign, issued.redeemed)
        granted, reason = leases.grant(connection, owner, one.pot, want, now_ms)
        return granted, reason if want else GrantReason.CLOSED

    def orders(self) -> list[Told]:
        """What waits for keepers of homes who are there: told again until they have journalled it."""
        told: list[Told] = []
        with self._database.read() as connection:
            for name in homes.keepers_with_orders(connection):
                device = registry.find(connection, name) if name in self._present else None
                if device is not None and device.active:
                    told += [Told(device.name, device.site, command) for command in _orders(connection, device)]
        return told

    def recalls(self, connection: Connection, pot: Pot, want: Amount, *, but: str, urgent: bool = True) -> list[Told]:
        """What to tell the units that hold most of a pot, so that another one gets some.

        Not `urgent`: only those that would still have as much as the other one asks for.
        """
        having = [
            one
            for one in leases.holders(connection, pot)
            if one.device != but
            and one.device in self._present
            and (urgent or one.left.count > 2 * want.count or one.left.yen > 2 * want.yen)
        ][: leases.RECALLS_MAX]
        return [Told(one.device, one.site, Recall(self._incarnation, pot, want)) for one in having]


def _orders(connection: Connection, device: Device) -> list[KeepNoMore | AskHome]:
    """What waits for this unit as the keeper of a home."""
    term = homes.to_be_left(connection, device)
    orders: list[KeepNoMore | AskHome] = [KeepNoMore(term)] if term is not None else []
    return orders + list(homes.awaited_of(connection, device))


def limit(pot: Pot) -> locks.Thing:
    """What a unit of work holds for a limit."""
    return locks.campaign(pot.id) if pot.kind == CAMPAIGN else locks.pot(pot.kind, pot.id, pot.holder)


def _sane(held: Held) -> bool:
    amounts = (held.granted, held.want)
    return held.pot.kind in KINDS and all(
        0 <= quantity <= QUANTITY_MAX for amount in amounts for quantity in msgspec.structs.astuple(amount)
    )
