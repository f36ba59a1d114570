"""Connections of the HTTP server: how long each may stay, and which one makes room."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import time
from collections.abc import AsyncIterator

import pytest

from kit import ACCEPT, LIST
from tiktok_pinned_videos.app import LazyBackend, build_server
from tiktok_pinned_videos.serving import listen
from tiktok_pinned_videos.settings import Settings
from tiktok_pinned_videos.transports.auth import NoAuthentication, SharedSecret
from tiktok_pinned_videos.transports.http import address_of, build_app, serve

pytestmark = pytest.mark.anyio

SECRET = "correct-horse-battery-staple"


def raw(body: object, *headers: str) -> bytes:
    """A request, byte by byte."""
    content = json.dumps(body).encode()
    every = [f"{name}: {value}" for name, value in ACCEPT.items()]
    head = ["POST /mcp HTTP/1.1", "Host: localhost", *every, f"Content-Length: {len(content)}", *headers, "", ""]
    return "\r\n".join(head).encode() + content


KEPT_ALIVE = raw(LIST)


@contextlib.asynccontextmanager
async def here(secret: str = "") -> AsyncIterator[tuple[str, int]]:
    """The server in this process, so that its bounds can be moved; its address."""
    settings = Settings(sandbox=True)
    backend = LazyBackend(settings, transport=None, clock=time.time)
    started = asyncio.Event()
    with listen("127.0.0.1", 0) as listener:
        host, port = address_of(listener)
        app = build_app(
            lambda _: build_server(settings, backend=backend),
            settings,
            backend,
            SharedSecret(secret) if secret else NoAuthentication(),
            host=host,
            port=port,
        )
        serving = asyncio.create_task(serve(app, listener, ready=started.set))
        try:
            await started.wait()
            yield host, port
        finally:
            serving.cancel()
            await asyncio.gather(serving, return_exceptions=True)


@contextlib.asynccontextmanager
async def connection(address: tuple[str, int]) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection(*address)
    try:
        yield reader, writer
    finally:
        writer.close()


CONNECTIONS = "tiktok_pinned_videos.transports.connections."


@pytest.mark.parametrize("sent", [b"", b"POST /mcp HTTP/1.1\r\nHost: x", KEPT_ALIVE, KEPT_ALIVE + b"POST"])
async def test_a_head_that_does_not_come_is_not_waited_for(sent: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(CONNECTIONS + "HEAD_TIME", 0.4)
    monkeypatch.setattr(CONNECTIONS + "IDLE", 0.6)
    async with here() as address, connection(address) as (reader, writer):
        for piece in (sent[: len(KEPT_ALIVE)], sent[len(KEPT_ALIVE) :]):
            writer.write(piece)
            await asyncio.sleep(0.1)
        heard = await asyncio.wait_for(_until_closed(reader), 30)

    assert heard.startswith(b"HTTP/1.1 200 OK") == sent.startswith(KEPT_ALIVE)


async def test_a_connection_between_two_calls_is_kept_for_longer_than_a_head_may_take(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(CONNECTIONS + "HEAD_TIME", 0.1)
    async with here() as address, connection(address) as (reader, writer):
        for _ in range(2):
            writer.write(KEPT_ALIVE)
            assert (await reader.readuntil(b"\r\n")).startswith(b"HTTP/1.1 200")
            await reader.readuntil(b"\r\n0\r\n\r\n")
            await asyncio.sleep(0.4)


async def test_strangers_push_each_other_out_and_nobody_who_has_called(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(CONNECTIONS + "MAX_STRANGERS", 3)
    monkeypatch.setattr(CONNECTIONS + "MAX_CONNECTIONS", 5)
    request = raw(LIST, f"Authorization: Bearer {SECRET}")
    async with here(SECRET) as address, contextlib.AsyncExitStack() as stack:

        async def one() -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
            return await stack.enter_async_context(connection(address))

        async def is_served(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
            writer.write(request)
            try:
                return b'"tools"' in await asyncio.wait_for(reader.readuntil(b"\r\n0\r\n\r\n"), 30)
            except (ConnectionError, asyncio.IncompleteReadError):
                return False

        known = [await one() for _ in range(2)]
        assert [await is_served(*each) for each in known] == [True, True]
        strangers = [await one() for _ in range(10)]
        for reader, _ in strangers[:7]:
            assert await asyncio.wait_for(_until_closed(reader), 30) == b""
        assert [await is_served(*each) for each in known] == [True, True]
        # Those who call are no strangers any more; then whoever has not called for longest goes.
        assert [await is_served(*each) for each in strangers[7:]] == [True] * 3
        assert await is_served(*await one())
        assert [await is_served(*each) for each in known] == [False, True]


async def test_a_client_that_stops_reading_is_hung_up_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(CONNECTIONS + "WRITE_TIME", 0.3)
    loop = asyncio.get_running_loop()

    async def send_for_ever(connection: socket.socket) -> None:
        while True:
            await loop.sock_sendall(connection, KEPT_ALIVE)
            await asyncio.sleep(0)  # the server is in this loop

    async with here() as address:
        with socket.socket() as connection:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            connection.setblocking(False)
            await loop.sock_connect(connection, address)
            with pytest.raises(OSError, match=r"(?i)reset|broken|abort"):
                await asyncio.wait_for(send_for_ever(connection), 60)


async def _until_closed(reader: asyncio.StreamReader) -> bytes:
    heard = b""
    with contextlib.suppress(ConnectionResetError):
        while piece := await reader.read(65536):
            heard += piece
    return heard
