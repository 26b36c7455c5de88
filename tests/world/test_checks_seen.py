"""What checkers say at each step: short histories, made by hand, with one thing wrong or just allowed."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import msgspec
import pytest

from loyalty.campaign import Campaign, Policy
from simulator.world.checks.cap_holds_in_sum import CapHoldsInSum
from simulator.world.checks.one_use_per_serial import CONVERGED_AFTER_MS, OneUsePerSerial
from simulator.world.checks.only_what_was_given import OnlyWhatWasGiven
from simulator.world.checks.points import PointsWithinFloors
from simulator.world.checks.reasons import NoInternalError
from simulator.world.checks.shown_is_on_disk import ShownIsOnDisk
from simulator.world.checks.unseen_yes_is_repeated import UnseenYesIsRepeated
from simulator.world.eyes import Fatal
from simulator.world.observe import (
    Blank,
    CentreRestored,
    Checker,
    DiskFull,
    DiskRestored,
    DiskSpoilt,
    Down,
    Downloaded,
    Enrolled,
    FloorSet,
    Green,
    Healed,
    Issued,
    PointsSeen,
    Refused,
    Seen,
    Started,
    UnitAtRest,
    Violation,
    WrittenOff,
)
from tests.shops import Shops
from tests.world.story import (
    CAMPAIGNS,
    HOME,
    LANES,
    LEASE,
    ONLINE,
    OPEN,
    PERSONAL,
    PLAIN,
    SIGNED,
    Story,
    killed,
    told,
)

BOOT = b"b" * 8
SITES = {"a": "ginza", "b": "ginza", "c": "ueno"}


def green(device: str, at_ms: int, campaign: int, serial: int = 5, again: bool = False, cost_yen: int = 0) -> Green:
    return Green(at_ms, device, SITES[device], BOOT, at_ms, campaign, serial, 0, cost_yen, again)


def refused(device: str, at_ms: int, reason: str, serial: int = 5) -> Refused:
    return Refused(at_ms, device, SITES[device], 4, serial, reason)


def begun(*campaigns: Campaign) -> list[Seen]:
    """Units and campaigns are there, and serial 5 of each was given out."""
    units: list[Seen] = [Enrolled(0, device, site) for device, site in SITES.items()]
    issued: list[Seen] = [Issued(0, campaign) for campaign in campaigns]
    given: list[Seen] = [Downloaded(1, campaign.id, 5, 0, "ginza") for campaign in campaigns if campaign.serials]
    return [*units, *issued, *given]


def broken(checker: Checker, seen: list[Seen], words: str) -> None:
    *before, last = seen
    told(checker, before)
    with pytest.raises(Violation, match=words) as found:
        checker.saw(last)
    assert found.value.checker == checker.name


# --- one use per serial -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("campaign", [ONLINE, HOME])
@pytest.mark.parametrize("second", ["a", "b", "c"])
def test_online_and_home_count_a_serial_once_wherever_it_is_shown(campaign: Campaign, second: str) -> None:
    seen = [*begun(campaign), green("a", 10, campaign.id), green(second, 20, campaign.id)]
    broken(
        OneUsePerSerial(), seen, rf"serial 5 of campaign {campaign.id} \({campaign.policy}\) was honoured by a at 10"
    )


@pytest.mark.parametrize("campaign", [LEASE, SIGNED])
def test_lease_and_signed_count_it_once_at_each_unit(campaign: Campaign) -> None:
    seen = [*begun(campaign), green("a", 10, campaign.id)]
    told(OneUsePerSerial(), [*seen, green("b", 20, campaign.id)])
    broken(OneUsePerSerial(), [*seen, green("a", 20, campaign.id)], "by a at 10 and by a at 20")


def test_the_same_yes_said_again_is_no_second_use() -> None:
    told(OneUsePerSerial(), [*begun(ONLINE), green("a", 10, 1), green("a", 20, 1, again=True)])
    seen = [*begun(ONLINE), green("a", 10, 1), green("b", 20, 1, again=True)]
    broken(OneUsePerSerial(), seen, "by a at 10 and by b at 20")


FAULTS: list[tuple[Campaign, str, list[Seen], bool]] = [
    # power cuts, kills, and restores of the centre alone allow nothing
    (ONLINE, "a", [Down(15, "a", BOOT, 15, True), Started(16, "a", BOOT)], False),
    (ONLINE, "b", [CentreRestored(15, 5)], False),
    (HOME, "b", [CentreRestored(15, 5)], False),
    # the first use was lost with its disk
    (ONLINE, "a", [DiskRestored(15, "a", 5)], True),
    (ONLINE, "a", [DiskSpoilt(15, "a")], True),
    (ONLINE, "b", [DiskRestored(15, "a", 5)], False),
    (ONLINE, "b", [DiskRestored(15, "a", 5), CentreRestored(16, 5)], True),
    (HOME, "b", [DiskRestored(15, "a", 5)], True),
    (LEASE, "a", [DiskRestored(15, "a", 5)], True),
    (SIGNED, "a", [DiskSpoilt(15, "a")], True),
    # ... or was in the image
    (ONLINE, "a", [DiskRestored(15, "a", 12)], False),
    (HOME, "a", [DiskRestored(15, "a", 12)], False),
    (SIGNED, "a", [DiskRestored(15, "a", 12)], False),
    # another disk of the home is old, or too young an image to have forgotten
    (HOME, "b", [DiskRestored(15, "b", 5)], True),
    (HOME, "c", [DiskRestored(15, "b", 5)], True),
    (HOME, "b", [DiskRestored(15, "b", 12)], False),
    (ONLINE, "b", [DiskRestored(15, "b", 5)], False),
    # a unit was given up
    (HOME, "b", [WrittenOff(15, "a")], True),
    (ONLINE, "b", [WrittenOff(15, "a")], False),
    (ONLINE, "b", [WrittenOff(15, "a"), CentreRestored(16, 5)], True),
]


@pytest.mark.parametrize(("campaign", "second", "faults", "allowed"), FAULTS)
def test_a_second_use_is_allowed_only_where_the_first_may_have_been_forgotten(
    campaign: Campaign, second: str, faults: list[Seen], allowed: bool
) -> None:
    seen = [*begun(campaign), green("a", 10, campaign.id), *faults, green(second, 20, campaign.id)]
    if allowed:
        told(OneUsePerSerial(), seen)
    else:
        broken(OneUsePerSerial(), seen, "was honoured by a at 10")


def test_a_serial_whose_home_is_the_centre_is_held_like_online() -> None:
    seen = [*begun(), Issued(0, HOME), Downloaded(1, 2, 5, 0, ""), green("a", 10, 2), WrittenOff(15, "a")]
    broken(OneUsePerSerial(), [*seen, green("b", 20, 2)], "was honoured by a at 10")


def test_long_after_the_faults_stopped_every_unit_knows_what_was_used() -> None:
    seen = [*begun(SIGNED), green("a", 10, 4), Healed(20)]
    told(OneUsePerSerial(), [*seen, green("b", 30, 4)])
    broken(OneUsePerSerial(), [*seen, green("b", 21 + CONVERGED_AFTER_MS, 4)], "by a at 10 and by b")


# --- caps ---------------------------------------------------------------------------------------------------------


def used(campaign: Campaign, devices: str, cost_yen: int = 0, from_ms: int = 10) -> list[Seen]:
    numbers = enumerate(devices, start=from_ms)
    return [
        green(one, at_ms, campaign.id, 1_000 + at_ms if campaign.serials else 0, cost_yen=cost_yen)
        for at_ms, one in numbers
    ]


THREE = msgspec.structs.replace(LEASE, cap=3)


def test_a_cap_holds_in_sum() -> None:
    told(CapHoldsInSum(), [*begun(THREE), *used(THREE, "abc")])
    broken(
        CapHoldsInSum(),
        [*begun(THREE), *used(THREE, "abca")],
        "campaign 3 was used 4 times, its cap is 3, .* explain 0",
    )


def test_a_budget_holds_in_sum() -> None:
    told(CapHoldsInSum(), [*begun(PLAIN), *used(PLAIN, "abc", 500)])
    broken(CapHoldsInSum(), [*begun(PLAIN), *used(PLAIN, "abc", 501)], "took off 1503 yen, its budget is 1500")


def test_a_yes_said_again_counts_once() -> None:
    again = [green("a", 20, 3, 7, again=True), green("a", 21, 3, 7, again=True)]
    told(CapHoldsInSum(), [*begun(THREE), *used(THREE, "bc"), *again])
    broken(CapHoldsInSum(), [*begun(THREE), *used(THREE, "bca"), again[0]], "campaign 3 was used 4 times")


def test_an_old_disk_may_spend_its_part_once_more_and_other_units_may_not() -> None:
    seen = [*begun(THREE), *used(THREE, "aab"), DiskRestored(50, "a", 5)]
    told(CapHoldsInSum(), [*seen, *used(THREE, "aa", from_ms=60)])
    broken(CapHoldsInSum(), [*seen, *used(THREE, "b", from_ms=60)], "explain 0 more")
    broken(CapHoldsInSum(), [*seen, *used(THREE, "aab", from_ms=60)], "explain 2 more")


def test_what_a_unit_that_was_given_up_has_shown_may_be_given_once_more() -> None:
    seen = [*begun(THREE), *used(THREE, "abb"), WrittenOff(50, "a")]
    told(CapHoldsInSum(), [*seen, *used(THREE, "c", from_ms=60)])
    broken(CapHoldsInSum(), [*seen, *used(THREE, "cc", from_ms=60)], "explain 1 more")


def test_what_nobody_knows_of_any_more_may_be_given_once_more() -> None:
    lost: list[Seen] = [*begun(THREE), *used(THREE, "abb"), DiskRestored(50, "a", 5)]
    broken(CapHoldsInSum(), [*lost, *used(THREE, "c", from_ms=60)], "explain 0 more")
    told(CapHoldsInSum(), [*lost, CentreRestored(55, 5), *used(THREE, "c", from_ms=60)])


def test_a_unit_that_was_enrolled_after_the_backup_is_unknown_to_the_centre() -> None:
    seen = [*begun(THREE), Enrolled(9, "a", "ginza"), *used(THREE, "abb")]
    late = [Enrolled(9, "c", "ueno"), *[one for one in seen if not (isinstance(one, Enrolled) and one.device == "c")]]
    told(CapHoldsInSum(), [*late, CentreRestored(50, 8), *used(THREE, "c", from_ms=60)])
    broken(CapHoldsInSum(), [*seen, CentreRestored(50, 8), *used(THREE, "c", from_ms=60)], "explain 0 more")


def test_a_cap_that_came_later_is_not_held_against_what_was_shown_before() -> None:
    before = msgspec.structs.replace(THREE, policy=Policy.SIGNED, cap=None)
    seen = [*begun(before), *used(THREE, "abc"), Issued(30, THREE), *used(THREE, "abc", from_ms=40)]
    told(CapHoldsInSum(), seen)


# --- points -------------------------------------------------------------------------------------------------------


def test_points_stay_within_the_floor_of_the_person_and_of_all() -> None:
    def spent(device: str, at_ms: int, holder: int, points: int) -> PointsSeen:
        return PointsSeen(at_ms, device, SITES[device], BOOT, at_ms, 1, holder, points, False)

    floors: list[Seen] = [FloorSet(0, 1, 0, 100), FloorSet(0, 1, 7, 60), FloorSet(0, 1, 8, 90)]
    seen = [*floors, spent("a", 1, 7, 40), spent("b", 2, 7, 20), spent("a", 3, 8, 40)]
    told(PointsWithinFloors(), seen)
    broken(
        PointsWithinFloors(), [*seen, spent("c", 4, 8, 1)], "101 points of all holders in programme 1 .* floor is 100"
    )
    broken(PointsWithinFloors(), [*seen[:-1], spent("c", 4, 7, 1)], "61 points of holder 7 in programme 1 .* is 60")
    broken(
        PointsWithinFloors(), [spent("a", 1, 9, 1)], "1 points of all holders in programme 1 were spent, the floor is 0"
    )
    earned = spent("c", 4, 7, 1)._replace(earned=True)
    told(PointsWithinFloors(), [*seen, earned])
    told(PointsWithinFloors(), [*seen, DiskRestored(4, "a", 0), spent("a", 5, 7, 40)])


# --- only what was given ------------------------------------------------------------------------------------------


def test_only_what_was_issued_and_given_out_is_honoured() -> None:
    broken(OnlyWhatWasGiven(), [*begun(SIGNED), green("a", 10, 99)], "no such campaign was ever issued")
    broken(OnlyWhatWasGiven(), [*begun(SIGNED), green("a", 10, 4, 6)], "and it was never given out")
    other = green("a", 10, 4)._replace(holder=3)
    broken(OnlyWhatWasGiven(), [*begun(SIGNED), other], "for holder 3, and it was given to 0")
    told(OnlyWhatWasGiven(), [*begun(SIGNED, OPEN), green("a", 10, 4), green("a", 10, 5, 0)])


def test_a_stopped_campaign_says_no_long_after_the_faults_stopped() -> None:
    stopped = msgspec.structs.replace(OPEN, stopped=True)
    seen = [*begun(OPEN), Issued(10, stopped), Healed(20), green("a", 30, 5, 0)]
    told(OnlyWhatWasGiven(), seen)
    broken(OnlyWhatWasGiven(), [*seen, green("a", 21 + CONVERGED_AFTER_MS, 5, 0)], "it stands as stopped since 10")
    told(OnlyWhatWasGiven(), [*seen, Issued(40, OPEN), green("a", 41 + CONVERGED_AFTER_MS, 5, 0)])
    told(OnlyWhatWasGiven(), [*seen[:-1], CentreRestored(40, 10), green("a", 41 + CONVERGED_AFTER_MS, 5, 0)])


def test_under_online_a_person_never_has_more_than_allowed() -> None:
    theirs = [green("a", at_ms, 7, 0)._replace(holder=3) for at_ms in (10, 11, 12)]
    told(OnlyWhatWasGiven(), [*begun(PERSONAL), *theirs[:2]])
    broken(OnlyWhatWasGiven(), [*begun(PERSONAL), *theirs], "holder 3 has had 3 of campaign 7, which allows 2 to each")
    signed = msgspec.structs.replace(PERSONAL, policy=Policy.SIGNED)
    told(OnlyWhatWasGiven(), [*begun(signed), *theirs])


# --- reasons ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("reason", ["internal_error", "KeyError: 5", "an exception", "Traceback", "fault"])
def test_no_shopper_reads_an_internal_error(reason: str) -> None:
    broken(NoInternalError(), [refused("a", 10, reason)], "a refused serial 0000000000000005 of campaign 4 with")


@pytest.mark.parametrize("reason", ["used", "not_now", "out_of_service", "cap_reached"])
def test_reasons_are_words_of_the_trade(reason: str) -> None:
    told(NoInternalError(), [refused("a", 10, reason)])


# --- what was decided and not seen --------------------------------------------------------------------------------


class Died(NamedTuple):
    """A lane that was killed between commit and show, and what the shopper would have seen."""

    seen: list[Seen]
    unit: UnitAtRest
    yes: Green


@pytest.fixture(scope="module")
def died(tmp_path_factory: pytest.TempPathFactory) -> Died:
    with Shops(tmp_path_factory.mktemp("died"), CAMPAIGNS, LANES) as shops:
        given, unit = shops.given(4), shops.unit("lane-1")
        killed(shops, Fatal.UNSEEN, given.text)
        boot, mono_ms = unit.clock.boot, unit.clock.read().mono_ms
        yes = Green(shops.now_ms, unit.device, unit.site, boot, mono_ms, 4, given.coupon.serial, 0, 0, False)
        return Died(shops.seen, unit.at_rest, yes)


def up(died: Died, *seen: Seen) -> UnseenYesIsRepeated:
    checker = UnseenYesIsRepeated()
    told(checker, [*died.seen, *seen])
    checker.came_up(died.unit)
    return checker


def test_what_was_decided_and_never_seen_is_said_again(died: Died) -> None:
    yes = died.yes
    checker = up(died)
    checker.saw(Refused(1, "lane-1", "ginza", 4, yes.serial, "busy"))
    checker.saw(Refused(1, "lane-1", "ginza", 4, 9, "used"))
    checker.saw(yes._replace(again=True))
    checker.saw(Refused(1, "lane-1", "ginza", 4, yes.serial, "used"))


@pytest.mark.parametrize("reason", ["used", "not_now", "cap_reached", "stopped"])
def test_a_refusal_of_what_was_never_seen_is_found(died: Died, reason: str) -> None:
    yes = died.yes
    broken(up(died), [Refused(1, "lane-1", "ginza", 4, yes.serial, reason)], f"said '{reason}' at 1 to serial")


def test_a_second_decision_of_what_was_never_seen_is_found(died: Died) -> None:
    yes = died.yes
    broken(up(died), [yes._replace(mono_ms=yes.mono_ms + 1)], "decided serial .* anew at")


def test_what_was_seen_before_the_plug_was_pulled_need_not_be_repeated(died: Died) -> None:
    yes = died.yes
    checker = up(died, yes)
    checker.saw(Refused(1, "lane-1", "ginza", 4, yes.serial, "used"))


def test_after_a_restore_or_a_salvage_nothing_is_asked_for(died: Died) -> None:
    yes = died.yes
    for fault in (DiskRestored(1, "lane-1", 0), DiskSpoilt(1, "lane-1")):
        up(died, fault).saw(Refused(1, "lane-1", "ginza", 4, yes.serial, "used"))


def test_a_yes_that_was_seen_is_not_repeated_for_ever() -> None:
    once: list[Seen] = [green("a", 10, 4), green("a", 20, 4, again=True)]
    broken(UnseenYesIsRepeated(), once, "a repeated at 20 the yes to serial 5 of campaign 4, which had been seen")
    for fault in (
        Down(15, "a", BOOT, 15, True),
        DiskRestored(15, "a", 5),
        DiskSpoilt(15, "a"),
        Blank(15, "a", BOOT, 15),
    ):
        told(UnseenYesIsRepeated(), [once[0], fault, once[1]])
        broken(UnseenYesIsRepeated(), [once[0], fault, once[1], once[1]], "which had been seen")


def test_what_a_full_disk_did_not_take_is_written_down_before_the_unit_serves_again() -> None:
    yes, full, again = green("a", 10, 4), DiskFull(15, "a", BOOT, 15), green("a", 20, 4, again=True)
    out = Refused(16, "a", "ginza", 0, 0, "out_of_service")
    told(UnseenYesIsRepeated(), [yes, full, out, Down(17, "a", BOOT, 17, False), again])
    broken(UnseenYesIsRepeated(), [yes, full, out, again], "which had been seen")


def test_without_serials_it_is_repeated_once_for_each_time_the_unit_went_down() -> None:
    again = green("a", 20, 5, 0, again=True)
    told(UnseenYesIsRepeated(), [Down(15, "a", BOOT, 15, True), again])
    broken(
        UnseenYesIsRepeated(), [Down(15, "a", BOOT, 15, True), again, again], "repeated 2 times .*; 1 times something"
    )


# --- what is lost with a disk, and what is not --------------------------------------------------------------------


def test_what_was_shown_after_the_image_is_forgiven_and_what_was_before_it_is_not(tmp_path: Path) -> None:
    story = Story(tmp_path)
    shown = next(one for one in story.seen if isinstance(one, Green))
    unit = story.rest.units[0]._replace(device="lane-1")
    for image_ms, lost in ((shown.at_ms + 5, True), (shown.at_ms - 5, False)):
        checker = ShownIsOnDisk()
        never = shown._replace(serial=shown.serial ^ 1)
        told(checker, [never, DiskRestored(shown.at_ms + 10, "lane-1", image_ms)])
        if lost:
            with pytest.raises(Violation, match="lane-1 has lost the yes"):
                checker.came_up(unit)
        else:
            checker.came_up(unit)
    checker = ShownIsOnDisk()
    told(checker, [shown._replace(serial=shown.serial ^ 1), DiskSpoilt(shown.at_ms + 10, "lane-1")])
    checker.came_up(unit)
    told(checker, [shown._replace(serial=shown.serial ^ 1, again=True)])
    with pytest.raises(Violation, match="lane-1 has lost the yes"):
        checker.came_up(unit)
