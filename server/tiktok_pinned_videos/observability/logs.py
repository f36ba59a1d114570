"""Logging to stderr for people or for machines, without ever waiting for stderr.

Stdout belongs to the protocol. No secret and no caption is logged. Lines go through a bounded queue to a daemon thread
that writes to descriptor 2. If the pipe is full, lines are dropped and counted.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import logging
import os
import queue
import re
import threading
import time
from datetime import UTC, datetime
from functools import cache
from typing import Any, Final, Literal

from .record import CallRecord

_MAX_LINES: Final = 1000
"""Lines that wait to be written."""
_FLUSH_TIMEOUT: Final = 0.5
"""Seconds that the end of the program waits for lines to be written."""
_calls: Final = logging.getLogger("tiktok_pinned_videos.calls")
_PLAIN: Final = re.compile(r"[\w.,:/@+-]+", re.ASCII)
# They log addresses, and httpx every single one.
_QUIET: Final = ("httpx", "httpx2", "httpcore", "httpcore2", "mcp", "uvicorn", "opentelemetry", "asyncio")


def configure_logging(level: str, log_format: Literal["text", "json"]) -> None:
    """Set up the root logger, before the SDK does it its own way."""
    handler = _Handler()
    handler.setFormatter(_Formatter(log_format))
    logging.basicConfig(level=level, handlers=[handler], force=True)
    # Any client can cause its warnings: one for each malformed request.
    logging.getLogger("uvicorn.error").setLevel(logging.ERROR)
    for name in _QUIET:
        logging.getLogger(name).setLevel(max(logging.WARNING, logging.getLogger().level))


def notice(line: str) -> None:
    """Print a line for the person who starts a server, at any log level."""
    _stderr().put(line)


def log_call(record: CallRecord) -> None:
    """Log one line for one call of a tool."""
    _calls.info("call", extra={"call": record})


class _Stderr:
    """Writes lines to descriptor 2 from a daemon thread."""

    def __init__(self) -> None:
        self._lines: queue.Queue[bytes] = queue.Queue(_MAX_LINES)
        self._dropped = 0
        threading.Thread(target=self._write_all, name="stderr", daemon=True).start()
        atexit.register(self._flush)

    def put(self, line: str) -> None:
        """Queue a line, or count it as dropped."""
        try:
            self._lines.put_nowait(line.encode("utf-8", errors="backslashreplace") + b"\n")
        except queue.Full:
            self._dropped += 1

    def _write_all(self) -> None:
        while True:
            _write(self._lines.get())
            dropped, self._dropped = self._dropped, 0
            if dropped:
                _write(f"{dropped} log lines were dropped because nothing read stderr.\n".encode())
            self._lines.task_done()

    def _flush(self) -> None:
        deadline = time.monotonic() + _FLUSH_TIMEOUT
        while self._lines.unfinished_tasks and time.monotonic() < deadline:
            time.sleep(0.005)


@cache
def _stderr() -> _Stderr:
    return _Stderr()


def _write(line: bytes) -> None:
    while line:
        try:
            line = line[os.write(2, line) :]
        except BlockingIOError:  # another process has put the pipe into non-blocking mode
            time.sleep(0.05)
        except OSError:  # closed
            return


class _Handler(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        # A record that cannot be formatted must not end the call that logs it.
        with contextlib.suppress(Exception):
            _stderr().put(self.format(record))


class _Formatter(logging.Formatter):
    """One line per record: text or a JSON object."""

    def __init__(self, log_format: Literal["text", "json"]) -> None:
        super().__init__()
        self._as_json = log_format == "json"

    def format(self, record: logging.LogRecord) -> str:
        when = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        call = getattr(record, "call", None)
        facts = _facts(call) if isinstance(call, CallRecord) else {"message": self._message(record)}
        if self._as_json:
            head = {"time": when, "level": record.levelname, "logger": record.name}
            return json.dumps(head | facts, ensure_ascii=False)
        words = " ".join(f"{name}={_quoted(value)}" for name, value in facts.items() if value not in (None, ""))
        return f"{when} {record.levelname} " + (f"{record.name}: {facts['message']}" if "message" in facts else words)

    def _message(self, record: logging.LogRecord) -> str:
        """Return the message in one line, without characters that a terminal obeys."""
        message = record.getMessage()
        if record.exc_info:
            message += " | " + self.formatException(record.exc_info).replace("\n", " | ")
        message = message.replace("\n", " ")
        return "".join(char if char.isprintable() else json.dumps(char)[1:-1] for char in message)


def _facts(call: CallRecord) -> dict[str, Any]:
    facts = {
        "tool": call.tool,
        "account": ",".join(call.accounts),
        "status": str(call.status),
        "requests": call.requests,
        "cached": call.cached,
        "ms": round(call.milliseconds, 1),
        "log_id": call.log_id,
    }
    return facts | ({"caller": call.caller} if call.caller else {})


def _quoted(value: object) -> str:
    # Callers write usernames: none may imitate the next field or a separator.
    if not isinstance(value, str):
        return str(value)
    return value if _PLAIN.fullmatch(value) else json.dumps(value, ensure_ascii=True)
