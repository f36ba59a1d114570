"""The command as people and scripts run it: names, settings, faults, terminals and pipes, and how it ends."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
from pathlib import Path

import anyio
import pytest

from kit import COMMAND, SECRET, Upstream, environment, refusal, running, running_async, videos
from kit.cli import FIELDS, each, of_every_kind, run, start, there

pytestmark = pytest.mark.anyio

upstream = pytest.fixture(of_every_kind)


# --- names, fields, and what cannot be meant -------------------------------------------------------------------------


async def test_names_come_from_arguments_files_and_stdin_each_account_once(upstream: Upstream, tmp_path: Path) -> None:
    file = tmp_path / "names.txt"
    file.write_bytes("\ufeff# my list\nesa\r\n\n  @NASA  \nhttps://www.tiktok.com/@jaxa?x=1\n日本\n".encode())
    from_file = await run("get", "nasa", "@Nasa", "--from", str(file), "--format", "jsonl", env=there(upstream))
    from_dash = await run("get", "-", "--format", "jsonl", env=there(upstream), stdin=b"a\nb\nA\n")
    both = await run("get", "--from", "-", "--format", "jsonl", env=there(upstream), stdin=b"c\n")

    assert [one["username"] for one in from_file.lines] == ["nasa", "esa", "jaxa", "日本"]
    assert [one["username"] for one in from_dash.lines] == ["a", "b"]
    assert [one["username"] for one in both.lines] == ["c"]


@pytest.mark.parametrize("name", ["", "na sa", "\x1b[31mred", "x" * 65, "https://vm.tiktok.com/ZMabc"])
async def test_what_can_be_no_name_is_that_accounts_status_and_ends(upstream: Upstream, name: str) -> None:
    said = await asyncio.wait_for(run("get", name, "nasa", env=there(upstream)), 60)

    assert said.code == 1
    assert "@nasa: 3 pinned videos" in said.out
    assert said.err.count("invalid_argument: ") == 1
    assert "\x1b" not in said.err
    assert len(upstream.research) == 1


async def test_usage_and_configuration_end_with_2_and_one_line(upstream: Upstream, tmp_path: Path) -> None:
    env = there(upstream)
    calls = {
        ("get",): "username",
        ("get", "nasa", "--fields", "views"): "Did you mean view_count?",
        ("get", "nasa", "--format", "xml"): "xml",
        ("get", "--from", str(tmp_path / "missing.txt")): "missing.txt",
        ("get", "--from", str(tmp_path)): str(tmp_path),
        ("get", "nasa", "--nonsense"): "--nonsense",
        ("gett", "nasa"): "gett",
    }
    told = await each(env, *calls)

    assert [(said.code, said.out) for said in told] == [(2, "")] * len(calls)
    assert [part for part, said in zip(calls.values(), told, strict=True) if part not in said.err] == []
    assert upstream.received == []


async def test_without_credentials_get_exits_with_2_and_says_what_to_set() -> None:
    for env in (environment(), environment(TIKTOK_CLIENT_KEY="${TIKTOK_CLIENT_KEY}", TIKTOK_CLIENT_SECRET="x")):
        said = await run("get", "nasa", "--format", "json", env=env)

        assert (said.code, said.out) == (2, "")
        assert said.err.startswith("not_configured: ")
        assert [part in said.err for part in ("TIKTOK_CLIENT_KEY", "TIKTOK_CLIENT_SECRET", "--sandbox")] == [True] * 3


@pytest.mark.parametrize("command", [(), ("stdio",), ("get", "nasa")], ids=str)
async def test_a_malformed_setting_stops_the_start_with_2_and_one_line(command: tuple[str, ...]) -> None:
    said = await run(*command, env=environment(TIKTOK_TIMEOUT=f"ten\nsecs {SECRET}", TIKTOK_CLIENT_SECRET=SECRET))

    assert (said.code, said.out) == (2, "")
    assert said.err.startswith("TIKTOK_TIMEOUT holds ")
    assert len(said.err.splitlines()) == 1


async def test_help_and_version_need_no_settings_and_say_what_a_newcomer_needs() -> None:
    env = environment(TIKTOK_TIMEOUT="nonsense", PYTHONIOENCODING="ascii")
    main, get, version = await each(env, ("--help",), ("get", "--help"), ("--version",))

    assert [said.code for said in (main, get, version)] == [0] * 3
    assert [
        word for word in ("stdio", "http", "get", "doctor", "sandbox", "get nasa --sandbox") if word not in main.out
    ] == []
    assert [word for word in ("--from", "--fields", "--refresh", "--format", "raw") if word not in get.out] == []
    assert re.fullmatch(r"tiktok-pinned-videos-mcp \d+\.\d+\.\d+\S*\n", version.out)


# --- the sandbox, the quota, faults ----------------------------------------------------------------------------------


async def test_a_newcomer_sees_a_result_with_one_command() -> None:
    flag = await start("get", "nasa", "--sandbox", env=environment())
    variable = await run("get", "nasa", "--format", "json", env=environment(TIKTOK_SANDBOX="1"))

    assert (flag.code, variable.code, flag.err) == (0, 0, "")
    assert "SANDBOX" in flag.out
    assert variable.json["source"] == "sandbox"


async def test_when_the_quota_ends_it_stops_and_says_how_to_go_on(upstream: Upstream) -> None:
    spent = refusal(429, "daily_quota_limit_exceeded", "The API daily quota limit exceeded.")
    upstream.answer_by(lambda request: videos([]) if request.json["username"] in ("a", "b") else spent)
    said = await run("get", *"abcdefghij", "--format", "jsonl", env=there(upstream, TIKTOK_MAX_CONCURRENCY="1"))

    assert said.code == 1
    assert [one["status"] for one in said.lines] == [*["nothing_pinned"] * 2, *["quota_exceeded"] * 8]
    assert len(upstream.research) == 3
    assert [part for part in ("2 of 10", "from c on", "--from", "00:00 UTC") if part not in said.err] == []


async def test_refresh_goes_past_what_is_kept(upstream: Upstream, tmp_path: Path) -> None:
    env = there(upstream, TIKTOK_STATE=f"sqlite:///{tmp_path.as_posix()}/state.sqlite3")
    for arguments in (("get", "nasa"), ("get", "NASA"), ("get", "nasa", "--refresh")):
        assert (await run(*arguments, env=env)).code == 0

    assert len(upstream.research) == 2


async def test_a_home_that_cannot_be_written_costs_no_answer(upstream: Upstream) -> None:
    env = there(upstream, HOME="/proc/nowhere", XDG_STATE_HOME="/proc/nowhere")
    del env["TIKTOK_STATE"]
    said = await run("get", "nasa", "--format", "json", env=env)

    assert (said.code, said.json["status"]) == (0, "found")


# --- terminals, pipes, encodings -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "locale",
    [
        {"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"},
        {"LANG": "C", "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
        {"PYTHONIOENCODING": "latin-1:strict", "PYTHONUTF8": "0"},
    ],
    ids=["ascii", "C", "latin-1"],
)
async def test_output_is_utf_8_whatever_the_locale(upstream: Upstream, locale: dict[str, str]) -> None:
    names = "words\n日本\n".encode()
    said = await start("get", "-", "--format", "json", "--fields", FIELDS, env=there(upstream) | locale, stdin=names)

    assert said.code == 0
    assert [one["username"] for one in said.json] == ["words", "日本"]
    assert said.json[0]["videos"][0]["video_description"] == "日本語 日本 🐈"


async def test_a_name_in_bytes_that_are_no_text_is_refused_not_a_crash(upstream: Upstream) -> None:
    said = await start("get", b"na\xffsa", "--format", "json", env=there(upstream))

    assert (said.code, said.json["status"]) == (1, "invalid_argument")


async def test_a_reader_that_has_seen_enough_is_no_error_message(upstream: Upstream) -> None:
    upstream.answer(videos([{"id": index, "video_description": "x" * 300} for index in range(400)]))
    command = [*COMMAND, "get", *(f"user{index}" for index in range(6)), "--format", "json"]

    def head() -> tuple[int, bytes]:
        pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        with running(command, env=there(upstream), **pipes) as process:
            assert process.stdout is not None
            process.stdout.read(10)
            process.stdout.close()
            _, err = process.communicate(timeout=60)
            return process.returncode, err

    code, err = await anyio.to_thread.run_sync(head)
    assert (code, err) == (1, b"")


@pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo-terminal")
async def test_progress_goes_to_a_terminal_on_stderr_and_nowhere_else(upstream: Upstream) -> None:
    async def with_terminal(*names: str) -> tuple[str, str]:
        ours, theirs = os.openpty()
        try:
            command = (*COMMAND, "get", *names)
            async with running_async(*command, env=there(upstream), stdout=subprocess.PIPE, stderr=theirs) as process:
                out, _ = await process.communicate()
        finally:
            os.close(theirs)
        os.set_blocking(ours, False)
        try:
            told = os.read(ours, 10_000)
        except OSError:  # nothing was written
            told = b""
        os.close(ours)
        return out.decode(), told.decode()

    several, one, piped = await asyncio.gather(
        with_terminal("a", "b", "c"), with_terminal("a"), run("get", "a", "b", env=there(upstream))
    )

    assert [f"{done}/3" in several[1] for done in (1, 2, 3)] == [True] * 3
    assert "/3" not in several[0].replace("/30", "")
    assert one[1] == ""
    assert piped.err == ""


async def test_a_list_that_windows_wrote_in_utf_16_is_read(tmp_path: Path) -> None:
    names = tmp_path / "names.txt"
    names.write_bytes("nasa\r\nesa\r\n".encode("utf-16"))
    said = await run("get", "--from", str(names), "--sandbox", "--format", "jsonl", env={})

    assert [one["username"] for one in said.lines] == ["nasa", "esa"]
