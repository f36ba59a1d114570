"""How the HTTP server starts and stops."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from mcp.client import Client

from kit.cli import run_now
from kit.processes import ACCEPT, COMMAND, call, environment, http_server
from kit.programs import until

pytestmark = pytest.mark.anyio
POSIX = pytest.mark.skipif(sys.platform == "win32", reason="about POSIX signals")


def test_addresses_that_others_can_reach_need_authentication() -> None:
    said = run_now(("http", "--sandbox", "--host", "0.0.0.0", "--port", "0"), environment())

    assert said.code == 2
    assert "MCP_BEARER_TOKEN" in said.err


def test_a_taken_port_is_one_line_that_names_it() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        said = run_now(("http", "--sandbox", "--port", port), environment())

    assert (said.code, len(said.err.splitlines()), port in said.err) == (1, 1, True)
    assert "not a host" in run_now(("http", "--sandbox", "--host", "not a host"), environment()).err


def _is_closed(place: tuple[str, int]) -> bool:
    try:
        socket.create_connection(place, timeout=30).close()
    except ConnectionRefusedError:
        return True
    return False


@POSIX
@pytest.mark.parametrize(
    ("mode", "number"), [("auto", "SIGTERM"), pytest.param("legacy", "SIGHUP", marks=pytest.mark.slow)]
)
async def test_a_call_in_progress_is_answered_though_the_server_is_stopped(mode: str, number: str) -> None:
    with http_server() as server:
        async with Client(server.url, mode=mode) as client:
            await client.list_tools()
            calling = asyncio.create_task(client.call_tool("get_pinned_videos", {"username": "sandbox_slow"}))
            await asyncio.sleep(0.5)
            server.terminate(getattr(signal, number))
            await until(lambda: _is_closed(server.address))
            result = await calling
        code = await asyncio.to_thread(server.wait)

    assert result.structured_content is not None
    assert (result.structured_content["status"], code) == ("found", 0)
    assert not any("ERROR" in line or "Traceback" in line for line in server.lines)


@POSIX
@pytest.mark.slow
def test_a_call_that_never_ends_is_503_and_nothing_that_clients_hold_open_delays_the_end() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent, contextlib.ExitStack() as stack:
        env = {
            "TIKTOK_CLIENT_KEY": "awkey123", "TIKTOK_CLIENT_SECRET": "hunter2-hunter2", "TIKTOK_STATE": "memory:",
            "TIKTOK_API_BASE_URL": f"http://127.0.0.1:{silent.getsockname()[1]}",
        }  # fmt: skip
        server = stack.enter_context(http_server(env=env, sandbox=False))
        _idle, unfinished = (stack.enter_context(socket.create_connection(server.address)) for _ in range(2))
        unfinished.sendall(b"POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\n{")
        asking = stack.enter_context(ThreadPoolExecutor(1)).submit(
            httpx.post, server.url, json=call("get_pinned_videos", username="a"), timeout=60,
            headers={"Accept": "application/json"},
        )  # fmt: skip
        stack.enter_context(silent.accept()[0])  # the call has begun
        server.terminate()

        assert asking.result().status_code == 503
        assert server.wait(30) == 0
        assert not any("Traceback" in line for line in server.lines)


@POSIX
@pytest.mark.slow
def test_a_server_started_with_nohup_outlives_its_terminal() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as nohup does
    try:
        with http_server() as server:
            server.terminate(signal.SIGHUP)
            with pytest.raises(subprocess.TimeoutExpired):
                server.wait(1)
            server.terminate()
            assert server.wait() == 0
    finally:
        signal.signal(signal.SIGHUP, before)


@POSIX
@pytest.mark.slow
@pytest.mark.parametrize("closed", [False, True], ids=["nobody reads stderr", "stderr is closed"])
def test_stderr_never_stops_the_server_or_changes_its_exit_status(closed: bool) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    reading, writing = os.pipe()
    command = [*COMMAND, "http", "--sandbox", "--port", str(port)]
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=writing, env=environment())
    os.close(writing)
    try:
        os.read(reading, 1)  # the first line: it is ready
        if closed:
            os.close(reading)
        with httpx.Client(headers=ACCEPT, timeout=60) as client:
            called = call("get_pinned_videos", username="nasa")
            for _ in range(600 if not closed else 3):  # a line each
                assert client.post(f"http://127.0.0.1:{port}/mcp", json=called).status_code == 200
        process.terminate()
        assert process.wait(60) == 0
    finally:
        process.kill()
        process.wait()
        if not closed:
            os.close(reading)
