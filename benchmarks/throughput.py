"""Cached calls over HTTP from many connections at once, on the same transport settings: how many, and the slow ones."""

from __future__ import annotations

import statistics
from typing import Final

from . import settings
from .load import Load, load, post
from .measured import Claim, Result, figure, number
from .wire import Era, Listening

_ROUNDS: Final = 5
_SECONDS: Final = 1.2
_CASES: Final[tuple[tuple[Era, int], ...]] = (
    ("2026-07-28", 1),
    ("2026-07-28", 8),
    ("2026-07-28", 32),
    ("2026-07-28", 64),
    ("2025-11-25", 32),
)


def run() -> Result:
    """The table, a row for each number of connections."""
    result = Result(
        "throughput",
        "Many connections over HTTP, cached calls",
        ["protocol", "connections", "this server per s", "bare tool per s", "ratio",
         "this server p99 ms", "bare tool p99 ms", "ratio of processor time"],
    )  # fmt: skip
    with settings.http_pair() as pair:
        for era, connections in _CASES:
            found: dict[str, list[Load]] = {"ours": [], "bare": []}
            for turn in range(_ROUNDS + 1):
                for name, server, tool in (
                    ("ours", pair.ours, "get_pinned_videos"),
                    ("bare", pair.bare, "answer"),
                ):
                    stretch = _load(server, tool, connections, era, 0.2 if turn == 0 else _SECONDS)
                    if turn:  # the first round only warms up
                        found[name].append(stretch)
            _add(result, era, connections, found["ours"], found["bare"])
    result.notes.append(
        "One process each, with uvicorn and h11: stateless, answers as event streams where the protocol allows. "
        "This server asks for a bearer token, the bare tool does not. The client runs on the same machine."
    )
    return result


def _load(server: Listening, tool: str, connections: int, era: Era, seconds: float) -> Load:
    request = post(server.address, tool, settings.ACCOUNT, era=era)
    return load(server, connections, seconds, lambda: request)


def _add(result: Result, era: Era, connections: int, ours: list[Load], bare: list[Load]) -> None:
    pairs = list(zip(ours, bare, strict=True))
    share = statistics.median(mine.per_second / theirs.per_second for mine, theirs in pairs)
    slow = statistics.median(mine.p99_ms / theirs.p99_ms for mine, theirs in pairs)
    processor = statistics.median(mine.cpu_ms / theirs.cpu_ms for mine, theirs in pairs)
    rates = [figure([each.per_second for each in side]) for side in (ours, bare)]
    p99 = [figure([each.p99_ms for each in side]) for side in (ours, bare)]
    result.rows.append([era, str(connections), *map(str, rates), f"{share:.2f}", *map(str, p99), f"{processor:.2f}"])
    result.data[f"{era} {connections}"] = {
        "ours_per_second": rates[0],
        "bare_per_second": rates[1],
        "ratio": share,
        "ours_p99_ms": p99[0],
        "bare_p99_ms": p99[1],
        "cpu_ratio": processor,
    }
    if connections == 32:
        told = [f"{number(rate.median)} calls/s" for rate in rates]
        result.claims.append(
            Claim(f"HTTP, 32 connections, {era}", told[0], f"{told[1]}, bare tool", share, 0.80, at_least=True)
        )
        told = [f"{number(each.median)} ms" for each in p99]
        result.claims.append(Claim(f"the same, p99, {era}", told[0], f"{told[1]}, bare tool", slow, 1.0))
