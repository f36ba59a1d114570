"""What one request may send, how long it may take to, and how many may be under way; how a request is refused."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Mapping
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

MAX_BODY: Final = 64 * 1024
"""Bytes of one request; 50 usernames of 64 letters are below 8 KiB."""
MAX_IN_FLIGHT: Final = 256
_BODY_TIME: Final = 10.0
_FINISH_TIME: Final = 2.0
_FINISH_BYTES: Final = 8 * 1024 * 1024


def leaving(scope: Scope, receive: Receive, send: Send) -> Send:
    """The same, for an answer to somebody unknown: it is sent at once, and closes the connection.

    What is still coming of the request is read for a while and forgotten: whoever is cut off while writing may not read
    the answer.
    """

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            await send({**message, "headers": [*message["headers"], (b"connection", b"close")]})
        elif message.get("more_body", False):
            await send(message)
        else:
            await send({**message, "more_body": True})
            await _let_finish(scope, receive, MAX_BODY)
            await send({"type": "http.response.body", "body": b""})

    return sending


class Bounds:
    """Bounds what one request may send and how many may be under way, whichever application answers them."""

    def __init__(self) -> None:
        self._in_flight = 0

    async def __call__(self, app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on to `app` or refuse."""
        if self._in_flight >= MAX_IN_FLIGHT:
            await refuse(send, 503, "too many calls are under way", {"Retry-After": "1"})
            return
        self._in_flight += 1
        try:
            body = await self._body(scope, receive, send)
            if body is not None:
                await app(scope, _replay(body, receive), send)
        finally:
            self._in_flight -= 1

    async def _body(self, scope: Scope, receive: Receive, send: Send) -> bytes | None:
        try:
            async with asyncio.timeout(_BODY_TIME):
                body = await _read(scope, receive)
        except TimeoutError:
            await refuse(send, 408, "the request did not arrive in time", {"Connection": "close"})
            return None
        if body is None or len(body) <= MAX_BODY:
            return body
        await _let_finish(scope, receive, _FINISH_BYTES)
        await refuse(send, 413, f"a request may have {MAX_BODY} bytes", {"Connection": "close"})
        return None


async def refuse(send: Send, status: int, reason: str, more: Mapping[str, str] | None = None) -> None:
    """Answer with a reason as JSON, or with nothing where there is none."""
    body = json.dumps({"error": reason}).encode() if reason else b""
    every = {"Content-Type": "application/json", "Content-Length": str(len(body)), **(more or {})}
    encoded = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in every.items()]
    await send({"type": "http.response.start", "status": status, "headers": encoded})
    await send({"type": "http.response.body", "body": body})


def headers(scope: Scope, name: bytes) -> list[str]:
    """Every value of a header."""
    return [value.decode("latin-1") for key, value in scope["headers"] if key == name]


def header(scope: Scope, name: bytes) -> str | None:
    """The one value of a header; where there are several, something that is none."""
    values = headers(scope, name)
    return ", ".join(values) if values else None


async def _read(scope: Scope, receive: Receive) -> bytes | None:
    """The body, cut once it is too long; None when the client has gone."""
    declared = header(scope, b"content-length") or "0"
    if declared.isdigit() and int(declared[:12]) > MAX_BODY:
        return bytes(MAX_BODY + 1)
    body = bytearray()
    while len(body) <= MAX_BODY:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        body += message.get("body", b"")
        if not message.get("more_body", False):
            break
    return bytes(body)


async def _let_finish(scope: Scope, receive: Receive, most: int) -> None:
    """Read on for a while, `most` bytes, and forget it: a client that is cut off while it writes never reads why."""
    if header(scope, b"expect") is not None:
        return  # it asks before it sends
    dropped = 0
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_FINISH_TIME):
            while dropped < most:
                message = await receive()
                dropped += len(message.get("body", b""))
                if not message.get("more_body", False):
                    return


def _replay(body: bytes, receive: Receive) -> Receive:
    given = False

    async def replay() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay
