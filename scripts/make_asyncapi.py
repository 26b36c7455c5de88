"""The MQTT tree for people and tools: docs/asyncapi.yaml (AsyncAPI 3.0) and docs/topics.md, made from `wire`.

Nothing is written by hand but the frame: topics, directions, QoS and retention come from `wire.topics.LEAVES`, the
payloads from the types in `wire.messages` and `wire.facts`. A test holds the files against the code.
"""

from __future__ import annotations

import inspect
from importlib.metadata import version
from typing import Any, Final

import msgspec
import yaml

from wire import facts, messages
from wire.topics import ALL, DN_ACK, DN_CMD, DN_FEED, LEAVES, PACKET_BYTES_MAX, ROOT, Leaf

SEALED: Final = (DN_ACK, DN_FEED, DN_CMD)  # signed by the centre over topic and body: `wire.envelope`
FOR_ALL: Final = (DN_FEED, DN_CMD)  # also for every unit of a site at once
REF: Final = "#/components/schemas/{name}"
BYTES: Final = {"type": "string", "contentEncoding": "base64"}  # as msgspec says 'bytes'; in MessagePack it is bin


def asyncapi() -> dict[str, Any]:
    """The document."""
    payloads, schemas = _schemas()
    document = {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Tokuten",
            "version": version("tokuten"),
            "license": {"name": "Apache-2.0"},
            "description": (
                "What units and the centre say to each other over MQTT 3.1.1, clean sessions, packets of at most "
                f"{PACKET_BYTES_MAX} bytes. Payloads are MessagePack; the schemas describe their values, where bytes "
                "stand as base64 and a structure is an array in the order of its fields. Unknown trailing fields are "
                "ignored. A broker's acknowledgement proves nothing: a fact is booked when dn/ack says so."
            ),
        },
        "defaultContentType": "application/msgpack",
        "channels": {_channel(leaf): _channel_body(leaf) for leaf in LEAVES}
        | {_channel(leaf, ALL): _channel_body(leaf, ALL) for leaf in FOR_ALL},
        "operations": dict(_operation(leaf) for leaf in LEAVES) | dict(_operation(leaf, ALL) for leaf in FOR_ALL),
        "components": {
            "parameters": {
                name: {"description": f"The {name}: 1 to 32 of a-z, 0-9, _ and -."}
                for name in ("tenant", "site", "device")
            },
            "messages": {leaf.message: _message(leaf, payloads[leaf.message]) for leaf in LEAVES},
            "schemas": schemas,
        },
    }
    return msgspec.json.decode(msgspec.json.encode(document))  # type: ignore[no-any-return]  # tuples become lists


def topics_page() -> str:
    """docs/topics.md"""
    rows = "\n".join(
        f"| `{leaf.path}` | {'unit' if leaf.upward else 'centre'} | {leaf.qos} | {'yes' if leaf.retained else ''} | "
        f"{'yes' if leaf in SEALED else ''} | `{leaf.message}` | {leaf.meaning} |"
        for leaf in LEAVES
    )
    also = " and ".join(f"`{leaf.path}`" for leaf in FOR_ALL)
    return f"""<!-- made by scripts/make_asyncapi.py from wire/topics.py -->
# Topics

Every topic is `{ROOT}/{{tenant}}/{{site}}/{{device}}/` and one of the leaves below. Ids are 1 to 32 of `a-z`, `0-9`,
`_` and `-`. A packet has at most {PACKET_BYTES_MAX // 1024} KiB. {also} exist also under `{ALL}` in the place of a
device, for every unit of a site. A unit publishes only under its own `up/` and `st/` and reads only its own `dn/`
and what is for `{ALL}`; the broker holds it to that (`deploy/mosquitto/tokuten.acl`).

| leaf | said by | QoS | retained | sealed | message | meaning |
|---|---|---|---|---|---|---|
{rows}

*Sealed*: a MessagePack array of an Ed25519 signature by the centre, over the topic and the body, and the body.
The messages are described in [asyncapi.yaml](asyncapi.yaml), an AsyncAPI 3.0 document made from the same code.
"""


def _channel(leaf: Leaf, device: str = "") -> str:
    """A channel's name: 'up_ev', 'all_dn_feed'."""
    return (f"{device}/{leaf.path}" if device else leaf.path).replace("/", "_")


def _channel_body(leaf: Leaf, device: str = "") -> dict[str, Any]:
    names = ("tenant", "site") if device else ("tenant", "site", "device")
    return {
        "address": f"{ROOT}/{{tenant}}/{{site}}/{device or '{device}'}/{leaf.path}",
        "description": leaf.meaning,
        "parameters": {name: {"$ref": f"#/components/parameters/{name}"} for name in names},
        "messages": {leaf.message: {"$ref": f"#/components/messages/{leaf.message}"}},
    }


def _operation(leaf: Leaf, device: str = "") -> tuple[str, dict[str, Any]]:
    """From the unit's side: it sends what goes up, it receives what goes down."""
    action = "send" if leaf.upward else "receive"
    return f"{action}_{_channel(leaf, device)}", {
        "action": action,
        "channel": {"$ref": f"#/channels/{_channel(leaf, device)}"},
        "bindings": {"mqtt": {"qos": leaf.qos, "retain": leaf.retained, "bindingVersion": "0.2.0"}},
    }


def _message(leaf: Leaf, payload: dict[str, Any]) -> dict[str, Any]:
    if leaf in SEALED:
        signature = {
            **BYTES,
            "title": "signature",
            "description": "Ed25519, 64 bytes, by the centre over topic, 0, body.",
        }
        body = {**BYTES, "title": "body", "contentMediaType": "application/msgpack", "x-content": payload}
        payload = {"type": "array", "title": "sealed", "items": [signature, body], "minItems": 2}
    return {"title": leaf.message, "summary": leaf.meaning, "payload": payload}


def _schemas() -> tuple[dict[str, Any], dict[str, Any]]:
    """(payload schema of each message of the tree, every type they are made of)."""
    names = [leaf.message for leaf in LEAVES]
    types = [getattr(messages, name) for name in names]
    found, components = msgspec.json.schema_components([*types, facts.Fact], ref_template=REF)
    for name, schema in components.items():
        kind = getattr(messages, name, None) or getattr(facts, name, None)
        if "description" in schema:
            schema["description"] = inspect.cleandoc(schema["description"])
        if kind is not None and "prefixItems" in schema:
            # AsyncAPI 3.0 speaks JSON Schema draft 07, which calls the items of a tuple 'items'
            schema["items"] = _named(schema.pop("prefixItems"), kind)
    batch = next(item for item in components["Batch"]["items"] if item["title"] == "facts")
    batch["items"] |= {"contentMediaType": "application/msgpack", "x-content": found[-1]}
    return dict(zip(names, found, strict=False)), components


def _named(items: list[dict[str, Any]], kind: type[msgspec.Struct]) -> list[dict[str, Any]]:
    """An array-like struct's schema has no names: put each field's name on its item."""
    names = list(kind.__struct_encode_fields__)
    if len(items) == len(names) + 1:
        names.insert(0, "type")
    return [{"title": name, **item} for item, name in zip(items, names, strict=True)]


def pages() -> dict[str, str]:
    """What this generator writes: path below the repository and text."""
    head = "# made by scripts/make_asyncapi.py from wire/topics.py, wire/messages.py and wire/facts.py\n"
    document = yaml.safe_dump(asyncapi(), sort_keys=False, width=110, allow_unicode=True)
    return {"docs/asyncapi.yaml": head + document, "docs/topics.md": topics_page()}
