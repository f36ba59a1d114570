"""Servers of other makers for tests without an event loop: one function says what each request gets."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Callable
from typing import Any

from kit.upstream import Received, Reply


class Loopback(http.server.ThreadingHTTPServer):
    """An HTTP server on a free loopback port, in a thread of its own, until `close`."""

    def __init__(self, reply: Callable[[Received], Reply]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self.reply = reply
        self.received: list[Received] = []
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()

    def close(self) -> None:
        self.shutdown()
        self.server_close()


class _Handler(http.server.BaseHTTPRequestHandler):
    server: Loopback  # pyright: ignore[reportIncompatibleVariableOverride] - the only one that has this handler

    def do_GET(self) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        body = self.rfile.read(int(headers.get("content-length", "0")))
        path, _, query = self.path.partition("?")
        self.server.received.append(Received(self.command, path, query, headers, body))
        reply = self.server.reply(self.server.received[-1])
        self.send_response(reply.status)
        for name, value in {**reply.headers, "Content-Length": str(len(reply.body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(reply.body)

    def do_POST(self) -> None:
        self.do_GET()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - named so by the library
        pass
