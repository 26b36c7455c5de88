"""The runner: one thread takes events from the inbox, lets the core decide, and performs the effects.

The order is the promise: rows are read and facts written in one transaction; only after its commit does the
shopper see anything; only after that is 'shown' written down.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable
from typing import Final, NamedTuple, TypeVar

from nacl.signing import SigningKey, VerifyKey

from edge_agent.card_writer import CardJob
from edge_agent.centre import Centre
from edge_agent.core import events as ev
from edge_agent.core.effects import (
    AnswerHome,
    AskBank,
    AskCard,
    AskCentre,
    AskKeeper,
    AskOffers,
    AskPages,
    Effect,
    HandOver,
    KeepFrame,
    MarkShown,
    ProbeCentre,
    SeekPart,
    Show,
    Signal,
    StartTimer,
    TakeCoupon,
    TellHint,
    TellTaken,
    TellTill,
    View,
    WriteCard,
)
from edge_agent.core.machine import Core
from edge_agent.core.receipt import TillAnswer, TillReason
from edge_agent.core.visit import Moment, Step, Visit
from edge_agent.inbox import Inbox
from edge_agent.mqtt import Arrived, Connected, Disconnected, LinkEvent, Mqtt
from edge_agent.ports import OpenBroker, OpenSite, Panel, TillPort
from edge_agent.settings import DAY_MS, UnitSettings
from edge_agent.site.exchange import Exchange
from edge_agent.site.net import SiteDown, SiteEvent, SiteNet, SiteSaid, SiteUp
from edge_agent.site.site import Site, Witness
from edge_agent.steps import StepLog
from edge_agent.store.connection import StoreCorrupt, StoreError
from edge_agent.store.salvage import salvage
from edge_agent.store.store import Store
from edge_agent.telemetry import Telemetry
from edge_agent.timekeeper import Timekeeper
from hal.card import Counting
from hal.errors import HalError
from hal.events import CardPresented, PartFault, PartHealed, Scanned
from loyalty.card_slots import chip_named, plan
from loyalty.coupon import Verdict
from loyalty.lease import CAMPAIGN, Amount, Pot
from loyalty.reason import Reason, log_prefix
from wire import site_exchange, topics
from wire.chain import EPOCH_BYTES
from wire.facts import Outcome, Redeemed

TURN_MAX_S: Final = 0.5
PROBE_EVERY_MS: Final = 1_000
TIDY_EVERY_MS: Final = 5_000
LOW_EVERY_MS: Final = 5_000  # how often a unit out of the centre's reach asks other lanes for what runs low
UNMARKED_MAX: Final = 1_000
SCANS_REMEMBERED: Final = 64
COUNTED: Final = frozenset({Reason.OK, Reason.OK_AGAIN})
log = logging.getLogger(__name__)

T = TypeVar("T")
Item = ev.Event | LinkEvent | SiteEvent
KeepFrameCall = Callable[[int, str], None]


class Decided(NamedTuple):
    """A step, where its first fact stands in the journal, and when the verdict was known."""

    step: Step
    position: int
    mono_ms: int


class Agent:
    """One unit. Its parts are opened by the caller, who also feeds `inbox` from them.

    `open_broker` and `open_site` open its networks: the simulated world has its own.
    """

    def __init__(
        self,
        settings: UnitSettings,
        *,
        store: Store,
        panel: Panel,
        time: Timekeeper,
        steps: StepLog,
        keys: tuple[SigningKey, VerifyKey],
        version: str,
        keep_frame: KeepFrameCall | None = None,
        open_broker: OpenBroker = Mqtt,
        open_site: OpenSite = SiteNet,
    ) -> None:
        self._settings, self._store, self._panel, self._time, self._steps = settings, store, panel, time, steps
        self._version, self._keep_frame = version, keep_frame
        self.inbox: Inbox[Item] = Inbox()
        self.till: TillPort | None = None  # who speaks with the till (`edge_agent.till.desk`)
        self.counted: Callable[[Verdict], None] | None = None  # hears of a coupon that counted without a basket
        self.card_writer: Callable[[CardJob], bool] | None = None  # `edge_agent.parts.CardPoller.ask`; None: no reader
        self.board_counts: Counting | None = None  # of a reader board: its link's statistics, for the heartbeat
        self._core = Core(
            site=settings.site,
            mode=settings.mode,
            ask_wait_ms=settings.ask_wait_ms,
            new_id=lambda: secrets.token_bytes(16),
            shop=settings.shop,
            till_rules=settings.till.rules(settings.utc_offset_min),
        )
        self._mqtt = open_broker(settings.address, settings.broker, self._from_broker)
        self._telemetry = Telemetry(settings, self._mqtt, version, keys[0].verify_key, time.now().mono_ms)
        self._counts = self._telemetry.counts
        self._centre = Centre(
            settings.address, store, self._mqtt, keys, steps, time=time, answer_within_ms=settings.ask_wait_ms
        )
        self.site_net = open_site(settings.address, keys[0], settings.site_network, self._from_site)
        self.site = Site(settings, store, self.site_net, steps)
        self._exchange = Exchange(self.site, store, self.decide)
        for kind in site_exchange.KINDS:
            self.site.listen(kind, self._exchange.heard)
        self._timer: StartTimer | None = None
        self._timer_due_ms = 0
        self._probe_at_ms: int | None = None
        self._tidy_at_ms = self._beat_at_ms = self._low_at_ms = 0
        self._scan = ""  # the scan whose answer is still open
        self._unmarked: list[int] = []  # shown, but the mark could not be written
        self._damaged = False  # the store is closed, and could not be replaced yet
        self._stopping = False

    @property
    def store(self) -> Store:
        """The one in use: a damaged one is replaced while the unit runs."""
        return self._store

    @property
    def visit(self) -> Visit:
        """What is going on, as one value that never changes: any thread may look at it."""
        return self._core.visit

    @property
    def waiting(self) -> int:
        """How many facts are not yet known to be booked."""
        return self._centre.uplink.waiting

    @property
    def online(self) -> bool:
        """Whether the centre is thought to be in reach."""
        return self._core.visit.reach.online

    # --- life -----------------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin: withdraw what was open, show that we are ready, connect."""
        self._steps.line("started", device=self._settings.device, version=self._version, mode=self._settings.mode)
        started = self._guarded(self._begun)
        if started is not None:
            self.decide(started)
        self._mqtt.start()
        now_ms = self._time.now().mono_ms
        self._guarded(lambda: self.site.start(now_ms))
        self._store.waits_for_witness = self.site.witness(now_ms) is Witness.WAITING

    def _begun(self) -> ev.Started:
        """What was open when the unit went down. Raises StoreError."""
        return ev.Started(
            open_questions=self._store.open_questions(),
            unfinished_cards=tuple(write.id for write in self._store.cards.unfinished()),
        )

    def run(self, each_turn: Callable[[], None] | None = None) -> None:
        """Until `stop`. `each_turn` is called at least every TURN_MAX_S while all is well."""
        self.start()
        try:
            while not self._stopping:
                self.turn(TURN_MAX_S)
                if each_turn is not None:
                    each_turn()
        finally:
            self.close()

    def stop(self) -> None:
        """From any thread or signal handler."""
        self._stopping = True

    def close(self) -> None:
        self.site.stop()
        self._mqtt.stop()
        try:
            self._panel.close()
        except HalError as error:
            log.warning("a part did not let go: %s", error)
        self._store.close()
        self._steps.line("stopped")

    def turn(self, wait_s: float) -> None:
        """Take one event, if one comes in time, and do what is due."""
        item = self.inbox.take(min(wait_s, self.until_due_s()))
        if item is not None:
            self._take(item)
        self._pump()

    def until_due_s(self) -> float:
        """How long nothing has to be done, unless something comes."""
        now_ms = self._time.now().mono_ms
        due = [self._timer_due_ms] if self._timer is not None else []
        centre_due = self._centre.due_ms()
        if self._probe_at_ms is not None:
            due.append(self._probe_at_ms)  # nothing is sent while nothing can be stored
        else:
            times = (centre_due, self.site.due_ms(), self._exchange.due_ms(), self._core.visit.reach.probe_ms)
            due += [at_ms for at_ms in times if at_ms is not None]
        return max(0.0, (min(due) - now_ms) / 1000) if due else TURN_MAX_S

    # --- events ---------------------------------------------------------------------------------------

    def _from_broker(self, event: LinkEvent) -> None:
        """Called on the MQTT thread. A message that finds no room is pulled or sent again."""
        if isinstance(event, Arrived):
            self.inbox.put_if_room(event, ahead=event.topic.endswith(topics.DN_ACK.path))
        else:
            self.inbox.put(event)

    def _from_site(self, event: SiteEvent) -> None:
        """Called on threads of the site's network. What finds no room is asked for again."""
        if isinstance(event, SiteSaid):
            self.inbox.put_if_room(event)
        else:
            self.inbox.put(event)

    def _take(self, item: Item) -> None:
        if isinstance(item, Arrived):
            said = self._guarded(lambda: self._centre.arrived(item.topic, item.payload, self._time.now()))
            if said is not None:
                self.decide(said)
        elif isinstance(item, Connected):
            self._centre.connected(self._time.now().mono_ms)
            self._steps.line("link", up=True)
            self._telemetry.introduce()
            self._report()
            self.decide(ev.LinkChanged(up=True))
        elif isinstance(item, Disconnected):
            self._centre.disconnected()
            self._steps.line("link", up=False, detail=item.why)
            self.decide(ev.LinkChanged(up=False))
        elif isinstance(item, SiteUp | SiteDown | SiteSaid):
            if self._probe_at_ms is None or not isinstance(item, SiteSaid):  # what can't be kept is asked for again
                self._guarded(lambda: self.site.take(item, self._time.now()))
        else:
            self._note_part(item)
            self.decide(item)

    def _note_part(self, item: ev.Event) -> None:
        if isinstance(item, PartFault):
            self._counts.camera_faults += item.part == "camera"
            self._steps.line("part", part=item.part, ok=False, reason=item.reason, detail=item.detail)
        elif isinstance(item, PartHealed):
            self._steps.line("part", part=item.part, ok=True)
        if isinstance(item, PartFault | PartHealed):
            self._telemetry.part(self._time.now(), item)

    def decide(self, event: ev.Event) -> None:
        """The way of every event: rows, verdict, commit, then effects."""
        at = self._time.now()
        scan = self._begin_scan(event)
        decided = self._guarded(lambda: self._decide(event, at))
        if decided is None:
            if scan:  # nothing was kept, and the display says why
                self._steps.step(scan, "decided", at.mono_ms, reason=Reason.OUT_OF_SERVICE, accepted=False)
                self._counts.refused += 1
            if isinstance(event, ev.TillAsks):
                self._tell_till(event.reply, TillAnswer(refusal=TillReason.OUT_OF_SERVICE))
            return
        step, visit, before = decided.step, self._core.visit, self._core.visit.reach
        self._core.adopt(step)
        if step.facts:
            self._centre.uplink.appended(self._store.journal.last)
            self._note_spent(step)
        self._note(step, decided, scan)
        self._perform(step, decided.position, scan)
        if step.facts:
            self._guarded(lambda: self.site.appended(decided.position, step.facts))
        if self.till is not None and self._core.visit is not visit:
            self.till.stirred()
        reach = self._core.visit.reach
        if reach.online != before.online:
            self._steps.line("reach", online=reach.online, why=reach.why)
            self._guarded(self._report)

    def _tell_till(self, reply: int, answer: TillAnswer) -> None:
        if self.till is not None:
            self.till.answered(reply, answer)

    def _note_spent(self, step: Step) -> None:
        """How fast parts of limits are used rules how much is asked for."""
        now_ms = self._time.now().mono_ms
        for fact in step.facts:
            if isinstance(fact, Redeemed) and fact.leased:
                self._centre.leasing.spent(Pot(CAMPAIGN, fact.campaign), Amount(1, fact.cost_yen), now_ms)

    def _decide(self, event: ev.Event, at: Moment) -> Decided:
        """One transaction; none at all where nothing is looked up nor written."""
        wants = self._core.needs(event)
        if not wants:
            step = self._core.handle(event, (), at)
            if not (step.facts or step.opened is not None or step.closed):
                return Decided(step, 0, self._time.now().mono_ms)
            with self._store.transaction():
                return Decided(step, self._store.keep(step), self._time.now().mono_ms)
        with self._store.transaction():
            step = self._core.handle(event, self._store.look_up(wants), at)
            decided_ms = self._time.now().mono_ms
            return Decided(step, self._store.keep(step), decided_ms)

    def _guarded(self, action: Callable[[], T]) -> T | None:
        """Run `action`; when the store fails, go out of service, and salvage a corrupt one."""
        try:
            return action()
        except StoreCorrupt as error:
            self._out_of_service(error)
            self._salvage()
        except StoreError as error:
            self._out_of_service(error)
        return None

    # --- trouble with the store -----------------------------------------------------------------------

    def _out_of_service(self, error: StoreError) -> None:
        detail = f"{type(error).__name__}: {error}"
        if self._probe_at_ms is None:
            self._steps.line("store", ok=False, detail=detail)
            log.error("facts can't be stored: %s", detail)
            self._probe_at_ms = self._time.now().mono_ms + PROBE_EVERY_MS
            self._report()
        self._probe_at_ms = self._time.now().mono_ms + PROBE_EVERY_MS
        step = self._core.handle(ev.StoreFailed(detail=detail), (), self._time.now())
        self._core.adopt(step)
        self._perform(step, 0, "")

    def _probe(self) -> None:
        """Can facts be stored again?"""
        if self._damaged:
            self._salvage()
            return
        try:
            self._store.probe()
            if self._unmarked:
                self._store.mark_shown(self._unmarked)
                self._unmarked.clear()
            begun = self._begun()
        except StoreCorrupt:
            self._salvage()
            return
        except StoreError:
            self._probe_at_ms = self._time.now().mono_ms + PROBE_EVERY_MS
            return
        self._probe_at_ms = None
        self._steps.line("store", ok=True)
        self._report()
        self.decide(ev.StoreRecovered())
        self.decide(begun)

    def _salvage(self) -> None:
        """The file is damaged: set it aside, save the facts, go on under a new epoch."""
        self._store.close()
        self._damaged = True
        at = self._time.now()
        try:
            self._store, saved = salvage(
                self._store.folder, self._settings.device, secrets.token_bytes(EPOCH_BYTES), at.stamp
            )
        except (StoreError, OSError) as error:
            log.error("the damaged store can't be replaced yet: %s", error)
            self._probe_at_ms = at.mono_ms + PROBE_EVERY_MS
            return
        self._damaged = False
        log.error("the store was damaged; it lies in %s, %s facts were saved", saved.folder, len(saved.carried))
        self._steps.line("salvaged", facts=len(saved.carried), unverified=saved.unverified, folder=saved.folder.name)
        self._unmarked.clear()
        self._steps.forget()
        self._centre.use(self._store)
        self.site.use(self._store)
        self._exchange.use(self._store)
        if self._mqtt.up:
            self._centre.connected(at.mono_ms)
        self._probe_at_ms = at.mono_ms

    # --- effects --------------------------------------------------------------------------------------

    def _perform(self, step: Step, position: int, scan: str) -> None:
        seen = True
        for effect in step.effects:
            if isinstance(effect, MarkShown):
                if seen:
                    self._mark(effect.numbers or tuple(range(position, position + len(step.facts))))
            else:
                try:
                    self._one(effect, step, position)
                except HalError as error:
                    seen = seen and not isinstance(effect, Show)
                    self._steps.line("part", part="panel", ok=False, reason=error.reason, detail=str(error))
        if scan and seen and any(isinstance(e, Show) and e.view is not View.ASKING for e in step.effects):
            self._steps.step(scan, "shown", self._time.now().mono_ms)

    def _one(self, effect: Effect, step: Step, position: int) -> None:
        if isinstance(effect, Show):
            self._panel.show(effect, online=self._core.visit.reach.online, waiting=self._centre.uplink.waiting)
            verdict = effect.verdict
            counts = effect.view is View.VERDICT and verdict is not None and verdict.reason in COUNTED
            if self.counted is not None and counts and verdict is not None and step.visit.basket_yen is None:
                self.counted(verdict)
        elif isinstance(effect, Signal):
            self._panel.signal(effect)
        elif isinstance(effect, StartTimer):
            self._timer, self._timer_due_ms = effect, self._time.now().mono_ms + effect.after_ms
        elif isinstance(effect, WriteCard):
            self._write_card(effect)
        elif isinstance(effect, AskCard):
            self._centre.ask_card(effect.question, effect.uid, effect.chip)
        elif isinstance(effect, AskOffers):
            self._centre.ask_offers(effect.question, effect.holder)
        elif isinstance(effect, AskPages):
            self._centre.ask_pages(effect)
        elif isinstance(effect, TakeCoupon):
            self._centre.take_coupon(effect)
        elif isinstance(effect, AskCentre):
            self._centre.ask(effect.question, effect.text, effect.spend_yen, effect.wait_ms, effect.format)
        elif isinstance(effect, AskBank):
            self._centre.ask_bank(effect)
        elif isinstance(effect, TellTill):
            self._tell_till(effect.reply, effect.answer)
        elif isinstance(effect, SeekPart):
            self._centre.leasing.sought(effect.pot, effect.cost, self._time.now().mono_ms)
            if not self._core.visit.reach.online:
                self._exchange.seek(effect.pot, effect.cost)
        elif isinstance(effect, AnswerHome) and not effect.by_lane:
            if not effect.left:
                self._centre.keeps(effect)
        elif isinstance(effect, HandOver | TellTaken | AskKeeper | AnswerHome):
            self._exchange.perform(effect)
        elif isinstance(effect, ProbeCentre):
            self._guarded(lambda: self._centre.probe(self._time.now().mono_ms))
        elif isinstance(effect, TellHint):
            fact = step.facts[effect.index]
            if isinstance(fact, Redeemed):
                self._centre.hint(position + effect.index, fact)
        elif isinstance(effect, KeepFrame) and self._keep_frame is not None:
            self._keep_frame(effect.frame, effect.reason)

    def _write_card(self, effect: WriteCard) -> None:
        """Hand the write to the reader's thread; one that can't begin has ended undone."""
        keys, chip, slot = self._store.cache.card_keys, chip_named(effect.slot.chip), effect.slot
        if keys and chip is not None and self.card_writer is not None:
            made = plan(effect.record, effect.before, chip, slot.uid, keys[0])
            if made is not None and self.card_writer(
                CardJob(id=effect.id, uid=slot.uid, chip=chip, plan=made, before=effect.before, keys=keys)
            ):
                return
        self.inbox.put(ev.CardWritten(id=effect.id, outcome=Outcome.UNDONE))

    def _mark(self, positions: tuple[int, ...]) -> None:
        try:
            self._store.mark_shown(positions)
        except StoreError as error:
            # It was shown; the mark follows when the disk takes writes again.
            self._unmarked = [*self._unmarked, *positions][-UNMARKED_MAX:]
            self._out_of_service(error)

    # --- what is due ----------------------------------------------------------------------------------

    def _pump(self) -> None:
        at = self._time.now()
        if self._timer is not None and at.mono_ms >= self._timer_due_ms:
            timer, self._timer = self._timer, None
            self.decide(ev.TimeUp(id=timer.id))
        if self._probe_at_ms is not None and at.mono_ms >= self._probe_at_ms:
            self._probe()
        if self._probe_at_ms is None:
            self._guarded(lambda: self._centre.pump(at.mono_ms))
            for recalled in self._guarded(lambda: self._centre.lease(at)) or ():
                self.decide(recalled)
            self._look_for_centre(at.mono_ms)
            self._guarded(lambda: self.site.pump(at))
            self._share(at)
            if at.mono_ms >= self._tidy_at_ms:
                self._tidy_at_ms = at.mono_ms + TIDY_EVERY_MS
                self._guarded(self._tidy)
        if at.mono_ms >= self._beat_at_ms:
            self._beat_at_ms = at.mono_ms + self._settings.heartbeat_s * 1000
            online = self._core.visit.reach.online
            board = self.board_counts.statistics if self.board_counts else {}
            self._telemetry.heartbeat(at, self._centre.uplink.waiting, self.inbox.dropped, board, online=online)
            if not self._mqtt.alive:
                raise RuntimeError("the MQTT thread ended: the unit restarts")
            if self.till is not None and not self.till.alive:
                raise RuntimeError("the thread of the till's interface ended: the unit restarts")
            if not self.site.alive:
                raise RuntimeError("the thread of the site's network ended: the unit restarts")
        try:
            self._panel.refresh(online=self._core.visit.reach.online, waiting=self._centre.uplink.waiting)
        except HalError as error:
            log.debug("the display does not answer: %s", error)

    def _share(self, at: Moment) -> None:
        """What this unit's lanes have for each other, and whether one of them may say that its disk is old."""
        self._store.waits_for_witness = self.site.witness(at.mono_ms) is Witness.WAITING
        lanes = frozenset(self.site.lanes(at.mono_ms))
        if lanes != self._core.visit.lanes:
            self.decide(ev.LanesChanged(lanes=lanes))
        if not self._core.visit.reach.online and at.mono_ms >= self._low_at_ms:
            self._low_at_ms = at.mono_ms + LOW_EVERY_MS
            for pot, amount in self._centre.leasing.low(at.mono_ms):
                self._exchange.seek(pot, amount)
        self._guarded(lambda: self._exchange.pump(at.mono_ms))

    def _look_for_centre(self, now_ms: int) -> None:
        """Answers that did not come are evidence, and where there is none a probe goes out."""
        for _ in range(self._centre.awaited.missed(now_ms)):
            self.decide(ev.Missed())
        if self._core.visit.reach.probe_due(now_ms):
            self.decide(ev.ProbeDue())

    def _tidy(self) -> None:
        at = self._time.now()
        self._store.tidy(at.wall_ms if at.trusted else None, self._settings.keep_acked_days * DAY_MS)
        self._centre.tidied()
        with self._store.transaction():
            self._store.heard.tidy(at.wall_ms if at.trusted else None)
        trusted_ms = self._time.to_save(at)
        if trusted_ms is not None:
            with self._store.transaction():
                self._store.cache.set_meta("floor_ms", trusted_ms)

    def _report(self) -> None:
        trouble = "" if self._probe_at_ms is None else "facts can't be stored"
        self._telemetry.report(self._store, self._centre, trouble, self._core.visit.reach)

    # --- the log of scans -----------------------------------------------------------------------------

    def _begin_scan(self, event: ev.Event) -> str:
        if isinstance(event, Scanned):
            scan = self._steps.new_scan()
            self._steps.step(scan, "seen", event.seen_mono_ms, frame=event.frame, format=event.format)
            self._steps.step(scan, "decoded", event.decoded_mono_ms, text=log_prefix(event.text))
            self._counts.scans += 1
            return scan
        if isinstance(event, CardPresented) and self._core.visit.pending is None:
            return ""
        open_still = ev.Answered | ev.TimeUp | ev.LinkChanged | ev.Missed | CardPresented
        return self._scan if isinstance(event, open_still) else ""

    def _note(self, step: Step, decided: Decided, scan: str) -> None:
        """The steps 'decided' and 'on_disk'; an open question keeps its scan open."""
        if not scan:
            return
        if step.opened is not None:
            self._scan = scan
            self._steps.step(scan, "asked", decided.mono_ms)
            return
        if step.verdict is None:
            return
        self._scan = scan if step.visit.pending is not None else ""
        verdict, campaign = step.verdict, step.verdict.campaign
        self._counts.accepted += verdict.accepted
        self._counts.refused += not verdict.accepted
        self._steps.step(
            scan, "decided", decided.mono_ms, reason=verdict.reason, accepted=verdict.accepted,
            campaign=campaign.id if campaign else None, name=campaign.name if campaign else None,
        )  # fmt: skip
        if step.facts:
            self._steps.step(scan, "on_disk", self._time.now().mono_ms, position=decided.position)
            self._steps.follow(decided.position + len(step.facts) - 1, scan)
