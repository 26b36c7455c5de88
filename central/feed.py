"""The change log of each site, and what a cache that has fallen behind is sent (DESIGN, 'The downlink').

Every site numbers its changes 1, 2, 3 ... without gaps. One booked batch is one row for each site that must
know, and one body that they share, so a chain of many shops does not multiply what is written.

The log is bounded: `prune` drops what is older than the newest `kept` changes, and a cache that asks for
what is gone gets a snapshot (`central.snapshot`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import msgspec
from sqlalchemy import Connection, delete, exists, func, select, update

from central.db import bulk
from central.db.schema import change_log, feed_bodies, feeds, sites
from loyalty.campaign import Campaign
from wire.messages import Change, Message, encode

MESSAGE_BYTES_MAX: Final = 60 * 1024  # of changes in one message; the seal and the topic come on top
BODY_CHANGES_MAX: Final = 1_000  # changes that share one row of the log
BODIES_READ_AT_ONCE: Final = 16

_PUT_BODY: Final = "INSERT INTO feed_bodies (changes) VALUES (?) RETURNING id"
_GROW: Final = "UPDATE feeds SET head = head + ?"
_LOG: Final = "INSERT INTO change_log (site_id, first, count, body_id) SELECT site_id, head - ? + 1, ?, ? FROM feeds"
_raw_list = msgspec.msgpack.Decoder(list[msgspec.Raw])


class RawFeed(Message, tag="changes", frozen=True):
    """wire.messages.Feed with its changes still encoded."""

    incarnation: bytes
    before: int
    changes: list[msgspec.Raw]


def append(connection: Connection, changes: Sequence[Change], site_ids: Sequence[int] | None) -> None:
    """Adds `changes` to the log of these sites (None: of every site), in the caller's transaction."""
    if site_ids is not None and not site_ids:
        return
    if changes:
        hold(connection, site_ids)
    for start in range(0, len(changes), BODY_CHANGES_MAX):
        part = changes[start : start + BODY_CHANGES_MAX]
        body = bulk.run(connection, _PUT_BODY, (encode(part),)).scalar_one()
        which, ids = (
            ("", ()) if site_ids is None else (" WHERE site_id IN " + bulk.among(len(site_ids)), tuple(site_ids))
        )
        bulk.run(connection, _GROW + which, (len(part), *ids))
        bulk.run(connection, _LOG + which, (len(part), len(part), body, *ids))


def hold(connection: Connection, site_ids: Sequence[int] | None) -> None:
    """Has these logs (None: all) wait for this transaction, taken in one order so that no two wait for each other.

    `append` does so by itself; one that appends to several groups of sites holds them all before.
    """
    if connection.dialect.name == "postgresql":
        ours = select(feeds.c.site_id).order_by(feeds.c.site_id).with_for_update()
        connection.execute(ours if site_ids is None else ours.where(feeds.c.site_id.in_(site_ids))).all()


def sites_of(connection: Connection, *campaigns: Campaign) -> list[int] | None:
    """The sites where any of `campaigns` counts; None: everywhere (K9)."""
    if any(not campaign.shops for campaign in campaigns):
        return None
    return named(connection, tuple({shop for campaign in campaigns for shop in campaign.shops}))


def named(connection: Connection, names: tuple[str, ...]) -> list[int] | None:
    """The sites of these names, as far as they are known here; none named: every site."""
    if not names:
        return None
    return list(connection.execute(select(sites.c.id).where(sites.c.name.in_(names)).order_by(sites.c.id)).scalars())


def begin_anew(connection: Connection, site_ids: list[int] | None, *, but: list[int]) -> None:
    """Has every cache of these sites (None: of all, each time without those in `but`) take a snapshot.

    A number without a change is a gap in their logs that no pull of changes can close.
    """
    behind = update(feeds).where(feeds.c.site_id.not_in(but))
    if site_ids is not None:
        behind = behind.where(feeds.c.site_id.in_(site_ids))
    connection.execute(behind.values(head=feeds.c.head + 1, floor=feeds.c.head + 1))


def heads(connection: Connection) -> dict[str, int]:
    """The newest number of each site's log."""
    rows = connection.execute(select(sites.c.name, feeds.c.head).join_from(feeds, sites))
    return {row.name: row.head for row in rows}


def covers(connection: Connection, site: str, number: int) -> bool:
    """Whether a cache of `site` that stands at `number` can be brought up to date with changes alone."""
    row = connection.execute(
        select(feeds.c.head, feeds.c.floor).join_from(feeds, sites).where(sites.c.name == site)
    ).one_or_none()
    return row is not None and row.floor <= number <= row.head


def messages_since(connection: Connection, site: str, number: int, incarnation: bytes) -> Iterator[RawFeed]:
    """The changes of `site` after `number`, in messages of at most MESSAGE_BYTES_MAX; at least one, maybe empty.

    `covers(site, number)` must hold in the same transaction.
    """
    before, waiting, size = number, list[msgspec.Raw](), 0
    sent = False
    for change in _changes_since(connection, site, number):
        if waiting and size + len(bytes(change)) > MESSAGE_BYTES_MAX:
            yield RawFeed(incarnation, before, waiting)
            sent = True
            before, waiting, size = before + len(waiting), [], 0
        waiting.append(change)
        size += len(bytes(change))
    if waiting or not sent:
        yield RawFeed(incarnation, before, waiting)


def _changes_since(connection: Connection, site: str, number: int) -> Iterator[msgspec.Raw]:
    site_id = connection.execute(select(sites.c.id).where(sites.c.name == site)).scalar_one()
    ours = change_log.c.site_id == site_id
    start = connection.execute(
        select(func.max(change_log.c.first)).where(ours, change_log.c.first <= number + 1)
    ).scalar()
    position = start if start is not None else number + 1
    while True:
        rows = connection.execute(
            select(change_log.c.first, change_log.c.count, feed_bodies.c.changes)
            .join_from(change_log, feed_bodies)
            .where(ours, change_log.c.first >= position)
            .order_by(change_log.c.first)
            .limit(BODIES_READ_AT_ONCE)
        ).all()
        for first, count, body in rows:
            yield from _raw_list.decode(body)[max(0, number + 1 - first) :]
            position = first + count
        if len(rows) < BODIES_READ_AT_ONCE:
            return


def prune(connection: Connection, kept: int) -> int:
    """Drops changes beyond the newest `kept` of each site; gives how many log rows went."""
    gone = 0
    for site_id, head, floor in connection.execute(select(feeds.c.site_id, feeds.c.head, feeds.c.floor)).all():
        wanted = head - kept
        if wanted <= floor:
            continue
        old = (change_log.c.site_id == site_id) & (change_log.c.first + change_log.c.count - 1 <= wanted)
        rows = connection.execute(delete(change_log).where(old)).rowcount
        if rows:
            left = connection.execute(
                select(func.min(change_log.c.first)).where(change_log.c.site_id == site_id)
            ).scalar()
            new_floor = head if left is None else left - 1
            connection.execute(update(feeds).where(feeds.c.site_id == site_id).values(floor=new_floor))
            gone += rows
    if gone:
        used = exists().where(change_log.c.body_id == feed_bodies.c.id)
        connection.execute(delete(feed_bodies).where(~used))
    return gone
