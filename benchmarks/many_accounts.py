"""compare_pinned_videos on an upstream that takes its time: how close to what the waiting alone would take."""

from __future__ import annotations

import itertools
import math
import time
from typing import Final

from . import homes, settings
from .measured import Claim, Result, figure, number
from .wire import StdioServer

_ROUNDS: Final = 5
_CASES: Final = ((50, 0.0), (2, 0.2), (5, 0.2), (10, 0.2), (50, 0.05), (50, 0.2))
_AT_ONCE: Final = 10
_numbers = itertools.count()


def run() -> Result:
    """The table, a row for each number of accounts and latency."""
    result = Result(
        "many-accounts",
        f"compare_pinned_videos, nothing cached, {_AT_ONCE} at once (TIKTOK_MAX_CONCURRENCY={_AT_ONCE})",
        ["accounts", "upstream latency ms", "ms", "ideal ms", "ratio", "ms per account"],
    )
    for accounts, latency in _CASES:
        ideal = math.ceil(accounts / _AT_ONCE) * latency * 1000
        with settings.upstream(latency) as upstream:
            variables = settings.configured(upstream.address, TIKTOK_MAX_CONCURRENCY=str(_AT_ONCE))
            with StdioServer([homes.ours().script(settings.COMMAND)], variables=variables) as server:
                server.open()
                _compare(server, 2)  # loads the client and fetches the token
                times = figure([_compare(server, accounts) for _ in range(_ROUNDS)])
        share = times.median / ideal if ideal else None
        result.rows.append(
            [
                str(accounts),
                number(latency * 1000),
                str(times),
                number(ideal) if ideal else "-",
                f"{share:.2f}" if share else "-",
                number(times.median / accounts),
            ]
        )
        result.data[f"{accounts} accounts at {latency * 1000:.0f} ms"] = {
            "ms": times,
            "ideal_ms": ideal,
            "ratio": share,
        }
        if (accounts, latency) == (50, 0.2) and share:
            what = "50 accounts at 200 ms, 10 at once"
            result.claims.append(Claim(what, f"{number(times.median)} ms", f"{number(ideal)} ms, ideal", share, 1.15))
    result.notes.append("Ideal: nothing but the upstream's latency, as many rounds of it as ten at once need.")
    return result


def _compare(server: StdioServer, accounts: int) -> float:
    names = [f"account{next(_numbers)}" for _ in range(accounts)]
    before = time.perf_counter()
    result = server.call("compare_pinned_videos", {"usernames": names})
    taken = (time.perf_counter() - before) * 1000
    found = [account["status"] for account in result["structuredContent"]["accounts"]]
    if found != ["found"] * accounts:
        raise RuntimeError(f"a comparison of {accounts} found {found}")
    return taken
