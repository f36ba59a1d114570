"""Run many commands quickly: import everything once, and run each command in a fork with its own streams.

Reads a line of JSON per command from stdin: {"arguments": […], "stdout": "pipe" | "full" | "nonblocking" | "leaves"};
prints {"code", "out", "err"} for each. POSIX only.
"""

from __future__ import annotations

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

_UNUSED = re.compile(r"\.(transports|mcp_server|__main__|commands\.(http|stdio))")


def _stdout(kind: str) -> tuple[int, int | None]:
    """The descriptor for the command, and ours to read from."""
    if kind == "full":
        return os.open("/dev/full", os.O_WRONLY), None
    ours, theirs = os.pipe()
    if kind == "leaves":
        os.close(ours)
        return theirs, None
    fcntl.fcntl(theirs, fcntl.F_SETPIPE_SZ, 4096)
    os.set_blocking(theirs, kind != "nonblocking")
    return theirs, ours


def _read(number: int | None, pause: float = 0) -> bytes:
    content = b""
    while number is not None and (part := os.read(number, 4096)):
        content += part
        time.sleep(pause)
    return content


def _command(arguments: list[str], stdout: int, stderr: int) -> None:
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(stdout, 1)
    os.dup2(stderr, 2)
    os.closerange(3, 64)
    try:
        cli(arguments)
    except SystemExit as end:
        os._exit(end.code if isinstance(end.code, int) else 1)
    except BaseException:
        os.write(2, traceback.format_exc().encode())
    os._exit(99)


def _run(arguments: list[str], kind: str) -> dict[str, object]:
    stdout, ours = _stdout(kind)
    errors, stderr = os.pipe()
    child = os.fork()
    if child == 0:
        _command(arguments, stdout, stderr)
    os.close(stdout)
    os.close(stderr)
    out = _read(ours, 0.0005 if kind == "nonblocking" else 0)
    err = _read(errors)
    _, status = os.waitpid(child, 0)
    return {"code": os.waitstatus_to_exitcode(status), "out": out.decode(), "err": err.decode()}


def _import_everything() -> None:
    for module in pkgutil.walk_packages(tiktok_pinned_videos.__path__, "tiktok_pinned_videos."):
        if not _UNUSED.search(module.name):
            importlib.import_module(module.name)


if __name__ == "__main__":
    _import_everything()
    for line in sys.stdin:
        wanted = json.loads(line)
        print(json.dumps(_run(wanted["arguments"], wanted["stdout"])), flush=True)  # noqa: T201
