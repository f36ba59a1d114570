"""The MCP server on stdin and stdout.

Where both are pipes, as assistants start it, they are read and written on the event loop: half the time per call of
the SDK's own threads, and nothing hangs in a read when the process should end. Elsewhere (Windows, files, a terminal)
the SDK's transport serves.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import stat
import sys
from collections.abc import AsyncGenerator
from typing import Any, Final, cast

import anyio
from mcp.server.mcpserver import MCPServer
from mcp.server.stdio import stdio_server

_LONGEST_LINE: Final = 16 * 1024 * 1024
_GRACE: Final = 0.7
"""Seconds for closing connections and store after a signal."""


async def serve_stdio(server: MCPServer[Any]) -> None:
    """Serve until stdin is closed or the process is told to stop."""
    serving = asyncio.create_task(_serve(server))
    loop = asyncio.get_running_loop()

    def stop() -> None:
        serving.cancel()
        # The SDK's own transport reads in a thread, which nothing can wake before the next line comes.
        loop.call_later(_GRACE, os._exit, 0)

    for name in ("SIGTERM", "SIGINT"):
        with contextlib.suppress(NotImplementedError, AttributeError, ValueError):
            # Not on Windows' loop: there the interpreter's own handling stays.
            loop.add_signal_handler(getattr(signal, name), stop)
    with contextlib.suppress(asyncio.CancelledError):
        await serving


async def _serve(server: MCPServer[Any]) -> None:
    low_level = server._lowlevel_server  # pyright: ignore[reportPrivateUsage] - the SDK has no public way to give it streams
    async with _streams() as (stdin, stdout), stdio_server(stdin=stdin, stdout=stdout) as (read, write):
        await low_level.run(read, write, low_level.create_initialization_options())


@contextlib.asynccontextmanager
async def _streams() -> AsyncGenerator[tuple[Any, Any]]:
    if sys.platform == "win32" or not _are_pipes():
        yield None, None
        return
    loop = asyncio.get_running_loop()
    wire_in, wire_out = os.dup(0), os.dup(1)
    # Whatever a library reads or prints by mistake must not meet the protocol.
    with open(os.devnull, "rb") as nothing:  # noqa: ASYNC230, PTH123 - opening the null device does not block
        os.dup2(nothing.fileno(), 0)
    os.dup2(2, 1)
    reader = asyncio.StreamReader(limit=_LONGEST_LINE)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(wire_in, "rb", 0))
    transport, protocol = await loop.connect_write_pipe(asyncio.streams.FlowControlMixin, os.fdopen(wire_out, "wb", 0))
    writer = asyncio.StreamWriter(transport, cast("Any", protocol), None, loop)
    yield cast("anyio.AsyncFile[str]", _Lines(reader)), cast("anyio.AsyncFile[str]", _Out(writer))
    transport.close()


def _are_pipes() -> bool:
    try:
        kinds = [os.fstat(number) for number in (0, 1, 2)]
    except OSError:
        return False
    shared = (kinds[1].st_dev, kinds[1].st_ino) == (kinds[2].st_dev, kinds[2].st_ino)
    # A pipe served by the loop does not block; a log on the same one would then fail when it is full.
    return not shared and all(stat.S_ISFIFO(kind.st_mode) or stat.S_ISSOCK(kind.st_mode) for kind in kinds[:2])


class _Lines:
    """What `stdio_server` needs of stdin: lines of text."""

    def __init__(self, reader: asyncio.StreamReader) -> None:
        self._reader = reader

    def __aiter__(self) -> _Lines:
        return self

    async def __anext__(self) -> str:
        try:
            line = await self._reader.readline()
        except ValueError:
            return "(a message longer than 16 MiB)"  # no JSON, so the SDK answers with a parse error
        if not line:
            raise StopAsyncIteration
        return line.decode("utf-8", errors="replace")


class _Out:
    """What `stdio_server` needs of stdout: `write` and `flush`."""

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self._writer = writer

    async def write(self, text: str) -> None:
        self._writer.write(text.encode("utf-8", errors="replace"))

    async def flush(self) -> None:
        with contextlib.suppress(ConnectionError):
            await self._writer.drain()
