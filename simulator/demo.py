"""The demo: a broker, the centre, a bank and one virtual unit as processes of their own, and the kiosk page.

    browser -- page (here) -- world.sock -- unit's parts          the world, in this process
    unit -- MQTT -- cable (here, can be cut) -- broker -- centre -- bank   four processes, on a leash each

Everything lies in one folder (`simulator.home`); a second run goes on with it. Every process that is started
here ends with this one, whatever ends it: in order on Ctrl-C or SIGTERM, by the kernel when this process is
killed (`edge_agent.leash`). A process that dies unasked is reported and restarted (`simulator.process`).

What can fail: Taken, NotOurs (`simulator.home`), NoPort (`simulator.ports`), NotReady (`simulator.process`),
and what the centre raises while its database is prepared.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import time
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from edge_agent.core.states import Mode
from hal.virtual import link
from hal.virtual.world import World
from loyalty.campaign import Lang
from simulator import ports
from simulator.home import Home
from simulator.process import Process, State
from simulator.tcp_cut import TcpCut

DEVICE: Final = "kiosk-1"
SITE: Final = "ginza"
BROKER_READY_S: Final = 20.0
CENTRE_READY_S: Final = 30.0
UNIT_READY_S: Final = 30.0
CONNECT_S: Final = 1.0
SIGNS: Final = (b'"ready"', b'"started"', b'"connected":true')  # words of the processes' JSON lines that we wait for

Say = Callable[[str], None]


class DemoSettings(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """[demo]: the demo on one machine. A port that is taken is passed over for the next free one."""

    dir: Annotated[str, Meta(description="Folder that holds everything of the demo.")] = "var/demo"
    language: Annotated[Lang, Meta(description="Language of the kiosk's display: ja or en.")] = "ja"
    page_port: Annotated[int, Meta(ge=1024, le=65535, description="Port of the kiosk page.")] = 8480
    centre_port: Annotated[int, Meta(ge=1024, le=65535, description="Port of the centre's HTTP API.")] = 8470
    broker_port: Annotated[int, Meta(ge=1024, le=65535, description="Port of the MQTT broker.")] = 18830
    cable_port: Annotated[
        int, Meta(ge=1024, le=65535, description="Port of the cable between unit and broker, which can be cut.")
    ] = 18831
    till_port: Annotated[int, Meta(ge=1024, le=65535, description="Port of the cashier's page, served by a lane.")] = (
        8490
    )
    bank_port: Annotated[int, Meta(ge=1024, le=65535, description="Port of the sandbox bank.")] = 8475


class Ports(msgspec.Struct, frozen=True, kw_only=True):
    """The ports of this run."""

    page: int
    centre: int
    broker: int
    cable: int
    till: int
    bank: int


def choose_ports(settings: DemoSettings, say: Say) -> Ports:
    """Raises NoPort."""
    taken: list[int] = []
    for name in Ports.__struct_fields__:
        setting = f"{name}_port"
        taken.append(ports.pick(getattr(settings, setting), f"demo.{setting}", taken, say))
    return Ports(**dict(zip(Ports.__struct_fields__, taken, strict=True)))


def run(settings: DemoSettings, say: Say, *, reset: bool = False) -> None:
    """Run the demo until SIGINT or SIGTERM; see the module for what it raises."""
    with Home(Path(settings.dir)) as home:
        if reset:
            home.reset()
        chosen = choose_ports(settings, say)
        say(
            "preparing the centre and its story ..." if not home.central.exists() else "going on with what is there ..."
        )
        set_mode = prepare(home, chosen, settings.language)
        asyncio.run(Demo(home, chosen, set_mode, say).run())


def prepare(home: Home, chosen: Ports, language: Lang) -> Callable[[Mode], None]:
    """Logins, keys, database, story, enrolment and the settings file, as far as they are not there yet.

    Gives what writes the settings file anew, for a unit that is something else.
    """
    from simulator.setup import open_accounts, prepare_centre  # slow to import: not needed to say a port is taken

    home.make_logins(DEVICE)
    offset_min = time.localtime().tm_gmtoff // 60
    central: dict[str, dict[str, object]] = {
        "broker": {"port": chosen.broker, "password_file": str(home.passwords)},
        "central": {
            "data_dir": str(home.central),
            "card_page": f"http://127.0.0.1:{chosen.centre}/card/{{code}}",
            "utc_offset_min": offset_min,
        },
        "central.broker": {"port": chosen.broker, "password_file": str(home.password_file("centre"))},
        "central.http": {"port": chosen.centre},
        "central.bank": {"url": f"http://127.0.0.1:{chosen.bank}"},
    }
    public_key = prepare_centre(home, DEVICE, SITE, offset_min)
    open_accounts(home)

    def write(mode: Mode) -> None:
        unit: dict[str, dict[str, object]] = {
            "unit": {
                "device": DEVICE,
                "site": SITE,
                "mode": mode.value,
                "language": language,
                "data_dir": str(home.unit),
                "centre_public_key": public_key,
                "utc_offset_min": offset_min,
                "heartbeat_s": 5,
            },
            "unit.broker": {
                "port": chosen.cable,
                "password_file": str(home.password_file(DEVICE)),
                "reconnect_max_s": 3,  # whoever mends the cable is watching
            },
            "unit.virtual": {"socket": str(home.socket)},
            "unit.till": {"enabled": mode is Mode.LANE, "port": chosen.till},
        }
        home.write_settings(central | unit)

    write(Mode.KIOSK)
    return write


class Demo:
    """One run of the demo."""

    def __init__(self, home: Home, chosen: Ports, set_mode: Callable[[Mode], None], say: Say) -> None:
        self._home = home
        self._ports = chosen
        self._set_mode = set_mode
        self._say = say
        self._said: dict[str, set[bytes]] = {}  # what each process has said of itself in this life

    async def run(self) -> None:
        """Until a signal. Raises NotReady when the demo can't be started; nothing is left running then."""
        loop = asyncio.get_running_loop()
        asked_to_end = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, asked_to_end.set)
        ending = asyncio.create_task(asked_to_end.wait())
        async with contextlib.AsyncExitStack() as stack:
            starting = asyncio.create_task(self._start(stack))
            await asyncio.wait([starting, ending], return_when=asyncio.FIRST_COMPLETED)
            if starting.done():
                starting.result()
                await ending
            starting.cancel()
            await asyncio.gather(starting, return_exceptions=True)
            self._say("\nending ...")
        self._say("ended; everything is kept in " + _short(self._home.folder))

    async def _start(self, stack: contextlib.AsyncExitStack) -> None:
        from simulator.kiosk.centre import Centre
        from simulator.kiosk.pocket import Pocket
        from simulator.kiosk.server import KioskServer
        from simulator.kiosk.stage import Stage
        from simulator.setup import leaflets, members, names, operator_token, places
        from simulator.story import STAFF_PASSWORD
        from simulator.wallet import Wallet

        world = World()
        stack.enter_context(link.serve(world, self._home.socket))
        cable = TcpCut(self._ports.cable, ("127.0.0.1", self._ports.broker))
        stack.push_async_callback(cable.close)
        await cable.open()
        centre = Centre(f"http://127.0.0.1:{self._ports.centre}", operator_token(self._home))
        stack.push_async_callback(centre.close)

        async def broker_listens() -> bool:
            return b'"ready"' in self._said["broker"]

        async def centre_serves() -> bool:
            # Connected to the broker as well: a unit that asks earlier is heard only when it asks again.
            return b'"connected":true' in self._said["central"] and await centre.alive()

        async def bank_started() -> bool:
            return b'"started"' in self._said["bank"]

        async def unit_started() -> bool:
            return b'"started"' in self._said["unit"]

        bank_argv = ["simulator.bank", "--ledger", str(self._home.bank), "--port", str(self._ports.bank)]
        broker = self._process("broker", self._of_cli("broker"), broker_listens, BROKER_READY_S)
        bank = self._process("bank", bank_argv, bank_started, BROKER_READY_S)
        central = self._process("central", self._of_cli("central"), centre_serves, CENTRE_READY_S)
        unit = self._process("unit", self._of_cli("unit"), unit_started, UNIT_READY_S)
        all_of_them = {process.name: process for process in (broker, bank, central, unit)}

        async def end_all() -> None:
            await asyncio.gather(*(process.stop() for process in all_of_them.values()))

        stack.push_async_callback(end_all)
        stage = Stage(
            world=world,
            cut=cable,
            processes=all_of_them,
            centre=centre,
            members=members(),
            leaflets=leaflets(),
            names=names(),
            places=places(),
            logs=_short(self._home.logs),
            pocket=Pocket(self._home.phone_seed()),
            wallet=Wallet(self._home.wallet),
            till=f"http://127.0.0.1:{self._ports.till}/",
            set_mode=self._set_mode,
        )
        stack.push_async_callback(stage.close)

        def on_state(process: Process) -> None:
            if process.state is State.STARTING:
                self._said[process.name] = set()
            stage.on_process(process)

        def on_line(process: Process, line: bytes) -> None:
            self._said[process.name] |= {sign for sign in SIGNS if sign in line}
            if process is unit:
                stage.on_unit_line(line)

        for process in all_of_them.values():
            process.watch(on_state)
            process.listen(partial(on_line, process))
        self._say("starting broker, bank, centre and kiosk ...")
        for some in ((broker, bank), (central,), (unit,)):
            await asyncio.gather(*(process.start() for process in some))
        server = KioskServer(stage, self._ports.page)
        stack.push_async_callback(server.close)
        server.start()
        await _until_listens(self._ports.page)
        page = f"http://127.0.0.1:{self._ports.page}/"
        self._home.announce(f"process {os.getpid()}, page {page}")
        self._say(
            f"\n  kiosk page   {page}\n"
            f"  web pages    {centre.url}/        people: AAA, BBB, CCC (passwords aaa-demo, bbb-demo, ccc-demo)\n"
            f"               {centre.url}/staff   ginza, gakki, operator (password {STAFF_PASSWORD})\n"
            f"  centre API   {centre.url}/api/health\n"
            f"  logs         {_short(self._home.logs)}/\n\nCtrl-C ends everything."
        )

    def _of_cli(self, name: str) -> list[str]:
        return ["cli", name, "--config", str(self._home.settings_file)]

    def _process(self, name: str, module: list[str], ready: Callable[[], Awaitable[bool]], within_s: float) -> Process:
        argv = [sys.executable, "-m", *module]
        log = self._home.logs / f"{name}.log"
        return Process(name, argv, ready=ready, ready_within_s=within_s, log=log, say=self._say)


async def _listens(port: int) -> bool:
    try:
        async with asyncio.timeout(CONNECT_S):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
    except (OSError, TimeoutError):
        return False
    writer.close()
    return True


async def _until_listens(port: int) -> None:
    async with asyncio.timeout(BROKER_READY_S):
        while not await _listens(port):
            await asyncio.sleep(0.02)


def _short(path: Path) -> str:
    """As seen from here, where that is shorter."""
    here = Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)
