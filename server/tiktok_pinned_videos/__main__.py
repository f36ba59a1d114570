"""The console script. The garbage collector rests while modules are loaded, and leaves them alone afterwards."""

from __future__ import annotations

import contextlib
import gc
import os
import signal
import sys
from collections.abc import Callable
from types import FrameType

_SERVERS = ("stdio", "http", "sandbox")


def main() -> None:
    """Run the command line."""
    # Imports make hundreds of thousands of objects that all live on: looking through them costs a tenth of the start.
    gc.disable()
    _obey_signals()
    _draw_nothing()
    from tiktok_pinned_videos.serve.instant import begin  # noqa: PLC0415 - after the lines above

    opening = begin(sys.argv[1:], os.environ, _load_server)
    from tiktok_pinned_videos.cli import cli  # noqa: PLC0415 - as above

    try:
        cli(prog_name="tiktok-pinned-videos-mcp", obj=opening)
    finally:
        # The interpreter's own end would answer a signal with a traceback.
        _obey_signals()


def _load_server() -> None:
    """Import what a server on stdin and stdout is made of, so that it is there for those who import it next."""
    import importlib  # noqa: PLC0415 - in the thread that has the time

    surface = ("surface.prompts", "surface.refused", "surface.resources", "surface.tools", "surface.view")
    for module in ("cli", "commands.stdio", "serve.logs", *surface):
        importlib.import_module(f"tiktok_pinned_videos.{module}")


def _end_with(code: int) -> Callable[[int, FrameType | None], None]:
    def end(_: int, __: FrameType | None) -> None:
        os._exit(code)

    return end


def _obey_signals() -> None:
    """Until a command has its own ways: a server that is told to stop ends well, a command has not done its work."""
    code = 0 if _command() in _SERVERS else 130
    for name in ("SIGINT", "SIGTERM"):
        with contextlib.suppress(ValueError):  # not in the main thread
            signal.signal(getattr(signal, name), _end_with(code))


def _draw_nothing() -> None:
    """A server has nothing to draw on: the SDK and httpx go without rich, as where it is not installed.

    They would load it, for a log and for a program of theirs that are not used: 7 MiB, and a tenth of a second. A
    command draws tables, but colours no source code.
    """
    for name in ("rich", "pygments") if _command() in _SERVERS else ("pygments",):
        sys.modules[name] = None  # type: ignore[assignment] - the documented way to have an import fail


def _command() -> str:
    return next((word for word in sys.argv[1:] if not word.startswith("-")), "stdio")


if __name__ == "__main__":
    main()
