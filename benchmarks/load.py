"""Many connections at once to a Streamable HTTP endpoint, lean as Python allows: the server shall be the slow one."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from .measured import figure
from .wire import SECRET, Era, Listening, call, cpu_seconds

_HEADERS: Final = (
    "POST {path} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\nAuthorization: Bearer {secret}\r\n"
    "Accept: application/json, text/event-stream\r\nMcp-Protocol-Version: {era}\r\n"
)
_MODERN: Final = "Mcp-Method: tools/call\r\nMcp-Name: {tool}\r\n"


@dataclass(frozen=True, slots=True)
class Load:
    """What a server did in one stretch of time."""

    per_second: float
    median_ms: float
    p99_ms: float
    calls: int
    cpu_ms: float
    """Processor time of the server for one call."""


def post(address: str, tool: str, username: str, *, era: Era) -> bytes:
    """A whole HTTP request that calls a tool."""
    parts = urlsplit(address)
    body = call(1, tool, {"username": username}, era=era).rstrip()
    head = _HEADERS.format(path=parts.path, host=parts.netloc, era=era, secret=SECRET)
    if era != "2025-11-25":
        head += _MODERN.format(tool=tool)
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


def load(server: Listening, connections: int, seconds: float, request: Callable[[], bytes]) -> Load:
    """Keep `connections` busy for that long. Raises RuntimeError when an answer is no success."""
    before = cpu_seconds(server.pid)
    started = time.perf_counter()
    times = sorted(asyncio.run(_times(server.address, connections, seconds, request)))
    taken = time.perf_counter() - started
    cpu = cpu_seconds(server.pid) - before
    p99 = times[min(len(times) - 1, int(len(times) * 0.99))]
    return Load(len(times) / taken, figure(times).median * 1000, p99 * 1000, len(times), cpu / len(times) * 1000)


async def _times(address: str, connections: int, seconds: float, request: Callable[[], bytes]) -> list[float]:
    loop = asyncio.get_running_loop()
    where = urlsplit(address)
    times: list[float] = []
    ends = time.perf_counter() + seconds
    done = [loop.create_future() for _ in range(connections)]
    for finished in done:
        await loop.create_connection(
            lambda finished=finished: _Caller(request, times, ends, finished), where.hostname or "", where.port or 80
        )
    await asyncio.gather(*done)
    return times


class _Caller(asyncio.Protocol):
    """One connection: sends, reads to the end of the answer, sends again."""

    def __init__(
        self, request: Callable[[], bytes], times: list[float], ends: float, finished: asyncio.Future[None]
    ) -> None:
        self._request = request
        self._times = times
        self._ends = ends
        self._finished = finished
        self._buffer = b""
        self._sent = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._send()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if not _is_whole(self._buffer):
            return
        now = time.perf_counter()
        if not self._buffer.startswith(b"HTTP/1.1 200") or b'"result"' not in self._buffer:
            self._fail(RuntimeError(f"the server answered {self._buffer[:600]!r}"))
            return
        self._times.append(now - self._sent)
        self._buffer = b""
        if now < self._ends:
            self._send()
        else:
            self._transport.close()
            if not self._finished.done():
                self._finished.set_result(None)

    def connection_lost(self, exc: Exception | None) -> None:
        self._fail(exc or RuntimeError("the server closed the connection"))

    def _send(self) -> None:
        request = self._request()
        self._sent = time.perf_counter()
        self._transport.write(request)

    def _fail(self, error: Exception) -> None:
        if not self._finished.done():
            self._finished.set_exception(error)


def _is_whole(answer: bytes) -> bool:
    """Whether this is a whole HTTP answer, of a stated length or in chunks."""
    end = answer.find(b"\r\n\r\n")
    if end < 0:
        return False
    head = answer[:end].lower()
    at = head.find(b"content-length: ")
    if at < 0:
        return answer.endswith(b"\r\n0\r\n\r\n")
    return len(answer) - end - 4 >= int(head[at + 16 :].partition(b"\r\n")[0])
