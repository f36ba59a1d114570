"""Run many commands quickly: import everything once, and run each command in a fork with its own streams.

Reads a line of JSON per command from stdin: {"arguments": […], "stdin": KIND, "stdout": KIND}; prints {"code", "out",
"err"} for each. Kinds of stdin: "null", "closed", "terminal", "latin-1". Kinds of stdout: "pipe", "nonblocking",
"terminal" (of zero columns), "full", "closed", "leaves" (its reader does). POSIX only.
"""

from __future__ import annotations

import contextlib
import fcntl
import importlib
import json
import os
import pkgutil
import re
import sys
import time
import traceback

import tiktok_pinned_videos
from tiktok_pinned_videos.cli import cli
from tiktok_pinned_videos.commands.streams import owned_streams

_UNUSED = re.compile(r"\.(transports|mcp_server|__main__|commands\.(http|stdio))")
_INPUTS = {"terminal": b"nasa\nesa\n\x04", "latin-1": "müller\nesa\n".encode("latin-1")}


def _stdin(kind: str) -> tuple[int, int]:
    """The descriptor for the command, and ours to keep open as long as it runs."""
    ours, theirs = os.openpty() if kind == "terminal" else os.pipe()[::-1]
    os.write(ours, _INPUTS.get(kind, b""))
    if kind == "terminal":
        return theirs, ours
    os.close(ours)
    return theirs, os.dup(theirs)


def _stdout(kind: str) -> tuple[int, int | None]:
    """The descriptor for the command, and ours to read from."""
    if kind in ("full", "closed"):
        return os.open("/dev/full", os.O_WRONLY), None
    ours, theirs = os.openpty() if kind == "terminal" else os.pipe()
    if kind == "leaves":
        os.close(ours)
        return theirs, None
    if kind != "terminal":
        fcntl.fcntl(theirs, fcntl.F_SETPIPE_SZ, 4096)
        os.set_blocking(theirs, kind != "nonblocking")
    return theirs, ours


def _read(number: int | None, pause: float = 0) -> str:
    content = b""
    with contextlib.suppress(OSError):  # the end of a terminal
        while number is not None and (part := os.read(number, 4096)):
            content += part
            time.sleep(pause)
    return content.decode()


def _command(wanted: dict[str, list[str]], streams: list[int]) -> None:
    for number, descriptor in enumerate(streams):
        os.dup2(descriptor, number)
    os.closerange(3, 64)
    # As Python does at the start.
    if wanted["stdin"] == "closed":
        os.close(0)
        sys.stdin = None
    if wanted["stdout"] == "closed":
        os.close(1)
        sys.stdout = None
    try:
        with owned_streams():
            cli(wanted["arguments"])
    except SystemExit as end:
        os._exit(end.code if isinstance(end.code, int) else 1)
    except BaseException:
        os.write(2, traceback.format_exc().encode())
    os._exit(99)


def _run(wanted: dict[str, list[str]]) -> dict[str, object]:
    kind = str(wanted["stdout"])
    (stdin, kept), (stdout, ours), (errors, stderr) = _stdin(str(wanted["stdin"])), _stdout(kind), os.pipe()
    child = os.fork()
    if child == 0:
        _command(wanted, [stdin, stdout, stderr])
    for descriptor in (stdin, stdout, stderr):
        os.close(descriptor)
    out, err = _read(ours, 0.0005 if kind == "nonblocking" else 0), _read(errors)
    _, status = os.waitpid(child, 0)
    for descriptor in (kept, errors, ours):
        if descriptor is not None:
            os.close(descriptor)
    return {"code": os.waitstatus_to_exitcode(status), "out": out, "err": err}


def _import_everything() -> None:
    for module in pkgutil.walk_packages(tiktok_pinned_videos.__path__, "tiktok_pinned_videos."):
        if not _UNUSED.search(module.name):
            importlib.import_module(module.name)


if __name__ == "__main__":
    _import_everything()
    for line in sys.stdin:
        print(json.dumps(_run(json.loads(line))), flush=True)  # noqa: T201
