"""A shop as machines of their own: three lanes, a box for the hub, and the centre with its broker, in namespaces.

Each lane has a world of its own (a unix socket, which passes between namespaces) and is watched like a shopper
watches it: every green light is written down with the code that was before the camera. What the tests hold against the
limits is counted from those lights alone; stores and the centre's database are read only to see that all has come to
rest, and that what was shown was booked.
"""

from __future__ import annotations

import shutil
import signal
import sqlite3
import time
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple

from nacl.signing import SigningKey
from sqlalchemy import text

from central import registry
from central.coupons import download, issue
from central.coupons.download import Given
from central.office import Office, create, now_ms
from central.settings import CentralSettings
from edge_agent.identity import device_key
from edge_agent.store.connection import StoreError
from edge_agent.store.store import FILE_NAME, Store
from hal.indicators import Light
from hal.virtual import link
from hal.virtual.world import Lit, World, WorldEvent
from loyalty.campaign import Campaign, Kind, Policy
from tests import netns
from tests.netns import WAN, Networks
from tests.scenario.house import Process, picture
from tests.servers import Mosquitto, wait_until
from wire.facts import Redeemed, decode_fact

SITE: Final = "shinjuku"
LANES: Final = ("lane-1", "lane-2", "lane-3")
BOX: Final = "hub-1"
CENTRE: Final = "centre"
MACHINES: Final = (CENTRE, *LANES, BOX)
START_S: Final = 60.0
ANSWER_S: Final = 20.0
REST_S: Final = 90.0
KEEPALIVE_S: Final = 5
ASK_WAIT_MS: Final = 2_000

SIGNED: Final = Campaign(id=1, name="共通券", policy=Policy.SIGNED, kind=Kind.AMOUNT, amount_yen=100, provider="s")
ONLINE: Final = Campaign(id=2, name="指定席", policy=Policy.ONLINE, kind=Kind.TICKET, gift="指定席", provider="s")
ONE: Final = Campaign(id=3, name="一名様", policy=Policy.LEASE, cap=1, kind=Kind.AMOUNT, amount_yen=100, provider="s")
FEW: Final = Campaign(id=4, name="先着12", policy=Policy.LEASE, cap=12, kind=Kind.AMOUNT, amount_yen=100, provider="s")
MANY: Final = Campaign(
    id=5, name="先着千", policy=Policy.LEASE, cap=1_000, kind=Kind.AMOUNT, amount_yen=100, provider="s"
)
HOME: Final = Campaign(id=6, name="発行店", policy=Policy.HOME, kind=Kind.GIFT, gift="珈琲", provider="s")
STOPPED: Final = Campaign(
    id=7, name="中止券", policy=Policy.LEASE, cap=1_000, kind=Kind.AMOUNT, amount_yen=100, provider="s"
)
CAMPAIGNS: Final = (SIGNED, ONLINE, ONE, FEW, MANY, HOME, STOPPED)


class Code(NamedTuple):
    """A coupon on a phone."""

    campaign: int
    serial: int
    text: str


@dataclass
class Green:
    """A shopper saw green."""

    device: str
    code: Code
    mono_s: float
    again: bool = False  # the unit's word for it: `ok_again`, after a power cut before it was sure that it was seen


class Fact(NamedTuple):
    """A redemption as a journal holds it; no two are the same."""

    campaign: int
    serial: int
    body: bytes


class CentresBroker(Mosquitto):
    """Mosquitto in the centre's namespace."""

    def __init__(self, folder: Path, networks: Networks) -> None:
        self._inside = networks.inside(CENTRE)
        self.host = networks.address(CENTRE, WAN)
        super().__init__(folder, {name: f"{name} secret" for name in MACHINES})

    def command(self) -> list[str]:
        return [*self._inside, *super().command()]

    def listens(self, pid: int) -> bool:
        return netns.listens(pid, self.port)


class NetLane:
    """One lane: its machine, its disk, its world, its process."""

    def __init__(self, house: NetHouse, device: str) -> None:
        self.house, self.device = house, device
        self.folder = house.folder / device
        self.data = self.folder / "unit"
        self.folder.mkdir()
        self.key: SigningKey = device_key(self.data)
        self.world = World()
        self._held = Code(0, 0, "")  # what was before the camera last
        self.world.observe(self._see)
        self._served = link.serve(self.world, self.folder / "world.sock")
        self.process: Process | None = None
        self.past: list[dict[str, Any]] = []  # lines of processes that are over

    def _see(self, event: WorldEvent) -> None:
        if isinstance(event, Lit) and event.light is Light.GREEN:
            self.house.greens.append(Green(self.device, self._held, time.monotonic()))

    # --- life -----------------------------------------------------------------------------------------

    def start(self) -> None:
        config = self.folder / "unit.toml"
        config.write_text(
            f"""
[unit]
device = "{self.device}"
site = "{SITE}"
data_dir = "{self.data}"
centre_public_key = "{self.house.centre_public_key}"
ask_wait_ms = {ASK_WAIT_MS}
[unit.broker]
{self.house.broker_login(self.device)}
[unit.virtual]
socket = "{self.folder / "world.sock"}"
"""
        )
        inside = self.house.networks.inside(self.device)
        self.process = Process(self.folder, "unit", "--config", str(config), inside=inside)

    def kill(self) -> None:
        """The power goes."""
        assert self.process is not None
        self.process.kill()
        self.past += self.process.lines
        self.process = None

    @property
    def lines(self) -> list[dict[str, Any]]:
        return self.process.lines if self.process is not None else []

    def last(self, event: str) -> dict[str, Any]:
        """The last line about `event` of this process; {}: none."""
        return next((line for line in reversed(list(self.lines)) if line.get("event") == event), {})

    @property
    def started(self) -> bool:
        return bool(self.last("started"))

    @property
    def online(self) -> bool:
        return bool(self.last("reach").get("online"))

    @property
    def hub(self) -> str:
        """Who runs the hub that this lane is connected to now; empty: it is connected to none."""
        last = self.last("site")
        return str(last["hub"]) if last.get("up") else ""

    # --- its disk -------------------------------------------------------------------------------------

    def copy_disk(self) -> Path:
        """An image of the disk, taken while the lane is off."""
        image = self.folder / f"image-{time.monotonic_ns()}"
        shutil.copytree(self.data, image)
        return image

    def restore_disk(self, image: Path) -> None:
        shutil.rmtree(self.data)
        shutil.copytree(image, self.data)

    def rows(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        """What the store says, as another process sees it; [] while there is none."""
        return rows(self.data, sql, *values)

    def knows(self, campaign: Campaign) -> Campaign | None:
        """The campaign as this lane's cache has it."""
        try:
            store = Store(self.data, self.device, read_only=True)
        except StoreError:
            return None
        with closing(store):
            return store.cache.campaign(campaign.id)

    def part(self, campaign: Campaign) -> int:
        """Uses that the disk holds of the campaign's cap: for waiting, never for a bound."""
        return part_on(self.data, campaign.id)

    @property
    def acknowledged(self) -> int:
        """Facts that are acknowledged."""
        found = self.rows("SELECT coalesce(sum(acked), 0) FROM epochs")
        return int(found[0][0]) if found else 0

    @property
    def waiting(self) -> int:
        """Facts that are not acknowledged."""
        found = self.rows(
            "SELECT coalesce(sum(coalesce(last, (SELECT coalesce(max(position), 0) FROM journal) - base) - acked), 0)"
            " FROM epochs"
        )
        return int(found[0][0]) if found else 0

    def facts(self) -> set[Fact]:
        """The redemptions that the disk holds."""
        return facts_on(self.data)

    # --- what a shopper does --------------------------------------------------------------------------

    def wait_until(self, condition: Callable[[NetLane], object], what: str, timeout_s: float) -> None:
        wait_until(lambda: condition(self), timeout_s, f"{self.device} {what}")

    def begin(self, code: Code) -> Scan:
        """Hold a code up."""
        assert self.process is not None
        self._held = code
        scan = Scan(self, code, len(self.process.lines))
        self.world.show_picture(picture(code.text))
        return scan

    def take_away(self) -> None:
        self.world.show_nothing()

    def scan(self, code: Code) -> str:
        """Hold a code up until the unit has answered; gives the reason."""
        return self.begin(code).finish()

    def close(self) -> None:
        self.world.show_nothing()
        if self.process is not None and self.process.popen.poll() is None:
            self.process.end()
        self._served.close()


class Scan:
    """A code before the camera of a lane."""

    def __init__(self, lane: NetLane, code: Code, first: int) -> None:
        assert lane.process is not None
        self.lane, self.code = lane, code
        self._lines, self._first = lane.process.lines, first

    @property
    def steps(self) -> dict[str, dict[str, Any]]:
        """The steps of the last scan since it was held up that was answered; of the last one, if none was.

        A camera that had no time to look for a while sees the same code a second time, while the first is asked about.
        """
        lines = [line for line in self._lines[self._first :] if line.get("event") == "scan"]
        begun = [line["scan"] for line in lines if line["step"] == "seen"]
        answered = [line["scan"] for line in lines if line["step"] == "shown"]
        last = [scan for scan in begun if scan in answered][-1:] or begun[-1:]
        return {line["step"]: line for line in lines if [line["scan"]] == last}

    @property
    def reason(self) -> str:
        """What the shopper was told; empty: nothing yet."""
        steps = self.steps
        return str(steps["decided"]["reason"]) if "decided" in steps and "shown" in steps else ""

    def finish(self) -> str:
        """Wait for the answer and take the code away; gives the reason."""
        try:
            wait_until(lambda: self.reason, ANSWER_S, f"an answer of {self.lane.device}")
        finally:
            self.lane.take_away()
        return self.reason

    @property
    def waited_ms(self) -> int:
        """From the decoded code to the picture on the display."""
        return int(self.steps["shown"]["mono_ms"] - self.steps["decoded"]["mono_ms"])


class NetHouse:
    """See the module. Close it."""

    def __init__(self, folder: Path, *, given: dict[int, int] | None = None) -> None:
        """`given`: how many coupons of each campaign are on phones."""
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.greens: list[Green] = []
        self.codes: dict[int, list[Code]] = {}
        self.networks = Networks(MACHINES, wan_only=(CENTRE,))
        self.lanes: dict[str, NetLane] = {}
        self.box: Process | None = None
        self.centre: Process | None = None
        self.broker = CentresBroker(folder, self.networks)
        try:
            self.broker.start()
            self.centre_public_key = ""
            self.lanes = {name: NetLane(self, name) for name in LANES}
            self._prepare(given or {})
            self._start_centre()
        except BaseException:
            self.close()
            raise

    def _prepare(self, given: dict[int, int]) -> None:
        self.settings = CentralSettings(tenant="demo", data_dir=str(self.folder / "centre"))
        office = create(self.settings)
        with office.database.write() as connection:
            for lane in self.lanes.values():
                registry.add_device(connection, lane.device, SITE, lane.key.verify_key.encode(), now_ms())
            key = device_key(self.folder / "box").verify_key.encode()
            registry.add_device(connection, BOX, SITE, key, now_ms())
            for campaign in CAMPAIGNS:
                issue.issue(connection, campaign, now_ms())
        self.centre_public_key = office.keys.centre().verify_key.encode().hex()
        office.close()
        self.give(given)

    def give(self, given: dict[int, int]) -> None:
        """Coupons on phones: so many of each campaign. A `home` serial's home is this shop."""
        with closing(Office(self.settings)) as office, office.database.write() as connection:
            for number, many in given.items():
                home = SITE if number == HOME.id else ""
                for _ in range(many):
                    one = download.download(
                        connection, office.keys, number, None, proven=True, now_ms=now_ms(), home=home
                    )
                    assert isinstance(one, Given), one
                    self.codes.setdefault(number, []).append(Code(number, one.coupon.serial, one.text))

    def broker_login(self, name: str) -> str:
        return (
            f'host = "{self.broker.host}"\nport = {self.broker.port}\n'
            f'password_file = "{self.broker.password_file(name)}"\nkeepalive_s = {KEEPALIVE_S}\nreconnect_max_s = 1'
        )

    def _start_centre(self) -> None:
        config = self.folder / "centre.toml"
        config.write_text(
            f"""
[central]
data_dir = "{self.folder / "centre"}"
[central.broker]
host = "{self.broker.host}"
port = {self.broker.port}
password_file = "{self.broker.password_file(CENTRE)}"
[central.http]
enabled = false
"""
        )
        inside = self.networks.inside(CENTRE)
        centre = self.centre = Process(self.folder, "central", "--config", str(config), inside=inside)
        wait_until(lambda: any(line.get("connected") for line in centre.lines), START_S, "the centre to connect")

    def start_box(self) -> None:
        config = self.folder / "box.toml"
        config.write_text(
            f"""
[hub]
device = "{BOX}"
site = "{SITE}"
data_dir = "{self.folder / "box"}"
centre_public_key = "{self.centre_public_key}"
[hub.broker]
{self.broker_login(BOX)}
"""
        )
        self.box = Process(self.folder, "hub", "--config", str(config), inside=self.networks.inside(BOX))

    def start(self, *, box: bool = True) -> None:
        """Start all, and wait until the lanes have heard the centre, follow one hub and have parts."""
        if box:
            self.start_box()
        for lane in self.lanes.values():
            lane.start()
        for lane in self.lanes.values():
            lane.wait_until(lambda one: one.online and one.part(MANY), "to reach the centre and have a part", START_S)
        self.agree(hub=BOX if box else "")

    def agree(self, *names: str, hub: str = "", timeout_s: float = START_S) -> str:
        """Wait until these lanes (none named: all) follow one hub, and say whose."""
        lanes = [self.lanes[name] for name in names or self.lanes]

        def one() -> bool:
            followed = {lane.hub for lane in lanes}
            return len(followed) == 1 and "" not in followed and (not hub or followed == {hub})

        wait_until(one, timeout_s, f"one hub for {[lane.device for lane in lanes]}")
        return lanes[0].hub

    def stop_campaign(self, campaign: Campaign) -> None:
        """The issuer stops it, as `tokuten coupon stop` does."""
        with closing(Office(self.settings)) as office, office.database.write() as connection:
            issue.stop(connection, campaign.id)

    # --- what is true ---------------------------------------------------------------------------------

    def shown(self, campaign: Campaign) -> Counter[int]:
        """How often shoppers saw green, by serial: a yes that the same lane repeats (`again`) is one yes."""
        fresh: Counter[tuple[str, int]] = Counter()
        for green in self.greens:
            if green.code.campaign == campaign.id:
                fresh[green.device, green.code.serial] += not green.again
        counted: Counter[int] = Counter()
        for (_, serial), many in fresh.items():
            counted[serial] += max(1, many)
        return counted

    def centre_rows(self, sql: str) -> list[tuple[Any, ...]]:
        with closing(Office(self.settings)) as office, office.database.read() as connection:
            return [tuple(row) for row in connection.execute(text(sql))]

    def booked(self) -> Counter[tuple[int, int]]:
        """The redemptions that count at the centre, by campaign and serial."""
        found = self.centre_rows("SELECT campaign, serial FROM redemptions WHERE state <> 'void'")
        return Counter((campaign, serial % 2**64) for campaign, serial in found)

    @property
    def restless(self) -> str:
        """What still waits at a lane or at the centre; empty: all has come to rest."""
        found = [f"{lane.device} is not online" for lane in self.lanes.values() if not lane.online]
        found += [f"{lane.device} has {lane.waiting} facts" for lane in self.lanes.values() if lane.waiting]
        ((held,),) = self.centre_rows("SELECT count(*) FROM questions WHERE state = 'granted'")
        return ", ".join([*found, f"{held} questions are open"] if held else found)

    def come_to_rest(self, timeout_s: float = REST_S) -> None:
        try:
            wait_until(lambda: not self.restless, timeout_s)
        except AssertionError:
            raise AssertionError(f"no rest after {timeout_s:g} s: {self.restless}") from None

    @property
    def under_way(self) -> int:
        """Uses that the centre's books have on the way from one lane to another."""
        return int(self.centre_rows("SELECT coalesce(sum(transit_count), 0) FROM pots")[0][0])

    def close(self) -> None:
        self.networks.heal_all()
        for process in (self.box, self.centre, *(lane.process for lane in self.lanes.values())):
            if process is not None and process.popen.poll() is None:
                process.popen.send_signal(signal.SIGTERM)  # all at once; each is waited for below
        for lane in self.lanes.values():
            lane.close()
        for process in (self.box, self.centre):
            if process is not None and process.popen.poll() is None:
                process.end()
        self.broker.stop()
        self.networks.close()


# --- a disk, read while its lane runs or not -------------------------------------------------------------------


def rows(folder: Path, sql: str, *values: object) -> list[tuple[Any, ...]]:
    try:
        with closing(sqlite3.connect(f"file:{folder / FILE_NAME}?mode=ro", uri=True)) as connection:
            return connection.execute(sql, values).fetchall()
    except sqlite3.Error:
        return []


def part_on(folder: Path, campaign: int) -> int:
    found = rows(
        folder, "SELECT granted_count + moved_count - spent_count FROM parts WHERE kind = 'c' AND id = ?", campaign
    )
    return max(0, int(found[0][0])) if found else 0


def taken_on(folder: Path) -> int:
    """Uses that were taken from neighbours, in all."""
    return int(rows(folder, "SELECT coalesce(sum(count), 0) FROM transfers WHERE given = 0")[0][0])


def facts_on(folder: Path) -> set[Fact]:
    found = set()
    for (body,) in rows(folder, "SELECT body FROM journal"):
        fact = decode_fact(body)
        if isinstance(fact, Redeemed):
            found.add(Fact(fact.campaign, fact.serial, bytes(body)))
    return found
