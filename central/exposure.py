"""What units of policy `signed` gave away alone and too often, counted on the campaign (DESIGN, 'What may be decided
alone').

A doubled serial, or a use above the limit of a person, that a unit allowed by itself is charged to the exposure of
its campaign, in uses and in yen. Past either limit the campaign turns `online` in the transaction that books the
use: the terms are changed, every site is fed, the operator is told. Units that are dark go on as they knew it, so
more may come; it is counted too, and turns nothing again. A person may turn it back, with a higher limit.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import msgspec
from sqlalchemy import Connection

from central import notices
from central.coupons import issue
from central.db import bulk
from loyalty.campaign import Campaign, Policy
from wire.messages import decode

KIND: Final = "exposure"
_CHARGE: Final = (
    "UPDATE campaigns SET exposed = exposed + ?, exposed_yen = exposed_yen + ? WHERE id = ? "
    "RETURNING exposed, exposed_yen, body"
)


_TAKE_OFF: Final = "UPDATE campaigns SET exposed = exposed - ?, exposed_yen = exposed_yen - ? WHERE id = ?"


class Exposed(NamedTuple):
    """Uses too many, and what they cost."""

    uses: int = 0
    yen: int = 0


def charge(connection: Connection, campaign_id: int, more: Exposed, now_ms: int) -> bool:
    """Charges one batch's uses to a campaign; True if it turned `online` by that."""
    row = bulk.run(connection, _CHARGE, (more.uses, more.yen, campaign_id)).one_or_none()
    if row is None:  # a campaign that the centre does not know has no limit either
        return False
    campaign: Campaign = decode(row.body, Campaign)
    if not _past(campaign, Exposed(row.exposed, row.exposed_yen)):
        return False  # or it turned before, and has no limit any more
    online = msgspec.structs.replace(
        campaign,
        policy=Policy.ONLINE,
        exposure_limit=None,
        exposure_limit_yen=None,
        revision=campaign.revision + 1,
    )
    issue.put_in_force(connection, online)
    notices.tell(connection, KIND, campaign_id, _words(campaign, Exposed(row.exposed, row.exposed_yen)), now_ms)
    return True


def take_off(connection: Connection, campaign_id: int, less: Exposed) -> None:
    """A use that was one too many is none any more. A campaign that turned `online` by it stays so until a person says
    otherwise."""
    bulk.run(connection, _TAKE_OFF, (less.uses, less.yen, campaign_id))


def _past(campaign: Campaign, exposed: Exposed) -> bool:
    uses, yen = campaign.exposure_limit, campaign.exposure_limit_yen
    return (uses is not None and exposed.uses > uses) or (yen is not None and exposed.yen > yen)


def _words(campaign: Campaign, exposed: Exposed) -> dict[str, str]:
    uses, yen = f"{exposed.uses:,}", f"{exposed.yen:,}"
    return {
        "ja": f"クーポン{campaign.id}「{campaign.name}」は重複利用が上限を超えたため（{uses}件、{yen}円）、"
        "センター確認のみに切り替えました。",
        "en": f"Coupon {campaign.id}, {campaign.name}: {uses} uses too many ({yen} yen) are past its limit; "
        "from now on only the centre decides it.",
    }


def of(connection: Connection, campaign_id: int) -> Exposed:
    """What is charged to a campaign so far."""
    row = bulk.run(connection, "SELECT exposed, exposed_yen FROM campaigns WHERE id = ?", (campaign_id,)).one_or_none()
    return Exposed() if row is None else Exposed(row.exposed, row.exposed_yen)


def raise_limits(connection: Connection, campaign_id: int, uses: int | None, yen: int | None) -> Campaign:
    """A person sets new limits; a campaign that turned `online` is `signed` again. Raises IssueError."""
    issued = issue.get(connection, campaign_id)
    if issued is None:
        raise issue.IssueError([f"campaign {campaign_id} was never issued"])
    exposed, found = of(connection, campaign_id), list[str]()
    if issued.campaign.policy is not Policy.SIGNED and exposed == Exposed():
        found.append(f"policy: coupon {campaign_id} never was 'signed' and has no exposure")
    if uses is not None and uses < exposed.uses:
        found.append(f"exposure_limit: {exposed.uses:,} uses are charged already; the limit must not be below that")
    if yen is not None and yen < exposed.yen:
        found.append(f"exposure_limit_yen: {exposed.yen:,} yen are charged already; the limit must not be below that")
    if found:
        raise issue.IssueError(found)
    changed = msgspec.structs.replace(
        issued.campaign, policy=Policy.SIGNED, exposure_limit=uses, exposure_limit_yen=yen
    )
    return issue.change(connection, changed)
