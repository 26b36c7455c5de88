"""The answer to a question that a unit may not decide alone (DESIGN, 'What may be decided alone').

The centre reads the text and checks its signature itself, judges by the same rules as a unit but with its own
rows, and holds the serial for that question in the same transaction. The redemption that follows settles the
question, a cancel frees it (`central.settlement`). The same question again has the same answer; two units that
ask for one serial get one yes.
"""

from __future__ import annotations

import logging
from typing import Final, NamedTuple

import msgspec
from sqlalchemy import Connection, func, insert, select, update

from central import homes, leases, registry, settlement
from central.bank import uses
from central.coupons import issue, stoplist
from central.db import locks
from central.db.database import Database
from central.db.schema import (
    USES,
    QuestionState,
    coupon_keys,
    coupons,
    questions,
    redemptions,
    stored_serial,
)
from central.registry import Device
from loyalty import barcode, freshness
from loyalty.barcode import Jan, NotACoupon, Own, Shop, Trade
from loyalty.barcode.trade import coupon_of
from loyalty.campaign import Policy
from loyalty.coupon import CENTRE_HOME, Coupon, Home, Known, Now, Seen, Verdict, cost, judge, of_code
from loyalty.keys import Key, check
from loyalty.lease import CAMPAIGN, NOTHING, Amount, Part, Pot
from loyalty.reason import Reason
from wire.messages import Answer, Ask

QUESTION_BYTES: Final = 16
CLOCK_ERROR_MS: Final = 1_000  # the centre's clock is kept by NTP
_log = logging.getLogger(__name__)


class Elsewhere(NamedTuple):
    """No answer yet: it lies with others. `refusal` is the answer if they can't be reached or do not let go."""

    refusal: Answer
    keeper: str  # the lane that keeps the serial's home; empty: nobody does, or it is not about a home
    campaign: int
    serial: int
    pot: Pot | None  # whose last parts lie with other units
    cost: Amount


class Decider:
    """Answers questions. The answer is committed when `answer` returns. `shop`: codes of the shops' own."""

    def __init__(self, database: Database, shop: Shop | None = None) -> None:
        self._database, self._shop = database, shop or Shop()

    def answer(self, ask: Ask, device_name: str, now_ms: int) -> Answer | Elsewhere:
        """Raises StorageError: then nothing was granted."""
        if len(ask.question) != QUESTION_BYTES:
            return Answer(ask.question[:QUESTION_BYTES], False, Reason.NOT_NOW.value)
        return self._database.unit(lambda connection: self._answer(connection, ask, device_name, now_ms))

    def _answer(self, connection: Connection, ask: Ask, device_name: str, now_ms: int) -> Answer | Elsewhere:
        locks.hold(connection, [locks.device(device_name)])
        device = registry.find(connection, device_name)
        if device is None or not device.active:
            return Answer(ask.question, False, Reason.NOT_NOW.value)
        before = _answered_before(connection, ask.question, device)
        if before is not None:
            return before
        coupon, verdict, known = _judge(connection, ask, device, now_ms, self._shop)
        if verdict.reason in (Reason.NOT_HOME, Reason.NO_PART):
            return _elsewhere(ask, coupon, verdict, known)
        state = QuestionState.GRANTED if verdict.reason is Reason.OK else QuestionState.REFUSED
        return _keep(connection, ask.question, device, coupon, state, verdict, now_ms)

    def refuse(self, refusal: Answer, device_name: str, waited: Elsewhere, now_ms: int) -> Answer:
        """Those who hold it did not let go: that is the answer from now on. Raises StorageError."""
        return self._database.unit(lambda connection: self._refuse(connection, refusal, device_name, waited, now_ms))

    def _refuse(
        self, connection: Connection, refusal: Answer, device_name: str, waited: Elsewhere, now_ms: int
    ) -> Answer:
        locks.hold(connection, [locks.device(device_name)])
        device = registry.find(connection, device_name)
        if device is None:
            return refusal
        before = _answered_before(connection, refusal.question, device)
        if before is not None:
            return before
        coupon = Coupon(campaign=waited.campaign, serial=waited.serial)
        verdict = Verdict(reason=Reason(refusal.reason), at_ms=refusal.at_ms or None, site=refusal.site)
        return _keep(connection, refusal.question, device, coupon, QuestionState.REFUSED, verdict, now_ms)


def _keep(
    connection: Connection,
    question: bytes,
    device: Device,
    coupon: Coupon,
    state: QuestionState,
    verdict: Verdict,
    now_ms: int,
) -> Answer:
    connection.execute(
        insert(questions).values(
            question=question,
            device_id=device.id,
            campaign=coupon.campaign,
            serial=stored_serial(coupon.serial),
            holder=coupon.holder,
            state=state.value,
            reason=verdict.reason.value,
            at_ms=verdict.at_ms or 0,
            site=verdict.site,
            asked_ms=now_ms,
            cost_yen=verdict.leased.yen if verdict.leased is not None else 0,
        )
    )
    return _as_answer(question, state, verdict.reason.value, verdict.at_ms or 0, verdict.site)


def _elsewhere(ask: Ask, coupon: Coupon, verdict: Verdict, known: Known) -> Elsewhere:
    refusal = Answer(ask.question, False, verdict.reason.value, 0, verdict.site)
    keeper = known.home.keeper if known.home is not None else ""
    assert known.campaign is not None, "only a campaign has a policy"
    pot = Pot(CAMPAIGN, coupon.campaign) if verdict.reason is Reason.NO_PART else None
    costs = cost(known.campaign, ask.spend_yen if ask.spend_yen > 0 else None)
    return Elsewhere(refusal, keeper, coupon.campaign, coupon.serial, pot, costs)


def _as_answer(question: bytes, state: str, reason: str, at_ms: int, site: str) -> Answer:
    granted = state in (QuestionState.GRANTED, QuestionState.SETTLED)
    return Answer(question, granted, reason, at_ms, site)


def _answered_before(connection: Connection, question: bytes, device: Device) -> Answer | None:
    row = connection.execute(
        select(questions.c.device_id, questions.c.state, questions.c.reason, questions.c.at_ms, questions.c.site).where(
            questions.c.question == question
        )
    ).one_or_none()
    if row is None:
        return None
    if row.device_id != device.id:
        _log.warning("%s asked a question that is another unit's", device.name)
        return Answer(question, False, Reason.NOT_NOW.value)
    return _as_answer(question, row.state, row.reason, row.at_ms, row.site)


def _judge(connection: Connection, ask: Ask, device: Device, now_ms: int, shop: Shop) -> tuple[Coupon, Verdict, Known]:
    now = Now(wall_ms=now_ms, error_ms=CLOCK_ERROR_MS)
    read = barcode.read(ask.text, ask.format, shop)
    if isinstance(read, NotACoupon):
        return Coupon(campaign=0), Verdict(reason=read.reason), Known()
    if not isinstance(read, Own | Jan | Trade):
        return Coupon(campaign=0), Verdict(reason=Reason.NOT_A_COUPON), Known()
    if isinstance(read, Jan):
        issued = issue.found_by(connection, read.code)
        coupon = of_code(read.code, issued.campaign if issued else None)
    elif isinstance(read, Trade):
        issued = issue.found_by(connection, read.key)
        coupon = _seen_by_the_unit(coupon_of(read, issued.campaign if issued else None, now_ms, shop.utc_offset_min))
    else:
        coupon = read.coupon
        doubt = check(read, _key(connection, coupon.key), now)
        if doubt is not None:
            return Coupon(campaign=0), Verdict(reason=doubt), Known()
    # What is known of the campaign is read once it is held: what was read before tells only which one it is.
    locks.hold(connection, [locks.campaign(coupon.campaign)])
    issued = issue.get(connection, coupon.campaign)
    known, verdict = judge_given(connection, issued, coupon, device, ask.spend_yen, now)
    if verdict.reason is Reason.OK and coupon.step and issued is not None:
        doubt, _ = freshness.judge(coupon.step, 0, issued.campaign.clock_rule, now, freshness.ON_THE_WAY_MS)
        if doubt is not None:
            return coupon, Verdict(reason=doubt), known
    if verdict.reason is Reason.OK:
        doubt = held_back(connection, issued, coupon, device)
        if doubt is not None:
            return coupon, Verdict(reason=doubt), known
    return coupon, verdict, known


def judge_given(
    connection: Connection, issued: issue.Issued | None, coupon: Coupon, device: Device, spend_yen: int, now: Now
) -> tuple[Known, Verdict]:
    """The verdict on a believed coupon by the centre's rows. `held_back` may still say no. `spend_yen` 0: no basket."""
    known = _known(connection, issued, coupon, device)
    return known, judge(coupon, known, site=device.site, spend_yen=spend_yen if spend_yen > 0 else None, now=now)


def _seen_by_the_unit(coupon: Coupon) -> Coupon:
    """Without what only the unit can see: the goods in the basket, and whether the code is for this retailer."""
    terms = msgspec.structs.replace(coupon.terms, purchases=(), retailer="")
    return msgspec.structs.replace(coupon, terms=terms)


def _key(connection: Connection, number: int) -> Key | None:
    row = connection.execute(
        select(coupon_keys.c.public, coupon_keys.c.retired_ms).where(coupon_keys.c.id == number)
    ).one_or_none()
    return None if row is None else Key(number, row.public, row.retired_ms)


def _known(connection: Connection, issued: issue.Issued | None, coupon: Coupon, device: Device) -> Known:
    """The centre's rows; coupons that are held for other questions count as used up, as they may be."""
    if issued is None:
        return Known()
    campaign = issued.campaign
    seen = None
    if coupon.serial:
        use = (redemptions.c.campaign == coupon.campaign) & (redemptions.c.serial == stored_serial(coupon.serial))
        row = connection.execute(
            select(redemptions.c.at_ms, redemptions.c.site)
            .where(use, redemptions.c.state.in_(USES))
            .order_by(redemptions.c.at_ms)
        ).first()
        seen = uses.seen(connection, coupon) if row is None else Seen(at_ms=row.at_ms, site=row.site)
    # A question of this same unit about this same serial is over, or it would not ask again (`held_back`).
    over = (questions.c.device_id == device.id) & (questions.c.serial == stored_serial(coupon.serial))
    over &= questions.c.serial != 0
    person_count = 0
    if campaign.per_person is not None and coupon.holder:
        theirs = (questions.c.campaign == coupon.campaign) & (questions.c.state == QuestionState.GRANTED) & ~over
        theirs &= questions.c.holder == coupon.holder
        person_count = settlement.person_count(connection, campaign.id, coupon.holder)
        person_count += connection.execute(select(func.count()).where(theirs)).scalar() or 0
    total, part = NOTHING, None
    stand = leases.ensure(connection, campaign, issued.redeemed)
    if stand is not None:
        promised = leases.held(connection, Pot(CAMPAIGN, campaign.id), ~over)
        total = stand.spent + promised
        part = Part(left=stand.cap - stand.promised - promised, limits=stand.limits)
    return Known(
        campaign=campaign,
        seen=seen,
        person_count=person_count,
        total=total,
        part=part,
        revoked=stoplist.stops(connection, coupon.campaign, stored_serial(coupon.serial), coupon.holder),
        home=_home(connection, coupon) if campaign.policy is Policy.HOME else None,
        card_holder=coupon.holder if campaign.needs_card else 0,  # the unit has looked at the card before it asked
    )


def _home(connection: Connection, coupon: Coupon) -> Home | None:
    """Where the serial is decided; None: here, at the centre."""
    place = homes.place(connection, coupon.campaign, coupon.serial)
    if place is None or place.home == CENTRE_HOME:
        return None
    kept = homes.keeper(connection, place.home)
    if kept is None:
        return Home(number=place.home, site=homes.name_of(connection, place.home))
    return Home(number=place.home, site=kept.title or kept.site, keeper=kept.device)


def held_back(connection: Connection, issued: issue.Issued | None, coupon: Coupon, device: Device) -> Reason | None:
    """Why a coupon that would count is still not granted."""
    leased = issued is not None and issued.campaign.policy is Policy.LEASE
    if registry.anybody_awaited(connection) or (leased and registry.anybody_owes_parts(connection)):
        return Reason.NOT_NOW  # after a restore: some unit may hold the redemption that we forgot
    if not coupon.serial:
        return None
    same = stored_serial(coupon.serial)
    given = select(coupons.c.id).where(coupons.c.campaign == coupon.campaign, coupons.c.serial == same)
    if coupon.key and connection.execute(given).first() is None:  # serials of the trade were printed, not given out
        return Reason.NOT_DOWNLOADED
    holding = (
        (questions.c.campaign == coupon.campaign)
        & (questions.c.serial == same)
        & (questions.c.state == QuestionState.GRANTED)
    )
    # A unit asks one question at a time and journals a cancel for one that timed out: its older one is over. Not so
    # one that pays by account: the bank may have debited by now.
    connection.execute(
        update(questions)
        .where(holding, questions.c.device_id == device.id, ~uses.paying)
        .values(state=QuestionState.CANCELLED.value, reason=Reason.NOT_NOW.value)
    )
    held = connection.execute(select(questions.c.question).where(holding)).first()
    return None if held is None else Reason.BUSY
