"""Opens what `[unit.till]` asks for: the HTTP interface, the serial line, the keyboard; and closes it again."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

from edge_agent.till.desk import Desk
from edge_agent.till.faults import TillSettingsError

if TYPE_CHECKING:
    from edge_agent.runner import Agent
    from edge_agent.settings import UnitSettings
    from edge_agent.till.shapes import Lane


def open_till(agent: Agent, settings: UnitSettings) -> ExitStack:
    """Close it before the agent. Raises TillSettingsError."""
    try:
        return _opened(agent, settings)
    except ModuleNotFoundError as error:
        raise TillSettingsError(f"[unit.till] needs the extra 'till': {error.name} is missing") from error


def _opened(agent: Agent, settings: UnitSettings) -> ExitStack:
    with ExitStack() as stack:
        till = settings.till
        if till.wedge.device:
            _type(agent, settings, stack)
        if till.enabled or till.serial_device:
            desk = Desk(agent.inbox.put)
            agent.till = desk
            if till.enabled:
                _serve(agent, settings, desk, stack)
            if till.serial_device:
                _talk(agent, settings, desk, stack)
        return stack.pop_all()


def _serve(agent: Agent, settings: UnitSettings, desk: Desk, stack: ExitStack) -> None:
    from edge_agent.till.api import Interface, create_app
    from edge_agent.till.server import TillServer

    interface = Interface(desk, lambda: _lane(agent, settings), settings.ask_wait_ms)
    server = TillServer(create_app(interface), settings.till)
    server.start()
    stack.callback(server.stop)
    desk.watch(server)


def _talk(agent: Agent, settings: UnitSettings, desk: Desk, stack: ExitStack) -> None:
    from edge_agent.till.line import LineTill
    from edge_agent.till.tty import SerialTill

    serial = SerialTill(settings.till.serial_device, settings.till.serial_baud, LineTill(desk), agent.inbox.put)
    serial.start()
    stack.callback(serial.stop)
    desk.watch(serial)


def _type(agent: Agent, settings: UnitSettings, stack: ExitStack) -> None:
    from edge_agent.till.wedge import Wedge

    wedge = Wedge(settings.till.wedge, agent.inbox.put)
    wedge.start()
    stack.callback(wedge.stop)
    agent.counted = wedge.counted


def _lane(agent: Agent, settings: UnitSettings) -> Lane:
    from edge_agent.till.shapes import Lane

    visit = agent.visit
    return Lane(
        device=settings.device,
        site=settings.site,
        mode=settings.mode.value,
        state=visit.state.value,
        language=settings.language,
        online=visit.reach.online,
        waiting=agent.waiting,
        sale=visit.sale.id.hex() if visit.sale is not None else None,
        card=bool(visit.card),
        member=visit.member is not None,
    )
