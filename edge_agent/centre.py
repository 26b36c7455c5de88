"""The unit's side of the conversation with the centre: the wire's machines, driven over MQTT and the store.

Runs on the deciding thread. Sends what the uplink and the downlink want to send, and carries out what the
messages of the centre mean. Nothing here decides about coupons.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable
from functools import partial
from random import SystemRandom
from typing import Final, Protocol

import msgspec
from nacl.signing import SigningKey, VerifyKey

from edge_agent.awaited import Awaited
from edge_agent.core.effects import AnswerHome, AskBank
from edge_agent.core.events import (
    Answered,
    CardDenied,
    CardGranted,
    CardOffered,
    Heard,
    HomeWanted,
    KeeperEnds,
    PartRecalled,
    PaymentAnswered,
    Stirred,
)
from edge_agent.core.visit import Moment
from edge_agent.leases import StoredPots
from edge_agent.steps import StepLog
from edge_agent.store.journal import Rows
from edge_agent.store.store import Store
from loyalty.reason import Reason
from wire import chain, downlink, topics, uplink
from wire.backoff import Random
from wire.downlink import Downlink
from wire.envelope import NotSealed, unseal
from wire.facts import Redeemed
from wire.leasing import Leasing
from wire.messages import (
    Ack,
    Answer,
    Ask,
    AskCard,
    AskHome,
    AskSettlement,
    Batch,
    CardGrant,
    CardNo,
    CardOffer,
    Command,
    CommandResult,
    FeedMessage,
    Grants,
    Hint,
    PullAck,
    Recall,
    Rescan,
    Settlement,
    decode,
    encode,
)
from wire.topics import Address
from wire.uplink import Uplink

SENDS_PER_TURN: Final = 4  # so that a backlog never keeps a shopper waiting
CURSOR_EVERY_MS: Final = 1_000  # how long the cursor may lag behind what was acknowledged, while a backlog drains
EMPTY_ROWS: Final = 2_000  # of an old snapshot, deleted at a time
NONCE_BYTES: Final = 8
ANSWER_WITHIN_MS: Final = 3_000  # the limit of `core.reach`, where the settings don't say another

_random = SystemRandom().random
log = logging.getLogger(__name__)


ForCore = (
    CardOffered
    | CardGranted
    | CardDenied
    | Answered
    | PaymentAnswered
    | Heard
    | Stirred
    | PartRecalled
    | HomeWanted
    | KeeperEnds
)


class Publisher(Protocol):
    """What hands packets to the broker."""

    def publish(self, leaf: topics.Leaf, payload: bytes) -> bool:
        """False: not now; whatever matters is sent again."""


class Time(Protocol):
    """The unit's time (`edge_agent.timekeeper`)."""

    def now(self) -> Moment: ...

    def hear(self, centre_ms: int, asked_mono_ms: int, answered_mono_ms: int) -> bool:
        """The centre's time, from the answer to a hello."""


class Centre:
    """See the module. Randomness is handed in: jitter, and the names of new epochs."""

    def __init__(
        self,
        where: Address,
        store: Store,
        mqtt: Publisher,
        keys: tuple[SigningKey, VerifyKey],
        steps: StepLog,
        *,
        time: Time | None = None,
        answer_within_ms: int = ANSWER_WITHIN_MS,
        random: Random = _random,
        random_bytes: Callable[[int], bytes] = secrets.token_bytes,
    ) -> None:
        self._where, self._mqtt, self._steps = where, mqtt, steps
        self._random, self._random_bytes = random, random_bytes
        self._device_key, self._centre_key = keys
        self._time = time
        self.awaited = Awaited(answer_within_ms)
        self.use(store)

    def use(self, store: Store) -> None:
        """Speak for this store from now on."""
        self._store = store
        self._ready: Rows | None = None  # the next batch, read while the centre books the one before
        self._unwritten: list[uplink.Action] = []  # where the cursor is, while a backlog drains
        self._written_ms = 0
        self.uplink = Uplink(store.journal.epochs(), store.incarnation, store.retired, store.journal, self._random)
        self.downlink = Downlink(*store.cache.position, self._random)
        self.leasing = Leasing(StoredPots(store, self._where.site), self._random)

    def connected(self, now_ms: int) -> None:
        self.uplink.connected(now_ms)
        self.downlink.connected(now_ms)
        self.leasing.connected(now_ms)

    def disconnected(self) -> None:
        self.uplink.disconnected()
        self.downlink.disconnected()
        self.leasing.disconnected()
        self.awaited.clear()

    def due_ms(self) -> int:
        times = (self.uplink.due_ms(), self.downlink.due_ms(), self.leasing.due_ms(), self.awaited.due_ms())
        return min(due for due in times if due is not None)

    # --- up -------------------------------------------------------------------------------------------

    def pump(self, now_ms: int) -> None:
        """Send what is to be sent now. Raises StoreError."""
        if self._unwritten and now_ms - self._written_ms >= CURSOR_EVERY_MS:
            self._write_cursor(now_ms)
        for _ in range(SENDS_PER_TURN):
            want = self.uplink.poll(now_ms)
            if want is None:
                break
            if isinstance(want, uplink.Hello):
                self._hello(want.epoch, want.last, now_ms)
            else:
                self._batch(want, now_ms)
        pull = self.downlink.poll(now_ms)
        if pull is not None:
            self._mqtt.publish(topics.UP_REQ, encode(pull))

    def tidied(self) -> None:
        """The store has let go of what it no longer needs. Raises StoreError."""
        self.uplink.pruned({state.epoch for state in self._store.journal.epochs()})

    def lease(self, at: Moment) -> list[PartRecalled]:
        """Ask for the parts that are wanted; gives what is to be returned by a fact."""
        returns = self.leasing.look(at.mono_ms, at.wall_ms)
        ask = self.leasing.poll(at.mono_ms, at.wall_ms, self._store.journal.epoch, self.uplink.incarnation)
        if ask is not None:
            self._mqtt.publish(topics.UP_REQ, encode(ask))
        return [PartRecalled(pot=one.pot, amount=one.amount) for one in returns]

    def keeps(self, refused: AnswerHome) -> None:
        """Tell the centre why a serial does not leave its home. (That one left is told by its fact.)"""
        result = CommandResult(refused.question, False, "the serial stays", refused.reason, refused.at_ms, refused.site)
        self._mqtt.publish(topics.UP_RES, encode(result))

    def probe(self, now_ms: int) -> None:
        """A hello that asks for nothing but an answer. Raises StoreError."""
        self._hello(self._store.journal.epoch, self._store.journal.last, now_ms)

    def _hello(self, epoch: bytes, last: int, now_ms: int) -> None:
        head = self._store.journal.hash_at(epoch, last) or b""
        nonce = self._random_bytes(NONCE_BYTES)
        at = self._time.now().stamp if self._time is not None else None
        hello = PullAck(epoch, last, head, at, nonce, self.uplink.booked_before(epoch))
        self.uplink.asked(nonce)
        if self._mqtt.publish(topics.UP_REQ, encode(hello)):
            self.awaited.ask(nonce, now_ms)

    def _batch(self, want: uplink.SendBatch, now_ms: int) -> None:
        rows, self._ready = self._ready, None
        if rows is None or (rows.epoch, rows.first) != (want.epoch, want.first):
            rows = self._store.journal.batch(want.epoch, want.first)
        if rows is None:
            return
        signed = chain.signed_head(self._where.device, want.epoch, rows.last, rows.after)
        signature = self._device_key.sign(signed).signature
        batch = Batch(want.epoch, rows.first, rows.before, rows.after, rows.facts, signature)
        self.uplink.sent(rows.last)
        if not self._mqtt.publish(topics.UP_EV, encode(batch)):
            return
        self.awaited.ask(_batch_key(want.epoch, rows.first), now_ms)
        if want.epoch == self._store.journal.epoch:
            base = self._store.journal.position - self._store.journal.last
            self._steps.sent(base + rows.first, base + rows.last, now_ms)
            if rows.last < self._store.journal.last:
                self._ready = self._store.journal.batch(want.epoch, rows.last + 1)

    def ask(self, question: bytes, text: bytes, spend_yen: int, wait_ms: int, format: str) -> None:
        self._mqtt.publish(topics.UP_REQ, encode(Ask(question, text, spend_yen, wait_ms, format)))

    def ask_bank(self, asking: AskBank) -> None:
        lines = list(asking.lines)
        message = AskSettlement(asking.question, asking.account, lines, asking.wait_ms, asking.points_yen, asking.sale)
        self._mqtt.publish(topics.UP_REQ, encode(message))

    def ask_card(self, question: bytes, uid: bytes, chip: str) -> None:
        self._mqtt.publish(topics.UP_REQ, encode(AskCard(question, uid, chip)))

    def hint(self, position: int, fact: Redeemed) -> None:
        journal = self._store.journal
        hint = Hint(journal.epoch, journal.number(position), fact.at.wall_ms, fact.campaign, fact.serial, fact.holder)
        self._mqtt.publish(topics.UP_HINT, encode(hint))

    # --- down -----------------------------------------------------------------------------------------

    def arrived(self, topic: str, payload: bytes, at: Moment) -> ForCore | None:
        """Carry out a message of the centre; what the core must hear of is handed back.

        Garbage and forgeries are logged and change nothing. Raises StoreError.
        """
        try:
            _, leaf = topics.parse(topic)
            handle = _BY_LEAF.get(leaf)
            if handle is None:
                return None
            return handle(self, unseal(self._centre_key, topic, payload), at)
        except (topics.BadTopic, NotSealed, msgspec.MsgspecError, UnicodeDecodeError) as error:
            log.warning("a message on %s is not the centre's: %s", topic[:100], error)
            return None

    def _on_ack(self, body: bytes, at: Moment) -> ForCore | None:
        ack: Ack = decode(body, Ack)
        said = self._evidence(ack, at)
        actions = self.uplink.on_ack(ack)
        actions += self._leave_old_epoch([*self._unwritten, *actions])
        self._unwritten += actions
        if self.uplink.waiting and all(isinstance(action, uplink.Advance) for action in actions):
            # A backlog drains. The centre need not wait for our disk: a cursor that a power cut loses costs duplicates
            # on the wire, which the centre ignores, and no fact.
            self.pump(at.mono_ms)
        else:
            self._write_cursor(at.mono_ms, at)
        for action in actions:
            _say(action)
            if isinstance(action, uplink.NewIncarnation):
                self.downlink.restart(at.mono_ms)
                self.leasing.report_anew(at.mono_ms)
            elif isinstance(action, uplink.Advance) and action.epoch == self._store.journal.epoch:
                base = self._store.journal.position - self._store.journal.last
                self._steps.booked(base + action.upto, at.mono_ms)
        return said

    def _leave_old_epoch(self, already: list[uplink.Action]) -> list[uplink.Action]:
        """A disk that a witness calls old, though the centre sees nothing odd in its journal, begins a new epoch."""
        journal, state = self._store.journal, self.uplink.epochs[-1]
        if not self._store.disk_is_old or self.uplink.waiting or state.incarnation != self.uplink.incarnation:
            return []
        if any(isinstance(action, uplink.OpenEpoch) for action in already):
            return []
        return [uplink.OpenEpoch(journal.epoch, journal.last, "restored")]

    def _evidence(self, ack: Ack, at: Moment) -> ForCore | None:
        """What an acknowledgement says about the centre's reach, and of its time."""
        asked = self.awaited.answered(_batch_key(ack.epoch, ack.first) if ack.first else ack.nonce)
        if asked is None:
            return None  # not ours, or again, or old
        asked_ms, missed = asked
        if self._time is not None and not ack.first and ack.now_ms:
            self._time.hear(ack.now_ms, asked_ms, at.mono_ms)
        return Stirred() if missed else Heard(took_ms=at.mono_ms - asked_ms)

    def _write_cursor(self, now_ms: int, at: Moment | None = None) -> None:
        """Carry out what acknowledgements asked for. `at`: there may be more to it than cursors."""
        actions, self._unwritten, self._written_ms = self._unwritten, [], now_ms
        epoch = self._random_bytes(chain.EPOCH_BYTES) if at is not None else b""
        if self._store.carry_out(actions, epoch, at.stamp if at is not None else None):
            self._ready = None
            self.uplink.reload(self._store.journal.epochs())
            self.leasing.report_anew(now_ms)
            self._steps.forget()

    def _on_feed(self, body: bytes, at: Moment) -> ForCore | None:
        message = decode(body, FeedMessage)
        if message.incarnation in self.uplink.retired:
            return None
        if self.uplink.incarnation and message.incarnation != self.uplink.incarnation:
            self.uplink.greet()
        cache = self._store.cache
        for action in self.downlink.on_message(message, at.mono_ms):
            if isinstance(action, downlink.Skip):
                log.debug("feed: %s", action.why)
            elif isinstance(action, downlink.StartSnapshot):
                while not self._transact(partial(cache.start_snapshot, EMPTY_ROWS)):
                    pass  # bounded by the rows of the snapshot before
            elif isinstance(action, downlink.StageRows):
                self._transact(partial(cache.stage, action.changes))
            elif isinstance(action, downlink.FinishSnapshot):
                self._transact(partial(cache.finish_snapshot, action.incarnation, action.number))
            else:
                self._transact(partial(cache.apply, action.changes, action.incarnation, action.number))
        self.leasing.refresh(at.mono_ms)
        return Stirred()

    def _transact(self, write: Callable[[], bool | None]) -> bool:
        try:
            with self._store.transaction():
                return bool(write())
        except BaseException:
            # The machine thinks it is further than the disk: begin again from what the disk has.
            self.downlink.restart(0)
            raise

    def _on_command(self, body: bytes, at: Moment) -> ForCore | None:
        command = decode(body, Command)
        if isinstance(command, Answer):
            return Answered(
                question=command.question,
                granted=command.granted,
                reason=_reason(command.reason),
                at_ms=command.at_ms,
                site=command.site,
            )
        if isinstance(command, Settlement):
            return _payment(command)
        if isinstance(command, Rescan):
            if command.expires_ms > at.wall_ms:
                self.downlink.restart(at.mono_ms)
        elif isinstance(command, Grants):
            self._on_grants(command, at)
        elif isinstance(command, Recall):
            back = self.leasing.on_recall(command.pot, command.amount, at.mono_ms)
            if back is not None and command.incarnation not in self.uplink.retired:
                return PartRecalled(pot=back.pot, amount=back.amount)
        elif isinstance(command, AskHome):
            return HomeWanted(
                question=command.question,
                campaign=command.campaign,
                serial=command.serial,
                device=command.device,
                by_lane=False,
            )
        elif isinstance(command, CardOffer):
            return CardOffered(question=command.question, link=command.link, life_ms=command.life_ms)
        elif isinstance(command, CardGrant):
            return CardGranted(
                question=command.question,
                holder=command.holder,
                generation=command.generation,
                number=command.number,
                balances=tuple((programme, points) for programme, points in command.balances),
            )
        elif isinstance(command, CardNo):
            return CardDenied(question=command.question)
        elif self._store.cache.homes.kept_term(self._store.me) == command.term:
            return KeeperEnds(term=command.term)
        return None

    def _on_grants(self, grants: Grants, at: Moment) -> None:
        apply = self.leasing.on_grants(grants, self._store.journal.epoch, self.uplink.incarnation, at.mono_ms)
        if apply is None or not apply.parts:
            return
        with self._store.transaction():
            for part in apply.parts:
                if not self._store.parts.grant(part.pot, part.granted, part.ends_ms):
                    log.warning("no room for a part of another limit (%s)", part.pot)


_BY_LEAF: Final[dict[topics.Leaf, Callable[[Centre, bytes, Moment], ForCore | None]]] = {
    topics.DN_ACK: Centre._on_ack,
    topics.DN_FEED: Centre._on_feed,
    topics.DN_CMD: Centre._on_command,
}


def _reason(code: str) -> Reason:
    try:
        return Reason(code)
    except ValueError:
        return Reason.NOT_NOW  # a newer centre's reason, whose words we don't have


def _payment(said: Settlement) -> PaymentAnswered:
    return PaymentAnswered(
        question=said.question,
        state=said.state,
        reason=_reason(said.reason),
        price_yen=said.price_yen,
        debit_yen=said.debit_yen,
        points_yen=said.points_yen,
        discount_yen=said.discount_yen,
        campaign=said.campaign,
        serial=said.serial,
        holder=said.holder,
        revision=said.revision,
        parts=tuple(said.parts),
    )


def _batch_key(epoch: bytes, first: int) -> bytes:
    return epoch + first.to_bytes(8, "big")


def _say(action: uplink.Action) -> None:
    """What is out of the ordinary goes to the log."""
    if isinstance(action, uplink.OpenEpoch):
        log.warning(
            "the journal differs from the centre's after %s: a new epoch begins (%s)", action.after, action.reason
        )
    elif isinstance(action, uplink.NewIncarnation):
        log.warning("the centre's database was restored: facts it forgot are sent again")
    elif isinstance(action, uplink.Refused):
        log.error("the centre booked nothing of a batch: %s", action.detail)
    elif isinstance(action, uplink.Ignored):
        log.info("an acknowledgement changed nothing: %s", action.why)
