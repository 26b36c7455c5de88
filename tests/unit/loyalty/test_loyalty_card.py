"""The member card's record and its two slots (M1, M2): byte vectors, torn writes, forgeries, what fits where."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loyalty import card, card_slots
from loyalty.card import Balance, Record, card_key, decode, encode, resembles, size
from loyalty.card_slots import USER_PAGES, Chip, Found, Kind, Plan, budget, fit, look, plan

KEY = bytes(range(32))
OTHER_KEY = bytes(range(1, 33))
UID = bytes.fromhex("04a1b2c3d4e5f6")
OTHER_UID = bytes.fromhex("04a1b2c3d4e5f7")

balances = st.lists(
    st.builds(Balance, st.integers(1, card.PROGRAMME_MAX), st.integers(0, card.POINTS_MAX)),
    max_size=card.BALANCES_MAX,
    unique_by=lambda balance: balance.programme,
).map(tuple)
records = st.builds(
    Record,
    holder=st.integers(1, card.HOLDER_MAX),
    generation=st.integers(1, card.GENERATION_MAX),
    counter=st.integers(1, card.COUNTER_MAX - 2),
    balances=balances,
)
chips = st.sampled_from(list(Chip))


def page_range(done: Plan) -> range:
    return range(done.first_page, done.first_page + len(done.writes))


def written(memory: bytes, done: Plan, pages: int, torn_bytes: int = 0) -> bytes:
    """The user's memory after so many of the page writes, and so many bytes of the next one."""
    after = bytearray(memory)
    for number, write in enumerate(done.writes[: pages + 1]):
        at = (write.page - card_slots.USER_FIRST_PAGE) * card.PAGE_BYTES
        data = write.data if number < pages else write.data[:torn_bytes]
        after[at : at + len(data)] = data
    return bytes(after)


def issued(record: Record, chip: Chip, memory: bytes | None = None, found: Found | None = None) -> bytes:
    memory = memory if memory is not None else bytes(USER_PAGES[chip] * card.PAGE_BYTES)
    made = plan(record, found, chip, UID, KEY)
    assert made is not None
    return written(memory, made, len(made.writes))


# --- the bytes: a change of the layout shows here --------------------------------------------------------------------


def test_M1_the_bytes_of_a_record_are_these() -> None:
    key = card_key(KEY, UID)
    assert key.hex() == "ea6dfa32c5810a994a9fcbbb7a0e6083bc66913007740d5b555fdeb0bfe02eb6"
    one = Record(holder=0x123456789ABC, generation=2, counter=7, balances=(Balance(1, 500),))
    assert encode(one, 0, key).hex() == "11123456789abc0200000700010001f4beff310bcba63d02"
    bare = Record(holder=1, generation=1)
    assert encode(bare, 1, key).hex() == "1000000000000101000001c0463cc9cf65a3a300"


@pytest.mark.parametrize(
    ("chip", "user_bytes", "slot_bytes", "fits", "free_bytes"),
    [
        (Chip.MF0UL11, 48, 24, 1, 0),
        (Chip.MF0UL21, 128, 64, 9, 0),
        (Chip.NTAG213, 144, 72, 10, 3),
        (Chip.NTAG215, 504, 252, 15, 158),
        (Chip.NTAG216, 888, 444, 15, 350),
    ],
)
def test_M1_each_chip_has_its_byte_budget(
    chip: Chip, user_bytes: int, slot_bytes: int, fits: int, free_bytes: int
) -> None:
    assert budget(chip) == card_slots.Budget(user_bytes, slot_bytes, fits, free_bytes)
    assert size(fits) <= slot_bytes


@given(balances, chips)
def test_M1_what_does_not_fit_is_named_and_nothing_is_lost(every: tuple[Balance, ...], chip: Chip) -> None:
    kept, left_out = fit(every, chip)
    assert kept + left_out == every
    assert len(kept) == min(len(every), budget(chip).balances)


def test_the_longest_record_is_written_with_the_named_number_of_pages() -> None:
    assert size(card.BALANCES_MAX) == card_slots.WRITES_MAX * card.PAGE_BYTES


# --- what is read is what was written, and nothing else --------------------------------------------------------------


@given(records, st.sampled_from([0, 1]))
def test_a_record_comes_back_as_it_was_written(record: Record, slot: int) -> None:
    data = encode(record, slot, card_key(KEY, UID))
    assert len(data) == size(len(record.balances))
    assert decode(data, slot, card_key(KEY, UID)) == record
    assert decode(data + b"rest of the slot", slot, card_key(KEY, UID)) == record
    assert resembles(data)


@given(records, st.data())
def test_no_changed_byte_is_accepted(record: Record, data: st.DataObject) -> None:
    whole = encode(record, 0, card_key(KEY, UID))
    at = data.draw(st.integers(0, len(whole) - 1))
    other = data.draw(st.integers(1, 255))
    forged = whole[:at] + bytes((whole[at] ^ other,)) + whole[at + 1 :]
    assert decode(forged, 0, card_key(KEY, UID)) is None


def test_no_flipped_bit_of_one_record_is_accepted_even_in_the_rest_of_its_page() -> None:
    whole = encode(Record(holder=77, generation=3, counter=9, balances=(Balance(4, 5), Balance(6, 7))), 1, KEY)
    assert not any(
        decode((int.from_bytes(whole, "big") ^ 1 << bit).to_bytes(len(whole), "big"), 1, KEY)
        for bit in range(len(whole) * 8)
    )


@given(records, st.integers(0, 93))
def test_a_record_that_is_cut_off_is_none(record: Record, length: int) -> None:
    whole = encode(record, 0, KEY)
    assert decode(whole[: min(length, len(whole) - 1)], 0, KEY) is None


@given(st.binary(max_size=100), st.sampled_from([0, 1]))
def test_random_bytes_are_no_record(data: bytes, slot: int) -> None:
    assert decode(data, slot, card_key(KEY, UID)) is None
    resembles(data)


@given(records, chips)
def test_a_record_copied_to_another_card_is_refused_there(record: Record, chip: Chip) -> None:
    memory = issued(record, chip)
    assert look(memory, chip, UID, (KEY,)).kind is Kind.OURS
    copied = look(memory, chip, OTHER_UID, (KEY,))
    assert copied.kind is Kind.BROKEN  # it is told from a stranger's card, so that it can be reported
    assert copied.found is None


@given(records, chips)
def test_a_slot_copied_over_the_other_one_is_not_valid_there(record: Record, chip: Chip) -> None:
    memory = issued(record, chip)
    middle = len(memory) // 2
    moved = look(bytes(middle) + memory[:middle], chip, UID, (KEY,))
    assert moved.kind is Kind.BROKEN


@given(records, chips)
def test_another_tenants_key_opens_nothing(record: Record, chip: Chip) -> None:
    assert look(issued(record, chip), chip, UID, (OTHER_KEY,)).kind is Kind.BROKEN


def test_a_card_of_the_key_before_is_read_until_that_key_is_gone_and_written_with_the_new_one() -> None:
    memory = issued(Record(holder=5, generation=1), Chip.NTAG213)
    seen = look(memory, Chip.NTAG213, UID, (OTHER_KEY, KEY))
    assert seen.found is not None
    renewed = plan(seen.found.record, seen.found, Chip.NTAG213, UID, OTHER_KEY)
    assert renewed is not None
    memory = written(memory, renewed, len(renewed.writes))
    both = look(memory, Chip.NTAG213, UID, (KEY, OTHER_KEY))
    assert both.found == Found(renewed.record, 1)


# --- updates: the old record or the new one, never neither -----------------------------------------------------------


@given(records, records, chips, st.data())
def test_M2_every_prefix_of_an_update_and_every_torn_page_leaves_the_old_record_or_the_new(
    first: Record, second: Record, chip: Chip, data: st.DataObject
) -> None:
    memory = issued(first, chip)
    before = look(memory, chip, UID, (KEY,)).found
    for record in (second, first):  # the second update lies over an older record
        assert before is not None
        update = plan(record, before, chip, UID, KEY)
        assert update is not None
        for pages in range(len(update.writes)):
            torn_bytes = data.draw(st.integers(0, 3))
            after = look(written(memory, update, pages, torn_bytes), chip, UID, (KEY,)).found
            assert after in (before, Found(update.record, update.slot))
            assert after is not None
        memory = written(memory, update, len(update.writes))
        before = look(memory, chip, UID, (KEY,)).found
        assert before == Found(update.record, update.slot)


@pytest.mark.parametrize("chip", Chip)
@pytest.mark.parametrize("torn_bytes", range(4))
def test_M2_an_update_that_was_cut_anywhere_is_made_again_and_then_stands(chip: Chip, torn_bytes: int) -> None:
    first = Record(holder=5, generation=1, balances=(Balance(1, 100), Balance(2, 200)))
    memory = issued(first, chip)
    before = look(memory, chip, UID, (KEY,)).found
    assert before is not None
    changed = before.record.with_points(2, 50)
    update = plan(changed, before, chip, UID, KEY)
    assert update is not None
    for pages in range(len(update.writes)):
        torn = written(memory, update, pages, torn_bytes)
        left = look(torn, chip, UID, (KEY,)).found
        assert left is not None
        again = plan(changed, left, chip, UID, KEY)
        assert again is not None
        found = look(written(torn, again, len(again.writes)), chip, UID, (KEY,)).found
        assert found is not None
        assert found.record.points(2) == 50
        assert found.record.counter == left.record.counter + 1


@given(records, chips, st.integers(1, 6))
def test_an_update_never_touches_the_valid_slot_nor_a_page_outside_the_users_memory(
    record: Record, chip: Chip, updates: int
) -> None:
    memory = issued(record, chip)
    for _ in range(updates):
        before = look(memory, chip, UID, (KEY,)).found
        assert before is not None
        update = plan(record, before, chip, UID, KEY)
        assert update is not None
        assert len(update.writes) <= card_slots.WRITES_MAX
        half = USER_PAGES[chip] // 2
        mine = range(
            card_slots.USER_FIRST_PAGE + update.slot * half, card_slots.USER_FIRST_PAGE + (update.slot + 1) * half
        )
        assert update.slot != before.slot
        assert page_range(update)[0] >= mine[0]
        assert page_range(update)[-1] <= mine[-1]
        memory = written(memory, update, len(update.writes))
        assert look(memory, chip, UID, (KEY,)).found == Found(update.record, update.slot)


def test_the_counter_grows_with_each_write_and_a_card_that_is_worn_out_is_written_no_more() -> None:
    last = Found(Record(holder=5, generation=1, counter=card.COUNTER_MAX), 0)
    assert plan(last.record, last, Chip.NTAG213, UID, KEY) is None
    before = Found(msgspec.structs.replace(last.record, counter=card.COUNTER_MAX - 1), 0)
    update = plan(before.record, before, Chip.NTAG213, UID, KEY)
    assert update is not None
    assert update.record.counter == card.COUNTER_MAX


# --- whose card it is ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "memory",
    [
        bytes(144),
        bytes.fromhex("0103a00c340300fe") + bytes(136),  # an NTAG213 as it is delivered
        bytes.fromhex("0300fe") + bytes(141),
    ],
)
def test_M1_a_tag_from_the_factory_is_empty(memory: bytes) -> None:
    assert look(memory, Chip.NTAG213, UID, (KEY,)).kind is Kind.EMPTY


@pytest.mark.parametrize(
    ("memory", "chip"),
    [
        (bytes.fromhex("0103a00c340316d101125504") + b"example.com/" + bytes(120), Chip.NTAG213),  # a web address
        (b"\xff" * 144, Chip.NTAG213),
        (bytes(143) + b"x", Chip.NTAG213),
        (b"", Chip.NTAG213),  # nothing could be read
        (bytes(48), Chip.NTAG213),  # the chip is another than it says
        (bytes(144), None),
    ],
)
def test_a_strangers_card_is_foreign(memory: bytes, chip: Chip | None) -> None:
    assert look(memory, chip, UID, (KEY,)).kind is Kind.FOREIGN


def test_a_chip_is_known_by_its_name_alone() -> None:
    assert card_slots.chip_named("ntag213") is Chip.NTAG213
    assert card_slots.chip_named("ntag210") is None
    assert card_slots.chip_named("") is None


# --- balances --------------------------------------------------------------------------------------------------------


def test_a_balance_that_changes_comes_first_and_the_one_used_longest_ago_gives_way() -> None:
    record = Record(holder=5, generation=1)
    for programme in range(1, card.BALANCES_MAX + 2):
        record = record.with_points(programme, programme * 10)
    assert record.balances[0] == Balance(16, 160)
    assert record.points(1) is None
    record = record.with_points(3, 33)
    assert record.balances[:2] == (Balance(3, 33), Balance(16, 160))
    assert len(record.balances) == card.BALANCES_MAX


@given(st.integers(-(10**12), 10**12))
def test_a_balance_that_does_not_fit_is_cut_and_never_raised(points: int) -> None:
    hint = Record(holder=5, generation=1).with_points(1, points).points(1)
    assert hint is not None
    assert hint == max(0, min(points, card.POINTS_MAX))


def test_a_programme_whose_number_does_not_fit_stays_off_the_card() -> None:
    record = Record(holder=5, generation=1)
    assert record.with_points(card.PROGRAMME_MAX + 1, 5) is record


@pytest.mark.parametrize(
    "wrong",
    [
        {"holder": 0},
        {"holder": 2**48},
        {"generation": 0},
        {"generation": 256},
        {"counter": 0},
        {"counter": 2**24},
        {"balances": (Balance(0, 1),)},
        {"balances": (Balance(1, -1),)},
        {"balances": (Balance(1, 2**24),)},
        {"balances": (Balance(1, 1), Balance(1, 2))},
        {"balances": tuple(Balance(n, 1) for n in range(1, 17))},
    ],
)
def test_what_no_card_can_say_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r".+"):
        Record(**{"holder": 5, "generation": 1, **wrong})  # type: ignore[arg-type]
