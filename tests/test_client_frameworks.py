"""What other makers' frameworks hand on, by their own code in environments of their own: schemas, totals, channels.

`benchmarks/frameworks` has a script for each, which names the version that it is tried with.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from benchmarks import channels

from kit.built import ROOT, uv_environment
from tiktok_pinned_videos.research.fields import NAMES
from tiktok_pinned_videos.surface.arguments import MEASURES

pytestmark = [pytest.mark.builds, pytest.mark.timeout(400)]

CONVERTERS = ("google_genai", "litellm")
"""Not agents: what is sent to Gemini and Vertex."""
PAGE = ROOT / "docs" / "assistants.md"


@pytest.fixture(autouse=True)
def an_index() -> None:
    """Without one to install from the test is left out, in CI it fails."""
    uv_environment()


def parts(schema: Any) -> Iterator[dict[str, Any]]:
    """Every object in a schema."""
    for each in schema.values() if isinstance(schema, dict) else schema if isinstance(schema, list) else ():
        yield from parts(each)
    if isinstance(schema, dict):
        yield schema


def enum_of(schema: dict[str, Any]) -> list[str]:
    """The one enum in a property, which has to be of strings in whatever way the framework writes that."""
    (found,) = (part for part in parts(schema) if "enum" in part)
    assert str(found["type"]).lower() == "string"
    return found["enum"]


@pytest.mark.parametrize("key", [*channels.SETTINGS, *CONVERTERS, "fastmcp"])
def test_fields_and_rank_by_reach_the_model_as_typed_enums(key: str) -> None:
    tools = channels.ran(key, "both")["tools"]
    fields = tools["get_pinned_videos"]["properties"]["fields"]
    compare = tools["compare_pinned_videos"]["properties"]

    assert enum_of(fields) == list(NAMES)
    assert [part for part in parts(fields) if str(part.get("type")).lower() == "array" and "items" in part]
    assert enum_of(compare["rank_by"]) == list(MEASURES)
    assert str(compare["usernames"]["type"]).lower() == "array"
    assert str(compare["usernames"]["items"]["type"]).lower() == "string"


@pytest.mark.parametrize("key", CONVERTERS)
def test_google_is_sent_no_property_without_a_type_and_no_choice_of_schemas(key: str) -> None:
    for schema in channels.ran(key, "both")["tools"].values():
        for name, told in schema["properties"].items():
            assert told["type"], name
        assert not {"any_of", "anyOf", "one_of", "oneOf", "$ref"} & {word for part in parts(schema) for word in part}


def test_strict_mode_takes_both_tools_with_every_argument_required() -> None:
    for schema in channels.ran("openai_agents", "both")["tools"].values():
        assert schema["additionalProperties"] is False
        assert set(schema["required"]) == set(schema["properties"])


def test_a_typed_client_has_every_total_as_an_integer() -> None:
    seen = json.loads(channels.ran("fastmcp", "both")["seen"])
    counts = {"videos", *MEASURES} - {"engagement_rate"}

    for totals in (seen["get"], seen["compare"]):
        assert totals == dict.fromkeys(counts, "int") | {"engagement_rate": "float"}
    assert seen["top"] == {"id": "str", "url": "str", "view_count": "int", "video_description": "str"}


def test_the_page_lists_the_frameworks_there_are() -> None:
    table = _shown()

    assert list(table) == [" ".join(channels.titled(key)) for key in channels.SETTINGS]


@pytest.mark.parametrize("key", channels.SETTINGS)
def test_the_page_says_what_the_model_of_a_framework_reads_and_what_text_alone_saves(key: str) -> None:
    row = channels.measured(key)
    shown = _shown()[f"{row.name} {row.version}"]

    assert shown[0] == row.reads
    # Times and ids differ from run to run, and their tokens by a few.
    assert [int(told) for told in shown[1:3]] == pytest.approx([row.both, row.text], rel=0.03)
    assert shown[-1] == channels.SETTINGS[key]


def _shown() -> dict[str, list[str]]:
    """The table of the page: by framework the other cells."""
    found = re.search(r"<!-- channels -->\n(.*?)<!-- /channels -->", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert found is not None
    rows = [line.strip("| ").split(" | ") for line in found[1].splitlines()[2:]]
    return {name: rest for name, *rest in rows}
