"""The sandbox on a port says what it says in process; what holds for every answer; what it imports."""

from __future__ import annotations

import asyncio
import errno
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest

from kit import BASE, PINNED, TOKEN, VIRTUAL_TIME, Researcher, error_of, fastest, now, researcher, running, yardstick
from tiktok_pinned_videos.sandbox.server import serve
from tiktok_pinned_videos.sandbox.transport import SandboxTransport

pytestmark = pytest.mark.anyio

client = pytest.fixture(researcher)


@asynccontextmanager
async def served(latency: float = 0.0) -> AsyncIterator[str]:
    """The base URL of a real sandbox on a free port."""
    port: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    stop = asyncio.Event()
    running = asyncio.create_task(serve(0, latency=latency, ready=port.set_result, stop=stop))
    await asyncio.wait({port, running}, timeout=60, return_when=asyncio.FIRST_COMPLETED)
    if running.done():
        running.result()
    try:
        yield f"http://127.0.0.1:{port.result()}"
    finally:
        stop.set()
        await asyncio.wait_for(running, 60)


# What holds for every answer


async def every_kind_of_answer(client: Researcher) -> list[httpx.Response]:
    names = ("empty", "missing", "private", "flaky", "limited", "quota", "broken", "hostile")
    return [
        await client.ask("nasa"),
        await client.ask("nasa", "nonsense"),
        await client.ask(7),
        await client.ask("nasa", Authorization=""),
        *[await client.ask(f"sandbox_{name}") for name in names],
        await client.log_in(),
        await client.http.post(TOKEN),
        await client.http.post(TOKEN, content=b"x" * 70_000),
        await client.http.get(TOKEN),
        await client.http.get("/"),
    ]


async def test_every_answer_says_that_it_is_the_sandbox(client: Researcher) -> None:
    async with served() as base, httpx.AsyncClient(base_url=base, timeout=60) as http:
        outside = Researcher(http)
        await outside.log_in()
        inside_answers = await every_kind_of_answer(client)
        outside_answers = await every_kind_of_answer(outside)

    for response in inside_answers + outside_answers:
        assert response.headers.get_list("X-Sandbox") == ["tiktok-pinned-videos-mcp"], response.url
    assert [answer.status_code for answer in inside_answers] == [answer.status_code for answer in outside_answers]


async def test_no_two_answers_share_a_log_id(client: Researcher) -> None:
    texts = [response.text for response in await every_kind_of_answer(client)]
    texts += [response.text for response in await every_kind_of_answer(client)]

    log_ids = re.findall(r'"log_id":"([^"]+)"', "".join(texts))
    assert len(log_ids) == len(texts) - 2 - 2  # the HTML pages and the granted tokens carry none
    assert len(set(log_ids)) == len(log_ids)


@VIRTUAL_TIME
async def test_latency_is_added_to_every_answer() -> None:
    async with httpx.AsyncClient(transport=SandboxTransport(latency=0.05), base_url=BASE) as http:
        client = Researcher(http)
        for ask in (client.log_in, lambda: client.ask("nasa"), lambda: client.ask("sandbox_missing")):
            began = now()
            await ask()
            assert now() - began == pytest.approx(0.05)


# On a port


async def test_the_server_answers_as_the_transport_does(client: Researcher) -> None:
    async with served() as base, httpx.AsyncClient(base_url=base, timeout=60) as http:
        outside = Researcher(http)
        await outside.log_in()

        for name in ("nasa", "slow_oven", "sandbox_hostile", "sandbox_empty", "Юлия"):
            assert await outside.videos(name) == await client.videos(name)


async def test_a_body_beyond_64_kib_is_refused_and_the_server_lives_on() -> None:
    async with served() as base, httpx.AsyncClient(base_url=base, timeout=60) as http:
        response = await http.post(PINNED, content=b"x" * 1_000_000)
        assert error_of(response)[0] == 413

        assert (await Researcher(http).log_in()).status_code == 200


async def test_headers_and_body_do_not_wait_for_each_other() -> None:
    async with served() as base, httpx.AsyncClient(base_url=base, timeout=60) as http:
        client = Researcher(http)
        first = await fastest(1, client.log_in)
        _, later = [await fastest(times, lambda: client.ask("nasa")) for times in (30, 15)]

    # A server that leaves Nagle's algorithm on pays 40 ms for a reply, once the connection is past its first replies.
    assert later < first + 0.03


async def test_a_port_that_is_taken_is_an_os_error() -> None:
    async with served() as base:
        with pytest.raises(OSError) as caught:  # noqa: PT011 - its text is the system's; errno is checked below
            await serve(int(base.rpartition(":")[2]))

    assert caught.value.errno == errno.EADDRINUSE


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "::", "example.com"])
async def test_the_sandbox_stands_open_to_nobody(host: str) -> None:
    with pytest.raises(ValueError, match=re.escape(host)):
        await serve(0, host=host)


@pytest.mark.skipif(os.name == "nt", reason="leaves out: signals, which Windows delivers otherwise")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_lets_it_finish_what_is_in_flight_and_exit_0(number: signal.Signals) -> None:
    program = (
        "import asyncio; from tiktok_pinned_videos.sandbox.server import serve\n"
        "asyncio.run(serve(0, latency=0.5, ready=lambda port: print(port, flush=True)))\n"
    )
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with running([sys.executable, "-c", program], encoding="utf-8", **pipes) as process:
        assert process.stdout
        port = int(process.stdout.readline())
        body = "client_key=a&client_secret=b&grant_type=client_credentials"
        with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
            head = f"POST {TOKEN} HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\n"
            connection.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n{body}".encode())
            time.sleep(0.1)
            process.send_signal(number)
            began = time.perf_counter()
            answer = b"".join(iter(lambda: connection.recv(65_536), b""))
        out, err = process.communicate(timeout=60)

    assert b'"access_token":"clt.' in answer
    assert (process.returncode, out, err) == (0, "", "")
    assert time.perf_counter() - began < 8 + 20 * yardstick()


# Where it stands in the house


@pytest.mark.parametrize("module", ["transport", "server"])
def test_the_sandbox_imports_nothing_else_of_the_package(module: str) -> None:
    program = (
        f"import sys, tiktok_pinned_videos.sandbox.{module}\n"
        "print(*(name for name in sys.modules if name.startswith('tiktok_pinned_videos')))\n"
        "print(*({'mcp', 'pydantic', 'uvicorn', 'starlette'} & sys.modules.keys()))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, encoding="utf-8", check=True)

    own, foreign = done.stdout.splitlines()
    strangers = [name for name in own.split() if not name.startswith("tiktok_pinned_videos.sandbox")]
    shared = ["tiktok_pinned_videos.serving"] if module == "server" else []
    assert sorted(strangers) == ["tiktok_pinned_videos", *shared]
    assert foreign == ("uvicorn" if module == "server" else "")
