"""Small faults, planted one at a time: `python -m tests.mutants [WORD...]` says which of them no test finds.

A copy of the project is changed, never the project. mutmut and cosmic-ray change every operator they meet; with tests
of sockets and processes that is a night of work for faults that mostly mean nothing. These are faults that somebody
could make and users would feel; each names the test files that should notice, and a further one is three lines.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = "server/tiktok_pinned_videos"
AT_ONCE = 2
TIME_LIMIT = 600
"""Seconds for the tests of one fault; a fault that makes them hang is found."""


@dataclass(frozen=True)
class Fault:
    """`old`, which stands once in `file`, becomes `new`. `tests`: files that should fail then."""

    says: str
    file: str
    old: str
    new: str
    tests: str


FAULTS = [
    Fault("a pause may use up all the time that is left", "research/client.py",
          "_WORTH_WAITING: Final = 0.8", "_WORTH_WAITING: Final = 1.0", "ledger"),
    Fault("small replies wait for each other in the network stack", "serving.py",
          "socket.SOCK_STREAM, socket.IPPROTO_TCP)", "socket.SOCK_STREAM)", "http_requests sandbox_server"),
    Fault("as many requests at once as anybody wants", "service/fetch.py",
          "asyncio.Semaphore(max_concurrency)", "asyncio.Semaphore(10_000)", "flights"),
    Fault("an allowed origin is allowed on every port", "transports/origins.py",
          "return self.scheme == other.scheme and self.host.admits(other.host)",
          "return self.scheme == other.scheme and self.host.name == other.host.name", "http_callers addresses"),
    Fault("names are remembered for 150 days", "service/cache.py",
          "_SEEN_TTL: Final = 15 *", "_SEEN_TTL: Final = 150 *", "resources"),
    Fault("what is deleted stays in the file", "state/sqlite.py",
          'file.execute("PRAGMA secure_delete = ON")', "pass", "state"),
    Fault("what is counted while an outage is told is forgotten", "state/resilient.py",
          "counter.pending -= amount", "counter.pending = 0", "counters"),
    Fault("an idle process never tells a store what it forgot", "state/resilient.py",
          "elif await self._says_less():", "elif False:", "counters"),
    Fault("a refreshed comparison is given old answers once the quota is spent", "mcp_server/tools.py",
          "fallback=None if asked.refresh else (", "fallback=(", "compare_failures"),
    Fault("a key for encryption verifies signatures", "transports/keys.py",
          'key.get("use", "sig") == "sig"', 'key.get("use", "sig") in ("sig", "enc")', "auth_keys"),
    Fault("durations are told in milliseconds", "observability/metrics.py",
          "duration.record(record.milliseconds / 1000, facts)", "duration.record(record.milliseconds, facts)",
          "telemetry"),
    Fault("upstream durations are told in milliseconds", "serve/spans.py",
          "self._duration.record(time.perf_counter() - started,",
          "self._duration.record(1000 * (time.perf_counter() - started),", "telemetry"),
    Fault("a lease is deleted whoever holds it", "service/single_flight.py",
          "Delete((self._key,), self._owner, self._sure_until)", "Delete((self._key,))", "flights"),
    Fault("the token lease is kept when fetching fails", "research/oauth.py",
          "                        finally:\n                            if self._shared is not None:",
          "                        finally:\n                            if self._shared is not None and token:",
          "counters"),
    Fault("leases are renewed every 150 s", "service/single_flight.py",
          "_RENEW: Final = 1.5", "_RENEW: Final = 150.0", "flights"),
    Fault("a caller who leaves takes the request on the wire along", "service/single_flight.py",
          " and not flight.context.on_the_wire:", ":", "flights"),
    Fault("an account is asked for though nobody waits for it any more", "research/transport.py",
          "if not context.wanted():", "if False:", "flights"),
    Fault("a pause never ends for whom the clock was put back", "service/quota.py",
          "if 0 < left <= LONGEST_PAUSE:", "if 0 < left:", "ledger"),
    Fault("a request is sent before it is counted", "service/quota.py",
          "ceiling=self._quota)", "ceiling=self._quota + 1)", "ledger"),
    Fault("what was read of the budget before this process closed the day is believed", "service/quota.py",
          " and known.read_at > self._changed_at", "", "kept"),
    Fault("a gateway's status has an account forgotten", "service/fetch.py",
          " and error.code is not None:", ":", "kept"),
    Fault("each who waited for a token that was refused asks for one more", "research/oauth.py",
          "and self._refusals > refusals:", "and False:", "kept"),
    Fault("full case folding makes one account of two", "research/names.py",
          'unicodedata.normalize("NFC", username).lower())', 'unicodedata.normalize("NFC", username).casefold())',
          "kept"),
    Fault("an answer of a clock that is ahead is told until it is caught up", "service/cache.py",
          "return -_CLOCKS_DIFFER <= age <", "return age <", "kept"),
    Fault("a lease that may have expired is deleted without a look", "service/single_flight.py",
          """so until then it cannot have expired.
        self._sure_until = asked_at + _LEASE / 2""", """so until then it cannot have expired.
        self._sure_until = asked_at + _LEASE * 9""", "state_outages"),
    Fault("what was counted beyond the ceiling is taken from whatever the counter is now", "state/redis.py",
          "if held and tonumber(held) > tonumber(ARGV[2]) then", "if true then", "state_outages"),
    Fault("a crowd behind a silent Redis waits in turn", "state/redis.py",
          "if asked_at < self._failed_at:", "if False:", "state_outages"),
    Fault("TikTok is asked about a closed day as before", "service/quota.py",
          "if known.closed and not await self._store.do(self._probe(day, only_if_absent=True)):", "if False:",
          "ledger"),
    Fault("nothing pinned is remembered as long as an answer", "service/cache.py",
          "lasting = isinstance(stored, CachedSnapshot) and stored.videos",
          "lasting = isinstance(stored, CachedSnapshot)",
          "cache"),
    Fault("one account's quota in the sandbox ends a comparison", "service/many.py",
          "if error.for_every_account and not error.sandbox:", "if error.for_every_account:", "compare_failures"),
    Fault("an answer of any size is read", "research/transport.py",
          "if max(received, total) > MAX_RESPONSE_BYTES:", "if False:", "wire_socket"),
    Fault("the secret may go to another host", "research/transport.py",
          "if (request.url.scheme, request.url.host, request.url.port) != self._origin:", "if False:",
          "transport"),
    Fault("invisible characters of strangers are passed on", "research/text.py",
          'frozenset({"Cc", "Cf", "Cs", "Co"})', 'frozenset({"Cc", "Cs", "Co"})', "text"),
    Fault("all strangers who have spoken are heard before a caller", "serve/turns.py",
          "self.ready.poll(0, most)", "self.ready.poll(0, -1)", "http_turns"),
    Fault("a caller with a token waits behind all strangers who came before", "serve/accept_queue.py",
          "if token is not None:\n                self._tokens", "if False:\n                self._tokens",
          "http_turns"),
    Fault("a caller whose token was good before waits among all who send one", "serve/accept_queue.py",
          "if self._tokens.known(fd) else", "if False else", "http_turns"),
    Fault("a token that was refused lets its sender in first for ever", "serve/accept_queue.py",
          "            self._good.pop(token, None)\n\n\nclass", "            pass\n\n\nclass", "http_turns"),
    Fault("a caller whose token was good before is heard as a stranger", "serve/turns.py",
          "if not self._tokens.known(fd):", "if True:", "http_turns"),
    Fault("a caller with a token is accepted first, but heard with all others", "serve/turns.py",
          "self._claiming if self._tokens.any(fd) else self._silent", "self._silent", "http_turns"),
    Fault("connections that have gone are kept until garbage is collected", "transports/connections.py",
          '.pop("_read_ready_cb", None)', "", "http_turns"),
    Fault("a frame that holds what it raises keeps connections", "serve/accept_queue.py",
          "raise self._why_nobody()", "fault = self._why_nobody()\n            raise fault", "http_turns"),
    Fault("one stranger is heard in a turn however many call", "serve/turns.py",
          "max(1, len(found) // CALLERS_FOR_A_STRANGER)", "1", "http_turns"),
    Fault("where anybody may call all are strangers", "commands/http.py",
          "None if isinstance(authentication, NoAuthentication) else LOOP", "LOOP", "http_turns"),
    Fault("the certificates are read for each fetch of keys", "transports/keys.py",
          "if self._http is None:", "if True:", "auth_keys"),
    Fault("the loop sleeps while somebody waits to be let in", "serve/turns.py",
          "told = self._others.select(0 if waiting else timeout)", "told = self._others.select(timeout)", "http_turns"),
    Fault("nobody comes in while strangers speak", "serve/turns.py",
          "(True, False, False)", "(False,)", "http_turns"),
    Fault("strangers come in faster than they are heard", "serve/turns.py",
          "(True, False, False)", "(True,)", "http_turns"),
    Fault("callers who come at once are let in one by one while others call", "serve/turns.py",
          "max(1, CLAIMANTS_FOR_A_CALLER * len(found))", "1", "http_turns"),
    Fault("a body of any size is read from a client", "transports/bounds.py",
          "while len(body) <= MAX_BODY:", "while True:", "http_requests"),
    Fault("a video beyond the first hundred is told as unpinned", "service/observations.py",
          "return self.whole and video_id not in self.videos", "return video_id not in self.videos", "looks"),
    Fault("the first turn of a video is told, not the last", "service/observations.py",
          "contrary = max(place", "contrary = min(place", "looks"),
    Fault("a count that was unknown grew from nothing", "service/observations.py",
          "(before := one[place]) is not None", "(before := one[place] or 0) is not None", "looks"),
    Fault("an hour's latest look takes the place of the day's first", "service/history.py",
          "only_if_absent=True", "only_if_absent=False", "history"),
    Fault("a look of a clock that was ahead is met again when its hour comes", "service/history.py",
          "return [*wrong, Write(", "return [Write(", "history"),
    Fault("a look of a clock that was ahead is believed", "service/history.py",
          "if look and oldest < look.seen_at <= now]", "if look and oldest < look.seen_at]", "history"),
    Fault("what is kept for longer elsewhere is told here", "service/history.py",
          "if look and oldest < look.seen_at <= now]", "if look and look.seen_at <= now]", "history"),
    Fault("the latest look of yesterday is a look of today", "service/history.py",
          "elif latest and latest.seen_at > (known[-1].seen_at if known else oldest):", "elif latest:", "history"),
    Fault("looks of the sandbox are compared with TikTok's", "service/history.py",
          " and one.sandbox == look.sandbox]", "]", "history"),
    Fault("changes are cached for longer than the looks they tell of", "service/history.py",
          "return max(1.0, changes.since + self._days * _DAY - now) if changes else math.inf", "return math.inf",
          "history"),
    Fault("a data set forgets an account for a gateway's 403", "commands/dataset/record.py",
          "return self.failure[0] in _GONE and self.by_tiktok", "return self.failure[0] in _GONE", "dataset"),
    Fault("a failed refresh takes the earlier answer away", "commands/dataset/journal.py",
          "if record.lasting or before is None or not before.lasting:", "if True:", "dataset"),
    Fault("a package vouches for tables that are being changed", "commands/dataset/folder.py",
          "        self.retract()\n        for name", "        for name", "dataset_interrupted"),
    Fault("the raw response of an account that vanished stays", "commands/dataset/update.py",
          "if before is not None and before.answered and record.lasting and not record.answered:", "if False:",
          "dataset"),
    Fault("a signal after the last answer leaves no package", "commands/signals.py",
          "signal.signal(each, note)", "pass", "dataset_interrupted"),
]  # fmt: skip


def planted(fault: Fault) -> str:
    """The name of the first test that finds it, or what is wrong with the fault itself, or nothing: it lives."""
    with tempfile.TemporaryDirectory(prefix="mutant-") as folder:
        copy = Path(folder)
        for name in ("server", "tests", "docs", "examples", "packaging"):
            shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("node_modules", "__pycache__"))
        for path in ROOT.iterdir():
            if path.is_file():
                shutil.copy(path, copy)
        source = copy / PACKAGE / fault.file
        text = source.read_text(encoding="utf-8")
        if text.count(fault.old) != 1:
            return f"STALE: the old text stands {text.count(fault.old)} times in {fault.file}"
        source.write_text(text.replace(fault.old, fault.new), encoding="utf-8")
        names = [f"*/test_{name}.py" for name in fault.tests.split()]
        files = [str(path) for name in names for path in sorted((copy / "tests").glob(name))]
        command = [sys.executable, "-m", "pytest", "-n0", "-x", "-q", "--no-header", "-p", "no:cacheprovider", *files]
        kept = {name: value for name, value in os.environ.items() if name != "CI"}
        try:
            done = subprocess.run(
                command, cwd=copy, env=kept | {"PYTHONPATH": str(copy / "server")}, timeout=TIME_LIMIT,
                capture_output=True, encoding="utf-8", errors="replace", check=False,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            return "found: the tests hang"
        if done.returncode == 0:
            return ""
        found = [line for line in done.stdout.splitlines() if line.startswith(("FAILED", "ERROR"))]
        return f"found: {found[0].split(' - ')[0]}" if found else f"STALE: pytest says {done.stdout[-300:]}"


def main(words: list[str]) -> int:
    """Plant those that any of the words is in, or all. 0: all were found."""
    chosen = [fault for fault in FAULTS if not words or any(word in f"{fault.says} {fault.file}" for word in words)]
    lives = 0
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for fault, outcome in zip(chosen, pool.map(planted, chosen), strict=True):
            lives += not outcome.startswith("found")
            print(f"{fault.says} ({fault.file})\n    {outcome or 'LIVES: no test finds it'}", flush=True)  # noqa: T201
    print(f"{len(chosen) - lives} of {len(chosen)} found")  # noqa: T201 - this is what it is for
    return 1 if lives else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
