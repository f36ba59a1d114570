"""Serve the sandbox on a loopback port, for testing any client without credentials.

It serves loopback addresses only, because it accepts any client key.
"""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import Callable

from tiktok_pinned_videos.serving import Server, listen

from .app import SandboxApp

_DRAIN = 3  # seconds for requests in flight when the server stops; sandbox_slow takes 2


async def serve(
    port: int,
    *,
    host: str = "127.0.0.1",
    latency: float = 0.0,
    ready: Callable[[int], None] | None = None,
    stop: asyncio.Event | None = None,
) -> None:
    """Serve until SIGINT, SIGTERM or `stop`, then answer the requests in flight and return.

    `port` 0 takes a free one; `ready` is called once with the real one as soon as requests are answered. `latency` is
    the seconds that every response takes. Raises ValueError when `host` is not a loopback address, OSError when the
    port cannot be opened.
    """
    address = ipaddress.ip_address("127.0.0.1" if host == "localhost" else host)
    if not address.is_loopback:
        raise ValueError(f"the sandbox serves loopback addresses only, not {host}")
    with listen(str(address), port) as listener:
        bound: int = listener.getsockname()[1]
        server = Server(
            SandboxApp(latency=latency),
            lambda: ready(bound) if ready else None,
            lifespan="off",
            log_level="warning",
            timeout_graceful_shutdown=_DRAIN,
        )
        watch = asyncio.create_task(server.stop_with(stop)) if stop else None
        try:
            await server.serve(sockets=[listener])
        finally:
            if watch:
                watch.cancel()
