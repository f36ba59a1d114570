"""One call after the other over stdio: from the cache, and with a request to TikTok's side."""

from __future__ import annotations

import itertools
import statistics
import tempfile
from pathlib import Path
from typing import Final

from .measured import TIMES, Section, compared, interleaved
from .servers import ACCOUNT, ERAS, Era, Stdio, answer_file, bare, configured, ours, upstream

_ROUNDS: Final = 12
_CALLS: Final = 80
_names = itertools.count()


def run() -> Section:
    """Measure both protocol eras, and an SQLite file as the store."""
    section = Section(
        "One call at a time over stdio",
        "Reference: a server of the SDK with two tools (`references/bare.py`). One returns as many bytes as this "
        "server's cached answer, the other sends one request and returns TikTok's body. The upstream answers at once. "
        + TIMES,
    )
    with upstream() as tiktok, answer_file(tiktok.address) as answer, tempfile.TemporaryDirectory() as folder:
        for era in ERAS:
            _measure(section, era, tiktok.address, answer, "memory:")
        state = f"sqlite:///{Path(folder).as_posix()}/state.sqlite3"
        _measure(section, ERAS[-1], tiktok.address, answer, state)
    return section


def _measure(section: Section, era: Era, address: str, answer: str, state: str) -> None:
    with (
        Stdio(ours(), era=era, env=configured(address, TIKTOK_STATE=state)) as mine,
        Stdio(bare(answer, "stdio"), era=era, env=configured(address)) as other,
    ):
        mine.open()
        other.open()
        for tool, cached in (("answer", True), ("ask", False)):
            found = interleaved(
                _ROUNDS,
                {
                    "ours": lambda cached=cached: _median(mine, "get_pinned_videos", cached=cached),
                    "bare": lambda cached=cached, tool=tool: _median(other, tool, cached=cached),
                },
            )
            what = f"{'cached call' if cached else 'call that asks TikTok'}, {state.partition(':')[0]}, {era}"
            section.rows.append(compared(what, found["ours"], found["bare"], "ms", goal=1.2 if cached else None))


def _median(server: Stdio, tool: str, *, cached: bool) -> float:
    names = [ACCOUNT if cached else f"account{next(_names)}" for _ in range(_CALLS)]
    return statistics.median(server.times(tool, [{"username": name} for name in names]))
