"""A message in, messages out: what the centre does with each topic, without a network in it.

Every handler commits before it gives its answer. A message whose topic does not fit (another tenant, a unit that
is not enrolled, a site that is not the unit's) is refused: logged, and answered only where a batch was refused.
What goes down is sealed for its topic (`wire.envelope`).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from typing import Any, Final, NamedTuple

import msgspec

from central import correction, deadletters, feed, hinting, kiosk, registry
from central.analysis import rollup
from central.bank import book, register
from central.bank.states import Happening, State
from central.bank.teller import Teller
from central.coupons.keyring import KeyringError
from central.db.database import StorageError
from central.db.schema import NUL
from central.decide import QUESTION_BYTES, Decider, Elsewhere
from central.homes import HomeError
from central.ingest import Ingest, Origin
from central.keys import KeyFileError
from central.leasing import Lessor, Told
from central.ledger import expiry, lanes
from central.members import requests
from central.offers import purchases, told
from central.office import Office
from central.reversals import settle
from central.spool import Snapshots
from central.waiting import Open, Waiting
from loyalty.campaign import CAMPAIGN_ID_MAX, DAY_MS
from loyalty.card import HOLDER_MAX
from loyalty.reason import Reason
from wire.envelope import seal
from wire.messages import (
    Ack,
    Answer,
    Ask,
    AskCard,
    AskHome,
    AskLease,
    AskOffers,
    AskPages,
    AskSettlement,
    CardNo,
    CommandResult,
    Conn,
    CouponTaken,
    Heartbeat,
    Hint,
    Info,
    LogLine,
    Offers,
    Pages,
    PullAck,
    PullFeed,
    Report,
    Request,
    Settled,
    Settlement,
    TakeCoupon,
    decode,
    encode,
)
from wire.topics import DN_ACK, DN_CMD, DN_FEED, Address, BadTopic, Leaf, parse

CORRECTIONS_PER_TURN: Final = 8  # steps of `central.correction`, so that messages never wait long
PULL_CHANGES_MAX: Final = 20_000  # a cache further behind than this gets a snapshot
ASK_WAIT_MAX_MS: Final = 10_000  # no shopper is kept longer, whatever a unit says
REASONS: Final = frozenset(reason.value for reason in Reason)
_log = logging.getLogger(__name__)


class Outgoing(NamedTuple):
    """One message to publish, at QoS 1, not retained."""

    topic: str
    payload: bytes


class Desk:
    """One centre at work. Not for several threads at once. `teller`: asks the bank; None: there is no bank."""

    def __init__(self, office: Office, incarnation: bytes, teller: Teller | None = None) -> None:
        self._teller = teller
        self._office = office
        self._database = office.database
        self._incarnation = incarnation
        self._secret = office.keys.cache_secret()
        self._key = office.keys.centre()
        self._ingest = Ingest(office.database, incarnation, self._secret)
        self._decider = Decider(office.database, office.settings.shop)
        self._present: dict[str, Address] = {}  # units that were heard of since they were last gone
        self._lessor = Lessor(office.database, incarnation, self._present)
        self._waiting = Waiting()
        self._pushed: dict[str, int] = {}
        self.snapshots = Snapshots(
            office.database, incarnation, self._secret, office.settings.folder, office.keys.cards
        )

    def close(self) -> None:
        self.snapshots.close()

    # --- up --------------------------------------------------------------------------------------------

    def handle(self, topic: str, payload: bytes, now_ms: int) -> list[Outgoing]:
        """What is to be published in answer. Never raises for what a message says; StorageError for the disk."""
        try:
            address, leaf = parse(topic)
        except BadTopic as error:
            _log.warning("refused: %s", error)
            return []
        handler = _HANDLERS.get(leaf.path)
        if handler is None or address.tenant != self._office.settings.tenant:
            _log.warning("refused: %s is no topic of this tenant's units", topic)
            return []
        try:
            return handler(self, address, payload, Origin(address.device, topic, now_ms))
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            self._refused(topic, address, payload, f"not a {leaf.message}: {error}", now_ms)
        except StorageError:
            raise
        except Exception as error:  # noqa: BLE001 - a fault of ours with one unit's message must not stop all units
            _log.exception("a fault while handling a message on %s", topic)
            self._refused(topic, address, payload, f"a fault of the centre: {type(error).__name__}", now_ms)
        return []

    def _refused(self, topic: str, address: Address, payload: bytes, reason: str, now_ms: int) -> None:
        _log.warning("refused on %s: %s", topic, reason)
        self._database.unit(
            lambda connection: deadletters.refuse(connection, address.device, topic, reason, payload, now_ms)
        )

    def _sealed(self, address: Address, leaf: Leaf, message: Any) -> Outgoing:
        topic = address.topic(leaf)
        return Outgoing(topic, seal(self._key, topic, encode(message)))

    def _on_batch(self, address: Address, payload: bytes, origin: Origin) -> list[Outgoing]:
        ack: Ack = self._ingest.book(payload, origin)
        return [self._sealed(address, DN_ACK, ack), *self._judge_again(origin.now_ms)]

    def _on_request(self, address: Address, payload: bytes, origin: Origin) -> list[Outgoing]:
        request = decode(payload, Request)
        if isinstance(request, PullAck):
            return [self._sealed(address, DN_ACK, self._ingest.tell(request, origin))]
        if self._stranger(address):
            return []
        self._present[address.device] = address
        if isinstance(request, Ask):
            return self._on_ask(address, request, origin.now_ms)
        if isinstance(request, AskSettlement):
            return self._on_payment(address, request, origin.now_ms)
        if isinstance(request, AskCard):
            return self._on_ask_card(address, request, origin.now_ms)
        if isinstance(request, AskOffers):
            return self._on_ask_offers(address, request, origin.now_ms)
        if isinstance(request, AskPages | TakeCoupon):
            return self._on_kiosk(address, request, origin.now_ms)
        if isinstance(request, AskLease):
            return self._told(self._lessor.answer(request, address.device, origin.now_ms))
        return self._on_pull(address, request, origin.now_ms)

    def _on_ask(self, address: Address, ask: Ask, now_ms: int) -> list[Outgoing]:
        answer = self._decider.answer(ask, address.device, now_ms)
        if isinstance(answer, Answer):
            return [self._sealed(address, DN_CMD, answer)]
        asked = self._told(self._holders(answer, ask, address.device))
        if asked and self._waiting.put(Open(ask, address, answer, now_ms + min(ask.wait_ms, ASK_WAIT_MAX_MS))):
            return asked
        return [self._sealed(address, DN_CMD, self._decider.refuse(answer.refusal, address.device, answer, now_ms))]

    def _on_payment(self, address: Address, request: AskSettlement, now_ms: int) -> list[Outgoing]:
        """A payment by account: on disk first, then the bank is asked; the answer comes with `paid`."""
        if self._teller is None:
            none = Settlement(request.question, Settled.REFUSED, Reason.WRONG_SHOP.value)
            return [self._sealed(address, DN_CMD, none)]
        with self._database.write() as connection:
            device = registry.find(connection, address.device)
            if device is None or not device.active:
                return []
            known = book.get(connection, request.question) is not None
            answer = register.ask(connection, request, device, now_ms)
        if answer is None and not known and not self._teller.take(request.question):
            with self._database.write() as connection:
                book.move(connection, request.question, State.ASKED, Happening.TOO_LATE, now_ms)
            answer = Settlement(request.question, Settled.VOID, Reason.NOT_NOW.value)
        return [] if answer is None else [self._sealed(address, DN_CMD, answer)]

    def paid(self) -> list[Outgoing]:
        """What the bank's answers mean for the lanes that asked."""
        if self._teller is None:
            return []
        tenant = self._office.settings.tenant
        return [
            self._sealed(Address(tenant, told.site, told.device), DN_CMD, told.answer)
            for told in self._teller.answers()
        ]

    @property
    def paying(self) -> bool:
        """Whether a lane waits for the bank, and its answer should not wait for the network's turn."""
        return self._teller is not None and self._teller.busy

    def _on_ask_card(self, address: Address, wanted: AskCard, now_ms: int) -> list[Outgoing]:
        page = self._office.settings.card_page
        with self._database.write() as connection:
            device = registry.find(connection, address.device)
            answer = None
            if device is not None:
                answer = requests.ask(
                    connection, self._secret, device.id, wanted.question, wanted.uid, wanted.chip, now_ms, page
                )
        return [self._sealed(address, DN_CMD, answer or CardNo(wanted.question))]

    def _on_ask_offers(self, address: Address, wanted: AskOffers, now_ms: int) -> list[Outgoing]:
        """What was picked for whoever has a card in a kiosk (M9)."""
        if len(wanted.question) != QUESTION_BYTES or not 0 < wanted.holder <= HOLDER_MAX:
            return []
        with self._database.read() as connection:
            titles = told.titles(connection, wanted.holder, now_ms)
        return [self._sealed(address, DN_CMD, Offers(wanted.question, titles))]

    def _on_kiosk(self, address: Address, wanted: AskPages | TakeCoupon, now_ms: int) -> list[Outgoing]:
        """What a kiosk may show to whoever put a card in, and the coupons that are taken there (M6, M12)."""
        if len(wanted.question) != QUESTION_BYTES or not 0 < wanted.holder <= HOLDER_MAX:
            return []
        if isinstance(wanted, AskPages):
            with self._database.read() as connection:
                member = kiosk.holder_of(connection, wanted.holder, wanted.generation)
                page = self._office.settings.card_page
                shown = [] if member is None else kiosk.pages(connection, member, address.site, page, now_ms)
            return [self._sealed(address, DN_CMD, Pages(wanted.question, shown))]
        given = False
        try:
            with self._database.write() as connection:
                member = kiosk.holder_of(connection, wanted.holder, wanted.generation)
                if member is not None and 0 < wanted.campaign <= CAMPAIGN_ID_MAX:
                    given = kiosk.take(connection, self._office.keys, member, wanted.campaign, now_ms)
        except (HomeError, KeyringError, KeyFileError) as error:
            _log.error("a coupon could not be given out at %s: %s", address.device, error)
        return [self._sealed(address, DN_CMD, CouponTaken(wanted.question, given))]

    def _holders(self, wanted: Elsewhere, ask: Ask, asker: str) -> list[Told]:
        """What to tell those who hold what is asked for."""
        if wanted.pot is not None:
            with self._database.read() as connection:
                return self._lessor.recalls(connection, wanted.pot, wanted.cost, but=asker)
        keeper = self._present.get(wanted.keeper)
        if keeper is None or wanted.keeper == asker:
            return []
        question = AskHome(ask.question, wanted.campaign, wanted.serial, asker)
        return [Told(wanted.keeper, keeper.site, question)]

    def _told(self, orders: list[Told]) -> list[Outgoing]:
        """The commands for units that are there to hear them."""
        tenant = self._office.settings.tenant
        return [
            self._sealed(Address(tenant, order.site, order.device), DN_CMD, order.command)
            for order in orders
            if order.device in self._present
        ]

    def _judge_again(self, now_ms: int) -> list[Outgoing]:
        """Something was booked: what waits for others to let go may have its answer."""
        answered: list[Outgoing] = []
        for one in self._waiting.live(now_ms):
            answer = self._decider.answer(one.ask, one.address.device, now_ms)
            if isinstance(answer, Answer):
                self._waiting.close(one)
                answered.append(self._sealed(one.address, DN_CMD, answer))
        return answered

    def _on_pull(self, address: Address, pull: PullFeed, now_ms: int) -> list[Outgoing]:
        with self._database.read() as connection:
            head = feed.heads(connection).get(address.site, 0)
            near = head - pull.number <= PULL_CHANGES_MAX
            if pull.incarnation == self._incarnation and near and feed.covers(connection, address.site, pull.number):
                messages = feed.messages_since(connection, address.site, pull.number, self._incarnation)
                return [self._sealed(address, DN_FEED, message) for message in messages]
        self.snapshots.wanted(address, now_ms)
        return []

    def _on_hint(self, address: Address, payload: bytes, origin: Origin) -> list[Outgoing]:
        hint: Hint = decode(payload, Hint)
        if not self._stranger(address):
            self._database.unit(lambda connection: hinting.take(connection, self._secret, address, hint, origin.now_ms))
        return []

    def _on_info(self, address: Address, payload: bytes, _origin: Origin) -> list[Outgoing]:
        if not payload:  # a retained message that was cleared
            return []
        info: Info = decode(payload, Info)
        with self._database.read() as connection:
            device = registry.find(connection, address.device)
        if device is not None and device.public != info.device_key:
            _log.warning("%s says that its key is another than the enrolled one", address.device)
        return []

    def _on_conn(self, address: Address, payload: bytes, _origin: Origin) -> list[Outgoing]:
        if payload:
            conn: Conn = decode(payload, Conn)
            _log.info("%s is %s", address.device, "connected" if conn.up else "gone")
            if conn.up:
                self._present[address.device] = address
            else:
                self._present.pop(address.device, None)
        return []

    def _on_report(self, address: Address, payload: bytes, _origin: Origin) -> list[Outgoing]:
        report: Report = decode(payload, Report)
        if report.out_of_service:
            _log.warning("%s is out of service: %s", address.device, report.out_of_service[:200])
        return []

    def _on_result(self, address: Address, payload: bytes, origin: Origin) -> list[Outgoing]:
        result: CommandResult = decode(payload, CommandResult)
        _log.info("%s: command %s %s", address.device, result.command.hex()[:16], "done" if result.ok else "failed")
        one = self._waiting.find(result.command)
        if one is None or result.ok or one.wanted.keeper != address.device:
            return []
        self._waiting.close(one)
        reason = result.reason if result.reason in REASONS else Reason.NOT_HOME.value
        site = result.site.replace(NUL, "") or one.wanted.refusal.site
        refusal = Answer(result.command, False, reason, result.at_ms, site)
        answer = self._decider.refuse(refusal, one.address.device, one.wanted, origin.now_ms)
        return [self._sealed(one.address, DN_CMD, answer)]

    def _on_heartbeat(self, _address: Address, payload: bytes, _origin: Origin) -> list[Outgoing]:
        decode(payload, Heartbeat)
        return []

    def _on_log(self, address: Address, payload: bytes, _origin: Origin) -> list[Outgoing]:
        line: LogLine = decode(payload, LogLine)
        say = _log.warning if line.level == "warning" else _log.debug
        say("%s: %r", address.device, line.text[:500])  # %r: what a unit says stays one line
        return []

    def _stranger(self, address: Address) -> bool:
        """Whether the topic names a unit that is not enrolled, is blocked, or belongs to another site."""
        with self._database.read() as connection:
            device = registry.find(connection, address.device)
        if device is not None and device.active and device.site == address.site:
            return False
        _log.warning("refused: %s is not a unit of site %s", address.device, address.site)
        return True

    # --- down ------------------------------------------------------------------------------------------

    def announce(self) -> list[Outgoing]:
        """After each connect: where every site's log stands, so that a cache that is behind pulls."""
        with self._database.read() as connection:
            self._pushed = feed.heads(connection)
        empty = (feed.RawFeed(self._incarnation, head, []) for head in self._pushed.values())
        return [self._to_site(site, message) for site, message in zip(self._pushed, empty, strict=True)]

    def pushes(self) -> Iterator[Outgoing]:
        """The changes since the last push, also those written by another process."""
        with self._database.read() as connection:
            for site, head in feed.heads(connection).items():
                known = self._pushed.get(site, 0)
                if head <= known:
                    continue
                if feed.covers(connection, site, known) and head - known <= PULL_CHANGES_MAX:
                    for message in feed.messages_since(connection, site, known, self._incarnation):
                        yield self._to_site(site, message)
                else:  # too many at once: let each cache pull for itself
                    yield self._to_site(site, feed.RawFeed(self._incarnation, head, []))
                self._pushed[site] = head

    def snapshot_parts(self, room: int) -> Iterator[Outgoing]:
        """At most `room` parts of the snapshots that are on their way."""
        for address, part in self.snapshots.next_parts(room):
            yield self._sealed(address, DN_FEED, part)

    def _to_site(self, site: str, message: feed.RawFeed) -> Outgoing:
        return self._sealed(Address(self._office.settings.tenant, site, "-").whole_site, DN_FEED, message)

    # --- by time ---------------------------------------------------------------------------------------

    def reverse(self, now_ms: int) -> None:
        """Settles sales that were taken back (`central.reversals`), a few at a time; nothing where none is due."""
        settle.due(self._database, self._secret, now_ms)

    def orders(self) -> list[Outgoing]:
        """What keepers of homes are to do, and have not done yet: a unit that lacks nothing asks for nothing."""
        return self._told(self._lessor.orders())

    def card_grants(self, now_ms: int) -> list[Outgoing]:
        """The cards that kiosks are to write, and have not said what became of."""
        with self._database.read() as connection:
            granted = requests.grants(connection, now_ms)
        return self._told([Told(*each) for each in granted])

    def tidy(self, now_ms: int) -> None:
        """Takes back hints that never came true, prunes the change log, writes off points whose time is over, corrects
        times that waited, and counts what was used, downloaded and looked at since."""
        settings = self._office.settings
        with self._database.write() as connection:
            hinting.expire(connection, self._secret, now_ms - settings.hint_life_s * 1000)
            feed.prune(connection, settings.log_kept_changes)
        with self._database.write() as connection:
            lanes.book_waiting(connection, now_ms)
            expiry.step(connection, now_ms)
            purchases.forget_old(connection, now_ms - settings.offers.purchases_kept_days * DAY_MS)
        for _ in range(CORRECTIONS_PER_TURN):
            with self._database.write() as connection:
                if not correction.step(connection, now_ms):
                    break
        rollup.bring_up_to_date(self._database, settings.utc_offset_min, now_ms)


_HANDLERS: Final[dict[str, Callable[[Desk, Address, bytes, Origin], list[Outgoing]]]] = {
    "up/ev": Desk._on_batch,
    "up/req": Desk._on_request,
    "up/res": Desk._on_result,
    "up/rep": Desk._on_report,
    "up/hb": Desk._on_heartbeat,
    "up/log": Desk._on_log,
    "up/hint": Desk._on_hint,
    "st/conn": Desk._on_conn,
    "st/info": Desk._on_info,
}
