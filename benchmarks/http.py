"""Cached calls over Streamable HTTP from one to 64 connections at once."""

from __future__ import annotations

import asyncio
import re
import time
from collections import defaultdict
from typing import Final
from urllib.parse import SplitResult, urlsplit

from .measured import TIMES, Section, compared
from .servers import ACCOUNT, TOKEN, Era, Listening, answer_file, bare, call, configured, listening, ours, upstream

_ROUNDS: Final = 5
_SECONDS: Final = 1.2
_WARM_UP: Final = 0.3
_CASES: Final[tuple[tuple[Era, int], ...]] = (
    ("2025-11-25", 1), ("2025-11-25", 32), ("2026-07-28", 1), ("2026-07-28", 32), ("2026-07-28", 64),
)  # fmt: skip


def run() -> Section:
    """Measure calls per second and the slowest hundredth."""
    section = Section(
        "Many connections over HTTP, cached calls",
        "Reference: the tool of `references/bare.py` that returns as many bytes, with the same transport settings and "
        "a bearer token as well. New processes in each round; the client runs on the same machine. " + TIMES,
    )
    rates: defaultdict[tuple[Era, int, str], list[float]] = defaultdict(list)
    slow: defaultdict[tuple[Era, int, str], list[float]] = defaultdict(list)
    with upstream() as tiktok, answer_file(tiktok.address) as answer:
        env = configured(tiktok.address)
        for _ in range(_ROUNDS):
            with listening(ours("http", "--port", "0"), env) as mine, listening(bare(answer, "http"), env) as other:
                for era, connections in _CASES:
                    for name, server, tool in (("ours", mine, "get_pinned_videos"), ("bare", other, "answer")):
                        asyncio.run(_load(server, tool, era, connections, _WARM_UP))
                        times = asyncio.run(_load(server, tool, era, connections, _SECONDS))
                        rates[era, connections, name].append(len(times) / _SECONDS)
                        slow[era, connections, name].append(times[int(len(times) * 0.99)] * 1000)
    for era, connections in _CASES:
        ours_here, bare_here = (era, connections, "ours"), (era, connections, "bare")
        goal = 0.6 if connections == 32 else None
        what = f"{connections} connection{'s' if connections > 1 else ''}, {era}"
        section.rows += [
            compared(what, rates[ours_here], rates[bare_here], "calls/s", goal=goal, at_least=True),
            compared(f"the same, 99th percentile, {era}", slow[ours_here], slow[bare_here], "ms"),
        ]
    return section


async def _load(server: Listening, tool: str, era: Era, connections: int, seconds: float) -> list[float]:
    """Keep `connections` busy for that long. Return the seconds of all calls, shortest first."""
    address = urlsplit(server.address)
    request = _request(address, tool, era)
    ends = time.perf_counter() + seconds
    each = await asyncio.gather(*(_converse(address, request, ends) for _ in range(connections)))
    return sorted(seconds for times in each for seconds in times)


async def _converse(address: SplitResult, request: bytes, ends: float) -> list[float]:
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    times: list[float] = []
    while (began := time.perf_counter()) < ends:
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        length = re.search(rb"content-length: (\d+)", head.lower())
        body = await (reader.readexactly(int(length[1])) if length else reader.readuntil(b"\r\n0\r\n\r\n"))
        times.append(time.perf_counter() - began)
        if not head.startswith(b"HTTP/1.1 200") or b'"result"' not in body:
            raise RuntimeError(f"the server answered {head + body[:600]!r}")
    writer.close()
    return times


def _request(address: SplitResult, tool: str, era: Era) -> bytes:
    body = call(1, tool, {"username": ACCOUNT}, era=era).rstrip()
    lines = [
        f"POST {address.path} HTTP/1.1", f"Host: {address.netloc}", "Content-Type: application/json",
        f"Authorization: Bearer {TOKEN}", "Accept: application/json, text/event-stream",
        f"Mcp-Protocol-Version: {era}", f"Content-Length: {len(body)}",
    ]  # fmt: skip
    if era != "2025-11-25":
        lines += ["Mcp-Method: tools/call", f"Mcp-Name: {tool}"]
    return "\r\n".join([*lines, "", ""]).encode() + body
