"""What the centre has booked, as its tables say and as the facts themselves say."""

from __future__ import annotations

from typing import Final, NamedTuple

from simulator.world.checks.facts import Points, Use, read
from simulator.world.checks.stores import Disk, unsigned

VOID: Final = "void"  # the same fact told again under another epoch
RESTORED: Final = "restored"  # its sale was taken back
DOUBLE: Final = "double"
FLAG_DOUBLE: Final = 1
FLAG_OVER_PERSON_LIMIT: Final = 512


class BookedUse(NamedTuple):
    """A row of `redemptions` and its fact."""

    id: int
    device: str
    epoch_id: int
    seq: int
    state: str
    flags: int
    body: bytes
    use: Use
    carried: bool  # into its epoch, from the one before
    salvaged: bool  # ... by a salvage

    @property
    def counts(self) -> bool:
        """Whether it is a fact of its own."""
        return self.state != VOID

    @property
    def stands(self) -> bool:
        """... and is none that was taken back."""
        return self.state not in (VOID, RESTORED)


class BookedPoints(NamedTuple):
    device: str
    epoch_id: int
    seq: int
    body: bytes
    points: Points


class Odd(Exception):
    """A row of the centre that does not say what its fact says."""


def uses(disk: Disk) -> list[BookedUse]:
    """All redemptions, in the order of booking. Raises Odd, Unreadable."""
    found: list[BookedUse] = []
    for row in disk.rows(
        "SELECT r.id, d.name, r.epoch_id, r.seq, r.state, r.flags, f.body, r.campaign, r.serial, r.holder, r.site,"
        " e.device_id = r.device_id, e.flagged_until, e.opened_by FROM redemptions r"
        " JOIN facts f ON f.epoch_id = r.epoch_id AND f.seq = r.seq"
        " JOIN epochs e ON e.id = r.epoch_id JOIN devices d ON d.id = e.device_id ORDER BY r.id"
    ):
        number, device, epoch_id, seq, state, flags, body, *says, mine, flagged_until, opened_by = row
        use = read(body)
        where = f"redemption {number} ({device}, epoch {epoch_id}, number {seq})"
        if not isinstance(use, Use):
            raise Odd(f"{where} stands on a fact that is none of a use")
        says[1] = unsigned(says[1])
        if not mine or says != [*use.what, use.site]:
            raise Odd(f"{where} says {says}, its fact {[*use.what, use.site]}")
        carried = seq <= flagged_until
        found.append(
            BookedUse(number, device, epoch_id, seq, state, flags, body, use, carried, opened_by == "salvaged")
        )
    return found


def points(disk: Disk) -> list[BookedPoints]:
    """Every fact about points, each name once: told again under another epoch it is the same."""
    found: dict[tuple[str, bytes], BookedPoints] = {}
    for device, epoch_id, seq, body in disk.rows(
        "SELECT d.name, f.epoch_id, f.seq, f.body FROM facts f JOIN epochs e ON e.id = f.epoch_id"
        " JOIN devices d ON d.id = e.device_id WHERE f.type IN ('pe', 'ps') ORDER BY f.epoch_id, f.seq"
    ):
        fact = read(body)
        if isinstance(fact, Points):
            found.setdefault((device, fact.name), BookedPoints(device, epoch_id, seq, body, fact))
    return list(found.values())
