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
    from edge_agent.panel import Panel
    from edge_agent.parts import CardPoller
    from edge_agent.runner import Agent
    from edge_agent.start import on_store
    from edge_agent.steps import StepLog
    from edge_agent.store.store import Store
    from edge_agent.till.faults import TillSettingsError
    from edge_agent.till.open import open_till
    from edge_agent.timekeeper import Timekeeper
    from hal import backends
    from hal.card import Counting
    from hal.decode.process import CameraProcess

    def options(backend: str) -> dict[str, object]:
        return {"device": settings.board.device} if backend == "board" else {"socket": settings.virtual.socket}

    clock = backends.open_clock(settings.parts.clock, options(settings.parts.clock))
    lines = Lines()
    reading = clock.read
    steps = StepLog(lines.write, lambda: (now := reading()).wall_ms - now.mono_ms)
    display = backends.open_display(settings.parts.display, options(settings.parts.display))
    indicators = backends.open_indicators(settings.parts.indicators, options(settings.parts.indicators))
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
    camera = CameraProcess(
        settings.parts.camera,
        options(settings.parts.camera),
        agent.inbox.put,
        keep_frames_s=settings.keep_refused_frames_s,
        frames_folder=settings.folder / "frames",
        also=settings.shop.symbols,
    )
    reader = backends.open_card(settings.parts.card, options(settings.parts.card))
    cards = CardPoller(reader, agent.inbox.put)
    if isinstance(reader, Counting):
        agent.board_counts = reader
    agent.card_writer = cards.ask
    buttons = ButtonPoller(indicators, agent.inbox.put)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: agent.stop())
    try:
        till = open_till(agent, settings)
    except TillSettingsError as error:
        raise Stop(str(error)) from error
    camera.start()
    cards.start()
    buttons.start()
    try:
        agent.run()
    finally:
        buttons.stop()
        till.close()
        cards.stop()
        camera.stop()
        lines.close()
