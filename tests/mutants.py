"""Planted faults: `python -m tests.mutants [WORD...]` prints for each which test of its module finds it.

Each fault is planted in a copy of the project, in which the test files of its module run. Tools such as mutmut change
every operator that they meet, which takes a night with tests of sockets and processes. These are faults that a
maintainer could make and a user would notice.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = "server/tiktok_pinned_videos"
IGNORED = shutil.ignore_patterns("node_modules", ".git", ".venv", "build", "dist", ".*_cache")
AT_ONCE = int(os.environ.get("AT_ONCE", "2"))
SELECTION = "not (browser or builds or tools or soak)"
TEST_TIMEOUT = 60
TIME_LIMIT = 1800
"""Seconds for one test, and for all tests of a fault. A fault that makes them hang is found."""


@dataclass(frozen=True)
class Fault:
    """`old`, which occurs once in `file`, becomes `new`."""

    says: str
    file: str
    old: str
    new: str


TESTS = {
    "research/client.py": "client formats quota",
    "research/errors.py": "refusals quota",
    "research/models.py": "wire",
    "research/transport.py": "transport single_flight",
    "state/open.py": "stores settings",
    "state/sql.py": "stores",
    "service/accounts.py": "accounts history",
    "service/service.py": "accounts history single_flight",
    "sandbox/": "sandbox_app sandbox_server",
    "presentation/times.py": "results",
    "mcp_server/prompts.py": "server",
    "hosts.py": "origins",
    "environment.py": "settings",
    "serving.py": "sandbox_server http_start_and_stop",
    "app.py": "http_tokens",
    "transports/endpoint.py": "http",
    "observability/": "telemetry",
    "commands/ask.py": "formats command_interruption",
    "commands/compare.py": "compare_command",
    "commands/dataset/": "dataset dataset_interrupted",
    "commands/doctor/": "doctor",
    "commands/get.py": "formats",
    "commands/grid.py": "terminal",
    "commands/names.py": "command_names",
    "commands/http.py": "http",
    "commands/rows.py": "formats",
    "commands/streams.py": "command_streams",
}
"""By the beginning of a file's name: the tests of modules whose test files have another name."""

FAULTS = [
    # research
    Fault("a pause may use up all the time that is left", "research/client.py",
          "_MAX_WAIT: Final = 0.8", "_MAX_WAIT: Final = 1.0"),
    Fault("a simulated quota closes the real day", "research/client.py",
          "if error.sandbox:  # simulated", "if False:  # simulated"),
    Fault("a failure loses the body of its response", "research/client.py",
          "error.body = response.content", "pass"),
    Fault("responses with a token that is not valid are not asked again", "research/oauth.py",
          "for last in (False, True):", "for last in (True,):"),
    Fault("each call that waited for a rejected token requests one more", "research/oauth.py",
          "and self._refusals > refusals:", "and False:"),
    Fault("a token is used until its last second", "research/oauth.py",
          "buffer = min(_MAX_BUFFER, (self.expires_at - self.issued_at) / 2)", "buffer = 0.0"),
    Fault("a rejected token stays in the shared store", "research/oauth.py",
          "await self._shared.discard(token)", "pass"),
    Fault("three retries instead of two", "research/retry.py", "self.retries >= 2", "self.retries >= 3"),
    Fault("a retry may begin after the deadline", "research/retry.py", "if delay >= remaining:", "if False:"),
    Fault("an unwanted request is sent", "research/transport.py", "if not context.wanted():", "if False:"),
    Fault("a response of any size is read", "research/transport.py",
          "if max(received, total) > MAX_RESPONSE_BYTES:", "if False:"),
    Fault("the token may be sent to another host", "research/transport.py",
          "if (request.url.scheme, request.url.host, request.url.port) != self._origin:", "if False:"),
    Fault("a renamed list looks like nothing pinned", "research/wire.py",
          "if isinstance(value, list) and value:\n", "if False:\n"),
    Fault("an empty list with HTTP 500 is nothing pinned", "research/wire.py",
          "if reply.status_code >= 500 and not videos:", "if False:"),
    Fault("a secret in percent encoding is shown", "research/refusals.py", "|{percent}|", "|"),
    Fault("a gateway's 403 is an account that refuses", "research/refusals.py",
          "    403: _Row(\n        errors.APIStatusError,", "    403: _Row(\n        errors.PermissionDeniedError,"),
    Fault("invisible format characters are kept", "research/text.py", '{"Cc", "Cf", "Cs", "Co"}', '{"Cc", "Cs", "Co"}'),
    Fault("full case folding makes one account of two", "research/names.py",
          'unicodedata.normalize("NFC", username).lower())', 'unicodedata.normalize("NFC", username).casefold())'),
    Fault("ids beyond 2^53 in untyped values stay numbers", "research/models.py",
          "case int() | float() if abs(value) > MAX_SAFE_INTEGER:", "case int() | float() if False:"),
    Fault("plain http uses a proxy", "research/network.py", 'if target.scheme != "https" or proxy_bypass(target.host)',
          "if proxy_bypass(target.host)"),
    # state
    Fault("deleted values stay readable in the file", "state/database.py",
          "PRAGMA secure_delete = ON", "PRAGMA secure_delete = OFF"),
    Fault("an expired value is returned", "state/sql.py",
          "AND expires_at > ?\"  # noqa", "AND expires_at <> ?\"  # noqa"),
    Fault("a lease is released by any process", "state/sql.py",
          'WHERE key = ? AND value = ?"', 'WHERE key = ? OR value = ?"'),
    Fault("a deleted file is not noticed", "state/database.py",
          "if path is not None and _identity(path) != self._identity:", "if False:"),
    Fault("another program's file is used", "state/database.py",
          "if owner != _APPLICATION_ID and tables:", "if False:"),
    Fault("Redis stores values without an expiry", "state/redis.py",
          "pipeline.set(entry.key, entry.value, px=_milliseconds(entry.ttl))", "pipeline.set(entry.key, entry.value)"),
    Fault("a password appears in an error", "state/redis.py",
          'text.replace(self._password, "***") if self._password else text', "text"),
    Fault("after a loss it counts on at once", "state/resilient.py",
          "await asyncio.sleep(max(0.0, ", "await asyncio.sleep(min(0.0, "),
    Fault("an idle process does not restore what a store lost", "state/resilient.py",
          "await self._merge(list(self._counted.values()), 0)", "pass"),
    Fault("a store that lost its data counts at once", "state/sql.py",
          "granted = amount > 0 and not lost and all(", "granted = amount > 0 and all("),
    # service
    Fault("more requests at once than allowed", "service/service.py",
          "asyncio.Semaphore(max_concurrency)", "asyncio.Semaphore(10_000)"),
    Fault("an account that is gone keeps its observations", "service/accounts.py",
          "delete=account_keys(username, now)[:-1])", "delete=account_keys(username, now)[:1])"),
    Fault("refresh returns a cached answer", "service/service.py",
          "stored = None if refresh and not waited else", "stored ="),
    Fault("a caller that leaves ends a request that was sent", "service/single_flight.py",
          " and not flight.context.on_the_wire:", ":"),
    Fault("a lease lives for an hour", "service/single_flight.py", "LEASE: Final = 10.0", "LEASE: Final = 3600.0"),
    Fault("usernames are remembered for 150 days", "service/accounts.py",
          "_SEEN_TTL: Final = 15.0 *", "_SEEN_TTL: Final = 150.0 *"),
    Fault("nothing pinned is remembered as long as an answer", "service/accounts.py",
          "lasting = isinstance(stored, CachedSnapshot) and stored.videos",
          "lasting = isinstance(stored, CachedSnapshot)"),
    Fault("an answer of a clock that is ahead is used", "service/accounts.py",
          "if not -_CLOCK_SKEW <= self._clock()", "if not self._clock()"),
    Fault("one request more than the quota", "service/quota.py",
          "Counter(f\"used:{day}\", self._quota, ", "Counter(f\"used:{day}\", self._quota + 1, "),
    Fault("a closed day is asked about as before", "service/quota.py",
          "if closed and not await self._store.add(self._probe(day)):", "if False:"),
    Fault("a pause set by a wrong clock does not end", "service/quota.py",
          "return min(left, MAX_PAUSE) if left < 2 * MAX_PAUSE else 0.0", "return left"),
    Fault("the first change of a video is reported, not the last", "service/history.py",
          "last = max(place", "last = min(place"),
    Fault("a count that was unknown grew from 0", "service/history.py",
          "counts = [(one[place], ", "counts = [(one[place] or 0, "),
    Fault("an observation from the future is used", "service/accounts.py",
          "return now - self._history < seen_at <= now", "return now - self._history < seen_at"),
    Fault("the sandbox's observations are compared with TikTok's", "service/history.py",
          " and one.sandbox == newest.sandbox]", "]"),
    Fault("one account's simulated quota ends a comparison", "research/refusals.py",
          " and row is not _SIMULATED", ""),
    Fault("forget leaves other client keys' data", "service/forget.py",
          "prefixes = sorted(listed.entries[0])", "prefixes = sorted(listed.entries[0])[:1]"),
    # presentation and mcp_server
    Fault("a total counts a missing value as 0", "presentation/results.py",
          "if known := [count for video in videos if (count := video.get(name)) is not None]:",
          "if known := [video.get(name) or 0 for video in videos]:"),
    Fault("a refreshed comparison falls back to old answers", "mcp_server/tools.py",
          "fallback=None if asked.refresh else (", "fallback=("),
    # transports, observability and what they share
    Fault("an allowed origin is allowed on every port", "hosts.py",
          'return same and (self.port == "*" or other.port in ports)', "return same"),
    Fault("a key for encryption verifies signatures", "transports/auth.py",
          'if key.public_key_use in (None, "sig")]', "]"),
    Fault("tokens for another server are accepted", "transports/auth.py",
          'options={"require": ["exp", "aud", "iss"],',
          'options={"verify_aud": False, "require": ["exp", "aud", "iss"],'),
    Fault("any shared secret is accepted", "transports/auth.py",
          "if not hmac.compare_digest(token.strip().encode(errors=\"replace\"), self.secret.encode()):", "if False:"),
    Fault("connections of rejected requests stay open", "transports/connections.py",
          "connection.lingers = unread", "pass"),
    Fault("a body of any size is read from a client", "transports/endpoint.py",
          "RequestBodyLimitMiddleware(self._answer, MAX_BODY)", "self._answer"),
    Fault("outdated answers stay", "transports/handshake.py",
          "if key and self._known.get(key) != rest:", "if key and key not in self._known:"),
    Fault("small replies wait for each other in the network stack", "serving.py",
          "socket.SOCK_STREAM, socket.IPPROTO_TCP)", "socket.SOCK_STREAM)"),
    Fault("durations are exported in milliseconds", "observability/telemetry.py",
          "duration.record(record.milliseconds / 1000, facts)", "duration.record(record.milliseconds, facts)"),
    Fault("logging waits for a reader of stderr", "observability/logs.py",
          "if self._queue.qsize() < _MAX_LINES:", "while self._queue.qsize() >= _MAX_LINES: pass\n        if True:"),
    Fault("an unexpanded variable counts as a secret", "settings.py", r"|%[A-Za-z_]\w*%", ""),
    # commands
    Fault("a data set deletes an account after a temporary failure", "commands/dataset/journal.py",
          "if record.final or before is None or not before.final:", "if True:"),
    Fault("the response of an account that is gone stays", "commands/dataset/update.py",
          "raw_line(outcome, body=not gone)", "raw_line(outcome)"),
    Fault("the data package vouches for tables that are being changed", "commands/dataset/folder.py",
          "if (self.path / PACKAGE).exists():", "if False:"),
    Fault("an answer dated in the future is fresh", "commands/dataset/update.py",
          "not 0 <= now - record.retrieved_at < max_age", "not now - record.retrieved_at < max_age"),
    # planted without a look at the tests
    Fault("the British spelling of a count is ignored", "research/models.py",
          'values.setdefault("favorites_count", british)', "pass"),
    Fault("every leading @ is removed", "research/names.py", 'name.removeprefix("@")', 'name.lstrip("@")'),
    Fault("a valid token is not used when its renewal fails", "research/oauth.py",
          "if token is None or not error.retryable:", "if True:"),
    Fault("a curly apostrophe hides a refusal", "research/refusals.py", '.replace("\\u2019", "\'")', ""),
    Fault("Retry-After is ignored", "research/retry.py",
          "base = error.retry_after if error.retry_after is not None else _RATE_LIMIT_DELAYS[self.retries]",
          "base = _RATE_LIMIT_DELAYS[self.retries]"),
    Fault("an object with the same key twice is accepted", "research/wire.py",
          "if len(found) != len(pairs):", "if False:"),
    Fault("an answer with fewer fields replaces one with more", "service/accounts.py",
          "if self.cached and not richer:", "if self.cached:"),
    Fault("the quota note comes at 90 %", "service/quota.py", "_NOTE_FROM: Final = 0.8", "_NOTE_FROM: Final = 0.9"),
    Fault("growth has no sign", "presentation/changes.py", 'f"{name} {value:+}"', 'f"{name} {value}"'),
    Fault("a comparison has the time of its newest answer", "presentation/comparison.py",
          '"retrieved_at": iso(min(', '"retrieved_at": iso(max('),
    Fault("a value that no video has is a partial total", "presentation/notes.py",
          "if 0 < len(without) < len(videos):", "if without:"),
    Fault("times in the text have no time of day", "presentation/text.py",
          'time.removesuffix("Z").replace("T", " ")', "time[:10]"),
    Fault("short texts are clipped at 110 characters", "presentation/untrusted.py",
          "PHRASE: Final = 100", "PHRASE: Final = 110"),
    Fault("a cell that begins with - is a formula", "commands/rows.py",
          "\\uff20-]", "\\uff20]"),
    Fault("a list that is not UTF-8 is accepted", "commands/names.py", 'if "\\ufffd" in name or', "if"),
    Fault("a host with a trailing dot is another host", "hosts.py",
          r"*)\.?(?::", "*)(?::"),
    Fault("two sources share a store", "settings.py",
          'f"{self.base_url}\\n{self.credentials[0]}"', 'f"{self.base_url}"'),
    Fault("a damaged response is final", "research/transport.py", 'damaged.", retryable=True)', 'damaged.")'),
    Fault("a caller's share ends for ever", "service/quota.py", 'key = f"caller:{day}:', 'key = f"caller:'),
    Fault("the sandbox invents other videos in each process", "sandbox/accounts.py", "Random(seed)", "Random()"),
    Fault("an unknown argument is ignored silently", "mcp_server/tools.py", 'result["notes"] += asked.notes', "pass"),
    Fault("a message with a byte order mark is rejected", "transports/messages.py", ".removeprefix(BOM_UTF8)", ""),
    Fault("short keys verify signatures", "transports/auth.py", '_key_length": True', '_key_length": False'),
    Fault("texts of a comparison are cut for people", "commands/compare.py", "rank_by, whole=True)", "rank_by)"),
    Fault("forget fails with 0", "commands/forget.py", '{fault}. {then}", 1)', '{fault}. {then}", 0)'),
    Fault("a data set is fresh for too long", "commands/dataset/package.py",
          "datetime.fromtimestamp(times[0], UTC)", "datetime.fromtimestamp(times[-1], UTC)"),
]  # fmt: skip


def test_files(fault: Fault) -> list[str]:
    """Return the test files of a fault: `test_NAME.py` and `test_..._NAME.py`, those in tests/unit first."""
    listed = [names for begin, names in TESTS.items() if fault.file.startswith(begin)]
    names = " ".join(listed or [Path(fault.file).stem]).split()
    found = {path for name in names for path in ROOT.glob(f"tests/*/test_{name}.py")}
    found |= {path for name in names for path in ROOT.glob(f"tests/*/test_*_{name}.py")}
    return sorted((str(path.relative_to(ROOT)) for path in found), reverse=True)


def failure(files: Iterable[str], fault: Fault | None) -> str:
    """Return the first test that fails with the fault; empty if none does. Raises `RuntimeError` without a result."""
    with tempfile.TemporaryDirectory(prefix="mutant-") as folder:
        copy = Path(folder) / "copy"
        shutil.copytree(ROOT, copy, ignore=IGNORED)
        if fault is not None:
            source = copy / PACKAGE / fault.file
            text = source.read_text(encoding="utf-8") if source.exists() else ""
            if text.count(fault.old) != 1:
                raise RuntimeError(f"the old text occurs {text.count(fault.old)} times")
            source.write_text(text.replace(fault.old, fault.new), encoding="utf-8", newline="\n")
        try:
            done = subprocess.run(
                [sys.executable, "-m", "pytest", "-xq", f"--timeout={TEST_TIMEOUT}", "-m", SELECTION,
                 "-n", "0" if fault else str(AT_ONCE), *files],
                cwd=copy, env=os.environ | {"PYTHONPATH": str(copy / "server"), "CI": ""}, timeout=TIME_LIMIT,
                capture_output=True, encoding="utf-8", errors="replace", check=False,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            return "the tests hang"
    failed = [line.split(" - ")[0] for line in done.stdout.splitlines() if line.startswith(("FAILED", "ERROR"))]
    if done.returncode not in (0, 1, 2) or bool(done.returncode) != bool(failed):
        raise RuntimeError(f"pytest ended with {done.returncode}: {done.stdout[-300:]}{done.stderr[-300:]}")
    return failed[0] if failed else ""


def main(words: list[str], faults: list[Fault] = FAULTS) -> int:
    """Plant the faults that contain any of the words, or all. Return 0 if all were found."""
    chosen = [fault for fault in faults if not words or any(word in f"{fault.says} {fault.file}" for word in words)]
    if not chosen:
        print(f"No fault has any of these words: {' '.join(words)}")  # noqa: T201
        return 2
    if failed := failure({file for fault in chosen for file in test_files(fault)}, None):
        print(f"Without any fault: {failed}")  # noqa: T201
        return 1

    def row(fault: Fault) -> bool:
        start, files = time.monotonic(), test_files(fault)
        try:
            found = failure(files, fault) if files else ""
            how = found or f"no test fails of {' '.join(files) or 'none'}"
        except RuntimeError as why:
            found, how = "", str(why)
        seconds = time.monotonic() - start
        print(f"{'found' if found else 'LIVES'} {seconds:3.0f} s  {fault.file:26} {fault.says}: {how}", flush=True)  # noqa: T201
        return bool(found)

    with ThreadPoolExecutor(AT_ONCE) as pool:
        count = sum(pool.map(row, chosen))
    print(f"{count} of {len(chosen)} found")  # noqa: T201 - the result
    return 0 if count == len(chosen) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
