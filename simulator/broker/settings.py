"""The settings of `tokuten broker`, section [broker]."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta


class BrokerSettings(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """The embedded broker. Whoever wants TLS, persistence or clusters runs Mosquitto or another broker instead."""

    password_file: Annotated[
        str, Meta(description="Who may log in: lines `name:$7$...` as `mosquitto_passwd` and `--add-user` write them.")
    ]
    host: Annotated[str, Meta(description="Address to listen on.")] = "127.0.0.1"
    port: Annotated[int, Meta(ge=1, le=65535, description="TCP port to listen on.")] = 1883
    connections_max: Annotated[
        int, Meta(ge=1, le=10_000, description="Connections at a time; further ones wait to be accepted.")
    ] = 200
