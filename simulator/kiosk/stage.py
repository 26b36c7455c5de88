"""What a person at the page can do to the unit and its world, and what they see of it.

The unit, the centre and the broker are real processes (`simulator.process`); the unit's parts stand in a
`hal.virtual.world.World` that this process serves to it. The stage acts on those and tells every open page.
Nothing here reads a barcode or hands a text to the unit: pictures go in front of its camera.

Belongs to one event loop; the world's observers may call from other threads. Actions raise CantDo (wrong
names, a world that is not so) and NotReady (a process that does not come up).
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from edge_agent.core.states import Mode
from hal.errors import HalReason
from hal.virtual.lens import Pose
from hal.virtual.world import Lit, Part, Played, Shown, World, WorldEvent
from loyalty.reason import Reason
from simulator.kiosk.centre import Centre, CentreGone
from simulator.kiosk.eye import qr_text
from simulator.kiosk.live import Hub, Page, encode
from simulator.kiosk.pictures import BadPicture, opened, view_jpeg, webcam_frame
from simulator.kiosk.pocket import Pocket
from simulator.kiosk.scans import Scans, parse
from simulator.process import Process, State
from simulator.tcp_cut import TcpCut
from simulator.wallet import Wallet

VIEW_EVERY_S: Final = 0.15
BOOKED_EVERY_S: Final = 0.7
KEEP_EVERY_S: Final = 0.5
NOTES_MAX: Final = 40
CLOCK_RIGHT: Final = "clock_right"
CLOCKS: Final = (CLOCK_RIGHT, "clock_day", "clock_1970", "clock_10y")
CLOCK_OFFSET_MAX_MS: Final = 100 * 365 * 86_400_000


class CantDo(ValueError):
    """The world is not so, or there is no such thing; the message says which."""


class Member(NamedTuple):
    """A person of the story, as the page shows them."""

    name: str
    password: str  # the demo's own; shown on the page
    about: dict[str, str]  # 'ja', 'en'
    colours: tuple[str, str]


class Stage:
    """The world of one unit and the processes around it."""

    def __init__(
        self,
        *,
        world: World,
        cut: TcpCut,
        processes: Mapping[str, Process],
        centre: Centre,
        members: Sequence[Member],
        leaflets: Sequence[Mapping[str, Any]],
        names: dict[int, str],
        places: Mapping[str, str],
        logs: str,
        pocket: Pocket,
        wallet: Wallet,
        till: str,
        set_mode: Callable[[Mode], None],
    ) -> None:
        """`till`: address of the cashier's page, which a lane serves. `set_mode`: what the unit is in its next life."""
        self.hub = Hub()
        self.scans = Scans()
        self.centre = centre
        self.members = {member.name: member for member in members}
        self.leaflets = list(leaflets)
        self.names = names
        self.logs = logs
        self.pocket = pocket
        self._world = world
        self._cut = cut
        self._processes = dict(processes)
        self._places = dict(places)
        self._wallet = wallet
        self._till = till
        self._set_mode = set_mode
        self._mode = Mode.KIOSK
        self._mode_changes = asyncio.Lock()
        self._link = ""
        self._pixels: bytes | None = None  # on the display, and nobody has looked for a QR there
        self._shown = asyncio.Event()
        self._notes: deque[dict[str, Any]] = deque(maxlen=NOTES_MAX)
        self._card = ""
        self._holding = False
        self._full = False
        self._unplugged = False
        self._clock = CLOCK_RIGHT
        self._offset_ms = 0
        self._booked: tuple[list[dict[str, Any]], bool] = ([], True)
        self._loop = asyncio.get_running_loop()
        self._stop_watching = world.observe(self._on_world)
        self._tasks = [asyncio.create_task(self._views()), asyncio.create_task(self._bookings())]
        self._tasks += [asyncio.create_task(self._looks()), asyncio.create_task(self._keeps())]

    async def close(self) -> None:
        self._stop_watching()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._wallet.keep()
        self.hub.close()

    # -- what the page sees

    def state(self) -> dict[str, Any]:
        unit = self._processes["unit"].state
        return {
            "processes": [
                {"name": name, "state": process.state, "restarts": process.restarts, "death": process.death}
                for name, process in self._processes.items()
            ],
            "network": "cut" if self._cut.is_cut else "on",
            "power": {State.OFF: "off", State.UP: "on"}.get(unit, "starting"),
            "disk": "full" if self._full else "ok",
            "camera": "out" if self._unplugged else "in",
            "clock": self._clock,
            "clock_offset_ms": self._offset_ms,
            "card": self._card,
            "cards": self._wallet.faces(),
            "mode": self._mode,
            "till": self._till,
            "holding": self._holding,
            "campaigns": {str(key): name for key, name in self.names.items()},
        }

    def greet(self, page: Page) -> None:
        """Everything, to a page that has just come."""
        look = self._world.look()
        rows, reachable = self._booked
        page.put(encode("state", **self.state()))
        page.put(encode("hello", scans=self.scans.all(), notes=list(self._notes)))
        page.put(encode("display", bits=base64.b64encode(look.pixels).decode()))
        page.put(encode("light", light=look.light, ms=look.light_left_ms))
        page.put(encode("booked", rows=rows, reachable=reachable))
        page.put(encode("link", url=self._link))

    def changed(self) -> None:
        self.hub.tell("state", **self.state())

    def note(self, code: str, **values: str) -> None:
        note = {"code": code, "at_ms": time.time_ns() // 1_000_000, **values}
        self._notes.append(note)
        self.hub.tell("note", note=note)

    def on_unit_line(self, line: bytes) -> None:
        """A line of the unit's standard output."""
        step = parse(line)
        if step is None:
            return
        match step.event:
            case "scan":
                scan = self.scans.add(step)
            case "store":
                self.note("store_back" if step.ok else "store_failed")
                scan = None if step.ok else self.scans.unanswered(Reason.OUT_OF_SERVICE)
            case "part":
                self.note("part_back" if step.ok else "part_failed", detail=step.part)
                scan = None
            case "salvaged":
                self.note("salvaged")
                scan = None
            case _:
                return
        if scan is not None:
            self.hub.tell("scan", scan=scan)

    def on_process(self, process: Process) -> None:
        """A process came or went."""
        if process.state is State.DEAD:
            how, _, lines = process.death.partition("\n")
            self.note("died", name=process.name, detail=how, lines=lines)
            if process.name == "unit":
                self._world.cut_power()
        if process.state is State.STARTING and process.name == "unit":
            self.scans.new_life()
        self.changed()

    def _on_world(self, event: WorldEvent) -> None:
        match event:
            case Shown():
                self._tell_soon("display", bits=base64.b64encode(event.pixels).decode())
                self._look_soon(event.pixels)
            case Lit():
                self._tell_soon("light", light=event.light, ms=event.duration_ms)
            case Played():
                self._tell_soon("sound", sound=event.sound)

    def _tell_soon(self, kind: str, **fields: Any) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody is left to be told
            self._loop.call_soon_threadsafe(lambda: self.hub.tell(kind, **fields))

    def _look_soon(self, pixels: bytes) -> None:
        def note() -> None:
            self._pixels = pixels
            self._shown.set()

        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(note)

    async def _looks(self) -> None:
        """A QR on the display that leads to the centre's pages is a link for whoever has no phone at hand."""
        while True:
            await self._shown.wait()
            self._shown.clear()
            pixels, self._pixels = self._pixels, None
            text = "" if pixels is None else await asyncio.to_thread(qr_text, pixels)
            link = text if text.startswith(f"{self.centre.url}/") else ""
            if link != self._link:
                self._link = link
                self.hub.tell("link", url=link)

    async def _keeps(self) -> None:
        """What the unit wrote on a card is kept; an empty one is laid down for the next person."""
        while True:
            await asyncio.sleep(KEEP_EVERY_S)
            if self._wallet.keep():
                self._wallet.fill()
                self.changed()

    async def _views(self) -> None:
        """What the camera is given, to every open page."""
        last = 0
        while True:
            await asyncio.sleep(VIEW_EVERY_S)
            frame = self._world.camera_view()
            if not self.hub.watched or frame is None or frame.number == last:
                continue
            last = frame.number
            self.hub.tell_view(await asyncio.to_thread(view_jpeg, frame.width_px, frame.height_px, frame.grey))

    async def _bookings(self) -> None:
        """What the centre has booked, to every open page, when it changes."""
        while True:
            await asyncio.sleep(BOOKED_EVERY_S)
            if not self.hub.watched:
                continue
            try:
                rows, reachable = await self.centre.redemptions(), True
            except CentreGone:
                rows, reachable = self._booked[0], False
            rows = [{**row, "place": self.place(row.get("site", ""))} for row in rows]
            rows.sort(key=lambda row: -row["booked_ms"])
            if (rows, reachable) != self._booked:
                self._booked = (rows, reachable)
                self.hub.tell("booked", rows=rows, reachable=reachable)
                for scan in self.scans.booked(rows):
                    self.hub.tell("scan", scan=scan)

    def place(self, site: str) -> str:
        """What people call a site."""
        return self._places.get(site, site)

    def learn_name(self, campaign: int, name: str) -> None:
        if self.names.get(campaign) != name:
            self.names[campaign] = name
            self.changed()

    # -- in front of the camera

    async def hold_up(self, body: bytes, pose: Pose) -> None:
        """Hold a picture in front of the camera. Raises BadPicture, ValueError (pose)."""
        picture = await asyncio.to_thread(opened, body)
        self._world.show_picture(picture, pose)
        self._holding = True
        self.changed()

    def take_away(self) -> None:
        self._world.show_nothing()
        self._holding = False
        self.changed()

    def move(self, pose: Pose) -> None:
        """Raises ValueError."""
        self._world.set_pose(pose)

    async def webcam(self, body: bytes) -> None:
        """A frame of the browser's webcam. One that can't be read is dropped."""
        with contextlib.suppress(BadPicture, ValueError):
            self._world.feed_webcam(await asyncio.to_thread(webcam_frame, body))
            self._holding = True

    # -- the world's misfortunes

    async def network(self, cut: bool) -> None:
        if cut:
            await self._cut.cut()
        else:
            self._cut.heal()
        self.note("cut" if cut else "heal")
        self.changed()

    async def power(self, on: bool) -> None:
        """Pull the plug (SIGKILL to the unit and all its processes), or put it in. Raises NotReady."""
        unit = self._processes["unit"]
        if on:
            self.note("power_on")
            await unit.start()
        else:
            await unit.kill()
            self._world.cut_power()
            self.note("power_off")
        self.changed()

    def disk(self, full: bool) -> None:
        """Every write of the unit to a file fails from now on (EFBIG), or succeeds again."""
        self._full = full
        self._processes["unit"].limit_files(0 if full else None)
        self.note("disk_full" if full else "disk_ok")
        self.changed()

    def camera(self, on: bool) -> None:
        """Pull the camera's cable, or put it in."""
        self._unplugged = not on
        if on:
            self._world.heal_part(Part.CAMERA)
        else:
            self._world.break_part(Part.CAMERA, HalReason.VANISHED)
        self.note("camera_in" if on else "camera_out")
        self.changed()

    def clock(self, name: str, offset_ms: int) -> None:
        """Raises CantDo."""
        if name not in CLOCKS or abs(offset_ms) > CLOCK_OFFSET_MAX_MS:
            raise CantDo(f"a clock is one of {', '.join(CLOCKS)}, at most 100 years off")
        self._clock, self._offset_ms = name, offset_ms
        self._world.set_clock_offset(offset_ms)
        self._world.set_synchronised(offset_ms == 0)
        self.note("clock")
        self.changed()

    async def process(self, name: str, run: bool) -> None:
        """Kill the centre or the broker, or start it. Raises CantDo, NotReady."""
        if name not in self._processes or name == "unit":
            raise CantDo(f"no process {name!r} to start or kill")
        process = self._processes[name]
        if run:
            await process.start()
        else:
            await process.kill()
        self.note("started" if run else "stopped", name=name)
        self.changed()

    async def mode(self, mode: Mode) -> None:
        """Make the unit a kiosk or a lane with a till, from its next life on, which begins now. Raises NotReady."""
        async with self._mode_changes:
            if mode is self._mode:
                return
            self._set_mode(mode)
            self._mode = mode
            unit = self._processes["unit"]
            if unit.state is not State.OFF:
                await unit.stop()
                self._world.cut_power()
                await unit.start()
        self.note(f"mode_{mode.value}")
        self.changed()

    # -- what a shopper does with their hands

    def button(self, number: int) -> None:
        """Press A (0) or B (1). Raises CantDo."""
        try:
            self._world.press_button(number)
        except ValueError as error:
            raise CantDo(str(error)) from error

    def card(self, name: str) -> None:
        """Put this card into the slot, taking out whichever is in it; '' takes it out. Raises CantDo."""
        if name and name not in self._wallet.tags:
            raise CantDo(f"no card {name!r}")
        if self._card:
            self._world.remove_card()
        if name:
            self._world.insert_card(self._wallet.tags[name])
        self._card = name
        self.changed()
