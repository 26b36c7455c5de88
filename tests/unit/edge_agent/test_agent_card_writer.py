"""Writing a card on the reader's own thread: what is said of it, whatever the card, the reader and the tags do."""

from __future__ import annotations

import queue
from collections.abc import Iterator

import pytest

from edge_agent.card_writer import CardJob, write
from edge_agent.core.events import CardWritten
from edge_agent.parts import CardPoller
from hal.errors import CardGone, CardRefused, HalReason, PartFailed
from hal.events import CardPresented
from hal.virtual.card import VirtualCardReader
from hal.virtual.tag import Tag
from hal.virtual.world import Part, World
from loyalty.card import Balance, Record
from loyalty.card_slots import Chip, Found, look, plan
from wire.facts import Outcome

KEY = b"k" * 32
UID = bytes.fromhex("04a1b2c3d4e5f6")
OLD = Record(holder=5, generation=1, balances=(Balance(1, 500),))
NEW = Record(holder=5, generation=1, balances=(Balance(1, 400),))


def job(record: Record = NEW, before: Found | None = None, chip: Chip = Chip.NTAG213) -> CardJob:
    made = plan(record, before, chip, UID, KEY)
    assert made is not None
    return CardJob(id=b"i" * 16, uid=UID, chip=chip, plan=made, before=before, keys=(KEY,))


def on(tag: Tag) -> Found | None:
    return look(tag.user_memory, tag.chip, UID, (KEY,)).found


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def reader(world: World) -> VirtualCardReader:
    return VirtualCardReader(world.port())


@pytest.fixture
def tag(world: World, reader: VirtualCardReader) -> Tag:
    tag = Tag(UID)
    world.insert_card(tag)
    assert write(reader, job(OLD)) is Outcome.DONE
    return tag


@pytest.mark.parametrize("chip", Chip)
def test_M1_every_chip_is_written_and_read_back(world: World, reader: VirtualCardReader, chip: Chip) -> None:
    tag = Tag(UID, chip)
    world.insert_card(tag)
    first = job(OLD, None, chip)
    assert write(reader, first) is Outcome.DONE
    assert on(tag) == Found(first.plan.record, 0)
    second = job(NEW, on(tag), chip)
    assert write(reader, second) is Outcome.DONE
    assert on(tag) == Found(second.plan.record, 1)


def test_a_page_that_is_refused_is_tried_again(world: World, reader: VirtualCardReader, tag: Tag) -> None:
    world.refuse_card(2)
    assert write(reader, job(NEW, on(tag))) is Outcome.DONE


def test_a_card_that_goes_on_refusing_is_as_it_was(world: World, reader: VirtualCardReader, tag: Tag) -> None:
    before = on(tag)
    world.refuse_card(3)
    assert write(reader, job(NEW, before)) is Outcome.UNDONE
    assert on(tag) == before


def test_a_locked_page_leaves_the_old_record(world: World, reader: VirtualCardReader, tag: Tag) -> None:
    before = on(tag)
    reader.write(UID, 2, bytes((0, 0, 0xFF, 0xFF)))
    assert write(reader, job(NEW, Found(OLD, 1))) is Outcome.DOUBT  # the caller was wrong about what it said
    assert on(tag) == before
    assert write(reader, job(NEW, before)) is Outcome.DONE  # the other slot lies beyond the static lock bits


def test_another_card_than_the_one_meant_is_not_written(world: World, reader: VirtualCardReader) -> None:
    other = Tag(UID[:6] + b"\xff")
    world.insert_card(other)
    assert write(reader, job()) is Outcome.DOUBT
    assert other.user_memory == bytes(144)


class Failing(VirtualCardReader):
    """A reader whose answers fail at one call."""

    def __init__(self, world: World, fails_at: int, error: Exception) -> None:
        super().__init__(world.port())
        self._calls, self._fails_at, self._error = 0, fails_at, error

    def _count(self) -> None:
        self._calls += 1
        if self._calls >= self._fails_at:
            raise self._error

    def write(self, uid: bytes, page: int, data: bytes) -> None:
        self._count()
        super().write(uid, page, data)

    def read(self, uid: bytes, page: int, pages: int) -> bytes:
        self._count()
        return super().read(uid, page, pages)


@pytest.mark.parametrize("fails_at", range(1, 9))
@pytest.mark.parametrize(
    "error",
    [
        PartFailed(HalReason.HUNG, "the reader does not answer"),
        CardGone(HalReason.CARD_GONE, "gone"),
        CardRefused(HalReason.CARD_REFUSED, "NAK"),
    ],
)
def test_M2_a_reader_that_fails_from_any_call_on_is_never_said_to_have_written(
    world: World, tag: Tag, fails_at: int, error: Exception
) -> None:
    before = on(tag)
    one = job(NEW, before)
    outcome = write(Failing(world, fails_at, error), one)
    assert (outcome is Outcome.DONE) == (fails_at > len(one.plan.writes) + 1)
    assert outcome is not Outcome.UNDONE, "nobody has read it"
    assert on(tag) in (before, Found(one.plan.record, one.plan.slot))


# --- on the thread of the reader -----------------------------------------------------------------------------


@pytest.fixture
def said() -> queue.Queue[object]:
    return queue.Queue()


@pytest.fixture
def poller(reader: VirtualCardReader, said: queue.Queue[object]) -> Iterator[CardPoller]:
    made = CardPoller(reader, said.put)
    yield made
    made.stop()


def test_a_job_is_done_between_two_polls_and_its_end_is_told(
    world: World, poller: CardPoller, said: queue.Queue[object]
) -> None:
    tag = Tag(UID)
    world.insert_card(tag)
    poller.start()
    assert isinstance(said.get(timeout=5), CardPresented)
    assert poller.ask(job())
    assert said.get(timeout=5) == CardWritten(id=b"i" * 16, outcome=Outcome.DONE)
    assert on(tag) is not None


def test_one_job_waits_and_a_second_is_refused(poller: CardPoller) -> None:
    assert poller.ask(job())
    assert not poller.ask(job())
    poller.start()


def test_a_broken_reader_still_ends_its_jobs(world: World, poller: CardPoller, said: queue.Queue[object]) -> None:
    world.insert_card(Tag(UID))
    world.break_part(Part.CARD)
    assert poller.ask(job())
    poller.start()
    while not isinstance(end := said.get(timeout=5), CardWritten):
        pass
    assert end.outcome is Outcome.DOUBT
