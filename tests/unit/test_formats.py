"""What `get` prints in each format."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from kit.cli import run, several_accounts, there
from kit.upstream import EXAMPLE_VIDEOS, OK, Upstream, raw, videos

pytestmark = pytest.mark.anyio

upstream = pytest.fixture(several_accounts)
FORMATS = ("text", "json", "jsonl", "csv", "raw")


async def test_one_account_in_every_format(upstream: Upstream) -> None:
    text, data, line, table, raw_line = [
        await run("get", "nasa", "--format", form, "--fields", "view_count", env=there(upstream)) for form in FORMATS
    ]

    assert [said.code for said in (text, data, line, table, raw_line)] == [0] * 5
    assert text.out.startswith("@nasa: 3 pinned videos")
    assert data.json["videos"][0]["id"] == "7777777777777777777"
    assert line.out.count("\n") == 1
    assert data.json == line.json | {"retrieved_at": data.json["retrieved_at"]}
    assert [row["id"] for row in table.rows] == [str(item["id"]) for item in EXAMPLE_VIDEOS]
    assert list(raw_line.json) == ["username", "retrieved_at", "log_id", "fields", "response"]
    assert raw_line.json["response"] == json.loads(videos(EXAMPLE_VIDEOS).body)
    assert (raw_line.json["log_id"], raw_line.json["fields"]) == (OK["log_id"], ["id", "view_count"])


async def test_several_accounts_keep_their_order_and_one_failure_means_exit_1(upstream: Upstream) -> None:
    text, data, lines, table, raw_lines = [
        await run("get", "nasa", "missing", "empty", "--format", form, env=there(upstream)) for form in FORMATS
    ]

    assert [said.code for said in (text, data, lines, table, raw_lines)] == [1] * 5
    assert re.findall(r"^@(\w+): ", text.out, re.MULTILINE) == ["nasa", "empty"]
    assert text.err.startswith("not_found: @missing: ")
    for parsed in (data.json, lines.lines):
        statuses = {one["username"]: one["status"] for one in parsed}
        assert list(statuses.items()) == [("nasa", "found"), ("missing", "not_found"), ("empty", "nothing_pinned")]
        assert set(parsed[1]) == {"username", "status", "reason"}
        assert "invalid_params" in parsed[1]["reason"]
    assert [row["username"] for row in table.rows] == ["nasa"] * 3 + ["missing", "empty"]
    assert [set(one) for one in raw_lines.lines[::2]] == [
        {"username", "retrieved_at", "log_id", "fields", "response"}
    ] * 2
    assert raw_lines.lines[1]["response"]["error"]["code"] == "invalid_params"


async def test_a_failure_says_why_and_when_in_csv_and_raw(upstream: Upstream) -> None:
    names = ("missing", "na sa", "empty")
    table = await run("get", *names, "--format", "csv", env=there(upstream))
    rows = table.rows
    missing, invalid, _ = (await run("get", *names, "--format", "raw", env=there(upstream))).lines

    assert [row["status"] for row in rows] == ["not_found", "invalid_argument", "nothing_pinned"]
    assert [line.partition(":")[0] for line in table.err.splitlines()] == ["not_found", "invalid_argument"]
    assert [bool(row["retrieved_at"]) for row in rows] == [True, False, True]  # TikTok was not asked for `na sa`
    assert [row["source"] for row in rows] == ["tiktok_research_api", "", "tiktok_research_api"]
    assert missing["code"] == "invalid_params"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", missing["retrieved_at"])
    assert {"username", "status", "reason", "retrieved_at"} == set(invalid)


async def test_a_failure_has_its_body_in_raw_only_if_that_is_json(upstream: Upstream) -> None:
    bodies = {"nan": b'{"data":NaN}', "page": b"<html>", "object": b'{"data":{}}'}
    upstream.answer_by(lambda request: raw(bodies[request.json["username"]], status=302))
    said = await run("get", *bodies, "--format", "raw", env=there(upstream))

    assert ["response" in line for line in said.lines] == [False, False, True]


@pytest.mark.parametrize(
    ("arguments", "names"),
    [
        (("nasa",), None),
        (("nasa", "@NASA"), ["nasa"]),
        (("-",), ["esa"]),
        (("--from", "-"), ["esa"]),
        (("nasa", "-"), ["nasa", "esa"]),
    ],
)
async def test_json_is_an_array_unless_one_argument_names_the_account(
    upstream: Upstream, arguments: tuple[str, ...], names: list[str] | None
) -> None:
    parsed = (await run("get", *arguments, "--format", "json", env=there(upstream), stdin=b"esa\n")).json

    assert ([one["username"] for one in parsed] if isinstance(parsed, list) else None) == names


async def test_csv_has_each_column_once_and_survives_spreadsheets(upstream: Upstream) -> None:
    formula = {
        "id": 7777777777777777777,
        "username": "nasa",
        "view_count": -5,
        "video_description": '=HYPERLINK("https://evil.example";"x"),\nnext "line"',
        "hashtag_names": ["=cmd", "b"],
        "video_mention_list": ["two words", "b"],
        "region_code": "\uff0bDE",
    }
    upstream.answer(videos([formula], log_id="-LOG"))
    said = await run("get", "nasa", "--format", "csv", "--fields", ",".join(formula), env=there(upstream))
    (row,) = said.rows

    assert said.out.splitlines()[0] == (
        "username,status,source,retrieved_at,log_id,url,id,video_username,view_count,video_description,hashtag_names,"
        "video_mention_list,region_code,engagement_rate"
    )
    assert (row["id"], row["view_count"], row["video_username"]) == ("7777777777777777777", "-5", "nasa")
    assert row["video_description"] == '\'=HYPERLINK("https://evil.example";"x"), next "line"'
    assert (row["hashtag_names"], row["video_mention_list"]) == ("'=cmd b", '["two words","b"]')
    assert (row["region_code"], row["log_id"]) == ("'\uff0bDE", "'-LOG")


async def test_a_username_that_is_a_formula_is_harmless_in_csv(upstream: Upstream) -> None:
    names = """=1+1\n@@x\n"a","b"\n'=1\n'a"""
    said = await run("get", "--format", "csv", "--from", "-", env=there(upstream), stdin=names.encode())

    assert [row["username"] for row in said.rows] == ["'=1+1", "'@@x", '"a","b"', "''=1", "'a"]
    assert {row["status"] for row in said.rows} == {"invalid_argument"}
    assert "@@@" not in said.err


async def test_raw_is_tiktoks_body_on_one_line_from_a_new_request(upstream: Upstream, tmp_path: Path) -> None:
    env = there(upstream, TIKTOK_STATE=f"sqlite:///{tmp_path.as_posix()}/state.sqlite3")
    pretty = raw(json.dumps({"data": {"pinned_videos_list": EXAMPLE_VIDEOS}, "error": OK}, indent=2).encode())
    marked = raw(json.dumps({"data": {"pinned_videos_list": [{"id": 5}]}, "error": OK}).encode("utf-8-sig"))
    half = raw(b'{"data":{"pinned_videos_list":[{"id":1,"x":"\\ud83d"}]},"error":{"code":"ok"}}')
    bodies = {"pretty": pretty, "marked": marked, "half": half}
    upstream.answer_by(lambda request: bodies[request.json["username"]])
    first = await run("get", "pretty", env=env)
    again = await run("get", "pretty", env=env)
    said = await run("get", *bodies, "--format", "raw", env=env)

    assert (first.code, again.code, said.code) == (0, 0, 0)
    assert "cached" in again.out
    assert len(upstream.research) == 4
    assert [one["username"] for one in said.lines] == list(bodies)
    assert said.lines[0]["response"]["data"]["pinned_videos_list"] == EXAMPLE_VIDEOS
    assert said.lines[1]["response"]["data"]["pinned_videos_list"] == [{"id": 5}]
