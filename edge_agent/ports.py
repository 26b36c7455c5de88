"""What an agent is plugged into: the broker, the site's network, what shoppers see and hear.

The real ones are `edge_agent.mqtt.Mqtt`, `edge_agent.site.net.SiteNet` and `edge_agent.panel.Panel`; the simulated
world has its own (`simulator.world`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from nacl.signing import SigningKey

from edge_agent.core.effects import Show, Signal
from edge_agent.core.receipt import TillAnswer
from edge_agent.mqtt import LinkEvent
from edge_agent.settings import BrokerLogin, SiteNetwork
from edge_agent.site.net import SiteEvent
from edge_agent.site.site import Net
from wire import topics
from wire.topics import Address


class Broker(Protocol):
    """The connection to the broker (`edge_agent.mqtt.Mqtt`)."""

    @property
    def up(self) -> bool: ...

    @property
    def alive(self) -> bool:
        """False: a fault of ours, it will not come back by itself."""

    def start(self) -> None: ...

    def publish(self, leaf: topics.Leaf, payload: bytes) -> bool:
        """False: not now; whatever matters is sent again."""

    def stop(self) -> None: ...


class Panel(Protocol):
    """What shoppers see and hear (`edge_agent.panel.Panel`). All raise HalError."""

    def show(self, what: Show, *, online: bool, waiting: int) -> None: ...

    def refresh(self, *, online: bool, waiting: int) -> None: ...

    def signal(self, what: Signal) -> None: ...

    def close(self) -> None: ...


class TillPort(Protocol):
    """Who speaks with the till (`edge_agent.till.desk.Desk`). Called on the deciding thread; must not block."""

    @property
    def alive(self) -> bool:
        """False: what speaks with the till has ended, and will not come back by itself."""

    def answered(self, reply: int, answer: TillAnswer) -> None: ...

    def stirred(self) -> None:
        """Something was decided: what a till waits for may have come."""


OpenBroker = Callable[[Address, BrokerLogin, Callable[[LinkEvent], Any]], Broker]
OpenSite = Callable[[Address, SigningKey, SiteNetwork, Callable[[SiteEvent], Any]], Net]
