"""How the HTTP server starts, or says in a line why not, and how it stops."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
import subprocess
import sys
import threading
import time

import httpx
import pytest
from mcp.client import Client

from kit.mcp_http import ACCEPT, LIST, address, answer, call
from kit.processes import COMMAND, environment, http_server, yardstick
from kit.programs import until

pytestmark = pytest.mark.anyio

SECRET = "correct-horse-battery-staple"
POSIX = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGTERM to answer")


# Starting


def refused(*arguments: str, **env: str) -> tuple[int, list[str]]:
    """Exit code and stderr of a start that fails."""
    done = subprocess.run(
        [*COMMAND, "http", "--sandbox", *arguments],
        env=environment(**env),
        capture_output=True,
        encoding="utf-8",
        timeout=20,
        check=False,
    )
    assert done.stdout == ""
    return done.returncode, done.stderr.splitlines()


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
def test_without_authentication_only_loopback_is_served(host: str) -> None:
    code, lines = refused("--host", host, "--port", "0")

    assert code == 2
    assert len(lines) == 2
    assert "MCP_BEARER_TOKEN" in lines[1]


JWT = {"MCP_JWT_ISSUER": "https://id.example.org", "MCP_JWT_AUDIENCE": "https://mcp.example.org/mcp"}


@pytest.mark.parametrize(
    ("env", "named"),
    [
        (JWT | {"MCP_BEARER_TOKEN": SECRET}, "Two ways"),
        ({"MCP_JWT_ISSUER": JWT["MCP_JWT_ISSUER"]}, "MCP_JWT_AUDIENCE"),
        ({"MCP_JWT_AUDIENCE": JWT["MCP_JWT_AUDIENCE"]}, "MCP_JWT_ISSUER"),
        ({"MCP_JWKS_URL": "https://id.example.org/keys"}, "MCP_JWT_ISSUER and MCP_JWT_AUDIENCE"),
        ({"MCP_JWKS_URL": "https://id.example.org/keys", "MCP_BEARER_TOKEN": SECRET}, "Two ways"),
    ],
)
def test_two_ways_to_authenticate_or_half_a_way_do_not_start(env: dict[str, str], named: str) -> None:
    code, lines = refused("--port", "0", **env)

    assert code == 2
    assert len(lines) == 2
    assert named in " ".join(lines)
    assert SECRET not in " ".join(lines)


@pytest.mark.parametrize("host", [".", "a" * 64 + ".example", "a..b"])
def test_a_host_that_can_be_none_is_one_line(host: str) -> None:
    code, lines = refused("--host", host, "--port", "0")

    assert code == 1
    assert len(lines) == 1
    assert "--host" in lines[0]


def test_a_short_secret_does_not_start() -> None:
    code, lines = refused("--port", "0", MCP_BEARER_TOKEN="too short")

    assert code == 2
    assert len(lines) == 1
    assert "MCP_BEARER_TOKEN" in lines[0]
    assert "too short" not in lines[0]


def test_a_taken_port_is_one_line() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        code, lines = refused("--port", port)

    assert code == 1
    assert len(lines) == 1
    assert port in lines[0]


def test_any_address_with_a_secret_is_served_and_asks_for_it() -> None:
    with http_server("--host", "0.0.0.0", env={"MCP_BEARER_TOKEN": SECRET}) as server:
        here = server.url.replace("0.0.0.0", "127.0.0.1")
        without = httpx.post(here, json=LIST, headers=ACCEPT, timeout=60)
        served = httpx.post(here, json=LIST, headers=ACCEPT | {"Authorization": f"Bearer {SECRET}"}, timeout=60)

    assert without.status_code == 401
    assert len(answer(served)["result"]["tools"]) == 2


# Stopping


def refuses(place: tuple[str, int]) -> bool:
    """Whether nobody listens there any more."""
    try:
        socket.create_connection(place, timeout=30).close()
    except ConnectionRefusedError:
        return True
    return False


@POSIX
@pytest.mark.parametrize(
    ("mode", "number"),
    [
        ("auto", "SIGTERM"),
        pytest.param("legacy", "SIGTERM", marks=pytest.mark.processes),
        pytest.param("auto", "SIGHUP", marks=pytest.mark.processes),
    ],
)
async def test_a_call_in_flight_is_answered_although_the_server_is_told_to_stop(mode: str, number: str) -> None:
    with http_server() as server:
        async with Client(server.url, mode=mode) as client:
            await client.list_tools()  # it wants the schema afterwards, when nobody is there any more
            call = asyncio.create_task(client.call_tool("get_pinned_videos", {"username": "sandbox_slow"}))
            await asyncio.sleep(0.7)
            told = time.monotonic()
            server.terminate(getattr(signal, number))
            await until(lambda: refuses(address(server)))
            result = await call
        code = await asyncio.to_thread(server.wait)

    assert result.structured_content is not None
    assert result.structured_content["status"] == "found"
    assert code == 0
    assert time.monotonic() - told < 8 + 20 * yardstick()
    assert [line for line in server.lines if "ERROR" in line or "Traceback" in line] == []


@POSIX
@pytest.mark.processes
def test_a_server_that_shall_outlive_its_terminal_does() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as nohup does
    try:
        with http_server() as server:
            server.terminate(signal.SIGHUP)
            time.sleep(0.5)
            assert httpx.get(server.base + "/healthz", timeout=60).status_code == 200
            server.terminate()
            assert server.wait() == 0
    finally:
        signal.signal(signal.SIGHUP, before)


@POSIX
@pytest.mark.processes
@pytest.mark.parametrize("era", ["2025-11-25", "2026-07-28"])
def test_a_call_that_takes_longer_than_the_stop_may_ends_without_a_traceback(era: str) -> None:
    env = {"TIKTOK_CLIENT_KEY": "awkey123", "TIKTOK_CLIENT_SECRET": "hunter2-hunter2", "TIKTOK_STATE": "memory:"}
    body = call("get_pinned_videos", username="nasa")
    headers = ACCEPT
    if era == "2026-07-28":
        body["params"]["_meta"] = {
            "io.modelcontextprotocol/protocolVersion": era, "io.modelcontextprotocol/clientCapabilities": {},
        }  # fmt: skip
        headers = ACCEPT | {"Mcp-Protocol-Version": era, "Mcp-Method": "tools/call", "Mcp-Name": "get_pinned_videos"}
    said: list[str] = []

    def ask() -> None:
        try:
            said.append(str(httpx.post(server.url, json=body, headers=headers, timeout=60).status_code))
        except httpx.RemoteProtocolError:
            said.append("cut")

    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        env["TIKTOK_API_BASE_URL"] = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with http_server(env=env, sandbox=False) as server:
            asking = threading.Thread(target=ask)
            asking.start()
            silent.accept()[0].close()  # it has begun
            server.terminate()
            assert server.wait(30) == 0
            asking.join()

    # An event stream has begun by then; a single answer has not.
    assert said == ["cut" if era == "2025-11-25" else "503"]
    assert not any("Traceback" in line for line in server.lines)


@POSIX
@pytest.mark.processes
def test_a_stop_ends_in_time_whatever_clients_do() -> None:
    with http_server() as server, contextlib.ExitStack() as stack:
        host, port = address(server)
        _idle, unfinished = (stack.enter_context(socket.create_connection((host, port))) for _ in range(2))
        head = f"POST /mcp HTTP/1.1\r\nHost: {host}:{port}\r\nContent-Type: application/json\r\nContent-Length: 10\r\n"
        unfinished.sendall(f"{head}Accept: {ACCEPT['Accept']}\r\n\r\n{{".encode())
        httpx.get(server.base + "/healthz", timeout=60)
        told = time.monotonic()
        server.terminate()
        code = server.wait()

    assert code == 0
    assert time.monotonic() - told < 8 + 20 * yardstick()


@POSIX
async def test_an_idle_server_stops_at_once() -> None:
    with http_server() as server:
        async with Client(server.url) as client:
            await client.list_tools()
            told = time.monotonic()
            server.terminate()
            code = await asyncio.to_thread(server.wait)

    assert code == 0
    assert time.monotonic() - told < 1 + 20 * yardstick()
    assert len(server.lines) == 1
