"""Conversations over stdio with a server that may know its first answers from a snapshot."""

from __future__ import annotations

import subprocess
from pathlib import Path

from kit.processes import COMMAND, HELLO, environment, message, running

INITIALIZED = message("notifications/initialized")
CALL = {"name": "get_pinned_videos", "arguments": {"username": "a b"}}  # refused: the same words at any time


def hello(version: str = "2025-11-25", number: object = 0) -> bytes:
    """The first message of the legacy era."""
    return message("initialize", number, HELLO | {"protocolVersion": version})


def home(folder: Path, **more: str) -> dict[str, str]:
    """The environment of a user whose cache is this folder."""
    return environment(XDG_CACHE_HOME=str(folder), HOME=str(folder), **more)


def snapshots(folder: Path) -> list[Path]:
    """The files in that user's cache."""
    return [path for path in folder.rglob("*") if path.is_file()]


def talk(env: dict[str, str], sent: list[bytes], *, at_once: bool = False) -> tuple[bytes, bytes, int]:
    """What a server writes, says on stderr and ends with, to a client that hangs up when it has all the answers.

    The client says everything at once, or each message after the answer to the last.
    """
    owed = [each.endswith(b"\n") and each != b"\n" and b'"notifications/' not in each for each in sent]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with running([*COMMAND, "--sandbox"], env=env, **pipes) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        written = b""
        if at_once:
            process.stdin.write(b"".join(sent))
            process.stdin.flush()
        for each, is_owed in zip(sent, owed, strict=True):
            if not at_once:
                process.stdin.write(each)
                process.stdin.flush()
            if is_owed:
                written += process.stdout.readline()
        rest, said = process.communicate(timeout=100)
        return written + rest, said, process.returncode
