"""The store of a unit: journal and cache in one file, and what one event reads and writes.

    with store.transaction():
        rows = store.look_up(wants)      # cache and own facts together
        first = store.keep(step)         # facts, questions

A transaction that fails leaves the store as it was, in memory too.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import msgspec

from edge_agent.core.events import OpenQuestion
from edge_agent.core.visit import AtTill, CardSeen, ProgrammeHere, Row, Step, Want
from edge_agent.store.ages import Ages
from edge_agent.store.cache import Cache
from edge_agent.store.cards import Cards
from edge_agent.store.connection import WAL_PAGES_MAX, Connection, StoreError
from edge_agent.store.heard import Heard
from edge_agent.store.homes import Me
from edge_agent.store.journal import Journal, signed64, unsigned64
from edge_agent.store.parts import Parts
from edge_agent.store.reversals import Reversals
from edge_agent.store.sales import Sales
from edge_agent.store.schema import prepare
from loyalty.campaign import Campaign, Policy
from loyalty.coupon import STRANGER, Coupon, Home, Known, Seen, limits, of_code
from loyalty.lease import CAMPAIGN, NOTHING, POINTS, Part, Pot
from wire import sealing
from wire.chain import EPOCH_BYTES
from wire.facts import Stamp
from wire.uplink import Action, Advance, NewIncarnation, OpenEpoch

FILE_NAME: Final = "store.db"
IDENTITY_NAME: Final = "identity.json"  # beside it: what must survive a corrupt store
RETIRED_BYTES: Final = 16
TIDY_ROWS_MAX: Final = 500
KEEP_FACTS_MIN: Final = 10_000
PHONES_HELD_MAX: Final = 10_000  # whose newest time steps are remembered: days of a busy lane, and a step lives seconds


class Identity(msgspec.Struct, frozen=True):
    """Whose journal this is, and its epoch, in a file of its own."""

    device: str
    epoch: str


def epoch_beside(folder: Path) -> bytes:
    """The epoch that the file beside the store names; empty if it can't be read."""
    try:
        return bytes.fromhex(msgspec.json.decode((folder / IDENTITY_NAME).read_bytes(), type=Identity).epoch)
    except (OSError, ValueError):
        return b""


class WrongDevice(StoreError):
    """The store belongs to another device."""


class Store:
    """See the module. Raises StoreError."""

    def __init__(self, folder: Path, device: str = "", *, read_only: bool = False, cache: type[Cache] = Cache) -> None:
        """`device` may be left out where the store is only read: it is the store's own then."""
        self.folder = folder
        self.waits_for_witness = False  # since the start: another lane may still say that this disk is old
        if not read_only:
            folder.mkdir(parents=True, exist_ok=True)
        self.connection = Connection(folder / FILE_NAME, read_only=read_only)
        try:
            prepare(self.connection, read_only=read_only)
            self.cache = cache(self.connection)
            owner = self.cache.meta("device", device)
            self.device = device or str(owner)
            self.ages = Ages(self.cache)
            self.journal = Journal(self.connection, self.device)
            self.reversals = Reversals(self.connection)
            self.parts = Parts(self.connection)
            self.cards = Cards(self.connection, self.cache)
            self.sales = Sales(self.connection)
            self.heard = Heard(self.connection, self.cache, self.journal, self.device)
            if owner != self.device:
                raise WrongDevice(f"{folder / FILE_NAME} belongs to the device {owner!r}, not to {device!r}")
        except BaseException:
            self.connection.close()
            raise

    def start(self, epoch: bytes) -> None:
        """Give a store without an epoch its first one, and see that the file beside it names the open one."""
        assert len(epoch) == EPOCH_BYTES, "an epoch has 16 bytes"
        if not self.journal.epoch:
            with self.transaction():
                self.cache.set_meta("device", self.device)
                self.journal.start(epoch)
        if epoch_beside(self.folder) != self.journal.epoch:  # a new store, or the power went before it was written
            self.write_identity()

    def write_identity(self) -> None:
        """The file beside the store says the newest epoch; written whole or not at all."""
        new = self.folder / (IDENTITY_NAME + ".new")
        with new.open("wb") as file:
            file.write(msgspec.json.encode(Identity(self.device, self.journal.epoch.hex())))
            file.flush()
            os.fsync(file.fileno())
        new.replace(self.folder / IDENTITY_NAME)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        try:
            with self.connection.transaction():
                yield
        except BaseException:
            # What memory held of the transaction goes too. If even reading fails, that is the error to report.
            self.journal.reload()
            self.cache.reload()
            self.parts.reload()
            self.heard.reload()
            raise

    # --- one event ------------------------------------------------------------------------------------

    def look_up(self, wants: Sequence[Want]) -> tuple[Row, ...]:
        return tuple(self._row(want) for want in wants)

    def _row(self, want: Want) -> Row:
        if want.pot is not None:
            return Row(
                left=self.parts.account(want.pot).left if self.alone else NOTHING,
                transferred=bool(want.transfer) and self.parts.knows_transfer(want.transfer),
            )
        if want.sale:
            return Row(till=self._at_till(want))
        if want.coupon is None:
            campaign = self.cache.campaign_found_by(want.found_by)
            coupon = of_code(want.found_by, campaign, want.serial)
        else:
            coupon = want.coupon
            campaign = self.cache.campaign(coupon.campaign)
        if want.reversal:
            return Row(reversed=self.reversals.told(want.reversal))
        seen = None if want.slot is None else self.cards.seen(want.slot)
        card_holder = self._card_holder(want, seen)
        if want.coupon is None and not want.found_by:
            return Row(Known(card_holder=card_holder), seen=seen)
        if campaign is None:
            key = self.cache.key(coupon.key) if coupon.key else None
            return Row(Known(card_holder=card_holder), key, seen=seen)
        known = Known(
            campaign=campaign,
            seen=self._seen(coupon),
            person_count=self._person_count(campaign, coupon),
            part=self._part(campaign) if campaign.policy is Policy.LEASE else None,
            home=self._home(coupon) if campaign.policy is Policy.HOME else None,
            revoked=self._revoked(coupon),
            card_holder=card_holder,
            last_step=self._last_step(coupon) if coupon.step and not coupon.serial else 0,
        )
        return Row(known, self.cache.key(coupon.key) if coupon.key else None, seen=seen)

    def _at_till(self, want: Want) -> AtTill:
        """What is known for a sale: is it over, for whom does the card speak, what are points worth here?"""
        holder = max(0, self._card_holder(want, None))
        return AtTill(
            ended=self.sales.ended(want.sale),
            holder=holder,
            programmes=tuple(
                ProgrammeHere(programme=programme, rule=rule, spendable=self._spendable(programme.id, holder))
                for programme, rule in self.cache.programmes()
            ),
        )

    def _spendable(self, programme: int, holder: int) -> int:
        """The least of the two floors that points must stay within: the person's and the unit's."""
        if not holder or not self.alone:
            return 0
        return min(self.parts.account(Pot(POINTS, programme, one)).left.count for one in (holder, 0))

    def _card_holder(self, want: Want, seen: CardSeen | None) -> int:
        """For whom the card in the slot speaks: by its record, and where it has none of ours by its UID."""
        if seen is not None and seen.found is not None:
            return seen.holder or STRANGER
        return want.holder or self.cache.holder_of_card(want.card)

    @property
    def me(self) -> Me:
        """This unit, as the keeper of a home."""
        return self.device, self.journal.epoch

    @property
    def alone(self) -> bool:
        """Whether this disk's word may be trusted alone: no witness says that it is old, or may still say so."""
        return not (self.disk_is_old or self.waits_for_witness)

    def _part(self, campaign: Campaign) -> Part:
        limited = limits(campaign)
        return self.parts.part(Pot(CAMPAIGN, campaign.id), limited) if self.alone else Part(limits=limited)

    def _home(self, coupon: Coupon) -> Home:
        home = self.cache.homes.home(self.me, self.cache.secret, coupon.campaign, coupon.serial)
        return home if self.alone else msgspec.structs.replace(home, here=False)

    def _seen(self, coupon: Coupon) -> Seen | None:
        """An earlier redemption of the same coupon: our own first, then what the centre told, then what lanes told."""
        if coupon.serial:
            own = self.connection.row(
                "SELECT position, at_ms, shown FROM own WHERE serial = ? AND campaign = ? AND serial <> 0 LIMIT 1",
                (signed64(coupon.serial), coupon.campaign),
            )
            if own is not None:
                return Seen(at_ms=own[1], here=True, shown=bool(own[2]), fact=own[0])
            key = sealing.serial_hash(self.cache.secret, coupon.campaign, coupon.serial)
            told = self.cache.seen(key)
            if told is not None:
                return Seen(at_ms=told[0], site=told[1])
            heard_ms = self.heard.at_ms(key)
            return None if heard_ms is None else Seen(at_ms=heard_ms, site=str(self.cache.meta("site", "")))
        # Without a serial any number may count; only a yes that nobody saw is found again.
        own = self.connection.row(
            "SELECT position, at_ms FROM own WHERE campaign = ? AND shown = 0 AND serial = 0 AND holder = ? LIMIT 1",
            (coupon.campaign, coupon.holder),
        )
        return None if own is None else Seen(at_ms=own[1], here=True, shown=False, fact=own[0])

    def _last_step(self, coupon: Coupon) -> int:
        phone = sealing.phone_hash(self.cache.secret, coupon.campaign, coupon.phone)
        row = self.connection.row("SELECT step FROM phones WHERE phone = ?", (phone,))
        return int(row[0]) if row else 0

    def _revoked(self, coupon: Coupon) -> bool:
        """Whether the stop list has this coupon, or its holder."""
        if not self.cache.anything_revoked:
            return False
        secret = self.cache.secret
        serial = sealing.serial_hash(secret, coupon.campaign, coupon.serial) if coupon.serial else b""
        holder = sealing.holder_hash(secret, coupon.holder) if coupon.holder else b""
        return bool(serial or holder) and self.cache.revoked(serial, holder)

    def _person_count(self, campaign: Campaign, coupon: Coupon) -> int:
        if campaign.per_person is None or not coupon.holder:
            return 0
        at_most = campaign.per_person + 1
        facts = {
            row[0]
            for row in self.connection.rows(
                "SELECT fact FROM own WHERE holder = ? AND campaign = ? AND holder <> 0 LIMIT ?",
                (coupon.holder, coupon.campaign, at_most),
            )
        }
        holder = sealing.holder_hash(self.cache.secret, coupon.holder)
        facts.update(self.cache.facts_of_holder(coupon.campaign, holder, at_most))
        facts.update(self.heard.facts_of_holder(coupon.campaign, holder, at_most))
        return len(facts)

    def keep(self, step: Step) -> int:
        """Write what a step decided; returns the position of its first fact."""
        if step.opened is not None:
            question = step.opened
            self.connection.execute(
                "INSERT INTO questions VALUES (?, ?, ?)",
                (question.question, question.campaign, signed64(question.serial)),
            )
        for spent in step.spent:
            self.connection.execute(
                "INSERT INTO phones VALUES (?, ?) ON CONFLICT (phone) DO UPDATE SET step = max(step, excluded.step)",
                (sealing.phone_hash(self.cache.secret, spent.campaign, spent.phone), spent.step),
            )
        if step.ended is not None:
            self.sales.keep(step.ended)
        if step.card is not None:
            self.cards.note(*step.card)
        for gone in step.closed:
            self.connection.execute("DELETE FROM questions WHERE question = ?", (gone,))
        for fact in step.facts:
            self.parts.keep(fact)
            self.cards.keep(fact)
            self.cache.homes.keep(fact, self.me, self.cache.secret)
        return self.journal.append(step.facts)

    def open_questions(self) -> tuple[OpenQuestion, ...]:
        return tuple(
            OpenQuestion(question=question, campaign=campaign, serial=unsigned64(serial))
            for question, campaign, serial in self.connection.rows("SELECT question, campaign, serial FROM questions")
        )

    def mark_shown(self, positions: Sequence[int]) -> None:
        with self.transaction():
            for position in positions:
                self.connection.execute("UPDATE own SET shown = 1 WHERE position = ?", (position,))

    # --- uplink ---------------------------------------------------------------------------------------

    @property
    def incarnation(self) -> bytes:
        """Of the centre's database, as last told by an acknowledgement."""
        return bytes(self.cache.meta("incarnation", b""))

    @property
    def retired(self) -> list[bytes]:
        """Incarnations that are gone."""
        packed = bytes(self.cache.meta("retired", b""))
        return [packed[i : i + RETIRED_BYTES] for i in range(0, len(packed), RETIRED_BYTES)]

    def carry_out(self, actions: Sequence[Action], new_epoch: bytes, at: Stamp | None) -> bool:
        """Write what acknowledgements ask for, in one transaction. True if a new epoch was opened.

        `new_epoch` and `at` are for the epoch that such an action may open; None where there is none.
        """
        opened = False
        writing = [action for action in actions if isinstance(action, Advance | NewIncarnation | OpenEpoch)]
        if not writing:
            return False
        with self.transaction():
            for action in writing:
                if isinstance(action, Advance):
                    self.journal.advance(action.epoch, action.upto, action.incarnation)
                    self.cache.set_meta("incarnation", action.incarnation)
                elif isinstance(action, NewIncarnation):
                    self.cache.set_meta("retired", b"".join([*self.retired, action.gone][-8:]))
                    self.cache.set_meta("incarnation", action.incarnation)
                else:
                    assert at is not None, "an epoch is opened at a time"
                    self.journal.open_epoch(action.epoch, action.after, new_epoch, action.reason, at)
                    self.parts.drop()
                    opened = True
        if opened:
            self.write_identity()
        return opened

    # --- upkeep, between shoppers -----------------------------------------------------------------------

    def tidy(self, trusted_ms: int | None, keep_ms: int, keep_facts: int = KEEP_FACTS_MIN) -> None:
        """Let go of what is no longer needed, a little at a time, and checkpoint where that is due.

        `trusted_ms`: now, if that is known for sure. Booked facts stay for `keep_ms`, and nothing grows old by a time
        that may be wrong.
        """
        with self.transaction():
            if trusted_ms is not None:
                self.ages.note(trusted_ms, self.journal.position, keep_ms)
                self.journal.prune(self.ages.before(trusted_ms - keep_ms), keep_facts, TIDY_ROWS_MAX)
            # Our own redemption has come back from the centre: the cache refuses it from now on.
            self.connection.execute(
                "DELETE FROM own WHERE position IN (SELECT position FROM own WHERE shown = 1 AND position <"
                " (SELECT coalesce(min(position), 0) FROM journal) ORDER BY position LIMIT ?)",
                (TIDY_ROWS_MAX,),
            )
            self.reversals.tidy(TIDY_ROWS_MAX)
            self.cache.empty_old(TIDY_ROWS_MAX)
            self._forget_phones()
            self.cards.tidy(TIDY_ROWS_MAX)
            self.sales.tidy(TIDY_ROWS_MAX)
            self.parts.tidy(TIDY_ROWS_MAX)
        if self.connection.wal_pages() > WAL_PAGES_MAX:
            self.connection.checkpoint()

    def _forget_phones(self) -> None:
        """Let go of the oldest time steps beyond those that are held: they went stale long ago."""
        count = self.connection.row("SELECT count(*) FROM phones")
        surplus = min(TIDY_ROWS_MAX, (count[0] if count else 0) - PHONES_HELD_MAX)
        if surplus > 0:
            self.connection.execute(
                "DELETE FROM phones WHERE phone IN (SELECT phone FROM phones ORDER BY step LIMIT ?)", (surplus,)
            )

    @property
    def disk_is_old(self) -> bool:
        """Another lane has seen more of our open epoch than this disk knows: it was restored from an old image.

        Leases on it may be spent already. Ends when a new epoch is opened.
        """
        return self.heard.disk_is_old

    def probe(self) -> None:
        """Can a fact be stored? Raises StoreError if not."""
        with self.transaction():
            self.cache.set_meta("probe", os.urandom(64))

    def close(self) -> None:
        self.connection.close()
