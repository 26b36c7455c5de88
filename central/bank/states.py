"""The states of a payment by account and every step that may happen, as one table.

Each step is committed before what it announces is tried: a payment is on disk before the bank hears of it, `debiting`
before the debit, `reversing` before the reversal. So whatever dies, what the bank may have done is known to be asked
about, by the same id. `book.move` makes a step only from the state that its caller saw: of two who try, one does.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final, NamedTuple


class State(StrEnum):
    """Stored; never renamed."""

    ASKED = "asked"  # on disk; the bank has not heard of it
    DEBITING = "debiting"  # the bank may have heard of it
    SETTLED = "settled"  # debited
    REFUSED = "refused"  # not debited: the bank, or the centre, said no
    IN_DOUBT = "in_doubt"  # the bank was asked and did not answer
    REVERSING = "reversing"  # the bank is to take it back, or never to do it
    VOID = "void"  # nothing is debited, and the bank will not debit it any more


class Happening(StrEnum):
    """What moves a payment on."""

    BEGUN = "begun"
    NOTHING_DUE = "nothing_due"
    TOO_LATE = "too_late"
    DEBITED = "debited"
    DECLINED = "declined"
    UNREACHED = "unreached"
    SILENT = "silent"
    UNHEARD = "unheard"
    WITHDRAWN = "withdrawn"
    REVERSED = "reversed"


class Step(NamedTuple):
    """From `state`, `happening` leads `to`, for the reason in words."""

    state: State
    happening: Happening
    to: State
    why: str


S, H = State, Happening
TABLE: Final = (
    Step(S.ASKED, H.BEGUN, S.DEBITING, "the intent is on disk before the bank is asked"),
    Step(S.ASKED, H.NOTHING_DUE, S.SETTLED, "the discount or the points paid all of it"),
    Step(S.ASKED, H.TOO_LATE, S.VOID, "its lane has given up, or the centre stopped, before the bank was asked"),
    Step(S.ASKED, H.WITHDRAWN, S.VOID, "its lane withdrew it before the bank was asked"),
    Step(S.DEBITING, H.DEBITED, S.SETTLED, "the bank debited"),
    Step(S.DEBITING, H.DECLINED, S.REFUSED, "the bank said no"),
    Step(S.DEBITING, H.UNREACHED, S.VOID, "nothing was sent to the bank"),
    Step(S.DEBITING, H.SILENT, S.IN_DOUBT, "no answer that can be believed came in time, or the centre stopped"),
    Step(S.IN_DOUBT, H.DEBITED, S.SETTLED, "asked again, the bank has debited"),
    Step(S.IN_DOUBT, H.DECLINED, S.REFUSED, "asked again, the bank had said no"),
    Step(S.IN_DOUBT, H.UNHEARD, S.REVERSING, "the bank has not heard of it: it is told never to do it"),
    Step(S.IN_DOUBT, H.WITHDRAWN, S.REVERSING, "its lane withdrew it"),
    Step(S.SETTLED, H.WITHDRAWN, S.REVERSING, "its lane withdrew it: the money goes back"),
    Step(S.REVERSING, H.REVERSED, S.VOID, "the bank took it back, or will never do it"),
)
_TO: Final = {(step.state, step.happening): step.to for step in TABLE}
OPEN: Final = (S.ASKED, S.DEBITING, S.IN_DOUBT, S.REVERSING)
"""Where a payment does not stay."""


def after(state: State, happening: Happening) -> State:
    """Where `happening` leads from `state`. Raises KeyError for a step that is not in the table: a bug of ours."""
    return _TO[state, happening]
