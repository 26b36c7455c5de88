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

from wire.site_envelope import SESSION_BYTES, Keys, login_once, once_of
from wire.site_messages import ROOT, subscriptions
from wire.topics import ALL, ID_PATTERN, Address, address

LOGINS_REMEMBERED: Final = 1_000  # of each lane, under one session
REFUSED_REMEMBERED: Final = 10_000  # logins of whoever was no lane yet, under one session


Logins = OrderedDict[tuple[str, bytes], None]
"""User and `once`, the oldest first."""


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
        self._used: dict[str, Logins] = {}
        self._refused: Logins = OrderedDict()
        self.lanes = lanes

    def fit(self, user: str, password: str) -> bool:
        """A login counts once, and one that was refused never: a lane makes a new one for each try. Otherwise who
        recorded the login of a lane that the hub did not know yet could use it as soon as it does."""
        once = once_of(password)
        if once is None or not ID_PATTERN.fullmatch(user) or (user, once) in self._refused:
            return False
        key = self.lanes.get(user)
        if key is None or login_once(key, user, self._where.device, self._session, password) is None:
            _remember(self._refused, (user, once), REFUSED_REMEMBERED)
            return False
        used = self._used.setdefault(user, OrderedDict())
        if (user, once) in used:
            return False
        _remember(used, (user, once), LOGINS_REMEMBERED)
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


def _remember(known: Logins, one: tuple[str, bytes], most: int) -> None:
    known[one] = None
    while len(known) > most:
        known.popitem(last=False)


def rules_of(order: Order) -> SiteRules:
    """The rules of the hub that is to be. Raises ValueError for what can't be."""
    where = address(order.tenant, order.site, order.device)
    return SiteRules(where, bytes.fromhex(order.session), keys_of(order.lanes))
