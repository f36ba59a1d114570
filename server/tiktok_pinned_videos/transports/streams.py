"""Stdin and stdout as an assistant hands them to us, line by line.

They are read and written on the event loop: half the time per call of the SDK's own threads, and nothing hangs in a
read when the process should end. On Windows the SDK's own transport serves.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import stat
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final, cast

LONGEST_LINE: Final = 16 * 1024 * 1024

Read = Callable[[], Awaitable[bytes | None]]
"""The next line; empty at the end, None for one that was too long and is dropped."""
Write = Callable[[bytes], Awaitable[None]]
NobodyReads = Callable[[OSError | None], None]


@dataclass(frozen=True, slots=True)
class Streams:
    """Ways to read and write lines."""

    read: Read
    write: Write


@contextlib.asynccontextmanager
async def open_streams(nobody_reads: NobodyReads, received: bytes = b"") -> AsyncGenerator[Streams | None]:
    """Stdin and stdout, claimed so that nothing else meets the protocol; None on Windows.

    `received`: what was read from stdin before, from a pipe then. `nobody_reads` is called when the other end of stdout
    has gone, with the fault where it is one. Raises OSError when one of the two is closed.
    """
    if sys.platform == "win32":
        yield None
        return
    with contextlib.ExitStack() as stack:
        wire_in, wire_out = os.dup(0), os.dup(1)
        same_as_log = _is_same(1, 2)
        # Whatever a library reads or prints by mistake must not meet the protocol.
        with open(os.devnull, "rb") as nothing:  # noqa: ASYNC230, PTH123 - opening the null device does not block
            os.dup2(nothing.fileno(), 0)
        with contextlib.suppress(OSError):
            os.dup2(2, 1)  # closed stderr is no reason not to serve
        # A pipe served by the loop does not block; a log on the same one would then fail when it is full.
        on_loop = _is_pipe(wire_out) and not same_as_log
        write = await _pipe_writer(wire_out, nobody_reads, stack) if on_loop else _file_writer(wire_out, nobody_reads)
        yield Streams(await _pipe_reader(wire_in, received) if _is_pipe(wire_in) else _file_reader(wire_in), write)


async def _pipe_reader(wire: int, received: bytes) -> Read:
    reader = asyncio.StreamReader(limit=LONGEST_LINE)
    reader.feed_data(received)
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(wire, "rb", 0))

    async def read() -> bytes | None:
        try:
            return await reader.readline()
        except ValueError:
            return None

    return read


async def _pipe_writer(wire: int, nobody_reads: NobodyReads, stack: contextlib.ExitStack) -> Write:
    class Watched(asyncio.streams.FlowControlMixin):
        def connection_lost(self, exc: Exception | None) -> None:
            super().connection_lost(exc)
            nobody_reads(None)

    loop = asyncio.get_running_loop()
    transport, protocol = await loop.connect_write_pipe(Watched, os.fdopen(wire, "wb", 0))
    transport.set_write_buffer_limits(0)  # so that drained means sent
    writer = asyncio.StreamWriter(transport, cast("Any", protocol), None, loop)
    stack.callback(transport.close)

    async def write(line: bytes) -> None:
        writer.write(line)
        with contextlib.suppress(ConnectionError):
            await writer.drain()

    return write


def _file_reader(wire: int) -> Read:
    file = os.fdopen(wire, "rb")

    async def read() -> bytes | None:
        line = await asyncio.to_thread(file.readline, LONGEST_LINE)
        if len(line) < LONGEST_LINE or line.endswith(b"\n"):
            return line
        while line and not line.endswith(b"\n"):
            line = await asyncio.to_thread(file.readline, LONGEST_LINE)
        return None

    return read


def _file_writer(wire: int, nobody_reads: NobodyReads) -> Write:
    async def write(line: bytes) -> None:
        left = memoryview(line)
        try:
            while left:
                left = left[os.write(wire, left) :]
        except BrokenPipeError:
            nobody_reads(None)
        except OSError as fault:
            nobody_reads(fault)

    return write


def _is_pipe(number: int) -> bool:
    mode = os.fstat(number).st_mode
    return stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)


def _is_same(one: int, other: int) -> bool:
    try:
        return os.path.samestat(os.fstat(one), os.fstat(other))
    except OSError:
        return False
