"""Fixtures every test may use. What they are made of is in `kit`."""

from __future__ import annotations

import contextlib
import itertools
import signal
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from mcp.client import Client
from mcp.client.stdio import StdioServerParameters, stdio_client

from kit import (
    COMMAND,
    ERAS,
    Clock,
    DataSet,
    Era,
    HTTPServer,
    Opened,
    RedisDatabase,
    RedisServer,
    Store,
    Upstream,
    environment,
    http_server,
    running_redis,
    serving,
    tiktok,
)
from kit.selection import BROWSER_IS_MISSING, Selection
from tiktok_pinned_videos.app import build_server
from tiktok_pinned_videos.settings import Settings

collect_ignore = ["browser"] if BROWSER_IS_MISSING else []

WAYS = ("memory", "stdio", "http")


def pytest_configure(config: pytest.Config) -> None:
    """Say which tests run, and have the processes that they start heed all signals.

    Under nohup and in the background of a shell some are ignored, here and in everything that is started from here.
    """
    config.pluginmanager.register(Selection(config))
    for name, handler in (("SIGINT", signal.default_int_handler), ("SIGHUP", signal.SIG_DFL)):
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) == signal.SIG_IGN:
            signal.signal(number, handler)


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
    """TikTok's side of the wire on a loopback port."""
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
def shared_redis(_session_redis: RedisServer) -> RedisDatabase:
    """An empty database of the one server of the session."""
    return RedisDatabase(_session_redis.port, next(_databases))


@pytest.fixture(scope="module")
def shared_http_server() -> Iterator[HTTPServer]:
    """A sandbox server over HTTP that all tests of a module ask."""
    with http_server() as server:
        yield server


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
                server = request.getfixturevalue("shared_http_server").url
        yield await stack.enter_async_context(Client(server, mode=era))
