"""No serial counts twice outside what its campaign's policy allows (DESIGN, 'What may be decided alone').

Held against each green as it is seen. A second use of a serial (after a first one, at any unit) is allowed only:

    online    never, but at the unit of the first use where its disk lost that use: its question is asked anew.
              Elsewhere only where the centre forgot the first use with a restore too, and its unit had lost it or was
              written off
    home      where the disk of the first use's unit lost it; where a unit of the home, or of either use, was written
              off or had its disk restored or spoilt before the second: it may have forgotten that the serial left, or
              was honoured. (A serial whose home is the centre: as online.)
    lease     at another unit than the first; at the same one where its disk lost the first
    signed    the same
    open      has no serials

'Lost' is `losses`: decided after the image that the disk was restored from, or before a spoilt disk was salvaged. A
campaign whose policy changed is held to the loosest that it ever had; one that units may still know from before can't
be held to more. Power cuts, kills, lost messages, restarts and restores of the centre alone allow nothing.

From CONVERGED_AFTER_MS after the faults stopped no policy allows a second use of what was used before: everybody knows.

At rest, of all booked uses of a serial one is its use, each further one is flagged double and has a conflict that
stands; uses too many that units gave alone under `signed` are counted on the campaign, and a campaign that is past its
limit is `online`.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import ClassVar, Final

from loyalty.campaign import Campaign, Policy
from simulator.world.checks import booked, stores
from simulator.world.checks.base import Watch
from simulator.world.checks.booked import BookedUse, Odd
from simulator.world.checks.issued import Issues, campaigns
from simulator.world.checks.losses import Losses
from simulator.world.checks.sales import Asked
from simulator.world.checks.stores import Disk, Unreadable
from simulator.world.observe import AtRest, Downloaded, Enrolled, Green, Healed, Seen, TakenBack

CONVERGED_AFTER_MS: Final = 600_000  # after the faults stopped: several pulls and resends at their longest pauses


class OneUsePerSerial(Watch):
    """See the module."""

    name: ClassVar = "one-use-per-serial"

    def __init__(self) -> None:
        self._uses: dict[tuple[int, int], list[Green]] = {}
        self._losses = Losses()
        self._issues = Issues()
        self._asked = Asked()
        self._home: dict[tuple[int, int], str] = {}
        self._units: dict[str, set[str]] = defaultdict(set)  # of each site, ever
        self._healed_ms: int | None = None

    def saw(self, seen: Seen) -> None:
        self._losses.saw(seen)
        self._issues.saw(seen)
        if isinstance(seen, Green):
            if seen.serial:
                self._used(seen)
        elif isinstance(seen, TakenBack):
            self._asked.add(seen.sale, seen.yen)
        elif isinstance(seen, Downloaded):
            self._home[seen.campaign, seen.serial] = seen.home
        elif isinstance(seen, Enrolled):
            self._units[seen.site].add(seen.device)
        elif isinstance(seen, Healed):
            self._healed_ms = seen.at_ms

    def _used(self, green: Green) -> None:
        key = (green.campaign, green.serial)
        uses = self._uses.setdefault(key, [])
        if green.again and any(use.device == green.device for use in uses):
            return  # the yes that was said before
        for first in uses:
            if not self._allowed(first, green):
                policies = "/".join(sorted(self._issues.policies(green.campaign))) or "unknown"
                self.broken(
                    f"serial {green.serial:x} of campaign {green.campaign} ({policies}) was honoured by {first.device}"
                    f" at {first.at_ms} and by {green.device} at {green.at_ms}"
                )
        uses.append(green)

    def _allowed(self, first: Green, second: Green) -> bool:
        if first.sale in self._asked:
            return True  # its sale was brought back
        losses, policies = self._losses, self._issues.policies(first.campaign)
        lost = losses.gone(first.device, first.at_ms)
        settled_ms = None if self._healed_ms is None else self._healed_ms + CONVERGED_AFTER_MS
        if settled_ms is not None and second.at_ms > settled_ms and first.at_ms <= settled_ms - CONVERGED_AFTER_MS:
            return lost or losses.gave_up(first.device, second.at_ms) or losses.gave_up(second.device, second.at_ms)
        if policies & {Policy.SIGNED, Policy.LEASE, Policy.OPEN}:
            return lost or first.device != second.device
        if Policy.HOME in policies and self._home.get((first.campaign, first.serial)) != "":
            return lost or any(
                losses.gave_up(device, second.at_ms) or losses.knew_less(device, first.at_ms, second.at_ms)
                for device in self._about(first, second)
            )
        forgot = losses.centre_forgot(first.at_ms, second.at_ms)
        if lost:
            return forgot or first.device == second.device
        return forgot and losses.gave_up(first.device, second.at_ms)

    def _about(self, first: Green, second: Green) -> set[str]:
        """The units whose word about the home of a serial may have been heard."""
        home = self._home.get((first.campaign, first.serial), "")
        return self._units[home] | self._units[first.site] | self._units[second.site] | {first.device, second.device}

    # --- at rest ----------------------------------------------------------------------------------------

    def at_rest(self, world: AtRest) -> None:
        try:
            with stores.opened(world.centre) as disk:
                uses = [row for row in booked.uses(disk) if row.stands]
                self._flagged(uses, disk)
                self._exposed(uses, disk)
        except Odd as error:
            self.broken(str(error))
        except Unreadable as error:
            self.broken(f"the centre's database can't be read: {error}")

    def _flagged(self, uses: list[BookedUse], disk: Disk) -> None:
        conflicts = Counter(
            (row[0], row[1])
            for row in disk.rows(
                "SELECT second_epoch, second_seq FROM conflicts WHERE kind = 'double' AND state <> 'withdrawn'"
            )
        )
        by_serial: dict[tuple[int, int], list[BookedUse]] = defaultdict(list)
        for row in uses:
            if row.use.serial:
                by_serial[row.use.campaign, row.use.serial].append(row)
            elif row.state == booked.DOUBLE:
                self.broken(f"redemption {row.id} without a serial is called a double")
        for (campaign, serial), rows in by_serial.items():
            doubles = [row for row in rows if row.state == booked.DOUBLE]
            if len(doubles) != len(rows) - 1:
                self.broken(
                    f"serial {serial:x} of campaign {campaign} was used {len(rows)} times,"
                    f" and {len(doubles)} of them are flagged as doubles"
                )
            for row in rows:
                flagged = bool(row.flags & booked.FLAG_DOUBLE)
                stands = conflicts[row.epoch_id, row.seq]
                if (flagged, stands) != ((True, 1) if row.state == booked.DOUBLE else (False, 0)):
                    self.broken(
                        f"redemption {row.id} of serial {serial:x} of campaign {campaign} is '{row.state}',"
                        f" {'flagged' if flagged else 'not flagged'} as a double, with {stands} conflicts of that kind"
                    )

    def _exposed(self, uses: list[BookedUse], disk: Disk) -> None:
        too_many: Counter[int] = Counter()
        for row in uses:
            if row.use.policy == Policy.SIGNED and row.flags & (booked.FLAG_DOUBLE | booked.FLAG_OVER_PERSON_LIMIT):
                too_many[row.use.campaign] += 1
        charged = {row[0]: row[1:] for row in disk.rows("SELECT id, exposed, exposed_yen FROM campaigns")}
        for campaign in campaigns(disk):
            exposed, exposed_yen = charged[campaign.id]
            expected = too_many[campaign.id]
            known_late = self._issues.forgotten(campaign.id)
            if exposed != expected and not (known_late and exposed <= expected):
                self.broken(
                    f"campaign {campaign.id}: {expected} uses too many were given alone,"
                    f" {exposed} are counted as exposure"
                )
            self._turned(campaign, exposed, exposed_yen)

    def _turned(self, campaign: Campaign, exposed: int, exposed_yen: int) -> None:
        if campaign.policy is not Policy.SIGNED:
            return
        for what, charged, limit in (
            ("uses", exposed, campaign.exposure_limit),
            ("yen", exposed_yen, campaign.exposure_limit_yen),
        ):
            if limit is not None and charged > limit:
                self.broken(
                    f"campaign {campaign.id} is 'signed' with {charged} {what} of exposure, past its limit of {limit}"
                )
