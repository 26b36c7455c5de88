"""The MQTT topics: tk/1/{tenant}/{site}/{device}/{leaf}, at most 7 slashes, no wildcards for a unit.

`LEAVES` is the whole tree; the AsyncAPI document of the docs is checked against it.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

ID_PATTERN: Final = re.compile(r"[a-z0-9_-]{1,32}")
ALL: Final = "all"  # stands where a device's name stands, for every unit of a site; no device's name
ROOT: Final = "tk/1"
PACKET_BYTES_MAX: Final = 64 * 1024


class Leaf(NamedTuple):
    """One topic of a device."""

    path: str
    upward: bool  # published by the device
    qos: int
    retained: bool
    message: str  # name of the type in wire.messages
    meaning: str


UP_EV = Leaf("up/ev", True, 1, False, "Batch", "batches of facts")
UP_REQ = Leaf("up/req", True, 1, False, "Request", "pull: what is wanted and what the unit has; questions")
UP_RES = Leaf("up/res", True, 1, False, "CommandResult", "results of commands")
UP_REP = Leaf("up/rep", True, 1, False, "Report", "reported state")
UP_HB = Leaf("up/hb", True, 0, False, "Heartbeat", "heartbeat")
UP_LOG = Leaf("up/log", True, 0, False, "LogLine", "log lines, capped")
UP_HINT = Leaf("up/hint", True, 0, False, "Hint", "a redemption, at once")
ST_CONN = Leaf("st/conn", True, 1, True, "Conn", "birth and will, with a session id")
ST_INFO = Leaf("st/info", True, 1, True, "Info", "inventory")
DN_ACK = Leaf("dn/ack", False, 1, False, "Ack", "acknowledgements of batches")
DN_FEED = Leaf("dn/feed", False, 1, False, "FeedMessage", "changes and snapshots for the cache")
DN_DES = Leaf("dn/des", False, 1, True, "Desired", "desired state")
DN_CMD = Leaf("dn/cmd", False, 1, False, "Command", "commands and answers, with id and expiry")

LEAVES: Final = (
    UP_EV, UP_REQ, UP_RES, UP_REP, UP_HB, UP_LOG, UP_HINT, ST_CONN, ST_INFO, DN_ACK, DN_FEED, DN_DES, DN_CMD,
)  # fmt: skip
_BY_PATH: Final = {leaf.path: leaf for leaf in LEAVES}


class BadTopic(ValueError):
    """A topic or an id that is not of our tree; the message says which part."""


class Address(NamedTuple):
    """Where a unit stands."""

    tenant: str
    site: str
    device: str

    def topic(self, leaf: Leaf) -> str:
        return f"{ROOT}/{self.tenant}/{self.site}/{self.device}/{leaf.path}"

    @property
    def whole_site(self) -> Address:
        """The address that every unit of the site listens to."""
        return Address(self.tenant, self.site, ALL)


def check_id(what: str, value: str) -> str:
    """`value`, if it can be an id. Raises BadTopic with the rule that it breaks."""
    if not ID_PATTERN.fullmatch(value):
        raise BadTopic(f"{what} {value!r}: an id has 1 to 32 of the characters a-z, 0-9, _ and -")
    return value


def address(tenant: str, site: str, device: str) -> Address:
    """A checked address of one device. Raises BadTopic."""
    if check_id("device", device) == ALL:
        raise BadTopic(f"device {ALL!r}: that name stands for all devices of a site")
    return Address(check_id("tenant", tenant), check_id("site", site), device)


def parse(topic: str) -> tuple[Address, Leaf]:
    """The address and leaf of a topic. Raises BadTopic for anything that is not in the tree."""
    parts = topic.split("/")
    if len(parts) != 7 or "/".join(parts[:2]) != ROOT:
        raise BadTopic(f"topic {topic[:100]!r} is not of the form {ROOT}/tenant/site/device/xx/yy")
    leaf = _BY_PATH.get("/".join(parts[5:]))
    if leaf is None:
        raise BadTopic(f"topic {topic[:100]!r} ends in an unknown leaf")
    for what, value in zip(("tenant", "site", "device"), parts[2:5], strict=True):
        check_id(what, value)
    return Address(*parts[2:5]), leaf


def subscriptions(where: Address) -> list[tuple[str, int]]:
    """(topic, qos) of everything a unit listens to: no wildcards, at most 8 filters (AWS IoT)."""
    own = [(where.topic(leaf), leaf.qos) for leaf in (DN_ACK, DN_FEED, DN_DES, DN_CMD)]
    return own + [(where.whole_site.topic(leaf), leaf.qos) for leaf in (DN_FEED, DN_CMD)]


def centre_subscriptions(tenant: str) -> list[tuple[str, int]]:
    """(filter, qos) of everything the centre listens to."""
    return [(f"{ROOT}/{tenant}/+/+/{leaf.path}", leaf.qos) for leaf in LEAVES if leaf.upward]
