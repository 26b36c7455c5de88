"""A provider issues a coupon, changes it, stops it (K1); every site where it counts hears of it (K2, K9)."""

from __future__ import annotations

from typing import Final

import msgspec
from sqlalchemy import Connection, func, insert, select, update

from central import feed, leases
from central.db.schema import campaigns
from loyalty.campaign import CAMPAIGN_ID_MAX, Campaign, Policy, problems
from loyalty.coupon import limits
from wire.messages import PutCampaign, decode, encode

CAMPAIGNS_MAX: Final = 100_000


class IssueError(ValueError):
    """A coupon can't be issued or changed as asked; `problems` says why, in sentences for the issuer."""

    def __init__(self, found: list[str]) -> None:
        super().__init__("; ".join(found))
        self.problems = found


class Issued(msgspec.Struct, frozen=True, kw_only=True):
    """A campaign and how it stands."""

    campaign: Campaign
    stock_left: int | None  # None: unlimited
    given_out: int
    redeemed: int
    issued_ms: int


def next_id(connection: Connection) -> int:
    """The lowest number above all campaigns. Raises IssueError when there is none."""
    number = (connection.execute(select(func.max(campaigns.c.id))).scalar() or 0) + 1
    if number > CAMPAIGN_ID_MAX:
        raise IssueError(["there is no free campaign number above the others"])
    return int(number)


def issue(connection: Connection, campaign: Campaign, now_ms: int) -> Campaign:
    """Issues a coupon; id 0 takes the next free number. Gives it as issued. Raises IssueError."""
    if campaign.id == 0:
        campaign = msgspec.structs.replace(campaign, id=next_id(connection))
    found = problems(campaign)
    if get(connection, campaign.id) is not None:
        found.append(f"campaign {campaign.id} was issued before; change it instead")
    if (connection.execute(select(func.count()).select_from(campaigns)).scalar() or 0) >= CAMPAIGNS_MAX:
        found.append(f"there are {CAMPAIGNS_MAX} campaigns already")
    if found:
        raise IssueError(found)
    connection.execute(
        insert(campaigns).values(
            id=campaign.id,
            body=encode(campaign),
            found_by=campaign.found_by,
            provider=campaign.provider,
            stock_left=campaign.stock,
            given_out=0,
            redeemed=0,
            issued_ms=now_ms,
        )
    )
    leases.set_limits(connection, campaign, 0)
    feed.append(connection, [PutCampaign(campaign)], None)
    return campaign


def change(connection: Connection, campaign: Campaign) -> Campaign:
    """Replaces a campaign's terms; its revision counts up. What was given out stays given out. Raises IssueError."""
    old = get(connection, campaign.id)
    if old is None:
        raise IssueError([f"campaign {campaign.id} was never issued"])
    campaign = msgspec.structs.replace(campaign, revision=old.campaign.revision + 1)
    found = problems(campaign)
    if campaign.serials != old.campaign.serials:
        found.append("coupons already given out can't gain or lose their serial numbers")
    if Policy.HOME in (campaign.policy, old.campaign.policy) and campaign.policy is not old.campaign.policy:
        found.append("policy: serials given out already have a home, or have none; issue another coupon instead")
    if old.campaign.policy is Policy.LEASE and limits(campaign) != limits(old.campaign):
        found.append("cap, budget_yen: parts of what is limited are out; a limit can be changed, not added or removed")
    if found:
        raise IssueError(found)
    left = None if campaign.stock is None else max(0, campaign.stock - old.given_out)
    connection.execute(
        update(campaigns)
        .where(campaigns.c.id == campaign.id)
        .values(found_by=campaign.found_by, provider=campaign.provider, stock_left=left)
    )
    leases.set_limits(connection, campaign, old.redeemed)
    put_in_force(connection, campaign)
    before = feed.sites_of(connection, old.campaign)
    if before is not None:  # where it begins to count, nobody was told what was redeemed so far
        feed.begin_anew(connection, feed.sites_of(connection, campaign), but=before)
    return campaign


def put_in_force(connection: Connection, campaign: Campaign) -> None:
    """Writes terms of a known campaign and tells every site. For `change`, and for what the centre turns by itself."""
    connection.execute(update(campaigns).where(campaigns.c.id == campaign.id).values(body=encode(campaign)))
    feed.append(connection, [PutCampaign(campaign)], None)


def stop(connection: Connection, campaign_id: int) -> Campaign:
    """From now on it counts nowhere and can't be downloaded. Raises IssueError."""
    old = get(connection, campaign_id)
    if old is None:
        raise IssueError([f"campaign {campaign_id} was never issued"])
    if old.campaign.stopped:
        return old.campaign
    return change(connection, msgspec.structs.replace(old.campaign, stopped=True))


def get(connection: Connection, campaign_id: int) -> Issued | None:
    if not 0 < campaign_id <= CAMPAIGN_ID_MAX:
        return None
    row = connection.execute(select(campaigns).where(campaigns.c.id == campaign_id)).one_or_none()
    return None if row is None else _issued(row)


def found_by(connection: Connection, code: str) -> Issued | None:
    """The newest campaign for which an unsigned code stands: a JAN, or the key of a code of the trade."""
    query = select(campaigns).where(campaigns.c.found_by == code).order_by(campaigns.c.id.desc()).limit(1)
    row = connection.execute(query).one_or_none()
    return None if row is None else _issued(row)


def listed(connection: Connection) -> list[Issued]:
    return [_issued(row) for row in connection.execute(select(campaigns).order_by(campaigns.c.id))]


def of_provider(connection: Connection, provider: str, limit: int) -> list[Issued]:
    """What one provider issued, newest first."""
    query = select(campaigns).where(campaigns.c.provider == provider).order_by(campaigns.c.id.desc()).limit(limit)
    return [_issued(row) for row in connection.execute(query)]


def newest(connection: Connection, limit: int) -> list[Issued]:
    """What was issued last to be downloaded (printed codes are not), newest first."""
    query = select(campaigns).where(campaigns.c.found_by == "").order_by(campaigns.c.id.desc()).limit(limit)
    return [_issued(row) for row in connection.execute(query)]


def names(connection: Connection, numbers: set[int]) -> dict[int, str]:
    """What some campaigns are called; those that are not known are left out."""
    rows = connection.execute(select(campaigns.c.id, campaigns.c.body).where(campaigns.c.id.in_(numbers)))
    return {row.id: decode(row.body, Campaign).name for row in rows}


def _issued(row: object) -> Issued:
    fields = row._mapping  # type: ignore[attr-defined]
    return Issued(
        campaign=decode(fields["body"], Campaign),
        stock_left=fields["stock_left"],
        given_out=fields["given_out"],
        redeemed=fields["redeemed"],
        issued_ms=fields["issued_ms"],
    )
