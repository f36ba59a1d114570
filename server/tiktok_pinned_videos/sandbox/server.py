"""The sandbox on a real port of this machine, for trying any client without credentials. Knows uvicorn.

It is for loopback and nothing else: it believes every client key.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import uvicorn

from tiktok_pinned_videos.serving import Server, listen

from .protocol import Reply, Request
from .upstream import MAX_BODY, SandboxUpstream

_DRAIN = 3  # seconds for what is in flight when the server stops; sandbox_slow takes 2

_Message = MutableMapping[str, Any]
_Receive = Callable[[], Awaitable[_Message]]
_Send = Callable[[_Message], Awaitable[None]]


async def serve(
    port: int,
    *,
    host: str = "127.0.0.1",
    latency: float = 0.0,
    ready: Callable[[int], None] | None = None,
    stop: asyncio.Event | None = None,
) -> None:
    """Serve until SIGINT, SIGTERM or `stop`, then answer what is in flight and return.

    `port` 0 takes a free one; `ready` is called once with the real one as soon as requests are answered. `latency`
    is the seconds every answer takes. Raises ValueError when `host` is not a loopback address, OSError when the port
    cannot be had.
    """
    listener = _listen(host, port)
    with listener:
        config = uvicorn.Config(
            _application(SandboxUpstream(latency=latency)),
            lifespan="off",
            log_config=None,
            log_level="warning",
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=_DRAIN,
        )
        bound: int = listener.getsockname()[1]
        server = Server(config, lambda: ready(bound) if ready else None)
        watch = asyncio.create_task(server.stop_with(stop)) if stop else None
        try:
            await server.serve(sockets=[listener])
        finally:
            if watch:
                watch.cancel()


def _listen(host: str, port: int) -> socket.socket:
    address = ipaddress.ip_address("127.0.0.1" if host == "localhost" else host)
    if not address.is_loopback:
        raise ValueError(f"the sandbox serves loopback addresses only, not {host}")
    return listen(str(address), port)


def _application(upstream: SandboxUpstream) -> Callable[[_Message, _Receive, _Send], Awaitable[None]]:
    async def application(scope: _Message, receive: _Receive, send: _Send) -> None:
        if scope["type"] != "http":
            # A WebSocket; uvicorn turns this into a refusal of the handshake.
            await send({"type": "websocket.close"})
            return
        body = await _read(receive)
        if body is None:
            return
        reply = upstream.answer(
            Request(
                method=scope["method"],
                path=scope["path"],
                query=scope["query_string"].decode("latin-1"),
                headers={name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]},
                body=body,
            )
        )
        if reply.delay:
            await asyncio.sleep(reply.delay)
        await _write(send, reply)

    return application


async def _read(receive: _Receive) -> bytes | None:
    """The body, cut once it is longer than the upstream takes; None when the client has gone."""
    chunks: list[bytes] = []
    size = 0
    while size <= MAX_BODY:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        chunk: bytes = message.get("body", b"")
        chunks.append(chunk)
        size += len(chunk)
        if not message.get("more_body", False):
            break
    return b"".join(chunks)


async def _write(send: _Send, reply: Reply) -> None:
    headers = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in reply.headers]
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})
    await send({"type": "http.response.body", "body": reply.body})
