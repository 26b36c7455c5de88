"""`tokuten unit`: run the agent of one unit with the backends that the settings name."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.exits import Stop
from cli.machine import Lines, enrolled
from cli.settings import load

if TYPE_CHECKING:
    from nacl.signing import SigningKey

    from edge_agent.settings import UnitSettings


def unit(
    config: Annotated[Path | None, typer.Option("--config", help="Settings file (TOML); its section unit.")] = None,
    print_key: Annotated[
        bool, typer.Option("--print-key", help="Print the device's public key, to enrol it, and end.")
    ] = False,
) -> None:
    """Run a unit: camera, decisions, journal, report. One JSON line for each step on standard output."""
    from edge_agent.settings import UnitSettings

    settings = load("unit", UnitSettings, config)
    key = enrolled("unit", settings, print_key=print_key)
    if key is not None:
        _run(settings, key)


def _run(settings: UnitSettings, key: SigningKey) -> None:
    from importlib.metadata import version

    from nacl.signing import VerifyKey

    from edge_agent.buttons import ButtonPoller
    from edge_agent.core.states import State
    from edge_agent.fittings import NO_PART, fit, options
    from edge_agent.panel import Panel
    from edge_agent.parts import CardPoller
    from edge_agent.reboot import Reboot
    from edge_agent.runner import Agent
    from edge_agent.scanners import readers
    from edge_agent.start import on_store
    from edge_agent.steps import StepLog
    from edge_agent.store.store import Store
    from edge_agent.till.faults import TillSettingsError
    from edge_agent.till.open import open_till
    from edge_agent.timekeeper import Timekeeper
    from edge_agent.watchdog import Watchdog
    from hal import backends
    from hal.card import Counting
    from hal.decode.process import CameraProcess
    from hal.events import HalEvent

    parts = settings.parts
    clock = backends.open_clock(parts.clock, options(settings, parts.clock, "clock"))
    lines = Lines()
    reading = clock.read
    steps = StepLog(lines.write, lambda: (now := reading()).wall_ms - now.mono_ms)
    display, indicators, tender = fit(settings)
    camera: CameraProcess | None = None

    def keep_frame(frame: int, reason: str) -> None:
        if camera is not None:
            camera.keep_refused(frame)

    def plug_in(store: Store) -> Agent:
        time = Timekeeper(clock, int(store.cache.meta("floor_ms", 0)))
        return Agent(
            settings,
            store=store,
            panel=Panel(
                display,
                indicators,
                lang=settings.language,
                utc_offset_min=settings.utc_offset_min,
                wall_ms=lambda: time.now().wall_ms,
            ),
            time=time,
            steps=steps,
            keys=(key, VerifyKey(bytes.fromhex(settings.centre_public_key))),
            version=version("tokuten"),
            keep_frame=keep_frame if settings.keep_refused_frames_s else None,
        )

    agent = on_store(settings, clock, steps, plug_in)
    reboot, watchdog = Reboot(settings.reboot_file), Watchdog()

    def from_camera(event: HalEvent) -> None:
        reboot.heard(event)
        agent.inbox.put(event)

    def each_turn() -> None:
        watchdog.beat()
        reboot.look(agent.visit.state is State.READY)

    camera = CameraProcess(
        parts.camera,
        options(settings, parts.camera, "camera"),
        from_camera,
        keep_frames_s=settings.keep_refused_frames_s,
        frames_folder=settings.folder / "frames",
        also=settings.shop.symbols,
    )
    cards: CardPoller | None = None
    if parts.card != NO_PART:
        reader = backends.open_card(parts.card, options(settings, parts.card, "card"))
        cards = CardPoller(reader, agent.inbox.put)
        if isinstance(reader, Counting):
            agent.board_counts = reader
        agent.card_writer = cards.ask
    scanners = readers(settings, agent.inbox.put)
    buttons = ButtonPoller(indicators, agent.inbox.put)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: agent.stop())
    try:
        till = open_till(agent, settings)
    except TillSettingsError as error:
        raise Stop(str(error)) from error
    camera.start()
    if cards is not None:
        cards.start()
    for scanner in scanners:
        scanner.start()
    buttons.start()
    tender.start(agent.inbox.put)
    watchdog.ready()
    try:
        agent.run(each_turn)
    finally:
        watchdog.stopping()
        tender.stop()
        buttons.stop()
        till.close()
        for scanner in scanners:
            scanner.stop()
        if cards is not None:
            cards.stop()
        camera.stop()
        lines.close()
