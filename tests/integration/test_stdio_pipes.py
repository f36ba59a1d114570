"""The pipes of the server over stdio: how it ends when they do, and unusual ones."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import anyio
import pytest

from kit.processes import COMMAND, STARTS, running_async, yardstick
from kit.stdio import GREETING, call, greeted, in_both_ways, listing, started, surroundings

pytestmark = pytest.mark.anyio

start = pytest.fixture(params=STARTS, autouse=True)(in_both_ways)
POSIX_ONLY = pytest.mark.skipif(sys.platform == "win32", reason="about POSIX signals and descriptors")


# --- how it ends -----------------------------------------------------------------------------------------------------


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


# --- unusual descriptors ---------------------------------------------------------------------------------------------


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
