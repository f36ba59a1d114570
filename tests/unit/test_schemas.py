"""The published definitions: a reviewed file, valid schemas, and true ones.

A change of a definition fails here until it is accepted: run the tests once with ACCEPT_SNAPSHOTS=1 and review the
difference of tests/snapshots/tools.json like any other code, since every conversation pays for it.
"""

from __future__ import annotations

import copy
import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from mcp.client import Client
from mcp_types import CallToolResult

from kit import ERAS, EXAMPLE_VIDEOS, Era, Upstream, connected, settings, videos
from tiktok_pinned_videos.mcp_server.arguments import parse_compare, parse_get
from tiktok_pinned_videos.presentation.comparison import MEASURES, ComparedAccount, Comparison, TopVideo
from tiktok_pinned_videos.presentation.results import AccountAnswer, Totals, VideoOut
from tiktok_pinned_videos.research.fields import DEFAULT, NAMES
from tiktok_pinned_videos.settings import Settings

pytestmark = pytest.mark.anyio

SNAPSHOT = Path(__file__).parents[1] / "snapshots" / "tools.json"
SANDBOX = Settings(sandbox=True, cache_ttl=300, timeout=3)
Tools = dict[str, dict[str, Any]]
UNTYPED = {"sticker_info_list", "effect_info_list", "video_tag"}
"""Fields without a documented type: answered, but not published, for a property needs a type."""


@pytest.fixture
async def tools() -> Tools:
    return await published(SANDBOX, "auto")


async def published(told: Settings, era: Era) -> Tools:
    async with connected(told, era=era) as client:
        listed = (await client.list_tools()).tools
    return {tool.name: tool.model_dump(mode="json", by_alias=True, exclude_none=True) for tool in listed}


def schemas(tools: Tools) -> Iterator[dict[str, Any]]:
    for tool in tools.values():
        yield tool["inputSchema"]
        yield tool["outputSchema"]


def inner(schema: object) -> Iterator[dict[str, Any]]:
    """Every object of a schema that is a schema itself."""
    match schema:
        case dict():
            yield schema
            for name, value in schema.items():
                # The names under "properties" are the author's, not the standard's.
                yield from inner(list(value.values()) if name == "properties" else value)
        case list():
            for item in schema:
                yield from inner(item)
        case _:
            return


# --- the reviewed file --------------------------------------------------------------------------------------------


async def test_the_definitions_are_those_that_were_reviewed(tools: Tools) -> None:
    written = json.dumps(list(tools.values()), indent=2, ensure_ascii=False, sort_keys=True) + "\n"
    if os.environ.get("ACCEPT_SNAPSHOTS") and os.environ.get("CI") != "true":
        SNAPSHOT.parent.mkdir(exist_ok=True)
        SNAPSHOT.write_text(written, encoding="utf-8", newline="\n")

    assert SNAPSHOT.read_text(encoding="utf-8") == written


async def test_the_definitions_do_not_depend_on_settings_or_era(upstream: Upstream, tools: Tools) -> None:
    for era in ERAS:
        assert await published(settings(upstream.url), era) == tools
        assert await published(Settings(), era) == tools


async def test_text_only_leaves_out_the_output_schema_and_nothing_else(tools: Tools) -> None:
    slim = await published(Settings(sandbox=True, result_channels="text"), "auto")

    assert slim == {
        name: {key: value for key, value in tool.items() if key != "outputSchema"} for name, tool in tools.items()
    }


# --- valid and quiet ----------------------------------------------------------------------------------------------


async def test_every_schema_is_one_and_describes_an_object(tools: Tools) -> None:
    for schema in schemas(tools):
        Draft202012Validator.check_schema(schema)
        assert schema["type"] == "object"


async def test_no_schema_has_generated_noise(tools: Tools) -> None:
    keys = {key for schema in schemas(tools) for part in inner(schema) for key in part}

    assert keys & {"title", "$ref", "$defs", "$schema", "examples"} == set()


async def test_each_tool_says_what_it_does_and_costs(tools: Tools) -> None:
    assert set(tools) == {"get_pinned_videos", "compare_pinned_videos"}
    for tool in tools.values():
        assert tool["title"]
        assert "request" in tool["description"]
        assert tool["annotations"] == {
            "readOnlyHint": True,
            "idempotentHint": True,
            "openWorldHint": True,
            "destructiveHint": False,
        }


# --- what other makers' converters understand ---


async def test_every_property_has_one_type_and_nothing_is_a_choice_of_schemas(tools: Tools) -> None:
    """Vertex and Gemini refuse a whole request for one property without; typed clients lose what is not named."""
    parts = [part for tool in tools.values() for key in ("inputSchema", "outputSchema") for part in inner(tool[key])]

    assert len(parts) > 40
    assert [part for part in parts if not isinstance(part.get("type"), str)] == []
    for word in ("anyOf", "oneOf", "allOf", "$ref", "$defs", "format", "const"):
        assert [part for part in parts if word in part] == []
    assert [part for part in parts if part["type"] == "array" and "items" not in part] == []


async def test_totals_and_top_video_are_named_whole_and_closed(tools: Tools) -> None:
    get, compare = (
        tools[name]["outputSchema"]["properties"] for name in ("get_pinned_videos", "compare_pinned_videos")
    )
    account = compare["accounts"]["items"]["properties"]

    for totals in (get["totals"], account["totals"]):
        assert {name: each["type"] for name, each in totals["properties"].items()} == {
            "videos": "integer",
            **{name: "number" if name == "engagement_rate" else "integer" for name in MEASURES},
        }
        assert totals["additionalProperties"] is False
    assert set(account["top_video"]["properties"]) == set(TopVideo.model_fields)
    assert account["top_video"]["additionalProperties"] is False


# --- what is parsed -----------------------------------------------------------------------------------------------


async def test_the_arguments_published_are_those_understood(tools: Tools) -> None:
    get, compare = (tools[name]["inputSchema"] for name in ("get_pinned_videos", "compare_pinned_videos"))

    assert (list(get["properties"]), get["required"]) == (["username", "fields", "refresh"], ["username"])
    assert (list(compare["properties"]), compare["required"]) == (["usernames", "rank_by", "refresh"], ["usernames"])
    assert parse_get(dict.fromkeys(get["properties"]) | {"username": "nasa"}).notes == ()
    assert parse_compare(dict.fromkeys(compare["properties"]) | {"usernames": ["a", "b"]}).notes == ()


async def test_every_field_published_is_understood_and_every_one_understood_is_published(tools: Tools) -> None:
    listed = tools["get_pinned_videos"]["inputSchema"]["properties"]["fields"]["items"]["enum"]

    assert listed == list(NAMES)
    assert len(listed) == 20
    for name in listed:
        assert set(parse_get({"username": "nasa", "fields": [name]}).fields) == {"id", name}
    for written in ("view_count, like_count", '["view_count", "like_count"]'):
        assert parse_get({"username": "nasa", "fields": written}).fields == ("id", "view_count", "like_count")
    for nothing in (None, "", [], "null", "[]"):
        assert parse_get({"username": "nasa", "fields": nothing}).fields == parse_get({"username": "nasa"}).fields


async def test_every_measure_published_is_understood_and_the_default_is_the_one_told(tools: Tools) -> None:
    rank_by = tools["compare_pinned_videos"]["inputSchema"]["properties"]["rank_by"]
    two = {"usernames": ["a", "b"]}

    assert rank_by["enum"] == list(MEASURES)
    assert [parse_compare(two | {"rank_by": measure}).rank_by for measure in rank_by["enum"]] == rank_by["enum"]
    assert parse_compare(two).rank_by == rank_by["default"]


async def test_the_number_of_accounts_published_is_the_number_taken(tools: Tools) -> None:
    usernames = tools["compare_pinned_videos"]["inputSchema"]["properties"]["usernames"]

    assert (usernames["minItems"], usernames["maxItems"]) == (2, 50)
    for count in (2, 50):
        assert len(parse_compare({"usernames": [f"user{index}" for index in range(count)]}).names) == count


# --- what is answered ---------------------------------------------------------------------------------------------


async def test_the_results_published_name_what_the_models_hold(tools: Tools) -> None:
    get, compare = (tools[name]["outputSchema"] for name in ("get_pinned_videos", "compare_pinned_videos"))

    assert set(get["properties"]) == set(AccountAnswer.model_fields)
    assert set(get["properties"]["videos"]["items"]["properties"]) == set(VideoOut.model_fields) - UNTYPED
    assert set(compare["properties"]) == set(Comparison.model_fields)
    assert set(compare["properties"]["accounts"]["items"]["properties"]) == set(ComparedAccount.model_fields)
    for schema, model in ((get, AccountAnswer), (compare, Comparison)):
        always = {name for name, field in model.model_fields.items() if field.is_required() or name == "notes"}
        assert set(schema["required"]) == always
    video = get["properties"]["videos"]["items"]["properties"]
    assert (video["id"]["type"], video["music_id"]["type"], video["create_time"]["type"]) == ("string",) * 3
    assert set(Totals.model_fields) == {"videos", *MEASURES}


def closed(schema: dict[str, Any]) -> dict[str, Any]:
    """The same schema, allowing nothing that it does not name, but for the fields that have no documented type."""
    strict = copy.deepcopy(schema)
    for part in inner(strict):
        if "music_id" in part.get("properties", {}):
            part["properties"] |= {name: {} for name in UNTYPED}
        if "properties" in part and "additionalProperties" not in part:
            part["additionalProperties"] = False
    return strict


def check(result: CallToolResult, schema: dict[str, Any]) -> str:
    assert not result.is_error, result.content
    assert result.structured_content is not None
    faults = [error.message for error in Draft202012Validator(closed(schema)).iter_errors(result.structured_content)]
    assert faults == []
    return result.structured_content.get("status", "compared")


async def test_real_answers_are_as_published(tools: Tools, era: Era) -> None:
    schema = tools["get_pinned_videos"]["outputSchema"]
    names = ["nasa", "nasa", "日本", "sandbox_empty", "sandbox_hostile", "sandbox_flaky"]
    async with connected(SANDBOX, era=era) as client:
        told = [await get(client, name, fields) for name in names for fields in (NAMES, DEFAULT, ["id"])]

    assert {check(result, schema) for result in told} == {"found", "nothing_pinned"}


async def test_a_real_comparison_is_as_published(tools: Tools, era: Era) -> None:
    schema = tools["compare_pinned_videos"]["outputSchema"]
    names = ["nasa", "esa", "sandbox_empty", "sandbox_missing", "sandbox_private", "not a name", "sandbox_hostile"]
    async with connected(SANDBOX, era=era) as client:
        for measure in MEASURES:
            result = await client.call_tool("compare_pinned_videos", {"usernames": names, "rank_by": measure})
            check(result, schema)


@pytest.mark.parametrize(
    "item",
    [
        EXAMPLE_VIDEOS[0],
        {"id": 1},
        {"id": 10**30, "music_id": 10**30, "video_label": {"type": 0, "more": [1, {"x": None}]}},
        {"id": 1, "sticker_info_list": "text", "effect_info_list": 5, "video_tag": [True, None, 1.5]},
        {"id": 1, "hashtag_info_list": {"hashtag_id": 1}, "hashtag_names": [], "is_stem_verified": False},
    ],
    ids=["example", "id alone", "large", "untyped", "struct"],
)
async def test_answers_to_odd_but_documented_responses_are_as_published(
    upstream: Upstream, tools: Tools, item: dict[str, Any]
) -> None:
    upstream.answer(videos([item]))
    async with connected(settings(upstream.url)) as client:
        result = await get(client, "nasa", list(NAMES))

    assert check(result, tools["get_pinned_videos"]["outputSchema"]) == "found"


async def get(client: Client, username: str, fields: Sequence[str]) -> CallToolResult:
    return await client.call_tool("get_pinned_videos", {"username": username, "fields": list(fields), "refresh": True})
