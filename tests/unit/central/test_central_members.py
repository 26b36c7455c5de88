"""Member cards at the centre (M1, M2): a kiosk asks, a phone answers, lanes are told which card is the valid one."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from central import own_data, snapshot
from central.coupons import cards, persons, stoplist
from central.members import giving, membership, requests
from central.members.membership import Member, MemberError
from central.members.requests import Granted, No
from loyalty.card import GENERATION_MAX, Record
from loyalty.card_slots import Chip, look, plan
from loyalty.check_digit import fits
from tests.unit.central.central_kit import NOW_MS, Centre, Lane
from wire import sealing
from wire.facts import CardSettled, CardSuspected, CardWriting, Fact
from wire.messages import (
    AskCard,
    CardGrant,
    CardNo,
    CardOffer,
    Command,
    Feed,
    PullFeed,
    PutCard,
    PutCardKey,
    PutGeneration,
    decode,
    encode,
)
from wire.topics import UP_REQ

UID, OTHER_UID = bytes.fromhex("04a1b2c3d4e5f6"), bytes.fromhex("04a1b2c3d4e5f7")
QUESTION, SECOND, THIRD = b"q" * 16, b"r" * 16, b"s" * 16
PASSWORD = "correct horse"


@pytest.fixture(scope="module")
def hashed() -> str:
    return persons.hash_password(PASSWORD)


@pytest.fixture
def shop(tmp_path: Path, lane: Lane, hashed: str) -> Iterator[Centre]:
    centre = Centre(tmp_path / "shop")
    centre.enrol(lane)
    with centre.office.database.write() as connection:
        persons.add(connection, "BBB", hashed, NOW_MS)
    yield centre
    centre.close()


def kiosk_asks(shop: Centre, lane: Lane, question: bytes = QUESTION, uid: bytes = UID, chip: str = "ntag213") -> Any:
    (answer,) = shop.desk.handle(lane.address.topic(UP_REQ), encode(AskCard(question, uid, chip)), NOW_MS)
    return decode(shop.opened(answer), Command)


def code_for(shop: Centre, lane: Lane, question: bytes = QUESTION, uid: bytes = UID) -> str:
    offer = kiosk_asks(shop, lane, question, uid)
    assert isinstance(offer, CardOffer)
    assert offer.question == question
    return offer.link.rpartition("/")[2]


def register(shop: Centre, code: str, name: str = "AAA", now_ms: int = NOW_MS) -> Granted | No:
    return requests.register(shop.office.database, shop.secret, code, name, PASSWORD, now_ms)


def claim(shop: Centre, code: str, login: str = "BBB", password: str = PASSWORD, now_ms: int = NOW_MS) -> Granted | No:
    return requests.claim(shop.office.database, shop.secret, code, login, password, now_ms)


def granted(done: Granted | No) -> Granted:
    assert isinstance(done, Granted)
    return done


def member(shop: Centre, login: str = "BBB") -> Member:
    with shop.office.database.read() as connection:
        found = membership.find(connection, login)
    assert found is not None
    return found


def told(shop: Centre, lane: Lane) -> list[PutGeneration | PutCardKey]:
    found: list[object] = []
    for message in shop.desk._on_pull(lane.address, PullFeed(shop.incarnation, 0), NOW_MS):
        found += decode(shop.opened(message), Feed).changes
    return [change for change in found if isinstance(change, PutGeneration | PutCardKey)]


def in_snapshot(shop: Centre) -> list[PutGeneration | PutCardKey]:
    with shop.office.database.read() as connection:
        every = list(snapshot.changes(connection, "ginza", shop.secret, NOW_MS, shop.office.keys.cards()))
    return [change for change in every if isinstance(change, PutGeneration | PutCardKey)]


def state_of(shop: Centre, login: str = "BBB") -> list[tuple[int, str]]:
    with shop.office.database.read() as connection:
        return [(card.generation, card.state) for card in giving.cards_of(connection, member(shop, login))]


def report(shop: Centre, lane: Lane, *facts: Fact) -> None:
    for fact in facts:
        lane.journal(fact)
    assert shop.book(lane).aside == 0


# --- M1 -------------------------------------------------------------------------------------------------


def test_M1_a_new_person_types_on_their_phone_and_the_kiosk_is_told_whose_card_to_write(
    shop: Centre, lane: Lane
) -> None:
    done = granted(register(shop, code_for(shop, lane)))
    assert fits(done.number)
    assert (len(done.number), done.generation) == (10, 1)
    shop.desk._present[lane.name] = lane.address
    (order,) = shop.desk.card_grants(NOW_MS)
    grant = decode(shop.opened(order), Command)
    assert grant == CardGrant(QUESTION, member(shop, "AAA").person.holder, 1, done.number)
    assert kiosk_asks(shop, lane) == grant, "a kiosk that asks again hears the same"
    assert PASSWORD.encode() not in order.payload
    assert b"AAA" not in order.payload, "no name reaches a device (M10)"


def test_M1_the_kiosk_is_told_until_it_has_said_what_became_of_the_card(shop: Centre, lane: Lane) -> None:
    granted(register(shop, code_for(shop, lane)))
    shop.desk._present[lane.name] = lane.address
    holder = member(shop, "AAA").person.holder
    card = sealing.card_hash(shop.secret, UID)
    assert len(shop.desk.card_grants(NOW_MS)) == len(shop.desk.card_grants(NOW_MS)) == 1
    report(
        shop, lane, CardWriting(lane.stamp(), QUESTION, card, holder, 1, 1, "issue"),
        CardSettled(lane.stamp(), QUESTION, "done"),
    )  # fmt: skip
    assert shop.desk.card_grants(NOW_MS) == []
    assert state_of(shop, "AAA") == [(1, "written")]
    report(shop, lane, CardSettled(lane.stamp(), QUESTION, "undone"))
    assert state_of(shop, "AAA") == [(1, "written")], "what was said first stands"


@pytest.mark.parametrize(("outcome", "state"), [("undone", "undone"), ("doubt", "doubted"), ("?", "granted")])
def test_M1_a_card_that_was_not_surely_written_is_known_to_be_so(
    shop: Centre, lane: Lane, outcome: str, state: str
) -> None:
    granted(register(shop, code_for(shop, lane)))
    report(shop, lane, CardSettled(lane.stamp(), QUESTION, outcome))
    assert state_of(shop, "AAA") == [(1, state)]


def test_M1_a_first_card_is_no_news_for_other_lanes(shop: Centre, lane: Lane) -> None:
    granted(register(shop, code_for(shop, lane)))
    assert told(shop, lane) == []
    assert [change for change in in_snapshot(shop) if isinstance(change, PutGeneration)] == []


def test_M1_a_code_is_used_once_and_dies_with_its_time(shop: Centre, lane: Lane) -> None:
    code = code_for(shop, lane)
    assert register(shop, code, now_ms=NOW_MS + requests.LIFE_MS) is No.GONE
    granted(register(shop, code))
    assert register(shop, code, "CCC") is No.GONE
    assert claim(shop, code) is No.GONE
    assert register(shop, "x" * 22) is register(shop, "") is register(shop, "\ud800" * 22) is No.GONE


def test_M1_a_kiosk_has_one_code_at_a_time_and_another_unit_gets_none_of_it(shop: Centre, lane: Lane) -> None:
    old = code_for(shop, lane)
    new = code_for(shop, lane, SECOND)
    assert register(shop, old) is No.GONE
    other = Lane("kiosk-2")
    shop.enrol(other)
    assert isinstance(kiosk_asks(shop, other, SECOND), CardNo)
    granted(register(shop, new))
    assert isinstance(kiosk_asks(shop, other, SECOND), CardNo)


def test_M1_a_name_that_is_there_is_never_taken_over(shop: Centre, lane: Lane, hashed: str) -> None:
    code = code_for(shop, lane)
    assert register(shop, code, "BBB") is No.NAME_TAKEN
    assert shop.one("SELECT password_hash FROM persons WHERE name = 'BBB'") == hashed
    assert register(shop, code, " x") is No.BAD_NAME
    assert requests.register(shop.office.database, shop.secret, code, "AAA", "abc", NOW_MS) is No.BAD_PASSWORD
    granted(register(shop, code))


@pytest.mark.parametrize(
    ("question", "uid", "chip"), [(b"short", UID, "ntag213"), (QUESTION, b"abc", "ntag213"), (QUESTION, UID, "desfire")]
)
def test_M1_a_tag_that_can_be_no_member_card_is_refused(
    shop: Centre, lane: Lane, question: bytes, uid: bytes, chip: str
) -> None:
    assert kiosk_asks(shop, lane, question, uid, chip) == CardNo(question)


def test_M1_a_tag_that_is_somebody_elses_card_is_given_to_nobody(shop: Centre, lane: Lane) -> None:
    granted(claim(shop, code_for(shop, lane)))
    code = code_for(shop, lane, SECOND)
    assert register(shop, code, "AAA") is No.NOT_POSSIBLE
    assert shop.one("SELECT count(*) FROM persons WHERE name = 'AAA'") == 0
    granted(claim(shop, code))  # its own holder may have it written anew


def test_M1_a_tag_whose_grant_nobody_wrote_is_free_again_after_a_while(shop: Centre, lane: Lane) -> None:
    granted(claim(shop, code_for(shop, lane)))
    later_ms = NOW_MS + requests.LIFE_MS
    with shop.office.database.write() as connection:
        offer = requests.ask(connection, shop.secret, 1, SECOND, UID, "ntag213", later_ms, "{code}")
    assert isinstance(offer, CardOffer)
    granted(register(shop, offer.link, "AAA", later_ms))


def test_M1_a_question_belongs_to_one_tag(shop: Centre, lane: Lane) -> None:
    code_for(shop, lane)
    assert kiosk_asks(shop, lane, QUESTION, OTHER_UID) == CardNo(QUESTION)


# --- M2 -------------------------------------------------------------------------------------------------


def test_M2_number_and_password_give_a_new_card_and_every_lane_is_told_the_generation(shop: Centre, lane: Lane) -> None:
    first = granted(claim(shop, code_for(shop, lane)))
    second = granted(claim(shop, code_for(shop, lane, SECOND, OTHER_UID), membership.shown(first.number)))
    assert (second.number, second.generation) == (first.number, 2)
    news = PutGeneration(sealing.holder_hash(shop.secret, member(shop).person.holder), 2, False)
    assert told(shop, lane) == [news]
    assert in_snapshot(shop)[-1] == news
    assert state_of(shop) == [(2, "granted"), (1, "replaced")]


@pytest.mark.parametrize(("login", "password"), [("BBB", "wrong"), ("nobody", PASSWORD), ("0000000000", PASSWORD)])
def test_M2_a_wrong_number_or_password_is_a_clear_no_and_changes_nothing(
    shop: Centre, lane: Lane, login: str, password: str
) -> None:
    code = code_for(shop, lane)
    assert claim(shop, code, login, password) is No.WRONG
    assert shop.one("SELECT count(*) FROM issued_cards") == 0
    granted(claim(shop, code))


def test_M2_tries_are_limited_for_one_code(shop: Centre, lane: Lane) -> None:
    code = code_for(shop, lane)
    for number in range(requests.TRIES_MAX):
        assert claim(shop, code, f"nobody {number}") is No.WRONG
    assert claim(shop, code) is No.TOO_MANY_TRIES
    assert code_for(shop, lane) == code, "the same question keeps its code, and its count"
    granted(claim(shop, code_for(shop, lane, SECOND)))


def test_M2_tries_are_limited_for_one_member_over_all_kiosks_and_through_a_restart(shop: Centre, lane: Lane) -> None:
    for number in range(membership.TRIES_MAX):
        assert claim(shop, code_for(shop, lane, bytes((number,)) * 16), password="wrong") is No.WRONG
    code = code_for(shop, lane, SECOND)
    assert claim(shop, code) is No.TOO_MANY_TRIES
    again = Centre.reopened(shop.settings.folder)
    assert claim(again, code) is No.TOO_MANY_TRIES
    again.close()
    later_ms = NOW_MS + membership.TRIES_WINDOW_MS
    with shop.office.database.write() as connection:
        offer = requests.ask(connection, shop.secret, 1, THIRD, UID, "ntag213", later_ms, "{code}")
    assert isinstance(offer, CardOffer)
    granted(claim(shop, offer.link, now_ms=later_ms))


def test_M2_many_tries_at_once_gain_nothing(shop: Centre, lane: Lane) -> None:
    code = code_for(shop, lane)
    answers: list[Granted | No] = []
    threads = [threading.Thread(target=lambda: answers.append(claim(shop, code, password="wrong"))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers.count(No.WRONG) == requests.TRIES_MAX
    assert answers.count(No.TOO_MANY_TRIES) == 8 - requests.TRIES_MAX


def test_M2_two_cards_at_the_same_moment_have_two_generations_or_one_is_refused(shop: Centre) -> None:
    with shop.office.database.write() as connection:
        before = membership.find_or_enrol(connection, "BBB")
        assert before is not None
        giving.next_card(connection, shop.secret, before, uid=UID, chip=Chip.NTAG213, now_ms=NOW_MS)
        with pytest.raises(MemberError, match="just now"):
            giving.next_card(connection, shop.secret, before, uid=OTHER_UID, chip=Chip.NTAG213, now_ms=NOW_MS)


def test_M2_a_person_on_the_stop_list_gets_no_card(shop: Centre, lane: Lane) -> None:
    with shop.office.database.write() as connection:
        stoplist.revoke_person(connection, shop.secret, "BBB", "", NOW_MS)
    assert claim(shop, code_for(shop, lane)) is No.NOT_POSSIBLE
    assert member(shop).generation == 0


def test_M2_the_last_generation_is_the_last_card(shop: Centre) -> None:
    with shop.office.database.write() as connection:
        one = membership.find_or_enrol(connection, "BBB")
        assert one is not None
        one = membership.change(connection, shop.secret, one, GENERATION_MAX, blocked=False)
        with pytest.raises(MemberError, match="new person"):
            giving.next_card(connection, shop.secret, one, uid=UID, chip=Chip.NTAG213, now_ms=NOW_MS)


# --- lost cards ---------------------------------------------------------------------------------------------------


def test_M2_a_lost_card_is_blocked_everywhere_until_it_is_found_or_replaced(shop: Centre, lane: Lane) -> None:
    granted(claim(shop, code_for(shop, lane)))
    report(shop, lane, CardSettled(lane.stamp(), QUESTION, "done"))
    with shop.office.database.write() as connection:
        cards.bind(connection, shop.secret, member(shop).person, UID, NOW_MS)
        giving.block(connection, shop.secret, member(shop))
        with pytest.raises(MemberError, match="just now"):
            giving.block(connection, shop.secret, member(shop))  # as it was before
    with pytest.raises(MemberError, match="already"), shop.office.database.write() as connection:
        giving.block(connection, shop.secret, member(shop))
    key = sealing.holder_hash(shop.secret, member(shop).person.holder)
    assert told(shop, lane) == [PutGeneration(key, 1, True)]
    assert shop.one("SELECT count(*) FROM cards") == 0, "nor does its UID alone speak for its holder"
    assert state_of(shop) == [(1, "lost")]
    with shop.office.database.write() as connection:
        giving.unblock(connection, shop.secret, member(shop))
    assert told(shop, lane)[-1] == PutGeneration(key, 1, False)
    assert [change for change in in_snapshot(shop) if isinstance(change, PutGeneration)] == []
    assert state_of(shop) == [(1, "written")]
    with shop.office.database.write() as connection:
        giving.block(connection, shop.secret, member(shop))
    granted(claim(shop, code_for(shop, lane, SECOND, OTHER_UID)))
    assert told(shop, lane)[-1] == PutGeneration(key, 2, False)
    assert state_of(shop) == [(2, "granted"), (1, "replaced")]


def test_a_member_without_a_card_has_none_to_block(shop: Centre) -> None:
    with shop.office.database.write() as connection:
        one = membership.find_or_enrol(connection, "BBB")
        assert one is not None
        with pytest.raises(MemberError, match="no card"):
            giving.block(connection, shop.secret, one)
        with pytest.raises(MemberError, match="not blocked"):
            giving.unblock(connection, shop.secret, one)


def test_M2_a_centre_restored_from_an_older_backup_learns_of_later_cards_from_facts(shop: Centre, lane: Lane) -> None:
    granted(claim(shop, code_for(shop, lane)))
    holder, card = member(shop).person.holder, sealing.card_hash(shop.secret, OTHER_UID)
    report(shop, lane, CardWriting(lane.stamp(), SECOND, card, holder, 3, 1, "issue"))
    assert told(shop, lane) == [PutGeneration(sealing.holder_hash(shop.secret, holder), 3, False)]
    report(
        shop, lane, CardWriting(lane.stamp(), THIRD, card, holder, 2, 9, "points"),
        CardWriting(lane.stamp(), QUESTION, card, 12345, 9, 1, "issue"),
    )  # fmt: skip
    assert member(shop).generation == 3, "an older one changes nothing, nor one of a stranger"


# --- what units say and are told ---------------------------------------------------------------------------------


def test_the_keys_of_cards_stand_in_snapshots_newest_first_and_never_in_the_change_log(
    shop: Centre, lane: Lane
) -> None:
    (before,) = [change for change in in_snapshot(shop) if isinstance(change, PutCardKey)]
    assert before.number == 1
    assert shop.office.keys.create_card() == 2
    after = [change for change in in_snapshot(shop) if isinstance(change, PutCardKey)]
    assert [change.number for change in after] == [2, 1]
    assert after[1] == before
    assert len({change.secret for change in after}) == 2
    assert told(shop, lane) == []


def test_facts_about_cards_are_booked_and_impossible_ones_put_aside(shop: Centre, lane: Lane) -> None:
    stamp, card = lane.stamp(), b"c" * 16
    report(shop, lane, CardSuspected(stamp, card, 0, 0, 0, "not_this_card"))
    for wrong in (
        CardWriting(stamp, QUESTION, card, 0, 1, 1, "points"),
        CardWriting(stamp, QUESTION, card, 1, 256, 1, "points"),
        CardWriting(stamp, b"?", card, 1, 1, 1, "points"),
        CardSuspected(stamp, b"?", 1, 1, 1, "x"),
        CardSettled(stamp, b"?", "done"),
    ):
        lane.journal(wrong)
    ack = shop.book(lane)
    assert (ack.status, ack.aside) == ("ok", 5)


def test_a_card_bound_by_hand_to_somebody_else_is_theirs_no_more_when_it_is_given_out(shop: Centre, lane: Lane) -> None:
    with shop.office.database.write() as connection:
        persons.add(connection, "CCC", "no password", NOW_MS)
        other = persons.find(connection, "CCC")
        assert other is not None
        cards.bind(connection, shop.secret, other, UID, NOW_MS)
    granted(claim(shop, code_for(shop, lane)))
    with shop.office.database.read() as connection:
        every = list(snapshot.changes(connection, "ginza", shop.secret, NOW_MS))
    assert not [change for change in every if isinstance(change, PutCard)]


# --- erasure (M10) ------------------------------------------------------------------------------------------------


def erase(shop: Centre, login: str = "BBB") -> Member:
    """Gives the member as they were."""
    before = member(shop, login)
    with shop.office.database.write() as connection:
        own_data.erase(connection, shop.secret, before.person, NOW_MS)
    return before


def test_M10_the_card_of_somebody_who_erased_their_account_is_refused_on_every_lane(shop: Centre, lane: Lane) -> None:
    granted(claim(shop, code_for(shop, lane)))
    report(shop, lane, CardSettled(lane.stamp(), QUESTION, "done"))
    before = erase(shop)
    told_last = PutGeneration(sealing.holder_hash(shop.secret, before.person.holder), 1, True)
    assert told(shop, lane)[-1:] == [told_last]
    assert told_last in in_snapshot(shop), "a unit that comes back after a month hears it too"


def test_M10_nothing_leads_from_a_card_to_an_erased_person_and_the_books_still_say_that_it_was_given_out(
    shop: Centre, lane: Lane
) -> None:
    number = granted(claim(shop, code_for(shop, lane))).number
    granted(claim(shop, code_for(shop, lane, SECOND, OTHER_UID)))
    before = erase(shop)
    kept = str(
        [shop.query(f"SELECT * FROM {table}") for table in ("members", "issued_cards", "card_requests", "cards")]
    )
    assert number not in kept
    assert str(UID) not in kept
    assert str(OTHER_UID) not in kept
    with shop.office.database.read() as connection:
        assert membership.find(connection, number) is None
        assert membership.find(connection, "BBB") is None
        gone = membership.of_holder(connection, before.person.holder)
        assert gone is not None
        rows = [(card.generation, card.state, card.device) for card in giving.cards_of(connection, gone)]
        assert membership.all_members(connection, 10) == []
    assert rows == [(2, "erased", lane.name), (1, "erased", lane.name)]


def test_M10_a_kiosk_that_was_to_write_the_card_of_an_erased_person_is_told_nothing_more(
    shop: Centre, lane: Lane
) -> None:
    granted(claim(shop, code_for(shop, lane)))
    shop.desk._present[lane.name] = lane.address
    assert shop.desk.card_grants(NOW_MS)
    before = erase(shop)
    assert shop.desk.card_grants(NOW_MS) == []
    report(
        shop,
        lane,
        CardWriting(lane.stamp(), QUESTION, sealing.card_hash(shop.secret, UID), before.person.holder, 1, 1, "issue"),
        CardSettled(lane.stamp(), QUESTION, "done"),
    )
    with shop.office.database.read() as connection:
        gone = membership.of_holder(connection, before.person.holder)
        assert gone is not None
        assert [card.state for card in giving.cards_of(connection, gone)] == ["erased"]


def test_M10_a_card_that_was_written_later_than_a_backup_does_not_wake_an_erased_person(
    shop: Centre, lane: Lane
) -> None:
    granted(claim(shop, code_for(shop, lane)))
    before = erase(shop)
    card = sealing.card_hash(shop.secret, UID)
    report(shop, lane, CardWriting(lane.stamp(), SECOND, card, before.person.holder, 3, 1, "issue"))
    with shop.office.database.read() as connection:
        gone = membership.of_holder(connection, before.person.holder)
    assert gone is not None
    assert (gone.generation, gone.blocked) == (3, True)


def test_M10_nobody_gives_an_erased_person_a_card_or_finds_the_old_one_again(shop: Centre, lane: Lane) -> None:
    granted(claim(shop, code_for(shop, lane)))
    before = erase(shop)
    with shop.office.database.write() as connection:
        gone = membership.of_holder(connection, before.person.holder)
        assert gone is not None
        with pytest.raises(MemberError):
            giving.unblock(connection, shop.secret, gone)
        with pytest.raises(MemberError):
            giving.next_card(connection, shop.secret, gone, uid=UID, chip=Chip.NTAG213, now_ms=NOW_MS)


def test_M10_the_tag_of_an_erased_person_may_become_somebody_elses_card(shop: Centre, lane: Lane) -> None:
    granted(claim(shop, code_for(shop, lane)))
    report(shop, lane, CardSettled(lane.stamp(), QUESTION, "done"))
    erase(shop)
    granted(register(shop, code_for(shop, lane, SECOND), "CCC"))


def test_M10_a_person_can_take_along_what_is_known_of_their_cards(shop: Centre, lane: Lane) -> None:
    granted(claim(shop, code_for(shop, lane)))
    report(shop, lane, CardSettled(lane.stamp(), QUESTION, "done"))
    with shop.office.database.read() as connection:
        taken = own_data.export(connection, member(shop).person, NOW_MS)
    (row,) = taken.member_cards
    assert (row.number, row.generation, row.uid, row.chip) == (member(shop).number, 1, UID.hex(), "ntag213")
    assert (row.state, row.kiosk, row.given_ms) == ("written", lane.name, NOW_MS)


def test_M10_whoever_never_had_a_card_is_erased_all_the_same(shop: Centre, lane: Lane) -> None:
    with shop.office.database.write() as connection:
        person = persons.find(connection, "BBB")
        assert person is not None
        assert own_data.export(connection, person, NOW_MS).member_cards == []
        own_data.erase(connection, shop.secret, person, NOW_MS)
    assert told(shop, lane) == []


def test_the_record_that_a_kiosk_writes_after_a_grant_is_read_with_the_key_of_the_snapshot(
    shop: Centre, lane: Lane
) -> None:
    granted(register(shop, code_for(shop, lane)))
    grant = kiosk_asks(shop, lane)
    key = in_snapshot(shop)[0]
    assert isinstance(grant, CardGrant)
    assert isinstance(key, PutCardKey)
    made = plan(Record(holder=grant.holder, generation=grant.generation), None, Chip.NTAG213, UID, key.secret)
    assert made is not None
    found = look(made.data.ljust(144, b"\0"), Chip.NTAG213, UID, (key.secret,)).found
    assert found is not None
    assert found.record.holder == member(shop, "AAA").person.holder
