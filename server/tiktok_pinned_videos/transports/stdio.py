"""The MCP server on stdin and stdout.

`_Pipes` gives the SDK's transport the lines of stdin and writes its answers to stdout. After the end of input or a
signal, received calls are still answered for a few seconds.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import stat
import threading
from collections.abc import AsyncGenerator, Callable, Sequence
from typing import Any, Final, cast

from mcp.server.mcpserver import MCPServer
from mcp.server.stdio import stdio_server

from .handshake import Input, split_answer, write_all
from .messages import Message, MessageError, read_message

_MAX_CHUNKS: Final = 64  # of at most 64 KiB, that the thread reads before the server handles them
_GRACE: Final = 0.7  # seconds to close connections and the store after a signal and the drain; then the process exits


async def serve_stdio(server: MCPServer[Any], stdin: Input, *, drain: float, stopping: Callable[[], None]) -> None:
    """Serve until the client closes a pipe or a signal arrives.

    `drain`: seconds that received calls may take at the end. `stopping` is called first. Raises OSError if
    stdout cannot be written although the client has not closed it.
    """
    low_level = server._lowlevel_server  # pyright: ignore[reportPrivateUsage] - the SDK has no public way to give it streams
    pipes = _Pipes(stdin, drain=drain, stopping=stopping)
    _handle_signals(pipes.stop, drain)
    async with stdio_server(cast("Any", pipes.messages()), cast("Any", pipes)) as (read, write):
        await low_level.run(read, write, low_level.create_initialization_options())
    if pipes.fault is not None and not isinstance(pipes.fault, BrokenPipeError):
        raise pipes.fault


class _Pipes:
    """Gives the SDK valid messages from stdin, writes its lines to stdout and notes which requests are unanswered."""

    def __init__(self, stdin: Input, *, drain: float, stopping: Callable[[], None]) -> None:
        self.fault: OSError | None = None
        """Why stdout cannot be written."""
        self._stdin = stdin
        self._cache = stdin.cache
        self._drain = drain
        self._stopping = stopping
        self._loop = asyncio.get_running_loop()
        self._chunks: asyncio.Queue[Sequence[bytearray | None]] = asyncio.Queue()
        self._unanswered: set[str] = set()
        self._all_answered = asyncio.Event()
        self._all_answered.set()
        is_pipe = stat.S_IFMT(os.fstat(stdin.descriptor).st_mode) in (stat.S_IFIFO, stat.S_IFSOCK)
        self._loop_can_read = is_pipe and os.name == "posix"
        self._free_chunks = threading.Semaphore(_MAX_CHUNKS)
        self._first_lines = stdin.attach(self._deliver)
        self._stdout = os.dup(1)
        os.dup2(2, 1)  # output of other code goes to stderr

    def stop(self) -> None:
        """End the input after the lines that were read."""
        self._chunks.put_nowait([None])

    async def messages(self) -> AsyncGenerator[str]:
        """Yield valid messages, and answer invalid ones with an error."""
        lines: Sequence[bytearray | None] = self._first_lines
        while True:
            for line in lines:
                if line is None:
                    self._stopping()
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(self._all_answered.wait(), self._drain)
                    return
                if not line.strip():
                    continue
                try:
                    message = read_message(line)
                except MessageError as error:
                    self._send(error.answer + "\n")
                    continue
                # This server sends no requests, so responses are ignored.
                if message.kind != "response":
                    self._received(message)
                    yield message.text
            lines = await self._chunks.get()
            self._free_chunks.release()
            if self._loop_can_read and lines != [None]:  # after a signal the thread may still be reading
                self._loop.add_reader(self._stdin.descriptor, self._read)

    async def write(self, text: str) -> None:
        """Send a line of the SDK, unless the cache sent this answer before the SDK was loaded."""
        answer = split_answer(text)
        if answer is None or self._cache is None or not self._cache.was_sent(*answer):
            self._send(text)
        if answer is not None:
            self._mark_answered(answer[0])

    async def flush(self) -> None:
        """Do nothing: `write` does not buffer."""

    def _send(self, text: str) -> None:
        # On the event loop: while the only client does not read, all calls wait.
        try:
            if self.fault is None:
                write_all(self._stdout, text.encode())
        except OSError as fault:
            self.fault = fault
            self.stop()

    def _deliver(self, lines: Sequence[bytearray | None]) -> bool:
        """Take lines from the thread that reads stdin. It stops if the event loop can read, which is faster."""
        self._free_chunks.acquire()
        with contextlib.suppress(RuntimeError):  # the loop has been closed
            self._loop.call_soon_threadsafe(self._chunks.put_nowait, lines)
        return self._loop_can_read

    def _read(self) -> None:
        self._loop.remove_reader(self._stdin.descriptor)
        self._chunks.put_nowait(next(self._stdin.chunks, [None]))

    def _received(self, message: Message) -> None:
        if self._cache is not None:
            self._cache.received_message(message.content)
        if message.kind == "request":
            self._unanswered.add(message.id_text)
            self._all_answered.clear()
        elif message.content.get("method") == "notifications/cancelled":
            params: dict[str, Any] = message.content.get("params") or {}
            self._mark_answered(json.dumps(params.get("requestId"), default=str))  # a cancelled request gets no answer

    def _mark_answered(self, id_text: str) -> None:
        self._unanswered.discard(id_text)
        if not self._unanswered:
            self._all_answered.set()


def _handle_signals(stop: Callable[[], None], drain: float) -> None:
    """On a signal, stop and drain; the same signal again kills the process."""
    loop = asyncio.get_running_loop()

    def handle(number: int, _: object) -> None:
        signal.signal(number, signal.SIG_DFL)
        loop.call_soon_threadsafe(stop)
        # The event loop may be waiting for a client that does not read.
        limit = threading.Timer(drain + _GRACE, os._exit, [0])
        limit.daemon = True
        limit.start()

    for name in ("SIGINT", "SIGTERM", "SIGBREAK", "SIGHUP"):
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) != signal.SIG_IGN:  # nohup ignores SIGHUP
            signal.signal(number, handle)
