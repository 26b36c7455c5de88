"""The docs say what the code does: generated pages are current, every setting, topic, row and exit code is there."""

from __future__ import annotations

import re
from typing import Any

import msgspec
import pytest
import yaml

from cli.settings import OWNERS, describe, owner
from scripts import make_traceability
from scripts.make_asyncapi import asyncapi
from scripts.make_docs import out_of_date
from tests.servers import ROOT
from wire import messages
from wire.topics import ALL, LEAVES, Address, Leaf, subscriptions

ROWS = {"K": 10, "G": 10, "B": 7, "P": 17, "M": 12}
SHOWN = ("K1", "K2", "K3", "K4", "K5", "K6", "K7", "K8", "K9")  # what this version promises


def test_the_generated_pages_are_current() -> None:
    assert out_of_date() == [], "run: make docs"


@pytest.mark.parametrize("section", OWNERS)
def test_every_setting_is_described_with_its_default(section: str) -> None:
    page = (ROOT / "docs/settings.md").read_text()
    for setting in describe(section, owner(section)):
        assert setting.description, f"{setting.path} has no description"
        row = next((line for line in page.splitlines() if line.startswith(f"| `{setting.path}` |")), "")
        assert row, f"docs/settings.md does not name {setting.path}"
        assert setting.default in row


def test_the_document_of_the_topics_is_what_the_code_speaks() -> None:
    document = yaml.safe_load((ROOT / "docs/asyncapi.yaml").read_text())
    assert document == asyncapi()
    assert document["asyncapi"] == "3.0.0"
    where = Address("{tenant}", "{site}", "{device}")
    said = {channel["address"] for channel in document["channels"].values()}
    assert said == {where.topic(leaf) for leaf in LEAVES} | {topic for topic, _ in subscriptions(where)}
    for leaf in LEAVES:
        operation = next(
            one for one in document["operations"].values() if one["channel"]["$ref"].endswith(f"/{_name(leaf)}")
        )
        assert operation["action"] == ("send" if leaf.upward else "receive")
        assert operation["bindings"]["mqtt"]["qos"] == leaf.qos
        assert operation["bindings"]["mqtt"]["retain"] == leaf.retained


def test_every_reference_of_the_document_leads_somewhere() -> None:
    document = yaml.safe_load((ROOT / "docs/asyncapi.yaml").read_text())
    references = list(_references(document))
    assert len(references) > 2 * len(LEAVES)
    for reference in references:
        place: Any = document
        for step in reference.removeprefix("#/").split("/"):
            assert step in place, f"{reference} leads nowhere"
            place = place[step]


def test_a_message_has_the_fields_of_its_schema_in_that_order() -> None:
    schemas = yaml.safe_load((ROOT / "docs/asyncapi.yaml").read_text())["components"]["schemas"]
    batch = messages.Batch(b"e" * 16, 1, b"b" * 32, b"a" * 32, [b"fact"], b"s" * 64)
    encoded = msgspec.msgpack.decode(messages.encode(batch))
    assert [item["title"] for item in schemas["Batch"]["items"]] == list(messages.Batch.__struct_fields__)
    assert len(encoded) == len(schemas["Batch"]["items"])
    answer = msgspec.msgpack.decode(messages.encode(messages.Answer(b"q" * 16, True, "ok")))
    assert schemas["Answer"]["items"][0] == {"title": "type", "enum": [answer[0]]}


def test_the_table_of_topics_names_every_leaf() -> None:
    page = (ROOT / "docs/topics.md").read_text()
    for leaf in LEAVES:
        assert f"| `{leaf.path}` | {'unit' if leaf.upward else 'centre'} | {leaf.qos} |" in page
    assert f"`{ALL}`" in page


def test_every_row_of_the_documents_is_in_the_table() -> None:
    wanted = [f"{letter}{number}" for letter, last in ROWS.items() for number in range(1, last + 1)]
    assert list(make_traceability.rows().rows) == wanted
    page = (ROOT / "docs/traceability.md").read_text()
    assert re.findall(r"^\| ([KGBPM]\d+) \|", page, re.MULTILINE) == wanted


def test_the_code_of_every_row_exists() -> None:
    for name, row in make_traceability.rows().rows.items():
        for path in row.code:
            assert (ROOT / path).exists(), f"{name}: there is no {path}"


@pytest.mark.parametrize("row", SHOWN)
def test_a_promised_row_has_code_and_a_test_that_names_it(row: str) -> None:
    assert make_traceability.rows().rows[row].code
    assert make_traceability.tests().get(row), f"no test is called test_{row}_..."


def test_no_test_names_a_row_that_does_not_exist() -> None:
    assert set(make_traceability.tests()) <= set(make_traceability.rows().rows)


def _name(leaf: Leaf) -> str:
    return leaf.path.replace("/", "_")


def _references(value: Any) -> Any:
    if isinstance(value, dict):
        for key, inner in value.items():
            if key == "$ref":
                yield inner
            else:
                yield from _references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _references(inner)
