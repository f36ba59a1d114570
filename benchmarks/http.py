"""Cached calls over Streamable HTTP from one to 64 connections at once."""

from __future__ import annotations

import asyncio
import re
import time
from collections import defaultdict
from collections.abc import Mapping
from typing import Final, NamedTuple
from urllib.parse import SplitResult, urlsplit

from .measured import TIMES, Section, compared
from .servers import ACCOUNT, TOKEN, Era, Listening, answer_file, bare, call, configured, listening, ours, upstream

_ROUNDS: Final = 5
_TURNS: Final = 6
_SECONDS: Final = 0.25
"""Length of a turn. Short, because the speed of a machine that others use too changes from second to second."""
_CASES: Final[tuple[tuple[Era, int], ...]] = (
    ("2025-11-25", 1), ("2025-11-25", 32), ("2026-07-28", 1), ("2026-07-28", 32), ("2026-07-28", 64),
)  # fmt: skip


def run() -> Section:
    """Measure calls per second and the slowest hundredth."""
    section = Section(
        "Many connections over HTTP, cached calls",
        "Reference: the tool of `references/bare.py` that returns as many bytes, with the same transport settings and "
        "a bearer token as well. Each round has new processes, which take turns of a quarter of a second; the client "
        "runs on the same machine. " + TIMES,
    )
    rates: defaultdict[tuple[Era, int, str], list[float]] = defaultdict(list)
    slow: defaultdict[tuple[Era, int, str], list[float]] = defaultdict(list)
    with upstream() as tiktok, answer_file(tiktok.address) as answer:
        env = configured(tiktok.address)
        for _ in range(_ROUNDS):
            with listening(ours("http", "--port", "0"), env) as mine, listening(bare(answer, "http"), env) as other:
                servers = {"ours": (mine, "get_pinned_videos"), "bare": (other, "answer")}
                for era, connections in _CASES:
                    for name, turns in _in_turns(servers, era, connections).items():
                        times = sorted(seconds for turn in turns for seconds in turn.times)
                        rates[era, connections, name].append(len(times) / sum(turn.seconds for turn in turns))
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


class _Turn(NamedTuple):
    """The seconds of each call, and of the turn until the last answer."""

    times: list[float]
    seconds: float


def _in_turns(servers: Mapping[str, tuple[Listening, str]], era: Era, connections: int) -> dict[str, list[_Turn]]:
    """Keep `connections` to each server and its tool busy, one server after the other."""
    found: dict[str, list[_Turn]] = {name: [] for name in servers}
    for number in range(_TURNS + 1):
        for name, (server, tool) in servers.items():
            turn = asyncio.run(_turn(server, tool, era, connections))
            if number:  # the first only warms up
                found[name].append(turn)
    return found


async def _turn(server: Listening, tool: str, era: Era, connections: int) -> _Turn:
    address = urlsplit(server.address)
    request = _request(address, tool, era)
    opened = [await asyncio.open_connection(address.hostname, address.port) for _ in range(connections)]
    began = time.perf_counter()
    each = await asyncio.gather(*(_converse(*streams, request, began + _SECONDS) for streams in opened))
    return _Turn([seconds for times in each for seconds in times], time.perf_counter() - began)


async def _converse(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: bytes, ends: float
) -> list[float]:
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
