"""What DESIGN promises, a file for each promise, held against what can be seen of a world (`simulator.world.observe`).

No checker imports the code that it checks: it reads the disks with SQLite and MessagePack alone, and works out by
itself what must lie there.
"""

from __future__ import annotations

from simulator.world.checks.auditor import Auditor
from simulator.world.checks.bounds import Bounded
from simulator.world.checks.caches import CachesConverge
from simulator.world.checks.cap_holds_in_sum import CapHoldsInSum
from simulator.world.checks.exactly_once import ExactlyOnce
from simulator.world.checks.ledger import LedgerBalances
from simulator.world.checks.member_cards import MemberCards
from simulator.world.checks.one_use_per_serial import OneUsePerSerial
from simulator.world.checks.only_what_was_given import OnlyWhatWasGiven
from simulator.world.checks.parts import PartsAreKnown
from simulator.world.checks.payments import PaidOnce
from simulator.world.checks.points import PointsAddUp, PointsWithinFloors
from simulator.world.checks.purses import MovedAsAsked
from simulator.world.checks.reasons import NoInternalError
from simulator.world.checks.receipts import SoldOnce
from simulator.world.checks.reversals import ReversalsAreSettled
from simulator.world.checks.shown_is_on_disk import ShownIsOnDisk
from simulator.world.checks.time_goes_on import TimeGoesOn
from simulator.world.checks.unseen_yes_is_repeated import UnseenYesIsRepeated
from simulator.world.checks.waiting import NothingWaits
from simulator.world.observe import Checker


def all_checkers() -> list[Checker]:
    """New ones, for one life."""
    return [
        ShownIsOnDisk(),
        UnseenYesIsRepeated(),
        OneUsePerSerial(),
        OnlyWhatWasGiven(),
        CapHoldsInSum(),
        PointsWithinFloors(),
        ExactlyOnce(),
        NoInternalError(),
        TimeGoesOn(),
        Bounded(),
        NothingWaits(),
        CachesConverge(),
        PointsAddUp(),
        LedgerBalances(),
        PaidOnce(),
        SoldOnce(),
        MovedAsAsked(),
        ReversalsAreSettled(),
        MemberCards(),
        PartsAreKnown(),
        Auditor(),
    ]
