"""The tables of the centre (SQLAlchemy Core), and how their values are stored.

Times are milliseconds since 1970 UTC, money is whole yen. Serial numbers are 64 unsigned bits; databases know
signed ones, so they are stored with `stored_serial` and read with `read_serial`.

`facts` is append-only: what was reported stays as it was reported, and everything else about a redemption can
be worked out from it again. Nothing that a unit reports may be refused for a missing row elsewhere, so
redemptions name campaigns and sites without a foreign key.

A file for each idea; whoever reads or writes tables imports them from here.
"""

from __future__ import annotations

from central.db.schema.alone import QuestionState, home_moves, homes, part_moves, parts, pots, questions
from central.db.schema.analysis import analysis_cells, analysis_people, analysis_touched, offer_views
from central.db.schema.bank import (
    OPEN_PAYMENT,
    WITH_SERIAL,
    bank_accounts,
    bank_selections,
    bank_settlements,
    bank_shops,
)
from central.db.schema.base import NUL, meta, metadata, read_serial, stored_serial
from central.db.schema.coupons import (
    NO_USES,
    USES,
    Flag,
    RedemptionState,
    campaigns,
    conflicts,
    coupon_keys,
    coupons,
    redemptions,
    revocations,
)
from central.db.schema.feeds import change_log, feed_bodies, feeds, hints
from central.db.schema.ledger import (
    OF_A_PERSON,
    accounts,
    earn_rules,
    ledger_audits,
    lot_moves,
    lots,
    postings,
    programmes,
    transfers,
)
from central.db.schema.members import card_requests, cards, issued_cards, members
from central.db.schema.offers import (
    MAIL_WAITS,
    bargains,
    goods_alike,
    goods_pairs,
    goods_people,
    mail_addresses,
    mails,
    offer_declines,
    offer_picks,
    offer_runs,
    postal_addresses,
)
from central.db.schema.people import api_tokens, audit, consents, persons, sessions, staff, staff_sessions
from central.db.schema.sales import goods, purchase_lines, purchases, reversals, sale_facts
from central.db.schema.units import DeviceState, boot_spans, boots, dead_letters, devices, epochs, facts, notices, sites

__all__ = [
    "MAIL_WAITS",
    "NO_USES",
    "NUL",
    "OF_A_PERSON",
    "OPEN_PAYMENT",
    "USES",
    "WITH_SERIAL",
    "DeviceState",
    "Flag",
    "QuestionState",
    "RedemptionState",
    "accounts",
    "analysis_cells",
    "analysis_people",
    "analysis_touched",
    "api_tokens",
    "audit",
    "bank_accounts",
    "bank_selections",
    "bank_settlements",
    "bank_shops",
    "bargains",
    "boot_spans",
    "boots",
    "campaigns",
    "card_requests",
    "cards",
    "change_log",
    "conflicts",
    "consents",
    "coupon_keys",
    "coupons",
    "dead_letters",
    "devices",
    "earn_rules",
    "epochs",
    "facts",
    "feed_bodies",
    "feeds",
    "goods",
    "goods_alike",
    "goods_pairs",
    "goods_people",
    "hints",
    "home_moves",
    "homes",
    "issued_cards",
    "ledger_audits",
    "lot_moves",
    "lots",
    "mail_addresses",
    "mails",
    "members",
    "meta",
    "metadata",
    "notices",
    "offer_declines",
    "offer_picks",
    "offer_runs",
    "offer_views",
    "part_moves",
    "parts",
    "persons",
    "postal_addresses",
    "postings",
    "pots",
    "programmes",
    "purchase_lines",
    "purchases",
    "questions",
    "read_serial",
    "redemptions",
    "reversals",
    "revocations",
    "sale_facts",
    "sessions",
    "sites",
    "staff",
    "staff_sessions",
    "stored_serial",
    "transfers",
]
