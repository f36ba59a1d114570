"""One call after the other: a warm cached one and one that asks TikTok's side, over both doors and in both eras."""

from __future__ import annotations

import contextlib
import itertools
import statistics
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from . import settings
from .load import load, post
from .measured import Claim, Result, figure, interleaved, number, ratio
from .wire import ERAS, Era, StdioServer, cpu_seconds

_ROUNDS: Final = 12
_CALLS: Final = 80
_names = itertools.count()


class _Calls(Protocol):
    """A few calls of ours or the bare server, cached or not: milliseconds of the middle one, and how many."""

    def __call__(self, *, ours: bool, cached: bool) -> tuple[float, int]: ...


@dataclass(frozen=True, slots=True)
class _Servers:
    """Both, ready to be called, and their processes."""

    calls: _Calls
    ours: int
    bare: int


def run() -> Result:
    """The table, a row for each way."""
    result = Result(
        "calls",
        "One call at a time",
        ["way", "protocol", "call", "this server ms", "bare tool ms", "ratio", "ratio of processor time"],
    )
    for era in ERAS:
        with _over_stdio(era, "memory:") as servers:
            _add(result, "stdio", era, True, servers, goal=1.2)
            _add(result, "stdio", era, False, servers)
    with tempfile.TemporaryDirectory() as folder:
        state = f"sqlite:///{Path(folder).as_posix()}/state.sqlite3"
        with _over_stdio("2026-07-28", state) as servers:
            _add(result, "stdio, SQLite file", "2026-07-28", True, servers, goal=1.2)
            _add(result, "stdio, SQLite file", "2026-07-28", False, servers)
    for era in ERAS:
        with _over_http(era) as servers:
            _add(result, "HTTP", era, True, servers)
            _add(result, "HTTP", era, False, servers)
    result.notes = [
        "The bare tool of a cached call returns as many bytes in both channels; the other one sends one request and "
        "hands on TikTok's body. The upstream answers at once and keeps its connections.",
    ]
    return result


def _add(result: Result, way: str, era: Era, cached: bool, servers: _Servers, *, goal: float | None = None) -> None:
    used = {True: [0.0, 0], False: [0.0, 0]}  # processor seconds and calls

    def measured(ours: bool) -> Callable[[], float]:
        pid = servers.ours if ours else servers.bare

        def measure() -> float:
            before = cpu_seconds(pid)
            milliseconds, calls = servers.calls(ours=ours, cached=cached)
            used[ours][0] += cpu_seconds(pid) - before
            used[ours][1] += calls
            return milliseconds

        return measure

    found = interleaved(_ROUNDS, {"ours": measured(True), "bare": measured(False)})
    ours, bare = figure(found["ours"]), figure(found["bare"])
    share = ratio(found["ours"], found["bare"])
    each = {who: seconds / calls for who, (seconds, calls) in used.items()}
    processor = each[True] / each[False] if each[False] else float("nan")
    kind = "cached" if cached else "asks TikTok's side"
    result.rows.append([way, era, kind, str(ours), str(bare), f"{share:.2f}", f"{processor:.2f}"])
    result.data[f"{way} {era} {kind}"] = {"ours_ms": ours, "bare_ms": bare, "ratio": share, "cpu_ratio": processor}
    if goal is not None:
        told = f"{number(bare.median)} ms, bare tool returning as much"
        result.claims.append(Claim(f"cached call, {way}, {era}", f"{number(ours.median)} ms", told, share, goal))


@contextlib.contextmanager
def _over_stdio(era: Era, state: str) -> Iterator[_Servers]:
    with (
        settings.upstream() as upstream,
        settings.answer_file(upstream.address) as answer,
        settings.stdio(upstream.address, era=era, state=state) as mine,
        settings.bare_stdio(upstream.address, answer, era=era) as bare,
    ):

        def calls(*, ours: bool, cached: bool) -> tuple[float, int]:
            server: StdioServer = mine if ours else bare
            tool = "get_pinned_videos" if ours else ("answer" if cached else "ask")
            arguments = [{"username": _name(cached)} for _ in range(_CALLS)]
            return statistics.median(server.times(tool, arguments)), _CALLS

        yield _Servers(calls, mine.process.pid, bare.process.pid)


@contextlib.contextmanager
def _over_http(era: Era) -> Iterator[_Servers]:
    with settings.http_pair() as pair:

        def calls(*, ours: bool, cached: bool) -> tuple[float, int]:
            server = pair.ours if ours else pair.bare
            tool = "get_pinned_videos" if ours else ("answer" if cached else "ask")
            done = load(server, 1, 0.15, lambda: post(server.address, tool, _name(cached), era=era))
            return done.median_ms, done.calls

        for ours, cached in itertools.product((True, False), repeat=2):
            calls(ours=ours, cached=cached)  # what is loaded on the first call is not part of this
        yield _Servers(calls, pair.ours.pid, pair.bare.pid)


def _name(cached: bool) -> str:
    return settings.ACCOUNT if cached else f"account{next(_names)}"
