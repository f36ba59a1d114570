"""What the command prints in each of its five formats."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from kit import EXAMPLE_VIDEOS, OK, Upstream, videos
from kit.cli import FIELDS, each, of_every_kind, run, there

pytestmark = pytest.mark.anyio

upstream = pytest.fixture(of_every_kind)
FORMATS = ("text", "json", "jsonl", "csv", "raw")


async def test_one_account_in_every_format(upstream: Upstream) -> None:
    text, data, lines, table, raw_line = await each(
        there(upstream),
        *(
            ("get", "nasa", "--format", form, "--fields", "view_count")
            for form in ("text", "json", "jsonl", "csv", "raw")
        ),
    )

    assert [said.code for said in (text, data, lines, table, raw_line)] == [0] * 5
    assert text.out.startswith("@nasa: 3 pinned videos")
    assert data.json["videos"][0]["id"] == "7777777777777777777"
    assert data.json == lines.json | {"retrieved_at": data.json["retrieved_at"]}
    assert lines.out.count("\n") == 1
    assert [row["id"] for row in table.rows] == [str(item["id"]) for item in EXAMPLE_VIDEOS]
    assert list(raw_line.json) == ["username", "retrieved_at", "log_id", "fields", "response"]
    assert raw_line.json["response"] == json.loads(videos(EXAMPLE_VIDEOS).body)
    assert (raw_line.json["log_id"], raw_line.json["fields"]) == (OK["log_id"], ["id", "view_count"])


async def test_several_accounts_in_every_format_keep_their_order_and_exit_with_1_when_one_failed(
    upstream: Upstream,
) -> None:
    names = ("nasa", "missing", "empty")
    text, data, lines, table, raw_lines = await each(
        there(upstream), *(("get", *names, "--format", form) for form in FORMATS)
    )

    assert [said.code for said in (text, data, lines, table, raw_lines)] == [1] * 5
    assert re.findall(r"^@(\w+): ", text.out, re.MULTILINE) == ["nasa", "empty"]
    assert text.err.startswith("not_found: @missing: ")
    for told in (data.json, lines.lines):
        assert [(one["username"], one["status"]) for one in told] == [
            ("nasa", "found"),
            ("missing", "not_found"),
            ("empty", "nothing_pinned"),
        ]
        assert set(told[1]) == {"username", "status", "reason"}
        assert "invalid_params" in told[1]["reason"]
    assert [(row["username"], row["status"]) for row in table.rows] == [
        *[("nasa", "found")] * 3,
        ("missing", "not_found"),
        ("empty", "nothing_pinned"),
    ]
    assert "missing" in table.err
    assert [set(one) for one in raw_lines.lines] == [
        {"username", "retrieved_at", "log_id", "fields", "response"},
        {"username", "status", "reason", "source", "log_id", "response"},
        {"username", "retrieved_at", "log_id", "fields", "response"},
    ]
    assert raw_lines.lines[1]["response"]["error"]["code"] == "invalid_params"
    assert [(row["source"], row["log_id"] != "") for row in table.rows] == [("tiktok_research_api", True)] * 5


async def test_nothing_pinned_counts_as_answered(upstream: Upstream) -> None:
    said = await run("get", "empty", env=there(upstream))

    assert said.code == 0
    assert "nothing pinned" in said.out


async def test_csv_columns_are_as_documented_and_a_row_survives_spreadsheets(upstream: Upstream) -> None:
    said = await run("get", "formula", "words", "--format", "csv", "--fields", FIELDS, env=there(upstream))
    header = said.out.splitlines()[0]
    formula, words = said.rows

    assert header == (
        "username,status,source,retrieved_at,log_id,url,id,view_count,video_description,hashtag_names,"
        "video_mention_list,region_code,engagement_rate"
    )
    assert formula["id"] == "7777777777777777777"
    assert formula["view_count"] == "-5"
    assert formula["video_description"] == '\'=HYPERLINK("https://evil.example";"x"), next "line"'
    assert (formula["hashtag_names"], formula["video_mention_list"]) == ("'=cmd b", "'@oma_erna")
    assert (formula["region_code"], formula["log_id"]) == ("'+DE", "'-LOG")
    assert words["hashtag_names"] == '["two words","b"]'
    assert words["video_description"] == "日本語 日本 🐈"


async def test_a_name_that_is_a_formula_is_no_formula_in_csv(upstream: Upstream) -> None:
    names = """=1+1\n@@x\n"a","b"\n'=1\n\uff1d1\n'a"""
    said = await run("get", "--format", "csv", "--from", "-", env=there(upstream), stdin=names.encode())

    assert [(row["username"], row["status"]) for row in said.rows] == [
        ("'=1+1", "invalid_argument"),
        ("'@@x", "invalid_argument"),
        ('"a","b"', "invalid_argument"),
        ("''=1", "invalid_argument"),
        ("'\uff1d1", "invalid_argument"),
        ("'a", "invalid_argument"),
    ]
    assert said.code == 1


async def test_raw_is_tiktoks_body_on_one_line_and_always_asked_afresh(upstream: Upstream, tmp_path: Path) -> None:
    env = there(upstream, TIKTOK_STATE=f"sqlite:///{tmp_path.as_posix()}/state.sqlite3")
    first = await run("get", "pretty", env=env)
    again = await run("get", "pretty", env=env)
    asked = len(upstream.research)
    said = await run("get", "pretty", "utf16", "half", "--format", "raw", env=env)

    assert (first.code, again.code, asked) == (0, 0, 1)
    assert "cached" in again.out
    assert len(upstream.research) == asked + 3
    assert said.code == 0
    assert [one["username"] for one in said.lines] == ["pretty", "utf16", "half"]
    assert said.lines[0]["response"]["data"]["pinned_videos_list"] == EXAMPLE_VIDEOS
    assert said.lines[1]["response"]["data"]["pinned_videos_list"] == [{"id": 5}]


async def test_one_account_written_twice_is_asked_once_and_still_an_array() -> None:
    said = await run("get", "nasa", "@NASA", "--sandbox", "--format", "json", env={})

    assert [one["username"] for one in said.json] == ["nasa"]
