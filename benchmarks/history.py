"""What remembering earlier answers costs a cached call: with it, without it, and with something to tell."""

from __future__ import annotations

import statistics
from typing import Final

from . import settings
from .measured import Claim, Result, figure, interleaved, number, ratio
from .wire import StdioServer

_PROCESSES: Final = 6
"""Of each kind, one after the other: two that are alike differ by a few per cent, for as long as they live."""
_ROUNDS: Final = 10
_CALLS: Final = 100
_OFF: Final = "nothing is remembered (TIKTOK_HISTORY_DAYS=0)"
_ON: Final = "a first answer is remembered"
_TOLD: Final = "the answer says what has changed"


def run() -> Result:
    """The table, a row for each of the three."""
    result = Result(
        "history", "A cached call over stdio, with a history and without", ["", "ms", "to that without a history"]
    )
    found: dict[str, list[float]] = {name: [] for name in (_OFF, _ON, _TOLD)}
    for _ in range(_PROCESSES):
        for name, times in _times().items():
            found[name] += times
    for name, times in found.items():
        result.rows.append([name, str(figure(times)), f"{ratio(times, found[_OFF]):.2f}"])
        result.data[name] = {"ms": figure(times), "ratio": ratio(times, found[_OFF])}
    ours, without = (number(figure(found[name]).median) for name in (_ON, _OFF))
    result.claims.append(
        Claim(
            "cached call with a history", f"{ours} ms", f"{without} ms, without one", ratio(found[_ON], found[_OFF]),
            1.02,
        )
    )  # fmt: skip
    return result


def _times() -> dict[str, list[float]]:
    with (
        settings.upstream() as upstream,
        settings.stdio(upstream.address, era="2026-07-28", TIKTOK_HISTORY_DAYS="0") as off,
        settings.stdio(upstream.address, era="2026-07-28") as first,
        settings.stdio(upstream.address, era="2026-07-28") as told,
    ):
        told.call("get_pinned_videos", {"username": settings.ACCOUNT, "refresh": True})
        servers = {_OFF: off, _ON: first, _TOLD: told}
        for name, server in servers.items():
            answer = server.call("get_pinned_videos", {"username": settings.ACCOUNT})["structuredContent"]
            if not answer["cached"] or ("changes" in answer) != (name == _TOLD):
                raise RuntimeError(f"{name}: not the answer that is to be measured")
        return interleaved(
            _ROUNDS, {name: lambda server=server: _middle_one(server) for name, server in servers.items()}
        )


def _middle_one(server: StdioServer) -> float:
    return statistics.median(server.times("get_pinned_videos", [{"username": settings.ACCOUNT}] * _CALLS))
