"""Homes of serials at the centre (policy `home`): which lane keeps the home of each site, and serials that move.

A serial is given out with the number of a site in front, and the one lane that keeps that site's home decides about
it alone. It changes hands by facts only: the keeper journals that a serial left (`HomeLeft`), or that it keeps
the home no longer (`KeeperLeft`); from the booking of that fact on, the centre may say something else. Keeping holds
for one epoch of the keeper's journal: after a new one began, it is renewed once what was carried over is booked.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from sqlalchemy import Connection, delete, insert, select, update

from central import feed, leases, settlement
from central.db.schema import NUL, coupons, devices, epochs, home_moves, homes, read_serial, sites, stored_serial
from central.registry import Device
from loyalty.coupon import CENTRE_HOME, HOME_BITS, home_number
from loyalty.lease import NOTHING, Pot
from wire import sealing
from wire.facts import HomeLeft
from wire.messages import AskHome, PutHome, PutMoved

UNANNOUNCED: Final = "unannounced"  # opened_by of an epoch that began without a word of the one before
HOME: Final = "h"  # the kind under which serials that left are written down once
MOVES_AT_ONCE: Final = 50
SITE_NUMBER_MAX: Final = 2**HOME_BITS - 1


class HomeError(ValueError):
    """A home can't be kept or moved as asked; the message says why."""


class Keeper(NamedTuple):
    """The lane that decides about the serials of a home."""

    site: str
    title: str
    device: str  # empty: nobody
    epoch: bytes
    term: int


class Place(NamedTuple):
    """Where a serial that was given out is decided now."""

    home: int
    moves: int


def number_of(connection: Connection, site: str) -> int:
    """The number of a site as it stands in serials. Raises HomeError."""
    known = NUL not in site
    number = connection.execute(select(sites.c.id).where(sites.c.name == site)).scalar() if known else None
    if number is None:
        raise HomeError(f"there is no site {site}")
    if number > SITE_NUMBER_MAX:
        raise HomeError(f"site {site} has number {number}; only the first {SITE_NUMBER_MAX:,} can be homes")
    return int(number)


def name_of(connection: Connection, number: int) -> str:
    """The name of a site that is a home; empty: the centre, or unknown."""
    return str(connection.execute(select(sites.c.name).where(sites.c.id == number)).scalar() or "")


# --- keepers --------------------------------------------------------------------------------------------------


def keeper(connection: Connection, number: int) -> Keeper | None:
    """Who keeps a home; None: no site of that number has one yet."""
    row = connection.execute(_KEEPERS.where(homes.c.site_id == number)).one_or_none()
    return None if row is None else Keeper(row.site, row.title, row.device or "", bytes(row.epoch), row.term)


def listed(connection: Connection) -> list[PutHome]:
    """Every home, as the units know it."""
    rows = connection.execute(_KEEPERS.order_by(homes.c.site_id))
    return [PutHome(row.number, row.site, row.title, row.device or "", row.epoch, row.term) for row in rows]


def reported(connection: Connection, device: Device, epoch: bytes) -> None:
    """A unit is there, with this epoch: it begins to keep the home of its site, or goes on under a new epoch.

    The first unit of a site that reports keeps its home. A keeper whose epoch is another one gets a new term when
    everything that the new epoch carried over is booked.
    """
    row = connection.execute(select(homes).join_from(homes, sites).where(sites.c.name == device.site)).one_or_none()
    if row is None:
        number = connection.execute(select(sites.c.id).where(sites.c.name == device.site)).scalar_one()
        if number > SITE_NUMBER_MAX:
            return
        connection.execute(insert(homes).values(site_id=number, device_id=device.id, epoch=epoch, term=1))
    else:
        free = row.device_id is None and row.next_device_id in (None, device.id)
        goes_on = row.device_id == device.id and row.epoch != epoch and _carried_over(connection, device.id, epoch)
        if not (free or goes_on):
            return
        _assign(connection, row.site_id, device.id, epoch, row.term + 1)
    _tell(connection, device.site)


def _carried_over(connection: Connection, device_id: int, epoch: bytes) -> bool:
    """Whether all that a new epoch brought along is booked; never, where it says nothing of the one before."""
    row = connection.execute(
        select(epochs.c.upto, epochs.c.flagged_until, epochs.c.opened_by).where(
            epochs.c.device_id == device_id, epochs.c.epoch == epoch
        )
    ).one_or_none()
    return row is not None and row.opened_by != UNANNOUNCED and row.upto >= max(1, row.flagged_until)


def _assign(connection: Connection, site_id: int, device_id: int | None, epoch: bytes, term: int) -> None:
    connection.execute(
        update(homes)
        .where(homes.c.site_id == site_id)
        .values(device_id=device_id, epoch=epoch, term=term, next_device_id=None)
    )


def _tell(connection: Connection, site: str) -> None:
    told = [one for one in listed(connection) if one.site == site]
    feed.append(connection, told, None)


def hand_over(connection: Connection, site: str, to: Device) -> None:
    """Another lane of the site is to keep its home, once the present keeper has left it. Raises HomeError."""
    if to.site != site:
        raise HomeError(f"{to.name} does not stand in {site}")
    number = number_of(connection, site)
    kept_by = connection.execute(select(homes.c.device_id).where(homes.c.site_id == number)).one_or_none()
    if kept_by is None:
        raise HomeError(f"nobody keeps a home in {site} yet")
    heir = None if kept_by.device_id == to.id else to.id  # who keeps it already has nobody to wait for
    connection.execute(update(homes).where(homes.c.site_id == number).values(next_device_id=heir))


def to_be_left(connection: Connection, device: Device) -> int | None:
    """The term under which this unit keeps a home that another one is to keep; None: it keeps none such."""
    row = connection.execute(
        select(homes.c.term).where(homes.c.device_id == device.id, homes.c.next_device_id.is_not(None))
    ).one_or_none()
    return None if row is None else int(row.term)


def left(connection: Connection, device: Device, term: int) -> None:
    """The keeper says that it keeps its home no longer."""
    row = connection.execute(select(homes).where(homes.c.device_id == device.id, homes.c.term == term)).one_or_none()
    if row is not None:
        _vacate(connection, row.site_id)


def write_off(connection: Connection, device_id: int) -> bool:
    """An operator's word that a keeper will not report any more: another lane keeps its home from now on.

    What it decided and never reported is lost; a serial that it honoured may count once more, and is found then.
    """
    row = connection.execute(select(homes).where(homes.c.device_id == device_id)).one_or_none()
    if row is None:
        return False
    _vacate(connection, row.site_id)
    return True


def _vacate(connection: Connection, site_id: int) -> None:
    connection.execute(update(homes).where(homes.c.site_id == site_id).values(device_id=None, epoch=b""))


# --- serials --------------------------------------------------------------------------------------------------


def place(connection: Connection, campaign: int, serial: int) -> Place | None:
    """Where a serial is decided; None: it was never given out."""
    row = connection.execute(
        select(coupons.c.home, coupons.c.moves).where(
            coupons.c.campaign == campaign, coupons.c.serial == stored_serial(serial)
        )
    ).one_or_none()
    return None if row is None else Place(row.home, row.moves)


def book_left(connection: Connection, device: Device, secret: bytes, fact: HomeLeft, now_ms: int) -> None:
    """The keeper let a serial go: for a unit that asked, for the centre, or for another home.

    The same fact told again under another epoch changes nothing; nor does one of a unit that keeps the home no longer.
    """
    pot = Pot(HOME, fact.campaign)
    if not leases.once(connection, fact.question, "left", device.id, fact.to, pot, NOTHING, now_ms):
        return
    known = place(connection, fact.campaign, fact.serial)
    kept = keeper(connection, known.home) if known is not None else None
    if kept is None or kept.device != device.name:
        return
    wanted = select(home_moves.c.home).where(home_moves.c.question == fact.question)
    to = connection.execute(wanted).scalar()
    move(connection, secret, fact.campaign, fact.serial, CENTRE_HOME if to is None else int(to))
    connection.execute(delete(home_moves).where(home_moves.c.question == fact.question))
    if fact.to:
        settlement.granted_elsewhere(connection, fact, now_ms)


def move(connection: Connection, secret: bytes, campaign: int, serial: int, to: int) -> None:
    """A serial is decided at `to` from now on. Both homes are told."""
    known = place(connection, campaign, serial)
    if known is None or known.home == to:
        return
    connection.execute(
        update(coupons)
        .where(coupons.c.campaign == campaign, coupons.c.serial == stored_serial(serial))
        .values(home=to, moves=known.moves + 1)
    )
    change = PutMoved(campaign, sealing.serial_hash(secret, campaign, serial), to, known.moves + 1)
    feed.append(connection, [change], sorted({number for number in (known.home, to) if number != CENTRE_HOME}))


def ask_to_move(
    connection: Connection, secret: bytes, campaign: int, serial: int, site: str, question: bytes, now_ms: int
) -> bool:
    """A serial is to be decided at another site. True: it is; False: once the present keeper has let it go.

    Raises HomeError.
    """
    known, to = place(connection, campaign, serial), number_of(connection, site)
    if known is None:
        raise HomeError("this serial was never given out")
    if known.home == CENTRE_HOME:
        move(connection, secret, campaign, serial, to)
    if known.home in (CENTRE_HOME, to):
        return True
    same = (home_moves.c.campaign == campaign) & (home_moves.c.serial == stored_serial(serial))
    connection.execute(delete(home_moves).where(same))
    connection.execute(
        insert(home_moves).values(
            question=question, campaign=campaign, serial=stored_serial(serial), home=to, asked_ms=now_ms
        )
    )
    return False


def awaited_of(connection: Connection, device: Device, limit: int = MOVES_AT_ONCE) -> list[AskHome]:
    """The moves that wait for this keeper, oldest first."""
    rows = connection.execute(
        select(home_moves.c.question, home_moves.c.campaign, home_moves.c.serial)
        .join_from(
            home_moves,
            coupons,
            (coupons.c.campaign == home_moves.c.campaign) & (coupons.c.serial == home_moves.c.serial),
        )
        .join(homes, homes.c.site_id == coupons.c.home)
        .where(homes.c.device_id == device.id)
        .order_by(home_moves.c.asked_ms)
        .limit(limit)
    )
    return [AskHome(row.question, row.campaign, read_serial(row.serial), "") for row in rows]


def keepers_with_orders(connection: Connection) -> list[str]:
    """The units for whom something waits: a home to be left (`to_be_left`), or serials to let go (`awaited_of`)."""
    leaving = select(devices.c.name).join(homes, homes.c.device_id == devices.c.id)
    asked = leaving.join(coupons, coupons.c.home == homes.c.site_id).join(
        home_moves, (coupons.c.campaign == home_moves.c.campaign) & (coupons.c.serial == home_moves.c.serial)
    )
    either = leaving.where(homes.c.next_device_id.is_not(None)).union(asked)
    return sorted(connection.execute(either).scalars())


def moves_of(connection: Connection, site_id: int, campaign: int, secret: bytes) -> list[PutMoved]:
    """The serials of a campaign whose home moved to or from a site, for a snapshot."""
    rows = connection.execute(
        select(coupons.c.serial, coupons.c.home, coupons.c.moves).where(
            coupons.c.campaign == campaign, coupons.c.moves > 0
        )
    )
    return [
        PutMoved(campaign, sealing.serial_hash(secret, campaign, read_serial(row.serial)), row.home, row.moves)
        for row in rows
        if site_id in (row.home, home_number(read_serial(row.serial)))
    ]


_KEEPERS: Final = select(
    homes.c.site_id.label("number"),
    sites.c.name.label("site"),
    sites.c.title,
    devices.c.name.label("device"),
    homes.c.epoch,
    homes.c.term,
).select_from(homes.join(sites, sites.c.id == homes.c.site_id).outerjoin(devices, devices.c.id == homes.c.device_id))
