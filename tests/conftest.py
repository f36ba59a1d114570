"""Fixtures that tests of several packages use, and the settings of pytest and hypothesis."""

from __future__ import annotations

import contextlib
import itertools
import os
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from mcp.client import Client
from mcp.client.stdio import StdioServerParameters, stdio_client

from kit.authority import Authority
from kit.calls import ERAS, Era
from kit.dataset import DataSet
from kit.processes import COMMAND, TOKEN, HTTPServer, environment, http_server
from kit.stores import Opened, RedisServer, Store, running_redis
from kit.tiktok import tiktok
from kit.upstream import Upstream, serving
from kit.virtual import Clock
from tiktok_pinned_videos.app import build_server
from tiktok_pinned_videos.settings import Settings

collect_ignore = [] if find_spec("playwright") or os.environ.get("CI") == "true" else ["browser"]

WAYS = ("memory", "stdio", "http")

# On a busy machine any example may take long.
hypothesis.settings.register_profile("default", max_examples=25, deadline=None, derandomize=True)
hypothesis.settings.register_profile("nightly", max_examples=500, deadline=None)
hypothesis.settings.load_profile("default")


def pytest_configure() -> None:
    """Restore the handlers of signals that nohup and a shell's background jobs ignore: child processes inherit them."""
    for name, handler in (("SIGINT", signal.default_int_handler), ("SIGHUP", signal.SIG_DFL)):
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) == signal.SIG_IGN:
            signal.signal(number, handler)


@pytest.fixture(scope="session", autouse=True)
def _no_process_is_left_behind() -> Iterator[None]:
    """End the processes that tests have left running, and fail if there are any."""
    yield
    left: list[str] = []
    for listing in Path("/proc/self/task").glob("*/children"):  # Linux only
        for pid in listing.read_text(encoding="ascii").split():
            command = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
            if command and "multiprocessing.resource_tracker" not in command:
                os.kill(int(pid), signal.SIGKILL)
                left.append(command)
    assert not left, f"these processes were still running after the last test: {left}"


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """The server runs on asyncio; so do its tests."""
    return "asyncio"


@pytest.fixture
def redis_server() -> Iterator[RedisServer]:
    """A server of the test's own, to be killed, frozen and started again."""
    with running_redis() as server:
        yield server


@pytest.fixture
async def upstream() -> AsyncIterator[Upstream]:
    """TikTok's API on a loopback port."""
    async with serving() as running:
        yield running


@pytest.fixture
async def opened() -> AsyncIterator[Opened]:
    """Closes the stores that a test opens, whatever becomes of the test."""
    async with contextlib.AsyncExitStack() as stack:

        def keep(store: Store) -> Store:
            stack.push_async_callback(store.aclose)
            return store

        yield keep


@pytest.fixture(params=ERAS)
def era(request: pytest.FixtureRequest) -> Era:
    """Each of the eras of the protocol."""
    return request.param


@pytest.fixture
def clock() -> Clock:
    """Time that the test moves."""
    return Clock()


@pytest.fixture
async def data(tmp_path: Path) -> AsyncIterator[DataSet]:
    """A data set that is not there yet, and an upstream for its command."""
    async with tiktok() as upstream:
        yield DataSet(tmp_path / "pinned", upstream)


_databases = itertools.count()


@pytest.fixture(scope="session")
def _session_redis() -> Iterator[RedisServer]:
    with running_redis("--databases", "4096") as server:
        yield server


@pytest.fixture
def redis_url(_session_redis: RedisServer) -> str:
    """The URL of an empty database of the one server of the session."""
    return f"redis://127.0.0.1:{_session_redis.port}/{next(_databases)}"


@pytest.fixture(scope="module")
def shared_server() -> Iterator[HTTPServer]:
    """A sandbox server over HTTP that all tests of a module ask."""
    with http_server() as server:
        yield server


@pytest.fixture(scope="module")
def guarded_server() -> Iterator[HTTPServer]:
    """The same, which requires `TOKEN`."""
    with http_server(env={"MCP_BEARER_TOKEN": TOKEN}) as server:
        yield server


@pytest.fixture(scope="module")
def authority() -> Iterator[Authority]:
    """An authorization server."""
    with closing(Authority()) as running:
        yield running


@pytest.fixture(
    scope="module", params=[(way, era) for way in WAYS for era in ERAS], ids=lambda param: f"{param[0]}-{param[1]}"
)
async def client(
    request: pytest.FixtureRequest, anyio_backend: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Client]:
    """A connected client of a sandbox server: in memory, over stdio and over HTTP, in both protocol eras.

    It, and the process behind it, lives as long as the module.
    """
    way, era = request.param
    async with contextlib.AsyncExitStack() as stack:
        server: Any
        match way:
            case "memory":
                server = build_server(Settings(sandbox=True))
            case "stdio":
                log = stack.enter_context((tmp_path_factory.mktemp("stdio") / "stderr").open("w", encoding="utf-8"))
                parameters = StdioServerParameters(
                    command=COMMAND[0], args=[*COMMAND[1:], "--sandbox"], env=environment()
                )
                server = stdio_client(parameters, errlog=log)
            case _:
                server = request.getfixturevalue("shared_server").url
        yield await stack.enter_async_context(Client(server, mode=era))
