"""The sandbox inside an httpx client: no socket, no port."""

from __future__ import annotations

import time
from collections.abc import Callable

import httpx

from .app import SandboxApp


class SandboxTransport(httpx.ASGITransport):
    """A transport that answers requests to any host in this process.

    `clock` gives Unix time in seconds, `latency` is the seconds that every response takes. Unlike a network it ignores
    httpx's timeouts, and a response arrives as a whole.
    """

    def __init__(self, *, clock: Callable[[], float] = time.time, latency: float = 0.0) -> None:
        self.sandbox = SandboxApp(clock=clock, latency=latency)
        super().__init__(self.sandbox)
