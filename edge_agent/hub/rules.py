"""Who may log in to a site's hub, and what each may say and hear there.

A lane logs in with its name and a signature by its device key over this hub's session: no shared secret, no clock,
and a password that was overheard works neither twice nor elsewhere. The keys are what the centre told of the site's
lanes. Nothing is retained.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from typing import Final

import msgspec
from nacl.signing import VerifyKey

from wire.site_envelope import SESSION_BYTES, Keys, login_once
from wire.site_messages import ROOT, subscriptions
from wire.topics import ALL, ID_PATTERN, Address, address

LOGINS_REMEMBERED: Final = 1_000  # of each lane, under one session


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """What a hub is to be: the first line on its standard input. Later lines are `lanes` alone."""

    tenant: str
    site: str
    device: str  # who runs it
    session: str  # hexadecimal
    host: str
    port: int  # 0: any that is free
    connections_max: int
    lanes: dict[str, str]  # public keys, hexadecimal


def keys_of(lanes: Mapping[str, str]) -> dict[str, VerifyKey]:
    """Raises ValueError for what can't be a key."""
    return {device: VerifyKey(bytes.fromhex(public)) for device, public in lanes.items()}


class SiteRules:
    """See the module."""

    retained_max = 0

    def __init__(self, where: Address, session: bytes, lanes: Keys) -> None:
        """`where`: the unit that runs this hub."""
        assert len(session) == SESSION_BYTES, "a hub's session has 16 bytes"
        self._where, self._session = where, session
        self._used: dict[str, OrderedDict[bytes, None]] = {}
        self.lanes = lanes

    def fit(self, user: str, password: str) -> bool:
        key = self.lanes.get(user)
        once = None if key is None else login_once(key, user, self._where.device, self._session, password)
        if once is None:
            return False
        used = self._used.setdefault(user, OrderedDict())
        if once in used:
            return False
        used[once] = None
        while len(used) > LOGINS_REMEMBERED:
            used.popitem(last=False)
        return True

    def may_publish(self, user: str, topic: str) -> bool:
        """Under its own name, to all or to one."""
        head, _, to = topic.rpartition("/")
        own = f"{ROOT}/{self._where.tenant}/{self._where.site}/{user}"
        return user in self.lanes and head == own and (to == ALL or ID_PATTERN.fullmatch(to) is not None)

    def may_subscribe(self, user: str, topic_filter: str) -> bool:
        """What is for all, and what is for it."""
        where = Address(self._where.tenant, self._where.site, user)
        return user in self.lanes and topic_filter in subscriptions(where)


def rules_of(order: Order) -> SiteRules:
    """The rules of the hub that is to be. Raises ValueError for what can't be."""
    where = address(order.tenant, order.site, order.device)
    return SiteRules(where, bytes.fromhex(order.session), keys_of(order.lanes))
