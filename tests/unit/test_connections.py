"""Timeouts and eviction of connections, on a virtual clock and a transport in memory."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
import uvicorn
from starlette.responses import PlainTextResponse
from starlette.types import Message, Receive, Scope, Send
from uvicorn.server import ServerState

from kit.virtual import VIRTUAL_TIME
from tiktok_pinned_videos.transports.connections import MAX_PENDING, SETTINGS, Connection, send_last

pytestmark = [pytest.mark.anyio, VIRTUAL_TIME]
GET = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 1000000\r\n\r\n"


class Wire(asyncio.Transport):
    """A transport that remembers what happened to it."""

    def __init__(self, protocol: Connection) -> None:
        super().__init__()
        self.protocol = protocol
        self.sent = b""
        self.reading, self.open, self.ended = True, True, False
        protocol.connection_made(self)

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.sent += bytes(data)

    def write_eof(self) -> None:
        self.ended = True

    def is_closing(self) -> bool:
        return not self.open

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True

    def close(self) -> None:
        if self.open:
            self.open = False
            asyncio.get_running_loop().call_soon(self.protocol.connection_lost, None)

    def abort(self) -> None:
        self.close()


async def _app(scope: Scope, receive: Receive, send: Send) -> None:
    async def closing(message: Message) -> None:
        await send_last(scope, send, message)

    if scope["path"] == "/slow":
        await asyncio.sleep(1000)
    await PlainTextResponse("done", 401 if scope["path"] == "/" else 200)(scope, receive, closing)


class Server:
    """Connections of one server."""

    def __init__(self) -> None:
        config = uvicorn.Config(_app, ws="none", lifespan="off", log_config=None, **SETTINGS)  # pyright: ignore[reportArgumentType]
        config.load()
        self._config = config
        self._state = ServerState()
        self.wires: list[Wire] = []

    def connect(self, count: int = 1) -> Wire:
        for _ in range(count):
            self.wires.append(Wire(Connection(self._config, self._state, {}, asyncio.get_running_loop())))
        return self.wires[-1]


@pytest.fixture
async def server() -> Any:
    server = Server()
    yield server
    for wire in server.wires:
        wire.close()
    await asyncio.sleep(0)


@pytest.mark.parametrize(
    "sent",
    [[], [bytes([byte]) for byte in GET[:19]], [POST.replace(b"/ ", b"/slow ")]],
    ids=["nothing", "a byte each second", "a head without its body"],
)
async def test_a_request_that_is_not_complete_after_20_seconds_ends_its_connection(
    server: Server, sent: list[bytes]
) -> None:
    wire = server.connect()
    for second in range(19):
        for part in sent[second : second + 1]:
            wire.protocol.data_received(part)
        await asyncio.sleep(1)
    assert wire.open
    await asyncio.sleep(2)
    assert not wire.open


async def test_between_two_calls_a_connection_is_kept_for_75_seconds(server: Server) -> None:
    wire = server.connect()
    for _ in range(3):
        wire.protocol.data_received(GET.replace(b"/ ", b"/call "))
        await asyncio.sleep(70)
        assert wire.open
    assert wire.sent.count(b"200 OK") == 3
    await asyncio.sleep(10)
    assert not wire.open


async def test_a_call_in_progress_has_no_timeout(server: Server) -> None:
    wire = server.connect()
    wire.protocol.data_received(GET.replace(b"/ ", b"/slow "))
    await asyncio.sleep(1001)

    assert b"200 OK" in wire.sent


async def test_many_connections_are_kept_for_a_second_and_then_the_oldest_that_sent_nothing_are_closed(
    server: Server,
) -> None:
    caller = server.connect()
    caller.protocol.data_received(GET.replace(b"/ ", b"/call "))
    server.connect(500)
    await asyncio.sleep(0.1)
    server.connect(500)
    await asyncio.sleep(0.8)
    assert all(wire.open for wire in server.wires)
    await asyncio.sleep(1)

    kept = [wire for wire in server.wires if wire.open]
    assert len(kept) == MAX_PENDING + 1
    assert kept[0] is caller
    assert set(kept[1:]) <= set(server.wires[-500:])


async def test_a_rejected_client_that_keeps_sending_is_not_read_and_closed_after_a_second(server: Server) -> None:
    wire = server.connect()
    wire.protocol.data_received(POST + b"x" * 100_000)
    await asyncio.sleep(0.5)
    assert b" 401 " in wire.sent
    assert (wire.ended, wire.reading, wire.open) == (True, False, True)
    assert len(wire.protocol.cycle.body) == 0
    await asyncio.sleep(1)
    assert not wire.open


async def test_a_broken_request_is_answered_with_400_and_ends_the_call_of_its_connection(server: Server) -> None:
    wire = server.connect()
    wire.protocol.data_received(b"nonsense\r\n\r\n")
    assert wire.sent.startswith(b"HTTP/1.1 400 ")
    other = server.connect()
    other.protocol.data_received(b"POST /slow HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
    await asyncio.sleep(0)
    other.protocol.data_received(b"zz\r\n")
    await asyncio.sleep(2)

    assert (wire.open, other.open) == (False, False)
    assert other.sent.startswith(b"HTTP/1.1 400 ")
