"""Payment by bank account (`central.bank`)."""

from __future__ import annotations

from typing import Final

from sqlalchemy import BigInteger, Boolean, Column, ForeignKey, Index, LargeBinary, Table, Text, text

from central.db.schema.base import metadata

OPEN_PAYMENT: Final = "bank_settlements.state IN ('asked', 'debiting', 'in_doubt', 'reversing')"
"""`central.bank.states.OPEN` as an index knows it: in a query it must stand in these words, not in parameters."""

WITH_SERIAL: Final = "bank_settlements.serial <> 0"

_OPEN_PAYMENT: Final = text(OPEN_PAYMENT.replace("bank_settlements.", ""))

_WITH_SERIAL: Final = text(WITH_SERIAL.replace("bank_settlements.", ""))

# Payment by bank account (`central.bank`). The number of an account is sealed with a key that lies in a file.
bank_accounts = Table(
    "bank_accounts",
    metadata,
    Column("id", LargeBinary, primary_key=True),  # 16 random bytes: what cards, lanes and facts know it by
    Column("person_id", ForeignKey("persons.id"), nullable=False, index=True),
    Column("sealed", LargeBinary, nullable=False),  # the number, for the bank alone
    Column("tail", Text, nullable=False),  # its last digits, by which its owner knows it
    Column("opened_ms", BigInteger, nullable=False),
    Column("closed_ms", BigInteger),  # None: it can pay
)

# Which coupons were selected ahead of time for which account (B1). A coupon pays with one account.
bank_selections = Table(
    "bank_selections",
    metadata,
    Column("coupon_id", ForeignKey("coupons.id"), primary_key=True, autoincrement=False),
    Column("account_id", ForeignKey("bank_accounts.id"), nullable=False, index=True),
    Column("selected_ms", BigInteger, nullable=False),
)

# The shops that take payment by account, and what each says about tax (B3).
bank_shops = Table(
    "bank_shops",
    metadata,
    Column("site_id", ForeignKey("sites.id"), primary_key=True, autoincrement=False),
    Column("liable", Boolean, nullable=False),  # whether it owes consumption tax
    Column("rounding", Text, nullable=False),  # loyalty.tax.Rounding
)

# Each payment by account, by the id that its lane made. Rows stay: the same id again has the same answer.
bank_settlements = Table(
    "bank_settlements",
    metadata,
    Column("question", LargeBinary, primary_key=True),  # also in `questions`, where it can be withdrawn
    Column("device_id", ForeignKey("devices.id"), nullable=False),
    Column("site", Text, nullable=False),
    Column("account_id", LargeBinary, nullable=False),  # as it was asked: perhaps nobody's
    Column("digest", LargeBinary, nullable=False),  # SHA-256 of what was asked
    Column("state", Text, nullable=False),  # central.bank.states.State
    Column("reason", Text, nullable=False),  # loyalty.reason.Reason
    Column("coupon_id", ForeignKey("coupons.id")),  # None: no coupon counted
    Column("campaign", BigInteger, nullable=False),  # 0: none
    Column("serial", BigInteger, nullable=False),
    Column("answer", LargeBinary, nullable=False),  # wire.messages.Settlement, as it is once it is settled
    Column("debit_yen", BigInteger, nullable=False),
    Column("asked_ms", BigInteger, nullable=False),
    Column("until_ms", BigInteger, nullable=False),  # the lane has given up by then
    Column("changed_ms", BigInteger, nullable=False),
    Column("tries", BigInteger, nullable=False),  # how often the bank was asked in vain since it is in doubt
    Column("next_ms", BigInteger, nullable=False),  # when it is asked again
    Column("sale", LargeBinary),  # the till's own id of the sale that it pays; None: it named none
    Index(
        "ix_bank_settlements_open",
        "next_ms",
        sqlite_where=_OPEN_PAYMENT,
        postgresql_where=_OPEN_PAYMENT,
    ),
    Index(
        "ix_bank_settlements_coupon",
        "campaign",
        "serial",
        sqlite_where=_WITH_SERIAL,
        postgresql_where=_WITH_SERIAL,
    ),
    Index("ix_bank_settlements_asked_ms", "asked_ms"),
    Index("ix_bank_settlements_account_id", "account_id"),
    Index(
        "ix_bank_settlements_sale",
        "sale",
        sqlite_where=text("sale IS NOT NULL"),
        postgresql_where=text("sale IS NOT NULL"),
    ),
)
