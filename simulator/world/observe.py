"""What can be seen of a world from outside: by shoppers, by who pulls a plug, and by who reads the disks at the end.

Checkers (`simulator.world.checks`) are given these and nothing else: they know no machine of the production code. All
`at_ms` are the world's true time; `boot` and `mono_ms` are what the unit itself writes into the stamp of a fact that
it decides at that moment, so that a green and its fact can be told to belong together.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple, Protocol

from loyalty.campaign import Campaign


class Green(NamedTuple):
    """A shopper saw a yes to a coupon."""

    at_ms: int
    device: str
    site: str
    boot: bytes
    mono_ms: int
    campaign: int
    serial: int  # 0: none
    holder: int  # 0: nobody's
    cost_yen: int  # what it takes of a budget
    again: bool  # said for a decision that was made before a power cut and never seen
    sale: bytes = b""  # that it belongs to; empty: none


class Refused(NamedTuple):
    """A shopper saw a no."""

    at_ms: int
    device: str
    site: str
    campaign: int  # 0: none was found
    serial: int
    reason: str


class PointsSeen(NamedTuple):
    """A person saw that points were given (`earned`) or taken."""

    at_ms: int
    device: str
    site: str
    boot: bytes
    mono_ms: int
    programme: int
    holder: int
    points: int
    earned: bool
    sale: bytes = b""


class TakenBack(NamedTuple):
    """Somebody brought a sale back to a lane, which was asked to reverse it: perhaps it did, perhaps it was down."""

    at_ms: int
    device: str
    sale: bytes
    yen: int  # of its price; 0: the whole


class ReversalSeen(NamedTuple):
    """The lane showed that it had taken a sale back."""

    at_ms: int
    device: str
    id: bytes


class PointsAsked(NamedTuple):
    """A person asks the centre to move points: to buy, give, exchange or cash out. Asked again, it is the same."""

    at_ms: int
    name: bytes
    kind: str
    holder: int
    to: int  # 0: nobody
    points: int


class PointsMoved(NamedTuple):
    """The centre answered such a person."""

    at_ms: int
    name: bytes
    booked: bool  # else refused


class PaymentSeen(NamedTuple):
    """A shopper saw that a payment by account is settled, and took the goods."""

    at_ms: int
    device: str
    payment: bytes  # its name, 16 bytes
    yen: int  # that were debited
    sale: bytes


class Receipt(NamedTuple):
    """A till was told that its sale is over: paid, or given up."""

    at_ms: int
    device: str
    sale: bytes
    paid: bool
    payment: bytes
    debit_yen: int | None  # from a bank account; None: paid in another way
    total_yen: int
    coupons: int  # that counted
    points: int  # that paid
    earned: int  # points


class CardGreeted(NamedTuple):
    """A unit greeted a member card: it speaks for its holder there."""

    at_ms: int
    device: str
    uid: bytes
    holder: int
    generation: int
    counter: int
    copied: bool  # from another tag
    told_generation: int  # of this holder, by a feed of which the unit has everything; 0: it may not have
    told_blocked: bool


class Downloaded(NamedTuple):
    """A person was given a coupon."""

    at_ms: int
    campaign: int
    serial: int
    holder: int
    home: str  # the site that may decide alone; empty: the centre


class Issued(NamedTuple):
    """A campaign was issued, changed, stopped or opened again: so it stands from now on."""

    at_ms: int
    campaign: Campaign


class Down(NamedTuple):
    """A unit stopped at that instant of its own time. `power`: its unsynced writes may be gone."""

    at_ms: int
    device: str
    boot: bytes
    mono_ms: int
    power: bool


class Blank(NamedTuple):
    """The display of a unit was to show something at that instant of its own time, and showed nothing."""

    at_ms: int
    device: str
    boot: bytes
    mono_ms: int


class Started(NamedTuple):
    """A unit came up, as the boot of that name."""

    at_ms: int
    device: str
    boot: bytes


class DiskRestored(NamedTuple):
    """The disk of a unit, which is down, was replaced by the copy that was made of it at `image_ms`."""

    at_ms: int
    device: str
    image_ms: int


class DiskSpoilt(NamedTuple):
    """Bytes on the disk of a unit were overwritten: its store may have to be salvaged."""

    at_ms: int
    device: str


class DiskFull(NamedTuple):
    """A write on the disk of a unit failed for want of room, or for any other error, at that instant of its own time.

    What it was to write may be there all the same once the unit is up again: a failed flush takes nothing back.
    """

    at_ms: int
    device: str
    boot: bytes
    mono_ms: int


class FloorSet(NamedTuple):
    """So many points of a programme may be spent without the centre: by a holder, or (0) by all units together."""

    at_ms: int
    programme: int
    holder: int
    points: int


class Enrolled(NamedTuple):
    """A unit was enrolled at a site."""

    at_ms: int
    device: str
    site: str


class WrittenOff(NamedTuple):
    """The operator gave a unit up for good, or blocked it; what it held and never reported may have been spent."""

    at_ms: int
    device: str


class CentreDown(NamedTuple):
    """A worker of the centre stopped, perhaps in the middle of a batch."""

    at_ms: int
    power: bool


class CentreRestored(NamedTuple):
    """The centre's database was replaced by the copy that was made of it at `backup_ms`."""

    at_ms: int
    backup_ms: int


class Healed(NamedTuple):
    """No more faults from now on."""

    at_ms: int


Seen = (
    Green
    | Refused
    | PointsSeen
    | PaymentSeen
    | Receipt
    | PointsAsked
    | PointsMoved
    | TakenBack
    | ReversalSeen
    | CardGreeted
    | Downloaded
    | Issued
    | Down
    | Blank
    | Started
    | DiskRestored
    | DiskSpoilt
    | DiskFull
    | FloorSet
    | Enrolled
    | WrittenOff
    | CentreDown
    | CentreRestored
    | Healed
)


class Violation(Exception):
    """Something that DESIGN promises does not hold. `checker` is the name of who found it."""

    def __init__(self, checker: str, what: str) -> None:
        super().__init__(f"{checker}: {what}")
        self.checker, self.what = checker, what


class UnitAtRest(NamedTuple):
    """Where the disk of a unit can be read while it is down or between two of its turns."""

    device: str
    site: str
    store: Path  # its SQLite file
    enrolled: bool  # and not written off
    up: bool


class Held(NamedTuple):
    """A container in the memory of a running program: whose, by which path, and how many elements it has."""

    owner: str  # a unit, or 'centre'
    path: str
    size: int


class AtRest(NamedTuple):
    """What lies on the disks now, what is held in memory, and the bank's books. `centre`: its SQLite file."""

    at_ms: int
    units: tuple[UnitAtRest, ...]
    centre: Path
    memory: tuple[Held, ...] = ()
    bank: tuple[tuple[str, int], ...] = ()  # the id and the yen of every movement on an account, in their order


class Checker(Protocol):
    """One promise, watched. All three raise `Violation`."""

    @property
    def name(self) -> str: ...

    def saw(self, seen: Seen) -> None:
        """At each step, in the order in which things happen."""

    def came_up(self, unit: UnitAtRest) -> None:
        """A unit has just come up: its store is open and nothing has been decided yet."""

    def at_rest(self, world: AtRest) -> None:
        """Long enough after the faults stopped: everything must have come together."""
