"""The checkers and the auditor of the world: what DESIGN promises, held against what was seen and what lies on disks.

Written from DESIGN and MISSION alone. They are given observations (`simulator.world.observe`), read files with plain
SQLite and facts with plain MessagePack, and compute hashes by themselves; of the production code they know nothing but
the value types that stand in observations. docs/world-checks.md has the table.
"""

from __future__ import annotations

from simulator.world.checks.auditor import Auditor
from simulator.world.checks.bounded import Bounded
from simulator.world.checks.caches_converge import CachesConverge
from simulator.world.checks.cap_holds_in_sum import CapHoldsInSum
from simulator.world.checks.exactly_once import ExactlyOnce
from simulator.world.checks.limits_add_up import LimitsAddUp
from simulator.world.checks.no_internal_error import NoInternalError
from simulator.world.checks.nothing_waits import NothingWaits
from simulator.world.checks.one_use_per_serial import OneUsePerSerial
from simulator.world.checks.points import PointsAddUp, PointsWithinFloors
from simulator.world.checks.shown_is_on_disk import ShownIsOnDisk
from simulator.world.checks.unseen_yes_is_repeated import UnseenYesIsRepeated
from simulator.world.observe import Checker


def all_checkers() -> list[Checker]:
    """One of each, for one life of a world."""
    return [
        ShownIsOnDisk(),
        UnseenYesIsRepeated(),
        OneUsePerSerial(),
        CapHoldsInSum(),
        PointsWithinFloors(),
        ExactlyOnce(),
        Auditor(),
        LimitsAddUp(),
        PointsAddUp(),
        CachesConverge(),
        NothingWaits(),
        Bounded(),
        NoInternalError(),
    ]
