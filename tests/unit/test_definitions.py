"""The published definitions: what `tools.json` says is true, is understood by every client, and stays small."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from kit.calls import ERAS, ask, compare, connected, data, settings, talking, text
from kit.programs import need_module
from kit.tiktok import tiktok
from kit.upstream import raw
from kit.virtual import VIRTUAL_TIME
from tiktok_pinned_videos.presentation.comparison import ComparedAccount, Comparison, TopVideo
from tiktok_pinned_videos.presentation.results import AccountAnswer, Totals, VideoOut
from tiktok_pinned_videos.research.fields import DEFAULT, MEASURES, NAMES
from tiktok_pinned_videos.settings import Settings

pytestmark = pytest.mark.anyio
REFERENCE = (Path(__file__).parents[1] / "data" / "reference-response.json").read_text(encoding="utf-8").strip()
"""TikTok's response for three invented videos with every field."""
SANDBOX = Settings(sandbox=True, timeout=3)
UNTYPED = {"sticker_info_list", "effect_info_list", "video_tag"}
"""Fields without a documented type are answered but not published, since every property needs a type."""
GET, COMPARE = json.loads(files("tiktok_pinned_videos.mcp_server").joinpath("tools.json").read_text(encoding="utf-8"))


def schemas(part: object) -> Iterator[dict[str, Any]]:
    """Every schema inside a definition."""
    match part:
        case dict():
            if "type" in part or "description" in part:
                yield part
            for name, value in part.items():
                yield from schemas(list(value.values()) if name == "properties" else value)
        case list():
            for item in part:
                yield from schemas(item)


def published(listing: dict[str, Any]) -> list[dict[str, Any]]:
    return [{key: value for key, value in tool.items() if key != "_meta"} for tool in listing["tools"]]


async def listed(given: Settings, era: Any = "auto") -> dict[str, Any]:
    async with connected(given, era=era) as client:
        return (await client.list_tools()).model_dump(mode="json", by_alias=True, exclude_none=True)


async def test_the_file_is_published_unchanged_in_both_eras_and_with_all_settings() -> None:
    for era in ERAS:
        for given in (SANDBOX, settings(), Settings()):
            assert published(await listed(given, era)) == [GET, COMPARE]


async def test_with_text_only_output_schemas_and_structured_results_are_left_out() -> None:
    given = Settings(sandbox=True, result_channels="text")
    slim = published(await listed(given))
    async with connected(given) as client:
        answer = await ask(client)

    assert answer.structured_content is None
    assert slim == [{key: value for key, value in tool.items() if key != "outputSchema"} for tool in (GET, COMPARE)]


def test_every_property_has_one_type_and_no_schema_is_a_choice() -> None:
    """Vertex and Gemini refuse a request for one property without a type; typed clients lose the rest."""
    for tool in (GET, COMPARE):
        for schema in (tool["inputSchema"], tool["outputSchema"]):
            Draft202012Validator.check_schema(schema)
            for part in schemas(schema):
                assert isinstance(part.get("type"), str)
                assert "items" in part or part["type"] != "array"
                assert not set(part) & {"anyOf", "oneOf", "allOf", "$ref", "$defs", "format", "const", "title"}


def test_every_parameter_is_described_and_both_tools_say_what_they_cost_and_are_read_only() -> None:
    for tool in (GET, COMPARE):
        assert all(part["description"] for part in tool["inputSchema"]["properties"].values())
        assert tool["title"]
        assert "request" in tool["description"]
        assert tool["annotations"] == {
            "readOnlyHint": True, "idempotentHint": True, "openWorldHint": True, "destructiveHint": False,
        }  # fmt: skip


def test_every_enum_and_every_key_is_that_of_the_code() -> None:
    fields = GET["inputSchema"]["properties"]["fields"]
    rank_by = COMPARE["inputSchema"]["properties"]["rank_by"]
    get, compared = GET["outputSchema"]["properties"], COMPARE["outputSchema"]["properties"]
    account = compared["accounts"]["items"]["properties"]

    assert (fields["items"]["enum"], rank_by["enum"], rank_by["default"]) == (list(NAMES), list(MEASURES), MEASURES[0])
    assert set(get) == set(AccountAnswer.__annotations__)
    assert set(get["videos"]["items"]["properties"]) == set(VideoOut.__annotations__) - UNTYPED
    assert set(get["totals"]["properties"]) == set(account["totals"]["properties"]) == set(Totals.__annotations__)
    assert set(compared) == set(Comparison.__annotations__)
    assert set(account) == set(ComparedAccount.__annotations__)
    assert set(account["top_video"]["properties"]) == set(TopVideo.__annotations__)


def closed(schema: dict[str, Any]) -> Draft202012Validator:
    """The schema, allowing only what it names and the fields without a documented type."""
    strict = copy.deepcopy(schema)
    for part in schemas(strict):
        if "music_id" in part.get("properties", {}):
            part["properties"] |= {name: {} for name in UNTYPED}
        if "properties" in part:
            part.setdefault("additionalProperties", False)
    return Draft202012Validator(strict)


async def test_real_answers_are_as_published() -> None:
    names = ["nasa", "日本", "sandbox_empty", "sandbox_hostile", "sandbox_missing", "a b", "sandbox_changing"]
    async with connected(SANDBOX) as client:
        for name in names[:4]:
            for fields in (NAMES, DEFAULT, ["id"]):
                closed(GET["outputSchema"]).validate(data(await ask(client, name, fields=list(fields), refresh=True)))
        for measure in MEASURES:
            result = await compare(client, names, rank_by=measure, refresh=True)
            closed(COMPARE["outputSchema"]).validate(result)


@pytest.fixture(scope="module")
def tokens() -> Callable[[Any], int]:
    """Counts the o200k tokens of a text or of compact JSON."""
    need_module("rs_bpe")
    from rs_bpe.bpe import openai

    encoding = openai.o200k_base()
    compact: Callable[[Any], str] = lambda value: json.dumps(value, ensure_ascii=False, separators=(",", ":"))  # noqa: E731
    return lambda value: len(encoding.encode(value if isinstance(value, str) else compact(value)))


async def test_both_definitions_cost_at_most_1250_tokens(tokens: Callable[[Any], int]) -> None:
    assert tokens((await listed(SANDBOX, "legacy"))["tools"]) <= 1250


@VIRTUAL_TIME
async def test_three_full_videos_cost_46_percent_of_the_raw_response_in_text_and_67_in_data(
    tokens: Callable[[Any], int],
) -> None:
    async with tiktok(lambda _: raw(REFERENCE.encode())) as upstream, talking(upstream) as client:
        answer = await ask(client, "slow_oven")
        fifty = await client.call_tool("compare_pinned_videos", {"usernames": [f"user{n}" for n in range(50)]})

    whole = tokens(REFERENCE)
    assert tokens(text(answer)) <= 0.46 * whole
    assert tokens(data(answer)) <= 0.67 * whole
    assert tokens(text(fifty)) <= 50 * 0.1 * whole
    assert tokens(data(fifty)) <= 50 * 0.2 * whole
