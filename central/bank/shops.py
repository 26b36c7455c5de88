"""The shops that take payment by account, and what each has said about consumption tax (B3).

A shop that has said nothing takes none: whether it owes tax is not guessed.
"""

from __future__ import annotations

import msgspec
from sqlalchemy import Connection, delete, insert, select

from central.db.schema import bank_shops, sites
from loyalty.tax import Basis, Rounding


class ShopError(ValueError):
    """A shop can't be set as asked; the message says why."""


class Shop(msgspec.Struct, frozen=True, kw_only=True):
    """How a shop's payments are computed."""

    site: str
    liable: bool  # whether it owes consumption tax
    rounding: Rounding

    @property
    def basis(self) -> Basis:
        """What a discount is taken off there (B4, B5)."""
        return Basis.NET if self.liable else Basis.PRICE


def put(connection: Connection, site: str, *, liable: bool, rounding: Rounding) -> None:
    """From now on this shop takes payment by account on these terms. Raises ShopError."""
    number = _number(connection, site)
    connection.execute(delete(bank_shops).where(bank_shops.c.site_id == number))
    connection.execute(insert(bank_shops).values(site_id=number, liable=liable, rounding=rounding.value))


def drop(connection: Connection, site: str) -> None:
    """It takes no payment by account any more. Raises ShopError."""
    if not connection.execute(delete(bank_shops).where(bank_shops.c.site_id == _number(connection, site))).rowcount:
        raise ShopError(f"{site} takes no payment by account")


def find(connection: Connection, site: str) -> Shop | None:
    row = connection.execute(_SELECT.where(sites.c.name == site)).first()
    return None if row is None else _shop(row.site, row.liable, row.rounding)


def listed(connection: Connection) -> list[Shop]:
    rows = connection.execute(_SELECT.order_by(sites.c.name))
    return [_shop(row.site, row.liable, row.rounding) for row in rows]


def _number(connection: Connection, site: str) -> int:
    number = connection.execute(select(sites.c.id).where(sites.c.name == site)).scalar()
    if number is None:
        raise ShopError(f"there is no site {site}")
    return int(number)


def _shop(site: str, liable: bool, rounding: str) -> Shop:
    return Shop(site=site, liable=bool(liable), rounding=Rounding(rounding))


_SELECT = select(sites.c.name.label("site"), bank_shops.c.liable, bank_shops.c.rounding).join_from(bank_shops, sites)
