"""What a payment by account holds of a coupon, as those see it who decide about coupons elsewhere.

While a payment is open its coupon is held by a granted question of the same id, as for any question. Once it is
settled the coupon counts as used, also before the lane's own fact of it is booked.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import ColumnElement, Connection, select, text

from central.bank.states import State
from central.db.schema import WITH_SERIAL, bank_settlements, questions, stored_serial
from loyalty.coupon import Coupon, Seen

paying: Final[ColumnElement[bool]] = (
    select(bank_settlements.c.question).where(bank_settlements.c.question == questions.c.question).exists()
)
"""Whether a question is a payment by account."""


def seen(connection: Connection, coupon: Coupon) -> Seen | None:
    """Where a payment used this serial; None: none did, or it was withdrawn."""
    if not coupon.serial:
        return None
    row = connection.execute(
        select(bank_settlements.c.changed_ms, bank_settlements.c.site).where(
            bank_settlements.c.campaign == coupon.campaign,
            bank_settlements.c.serial == stored_serial(coupon.serial),
            text(WITH_SERIAL),
            bank_settlements.c.state == State.SETTLED.value,
        )
    ).first()
    return None if row is None else Seen(at_ms=row.changed_ms, site=row.site)
