"""The MCP server on stdin and stdout.

The SDK's transport writes stdout; stdin is read here, by a daemon thread that never keeps the process alive. After the
end of input or a signal, calls that were received are still answered for a few seconds.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import select
import signal
import threading
from collections import deque
from collections.abc import Callable, Sequence
from itertools import chain
from types import TracebackType
from typing import Any, Final, cast

from mcp.server.mcpserver import MCPServer
from mcp.server.stdio import stdio_server
from mcp.shared.message import SessionMessage

from .handshake import HandshakeCache, split_answer
from .messages import MAX_LENGTH, Message, MessageError, read_message

_MAX_CHUNKS: Final = 64
"""Chunks of 64 KiB that are read ahead of the server."""
_GRACE: Final = 0.7
"""Seconds after the drain for closing connections and store; then the process ends in any case."""


async def serve_stdio(
    server: MCPServer[Any], cache: HandshakeCache | None = None, *, drain: float, stopping: Callable[[], None]
) -> None:
    """Serve until the client closes a pipe or a signal arrives.

    `cache`: the messages that were read and answered before the SDK was loaded. `drain`: seconds that received calls
    may take at the end; `stopping` is called at its start. Raises OSError if stdout cannot be written otherwise.
    """
    low_level = server._lowlevel_server  # pyright: ignore[reportPrivateUsage] - the SDK has no public way to give it streams
    exchange = _Exchange(cache)
    lines = _Lines(exchange, drain=drain, stopping=stopping)
    _handle_signals(lines.stop, drain)
    with contextlib.suppress(OSError, AttributeError):
        os.set_blocking(1, True)  # the SDK writes to a stdout that blocks
    lines.start(cache.received if cache else b"")
    try:
        async with stdio_server(stdin=cast("Any", lines)) as (read, write):
            exchange.stdout = write
            await low_level.run(read, cast("Any", exchange), low_level.create_initialization_options())
    except* BrokenPipeError:
        os._exit(0)  # the client has closed stdout; a normal exit would report the SDK's unwritten output as an error
    except* OSError as faults:
        fault: BaseException = faults
        while isinstance(fault, BaseExceptionGroup):
            fault = cast("BaseExceptionGroup[BaseException]", fault).exceptions[0]
        raise fault from None


class _Text:
    """JSON text in the form of a message, for the SDK's writer."""

    def __init__(self, text: str) -> None:
        self._text = text

    def model_dump_json(self, **_: Any) -> str:
        return self._text


class _Exchange:
    """The SDK's write stream, with the ids of requests that are not answered yet."""

    def __init__(self, cache: HandshakeCache | None) -> None:
        self.stdout: Any = None
        self._cache = cache
        self._open: set[str] = set()
        self._all_answered = asyncio.Event()
        self._all_answered.set()

    def received(self, message: Message) -> None:
        if self._cache is not None:
            self._cache.received_message(message.content, message.number or None)
        if message.kind == "request":
            self._open.add(message.number)
            self._all_answered.clear()
        elif message.content.get("method") == "notifications/cancelled":
            params: dict[str, Any] = message.content.get("params") or {}
            self._close(json.dumps(params.get("requestId")))  # a cancelled request gets no answer

    async def send(self, item: SessionMessage, /) -> None:
        text = item.message.model_dump_json(by_alias=True, exclude_unset=True)
        answer = split_answer(text)
        if answer is None or self._cache is None or not self._cache.was_sent(*answer):
            await self.write(text)
        if answer is not None:
            self._close(answer[0])

    async def write(self, text: str) -> None:
        await self.stdout.send(SessionMessage(cast("Any", _Text(text))))

    async def all_answered(self, within: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within):
                await self._all_answered.wait()

    async def aclose(self) -> None:
        await self.stdout.aclose()

    async def __aenter__(self) -> _Exchange:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, _: Any, __: TracebackType | None) -> None:
        await self.aclose()

    def _close(self, number: str) -> None:
        self._open.discard(number)
        if not self._open:
            self._all_answered.set()


class _Lines:
    """Stdin for the SDK's transport: an iterator over valid messages. Invalid lines are answered here."""

    def __init__(self, exchange: _Exchange, *, drain: float, stopping: Callable[[], None]) -> None:
        self._exchange = exchange
        self._drain = drain
        self._stopping = stopping
        self._loop = asyncio.get_running_loop()
        self._lines: deque[bytearray | None] = deque()
        self._news = asyncio.Event()
        self._ahead = threading.Semaphore(_MAX_CHUNKS)
        self._chunks = 0

    def start(self, received: bytes) -> None:
        """Start the thread that reads stdin. For the rest of the process stdin is then empty."""
        descriptor = os.dup(0)
        with open(os.devnull, "rb") as nothing:  # noqa: PTH123 - a device
            os.dup2(nothing.fileno(), 0)
        threading.Thread(target=self._read, args=(descriptor, received), name="stdin", daemon=True).start()

    def stop(self) -> None:
        self._lines.append(None)
        self._news.set()

    def __aiter__(self) -> _Lines:
        return self

    async def __anext__(self) -> str:
        while True:
            while not self._lines:
                for _ in range(self._chunks):
                    self._ahead.release()
                self._chunks = 0
                self._news.clear()
                await self._news.wait()
            line = self._lines.popleft()
            if line is None:
                self._stopping()
                await self._exchange.all_answered(self._drain)
                raise StopAsyncIteration
            if not line.strip():
                continue
            try:
                message = read_message(line)
            except MessageError as error:
                await self._exchange.write(error.answer)
                continue
            # This server sends no requests, so responses are ignored.
            if message.kind != "response":
                self._exchange.received(message)
                return message.text

    def _read(self, descriptor: int, received: bytes) -> None:
        unfinished = bytearray()
        with contextlib.suppress(RuntimeError):  # the loop has been closed
            for chunk in chain([received], iter(lambda: _read_chunk(descriptor), b"")):
                unfinished += chunk
                if b"\n" in chunk:
                    self._ahead.acquire()
                    *lines, unfinished = unfinished.split(b"\n")
                    self._loop.call_soon_threadsafe(self._take, lines)
                del unfinished[MAX_LENGTH + 1 :]
            self._loop.call_soon_threadsafe(self._take, [unfinished, None])

    def _take(self, lines: Sequence[bytearray | None]) -> None:
        self._chunks += 1
        self._lines.extend(lines)
        self._news.set()


def _read_chunk(descriptor: int) -> bytes:
    while True:
        try:
            return os.read(descriptor, 65536)
        except BlockingIOError:
            select.select([descriptor], [], [])
        except OSError:
            return b""


def _handle_signals(stop: Callable[[], None], drain: float) -> None:
    """On the first signal, stop and drain; a second one kills the process."""
    loop = asyncio.get_running_loop()

    def end() -> None:
        stop()
        # A write to a pipe that the client does not read cannot be interrupted.
        loop.call_later(drain + _GRACE, os._exit, 0)

    def handle(number: int, _: object) -> None:
        signal.signal(number, signal.SIG_DFL)
        loop.call_soon_threadsafe(end)

    for name in ("SIGINT", "SIGTERM", "SIGBREAK", "SIGHUP"):
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) != signal.SIG_IGN:  # as nohup sets it
            signal.signal(number, handle)
