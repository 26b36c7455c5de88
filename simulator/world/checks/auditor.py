"""The auditor: the centre's counts of campaigns, coupons and persons, recomputed from what was seen and from the facts.

At each green: the campaign was issued and the coupon was given out, to that holder (codes that anybody can print
apart); long after the faults stopped, no campaign that stands as stopped says yes; and under `online`, which alone
holds it, no person has more than the campaign allows.

At rest, for each campaign of the centre:

    redeemed      distinct serials, and uses without a serial, among the facts that are booked
    given_out     the coupons in its table, each of which somebody was given; those that were given and not forgotten
                  with a restore are all there
    stock_left    the stock less what was given out, and never below zero
    per person    uses beyond what one person may have are flagged, each of them
"""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import ClassVar

from loyalty.campaign import Campaign, Policy
from simulator.world.checks import booked, disks
from simulator.world.checks.allowances import Spent, Tally
from simulator.world.checks.base import Watch
from simulator.world.checks.booked import BookedUse, Odd
from simulator.world.checks.disks import Disk, Unreadable, unsigned
from simulator.world.checks.issued import Issues, campaigns
from simulator.world.checks.losses import Losses
from simulator.world.checks.one_use_per_serial import CONVERGED_AFTER_MS
from simulator.world.observe import AtRest, CentreDown, Downloaded, Green, Healed, Issued, Seen


class Auditor(Watch):
    """See the module."""

    name: ClassVar = "auditor"

    def __init__(self) -> None:
        self._issues = Issues()
        self._losses = Losses()
        self._given: dict[tuple[int, int], Downloaded] = {}
        self._stopped_ms: dict[int, int] = {}  # campaigns that stand as stopped, since when
        self._healed_ms: int | None = None
        self._persons: dict[tuple[int, int], Tally] = {}
        self._seen: set[tuple[str, int, int]] = set()
        self._centre_downs = 0

    def saw(self, seen: Seen) -> None:
        self._issues.saw(seen)
        self._losses.saw(seen)
        if isinstance(seen, Green):
            self._green(seen)
        elif isinstance(seen, Downloaded):
            self._downloaded(seen)
        elif isinstance(seen, Issued):
            if not seen.campaign.stopped:
                self._stopped_ms.pop(seen.campaign.id, None)
            else:
                self._stopped_ms.setdefault(seen.campaign.id, seen.at_ms)
        elif isinstance(seen, Healed):
            self._healed_ms = seen.at_ms
        elif isinstance(seen, CentreDown):
            self._centre_downs += 1

    def _downloaded(self, given: Downloaded) -> None:
        key = (given.campaign, given.serial)
        before = self._given.get(key)
        if given.serial and before is not None:
            self.broken(
                f"serial {given.serial:x} of campaign {given.campaign} was given out at {before.at_ms}"
                f" and again at {given.at_ms}"
            )
        self._given[key] = given

    # --- at each green ----------------------------------------------------------------------------------

    def _green(self, green: Green) -> None:
        where = f"{green.device} honoured serial {green.serial:x} of campaign {green.campaign} at {green.at_ms}"
        states = self._issues.states(green.campaign)
        if not states:
            self.broken(f"{where}, and no such campaign was ever issued")
        if green.serial and not any(state.found_by for state in states):
            given = self._given.get((green.campaign, green.serial))
            if given is None:
                self.broken(f"{where}, and it was never given out")
            if given.holder != green.holder:
                self.broken(f"{where} for holder {green.holder:x}, and it was given to {given.holder:x}")
        stopped_ms = self._stopped_ms.get(green.campaign)
        if stopped_ms is not None and self._healed_ms is not None and not green.again:
            known_ms = max(stopped_ms, self._healed_ms) + CONVERGED_AFTER_MS
            if green.at_ms > known_ms:
                self.broken(f"{where}; it stands as stopped since {stopped_ms}, and nothing was wrong any more")
        use = (green.device, green.campaign, green.serial)
        if green.again and (not green.serial or use in self._seen):
            return
        self._seen.add(use)
        if green.holder and {state.policy for state in states} == {Policy.ONLINE}:
            self._person(green)

    def _person(self, green: Green) -> None:
        limit = self._issues.per_person(green.campaign)
        if limit is None:
            return
        tally = self._persons.setdefault((green.campaign, green.holder), Tally())
        tally.add(Spent(green.at_ms, green.device, 1, 0))
        if tally.count > limit and tally.count > limit + (allowed := tally.allowed_beyond(self._losses)[0]):
            self.broken(
                f"holder {green.holder:x} has had {tally.count} of campaign {green.campaign}, which allows {limit} to"
                f" each, and disks and units that were given up explain {allowed} more; the last from {green.device}"
            )

    # --- at rest ----------------------------------------------------------------------------------------

    def at_rest(self, world: AtRest) -> None:
        try:
            with disks.opened(world.centre) as disk:
                by_campaign: dict[int, list[BookedUse]] = defaultdict(list)
                for row in booked.uses(disk):
                    by_campaign[row.use.campaign].append(row)
                for campaign in campaigns(disk):
                    self._redeemed(campaign, by_campaign[campaign.id], disk)
                    self._per_person(campaign, by_campaign[campaign.id])
                    self._given_out(campaign, disk)
                self._all_there(disk)
        except Odd as error:
            self.broken(str(error))
        except Unreadable as error:
            self.broken(f"the centre's database can't be read: {error}")

    def _redeemed(self, campaign: Campaign, rows: list[BookedUse], disk: Disk) -> None:
        bodies = {(row.device, row.body): row.use for row in rows}
        uses = list(bodies.values())
        expected = len({use.serial for use in uses if use.serial}) + sum(not use.serial for use in uses)
        counted = disk.number("SELECT redeemed FROM campaigns WHERE id = ?", (campaign.id,))
        if counted != expected and not (self._issues.forgotten(campaign.id) and counted < expected):
            self.broken(f"campaign {campaign.id} counts {counted} uses, the facts {expected}")

    def _per_person(self, campaign: Campaign, rows: list[BookedUse]) -> None:
        limit = self._issues.per_person(campaign.id)
        if limit is None:
            return
        uses: Counter[int] = Counter()
        flagged: Counter[int] = Counter()
        for row in rows:
            if row.counts and row.state != booked.DOUBLE and row.use.holder:
                uses[row.use.holder] += 1
                flagged[row.use.holder] += bool(row.flags & booked.FLAG_OVER_PERSON_LIMIT)
        for holder, count in uses.items():
            if count - limit > flagged[holder]:
                self.broken(
                    f"holder {holder:x} has had {count} of campaign {campaign.id}, which allows {limit} to each,"
                    f" and {flagged[holder]} are flagged"
                )

    def _given_out(self, campaign: Campaign, disk: Disk) -> None:
        given_out, stock_left = disk.rows("SELECT given_out, stock_left FROM campaigns WHERE id = ?", (campaign.id,))[0]
        coupons = disk.number("SELECT count(*) FROM coupons WHERE campaign = ?", (campaign.id,))
        if given_out != coupons:
            self.broken(f"campaign {campaign.id} says that {given_out} coupons were given out, its table has {coupons}")
        stocks = {state.stock for state in self._issues.states(campaign.id)}
        if len(stocks) == 1 and (stock := stocks.pop()) is not None and stock_left != stock - given_out:
            self.broken(f"campaign {campaign.id} had {stock}, gave out {given_out}, and has {stock_left} left")
        if stock_left is not None and stock_left < 0:
            self.broken(f"campaign {campaign.id} has {stock_left} left")

    def _all_there(self, disk: Disk) -> None:
        there: dict[tuple[int, int], int] = {}
        for campaign, serial, holder in disk.rows(
            "SELECT c.campaign, c.serial, p.holder FROM coupons c LEFT JOIN persons p ON p.id = c.person_id"
            " WHERE c.serial <> 0"
        ):
            there[campaign, unsigned(serial)] = holder or 0
        for key, given in self._given.items():
            if not given.serial or self._losses.forgot_what_came(given.at_ms):
                continue
            if there.get(key) != given.holder:
                self.broken(
                    f"serial {given.serial:x} of campaign {given.campaign} was given to holder {given.holder:x}"
                    f" at {given.at_ms}, and the centre knows nothing of that"
                )
        unheard = [key for key in there if key not in self._given]
        if len(unheard) > self._centre_downs:
            self.broken(
                f"the centre has {len(unheard)} coupons that nobody was given, the first with serial {unheard[0][1]:x}"
                f" of campaign {unheard[0][0]}; it went down {self._centre_downs} times"
            )
