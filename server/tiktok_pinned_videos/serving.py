"""A uvicorn server that stops without losing a call; shared by `http` and the sandbox."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import threading
from collections.abc import Callable, Generator
from types import FrameType
from typing import Any

import uvicorn


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens on the port (0: a free one). Raises OSError if that is not possible."""
    host = "127.0.0.1" if host == "localhost" else host.strip("[]")
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except UnicodeError:  # a label that is empty or longer than names may be
        raise OSError("no host name") from None
    family, _, _, _, address = found[0]
    # asyncio sets TCP_NODELAY only if the protocol is given. Without it each response takes 40 ms longer.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        if os.name == "posix":  # on Windows the option would let two servers share a port
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        # Listen already: a second server on the same port fails at listen, not at bind, and here the error is reported.
        listener.listen()
    except BaseException:
        listener.close()
        raise
    return listener


class Server(uvicorn.Server):
    """A uvicorn server with callbacks for start and stop, which a signal ends normally. `settings`: as in uvicorn."""

    def __init__(
        self, app: Any, ready: Callable[[], None], stopping: Callable[[], None] | None = None, **settings: Any
    ) -> None:
        quiet = {"log_config": None, "access_log": False, "server_header": False}
        super().__init__(uvicorn.Config(app, **quiet, proxy_headers=False, ws="none", **settings))
        self._ready = ready
        self._stopping = stopping

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """See uvicorn."""
        await super().startup(sockets)
        self._ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """See uvicorn."""
        if self._stopping is not None:
            self._stopping()
        await super().shutdown(sockets)

    async def stop_with(self, stop: asyncio.Event) -> None:
        """Stop once the event is set."""
        await stop.wait()
        self.should_exit = True

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        """Handle signals as uvicorn does, with three differences.

        The signal is not raised again at the end, because then a normal stop would be a failure. The handler is neither
        `handle_exit` nor a method: sse-starlette, which the SDK uses for streams, finds the server by both and cuts
        every stream at once, so that calls in flight would be lost. SIGHUP (the terminal closes) stops it like SIGTERM.
        """
        if threading.current_thread() is not threading.main_thread():
            yield
            return

        def stop(number: int, _: FrameType | None) -> None:
            if self.should_exit and number == signal.SIGINT:
                self.force_exit = True
            self.should_exit = True

        names = ("SIGINT", "SIGTERM", "SIGBREAK" if os.name == "nt" else "SIGHUP")
        numbers = [getattr(signal, name) for name in names]
        # `nohup` ignores SIGHUP; keep that.
        heeded = [number for number in numbers if signal.getsignal(number) != signal.SIG_IGN]
        before = {number: signal.signal(number, stop) for number in heeded}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
