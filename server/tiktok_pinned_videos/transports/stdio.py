"""The MCP server on stdin and stdout: when it starts, whom it answers, how it ends.

It ends when stdin has ended and what was asked is answered (or a second has passed), when nobody reads stdout any more,
or by a signal. How lines come and go is `lines`'s and `streams`'.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from typing import Any, Final, cast

import anyio
from mcp.server.mcpserver import MCPServer
from mcp.server.stdio import stdio_server

from .handshake import Opening
from .lines import Conversation, Lines, Out
from .streams import NobodyReads, open_streams

_GRACE: Final = 0.7
"""Seconds for closing connections and store after a signal."""


async def serve_stdio(server: MCPServer[Any], opening: Opening | None = None) -> None:
    """Serve until there is nobody to serve, or the process is told to stop.

    `opening`: what was said before the SDK was loaded. Raises OSError when stdin or stdout cannot be used.
    """
    loop = asyncio.get_running_loop()
    told_to_stop = asyncio.Event()
    faults: list[OSError] = []

    def nobody_reads(fault: OSError | None) -> None:
        faults.extend([fault] if fault is not None else [])
        told_to_stop.set()

    def stop() -> None:
        told_to_stop.set()
        # Whatever is cut off now is no news to anybody.
        loop.set_exception_handler(_say_nothing)
        # The SDK's own transport reads in a thread, which nothing can wake before the next line comes.
        loop.call_later(_GRACE, os._exit, 0)

    for name in ("SIGTERM", "SIGINT", "SIGHUP"):
        with contextlib.suppress(NotImplementedError, AttributeError, ValueError):
            # Not on Windows' loop: there the interpreter's own handling stays.
            loop.add_signal_handler(getattr(signal, name), stop)
    serving = asyncio.create_task(_serve(server, nobody_reads, opening))
    stopped = asyncio.create_task(told_to_stop.wait())
    await asyncio.wait((serving, stopped), return_when=asyncio.FIRST_COMPLETED)
    stopped.cancel()
    if told_to_stop.is_set():
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)
        for fault in faults:
            raise fault
    else:
        await serving


def _say_nothing(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    del loop, context


async def _serve(server: MCPServer[Any], nobody_reads: NobodyReads, opening: Opening | None) -> None:
    low_level = server._lowlevel_server  # pyright: ignore[reportPrivateUsage] - the SDK has no public way to give it streams
    conversation = Conversation(opening)
    async with open_streams(nobody_reads, opening.received if opening else b"") as streams:
        stdin: Any = None
        stdout: Any = None
        if streams is not None:
            out = Out(streams.write, conversation)
            stdin, stdout = Lines(streams.read, out, conversation), out
        text_in, text_out = cast("anyio.AsyncFile[str]", stdin), cast("anyio.AsyncFile[str]", stdout)
        async with stdio_server(stdin=text_in, stdout=text_out) as (read, write):
            await low_level.run(read, write, low_level.create_initialization_options())
