"""A shop with several lanes as real processes: each `tokuten unit` with a world of its own, one centre, one broker.

The lanes stand on addresses of their own on the loopback (127.0.0.x) and hear each other's beacons there. The way to
the centre is a line that can be cut for all of them: then only the shop's own network is left.
"""

from __future__ import annotations

import shutil
import socket
from pathlib import Path
from typing import Any, Final

from nacl.signing import SigningKey

from central import registry
from central.coupons import issue
from central.coupons.keyring import signing
from central.office import Office, create, now_ms
from central.settings import CentralSettings
from edge_agent.identity import device_key
from edge_agent.store.connection import StoreError
from edge_agent.store.store import Store
from hal.virtual import link
from hal.virtual.world import World
from loyalty.barcode.own import mint
from loyalty.campaign import Campaign
from loyalty.coupon import Coupon
from tests.scenario.house import OPEN, SIGNED, Process, scan
from tests.servers import PASSWORDS, EmbeddedBroker, Relay, free_port, wait_until

SITE: Final = "shinjuku"
LANES: Final = ("lane-1", "lane-2", "lane-3")
BOX: Final = "hub-1"
START_S: Final = 30.0


def free_udp_port() -> int:
    """A UDP port that nobody has now."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


class LaneProcess:
    """One lane: its folder, its world, its process."""

    def __init__(self, house: SiteHouse, device: str, address: str) -> None:
        self.house, self.device, self.address = house, device, address
        self.folder = house.folder / device
        self.data = self.folder / "unit"
        self.folder.mkdir()
        self.world = World()
        self._served = link.serve(self.world, self.folder / "world.sock")
        self.key: SigningKey = device_key(self.data)
        self.process: Process | None = None

    def write_settings(self) -> Path:
        config = self.folder / "unit.toml"
        config.write_text(
            f"""
[unit]
device = "{self.device}"
site = "{SITE}"
data_dir = "{self.data}"
centre_public_key = "{self.house.centre_public_key}"
ask_wait_ms = 2000
[unit.broker]
port = {self.house.line.port}
password_file = "{self.house.broker.password_file(self.device)}"
reconnect_max_s = 1
[unit.virtual]
socket = "{self.folder / "world.sock"}"
[unit.site_network]
{self.house.network(self.address)}
"""
        )
        return config

    def start(self) -> None:
        self.process = Process(self.folder, "unit", "--config", str(self.write_settings()))

    @property
    def lines(self) -> list[dict[str, Any]]:
        assert self.process is not None
        return self.process.lines

    @property
    def hub(self) -> str:
        """Who runs the hub that this lane is connected to now; empty: it is connected to none."""
        last = [line for line in self.lines if line.get("event") == "site"][-1:]
        return str(last[0]["hub"]) if last and last[0]["up"] else ""

    def kill(self) -> None:
        """The power goes."""
        assert self.process is not None
        self.process.kill()

    def scan(self, code: str) -> dict[str, Any]:
        assert self.process is not None
        return scan(self.world, self.process, code)

    def count(self, what: str) -> int:
        """How many rows the store has, as another process sees them; 0 while there is no store."""
        try:
            store = Store(self.data, self.device, read_only=True)
        except StoreError:
            return 0
        try:
            row = store.connection.row(f"SELECT count(*) FROM {what}")
        finally:
            store.close()
        return int(row[0]) if row else 0

    def is_told(self) -> bool:
        return self.count("campaigns") >= 2

    def copy_disk(self) -> Path:
        """An image of the disk, taken while the lane is off."""
        image = self.folder / "image"
        shutil.copytree(self.data, image)
        return image

    def restore_disk(self, image: Path) -> None:
        shutil.rmtree(self.data)
        shutil.copytree(image, self.data)

    def close(self) -> None:
        self.world.show_nothing()
        if self.process is not None and self.process.popen.poll() is None:
            self.process.end()
        self._served.close()


class SiteHouse:
    """See the module. Close it."""

    def __init__(self, folder: Path, *, lanes: tuple[str, ...] = LANES, box: bool = False) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.broker = EmbeddedBroker(folder, {**PASSWORDS, **{name: f"{name} secret" for name in (*LANES, BOX)}})
        self.broker.start()
        self.line = Relay(self.broker.port)
        self.beacon_port = free_udp_port()
        self.centre_public_key = ""
        self.lanes = {name: LaneProcess(self, name, f"127.0.0.{11 + i}") for i, name in enumerate(lanes)}
        self.box: Process | None = None
        self._has_box = box
        self._prepare()
        self._centre = Process(folder, "central", "--config", str(self._centre_settings()))
        wait_until(self._centre_is_up, START_S, "the centre to connect")

    def _centre_is_up(self) -> bool:
        return any(line.get("connected") for line in self._centre.lines)

    def network(self, address: str) -> str:
        """The settings of the site's network of who stands at `address`."""
        everybody = [f"127.0.0.{11 + i}" for i in range(len(LANES) + 1)]
        peers = ", ".join(f'"{other}"' for other in everybody if other != address)
        return (
            f'addresses = ["{address}"]\nmulticast = ""\nbeacon_port = {self.beacon_port}\npeers = [{peers}]\n'
            f"hub_port = 0\n"
        )

    def _prepare(self) -> None:
        self.settings = CentralSettings(tenant="demo", data_dir=str(self.folder / "centre"))
        office = create(self.settings)
        with office.database.write() as connection:
            for lane in self.lanes.values():
                registry.add_device(connection, lane.device, SITE, lane.key.verify_key.encode(), now_ms())
            if self._has_box:
                key = device_key(self.folder / "box").verify_key.encode()
                registry.add_device(connection, BOX, SITE, key, now_ms())
            for campaign in (SIGNED, OPEN):
                issue.issue(connection, campaign, now_ms())
            self.key_id, self.signing_key = signing(connection, office.keys)
        self.centre_public_key = office.keys.centre().verify_key.encode().hex()
        office.close()

    def _centre_settings(self) -> Path:
        config = self.folder / "centre.toml"
        config.write_text(
            f"""
[central]
data_dir = "{self.folder / "centre"}"
[central.broker]
port = {self.broker.port}
password_file = "{self.broker.password_file("centre")}"
[central.http]
port = {free_port()}
"""
        )
        return config

    def start(self, *names: str) -> None:
        """Start these lanes (none named: all) and wait until each has heard the centre and a hub."""
        started = [self.lanes[name] for name in names or self.lanes]
        for lane in started:
            lane.start()
        for lane in started:
            wait_until(lane.is_told, START_S, f"the cache of {lane.device}")

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
port = {self.line.port}
password_file = "{self.broker.password_file(BOX)}"
[hub.site_network]
{self.network(f"127.0.0.{11 + len(LANES)}")}
"""
        )
        self.box = Process(self.folder, "hub", "--config", str(config))

    def agree(self, *names: str, hub: str = "") -> str:
        """Wait until these lanes (none named: all) follow one hub, and say whose."""
        lanes = [self.lanes[name] for name in names or self.lanes]

        def one() -> bool:
            followed = {lane.hub for lane in lanes}
            return len(followed) == 1 and "" not in followed and (not hub or followed == {hub})

        wait_until(one, START_S, f"one hub for {[lane.device for lane in lanes]}")
        return lanes[0].hub

    def code(self, serial: int, campaign: Campaign = SIGNED) -> str:
        return mint(self.signing_key, Coupon(campaign=campaign.id, serial=serial, key=self.key_id))

    def office(self) -> Office:
        return Office(self.settings)

    def close(self) -> None:
        for lane in self.lanes.values():
            lane.close()
        for process in (self.box, self._centre):
            if process is not None and process.popen.poll() is None:
                process.end()
        self.line.close()
        self.broker.stop()
