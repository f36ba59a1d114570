"""A loopback HTTP server in TikTok's place whose responses a test scripts, byte for byte and fault by fault.

`async with serving() as upstream` starts one. `upstream.answer(...)` scripts it, `upstream.research` and
`upstream.token_requests` are what it received. It follows TikTok's documents and imports nothing of the package.
"""

from __future__ import annotations

import asyncio
import contextlib
import http.server
import json
import socket
import struct
import threading
from collections.abc import AsyncGenerator, Callable, Mapping
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
    """One response and its faults."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=lambda: {"Content-Type": "application/json"})
    delay: float = 0.0
    """Seconds before anything is sent."""
    send_only: int | None = None
    """Close the connection after this many bytes of the body."""
    reset: bool = False
    """Reset the connection instead of answering."""
    endless: bytes = b""
    """Repeated after the body, chunked, until the peer closes the connection or 64 MiB are sent."""


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
    """Return a response with any body: bytes as they are, everything else as JSON."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Reply(status, content, **more)


def videos(items: object, *, key: str = "pinned_videos_list", log_id: object = OK["log_id"], **more: Any) -> Reply:
    """Return a success with this list."""
    return raw({"data": {key: items}, "error": {**OK, "log_id": log_id}}, **more)


def refusal(status: int, code: object, message: object = "", **more: Any) -> Reply:
    """Return a failure in the documented envelope."""
    return raw({"data": {}, "error": {"code": code, "message": message, "log_id": "L0G"}}, status, **more)


def html(status: int = 504) -> Reply:
    page = f"<html><head><title>{status} Gateway Timeout</title></head><body>nginx</body></html>".encode()
    return Reply(status, page, {"Content-Type": "text/html"})


def issued(token: str, expires_in: float = 7200) -> Reply:
    return raw({"access_token": token, "expires_in": expires_in, "token_type": "Bearer"})


class Upstream:
    """Scripted responses and received requests.

    Research requests get the replies of `answer` in order, the last one repeatedly; without any, the documentation's
    example. A request without a valid token gets `access_token_invalid` first. The token endpoint issues a new token
    each time, unless `answer_token` has replies left.
    """

    def __init__(self) -> None:
        self.url = ""
        self.received: list[Received] = []
        self.tokens: set[str] = set()
        self.token_delay = 0.0
        self.connections = 0
        """Accepted so far."""
        self.sent_bytes = 0
        """Of bodies, as far as peers have read them."""
        self._research: list[Reply] = []
        self._script: Callable[[Received], Reply] | None = None
        self._token_replies: list[Reply] = []
        self._issued = 0
        self._open: set[asyncio.Task[None]] = set()

    def answer(self, *replies: Reply) -> None:
        """Reply to research requests with these, instead of those before."""
        self._research, self._script = list(replies), None

    def answer_by(self, script: Callable[[Received], Reply]) -> None:
        """Reply to research requests with what a function returns."""
        self._script = script

    def answer_token(self, *replies: Reply) -> None:
        """Reply to the next token requests with these."""
        self._token_replies = list(replies)

    def revoke_all(self) -> None:
        """Make all tokens issued so far invalid."""
        self.tokens.clear()

    @property
    def research(self) -> list[Received]:
        return [request for request in self.received if request.path == PINNED]

    @property
    def token_requests(self) -> list[Received]:
        return [request for request in self.received if request.path == TOKEN]

    def reply_to(self, request: Received) -> Reply:
        self.received.append(request)
        if request.path == TOKEN:
            return self._token_replies.pop(0) if self._token_replies else self._issue()
        if request.path != PINNED:
            return refusal(404, "invalid_request", "no such path")
        if request.token not in self.tokens:
            return refusal(401, "access_token_invalid", "The access token is invalid or not found in the request.")
        if self._script is not None:
            return self._script(request)
        if len(self._research) > 1:
            return self._research.pop(0)
        return self._research[0] if self._research else videos(EXAMPLE_VIDEOS)

    def _issue(self) -> Reply:
        self._issued += 1
        token = f"clt.loopback{self._issued:04d}Token"
        self.tokens.add(token)
        return replace(issued(token), delay=self.token_delay)

    async def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._open.add(task)
        self.connections += 1
        try:
            while await self._send(writer, self.reply_to(await _read(reader))):
                pass
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # the peer has closed the connection, or the test is over
        finally:
            self._open.discard(task)
            writer.close()

    async def _send(self, writer: asyncio.StreamWriter, reply: Reply) -> bool:
        """Send a response; whether the connection stays open."""
        await asyncio.sleep(reply.delay)
        if reply.reset:
            sock: socket.socket = writer.get_extra_info("socket")
            # Zero linger: closing sends RST instead of FIN.
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()
            return False
        length = "Transfer-Encoding: chunked" if reply.endless else f"Content-Length: {len(reply.body)}"
        lines = [f"HTTP/1.1 {reply.status} Scripted", *map(": ".join, reply.headers.items()), length, "", ""]
        # Head and body in one write: two would wait for each other (Nagle and delayed ACK).
        writer.write("\r\n".join(lines).encode("latin-1") + (b"" if reply.endless else reply.body[: reply.send_only]))
        chunks = [reply.body, *[reply.endless] * ((64 << 20) // len(reply.endless))] if reply.endless else []
        for chunk in filter(None, chunks):
            writer.write(b"%x\r\n%s\r\n" % (len(chunk), chunk))
            await writer.drain()
            self.sent_bytes += len(chunk)
        await writer.drain()
        return not reply.endless and reply.send_only is None

    async def close(self) -> None:
        for task in list(self._open):
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)


class InMemory(httpx.AsyncBaseTransport):
    """The same without a socket, for virtual time. Its faults are delays, resets and bodies that are cut off."""

    def __init__(self, upstream: Upstream) -> None:
        self._upstream = upstream

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        headers = {name.lower(): value for name, value in request.headers.items()}
        url = request.url
        received = Received(request.method, url.path, url.query.decode(), headers, await request.aread())
        reply = self._upstream.reply_to(received)
        await asyncio.sleep(reply.delay)
        if reply.reset or reply.send_only is not None:
            raise httpx.RemoteProtocolError("the connection broke")
        return httpx.Response(reply.status, headers=dict(reply.headers), content=reply.body)


async def _read(reader: asyncio.StreamReader) -> Received:
    head = await reader.readuntil(b"\r\n\r\n")
    start, *lines = head.decode("latin-1").rstrip("\r\n").split("\r\n")
    method, target, _ = start.split(" ", 2)
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    parts = urlsplit(target)
    return Received(method, parts.path, parts.query, headers, body)


@contextlib.asynccontextmanager
async def serving() -> AsyncGenerator[Upstream]:
    """Run an `Upstream` on a free loopback port; `upstream.url` is its base URL."""
    upstream = Upstream()
    server = await asyncio.start_server(upstream.connected, "127.0.0.1", 0)
    upstream.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield upstream
    finally:
        server.close()
        await upstream.close()
        await server.wait_closed()


class Loopback(http.server.ThreadingHTTPServer):
    """An HTTP server on a free loopback port, in a thread of its own, until `close`."""

    def __init__(self, reply: Callable[[Received], Reply]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self.reply = reply
        self.received: list[Received] = []
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()

    def close(self) -> None:
        self.shutdown()
        self.server_close()


class _Handler(http.server.BaseHTTPRequestHandler):
    server: Loopback  # pyright: ignore[reportIncompatibleVariableOverride] - the only one that has this handler

    def do_GET(self) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        body = self.rfile.read(int(headers.get("content-length", "0")))
        path, _, query = self.path.partition("?")
        self.server.received.append(Received(self.command, path, query, headers, body))
        reply = self.server.reply(self.server.received[-1])
        self.send_response(reply.status)
        for name, value in {**reply.headers, "Content-Length": str(len(reply.body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(reply.body)

    def do_POST(self) -> None:
        self.do_GET()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - named so by the library
        pass
