"""Lanes of several sites and the centre in one thread, with the production code on all sides.

Core, store, wire machines and the centre's desk run unchanged on real SQLite files; the network, the time and the
randomness are stand-ins ruled by a seed, and so are faults: messages lost, doubled, late and out of order, links cut,
lanes killed, clocks wrong, disks and databases restored from old copies. Every method is one thing that can happen;
`shown` and what else a checker asks know nothing of leases.
"""

from __future__ import annotations

import shutil
import sqlite3
from collections import Counter
from collections.abc import Iterable, Mapping
from contextlib import closing
from pathlib import Path
from random import Random

from nacl.signing import SigningKey
from sqlalchemy import event, text

from central import homes, leases, registry
from central.coupons import download, issue
from central.coupons.download import Given
from central.db.migrate import upgrade
from central.desk import Desk
from central.office import Office, create
from central.settings import CentralSettings
from edge_agent.centre import Centre
from edge_agent.core import events as ev
from edge_agent.core.effects import (
    AnswerHome,
    AskCentre,
    AskKeeper,
    HandOver,
    MarkShown,
    ProbeCentre,
    SeekPart,
    Show,
    StartTimer,
    TellTaken,
    View,
)
from edge_agent.core.machine import Core
from edge_agent.core.states import Mode
from edge_agent.core.visit import Moment
from edge_agent.runner import LOW_EVERY_MS
from edge_agent.settings import UnitSettings
from edge_agent.site.exchange import Exchange
from edge_agent.site.net import SiteDown, SiteSaid, SiteUp
from edge_agent.site.site import Site, Witness
from edge_agent.steps import StepLog
from edge_agent.store.store import Store
from hal.events import Scanned
from loyalty.campaign import Campaign
from loyalty.coupon import Verdict
from loyalty.lease import CAMPAIGN, Amount, Pot
from wire import site_exchange, topics
from wire.facts import Redeemed
from wire.messages import Conn, PullFeed, encode
from wire.topics import Address

NOW_MS = 1_800_000_000_000
ASK_WAIT_MS = 3_000
REST_TURNS = 40  # seconds in which reports, grants and returns come to rest


class Lan:
    """What carries a lane's messages to the other lanes of its site: here, the world (`edge_agent.site.site.Net`)."""

    alive = True

    def __init__(self, lane: Lane) -> None:
        self._lane = lane
        self.known: Mapping[str, bytes] = {}

    def start(self) -> None:
        """Nothing has to be started."""

    def stop(self) -> None:
        """Nor stopped."""

    def use(self, lanes: Mapping[str, bytes]) -> None:
        self.known = lanes

    def say(self, to: str, body: bytes) -> bool:
        lane = self._lane
        if lane.lan_up:
            lane.world.lan.append((lane.where.device, to, body))
        return lane.lan_up


class Lane:
    """One unit."""

    def __init__(self, world: World, site: str, device: str) -> None:
        self.world, self.where = world, Address("demo", site, device)
        self.key = SigningKey(world.rng.randbytes(32))
        self.folder = world.folder / device
        self.link_up = True
        self.lan_up = True
        self.clock_off_ms = 0
        self.shown: list[tuple[int, int]] = []  # (campaign, serial) of each green, for good
        self.greens = 0
        self.last: Verdict | None = None
        self._begin()

    def _begin(self) -> None:
        rng = self.world.rng
        self.store = Store(self.folder, self.where.device)
        if not self.world.durable:
            self.store.connection.execute("PRAGMA synchronous=OFF")
        self.store.start(rng.randbytes(16))
        self.core = Core(
            site=self.where.site, mode=Mode.KIOSK, ask_wait_ms=ASK_WAIT_MS, new_id=lambda: rng.randbytes(16)
        )
        self.unit = Centre(
            self.where,
            self.store,
            self,
            (self.key, self.world.office.keys.centre().verify_key),
            self.world.steps,
            answer_within_ms=ASK_WAIT_MS,
            random=rng.random,
            random_bytes=rng.randbytes,
        )
        settings = UnitSettings(device=self.where.device, site=self.where.site, data_dir=str(self.folder))
        self.net = Lan(self)
        self.site = Site(settings, self.store, self.net, self.world.steps, random=rng.random)
        self.exchange = Exchange(self.site, self.store, self.decide)
        for kind in site_exchange.KINDS:
            self.site.listen(kind, self.exchange.heard)
        self._timer: tuple[int, int] | None = None
        self._low_at_ms = 0
        self.decide(ev.Started(open_questions=self.store.open_questions()))
        self.site.start(self.world.mono_ms)
        self.store.waits_for_witness = self.site.witness(self.world.mono_ms) is Witness.WAITING
        if self.lan_up:
            self.join()
        if self.link_up:
            self.connect()

    # --- what happens to it ---------------------------------------------------------------------------

    def publish(self, leaf: topics.Leaf, payload: bytes) -> bool:
        if self.link_up:
            self.world.up.append((self.where.topic(leaf), payload))
        return self.link_up

    def connect(self) -> None:
        self.link_up = True
        self._conn(True)
        self.unit.connected(self.world.mono_ms)
        self.decide(ev.LinkChanged(up=True))

    def _conn(self, up: bool) -> None:
        """The birth, or the will that the broker tells for it."""
        self.world.up.append((self.where.topic(topics.ST_CONN), encode(Conn(up, self.where.device.encode()))))

    def cut(self) -> None:
        if self.link_up:
            self._conn(False)
        self.link_up = False
        self.unit.disconnected()
        self.decide(ev.LinkChanged(up=False))

    def join(self) -> None:
        """The site's own network is there."""
        self.lan_up = True
        self.site.take(SiteUp(hub=""), self.moment())

    def leave(self) -> None:
        """It is gone."""
        self.lan_up = False
        self.site.take(SiteDown(), self.moment())

    def lan_said(self, sender: str, body: bytes) -> None:
        if sender in self.net.known:
            self.site.take(SiteSaid(sender=sender, body=body), self.moment())

    def restart(self) -> None:
        self.store.close()
        self._begin()

    def image(self) -> Path:
        self.store.connection.checkpoint()
        copy = self.world.folder / f"{self.where.device}-image-{self.world.mono_ms}"
        shutil.copytree(self.folder, copy, dirs_exist_ok=True)
        return copy

    def restore(self, image: Path) -> None:
        self.store.close()
        shutil.rmtree(self.folder)
        shutil.copytree(image, self.folder)
        self._begin()

    @property
    def online(self) -> bool:
        """Whether it thinks that the centre is in reach."""
        return self.core.visit.reach.online

    def pull(self) -> None:
        """Ask for the changes since the last one."""
        position = self.store.cache.position
        self.publish(topics.UP_REQ, encode(PullFeed(*position)))

    def moment(self) -> Moment:
        wall_ms = NOW_MS + self.world.mono_ms + self.clock_off_ms
        return Moment(wall_ms=wall_ms, mono_ms=self.world.mono_ms, boot=b"b" * 8, trusted=not self.clock_off_ms)

    def scan(self, code: str) -> Verdict | None:
        """Hold a code up; gives the answer if it is there at once."""
        self.last = None
        self.decide(Scanned(text=code.encode(), format="qr", confirmed=True, frame=1))
        return self.last

    def turn(self) -> None:
        """What is due by time."""
        if self._timer is not None and self.world.mono_ms >= self._timer[1]:
            timer, self._timer = self._timer, None
            self.decide(ev.TimeUp(id=timer[0]))
        self.unit.pump(self.world.mono_ms)
        for _ in range(self.unit.awaited.missed(self.world.mono_ms)):
            self.decide(ev.Missed())
        if self.core.visit.reach.probe_due(self.world.mono_ms):
            self.decide(ev.ProbeDue())
        for recalled in self.unit.lease(self.moment()):
            self.decide(recalled)
        self._share()

    def _share(self) -> None:
        now_ms = self.world.mono_ms
        self.site.pump(self.moment())
        self.store.waits_for_witness = self.site.witness(now_ms) is Witness.WAITING
        lanes = frozenset(self.site.lanes(now_ms))
        if lanes != self.core.visit.lanes:
            self.decide(ev.LanesChanged(lanes=lanes))
        if not self.online and now_ms >= self._low_at_ms:
            self._low_at_ms = now_ms + LOW_EVERY_MS
            for pot, amount in self.unit.leasing.low(now_ms):
                self.exchange.seek(pot, amount)
        self.exchange.pump(now_ms)

    def arrived(self, topic: str, payload: bytes) -> None:
        event = self.unit.arrived(topic, payload, self.moment())
        if event is not None:
            self.decide(event)

    def decide(self, event: ev.Event) -> None:
        """As the runner does: rows, verdict, commit, then effects."""
        with self.store.transaction():
            step = self.core.handle(event, self.store.look_up(self.core.needs(event)), self.moment())
            position = self.store.keep(step)
        self.core.adopt(step)
        if step.facts:
            self.unit.uplink.appended(self.store.journal.last)
            self.site.appended(position, step.facts)
        for fact in step.facts:
            if isinstance(fact, Redeemed) and fact.leased:
                self.unit.leasing.spent(Pot(CAMPAIGN, fact.campaign), Amount(1, fact.cost_yen), self.world.mono_ms)
        for effect in step.effects:
            if isinstance(effect, Show) and effect.view is View.VERDICT:
                self.last = effect.verdict
                for fact in step.facts:
                    if isinstance(fact, Redeemed):
                        self.shown.append((fact.campaign, fact.serial))
                        self.world.shown_count += 1
                        self.world.cost_yen += fact.cost_yen
            elif isinstance(effect, StartTimer):
                self._timer = (effect.id, self.world.mono_ms + effect.after_ms)
            elif isinstance(effect, AskCentre):
                self.unit.ask(effect.question, effect.text, effect.spend_yen, effect.wait_ms, effect.format)
            elif isinstance(effect, ProbeCentre):
                self.unit.probe(self.world.mono_ms)
            elif isinstance(effect, SeekPart):
                self.unit.leasing.sought(effect.pot, effect.cost, self.world.mono_ms)
                if not self.online:
                    self.exchange.seek(effect.pot, effect.cost)
            elif isinstance(effect, AnswerHome) and not effect.by_lane:
                if not effect.left:
                    self.unit.keeps(effect)
            elif isinstance(effect, HandOver | TellTaken | AskKeeper | AnswerHome):
                self.exchange.perform(effect)
            elif isinstance(effect, MarkShown):
                self.store.mark_shown(effect.numbers or range(position, position + len(step.facts)))

    def left(self, campaign: int) -> int:
        """How many uses this lane could still decide alone."""
        return self.store.parts.account(Pot(CAMPAIGN, campaign)).left.count


class World:
    """Some lanes and a centre. Every method is one thing that can happen."""

    def __init__(
        self,
        folder: Path,
        seed: int,
        campaigns: Iterable[Campaign],
        lanes: dict[str, str],
        loss: float = 0.1,
        *,
        durable: bool = True,
    ) -> None:
        """`lanes`: device -> site. Not `durable`: nothing is flushed to the disk, which tells nothing of kills."""
        self.rng = Random(seed)  # noqa: S311 - it rules a simulation, no secret
        self.loss, self.folder, self.mono_ms, self.durable = loss, folder, 1_000, durable
        self.up: list[tuple[str, bytes]] = []
        self.down: list[tuple[str, bytes]] = []
        self.lan: list[tuple[str, str, bytes]] = []  # sender, to, body: on its way between lanes
        self.cost_yen = self.shown_count = 0
        self.restored_parts = 0  # uses that a disk held once more when an old image of it was put in
        self.written_off = 0
        self.steps = StepLog(lambda line: None, lambda: NOW_MS)
        self.office = create(CentralSettings(data_dir=str(folder / "centre")))
        if not durable:
            event.listen(self.office.database.engine, "connect", _not_durable)
            self.office.database.engine.dispose()
        with self.office.database.write() as connection:
            for site in dict.fromkeys(lanes.values()):
                registry.add_site(connection, site)
            for campaign in campaigns:
                issue.issue(connection, campaign, NOW_MS)
        self.campaigns = {campaign.id: campaign for campaign in campaigns}
        self._open_desk()
        self.lanes = {device: Lane(self, site, device) for device, site in lanes.items()}
        self.sites: dict[str, list[Lane]] = {}
        for lane in self.lanes.values():
            self.sites.setdefault(lane.where.site, []).append(lane)
        with self.office.database.write() as connection:
            for lane in self.lanes.values():
                public = lane.key.verify_key.encode()
                registry.add_device(connection, lane.where.device, lane.where.site, public, NOW_MS)

    def _open_desk(self) -> None:
        self.incarnation = self.office.witness.start()
        self.desk = Desk(self.office, self.incarnation)
        self.down.extend(self.desk.announce())

    # --- the centre -----------------------------------------------------------------------------------

    def give(self, campaign: int, home: str = "") -> Given:
        with self.office.database.write() as connection:
            given = download.download(
                connection, self.office.keys, campaign, None, proven=True, now_ms=NOW_MS, home=home
            )
        assert isinstance(given, Given), given
        return given

    def backup(self) -> Path:
        copy = self.folder / f"backup-{self.mono_ms}.db"
        copy.unlink(missing_ok=True)
        with (
            closing(sqlite3.connect(self.folder / "centre" / "centre.db")) as old,
            closing(sqlite3.connect(copy)) as new,
        ):
            old.backup(new)
        return copy

    def restore_centre(self, backup: Path) -> None:
        self.office.witness.advance()
        self.desk.close()
        self.office.close()
        database = self.folder / "centre" / "centre.db"
        for suffix in ("-wal", "-shm"):
            database.with_name(database.name + suffix).unlink(missing_ok=True)
        shutil.copy(backup, database)
        self.office = Office(self.office.settings)
        upgrade(self.office.database)
        self._open_desk()

    def restart_centre(self) -> None:
        self.desk.close()
        self.desk = Desk(self.office, self.incarnation)
        self.down.extend(self.desk.announce())

    def write_off(self, device: str) -> None:
        """The operator gives a unit up."""
        lane = self.lanes[device]
        self.written_off += sum(lane.left(campaign) for campaign in self.campaigns)
        with self.office.database.write() as connection:
            found = registry.find(connection, device)
            assert found is not None
            registry.write_off(connection, device)
            leases.write_off(connection, found.id)
            homes.write_off(connection, found.id)

    def restore_lane(self, device: str, image: Path) -> None:
        lane = self.lanes[device]
        lane.restore(image)
        self.restored_parts += sum(lane.left(campaign) for campaign in self.campaigns)

    # --- the network ----------------------------------------------------------------------------------

    def turn(self, ms: int = 100) -> None:
        """Time passes, and messages with it."""
        self.mono_ms += ms
        for lane in self.lanes.values():
            lane.turn()
        self.down.extend(self.desk.pushes())
        self.exchange()

    def exchange(self) -> None:
        """What is on its way moves on by one step."""
        if self.desk.snapshots.busy:
            self._snapshots()
        self._deliver()
        self._deliver_lan()

    def _snapshots(self) -> None:
        self.desk.snapshots.wait()  # made in a thread: so that a seed is a seed
        self.down.extend(self.desk.snapshot_parts(50))

    def _deliver(self) -> None:
        for queue, arrive in ((self.up, self._at_centre), (self.down, self._at_lanes)):
            waiting, queue[:] = list(queue), []
            if self.rng.random() < self.loss:
                self.rng.shuffle(waiting)
            for message in waiting:
                luck = self.rng.random()
                if luck < self.loss:
                    continue
                if luck < 1.5 * self.loss:
                    queue.append(message)
                    continue
                arrive(*message)
                if luck > 1 - self.loss / 2:
                    arrive(*message)

    def _deliver_lan(self) -> None:
        waiting, self.lan = self.lan, []
        for sender, to, body in waiting:
            if self.rng.random() < self.loss:
                continue
            for lane in self.sites[self.lanes[sender].where.site]:
                if lane.where.device != sender and lane.lan_up and to in (lane.where.device, topics.ALL):
                    lane.lan_said(sender, body)

    def _at_centre(self, topic: str, payload: bytes) -> None:
        self.down.extend(self.desk.handle(topic, payload, NOW_MS + self.mono_ms))

    def _at_lanes(self, topic: str, payload: bytes) -> None:
        where, _ = topics.parse(topic)
        if where.device != topics.ALL:
            hearing = [self.lanes[where.device]] if where.device in self.lanes else []
        else:
            hearing = self.sites.get(where.site, [])
        for lane in hearing:
            if lane.link_up:
                lane.arrived(topic, payload)

    def settle(self, turns: int = 600) -> None:
        """No more faults: everything must come to rest in a bounded number of turns."""
        self.loss = 0.0
        for lane in self.lanes.values():
            lane.clock_off_ms = 0
            lane.leave()
            lane.join()
            lane.cut()
            lane.connect()
        for number in range(turns):
            self.turn(1_000)
            if (
                number >= REST_TURNS
                and not any(lane.unit.uplink.waiting for lane in self.lanes.values())
                and not self.up
                and not self.down
            ):
                return
        waiting = {name: lane.unit.uplink.waiting for name, lane in self.lanes.items()}
        raise AssertionError(f"facts still wait after {turns} turns without faults: {waiting}")

    # --- what is true ---------------------------------------------------------------------------------

    def shown(self) -> Counter[tuple[int, int]]:
        """How often each serial of each campaign was honoured before a shopper's eyes."""
        return Counter(one for lane in self.lanes.values() for one in lane.shown)

    def shown_of(self, campaign: int) -> int:
        return sum(count for (number, _), count in self.shown().items() if number == campaign)

    def booked_of(self, campaign: int) -> int:
        return self.one("SELECT count(*) FROM redemptions WHERE state <> 'void' AND campaign = :campaign", campaign)

    def one(self, sql: str, campaign: int = 0) -> int:
        """One number from the centre's database."""
        with self.office.database.read() as connection:
            return int(connection.execute(text(sql), {"campaign": campaign}).scalar_one() or 0)

    def promised(self, campaign: int) -> int:
        """What the centre's books say may have been or be spent, beyond what they call exposure."""
        with self.office.database.read() as connection:
            pot = Pot(CAMPAIGN, campaign)
            stand = leases.find(connection, pot)
            assert stand is not None
            held = leases.held(connection, pot)
        return stand.promised.count + held.count - stand.exposure.count

    def granted(self, lane: Lane, pot: Pot) -> Amount:
        """What the centre's books say it granted to the open epoch of a lane."""
        with self.office.database.read() as connection:
            device = registry.find(connection, lane.where.device)
            assert device is not None
            part = leases.holding(connection, leases.Owner(device.id, lane.store.journal.epoch), pot)
        return part.granted if part is not None else Amount()

    def close(self) -> None:
        for lane in self.lanes.values():
            lane.store.close()
        self.desk.close()
        self.office.close()


def _not_durable(connection: sqlite3.Connection, _record: object) -> None:
    connection.execute("PRAGMA synchronous = OFF")
