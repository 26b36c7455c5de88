"""One random story in the life of a shop, from one seed: shoppers at three lanes while everything goes wrong.

Lines are cut and healed by packet filter, in one direction or both; lanes lose their power, also in the middle of a
scan; the hub is killed; one lane comes back with an old disk; clocks say 1970 and 2040; the issuer stops a campaign
while some lanes can't hear it. Then all is healed, and `check` holds what shoppers saw against the limits.

The bounds are counted from green lights. A disk is read for two things only: what an image held before it was put
back (the most that it can spend a second time), and whether a lane had heard of the stop when it said yes.
"""

from __future__ import annotations

import shutil
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Final

from hal.decode.accept import GONE_MS
from loyalty.campaign import Campaign
from loyalty.reason import ACCEPTING, Reason
from tests.netns import BOTH_WAYS, LAN, WAN
from tests.scenario.net_house import (
    ANSWER_S,
    ASK_WAIT_MS,
    BOX,
    CAMPAIGNS,
    FEW,
    HOME,
    LANES,
    MANY,
    ONE,
    ONLINE,
    SIGNED,
    START_S,
    STOPPED,
    Code,
    Fact,
    NetHouse,
    NetLane,
    Scan,
    facts_on,
    part_on,
    taken_on,
)
from tests.servers import wait_until

GIVEN: Final = {
    SIGNED.id: 60, ONLINE.id: 30, ONE.id: 8, FEW.id: 40, MANY.id: 120, HOME.id: 40, STOPPED.id: 150,
}  # fmt: skip
WEIGHTS: Final = {SIGNED: 4, ONLINE: 2, ONE: 1, FEW: 2, MANY: 6, HOME: 4, STOPPED: 4}
ROUND_S: Final = 0.3  # from shopper to shopper
SLACK_MS: Final = 2_500  # of a busy machine, beyond what a unit promises
LEASED: Final = (ONE, FEW, MANY, STOPPED)
YEAR_2040_MS: Final = 2_208_988_800_000
RECENT: Final = 12
TRIES_MAX: Final = 40
SELL_ON_S: Final = 60.0  # until every lane has a part again and knows all that it should
Act = Callable[[], None]

NO_OLD_DISK: Final = "no old disk"
WITNESSED: Final = "old disk with a witness"
UNSEEN: Final = "old disk alone"
ENDINGS: Final = (NO_OLD_DISK, WITNESSED, UNSEEN)  # by the seed: one story of each kind in every three


@dataclass
class OldDisk:
    """A disk of yesterday that was put back into a lane."""

    device: str
    held: dict[int, int]  # campaign -> uses that the image says are left
    lost: set[Fact]  # what the disk held that was taken out, and the image does not
    restored_s: float
    taken: int  # uses that the lost disk had taken from neighbours: nobody's journal says where they are


@dataclass
class Seen:
    """What happened, for the report of a failure and for tests that must have seen each fault."""

    counts: Counter[str] = field(default_factory=Counter)
    log: list[str] = field(default_factory=list)

    def note(self, what: str, detail: str = "") -> None:
        self.counts[what] += 1
        self.log.append(f"{time.monotonic():.2f} {what} {detail}")


class Story:
    """See the module."""

    def __init__(self, house: NetHouse, seed: int, rounds: int) -> None:
        self.house, self.rng, self.rounds = house, Random(seed), rounds
        self.seen = Seen()
        self.answers: Counter[str] = Counter()
        self.too_slow: list[str] = []
        self.honoured_after_stop: list[str] = []
        self.cut_short: set[tuple[int, int]] = set()  # what was before a camera when the power went
        self.old_disks: list[OldDisk] = []
        self._fresh = {number: list(codes) for number, codes in house.codes.items()}
        self._recent: list[Code] = []
        self._held_until: dict[tuple[str, str], float] = {}  # when a lane saw a code last
        self._image: Path | None = None
        self._starting: set[str] = set()
        self.ending = ENDINGS[seed % len(ENDINGS)]
        self._imaged = self.rng.choice(LANES)

    # --- the story --------------------------------------------------------------------------------------

    def run(self) -> None:
        plan = self._plan()
        for number in range(self.rounds):
            began_s = time.monotonic()
            for act in plan.get(number, ()):
                act()
            if self.rng.random() < 0.3:
                self._weather()
            self._round()
            _pass(began_s + ROUND_S)
        self._heal()

    def _plan(self) -> dict[int, list[Act]]:
        """What must happen in every story, and about when."""
        plan: dict[int, list[Act]] = {}
        acts: list[tuple[float, Act]] = [
            (0.15, self._take_image),
            (0.20, lambda: self._wrong_clock(0)),
            (0.30, lambda: self._wrong_clock(YEAR_2040_MS)),
            (0.45, self._kill_hub),
            (0.55, self._stop_while_some_are_dark),
            (0.65, self._cut_power_in_a_scan),
        ]
        if self.ending != NO_OLD_DISK:
            acts.append((0.75, self._put_old_disk_back))
        for share, act in acts:
            at = round(self.rounds * (share + self.rng.uniform(-0.04, 0.04)))
            plan.setdefault(at, []).append(act)
        return plan

    def _weather(self) -> None:
        networks, rng = self.house.networks, self.rng
        machine = rng.choice((*LANES, BOX))
        network = rng.choice((WAN, LAN))
        if networks.is_cut(machine, network) or rng.random() < 0.35:
            cut = [(one, where) for one in (*LANES, BOX) for where in (WAN, LAN) if networks.is_cut(one, where)]
            if cut:
                machine, network = rng.choice(cut)
                networks.heal(machine, network)
                self.seen.note("heal", f"{machine} {network}")
            return
        ways = rng.choice((BOTH_WAYS, BOTH_WAYS, BOTH_WAYS, frozenset({"in"}), frozenset({"out"})))
        networks.cut(machine, network, ways)
        self.seen.note(f"cut {network}" if ways == BOTH_WAYS else f"cut {network} one way", f"{machine} {sorted(ways)}")

    # --- what must happen -------------------------------------------------------------------------------

    def _take_image(self) -> None:
        lane = self.house.lanes[self._imaged]
        lane.kill()
        self._image = lane.copy_disk()
        lane.start()
        self.seen.note("image", self._imaged)

    def _wrong_clock(self, wall_ms: int) -> None:
        lane = self.house.lanes[self.rng.choice(LANES)]
        lane.world.set_synchronised(False)
        lane.world.set_clock_offset(wall_ms - time.time_ns() // 1_000_000)
        self.seen.note("clock 2040" if wall_ms else "clock 1970", lane.device)

    def _kill_hub(self) -> None:
        assert self.house.box is not None
        followed = {lane.device: lane.hub for lane in self.house.lanes.values()}
        self.house.box.kill()
        self.house.box = None
        self.seen.note("hub killed", str(followed))

    def _stop_while_some_are_dark(self) -> None:
        for device in self.rng.sample(LANES, 2):
            self.house.networks.cut(device, WAN)
        self.house.stop_campaign(STOPPED)
        self.seen.note("stop")

    def _cut_power_in_a_scan(self) -> None:
        lane = self._ready()[0]
        code = self._fresh[SIGNED.id].pop()
        scan = lane.begin(code)
        wait_until(lambda: "decoded" in scan.steps, ANSWER_S, "the code to be read")
        lane.kill()
        lane.take_away()
        self.cut_short.add((code.campaign, code.serial))
        lane.start()
        wait_until(lambda: lane.started, START_S, "the lane to come back")
        self._scan_all([(lane, code)])
        self.seen.note("power", lane.device)

    def _put_old_disk_back(self) -> None:
        lane, networks = self.house.lanes[self._imaged], self.house.networks
        assert self._image is not None
        if self.ending == WITNESSED:
            for machine in LANES:
                networks.heal(machine, LAN)
        else:
            networks.cut(lane.device, LAN)
            networks.cut(lane.device, WAN)
        image = self._image
        lane.kill()
        before, taken = lane.facts(), taken_on(lane.data)
        lane.restore_disk(image)
        old = OldDisk(
            device=lane.device,
            held={campaign.id: part_on(image, campaign.id) for campaign in LEASED},
            lost=before - facts_on(image),
            restored_s=time.monotonic(),
            taken=taken - taken_on(image),
        )
        self.old_disks.append(old)
        shutil.rmtree(image)
        lane.start()
        self.seen.note(self.ending, f"{lane.device} {old.held}")
        wait_until(lambda: lane.started, START_S, "the old disk to start")
        if self.ending == WITNESSED and old.lost:
            epochs = len(lane.rows("SELECT 1 FROM epochs"))
            self._scan_until(lambda: lane.last("disk_is_old") or len(lane.rows("SELECT 1 FROM epochs")) > epochs)

    def _scan_until(self, over: Callable[[], object]) -> None:
        """Shoppers go on coming until something has happened; for a bounded time."""
        end_s = time.monotonic() + ANSWER_S
        while not over() and time.monotonic() < end_s:
            self._round()

    # --- shoppers ---------------------------------------------------------------------------------------

    def _ready(self) -> list[NetLane]:
        return [lane for lane in self.house.lanes.values() if lane.started]

    def _round(self) -> None:
        """A shopper at each lane, all at once; now and then with copies of the same coupon."""
        rng, scans = self.rng, []
        same = self._choose() if rng.random() < 0.25 else None
        for lane in self._ready():
            code = same or self._choose()
            if self._may_show(lane, code):
                scans.append((lane, code))
        self._scan_all(scans)

    def _choose(self) -> Code:
        if self._recent and self.rng.random() < 0.3:
            return self.rng.choice(self._recent)
        campaign = self.rng.choices(list(WEIGHTS), list(WEIGHTS.values()))[0]
        fresh = self._fresh[campaign.id]
        code = fresh.pop() if fresh else self.rng.choice(self.house.codes[campaign.id])
        self._recent = [*self._recent, code][-RECENT:]
        return code

    def _may_show(self, lane: NetLane, code: Code) -> bool:
        """A camera takes a code that was away for a moment only for the same one, held up still."""
        return time.monotonic() - self._held_until.get((lane.device, code.text), 0.0) > 2 * GONE_MS / 1000

    def _scan_all(self, shown: list[tuple[NetLane, Code]]) -> list[str]:
        stopped = {}
        for lane, code in shown:
            known = lane.knows(STOPPED) if code.campaign == STOPPED.id else None
            stopped[lane.device] = known is not None and known.stopped
        before = len(self.house.greens)
        scans = [lane.begin(code) for lane, code in shown]
        for scan in scans:
            scan.finish()
            self._held_until[scan.lane.device, scan.code.text] = time.monotonic()
        for scan in scans:
            self._take(scan, before, stopped[scan.lane.device])
        return [scan.reason for scan in scans]

    def _take(self, scan: Scan, before: int, knew_of_stop: bool) -> None:
        reason, lane = scan.reason, scan.lane
        self.answers[f"{_name(scan.code.campaign)} {reason}"] += 1
        greens = [g for g in self.house.greens[before:] if g.device == lane.device and g.code == scan.code]
        assert len(greens) == (reason in ACCEPTING), f"{lane.device} said {reason} and showed {len(greens)} greens"
        for green in greens:
            green.again = reason == Reason.OK_AGAIN
        if scan.waited_ms > ASK_WAIT_MS + SLACK_MS:
            self.too_slow.append(f"{lane.device}: {reason} after {scan.waited_ms} ms")
        if greens and knew_of_stop:
            self.honoured_after_stop.append(f"{lane.device}: {scan.code.serial}")

    # --- all is well again ------------------------------------------------------------------------------

    def _heal(self) -> None:
        self.house.networks.heal_all()
        for lane in self.house.lanes.values():
            lane.world.set_clock_offset(0)
            lane.world.set_synchronised(True)
        healed_s = time.monotonic()
        self.house.come_to_rest()
        self.seen.note("rest", f"after {time.monotonic() - healed_s:.1f} s")
        self.house.agree(timeout_s=START_S)
        self.seen.note("one hub", f"after {time.monotonic() - healed_s:.1f} s")
        for lane in self.house.lanes.values():
            self._sells_on(lane)
        self.seen.note("sells on", f"after {time.monotonic() - healed_s:.1f} s")
        if self.ending == NO_OLD_DISK:
            self._sell_out()
        self.house.come_to_rest()

    def _sells_on(self, lane: NetLane) -> None:
        """What is left is within reach of every lane; what is used up, or stopped, of none."""
        self._until(lane, STOPPED, Reason.STOPPED)
        self._until(lane, SIGNED, Reason.OK)
        self._until(lane, MANY, Reason.OK)
        self._until(lane, ONLINE, Reason.OK)
        used = [green.code for green in self.house.greens if green.code.campaign == ONLINE.id][:1]
        for code in used:
            _pass(self._held_until.get((lane.device, code.text), 0.0) + 2 * GONE_MS / 1000)
            self._scan_all([(lane, code)])

    def _until(self, lane: NetLane, campaign: Campaign, reason: Reason) -> None:
        """Shoppers come with fresh coupons until one is told `reason`."""
        if campaign != STOPPED:  # of which none is given out any more
            self.house.give({campaign.id: TRIES_MAX})
            self._fresh[campaign.id] = self.house.codes[campaign.id][-TRIES_MAX:]
        codes = self._fresh[campaign.id]
        end_s = time.monotonic() + SELL_ON_S
        while (answer := self._scan_all([(lane, codes.pop())])[0]) != reason:
            assert codes, f"{lane.device} still says {answer} to {campaign.name}"
            assert time.monotonic() < end_s, f"{lane.device} still says {answer} to {campaign.name}"
            _pass(time.monotonic() + 1)

    def _sell_out(self) -> None:
        """Nothing was lost: so the last of the few finds its shopper, wherever that one stands."""
        end_s = time.monotonic() + SELL_ON_S
        while sum(self.house.shown(FEW).values()) < (FEW.cap or 0):
            assert time.monotonic() < end_s, "uses of the cap are nowhere to be had"
            self.house.give({FEW.id: 1})
            lane = self.rng.choice(list(self.house.lanes.values()))
            self._scan_all([(lane, self.house.codes[FEW.id][-1])])

    def told(self) -> str:
        """The story, for whoever looks into a failure."""
        return "\n".join([*self.seen.log, *(f"{many} {what}" for what, many in sorted(self.answers.items()))]) + "\n"

    # --- what must be true ------------------------------------------------------------------------------

    def check(self) -> None:
        self._check_caps()
        self._check_homes()
        self._check_books()
        assert not self.honoured_after_stop
        assert not self.too_slow
        assert self.house.under_way <= sum(old.taken for old in self.old_disks), "what was handed over has arrived"
        for campaign in (ONLINE,):
            assert max(self.house.shown(campaign).values(), default=0) <= 1

    def _beyond(self, campaign: Campaign) -> int:
        """What old disks may have spent a second time: what they held, and no more than they were seen to spend."""
        beyond = 0
        for old in self.old_disks:
            spent = [
                green
                for green in self.house.greens
                if green.device == old.device and green.code.campaign == campaign.id and green.mono_s > old.restored_s
            ]
            if self.ending == UNSEEN:
                beyond += min(old.held[campaign.id], len(spent))
        return beyond

    def _check_caps(self) -> None:
        for campaign in LEASED:
            shown, beyond = sum(self.house.shown(campaign).values()), self._beyond(campaign)
            assert shown <= (campaign.cap or 0) + beyond, f"{campaign.name}: {shown} greens, {beyond} of old disks"

    def _check_homes(self) -> None:
        forgotten = {
            fact.serial
            for old in self.old_disks
            if self.ending == UNSEEN
            for fact in old.lost
            if fact.campaign == HOME.id
        }
        twice = {serial for serial, many in self.house.shown(HOME).items() if many > 1}
        assert twice <= forgotten, f"home serials honoured twice: {twice - forgotten}"

    def _check_books(self) -> None:
        """Whatever survived on a disk is booked exactly once, and whatever was shown was on a disk."""
        house = self.house
        on_disks: set[Fact] = set().union(*(lane.facts() for lane in house.lanes.values()))
        lost = set().union(*(old.lost for old in self.old_disks)) if self.old_disks else set()
        booked = Counter(
            bytes(row[0])
            for row in house.centre_rows(
                "SELECT f.body FROM redemptions r JOIN facts f ON f.epoch_id = r.epoch_id AND f.seq = r.seq"
            )
        )
        assert set(booked.values()) <= {1}, "a fact was booked twice"
        missing = {fact for fact in on_disks if fact.body not in booked}
        assert not missing, f"{len(missing)} facts that survived are not booked"
        known = {fact.body for fact in on_disks | lost}
        assert set(booked) <= known, "the centre booked what no disk ever held"
        held = Counter((fact.campaign, fact.serial) for fact in on_disks | lost)
        shown = Counter(
            {(campaign.id, serial): many for campaign in CAMPAIGNS for serial, many in house.shown(campaign).items()}
        )
        assert shown <= held, "green was shown before it was on a disk"
        unseen = set((held - shown).keys()) - self.cut_short
        assert not unseen, f"facts of which nobody saw a green: {unseen}"
        doubled = {key for key, many in house.booked().items() if many > 1}
        flagged = {
            (campaign, serial % 2**64)
            for campaign, serial in house.centre_rows("SELECT campaign, serial FROM conflicts")
        }
        assert doubled <= flagged, f"second uses that nobody is told of: {doubled - flagged}"


def _pass(until_s: float) -> None:
    wait_until(lambda: time.monotonic() > until_s, ROUND_S + ANSWER_S, "the next shopper")


def _name(campaign: int) -> str:
    return next(one.name for one in CAMPAIGNS if one.id == campaign)
