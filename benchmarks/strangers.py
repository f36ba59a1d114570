"""`python -m benchmarks.strangers [NAME…] [--bare] [--seconds 60] [--connections 1000]`: what strangers cost, and whom.

Each attack of `attacks` in turn against one server (two: one with a shared secret, one with an authorization server
that hangs once its keys are known). Meanwhile a client with a good token asks for the same cached answer on one
connection that it keeps and on a new one for each call, and a probe for `/healthz`: three threads, each of which pauses
for 20 ms after an answer. A call on a new connection takes from before it connects until its answer is there. The
slowest of either kind is compared with the middle one of its kind, from the same client before the attack. `--bare`
attacks the bare server instead, which knows no token and has no `/healthz`: what Python, uvicorn and the SDK do by
themselves.

The server runs on the last processor, all others on the first. Attackers would be on other machines, and whoever else
uses this one has nothing to do with it: so the client comes before all others on its processor (as root; else the
attackers give way to everybody), and from each call's time is taken what the server spent waiting for its own processor
while somebody else had it, as Linux counts that. What an attack makes the server itself do stays in. Linux only.

Bounded are the calls on the connection that is kept and those on new ones alike.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import statistics
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import psutil

from . import homes, settings
from .attacks import ATTACKS
from .good_caller import AUDIENCE, Caller, Issuer, Seen
from .measured import Result, number, table
from .wire import SECRET, Listening, listening

_QUIET: Final = 10.0
_REST: Final = 10.0
MOST_MEMORY: Final = 40.0
"""MiB above the start."""
MOST_WAIT: Final = 10.0
"""Times a call in quiet."""


def run(names: list[str], seconds: float, connections: int, *, bare: bool = False) -> Result:
    """The table, a row for each attack."""
    result = Result(
        "strangers",
        f"{connections} connections without a token for {seconds:g} s each",
        ["attack", "connections; requests", "peak memory MiB", "most sockets", "a call in quiet ms: median, slowest",
         "under attack: median, p99, slowest", "the same, a new connection each", "slowest to quiet: kept, new",
         "slowest with all waiting ms", "calls lost", "/healthz", "log KiB", "10 s later: sockets; MiB"],
    )  # fmt: skip
    if bare:
        with (
            settings.upstream() as source,
            settings.answer_file(source.address) as answer,
            _server(settings.bare_command(answer, "http"), {}, said="bare server on") as (server, log),
        ):
            for name in names:
                _Measurement(name, server, log, Caller(server, "any", tool="answer")).take(result, seconds, connections)
        return result
    ours = [homes.ours().script("tiktok-pinned-videos-mcp"), "http", "--port", "0", "--sandbox"]
    secret = [name for name in names if name != "invented tokens"]
    if secret:
        with _server(ours, {"MCP_BEARER_TOKEN": SECRET}) as (server, log):
            for name in secret:
                _Measurement(name, server, log, Caller(server, SECRET)).take(result, seconds, connections)
    if len(secret) < len(names):
        issuer = Issuer()
        variables = {
            "MCP_JWT_ISSUER": issuer.name, "MCP_JWT_AUDIENCE": AUDIENCE, "MCP_JWKS_URL": issuer.name + "/keys",
        }  # fmt: skip
        with _server(ours, variables) as (server, log):
            caller = Caller(server, issuer.token)
            caller.look(0.5)
            issuer.hangs.set()
            _Measurement("invented tokens", server, log, caller).take(result, seconds, connections)
    return result


@contextlib.contextmanager
def _server(
    command: list[str], variables: Mapping[str, str], *, said: str = "MCP server on"
) -> Iterator[tuple[Listening, Path]]:
    with listening(command, said=said, variables=dict(variables)) as server:
        os.sched_setaffinity(server.pid, {max(range(os.cpu_count() or 1))})
        yield server, Path(f"/proc/{server.pid}/fd/2").readlink()


class _Measurement:
    """One attack on a server."""

    def __init__(self, name: str, server: Listening, log: Path, caller: Caller) -> None:
        self._name = name
        self._server = server
        self._log = log
        self._caller = caller
        self._process = psutil.Process(server.pid)
        self._most_sockets = 0

    def take(self, result: Result, seconds: float, connections: int) -> None:
        """Add its row."""
        self._caller.look(1)
        Path(f"/proc/{self._server.pid}/clear_refs").write_text("5", encoding="ascii")  # the peak is counted anew
        memory, sockets, logged = self._process.memory_info().rss, self._sockets(), self._log.stat().st_size
        quiet = self._caller.look(_QUIET)
        seen, counted = self._attacked(seconds, connections)
        peak = _peak(self._server.pid)
        time.sleep(_REST)
        left, kept = self._sockets() - sockets, (self._process.memory_info().rss - memory) / 2**20
        base = [statistics.median(times) for times in (quiet.kept, quiet.fresh)]
        slowest = [max(times, default=0) / usual for times, usual in zip((seen.kept, seen.fresh), base, strict=True)]
        row = [
            self._name, counted, f"{(peak - memory) / 2**20:+.1f}", str(self._most_sockets),
            ", ".join(f"{number(usual)}, {number(max(times))}"
                      for usual, times in zip(base, (quiet.kept, quiet.fresh), strict=True)),
            f"{_spread(seen.kept)}; reopened {seen.reopened}", _spread(seen.fresh),
            ", ".join(f"{times:.1f}" for times in slowest),
            f"{number(seen.longest)} (quiet {number(quiet.longest)})", _counted(seen.lost), _counted(seen.health),
            f"{(self._log.stat().st_size - logged) / 1024:.0f}", f"{left:+}; {kept:+.1f}",
        ]  # fmt: skip
        result.rows.append(row)
        result.data[self._name] = {
            "peak_mib": (peak - memory) / 2**20, "slowest_to_quiet": slowest[0], "slowest_to_quiet_new": slowest[1],
            "lost": seen.lost.total(), "health": dict(seen.health), "sockets_left": left,
            "memory_left_mib": kept,
        }  # fmt: skip
        print(" | ".join(row), file=sys.stderr, flush=True)

    def _attacked(self, seconds: float, connections: int) -> tuple[Seen, str]:
        command = [sys.executable, "-m", "benchmarks.attacks", self._name, self._server.address]
        over = threading.Event()
        counting = threading.Thread(target=self._count, args=(over,))
        counting.start()
        with subprocess.Popen(
            [*command, str(connections), str(seconds)], stdout=subprocess.PIPE, text=True, cwd=homes.ROOT
        ) as attackers:
            seen = self._caller.look(seconds)
            counted = attackers.communicate()[0].strip()
        over.set()
        counting.join()
        return seen, counted

    def _count(self, over: threading.Event) -> None:
        while not over.wait(1):
            self._most_sockets = max(self._most_sockets, self._sockets())

    def _sockets(self) -> int:
        return len([each for each in self._process.net_connections("tcp") if each.status != "LISTEN"])


def _spread(times: list[float]) -> str:
    if not times:
        return "none"
    ordered = sorted(times)
    p99 = ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))]
    return f"{number(statistics.median(ordered))}, {number(p99)}, {number(ordered[-1])} ({len(ordered)} calls)"


def _counted(counter: Counter[str]) -> str:
    return ", ".join(f"{what}: {times}" for what, times in counter.items()) or "0"


def _peak(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    return int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1]) * 1024


def main() -> None:
    """Parse the arguments and do it; exit 1 where a bound does not hold."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.strangers", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(ATTACKS)}; default: all")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--bare", action="store_true", help="attack the bare server")
    parser.add_argument("--connections", type=int, default=1000)
    arguments = parser.parse_args()
    if unknown := set(arguments.names) - set(ATTACKS):
        parser.error(f"unknown attack {', '.join(unknown)}")
    os.sched_setaffinity(0, {0})
    result = run(arguments.names or list(ATTACKS), arguments.seconds, arguments.connections, bare=arguments.bare)
    print("\n".join(table(result.columns, result.rows)))
    missed = [name for name, found in result.data.items() if not _holds(found)]
    print(f"beyond the bounds: {', '.join(missed) or 'none'}")
    raise SystemExit(bool(missed))


def _holds(found: Mapping[str, Any]) -> bool:
    slowest = max(found["slowest_to_quiet"], found["slowest_to_quiet_new"])
    bounded = found["peak_mib"] <= MOST_MEMORY and slowest <= MOST_WAIT
    return bounded and found["health"].keys() == {"200"} and not found["lost"] and found["sockets_left"] <= 2


if __name__ == "__main__":
    main()
