"""Ctrl-C and SIGTERM while `get` works, and its progress bar: real processes, real signals, a real terminal."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
from dataclasses import replace

import pytest

from kit.cli import several_accounts, there
from kit.processes import COMMAND, running_async
from kit.programs import until
from kit.upstream import EXAMPLE_VIDEOS, Upstream, videos

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(sys.platform == "win32", reason="needs signals and terminals of POSIX"),
]
upstream = pytest.fixture(several_accounts)


async def interrupt(upstream: Upstream, form: str, *, delay: float, signals: list[int]) -> tuple[int, str, str]:
    """Start `get` for six accounts, two at a time; interrupt it when both requests were sent. Status and output."""
    upstream.answer(replace(videos(EXAMPLE_VIDEOS), delay=delay))
    command = [*COMMAND, "get", *(f"user{number}" for number in range(6)), "--format", form]
    env = there(upstream, TIKTOK_MAX_CONCURRENCY="2")
    pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    async with running_async(*command, env=env, **pipes) as process:
        await until(lambda: len(upstream.research) >= 2)
        for number in signals:
            process.send_signal(number)
            await asyncio.sleep(0.3)
        async with asyncio.timeout(30):
            out, err = await process.communicate()
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()


@pytest.mark.parametrize(
    ("form", "number"), [("json", signal.SIGINT), pytest.param("raw", signal.SIGTERM, marks=pytest.mark.slow)]
)
async def test_answers_to_requests_already_sent_are_printed_and_no_other_is_sent(
    upstream: Upstream, form: str, number: int
) -> None:
    code, out, err = await interrupt(upstream, form, delay=1.0, signals=[number])
    printed = json.loads(out) if form == "json" else [json.loads(line) for line in out.splitlines()]

    assert (code, err) == (130, "")
    assert {one["username"] for one in printed} == {"user0", "user1"}
    assert len(upstream.research) == 2


async def test_a_second_signal_ends_at_once(upstream: Upstream) -> None:
    code, out, err = await interrupt(upstream, "jsonl", delay=50, signals=[signal.SIGINT, signal.SIGINT])

    assert (code, out, err) == (130, "", "")
    assert len(upstream.research) == 2


async def test_progress_is_shown_on_a_terminal_and_nowhere_else(upstream: Upstream) -> None:
    ours, theirs = os.openpty()
    command = (*COMMAND, "get", "a", "missing", "c", "--format", "jsonl")
    async with running_async(*command, env=there(upstream), stdout=subprocess.PIPE, stderr=theirs) as process:
        os.close(theirs)
        out, _ = await process.communicate()
    shown = b""
    with contextlib.suppress(OSError):
        while part := os.read(ours, 10_000):
            shown += part
    os.close(ours)

    assert len(out.splitlines()) == 3
    assert [f"{done}/3 done" in shown.decode() for done in range(4)] == [True] * 4
    assert "3/3 done, 1 failed" in shown.decode()
    assert shown.endswith(b" \r")  # the line is removed in the end


async def test_a_reader_that_pauses_lets_no_request_time_out(upstream: Upstream) -> None:
    upstream.answer(replace(videos([{"id": 1, "video_description": "x" * 30_000}]), delay=0.2))
    command = [*COMMAND, "get", *(f"user{number}" for number in range(20)), "--format", "jsonl"]
    env = there(upstream, TIKTOK_TIMEOUT="2")
    async with running_async(*command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        await until(lambda: len(upstream.research) >= 4)
        await asyncio.sleep(2.5)
        out, err = await process.communicate()

    assert (process.returncode, err) == (0, b"")
    assert len(out.splitlines()) == 20


@pytest.mark.slow
async def test_a_reader_that_reads_no_more_does_not_keep_an_interrupted_command(upstream: Upstream) -> None:
    upstream.answer(videos([{"id": 1, "video_description": "x" * 30_000}]))
    command = [*COMMAND, "get", *(f"user{number}" for number in range(20)), "--format", "jsonl"]
    unread, stdout = os.pipe()
    async with running_async(*command, env=there(upstream), stdout=stdout) as process:
        os.close(stdout)
        await until(lambda: len(upstream.research) >= 4)
        process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(30):
            assert await process.wait() == 130
    os.close(unread)
