"""The kiosk page's server: the page, its live line, the controls of the world, and the phone's way to the centre.

One origin for the browser: what the phone asks of the centre passes through here (`/api/phone`), so that the
page needs no address but its own. Listens on the loopback alone; `guard` refuses other pages' requests.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from pathlib import Path
from typing import Annotated, Any, Final

import msgspec
from granian.constants import Interfaces
from granian.server.embed import Server
from litestar import Litestar, MediaType, Request, Response, WebSocket, delete, get, post, websocket
from litestar.exceptions import ClientException, WebSocketDisconnect
from litestar.params import Body
from litestar.static_files import create_static_files_router
from litestar.types import ASGIApp

from edge_agent.core.states import Mode
from hal.virtual.lens import Pose
from simulator.kiosk.centre import Answer, CentreGone
from simulator.kiosk.guard import Guard
from simulator.kiosk.live import Page
from simulator.kiosk.pictures import PICTURE_BYTES_MAX, WEBCAM_BYTES_MAX, BadPicture
from simulator.kiosk.pocket import is_ticket
from simulator.kiosk.stage import CantDo, Stage
from simulator.kiosk.symbol import symbol
from simulator.process import NotReady

STATIC: Final = Path(__file__).parent / "static"
JSON_BYTES_MAX: Final = 16 * 1024
GONE: Final = {
    "reason": "centre_gone",
    "detail": {"ja": "センターに届きません。", "en": "The centre can't be reached."},
}


class Switch(msgspec.Struct, forbid_unknown_fields=True):
    """What a control of the world is set to; each route reads its own field."""

    cut: bool = False
    on: bool = False
    full: bool = False
    run: bool = False
    name: str = ""
    offset_ms: int = 0
    button: int = 0
    mode: Mode = Mode.KIOSK


class Login(msgspec.Struct, forbid_unknown_fields=True):
    name: str
    password: str


class Wish(msgspec.Struct, forbid_unknown_fields=True):
    campaign: int
    name: str = ""  # whose phone asks
    password: str | None = None


class Screen(msgspec.Struct, forbid_unknown_fields=True):
    """A moving code that the phone shows: whose phone, and the ticket that it keeps."""

    name: str
    ticket: str


class _PoseMessage(msgspec.Struct):
    pose: Pose
    t: str


def app(stage: Stage) -> Litestar:
    """The page's application over `stage`."""

    @get("/", media_type=MediaType.HTML)
    async def index() -> bytes:
        return (STATIC / "index.html").read_bytes()

    @get("/api/demo")
    async def demo() -> dict[str, Any]:
        people = [
            {"name": one.name, "password": one.password, "about": one.about, "colours": one.colours}
            for one in stage.members.values()
        ]
        return {"people": people, "leaflets": stage.leaflets, "centre": stage.centre.url, "logs": stage.logs}

    @websocket("/live")
    async def live(socket: WebSocket[Any, Any, Any]) -> None:
        page = stage.hub.join()
        if page is None:
            await socket.close(code=1013, reason="too many pages")
            return
        await socket.accept()
        stage.greet(page)
        sender = asyncio.create_task(_send(socket, page))
        try:
            while True:
                await _heard(stage, await socket.receive())
        except WebSocketDisconnect:
            pass
        finally:
            stage.hub.leave(page)
            page.leave()
            sender.cancel()
            await asyncio.gather(sender, return_exceptions=True)

    return Litestar(
        [
            index,
            demo,
            live,
            *_world_routes(stage),
            *_phone_routes(stage),
            create_static_files_router("/static", [STATIC]),
        ],
        openapi_config=None,
        logging_config=None,  # its own writes every request of httpx to the terminal
        request_max_body_size=JSON_BYTES_MAX,
        exception_handlers={
            BadPicture: _refused,
            CantDo: _refused,
            NotReady: _refused,
            CentreGone: lambda request, error: Response(GONE, status_code=503),
        },
    )


def _refused(request: Request[Any, Any, Any], error: Exception) -> Response[dict[str, str]]:
    return Response({"detail": str(error).partition("\n")[0]}, status_code=409)


async def _send(socket: WebSocket[Any, Any, Any], page: Page) -> None:
    with contextlib.suppress(EOFError, WebSocketDisconnect, RuntimeError):
        while True:
            texts, view = await page.next()
            for text in texts:
                await socket.send_text(text)
            if view is not None:
                await socket.send_bytes(view)


async def _heard(stage: Stage, message: Any) -> None:
    """A message of the page: a pose (text) or a frame of its webcam (bytes). What is neither is dropped."""
    if message["type"] != "websocket.receive":
        raise WebSocketDisconnect(detail="the page is gone")
    frame, text = message.get("bytes"), message.get("text")
    if frame:
        if len(frame) <= WEBCAM_BYTES_MAX:
            await stage.webcam(frame)
    elif text and len(text) <= JSON_BYTES_MAX:
        with contextlib.suppress(ValueError):  # a pose out of its bounds, or no pose
            stage.move(msgspec.json.decode(text, type=_PoseMessage).pose)


def _world_routes(stage: Stage) -> list[Any]:
    @post("/api/world/picture", request_max_body_size=PICTURE_BYTES_MAX, status_code=204)
    async def hold_up(request: Request[Any, Any, Any], pose: str = "{}") -> None:
        try:
            how = msgspec.json.decode(pose, type=Pose)
            await stage.hold_up(await request.body(), how)
        except BadPicture:
            raise
        except ValueError as error:
            raise ClientException(str(error)) from error

    @delete("/api/world/picture")
    async def take_away() -> None:
        stage.take_away()

    @post("/api/world/network", status_code=204)
    async def network(data: Switch) -> None:
        await stage.network(data.cut)

    @post("/api/world/power", status_code=204)
    async def power(data: Switch) -> None:
        await stage.power(data.on)

    @post("/api/world/disk", status_code=204)
    async def disk(data: Switch) -> None:
        stage.disk(data.full)

    @post("/api/world/camera", status_code=204)
    async def camera(data: Switch) -> None:
        stage.camera(data.on)

    @post("/api/world/clock", status_code=204)
    async def clock(data: Switch) -> None:
        stage.clock(data.name, data.offset_ms)

    @post("/api/world/card", status_code=204)
    async def card(data: Switch) -> None:
        stage.card(data.name)

    @post("/api/world/button", status_code=204)
    async def button(data: Switch) -> None:
        stage.button(data.button)

    @post("/api/world/mode", status_code=204)
    async def mode(data: Switch) -> None:
        await stage.mode(data.mode)

    @post("/api/world/process/{name:str}", status_code=204)
    async def process(name: str, data: Switch) -> None:
        await stage.process(name, data.run)

    return [hold_up, take_away, network, power, disk, camera, clock, card, button, mode, process]


def _phone_routes(stage: Stage) -> list[Any]:
    def bearer(request: Request[Any, Any, Any]) -> str:
        return request.headers.get("authorization", "")

    def handed_on(answer: Answer) -> Response[Any]:
        return Response(answer.body, status_code=answer.status)

    def drawn(row: dict[str, Any]) -> dict[str, Any]:
        """A coupon of the phone, with the barcode that it shows."""
        stage.learn_name(row["campaign"], row["name"])
        place = stage.place(row.get("used_site") or "")
        return {**row, "symbol": None if is_ticket(row["text"]) else symbol(row["text"]), "used_place": place}

    @post("/api/phone/session")
    async def session(data: Login) -> Response[Any]:
        return handed_on(await stage.centre.ask("POST", "/api/session", body=msgspec.to_builtins(data)))

    @get("/api/phone/coupons")
    async def coupons() -> Response[Any]:
        return handed_on(await stage.centre.ask("GET", "/api/coupons"))

    @get("/api/phone/mine")
    async def mine(request: Request[Any, Any, Any]) -> Response[Any]:
        answer = await stage.centre.ask("GET", "/api/me/coupons", bearer=bearer(request))
        return Response([drawn(row) for row in answer.body]) if answer.ok else handed_on(answer)

    @post("/api/phone/mine")
    async def download(request: Request[Any, Any, Any], data: Annotated[Wish, Body()]) -> Response[Any]:
        wish = {
            "campaign": data.campaign,
            **({"password": data.password} if data.password else {}),
            **({"phone": stage.pocket.public(data.name).hex()} if data.name else {}),
        }
        answer = await stage.centre.ask("POST", "/api/me/coupons", bearer=bearer(request), body=wish)
        return Response(drawn(answer.body), status_code=201) if answer.ok else handed_on(answer)

    @post("/api/phone/screen", status_code=200)
    async def screen(data: Screen) -> dict[str, Any]:
        """What the phone itself makes of a ticket, every few seconds and without the centre (K4)."""
        try:
            text, until_ms = stage.pocket.shown(data.name, data.ticket, time.time_ns() // 1_000_000)
        except ValueError as error:
            raise ClientException(str(error)) from error
        return {"symbol": symbol(text), "until_ms": until_ms}

    return [session, coupons, mine, download, screen]


class KioskServer:
    """Serves the page on 127.0.0.1:`port`, in this process and loop (docs/adr: granian's embedded server)."""

    def __init__(self, stage: Stage, port: int) -> None:
        guarded: ASGIApp = Guard(app(stage), port)
        self._server = Server(guarded, "127.0.0.1", port, interface=Interfaces.ASGI, log_enabled=False)
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._server.serve())

    async def close(self, within_s: float = 5.0) -> None:
        if self._task is None:
            return
        if not self._task.done():
            self._server.stop()  # type: ignore[no-untyped-call]
        await asyncio.wait([self._task], timeout=within_s)
        self._task.cancel()
