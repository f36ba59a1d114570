"""Lines of JSON-RPC on the pipes that an assistant starts us with.

They are read and written on the event loop: half the time per call of the SDK's own threads, and nothing hangs in a
read when the process should end. A line that is no message is answered here, since the SDK drops it and a client would
wait for ever; and what was asked is remembered until it is answered, so that the end of stdin takes no answer away. On
Windows the SDK's own transport serves.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import stat
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final, cast

from pydantic_core import from_json

from .instant import Opening

LONGEST_LINE: Final = 16 * 1024 * 1024
LAST_ANSWERS: Final = 1.0
"""Seconds after the end of stdin in which what was asked is still answered."""
_PARSE_ERROR: Final = -32700
_INVALID_REQUEST: Final = -32600
_ID_AT: Final = '{"jsonrpc":"2.0","id":'

Read = Callable[[], Awaitable[bytes | None]]
"""The next line; empty at the end, None for one that was too long and is dropped."""
Write = Callable[[bytes], Awaitable[None]]
NobodyReads = Callable[[OSError | None], None]


class Conversation:
    """Which requests are still to be answered."""

    def __init__(self, opening: Opening | None = None) -> None:
        self._opening = opening
        self._open: set[str] = set()
        self._nothing_open = asyncio.Event()
        self._nothing_open.set()

    def asked(self, message: dict[str, Any]) -> None:
        """A message has come."""
        if self._opening is not None:
            self._opening.asked(message)
        if "method" in message and "id" in message:
            self._open.add(json.dumps(message["id"]))
            self._nothing_open.clear()
        elif message.get("method") == "notifications/cancelled":
            # What was cancelled is not answered.
            cancelled: dict[str, Any] = message.get("params") or {}
            self._close(json.dumps(cancelled.get("requestId")))

    def was_answered(self, text: str) -> bool:
        """Whether this answer, as the SDK writes it, was sent before the SDK was there."""
        return self._opening is not None and self._opening.was_sent(text)

    def answered(self, text: str) -> None:
        """A message has been sent."""
        if self._opening is not None:
            self._opening.keep()
        if text.startswith(_ID_AT):
            with contextlib.suppress(ValueError):
                number, _ = json.JSONDecoder().raw_decode(text, len(_ID_AT))
                self._close(json.dumps(number))

    async def all_answered(self) -> None:
        """Wait until nothing is open, for as long as an ending client may be kept."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LAST_ANSWERS):
                await self._nothing_open.wait()

    def _close(self, number: str) -> None:
        self._open.discard(number)
        if not self._open:
            self._nothing_open.set()


class Lines:
    """What `stdio_server` needs of stdin: lines of text, each of them a message."""

    def __init__(self, read: Read, out: Out, conversation: Conversation) -> None:
        self._read = read
        self._out = out
        self._conversation = conversation

    def __aiter__(self) -> Lines:
        return self

    async def __anext__(self) -> str:
        while True:
            line = await self._read()
            if line == b"":
                await self._conversation.all_answered()
                raise StopAsyncIteration
            if line is not None and not line.strip():
                continue
            fault = _TOO_LONG if line is None else self._look(line)
            if fault is None:
                return (line or b"").decode("utf-8", errors="replace")
            await self._out.write(fault)
            await self._out.flush()

    def _look(self, line: bytes) -> str | None:
        """Take note of a message; the answer to a line that is none."""
        try:
            message: Any = from_json(line)  # as strict as the SDK's own reader
        except ValueError:
            return _error(None, _PARSE_ERROR, "Parse error: this line is no JSON in UTF-8.")
        fault = _fault_of(message)
        if fault is None:
            self._conversation.asked(message)
            return None
        number = cast("dict[str, Any]", message).get("id") if isinstance(message, dict) else None
        readable = isinstance(number, str | int) and not isinstance(number, bool)
        return _error(number if readable else None, _INVALID_REQUEST, f"Invalid Request: {fault}.")


class Out:
    """What `stdio_server` needs of stdout: `write` and `flush`."""

    def __init__(self, write: Write, conversation: Conversation) -> None:
        self._write = write
        self._conversation = conversation

    async def write(self, text: str) -> None:
        """Send a line, whole."""
        if not self._conversation.was_answered(text):
            await self._write(text.encode("utf-8", errors="replace"))
        self._conversation.answered(text)

    async def flush(self) -> None:
        """Nothing is held back."""


def _fault_of(message: Any) -> str | None:
    """Why JSON is no JSON-RPC message, or None."""
    if not isinstance(message, dict):
        return "a message is one JSON object"
    facts = cast("dict[str, Any]", message)
    number = facts.get("id")
    if facts.get("jsonrpc") != "2.0":
        return 'a message has "jsonrpc": "2.0"'
    if "id" in facts and (isinstance(number, bool) or not isinstance(number, str | int)):
        return "an id is a string or an integer"
    if "method" in facts:
        if not isinstance(facts["method"], str):
            return "a method is a string"
        return None if isinstance(facts.get("params", {}), dict) else "params are an object"
    return None if "id" in facts and ("result" in facts or "error" in facts) else "there is no method"


def _error(number: str | int | None, code: int, words: str) -> str:
    return json.dumps({"jsonrpc": "2.0", "id": number, "error": {"code": code, "message": words}}) + "\n"


_TOO_LONG: Final = _error(None, _PARSE_ERROR, "Parse error: a message may have 16 MiB.")


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
