"""The server as an assistant starts it: a process, its pipes, and how both end."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any, Literal

import anyio
import pytest

from kit import (
    COMMAND,
    EXAMPLE_VIDEOS,
    HELLO,
    META,
    STARTS,
    environment,
    remembered,
    running_async,
    serving,
    videos,
    yardstick,
)

pytestmark = pytest.mark.anyio

MODERN = META
Era = Literal["modern", "legacy"]
ERAS: tuple[Era, ...] = ("modern", "legacy")
POSIX_ONLY = pytest.mark.skipif(sys.platform == "win32", reason="about POSIX signals and descriptors")


@pytest.fixture(params=STARTS, autouse=True)
def start(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> None:
    """All of these conversations begin in both ways."""
    cache = tmp_path_factory.getbasetemp() / "cache" if request.param else Path(os.devnull)
    monkeypatch = request.getfixturevalue("monkeypatch")
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache))


def surroundings(*arguments: str, **env: str) -> dict[str, str]:
    """The environment of a server that was started before, where it can remember that."""
    told = environment(**env)
    return remembered(told, *arguments) if told["XDG_CACHE_HOME"] != os.devnull else told


def line(message: dict[str, Any]) -> bytes:
    return json.dumps({"jsonrpc": "2.0", **message}).encode() + b"\n"


def call(number: int, username: str, era: Era = "legacy", **arguments: Any) -> bytes:
    parameters = {"name": "get_pinned_videos", "arguments": {"username": username, **arguments}}
    return line({"id": number, "method": "tools/call", "params": parameters | (MODERN if era == "modern" else {})})


def listing(number: int, era: Era = "legacy") -> bytes:
    return line({"id": number, "method": "tools/list", "params": MODERN if era == "modern" else {}})


GREETING = line({"id": 0, "method": "initialize", "params": HELLO}) + line({"method": "notifications/initialized"})


class Started:
    """The process, and what it writes, line by line."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.messages: list[dict[str, Any]] = []

    def send(self, *lines: bytes) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(b"".join(lines))

    async def answer(self, number: int | None) -> dict[str, Any]:
        """The message with this id, reading on until it comes. Every line before it must be protocol."""
        assert self.process.stdout is not None
        async with asyncio.timeout(60):
            while True:
                written = await self.process.stdout.readline()
                assert written, f"stdout closed without an answer to {number}"
                message = json.loads(written)
                assert message["jsonrpc"] == "2.0"
                self.messages.append(message)
                if message.get("id", "none") == number:
                    return message

    async def hang_up(self) -> tuple[int, float]:
        """Close stdin; the exit code and the seconds it took. What is still written must be protocol."""
        assert self.process.stdin is not None
        started = time.monotonic()
        self.process.stdin.close()
        return await self.end(started)

    async def end(self, started: float) -> tuple[int, float]:
        assert self.process.stdout is not None
        async with asyncio.timeout(60):
            rest = await self.process.stdout.read()
            code = await self.process.wait()
        for written in rest.splitlines():
            assert json.loads(written)["jsonrpc"] == "2.0"
        return code, time.monotonic() - started


@contextlib.asynccontextmanager
async def started(*arguments: str, **env: str) -> AsyncGenerator[Started]:
    async with running_async(
        *(*COMMAND, *arguments),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=surroundings(*arguments, TIKTOK_STATE="memory:", **env),
        limit=64 << 20,
    ) as process:
        yield Started(process)


@pytest.fixture(params=ERAS)
def era(request: pytest.FixtureRequest) -> Era:
    return request.param


async def greeted(server: Started, era: Era) -> None:
    if era == "legacy":
        server.send(GREETING)
        assert (await server.answer(0))["result"]["serverInfo"]["name"] == "tiktok-pinned-videos"


# --- both eras, end to end ----------------------------------------------------------------------------------------


async def test_the_documentations_example_comes_back_digit_for_digit(era: Era) -> None:
    keys = ["pinned_videos_list", "user_pinned_videos"]
    async with serving() as upstream:
        upstream.answer_by(lambda request: videos(EXAMPLE_VIDEOS, key=request.json["username"]))
        credentials = {"TIKTOK_CLIENT_KEY": "k", "TIKTOK_CLIENT_SECRET": "s"}
        async with started(TIKTOK_API_BASE_URL=upstream.url, **credentials) as server:
            await greeted(server, era)
            results: list[dict[str, Any]] = []
            for number, key in enumerate(keys, start=1):
                server.send(call(number, key, era))
                results.append((await server.answer(number))["result"])
            code, seconds = await server.hang_up()

    for result in results:
        data, text = result["structuredContent"], result["content"][0]["text"]
        assert [video["id"] for video in data["videos"]] == [str(item["id"]) for item in EXAMPLE_VIDEOS]
        assert (data["totals"]["view_count"], data["totals"]["like_count"], data["totals"]["engagement_rate"]) == (
            61676555,
            7859721,
            0.1283,
        )
        facts = [*(str(item["id"]) for item in EXAMPLE_VIDEOS), "61676555", "7859721", "0.1283"]
        assert [fact for fact in facts if fact not in text] == []
    assert (code, seconds < 1 + 10 * yardstick()) == (0, True)


async def test_without_credentials_it_lists_its_tools_and_a_call_says_in_words_what_is_missing(era: Era) -> None:
    async with started(TIKTOK_CLIENT_KEY="${TIKTOK_CLIENT_KEY}", TIKTOK_CLIENT_SECRET="your_client_secret") as server:
        await greeted(server, era)
        server.send(listing(1, era), call(2, "nasa", era))
        tools = (await server.answer(1))["result"]["tools"]
        result = (await server.answer(2))["result"]

    assert {tool["name"] for tool in tools} == {"get_pinned_videos", "compare_pinned_videos"}
    assert result["isError"]
    assert "structuredContent" not in result
    assert result["content"][0]["text"].startswith("not_configured: ")
    assert "--sandbox" in result["content"][0]["text"]


# --- how it ends --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("moment", ["at once", "greeted", "in mid-call"])
async def test_when_stdin_closes_it_exits_with_0_within_a_second(moment: str) -> None:
    async with started("--sandbox") as server:
        if moment != "at once":
            await greeted(server, "legacy")
        if moment == "in mid-call":
            server.send(call(1, "sandbox_slow"), listing(2))
            await server.answer(2)
        else:
            server.send(listing(2))
            await server.answer(2)
        code, seconds = await server.hang_up()

    assert (code, seconds < 1 + 10 * yardstick()) == (0, True)


async def test_a_client_that_is_gone_before_it_said_anything_leaves_no_process_behind() -> None:
    done = await anyio.run_process([*COMMAND, "--sandbox"], input=b"", env=surroundings("--sandbox"), check=False)

    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


@POSIX_ONLY
@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT"])
async def test_a_signal_in_mid_call_ends_it_in_good_order(name: str) -> None:
    async with started("--sandbox") as server:
        await greeted(server, "legacy")
        server.send(call(1, "sandbox_slow"), listing(2))
        await server.answer(2)
        begun = time.monotonic()
        server.process.send_signal(getattr(signal, name))
        code, seconds = await server.end(begun)
        _, err = await server.process.communicate()

    assert (code, seconds < 1 + 10 * yardstick()) == (0, True)
    assert b"Traceback" not in err


@POSIX_ONLY
async def test_a_reader_that_hangs_up_ends_it_without_a_trace() -> None:
    async with started("--sandbox") as server:
        await greeted(server, "legacy")
        transport: Any = server.process._transport  # type: ignore[attr-defined] - the way to close one pipe alone
        transport.get_pipe_transport(1).close()
        server.send(listing(1), listing(2))
        assert server.process.stdin is not None
        with contextlib.suppress(ConnectionError):
            await server.process.stdin.drain()
        server.process.stdin.close()
        async with asyncio.timeout(60):
            await server.process.wait()
        assert server.process.stderr is not None
        err = await server.process.stderr.read()

    assert b"Traceback" not in err


# --- what comes in ------------------------------------------------------------------------------------------------

RUBBISH: dict[str, bytes] = {
    "no JSON": b"this is no JSON\n",
    "half a message": b'{"jsonrpc": "2.0", "id": 7,\n',
    "an empty line": b"\n\n",
    "no UTF-8": b'{"jsonrpc":"2.0","id":7,"method":"\xff\xfe"}\n',
    "a list": b"[]\n",
    "a number": b"5\n",
    "nested without end": b"[" * 100_000 + b"\n",
    "a number without end": b'{"jsonrpc":"2.0","id":7,"method":"ping","params":{"x":' + b"9" * 5000 + b"}}\n",
    "half a surrogate pair": b'{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"\\ud83d"}}\n',
}


async def test_rubbish_on_stdin_stops_nothing() -> None:
    told: dict[str, str] = {}
    async with started("--sandbox") as server:
        await greeted(server, "legacy")
        for number, (kind, rubbish) in enumerate(RUBBISH.items(), start=1):
            server.send(rubbish, call(number, "nasa"))
            told[kind] = (await server.answer(number))["result"]["structuredContent"]["status"]
        code, _ = await server.hang_up()

    assert told == dict.fromkeys(RUBBISH, "found")
    assert code == 0


async def test_a_line_of_ten_megabytes_is_a_message_like_any_other() -> None:
    async with started("--sandbox") as server:
        await greeted(server, "legacy")
        server.send(call(1, "x" * 10_000_000), call(2, "nasa"))
        refused, answered = await server.answer(1), await server.answer(2)
        code, seconds = await server.hang_up()

    assert refused["result"]["content"][0]["text"].startswith("invalid_argument: Username has 10000000 characters")
    assert answered["result"]["structuredContent"]["status"] == "found"
    assert (code, seconds < 1 + 10 * yardstick()) == (0, True)


async def test_a_line_too_long_to_keep_is_dropped_and_the_next_one_answered() -> None:
    async with started("--sandbox") as server:
        await greeted(server, "legacy")
        server.send(call(1, "x" * 40_000_000), call(2, "nasa"))
        answered = await server.answer(2)
        code, _ = await server.hang_up()

    assert answered["result"]["structuredContent"]["status"] == "found"
    assert code == 0
    assert len(server.messages) < 20


ODD = [
    {"username": None},
    {"username": 12.0},
    {"username": "a\u0000b"},
    {"username": "nasa", "fields": "[[" * 9999},
    {},
]


async def test_no_arguments_of_any_shape_end_the_server() -> None:
    async with started("--sandbox") as server:
        await greeted(server, "legacy")
        for number, arguments in enumerate([*ODD, None, [], "x"], start=1):
            parameters = {"name": "get_pinned_videos", "arguments": arguments}
            server.send(line({"id": number, "method": "tools/call", "params": parameters}), listing(100 + number))
            await server.answer(100 + number)
        code, _ = await server.hang_up()

    assert code == 0


# --- unusual descriptors ------------------------------------------------------------------------------------------


async def test_stdin_may_be_a_file(tmp_path: Path) -> None:
    said = tmp_path / "said.jsonl"
    said.write_bytes(GREETING + listing(1))
    out = tmp_path / "out"
    with said.open("rb") as stdin, out.open("wb") as stdout:
        done = await anyio.run_process(
            [*COMMAND, "--sandbox"], stdin=stdin, stdout=stdout, env=surroundings("--sandbox"), check=False
        )
    messages = [json.loads(written) for written in out.read_bytes().splitlines()]

    # What was asked last may meet the end of the file before its answer.
    assert (done.returncode, messages[0]["id"]) == (0, 0)


@POSIX_ONLY
async def test_stdout_and_stderr_may_be_one_pipe() -> None:
    command = [*COMMAND, "--sandbox"]
    out, code = await _conversation(command, surroundings("--sandbox", LOG_LEVEL="INFO"), stderr=subprocess.STDOUT)
    answers = [json.loads(written) for written in out.splitlines() if written.startswith(b"{")]
    logged = [written for written in out.splitlines() if not written.startswith(b"{")]

    assert [answer["id"] for answer in answers] == [0, 1]
    assert len(logged) == 1
    assert code == 0


@POSIX_ONLY
@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT"])
@pytest.mark.parametrize("where", ["one pipe", "a terminal"])
async def test_a_signal_ends_it_soon_even_where_a_thread_waits_for_stdin(name: str, where: str) -> None:
    ours, theirs = os.openpty()
    on_terminal = where == "a terminal"
    try:
        async with running_async(
            *(*COMMAND, "--sandbox"),
            stdin=theirs if on_terminal else subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=theirs if on_terminal else subprocess.STDOUT,
            env=surroundings("--sandbox"),
        ) as process:
            assert process.stdout is not None
            if process.stdin is not None:
                process.stdin.write(GREETING)
            else:
                os.write(ours, GREETING)
            await asyncio.wait_for(process.stdout.readline(), 30)
            begun = time.monotonic()
            process.send_signal(getattr(signal, name))
            code = await asyncio.wait_for(process.wait(), 30)
            seconds = time.monotonic() - begun
    finally:
        os.close(ours)
        os.close(theirs)

    assert (code, seconds < 2 + 10 * yardstick()) == (0, True)


@POSIX_ONLY
async def test_closed_stderr_costs_no_answer() -> None:
    command = ["/bin/sh", "-c", 'exec "$@" 2>&-', "sh", *COMMAND, "--sandbox"]
    out, code = await _conversation(command, surroundings("--sandbox"))

    assert b'"status":"found"' in out
    assert code == 0


async def _conversation(command: list[str], env: dict[str, str], **how: Any) -> tuple[bytes, int]:
    """Greet, ask for an account, hang up when it is answered: everything written, and the exit code."""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE} | how
    async with running_async(*command, env=env, **pipes) as process, asyncio.timeout(60):
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(GREETING + call(1, "nasa"))
        out = b""
        while b'"id":1' not in out:
            written = await process.stdout.readline()
            assert written, out
            out += written
        process.stdin.close()
        out += await process.stdout.read()
        return out, await process.wait()


@POSIX_ONLY
async def test_printing_by_mistake_does_not_meet_the_protocol(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(
        "import httpx, os\n"
        "build = httpx.AsyncClient.__init__\n"
        "def chatty(self, *args, **kwargs):\n"
        "    print('a library prints')\n"
        "    os.write(1, b'and writes\\n')\n"
        "    build(self, *args, **kwargs)\n"
        "httpx.AsyncClient.__init__ = chatty\n",
        encoding="utf-8",
    )
    path = os.pathsep.join([str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])])
    async with started("--sandbox", PYTHONPATH=path) as server:
        await greeted(server, "legacy")
        server.send(call(1, "nasa"))
        result = (await server.answer(1))["result"]
        code, _ = await server.hang_up()
        assert server.process.stderr is not None
        err = await server.process.stderr.read()

    assert result["structuredContent"]["status"] == "found"
    assert code == 0
    assert b"and writes" in err


async def test_many_calls_at_once_are_all_answered_and_a_large_answer_is_whole() -> None:
    async with started("--sandbox") as server:
        await greeted(server, "legacy")
        server.send(*(call(number, f"user{number}") for number in range(1, 61)))
        for number in range(1, 61):
            if number not in {message.get("id") for message in server.messages}:
                await server.answer(number)
        code, _ = await server.hang_up()

    answered = {message["id"]: message["result"] for message in server.messages if message.get("id")}
    assert set(answered) == set(range(1, 61))
    assert {result["structuredContent"]["status"] for result in answered.values()} == {"found"}
    assert code == 0
