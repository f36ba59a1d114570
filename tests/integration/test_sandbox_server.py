"""The sandbox on a port and inside the program: same answers, loopback only, signals, and what it imports."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator

import httpx
import pytest

from kit.processes import running
from kit.sandbox import Researcher, error_of, researcher
from kit.upstream import PINNED, TOKEN
from tiktok_pinned_videos.sandbox.server import serve
from tiktok_pinned_videos.serving import listen

pytestmark = pytest.mark.anyio

client = pytest.fixture(researcher)


@pytest.fixture
async def outside() -> AsyncIterator[Researcher]:
    """A client of a sandbox on a free port."""
    port: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    stop = asyncio.Event()
    served = asyncio.create_task(serve(0, ready=port.set_result, stop=stop))
    await asyncio.wait({port, served}, timeout=60, return_when=asyncio.FIRST_COMPLETED)
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port.result()}", timeout=60) as http:
        yield Researcher(http)
    stop.set()
    await asyncio.wait_for(served, 60)


async def test_it_answers_on_a_port_as_in_process(client: Researcher, outside: Researcher) -> None:
    await outside.log_in()
    for name in ("nasa", "slow_oven", "sandbox_hostile", "sandbox_empty", "Юлия"):
        assert await outside.videos(name) == await client.videos(name)
    for name in ("sandbox_missing", "sandbox_quota", "sandbox_broken"):
        inner, outer = await client.ask(name), await outside.ask(name)
        assert (inner.status_code, len(inner.content)) == (outer.status_code, len(outer.content))
        assert outer.headers["X-Sandbox"] == "tiktok-pinned-videos-mcp"


async def test_a_body_beyond_64_kib_is_refused_and_the_server_continues(outside: Researcher) -> None:
    assert error_of(await outside.http.post(PINNED, content=b"x" * 1_000_000))[0] == 413
    assert (await outside.log_in()).status_code == 200


async def test_a_port_that_is_taken_is_an_os_error(outside: Researcher) -> None:
    with pytest.raises(OSError) as caught:  # noqa: PT011 - its text is the system's; errno is checked below
        await serve(outside.http.base_url.port or 0)

    assert caught.value.errno == errno.EADDRINUSE


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "::"])
async def test_it_serves_loopback_addresses_only(host: str) -> None:
    with pytest.raises(ValueError, match=re.escape(host)):
        await serve(0, host=host)


@pytest.mark.skipif(os.name == "nt", reason="leaves out: signals, which Windows delivers otherwise")
def test_a_signal_lets_requests_in_flight_finish_and_exits_0() -> None:
    program = (
        "import asyncio; from tiktok_pinned_videos.sandbox.server import serve\n"
        "asyncio.run(serve(0, latency=0.5, ready=lambda port: print(port, flush=True)))\n"
    )
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with running([sys.executable, "-c", program], encoding="utf-8", **pipes) as process:
        assert process.stdout
        port = int(process.stdout.readline())
        body = "client_key=a&client_secret=b&grant_type=client_credentials"
        with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
            head = f"POST {TOKEN} HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\n"
            connection.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n{body}".encode())
            time.sleep(0.1)
            process.send_signal(signal.SIGTERM)
            answer = b"".join(iter(lambda: connection.recv(65_536), b""))
        out, err = process.communicate(timeout=60)

    assert b'"access_token":"clt.' in answer
    assert (process.returncode, out, err) == (0, "", "")


@pytest.mark.skipif(os.name == "nt", reason="leaves out: signals, which Windows delivers otherwise")
def test_ctrl_c_ends_a_long_list_over_the_embedded_sandbox() -> None:
    names = [f"account{number}" for number in range(3_000)]
    command = [sys.executable, "-m", "tiktok_pinned_videos", "get", "--sandbox", "--format", "jsonl", "--from", "-"]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    with running(command, encoding="utf-8", **pipes) as process:
        assert process.stdin
        assert process.stdout
        with contextlib.suppress(BrokenPipeError):
            process.stdin.write("\n".join(names))
            process.stdin.close()
        process.stdout.readline()  # the first answer
        process.send_signal(signal.SIGINT)
        answered = len(process.stdout.readlines())
        process.wait(60)

    assert process.returncode == 130
    assert answered < len(names) // 2


def test_the_sandbox_imports_nothing_else_of_the_package() -> None:
    program = (
        "import sys, tiktok_pinned_videos.sandbox.server\n"
        "print(*sorted(name for name in sys.modules if name.startswith('tiktok_pinned_videos.')))\n"
        "print(*({'mcp', 'pydantic', 'uvicorn', 'starlette'} & sys.modules.keys()))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, encoding="utf-8", check=True)

    own, foreign = done.stdout.splitlines()
    others = [name for name in own.split() if not name.startswith("tiktok_pinned_videos.sandbox")]
    assert others == ["tiktok_pinned_videos.serving"]
    assert foreign == "uvicorn"


async def test_replies_do_not_wait_for_each_other_in_the_network_stack() -> None:
    accepted: asyncio.Future[asyncio.StreamWriter] = asyncio.get_running_loop().create_future()
    listener = listen("localhost", 0)
    async with await asyncio.start_server(lambda _, ours: accepted.set_result(ours), sock=listener):
        _, theirs = await asyncio.open_connection(*listener.getsockname())
        ours = await accepted

        assert ours.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        for writer in (ours, theirs):
            writer.close()
            await writer.wait_closed()
