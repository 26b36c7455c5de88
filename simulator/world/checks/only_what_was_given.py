"""A yes is said only to what counts: a coupon of a campaign that was issued, given out, and given to that holder.

Held against each green:

- its campaign was issued, and, unless anybody can print its codes, its serial was given out, to that very holder: no
  forged, altered or invented code is ever honoured, whatever a unit knows or has lost;
- a campaign that stands as stopped says no everywhere from CONVERGED_AFTER_MS after the faults have stopped;
- under `online` alone, which asks the centre each time, nobody has more than the campaign allows to each person, but
  for what `allowances` counts.

A centre that was restored from a backup has forgotten what it gave out since, and that a campaign was stopped since;
the coupons are signed all the same, and count.
"""

from __future__ import annotations

from typing import ClassVar

from loyalty.campaign import Policy
from simulator.world.checks.allowances import Spent, Tally
from simulator.world.checks.base import Watch
from simulator.world.checks.issued import Issues
from simulator.world.checks.losses import Losses
from simulator.world.checks.one_use_per_serial import CONVERGED_AFTER_MS
from simulator.world.checks.sales import Asked
from simulator.world.observe import CentreRestored, Downloaded, Green, Healed, Issued, Seen, TakenBack


class OnlyWhatWasGiven(Watch):
    """See the module."""

    name: ClassVar = "only-what-was-given"

    def __init__(self) -> None:
        self._issues = Issues()
        self._losses = Losses()
        self._given: dict[tuple[int, int], set[int]] = {}  # campaign and serial: holders
        self._stopped_ms: dict[int, int] = {}  # campaigns that stand as stopped, since when
        self._healed_ms: int | None = None
        self._persons: dict[tuple[int, int], Tally] = {}
        self._seen: set[tuple[str, int, int]] = set()
        self._asked = Asked()
        self._of_sale: dict[bytes, list[Green]] = {}

    def saw(self, seen: Seen) -> None:
        self._issues.saw(seen)
        self._losses.saw(seen)
        if isinstance(seen, Green):
            self._green(seen)
        elif isinstance(seen, TakenBack):
            if self._asked.add(seen.sale, seen.yen):
                for green in self._of_sale.pop(seen.sale, []):
                    self._persons[green.campaign, green.holder].back(1, 0)
        elif isinstance(seen, Downloaded):
            self._given.setdefault((seen.campaign, seen.serial), set()).add(seen.holder)
        elif isinstance(seen, Issued):
            if seen.campaign.stopped:
                self._stopped_ms.setdefault(seen.campaign.id, seen.at_ms)
            else:
                self._stopped_ms.pop(seen.campaign.id, None)
        elif isinstance(seen, CentreRestored):
            backup_ms = seen.backup_ms
            self._stopped_ms = {number: at_ms for number, at_ms in self._stopped_ms.items() if at_ms < backup_ms}
        elif isinstance(seen, Healed):
            self._healed_ms = seen.at_ms

    def _green(self, green: Green) -> None:
        where = f"{green.device} honoured serial {green.serial:x} of campaign {green.campaign} at {green.at_ms}"
        states = self._issues.states(green.campaign)
        if not states:
            self.broken(f"{where}, and no such campaign was ever issued")
        if green.serial and not any(state.found_by for state in states):
            holders = self._given.get((green.campaign, green.serial))
            if holders is None:
                self.broken(f"{where}, and it was never given out")
            if green.holder not in holders:
                self.broken(f"{where} for holder {green.holder:x}, and it was given to {min(holders):x}")
        stopped_ms = self._stopped_ms.get(green.campaign)
        if stopped_ms is not None and self._healed_ms is not None and not green.again:
            known_ms = max(stopped_ms, self._healed_ms) + CONVERGED_AFTER_MS
            if green.at_ms > known_ms:
                self.broken(f"{where}; it stands as stopped since {stopped_ms}, and nothing was wrong any more")
        use = (green.device, green.campaign, green.serial)
        if green.again and (not green.serial or use in self._seen):
            return
        self._seen.add(use)
        if green.holder and self._issues.policies(green.campaign) == {Policy.ONLINE}:
            self._person(green)

    def _person(self, green: Green) -> None:
        limit = self._issues.per_person(green.campaign)
        if limit is None:
            return
        tally = self._persons.setdefault((green.campaign, green.holder), Tally())
        if green.sale in self._asked:
            return  # taken back before it was seen
        if green.sale:
            self._of_sale.setdefault(green.sale, []).append(green)
        tally.add(Spent(green.at_ms, green.device, 1, 0))
        if tally.count > limit and tally.count > limit + (allowed := tally.allowed_beyond(self._losses)[0]):
            self.broken(
                f"holder {green.holder:x} has had {tally.count} of campaign {green.campaign}, which allows {limit} to"
                f" each, and disks and units that were given up explain {allowed} more; the last from {green.device}"
            )
