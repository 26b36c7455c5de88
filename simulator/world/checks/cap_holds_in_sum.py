"""Caps and budgets hold in sum (promise 3), whoever is cut off, killed or restored from a backup.

At each green, for campaigns whose policy could always hold a limit (`online`, `lease`): the uses that were seen are at
most the cap, and the yen at most the budget, the highest that the issuer ever set, plus what `allowances` counts from
what was done to disks and units. A yes that was said again counts if nobody had seen it before.

At rest, for every campaign that has a limit now: what is booked of uses that the limit was to hold is at most the limit
plus the exposure that the centre's own books show for it (`limits-add-up` recounts that exposure).

A campaign that had another policy, or no limit, before can be held to one only from when every unit has heard of it:
it is not judged at each green, and at rest only by the uses that were decided under a holding policy.
"""

from __future__ import annotations

from typing import ClassVar

from loyalty.campaign import HOLDING, Campaign
from simulator.world.checks import booked, stores
from simulator.world.checks.allowances import Spent, Tally
from simulator.world.checks.base import Watch
from simulator.world.checks.booked import BookedUse, Odd
from simulator.world.checks.issued import Issues, campaigns
from simulator.world.checks.losses import Losses
from simulator.world.checks.sales import Asked
from simulator.world.checks.stores import Disk, Unreadable
from simulator.world.observe import AtRest, Green, Seen, TakenBack


class CapHoldsInSum(Watch):
    """See the module."""

    name: ClassVar = "cap-holds-in-sum"

    def __init__(self) -> None:
        self._issues = Issues()
        self._losses = Losses()
        self._tallies: dict[int, Tally] = {}
        self._seen: set[tuple[str, int, int]] = set()  # unit, campaign, serial
        self._asked = Asked()
        self._of_sale: dict[bytes, list[Green]] = {}

    def saw(self, seen: Seen) -> None:
        self._issues.saw(seen)
        self._losses.saw(seen)
        if isinstance(seen, Green):
            self._green(seen)
        elif isinstance(seen, TakenBack) and self._asked.add(seen.sale, seen.yen):
            for green in self._of_sale.pop(seen.sale, []):
                self._tallies[green.campaign].back(1, green.cost_yen)

    def _green(self, green: Green) -> None:
        use = (green.device, green.campaign, green.serial)
        if green.again and (not green.serial or use in self._seen):
            return
        if green.serial:
            self._seen.add(use)
        tally = self._tallies.setdefault(green.campaign, Tally())
        if green.sale in self._asked:
            return  # taken back before it was seen
        if green.sale:
            self._of_sale.setdefault(green.sale, []).append(green)
        tally.add(Spent(green.at_ms, green.device, 1, green.cost_yen))
        if not self._issues.always_held(green.campaign):
            return
        cap, budget_yen = self._issues.cap(green.campaign), self._issues.budget_yen(green.campaign)
        over = 0 if cap is None else tally.count - cap
        over_yen = 0 if budget_yen is None else tally.yen - budget_yen
        if over <= 0 and over_yen <= 0:
            return
        allowed, allowed_yen = tally.allowed_beyond(self._losses)
        if over > allowed:
            self.broken(
                f"campaign {green.campaign} was used {tally.count} times, its cap is {cap}, and disks and units that"
                f" were given up explain {allowed} more; the last by {green.device} at {green.at_ms}"
            )
        if over_yen > allowed_yen:
            self.broken(
                f"campaign {green.campaign} took off {tally.yen} yen, its budget is {budget_yen}, and disks and units"
                f" that were given up explain {allowed_yen} more; the last by {green.device} at {green.at_ms}"
            )

    def at_rest(self, world: AtRest) -> None:
        try:
            with stores.opened(world.centre) as disk:
                uses = [row for row in booked.uses(disk) if row.stands and row.use.policy in HOLDING]
                for campaign in campaigns(disk):
                    if campaign.policy in HOLDING:
                        self._covered(campaign, [row for row in uses if row.use.campaign == campaign.id], disk)
        except Odd as error:
            self.broken(str(error))
        except Unreadable as error:
            self.broken(f"the centre's database can't be read: {error}")

    def _covered(self, campaign: Campaign, uses: list[BookedUse], disk: Disk) -> None:
        cap, budget_yen = self._issues.cap(campaign.id), self._issues.budget_yen(campaign.id)
        if cap is None and budget_yen is None:
            return
        row = disk.row(
            "SELECT exposure_count, exposure_yen FROM pots WHERE kind = 'c' AND id = ? AND holder = 0", (campaign.id,)
        )
        exposure, exposure_yen = row if row is not None else (0, 0)
        tally = self._tallies.get(campaign.id, Tally())
        reported_again = sum(row.device in self._losses.written_off for row in uses if not row.use.leased)
        count, yen = len(uses), sum(row.use.cost_yen for row in uses)
        if cap is not None and count > cap + exposure + reported_again:
            self.broken(
                f"{count} uses of campaign {campaign.id} are booked, its cap is {cap}, and its exposure only {exposure}"
                f" ({tally.count} were seen)"
            )
        if budget_yen is not None and yen > budget_yen + exposure_yen and not reported_again:
            self.broken(
                f"{yen} yen of campaign {campaign.id} are booked, its budget is {budget_yen}, and its exposure only"
                f" {exposure_yen} ({tally.yen} were seen)"
            )
