"""Sites and units: who may report, and from where. Each site is told its units and their keys (`PutLane`)."""

from __future__ import annotations

from typing import Any, Final

import msgspec
from sqlalchemy import Connection, insert, select, update

from central import feed
from central.db import bulk
from central.db.schema import DeviceState, devices, epochs, feeds, sites
from wire.messages import PutLane
from wire.topics import ALL, BadTopic, check_id

PUBLIC_KEY_BYTES: Final = 32
TITLE_CHARS_MAX: Final = 60
GONE: Final = "gone"  # what a site is told of a unit that moved to another one


class RegistryError(ValueError):
    """A site or a unit can't be entered as asked; the message says why."""


class Device(msgspec.Struct, frozen=True, kw_only=True):
    """A unit as the centre knows it."""

    id: int
    name: str
    site: str
    public: bytes
    state: str
    awaits: bool  # nothing may be granted before it has reported what it holds

    @property
    def active(self) -> bool:
        return self.state == DeviceState.ACTIVE


def _checked(what: str, name: str) -> str:
    try:
        check_id(what, name)
    except BadTopic as error:
        raise RegistryError(str(error)) from error
    if name == ALL:
        raise RegistryError(f"{what} {ALL!r}: that name stands for all units of a site")
    return name


def add_site(connection: Connection, name: str, title: str = "") -> int:
    """Enters a site, or gives the one that is there (with a new title, if one is given)."""
    _checked("site", name)
    if len(title) > TITLE_CHARS_MAX:
        raise RegistryError(f"a site's title has at most {TITLE_CHARS_MAX} characters")
    known = connection.execute(select(sites.c.id).where(sites.c.name == name)).scalar()
    if known is not None:
        if title:
            connection.execute(update(sites).where(sites.c.id == known).values(title=title))
        return int(known)
    key = connection.execute(insert(sites).values(name=name, title=title or name)).inserted_primary_key
    assert key is not None
    connection.execute(insert(feeds).values(site_id=key[0], head=0, floor=0))
    return int(key[0])


def titles(connection: Connection) -> dict[str, str]:
    """What people call each site."""
    return {row.name: row.title for row in connection.execute(select(sites.c.name, sites.c.title))}


def add_device(connection: Connection, name: str, site: str, public: bytes, now_ms: int) -> None:
    """Enrols a unit at `site` (entered if new). Enrolling it again with the same key changes nothing but its site."""
    _checked("device", name)
    if len(public) != PUBLIC_KEY_BYTES:
        raise RegistryError(f"a unit's public key has {PUBLIC_KEY_BYTES} bytes, not {len(public)}")
    site_id = add_site(connection, site)
    before = find(connection, name)
    if before is None:
        connection.execute(
            insert(devices).values(
                name=name,
                site_id=site_id,
                public=public,
                state=DeviceState.ACTIVE.value,
                enrolled_ms=now_ms,
                awaits=False,
            )
        )
    elif before.public != public:
        raise RegistryError(
            f"unit {name} is enrolled with another key; block it and give the new one a name of its own"
        )
    else:
        connection.execute(
            update(devices).where(devices.c.name == name).values(site_id=site_id, state=DeviceState.ACTIVE.value)
        )
    if before is not None and before.site != site:
        _tell(connection, before, GONE)
    if before is None or before.site != site or not before.active:
        after = find(connection, name)
        assert after is not None
        _tell(connection, after, after.state)


def _tell(connection: Connection, device: Device, state: str) -> None:
    """Tell the units of a site whom to trust there while the internet is gone."""
    lane = PutLane(device.name, device.site, device.public, state)
    feed.append(connection, [lane], feed.named(connection, (device.site,)))


def lanes(connection: Connection, site: str) -> list[PutLane]:
    """The active units of a site."""
    rows = connection.execute(
        _SELECT.where(sites.c.name == site, devices.c.state == DeviceState.ACTIVE.value).order_by(devices.c.name)
    )
    return [PutLane(row.name, row.site, row.public, row.state) for row in rows]


def set_state(connection: Connection, name: str, state: DeviceState) -> None:
    before = find(connection, name)
    if before is None:
        raise RegistryError(f"there is no unit {name}")
    connection.execute(update(devices).where(devices.c.name == name).values(state=state.value))
    if state is DeviceState.ACTIVE:
        connection.execute(update(devices).where(devices.c.name == name).values(given_up=False))
    if before.state != state.value:
        _tell(connection, before, state.value)


def write_off(connection: Connection, name: str) -> None:
    """An operator's word that a unit will report nothing any more (DESIGN: 'or was written off')."""
    gone = (
        update(devices)
        .where(devices.c.name == name)
        .values(awaits=False, owed_epoch=None, owed_head=None, owes_parts=False, given_up=True)
    )
    if not connection.execute(gone).rowcount:
        raise RegistryError(f"there is no unit {name}")


def all_devices(connection: Connection) -> list[Device]:
    return [Device(**row._asdict()) for row in connection.execute(_SELECT.order_by(devices.c.name))]


def find(connection: Connection, name: str) -> Device | None:
    row: Any = bulk.run(connection, _FIND, (name,)).one_or_none()
    if row is None:
        return None
    number, site, public, state, awaits = row
    return Device(id=number, name=name, site=site, public=public, state=state, awaits=bool(awaits))


def anybody_awaited(connection: Connection) -> bool:
    """Whether, after a restore, some unit has not reported yet what it holds."""
    waits = select(devices.c.id).where(devices.c.awaits, devices.c.state == DeviceState.ACTIVE.value).limit(1)
    return connection.execute(waits).first() is not None


def anybody_owes_parts(connection: Connection) -> bool:
    """Whether, after a restore, some unit has not said yet what was leased to it.

    A blocked unit can't say it: while it is not written off, what it holds may still be spent.
    """
    return connection.execute(select(devices.c.id).where(devices.c.owes_parts).limit(1)).first() is not None


def owing_parts(connection: Connection) -> list[str]:
    """The units that, after a restore, have not said yet what was leased to them."""
    owing = select(devices.c.name).where(devices.c.owes_parts).order_by(devices.c.name)
    return list(connection.execute(owing).scalars())


def told_its_parts(connection: Connection, device: Device) -> None:
    connection.execute(update(devices).where(devices.c.id == device.id).values(owes_parts=False))


def told_where_it_ends(connection: Connection, device: Device, epoch: bytes, head: int, booked: int) -> None:
    """A unit has said where its journal ends: it is awaited until that much is booked."""
    if device.awaits:
        owes = booked < head
        connection.execute(
            update(devices)
            .where(devices.c.id == device.id)
            .values(awaits=owes, owed_epoch=epoch if owes else None, owed_head=head if owes else None)
        )


def booked_up_to(connection: Connection, device: Device, epoch: bytes, upto: int) -> None:
    """Facts of a unit were booked: it may have paid what it owed."""
    if device.awaits:
        connection.execute(
            update(devices)
            .where(devices.c.id == device.id, devices.c.owed_epoch == epoch, devices.c.owed_head <= upto)
            .values(awaits=False, owed_epoch=None, owed_head=None)
        )


def last_booked(connection: Connection) -> dict[str, int]:
    """How many facts of each unit are booked, over all its epochs."""
    rows = connection.execute(select(devices.c.name, epochs.c.upto).join_from(devices, epochs))
    total: dict[str, int] = {}
    for name, upto in rows:
        total[name] = total.get(name, 0) + upto
    return total


_FIND: Final = (
    "SELECT d.id, s.name, d.public, d.state, d.awaits FROM devices d JOIN sites s ON s.id = d.site_id WHERE d.name = ?"
)
_SELECT: Final = select(
    devices.c.id, devices.c.name, sites.c.name.label("site"), devices.c.public, devices.c.state, devices.c.awaits
).join_from(devices, sites)
