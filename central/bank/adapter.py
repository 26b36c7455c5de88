"""What the centre asks of a bank. Each question carries an id that the centre made; the same id is the same debit.

A bank promises:

- `debit` moves the money at most once for an id, however often it is asked;
- `status` tells what became of an id;
- `reverse` takes a debit back, and for an id that was not debited makes sure that it never will be, also by a `debit`
  that is still under way.

An answer that does not come in time, that is about something else or makes no sense is `BankSilent`: what the bank did
is not known then. `BankUnreached` is the kind where nothing was sent.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple, Protocol


class Outcome(StrEnum):
    """What a bank says of an id."""

    DEBITED = "debited"
    REFUSED = "refused"  # and it stays refused
    REVERSED = "reversed"  # taken back, or never to be done
    UNKNOWN = "unknown"  # it has not heard of it


class Decline(StrEnum):
    """Why a bank refuses."""

    FUNDS = "funds"
    ACCOUNT = "account"  # there is none of that number, or it is closed
    OTHER = "other"


class Said(NamedTuple):
    """A bank's answer. `decline` stands beside REFUSED alone."""

    outcome: Outcome
    decline: Decline | None = None


class BankSilent(Exception):
    """No answer that can be believed; the message says in what way, and names no account."""


class BankUnreached(BankSilent):
    """Nothing was sent: the bank can't have done anything."""


class Bank(Protocol):
    """See the module. Safe to share between threads. Each raises BankSilent within `limit_ms`."""

    def debit(self, payment: bytes, account: str, amount_yen: int, limit_ms: int) -> Said: ...

    def status(self, payment: bytes, limit_ms: int) -> Said: ...

    def reverse(self, payment: bytes, limit_ms: int) -> Said: ...
