"""The console script. Pauses the garbage collector while modules are imported, and excludes them afterwards."""

from __future__ import annotations

import contextlib
import gc
import os
import signal
import sys
import threading
from types import FrameType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tiktok_pinned_videos.transports.handshake import Input

_SERVERS = ("stdio", "http", "sandbox")
_TIME_LIMIT = 20.0  # seconds after a signal while modules are imported


def main() -> None:
    """Run the command line."""
    # Imports make many permanent objects; collecting garbage meanwhile takes a tenth of the start-up time.
    gc.disable()
    _handle_signals()
    _check_telemetry()
    from tiktok_pinned_videos.transports.handshake import begin

    stdin = begin(sys.argv[1:], os.environ, _handle_signals)
    from tiktok_pinned_videos.cli import cli
    from tiktok_pinned_videos.commands.streams import owned_streams

    try:
        with owned_streams():
            cli(prog_name="tiktok-pinned-videos-mcp", obj=stdin)
    finally:
        # During the interpreter's shutdown a signal would print a traceback.
        _handle_signals()


def _check_telemetry() -> None:
    if any(name.startswith("OTEL_P") for name in os.environ) and _command() in _SERVERS:
        from tiktok_pinned_videos.observability.telemetry import drop_unusable

        for line in drop_unusable(os.environ):
            with contextlib.suppress(OSError):
                os.write(2, f"{line}\n".encode())


def _handle_signals(stdin: Input | None = None) -> None:
    """Handle signals until the command sets its own handlers: exit with 0 as a server, with 130 as a command.

    A server that has received messages on `stdin` ends after it has answered them.
    """
    code = 0 if _command() in _SERVERS else 130

    def end(number: int, _: FrameType | None) -> None:
        if stdin is None or not stdin.lines:
            os._exit(code)
        signal.signal(number, signal.SIG_DFL)
        # The thread that answers may wait for a client that does not read.
        limit = threading.Timer(_TIME_LIMIT, os._exit, [code])
        limit.daemon = True
        limit.start()
        stdin.take([None])

    for name in ("SIGINT", "SIGTERM"):
        with contextlib.suppress(ValueError):  # not in the main thread
            signal.signal(getattr(signal, name), end)


def _command() -> str:
    return next((word for word in sys.argv[1:] if not word.startswith("-")), "stdio")


if __name__ == "__main__":
    main()
