"""What each endpoint may answer and who may ask it, as its OpenAPI description says: `/api/openapi.json`.

Every refusal has the same shape, `Problem`. `problems(...)` names the statuses that an endpoint really answers with;
the fuzzer (tests/unit/central/test_api_fuzz.py) holds them against what comes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol, TypedDict, TypeVar

import msgspec
from litestar import Litestar, Request
from litestar.enums import HttpMethod
from litestar.handlers import HTTPRouteHandler
from litestar.openapi import OpenAPIConfig, ResponseSpec
from litestar.openapi.spec import (
    Components,
    Contact,
    OpenAPIMediaType,
    Operation,
    Reference,
    RequestBody,
    SecurityScheme,
)
from litestar.types import Method

TITLE: Final = "Tokuten: the centre"
VERSION: Final = "1"
_WHY: Final[dict[int, str]] = {
    400: "The request is not of the form that is described here.",
    401: "Nobody is logged in by this token, or it is over.",
    403: "Whoever asks may not have this.",
    404: "There is no such thing.",
    409: "It can't be done as things stand; the reason says why.",
    422: "It contradicts itself; `problems` says where.",
    429: "Too many requests, or too many tries. Wait as long as `Retry-After` says, where it is there.",
    413: "The body is larger than 16 KiB.",
    503: "The database does not answer. The same later may be answered.",
}
_ALWAYS: Final = (400, 503)
PERSON: Final[list[dict[str, list[str]]]] = [{"person": []}]
OPERATOR: Final[list[dict[str, list[str]]]] = [{"operator": []}]
TOKEN: Final[list[dict[str, list[str]]]] = [{"token": []}]


T = TypeVar("T")


class ReadBody(Protocol):
    """Reads a request's JSON. Raises ApiRefusal."""

    async def __call__(self, request: Request[Any, Any, Any], kind: type[T]) -> T: ...


class Detail(msgspec.Struct):
    ja: str
    en: str


class Problem(msgspec.Struct):
    """A refusal. `reason` is a word for programs, `detail` a sentence for people."""

    reason: str
    detail: Detail
    problems: list[str] = []  # of a coupon that can't be issued: a sentence each, the field first


def problems(*statuses: int) -> dict[int, ResponseSpec]:
    """These refusals, and those that any endpoint may give."""
    return {
        status: ResponseSpec(Problem, description=_WHY[status], generate_examples=False)
        for status in sorted({*statuses, *_ALWAYS})
    }


class Takes(TypedDict):
    operation_class: type[Operation]
    responses: dict[int, ResponseSpec]


def takes(kind: type[msgspec.Struct], *statuses: int) -> Takes:
    """Of an endpoint whose body is a `kind`, read to the letter by a `ReadBody`: it must be named to `describe`, too.

    Litestar's own way of reading bodies takes a text for a number, which is not what a description says.
    """

    @dataclass
    class Taking(Operation):
        def __post_init__(self) -> None:
            schema = Reference(ref=f"#/components/schemas/{kind.__name__}")
            self.request_body = RequestBody(required=True, content={"application/json": OpenAPIMediaType(schema)})

    return {"operation_class": Taking, "responses": problems(413, *statuses)}


def _operation_id(_handler: HTTPRouteHandler, method: Method | HttpMethod, path: list[Any]) -> str:
    """'get_own_coupons': by the path, which stays when a function is renamed."""
    words = [str(getattr(part, "name", part)) for part in path]
    return "_".join([HttpMethod(method).value.lower(), *words[1:]])


def describe(endpoints: Sequence[HTTPRouteHandler], bodies: Sequence[type[msgspec.Struct]]) -> dict[str, Any]:
    """The description of these endpoints, as a JSON object. `bodies`: every struct that one of them `takes`.

    It is made by an application of its own: Litestar's pages for reading a description are not served by the real one.
    """
    described = Litestar(list(endpoints), openapi_config=_config(), logging_config=None).openapi_schema.to_schema()
    _, schemas = msgspec.json.schema_components(bodies, ref_template="#/components/schemas/{name}")
    described["components"]["schemas"] |= schemas
    return described


def _config() -> OpenAPIConfig:
    bearer: dict[str, Any] = {"type": "http", "scheme": "bearer"}
    return OpenAPIConfig(
        title=TITLE,
        version=VERSION,
        summary="For phones (a person's token), operators (the token in the centre's folder) and the programs of shops "
        "and providers (tokens that an operator issues).",
        contact=Contact(name="docs/api.md"),
        operation_id_creator=_operation_id,
        use_handler_docstrings=True,
        components=Components(
            security_schemes={
                "person": SecurityScheme(**bearer, description="From `POST /api/session`."),
                "operator": SecurityScheme(**bearer, description="The line in `keys/operator.token` of the centre."),
                "token": SecurityScheme(**bearer, description="Issued by an operator, with scopes; see docs/api.md."),
            },
        ),
    )
