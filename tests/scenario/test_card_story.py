"""A member's card from the first tap to the lost one (M1, M2, M12): the unit's own processes but the network between.

The agent runs as it does on a unit, with its reader's thread on a virtual world; the centre's desk answers it. What
they send each other goes through the same bytes, topics, seals and journal as over a broker.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from nacl.signing import SigningKey
from sqlalchemy import select

from central import registry
from central.coupons import history, issue, persons
from central.db.schema import facts
from central.desk import Desk, Outgoing
from central.ledger import programmes, tills
from central.ledger.tills import Purchase
from central.members import giving, membership, requests
from central.office import Office, create
from central.settings import CentralSettings
from edge_agent.buttons import ButtonPoller
from edge_agent.core.browsing import LEFT, RIGHT
from edge_agent.core.effects import Show, View
from edge_agent.core.pages import Page, PageKind
from edge_agent.core.states import Mode
from edge_agent.mqtt import Arrived, Connected, LinkEvent
from edge_agent.panel import Panel
from edge_agent.parts import CardPoller
from edge_agent.runner import Agent
from edge_agent.settings import BrokerLogin, SiteNetwork, UnitSettings
from edge_agent.steps import StepLog
from edge_agent.store.store import Store
from edge_agent.timekeeper import Timekeeper
from hal import backends
from hal.virtual.tag import Tag
from hal.virtual.world import World
from loyalty.campaign import Campaign, Kind, Policy
from loyalty.card_slots import Chip, look
from loyalty.points import Programme
from loyalty.reason import Reason
from wire import topics
from wire.topics import Address

UID, NEW_UID = bytes.fromhex("04a1b2c3d4e5f6"), bytes.fromhex("04a1b2c3d4e5f7")
PASSWORD = "correct horse"
TURNS_MAX = 2_000


class Wire:
    """A broker without sockets: what a unit publishes is answered by the desk at once."""

    up = alive = True

    def __init__(self, shop: Shop, address: Address, sink: Callable[[LinkEvent], object]) -> None:
        self._shop, self._address, self._sink = shop, address, sink

    def start(self) -> None:
        self._sink(Connected())

    def publish(self, leaf: topics.Leaf, payload: bytes) -> bool:
        self._shop.deliver(self._shop.desk.handle(self._address.topic(leaf), payload, self._shop.now_ms()))
        return True

    def take(self, message: Outgoing) -> None:
        self._sink(Arrived(message.topic, message.payload))

    def stop(self) -> None:
        """Nothing to close."""


class Watched:
    """The unit's panel, and a note of what it was told to show."""

    def __init__(self, panel: Panel, unit: Unit) -> None:
        self._panel, self._unit = panel, unit
        self.refresh, self.signal, self.close = panel.refresh, panel.signal, panel.close

    def show(self, what: Show, *, online: bool, waiting: int) -> None:
        self._panel.show(what, online=online, waiting=waiting)
        self._unit.shown.append((what.view, what.detail))
        self._unit.page = what.page
        if what.verdict is not None:
            self._unit.reasons.append(what.verdict.reason)


class Unit:
    """One unit with its reader; `shown` is what its display was told."""

    def __init__(self, shop: Shop, folder: Path, device: str, mode: Mode) -> None:
        self.world, self.shown = World(), list[tuple[View, str]]()
        self.page: Page | None = None  # of a kiosk, that is on the display
        key = SigningKey.generate()
        with shop.office.database.write() as connection:
            registry.add_device(connection, device, "ginza", key.verify_key.encode(), shop.now_ms())
        settings = UnitSettings(
            device=device, site="ginza", mode=mode, data_dir=str(folder), broker=BrokerLogin(port=1),
            site_network=SiteNetwork(enabled=False),
        )  # fmt: skip
        options: dict[str, object] = {"port": self.world.port()}
        store = Store(folder, device)
        store.start(b"e" * 16)
        self.time = Timekeeper(backends.open_clock("virtual", options), 0)
        panel = Panel(
            backends.open_display("virtual", options),
            backends.open_indicators("virtual", options),
            lang="ja",
            utc_offset_min=540,
            wall_ms=lambda: self.time.now().wall_ms,
        )
        self.reasons: list[Reason] = []

        def open_broker(address: Address, login: BrokerLogin, sink: Callable[[LinkEvent], object]) -> Wire:
            self.wire = Wire(shop, address, sink)
            return self.wire

        self.agent = Agent(
            settings,
            store=store,
            panel=Watched(panel, self),
            time=self.time,
            steps=StepLog(lambda line: None, lambda: 0),
            keys=(key, shop.office.keys.centre().verify_key),
            version="test",
            open_broker=open_broker,
        )
        self.cards = CardPoller(backends.open_card("virtual", options), self.agent.inbox.put)
        self.agent.card_writer = self.cards.ask
        self.buttons = ButtonPoller(backends.open_indicators("virtual", options), self.agent.inbox.put)
        self.agent.start()
        self.cards.start()
        self.buttons.start()

    def until(self, done: Callable[[], bool]) -> None:
        for _ in range(TURNS_MAX):
            if done():
                return
            self.agent.turn(0.01)
        raise AssertionError(f"it did not come to that; the display showed {self.shown[-5:]}")

    def views(self) -> list[View]:
        return [view for view, _ in self.shown]

    def put(self, tag: Tag, view: View) -> str:
        """Put a card in, and wait until the display shows this; gives its detail."""
        self.shown.clear()
        self.world.insert_card(tag)
        self.until(lambda: view in self.views())
        return dict(self.shown)[view]

    def press(self, button: int, done: Callable[[], bool]) -> None:
        self.shown.clear()
        self.world.press_button(button)
        self.until(lambda: bool(self.shown) and done())

    def close(self) -> None:
        self.buttons.stop()
        self.cards.stop()
        self.agent.close()


class Shop:
    """A centre, a kiosk and a lane."""

    def __init__(self, folder: Path) -> None:
        self.office: Office = create(CentralSettings(data_dir=str(folder / "centre")))
        self.desk = Desk(self.office, self.office.witness.start())
        self.units: dict[str, Unit] = {}
        with self.office.database.write() as connection:
            registry.add_site(connection, "ginza")
        for device, mode in (("kiosk", Mode.KIOSK), ("lane", Mode.LANE)):
            self.units[device] = Unit(self, folder / device, device, mode)
        self.kiosk, self.lane = self.units["kiosk"], self.units["lane"]
        for unit in self.units.values():
            unit.until(lambda unit=unit: bool(self.settled(unit)))  # type: ignore[misc]

    def settled(self, unit: Unit) -> bool:
        """The unit has its snapshot, and knows that the centre is there."""
        self.send()
        return unit.agent.online and bool(unit.agent.store.cache.card_keys)

    def now_ms(self) -> int:
        return self.units["kiosk"].time.now().wall_ms if "kiosk" in self.units else 1_800_000_000_000

    def send(self) -> None:
        """What the centre says without being asked."""
        self.desk.snapshots.wait()
        parts = list(self.desk.snapshot_parts(100))
        self.deliver([*self.desk.pushes(), *parts, *self.desk.card_grants(self.now_ms())])

    def deliver(self, messages: list[Outgoing]) -> None:
        for message in messages:
            for device, unit in self.units.items():
                if f"/{device}/" in message.topic or "/all/" in message.topic:
                    unit.wire.take(message)

    def granted(self, code: str, name: str) -> requests.Granted:
        secret = self.office.keys.cache_secret()
        done = requests.register(self.office.database, secret, code, name, PASSWORD, self.now_ms())
        assert isinstance(done, requests.Granted)
        self.send()
        return done

    def claimed(self, code: str, login: str) -> requests.Granted:
        secret = self.office.keys.cache_secret()
        done = requests.claim(self.office.database, secret, code, login, PASSWORD, self.now_ms())
        assert isinstance(done, requests.Granted)
        self.send()
        return done

    def card_states(self, login: str) -> list[tuple[int, str]]:
        with self.office.database.read() as connection:
            member = membership.find(connection, login)
            assert member is not None
            return [(card.generation, card.state) for card in giving.cards_of(connection, member)]

    def suspicions(self) -> int:
        """How often a unit has reported a card that it refused."""
        with self.office.database.read() as connection:
            return len(connection.execute(select(facts.c.seq).where(facts.c.type == "cs")).all())

    def close(self) -> None:
        for unit in self.units.values():
            unit.close()
        self.desk.close()
        self.office.close()


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    opened = Shop(tmp_path)
    yield opened
    opened.close()


def code_of(link: str) -> str:
    return link.rpartition("/")[2]


def test_M1_M2_M12_the_story_of_a_card(shop: Shop) -> None:
    kiosk, lane = shop.kiosk, shop.lane

    # An empty tag at the kiosk; name and password on the phone; the number comes back, the card is written.
    first = Tag(UID)
    link = kiosk.put(first, View.CARD_OFFER)
    granted = shop.granted(code_of(link), "山田")
    kiosk.until(lambda: View.CARD_GIVEN in kiosk.views())
    assert dict(kiosk.shown)[View.CARD_GIVEN] == granted.number
    kiosk.until(lambda: shop.card_states("山田") == [(1, "written")])
    kiosk.world.remove_card()
    assert PASSWORD.encode() not in b"".join(path.read_bytes() for path in kiosk.agent.store.folder.glob("store.db*"))

    # Any lane knows it.
    lane.put(first, View.KNOWN_CARD)
    lane.world.remove_card()

    # It is lost: with number and password another one is made, and the old one is refused on every lane.
    second = Tag(NEW_UID, Chip.MF0UL11)
    link = kiosk.put(second, View.CARD_OFFER)
    again = shop.claimed(code_of(link), membership.shown(granted.number))
    assert (again.number, again.generation) == (granted.number, 2)
    kiosk.until(lambda: View.CARD_GIVEN in kiosk.views())
    lane.until(lambda: lane.agent.store.cache.position[1] >= 1 and not lane.agent.inbox.waiting)
    lane.put(first, View.VERDICT)
    assert lane.reasons[-1] is Reason.CARD_OLD
    lane.world.remove_card()
    lane.put(second, View.KNOWN_CARD)
    keys = lane.agent.store.cache.card_keys
    found = look(second.user_memory, second.chip, second.uid, keys).found
    assert found is not None
    assert found.record.generation == 2
    lane.until(lambda: shop.suspicions() == 1)


def test_M1_a_tag_pulled_away_while_it_is_written_is_in_doubt_at_the_centre_and_settled_at_the_next_tap(
    shop: Shop,
) -> None:
    kiosk, tag = shop.kiosk, Tag(UID)
    link = kiosk.put(tag, View.CARD_OFFER)
    kiosk.world.tear_card(4, after_writes=4)  # the last page: all of it is there, and nobody has seen it
    shop.granted(code_of(link), "山田")
    kiosk.until(lambda: Reason.CARD_NOT_WRITTEN in kiosk.reasons)
    kiosk.until(lambda: shop.card_states("山田") == [(1, "doubted")])
    kiosk.put(tag, View.KNOWN_CARD)
    kiosk.until(lambda: shop.card_states("山田") == [(1, "written")])


def test_M2_a_wrong_password_writes_nothing(shop: Shop) -> None:
    kiosk, tag = shop.kiosk, Tag(UID)
    with shop.office.database.write() as connection:
        persons.add(connection, "BBB", persons.hash_password(PASSWORD), shop.now_ms())
    code = code_of(kiosk.put(tag, View.CARD_OFFER))
    secret = shop.office.keys.cache_secret()
    done = requests.claim(shop.office.database, secret, code, "BBB", "wrong", shop.now_ms())
    assert done is requests.No.WRONG
    shop.send()
    for _ in range(20):
        kiosk.agent.turn(0.01)
    assert tag.user_memory == bytes(144)
    assert View.CARD_WRITING not in kiosk.views()


def test_M1_a_kiosk_whose_reader_can_not_write_says_so_and_the_centre_knows(shop: Shop) -> None:
    kiosk, tag = shop.kiosk, Tag(UID)
    code = code_of(kiosk.put(tag, View.CARD_OFFER))
    kiosk.agent.card_writer = None
    shop.granted(code, "山田")
    kiosk.until(lambda: Reason.CARD_NOT_WRITTEN in kiosk.reasons)
    kiosk.until(lambda: shop.card_states("山田") == [(1, "undone")])
    assert tag.user_memory == bytes(144)


def test_M1_a_kiosk_that_lost_power_while_it_wrote_says_that_it_is_in_doubt(shop: Shop) -> None:
    kiosk, tag = shop.kiosk, Tag(UID)
    code = code_of(kiosk.put(tag, View.CARD_OFFER))
    kiosk.agent.card_writer = lambda job: True  # it takes the job, and the power goes before it is done
    shop.granted(code, "山田")
    kiosk.until(lambda: View.CARD_WRITING in kiosk.views())
    kiosk.agent.decide(kiosk.agent._begun())  # what the unit begins with after the cut
    kiosk.until(lambda: shop.card_states("山田") == [(1, "doubted")])


def test_M6_M12_a_member_reads_their_pages_with_two_buttons_and_takes_a_coupon(shop: Shop) -> None:
    kiosk, tag = shop.kiosk, Tag(UID)
    with shop.office.database.write() as connection:
        programmes.put(connection, Programme(id=9, name="街のポイント", shared=True), shop.now_ms())
        issue.issue(
            connection,
            Campaign(id=1, name="紅茶", kind=Kind.GIFT, gift="紅茶", policy=Policy.SIGNED, provider="shop"),
            shop.now_ms(),
        )
        person = persons.add(connection, "山田", persons.hash_password(PASSWORD), shop.now_ms())
        tills.earn(connection, Purchase(b"n" * 16, 9, person.holder, "ginza", 380, shop.now_ms()), shop.now_ms())
    granted = shop.claimed(code_of(kiosk.put(tag, View.CARD_OFFER)), "山田")
    kiosk.until(lambda: View.CARD_GIVEN in kiosk.views())
    found = look(tag.user_memory, tag.chip, tag.uid, kiosk.agent.store.cache.card_keys).found
    assert found is not None
    assert found.record.points(9) == 380, "the card says what the ledger has (M2)"
    kiosk.world.remove_card()
    kiosk.until(lambda: not kiosk.agent._core.visit.card)

    kiosk.put(tag, View.KNOWN_CARD)
    kiosk.press(LEFT, lambda: kiosk.page is not None)
    assert kiosk.page == Page(kind=PageKind.MEMBER, title=membership.shown(granted.number))
    kiosk.press(LEFT, lambda: kiosk.page is not None and kiosk.page.kind is PageKind.POINTS)
    assert kiosk.page == Page(kind=PageKind.POINTS, title="街のポイント", number=380)
    kiosk.press(LEFT, lambda: kiosk.page is not None and kiosk.page.kind is PageKind.COUPON)
    kiosk.press(RIGHT, lambda: View.TAKE in kiosk.views())
    assert kiosk.page is not None
    assert kiosk.page.link == "http://127.0.0.1:8470/offers/1"
    kiosk.press(RIGHT, lambda: View.TAKEN in kiosk.views())
    with shop.office.database.read() as connection:
        assert [line.campaign.id for line in history.shown_to(connection, person.id, 10)] == [1]

    kiosk.press(LEFT, lambda: kiosk.page is not None)
    kiosk.shown.clear()
    kiosk.world.remove_card()
    kiosk.until(lambda: View.READY in kiosk.views())
    assert kiosk.page is None, "nothing of a person stays when the card is out"
