"""The till's HTTP interface: sales, their coupons, payment, void and refund; its OpenAPI document; the cashier's page.

Every act may be said again with the same ids and has the same answer. The handlers know nothing of coupons or money:
they turn JSON into acts (`core.events.Act`), wait at the desk, and turn answers into JSON.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Annotated, Any, Final

from litestar import Litestar, MediaType, Request, Response, delete, get, post, put
from litestar.exceptions import HTTPException
from litestar.openapi.config import OpenAPIConfig
from litestar.openapi.datastructures import ResponseSpec
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.openapi.spec import Components, SecurityScheme
from litestar.params import JSONBody, PathParameter
from litestar.static_files import create_static_files_router

from edge_agent.core import events as ev
from edge_agent.core.receipt import SaleView, TillAnswer
from edge_agent.till.desk import Desk, NoAnswer
from edge_agent.till.door import HANDLED_MAX
from edge_agent.till.problem import BY_STATUS, MEDIA_TYPE, PROBLEMS, TillProblem, problem
from edge_agent.till.shapes import (
    CouponAnswer,
    CouponText,
    Goods,
    Lane,
    Opening,
    Payment,
    Problem,
    Refund,
    Reversal,
    Void,
)

ABOUT: Final = """\
One sale at a time: open it, replace its lines as goods are scanned, add coupons (those that shoppers hold to the lane's
own camera come by themselves), pay or cancel. Every answer is the whole sale. Ids of sales, payments and reversals are
made by the till; said again, an act has the same answer, also after the lane was switched off in between. A coupon that
does not count is an answer with its reason; what was not done is a problem (RFC 9457). Money is whole yen."""
API_VERSION: Final = "1"  # also in the paths; what is added to it breaks no till
STATIC: Final = Path(__file__).parent / "static"
PAY_WITHIN_S: Final = 12.0  # longer than the bank and the card together take (core.paying, core.cards)
ASK_MARGIN_S: Final = 1.0
log = logging.getLogger(__name__)

Name = Annotated[
    str,
    PathParameter(pattern="^[0-9a-f]{32}$", description="The till's own id of the sale: 32 hexadecimal digits."),
]
CouponName = Annotated[
    str, PathParameter(pattern="^[0-9a-f]{32}$", description="The coupon's id, as the sale names it.")
]

Why = Annotated[str, PathParameter(max_length=64, description="The `reason` of a problem.")]


def _says(*statuses: int) -> dict[int, ResponseSpec]:
    always = (400, 401, 403, 404, 408, 409, 413, 415, 422, 503)
    return {
        status: ResponseSpec(Problem, description="Why not", media_type=MEDIA_TYPE, generate_examples=False)
        for status in sorted({*always, *statuses})
    }


class Interface:
    """What the handlers work with."""

    def __init__(self, desk: Desk, lane: Callable[[], Lane], ask_wait_ms: int) -> None:
        self.desk, self.lane, self.ask_within_s = desk, lane, ask_wait_ms / 1000 + ASK_MARGIN_S
        self._pool = ThreadPoolExecutor(HANDLED_MAX, thread_name_prefix="till")

    async def done(self, sale: str, act: ev.Act) -> SaleView:
        return _sale(await self._asked(lambda: self.desk.ask(bytes.fromhex(sale), act)))

    async def add_coupon(self, sale: str, act: ev.AddCoupon) -> CouponAnswer:
        answer = await self._asked(lambda: self.desk.add_coupon(bytes.fromhex(sale), act, self.ask_within_s))
        return CouponAnswer(coupon=answer.coupon, sale=_sale(answer))

    async def pay(self, sale: str, act: ev.PaySale) -> SaleView:
        return _sale(await self._asked(lambda: self.desk.pay(bytes.fromhex(sale), act, PAY_WITHIN_S)))

    async def reverse(self, sale: str, act: ev.ReverseSale) -> Reversal:
        answer = await self._asked(lambda: self.desk.ask(bytes.fromhex(sale), act))
        if answer.refusal is not None:
            raise TillProblem(answer.refusal, sale=answer.sale)
        return Reversal(id=act.id.hex(), kind=act.kind, yen=act.yen, sale=answer.sale)

    async def _asked(self, ask: Callable[[], TillAnswer]) -> TillAnswer:
        """Waits in a thread of its own: the loop goes on."""
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, ask)
        except NoAnswer as error:
            raise TillProblem("no_answer", str(error)) from error


def _sale(answer: TillAnswer) -> SaleView:
    """Raises TillProblem for a refusal."""
    if answer.refusal is not None or answer.sale is None:
        raise TillProblem(answer.refusal or "no_answer", sale=answer.sale)
    return answer.sale


def create_app(interface: Interface) -> Litestar:
    """The application; `till.door` stands before it."""

    @get("/v1/lane", responses=_says(), operation_id="readLane", summary="The lane, as it is now", sync_to_thread=False)
    def read_lane() -> Lane:
        return interface.lane()

    @put("/v1/sales/{sale:str}", responses=_says(), operation_id="openSale",
         summary="Open a sale, or replace what lies in it")  # fmt: skip
    async def open_sale(sale: Name, data: JSONBody[Opening]) -> SaleView:
        return await interface.done(sale, ev.OpenSale(lines=tuple(goods.line for goods in data.lines)))

    @get("/v1/sales/{sale:str}", responses=_says(), operation_id="readSale",
         summary="A sale: coupons, discounts, tax, points, total; the receipt of one that is paid")  # fmt: skip
    async def read_sale(sale: Name) -> SaleView:
        return await interface.done(sale, ev.ReadSale())

    @delete("/v1/sales/{sale:str}", responses=_says(), operation_id="cancelSale", status_code=200,
            summary="Give a sale up: its coupons are released, and it never opens again")  # fmt: skip
    async def cancel_sale(sale: Name) -> SaleView:
        return await interface.done(sale, ev.CancelSale())

    @post("/v1/sales/{sale:str}/coupons", responses=_says(), operation_id="addCoupon",
          status_code=200, summary="A coupon that the till has read itself")  # fmt: skip
    async def add_coupon(sale: Name, data: JSONBody[CouponText]) -> CouponAnswer:
        text = data.text.encode("utf-8", "replace")
        return await interface.add_coupon(sale, ev.AddCoupon(text=text, format=data.format.value))

    @delete("/v1/sales/{sale:str}/coupons/{coupon:str}", responses=_says(), operation_id="dropCoupon", status_code=200,
            summary="Take a coupon out of the sale")  # fmt: skip
    async def drop_coupon(sale: Name, coupon: CouponName) -> SaleView:
        return await interface.done(sale, ev.DropCoupon(coupon=bytes.fromhex(coupon)))

    @post("/v1/sales/{sale:str}/payment", responses=_says(402), operation_id="paySale",
          status_code=200, summary="The sale is paid: coupons redeem, points move")  # fmt: skip
    async def pay_sale(sale: Name, data: JSONBody[Payment]) -> SaleView:
        if (data.tender is ev.Tender.ACCOUNT) != bool(data.account) or bool(data.programme) != bool(data.points):
            raise TillProblem("bad_request", "an account belongs to the tender account, points to their programme")
        act = ev.PaySale(
            payment=bytes.fromhex(data.payment),
            tender=data.tender,
            account=bytes.fromhex(data.account),
            programme=data.programme,
            points=data.points,
        )
        return await interface.pay(sale, act)

    @post("/v1/sales/{sale:str}/void", responses=_says(), operation_id="voidSale",
          status_code=200, summary="Take a paid sale back, whole")  # fmt: skip
    async def void_sale(sale: Name, data: JSONBody[Void]) -> Reversal:
        return await interface.reverse(sale, ev.ReverseSale(id=bytes.fromhex(data.id), kind="void"))

    @post("/v1/sales/{sale:str}/refund", responses=_says(), operation_id="refundSale",
          status_code=200, summary="Give back a part of a paid sale, or all that is left of it")  # fmt: skip
    async def refund_sale(sale: Name, data: JSONBody[Refund]) -> Reversal:
        return await interface.reverse(sale, ev.ReverseSale(id=bytes.fromhex(data.id), kind="refund", yen=data.yen))

    @get("/v1/problems/{reason:str}", responses=_says(), operation_id="readProblem", sync_to_thread=False,
         summary="What a reason means")  # fmt: skip
    def read_problem(reason: Why) -> Problem:
        if reason not in PROBLEMS:
            raise TillProblem("not_found")
        return problem(reason)

    @get("/", media_type=MediaType.HTML, include_in_schema=False, sync_to_thread=False)
    def page() -> bytes:
        return (STATIC / "cashier.html").read_bytes()

    app = Litestar(
        [
            read_lane, open_sale, read_sale, cancel_sale, add_coupon, drop_coupon, pay_sale, void_sale, refund_sale,
            read_problem, page, create_static_files_router("/static", [STATIC], include_in_schema=False),
        ],
        openapi_config=OpenAPIConfig(
            title="Tokuten: the till interface of a lane",
            version=API_VERSION,
            description=ABOUT,
            path="/v1",
            render_plugins=[JsonRenderPlugin()],
            components=Components(
                security_schemes={"token": SecurityScheme(type="http", scheme="bearer", description="Where it is set.")}
            ),
            security=[{}, {"token": []}],
        ),
        logging_config=None,  # the unit's own log goes on as it is
        exception_handlers={
            TillProblem: _refused,
            HTTPException: _of_http,
            Exception: _fault,
        },
    )  # fmt: skip
    schemas = app.openapi_schema.components.schemas if app.openapi_schema.components else None
    for sent in (Goods, Opening, CouponText, Payment, Void, Refund):  # a field that is not known is refused
        found = schemas.get(sent.__name__) if schemas else None
        assert found is not None, f"{sent.__name__} stands in the document"
        found.additional_properties = False
    return app


def _response(body: Problem) -> Response[Problem]:
    return Response(body, status_code=body.status, media_type=MEDIA_TYPE)


def _refused(request: Request[Any, Any, Any], error: TillProblem) -> Response[Problem]:
    return _response(problem(error.reason, error.detail, error.sale))


def _of_http(request: Request[Any, Any, Any], error: HTTPException) -> Response[Problem]:
    reason = BY_STATUS.get(error.status_code)
    return _fault(request, error) if reason is None else _response(problem(reason, _what(error)))


def _what(error: HTTPException) -> str:
    """What exactly is wrong, without what was sent."""
    extra = error.extra
    if isinstance(extra, list):
        return "; ".join(f"{one.get('key', '')}: {one.get('message', '')}" for one in extra if isinstance(one, dict))
    return ""


def _fault(request: Request[Any, Any, Any], error: Exception) -> Response[Problem]:
    log.error("the till's interface: %r", error)
    return _response(problem("fault"))
