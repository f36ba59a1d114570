"""A loopback server in TikTok's place that can be told what to answer, byte for byte and fault by fault.

Real sockets, HTTP/1.1 with keep-alive. `async with serving() as upstream` gives one; tell it `upstream.answer(...)`,
look at `upstream.research` and `upstream.token_requests` afterwards. Knows the documents, nothing of the package.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import struct
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx

TOKEN = "/v2/oauth/token/"
PINNED = "/v2/research/user/pinned_videos/"
OK = {"code": "ok", "message": "", "log_id": "20261122101512C0FFEE"}

EXAMPLE_VIDEOS: list[dict[str, Any]] = [
    {"like_count": 6205646, "share_count": 15864, "view_count": 44199736, "comment_count": 15597,
     "id": 7777777777777777777},
    {"share_count": 6630, "view_count": 16171042, "comment_count": 6830, "id": 3333333333333333333,
     "like_count": 1464523},
    {"comment_count": 2685, "id": 9999999999999999999, "like_count": 189552, "share_count": 4796,
     "view_count": 1305777},
]  # fmt: skip
"""The example of TikTok's documentation page."""


@dataclass(frozen=True)
class Reply:
    """One response, and how it goes wrong."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=lambda: {"Content-Type": "application/json"})
    delay: float = 0.0
    """Seconds before anything is sent."""
    send_only: int | None = None
    """Close the connection after so many bytes of the body."""
    reset: bool = False
    """Reset the connection instead of answering."""
    endless: bytes = b""
    """Sent over and over after the body, chunked, until the peer hangs up or 64 MiB are out."""


@dataclass(frozen=True)
class Received:
    """One request as it arrived."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def form(self) -> dict[str, str]:
        return dict(parse_qsl(self.body.decode()))

    @property
    def token(self) -> str:
        return self.headers.get("authorization", "").removeprefix("Bearer ")


def raw(body: object, status: int = 200, **more: Any) -> Reply:
    """Any body: bytes as they are, everything else as JSON."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Reply(status, content, **more)


def videos(items: object, *, key: str = "pinned_videos_list", log_id: object = OK["log_id"], **more: Any) -> Reply:
    """A success with this list."""
    return raw({"data": {key: items}, "error": {**OK, "log_id": log_id}}, **more)


def refusal(status: int, code: object, message: object = "", **more: Any) -> Reply:
    """A failure in the documented envelope."""
    return raw({"data": {}, "error": {"code": code, "message": message, "log_id": "L0G"}}, status, **more)


def html(status: int = 504) -> Reply:
    page = f"<html><head><title>{status} Gateway Timeout</title></head><body>nginx</body></html>".encode()
    return Reply(status, page, {"Content-Type": "text/html"})


def issued(token: str, expires_in: float = 7200) -> Reply:
    return raw({"access_token": token, "expires_in": expires_in, "token_type": "Bearer"})


Teller = Callable[[Received], Reply]


class Upstream:
    """What the server was asked and what it shall answer.

    Research requests get the queued replies in order, the last one for ever; without any, the documentation's example.
    A request whose token is not alive gets `access_token_invalid` first, whatever is queued. The token endpoint issues
    a new token each time unless replies for it are queued; those that are queued are used up, then it issues again.
    """

    def __init__(self) -> None:
        self.url = ""
        self.received: list[Received] = []
        self.tokens: set[str] = set()
        self.lifetime: float = 7200
        self.token_delay = 0.0
        self.connections = 0
        """Accepted so far."""
        self.sent_bytes = 0
        """Of bodies, as far as the peer took them."""
        self._research: list[Reply] = []
        self._teller: Teller | None = None
        self._token_replies: list[Reply] = []
        self._issued = 0
        self._open: set[asyncio.Task[None]] = set()

    def answer(self, *replies: Reply) -> None:
        """Queue replies to research requests, forgetting what was queued before."""
        self._research, self._teller = list(replies), None

    def answer_by(self, teller: Teller) -> None:
        """Have a function answer research requests."""
        self._teller = teller

    def answer_token(self, *replies: Reply) -> None:
        """Queue replies of the token endpoint."""
        self._token_replies = list(replies)

    def revoke_all(self) -> None:
        """No token issued so far is valid any more."""
        self.tokens.clear()

    @property
    def research(self) -> list[Received]:
        return [request for request in self.received if request.path == PINNED]

    @property
    def token_requests(self) -> list[Received]:
        return [request for request in self.received if request.path == TOKEN]

    def reply_to(self, request: Received) -> Reply:
        if request.path == TOKEN:
            return self._token_replies.pop(0) if self._token_replies else self._issue()
        if request.path != PINNED:
            return refusal(404, "invalid_request", "no such path")
        if request.token not in self.tokens:
            return refusal(401, "access_token_invalid", "The access token is invalid or not found in the request.")
        if self._teller is not None:
            return self._teller(request)
        if len(self._research) > 1:
            return self._research.pop(0)
        return self._research[0] if self._research else videos(EXAMPLE_VIDEOS)

    def _issue(self) -> Reply:
        self._issued += 1
        token = f"clt.loopback{self._issued:04d}Token"
        self.tokens.add(token)
        return replace(issued(token, self.lifetime), delay=self.token_delay)

    async def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._open.add(task)
        self.connections += 1
        try:
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
                while (request := await _read(reader)) is not None:
                    self.received.append(request)
                    if not await self._send(writer, self.reply_to(request)):
                        break
        except asyncio.CancelledError:
            pass  # the test is over; a cancelled handler would be logged as a fault
        finally:
            self._open.discard(task)
            writer.close()

    async def _send(self, writer: asyncio.StreamWriter, reply: Reply) -> bool:
        """Whether the connection lives on."""
        await asyncio.sleep(reply.delay)
        if reply.reset:
            sock: socket.socket = writer.get_extra_info("socket")
            # Zero linger: closing sends RST instead of FIN.
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()
            return False
        length = ["Transfer-Encoding: chunked"] if reply.endless else [f"Content-Length: {len(reply.body)}"]
        head = [
            f"HTTP/1.1 {reply.status} Told",
            *(f"{name}: {value}" for name, value in reply.headers.items()),
            *length,
        ]
        start = "\r\n".join(head).encode("latin-1") + b"\r\n\r\n"
        if reply.endless:
            return await self._send_for_ever(writer, start, reply)
        # In one write: two would wait for each other (Nagle and delayed ACK).
        writer.write(start + reply.body[: reply.send_only])
        await writer.drain()
        self.sent_bytes += len(reply.body[: reply.send_only])
        return reply.send_only is None

    async def _send_for_ever(self, writer: asyncio.StreamWriter, start: bytes, reply: Reply) -> bool:
        writer.write(start)
        chunks: Iterable[bytes] = (reply.body, *([reply.endless] * ((64 << 20) // len(reply.endless))))
        for chunk in chunks:
            if chunk:
                writer.write(b"%x\r\n%s\r\n" % (len(chunk), chunk))
                await writer.drain()
                self.sent_bytes += len(chunk)
        writer.write(b"0\r\n\r\n")
        await writer.drain()
        return False

    async def hang_up(self) -> None:
        for task in list(self._open):
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)


class InMemory(httpx.AsyncBaseTransport):
    """The way to an `Upstream` without a socket; of the faults it knows delays, resets and cut-off bodies."""

    def __init__(self, upstream: Upstream) -> None:
        self._upstream = upstream

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Its answer."""
        headers = {name.lower(): value for name, value in request.headers.items()}
        url = request.url
        received = Received(request.method, url.path, url.query.decode(), headers, await request.aread())
        self._upstream.received.append(received)
        reply = self._upstream.reply_to(received)
        await asyncio.sleep(reply.delay)
        if reply.reset or reply.send_only is not None:
            raise httpx.RemoteProtocolError("the connection broke")
        return httpx.Response(reply.status, headers=dict(reply.headers), content=reply.body)


async def _read(reader: asyncio.StreamReader) -> Received | None:
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return None
    start, *lines = head.decode("latin-1").rstrip("\r\n").split("\r\n")
    method, target, _ = start.split(" ", 2)
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    parts = urlsplit(target)
    return Received(method, parts.path, parts.query, headers, body)


@contextlib.asynccontextmanager
async def serving() -> AsyncGenerator[Upstream]:
    """An `Upstream` on a free loopback port; `upstream.url` is its base URL."""
    upstream = Upstream()
    server = await asyncio.start_server(upstream.connected, "127.0.0.1", 0)
    upstream.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield upstream
    finally:
        server.close()
        await upstream.hang_up()
        await server.wait_closed()
