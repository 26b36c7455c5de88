"""The settings of a unit: section [unit] of the settings file (loaded by `cli.settings`)."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from edge_agent.core.receipt import TillRules
from edge_agent.core.states import Mode
from hal.pi.options import PiParts, Scanners
from loyalty.barcode.instore import BarcodeSettings, Shop, shop
from loyalty.campaign import Lang
from loyalty.tax import Basis, Rounding
from wire.topics import Address, address

DAY_MS: Final = 86_400_000
WedgeKeys = Literal["hid", "text"]
_IPV4: Final = r"^\d{1,3}(\.\d{1,3}){3}$"


class BrokerLogin(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """[unit.broker]: where the unit reports to."""

    host: Annotated[str, Meta(description="Name or address of the MQTT broker.")] = "127.0.0.1"
    port: Annotated[int, Meta(ge=1, le=65535, description="TCP port of the broker.")] = 1883
    username: Annotated[str, Meta(description="Login name; empty: the device's id.")] = ""
    password_file: Annotated[str, Meta(description="File that holds the password; empty: none is sent.")] = ""
    ca_file: Annotated[str, Meta(description="Certificate authority of the broker; set: the connection uses TLS.")] = ""
    cert_file: Annotated[str, Meta(description="The device's own certificate, for TLS.")] = ""
    key_file: Annotated[str, Meta(description="The private key of that certificate.")] = ""
    keepalive_s: Annotated[int, Meta(ge=5, le=3600, description="MQTT keep-alive, seconds.")] = 20
    reconnect_max_s: Annotated[
        int, Meta(ge=1, le=600, description="Longest pause between attempts to connect, seconds.")
    ] = 30


class PartNames(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """[unit.parts]: which backend each part has. There is no fallback."""

    camera: Annotated[str, Meta(description="Backend of the camera: virtual or pi.")] = "virtual"
    display: Annotated[str, Meta(description="Backend of the display: virtual or pi.")] = "virtual"
    indicators: Annotated[str, Meta(description="Backend of lights, buzzer and buttons: virtual, pi or board.")] = (
        "virtual"
    )
    card: Annotated[str, Meta(description="Backend of the card reader: virtual, board or none.")] = "virtual"
    clock: Annotated[str, Meta(description="Backend of the clock: virtual or pi.")] = "virtual"


class VirtualWorld(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """[unit.virtual]: the simulated world that virtual parts stand in."""

    socket: Annotated[str, Meta(description="Unix socket of the simulator.")] = ""


class ReaderBoard(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """[unit.board]: the reader board on USB, for parts whose backend is `board`."""

    device: Annotated[
        str, Meta(description="Its serial port, best by its own name: /dev/serial/by-id/usb-MicroPython_...")
    ] = "/dev/ttyACM0"


class SiteNetwork(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """[unit.site_network]: how the lanes of one site share what they saw, also while the internet is gone.

    Nothing is opened or said while the centre names no other unit of the site.
    """

    enabled: Annotated[bool, Meta(description="Share redemptions with the other lanes of the site.")] = True
    may_be_hub: Annotated[bool, Meta(description="This unit may run the site's hub when there is none.")] = True
    addresses: Annotated[
        list[Annotated[str, Meta(pattern=_IPV4)]],
        Meta(max_length=4, description="Own IPv4 addresses on the shop's network; empty: all but the loopback's."),
    ] = []
    multicast: Annotated[
        str,
        Meta(
            pattern=f"{_IPV4}|^$",
            description="IPv4 multicast group of the hub's beacons; empty: none, `peers` are named instead.",
        ),
    ] = "239.255.84.75"
    beacon_port: Annotated[int, Meta(ge=1024, le=65535, description="UDP port of the beacons.")] = 18841
    peers: Annotated[
        list[Annotated[str, Meta(pattern=_IPV4.removesuffix("$") + r"(:\d{1,5})?$")]],
        Meta(max_length=64, description="Where else beacons go (`address` or `address:port`): without multicast."),
    ] = []
    hub_port: Annotated[
        int, Meta(ge=0, le=65535, description="TCP port of the hub, where this unit runs it; 0: any that is free.")
    ] = 18842
    witness_wait_ms: Annotated[
        int,
        Meta(ge=0, le=120_000, description="How long, after the start, another lane is waited for as a witness, ms."),
    ] = 10_000


class WedgeSettings(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """[unit.till.wedge]: for a till that takes nothing but a keyboard: what it types when a coupon counts."""

    device: Annotated[str, Meta(description="Where it is written to: /dev/hidg0, a tty, a file; empty: nowhere.")] = ""
    keys: Annotated[
        WedgeKeys, Meta(description="hid: key reports of a USB keyboard. text: the characters as they are.")
    ] = "text"
    amount: Annotated[
        str,
        Meta(
            max_length=64,
            description="Typed for an amount off: {yen:6} the yen in 6 digits, {campaign:4}, {check} a JAN's digit.",
        ),
    ] = "{yen}"
    percent: Annotated[str, Meta(max_length=64, description="For a percentage: {percent:2} too; empty: nothing.")] = ""
    after: Annotated[
        Literal["enter", "tab", "nothing"], Meta(description="The key that is typed after each of them.")
    ] = "enter"
    gift: Annotated[str, Meta(max_length=64, description="For a gift or a ticket; empty: nothing.")] = ""


class TillSettings(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """[unit.till]: how the shop's till speaks with the lane. Lane mode only."""

    enabled: Annotated[bool, Meta(description="Serve the HTTP interface and the cashier's page.")] = False
    host: Annotated[
        str, Meta(pattern=_IPV4, description="IPv4 address to listen on; wider than the loopback needs a token.")
    ] = "127.0.0.1"
    port: Annotated[int, Meta(ge=1, le=65535, description="TCP port to listen on.")] = 18850
    token_file: Annotated[
        str, Meta(description="File whose first line is the token that every request must carry; empty: none.")
    ] = ""
    names: Annotated[
        list[Annotated[str, Meta(pattern=r"^[A-Za-z0-9.-]{1,253}$")]],
        Meta(max_length=16, description="Other names or addresses under which tills reach it (the Host they send)."),
    ] = []
    serial_device: Annotated[str, Meta(description="tty of a till that speaks the line protocol; empty: none.")] = ""
    serial_baud: Annotated[int, Meta(ge=300, le=4_000_000, description="Its speed.")] = 9_600
    liable_for_tax: Annotated[bool, Meta(description="Whether the shop's prices have consumption tax in them.")] = True
    rounding: Annotated[
        Rounding, Meta(description="Of the tax on a receipt, once for each rate: floor, ceiling or half_up.")
    ] = Rounding.FLOOR
    wedge: WedgeSettings = WedgeSettings()

    def rules(self, utc_offset_min: int) -> TillRules:
        basis = Basis.GROSS if self.liable_for_tax else Basis.PRICE
        return TillRules(basis=basis, rounding=self.rounding, utc_offset_min=utc_offset_min)


class UnitSettings(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """[unit]: one unit."""

    device: Annotated[str, Meta(description="The unit's id; never changes. 1 to 32 of a-z, 0-9, _ and -.")]
    site: Annotated[str, Meta(description="The shop's premises it stands in.")]
    tenant: Annotated[str, Meta(description="Whose units, shops and coupons these are.")] = "demo"
    mode: Annotated[
        Mode, Meta(description="kiosk: a scan redeems. lane: a scan reserves, the till's payment redeems.")
    ] = Mode.KIOSK
    language: Annotated[Lang, Meta(description="Language of the display: ja or en.")] = "ja"
    utc_offset_min: Annotated[
        int, Meta(ge=-840, le=840, description="Local time on the display, minutes east of UTC.")
    ] = 540
    data_dir: Annotated[str, Meta(description="Folder of the store and of the device's key.")] = "var/unit"
    centre_public_key: Annotated[
        str,
        Meta(
            pattern="^([0-9a-f]{64})?$",
            description="The centre's public key, 64 hexadecimal digits (`tokuten central init` prints it).",
        ),
    ] = ""
    ask_wait_ms: Annotated[
        int, Meta(ge=200, le=10_000, description="How long a shopper waits for the centre before 'not now', ms.")
    ] = 3_000
    keep_acked_days: Annotated[
        int, Meta(ge=1, le=3650, description="How long booked facts stay, so that a restored centre can ask again.")
    ] = 30
    keep_refused_frames_s: Annotated[
        int, Meta(ge=0, le=604_800, description="Keep the camera frame of a refused scan so long, s; 0: none is kept.")
    ] = 0
    heartbeat_s: Annotated[int, Meta(ge=1, le=3600, description="Seconds between heartbeats.")] = 30
    broker: BrokerLogin = BrokerLogin()
    parts: PartNames = PartNames()
    virtual: VirtualWorld = VirtualWorld()
    board: ReaderBoard = ReaderBoard()
    pi: PiParts = PiParts()
    scanners: Scanners = Scanners()
    reboot_file: Annotated[
        str,
        Meta(description="File to leave when nothing but a reboot brings the camera back; empty: never asked for."),
    ] = ""
    barcodes: BarcodeSettings = BarcodeSettings()
    site_network: SiteNetwork = SiteNetwork()
    till: TillSettings = TillSettings()

    @property
    def shop(self) -> Shop:
        """The shop's own codes, ready for reading."""
        return shop(self.barcodes, self.utc_offset_min)

    @property
    def address(self) -> Address:
        """Raises wire.topics.BadTopic for an id that can't be one."""
        return address(self.tenant, self.site, self.device)

    @property
    def folder(self) -> Path:
        return Path(self.data_dir)
