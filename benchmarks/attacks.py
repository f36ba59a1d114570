"""What strangers do to a server over HTTP, without a token: the attacks that `strangers` measures, each in a process.

`python -m benchmarks.attacks NAME ADDRESS CONNECTIONS SECONDS` keeps that many connections open and busy; one that the
server closes is opened again at once. It runs on the first processor and gives way to the caller there.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import resource
import socket
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

import jwt

MAX_HEAD: Final = 64 * 1024


@dataclass(frozen=True, slots=True)
class Attack:
    """What each connection sends: `first` and, when something has come back, `then`; then `piece` for ever."""

    first: bytes = b""
    then: bytes = b""
    piece: bytes = b""
    pause: float | None = 0.0
    """Seconds between pieces; None: silence instead of any."""
    repeats: bool = False
    """Whether `first` is sent again for each answer."""
    reads: bool = True
    closes: bool = False
    """Whether it hangs up after an answer."""


def _post(*headers: str, path: str = "/mcp", host: str = "localhost") -> bytes:
    return "\r\n".join([f"POST {path} HTTP/1.1", f"Host: {host}", *headers, "", ""]).encode("latin-1")


_BODY: Final = b"{}"
_H2C: Final = (
    "Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA",
    "Content-Length: 2",
)  # fmt: skip
_INVENTED: Final = jwt.encode(
    {"iss": "nobody", "exp": 9999999999}, "k" * 32, "HS256", headers={"alg": "HS256", "kid": "KID"}
)
_CHUNKED: Final = _post("Transfer-Encoding: chunked")
ATTACKS: Final[Mapping[str, Attack]] = {
    "trailers without end": Attack(first=_CHUNKED, then=b"0\r\n", piece=b"a:\r\n" * 4096),
    "one long trailer": Attack(first=_CHUNKED, then=b"0\r\na: ", piece=b"x" * 65536),
    "a body without end": Attack(first=_CHUNKED, piece=b"4000\r\n" + b"x" * 0x4000 + b"\r\n"),
    "a refused request that drips": Attack(first=_post("Content-Length: 9"), then=b"x", pause=None),
    "a drip every 5 s": Attack(first=_post("Content-Length: 999"), piece=b"x", pause=5),
    "half a head": Attack(first=b"POST /mcp HTTP/1.1\r\nHost: loc", pause=None),
    "half a head of 63 KiB": Attack(first=b"POST /mcp HTTP/1.1\r\nX: " + b"x" * (MAX_HEAD - 1024), piece=b"x", pause=1),
    "63 KiB and then no HTTP": Attack(
        first=b"POST /mcp HTTP/1.1\r\nX: " + b"x" * (MAX_HEAD - 1024) + b"\r\n\0\r\n\r\n"
    ),
    "silence": Attack(pause=None),
    "h2c offered": Attack(first=_post(*_H2C) + _BODY, repeats=True),
    "/mcp%0a": Attack(first=_post("Content-Length: 9", path="/mcp%0a") + b"123456789", repeats=True),
    "a new connection for each": Attack(first=_post("Content-Length: 2") + _BODY, closes=True),
    "answers that nobody reads": Attack(
        first=b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n" * 200,
        piece=b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n" * 200,
        reads=False,
    ),
    "a Host of 60 KB": Attack(first=_post("Content-Length: 0", host="\x9b\x85" * 30_000), repeats=True),
    "a chunk that is none": Attack(first=_CHUNKED, then=b"zz\r\n"),
    "invented tokens": Attack(first=b"JWT", repeats=True),
}


def main() -> None:
    """One attack."""
    name, address, connections, seconds = sys.argv[1:]
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    give_way()
    asyncio.run(_attack(ATTACKS[name], address, int(connections), float(seconds)))


def give_way() -> None:
    """Attackers would be on other machines: here they take what the caller leaves of one processor."""
    os.sched_setaffinity(0, {0})
    if os.geteuid() != 0:  # else the caller comes first by itself
        os.setpriority(os.PRIO_PROCESS, 0, 19)


async def _attack(attack: Attack, address: str, connections: int, seconds: float) -> None:
    where = urlsplit(address)
    ends = time.monotonic() + seconds
    counted = [0, 0]
    tasks = [
        asyncio.create_task(_stranger(attack, where.hostname or "", where.port or 80, ends, counted))
        for _ in range(connections)
    ]
    await asyncio.wait(tasks, timeout=max(0.0, ends - time.monotonic()))
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    print(*counted)


async def _stranger(attack: Attack, host: str, port: int, ends: float, counted: list[int]) -> None:
    loop = asyncio.get_running_loop()
    while time.monotonic() < ends:
        connection = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        connection.setblocking(False)
        if not attack.reads:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        try:
            await loop.sock_connect(connection, (host, port))
            counted[0] += 1
            await _speak(attack, connection, counted)
        except OSError:
            await asyncio.sleep(0)
        finally:
            connection.close()


async def _speak(attack: Attack, connection: socket.socket, counted: list[int]) -> None:
    loop = asyncio.get_running_loop()
    number = 0
    while attack.first:
        await loop.sock_sendall(connection, attack.first if attack.first != b"JWT" else _invented(number))
        counted[1] += 1
        number += 1
        answered = attack.closes or attack.repeats or attack.then
        if answered and (not await loop.sock_recv(connection, 65536) or attack.closes):
            return
        if not attack.repeats:
            break
    if attack.then:
        await loop.sock_sendall(connection, attack.then)
    listening = asyncio.create_task(_until_closed(connection)) if attack.reads else None
    try:
        while attack.piece and not (listening and listening.done()):
            await loop.sock_sendall(connection, attack.piece)
            await asyncio.sleep(attack.pause or 0)
        if listening:
            await listening
        else:
            await asyncio.sleep(3600)
    finally:
        if listening:
            listening.cancel()
            with contextlib.suppress(asyncio.CancelledError, OSError):
                await listening


async def _until_closed(connection: socket.socket) -> None:
    while await asyncio.get_running_loop().sock_recv(connection, 65536):
        pass


def _invented(number: int) -> bytes:
    """A request with a token that has the form of one, of a key that nobody has."""
    header = jwt.utils.base64url_encode(f'{{"alg":"RS256","kid":"{os.urandom(4).hex()}{number}"}}'.encode()).decode()
    token = f"{header}.{_INVENTED.partition('.')[2]}"
    return _post(f"Authorization: Bearer {token}", "Content-Length: 2") + _BODY


if __name__ == "__main__":
    main()
