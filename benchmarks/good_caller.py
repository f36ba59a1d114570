"""Somebody with a good token who asks an HTTP server over and over, a probe of its health, and the issuer of tokens."""

from __future__ import annotations

import contextlib
import http.server
import json
import os
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

from .wire import Era, Listening, call

AUDIENCE: Final = "https://mcp.example.org/mcp"
_PAUSE: Final = 0.02
_ERA: Final[Era] = "2025-11-25"


@dataclass(slots=True)
class Seen:
    """What the good caller and the probe saw."""

    kept: list[float] = field(default_factory=list[float])
    """Milliseconds of calls on a connection that is kept."""
    fresh: list[float] = field(default_factory=list[float])
    """Of calls on a new one each."""
    lost: Counter[str] = field(default_factory=Counter[str])
    longest: float = 0.0
    """Milliseconds of the slowest call with everything in it."""
    reopened: int = 0
    health: Counter[str] = field(default_factory=Counter[str])


def come_first() -> None:
    """Put this thread before all others on its processor, where that is allowed; children do not inherit it."""
    with contextlib.suppress(PermissionError):
        os.sched_setscheduler(0, os.SCHED_RR | os.SCHED_RESET_ON_FORK, os.sched_param(1))


class Caller:
    """Somebody with a good token."""

    def __init__(self, server: Listening, token: str, *, tool: str = "get_pinned_videos") -> None:
        parts = urlsplit(server.address)
        self._address = (parts.hostname or "", parts.port or 80)
        body = call(1, tool, {"username": "nasa"}, era=_ERA).rstrip()
        head = (
            f"POST {parts.path} HTTP/1.1\r\nHost: {parts.netloc}\r\nContent-Type: application/json\r\n"
            f"Accept: application/json, text/event-stream\r\nAuthorization: Bearer {token}\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        self._request = head.encode() + body
        self._kept: socket.socket | None = None
        self._waiting = Path(f"/proc/{server.pid}/schedstat")

    def look(self, seconds: float) -> Seen:
        """Ask for so long, in each way at once: a slow answer in one hides nothing of the others."""
        seen = Seen()
        ends = time.perf_counter() + seconds

        def ask(way: Callable[[Seen], None]) -> None:
            come_first()
            while time.perf_counter() < ends:
                way(seen)
                time.sleep(_PAUSE)

        with ThreadPoolExecutor() as threads:
            list(threads.map(ask, (self._keep, self._anew, self._health)))
        return seen

    def _keep(self, seen: Seen) -> None:
        began = self._now()
        for last in (False, True):
            try:
                self._kept = self._kept or self._open()
                said = _exchange(self._kept, self._request)
            except OSError as fault:
                # As clients do: a connection that was closed while nobody used it is opened again.
                self._kept = None
                seen.reopened += 1
                if last:
                    seen.lost[type(fault).__name__] += 1
            else:
                self._note(said, seen, seen.kept, began)
                return

    def _anew(self, seen: Seen) -> None:
        began = self._now()
        try:
            with self._open() as connection:
                said = _exchange(connection, self._request)
        except OSError as fault:
            seen.lost[f"anew: {type(fault).__name__}"] += 1
        else:
            self._note(said, seen, seen.fresh, began)

    def _health(self, seen: Seen) -> None:
        try:
            with self._open() as connection:
                said = _exchange(connection, b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
            seen.health[said[9:12].decode()] += 1
        except OSError as fault:
            seen.health[type(fault).__name__] += 1

    def _now(self) -> tuple[float, float]:
        """Milliseconds, and those that the server has waited for its processor."""
        now = time.perf_counter() * 1000
        return now, int(self._waiting.read_text(encoding="ascii").split()[1]) / 1e6

    def _note(self, said: bytes, seen: Seen, times: list[float], began: tuple[float, float]) -> None:
        if said.startswith(b"HTTP/1.1 200") and b'"result"' in said:
            took, waited = (now - before for now, before in zip(self._now(), began, strict=True))
            times.append(took - min(waited, took))
            seen.longest = max(seen.longest, took)
        else:
            seen.lost[said[9:12].decode()] += 1

    def _open(self) -> socket.socket:
        connection = socket.create_connection(self._address, timeout=30)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection


def _exchange(connection: socket.socket, request: bytes) -> bytes:
    connection.sendall(request)
    heard = b""
    while not _is_whole(heard):
        piece = connection.recv(65536)
        if not piece:
            raise ConnectionResetError
        heard += piece
    return heard


def _is_whole(heard: bytes) -> bool:
    head, end, body = heard.partition(b"\r\n\r\n")
    declared = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
    return bool(end) and (len(body) >= int(declared) if declared else heard.endswith(b"\r\n0\r\n\r\n"))


class Issuer:
    """An authorization server with one key, that hangs when it is told to."""

    def __init__(self) -> None:
        self.hangs = threading.Event()
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        body = json.dumps({"keys": [RSAAlgorithm.to_jwk(key.public_key(), as_dict=True) | {"kid": "first"}]}).encode()
        issuer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                if issuer.hangs.is_set():
                    time.sleep(30)
                    return
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - named so by the library
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.name = f"http://127.0.0.1:{server.server_address[1]}"
        claims = {"iss": self.name, "aud": AUDIENCE, "sub": "somebody", "exp": int(time.time()) + 86400}
        self.token = jwt.encode(claims, key, "RS256", headers={"kid": "first"})
