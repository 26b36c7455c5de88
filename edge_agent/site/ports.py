"""What a node of the site's network stands on (`edge_agent.site.node`): the only ways out of it, and their errors."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from edge_agent.hub.process import Ended, Listening
from edge_agent.hub.rules import Order
from edge_agent.settings import SiteNetwork
from edge_agent.site.talk import Talk
from wire.hub import Place


class AirPort(Protocol):
    """Beacons (`edge_agent.site.air.Air`)."""

    @property
    def addresses(self) -> Sequence[str]:
        """Where others reach us."""

    def changed(self) -> bool:
        """Whether it has to be opened anew."""

    def send(self, datagram: bytes) -> None:
        """To the whole site. Raises AirError when it went nowhere at all."""

    def take(self) -> list[bytes]:
        """What has come in."""

    def close(self) -> None: ...


class HubPort(Protocol):
    """One life of a hub of ours (`edge_agent.hub.process.HubProcess`)."""

    @property
    def session(self) -> bytes: ...

    @property
    def pid(self) -> int: ...

    def use(self, lanes: dict[str, str]) -> None:
        """From now on these are the lanes; others are sent away."""

    def stop(self) -> None: ...


class LinkPort(Protocol):
    """The connection to one hub, again and again until it is ended (`edge_agent.site.link.Link`)."""

    @property
    def place(self) -> Place: ...

    def start(self) -> None: ...

    def end(self) -> None: ...

    def say(self, to: str, body: bytes) -> bool: ...


class Ports(Protocol):
    """What a node stands on."""

    def open_air(self, settings: SiteNetwork) -> AirPort:
        """Raises AirError."""

    def start_hub(self, order: Order, sink: Callable[[Listening | Ended], Any]) -> HubPort:
        """Raises OSError."""

    def new_link(self, talk: Talk) -> LinkPort: ...

    def random(self) -> float: ...

    def random_bytes(self, count: int) -> bytes: ...

    def wake(self) -> None:
        """Something happened: a turn is wanted now. From any thread."""
