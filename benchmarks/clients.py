"""The same account through this server, TikTok's own Python client and ResearchTikPy, when all is well and when not."""

from __future__ import annotations

import json
import subprocess
import time
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from . import homes, settings
from .measured import Result, number
from .upstream import CASES
from .wire import Listening, StdioServer

_SECRET: Final = "wrong_secret"
_REFERENCES: Final = homes.ROOT / "benchmarks" / "references"
_OTHERS: Final = {
    "TikTokResearchApi": ("client_official.py", "official client (TikTokResearchApi {})", ()),
    # It imports cachetools without declaring it.
    "researchtikpy": ("client_researchtikpy.py", "ResearchTikPy {}", ("cachetools",)),
}


@dataclass(frozen=True, slots=True)
class _Outcome:
    """What one way of asking made of one case."""

    said: str
    milliseconds: float
    asked: Mapping[str, int]

    def cell(self) -> str:
        """As it stands in the table."""
        requests = self.asked.get("research", 0)
        more = f" + {self.asked['token']} for a token" if self.asked.get("token") else ""
        return f"{self.said} ({requests}{more}; {number(self.milliseconds)} ms)"


def run() -> Result:
    """The table, a row for each case."""
    result = Result("clients", "The same upstream through other clients", ["case", "this server"])
    others: dict[str, homes.Home] = {}
    for package, (_, heading, more) in _OTHERS.items():
        home = homes.package(package, *more)
        if home is None:
            result.notes.append(f"{package} could not be installed here and is left out.")
            continue
        others[package] = home
        result.columns = [*result.columns, heading.format(home.version(package))]
    for name, what in CASES.items():
        outcomes = {"this server": _ours(name)}
        for package, home in others.items():
            outcomes[package] = _other(home, _OTHERS[package][0], name)
        result.rows.append([what, *(outcome.cell() for outcome in outcomes.values())])
        result.data[what] = {
            who: {"said": outcome.said, "ms": outcome.milliseconds, "requests": dict(outcome.asked)}
            for who, outcome in outcomes.items()
        }
    result.notes.append(
        "In brackets the requests that one question cost and its time. Before it, each had answered a good account "
        "(but for the wrong secret). `[]` is what these clients also return where nothing is pinned."
    )
    return result


def _ours(name: str) -> _Outcome:
    with settings.upstream() as upstream:
        secret = {"TIKTOK_CLIENT_SECRET": _SECRET} if name == _SECRET else {}
        variables = settings.configured(upstream.address) | secret
        with StdioServer([homes.ours().script(settings.COMMAND)], variables=variables) as server:
            server.open()
            if name != _SECRET:
                server.call("get_pinned_videos", {"username": "videos3"})
            _counted(upstream)
            before = time.perf_counter()
            reply = server.call("get_pinned_videos", {"username": name, "refresh": True})
            milliseconds = (time.perf_counter() - before) * 1000
        text: str = reply["content"][0]["text"]
        said = text if reply.get("isError") else text.splitlines()[0].partition(" (")[0].partition(": ")[2]
        return _Outcome(said, milliseconds, _counted(upstream))


def _other(home: homes.Home, script: str, name: str) -> _Outcome:
    with settings.upstream() as upstream:
        process = subprocess.Popen(
            [str(home.python), str(_REFERENCES / script), upstream.address, _SECRET, name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=homes.environment(PYTHONIOENCODING="utf-8"),
            text=True,
            encoding="utf-8",
        )
        with process:
            assert process.stdout is not None
            assert process.stdin is not None
            while process.stdout.readline().strip() not in ("ready", ""):
                pass
            _counted(upstream)
            process.stdin.write("\n")
            process.stdin.flush()
            told = json.loads(process.stdout.readline() or '{"outcome": "(the script failed)", "ms": 0}')
        return _Outcome(told["outcome"], told["ms"], _counted(upstream))


def _counted(upstream: Listening) -> dict[str, int]:
    """What the upstream was asked since this was last called."""
    with urllib.request.urlopen(f"{upstream.address}/count", timeout=10) as response:
        return json.load(response)
