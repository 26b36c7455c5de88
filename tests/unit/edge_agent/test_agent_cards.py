"""The member card at a lane and at a kiosk (M1, M2, M5, M12): who it speaks for, how it is written."""

from __future__ import annotations

from typing import TypeVar

import msgspec
import pytest

from edge_agent.card_writer import CardJob, write
from edge_agent.core import events as ev
from edge_agent.core.effects import AskCard, SeekPart, Show, View, WriteCard
from edge_agent.core.states import Mode, State
from edge_agent.core.visit import Step
from edge_agent.store import cards as held
from edge_agent.store.store import Store
from hal.events import CardPresented, CardRemoved
from hal.virtual.card import VirtualCardReader
from hal.virtual.tag import Tag
from hal.virtual.world import Part, World
from loyalty.campaign import Campaign, Kind, Policy
from loyalty.card import COUNTER_MAX, Balance, Record, card_key, encode, size
from loyalty.card_slots import USER_FIRST_PAGE, Chip, Found, chip_named, look, plan
from loyalty.lease import POINTS, Amount, Pot
from loyalty.reason import Reason
from tests.unit.edge_agent.agent_world import SECRET, Driver, code, scanned
from wire import sealing
from wire.facts import CardSettled, CardSuspected, CardWriting, Earned, Fact, Outcome, Spent
from wire.messages import PutCampaign, PutCard, PutCardKey, PutGeneration, PutRevoked

KEY, NEXT_KEY = b"k" * 32, b"n" * 32
UID, OTHER_UID = bytes.fromhex("04a1b2c3d4e5f6"), bytes.fromhex("04a1b2c3d4e5f7")
HER, HIM = 11, 12
PROGRAMME = 5
INCARNATION = b"i" * 16
BOUND = Campaign(
    id=30, name="ご本人様", kind=Kind.GIFT, gift="紅茶", policy=Policy.SIGNED, provider="shop", needs_card=True
)
LONG_AGO_MS = 2_000_000_000


F = TypeVar("F")


class Place:
    """A unit with a virtual card reader, driven by hand."""

    def __init__(self, store: Store, mode: Mode = Mode.KIOSK) -> None:
        self.store, self.world = store, World()
        self.drive = Driver(store, mode)
        self.reader = VirtualCardReader(self.world.port())
        self.facts: list[Fact] = []
        self.steps: list[Step] = []
        self.drive(ev.LinkChanged(up=True))

    def event(self, event: ev.Event) -> Step:
        """One event, and the writes that it asks for."""
        step = self.drive(event)
        self.facts += step.facts
        self.steps.append(step)
        for effect in step.effects:
            if isinstance(effect, WriteCard):
                self.event(ev.CardWritten(id=effect.id, outcome=self._write(effect)))
        for moved in self.reader.poll():
            self.event(moved)
        return self.steps[-1]

    def _write(self, effect: WriteCard) -> Outcome:
        """What the runner and the reader's thread do."""
        chip = chip_named(effect.slot.chip)
        assert chip is not None
        keys = self.store.cache.card_keys
        made = plan(effect.record, effect.before, chip, effect.slot.uid, keys[0])
        assert made is not None
        assert made.record == effect.record, "the core and the plan say the same"
        job = CardJob(id=effect.id, uid=effect.slot.uid, chip=chip, plan=made, before=effect.before, keys=keys)
        return write(self.reader, job)

    def put(self, tag: Tag) -> Step:
        self.world.insert_card(tag)
        (come,) = self.reader.poll()
        return self.event(come)

    def take(self) -> None:
        self.world.remove_card()
        for moved in self.reader.poll():
            self.event(moved)

    @property
    def reasons(self) -> list[Reason]:
        return [step.verdict.reason for step in self.steps if step.verdict is not None]

    @property
    def views(self) -> list[View]:
        return [effect.view for step in self.steps for effect in step.effects if isinstance(effect, Show)]

    def of(self, kind: type[F]) -> list[F]:
        return [fact for fact in self.facts if isinstance(fact, kind)]

    def outcomes(self) -> list[str]:
        return [fact.outcome for fact in self.facts if isinstance(fact, CardSettled)]


def member_card(
    holder: int = HER, generation: int = 1, *balances: Balance, uid: bytes = UID, chip: Chip = Chip.NTAG213
) -> Tag:
    """A card as a kiosk has written it."""
    tag = Tag(uid, chip)
    rewrite(tag, Record(holder=holder, generation=generation, balances=balances))
    return tag


def rewrite(tag: Tag, record: Record, key: bytes = KEY) -> None:
    made = plan(record, says(tag), tag.chip, tag.uid, key)
    assert made is not None
    for page in made.writes:
        tag.write(page.page, page.data)


def says(tag: Tag, *keys: bytes) -> Found | None:
    return look(tag.user_memory, tag.chip, tag.uid, keys or (KEY,)).found


def points_on(tag: Tag) -> int | None:
    found = says(tag)
    assert found is not None
    return found.record.points(PROGRAMME)


@pytest.fixture(autouse=True)
def _told(store: Store) -> None:
    with store.transaction():
        store.cache.apply([PutCardKey(1, KEY), PutCampaign(BOUND)], INCARNATION, 9)
        for pot in (Pot(POINTS, PROGRAMME, HER), Pot(POINTS, PROGRAMME)):
            store.parts.grant(pot, Amount(1_000), LONG_AGO_MS * 1_000)


@pytest.fixture
def kiosk(store: Store) -> Place:
    return Place(store)


@pytest.fixture
def lane(store: Store) -> Place:
    return Place(store, Mode.LANE)


def tell(place: Place, *changes: PutGeneration | PutCardKey) -> None:
    with place.store.transaction():
        place.store.cache.apply(list(changes), INCARNATION, 10)


def generation(holder: int, number: int, *, blocked: bool = False) -> PutGeneration:
    return PutGeneration(sealing.holder_hash(SECRET, holder), number, blocked)


def reason(step: Step) -> Reason | None:
    return step.verdict.reason if step.verdict else None


def pay(points: int = 100, holder: int = HER) -> ev.PointsWanted:
    return ev.PointsWanted(programme=PROGRAMME, holder=holder, points=points)


def earn(points: int = 30, holder: int = HER) -> ev.PointsEarned:
    return ev.PointsEarned(programme=PROGRAMME, holder=holder, points=points, spend_yen=3_000)


# --- for whom a card speaks -------------------------------------------------------------------------------------


@pytest.mark.parametrize("chip", Chip)
def test_M12_a_card_in_the_slot_is_known_by_its_record_and_opens_its_holders_coupons(lane: Place, chip: Chip) -> None:
    lane.put(member_card(HER, chip=chip))
    assert lane.views[-1] is View.KNOWN_CARD
    assert reason(lane.event(scanned(code(BOUND, serial=9, holder=HIM)))) is Reason.WRONG_HOLDER
    assert reason(lane.event(scanned(code(BOUND, serial=8, holder=HER)))) is Reason.OK


def test_M12_a_coupon_that_waits_for_its_card_counts_when_it_comes(lane: Place) -> None:
    assert reason(lane.event(scanned(code(BOUND, serial=8, holder=HER)))) is Reason.NEEDS_CARD
    assert reason(lane.put(member_card(HER))) is Reason.OK


def test_M2_a_card_that_was_replaced_is_refused_with_a_sentence_and_reported_once(lane: Place) -> None:
    tell(lane, generation(HER, 2))
    old = member_card(HER, 1)
    assert reason(lane.put(old)) is Reason.CARD_OLD
    assert reason(lane.event(scanned(code(BOUND, serial=8, holder=HER)))) is Reason.WRONG_HOLDER
    lane.take()
    lane.put(old)
    assert lane.reasons.count(Reason.CARD_OLD) == 2
    assert [(fact.holder, fact.generation, fact.why) for fact in lane.of(CardSuspected)] == [(HER, 1, "card_old")]
    lane.take()
    assert reason(lane.put(member_card(HER, 2, uid=OTHER_UID))) is Reason.OK, "for the coupon that waited"


def test_M2_a_refused_card_does_not_answer_for_a_coupon_that_waits(lane: Place) -> None:
    tell(lane, generation(HER, 2))
    lane.event(scanned(code(BOUND, serial=8, holder=HER)))
    assert reason(lane.put(member_card(HER, 1))) is Reason.CARD_OLD
    lane.take()
    assert reason(lane.put(member_card(HER, 2, uid=OTHER_UID))) is Reason.OK, "the coupon still waits"


def test_M2_a_lost_card_is_refused_until_it_is_found(lane: Place) -> None:
    tell(lane, generation(HER, 1, blocked=True))
    card = member_card(HER, 1)
    assert reason(lane.put(card)) is Reason.CARD_BLOCKED
    lane.take()
    tell(lane, generation(HER, 1))
    assert lane.put(card).verdict is None


def test_M2_the_card_of_somebody_on_the_stop_list_is_refused(lane: Place) -> None:
    with lane.store.transaction():
        lane.store.cache.apply([PutRevoked(sealing.holder_hash(SECRET, HER))], INCARNATION, 11)
    assert reason(lane.put(member_card(HER, 7))) is Reason.CARD_BLOCKED
    lane.take()
    assert reason(lane.put(member_card(HIM, 1, uid=OTHER_UID))) is None


def test_M2_a_card_that_was_given_out_before_the_feed_told_it_is_believed(lane: Place) -> None:
    tell(lane, generation(HER, 2, blocked=True))
    assert lane.put(member_card(HER, 3)).verdict is None
    assert lane.views[-1] is View.KNOWN_CARD


def test_M2_an_old_card_is_refused_while_a_basket_is_open_too(lane: Place) -> None:
    tell(lane, generation(HER, 2))
    lane.event(ev.BasketOpened(spend_yen=500))
    assert reason(lane.put(member_card(HER, 1))) is Reason.CARD_OLD
    assert lane.drive.core.visit.basket_yen == 500


def test_a_copy_on_another_tag_is_refused_and_reported(lane: Place) -> None:
    copy = Tag(OTHER_UID)
    copy.copy_from(member_card(HER))
    assert reason(lane.put(copy)) is Reason.CARD_UNREADABLE
    (fact,) = lane.of(CardSuspected)
    assert (fact.holder, fact.card) == (0, sealing.card_hash(SECRET, OTHER_UID))


def test_a_card_whose_old_state_was_written_back_is_refused_and_reported(lane: Place) -> None:
    card = member_card(HER, 1, Balance(PROGRAMME, 500))
    before = Tag(UID)
    before.copy_from(card)
    rewrite(card, Record(holder=HER, generation=1, balances=(Balance(PROGRAMME, 100),)))
    lane.put(card)
    lane.take()
    assert reason(lane.put(before)) is Reason.CARD_SUSPECT
    (fact,) = lane.of(CardSuspected)
    assert (fact.holder, fact.counter, fact.seen) == (HER, 1, 2)


def test_a_foreign_card_gets_a_sentence_and_is_never_written(kiosk: Place) -> None:
    train_pass = Tag(UID)
    train_pass.write(USER_FIRST_PAGE, b"pass")
    before = train_pass.user_memory
    kiosk.put(train_pass)
    assert kiosk.views[-1] is View.FOREIGN_CARD
    kiosk.event(earn())
    assert train_pass.user_memory == before
    assert not kiosk.of(CardWriting)


def test_a_card_that_is_known_by_its_uid_alone_still_is(lane: Place) -> None:
    with lane.store.transaction():
        lane.store.cache.apply([PutCard(sealing.card_hash(SECRET, UID), HER)], INCARNATION, 11)
    lane.put(Tag(UID))
    assert lane.views[-1] is View.KNOWN_CARD


def test_M2_a_card_that_was_replaced_does_not_speak_by_its_uid_either(lane: Place) -> None:
    with lane.store.transaction():
        lane.store.cache.apply([PutCard(sealing.card_hash(SECRET, UID), HER), generation(HER, 2)], INCARNATION, 11)
    lane.put(member_card(HER, 1))
    assert reason(lane.event(scanned(code(BOUND, serial=8, holder=HER)))) is Reason.WRONG_HOLDER


def test_before_the_first_snapshot_no_card_is_called_bad(store: Store) -> None:
    with store.transaction():
        store.connection.execute("DELETE FROM card_keys")
        store.cache.reload()
    lane = Place(store, Mode.LANE)
    lane.put(member_card(HER))
    assert lane.views[-1] is View.FOREIGN_CARD
    assert lane.facts == []


def test_a_snapshot_replaces_keys_and_generations(lane: Place) -> None:
    tell(lane, generation(HER, 2), generation(HIM, 1, blocked=True))
    with lane.store.transaction():
        lane.store.cache.start_snapshot(100)
        lane.store.cache.stage([PutCardKey(2, NEXT_KEY), PutCardKey(1, KEY), generation(HIM, 4)])
        lane.store.cache.finish_snapshot(INCARNATION, 20)
    assert lane.store.cache.card_keys == (NEXT_KEY, KEY)
    assert lane.store.cache.valid_card(HER) == (1, False)
    assert lane.store.cache.valid_card(HIM) == (4, False)


def test_the_cards_that_were_seen_are_remembered_up_to_a_bound(lane: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(held, "CARDS_SEEN_MAX", 3)
    for number in range(6):
        lane.put(member_card(HER, uid=UID[:6] + bytes((number,))))
        lane.take()
    lane.store.tidy(None, 0)
    assert lane.store.connection.row("SELECT count(*) FROM card_counters") == (3,)


# --- points on the card -----------------------------------------------------------------------------------------


def test_M5_points_that_pay_leave_the_card_first_and_then_the_journal(lane: Place) -> None:
    card = member_card(HER, 1, Balance(PROGRAMME, 500))
    lane.put(card)
    lane.event(pay(100))
    assert points_on(card) == 400
    assert [type(fact) for fact in lane.facts] == [CardWriting, CardSettled, Spent]
    assert lane.outcomes() == ["done"]
    assert lane.views[-2:] == [View.CARD_WRITING, View.SPENT]
    lane.event(pay(150))  # with what was written before it
    assert points_on(card) == 250
    found = says(card)
    assert found is not None
    assert found.record.counter == 3


def test_M11_a_card_at_a_lane_has_its_holders_points_sought_before_a_till_asks(lane: Place, kiosk: Place) -> None:
    for place in (lane, kiosk):
        place.put(member_card(HER, 1, Balance(PROGRAMME, 300)))
    assert [one for step in lane.steps for one in step.effects if isinstance(one, SeekPart)] == [
        SeekPart(pot=Pot(POINTS, PROGRAMME, HER), cost=Amount(300)),
        SeekPart(pot=Pot(POINTS, PROGRAMME), cost=Amount(300)),
    ]
    assert not [one for step in kiosk.steps for one in step.effects if isinstance(one, SeekPart)]


def test_M5_the_cards_balance_can_only_lower_what_may_be_spent(lane: Place) -> None:
    card = member_card(HER, 1, Balance(PROGRAMME, 50))
    lane.put(card)
    assert reason(lane.event(pay(51))) is Reason.NO_POINTS
    assert not lane.facts
    assert not [effect for effect in lane.steps[-1].effects if isinstance(effect, SeekPart)]
    card = member_card(HER, 1, Balance(PROGRAMME, 100_000), uid=OTHER_UID)
    lane.take()
    lane.put(card)
    assert reason(lane.event(pay(1_001))) is Reason.NO_POINTS, "the floor that was leased is 1,000"
    assert points_on(card) == 100_000


def test_M5_points_earned_count_at_once_and_the_card_follows(lane: Place) -> None:
    card = member_card(HER, 1, Balance(PROGRAMME, 500))
    lane.put(card)
    lane.event(earn(30))
    assert points_on(card) == 530
    assert [type(fact) for fact in lane.facts] == [Earned, CardWriting, CardSettled]
    assert lane.views[-1] is View.EARNED


@pytest.mark.parametrize("card", [None, "his", "silent", "refused"])
def test_M5_points_of_somebody_whose_card_says_nothing_of_them_move_without_it(lane: Place, card: str | None) -> None:
    tags = {
        "his": member_card(HIM, 1, Balance(PROGRAMME, 5)),
        "silent": member_card(HER, 1, Balance(PROGRAMME + 1, 5)),
        "refused": member_card(HER, 1, Balance(PROGRAMME, 5)),
    }
    if card == "refused":
        tell(lane, generation(HER, 2))
    if card is not None:
        lane.put(tags[card])
    lane.event(pay(100))
    lane.event(earn(30))
    assert len(lane.of(Spent)) == len(lane.of(Earned)) == 1
    assert not lane.of(CardWriting)


def test_M5_a_card_that_is_worn_out_is_written_no_more_and_its_holder_pays_all_the_same(lane: Place) -> None:
    card = Tag(UID)
    worn = Record(holder=HER, generation=1, counter=COUNTER_MAX, balances=(Balance(PROGRAMME, 500),))
    for number, byte in enumerate(range(0, size(1), 4)):
        card.write(USER_FIRST_PAGE + number, encode(worn, 0, card_key(KEY, UID))[byte : byte + 4])
    lane.put(card)
    lane.event(pay(100))
    lane.event(earn(30))
    assert [type(fact) for fact in lane.facts] == [Spent, Earned]
    assert reason(lane.event(pay(501))) is Reason.NO_POINTS
    assert points_on(card) == 500


@pytest.mark.parametrize("after_writes", range(6))
@pytest.mark.parametrize("after_bytes", range(5))
def test_M5_a_card_pulled_away_at_any_point_of_a_payment_pays_nothing_and_is_settled_at_the_next_tap(
    lane: Place, after_writes: int, after_bytes: int
) -> None:
    card = member_card(HER, 1, Balance(PROGRAMME, 500))
    lane.put(card)
    lane.world.tear_card(after_bytes, after_writes=after_writes)
    lane.event(pay(100))
    assert lane.of(Spent) == [], "no goods"
    assert lane.outcomes() == ["doubt"]
    assert Reason.CARD_NOT_WRITTEN in lane.reasons
    assert points_on(card) in (500, 400)
    lane.put(card)
    assert lane.outcomes() == ["doubt", "done" if points_on(card) == 400 else "undone"]
    assert lane.store.connection.row("SELECT count(*) FROM card_writes") == (0,)
    lane.event(pay(100))
    assert len(lane.of(Spent)) == 1


@pytest.mark.parametrize("calls", range(1, 25))
def test_M5_a_card_that_says_no_pays_or_does_not_and_never_halfway(lane: Place, calls: int) -> None:
    card = member_card(HER, 1, Balance(PROGRAMME, 500))
    lane.put(card)
    lane.world.refuse_card(calls)
    lane.event(pay(100))
    (outcome,) = lane.outcomes()
    assert bool(lane.of(Spent)) == (outcome == "done") == (points_on(card) == 400)
    assert outcome != "done" or calls < 3


def test_M5_a_reader_that_breaks_in_the_middle_leaves_the_payment_in_doubt(lane: Place) -> None:
    card = member_card(HER, 1, Balance(PROGRAMME, 500))
    lane.put(card)
    lane.world.break_part(Part.CARD)
    step = lane.drive(pay(100))
    (effect,) = (effect for effect in step.effects if isinstance(effect, WriteCard))
    assert lane._write(effect) is Outcome.DOUBT


def test_M5_while_a_card_is_written_nothing_else_is_paid_with_it(lane: Place) -> None:
    lane.put(member_card(HER, 1, Balance(PROGRAMME, 500)))
    lane.drive(pay(100))  # its end is not told yet
    assert reason(lane.drive(pay(100))) is Reason.BUSY
    assert not [fact for fact in lane.drive(earn(30)).facts if isinstance(fact, CardWriting)]


def test_M5_a_floor_that_was_taken_back_while_the_card_was_written_pays_nothing(lane: Place) -> None:
    lane.put(member_card(HER, 1, Balance(PROGRAMME, 500)))
    step = lane.drive(pay(1_000 // 2))
    (effect,) = (effect for effect in step.effects if isinstance(effect, WriteCard))
    lane.drive(ev.PartRecalled(pot=Pot(POINTS, PROGRAMME), amount=Amount(900)))
    after = lane.drive(ev.CardWritten(id=effect.id, outcome=Outcome.DONE))
    assert reason(after) is Reason.NO_POINTS
    assert not [fact for fact in after.facts if isinstance(fact, Spent)]


def test_M5_a_power_cut_between_the_intent_and_its_end_is_in_doubt_and_settled_at_the_next_tap(store: Store) -> None:
    card = member_card(HER, 1, Balance(PROGRAMME, 500))
    before = Place(store, Mode.LANE)
    before.put(card)
    step = before.drive(pay(100))
    (effect,) = (effect for effect in step.effects if isinstance(effect, WriteCard))
    assert before._write(effect) is Outcome.DONE  # and then the power goes
    after = Place(store, Mode.LANE)
    unfinished = tuple(write.id for write in store.cards.unfinished())
    after.event(ev.Started(unfinished_cards=unfinished))
    assert after.outcomes() == ["doubt"]
    assert store.cards.unfinished() == ()
    after.put(card)
    assert after.outcomes() == ["doubt", "done"]
    assert after.of(Spent) == []


def test_an_end_that_was_lost_is_in_doubt_when_the_next_card_comes(lane: Place) -> None:
    card = member_card(HER, 1, Balance(PROGRAMME, 500))
    lane.put(card)
    step = lane.drive(pay(100))
    (effect,) = (effect for effect in step.effects if isinstance(effect, WriteCard))
    lane.take()
    lane.put(card)
    assert lane.outcomes() == ["doubt"]
    late = lane.drive(ev.CardWritten(id=effect.id, outcome=Outcome.DONE))
    assert late.facts == ()
    assert lane.event(pay(100)).facts[-1:] == tuple(lane.of(Spent))


def test_M12_a_record_that_was_written_with_an_older_key_is_renewed_with_the_newest(lane: Place) -> None:
    card = member_card(HER, 1, Balance(PROGRAMME, 500))
    tell(lane, PutCardKey(2, NEXT_KEY))
    lane.put(card)
    lane.event(pay(100))
    assert len(lane.of(Spent)) == 1
    renewed = says(card, NEXT_KEY)
    assert renewed is not None
    assert renewed.record.points(PROGRAMME) == 400


# --- giving out cards ---------------------------------------------------------------------------------------------


def asked(place: Place) -> AskCard:
    (effect,) = (effect for effect in place.steps[-1].effects if isinstance(effect, AskCard))
    return effect


def grant(question: bytes, *balances: tuple[int, int], holder: int = HER, number: int = 1) -> ev.CardGranted:
    return ev.CardGranted(question=question, holder=holder, generation=number, number="4821093757", balances=balances)


def test_M1_an_empty_tag_at_a_kiosk_becomes_a_card_when_the_phone_has_said_whose(kiosk: Place) -> None:
    tag = Tag(UID)
    kiosk.put(tag)
    ask = asked(kiosk)
    assert (ask.uid, ask.chip) == (UID, "ntag213")
    kiosk.event(ev.CardOffered(question=ask.question, link="http://x/card/abc", life_ms=600_000))
    assert kiosk.views[-1] is View.CARD_OFFER
    assert not kiosk.facts
    kiosk.event(grant(ask.question, (PROGRAMME, 500), (9, 7)))
    assert [type(fact) for fact in kiosk.facts] == [CardWriting, CardSettled]
    assert kiosk.outcomes() == ["done"]
    assert kiosk.views[-2:] == [View.CARD_WRITING, View.CARD_GIVEN]
    found = says(tag)
    assert found is not None
    assert (found.record.holder, found.record.generation) == (HER, 1)
    assert found.record.balances == (Balance(PROGRAMME, 500), Balance(9, 7))
    kiosk.event(pay(100))  # it is her card from now on
    assert points_on(tag) == 400


def test_M1_what_does_not_fit_on_the_smallest_chip_stays_at_the_centre(kiosk: Place) -> None:
    tag = Tag(UID, Chip.MF0UL11)
    kiosk.put(tag)
    kiosk.event(grant(asked(kiosk).question, (PROGRAMME, 500), (9, 7)))
    found = says(tag)
    assert found is not None
    assert found.record.balances == (Balance(PROGRAMME, 500),)


@pytest.mark.parametrize("calls", range(1, 20))
def test_M1_a_tag_that_says_no_while_it_is_written_is_written_anew(kiosk: Place, calls: int) -> None:
    tag = Tag(UID)
    kiosk.put(tag)
    kiosk.world.refuse_card(calls)
    kiosk.event(grant(asked(kiosk).question))
    if kiosk.outcomes() == ["done"]:
        assert kiosk.views[-1] is View.CARD_GIVEN
        return
    kiosk.take()
    kiosk.put(tag)
    kiosk.event(grant(asked(kiosk).question, number=2))
    assert kiosk.outcomes()[-1] == "done"
    assert kiosk.views[-1] is View.CARD_GIVEN


@pytest.mark.parametrize("after_bytes", range(5))
@pytest.mark.parametrize("after_writes", range(5))
def test_M1_a_tag_pulled_away_while_it_is_written_is_written_anew_when_it_comes_back(
    kiosk: Place, after_writes: int, after_bytes: int
) -> None:
    tag = Tag(UID)
    kiosk.put(tag)
    kiosk.world.tear_card(after_bytes, after_writes=after_writes)
    kiosk.event(grant(asked(kiosk).question))
    assert kiosk.outcomes() == ["doubt"]
    assert View.CARD_GIVEN not in kiosk.views
    kiosk.put(tag)
    if says(tag) is not None:
        assert kiosk.outcomes() == ["doubt", "done"]
        assert kiosk.views[-1] is View.KNOWN_CARD
        return
    kiosk.event(grant(asked(kiosk).question, number=2))
    assert kiosk.outcomes()[-1] == "done"
    assert not kiosk.of(CardSuspected)


def test_M1_a_tag_that_goes_takes_its_code_off_the_display_and_brings_back_the_same_question(kiosk: Place) -> None:
    tag = Tag(UID)
    kiosk.put(tag)
    first = asked(kiosk)
    kiosk.event(ev.CardOffered(question=first.question, link="x", life_ms=600_000))
    kiosk.take()
    assert kiosk.views[-1] is View.READY
    assert kiosk.event(grant(first.question)).facts == (), "nothing is written while the tag is away"
    kiosk.put(tag)
    assert asked(kiosk) == first
    kiosk.take()
    kiosk.put(Tag(OTHER_UID))
    assert asked(kiosk).question != first.question


def test_a_code_that_gave_way_to_an_answer_does_not_take_it_off_the_display(kiosk: Place) -> None:
    kiosk.put(Tag(UID))
    kiosk.event(ev.CardOffered(question=asked(kiosk).question, link="x", life_ms=600_000))
    kiosk.event(scanned(b"hello"))
    kiosk.take()
    assert kiosk.views[-1] is View.VERDICT


@pytest.mark.parametrize(
    "event",
    [
        ev.CardOffered(question=b"?" * 16, link="x", life_ms=1),
        ev.CardDenied(question=b"?" * 16),
        grant(b"?" * 16),
    ],
)
def test_M1_answers_to_other_questions_change_nothing(kiosk: Place, event: ev.Event) -> None:
    kiosk.put(Tag(UID))
    before = kiosk.drive.core.visit
    step = kiosk.event(event)
    assert (step.facts, step.effects) == ((), ())
    assert msgspec.structs.replace(step.visit, reach=before.reach) == before


def test_M1_no_card_is_given_out_without_the_centre_nor_at_a_lane(kiosk: Place, lane: Place) -> None:
    kiosk.drive(ev.LinkChanged(up=False))
    assert reason(kiosk.put(Tag(UID))) is Reason.NO_CARD_NOW
    lane.put(Tag(UID))
    assert lane.views[-1] is View.FOREIGN_CARD


@pytest.mark.parametrize("wrong", [{"holder": 0}, {"holder": 2**48}, {"number": 0}, {"number": 256}])
def test_M1_a_grant_that_no_card_can_hold_is_refused(kiosk: Place, wrong: dict[str, int]) -> None:
    kiosk.put(Tag(UID))
    assert reason(kiosk.event(grant(asked(kiosk).question, **wrong))) is Reason.NO_CARD_NOW
    assert not kiosk.facts


def test_M1_the_centre_says_no_and_the_kiosk_says_so(kiosk: Place) -> None:
    kiosk.put(Tag(UID))
    assert reason(kiosk.event(ev.CardDenied(question=asked(kiosk).question))) is Reason.NO_CARD_NOW


def test_a_kiosk_that_can_store_nothing_takes_no_card(kiosk: Place) -> None:
    kiosk.event(ev.StoreFailed(detail="disk full"))
    kiosk.put(member_card(HER))
    assert kiosk.drive.core.visit.state is State.OUT_OF_SERVICE
    assert kiosk.drive.core.visit.member is None


def test_a_card_that_is_taken_speaks_no_more(lane: Place) -> None:
    lane.put(member_card(HER))
    lane.event(CardRemoved(uid=UID))
    assert reason(lane.event(scanned(code(BOUND, serial=8, holder=HER)))) is Reason.NEEDS_CARD
    assert lane.drive.core.visit.member is None


def test_the_reader_names_a_chip_that_nobody_knows_and_the_card_is_foreign(kiosk: Place) -> None:
    kiosk.event(CardPresented(uid=UID, record=bytes(144), chip="desfire"))
    assert kiosk.views[-1] is View.FOREIGN_CARD
