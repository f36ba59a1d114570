"""The package's own HTTP server on a loopback port, answering from its sandbox, as a process of its own."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec

PATIENCE = 60.0
"""Seconds until a server that does not answer counts as broken."""


def possible() -> bool:
    """Whether this tree has a server to start."""
    return all(find_spec(f"tiktok_pinned_videos.{name}") for name in ("serve", "serve.http", "__main__"))


@contextmanager
def sandbox_server() -> Iterator[int]:
    """Its port, once it is alive; the process ends with the block."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    settings = ("TIKTOK_", "MCP_", "LOG_")
    process = subprocess.Popen(
        [sys.executable, "-m", "tiktok_pinned_videos", "http", "--sandbox", "--port", str(port)],
        env={name: value for name, value in os.environ.items() if not name.startswith(settings)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _wait(process, f"http://127.0.0.1:{port}/healthz")
        yield port
    finally:
        process.terminate()
        process.wait(timeout=60)


def _wait(process: subprocess.Popen[bytes], url: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"the server stopped at its start, exit code {process.returncode}")
        try:
            with urllib.request.urlopen(url, timeout=1):
                return
        except OSError:
            time.sleep(0.1)
    raise TimeoutError(f"no answer from {url} within {PATIENCE:.0f} s")
