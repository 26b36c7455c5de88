"""The till's HTTP interface for people and tools: docs/till-openapi.yaml (OpenAPI 3.1), made from its handlers."""

from __future__ import annotations

from typing import Any

import msgspec
import yaml
from litestar.serialization import encode_json

from edge_agent.core.events import TillAsks
from edge_agent.till.api import Interface, create_app
from edge_agent.till.desk import Desk
from edge_agent.till.shapes import Lane

HEAD = "# made by scripts/make_till_api.py from edge_agent/till/api.py\n"


def openapi() -> dict[str, Any]:
    """The document as the lane serves it."""

    def nowhere(asked: TillAsks) -> bool:
        return False

    def no_lane() -> Lane:
        raise LookupError("there is no lane behind a document")

    app = create_app(Interface(Desk(nowhere), no_lane, 3_000))
    found: dict[str, Any] = msgspec.json.decode(encode_json(app.openapi_schema.to_schema()))
    return found


def pages() -> dict[str, str]:
    """What this generator writes: path below the repository and text."""
    document = yaml.safe_dump(openapi(), sort_keys=False, width=110, allow_unicode=True)
    return {"docs/till-openapi.yaml": HEAD + document}
