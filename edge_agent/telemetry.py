"""What a unit tells about itself: inventory, state, heartbeat. None of it is a fact, and none of it is kept.

What can't be sent is dropped: the next one says it again.
"""

from __future__ import annotations

from typing import Final

import msgspec
from nacl.signing import VerifyKey

from edge_agent.centre import Centre, Publisher
from edge_agent.core.reach import Reach
from edge_agent.core.visit import Moment
from edge_agent.settings import UnitSettings
from edge_agent.store.store import Store
from hal.events import PartFault, PartHealed
from wire import topics
from wire.messages import Heartbeat, Info, LogLine, Report, encode

LOG_TEXT_MAX: Final = 200


def state(online: bool) -> str:
    return "online" if online else "offline"


class Counts(msgspec.Struct):
    """Since the start."""

    scans: int = 0
    accepted: int = 0
    refused: int = 0
    camera_faults: int = 0


class Telemetry:
    """See the module."""

    def __init__(
        self, settings: UnitSettings, publisher: Publisher, version: str, key: VerifyKey, started_ms: int
    ) -> None:
        self._settings, self._publisher, self._started_ms = settings, publisher, started_ms
        parts: dict[str, str] = msgspec.to_builtins(settings.parts)
        self._info = Info(version, settings.mode, parts, key.encode())
        self.counts = Counts()

    def introduce(self) -> None:
        """The inventory, at each connection."""
        self._publisher.publish(topics.ST_INFO, encode(self._info))

    def report(self, store: Store, centre: Centre, trouble: str, reach: Reach) -> None:
        """The state, at each connection, and when `trouble` or the centre's `reach` comes or goes.

        It goes by what memory holds: a store in trouble can't be asked.
        """
        journal, feed, up = store.journal, centre.downlink, centre.uplink
        campaigns = store.cache.campaigns_count() if not trouble else 0
        acked = up.epochs[-1].acked
        report = Report(
            journal.epoch,
            journal.last,
            acked,
            feed.incarnation,
            feed.number,
            campaigns,
            trouble,
            reach=state(reach.online),
            reach_why=reach.why,
        )
        self._publisher.publish(topics.UP_REP, encode(report))

    def part(self, at: Moment, event: PartFault | PartHealed) -> None:
        """A part that went or came, as a line of the log: the operator should hear of it before a shopper says so."""
        if isinstance(event, PartFault):
            line = LogLine(at.wall_ms, "warning", f"{event.part}: {event.reason}: {event.detail}"[:LOG_TEXT_MAX])
        else:
            line = LogLine(at.wall_ms, "info", f"{event.part}: works again"[:LOG_TEXT_MAX])
        self._publisher.publish(topics.UP_LOG, encode(line))

    def heartbeat(self, at: Moment, waiting: int, dropped: int, board: dict[str, int], *, online: bool) -> None:
        counts, uptime_ms = self.counts, at.mono_ms - self._started_ms
        scans = (counts.scans, counts.accepted, counts.refused)
        beat = Heartbeat(at.wall_ms, uptime_ms, waiting, *scans, counts.camera_faults, dropped, state(online), board)
        self._publisher.publish(topics.UP_HB, encode(beat))
