"""The command line: arguments, settings, exit statuses and what they say."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from kit.calls import SECRET
from kit.cli import run, several_accounts, there
from kit.processes import environment
from kit.upstream import Upstream, refusal, videos

pytestmark = pytest.mark.anyio

upstream = pytest.fixture(several_accounts)


async def test_usage_errors_end_with_2_and_send_nothing(upstream: Upstream, tmp_path: Path) -> None:
    calls = {
        ("get",): "No username given",
        ("get", "nasa", "--fields", "views"): "Did you mean view_count?",
        ("get", "nasa", "--format", "xml"): "xml",
        ("get", "nasa", "--nonsense"): "--nonsense",
        ("get", "nasa", "--max-age", "7d"): "--max-age needs --out",
        ("get", "nasa", "--out", str(tmp_path), "--max-age", "7 weeks"): "write a number and m, h or d",
        ("get", "nasa", "--out", str(tmp_path), "--format", "csv"): "--format cannot be used with --out",
        ("compare", "nasa", "@NASA"): "two or more accounts",
        ("gett", "nasa"): "gett",
    }
    results = {call: await run(*call, env=there(upstream)) for call in calls}

    assert [(said.code, said.out) for said in results.values()] == [(2, "")] * len(calls)
    assert [call for call, part in calls.items() if part not in results[call].err] == []
    assert upstream.received == []


@pytest.mark.parametrize("name", ["", "na sa", "\x1b[31mred", "x" * 65, "@@nasa"])
async def test_an_invalid_username_is_that_accounts_failure(upstream: Upstream, name: str) -> None:
    said = await run("get", name, "nasa", env=there(upstream))

    assert said.code == 1
    assert "@nasa: 3 pinned videos" in said.out
    assert said.err.startswith("invalid_argument: @")
    assert said.err.count("\n") == 1
    assert not {"\x1b", "@@@"} & {said.err[:1], *re.findall("@+|\x1b", said.err)}
    assert len(upstream.research) == 1


@pytest.mark.parametrize("command", ["get", "compare"])
async def test_without_credentials_it_ends_with_2_and_says_what_to_set(command: str) -> None:
    for env in (environment(), environment(TIKTOK_CLIENT_KEY="${TIKTOK_CLIENT_KEY}", TIKTOK_CLIENT_SECRET="x")):
        said = await run(command, "nasa", "esa", "--format", "json", env=env)

        assert (said.code, said.out) == (2, "")
        assert said.err.startswith("not_configured: ")
        assert [part in said.err for part in ("TIKTOK_CLIENT_KEY", "TIKTOK_CLIENT_SECRET", "--sandbox")] == [True] * 3


@pytest.mark.parametrize("command", [(), ("stdio",), ("http",), ("get", "nasa"), ("forget", "nasa")], ids=str)
async def test_a_malformed_setting_stops_every_command_with_2_and_one_line(command: tuple[str, ...]) -> None:
    said = await run(*command, env=environment(TIKTOK_TIMEOUT=f"ten\nsecs {SECRET}", TIKTOK_CLIENT_SECRET=SECRET))

    assert (said.code, said.out) == (2, "")
    assert said.err.startswith("TIKTOK_TIMEOUT ")
    assert len(said.err.splitlines()) == 1


async def test_help_and_version_need_no_settings() -> None:
    env = environment(TIKTOK_TIMEOUT="nonsense", PYTHONIOENCODING="ascii")
    main, get, version = [await run(*words, env=env) for words in (("--help",), ("get", "-h"), ("--version",))]
    commands = ("stdio", "http", "get", "compare", "doctor", "forget", "sandbox", "get nasa --sandbox")
    options = ("--from", "--column", "--fields", "--refresh", "--format", "--out", "--max-age", "raw")

    assert [said.code for said in (main, get, version)] == [0] * 3
    assert [word for word in commands if word not in main.out] == []
    assert [word for word in options if word not in get.out] == []
    assert re.fullmatch(r"tiktok-pinned-videos-mcp \d+\.\d+\.\d+\S*\n", version.out)


async def test_when_the_quota_ends_it_stops_and_says_how_to_continue(upstream: Upstream, tmp_path: Path) -> None:
    spent = refusal(429, "daily_quota_limit_exceeded", "The API daily quota limit exceeded.")
    upstream.answer_by(lambda request: videos([]) if request.json["username"] in ("a", "b") else spent)
    env = there(upstream, TIKTOK_MAX_CONCURRENCY="1", TIKTOK_STATE=f"sqlite:///{tmp_path.as_posix()}/state.sqlite3")
    said = await run("get", *"abc", "--format", "jsonl", env=env)
    more = await run("get", *"dcbef", "--format", "jsonl", env=env)
    statuses = [one["status"] for one in more.lines]

    assert (said.code, more.code) == (1, 1)
    assert "2 of 3 accounts done, 1 left, from c on. After 00:00 UTC" in said.err
    assert statuses == ["quota_exceeded", "quota_exceeded", "nothing_pinned", "quota_exceeded", "quota_exceeded"]
    assert len(upstream.research) == 3  # b was answered from the cache


async def test_refresh_and_all_fields_reach_tiktok(upstream: Upstream, tmp_path: Path) -> None:
    env = there(upstream, TIKTOK_STATE=f"sqlite:///{tmp_path.as_posix()}/state.sqlite3")
    for arguments in (
        ("get", "nasa"),
        ("get", "NASA"),
        ("get", "nasa", "--refresh"),
        ("get", "esa", "--fields", "all"),
    ):
        assert (await run(*arguments, env=env)).code == 0

    assert len(upstream.research) == 3
    assert upstream.research[-1].query.count(",") + upstream.research[-1].query.count("%2C") == 19
