"""docs/openapi.json: the description of the centre's HTTP interface, as `/api/openapi.json` serves it."""

from __future__ import annotations

import json
import tempfile
from functools import cache
from typing import Any, Final

PATH: Final = "docs/openapi.json"


@cache
def openapi() -> dict[str, Any]:
    from litestar.testing import TestClient

    from central.http.app import create_app
    from central.office import create
    from central.settings import CentralSettings

    with tempfile.TemporaryDirectory(prefix="tokuten-") as folder:
        office = create(CentralSettings(data_dir=folder))
        with TestClient(create_app(office)) as client:
            described: dict[str, Any] = client.get("/api/openapi.json").json()
        office.close()
    return described


def pages() -> dict[str, str]:
    return {PATH: json.dumps(openapi(), ensure_ascii=False, indent=2, sort_keys=True) + "\n"}
