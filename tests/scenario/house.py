"""A whole house as real processes: a broker, the centre, one unit with its camera, and the world around it.

The unit sees pictures through the lens and the real decoder; nothing here can hand it a text. What it shows is
read off its display path, what it says off its standard output.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import segno
from PIL import Image
from sqlalchemy import text

from central import registry
from central.coupons import issue
from central.coupons.keyring import signing
from central.office import Office, create, now_ms
from central.settings import CentralSettings
from edge_agent.identity import device_key
from edge_agent.store.store import Store
from hal.decode.accept import GONE_MS
from hal.indicators import Light
from hal.virtual import link
from hal.virtual.lens import Pose
from hal.virtual.world import Lit, World, WorldEvent
from loyalty.barcode.own import mint
from loyalty.campaign import Campaign, Kind, Policy
from loyalty.coupon import Coupon
from tests.servers import EmbeddedBroker, Mosquitto, Relay, free_port, wait_until
from wire.facts import Redeemed, decode_fact

DEVICE, SITE = "lane-1", "shinjuku"
SIGNED = Campaign(id=1, name="S楽器 1000円券", kind=Kind.AMOUNT, policy=Policy.SIGNED, provider="s", amount_yen=1000)
ONLINE = Campaign(id=2, name="サッカー", kind=Kind.TICKET, policy=Policy.ONLINE, provider="u", gift="指定席")
OPEN = Campaign(id=3, name="V居酒屋", kind=Kind.PERCENT, policy=Policy.OPEN, provider="v", percent=10, serials=False)
CODE_SIDE_PX = 420


class Process:
    """One `tokuten` process; its standard output is kept as lines. `inside`: words that start it somewhere else."""

    def __init__(self, folder: Path, *command: str, inside: tuple[str, ...] = ()) -> None:
        self.lines: list[dict[str, Any]] = []
        self._errors = (folder / f"{command[0]}.err").open("ab")
        self.popen = subprocess.Popen(
            [*inside, sys.executable, "-m", "cli", *command],
            stdout=subprocess.PIPE,
            stderr=self._errors,
            start_new_session=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.popen.stdout is not None
        for line in self.popen.stdout:
            if line.startswith(b"{"):
                try:
                    self.lines.append(json.loads(line))
                except ValueError:
                    continue  # cut off by a kill

    def kill(self) -> None:
        """The power goes: the process and all it started."""
        os.killpg(self.popen.pid, signal.SIGKILL)
        self._reap()

    def end(self) -> None:
        self.popen.send_signal(signal.SIGTERM)
        try:
            self.popen.wait(10)
        except subprocess.TimeoutExpired:
            self.kill()
        self._reap()

    def _reap(self) -> None:
        self.popen.wait(10)
        self._reader.join(5)
        if self.popen.stdout is not None:
            self.popen.stdout.close()
        self._errors.close()


class House:
    """See the module. Close it."""

    def __init__(
        self, folder: Path, broker: Mosquitto | EmbeddedBroker, *, unit_settings: str = "", port: int | None = None
    ) -> None:
        """`port`: where the unit connects to, if not straight to the broker over a line that can be cut."""
        self.folder, self.broker = folder, broker
        folder.mkdir(parents=True, exist_ok=True)
        self.line = Relay(broker.port)
        self.unit_port = port or self.line.port
        self.world = World()
        self.greens = 0
        self.world.observe(self._see)
        self._served = link.serve(self.world, folder / "world.sock")
        self.http_port = free_port()
        self.config = folder / "house.toml"
        self._prepare(unit_settings)
        self.centre: Process | None = None
        self.unit: Process | None = None

    def _see(self, event: WorldEvent) -> None:
        self.greens += isinstance(event, Lit) and event.light is Light.GREEN

    def _prepare(self, unit_settings: str) -> None:
        password = self.broker.password_file
        key = device_key(self.folder / "unit").verify_key.encode()
        self.settings = CentralSettings(tenant="demo", data_dir=str(self.folder / "centre"))
        office = create(self.settings)
        with office.database.write() as connection:
            registry.add_device(connection, DEVICE, SITE, key, now_ms())
            for campaign in (SIGNED, ONLINE, OPEN):
                issue.issue(connection, campaign, now_ms())
            self.key_id, self.signing_key = signing(connection, office.keys)
        public = office.keys.centre().verify_key.encode().hex()
        office.close()
        self.config.write_text(
            f"""
[unit]
device = "{DEVICE}"
site = "{SITE}"
data_dir = "{self.folder / "unit"}"
centre_public_key = "{public}"
ask_wait_ms = 2000
{unit_settings}
[unit.broker]
port = {self.unit_port}
password_file = "{password(DEVICE)}"
[unit.virtual]
socket = "{self.folder / "world.sock"}"
[central]
data_dir = "{self.folder / "centre"}"
[central.broker]
port = {self.broker.port}
password_file = "{password("centre")}"
[central.http]
port = {self.http_port}
"""
        )

    # --- processes ------------------------------------------------------------------------------------

    def start_centre(self) -> None:
        self.centre = Process(self.folder, "central", "--config", str(self.config))
        centre = self.centre
        wait_until(lambda: any(line.get("connected") for line in centre.lines), 40, "the centre to connect")

    def start_unit(self) -> Process:
        self.unit = Process(self.folder, "unit", "--config", str(self.config))
        unit = self.unit
        wait_until(lambda: any(line["event"] == "started" for line in unit.lines), 40, "the unit to start")
        return unit

    def start(self) -> Process:
        self.start_centre()
        unit = self.start_unit()
        wait_until(self.told, 40, "the cache to be filled")
        return unit

    def told(self) -> bool:
        """Whether the unit's cache has the campaigns: seen in its store, opened for reading."""
        from edge_agent.store.connection import StoreError
        from edge_agent.store.store import Store

        try:
            store = Store(self.folder / "unit", DEVICE, read_only=True)
        except StoreError:
            return False
        count = store.cache.campaigns_count()
        store.close()
        return count >= 3

    def close(self) -> None:
        self.world.show_nothing()
        for process in (self.unit, self.centre):
            if process is not None and process.popen.poll() is None:
                process.end()
        self._served.close()
        self.line.close()

    # --- what a shopper does --------------------------------------------------------------------------

    def code(self, campaign: Campaign, serial: int = 0) -> str:
        return mint(self.signing_key, Coupon(campaign=campaign.id, serial=serial, key=self.key_id))

    def hold_up(self, code: str, pose: Pose | None = None) -> None:
        self.world.show_picture(picture(code), pose)

    def scan(self, code: str, timeout_s: float = 20.0) -> dict[str, Any]:
        """Hold a code up until the unit has decided; gives the step 'decided'. Takes it away again."""
        assert self.unit is not None
        return scan(self.world, self.unit, code, timeout_s)

    def long_enough_away(self) -> None:
        """Until what was held up has been gone for so long that the same code is a new scan."""
        end_s = time.monotonic() + (GONE_MS + 300) / 1000
        wait_until(lambda: time.monotonic() > end_s, 10, "the code to be gone long enough")

    # --- what is true ---------------------------------------------------------------------------------

    def journal(self) -> list[int]:
        """Serials of the redemptions on the unit's disk, in their order."""
        store = Store(self.folder / "unit", DEVICE, read_only=True)
        try:
            bodies = store.connection.rows("SELECT body FROM journal ORDER BY position")
            return [fact.serial for (body,) in bodies if isinstance(fact := decode_fact(body), Redeemed)]
        finally:
            store.close()

    def booked(self, *, counting: bool = True) -> list[int]:
        """Serials of the redemptions that the centre holds."""
        office = Office(self.settings)
        where = "WHERE state <> 'void'" if counting else ""
        try:
            with office.database.read() as connection:
                return [
                    row[0] for row in connection.execute(text(f"SELECT serial FROM redemptions {where} ORDER BY id"))
                ]
        finally:
            office.close()


def scan(world: World, unit: Process, code: str, timeout_s: float = 20.0) -> dict[str, Any]:
    """Hold a code up until the unit has decided and shown; gives the step 'decided'. Takes it away again."""
    lines, before = unit.lines, len(unit.lines)

    def decided() -> list[dict[str, Any]]:
        return [line for line in lines[before:] if line.get("step") == "decided"]

    def shown() -> bool:
        done = decided()
        return bool(done) and any(
            line.get("step") == "shown" and line["scan"] == done[0]["scan"] for line in lines[before:]
        )

    world.show_picture(picture(code))
    try:
        wait_until(shown, timeout_s, "the unit to decide and show")
    finally:
        world.show_nothing()
    return decided()[0]


def picture(code: str) -> Image.Image:
    """The code as a phone shows it."""
    symbol = segno.make_qr(code, error="m")
    scale = CODE_SIDE_PX // int(symbol.symbol_size(border=4)[0])
    rows = [bytes(0 if dark else 255 for dark in row) for row in symbol.matrix_iter(scale=scale, border=4)]
    return Image.frombytes("L", (len(rows[0]), len(rows)), b"".join(rows))
